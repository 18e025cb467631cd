"""Cells of a table as values. Pure. A cell that cannot be read says which field, which value and what to do."""

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo

from api.files.text import is_damaged, shown
from geo.datum import Datum, parse_datum
from geo.position import find_position_fault
from venues.calendar_day import parse_day
from venues.place import Rejected

_ABSENT = {"", "nan", "null", "none", "na", "n/a", "\\n", "无", "暂无", "-", "--", "—", "——", "/"}
_YES = {"true", "1", "yes", "y", "t", "是"}
_NO = {"false", "0", "no", "n", "f", "否"}


class CellError(ValueError):
    """One cell that cannot be taken: ``field``, ``value`` and ``reason`` (Chinese first)."""

    def __init__(self, *, field: str, value: str, reason: str) -> None:
        self.field = field
        self.value = value
        self.reason = reason
        super().__init__(f"{field}: {reason}")

    def rejected(self, *, line: int, reference: str) -> Rejected:
        """The row's rejection."""
        return Rejected(
            line=line, reference=shown(reference), field=self.field, value=shown(self.value), reason=self.reason
        )


def check_storable(cells: Mapping[str, str]) -> None:
    """Raises CellError with the first field whose text holds broken characters or a NUL."""
    for field, text in cells.items():
        if is_damaged(text):
            reason = "含损坏字符 / holds broken characters: save the file as UTF-8"
            raise CellError(field=field, value=text, reason=reason)


def is_absent(text: str) -> bool:
    """True for a blank cell and for the words by which tools write "no value"."""
    return text.strip().casefold() in _ABSENT


def parse_number(text: str, *, field: str) -> float:
    """A finite number. Raises CellError for a blank, NaN, infinite or other text."""
    if is_absent(text):
        raise CellError(field=field, value=text, reason="缺值 / missing: a number is needed")
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if "_" in text or not math.isfinite(number):
        raise CellError(field=field, value=text, reason="不是数字 / not a number: write digits with a decimal point")
    return number


def parse_optional_number(text: str, *, field: str) -> float | None:
    """As :func:`parse_number`, and ``None`` for an absent value."""
    return None if is_absent(text) else parse_number(text, field=field)


def parse_flag(text: str, *, field: str) -> bool:
    """A yes or no, in Chinese, English or 1/0. Raises CellError for anything else, a blank included."""
    word = text.strip().casefold()
    if word in _YES or word in _NO:
        return word in _YES
    raise CellError(field=field, value=text, reason="应填 是/否 / write true or false")


def parse_datum_cell(text: str, *, field: str, default: Datum | None) -> Datum:
    """The datum a row states, or ``default`` where it says nothing. Raises CellError if neither does."""
    if is_absent(text):
        if default is None:
            raise CellError(
                field=field, value=text, reason="未注明坐标系 / no datum: write WGS84, GCJ02, BD09 or CGCS2000"
            )
        return default
    try:
        return parse_datum(text)
    except ValueError as error:
        reason = "坐标系无法识别 / unknown datum: write WGS84, GCJ02, BD09 or CGCS2000"
        raise CellError(field=field, value=text, reason=reason) from error


def check_position(*, longitude: float, latitude: float) -> None:
    """Raises CellError for a position (degrees, any datum) off the Earth, at 0,0, or with its two numbers swapped."""
    fault = find_position_fault(longitude=longitude, latitude=latitude)
    if fault is not None:
        raise CellError(field=fault.field, value=f"{longitude}, {latitude}", reason=fault.reason)


def parse_instant(text: str, *, field: str, timezone: tzinfo | None, is_date_enough: bool = False) -> datetime:
    """An instant, aware, in UTC, from ISO 8601 (fractions beyond microseconds are cut).

    A time without an offset is read in ``timezone``; without one it is refused, and so is a local time that a change of
    clocks skips or repeats. A bare date is midnight if ``is_date_enough``. Raises CellError.
    """
    trimmed = text.strip()
    if is_absent(trimmed):
        raise CellError(field=field, value=text, reason="缺值 / missing: an ISO 8601 time is needed")
    try:
        instant = datetime.fromisoformat(trimmed)
    except ValueError as error:
        reason = "时间格式有误 / not an ISO 8601 time: write 2024-05-01T08:30:00+08:00"
        raise CellError(field=field, value=text, reason=reason) from error
    if len(trimmed) <= len("2024-05-01") and not is_date_enough:
        raise CellError(
            field=field, value=text, reason="只有日期 / a date without a time: write 2024-05-01T08:30:00+08:00"
        )
    return to_utc(instant, field=field, value=text, timezone=timezone)


def to_utc(instant: datetime, *, field: str, value: str, timezone: tzinfo | None) -> datetime:
    """``instant`` in UTC; a naive one is read in ``timezone``. ``value`` is how the file wrote it. Raises CellError."""
    if instant.tzinfo is None:
        instant = _in_timezone(instant, timezone, field=field, value=value)
    try:
        return instant.astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise CellError(field=field, value=value, reason="时间超出范围 / the time is out of range") from error


def _in_timezone(naive: datetime, timezone: tzinfo | None, *, field: str, value: str) -> datetime:
    if timezone is None:
        raise CellError(
            field=field,
            value=value,
            reason="时间未带时区 / the time has no offset: write +08:00 after it, or add --timezone Asia/Shanghai",
        )
    first, second = naive.replace(tzinfo=timezone, fold=0), naive.replace(tzinfo=timezone, fold=1)
    if first.utcoffset() != second.utcoffset():
        reason = (
            "该时刻因夏令时重复或不存在 / the clocks changed then: this local time is twice or never, write its offset"
        )
        raise CellError(field=field, value=value, reason=reason)
    return first


def parse_optional_day(text: str, *, field: str) -> date | None:
    """A calendar day, ``None`` for an absent value. Raises CellError for other text, a bare year included."""
    if is_absent(text):
        return None
    try:
        return parse_day(text.strip())
    except ValueError as error:
        reason = "不是日期，请写成 2026-11-22 / no day: write it as 2026-11-22"
        raise CellError(field=field, value=text, reason=reason) from error


def parse_epoch_seconds(value: float, *, field: str) -> datetime:
    """The instant ``value`` seconds after 1970-01-01 UTC. Raises CellError when no calendar has it."""
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=value)
    except (OverflowError, ValueError) as error:
        raise CellError(field=field, value=str(value), reason="时间超出范围 / the time is out of range") from error
