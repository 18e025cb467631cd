"""When a rule applies: windows by weekday and kind of day, across midnight, on the clock of Asia/Shanghai.

A window belongs to the day on which it begins: "nights before school days, 22:00 to 06:00" is a window of the eve. A
rule is in force at ``starts`` and no longer at ``ends``. Instants in columns are int64 microseconds since the Unix
epoch, UTC. Shanghai is 8 hours ahead of UTC and has had no summer time since 1991, so no hour is missing or doubled.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from tracking.calendar import DayKind, WorkCalendar, local_day
from tracking.rules import to_microseconds

DAY_US = 86_400_000_000
LOCAL_OFFSET_US = 8 * 3_600_000_000
FIRST_DAY = date(1992, 1, 1)
"""Days before are refused: Shanghai had summer time until 1991."""
_DAY = timedelta(days=1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_HORIZON_DAYS = (1, 2, 3, 9, 40, 400)
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
class Edge:
    """An instant (microseconds, UTC) at which a rule comes into force (``is_start``) or goes out of it."""

    at: int
    is_start: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActiveTimes:
    """When a rule is in force: ``k`` disjoint spans in order that do not touch, int64 microseconds ``[k]``.

    Known from ``covers_from`` to before ``covers_to``; a span at either end may reach beyond.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    covers_from: int
    covers_to: int

    def is_active(self, instants: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the rule is in force at each instant ``[n]``. Raises ValueError for one that is not covered."""
        if len(instants) and not (self.covers_from <= instants.min() and instants.max() < self.covers_to):
            raise ValueError(
                f"时刻不在已展开的范围内 / instants from {instants.min()} to {instants.max()} are not all within "
                f"[{self.covers_from}, {self.covers_to})"
            )
        row = np.searchsorted(self.starts, instants, side="right") - 1
        return np.asarray((row >= 0) & (instants < np.append(self.ends, 0)[row]))

    def edges_between(self, after: int, until: int) -> tuple[Edge, ...]:
        """The edges with ``after`` < t ≤ ``until``, in order. Consecutive calls find each edge exactly once.

        Raises ValueError unless ``covers_from`` ≤ ``after`` and ``until`` < ``covers_to``.
        """
        if not (self.covers_from <= after and until < self.covers_to):
            raise ValueError(
                f"范围未展开 / ({after}, {until}] is not within [{self.covers_from}, {self.covers_to})"
            )  # fmt: skip
        starts = self.starts[(self.starts > after) & (self.starts <= until)]
        ends = self.ends[(self.ends > after) & (self.ends <= until)]
        found = [Edge(at=at, is_start=True) for at in starts.tolist()]
        found += [Edge(at=at, is_start=False) for at in ends.tolist()]
        return tuple(sorted(found, key=lambda edge: edge.at))


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

    def is_active(self, at: datetime, *, calendar: WorkCalendar) -> bool:
        """Whether the rule is in force at an aware instant. Raises CalendarMissingError for a day of unknown kind."""
        day, instant = local_day(at), to_microseconds(at)
        return bool(self.active_times(first_day=day, last_day=day, calendar=calendar).is_active(np.array([instant]))[0])

    def next_edge(self, after: datetime, *, calendar: WorkCalendar) -> Edge | None:
        """The next instant after an aware one at which the rule begins or ends; ``None``: not within 400 days.

        Raises CalendarMissingError if the calendar ends before the edge is certain.
        """
        first_day, instant = local_day(after), to_microseconds(after)
        for days in _HORIZON_DAYS:
            last_day = first_day + _DAY * (days - 1)
            active = self.active_times(first_day=first_day, last_day=last_day, calendar=calendar)
            found = active.edges_between(instant, active.covers_to - 1)
            if found:
                return found[0]
        return None

    def active_times(self, *, first_day: date, last_day: date, calendar: WorkCalendar) -> ActiveTimes:
        """The spans of all windows that touch the days from first to last, joined where they meet or overlap.

        Raises CalendarMissingError where a day's kind is needed and unknown, ValueError before 1992 or for no day.
        """
        starts, ends = self.windows_between(first_day=first_day, last_day=last_day, calendar=calendar)
        reached = np.maximum.accumulate(ends) if len(ends) else ends
        is_first = np.ones(len(starts), dtype=bool)
        is_first[1:] = starts[1:] > reached[:-1]
        is_last = np.ones(len(starts), dtype=bool)
        is_last[:-1] = is_first[1:]
        return ActiveTimes(
            starts=starts[is_first],
            ends=reached[is_last],
            covers_from=day_start_us(first_day),
            covers_to=day_start_us(last_day + _DAY),
        )

    def windows_between(
        self, *, first_day: date, last_day: date, calendar: WorkCalendar
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Start and end ``[k]`` of each window that touches the days from first to last, by start, unjoined."""
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
