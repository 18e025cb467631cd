"""What providers report of messages, and what people reply to them."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from alerts.alert import Role
from alerts.report_store import SealedReply, apply_replies, save_replies
from api.clock import FixedClock
from api.ids import new_id
from api.personal.blind_index import phone_index
from api.personal.fields import current_key, seal_row
from tests.alerts.outbox_scene import (
    FATHER,
    MOTHER,
    Taking,
    Told,
    a_round,
    a_subject,
    an_alert,
    messages,
    minutes,
    report,
    rows,
)
from tests.make import EVENING, KEYRING


def test_sent_becomes_delivered_by_the_providers_word_only(engine: Engine, clock: FixedClock, provider: Taking) -> None:
    person, (mother,) = a_subject(engine)
    key = an_alert(engine, person.subject_no, mother)
    a_round(engine, clock, provider)
    report(engine, clock, reference=f"r-{key}", is_delivered=True, provider="another")
    report(engine, clock, reference="r-unknown", is_delivered=True)
    report(engine, clock, reference=f"r-{key}", is_delivered=True, is_proven=False)
    assert messages(engine, "state, delivered_at") == [("sent", None)]
    for is_delivered in (True, True, False):  # told again, and otherwise: the first stands
        report(engine, clock, reference=f"r-{key}", is_delivered=is_delivered)
    assert messages(engine, "state, delivered_at") == [("delivered", clock.now() + timedelta(seconds=3))]
    assert rows(engine, "SELECT count(*), count(applied_at) FROM delivery_report") == [(5, 2)]


def test_a_report_before_the_record_waits_and_one_by_key_needs_none(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, (mother,) = a_subject(engine)
    early, lost = (an_alert(engine, person.subject_no, mother) for _ in range(2))
    report(engine, clock, reference=f"r-{early}", is_delivered=True)
    assert messages(engine, "state") == [("pending",), ("pending",)]
    report(engine, clock, key=lost, is_delivered=True)  # whoever sent it died before it could say so
    a_round(engine, clock, provider)
    a_round(engine, clock, provider)
    assert messages(engine, "state") == [("delivered",), ("delivered",)]
    assert list(provider.taken) == [early]


def a_reply(engine: Engine, phone: str, *, at: datetime) -> None:
    with engine.begin() as connection:
        reply_id, key = new_id(), current_key(connection, KEYRING)
        sealed = seal_row(key, table="reply", row_id=reply_id, values={"text": "1"})
        reply = SealedReply(
            reply_id=reply_id,
            provider="p1",
            phone_index=phone_index(KEYRING.index_key, phone),
            text=sealed["text"],
            key_id=key.key_id,
            at=at,
            is_proven=True,
        )
        save_replies(connection, [reply, reply])


def test_a_reply_is_put_to_the_last_message_that_its_number_had(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, (mother,) = a_subject(engine)
    keys = []
    for number in range(2):
        keys.append(an_alert(engine, person.subject_no, mother, at=EVENING + minutes(number)))
        clock.current = EVENING + minutes(number + 1)
        a_round(engine, clock, provider)
    for phone in (MOTHER, FATHER):
        a_reply(engine, phone, at=clock.now() + minutes(1))
    with engine.begin() as connection:
        assert apply_replies(connection, most=10) == 2
        assert apply_replies(connection, most=10) == 0
    found = rows(engine, "SELECT notification_id, subject_no FROM reply ORDER BY notification_id")
    assert found == [(keys[1], person.subject_no), (None, None)]


@pytest.mark.parametrize(
    ("hours", "role", "is_attached"),
    [(1, Role.GUARDIAN, False), (23, Role.GUARDIAN, False), (25, Role.GUARDIAN, True), (1, Role.PROSECUTOR, False)],
)
def test_a_reply_that_may_be_about_either_of_two_people_is_in_the_case_of_neither(
    engine: Engine, clock: FixedClock, provider: Taking, hours: int, role: Role, is_attached: bool
) -> None:
    subjects = []
    for number in range(2):
        person, (told,) = a_subject(engine, (Told(role=role),))
        subjects.append(person.subject_no)
        an_alert(engine, person.subject_no, told, at=EVENING + minutes(60 * hours * number), role=role)
        clock.current = EVENING + minutes(60 * hours * number + 1)
        a_round(engine, clock, provider)
    a_reply(engine, MOTHER, at=clock.now() + minutes(60 * 30))
    with engine.begin() as connection:
        assert apply_replies(connection, most=10) == 1
    ((subject_no, notification_id),) = rows(engine, "SELECT subject_no, notification_id FROM reply")
    assert (subject_no, notification_id is not None) == ((subjects[1], True) if is_attached else (None, False))
    asked = rows(engine, "SELECT subject_no, kind FROM task WHERE reason_code = 'answer_unclear' ORDER BY subject_no")
    is_asked = not is_attached and role is Role.GUARDIAN
    assert asked == ([(number, "voice_call") for number in subjects] if is_asked else [])
