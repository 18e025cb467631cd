"""The private PostGIS cluster in the data folder: started with the first command, stopped with the last.

Linux and macOS. Every command inside `running_cluster` holds a shared flock on `users.lock`, which the kernel drops
when the command dies; starting and stopping happen under an exclusive flock on `start.lock`. So nothing is counted, and
a command killed at any point leaves nothing that the next one would have to be told about.
"""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL

from api.cluster_locks import START_S, locked, open_lock, starting_or_stopping
from api.cluster_place import PORT, ClusterError, ClusterPlace, make_private, place_in, run_as
from api.cluster_settings import SUPERUSER, include_settings, write_settings
from api.database import CLOSE_STATISTICS
from api.logins import Login
from api.postgres_binaries import PostgresBinaries, binaries_for, installed_postgres

__all__ = ["ClusterError", "ClusterPlace", "running_cluster"]

RETRY_S = 30  # backends of a killed postmaster notice within seconds and leave its shared memory
_PASSING = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """A live postmaster, as its own postmaster.pid describes it."""

    pid: int
    port: int
    socket_dir: str


def _say_on_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@contextmanager
def running_cluster(
    data_dir: Path, *, durable: bool = True, database: str = "hulan", say: Callable[[str], None] = _say_on_stderr
) -> Iterator[str]:
    """Share the data folder's server, started if need be, and yield the SQLAlchemy URL of `database` as role hulan.

    `durable=False` turns fsync off, for throw-away clusters of tests only. Raises ClusterError.
    """
    place = place_in(data_dir)
    users = open_lock(place, place.users_lock)
    try:
        with starting_or_stopping(place, say):
            fcntl.flock(users, fcntl.LOCK_SH)
            server = _ensure_running(place, durable=durable, say=say)
            _provide_database(server, database)
        yield _url(server, database)
    finally:
        try:
            with starting_or_stopping(place, say):
                fcntl.flock(users, fcntl.LOCK_UN)
                if locked(users):
                    _stop(place, say)
        finally:
            os.close(users)


def _url(server: _Server, database: str) -> str:
    query = {"host": server.socket_dir, "port": str(server.port)}
    return URL.create("postgresql+psycopg", username=Login.OWNER, database=database, query=query).render_as_string()


def _ensure_running(place: ClusterPlace, *, durable: bool, say: Callable[[str], None]) -> _Server:
    running = _live_server(place)
    if running is not None and _answers(place, running):
        return running
    binaries = binaries_for(place.pgdata, installed_postgres())
    for left_behind in place.data_dir.glob("pgdata.new-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    if not (place.pgdata / "PG_VERSION").exists():
        _create(place, binaries, durable=durable, say=say)
    if running is not None:
        # Alive, yet out of reach: someone removed its socket.
        _stop(place, say)
    make_private(place.socket_dir, place.account)
    _clear_left_behind(place, say)
    make_private(place.log_dir, place.account)
    write_settings(place, durable=durable)
    return _start(place, binaries)


def _clear_left_behind(place: ClusterPlace, say: Callable[[str], None]) -> None:
    """Remove what a killed server left: PostgreSQL believes a lock file if its pid is any living program's."""
    pid_file = place.pgdata / "postmaster.pid"
    if pid_file.exists():
        say("数据库上次没有正常停止，正在恢复 / the database was cut off last time; recovering")
        # A power cut can leave it empty, which PostgreSQL refuses too.
        pid = pid_file.read_text().partition("\n")[0]
        if not pid.isdecimal() or _is_alive(int(pid)):
            pid_file.unlink()
    for left_behind in place.socket_dir.glob(".s.PGSQL.*"):
        left_behind.unlink()


def _start(place: ClusterPlace, binaries: PostgresBinaries) -> _Server:
    deadline = time.monotonic() + RETRY_S
    while True:
        start_log = place.log_dir / "start.log"
        pid = _launch(place, binaries, start_log)
        while _is_postmaster_of(place, pid):
            server = _live_server(place)
            if server is not None and _answers(place, server):
                return server
            time.sleep(0.02)
        reason = start_log.read_text(errors="replace").strip()
        if not any(text in reason for text in _PASSING) or time.monotonic() > deadline:
            raise ClusterError(
                f"数据库启动失败，日志见 {place.log_dir}\nThe database did not start; see its log in {place.log_dir}\n"
                f"{reason[-2000:]}"
            )
        time.sleep(0.5)


def _launch(place: ClusterPlace, binaries: PostgresBinaries, start_log: Path) -> int:
    # Not pg_ctl: it puts the folder's name into a shell command in double quotes only. The shell here leaves at once,
    # so that the server is nobody's child and outlives this command.
    script = '"$1" -D "$2" </dev/null >"$3" 2>&1 & echo $!'
    words = [binaries.program("postgres"), str(place.pgdata), str(start_log)]
    return int(run_as(place.account, ["sh", "-c", script, "sh", *words]).stdout)


def _create(place: ClusterPlace, binaries: PostgresBinaries, *, durable: bool, say: Callable[[str], None]) -> None:
    if place.pgdata.exists() and any(place.pgdata.iterdir()):
        raise ClusterError(
            f"{place.pgdata} 不是 PostgreSQL 数据目录，未作改动。请移走它。\n"
            f"{place.pgdata} is not a PostgreSQL data directory; left alone. Move it away."
        )
    say(f"首次启动，正在建立数据库 {place.pgdata}")
    say(f"First start: creating the database (PostgreSQL {binaries.major})")
    # A name of its own each time: an initdb that outlived its killed command may still be writing into the last one.
    fresh = Path(tempfile.mkdtemp(prefix="pgdata.new-", dir=place.data_dir))
    if os.geteuid() == 0:
        os.chown(fresh, place.account.uid, place.account.gid)
    command = [binaries.program("initdb"), "-D", str(fresh), "-U", SUPERUSER, "-E", "UTF8", "--data-checksums"]
    command += ["--auth-local=peer", "--auth-host=reject", *(() if durable else ("--no-sync",))]
    for locale in ("C.UTF-8", "C"):
        done = run_as(place.account, [*command, f"--locale={locale}"])
        if done.returncode == 0 or "invalid locale" not in done.stderr:
            break
    if done.returncode != 0:
        raise ClusterError(f"initdb 失败 / initdb failed:\n{done.stderr.strip()[-2000:]}")
    include_settings(fresh)
    fresh.rename(place.pgdata)
    _sync_folder(place.data_dir)


def _provide_database(server: _Server, database: str) -> None:
    """Create the extensions, the role and the database, in this order, unless the database, made last, is there."""
    with _connect(server, "postgres") as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [database]).rowcount:
            return
    # In template1, so that every database that role hulan creates has them: only a superuser may add PostGIS.
    with _connect(server, "template1") as template:
        template.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        template.execute(CLOSE_STATISTICS)
        if template.execute("SELECT FROM pg_available_extensions WHERE name = 'btree_gist'").rowcount:
            template.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    with _connect(server, "postgres") as connection:
        role = sql.Identifier(Login.OWNER)
        # Not a superuser: row-level security does not bind one.
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [Login.OWNER]).rowcount:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(role))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), role))


def _connect(server: _Server, database: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(
        host=server.socket_dir, port=server.port, user=SUPERUSER, dbname=database, autocommit=True, connect_timeout=10
    )


def _answers(place: ClusterPlace, server: _Server) -> bool:
    """Wait until the live server takes a connection; False if it ends or its socket is gone."""
    socket = Path(server.socket_dir) / f".s.PGSQL.{server.port}"
    deadline = time.monotonic() + START_S
    refused = ""
    while time.monotonic() < deadline:
        try:
            _connect(server, "postgres").close()
            return True
        except psycopg.OperationalError as error:
            refused = str(error)
        live = _live_server(place)
        if live is None or live.pid != server.pid or (_status(place) == "ready" and not socket.exists()):
            return False
        if "authentication failed" in refused:
            break
        time.sleep(0.1)
    raise ClusterError(f"数据库不接受连接 / the database accepts no connection:\n{refused}")


def _live_server(place: ClusterPlace) -> _Server | None:
    """The server of this data folder, if it lives."""
    try:
        lines = (place.pgdata / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None
    if not _is_postmaster_of(place, pid):
        return None
    # A starting server may not have written its socket yet; then it is the one that this start would choose.
    socket_dir = lines[4] if len(lines) > 4 and lines[4] else str(place.socket_dir)
    return _Server(pid=pid, port=PORT, socket_dir=socket_dir)


def _status(place: ClusterPlace) -> str:
    try:
        lines = (place.pgdata / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return "gone"
    return lines[7].strip() if len(lines) > 7 else "starting"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_postmaster_of(place: ClusterPlace, pid: int) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        arguments = os.fsencode(run_as(place.account, ["ps", "-o", "args=", "-p", str(pid)]).stdout)
    return b"postgres" in arguments and os.fsencode(place.pgdata) in arguments


def _stop(place: ClusterPlace, say: Callable[[str], None]) -> None:
    server = _live_server(place)
    if server is None:
        return
    # SIGINT is PostgreSQL's fast shutdown: roll back, checkpoint, leave.
    os.kill(server.pid, signal.SIGINT)
    deadline = time.monotonic() + START_S
    told = time.monotonic() + 5
    while (live := _live_server(place)) is not None and live.pid == server.pid:
        if time.monotonic() > deadline:
            raise ClusterError(f"数据库没有停下（pid {server.pid}） / the database did not stop (pid {server.pid})")
        if time.monotonic() > told:
            say("正在等待数据库停止……/ waiting for the database to stop")
            told = deadline
        time.sleep(0.02)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
