"""Silence and tampering as they are stored: by the clock, without dwell, over restarts, whatever the batches."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from api.clock import FixedClock
from api.worker import Worker
from tests.api.clock_scene import a_clocked_worker, a_duty, findings, look, rows
from tests.api.live_server import bearer, running_server
from tests.make import EVENING, Person, a_fix, a_person, log_fixes
from tracking.fix import Fix
from tracking.order import ConditionKind
from tracking.order_store import lift_order

MINUTE = timedelta(minutes=1)
KINDS = ("silence", "low_battery", "power_off", "permission_off", "device_change", "mock_location", "stillness")


@pytest.fixture
def person(engine: Engine) -> Person:
    """A fix at least every five minutes: silent after a quarter of an hour."""
    with engine.begin() as connection:
        person = a_person(connection, valid_to=EVENING + timedelta(days=1))
        a_duty(connection, person, ConditionKind.REPORTING_INTERVAL, at=EVENING, parameters={"every_minutes": 5.0})
    return person


def told(engine: Engine) -> list[tuple[str, float, float, bool]]:
    """Kind, minute of beginning, minute found, whether it is an end."""
    found = rows(
        engine,
        "SELECT kind, started_at, decided_at, (detail ->> 'is_end')::boolean FROM finding WHERE kind = ANY(:kinds)"
        " ORDER BY decided_at, kind, 4",
        kinds=list(KINDS),
    )
    return [(kind, (start - EVENING) / MINUTE, (at - EVENING) / MINUTE, is_end) for kind, start, at, is_end in found]


def test_silence_is_found_by_the_clock_though_no_fix_ever_came_and_is_dated_to_its_limit(
    engine: Engine, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, EVENING + 15 * MINUTE)
    assert told(engine) == []
    look(worker, clock, EVENING + 40 * MINUTE, EVENING + 50 * MINUTE)
    assert told(engine) == [("silence", 0.0, 15.0, False)]


def test_silence_ends_with_the_next_fix_and_a_second_one_is_another(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    for minute in (0, 4, 30, 33):
        log_fixes(engine, person, [a_fix(minutes=minute)])
        look(worker, clock, EVENING + minute * MINUTE)
    look(worker, clock, EVENING + 60 * MINUTE)
    assert told(engine) == [
        ("silence", 4.0, 19.0, False), ("silence", 4.0, 30.0, True), ("silence", 33.0, 48.0, False),
    ]  # fmt: skip


def test_nobody_is_silent_after_the_end_of_the_order(engine: Engine) -> None:
    with engine.begin() as connection:
        a_person(connection, valid_to=EVENING + 10 * MINUTE)
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, EVENING + 120 * MINUTE)
    assert told(engine) == []


def test_nobody_is_silent_after_the_order_was_lifted(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    with engine.begin() as connection:
        order_id = connection.execute(text("SELECT DISTINCT order_id FROM supervision_order")).scalar_one()
        assert lift_order(connection, order_id, lifted_at=EVENING + 5 * MINUTE, at=EVENING + 5 * MINUTE)
    look(worker, clock, EVENING + 5 * MINUTE, EVENING + 60 * MINUTE)
    assert told(engine) == []


def test_a_worker_that_is_behind_takes_its_own_lag_for_nobodys_silence(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    clock.current = EVENING + 60 * MINUTE
    log_fixes(engine, person, [a_fix(minutes=minute) for minute in range(0, 60, 4)])
    worker.look_at_clock(is_read_to_end=False)
    assert told(engine) == []
    worker.drain()
    assert told(engine) == []


def trouble() -> list[Fix]:
    """An hour and a half of a phone: its battery runs low, it is mocked for a while, then silent, then charged."""
    fixes = []
    for minute in [*range(0, 40, 2), *range(62, 90, 2)]:
        fix = a_fix(minutes=minute, east_m=float(minute * 13 % 70))
        battery = 40.0 - minute if minute < 40 else 60.0
        fixes.append(replace(fix, battery_percent=battery, is_mock=20 <= minute < 24))
    return fixes


EXPECTED = [
    ("mock_location", 20.0, 20.0, False),
    ("mock_location", 20.0, 24.0, True),
    ("low_battery", 26.0, 26.0, False),
    ("silence", 38.0, 53.0, False),
    ("low_battery", 26.0, 62.0, True),
    ("silence", 38.0, 62.0, True),
    ("silence", 88.0, 103.0, False),
]


@pytest.mark.parametrize("size", [1, 5, 100])
@pytest.mark.parametrize("restarts", [False, True], ids=["one worker", "a new worker for each batch"])
def test_the_findings_are_the_same_for_any_batches_and_over_restarts(
    engine: Engine, person: Person, size: int, restarts: bool
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    fixes = trouble()
    for first in range(0, len(fixes), size):
        if restarts:
            worker, clock = another(engine)
        part = fixes[first : first + size]
        log_fixes(engine, person, part)
        look(worker, clock, part[-1].fixed_at)
    look(worker, clock, EVENING + 120 * MINUTE)
    assert told(engine) == EXPECTED


def another(engine: Engine) -> tuple[Worker, FixedClock]:
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = now() - interval '1 second'"))
        connection.execute(text("UPDATE worker SET alive_until = now() - interval '1 second'"))
    return a_clocked_worker(engine, EVENING)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(EVENING + 10 * MINUTE)


@pytest.fixture
def client(database_url: str, clock: FixedClock) -> Iterator[httpx.Client]:
    with running_server(database_url, clock=clock) as client:
        yield client


def report(client: httpx.Client, person: Person, reports: Sequence[dict[str, Any]]) -> httpx.Response:
    return client.post("/device-reports", headers=bearer(person.token), json={"reports": list(reports)})


def test_what_a_device_says_without_a_fix_is_found_at_once_and_once(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    log_fixes(engine, person, [a_fix(minutes=5)])
    off = {"reported_at": (EVENING + 6 * MINUTE).isoformat(), "is_permission_off": True}
    last = {"reported_at": (EVENING + 8 * MINUTE).isoformat(), "is_powering_off": True, "is_permission_off": True}
    for _ in range(2):
        answer = report(client, person, [off, last, {**last, "battery_percent": 9}])
        assert answer.status_code == 201
    look(worker, clock, EVENING + 9 * MINUTE, EVENING + 10 * MINUTE)
    assert told(engine) == [("permission_off", 6.0, 6.0, False), ("power_off", 8.0, 8.0, False)]
    log_fixes(engine, person, [a_fix(minutes=12)])
    look(worker, clock, EVENING + 12 * MINUTE)
    assert told(engine)[2:] == [("permission_off", 6.0, 12.0, True), ("power_off", 8.0, 12.0, True)]
    assert client.post("/device-reports", json={"reports": [off]}).status_code == 401


def test_a_sign_of_tampering_that_comes_late_is_told_all_the_same(
    engine: Engine, client: httpx.Client, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    log_fixes(engine, person, [a_fix(minutes=9)])
    look(worker, clock, EVENING + 9 * MINUTE)
    report(client, person, [{"reported_at": (EVENING + 7 * MINUTE).isoformat(), "is_powering_off": True}])
    look(worker, clock, EVENING + 10 * MINUTE)
    ((kind, started_at, _, detail),) = findings(engine, "power_off")
    assert (kind, started_at, detail["is_late"]) == ("power_off", EVENING + 7 * MINUTE, True)


def test_another_device_is_told_of(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING)
    log_fixes(engine, person, [a_fix(minutes=1)])
    other = replace(person, sender=replace(person.sender, device_id=person.subject_id))
    log_fixes(engine, other, [a_fix(minutes=2)])
    look(worker, clock, EVENING + 3 * MINUTE)
    assert told(engine) == [("device_change", 2.0, 2.0, False)]
