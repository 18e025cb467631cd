"""Opening a sealed record: a ground, two different people, a limited time, and nobody else sees a thing."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.errors import NotThereError, RefusedInputError
from api.personal.fields import open_field
from api.personal.keyring import Keyring, make_keyring
from api.personal.sealing import CipherName
from api.records.grounds import UnsealingGround
from api.records.sealing import Basis
from api.records.unsealing import ask_unsealing, decide_unsealing, list_unsealings
from tests.make import EVENING
from tests.personal.records_scene import NOW, PHONE, Office, all_of, an_office, an_officer, number_of, seal

WHY = Basis(ground=UnsealingGround.CASE_NEED, ground_text="另案办理需要", document_number="合成查〔2026〕1号")
DAY = timedelta(days=1)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return make_keyring(tmp_path / "keyring.json", CipherName.AES_256_GCM, at=EVENING)


@pytest.fixture
def office(engine: Engine, keyring: Keyring) -> Office:
    office = an_office(engine, keyring)
    seal(engine, keyring, office)
    return office


def ask(engine: Engine, account_id: UUID, subject_id: UUID) -> UUID:
    return ask_unsealing(engine, account_id=account_id, subject_id=subject_id, basis=WHY, now=NOW)


def decide(
    engine: Engine, account_id: UUID, request_id: UUID, *, is_approved: bool = True, length: timedelta = DAY
) -> datetime | None:
    return decide_unsealing(
        engine, account_id=account_id, request_id=request_id, is_approved=is_approved, length=length, now=NOW
    )


def sees(engine: Engine, account_id: UUID, office: Office) -> bool:
    """Whether the person is there for the account: in the list, in the alerts, in the orders; all or nothing."""
    found: set[bool] = set()
    with as_account(engine, account_id) as connection:
        for table in ("subject", "recipient", "supervision_order", "episode", "violation", "alert", "case_member"):
            query = text(f"SELECT count(*) FROM {table} WHERE subject_no = :no")
            found.add(bool(connection.execute(query, {"no": office.person.subject_no}).scalar_one()))
    assert len(found) == 1
    return found.pop()


def test_asker_and_approver_see_it_for_a_while_and_nobody_else_does(
    engine: Engine, keyring: Keyring, office: Office
) -> None:
    everybody = (office.prosecutor, office.police, office.leader, office.second_leader)
    assert not any(sees(engine, account, office) for account in everybody)
    request_id = ask(engine, office.prosecutor, office.person.subject_id)
    assert not any(sees(engine, account, office) for account in everybody), "asking opens nothing"
    decide(engine, office.leader, request_id, length=timedelta(seconds=3))
    assert [sees(engine, account, office) for account in everybody] == [True, False, True, False]
    with as_account(engine, office.prosecutor) as connection:
        row = connection.execute(text("SELECT recipient_id, phone, key_id FROM recipient")).one()
    place = {"table": "recipient", "column": "phone", "row_id": row.recipient_id}
    assert open_field(keyring, row.phone, key_id=row.key_id, **place) == PHONE
    noted = "SELECT action, by_account_no, second_account_no FROM record_sealing WHERE action = 'unsealed'"
    with engine.connect() as connection:
        two = number_of(connection, office.prosecutor), number_of(connection, office.leader)
    assert all_of(engine, noted) == [("unsealed", *two)]
    time.sleep(3.1)  # the database's clock decides: no job runs here
    assert not any(sees(engine, account, office) for account in everybody)


def test_nobody_approves_what_they_asked_for_themselves(engine: Engine, office: Office) -> None:
    request_id = ask(engine, office.leader, office.person.subject_id)
    with pytest.raises(NotThereError):
        decide(engine, office.leader, request_id)
    with pytest.raises(DBAPIError, match="check constraint"), engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE unsealing_request SET decided_by = asked_by, decided_at = now(), is_approved = true,"
                " unsealed_until = now()"
            )
        )
    assert not sees(engine, office.leader, office)
    decide(engine, office.second_leader, request_id)
    assert sees(engine, office.leader, office)


def test_who_is_no_leader_of_the_case_decides_nothing(engine: Engine, office: Office) -> None:
    request_id = ask(engine, office.prosecutor, office.person.subject_id)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO division (code, name) VALUES ('370600', '合成他市')"))
        elsewhere = an_officer(connection, "elsewhere", AccountRole.LEADER, division="370600")
        colleague = an_officer(connection, "colleague", AccountRole.PROSECUTOR)
    for account in (elsewhere, colleague, office.police, UUID(int=9)):
        with pytest.raises(NotThereError):
            decide(engine, account, request_id)
    assert list_unsealings(engine, account_id=elsewhere).to_decide == ()
    (shown,) = list_unsealings(engine, account_id=office.leader).to_decide
    assert shown["request_id"] == request_id
    assert decide(engine, office.leader, request_id, is_approved=False) is None
    assert not sees(engine, office.prosecutor, office)
    with pytest.raises(NotThereError):  # decided once and for all
        decide(engine, office.second_leader, request_id)


def test_asking_tells_nobody_who_has_a_record(engine: Engine, office: Office) -> None:
    """Of a stranger, of somebody who is not sealed, and of a sealed person of whose case the asker is not."""
    with engine.begin() as connection:
        colleague = an_officer(connection, "colleague", AccountRole.PROSECUTOR)
    for subject_id in (UUID(int=4), office.other.subject_id, office.person.subject_id):
        request_id = ask(engine, colleague, subject_id)
        with pytest.raises(NotThereError):
            decide(engine, office.leader, request_id)
    shown = [{**item, "request_id": 0, "subject_id": 0} for item in list_unsealings(engine, account_id=colleague).own]
    assert len(shown) == 3
    assert shown[0] == shown[1] == shown[2]
    assert list_unsealings(engine, account_id=office.leader).to_decide == ()
    with pytest.raises(NotThereError):
        ask(engine, office.police, office.person.subject_id)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(days=31)])
def test_an_unsealing_has_an_end_that_is_near(engine: Engine, office: Office, length: timedelta) -> None:
    request_id = ask(engine, office.prosecutor, office.person.subject_id)
    with pytest.raises(RefusedInputError):
        decide(engine, office.leader, request_id, length=length)
    with pytest.raises(ValueError, match="curiosity"):
        ask_unsealing(
            engine,
            account_id=office.prosecutor,
            subject_id=office.person.subject_id,
            basis=Basis(ground="curiosity", ground_text="", document_number="x"),
            now=NOW,
        )
