"""Answers to check-ins that have a place: there, elsewhere, or not to be told; each judged once and none in silence."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from api.check_ins import answer_check_in, open_check_ins
from api.inbox import fix_key
from tests.api.clock_scene import a_clocked_worker, a_duty, findings, look, rows
from tests.api.test_check_ins import EIGHT_TO_NINE, MORNING
from tests.api.test_clock_edges import hand_over
from tests.golden_files import assert_golden
from tests.make import EVENING, Person, a_fix, a_person, log_fixes
from tracking.check_place import PlaceVerdict, place_text_en, place_text_zh
from tracking.fix import Fix
from tracking.order import ConditionKind

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AT = MORNING + 10 * MINUTE


@pytest.fixture
def person(engine: Engine) -> Person:
    """Checks in between eight and nine at a police station of 60 m, with 30 m of tolerance."""
    with engine.begin() as connection:
        person = a_person(connection)
        a_duty(connection, person, ConditionKind.CHECK_IN, at=EVENING, timetable=EIGHT_TO_NINE, radius_m=60.0)
    return person


def a_fix_at(east_m: float, accuracy_m: float) -> Fix:
    return a_fix(minutes=(AT - EVENING) / MINUTE, east_m=east_m, accuracy_m=accuracy_m)


def answer(engine: Engine, person: Person, fix: Fix, *, is_logged: bool = True) -> None:
    """As the route does: the fix to the log first, then the answer."""
    if is_logged:
        log_fixes(engine, person, [fix])
    with engine.begin() as connection:
        (found,) = open_check_ins(connection, person.subject_no, now=AT)
        answer_check_in(
            connection, UUID(found["check_in_id"]), subject_no=person.subject_no, fix_key=fix_key(fix), now=AT
        )


def judged(engine: Engine) -> tuple[bool | None, float | None]:
    """``is_at_place`` and P(at the place) of the first check-in, which must have been judged."""
    query = "SELECT is_at_place, place_probability, judged_at FROM check_in ORDER BY opens_at LIMIT 1"
    ((is_at_place, probability, judged_at),) = rows(engine, query)
    assert judged_at is not None
    return is_at_place, probability


@pytest.mark.parametrize(
    ("east_m", "accuracy_m", "is_at_place", "kind"),
    [
        (10.0, 10.0, True, None),
        (75.0, 8.0, True, None),
        (2_000.0, 10.0, False, "check_in_elsewhere"),
        (3_000.0, 500.0, False, "check_in_elsewhere"),
        (10.0, 500.0, None, "check_in_undecidable"),
        (95.0, 15.0, None, "check_in_undecidable"),
    ],
    ids=["there", "within the tolerance", "elsewhere", "elsewhere, coarsely", "too coarse", "at the edge"],
)
def test_an_answer_is_judged_by_its_fix_and_none_is_accepted_in_silence(
    engine: Engine, person: Person, east_m: float, accuracy_m: float, is_at_place: bool | None, kind: str | None
) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING)
    answer(engine, person, a_fix_at(east_m, accuracy_m))
    look(worker, clock, AT)
    verdict, probability = judged(engine)
    assert verdict is is_at_place
    assert probability is not None
    assert (probability >= 0.5) is (is_at_place is True)
    other, clock = a_clocked_worker(engine, AT)
    hand_over(engine)
    look(other, clock, AT + MINUTE, MORNING + 2 * HOUR)
    found = findings(engine, "check_in_elsewhere", "check_in_undecidable")
    assert [item[0] for item in found] == ([] if kind is None else [kind])
    for _, _, told_probability, detail in found:
        assert (told_probability is not None) is (kind == "check_in_elsewhere")
        assert detail["text_zh"].startswith("已打卡，但定位")
    assert findings(engine, "check_in_missed") == [], "it was answered"


def test_an_answer_whose_fix_proves_nothing_or_is_not_there_cannot_be_told(engine: Engine, person: Person) -> None:
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING)
    answer(engine, person, a_fix_at(10.0, 10.0), is_logged=False)
    look(worker, clock, AT + MINUTE)
    assert findings(engine, "check_in_undecidable") == [], "its fix may still come"
    look(worker, clock, AT + 11 * MINUTE, AT + HOUR)
    assert judged(engine) == (None, None)
    ((_, _, probability, detail),) = findings(engine, "check_in_undecidable")
    assert probability is None
    assert "概率" not in detail["text_zh"]


def test_a_check_in_without_a_place_is_judged_by_nobody(engine: Engine) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
        a_duty(connection, person, ConditionKind.CHECK_IN, at=EVENING, timetable=EIGHT_TO_NINE)
    worker, clock = a_clocked_worker(engine, EVENING)
    look(worker, clock, EVENING, MORNING)
    answer(engine, person, a_fix_at(9_000.0, 10.0))
    look(worker, clock, AT)
    assert judged(engine) == (None, None)
    assert findings(engine, "check_in_elsewhere", "check_in_undecidable") == []


@pytest.mark.golden
def test_the_words_of_each_verdict() -> None:
    lines = []
    for verdict in (PlaceVerdict.ELSEWHERE, PlaceVerdict.UNDECIDABLE):
        for inside, accuracy_m in ((0.123, 65.0), (None, None)):
            lines += [
                place_text_zh(verdict, inside=inside, accuracy_m=accuracy_m),
                place_text_en(verdict, inside=inside, accuracy_m=accuracy_m),
            ]
    assert_golden("check_in_places.txt", "\n".join(lines) + "\n")
