"""Windows by weekday and kind of day, across midnight, against a scan of every minute; check-ins by the clock."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracking.test_calendar import CALENDAR, WITH_SCHOOL
from tests.tracking.test_order import in_shanghai
from tracking.calendar import CalendarMissingError, DayKind, WorkCalendar, local_day
from tracking.local_time import LOCAL_TIME
from tracking.rules import to_microseconds
from tracking.timetable import DayException, Timetable, Window, day_start_us

MINUTE_US = 60_000_000
REGION = "320300"
NIGHT = Window(starts=time(22), ends=time(6))
CURFEW = Timetable(windows=(NIGHT,))


def is_active_by_hand(timetable: Timetable, at: datetime, calendar: WorkCalendar) -> bool:
    """What the words say, for one instant, with the standard library's dates and no columns."""
    for day in (at.date() - timedelta(days=1), at.date()):
        exceptions = [exception for exception in timetable.exceptions if exception.day == day]
        if exceptions:
            windows = [Window(starts=starts, ends=ends) for starts, ends in exceptions[0].windows]
        else:
            windows = [
                window
                for window in timetable.windows
                if day.weekday() in window.weekdays
                and (
                    not window.day_kinds
                    or any(calendar.is_of_kind(day, kind, region=REGION) for kind in window.day_kinds)
                )
            ]
        for window in windows:
            begins = datetime.combine(day, window.starts, tzinfo=LOCAL_TIME)
            ends_on = day if window.ends > window.starts else day + timedelta(days=1)
            if begins <= at < datetime.combine(ends_on, window.ends, tzinfo=LOCAL_TIME):
                return True
    return False


def is_active(timetable: Timetable, at: datetime, *, calendar: WorkCalendar) -> bool:
    """By the columns of the one day."""
    active = timetable.active_windows(first_day=local_day(at), last_day=local_day(at), calendar=calendar)
    return bool(active.holds(np.array([to_microseconds(at)]))[0])


clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
windows = st.builds(
    Window,
    starts=clocks,
    ends=clocks,
    weekdays=st.sets(st.integers(0, 6), min_size=1).map(frozenset),
    day_kinds=st.sets(st.sampled_from(list(DayKind)), max_size=2).map(frozenset),
)
# Around Spring Festival with its make-up Saturdays, the leap-free end of February, and a make-up Saturday in term.
some_days = st.dates(date(2026, 2, 10), date(2026, 3, 5)) | st.dates(date(2026, 4, 28), date(2026, 5, 12))
exceptions = st.lists(
    st.builds(DayException, day=some_days, windows=st.lists(st.tuples(clocks, clocks), max_size=2).map(tuple)),
    max_size=3,
    unique_by=lambda exception: exception.day,
).map(tuple)
timetables = st.builds(
    Timetable, windows=st.lists(windows, max_size=4).map(tuple), exceptions=exceptions, region=st.just(REGION)
)


@settings(max_examples=60, deadline=None)
@given(timetables, some_days, st.integers(1, 3))
def test_columns_say_what_a_scan_of_every_minute_says(timetable: Timetable, first_day: date, days: int) -> None:
    last_day = first_day + timedelta(days=days - 1)
    active = timetable.active_windows(first_day=first_day, last_day=last_day, calendar=WITH_SCHOOL)
    begin = datetime.combine(first_day, time(), tzinfo=LOCAL_TIME)
    minutes = [begin + timedelta(minutes=step) for step in range(days * 1440)]
    expected = [is_active_by_hand(timetable, at, WITH_SCHOOL) for at in minutes]
    instants = np.array([to_microseconds(at) for at in minutes])
    assert active.holds(instants).tolist() == expected
    changes = zip(instants[1:].tolist(), pairwise(expected), strict=True)
    begins_or_ends = [at for at, (before, now) in changes if before != now]
    edges = np.union1d(active.start, active.end)
    assert edges[(instants[0] < edges) & (edges <= instants[-1])].tolist() == begins_or_ends


def test_curfew_crosses_midnight_and_begins_on_the_microsecond() -> None:
    tick = timedelta(microseconds=1)
    for at, expected in (
        (in_shanghai(2026, 3, 2, 22) - tick, False),
        (in_shanghai(2026, 3, 2, 22), True),
        (in_shanghai(2026, 3, 3), True),
        (in_shanghai(2026, 3, 3, 6) - tick, True),
        (in_shanghai(2026, 3, 3, 6), False),
    ):
        assert is_active(CURFEW, at, calendar=CALENDAR) is expected
        assert is_active(CURFEW, at.astimezone(UTC), calendar=CALENDAR) is expected


def test_night_before_school_follows_make_up_work_and_holidays() -> None:
    school_nights = Timetable(
        windows=(Window(starts=time(22), ends=time(6), day_kinds=frozenset({DayKind.SCHOOL_EVE})),), region=REGION
    )
    late = {day: is_active(school_nights, in_shanghai(2026, 5, day, 23), calendar=WITH_SCHOOL) for day in range(1, 12)}
    assert late == {
        1: False,
        2: False,
        3: False,
        4: False,
        5: True,
        6: True,
        7: True,
        8: True,
        9: False,
        10: True,
        11: True,
    }


def test_windows_that_meet_have_no_edge_between_them() -> None:
    both = Timetable(windows=(Window(starts=time(20), ends=time(0)), Window(starts=time(0), ends=time(6))))
    active = both.active_windows(first_day=date(2026, 3, 2), last_day=date(2026, 3, 2), calendar=CALENDAR)
    assert active.end.tolist() == [
        to_microseconds(in_shanghai(2026, 3, 2, 6)),
        to_microseconds(in_shanghai(2026, 3, 3)),
    ]


@pytest.mark.parametrize("is_always", [True, False])
def test_rule_that_is_always_or_never_in_force_has_no_edge(is_always: bool) -> None:
    timetable = Timetable(windows=(Window(starts=time(0), ends=time(0)),) if is_always else ())
    active = timetable.active_windows(first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), calendar=WorkCalendar())
    assert len(active) == is_always
    assert is_active(timetable, in_shanghai(2026, 3, 2, 21), calendar=WorkCalendar()) is is_always


def test_unknown_year_blocks_only_rules_that_ask_for_the_kind_of_day() -> None:
    holidays = Timetable(windows=(Window(starts=time(8), ends=time(20), day_kinds=frozenset({DayKind.REST_DAY})),))
    in_2027 = in_shanghai(2027, 1, 1, 12)
    assert not is_active(CURFEW, in_2027, calendar=CALENDAR)
    with pytest.raises(CalendarMissingError, match="2027"):
        is_active(holidays, in_2027, calendar=CALENDAR)


def test_exception_replaces_the_windows_that_begin_on_its_day() -> None:
    exam = DayException(day=date(2026, 3, 2), windows=((time(23), time(5)),))
    free = DayException(day=date(2026, 3, 3))
    timetable = Timetable(windows=(NIGHT,), exceptions=(exam, free))
    active = {
        hour: is_active(timetable, in_shanghai(2026, 3, 2) + timedelta(hours=hour), calendar=CALENDAR)
        for hour in (1, 22, 23, 28, 29, 46, 47, 52, 70)
    }
    assert active == {1: True, 22: False, 23: True, 28: True, 29: False, 46: False, 47: False, 52: False, 70: True}


def test_days_that_nobody_can_mean_are_refused() -> None:
    for first, last in ((date(1991, 5, 1), date(1991, 5, 1)), (date(2026, 3, 2), date(2026, 3, 1))):
        with pytest.raises(ValueError, match="日期范围"):
            CURFEW.active_windows(first_day=first, last_day=last, calendar=CALENDAR)


def test_tables_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ValueError, match="weekdays"):
        Window(starts=time(1), ends=time(2), weekdays=frozenset({7}))
    with pytest.raises(ValueError, match="时区"):
        Window(starts=time(1, tzinfo=UTC), ends=time(2))
    with pytest.raises(ValueError, match="重复"):
        Timetable(windows=(), exceptions=(DayException(day=date(2026, 3, 3)),) * 2)


@given(st.dates(date(1992, 1, 1), date(2100, 1, 1)))
def test_day_begins_when_the_time_zone_data_says(day: date) -> None:
    assert day_start_us(day) == to_microseconds(datetime.combine(day, time(), tzinfo=LOCAL_TIME))
