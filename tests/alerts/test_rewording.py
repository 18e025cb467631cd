"""A message is worded for the day on which it leaves and for whom it goes to; its key stays."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine, text

from alerts.channel import Channel
from alerts.delivery import deliver
from alerts.gateway import FakeGateway, GatewayError, Message, Receipt
from alerts.rewording import reworded
from alerts.texts import render
from api.clock import FixedClock
from api.outbox import DatabaseOutbox
from tests.alerts.outbox_scene import FATHER, MOTHER, POLICY, Taking, Told, a_round, a_subject, an_alert, rows
from tests.make import KEYRING

LATE = datetime(2026, 3, 20, 15, 58, tzinfo=UTC)
"""23:58 in Asia/Shanghai."""

AFTER_MIDNIGHT = LATE + timedelta(minutes=5)
SAID = "您的孩子小丽于{}疑似进入未成年人禁入区域，请尽快核实并带离。"


def a_message(template: str = "guardian_entry_suspected", *, language: str = "zh", code: str = "") -> Message:
    """As it is stored, worded at the time of the event."""
    said = render(template, language=language, name="小丽", at=LATE, now=LATE, reference="0123ABCD", code=code)
    return Message(
        idempotency_key=UUID(int=1), address=MOTHER, text=said.text, template=said.template,
        variables=said.variables, language=said.language,
    )  # fmt: skip


def as_read(message: Message, *, now: datetime = LATE, reads: str = "zh", with_code: bool = True) -> Message:
    return reworded(message, event_at=LATE, now=now, reads=reads, with_code=with_code)


def test_a_message_of_today_is_left_as_it_is() -> None:
    for message in (a_message(), a_message(language="en"), a_message("officer_entry_suspected")):
        assert as_read(message, now=LATE + timedelta(seconds=119), reads=message.language) == message


@pytest.mark.parametrize(("language", "time"), [("zh", "3月20日23时58分"), ("en", "23:58 on 20 Mar")])
def test_after_midnight_it_says_the_date(language: str, time: str) -> None:
    message = a_message(language=language)
    found = as_read(message, now=AFTER_MIDNIGHT, reads=language)
    assert dict(found.variables)["time"] == time and time in found.text
    assert (found.idempotency_key, found.address, found.template) == (UUID(int=1), MOTHER, message.template)
    assert as_read(found, now=AFTER_MIDNIGHT, reads=language) == found


def test_worded_after_midnight_already_it_says_no_date_again() -> None:
    """An event of today, whose text was made yesterday for a day that it is not any more."""
    dated = as_read(a_message(), now=AFTER_MIDNIGHT)
    assert as_read(dated, now=LATE) == a_message()


def test_whoever_takes_anothers_place_reads_their_own_language() -> None:
    assert as_read(a_message(), reads="en").text == a_message(language="en").text
    assert as_read(a_message(language="en"), reads="ug") == a_message(), "Chinese where Hulan does not write it"


def test_without_the_page_the_code_is_left_out() -> None:
    with_code = a_message("guardian_entry_suspected_code", code="00000000")
    assert as_read(with_code) == with_code
    assert as_read(with_code, with_code=False) == a_message()


def test_what_cannot_be_worded_anew_leaves_as_it_is_stored() -> None:
    unknown = replace(a_message(), template="guardian_bar_suspected")
    assert as_read(unknown, now=AFTER_MIDNIGHT) == unknown
    assert as_read(a_message(), now=LATE + timedelta(days=200)) == a_message()


# ---- in the outbox


def queued(engine: Engine, *people: Told) -> tuple[UUID, list[UUID]]:
    """A message about 23:58 to the first of them, worded at once."""
    person, ids = a_subject(engine, people)
    key = an_alert(engine, person.subject_no, ids[0], at=LATE)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE notification SET event_at = :at, text = :text, variables = cast(:v AS jsonb)"),
            {"at": LATE, "text": a_message().text, "v": '[["name", "小丽"], ["time", "23时58分"]]'},
        )
    return key, ids


def test_a_message_that_waited_over_midnight_leaves_with_its_date_and_that_is_what_is_stored(engine: Engine) -> None:
    key, _ = queued(engine, Told())
    gateway = FakeGateway()
    a_round(engine, FixedClock(AFTER_MIDNIGHT), gateway)
    (message,) = gateway.sent
    assert (message.idempotency_key, message.text) == (key, SAID.format("3月20日23时58分"))
    assert rows(engine, "SELECT notification_id, text, variables FROM notification") == [
        (key, message.text, [["name", "小丽"], ["time", "3月20日23时58分"]])
    ]


def test_what_a_provider_may_have_is_sent_again_as_it_was(engine: Engine) -> None:
    """The same key with another text would be another message, or a refusal."""
    key, _ = queued(engine, Told())
    clock = FixedClock(LATE + timedelta(minutes=1))
    provider = Taking(clock=clock, failures=[GatewayError("no answer", is_taken_possible=True)])
    a_round(engine, clock, provider)
    clock.current = AFTER_MIDNIGHT
    a_round(engine, clock, provider)
    assert provider.taken[key][0].text == SAID.format("23时58分")


def test_no_transaction_is_open_while_it_is_sent(engine: Engine) -> None:
    """A provider that looks into the database sees the wording that it is handed, committed."""
    key, _ = queued(engine, Told())
    seen: list[object] = []

    class Looking(FakeGateway):
        def send(self, message: Message) -> Receipt:
            seen.append(rows(engine, "SELECT text FROM notification") == [(message.text,)])
            seen.append(rows(engine, "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
                                     " AND datname = current_database()"))  # fmt: skip
            return super().send(message)

    deliver(
        outbox=DatabaseOutbox(engine, POLICY, KEYRING), providers={Channel.SMS: [Looking()]},
        clock=FixedClock(AFTER_MIDNIGHT), policy=POLICY, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert seen == [True, [(0,)]], key


def test_who_is_told_in_anothers_place_is_told_in_their_own_language(engine: Engine) -> None:
    _, (_, father) = queued(engine, Told(phone=MOTHER), Told(phone=FATHER, rank=2))
    with engine.begin() as connection:
        connection.execute(text("UPDATE recipient SET language = 'en' WHERE recipient_id = :id"), {"id": father})
    clock = FixedClock(LATE + timedelta(minutes=1))
    provider = Taking(clock=clock, failures=[GatewayError("refused", is_final=True)])
    a_round(engine, clock, provider)
    assert provider.addresses == [FATHER]
    (message,) = (message for message, _ in provider.taken.values())
    assert message.text == a_message(language="en").text and message.language == "en"
    assert rows(engine, "SELECT language FROM notification WHERE recipient_id = :id", id=father) == [("en",)]
