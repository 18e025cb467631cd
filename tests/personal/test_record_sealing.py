"""Sealing a record: what ends at that instant, what stays under a key of its own, and whoever comes in between."""

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from alerts.gateway import FakeGateway
from api.cases import RecordSealedError
from api.errors import NotThereError, UnknownDeviceError
from api.evaluator import Advanced, Memory, advance
from api.personal.blind_index import id_number_index, phone_index
from api.personal.fields import check_keys, identity_of
from api.personal.keyring import Keyring, KeyringError, make_keyring
from api.personal.rotation import retire, rotate
from api.personal.sealing import CipherName
from api.records.grounds import KeepRule, keep_until
from api.records.sealing import seal_record
from api.worker import DATABASE_AWAY, Worker
from tests.api.faults import wait_until
from tests.api.test_schema import alembic_config
from tests.make import EVENING, a_fix, a_worker, log_fixes
from tests.personal.records_scene import (
    ADDRESS,
    BASIS,
    GUARDIAN,
    ID_NUMBER,
    NAME,
    NOW,
    PHONE,
    REFERENCE,
    Office,
    all_of,
    an_office,
    seal,
)
from tests.personal.scene import a_message, contacts, register


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return make_keyring(tmp_path / "keyring.json", CipherName.AES_256_GCM, at=EVENING)


@pytest.fixture
def office(engine: Engine, keyring: Keyring) -> Office:
    return an_office(engine, keyring)


def test_the_fields_are_under_a_key_of_the_persons_own_and_found_by_no_number(
    engine: Engine, keyring: Keyring, office: Office
) -> None:
    by_phone = {"index": phone_index(keyring.index_key, PHONE)}
    by_id = {"index": id_number_index(keyring.index_key, ID_NUMBER)}
    find_phone = "SELECT subject_no FROM recipient WHERE phone_index = :index"
    find_id = "SELECT subject_no FROM subject WHERE id_number_index = :index"
    assert all_of(engine, find_phone, **by_phone) == all_of(engine, find_id, **by_id) == [(office.person.subject_no,)]
    done = seal(engine, keyring, office)
    assert all_of(engine, find_phone, **by_phone) == all_of(engine, find_id, **by_id) == []
    (held,) = keyring.person_keys
    assert (held.key.key_id, held.subject_id, held.keep_until) == (
        done.key_id, office.person.subject_id, NOW + timedelta(days=3 * 365),
    )  # fmt: skip
    of_person = "SELECT key_id FROM subject WHERE subject_no = :no UNION ALL SELECT key_id FROM recipient" \
                " WHERE subject_no = :no"  # fmt: skip
    assert set(all_of(engine, of_person, no=office.person.subject_no)) == {(done.key_id,)}
    assert done.key_id not in {key_id for (key_id,) in all_of(engine, of_person, no=office.other.subject_no)}
    with engine.connect() as connection:
        texts = identity_of(connection, keyring, subject_no=office.person.subject_no).texts
    assert texts == {"name": NAME, "id_number": ID_NUMBER, "address": ADDRESS}
    assert (GUARDIAN, PHONE) in contacts(engine, keyring)


def test_rotation_leaves_sealed_records_under_their_key_and_other_machines_can_do_without_it(
    engine: Engine, keyring: Keyring, office: Office, tmp_path: Path
) -> None:
    (tmp_path / "other.json").write_bytes(keyring.path.read_bytes())
    (tmp_path / "other.json").chmod(0o600)
    done = seal(engine, keyring, office)
    with engine.connect() as connection:
        check_keys(connection, Keyring(tmp_path / "other.json"))
    assert rotate(engine, keyring, cipher=CipherName.SM4_GCM, at=EVENING).row_count == 1
    sealed = "SELECT key_id FROM recipient WHERE subject_no = :no"
    assert all_of(engine, sealed, no=office.person.subject_no) == [(done.key_id,)]
    assert (GUARDIAN, PHONE) in contacts(engine, keyring)
    with pytest.raises(KeyringError, match="belongs to a sealed record"):
        retire(engine, keyring, done.key_id)


def test_a_keyring_with_keys_of_persons_is_refused_by_a_program_that_would_drop_them(
    keyring: Keyring, tmp_path: Path
) -> None:
    assert '"version": 1' in keyring.path.read_text(encoding="utf-8")
    key = keyring.add_for(UUID(int=7), CipherName.SM4_GCM, keep_until=NOW, at=EVENING)
    assert '"version": 2' in keyring.path.read_text(encoding="utf-8")
    again = Keyring(keyring.path)
    assert again.key(key.key_id) == key
    assert key not in again.keys, "it would become the key for everybody"
    again.add(CipherName.AES_256_GCM, at=EVENING)
    assert [item.key for item in again.person_keys] == [key]
    again.destroy(key.key_id)
    assert Keyring(keyring.path).person_keys == ()
    with pytest.raises(KeyringError, match=key.key_id):
        Keyring(keyring.path).key(key.key_id)


def test_rules_devices_alerts_and_messages_end_at_that_instant(
    engine: Engine, keyring: Keyring, office: Office
) -> None:
    with engine.begin() as connection:
        a_message(connection, office.person.subject_no)
        waiting = a_message(connection, office.other.subject_no)
    seal(engine, keyring, office)
    no = office.person.subject_no
    assert all_of(engine, "SELECT max(in_force_to) FROM order_in_force WHERE subject_no = :no", no=no) == [(NOW,)]
    assert all_of(engine, "SELECT count(*) FROM device WHERE subject_no = :no AND revoked_at IS NULL", no=no) == [(0,)]
    states = "SELECT DISTINCT state, closed_reason FROM alert WHERE subject_no = :no"
    assert all_of(engine, states, no=no) == [("closed", "sealed")]
    assert all_of(engine, states, no=office.other.subject_no) == [("open", None)]
    assert all_of(engine, "SELECT notification_id FROM notification WHERE state = 'pending'") == [(waiting,)]
    gateway = FakeGateway()
    a_worker(engine, gateway, keyring=keyring).drain()
    assert [message.idempotency_key for message in gateway.sent] == [waiting]


def test_what_lay_unread_in_the_log_is_recorded_and_tells_nobody(engine: Engine, keyring: Keyring) -> None:
    office = an_office(engine, keyring, is_evaluated=False)
    seal(engine, keyring, office)
    gateway = FakeGateway()
    a_worker(engine, gateway, keyring=keyring).drain()
    assert [message.address for message in gateway.sent] == ["13800000001"]
    found = "SELECT state FROM alert WHERE subject_no = :no"
    assert all_of(engine, found, no=office.person.subject_no) == [("closed",)]
    assert all_of(engine, found, no=office.other.subject_no) == [("open",)]


def test_a_device_that_a_process_still_remembers_stores_nothing(
    engine: Engine, keyring: Keyring, office: Office
) -> None:
    seal(engine, keyring, office)
    before = all_of(engine, "SELECT count(*) FROM fix")
    with pytest.raises(UnknownDeviceError):
        log_fixes(engine, office.person, [a_fix(minutes=115)])
    assert all_of(engine, "SELECT count(*) FROM fix") == before


@pytest.mark.parametrize("who", ["police", "nobody"])
def test_only_a_prosecutor_or_leader_with_the_case_seals_and_only_once(
    engine: Engine, keyring: Keyring, office: Office, who: str
) -> None:
    wrong = replace(office, prosecutor=office.police if who == "police" else UUID(int=9))
    with pytest.raises(NotThereError):
        seal(engine, keyring, wrong)
    with pytest.raises(NotThereError):  # on the other one's team is nobody
        seal(engine, keyring, replace(office, person=office.other))
    assert keyring.person_keys == ()
    seal(engine, keyring, replace(office, prosecutor=office.leader))
    with pytest.raises(NotThereError):
        seal(engine, keyring, office)
    assert len(keyring.person_keys) == 1
    with pytest.raises(ValueError, match="whim"):
        seal_record(
            engine, keyring, account_id=office.leader, subject_id=office.other.subject_id,
            basis=replace(BASIS, ground="whim"), now=NOW,
        )  # fmt: skip


def test_a_sealed_reference_cannot_be_registered_again(engine: Engine, keyring: Keyring, office: Office) -> None:
    seal(engine, keyring, office)
    content = "SELECT s::text FROM subject s UNION ALL SELECT d::text FROM device d UNION ALL" \
              " SELECT o::text FROM supervision_order o UNION ALL SELECT r::text FROM recipient r"  # fmt: skip
    before = all_of(engine, content)
    with pytest.raises(RecordSealedError) as refused, engine.begin() as connection:
        register(connection, 8, keyring, reference=REFERENCE, alias="合成新名")
    assert "封" not in str(refused.value)
    assert all_of(engine, content) == before


def test_sealing_waits_for_the_evaluator_at_work_and_closes_what_it_found(engine: Engine, keyring: Keyring) -> None:
    office = an_office(engine, keyring, is_evaluated=False)
    worker = a_worker(engine, keyring=keyring)
    memory = worker._hold_shards()
    assert memory is not None
    failures: list[BaseException] = []

    def sealing() -> None:
        try:
            seal(engine, keyring, office)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=sealing)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        assert step(connection, memory, worker).notification_count == 2
        thread.start()
        wait_until(lambda: is_someone_waiting(engine))
        connection.commit()
    thread.join()
    assert failures == []
    no = office.person.subject_no
    assert all_of(engine, "SELECT state FROM alert WHERE subject_no = :no", no=no) == [("closed",)]
    of_person = "SELECT n.state FROM notification n JOIN alert USING (alert_id) WHERE subject_no = :no"
    assert all_of(engine, of_person, no=no) == [("dead",)]


def test_an_evaluator_that_began_before_the_sealing_does_not_commit_after_it(engine: Engine, keyring: Keyring) -> None:
    office = an_office(engine, keyring, is_evaluated=False)
    worker = a_worker(engine, keyring=keyring)
    memory = worker._hold_shards()
    assert memory is not None
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SELECT 1 FROM subject"))  # its view of the world is taken here
        seal(engine, keyring, office)
        with pytest.raises(DATABASE_AWAY, match="could not serialize"):
            step(connection, memory, worker)
    assert all_of(engine, "SELECT count(*) FROM alert") == [(0,)]


def step(connection: Connection, memory: Memory, worker: Worker) -> Advanced:
    return advance(
        connection, memory, policies=worker.policies, at=NOW, most_rows=20_000, lease_seconds=5.0,
        now_for=worker.clock.now_for,
    )  # fmt: skip


def is_someone_waiting(engine: Engine) -> bool:
    return all_of(engine, "SELECT count(*) FROM pg_locks WHERE NOT granted") != [(0,)]


def test_a_cleared_index_cannot_be_set_again_and_the_record_of_sealing_cannot_be_changed(
    engine: Engine, keyring: Keyring, office: Office
) -> None:
    seal(engine, keyring, office)
    for statement in (
        "UPDATE recipient SET phone_index = '\\x00' WHERE phone_index IS NULL",
        "UPDATE subject SET id_number_index = '\\x00' WHERE sealed_at IS NOT NULL",
        "UPDATE record_sealing SET ground = 'other'",
        "DELETE FROM record_sealing",
    ):
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.execute(text(statement))


def test_going_down_is_refused_while_somebody_is_sealed(engine: Engine, keyring: Keyring, office: Office) -> None:
    seal(engine, keyring, office)
    with pytest.raises(DBAPIError, match="would show again"), engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0010")


def test_a_record_keeps_the_rule_of_the_day_on_which_it_was_sealed() -> None:
    rules = (
        KeepRule(effective_from=EVENING.date(), keep_days=10, basis="first"),
        KeepRule(effective_from=EVENING.date() + timedelta(days=5), keep_days=20, basis="second"),
    )
    assert keep_until(EVENING, rules) == EVENING + timedelta(days=10)
    assert keep_until(EVENING + timedelta(days=6), rules) == EVENING + timedelta(days=26)
    with pytest.raises(LookupError):
        keep_until(EVENING - timedelta(days=1), rules)
