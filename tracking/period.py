"""Periods of criminal procedure counted in calendar days and months (刑诉法 105).

The day on which a period begins is not counted (105(2)), so a period of months ends with the day of the same number,
at 24:00: "自本月某日至下月同日为一个月". Begun on the last day of a month it ends on the last day of a month; where the
number does not exist, on the last day too (最高法关于适用刑诉法的解释 202). All dates are days of Asia/Shanghai.
"""

from datetime import date, datetime, time, timedelta

from tracking.calendar import WorkCalendar
from tracking.local_time import LOCAL_TIME
from venues.months import last_of, same_day_after

_DAY = timedelta(days=1)


def months_end(begins_on: date, months: int) -> date:
    """The last day of a period of so many months. Raises ValueError for a negative number.

    Never moved past a rest day: 105(4) does that for acts to be done in time, and not for time in custody; what limits
    a person's liberty gains no day by it either. For deadlines of an office see :func:`moved_past_rest_days`.
    """
    same_day = same_day_after(begins_on, months)
    if begins_on.day == last_of(begins_on.year, begins_on.month):
        return same_day.replace(day=last_of(same_day.year, same_day.month))
    return same_day


def days_end(begins_on: date, days: int) -> date:
    """The last day of a period of so many days: the day it begins on is not counted (105(2))."""
    if days < 0:
        raise ValueError(f"days = {days}：不得小于 0 must not be negative")
    return begins_on + _DAY * days


def moved_past_rest_days(last_day: date, calendar: WorkCalendar) -> date:
    """The day itself, or the first workday after the rest days it lies among (105(4)): for what an office must do.

    Never for the end of a measure: see :func:`months_end`. Raises CalendarMissingError for a year without data.
    """
    while calendar.is_rest_day(last_day):
        last_day += _DAY
    return last_day


def moved_before_rest_days(day: date, calendar: WorkCalendar) -> date:
    """The day itself, or the last workday before the rest days it lies among: for what must be seen in time."""
    while calendar.is_rest_day(day):
        day -= _DAY
    return day


def day_begins_at(day: date) -> datetime:
    """00:00 of a day in Asia/Shanghai, aware."""
    return datetime.combine(day, time(), tzinfo=LOCAL_TIME)


def day_ends_at(day: date) -> datetime:
    """24:00 of a day in Asia/Shanghai, aware: the first instant that no longer belongs to it."""
    return day_begins_at(day + _DAY)
