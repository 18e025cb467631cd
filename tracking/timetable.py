"""When a rule applies: windows by weekday and kind of day, across midnight, on the clock of Asia/Shanghai.

A window belongs to the day on which it begins: "nights before school days, 22:00 to 06:00" is a window of the eve. A
rule is in force at ``starts`` and no longer at ``ends``. Instants in columns are int64 microseconds since the Unix
epoch, UTC. Shanghai is 8 hours ahead of UTC and has had no summer time since 1991, so no hour is missing or doubled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta

import numpy as np
from numpy.typing import NDArray

from tracking.calendar import DayKind, WorkCalendar
from tracking.windows import Windows

DAY_US = 86_400_000_000
LOCAL_OFFSET_US = 8 * 3_600_000_000
FIRST_DAY = date(1992, 1, 1)
"""Days before are refused: Shanghai had summer time until 1991."""
_DAY = timedelta(days=1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From ``starts`` to ``ends`` by the clock, on the next day if that is not later; 00:00 to 00:00 is a whole day.

    It begins on days whose weekday is in ``weekdays`` (Monday 0) and that are of one of ``day_kinds``; none: any day.
    """

    starts: time
    ends: time
    weekdays: frozenset[int] = _EVERY_DAY
    day_kinds: frozenset[DayKind] = frozenset()

    def __post_init__(self) -> None:
        if self.starts.tzinfo is not None or self.ends.tzinfo is not None:
            raise ValueError("时间段用当地钟点，不带时区 / a window's times are local clock times without a zone")
        if not self.weekdays or not self.weekdays <= _EVERY_DAY:
            raise ValueError(f"weekdays = {sorted(self.weekdays)}：须为 0（周一）至 6 / must be 0 (Monday) to 6")

    @property
    def reaches_next_day(self) -> bool:
        """Whether it ends on the day after it began, 00:00 included."""
        return self.ends <= self.starts

    def span_on(self, day: date) -> tuple[int, int]:
        """Its first microsecond and the one after its last, if it begins on ``day``."""
        begins = day_start_us(day)
        return begins + _clock_us(self.starts), begins + _clock_us(self.ends) + DAY_US * self.reaches_next_day


@dataclass(frozen=True, slots=True, kw_only=True)
class DayException:
    """On this one day these windows begin and no others; none: nothing begins. Reason and approver are the caller's."""

    day: date
    windows: tuple[tuple[time, time], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """Windows that recur, dates that differ, and the region (adcode) whose school calendar they mean."""

    windows: tuple[Window, ...]
    exceptions: tuple[DayException, ...] = ()
    region: str | None = None

    def __post_init__(self) -> None:
        days = [exception.day for exception in self.exceptions]
        twice = {day for day in days if days.count(day) > 1}
        if twice:
            raise ValueError(f"例外日期重复 / two exceptions for {min(twice).isoformat()}")

    def active_windows(self, *, first_day: date, last_day: date, calendar: WorkCalendar) -> Windows:
        """The spans of all windows that touch the days from first to last, joined where they meet or overlap.

        One at either end may reach beyond those days. Raises as :meth:`windows_between`.
        """
        return Windows.build(*self.windows_between(first_day=first_day, last_day=last_day, calendar=calendar))

    def windows_between(
        self, *, first_day: date, last_day: date, calendar: WorkCalendar
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Start and end ``[k]`` of each window that touches the days from first to last, by start, unjoined.

        Raises CalendarMissingError where a day's kind is needed and unknown, ValueError before 1992 or for no day.
        """
        if first_day < FIRST_DAY or last_day < first_day:
            raise ValueError(
                f"{first_day.isoformat()} … {last_day.isoformat()}：不是可用的日期范围 no usable range of days"
            )
        begins = day_start_us(first_day)
        eve = [span for span in self._spans_of(first_day - _DAY, calendar, only_overnight=True) if span[1] >= begins]
        days = (first_day + _DAY * step for step in range((last_day - first_day).days + 1))
        spans = eve + [span for day in days for span in self._spans_of(day, calendar)]
        table = np.array(sorted(spans), dtype=np.int64).reshape(-1, 2)
        return table[:, 0].copy(), table[:, 1].copy()

    def _spans_of(
        self, day: date, calendar: WorkCalendar, *, only_overnight: bool = False
    ) -> Iterator[tuple[int, int]]:
        """Of the windows that begin on a day; the calendar is asked only if it can matter."""
        for exception in self.exceptions:
            if exception.day == day:
                for starts, ends in exception.windows:
                    yield Window(starts=starts, ends=ends).span_on(day)
                return
        for window in self.windows:
            if day.weekday() not in window.weekdays or (only_overnight and not window.reaches_next_day):
                continue
            kinds = sorted(window.day_kinds)
            if not kinds or any(calendar.is_of_kind(day, kind, region=self.region) for kind in kinds):
                yield window.span_on(day)


def day_start_us(day: date) -> int:
    """00:00 of a day in Asia/Shanghai, microseconds since the Unix epoch, UTC."""
    return (day.toordinal() - _EPOCH_DAY) * DAY_US - LOCAL_OFFSET_US


def _clock_us(clock: time) -> int:
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond
