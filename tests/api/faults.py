"""Faults to order in a test database: commits that fail, commits that hang, connections cut by the server."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import NullPool

from geo.postgis import driver_connection

_COMMIT_GATE = 0x6761746531


def refuse_commits(engine: Engine, *, only_if: str = "true") -> None:
    """From now on COMMIT fails for transactions that stored a fix for which ``only_if`` (SQL on ``NEW``) holds."""
    _add_commit_trigger(engine, "RAISE EXCEPTION 'this commit is refused'", only_if)


def accept_commits(engine: Engine) -> None:
    """Undo :func:`refuse_commits`."""
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER at_commit ON fix"))


@contextmanager
def held_commits(engine: Engine) -> Iterator[None]:
    """While the block runs, COMMIT of a transaction that stored fixes hangs, after all of its statements succeeded."""
    _add_commit_trigger(engine, f"PERFORM pg_advisory_xact_lock_shared({_COMMIT_GATE})", "true")
    with engine.connect() as gate:
        gate.execute(text(f"SELECT pg_advisory_xact_lock({_COMMIT_GATE})"))
        yield
        gate.rollback()


def _add_commit_trigger(engine: Engine, action: str, only_if: str) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN {action}; RETURN NULL; END $$"
            )
        )
        connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON fix DEFERRABLE INITIALLY DEFERRED"
                f" FOR EACH ROW WHEN ({only_if}) EXECUTE FUNCTION at_commit()"
            )
        )


@contextmanager
def lost_reply(engine: Engine, *, commit_no: int = 1) -> Iterator[None]:
    """Within the block one COMMIT of the engine, counted from 1, is done by the server and its reply is lost."""
    commits = itertools.count(1)

    def lose(connection: Connection) -> None:
        if next(commits) == commit_no:
            driver_connection(connection).commit()
            raise psycopg.OperationalError("the connection was lost before the reply came")

    event.listen(engine, "commit", lose)
    try:
        yield
    finally:
        event.remove(engine, "commit", lose)


@contextmanager
def failing_inserts(engine: Engine, table: str, *, sqlstate: str) -> Iterator[None]:
    """While the block runs, every INSERT into a table fails with this error, on a connection that stays alive."""
    function = f"fail_{table}"
    with engine.begin() as connection:
        connection.execute(
            text(
                f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION 'ordered' USING ERRCODE = '{sqlstate}'; END $$"
            )
        )
        connection.execute(
            text(f"CREATE TRIGGER {function} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()")
        )
    yield
    with engine.begin() as connection:
        connection.execute(text(f"DROP FUNCTION {function} CASCADE"))


@contextmanager
def blocked_inserts(engine: Engine) -> Iterator[None]:
    """While the block runs, every INSERT of fixes waits for a lock."""
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE fix IN SHARE MODE"))
        yield
        connection.rollback()


def waiting_count(connection: Connection) -> int:
    """How many sessions of this database wait for a lock."""
    count = connection.execute(
        text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    ).scalar_one()
    connection.rollback()  # the view is frozen within a transaction
    return int(count)


def wait_for_blocked(engine: Engine, count: int = 1) -> None:
    """Return once so many sessions wait for a lock."""
    with engine.connect() as connection:
        wait_until(lambda: waiting_count(connection) >= count)


def cut_blocked(engine: Engine) -> int:
    """Terminate every session that waits for a lock, as a crash or an administrator would; returns how many."""
    return _terminate(engine, "wait_event_type = 'Lock'")


def cut_others(engine: Engine, *, except_application: str) -> int:
    """Terminate every other session of this database, whatever it is doing, but an application's; returns how many."""
    return _terminate(engine, f"backend_type = 'client backend' AND application_name <> '{except_application}'")


@contextmanager
def database_away(url: str) -> Iterator[None]:
    """While the block runs, the database takes no connections, and those that it had are cut."""
    name = make_url(url).database
    admin = create_engine(make_url(url).set(database="postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))


def _terminate(engine: Engine, which: str) -> int:
    with engine.begin() as connection:
        return len(
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
                )
            ).all()
        )


def wait_until(holds: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Return once ``holds()``; fail the test after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
