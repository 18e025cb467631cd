"""A timetable as JSON, the form in which case files and the database hold it. Pure.

``{"windows": [{"from": "22:00", "to": "06:00", "weekdays": [0, 1], "day_kinds": ["school_eve"]}], "exceptions":
[{"day": "2026-10-01", "windows": [["20:00", "23:00"]]}], "region": "320300"}``. Weekdays count from Monday 0; without
them every day is meant, without ``day_kinds`` days of any kind.
"""

from collections.abc import Mapping
from datetime import date, time
from typing import Any

from tracking.calendar import DayKind
from tracking.timetable import DayException, Timetable, Window

_EVERY_DAY = list(range(7))
_KEYS = {"windows", "exceptions", "region"}


def timetable_to_json(timetable: Timetable) -> dict[str, Any]:
    """The one form of a timetable: equal timetables are equal here."""
    content: dict[str, Any] = {"windows": [_window_to_json(window) for window in timetable.windows]}
    if timetable.exceptions:
        content["exceptions"] = [
            {"day": item.day.isoformat(), "windows": [[_clock(starts), _clock(ends)] for starts, ends in item.windows]}
            for item in timetable.exceptions
        ]
    if timetable.region is not None:
        content["region"] = timetable.region
    return content


def timetable_from_json(content: object) -> Timetable:
    """Raises ValueError, naming the entry, for what is no timetable; one with nothing in it is none."""
    entry = _keys(content, _KEYS, "timetable")
    windows, exceptions, region = entry.get("windows", []), entry.get("exceptions", []), entry.get("region")
    if not isinstance(windows, list) or not isinstance(exceptions, list) or not (windows or exceptions):
        raise ValueError("timetable：须有 windows 或 exceptions 列表 / needs a list of windows or of exceptions")
    if region is not None and not isinstance(region, str):
        raise ValueError("timetable.region：须为行政区划代码 / must be an adcode such as 320300")
    return Timetable(
        windows=tuple(_window(item, f"timetable.windows[{number}]") for number, item in enumerate(windows)),
        exceptions=tuple(_exception(item, f"timetable.exceptions[{number}]") for number, item in enumerate(exceptions)),
        region=region,
    )


def _window_to_json(window: Window) -> dict[str, Any]:
    content: dict[str, Any] = {"from": _clock(window.starts), "to": _clock(window.ends)}
    if sorted(window.weekdays) != _EVERY_DAY:
        content["weekdays"] = sorted(window.weekdays)
    if window.day_kinds:
        content["day_kinds"] = sorted(window.day_kinds)
    return content


def _window(content: object, where: str) -> Window:
    entry = _keys(content, {"from", "to", "weekdays", "day_kinds"}, where)
    weekdays, kinds = entry.get("weekdays", _EVERY_DAY), entry.get("day_kinds", [])
    if not isinstance(weekdays, list) or not all(type(day) is int for day in weekdays):
        raise ValueError(f"{where}.weekdays：须为 0（周一）至 6 的列表 / must be a list of 0 (Monday) to 6")
    try:
        day_kinds = frozenset(DayKind(kind) for kind in kinds)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}.day_kinds：须取自 must be among {', '.join(DayKind)}") from error
    return Window(
        starts=_time(entry.get("from"), f"{where}.from"),
        ends=_time(entry.get("to"), f"{where}.to"),
        weekdays=frozenset(weekdays),
        day_kinds=day_kinds,
    )


def _exception(content: object, where: str) -> DayException:
    entry = _keys(content, {"day", "windows"}, where)
    spans = entry.get("windows", [])
    if not isinstance(spans, list) or not all(isinstance(span, list) and len(span) == 2 for span in spans):
        raise ValueError(f'{where}.windows：须为 [["20:00", "23:00"]] 形式 / must be a list of pairs of clock times')
    try:
        day = date.fromisoformat(str(entry.get("day")))
    except ValueError as error:
        raise ValueError(f"{where}.day：须为日期 must be a date such as 2026-10-01") from error
    return DayException(day=day, windows=tuple((_time(a, where), _time(b, where)) for a, b in spans))


def _keys(content: object, allowed: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"{where}：须为对象 must be an object")
    if unknown := set(content) - allowed:
        raise ValueError(f"{where}：不认识 unknown: {', '.join(sorted(unknown))}")
    return content


def _time(value: object, where: str) -> time:
    try:
        found = time.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise ValueError(f"{where}：须为当地钟点 must be a local clock time such as 22:00")
    return found


def _clock(value: time) -> str:
    return value.isoformat(timespec="minutes" if value.second == value.microsecond == 0 else "auto")
