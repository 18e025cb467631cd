"""Check-ins and spot checks ahead: the same by every worker, only where the condition binds."""

from datetime import date, time
from uuid import UUID

import pytest

from tests.make import SECRET
from tests.tracking.test_calendar import CALENDAR
from tests.tracking.test_order import in_shanghai
from tracking.check_in import CheckInPolicy
from tracking.check_plan import (
    CheckCondition,
    PlannedCheck,
    check_in_id,
    monday_of,
    plan_check_ins,
    plan_spots,
)
from tracking.rules import to_microseconds
from tracking.spot_check import SpotCheckPolicy, planning_rng
from tracking.timetable import Timetable, Window
from tracking.windows import Windows

MONDAY = date(2026, 3, 2)
MORNING = Timetable(windows=(Window(starts=time(8), ends=time(9)),))
POLICY = SpotCheckPolicy(per_week=5.0)


def a_condition(*binds: tuple[int, int], timetable: Timetable | None = MORNING) -> CheckCondition:
    """Binds on these days of March 2026, each span from one midnight to another."""
    starts = [to_microseconds(in_shanghai(2026, 3, first)) for first, _ in binds]
    ends = [to_microseconds(in_shanghai(2026, 3, last)) for _, last in binds]
    return CheckCondition(
        condition_id=UUID(int=9), condition_no=9, subject_no=1, timetable=timetable, binds=Windows.build(starts, ends)
    )  # fmt: skip


def days_of(checks: tuple[PlannedCheck, ...]) -> list[int]:
    start = to_microseconds(in_shanghai(2026, 3, 1))
    return [1 + (check.opens_at - start) // 86_400_000_000 for check in checks]


def check_ins(condition: CheckCondition, first: int, last: int) -> tuple[PlannedCheck, ...]:
    return plan_check_ins(
        condition, first_day=date(2026, 3, first), last_day=date(2026, 3, last), calendar=CALENDAR,
        policy=CheckInPolicy(),
    )  # fmt: skip


def spots(condition: CheckCondition, *weeks: int, secret: bytes = SECRET) -> tuple[PlannedCheck, ...]:
    def rng_for(condition_id: UUID, planned_from: int):  # type: ignore[no-untyped-def] # numpy's generator
        return planning_rng(secret, condition_id=condition_id, planned_from=planned_from)

    return plan_spots(
        condition, weeks=[date(2026, 3, day) for day in weeks], calendar=CALENDAR, policy=POLICY, rng_for=rng_for
    )  # fmt: skip


def test_a_check_in_is_planned_for_each_window_in_which_the_condition_binds() -> None:
    planned = check_ins(a_condition((3, 6), (9, 31)), 1, 10)
    assert days_of(planned) == [3, 4, 5, 9, 10]
    assert {(check.due_at - check.opens_at) // 60_000_000 for check in planned} == {60}


def test_days_planned_together_or_apart_are_the_same_check_ins() -> None:
    condition = a_condition((1, 31))
    apart = tuple(check for day in range(1, 11) for check in check_ins(condition, day, day))
    assert check_ins(condition, 1, 10) == apart


def test_a_window_across_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    late = a_condition((1, 31), timetable=Timetable(windows=(Window(starts=time(23), ends=time(1)),)))
    assert days_of(check_ins(late, 5, 6)) == [5, 6]


def test_a_check_in_without_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="timetable"):
        check_ins(a_condition((1, 31), timetable=None), 1, 2)


def test_every_worker_plans_the_same_spot_checks_and_another_office_others() -> None:
    condition = a_condition((1, 31))
    assert spots(condition, 2, 9) == spots(condition, 2) + spots(condition, 9)
    assert spots(condition, 2, 9) != spots(condition, 2, 9, secret=bytes(16))
    ids = [check.check_in_id for check in spots(condition, 2, 9, 16)]
    assert len(ids) == len(set(ids)) >= 5


def test_a_leave_takes_spot_checks_out_and_moves_none() -> None:
    weeks = (2, 9, 16, 23)
    whole, cut = spots(a_condition((1, 31)), *weeks), spots(a_condition((1, 10), (14, 31)), *weeks)
    gone = {check for check, day in zip(whole, days_of(whole), strict=True) if 10 <= day < 14}
    assert len(gone) >= 1
    assert set(whole) - gone == set(cut)


def test_spot_checks_without_hours_wake_nobody() -> None:
    checks = spots(a_condition((1, 31), timetable=None), 2, 9, 16)
    start = to_microseconds(in_shanghai(2026, 3, 1))
    hours = [(check.opens_at - start) % 86_400_000_000 / 3.6e9 for check in checks]
    assert min(hours) >= 8.0
    assert max(hours) <= 20.75


def test_the_id_of_a_check_in_is_that_of_its_condition_and_opening() -> None:
    condition = a_condition((1, 31))
    assert all(
        check.check_in_id == check_in_id(condition.condition_id, check.opens_at) for check in spots(condition, 2)
    )
    assert monday_of(date(2026, 3, 8)) == MONDAY


def test_a_planned_check_in_has_a_grace_and_may_be_made_up_and_a_spot_check_neither() -> None:
    condition = a_condition((1, 31))
    planned, spot = check_ins(condition, 2, 2)[0], spots(condition, 2, 9, 16)[0]
    assert (planned.grace_until - planned.due_at, spot.grace_until - spot.due_at) == (900_000_000, 0)
    assert (planned.make_up_until, spot.make_up_until) == (planned.due_at + 86_400_000_000, None)
