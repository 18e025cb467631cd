"""On leave and off the approved way: found once from the log, however it comes, and never at home."""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from api.access.roles import AccountRole
from api.leases import LeaseLostError
from tests.access.people import an_official
from tests.api.clock_scene import a_clocked_worker, a_duty, findings, look, rows
from tests.api.test_clock_edges import hand_over
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING, Person, a_fix, a_person, log_fixes
from tracking.fix import Fix
from tracking.order import ConditionKind

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NEAR_BY = 20_000.0
LONG = 60
"""Minutes."""


def a_traveller(engine: Engine, *, from_at: datetime = EVENING - HOUR, to_at: datetime = EVENING + 2 * DAY,
                is_drawn: bool = True) -> Person:  # fmt: skip
    """Bound to live within 200 m of the bar's door, and on an approved leave to a place 20 km west, 2 km around it."""
    with engine.begin() as connection:
        person = a_person(connection)
        a_duty(connection, person, ConditionKind.STAY_AT_PLACE, at=EVENING - DAY, radius_m=200.0)
        account_no = an_official(connection, "o1", AccountRole.POLICE).account_no
        connection.execute(
            text(
                "INSERT INTO leave (leave_id, subject_no, order_no, reason, destination, route, transport, geometry,"
                " radius_m, from_at, to_at, state, is_urgent, requested_at, requested_by, papers_at, approved_at)"
                " SELECT gen_random_uuid(), :no, order_no, '就医', '合成市', '高速', '汽车', CASE WHEN :drawn THEN"
                " ST_Project(ST_SetSRID(ST_MakePoint(:lon, :lat), 4326)::geography, :away, radians(270))::geometry END,"
                " CASE WHEN :drawn THEN 2000 END, :starts, :ends, 'approved', false, :starts, :by, :starts, :starts"
                " FROM supervision_order WHERE subject_no = :no AND superseded_at IS NULL"
            ),
            {
                "no": person.subject_no, "by": account_no, "lon": BAR_LONGITUDE, "lat": BAR_LATITUDE,
                "away": NEAR_BY, "starts": from_at, "ends": to_at, "drawn": is_drawn,
            },
        )  # fmt: skip
    return person


def at_the_place(*off: tuple[int, int], minutes: int = LONG, first: int = 0, accuracy_m: float = 10.0) -> list[Fix]:
    """At the approved place, and between these minutes 6 km farther on."""
    return [
        a_fix(
            minutes=minute,
            east_m=-NEAR_BY - (6_000.0 if any(start <= minute < end for start, end in off) else 0.0),
            accuracy_m=accuracy_m,
        )
        for minute in range(first, minutes)
    ]


def begun(engine: Engine) -> list[float]:
    """Minute of the evening at which each stretch off the way that was found began."""
    return [(started_at - EVENING) / MINUTE for _, started_at, _, _ in findings(engine, "off_route")]


def send(engine: Engine, person: Person, fixes: Sequence[Fix], *instants: datetime) -> None:
    """Log the fixes, and have a new worker look at the clock."""
    log_fixes(engine, person, fixes)
    worker, clock = a_clocked_worker(engine, EVENING)
    hand_over(engine)
    look(worker, clock, *instants)


def test_who_is_off_the_way_for_ten_minutes_is_found_once_and_not_where(engine: Engine) -> None:
    person = a_traveller(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    fixes = at_the_place((20, 40))
    for minute in range(0, LONG, 2):
        log_fixes(engine, person, fixes[minute : minute + 2])
        look(worker, clock, EVENING + (minute + 2) * MINUTE)
        if minute + 2 <= 24:
            assert begun(engine) == [], "not for five minutes yet"
    look(worker, clock, EVENING + 2 * HOUR)
    ((_, started_at, probability, detail),) = findings(engine, "off_route")
    assert 20 <= (started_at - EVENING) / MINUTE <= 24, "the filter believes a jump after some fixes"
    assert probability >= 0.9
    assert set(detail) == {"leave_id", "minutes", "farthest_m", "is_late", "text_zh", "text_en"}
    assert detail["leave_id"] == str(rows(engine, "SELECT leave_id FROM leave")[0][0])
    assert 5 <= detail["minutes"] <= 7
    assert detail["farthest_m"] % 100 == 0
    assert 3_500 <= detail["farthest_m"] <= 4_500
    assert not detail["is_late"]
    assert not any(word in json.dumps(detail) for word in ("117.", "116.", "34."))
    told = (
        "SELECT r.role, a.event FROM notification n JOIN alert a USING (alert_id) JOIN recipient r USING (recipient_id)"
    )
    assert ("guardian", "off_route") not in rows(engine, told), "officers look into it before the family hears"
    assert ("off_route", "open") in rows(engine, "SELECT event, state FROM alert")


@pytest.mark.parametrize(
    "fixes",
    [
        pytest.param(at_the_place((20, 22)), id="a detour of two minutes"),
        pytest.param([a_fix(minutes=minute) for minute in range(LONG)], id="at home"),
        pytest.param([a_fix(minutes=minute, east_m=-NEAR_BY - 2_500.0, accuracy_m=3_000.0) for minute in range(LONG)],
                     id="accuracy too bad to tell"),
    ],
)  # fmt: skip
def test_who_may_be_where_they_are_is_not_found(engine: Engine, fixes: list[Fix]) -> None:
    person = a_traveller(engine)
    send(engine, person, fixes, EVENING + LONG * MINUTE, EVENING + 2 * HOUR)
    assert begun(engine) == []


def test_a_leave_without_a_drawn_way_is_not_watched(engine: Engine) -> None:
    person = a_traveller(engine, is_drawn=False)
    send(engine, person, at_the_place((0, LONG)), EVENING + LONG * MINUTE)
    assert begun(engine) == []


@pytest.mark.parametrize("closing", ["cancelled", "returned"])
def test_a_leave_that_is_over_is_watched_until_then_and_no_longer(engine: Engine, closing: str) -> None:
    person = a_traveller(engine)
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE leave SET state = '{closing}', {closing}_at = :at"), {"at": EVENING + 10 * MINUTE}
        )
    send(engine, person, at_the_place((15, LONG)), EVENING + LONG * MINUTE)
    assert begun(engine) == []


@pytest.mark.parametrize("every", [3, 17])
def test_a_long_stretch_is_found_once_whoever_holds_the_shard(engine: Engine, every: int) -> None:
    """Five hours off the way; each batch meets another worker, and then one that knew the leave before."""
    person = a_traveller(engine)
    fixes = at_the_place((10, 300), minutes=300)
    stays, its_clock = a_clocked_worker(engine, EVENING)
    for minute in range(0, 300, every * 5):
        send(engine, person, fixes[minute : minute + every * 5], EVENING + (minute + every * 5) * MINUTE)
        hand_over(engine)
        with suppress(LeaseLostError):
            look(stays, its_clock, EVENING + (minute + every * 5 + 1) * MINUTE)
        look(stays, its_clock, EVENING + (minute + every * 5 + 2) * MINUTE)
    assert len(begun(engine)) == 1


def test_one_worker_finds_a_long_stretch_once_and_a_second_one_anew(engine: Engine) -> None:
    person = a_traveller(engine)
    worker, clock = a_clocked_worker(engine, EVENING)
    fixes = at_the_place((10, 200), (240, 280), minutes=300)
    for minute in range(0, 300, 20):
        log_fixes(engine, person, fixes[minute : minute + 20])
        look(worker, clock, EVENING + (minute + 20) * MINUTE)
    assert len(begun(engine)) == 2
    with engine.begin() as connection:
        a_duty(connection, person, ConditionKind.REPORTING_INTERVAL, at=EVENING + 5 * HOUR,
               parameters={"every_minutes": 5.0})  # fmt: skip
    look(worker, clock, EVENING + 5 * HOUR + MINUTE)
    assert len(begun(engine)) == 2, "another version of the order has everything looked at again, and finds no more"


def test_what_comes_days_late_in_any_order_is_found_late_and_once(engine: Engine) -> None:
    person = a_traveller(engine)
    fixes = at_the_place((20, 40))
    for number, part in enumerate((fixes[1::2][::-1], fixes[::2], fixes)):
        send(engine, person, part, EVENING + 3 * DAY + number * HOUR)
    ((_, _, _, detail),) = findings(engine, "off_route")
    assert detail["is_late"]


def test_what_comes_more_than_a_week_late_is_not_looked_at(engine: Engine) -> None:
    person = a_traveller(engine, to_at=EVENING + 9 * DAY)
    send(engine, person, at_the_place((20, 40)), EVENING + 8 * DAY)
    assert begun(engine) == []
