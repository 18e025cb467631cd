"""The console gateway: a file that holds every message once."""

import json
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from alerts.gateway import GatewayError, Message, Receipt
from alerts.gateway_console import ConsoleGateway
from tests.gateways import messages


def a_message(number: int = 1) -> Message:
    return messages.a_message(idempotency_key=UUID(int=number))


def silent(path: Path) -> ConsoleGateway:
    return ConsoleGateway(path, lambda _: None)


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class TestConsole:
    def test_a_message_is_appended_and_shown(self, tmp_path: Path) -> None:
        shown: list[Message] = []
        gateway = ConsoleGateway(tmp_path / "new" / "messages.jsonl", shown.append)
        receipt = gateway.send(a_message())
        assert receipt == Receipt(provider="console", reference=str(UUID(int=1)))
        assert lines(tmp_path / "new" / "messages.jsonl") == [
            {
                "key": str(UUID(int=1)),
                "phone": "13800000101",
                "template": "guardian_entry_suspected",
                "text": a_message().text,
            }
        ]
        assert shown == [a_message()]

    def test_the_same_key_is_written_and_shown_once(self, tmp_path: Path) -> None:
        shown: list[Message] = []
        for _ in range(3):
            gateway = ConsoleGateway(tmp_path / "messages.jsonl", shown.append)
            gateway.send(a_message(1))
            gateway.send(a_message(2))
        assert [line["key"] for line in lines(tmp_path / "messages.jsonl")] == [str(UUID(int=1)), str(UUID(int=2))]
        assert len(shown) == 2

    def test_only_its_owner_may_read_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.jsonl"
        mask = os.umask(0)
        try:
            silent(path).send(a_message(1))
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            path.chmod(0o666)
            silent(path).send(a_message(2))
        finally:
            os.umask(mask)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_two_processes_write_every_message_once(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.jsonl"
        processes = [subprocess.Popen([sys.executable, "-c", _WRITER, str(path)]) for _ in range(2)]
        assert [process.wait(timeout=60) for process in processes] == [0, 0]
        assert sorted(line["key"] for line in lines(path)) == [str(UUID(int=number)) for number in range(100)]

    def test_a_file_that_cannot_be_written_is_a_failure_to_be_tried_again(self, tmp_path: Path) -> None:
        path = tmp_path / "messages.jsonl"
        path.mkdir()
        with pytest.raises(GatewayError) as raised:
            silent(path).send(a_message())
        assert not raised.value.is_final
        assert "13800000101" not in raised.value.reason

    @pytest.mark.parametrize("size", [20, 60, 150, 200])
    def test_a_message_cut_off_by_a_full_disk_is_written_whole_by_the_next_try(self, tmp_path: Path, size: int) -> None:
        path = tmp_path / "messages.jsonl"
        with a_full_disk(size), pytest.raises(GatewayError):
            silent(path).send(a_message(1))
        assert len(path.read_bytes()) == size
        for number in (1, 2, 1):
            silent(path).send(a_message(number))
        whole = [json.loads(line) for line in path.read_text(errors="replace").splitlines() if line.endswith('"}')]
        assert [item["key"] for item in whole] == [str(UUID(int=1)), str(UUID(int=2))]
        assert {item["text"] for item in whole} == {a_message().text}


_WRITER = """
import sys
from pathlib import Path
from uuid import UUID
from alerts.gateway import Message
from alerts.gateway_console import ConsoleGateway
gateway = ConsoleGateway(Path(sys.argv[1]), lambda _: None)
for number in range(100):
    gateway.send(Message(idempotency_key=UUID(int=number), address="13800000101", text="合成", template="t"))
"""


@contextmanager
def a_full_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: a write stops there, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
