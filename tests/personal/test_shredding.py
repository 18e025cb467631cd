"""Destroying a sealed record: nothing of the person is left, dumps of before are mute, everybody else goes on."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, make_url, text

from alerts.channel import Channel
from alerts.gateway import FakeGateway
from api.audit_verify import verify
from api.clock import FixedClock
from api.database import open_engine
from api.engine_state import load_states
from api.ids import SHARD_COUNT, new_id
from api.leases import LeaseLostError
from api.personal.fields import open_field
from api.personal.keyring import Keyring, KeyringError, make_keyring
from api.personal.sealing import CipherName
from api.postgres_binaries import installed_postgres
from api.records.shredding import due_count, shred_due
from api.worker import Worker
from tests.databases import drop_database
from tests.make import EVENING, a_fix, a_worker, log_fixes
from tests.personal.records_scene import NOW, PHONE, Office, all_of, an_office, number_of, seal
from tests.personal.test_clear_text import dump
from tests.personal.test_unsealing import ask, decide

LATER = NOW + timedelta(days=3 * 365)

KEPT = {"subject", "record_sealing", "unsealing_request", "case_member", "subject_jurisdiction", "audit_entry",
        "look", "notice", "export_run"}  # fmt: skip
"""Tables that may still refer to the person, by number; the row of ``subject`` has no content any more."""


OF_ORDERS = {"leave", "leave_approval", "exemption", "finding", "check_in", "task", "decision", "clock_edge",
             "contact_watch", "device_watch", "device_report"}  # fmt: skip


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return make_keyring(tmp_path / "keyring.json", CipherName.AES_256_GCM, at=EVENING)


@pytest.fixture
def office(engine: Engine, keyring: Keyring) -> Office:
    office = an_office(engine, keyring)
    seal(engine, keyring, office)
    return office


def held(keyring: Keyring) -> int:
    return len(keyring.person_keys)


def tables_that_name(engine: Engine, subject_no: int) -> set[object]:
    query = """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'subject_no'
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    """
    tables = [str(name) for (name,) in all_of(engine, query)]
    return {name for name in tables if all_of(engine, f"SELECT 1 FROM {name} WHERE subject_no = :no", no=subject_no)}


def test_before_its_time_nothing_is_destroyed(engine: Engine, keyring: Keyring, office: Office) -> None:
    before = tables_that_name(engine, office.person.subject_no)
    assert shred_due(engine, keyring, now=LATER - timedelta(seconds=1)) == 0
    assert tables_that_name(engine, office.person.subject_no) == before
    assert len(keyring.person_keys) == 1
    request_id = ask(engine, office.prosecutor, office.person.subject_id)
    decide(engine, office.leader, request_id)
    assert shred_due(engine, keyring, now=LATER) == 0, "somebody is at work with it"
    with engine.begin() as connection:
        connection.execute(text("UPDATE unsealing_request SET unsealed_until = now()"))
        assert due_count(connection, now=LATER) == 1


def test_nothing_of_the_person_is_left_and_everybody_else_goes_on(
    engine: Engine, keyring: Keyring, office: Office, tmp_path: Path
) -> None:
    no = office.person.subject_no
    with engine.begin() as connection:  # those of the worker that the scene was made with
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
        connection.execute(text("DELETE FROM worker"))
    worker = a_worker(engine, keyring=keyring)
    worker.drain()  # it holds everybody's state in memory
    zones = all_of(engine, "SELECT count(*) FROM zone")
    assert {"fix", "episode", "violation", "alert", "device", "recipient", *OF_ORDERS} <= tables_that_name(engine, no)
    assert shred_due(engine, keyring, now=LATER) == 1
    assert tables_that_name(engine, no) <= KEPT
    assert all_of(engine, "SELECT count(*) FROM zone") == [(int(str(zones[0][0])) - 1,)]
    shell = "SELECT alias, name, id_number, address, id_number_index, key_id FROM subject WHERE subject_no = :no"
    assert all_of(engine, shell, no=no) == [("", None, None, None, None, None)]
    assert keyring.person_keys == ()
    with engine.connect() as connection:
        states = load_states(connection, range(SHARD_COUNT)).states
    assert set(states.subject_rows["subject_no"].tolist()) == {office.other.subject_no}
    assert verify(engine, tmp_path).faults == ()
    assert shred_due(engine, keyring, now=LATER) == 0
    goes_on(engine, office, worker)


def goes_on(engine: Engine, office: Office, worker: Worker) -> None:
    """A second evening at the bar of the other one is found, by a worker that had everybody in memory."""
    later = [a_fix(minutes=600 + minute, east_m=3 if 10 <= minute < 30 else 500) for minute in range(40)]
    log_fixes(engine, office.other, later)
    with pytest.raises(LeaseLostError):
        worker.step()
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
        connection.execute(text("DELETE FROM worker"))
    worker.drain()
    (gateway,) = worker.gateways[Channel.SMS]
    assert isinstance(gateway, FakeGateway)
    assert len(gateway.sent) == 1
    with engine.connect() as connection:
        states = load_states(connection, range(SHARD_COUNT)).states
    assert set(states.subject_rows["subject_no"].tolist()) == {office.other.subject_no}


def test_who_looked_and_took_copies_out_stays_without_their_words(
    engine: Engine, keyring: Keyring, tmp_path: Path
) -> None:
    office = an_office(engine, keyring)
    no, words = office.person.subject_no, "合成缘由：当事人失联报警"
    with engine.begin() as connection:
        by = number_of(connection, office.police)
        for person in (office.person, office.other):
            leave_traces(
                connection, person.subject_no, by=by, reviewer=number_of(connection, office.leader), words=words
            )
    seal(engine, keyring, office)
    kept = {
        "look": "look_id, account_no, kind, purpose_code, asked_at, from_at, to_at, is_break_glass, ends_at",
        "notice": "notice_id, look_id, account_id, made_at, reviewed_at, reviewed_by",
        "export_run": "export_id, account_no, made_by, look_id, track_rows, made_at, manifest_hash",
    }
    before = {table: all_of(engine, f"SELECT {columns} FROM {table} ORDER BY 1") for table, columns in kept.items()}
    assert shred_due(engine, keyring, now=LATER) == 1
    assert {
        table: all_of(engine, f"SELECT {columns} FROM {table} ORDER BY 1") for table, columns in kept.items()
    } == before
    of_person = "WHERE subject_no = :no"
    for query in (f"SELECT purpose FROM look {of_person}", f"SELECT remark FROM notice {of_person}"):
        assert [words in str(item) for (item,) in all_of(engine, query, no=no)] == [False]
        assert [words in str(item) for (item,) in all_of(engine, query, no=office.other.subject_no)] == [True]
    assert all_of(engine, f"SELECT alert_id FROM export_run {of_person}", no=no) == [(None,)]
    assert verify(engine, tmp_path).faults == ()


def leave_traces(connection: Connection, subject_no: int, *, by: int, reviewer: int, words: str) -> None:
    """A look by broken glass, its notice reviewed, and evidence made under it."""
    values = {"no": subject_no, "by": by, "reviewer": reviewer, "words": words, "look": new_id(), "new": new_id()}
    for statement in (
        "INSERT INTO look (look_id, account_no, subject_no, kind, purpose_code, purpose, from_at, to_at,"
        " needs_approval, is_break_glass, ends_at) VALUES (:look, :by, :no, 'evidence', 'emergency', :words,"
        " now() - interval '1 day', now(), true, true, now() + interval '10 minutes')",
        "INSERT INTO notice (notice_id, kind, look_id, account_no, account_id, subject_no, reviewed_at, reviewed_by,"
        " remark) SELECT :new, 'break_glass', :look, :by, account_id, :no, now(), :reviewer, :words FROM account"
        " WHERE account_no = :by",
        "INSERT INTO export_run (export_id, kind, account_no, made_by, subject_no, alert_id, look_id, is_approved,"
        " track_rows, lodging_rows, manifest_hash) SELECT :new, 'evidence', :by, 'x', :no, alert_id, :look, false, 1,"
        " 0, sha256('x') FROM alert WHERE subject_no = :no LIMIT 1",
    ):
        connection.execute(text(statement), values)


@contextmanager
def restored(database_url: str, content: bytes) -> Iterator[Engine]:
    """The dump in a database of its own."""
    url = make_url(database_url)
    copy = url.set(database=f"{url.database}r")
    admin = open_engine(url.set(database="postgres").render_as_string(False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {copy.database} TEMPLATE template0"))
    try:
        subprocess.run(
            [
                installed_postgres()[0].program("psql"), "--quiet", "--no-psqlrc", "--host", str(url.query["host"]),
                "--port", str(url.query["port"]), "--username", "postgres", str(copy.database),
            ],
            input=content, stdout=subprocess.DEVNULL, check=True, timeout=120, env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        engine = open_engine(copy.render_as_string(False))
        yield engine
        engine.dispose()
    finally:
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            drop_database(connection, str(copy.database))
        admin.dispose()


def test_a_dump_of_before_is_mute(
    engine: Engine, keyring: Keyring, office: Office, database_url: str, tmp_path: Path
) -> None:
    backup = tmp_path / "keyring.backup.json"  # as if the dump had been restored beside the keyring of then
    backup.write_bytes(keyring.path.read_bytes())
    backup.chmod(0o600)
    content = dump(database_url)
    shred_due(engine, keyring, now=LATER)
    with restored(database_url, content) as copy:
        query = "SELECT recipient_id, phone, key_id FROM recipient WHERE subject_no = :no"
        with copy.connect() as connection:
            row = connection.execute(text(query), {"no": office.person.subject_no}).one()
    place = {"table": "recipient", "column": "phone", "row_id": row.recipient_id}
    assert open_field(Keyring(backup), row.phone, key_id=row.key_id, **place) == PHONE, "the key would open it"
    with pytest.raises(KeyringError, match="does not hold"):
        open_field(keyring, row.phone, key_id=row.key_id, **place)


def test_another_machines_copy_of_the_key_goes_too(
    engine: Engine, keyring: Keyring, office: Office, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_bytes(keyring.path.read_bytes())
    (tmp_path / "other.json").chmod(0o600)
    other = Keyring(tmp_path / "other.json")
    assert shred_due(engine, keyring, now=LATER) == 1
    assert held(other) == 1
    assert shred_due(engine, other, now=LATER) == 0
    assert held(other) == 0


def test_workers_do_it_with_their_other_housekeeping(engine: Engine, keyring: Keyring, office: Office) -> None:
    worker = a_worker(engine, keyring=keyring)
    worker.clock = FixedClock(LATER)
    worker.tidy()
    assert keyring.person_keys == ()
    assert all_of(engine, "SELECT count(*) FROM record_sealing WHERE action = 'shredded'") == [(1,)]
