"""Cases from a table: CSV or Excel, in the columns of ``api.files.case_columns``. Rows of one order make one case."""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font

from api.case_file import CasesRead, check_cases
from api.files.case_columns import CASE_COLUMNS, WORDS, column_key
from api.files.errors import UnreadableFile, missing_column
from api.files.tables import read_table
from api.files.text import open_text
from tracking.order import LOCAL_TIME
from venues.place import Rejected

_NEEDED = ("reference", "document_number", "condition")
_OF_ORDER = tuple(item.key for item in CASE_COLUMNS if item.of_order)
_HOURS = re.compile(r"(?:([1-7]+)\s+)?(\d{1,2}:\d\d)\s*[-–—~至]\s*(\d{1,2}:\d\d)(?:\s+(\S+))?")

Cells = Mapping[str, str]


def read_case_table(path: Path) -> CasesRead:
    """Good cases and what is wrong with the others, by the line of their first row. Raises UnreadableFile."""
    rows, rejected = _excel_rows(path) if path.suffix.lower() == ".xlsx" else _csv_rows(path)
    items: list[tuple[int, dict[str, Any]]] = []
    for line, group in _orders(rows).values():
        try:
            items.append((line, _case(group)))
        except ValueError as error:
            reference = group[0].get("reference", "")
            rejected.append(Rejected(line=line, reference=reference, field="", value="", reason=str(error)))
    read = check_cases(items)
    return replace(read, rejected=(*rejected, *read.rejected))


def write_template(path: Path) -> None:
    """An empty table with its header, one example, and (Excel) what each column means. Raises FileExistsError."""
    headers, example = [item.header for item in CASE_COLUMNS], [item.example for item in CASE_COLUMNS]
    if path.suffix.lower() != ".xlsx":
        text = io.StringIO(newline="")
        csv.writer(text).writerows([headers, example])
        with path.open("xb") as stream:
            stream.write(text.getvalue().encode("utf-8-sig"))
        return
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "cases"
    sheet.append(headers)
    sheet.append(example)
    sheet.freeze_panes = "B2"
    for number in range(1, len(headers) + 1):
        sheet.cell(row=1, column=number).font = Font(bold=True)
        for row in range(2, 1002):
            sheet.cell(row=row, column=number).number_format = "@"  # text: Excel must not eat zeros or dates
    notes = book.create_sheet("说明 columns")
    notes.append(["列 column", "含义 meaning"])
    for item in CASE_COLUMNS:
        notes.append([item.header, item.meaning])
    with path.open("xb") as stream:
        book.save(stream)


def _csv_rows(path: Path) -> tuple[list[tuple[int, Cells]], list[Rejected]]:
    rows: list[tuple[int, Cells]] = []
    rejected: list[Rejected] = []
    with path.open("rb") as stream, open_text(stream) as text:
        table = read_table(text, file=path.name)
        keys = _keys(table.columns, path.name)
        for row in table.rows:
            if isinstance(row, Rejected):
                rejected.append(row)
            else:
                rows.append((row.line, _named(keys, row.cells.values())))
    return rows, rejected


def _excel_rows(path: Path) -> tuple[list[tuple[int, Cells]], list[Rejected]]:
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise UnreadableFile(f"{path.name}：不是 Excel 工作簿（.xlsx）/ is no Excel workbook (.xlsx)") from error
    try:
        lines = ([_cell(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True))
        numbered = [(number, cells) for number, cells in enumerate(lines, start=1) if any(cells)]
    finally:
        book.close()
    if not numbered:
        raise UnreadableFile(f"{path.name}：文件为空 / the file is empty")
    keys = _keys(numbered[0][1], path.name)
    return [(number, _named(keys, cells)) for number, cells in numbered[1:]], []


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime() if value.time() == datetime.min.time():
            return value.date().isoformat()
        case datetime():
            return value.isoformat(sep=" ", timespec="minutes")
        case float() if value.is_integer():
            return str(int(value))
    return str(value).strip()


def _keys(headers: Iterable[str], file: str) -> list[str | None]:
    headers = list(headers)
    keys = [column_key(header) for header in headers]
    for wanted in _NEEDED:
        if wanted not in keys:
            raise missing_column(file, wanted=wanted, accepted=(wanted,), found=tuple(headers))
    return keys


def _named(keys: Iterable[str | None], cells: Iterable[str]) -> Cells:
    return {key: cell.strip() for key, cell in zip(keys, cells, strict=False) if key is not None and cell.strip()}


def _orders(rows: Iterable[tuple[int, Cells]]) -> dict[tuple[str, str], tuple[int, list[Cells]]]:
    """Rows by person and document, each with the line of the first."""
    found: dict[tuple[str, str], tuple[int, list[Cells]]] = {}
    for line, cells in rows:
        key = (cells.get("reference", ""), cells.get("document_number", ""))
        found.setdefault(key, (line, []))[1].append(cells)
    return found


def _case(rows: list[Cells]) -> dict[str, Any]:
    """What a case file would hold. Raises ValueError for cells that cannot be read or contradict each other."""
    case: dict[str, Any] = {}
    for key in _OF_ORDER:
        values = {row[key] for row in rows if key in row}
        if len(values) > 1:
            raise ValueError(f"{key}：同一决定书各行不一致 / differs between rows of one order: {len(values)} values")
        if values:
            case[key] = _word(key, values.pop())
    for key in ("valid_from", "valid_to", "review_at", "consent_signed_at"):
        if key in case:
            case[key] = _instant(case[key], key, ends_day=key == "valid_to")
    consent = {
        name: case.pop(f"consent_{name}") for name in ("signed_at", "document", "by") if f"consent_{name}" in case
    }
    if consent:
        case["consent"] = consent
    case["legal_basis"] = _many(case.get("legal_basis", ""))
    case["conditions"] = [_condition(row) for row in rows if "condition" in row]
    case["recipients"] = [
        {
            "role": _word("recipient_role", row["recipient_role"]),
            "name": row.get("recipient_name", ""),
            "phone": row.get("recipient_phone", ""),
        }
        for row in rows
        if "recipient_role" in row
    ]
    return case


def _condition(row: Cells) -> dict[str, Any]:
    condition: dict[str, Any] = {"kind": _word("condition", row["condition"])}
    condition |= {key: row[key] for key in ("zone_source", "zone", "label", "tolerance_m", "reason_code") if key in row}
    if "categories" in row:
        condition["categories"] = [_word("categories", item) for item in _many(row["categories"])]
    if "longitude" in row or "latitude" in row:
        point = [_number(row, "longitude"), _number(row, "latitude")]
        condition["geometry"] = {"type": "Point", "coordinates": point}
        condition["radius_m"] = _number(row, "radius_m")
    if "hours" in row:
        condition["timetable"] = {"windows": [_window(item) for item in _many(row["hours"])]}
        if "region" in row:
            condition["timetable"]["region"] = row["region"]
    if "parameters" in row:
        pairs = [item.partition("=") for item in row["parameters"].split()]
        condition["parameters"] = {name: value for name, _, value in pairs}
    if "is_protected" in row:
        condition["is_protected"] = _word("is_protected", row["is_protected"])
    return condition


def _window(words: str) -> dict[str, Any]:
    match = _HOURS.fullmatch(words)
    if match is None:
        raise ValueError(f"hours：无法解析 cannot be read: {words}（如 such as 22:00-06:00）")
    days, starts, ends, kinds = match.groups()
    window: dict[str, Any] = {"from": starts.zfill(5), "to": ends.zfill(5)}
    if days:
        window["weekdays"] = [int(day) - 1 for day in sorted(set(days))]
    if kinds:
        window["day_kinds"] = [_word("day_kinds", kind) for kind in re.split(r"[,，、]", kinds)]
    return window


def _word(key: str, value: str) -> str:
    return WORDS.get(key, {}).get(value, value)


def _many(cell: str) -> list[str]:
    return [item.strip() for item in re.split(r"[;；]", cell) if item.strip()]


def _number(row: Cells, key: str) -> float:
    try:
        return float(row[key])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{key}：须为数字 must be a number") from error


def _instant(words: str, key: str, *, ends_day: bool) -> str:
    """A date is its first instant in Asia/Shanghai, or (``ends_day``) the one after its last."""
    try:
        if len(words) == len("2026-03-01"):
            day = date.fromisoformat(words) + timedelta(days=1) * ends_day
            return datetime(day.year, day.month, day.day, tzinfo=LOCAL_TIME).isoformat()
        found = datetime.fromisoformat(words)
    except ValueError as error:
        raise ValueError(f"{key}：须为日期或时刻 must be a date or an instant such as 2026-03-01") from error
    return (found if found.tzinfo is not None else found.replace(tzinfo=LOCAL_TIME)).isoformat()
