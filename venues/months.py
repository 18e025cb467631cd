"""Months by the calendar, as the law counts them: to the day of the same number, whatever lies between. Pure."""

from calendar import monthrange
from datetime import date

MONTHS_PER_YEAR = 12


def same_day_after(begins_on: date, months: int) -> date:
    """The day of the same number so many months later, or the last day of that month where there is none."""
    if months < 0:
        raise ValueError(f"months = {months}：不得小于 0 must not be negative")
    month_count = begins_on.year * MONTHS_PER_YEAR + begins_on.month - 1 + months
    year, month = divmod(month_count, MONTHS_PER_YEAR)
    return date(year, month + 1, min(begins_on.day, last_of(year, month + 1)))


def last_of(year: int, month: int) -> int:
    """The number of the last day of a month."""
    return monthrange(year, month)[1]
