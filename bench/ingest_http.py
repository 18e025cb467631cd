"""Posts of fixes to a real server over open connections: how many fixes a second are on disk, and after how long."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Engine, text

from bench.ingest_scene import SECRET, add_devices

CONNECTIONS = 16
FIXES_PER_POST = {"one fix per post": 1, "100 fixes per post": 100}

_SERVER = """
import socket, sys, tempfile, uvicorn
from pathlib import Path
from api.app import create_app
from api.clock import SystemClock
from api.database import open_engine
from api.personal.keyring import make_keyring
from api.personal.sealing import CipherName
engine, clock = open_engine(sys.argv[1], pool_size=20), SystemClock()
with tempfile.TemporaryDirectory() as folder:  # read once: no post needs a key
    keyring = make_keyring(Path(folder) / "keyring.json", CipherName.AES_256_GCM, at=clock.now())
app = create_app(engine=engine, secret=bytes.fromhex(sys.argv[2]), clock=clock, keyring=keyring)
config = uvicorn.Config(app, access_log=False, log_config=None)
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[3]))])
"""


def measure_posts(engine: Engine, url: str, *, seconds: float) -> dict[str, dict[str, float]]:
    """Fixes per second and the time to the 201 of each kind of post. SystemExit if one fix is not in the log."""
    tokens = add_devices(engine, CONNECTIONS)
    answers: dict[str, dict[str, float]] = {}
    with server(url) as port:
        for name, per_post in FIXES_PER_POST.items():
            asyncio.run(_load(port, tokens, per_post, 1.0, 2 * len(answers)))  # it wakes up and looks devices up
            before = _count(engine)
            posts = asyncio.run(_load(port, tokens, per_post, seconds, 2 * len(answers) + 1))
            stored = _count(engine) - before
            if stored != len(posts) * per_post:
                raise SystemExit(f"{len(posts) * per_post} fixes were acknowledged, {stored} are in the log")
            p50, p99 = np.percentile(posts, [50, 99]) * 1e3
            answers[name] = {"fixes_per_s": stored / seconds, "p50_ms": float(p50), "p99_ms": float(p99)}
    return answers


@contextmanager
def server(url: str) -> Iterator[int]:
    """A server process on a free port."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        command = [sys.executable, "-c", _SERVER, url, SECRET.hex(), str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
        port = listener.getsockname()[1]
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


async def _load(port: int, tokens: list[str], per_post: int, seconds: float, turn: int) -> list[float]:
    """Every connection posts again as soon as it hears 201; returns the seconds each post took."""
    start = datetime.now(UTC) - timedelta(days=20 + turn)
    taken = await asyncio.gather(*[_client(port, token, per_post, start, seconds) for token in tokens])
    return [one for connection in taken for one in connection]


async def _client(port: int, token: str, per_post: int, start: datetime, seconds: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken: list[float] = []
    sent = 0
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        fixes = [_fix(start + timedelta(milliseconds=sent + number)) for number in range(per_post)]
        sent += per_post
        body = json.dumps(fixes[0] if per_post == 1 else {"fixes": fixes}).encode()
        began = time.perf_counter()
        writer.write(
            f"POST /positions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        answer = await reader.readexactly(length)
        taken.append(time.perf_counter() - began)
        if not head.startswith(b"HTTP/1.1 201"):
            raise SystemExit(f"the server answered {head[:40]!r} {answer[:200]!r}")
    writer.close()
    return taken


def _fix(at: datetime) -> dict[str, object]:
    return {"fixed_at": at.isoformat(), "longitude": 117.2, "latitude": 34.2, "datum": "WGS84", "accuracy_m": 12.0,
            "source": "gps", "battery_percent": 61, "speed_mps": 0.4}  # fmt: skip


def _count(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT count(*) FROM fix")).scalar_one())
