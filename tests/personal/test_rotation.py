"""Rotation: every row under the new key, nothing lost, whatever else goes on and wherever it is broken off."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from alerts.gateway import FakeGateway
from alerts.policy import AlertPolicy
from api.alerting import Alerting
from api.clock import SystemClock
from api.outbox import DatabaseOutbox
from api.personal.fields import check_keys, current_key, identity_of
from api.personal.keyring import Keyring, KeyringError, make_keyring
from api.personal.rotation import ROWS_AT_A_TIME, BusyError, retire, rotate
from api.personal.sealing import CipherName, SealError
from tests.api.faults import wait_until
from tests.make import EVENING, a_worker
from tests.personal.scene import a_message, contacts, phone_of, register, rows_by_key

AES, SM4 = CipherName.AES_256_GCM, CipherName.SM4_GCM


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return make_keyring(tmp_path / "keyring.json", AES, at=EVENING)


def settle(engine: Engine, keyring: Keyring, count: int) -> set[tuple[str, str]]:
    """So many cases; returns name and number of each guardian."""
    with engine.begin() as connection:
        for number in range(count):
            register(connection, number, keyring)
    return {(f"王监护{number}", phone_of(number)) for number in range(count)}


def test_every_row_is_sealed_anew_and_opens_to_the_same(engine: Engine, keyring: Keyring) -> None:
    people = settle(engine, keyring, 7)
    with engine.begin() as connection:
        named = register(connection, 3, keyring, name="合成赵小刚", id_number="11010519491231002X")
    old = keyring.keys[0].key_id
    done = rotate(engine, keyring, cipher=SM4, at=EVENING)
    assert done.key_id != old
    assert done.row_count == 8
    assert rows_by_key(engine) == {done.key_id: 8}
    assert keyring.key(done.key_id).cipher is SM4
    assert contacts(engine, keyring) == people
    with engine.connect() as connection:
        found = identity_of(connection, keyring, subject_no=named.subject_no)
    assert found.texts == {"name": "合成赵小刚", "id_number": "11010519491231002X"}


def test_a_rotation_that_was_broken_off_goes_on_with_the_same_key(engine: Engine, keyring: Keyring) -> None:
    count = ROWS_AT_A_TIME + 50
    people = settle(engine, keyring, count)

    def break_off(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate(engine, keyring, cipher=AES, at=EVENING, progress=break_off)
    old, new = (key.key_id for key in keyring.keys)
    assert rows_by_key(engine) == {old: 50, new: ROWS_AT_A_TIME}
    assert contacts(engine, keyring) == people
    done = rotate(engine, keyring, cipher=AES, at=EVENING)
    assert (done.key_id, done.row_count) == (new, 50)
    assert rows_by_key(engine) == {new: count}
    assert contacts(engine, keyring) == people


def test_a_key_that_was_made_and_never_used_is_taken_before_one_is_made(engine: Engine, keyring: Keyring) -> None:
    settle(engine, keyring, 1)
    waiting = keyring.add(AES, at=EVENING)
    assert rotate(engine, keyring, cipher=AES, at=EVENING).key_id == waiting.key_id
    assert len(keyring.keys) == 2


@pytest.mark.slow
def test_rotation_under_load_loses_nothing(engine: Engine, keyring: Keyring) -> None:
    """While keys change three times, a worker delivers and cases are imported; each has a keyring of its own."""
    settle(engine, keyring, 60)
    gateway = FakeGateway()
    worker = a_worker(engine, gateway, keyring=Keyring(keyring.path))
    generous = AlertPolicy(budget_per_day=100_000, budget_per_24_hours=100_000)
    worker.policies = replace(worker.policies, alerting=Alerting(policy=generous))
    importing, stop = Keyring(keyring.path), threading.Event()
    wanted: dict[object, str] = {}
    failures: list[BaseException] = []

    def guarded(work: Callable[[int], None]) -> Callable[[], None]:
        def loop() -> None:
            turn = 0
            try:
                while not stop.is_set():
                    work(turn)
                    turn += 1
            except BaseException as error:
                failures.append(error)

        return loop

    def tell(turn: int) -> None:
        number = turn % 60
        with engine.begin() as connection:
            subject_no = connection.execute(
                text("SELECT subject_no FROM subject WHERE alias = :alias"), {"alias": f"合成{number}"}
            ).scalar_one()
            wanted[a_message(connection, subject_no)] = phone_of(number)

    def bring_in(turn: int) -> None:
        with engine.begin() as connection:
            register(connection, 100 + turn % 150, importing)
            register(connection, turn % 60, importing)

    threads = [threading.Thread(target=guarded(work)) for work in (tell, bring_in)]
    running = threading.Thread(target=worker.run)
    for thread in (running, *threads):
        thread.start()
    try:
        for cipher in (SM4, AES, SM4):
            sent = len(gateway.sent)
            rotate(engine, keyring, cipher=cipher, at=EVENING)
            wait_until(lambda sent=sent: len(gateway.sent) >= sent + 20)  # type: ignore[misc]
        stop.set()
        for thread in threads:
            thread.join()
        wait_until(lambda: len(gateway.sent) >= len(wanted))
    finally:
        stop.set()
        worker.stop()
        running.join()
    assert failures == []
    assert len(keyring.keys) == 4
    assert {message.idempotency_key: message.address for message in gateway.sent} == wanted
    assert len(gateway.sent) == len(wanted), "each once"
    assert set(rows_by_key(engine)) == {keyring.keys[-1].key_id}, "nothing was sealed with an old key afterwards"
    with engine.connect() as connection:
        states = connection.execute(text("SELECT DISTINCT state FROM notification")).scalars().all()
        count = connection.execute(text("SELECT count(*) FROM recipient")).scalar_one()
    assert states == ["sent"]
    assert len(contacts(engine, keyring)) == count > 60


def test_rotation_waits_for_nobody_who_holds_a_row_and_comes_back_to_it(engine: Engine, keyring: Keyring) -> None:
    settle(engine, keyring, 3)
    seen: list[int] = []
    with engine.connect() as holder:
        holder.execute(text("SELECT 1 FROM recipient WHERE subject_no = 2 FOR UPDATE"))
        thread = threading.Thread(target=lambda: rotate(engine, keyring, cipher=AES, at=EVENING, progress=seen.append))
        thread.start()
        wait_until(lambda: sum(seen) == 2)
        assert thread.is_alive()
        holder.rollback()
        thread.join(timeout=20)
    assert sum(seen) == 3
    assert rows_by_key(engine) == {keyring.keys[-1].key_id: 3}


def test_no_transaction_goes_on_sealing_with_the_old_key(engine: Engine, keyring: Keyring) -> None:
    settle(engine, keyring, 1)
    with engine.connect() as importing:
        held = current_key(importing, keyring)
        register(importing, 2, keyring)
        thread = threading.Thread(target=lambda: rotate(engine, keyring, cipher=AES, at=EVENING))
        thread.start()
        thread.join(timeout=0.5)
        assert thread.is_alive(), "rotation waits until this is committed"
        importing.commit()
        thread.join(timeout=20)
    assert held.key_id == keyring.keys[0].key_id
    assert rows_by_key(engine) == {keyring.keys[-1].key_id: 2}


def test_two_rotations_at_once_are_refused(engine: Engine, keyring: Keyring) -> None:
    settle(engine, keyring, 1)

    def another(_: int) -> None:
        with pytest.raises(BusyError):
            rotate(engine, keyring, cipher=AES, at=EVENING)

    rotate(engine, keyring, cipher=AES, at=EVENING, progress=another)
    assert len(keyring.keys) == 2


def test_a_key_is_destroyed_only_when_nothing_uses_it(engine: Engine, keyring: Keyring) -> None:
    people = settle(engine, keyring, 2)
    old = keyring.keys[0].key_id
    with pytest.raises(KeyringError, match=f"{old} is in use"):
        retire(engine, keyring, old)
    rotate(engine, keyring, cipher=AES, at=EVENING)
    assert old in {key.key_id for key in keyring.keys}, "kept until someone says so"
    retire(engine, keyring, old)
    assert [key.key_id for key in keyring.keys] == list(rows_by_key(engine))
    assert contacts(engine, keyring) == people
    with engine.connect() as connection:
        check_keys(connection, keyring)


def test_altered_rows_stay_with_their_key_and_all_others_are_done(engine: Engine, keyring: Keyring) -> None:
    settle(engine, keyring, 4)
    old = keyring.keys[0].key_id
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE recipient SET phone = set_byte(phone, 20, 255 - get_byte(phone, 20)) WHERE subject_no = 2")
        )
    with pytest.raises(SealError, match=r"recipient\.phone"):
        rotate(engine, keyring, cipher=AES, at=EVENING)
    assert rows_by_key(engine) == {old: 1, keyring.keys[-1].key_id: 3}
    with pytest.raises(KeyringError):
        retire(engine, keyring, old)


def test_numbers_swapped_between_rows_or_columns_reach_nobody(engine: Engine, keyring: Keyring) -> None:
    """Who can write to the database cannot send one guardian's message to another number."""
    settle(engine, keyring, 4)
    with engine.begin() as connection:
        messages = [a_message(connection, subject_no) for subject_no in (1, 2, 3, 4)]
        connection.execute(
            text(
                "UPDATE recipient a SET phone = b.phone FROM recipient b WHERE (a.subject_no, b.subject_no)"
                " IN ((1, 2), (2, 1))"
            )
        )
        connection.execute(text("UPDATE recipient SET phone = name WHERE subject_no = 3"))
    gateway = FakeGateway()
    a_worker(engine, gateway, keyring=keyring).deliver_due()
    assert [message.idempotency_key for message in gateway.sent] == messages[3:], "the others are not held up"
    with engine.connect() as connection:
        dead = connection.execute(text("SELECT last_error FROM notification WHERE state = 'dead'")).scalars().all()
    assert len(dead) == 3
    assert all("cannot be opened" in reason for reason in dead)


def test_without_its_key_nothing_is_taken_from_the_outbox(engine: Engine, keyring: Keyring, tmp_path: Path) -> None:
    settle(engine, keyring, 1)
    with engine.begin() as connection:
        a_message(connection, 1)
    other = make_keyring(tmp_path / "other.json", AES, at=EVENING)
    with engine.connect() as connection, pytest.raises(KeyringError, match=keyring.keys[0].key_id):
        check_keys(connection, other)
    with pytest.raises(KeyringError, match=keyring.keys[0].key_id):
        DatabaseOutbox(engine, AlertPolicy(), other).claim(10, SystemClock())
    with pytest.raises(KeyringError):
        a_worker(engine, keyring=other).run()
    with engine.connect() as connection:
        row = connection.execute(text("SELECT state, attempt FROM notification")).one()
    assert tuple(row) == ("pending", 0)


def test_a_recipients_number_never_changes(engine: Engine, keyring: Keyring) -> None:
    settle(engine, keyring, 2)
    with pytest.raises(Exception, match="never changes"), engine.begin() as connection:
        connection.execute(text("UPDATE recipient SET phone_index = '\\x00'"))
