"""Rows of one order as the case that a case file would hold. Pure. Every cell that cannot be read is named."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from api.case_faults import Fault
from api.files.case_columns import CASE_COLUMNS, NOT_BLOCKED, WORDS
from api.files.cells import CellError, check_position, parse_datum_cell, parse_number
from geo.datum import to_wgs84
from tracking.local_time import LOCAL_TIME

Cells = Mapping[str, str]

_OF_ORDER = tuple(item.key for item in CASE_COLUMNS if item.of_order)
_INSTANTS = ("valid_from", "valid_to", "review_at", "consent_signed_at")
_HOURS = re.compile(r"(?:([1-7]+)\s+)?(\d{1,2}:\d\d)\s*[-–—~至]\s*(\d{1,2}:\d\d)(?:\s+(\S+))?")
_DAY = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?|(\d{4})(\d\d)(\d\d)")
_SERIAL = re.compile(r"(\d{5})(\.\d+)?")
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_WIDE_DIGITS = {code: code - 0xFEE0 for code in range(0xFF10, 0xFF1A)}
_WORDS_AS_TYPED = frozenset({"alias", "name", "address", "deciding_organ", "executing_organ", "document_number",
                             "legal_basis", "consent_document", "label", "recipient_name",
                             "recipient_unit"})  # fmt: skip
"""Columns in which full-width letters and brackets mean themselves. Digits never do."""
_SERIAL_ZERO = date(1899, 12, 30)
_DATE_HINT = "应写 2026-03-01 / write it as 2026-03-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row: its line in the file and its cells that are not empty, by column."""

    line: int
    cells: Cells


def plain_cell(key: str, text: str) -> str:
    """A cell without blanks around it, full-width digits as digits, and the apostrophe by which Excel marks text."""
    words = text.strip().translate(_WIDE_DIGITS if key in _WORDS_AS_TYPED else _WIDE).strip()
    return words[1:].strip() if words.startswith("'") else words


def case_of(entries: Sequence[Entry], recipients: Iterable[Entry]) -> tuple[dict[str, Any], list[Fault]]:
    """What a case file would hold, and what could not be read. ``recipients``: the rows of the person that name one."""
    rows = [entry.cells for entry in entries]
    case, faults = _of_order(rows)
    case["conditions"] = []
    for number, row in enumerate(_rows_of_conditions(rows)):
        condition, wrong = _condition(row)
        case["conditions"].append(condition)
        faults += [Fault(field=f"conditions.{number}.{item.field}", value=item.value, reason=item.reason)
                   for item in wrong]  # fmt: skip
    case["recipients"] = []
    for entry in recipients:
        found = _recipient(entry.cells)
        same = next((item for item in case["recipients"] if _is_same_person(item, found)), None)
        if same is None:
            case["recipients"].append(found)
        elif all(same.get(name, value) == value for name, value in found.items()):
            same.update(found)  # a row that says less, or more, of the same
        else:
            case["recipients"].append(found)
        if _SCIENTIFIC.fullmatch(entry.cells.get("recipient_phone", "")):
            faults.append(_eaten(f"recipients.{len(case['recipients']) - 1}.phone", entry.cells["recipient_phone"]))
    return case, faults


def entry_of(entries: Sequence[Entry], key: str, number: int | None) -> Entry:
    """The row that a fault is about: that of the condition or recipient with this number, else the first with a cell
    in the column, else the first.
    """
    first = "condition" if key not in _OF_ORDER and not key.startswith("recipient_") else key
    having = [entry for entry in entries if first in entry.cells]
    if number is not None and number < len(having):
        return having[number]
    return having[0] if having else entries[0]


def _of_order(rows: Sequence[Cells]) -> tuple[dict[str, Any], list[Fault]]:
    case: dict[str, Any] = {}
    faults: list[Fault] = []
    for key in _OF_ORDER:
        values = list(dict.fromkeys(row[key] for row in rows if key in row))
        if len(values) > 1:
            faults.append(
                Fault(
                    field=key,
                    value="" if key in {"name", "id_number", "address"} else "；".join(values),
                    reason="同一决定书各行不一致，请改成一致或只留一处 / differs between the rows of one order: make "
                    "them equal, or leave it in one row only",
                )
            )
        if values:
            case[key] = _word(key, values[0])
    for key in ("birth_date", *_INSTANTS):
        try:
            if key in case:
                case[key] = read_day(case[key], key).isoformat() if key == "birth_date" else _instant(case[key], key)
        except CellError as error:
            faults.append(Fault(field=key, value=error.value, reason=error.reason))
            del case[key]
    if _SCIENTIFIC.fullmatch(case.get("id_number", "")):
        faults.append(_eaten("id_number", ""))
    consent = {name: case.pop(key) for name in ("signed_at", "document", "by") if (key := f"consent_{name}") in case}
    if consent:
        case["consent"] = consent
    case["legal_basis"] = _many(case.get("legal_basis", ""))
    return case, faults


def _rows_of_conditions(rows: Iterable[Cells]) -> Iterator[Cells]:
    """Each condition once, however often its row was copied to name another recipient."""
    known: list[dict[str, str]] = []
    for row in rows:
        own = {key: value for key, value in row.items() if key not in _OF_ORDER and not key.startswith("recipient_")}
        if "condition" in own and own not in known:
            known.append(own)
            yield row


def _is_same_person(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one["role"] == other["role"] and one.get("phone") == other.get("phone")


def _recipient(row: Cells) -> dict[str, Any]:
    values: dict[str, Any] = {"role": _word("recipient_role", row["recipient_role"])}
    plain = ("name", "phone", "language", "email", "unit", "blocked_for")
    values |= {
        name: _word(f"recipient_{name}", row[f"recipient_{name}"]) for name in plain if f"recipient_{name}" in row
    }
    if "recipient_channels" in row:
        values["channels"] = [_word("recipient_channels", item) for item in _many(row["recipient_channels"])]
    if values.get("blocked_for") == NOT_BLOCKED:
        del values["blocked_for"]
        values["is_blocked"] = False
    return values


def _condition(row: Cells) -> tuple[dict[str, Any], list[CellError]]:
    condition: dict[str, Any] = {"kind": _word("condition", row["condition"])}
    condition |= {key: row[key] for key in ("zone_source", "zone", "label", "tolerance_m", "reason_code") if key in row}
    faults: list[CellError] = []
    if "categories" in row:
        condition["categories"] = [_word("categories", item) for item in _many(row["categories"])]
    if "longitude" in row or "latitude" in row:
        try:
            condition |= _circle(row)
        except CellError as error:
            faults.append(error)
    if "hours" in row:
        try:
            condition["timetable"] = {"windows": [_window(item) for item in _many(row["hours"])]}
        except CellError as error:
            faults.append(error)
        if "region" in row:
            condition.setdefault("timetable", {})["region"] = row["region"]
    if "parameters" in row:
        pairs = [item.partition("=") for item in row["parameters"].split()]
        condition["parameters"] = {name: value for name, _, value in pairs}
    if "is_protected" in row:
        condition["is_protected"] = _word("is_protected", row["is_protected"])
    return condition, faults


def _circle(row: Cells) -> dict[str, Any]:
    values = {key: parse_number(row.get(key, ""), field=key) for key in ("longitude", "latitude", "radius_m")}
    check_position(longitude=values["longitude"], latitude=values["latitude"])
    datum = parse_datum_cell(row.get("datum", ""), field="datum", default=None)
    longitude, latitude = to_wgs84(longitude=values["longitude"], latitude=values["latitude"], datum=datum)
    point = [round(float(longitude), 7), round(float(latitude), 7)]
    return {"geometry": {"type": "Point", "coordinates": point}, "radius_m": values["radius_m"]}


def _window(words: str) -> dict[str, Any]:
    match = _HOURS.fullmatch(words)
    if match is None:
        reason = "无法识别的时段，应写 22:00-06:00 或 12345 08:00-09:00 工作日 / no hours: write 22:00-06:00"
        raise CellError(field="hours", value=words, reason=reason)
    days, starts, ends, kinds = match.groups()
    window: dict[str, Any] = {"from": starts.zfill(5), "to": ends.zfill(5)}
    if days:
        window["weekdays"] = [int(day) - 1 for day in sorted(set(days))]
    if kinds:
        window["day_kinds"] = [_word("day_kinds", kind) for kind in re.split(r"[,，、]", kinds)]
    return window


def read_day(words: str, key: str) -> date:
    """A day as people and spreadsheets write it: 2026-03-01, 2026/3/1, 2026年3月1日, 20260301, or Excel's number 46082
    (days since 1899-12-30). Raises CellError.
    """
    serial, match = _SERIAL.fullmatch(words), _DAY.fullmatch(words)
    if serial is not None:
        return _SERIAL_ZERO + timedelta(days=int(serial.group(1)))
    if match is None:
        raise CellError(field=key, value=words, reason=f"不是日期，{_DATE_HINT}")
    try:
        return date(*[int(part) for part in match.groups() if part is not None])
    except ValueError as error:
        raise CellError(field=key, value=words, reason=f"没有这一天；{_DATE_HINT}, a day that there is") from error


def _instant(words: str, key: str) -> str:
    """An instant; a date is its first in Asia/Shanghai, or of ``valid_to`` the one after its last. 00:00 without an
    offset is how spreadsheets write a date.
    """
    try:
        found = datetime.fromisoformat(words)
        if found.tzinfo is not None:
            return found.isoformat()
    except ValueError:
        pass
    day, _, time = words.partition("T") if "T" in words else words.partition(" ")
    match = _TIME.fullmatch(time.strip())
    if time and match is None:
        raise CellError(field=key, value=words, reason=f"不是日期或时刻，{_DATE_HINT} or 2026-03-01 08:00")
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    serial = _SERIAL.fullmatch(day)
    past = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if serial is not None and serial.group(2):
        past = timedelta(minutes=round(float(serial.group(2)) * 1440))
    first = read_day(day, key)
    ends_day = key == "valid_to" and not past
    midnight = datetime(first.year, first.month, first.day, tzinfo=LOCAL_TIME)
    return (midnight + past + timedelta(days=ends_day)).isoformat()


def _eaten(field: str, value: str) -> Fault:
    return Fault(
        field=field,
        value=value,
        reason="Excel 把号码变成了科学计数，数字已丢失：请把该列设为“文本”后重新填写 / a spreadsheet turned the number "
        "into an exponent and lost its digits: make the column text and enter it again",
    )


def _word(key: str, value: str) -> str:
    return WORDS.get(key, {}).get(value, value)


def _many(cell: str) -> list[str]:
    return [item.strip() for item in re.split(r"[;；]", cell) if item.strip()]
