"""Days as registers write them, and the day after one. Pure."""

import re
from datetime import date, timedelta

_DAY = re.compile(r"(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?: 00:00(?::00)?)?")


def parse_day(text: str) -> date:
    """The calendar day that ``text`` names: 2026-11-22, 2026/11/22, 2026.11.22, 2026年11月22日, 20261122.

    Raises ValueError for anything else, a year or a month without a day included.
    """
    found = _DAY.fullmatch(text)
    return date.fromisoformat(text) if found is None else date(*(int(part) for part in found.groups() if part))


def day_after(day: date | None) -> date | None:
    """The next day; ``None`` after none, and after the last that there is: 9999-12-31, as registers write 长期."""
    return None if day is None or day == date.max else day + timedelta(days=1)
