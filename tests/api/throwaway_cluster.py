"""Folders and commands for tests of the private cluster."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

_HOLD = """
import sys
from pathlib import Path
from api.cluster import running_cluster
with running_cluster(Path(sys.argv[1]), durable=False, say=lambda line: None) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def silent(line: str) -> None:
    """Say nothing."""


def open_folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hulan-test-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    for pid_file in made.glob("*/pgdata/postmaster.pid"):
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGQUIT)
    shutil.rmtree(made)


def answer(url: str, query: str) -> str:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return str(connection.scalar(text(query)))


def execute(url: str, statement: str) -> None:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


def postmaster_of(data: Path) -> int:
    return int((data / "pgdata/postmaster.pid").read_text().split()[0])


def is_running(data: Path) -> bool:
    return (data / "pgdata/postmaster.pid").exists() and (data / "run/.s.PGSQL.5432").exists()


def start_holder(data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def hold(data: Path) -> subprocess.Popen[str]:
    command = start_holder(data)
    assert line_of(command.stdout).startswith("postgresql+psycopg://hulan@/hulan?")
    return command


def leave(command: subprocess.Popen[str]) -> None:
    command.communicate("", timeout=30)
    assert command.returncode == 0


def line_of(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
