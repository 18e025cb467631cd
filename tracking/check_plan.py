"""Check-ins and spot checks of the days ahead, each with an id of its own that every worker derives alike. Pure.

Instants are int64 microseconds, UTC. A spot check is planned by whole weeks from Monday 00:00 of Asia/Shanghai, from
the timetable and the office's secret alone, and left out afterwards where the condition does not bind: a leave must not
move the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import StrEnum
from uuid import UUID

import numpy as np

from tracking.calendar import WorkCalendar
from tracking.check_in import CheckInPolicy
from tracking.episode import derived_id
from tracking.spot_check import WEEK_US, SpotCheckPolicy, plan_spot_checks
from tracking.timetable import Timetable, Window, day_start_us
from tracking.windows import Windows

SPOT_HOURS = Timetable(windows=(Window(starts=time(8), ends=time(21)),))
"""When spot checks may be asked if the condition says nothing: nobody is woken. An assumption."""
_WEEK = timedelta(days=7)
_SECOND_US = 1_000_000


class CheckInKind(StrEnum):
    """Why a check-in is asked for. The words are stored."""

    PLANNED = "planned"  # 定时打卡
    SPOT = "spot"  # 不定期抽检
    ASKED = "asked"  # 因定位无法判断而请其打卡


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCheck:
    """One check-in to come. ``due_at``: an answer after it is late; a spot check's limit runs from when it is shown.

    ``grace_until``: an answer after it is a miss, made up or not.
    """

    check_in_id: UUID
    subject_no: int
    condition_no: int
    kind: CheckInKind
    opens_at: int
    due_at: int
    grace_until: int
    make_up_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCondition:
    """A condition that asks for check-ins. ``binds``: when, leaves and the ends of the order taken out."""

    condition_id: UUID
    condition_no: int
    subject_no: int
    timetable: Timetable | None
    binds: Windows


def check_in_id(condition_id: UUID, opens_at: int) -> UUID:
    """The same for the same window of the same condition, whatever its version."""
    return derived_id("check_in", opens_at, str(condition_id))


def plan_check_ins(
    condition: CheckCondition, *, first_day: date, last_day: date, calendar: WorkCalendar, policy: CheckInPolicy
) -> tuple[PlannedCheck, ...]:
    """Every window of the timetable that begins on these days and lies wholly where the condition binds.

    Raises CalendarMissingError for a day whose kind is needed and unknown, ValueError without a timetable.
    """
    if condition.timetable is None:
        raise ValueError("定时打卡须有时间表 / check-ins need a timetable")
    starts, ends = condition.timetable.windows_between(first_day=first_day, last_day=last_day, calendar=calendar)
    grace, make_up = round(policy.grace_s * _SECOND_US), round(policy.make_up_s * _SECOND_US)
    return tuple(
        _planned(condition, CheckInKind.PLANNED, opens_at, due_at, due_at + grace, due_at + make_up)
        for opens_at, due_at in zip(starts.tolist(), ends.tolist(), strict=True)
        if opens_at >= day_start_us(first_day) and lies_in(condition.binds, opens_at, due_at)
    )


def plan_spots(
    condition: CheckCondition,
    *,
    weeks: Sequence[date],
    calendar: WorkCalendar,
    policy: SpotCheckPolicy,
    rng_for: Callable[[UUID, int], np.random.Generator],
) -> tuple[PlannedCheck, ...]:
    """The spot checks of these weeks, named by their Mondays. ``rng_for``: :func:`tracking.spot_check.planning_rng`
    of the office's secret, by condition and beginning of the week. Raises CalendarMissingError as ``plan_check_ins``.
    """
    answer = round(policy.answer_s * _SECOND_US)
    planned = []
    for monday in weeks:
        before = _week_of_spots(condition, monday - _WEEK, None, calendar, policy, rng_for)
        times = _week_of_spots(condition, monday, before[-1] if before else None, calendar, policy, rng_for)
        planned += [
            _planned(condition, CheckInKind.SPOT, at, at + answer, at + answer)
            for at in times
            if lies_in(condition.binds, at, at + answer)
        ]
    return tuple(planned)


def monday_of(day: date) -> date:
    """The Monday of the week of a day."""
    return day - timedelta(days=day.weekday())


def lies_in(binds: Windows, start: int, end: int) -> bool:
    """Whether a condition binds all the time from ``start`` to ``end``: who is not bound need not answer."""
    row = int(np.searchsorted(binds.start, start, side="right")) - 1
    return row >= 0 and end <= int(binds.end[row])


def _week_of_spots(
    condition: CheckCondition,
    monday: date,
    last_at: int | None,
    calendar: WorkCalendar,
    policy: SpotCheckPolicy,
    rng_for: Callable[[UUID, int], np.random.Generator],
) -> list[int]:
    timetable = condition.timetable or SPOT_HOURS
    allowed = timetable.active_windows(first_day=monday, last_day=monday + _WEEK - timedelta(days=1), calendar=calendar)
    planned_from = day_start_us(monday)
    times = plan_spot_checks(
        policy,
        allowed=allowed,
        planned_from=planned_from,
        planned_to=planned_from + WEEK_US,
        last_at=last_at,
        rng=rng_for(condition.condition_id, planned_from),
    )
    return [int(at) for at in times]


def _planned(
    condition: CheckCondition, kind: CheckInKind, opens_at: int, due_at: int, grace_until: int,
    make_up_until: int | None = None,
) -> PlannedCheck:  # fmt: skip
    return PlannedCheck(
        check_in_id=check_in_id(condition.condition_id, opens_at),
        subject_no=condition.subject_no,
        condition_no=condition.condition_no,
        kind=kind,
        opens_at=opens_at,
        due_at=due_at,
        grace_until=grace_until,
        make_up_until=make_up_until,
    )
