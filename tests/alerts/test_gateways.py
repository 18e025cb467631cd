"""The gateways: a file that holds every message once, and a signed POST whose answer decides what is next."""

import hashlib
import hmac
import json
import os
import resource
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from alerts.gateway import GatewayError, Message, Receipt
from alerts.gateway_console import ConsoleGateway
from alerts.gateway_http import HttpGateway

SECRET = b"a secret of the tests, not of anyone"


def a_message(number: int = 1) -> Message:
    return Message(
        idempotency_key=UUID(int=number),
        address="13800000101",
        text="您的孩子小丽于22时10分疑似进入未成年人禁入区域，请尽快核实并带离。",
        template="guardian_entry_suspected",
    )


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


@dataclass(kw_only=True)
class Provider:
    """An HTTP provider that checks what it is sent and answers as planned."""

    url: str
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    delay_s: float = 0.0
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def take(self, headers: Any, body: bytes) -> tuple[int, dict[str, str]]:
        time.sleep(self.delay_s)
        signature = "sha256=" + hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(headers["X-Hulan-Signature"], signature):
            self.faults.append("signature")
        content = json.loads(body)
        key = headers["Idempotency-Key"]
        if content["id"] != key:
            self.faults.append("key")
        self.keys.append(key)
        status, more = self.answers.pop(0) if self.answers else (200, {})
        if status < 300:
            self.taken[key] = content
        return status, more


@pytest.fixture
def provider() -> Iterator[Provider]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers = opened.take(self.headers, body)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                return  # the client did not wait

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        opened = Provider(url=f"http://127.0.0.1:{server.server_port}/sms")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        server.shutdown()
        thread.join()
    assert opened.faults == []


@contextmanager
def http_gateway(url: str, *, timeout_s: float = 5.0, secret: bytes = SECRET) -> Iterator[HttpGateway]:
    gateway = HttpGateway(url, secret, timeout_s=timeout_s)
    yield gateway
    gateway.close()


def refused(url: str, *, timeout_s: float = 5.0) -> GatewayError:
    with http_gateway(url, timeout_s=timeout_s) as gateway, pytest.raises(GatewayError) as raised:
        gateway.send(a_message())
    for personal in ("13800000101", "小丽"):
        assert personal not in raised.value.reason
    return raised.value


class TestHttp:
    def test_a_message_is_posted_signed_under_its_key(self, provider: Provider) -> None:
        with http_gateway(provider.url) as gateway:
            assert gateway.send(a_message()) == Receipt(provider="http", reference=str(UUID(int=1)))
        message = a_message()
        assert provider.taken == {
            str(UUID(int=1)): {
                "id": str(UUID(int=1)),
                "phone": message.address,
                "template": message.template,
                "text": message.text,
            }
        }

    def test_the_providers_own_reference_is_kept(self, provider: Provider) -> None:
        provider.answers = [(202, {"X-Message-Id": "abc-1"})]
        with http_gateway(provider.url) as gateway:
            assert gateway.send(a_message()).reference == "abc-1"

    def test_a_wrong_secret_is_noticed(self, provider: Provider) -> None:
        with http_gateway(provider.url, secret=b"another secret of the tests") as gateway:
            gateway.send(a_message())
        assert provider.faults == ["signature"]
        provider.faults.clear()

    def test_a_retry_has_the_same_key(self, provider: Provider) -> None:
        provider.answers = [(500, {}), (429, {})]
        with http_gateway(provider.url) as gateway:
            for _ in range(2):
                with pytest.raises(GatewayError):
                    gateway.send(a_message())
            gateway.send(a_message())
        assert provider.keys == [str(UUID(int=1))] * 3
        assert len(provider.taken) == 1

    @pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 301, 302])
    def test_an_answer_that_may_change_is_tried_again(self, provider: Provider, status: int) -> None:
        provider.answers = [(status, {"Location": "/elsewhere"})]
        error = refused(provider.url)
        assert (error.reason, error.is_final) == (f"gateway answered {status}", False)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
    def test_an_answer_that_will_not_change_is_final(self, provider: Provider, status: int) -> None:
        provider.answers = [(status, {})]
        error = refused(provider.url)
        assert (error.reason, error.is_final) == (f"gateway answered {status}", True)

    def test_a_provider_that_does_not_answer_in_time_is_tried_again(self, provider: Provider) -> None:
        provider.delay_s = 0.6
        error = refused(provider.url, timeout_s=0.2)
        assert (error.reason, error.is_final) == ("gateway not reached: ReadTimeout", False)

    def test_a_provider_that_is_not_there_is_tried_again(self) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            error = refused(f"http://127.0.0.1:{unused.getsockname()[1]}/sms")
        assert (error.reason, error.is_final) == ("gateway not reached: ConnectError", False)

    def test_a_provider_that_hangs_up_is_tried_again(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            thread = threading.Thread(target=hang_up, args=[listener])
            thread.start()
            error = refused(f"http://127.0.0.1:{listener.getsockname()[1]}/sms")
            thread.join()
        assert not error.is_final


def hang_up(listener: socket.socket) -> None:
    listener.accept()[0].close()
