"""Rosters as they are read: what is revoked, and who is, counts nowhere; who cannot be reached is stood in for."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from alerts.alert import Role
from alerts.channel import Channel
from alerts.decided_store import load_roster
from alerts.reason import Because
from alerts.roster import OnDuty, leader_of, on_duty
from alerts.store import recipients_by_duty
from api.clock import FixedClock
from api.ids import new_id
from api.personal.fields import current_key, seal_contact
from tests.alerts.outbox_scene import Taking, a_round, a_subject, an_alert, messages, minutes, rows, tasks
from tests.make import EVENING, KEYRING

UNIT = "合成派出所"


def by_duty(
    engine: Engine,
    phone: str,
    *,
    role: Role = Role.DUTY_OFFICER,
    channels: Sequence[Channel] = (Channel.SMS,),
) -> UUID:
    """Somebody of the unit who is told by duty."""
    number = new_id()
    with engine.begin() as connection:
        contact = seal_contact(
            KEYRING, current_key(connection, KEYRING), recipient_id=number, name="合成值班员", phone=phone,
            email="duty@example.test",
        )  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO recipient (recipient_id, role, rank, is_blocked, unit, name, phone, phone_index, email,"
                " key_id, channels) VALUES (:id, :role, 1, false, :unit, :name, :phone, :index, :email, :key, :way)"
            ),
            {
                "id": number, "role": str(role), "unit": UNIT, "name": contact.name, "phone": contact.phone,
                "index": contact.phone_index, "email": contact.email, "key": contact.key_id,
                "way": [str(channel) for channel in channels],
            },
        )  # fmt: skip
    return number


def a_turn(engine: Engine, *people: UUID, begins: float = -60) -> UUID:
    number = new_id()
    add = (
        "INSERT INTO duty_roster (roster_id, unit, from_at, to_at, recipient_ids) VALUES (:id, :unit, :a, :b, :people)"
    )
    span = {"a": EVENING + minutes(begins), "b": EVENING + minutes(600)}
    run(engine, add, id=number, unit=UNIT, people=list(people), **span)
    return number


def an_absence(engine: Engine, person: UUID) -> UUID:
    number = new_id()
    run(engine, "INSERT INTO duty_absence (absence_id, recipient_id, from_at, to_at) VALUES (:id, :who, :a, :b)",
        id=number, who=person, a=EVENING - minutes(60), b=EVENING + minutes(600))  # fmt: skip
    return number


def run(engine: Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def block(engine: Engine, person: UUID) -> None:
    run(engine, "UPDATE recipient SET is_blocked = true WHERE recipient_id = :id", id=person)


def now_on_duty(engine: Engine) -> OnDuty:
    with engine.connect() as connection:
        return on_duty(load_roster(connection, since=EVENING, until=EVENING), unit=UNIT, at=EVENING)


def told(engine: Engine) -> UUID | None:
    recipient = now_on_duty(engine).recipient
    return None if recipient is None else recipient.recipient_id


def test_a_turn_an_absence_and_a_person_count_until_they_are_revoked(engine: Engine) -> None:
    first, second, third = (by_duty(engine, f"1380000013{number}") for number in range(3))
    a_turn(engine, first, second)
    change = a_turn(engine, third, begins=-5)
    assert told(engine) == third, "the turn that began last"
    run(engine, "UPDATE duty_roster SET revoked_at = now() WHERE roster_id = :id", id=change)
    assert told(engine) == first
    away = an_absence(engine, first)
    assert told(engine) == second
    run(engine, "UPDATE duty_absence SET revoked_at = now() WHERE absence_id = :id", id=away)
    assert told(engine) == first
    block(engine, first)
    assert told(engine) == second
    block(engine, second)
    found = now_on_duty(engine)
    assert found.recipient is None
    assert found.gap is not None
    assert found.gap.code == Because.ROSTER_GAP
    with engine.connect() as connection:
        everybody = {item.recipient_id: item.is_blocked for item in recipients_by_duty(connection)}
    assert everybody == {first: True, second: True, third: False}


def test_a_leader_who_was_revoked_is_not_told_of_a_gap_and_the_next_one_is(engine: Engine) -> None:
    leaders = sorted(by_duty(engine, f"1380000014{number}", role=Role.LEADER) for number in range(2))
    assert told(engine) == leaders[0]
    block(engine, leaders[0])
    assert told(engine) == leaders[1]
    assert now_on_duty(engine).reason.code == Because.LEADER_FOR_GAP
    block(engine, leaders[1])
    with engine.connect() as connection:
        assert leader_of(load_roster(connection, since=EVENING, until=EVENING), unit=UNIT) is None


@pytest.mark.parametrize(
    ("channels", "is_away", "ways"),
    [
        ((Channel.SMS, Channel.EMAIL), False, [("first", "sms"), ("first", "email")]),
        ((Channel.SMS,), False, [("first", "sms"), ("second", "sms")]),
        ((Channel.SMS,), True, [("first", "sms"), ("first", "voice_task")]),
    ],
)
def test_who_is_revoked_or_cannot_be_reached_on_duty_is_stood_in_for(
    engine: Engine, channels: tuple[Channel, ...], is_away: bool, ways: list[tuple[str, str]]
) -> None:
    """By their own next channel, else by who is there of the turn; with nobody there it is a human's work."""
    clock = FixedClock(EVENING + minutes(1))
    person, _ = a_subject(engine)
    first, second = by_duty(engine, "13800000131", channels=channels), by_duty(engine, "13800000132")
    a_turn(engine, first, second)
    if is_away:
        an_absence(engine, second)
    an_alert(engine, person.subject_no, first, role=Role.DUTY_OFFICER)
    if channels == (Channel.SMS,):
        block(engine, first)
        gateways: tuple[Taking, ...] = (Taking(clock=clock),)
    else:
        gateways = ()  # no provider for text messages
    mail = Taking(provider="mail", clock=clock)
    a_round(engine, clock, channels={Channel.SMS: gateways, Channel.EMAIL: (mail,)})
    names = {first: "first", second: "second"}
    query = "SELECT recipient_id, channel FROM notification ORDER BY step"
    assert [(names[row[0]], row[1]) for row in rows(engine, query)] == ways
    assert messages(engine, "state")[-1] == ("sent",)
    assert tasks(engine) == ([("nobody_to_tell", "blocked")] if is_away else [])
