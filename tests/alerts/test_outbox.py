"""Hop 6 on the real outbox: budgets, breakers, the next channel or person, and never silence."""

import threading
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from alerts.alert import Role
from alerts.channel import Channel
from alerts.gateway import GatewayError
from alerts.history_store import history_of
from alerts.policy import AlertPolicy
from api.cli.whole import app as command_line
from api.clock import FixedClock
from api.outbox import DatabaseOutbox
from tests.alerts.outbox_scene import (
    FATHER,
    MOTHER,
    POLICY,
    PROSECUTOR,
    Taking,
    Told,
    a_round,
    a_subject,
    an_alert,
    make_due,
    messages,
    minutes,
    report,
    rows,
    tasks,
)
from tests.make import EVENING, KEYRING, KEYRING_PATH

VOICE = ("voice_call", "budget")


# ---- the budget of a number


def test_the_third_event_of_a_day_is_telephoned_and_not_lost(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, (mother,) = a_subject(engine)
    for number in range(3):
        at = EVENING + minutes(20 * number)
        an_alert(engine, person.subject_no, mother, at=at)
        clock.current = at + minutes(1)
        a_round(engine, clock, provider)
    assert provider.addresses == [MOTHER, MOTHER]
    assert messages(engine) == [
        ("sent", "sms", None),
        ("sent", "sms", None),
        ("dead", "sms", "budget"),
        ("sent", "voice_task", None),
    ]
    assert tasks(engine) == [VOICE]


def test_guardians_of_two_children_with_one_number_share_its_budget(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    for number in range(3):
        person, (mother,) = a_subject(engine, [Told(phone=MOTHER if number else f"+86 {MOTHER}")])
        an_alert(engine, person.subject_no, mother)
        a_round(engine, clock, provider)
    assert len(provider.taken) == 2
    assert tasks(engine) == [VOICE]


def test_what_was_not_delivered_counts_all_the_same(engine: Engine, clock: FixedClock, provider: Taking) -> None:
    person, (mother,) = a_subject(engine)
    for _ in range(2):
        key = an_alert(engine, person.subject_no, mother)
        a_round(engine, clock, provider)
        report(engine, clock, reference=f"r-{key}", is_delivered=False)
    an_alert(engine, person.subject_no, mother)
    a_round(engine, clock, provider)
    assert len(provider.taken) == 2
    assert [state for state, channel, _ in messages(engine) if channel == "sms"].count("failed") == 2
    assert sorted(tasks(engine)) == [VOICE, ("voice_call", "not_delivered"), ("voice_call", "not_delivered")]


def test_what_the_provider_refused_counts_not(engine: Engine, clock: FixedClock, provider: Taking) -> None:
    person, (mother,) = a_subject(engine)
    for number in range(4):
        an_alert(engine, person.subject_no, mother)
        provider.failures = [GatewayError("bad text", is_final=True)] if number < 2 else []
        a_round(engine, clock, provider)
    assert len(provider.taken) == 2


def test_a_new_day_brings_new_messages_24_hours_later_and_not_at_midnight(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, (mother,) = a_subject(engine)
    for hours, taken in ((0, 1), (1, 2), (3, 2), (23.5, 2), (24.5, 3), (25.5, 4), (26, 4)):
        at = EVENING + timedelta(hours=hours)
        clock.current = at + minutes(1)
        an_alert(engine, person.subject_no, mother, at=at)
        a_round(engine, clock, provider)
        assert len(provider.taken) == taken, hours
    assert len(tasks(engine)) == 3


def test_workers_at_once_never_take_more_than_the_number_may_have(engine: Engine, clock: FixedClock) -> None:
    person, (mother,) = a_subject(engine)
    for _ in range(12):
        an_alert(engine, person.subject_no, mother)
    provider, start = Taking(clock=clock), threading.Barrier(4)

    def work() -> None:
        outbox = DatabaseOutbox(engine, POLICY, KEYRING)
        start.wait()
        for _ in range(6):
            a_round(engine, clock, provider, outbox=outbox)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    a_round(engine, clock, provider)
    assert len(provider.taken) == POLICY.budget_per_day
    assert tasks(engine) == [VOICE] * 10


# ---- the next channel, the next person


def test_a_spent_budget_goes_to_mail_and_then_to_the_next_person(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    mother = Told(channels=(Channel.SMS, Channel.EMAIL), email="a@example.com")
    person, ids = a_subject(engine, [mother, Told(phone=FATHER, rank=2), Told(phone=PROSECUTOR, role=Role.PROSECUTOR)])
    mail = Taking(provider="mail", clock=clock)
    channels = {Channel.SMS: (provider,), Channel.EMAIL: (mail,)}
    for _ in range(4):
        an_alert(engine, person.subject_no, ids[0])
        a_round(engine, clock, channels=channels)
        mail.failures = [GatewayError("no such mailbox", is_final=True)] if len(mail.taken) else []
    assert provider.addresses == [MOTHER, MOTHER, FATHER]
    assert mail.addresses == ["a@example.com"]
    assert tasks(engine) == []


def test_a_channel_without_a_provider_or_an_address_is_passed_over(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, (mother,) = a_subject(engine, [Told(channels=(Channel.EMAIL, Channel.WEBHOOK, Channel.SMS))])
    an_alert(engine, person.subject_no, mother, channel=Channel.EMAIL)
    a_round(engine, clock, provider)
    assert messages(engine) == [
        ("dead", "email", "no_address"),
        ("dead", "webhook", "no_provider"),
        ("sent", "sms", None),
    ]


def test_a_message_that_did_not_arrive_goes_on_at_once_and_the_history_says_so(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, ids = a_subject(engine, [Told(), Told(phone=FATHER, rank=2)])
    key = an_alert(engine, person.subject_no, ids[0])
    a_round(engine, clock, provider)
    report(engine, clock, reference=f"r-{key}", is_delivered=False, reason="MK:0001")
    a_round(engine, clock, provider)
    assert provider.addresses == [MOTHER, FATHER]
    assert messages(engine, "state, last_error LIKE '%MK:0001%'") == [("failed", True), ("sent", None)]
    ((alert_id,),) = rows(engine, "SELECT alert_id FROM alert")
    with engine.connect() as connection:
        (entry,) = history_of(connection, alert_id)
    assert (entry.kind, entry.reason.code, entry.about) == ("not_told", "not_delivered", ids[0])


@pytest.mark.parametrize(("seconds", "told"), [(-1, [MOTHER]), (0, [])])
def test_on_the_18th_birthday_guardians_are_told_no_more_and_an_officer_has_work(
    engine: Engine, clock: FixedClock, provider: Taking, seconds: int, told: list[str]
) -> None:
    """EVENING is 22:00 on 20 March: the birthday begins two hours later."""
    midnight = EVENING + timedelta(hours=2)
    person, (mother,) = a_subject(engine, birth_date=date(2008, 3, 21))
    an_alert(engine, person.subject_no, mother, at=midnight - minutes(5))
    clock.current = midnight + timedelta(seconds=seconds)
    a_round(engine, clock, provider)
    assert provider.addresses == told
    assert tasks(engine) == ([] if told else [("nobody_to_tell", "adult")])


def test_whoever_was_blocked_meanwhile_is_neither_told_nor_telephoned(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, ids = a_subject(engine, [Told(), Told(phone=FATHER, rank=2)])
    an_alert(engine, person.subject_no, ids[0])
    with engine.begin() as connection:
        connection.execute(text("UPDATE recipient SET is_blocked = true WHERE rank = 1"))
    a_round(engine, clock, provider)
    assert provider.addresses == [FATHER]


def test_what_is_known_too_late_disturbs_nobody_outside_the_office(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, ids = a_subject(engine, [Told(), Told(phone=PROSECUTOR, role=Role.PROSECUTOR)])
    breakfast = EVENING + timedelta(hours=9)
    clock.current = breakfast
    an_alert(engine, person.subject_no, ids[0], known_at=breakfast)
    an_alert(engine, person.subject_no, ids[1], known_at=breakfast, role=Role.PROSECUTOR)
    a_round(engine, clock, provider)
    assert provider.addresses == [PROSECUTOR]
    assert tasks(engine) == [("nobody_to_tell", "late")]


# ---- providers


def test_a_provider_that_is_down_is_passed_over_and_later_left_alone(engine: Engine, clock: FixedClock) -> None:
    policy = AlertPolicy(budget_per_day=99, budget_per_24_hours=99)
    first, second = Taking(provider="first", clock=clock, is_down=True), Taking(provider="second", clock=clock)
    person, (mother,) = a_subject(engine)
    for _ in range(8):
        an_alert(engine, person.subject_no, mother)
    a_round(engine, clock, first, second, policy=policy)
    assert (first.attempts, len(second.taken)) == (policy.breaker_failures, 8)
    clock.current += policy.breaker_open
    first.is_down = False
    for _ in range(2):
        an_alert(engine, person.subject_no, mother)
    a_round(engine, clock, first, second, policy=policy)
    assert (len(first.taken), len(second.taken)) == (2, 8)
    assert rows(engine, "SELECT provider, state, failures FROM provider_state") == [("first", "closed", 0)]


def test_a_breaker_is_one_for_all_workers_and_lets_one_message_try(engine: Engine, clock: FixedClock) -> None:
    policy = AlertPolicy(budget_per_day=99, budget_per_24_hours=99)
    provider = Taking(clock=clock, is_down=True)
    person, (mother,) = a_subject(engine)
    for _ in range(8):
        an_alert(engine, person.subject_no, mother)
    a_round(engine, clock, provider, policy=policy)
    assert provider.attempts == policy.breaker_failures
    clock.current += policy.breaker_open
    for _ in range(3):  # each a worker of its own
        a_round(engine, clock, provider, policy=policy)
    assert provider.attempts == policy.breaker_failures + 1
    assert {state for (state,) in messages(engine, "state")} == {"pending"}


def test_what_may_have_been_taken_is_sent_again_to_nobody_else(engine: Engine, clock: FixedClock) -> None:
    first, second = Taking(provider="first", clock=clock), Taking(provider="second", clock=clock)
    person, (mother,) = a_subject(engine)
    an_alert(engine, person.subject_no, mother)
    first.failures = [GatewayError("no answer in time")]
    a_round(engine, clock, first, second)
    first.is_down = True
    a_round(engine, clock, first, second)
    assert (len(first.taken), len(second.taken)) == (0, 0)
    first.is_down = False
    a_round(engine, clock, first, second)
    assert [message.is_repeat for message, _ in first.taken.values()] == [True]
    assert second.attempts == 0


def test_provider_down_for_an_hour_then_back(engine: Engine, clock: FixedClock) -> None:
    """Whatever is still young enough goes out once; the rest became work for a human, as soon as it was too old."""
    policy = AlertPolicy(budget_per_day=99, budget_per_24_hours=99)
    provider = Taking(clock=clock, is_down=True)
    person, (mother,) = a_subject(engine)
    keys = {}
    for minute in range(61):
        clock.current = EVENING + minutes(minute)
        if minute % 10 == 0:
            keys[minute] = an_alert(engine, person.subject_no, mother, at=clock.current)
        a_round(engine, clock, provider, policy=policy)
        assert len(tasks(engine)) == len([at for at in keys if minute - at > 30]), minute
    provider.is_down = False
    for minute in range(61, 64):
        clock.current = EVENING + minutes(minute)
        a_round(engine, clock, provider, policy=policy)
    assert {at for at, key in keys.items() if key in provider.taken} == {40, 50, 60}
    assert provider.attempts < 80, "the breaker spares a provider that is down"
    assert tasks(engine) == [("voice_call", "too_old")] * 4
    assert sorted(messages(engine, "state, channel")) == (
        [("dead", "sms")] * 4 + [("sent", "sms")] * 3 + [("sent", "voice_task")] * 4
    )


# ---- never silently gone


@pytest.mark.parametrize("state", ["dead", "failed"])
def test_the_database_refuses_an_end_without_what_comes_in_its_place(engine: Engine, state: str) -> None:
    person, (mother,) = a_subject(engine)
    an_alert(engine, person.subject_no, mother)
    with pytest.raises(IntegrityError, match="notification_never_silently_gone"), engine.begin() as connection:
        connection.execute(text("UPDATE notification SET state = :state"), {"state": state})


def test_two_chains_of_one_alert_that_meet_share_what_comes_next(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    person, ids = a_subject(engine, [Told(), Told(phone=FATHER, rank=2)])
    first = an_alert(engine, person.subject_no, ids[0])
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO notification (notification_id, alert_id, recipient_id, role, template, text, decided_at,"
                " known_at) SELECT gen_random_uuid(), alert_id, :father, role, template, text, decided_at, known_at"
                " FROM notification WHERE notification_id = :first"
            ),
            {"father": ids[1], "first": first},
        )
    provider.failures = [GatewayError("refused", is_final=True)] * 2
    a_round(engine, clock, provider)
    assert rows(engine, "SELECT count(DISTINCT successor_id) FROM notification WHERE state = 'dead'") == [(1,)]
    assert tasks(engine) == [("voice_call", "refused")]


def test_what_a_later_plan_tells_goes_on_as_if_nothing_had_been_tried(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    """Opened again and refused again: another call is asked for, and the first one stands for none of it."""
    person, ids = a_subject(engine, [Told()])
    first = an_alert(engine, person.subject_no, ids[0])
    provider.failures = [GatewayError("refused", is_final=True)] * 2
    a_round(engine, clock, provider)
    assert tasks(engine) == [("voice_call", "refused")]
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO notification (notification_id, alert_id, recipient_id, role, template, text, decided_at,"
                " known_at) SELECT gen_random_uuid(), alert_id, recipient_id, role, template, text, decided_at,"
                " known_at + interval '9 minutes' FROM notification WHERE notification_id = :first"
            ),
            {"first": first},
        )
    clock.current += minutes(10)
    a_round(engine, clock, provider)
    assert tasks(engine) == [("voice_call", "refused")] * 2
    assert rows(engine, "SELECT count(DISTINCT successor_id) FROM notification WHERE state = 'dead'") == [(2,)]


def test_claims_that_run_out_are_not_begun(engine: Engine, clock: FixedClock, provider: Taking) -> None:
    person, (mother,) = a_subject(engine)
    an_alert(engine, person.subject_no, mother)
    outbox = DatabaseOutbox(engine, POLICY, KEYRING)
    (claim,) = outbox.claim(1, clock)
    make_due(engine)
    assert outbox.begin(claim, "p1", clock.now()).name == "TAKEN_OVER"


def test_a_dead_message_is_listed_and_can_be_tried_again_by_hand(
    engine: Engine, database_url: str, clock: FixedClock, provider: Taking, tmp_path: Path, monkeypatch: Any
) -> None:
    person, (officer,) = a_subject(engine, [Told(phone=PROSECUTOR, role=Role.PROSECUTOR)])
    key = an_alert(engine, person.subject_no, officer, role=Role.PROSECUTOR)
    provider.failures = [GatewayError("signature missing", is_final=True)]
    a_round(engine, clock, provider)
    for name, value in (
        ("DATABASE_URL", database_url),
        ("DATA_DIR", str(tmp_path)),
        ("KEYRING", str(KEYRING_PATH)),
        ("SECRET_KEY", "0" * 64),
    ):
        monkeypatch.setenv(f"HULAN_{name}", value)
    listed = CliRunner().invoke(command_line, ["outbox", "list"], env={"COLUMNS": "400"})
    assert listed.exit_code == 0, listed.output
    shown = CliRunner().invoke(command_line, ["outbox", "show", str(key)], env={"COLUMNS": "400"})
    for output in (listed.output, shown.output):
        assert "未发出" in output
        assert PROSECUTOR not in output
        assert "合成消息" not in output
    assert "已交" in shown.output
    again = CliRunner().invoke(command_line, ["outbox", "retry", str(key)])
    assert again.exit_code == 0, again.output
    a_round(engine, clock, provider)
    assert list(provider.taken) == [key]
    assert tasks(engine) == [("nobody_to_tell", "refused")], "whoever was told instead stays told"
    twice = CliRunner().invoke(command_line, ["outbox", "retry", str(key)])
    assert (twice.exit_code, "not dead" in twice.output) == (1, True)


def test_a_familys_fresh_message_leaves_before_a_backlog_of_tries(
    engine: Engine, clock: FixedClock, provider: Taking
) -> None:
    people = (Told(), Told(phone=PROSECUTOR, role=Role.PROSECUTOR))
    tried: list[UUID] = []
    for number in range(6):
        person, (_, officer) = a_subject(engine, people)
        tried.append(
            an_alert(engine, person.subject_no, officer, at=EVENING - minutes(60 - number), role=Role.PROSECUTOR)
        )
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET attempt = 3, due_at = now() - interval '5 minutes'"))
    person, (mother, officer) = a_subject(engine, people)
    fresh = [
        an_alert(engine, person.subject_no, officer, at=EVENING - minutes(1), role=Role.PROSECUTOR),
        an_alert(engine, person.subject_no, mother, at=EVENING),
    ]
    a_round(engine, clock, provider, policy=replace(POLICY, budget_per_day=100, budget_per_24_hours=100))
    assert list(provider.taken) == [fresh[1], fresh[0], *tried]
