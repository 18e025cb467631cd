"""What happens by the clock: the end of an order, a birthday, a curfew that begins over silence, leaves; each once."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import httpx
import pytest
from sqlalchemy import Engine, text

from alerts.gateway import FakeGateway
from api.access.accounts import AccountDraft, create_account
from api.access.roles import AccountRole
from api.clock import FixedClock
from api.database import open_engine
from api.leases import LeaseLostError
from api.logins import Login
from tests.api.clock_scene import FastClock, a_clocked_worker, a_duty, findings, look, rows, tasks
from tests.api.faults import wait_until
from tests.api.live_server import CHEAP, post_fixes, running_server, url_as
from tests.api.test_worker import running
from tests.make import EVENING, Person, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes
from tracking.local_time import LOCAL_TIME
from tracking.order import ConditionKind
from tracking.order_store import lift_order
from tracking.timetable import Timetable, Window

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
END = datetime(2026, 3, 31, tzinfo=LOCAL_TIME)
"""24:00 of 30 March in Shanghai, a Monday."""
AN_OFFICER = AccountDraft(
    login_name="officer", staff_number="1", display_name="合成", roles=frozenset({AccountRole.PROSECUTOR})
)
NIGHTS = Timetable(windows=(Window(starts=time(22), ends=time(6)),))


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        a_bar(connection)
        return a_person(connection, valid_to=END)


@pytest.fixture
def worker_engine(database_url: str) -> Iterator[Engine]:
    """With the rights of the worker's login, and no more."""
    engine = open_engine(url_as(database_url, Login.WORKER))
    yield engine
    engine.dispose()


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    with running_server(database_url, clock=FixedClock(END + timedelta(minutes=10))) as client:
        yield client


def test_a_fix_taken_a_second_after_the_end_of_the_order_is_refused_and_not_stored(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    to_end = (END - EVENING) / MINUTE
    before, at, after = (a_fix(minutes=to_end + seconds / 60) for seconds in (-1, 0, 1))
    answer = post_fixes(client, person.token, [before, at, after])
    assert answer.status_code == 201
    assert answer.json()["stored"] == 1
    assert [(item["index"], item["field"]) for item in answer.json()["refused"]] == [(1, "fixed_at"), (2, "fixed_at")]
    assert post_fixes(client, person.token, [after]).status_code == 422
    assert rows(engine, "SELECT fixed_at FROM fix") == [(END - SECOND,)]


def test_the_end_of_an_order_opens_the_lifting_task_and_a_day_later_it_is_the_offices_own_breach(
    engine: Engine, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, END - SECOND)
    assert {kind for kind, _, _ in tasks(engine)} == {"order_reminder"}
    look(worker, clock, END)
    assert tasks(engine)[-1] == ("lifting", END + DAY, END)
    look(worker, clock, END + DAY - SECOND)
    assert findings(engine, "order_not_lifted") == []
    look(worker, clock, END + DAY, END + 2 * DAY)
    ((_, started_at, probability, detail),) = findings(engine, "order_not_lifted")
    assert (started_at, probability) == (END, None)
    assert detail["breach_by"] == "office"
    assert "不是被监管人违规" in detail["text_zh"]


def test_reminders_come_fifteen_seven_three_and_one_day_before_on_workdays_each_once(
    engine: Engine, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING - 10 * DAY)
    for number in range(22):
        look(worker, clock, EVENING + (number - 10) * DAY)
    opened = [at.astimezone(LOCAL_TIME).date().day for kind, _, at in tasks(engine) if kind == "order_reminder"]
    # The 15th was over when the order was recorded; the 29th is a Sunday: shown on the Friday before.
    assert opened == [20, 23, 27, 27]


def test_an_order_lifted_in_time_is_nobodys_breach(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    with engine.begin() as connection:
        order_id = connection.execute(text("SELECT order_id FROM supervision_order")).scalar_one()
        assert lift_order(connection, order_id, lifted_at=END - DAY, at=END - DAY)
    look(worker, clock, END - DAY, END, END + 2 * DAY)
    assert findings(engine, "order_not_lifted") == []
    assert "lifting" not in {kind for kind, _, _ in tasks(engine)}


def test_at_midnight_of_the_eighteenth_birthday_guardian_routing_stops_and_a_task_opens(engine: Engine) -> None:
    """Two visits of one evening, before and after midnight: the guardian hears of the first."""
    midnight = datetime(2026, 3, 21, tzinfo=LOCAL_TIME)
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(connection, birth_date=date(2008, 3, 21))
    gateway = FakeGateway()
    worker, clock = a_clocked_worker(engine, EVENING, gateway)
    look(worker, clock, EVENING)
    log_fixes(engine, person, a_visit())
    look(worker, clock, EVENING + 40 * MINUTE, midnight - SECOND)
    assert len([message for message in gateway.sent if "entry" in message.template]) == 1
    assert "guardian_stop" not in {kind for kind, _, _ in tasks(engine)}
    look(worker, clock, midnight, midnight + SECOND)
    assert [task for task in tasks(engine) if task[0] == "guardian_stop"] == [("guardian_stop", midnight, midnight)]
    late = [a_fix(minutes=minute, east_m=3 if 140 <= minute < 160 else 500) for minute in range(125, 170)]
    log_fixes(engine, person, late)
    look(worker, clock, EVENING + 170 * MINUTE)
    assert rows(engine, "SELECT count(*) FROM violation") == [(2,)]
    assert len([message for message in gateway.sent if "entry" in message.template]) == 1


def test_who_came_of_age_before_the_order_opens_no_task(engine: Engine) -> None:
    with engine.begin() as connection:
        a_person(connection, birth_date=date(1990, 1, 1))
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, EVENING + DAY)
    assert tasks(engine) == []


def curfewed(engine: Engine) -> Person:
    """Nights at home from 22:00, which is ``EVENING``; known since two hours before."""
    with engine.begin() as connection:
        person = a_person(connection)
        a_duty(
            connection, person, ConditionKind.CURFEW, at=EVENING - 2 * 60 * MINUTE, timetable=NIGHTS, radius_m=60.0
        )  # fmt: skip
    return person


def test_a_curfew_that_begins_over_somebody_outside_and_silent_is_found_within_a_minute_without_a_fix(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker as it runs, all of time ten times as fast: its clock and the pace at which it looks at it."""
    monkeypatch.setattr("api.worker.CLOCK_EVERY_S", 0.5)
    monkeypatch.setattr("api.worker.IDLE_WAIT_S", 0.1)
    person = curfewed(engine)
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=5_000) for minute in range(-20, -1)])
    worker = a_worker(engine)
    worker.clock = FastClock(EVENING - 10 * SECOND, speed=10.0)
    with running(worker):
        wait_until(lambda: bool(findings(engine, "curfew_unaccounted")), seconds=15)
    ((known_at, probability, detail),) = rows(
        engine, "SELECT known_at, probability, detail FROM finding WHERE kind = 'curfew_unaccounted'"
    )
    assert EVENING < known_at <= EVENING + 60 * SECOND
    assert probability > 0.9
    assert not detail["is_unknown"]
    assert rows(engine, "SELECT max(fixed_at) < :at FROM fix", at=EVENING) == [(True,)]


@pytest.mark.parametrize(
    ("east_m", "minutes", "expected"),
    [(0.0, range(-20, 0), []), (0.0, range(-120, -90), [None]), (5_000.0, range(-120, -90), [None])],
    ids=["at home a minute ago", "at home long ago", "far away long ago"],
)
def test_who_is_home_is_not_told_and_who_is_not_known_to_be_anywhere_is_told_as_unknown(
    engine: Engine, east_m: float, minutes: range, expected: list[float | None]
) -> None:
    person = curfewed(engine)
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=east_m) for minute in minutes])
    worker, clock = a_clocked_worker(engine, EVENING - MINUTE)
    look(worker, clock, EVENING - MINUTE, EVENING + 30 * SECOND, EVENING + 40 * SECOND)
    found = findings(engine, "curfew_unaccounted")
    assert [probability for _, _, probability, _ in found] == expected
    assert all(detail["is_unknown"] for _, _, _, detail in found)


def test_a_fix_since_the_curfew_began_leaves_it_to_the_evaluator(engine: Engine) -> None:
    person = curfewed(engine)
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=5_000) for minute in (-3, -2, -1, 0, 0.2)])
    worker, clock = a_clocked_worker(engine, EVENING - MINUTE)
    look(worker, clock, EVENING - MINUTE, EVENING + 40 * SECOND)
    assert findings(engine, "curfew_unaccounted") == []
    assert rows(engine, "SELECT count(*) FROM episode") == [(1,)]


def test_a_worker_that_was_away_when_the_curfew_began_asks_when_it_is_back_and_only_then(engine: Engine) -> None:
    curfewed(engine)
    worker, clock = a_clocked_worker(engine, EVENING - 60 * MINUTE)
    look(worker, clock, EVENING - 60 * MINUTE)
    other, clock = a_clocked_worker(engine, EVENING + 60 * MINUTE)
    hand_over(engine)
    look(other, clock, EVENING + 60 * MINUTE, EVENING + 61 * MINUTE)
    assert [started_at for _, started_at, _, _ in findings(engine, "curfew_unaccounted")] == [EVENING]
    with pytest.raises(LeaseLostError):
        worker.step()


def hand_over(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = now() - interval '1 second'"))
        connection.execute(text("UPDATE worker SET alive_until = now() - interval '1 second'"))


def test_a_worker_whose_shards_were_taken_does_nothing_by_the_clock(engine: Engine, person: Person) -> None:
    slow, clock = a_clocked_worker(engine, EVENING)
    look(slow, clock, EVENING)
    hand_over(engine)
    quick, other_clock = a_clocked_worker(engine, EVENING)
    look(quick, other_clock, EVENING)
    before = rows(engine, "SELECT edge_id FROM clock_edge")
    clock.current = END
    with pytest.raises(LeaseLostError):
        slow.look_at_clock()
    assert rows(engine, "SELECT edge_id FROM clock_edge") == before
    assert "lifting" not in {kind for kind, _, _ in tasks(engine)}


def test_a_clock_that_jumps_ahead_and_is_set_right_repeats_nothing_and_skips_nothing(
    engine: Engine, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, END + 30 * DAY)
    early = tasks(engine)
    assert "lifting" in {kind for kind, _, _ in early}
    with engine.begin() as connection:
        a_person(connection, alias="小明", valid_to=EVENING + DAY)
    look(worker, clock, EVENING + MINUTE, EVENING + DAY, END, END + 30 * DAY)
    lifting = sorted(due_at for kind, due_at, _ in tasks(engine) if kind == "lifting")
    assert lifting == [EVENING + timedelta(hours=50), END + DAY]
    assert set(early) <= set(tasks(engine))
    assert len(findings(engine, "order_not_lifted")) == 2


def test_a_leave_that_is_over_without_a_report_of_return_is_found_once(
    engine: Engine, worker_engine: Engine, person: Person
) -> None:
    with engine.begin() as connection:
        create_account(connection, AN_OFFICER, now=EVENING, passwords=CHEAP)
        for number, state in enumerate(("approved", "returned", "requested")):
            connection.execute(
                text(
                    "INSERT INTO leave (leave_id, subject_no, order_no, reason, destination, route, transport, from_at,"
                    " to_at, state, is_urgent, requested_at, requested_by, approved_at, returned_at)"
                    " SELECT gen_random_uuid(), :no, order_no, '合成', '合成', '合成', '火车', :from_at, :to_at,"
                    " :state, false, :from_at, account_no, :approved_at, :returned_at FROM supervision_order, account"
                ),
                {
                    "no": person.subject_no,
                    "from_at": EVENING + number * timedelta(hours=1),
                    "to_at": EVENING + DAY,
                    "state": state,
                    "approved_at": None if state == "requested" else EVENING,
                    "returned_at": EVENING + DAY / 2 if state == "returned" else None,
                },
            )
    worker, clock = a_clocked_worker(worker_engine, EVENING)
    look(worker, clock, EVENING, EVENING + DAY - SECOND)
    assert findings(engine, "leave_overstay") == []
    look(worker, clock, EVENING + DAY, EVENING + DAY + MINUTE)
    assert [started_at for _, started_at, _, _ in findings(engine, "leave_overstay")] == [EVENING + DAY]
    assert rows(engine, "SELECT state FROM leave ORDER BY from_at") == [("overstayed",), ("returned",), ("requested",)]
