"""Inside a place when it begins to be forbidden, and silent: told by the clock, once, and no "enter"."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from api.clock import FixedClock
from api.worker import Worker
from tests.api.clock_scene import a_clocked_worker, findings, look, rows
from tests.api.test_clock_edges import hand_over
from tests.make import EVENING, Person, a_bar, a_fix, a_person, log_fixes

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND = timedelta(seconds=1)


def at_the_bar(engine: Engine, east_m: float = 2.0) -> tuple[Person, Worker, FixedClock]:
    """Somebody half an hour at one place, whose telephone falls silent a minute before the evening begins."""
    with engine.begin() as connection:
        person = a_person(connection)
    worker, clock = a_clocked_worker(engine, EVENING - 40 * MINUTE)
    look(worker, clock, EVENING - 40 * MINUTE)
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=east_m) for minute in range(-30, 0)])
    look(worker, clock, EVENING - MINUTE)
    return person, worker, clock


def test_a_bar_that_is_registered_around_somebody_silent_is_told_once_and_is_no_entry(engine: Engine) -> None:
    person, worker, clock = at_the_bar(engine)
    with engine.begin() as connection:
        a_bar(connection, at=EVENING, valid_from=EVENING)
    look(worker, clock, EVENING + 20 * SECOND)
    assert findings(engine, "inside_when_bound") == [], "the telephone's own fix may answer first"
    look(worker, clock, EVENING + 31 * SECOND, EVENING + 40 * SECOND)
    other, clock = a_clocked_worker(engine, EVENING + MINUTE)
    hand_over(engine)
    look(other, clock, EVENING + MINUTE)
    ((_, started_at, probability, detail),) = findings(engine, "inside_when_bound")
    assert (started_at, detail["is_entry"]) == (EVENING, False)
    assert probability > 0.5
    ((said,),) = rows(engine, "SELECT text FROM notification WHERE template = 'guardian_inside_when_bound_suspected'")
    assert said == "22时00分禁入开始时，您的孩子小丽疑似仍在禁入区域，请尽快核实并带离。"
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=2.0) for minute in range(2, 12)])
    look(other, clock, EVENING + 12 * MINUTE)
    assert rows(engine, "SELECT is_entry FROM episode") == [(False,)]
    assert len(findings(engine, "inside_when_bound")) == 1


@pytest.mark.parametrize(
    ("east_m", "minutes_after"), [(300.0, 1), (2.0, 45)], ids=["elsewhere", "long since nobody knows where"]
)
def test_who_is_elsewhere_or_unknown_is_not_told(engine: Engine, east_m: float, minutes_after: int) -> None:
    _, worker, clock = at_the_bar(engine, east_m)
    at = EVENING + (minutes_after - 1) * MINUTE
    with engine.begin() as connection:
        a_bar(connection, at=at, valid_from=at)
    look(worker, clock, at, at + MINUTE)
    assert findings(engine, "inside_when_bound") == []


def test_a_bar_that_is_drawn_anew_around_who_is_inside_begins_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        a_bar(connection, at=EVENING - HOUR, valid_from=EVENING - HOUR)
    _, worker, clock = at_the_bar(engine)
    with engine.begin() as connection:
        a_bar(connection, at=EVENING, radius_m=45.0, valid_from=EVENING)
    look(worker, clock, EVENING, EVENING + MINUTE)
    assert findings(engine, "inside_when_bound") == []
    assert rows(engine, "SELECT count(*) FROM episode") == [(1,)]
