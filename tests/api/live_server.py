"""The real HTTP server on a free port of this machine: in a thread, or as a process of its own with its log."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from sqlalchemy import Engine, make_url

from api.access.passwords import Passwords
from api.app import create_app
from api.clock import FixedClock, SystemClock
from api.database import open_engine
from api.logins import Login
from api.web_server import WebServer
from tests.api.faults import wait_until
from tests.make import EVENING, KEYRING, KEYRING_PATH, SECRET
from tracking.fix import Fix

NOW = EVENING + timedelta(hours=1)
"""The time it is for the server in a thread."""

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""argon2id with next to no work: what is tested with it is not the hash."""

_PROCESS = """
import socket
import sys
from pathlib import Path
from api.app import create_app
from api.clock import SystemClock
from api.database import open_engine
from api.logs import configure_logs
from api.personal.keyring import Keyring
from api.web_server import WebServer
configure_logs("debug")
engine, keyring = open_engine(sys.argv[1]), Keyring(Path(sys.argv[4]))
app = create_app(engine=engine, secret=bytes.fromhex(sys.argv[2]), clock=SystemClock(), keyring=keyring)
WebServer(app).run(sockets=[socket.socket(fileno=int(sys.argv[3]))])
"""


def a_listener(port: int = 0) -> socket.socket:
    """A socket bound to a port of 127.0.0.1, a free one unless said otherwise.

    asyncio sends answers without delay only if it is named as TCP.
    """
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener


def url_as(url: str, login: Login) -> str:
    """The same database with another login."""
    return make_url(url).set(username=login).render_as_string(hide_password=False)


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def served(app: FastAPI, *, trusted_proxies: str = "127.0.0.1", port: int = 0) -> Iterator[httpx.Client]:
    """A client of a running server for the app; what it says in ``X-Forwarded-For`` is believed by default."""
    with a_listener(port) as listener:
        server = WebServer(app, forwarded_allow_ips=trusted_proxies)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        wait_until(lambda: server.started or not thread.is_alive())
        try:
            with httpx.Client(base_url=url_of(listener), trust_env=False, timeout=20) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def running_server(
    url: str, *, clock: SystemClock | None = None, passwords: Passwords = CHEAP, **more: Any
) -> Iterator[httpx.Client]:
    """A client of a server in this process, with connections of its own under the login of the web process.

    Its clock stands at ``NOW``. ``url``: of the database, as anybody.
    """
    engine = open_engine(url_as(url, Login.WEB))
    try:
        app = create_app(
            engine=engine,
            secret=SECRET,
            clock=clock or FixedClock(NOW),
            keyring=KEYRING,
            passwords=passwords,
            **more,
        )
        with served(app) as client:
            yield client
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProcess:
    """A server process, its client, and the file that its output goes to."""

    process: subprocess.Popen[bytes]
    client: httpx.Client
    log: Path


@contextmanager
def server_process(url: str, folder: Path) -> Iterator[ServerProcess]:
    """A server with the wall clock in a process of its own, logging everything it can."""
    log = folder / "server.log"
    with a_listener() as listener, log.open("wb") as output:
        address = url_of(listener)
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _PROCESS,
                url_as(url, Login.WEB),
                SECRET.hex(),
                str(listener.fileno()),
                str(KEYRING_PATH),
            ],
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
    # Its socket listens already: the first request waits until the server takes it.
    try:
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
            yield ServerProcess(process=process, client=client, log=log)
    finally:
        process.terminate()
        process.wait(timeout=20)


def as_json(fix: Fix, **changes: Any) -> dict[str, Any]:
    """A fix as a device would send it."""
    return {
        "fixed_at": fix.fixed_at.isoformat(),
        "longitude": fix.longitude,
        "latitude": fix.latitude,
        "datum": str(fix.datum),
        "accuracy_m": fix.accuracy_m,
        "source": str(fix.source),
    } | changes


def post(client: httpx.Client, token: str, body: Any) -> httpx.Response:
    """POST a body as JSON with a device's token."""
    return client.post("/positions", json=body, headers=bearer(token))


def post_fixes(client: httpx.Client, token: str, fixes: Sequence[Fix]) -> httpx.Response:
    """POST many fixes in one request."""
    return post(client, token, {"fixes": [as_json(fix) for fix in fixes]})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def stored(engine: Engine, columns: str = "*") -> list[Any]:
    """Rows of the log in time order."""
    with engine.connect() as connection:
        return list(connection.exec_driver_sql(f"SELECT {columns} FROM fix ORDER BY fixed_at, fix_key"))
