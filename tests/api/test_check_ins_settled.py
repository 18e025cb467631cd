"""What becomes of check-ins by their times: late, missed, made up, absent; whoever looks when."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from api.asking import AskPolicy, Undecidable, ask_check_ins
from api.check_ins import answer_check_in, open_check_ins
from api.errors import NotThereError
from tests.api.clock_scene import a_clocked_worker, a_duty, findings, look, rows, states_of
from tests.api.test_check_ins import EIGHT_TO_NINE, MORNING
from tests.api.test_clock_edges import hand_over
from tests.make import EVENING, Person, a_person
from tracking.order import ConditionKind
from tracking.rules import to_microseconds

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NINE = MORNING + HOUR


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        person = a_person(connection)
        a_duty(connection, person, ConditionKind.CHECK_IN, at=EVENING, timetable=EIGHT_TO_NINE)
    return person


def the_first(engine: Engine) -> UUID:
    check_in_id: UUID = rows(engine, "SELECT check_in_id FROM check_in ORDER BY opens_at LIMIT 1")[0][0]
    return check_in_id


def answered(engine: Engine, person: Person, minutes_after_nine: float) -> str:
    with engine.begin() as connection:
        at = NINE + minutes_after_nine * MINUTE
        return answer_check_in(connection, the_first(engine), subject_no=person.subject_no, fix_key=1, now=at)


def test_a_late_answer_in_the_grace_is_no_miss_whenever_the_clock_looks(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING)
    assert answered(engine, person, 10.0) == "late"
    look(worker, clock, NINE + HOUR)
    assert states_of(engine, "planned")[0] == "late"
    assert findings(engine, "check_in_missed") == []


def test_the_miss_is_on_record_though_the_answer_came_before_the_clock_looked(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING)
    assert answered(engine, person, 20.0) == "late"
    assert answered(engine, person, 30.0) == "late", "given twice it is one"
    other, clock = a_clocked_worker(engine, EVENING)
    hand_over(engine)
    look(other, clock, NINE + HOUR, NINE + 2 * HOUR)
    assert states_of(engine, "planned")[0] == "late"
    assert len(findings(engine, "check_in_missed")) == 1


def test_what_is_not_made_up_in_its_time_is_absent_found_once_and_no_longer_asked_for(
    engine: Engine, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING, NINE + HOUR, NINE + DAY)
    assert states_of(engine, "planned")[0] == "missed"
    assert findings(engine, "check_in_not_made_up") == []
    look(worker, clock, NINE + DAY + MINUTE, NINE + DAY + HOUR)
    assert states_of(engine, "planned")[0] == "absent"
    assert [kind for kind, started_at, _, _ in findings(engine) if started_at == MORNING] == [
        "check_in_missed", "check_in_not_made_up",
    ]  # fmt: skip
    with pytest.raises(NotThereError):
        answered(engine, person, 24 * 60 + 1)


def test_a_worker_that_was_away_for_all_of_it_finds_the_miss_and_its_end_together(
    engine: Engine, person: Person
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING, NINE + DAY + HOUR)
    assert [kind for kind, started_at, _, _ in findings(engine) if started_at == MORNING] == [
        "check_in_missed", "check_in_not_made_up",
    ]  # fmt: skip


def test_who_is_no_longer_bound_has_missed_nothing(engine: Engine, person: Person) -> None:
    """The order is lifted while the window is open."""
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE supervision_order SET superseded_at = :at, lifted_at = :at WHERE superseded_at IS NULL"),
            {"at": MORNING + 10 * MINUTE},
        )
    look(worker, clock, NINE + HOUR)
    assert states_of(engine, "planned")[0] == "withdrawn"
    assert findings(engine, "check_in_missed") == []


def test_who_was_asked_and_is_under_no_order_any_more_has_missed_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        person = a_person(connection, valid_to=MORNING + 10 * MINUTE)
        number = connection.execute(text("SELECT condition_no FROM condition")).scalar_one()
        item = Undecidable(
            subject_no=person.subject_no, condition_no=number, zone_no=1, at=to_microseconds(MORNING)
        )  # fmt: skip
        assert ask_check_ins(connection, [item], policy=AskPolicy(), now=MORNING) == 1
    worker, clock = a_clocked_worker(engine, MORNING)
    look(worker, clock, MORNING, MORNING + HOUR)
    assert states_of(engine, "asked") == ["withdrawn"]
    assert findings(engine, "check_in_missed") == []


def test_a_clock_that_was_ahead_takes_no_answer_in_time_away(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, NINE + 2 * DAY)
    assert states_of(engine, "planned")[0] == "absent"
    look(worker, clock, MORNING + MINUTE)
    with engine.begin() as connection:
        (found,) = open_check_ins(connection, person.subject_no, now=MORNING + MINUTE)
        assert not found["is_make_up"]
    assert answered(engine, person, -30.0) == "answered"
