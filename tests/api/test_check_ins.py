"""Check-ins from the plan to the answer: by the timetable, by chance, and when no fix can tell; each once."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from api.asking import AskPolicy, Undecidable, ask_check_ins
from api.check_ins import AHEAD
from api.clock import FixedClock
from api.database import open_engine
from api.logins import Login
from tests.api.clock_scene import a_clocked_worker, a_duty, findings, look, rows, states_of
from tests.api.live_server import as_json, bearer, running_server, url_as
from tests.make import EVENING, Person, a_bar, a_fix, a_person, log_fixes
from tracking.local_time import LOCAL_TIME
from tracking.order import ConditionKind
from tracking.rules import to_microseconds
from tracking.timetable import Timetable, Window

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MORNING = datetime(2026, 3, 21, 8, tzinfo=LOCAL_TIME)
EIGHT_TO_NINE = Timetable(windows=(Window(starts=time(8), ends=time(9)),))
ALL_DAY = Timetable(windows=(Window(starts=time(0), ends=time(0)),))


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        person = a_person(connection)
        a_duty(connection, person, ConditionKind.CHECK_IN, at=EVENING, timetable=EIGHT_TO_NINE)
    return person


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(MORNING + 10 * MINUTE)


@pytest.fixture
def client(database_url: str, clock: FixedClock) -> Iterator[httpx.Client]:
    with running_server(database_url, clock=clock) as client:
        yield client


def test_a_check_in_is_planned_ahead_opened_and_missed_by_the_clock(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    assert states_of(engine, "planned") == ["planned", "planned"]
    look(worker, clock, MORNING)
    assert states_of(engine, "planned")[0] == "open"
    look(worker, clock, MORNING + HOUR + 15 * MINUTE)
    assert findings(engine, "check_in_missed") == []
    look(worker, clock, MORNING + HOUR + 16 * MINUTE, MORNING + 2 * HOUR)
    assert states_of(engine, "planned")[0] == "missed"
    assert [started_at for _, started_at, _, _ in findings(engine, "check_in_missed")] == [MORNING]


def test_a_varied_order_withdraws_what_was_planned_and_a_lost_worker_plans_nothing_twice(
    engine: Engine, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, EVENING + 5 * MINUTE)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE supervision_order SET superseded_at = :at, lifted_at = :at WHERE superseded_at IS NULL"),
            {"at": EVENING + HOUR},
        )
    look(worker, clock, EVENING + HOUR)
    assert states_of(engine, "planned") == ["withdrawn", "withdrawn"]


def the_open_one(client: httpx.Client, person: Person) -> dict[str, str]:
    (found,) = client.get("/check-ins", headers=bearer(person.token)).json()["check_ins"]
    return dict(found)


def answer(client: httpx.Client, person: Person, check_in_id: str, at: datetime, **changes: object) -> httpx.Response:
    body = as_json(a_fix(minutes=(at - EVENING) / MINUTE), **changes)
    return client.post(f"/check-ins/{check_in_id}", headers=bearer(person.token), json=body)


def test_a_check_in_is_answered_in_time_by_a_fix_of_now_and_the_fix_is_in_the_log(
    engine: Engine, client: httpx.Client, clock: FixedClock, person: Person
) -> None:
    worker, at = a_clocked_worker(engine, EVENING)
    look(worker, at, EVENING, MORNING)
    found = the_open_one(client, person)
    assert (found["kind"], datetime.fromisoformat(found["due_at"])) == ("planned", MORNING + HOUR)
    stale = answer(client, person, found["check_in_id"], clock.current - 6 * MINUTE)
    mocked = answer(client, person, found["check_in_id"], clock.current, is_mock=True)
    assert (stale.status_code, mocked.status_code) == (422, 422)
    taken = answer(client, person, found["check_in_id"], clock.current)
    assert (taken.status_code, taken.json()) == (200, {"state": "answered"})
    assert answer(client, person, found["check_in_id"], clock.current).json() == {"state": "answered"}
    look(worker, at, MORNING + 2 * HOUR)
    assert states_of(engine, "planned")[0] == "answered"
    assert findings(engine, "check_in_missed") == []
    query = "SELECT c.answered_at FROM check_in c JOIN fix f ON f.subject_no = c.subject_no AND f.fix_key = c.fix_key"
    assert rows(engine, query) == [(clock.current,)]


def test_a_missed_check_in_is_made_up_within_its_time_and_the_miss_stays_on_record(
    engine: Engine, client: httpx.Client, clock: FixedClock, person: Person
) -> None:
    worker, at = a_clocked_worker(engine, EVENING)
    look(worker, at, EVENING, MORNING, MORNING + 2 * HOUR)
    clock.current = MORNING + 3 * HOUR
    found = the_open_one(client, person)
    assert found["is_make_up"]
    assert answer(client, person, found["check_in_id"], clock.current).json() == {"state": "late"}
    assert len(findings(engine, "check_in_missed")) == 1


def test_a_check_in_of_somebody_else_of_nobody_or_of_later_is_not_there(
    engine: Engine, client: httpx.Client, clock: FixedClock, person: Person
) -> None:
    worker, at = a_clocked_worker(engine, EVENING)
    look(worker, at, EVENING, MORNING)
    with engine.begin() as connection:
        other = a_person(connection, alias="小明")
    (now, _), (later, _), *_ = rows(engine, "SELECT check_in_id, opens_at FROM check_in ORDER BY opens_at")
    for who, check_in_id in ((other, now), (person, later), (person, uuid4())):
        assert answer(client, who, str(check_in_id), clock.current).status_code == 404
    assert client.get("/check-ins").status_code == 401


def a_spot_checked(engine: Engine) -> Person:
    with engine.begin() as connection:
        person = a_person(connection)
        a_duty(
            connection, person, ConditionKind.SPOT_CHECK, at=EVENING, timetable=ALL_DAY,
            parameters={"per_week": 40.0, "spacing_minutes": 90.0, "answer_minutes": 15.0},
        )  # fmt: skip
    return person


def test_a_spot_check_is_no_row_for_the_devices_side_until_it_is_shown(
    engine: Engine, database_url: str, client: httpx.Client, clock: FixedClock
) -> None:
    person = a_spot_checked(engine)
    worker, at = a_clocked_worker(engine, EVENING)
    look(worker, at, EVENING)
    planned = rows(engine, "SELECT opens_at FROM check_in ORDER BY 1")
    assert len(planned) >= 5
    assert planned[-1][0] <= EVENING + AHEAD
    gate = open_engine(url_as(database_url, Login.WEB))
    clock.current = EVENING + 3 * DAY
    try:
        assert rows(gate, "SELECT count(check_in_id) FROM check_in") == [(0,)]
        assert client.get("/check-ins", headers=bearer(person.token)).json() == {"check_ins": []}
        first = planned[0][0]
        look(worker, at, first + MINUTE)
        clock.current = first + 2 * MINUTE
        found = the_open_one(client, person)
        assert datetime.fromisoformat(found["due_at"]) == first + 16 * MINUTE, "the limit runs from when it was shown"
        assert rows(gate, "SELECT count(check_in_id) FROM check_in") == [(1,)]
        assert answer(client, person, found["check_in_id"], clock.current).json() == {"state": "answered"}
    finally:
        gate.dispose()


def test_a_spot_check_not_answered_in_its_limit_is_found_and_one_that_nobody_could_show_is_withdrawn(
    engine: Engine,
) -> None:
    a_spot_checked(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    first, second = (row[0] for row in rows(engine, "SELECT opens_at FROM check_in ORDER BY 1 LIMIT 2"))
    assert second - first > HOUR
    look(worker, clock, first, first + 15 * MINUTE)
    assert findings(engine, "spot_check_missed") == []
    look(worker, clock, first + 16 * MINUTE, second + 16 * MINUTE)
    assert len(findings(engine, "spot_check_missed")) == 1
    assert states_of(engine, "spot")[:2] == ["missed", "withdrawn"]


def test_who_cannot_be_placed_is_asked_sparingly(engine: Engine, person: Person) -> None:
    """At most once in two hours at one zone, three times a day in all, and not about the past."""
    number = rows(engine, "SELECT min(condition_no) FROM condition")[0][0]
    policy = AskPolicy()

    def ask(at: datetime, zone_no: int, *, now: datetime | None = None) -> int:
        item = Undecidable(
            subject_no=person.subject_no, condition_no=number, zone_no=zone_no, at=to_microseconds(at)
        )  # fmt: skip
        with engine.begin() as connection:
            return ask_check_ins(connection, [item, item], policy=policy, now=now or at)

    asked = [ask(MORNING + minutes * MINUTE, 1) for minutes in (0, 1, 61, 119, 121)]
    assert asked == [1, 0, 0, 0, 1]
    assert ask(MORNING, 2, now=MORNING + HOUR) == 0
    assert [ask(MORNING + 3 * HOUR, zone_no) for zone_no in (2, 3)] == [1, 0]
    assert ask(MORNING + DAY, 3) == 1
    assert states_of(engine, "asked") == ["open"] * 4


def test_a_visit_that_no_fix_can_decide_is_asked_about_while_it_lasts(
    engine: Engine, client: httpx.Client, clock: FixedClock
) -> None:
    with engine.begin() as connection:
        a_bar(connection, radius_m=25.0)
        person = a_person(connection)
    worker, at = a_clocked_worker(engine, EVENING)
    look(worker, at, EVENING)
    for minute in range(10):
        log_fixes(engine, person, [a_fix(minutes=minute, accuracy_m=40.0)])
        look(worker, at, EVENING + minute * MINUTE)
    assert rows(engine, "SELECT kind, opens_at, state FROM check_in") == [("asked", EVENING + 4 * MINUTE, "open")]
    clock.current = EVENING + 9 * MINUTE
    assert the_open_one(client, person)["kind"] == "asked"
    look(worker, at, EVENING + 20 * MINUTE)
    assert states_of(engine, "asked") == ["missed"]
    assert len(findings(engine, "check_in_missed")) == 1


def test_the_ids_of_check_ins_are_those_that_every_worker_derives(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    ids: list[UUID] = [row[0] for row in rows(engine, "SELECT check_in_id FROM check_in ORDER BY opens_at")]
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM check_in"))
        connection.execute(text("UPDATE shard SET lease_until = now() - interval '1 second', clock_at = NULL"))
        connection.execute(text("UPDATE worker SET alive_until = now() - interval '1 second'"))
    other, clock = a_clocked_worker(engine, EVENING)
    look(other, clock, EVENING + MINUTE)
    assert [row[0] for row in rows(engine, "SELECT check_in_id FROM check_in ORDER BY opens_at")] == ids
