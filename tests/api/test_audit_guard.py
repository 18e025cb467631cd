"""The audit cannot be switched off, and many may write at once."""

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from api.audit import AUDITED_TABLES, LookKind, last_entries, record_event
from api.audit_chain import FaultKind
from api.database import open_engine
from tests.api.audit_scene import ANOTHER, KEYS, ONE_BYTE, checked, fill, in_threads, the_fault

NOW = datetime(2026, 3, 21, tzinfo=UTC)


# ---- it cannot be switched off


@pytest.fixture
def application(engine: Engine) -> Iterator[Connection]:
    """A connection of a role that may read and write every row of every business table, and owns none: ``SET ROLE``
    stands for its log-in."""
    fill(engine)
    with engine.begin() as connection:
        if not connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = 'hulan_application_of_tests'")).scalar():
            connection.execute(text("CREATE ROLE hulan_application_of_tests NOLOGIN"))
            connection.execute(text("GRANT hulan_application_of_tests TO hulan"))
        connection.execute(
            text(
                f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {', '.join(AUDITED_TABLES)}"
                " TO hulan_application_of_tests"
            )
        )
        for table in AUDITED_TABLES:  # row-level security would show it no row to change
            connection.execute(text(f"CREATE POLICY of_tests ON {table} TO hulan_application_of_tests USING (true)"))
    with engine.connect() as connection:
        connection.execute(text("SET ROLE hulan_application_of_tests"))
        connection.commit()
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE zone DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_update ON zone",
        "SET session_replication_role = replica",
        "TRUNCATE zone CASCADE",
        "TRUNCATE retention_run",
        "DROP FUNCTION audit_rows() CASCADE",
        "CREATE OR REPLACE FUNCTION audit_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "SELECT audit_append('row_updated', 1, 'zone', '1', '', '', '')",
        "SELECT audit_protect('zone', '')",
        "SELECT * FROM audit_entry",
        "INSERT INTO audit_entry DEFAULT VALUES",
        "UPDATE audit_entry SET actor = 'x'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "DELETE FROM audit_checkpoint",
        "SELECT setval('audit_position', 1)",
    ],
)
def test_the_application_cannot_switch_it_off(application: Connection, statement: str) -> None:
    with pytest.raises(ProgrammingError, match=r"permission denied|must be owner|refused"):
        application.execute(text(statement))


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry",
                                       "TRUNCATE audit_entry", "DELETE FROM audit_checkpoint"])  # fmt: skip
def test_not_even_the_owner_changes_an_entry(engine: Engine, statement: str) -> None:
    fill(engine)
    with engine.connect() as connection, pytest.raises(ProgrammingError, match="refused"):
        connection.execute(text(statement))


def test_whatever_the_application_says_of_itself_its_changes_are_audited(
    application: Connection, engine: Engine, tmp_path: Path
) -> None:
    for name, value in (("audit_chain", "77"), ("audit_hash", "none"), ("actor", ""), ("actor", "x" * 5000)):
        application.execute(text("SELECT set_config(:name, :value, false)"), {"name": f"hulan.{name}", "value": value})
        application.execute(text("UPDATE alert SET opened_at = opened_at + interval '1 second'"))
        application.commit()
    with engine.connect() as connection:
        last = last_entries(connection, most=1)[0]
        login = connection.execute(text("SELECT login FROM audit_entry ORDER BY position DESC LIMIT 1")).scalar_one()
    assert (last.kind, last.actor, login) == ("row_updated", "x" * 5000, "hulan")
    assert checked(engine, tmp_path).faults == ()


@pytest.mark.parametrize(
    "statement", ["ALTER TABLE {} DISABLE TRIGGER audit_update", "DROP TRIGGER audit_update ON {}"]
)
def test_a_trigger_that_the_owner_switched_off_is_named(engine: Engine, tmp_path: Path, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement.format("recipient")))
    fault = the_fault(engine, tmp_path)
    assert (fault.kind, fault.where) == (FaultKind.UNGUARDED, "recipient")
    assert "audit_update" in fault.detail


def test_every_table_with_triggers_is_verified_and_no_other(engine: Engine) -> None:
    query = "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'audit_insert'"
    with engine.connect() as connection:
        assert set(connection.execute(text(query)).scalars()) == set(AUDITED_TABLES)
    assert set(KEYS) == set(ANOTHER) == set(ONE_BYTE) | {"alert_finding", "alert_violation"} == set(AUDITED_TABLES)


# ---- many at once


def test_writers_at_once_break_no_chain_and_do_not_wait_for_each_other(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    people = fill(engine)
    with engine.connect() as connection:
        before = last_entries(connection, most=1)[0].position
    pool = open_engine(database_url, pool_size=12)

    def work() -> None:
        dice = random.Random(threading.get_ident())
        for _ in range(25):
            level = dice.choice(["READ COMMITTED", "REPEATABLE READ"])
            with pool.connect().execution_options(isolation_level=level) as connection:
                connection.execute(text("SELECT count(*) FROM zone"))  # the snapshot is taken here
                for _ in range(dice.randint(1, 3)):
                    subject_no = dice.choice(people).subject_no
                    record_event(connection, LookKind.MAP, subject_no=subject_no, detail="at once")
                (connection.rollback if dice.random() < 0.2 else connection.commit)()

    in_threads(work, 8)
    pool.dispose()
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT count(DISTINCT chain), count(*) FROM audit_entry")).one()
    assert rows[1] > before + 200
    assert rows[0] <= 40, "more chains than writers could need"
    assert checked(engine, tmp_path).faults == ()


def test_a_long_transaction_holds_up_nobody_and_an_old_snapshot_finds_a_chain(engine: Engine, tmp_path: Path) -> None:
    fill(engine)
    with (
        engine.connect().execution_options(isolation_level="REPEATABLE READ") as old,
        engine.connect() as long,
        engine.connect() as quick,
    ):
        old.execute(text("SELECT 1 FROM zone"))
        record_event(long, LookKind.MAP, subject_no=None, detail="long")
        quick.execute(text("SET lock_timeout = '200ms'"))
        record_event(quick, LookKind.MAP, subject_no=None, detail="quick")
        quick.commit()
        long.commit()
        record_event(old, LookKind.MAP, subject_no=None, detail="old")  # both chains have grown beyond its snapshot
        old.commit()
    with engine.connect() as connection:
        chains = dict(
            tuple(row)
            for row in connection.execute(text("SELECT detail, chain FROM audit_entry WHERE kind = 'look_map'"))
        )
    assert len(set(chains.values())) == 3
    assert checked(engine, tmp_path).faults == ()
