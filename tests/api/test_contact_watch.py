"""Two who may not meet: found once from the log of both, however it comes, and told to the prosecutor only."""

import json
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from api.casework.decisions import DecisionReason, Outcome, decide, suspected_of
from api.database import open_engine
from api.errors import NotThereError
from api.fix_log import rebase
from api.ids import new_id
from api.logins import Login
from tests.api.casework_scene import MARCH, Office, a_case
from tests.api.clock_scene import a_clocked_worker, a_duty, findings, look, rows
from tests.api.live_server import url_as
from tests.api.test_clock_edges import hand_over
from tests.make import EVENING, Person, a_fix, a_person, log_fixes
from tracking.fix import Fix
from tracking.order import ConditionKind

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LONG = 50


def two_accused(engine: Engine, *, is_mutual: bool = False) -> tuple[Person, Person]:
    """The first may not be within 50 m of the second for ten minutes; nor the other way round, if that is ordered."""
    with engine.begin() as connection:
        first = a_person(connection)
        second = a_person(connection, alias="小强", recipients=())
        for bound, other in ((first, second), (second, first))[: 1 + is_mutual]:
            a_duty(connection, bound, ConditionKind.NO_CONTACT, at=EVENING, parameters=apart_from(other))
    return first, second


def apart_from(other: Person) -> dict[str, object]:
    return {"other_subject_id": str(other.subject_id), "within_m": 50.0, "for_minutes": 10.0}


def at_the_bar(minutes: int = LONG, east_m: float = 0.0, first: int = 0) -> list[Fix]:
    return [a_fix(minutes=minute, east_m=east_m) for minute in range(first, minutes)]


def with_the_other(minutes: int = LONG, since: int = 20, until: int = 40) -> list[Fix]:
    """Half a minute after each fix of the first: far away, for a while ten metres from it, far away."""
    return [a_fix(minutes=minute + 0.5, east_m=10.0 if since <= minute < until else 800.0) for minute in range(minutes)]


def met(engine: Engine) -> list[float]:
    """Minute of the evening at which each meeting that was found began."""
    return [(started_at - EVENING) / MINUTE for _, started_at, _, _ in findings(engine, "contact")]


def send(engine: Engine, *parts: tuple[Person, Sequence[Fix]]) -> None:
    for person, fixes in parts:
        log_fixes(engine, person, fixes)


def test_two_co_accused_within_fifty_metres_for_ten_minutes_are_one_finding(engine: Engine) -> None:
    first, second = two_accused(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    ours, theirs = at_the_bar(), with_the_other()
    for minute in range(0, LONG, 2):
        send(engine, (first, ours[minute : minute + 2]), (second, theirs[minute : minute + 2]))
        look(worker, clock, EVENING + (minute + 2) * MINUTE)
        if minute + 2 <= 30:
            assert met(engine) == [], "not for ten minutes yet"
    look(worker, clock, EVENING + HOUR, EVENING + 2 * HOUR)
    ((_, started_at, probability, detail),) = findings(engine, "contact")
    assert 20 <= (started_at - EVENING) / MINUTE <= 24, "the filter believes a jump after some fixes"
    assert probability > 0.5
    assert rows(engine, "SELECT subject_no FROM finding WHERE kind = 'contact'") == [(first.subject_no,)]
    assert not detail["is_late"]
    told = json.dumps(detail, ensure_ascii=False)
    assert not any(word in told for word in (str(second.subject_id), "小强", "117.", "34."))
    assert "50 米" in detail["text_zh"] and "10 分钟" in detail["text_zh"]
    alert = "SELECT t.kind FROM alert a JOIN task t USING (alert_id) WHERE a.event = 'contact'"
    assert rows(engine, f"{alert} ORDER BY t.opened_at LIMIT 1") == [("nobody_to_tell",)], "the case has no prosecutor"
    told = "SELECT count(*) FROM notification JOIN alert USING (alert_id) WHERE event = 'contact'"
    assert rows(engine, told) == [(0,)]


def test_two_who_pass_each_other_are_no_finding(engine: Engine) -> None:
    first, second = two_accused(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    passing = [a_fix(minutes=minute + 0.5, east_m=2_000.0 - 80.0 * minute) for minute in range(LONG)]
    send(engine, (first, at_the_bar()), (second, passing))
    look(worker, clock, EVENING, EVENING + LONG * MINUTE)
    assert met(engine) == []


def test_each_order_that_forbids_it_has_its_own_finding(engine: Engine) -> None:
    first, second = two_accused(engine, is_mutual=True)
    worker, clock = a_clocked_worker(engine, EVENING)
    send(engine, (first, at_the_bar()), (second, with_the_other()))
    look(worker, clock, EVENING, EVENING + LONG * MINUTE)
    bound = rows(engine, "SELECT subject_no FROM finding WHERE kind = 'contact' ORDER BY 1")
    assert bound == [(first.subject_no,), (second.subject_no,)]


@pytest.mark.parametrize("every", [5, 17])
def test_phones_that_send_by_turns_and_workers_that_take_over_find_a_long_meeting_once(
    engine: Engine, every: int
) -> None:
    """Five hours together; each phone sends what it has now and then, and each batch meets another worker."""
    first, second = two_accused(engine)
    ours, theirs = at_the_bar(300), with_the_other(300, 0, 300)
    for number, minute in enumerate(range(0, 300, every)):
        worker, clock = a_clocked_worker(engine, EVENING)
        hand_over(engine)
        person, fixes = ((first, ours), (second, theirs))[number % 2]
        log_fixes(engine, person, fixes[max(0, minute - every) : minute + every])
        look(worker, clock, EVENING + (minute + every) * MINUTE)
    assert len(met(engine)) == 1


def test_what_comes_days_late_in_any_order_is_found_late_and_once(engine: Engine) -> None:
    first, second = two_accused(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    send(engine, (first, at_the_bar()))
    look(worker, clock, EVENING + LONG * MINUTE)
    theirs = with_the_other()
    for number, part in enumerate((theirs[1::2][::-1], theirs[::2], theirs)):
        send(engine, (second, part))
        look(worker, clock, EVENING + 3 * DAY + number * HOUR)
    ((_, _, _, detail),) = findings(engine, "contact")
    assert detail["is_late"]


def test_what_comes_more_than_a_week_late_is_not_compared(engine: Engine) -> None:
    first, second = two_accused(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    send(engine, (first, at_the_bar()))
    look(worker, clock, EVENING + LONG * MINUTE)
    send(engine, (second, with_the_other()))
    look(worker, clock, EVENING + 8 * DAY)
    assert met(engine) == []


def test_a_second_meeting_is_a_second_finding_and_a_late_fix_between_them_is_none(engine: Engine) -> None:
    first, second = two_accused(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    theirs = with_the_other(40, 0, 15)[:20] + with_the_other(80, 45, 75)[40:]
    send(engine, (first, at_the_bar(80)), (second, theirs))
    look(worker, clock, EVENING + 80 * MINUTE)
    assert len(met(engine)) == 2
    send(engine, (second, [a_fix(minutes=minute + 0.5, east_m=800.0) for minute in range(22, 38)]))
    look(worker, clock, EVENING + 90 * MINUTE)
    assert len(met(engine)) == 2


def test_a_varied_order_and_a_restored_database_find_nothing_twice(engine: Engine) -> None:
    first, second = two_accused(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    send(engine, (first, at_the_bar(35)), (second, with_the_other(35, 0, 90)))
    look(worker, clock, EVENING + 35 * MINUTE)
    with engine.begin() as connection:
        a_duty(
            connection, first, ConditionKind.REPORTING_INTERVAL, at=EVENING + 35 * MINUTE,
            parameters={"every_minutes": 5.0},
        )  # fmt: skip
    send(engine, (first, at_the_bar(70, first=35)), (second, with_the_other(70, 0, 90)[35:]))
    look(worker, clock, EVENING + 70 * MINUTE)
    assert len(met(engine)) == 1
    with engine.begin() as connection:
        rebase(connection)
    look(worker, clock, EVENING + 75 * MINUTE)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM contact_watch"))
    look(worker, clock, EVENING + 80 * MINUTE)
    assert len(met(engine)) == 1


def test_an_order_that_does_not_bind_yet_forbids_no_meeting(engine: Engine) -> None:
    with engine.begin() as connection:
        first = a_person(connection)
        second = a_person(connection, alias="小强", recipients=())
        a_duty(connection, first, ConditionKind.NO_CONTACT, at=EVENING + HOUR, parameters=apart_from(second))
    worker, clock = a_clocked_worker(engine, EVENING)
    send(engine, (first, at_the_bar()), (second, with_the_other(LONG, 0, LONG)))
    look(worker, clock, EVENING + LONG * MINUTE, EVENING + 2 * HOUR)
    assert met(engine) == []


def test_it_is_told_to_the_prosecutor_of_the_case_and_to_nobody_else(engine: Engine, database_url: str) -> None:
    office = Office(engine, a_case(**MARCH))
    with engine.begin() as connection:
        condition_no, order_no = connection.execute(
            text("SELECT condition_no, order_no FROM condition WHERE order_no IN (SELECT order_no FROM"
                 " supervision_order WHERE subject_no = :no)"), {"no": office.no}
        ).one()  # fmt: skip
        finding_id = connection.execute(
            text("INSERT INTO finding (finding_id, subject_no, order_no, condition_no, kind, started_at, decided_at,"
                 " known_at, engine_version, policy_version) VALUES (gen_random_uuid(), :no, :order_no, :condition_no,"
                 " 'contact', :at, :at, :at, 'e', 'p') RETURNING finding_id"),
            {"no": office.no, "order_no": order_no, "condition_no": condition_no, "at": EVENING},
        ).scalar_one()  # fmt: skip
    confirm = partial(
        decide, finding_id=finding_id, outcome=Outcome.CONFIRMED, reason=DecisionReason.SEEN_ON_SITE, remark="合成"
    )
    for who in ("police", "supervisor", "leader", "stranger"):
        with office.as_(who) as connection:
            assert suspected_of(connection, office.no) == [], who
        with office.as_(who) as connection, pytest.raises(NotThereError):
            confirm(connection)
    with office.as_("prosecutor") as connection:
        assert [item["kind"] for item in suspected_of(connection, office.no)] == ["contact"]
        confirm(connection)
    shown = {}
    for who in ("prosecutor", "police", "leader"):
        with office.as_(who) as connection:
            shown[who] = connection.execute(text("SELECT count(*) FROM decision")).scalar_one()
    assert shown == {"prosecutor": 1, "police": 0, "leader": 0}
    gate = open_engine(url_as(database_url, Login.WEB))
    try:
        for table in ("finding", "contact_watch"):
            with pytest.raises(ProgrammingError, match="permission denied"):
                rows(gate, f"SELECT count(*) FROM {table}")
    finally:
        gate.dispose()


def test_its_alert_and_tasks_are_shown_to_the_prosecutors_of_the_case_only(engine: Engine) -> None:
    office = Office(engine, a_case(**MARCH))
    with engine.begin() as connection:
        alert_id, at = new_id(), EVENING
        told = {"id": alert_id, "no": office.no, "at": at}
        for statement in (
            "INSERT INTO alert (alert_id, subject_no, event, state, opened_at, last_event_at, is_late)"
            " VALUES (:id, :no, 'contact', 'open', :at, :at, false)",
            "INSERT INTO task (task_id, kind, subject_no, due_at, opened_at, alert_id)"
            " VALUES (gen_random_uuid(), 'voice_call', :no, :at, :at, :id)",
            "INSERT INTO alert_history (entry_id, alert_id, subject_no, kind, at, actor_kind, reason_code, reason_zh,"
            " reason_en, remark) VALUES (gen_random_uuid(), :id, :no, 'opened', :at, 'machine', 'c', 'z', 'e', '')",
            "INSERT INTO escalation_step (step_id, alert_id, subject_no, kind, planned_at, due_at)"
            " VALUES (gen_random_uuid(), :id, :no, 'leader', :at, CAST(:at AS timestamptz) + interval '1 hour')",
        ):
            connection.execute(text(statement), told)
    for who, count in (("prosecutor", 1), ("police", 0), ("supervisor", 0), ("leader", 0)):
        for table in ("alert", "task", "alert_history", "escalation_step"):
            with office.as_(who) as connection:
                query = text(f"SELECT count(*) FROM {table} WHERE alert_id = :id")
                assert connection.execute(query, {"id": alert_id}).scalar_one() == count, (who, table)
