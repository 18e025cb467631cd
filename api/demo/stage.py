"""The demo's stage: a database of its own, made anew each time, and the real server and worker processes on it."""

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import Engine, make_url, text

from api.cluster import running_cluster
from api.database import migrate, open_engine
from api.gateways import MESSAGES_FILE
from api.logins import Login
from api.personal.keyring import Keyring
from api.personal.opening import open_keyring
from api.settings import DEMO_SECRET, read_settings

START_S = 60.0
"""How long the server may take to answer; a first start compiles the geometry kernel."""


class StageError(RuntimeError):
    """The demo cannot run; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running server and worker on an empty migrated database."""

    engine: Engine
    client: httpx.Client
    data_dir: Path
    secret: bytes
    keyring: Keyring

    @property
    def messages(self) -> Path:
        """What the console gateway handed over, one JSON object a line."""
        return self.data_dir / MESSAGES_FILE


@contextmanager
def open_database_anew(data_dir: Path, *, say: Callable[[str], None]) -> Iterator[Engine]:
    """An empty migrated database in the demo's own folder. Two demos in one folder at a time are refused."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        lock = stack.enter_context((data_dir / "demo.lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StageError(f"另一个演示正在使用 {data_dir} / another demo is using {data_dir}") from None
        url = stack.enter_context(running_cluster(data_dir / "postgres", say=say))
        _empty(url)
        (data_dir / MESSAGES_FILE).unlink(missing_ok=True)
        engine = open_engine(url)
        stack.callback(engine.dispose)
        migrate(engine, keyring=_keyring(data_dir))
        yield engine


@contextmanager
def open_stage(engine: Engine, data_dir: Path) -> Iterator[Stage]:
    """The server and the worker as processes of their own, stopped at the end."""
    port = _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HULAN_")} | {
        "HULAN_WEB_DATABASE_URL": engine.url.set(username=Login.WEB).render_as_string(hide_password=False),
        "HULAN_WORKER_DATABASE_URL": engine.url.set(username=Login.WORKER).render_as_string(hide_password=False),
        "HULAN_DATA_DIR": str(data_dir),
        "HULAN_DEMO": "true",
        "HULAN_CLOCK": "event",
        "HULAN_PORT": str(port),
        "HULAN_LEASE_SECONDS": "3",
    }
    with ExitStack() as stack:
        processes = [stack.enter_context(_process(name, environment, data_dir)) for name in ("serve", "worker")]
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60.0, trust_env=False))
        _await_health(client, processes[0], data_dir)
        yield Stage(
            engine=engine, client=client, data_dir=data_dir, secret=DEMO_SECRET.encode(), keyring=_keyring(data_dir)
        )


def _keyring(data_dir: Path) -> Keyring:
    """The one that the demo's processes find in the same folder."""
    return open_keyring(read_settings(demo=True, data_dir=data_dir, keyring=None))


def await_quiet(engine: Engine, *, most_s: float = 300.0) -> None:
    """Wait until every fix is evaluated and every notification has left."""
    deadline = time.monotonic() + most_s
    while _unfinished(engine):
        if time.monotonic() > deadline:
            raise StageError("处理进程没有跟上，见日志 / the worker does not keep up: see its log")
        time.sleep(0.05)


def _unfinished(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(
            connection.execute(
                text(
                    "SELECT EXISTS (SELECT FROM shard s JOIN fix f USING (shard)"
                    " WHERE f.written_by >= pg_snapshot_xmin(s.seen)"
                    " AND NOT pg_visible_in_snapshot(f.written_by, s.seen))"
                    " OR EXISTS (SELECT FROM notification WHERE state = 'pending')"
                )
            ).scalar_one()
        )


def _empty(url: str) -> None:
    admin = open_engine(make_url(url).set(database="postgres").render_as_string(hide_password=False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS hulan WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE hulan"))
    admin.dispose()


@contextmanager
def _process(name: str, environment: dict[str, str], data_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (data_dir / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", name], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _await_health(client: httpx.Client, process: subprocess.Popen[bytes], data_dir: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            if client.get("/health").is_success:
                return
        except httpx.TransportError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            tail = (data_dir / "serve.log").read_text(errors="replace")[-2000:]
            raise StageError(f"网页接口没有启动 / the server did not start:\n{tail}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
