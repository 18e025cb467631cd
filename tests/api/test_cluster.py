"""The private cluster against a real PostgreSQL server, in throw-away folders that its account can reach."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from api.cluster import running_cluster
from tests.api.throwaway_cluster import (
    answer,
    execute,
    hold,
    is_running,
    leave,
    line_of,
    open_folder,
    postmaster_of,
    silent,
    start_holder,
    wait_until,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder under /tmp that other accounts can pass through; pytest's own are closed to them."""
    yield from open_folder()


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    """One folder for the tests that only look."""
    yield from open_folder()


def test_new_cluster_is_durable_checked_and_reachable_by_socket_only(shared_folder: Path) -> None:
    said: list[str] = []
    with running_cluster(shared_folder / "data", say=said.append) as url:
        assert answer(url, "SELECT postgis_version()").startswith("3.")
        settings = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums", "listen_addresses")
        assert [answer(url, f"SHOW {name}") for name in settings] == ["on", "on", "on", "on", ""]
        assert answer(url, "SELECT current_user || ' ' || current_database()") == "hulan hulan"
        assert answer(url, "SHOW server_encoding") == "UTF8"
        assert answer(url, "SHOW timezone") == "UTC"
        assert not _tcp_sockets_of(postmaster_of(shared_folder / "data"))
    assert any("首次启动" in line for line in said)
    assert not is_running(shared_folder / "data")


def test_role_is_bound_by_row_level_security_and_may_create_databases_with_postgis(shared_folder: Path) -> None:
    with running_cluster(shared_folder / "data", say=silent) as url:
        assert answer(url, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = 'hulan'") == "False"
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE other"))
        other = engine.url.set(database="other").render_as_string()
        assert answer(other, "SELECT postgis_version()").startswith("3.")


def test_a_second_database_is_created_on_request(shared_folder: Path) -> None:
    with running_cluster(shared_folder / "data", database="second one", say=silent) as url:
        assert answer(url, "SELECT current_database()") == "second one"


def test_log_holds_no_statement_and_no_value(shared_folder: Path) -> None:
    with running_cluster(shared_folder / "data", say=silent) as url:
        for statement in ("SELECT CAST('13800000000x' AS int)", "SELECT pg_sleep(0.01), '13800000000x'", "SELECT 1/0"):
            try:
                answer(url, statement)
            except DBAPIError:
                continue
    logged = "".join(path.read_text() for path in (shared_folder / "data/log").iterdir())
    assert "ready to accept connections" in logged
    assert "13800000000x" not in logged
    assert "SELECT" not in logged


def test_throw_away_cluster_skips_fsync(folder: Path) -> None:
    with running_cluster(folder / "data", durable=False, say=silent) as url:
        assert answer(url, "SHOW fsync") == "off"


@pytest.mark.slow
def test_second_command_shares_and_the_last_one_stops(folder: Path) -> None:
    data = folder / "data"
    first = hold(data)
    second = hold(data)
    pid = postmaster_of(data)
    leave(first)
    assert postmaster_of(data) == pid
    assert is_running(data)
    leave(second)
    assert not is_running(data)


def test_killed_command_leaves_a_server_that_the_next_one_shares_and_stops(folder: Path) -> None:
    data = folder / "data"
    command = hold(data)
    command.kill()
    command.communicate()
    assert is_running(data)
    pid = postmaster_of(data)
    with running_cluster(data, say=silent):
        assert postmaster_of(data) == pid
    assert not is_running(data)


@pytest.mark.slow
def test_commands_that_start_together_get_one_server(folder: Path) -> None:
    data = folder / "data"
    commands = [start_holder(data) for _ in range(4)]
    urls = {line_of(command.stdout) for command in commands}
    assert len(urls) == 1
    for command in commands[1:]:
        leave(command)
    assert is_running(data)
    leave(commands[0])
    assert not is_running(data)


@pytest.mark.slow
def test_killed_server_recovers_with_its_data(folder: Path) -> None:
    data = folder / "data"
    with running_cluster(data, say=silent) as url:
        execute(url, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
        os.kill(postmaster_of(data), signal.SIGKILL)
    said: list[str] = []
    with running_cluster(data, say=said.append) as url:
        assert answer(url, "SELECT count(*) FROM kept") == "1000"
    assert any("正在恢复" in line for line in said)


@pytest.mark.slow
def test_start_waits_for_a_busy_backend_of_a_killed_server(folder: Path) -> None:
    data = folder / "data"
    with running_cluster(data, say=silent) as url:
        busy = subprocess.Popen(
            [sys.executable, "-c", _BUSY, url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        backend = int(line_of(busy.stdout))
        time.sleep(0.5)
        os.kill(postmaster_of(data), signal.SIGKILL)
    ender = subprocess.Popen(["sh", "-c", f"sleep 3; kill -9 {backend}"])
    began = time.monotonic()
    with running_cluster(data, say=silent) as url:
        assert answer(url, "SELECT 1") == "1"
    assert time.monotonic() - began > 2
    ender.wait()
    busy.kill()
    busy.communicate()


def test_postmaster_pid_of_another_living_program_is_not_believed(folder: Path) -> None:
    data = folder / "data"
    with running_cluster(data, durable=False, say=silent):
        lines = (data / "pgdata/postmaster.pid").read_text().splitlines()
        owner = (data / "pgdata").stat()
    # As after a restart of the machine: the number now belongs to a program of the same account.
    user = owner.st_uid if os.geteuid() == 0 else None
    other = subprocess.Popen(["sleep", "60"], user=user)
    (data / "pgdata/postmaster.pid").write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
    os.chown(data / "pgdata/postmaster.pid", owner.st_uid, owner.st_gid)
    with running_cluster(data, durable=False, say=silent) as url:
        assert answer(url, "SELECT 1") == "1"
    assert other.poll() is None
    other.kill()
    other.wait()


def test_postmaster_pid_emptied_by_a_power_cut_is_no_obstacle(folder: Path) -> None:
    data = folder / "data"
    with running_cluster(data, durable=False, say=silent):
        pass
    (data / "pgdata/postmaster.pid").touch()
    with running_cluster(data, durable=False, say=silent) as url:
        assert answer(url, "SELECT 1") == "1"


def test_server_whose_socket_was_removed_is_restarted(folder: Path) -> None:
    data = folder / "data"
    holder = hold(data)
    (data / "run/.s.PGSQL.5432").unlink()
    with running_cluster(data, durable=False, say=silent) as url:
        assert answer(url, "SELECT 1") == "1"
    leave(holder)
    assert not is_running(data)


@pytest.mark.slow
def test_command_killed_while_creating_leaves_no_half_made_cluster(folder: Path) -> None:
    data = folder / "data"
    command = start_holder(data)
    wait_until(lambda: any(data.glob("pgdata.new-*/PG_VERSION")))
    command.kill()
    command.communicate()
    with running_cluster(data, durable=False, say=silent) as url:
        assert answer(url, "SELECT postgis_version()").startswith("3.")
    with running_cluster(data, durable=False, say=silent):
        assert not any(data.glob("pgdata.new-*"))


_BUSY = """
import sys
from sqlalchemy import create_engine, make_url, text
with create_engine(sys.argv[1]).connect() as connection:
    print(connection.scalar(text("SELECT pg_backend_pid()")), flush=True)
    connection.execute(text("SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"))
"""


def _tcp_sockets_of(pid: int) -> list[str]:
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]
    inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
    tables = [Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6")]
    rows = [row.split() for table in tables if table.exists() for row in table.read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[9] in inodes]
