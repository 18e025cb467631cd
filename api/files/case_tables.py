"""Cases from a table: CSV or Excel, in the columns of ``api.files.case_columns``. Rows of one order make one case."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Font
from openpyxl.utils.datetime import from_excel
from openpyxl.worksheet.worksheet import Worksheet

from api.case_faults import Fault
from api.case_file import CaseIn, CasesRead, check_case
from api.files.case_columns import CASE_COLUMNS, DATES, REJECT_COLUMNS, column_for, column_key, wanted_words
from api.files.case_rows import Entry, case_of, entry_of, plain_cell
from api.files.errors import UnreadableFile, missing_column
from api.files.sheets import sheet_cell
from api.files.tables import read_table
from api.files.text import open_text
from venues.place import Rejected

_NEEDED = ("reference", "document_number", "condition")
_MERGED_DOWN = frozenset(item.key for item in CASE_COLUMNS if item.of_order)
_HEADER_WITHIN = 10
_CASES_SHEET, _NOTES_SHEET = "cases", "说明 columns"
_EXCEL, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseTable:
    """A file as it stands. ``raw``: the cells of each line, in the order of ``headers``; ``broken``: lines that cannot
    be split into cells.
    """

    headers: tuple[str, ...]
    keys: tuple[str | None, ...]
    raw: Mapping[int, tuple[str, ...]]
    broken: tuple[Rejected, ...] = ()
    unread_sheets: tuple[str, ...] = ()
    """Sheets of the workbook beside the one called ``cases`` that hold something."""

    def entries(self) -> list[Entry]:
        """Rows that hold anything, in the order of the file."""
        found = []
        for line, cells in self.raw.items():
            named = {key: plain_cell(key, cell) for key, cell in zip(self.keys, cells, strict=False) if key is not None}
            if own := {key: cell for key, cell in named.items() if cell}:
                found.append(Entry(line=line, cells=own))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The rows of one order, or one row that belongs to none. ``faults``: what is wrong before its cells are read."""

    entries: tuple[Entry, ...]
    faults: tuple[Fault, ...] = ()


def read_case_table(path: Path) -> CasesRead:
    """As :func:`cases_in`, of a file. Raises UnreadableFile, MissingColumn."""
    return cases_in(open_case_table(path))


def cases_in(table: CaseTable) -> CasesRead:
    """Good cases and what is wrong with the others, by the line of their first row.

    A row that cannot be placed costs its whole order, or orders that it may belong to: a part of an order is none.
    """
    entries, notes = _without_repeats(table.entries())
    recipients: dict[str, list[Entry]] = {}
    for entry in entries:
        if "recipient_role" in entry.cells and "reference" in entry.cells:
            recipients.setdefault(entry.cells["reference"], []).append(entry)
    cases: list[CaseIn] = []
    lines: list[int] = []
    rejected = list(table.broken)
    for group in _groups(entries, table.broken):
        first = group.entries[0]
        person = first.cells.get("reference", "")
        content, unread = case_of(group.entries, recipients.get(person, ()))
        case, faults = check_case(content)
        found = _named_faults(group, unread, faults, content)
        rejected += [
            Rejected(line=first.line, reference=person, field=item.field, value=item.value, reason=item.reason)
            for item in found
        ]
        if case is not None and not found:
            cases.append(case)
            lines.append(first.line)
    ignored = [header for header, key in zip(table.headers, table.keys, strict=True) if key is None and header.strip()]
    if unknown := [header for header in ignored if header not in REJECT_COLUMNS]:
        notes.append(f"未识别的列，已忽略 columns not known and not read: {'、'.join(unknown)}")
    if table.unread_sheets:
        notes.append(f"未读取的工作表 sheets that were not read: {'、'.join(table.unread_sheets)}")
    return CasesRead(cases=tuple(cases), rejected=tuple(rejected), lines=tuple(lines), notes=tuple(notes))


def lines_of_cases(table: CaseTable) -> dict[int, list[int]]:
    """The lines of each case by its first."""
    groups = _groups(table.entries(), table.broken)
    return {group.entries[0].line: [entry.line for entry in group.entries] for group in groups}


def _named_faults(
    group: _Group, unread: Sequence[Fault], faults: Sequence[Fault], content: Mapping[str, Any]
) -> list[Fault]:
    """What is wrong by column of the table; a cell that was not read is not missing as well."""
    found: dict[str, Fault] = {fault.field: fault for fault in (*group.faults, *unread)}
    columns = {column_for(field) for field in found}
    whole_conditions = {f"conditions.{number}" for number in range(len(content["conditions"]))}
    for fault in faults:
        is_consequence = fault.field in whole_conditions and any(name.startswith(fault.field) for name in found)
        if column_for(fault.field) not in columns and not is_consequence:
            found[fault.field] = fault
    told = []
    for field, fault in found.items():
        key = column_for(field)
        number = next((int(part) for part in field.split(".") if part.isdigit()), None)
        cell = entry_of(group.entries, key, number).cells.get(key, "")
        is_personal = key in {"name", "id_number", "address", "recipient_name", "recipient_phone", "recipient_email"}
        value = "" if is_personal else fault.value or cell
        told.append(Fault(field=key, value=value, reason=wanted_words(key, fault.reason)))
    return told


def _without_repeats(entries: Iterable[Entry]) -> tuple[list[Entry], list[str]]:
    kept: list[Entry] = []
    notes: list[str] = []
    known: dict[tuple[tuple[str, str], ...], int] = {}
    for entry in entries:
        content = tuple(sorted(entry.cells.items()))
        if (first := known.setdefault(content, entry.line)) == entry.line:
            kept.append(entry)
        else:
            notes.append(
                f"第 {entry.line} 行与第 {first} 行完全相同，只取一次"
                f" / line {entry.line} repeats line {first} and was taken once"
            )
    return kept, notes


def _groups(entries: Sequence[Entry], broken: Sequence[Rejected]) -> list[_Group]:
    """Rows by person and document. A further row without its document belongs to the person's only one."""
    documents: dict[str, list[str]] = {}
    for entry in entries:
        if (number := entry.cells.get("document_number")) and (person := entry.cells.get("reference")):
            documents.setdefault(person, [])
            documents[person] += [number] if number not in documents[person] else []
    found: dict[tuple[str, str], list[Entry]] = {}
    alone: list[_Group] = []
    spoiled: dict[tuple[str, str], Fault] = {}
    for entry in entries:
        person, number = entry.cells.get("reference", ""), entry.cells.get("document_number", "")
        own = documents.get(person, [])
        if not person:
            alone.append(_Group(entries=(entry,)))
            spoiled |= {(name, number): _spoiled("reference", entry.line) for name in documents if number}
        elif not number and len(own) > 1:
            alone.append(_Group(entries=(entry,)))
            spoiled |= {(person, item): _spoiled("document_number", entry.line) for item in own}
        else:
            found.setdefault((person, number or next(iter(own), "")), []).append(entry)
    for row in broken:
        named = [key for key in found if all(part and part in row.value for part in key)]
        spoiled |= {key: _spoiled("reference", row.line) for key in named}
    groups = [_Group(entries=tuple(rows), faults=(spoiled[key],) if key in spoiled else ())
              for key, rows in found.items()]  # fmt: skip
    return sorted([*groups, *alone], key=lambda group: group.entries[0].line)


def _spoiled(field: str, line: int) -> Fault:
    return Fault(
        field=field,
        value="",
        reason=f"第 {line} 行可能属于这份决定书但无法归入，整份未导入：请先改好第 {line} 行"
        f" / line {line} may be of this order and cannot be placed: mend line {line}, none of the order was taken",
    )


def write_template(path: Path) -> None:
    """An empty table with its header, one example, and (Excel) what each column means. Raises UnreadableFile where a
    file is there already.
    """
    headers, example = [item.header for item in CASE_COLUMNS], [item.example for item in CASE_COLUMNS]
    try:
        if path.suffix.lower() == ".xlsx":
            with path.open("xb") as stream:
                _template_book(headers, example).save(stream)
            return
        text = io.StringIO(newline="")
        csv.writer(text).writerows([headers, example])
        with path.open("xb") as stream:
            stream.write(text.getvalue().encode("utf-8-sig"))
    except FileExistsError as error:
        raise UnreadableFile(
            f"{path}：文件已存在，未覆盖，请换一个文件名 / is there already and was left alone: name another file"
        ) from error


def _template_book(headers: Sequence[str], example: Sequence[str]) -> Workbook:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = _CASES_SHEET
    fill_as_text(sheet, [headers, example], rows=1001)
    notes = book.create_sheet(_NOTES_SHEET)
    notes.append(["列 column", "含义 meaning"])
    for item in CASE_COLUMNS:
        notes.append([item.header, item.meaning])
    return book


def fill_as_text(sheet: Worksheet, lines: Sequence[Sequence[str]], *, rows: int) -> None:
    """Lines, the first bold, every cell text up to so many rows: Excel must not eat zeros or dates."""
    for line in lines:
        sheet.append(list(line))
    sheet.freeze_panes = "B2"
    for number in range(1, len(lines[0]) + 1):
        sheet.cell(row=1, column=number).font = Font(bold=True)
        for row in range(2, rows + 1):
            sheet.cell(row=row, column=number).number_format = "@"


def open_case_table(path: Path) -> CaseTable:
    """The table in a CSV file or workbook, told apart by content. Raises UnreadableFile, MissingColumn."""
    return case_table_in(path.read_bytes(), name=path.name)


def case_table_in(content: bytes, *, name: str) -> CaseTable:
    """The same of the content of a file, which messages call by its name."""
    head = content[:4]
    if head == _OLD_EXCEL:
        raise UnreadableFile(
            f"{name}：旧版 Excel（.xls）或带密码的工作簿，请另存为不加密的 .xlsx"
            " / an old or encrypted workbook: save it as .xlsx without a password"
        )
    is_book = head == _EXCEL or name.lower().endswith(".xlsx")
    return _open_book(io.BytesIO(content), name) if is_book else _open_csv(io.BytesIO(content), name)


def _open_csv(stream: io.BytesIO, name: str) -> CaseTable:
    with open_text(stream) as text:
        table = read_table(text, file=name)
        rows = list(table.rows)
    return CaseTable(
        headers=table.columns,
        keys=_keys(table.columns, name),
        raw={row.line: tuple(row.cells.values()) for row in rows if not isinstance(row, Rejected)},
        broken=tuple(row for row in rows if isinstance(row, Rejected)),
    )


def _open_book(stream: io.BytesIO, name: str) -> CaseTable:
    try:
        book = load_workbook(stream, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise UnreadableFile(f"{name}：不是 Excel 工作簿（.xlsx）/ is no Excel workbook (.xlsx)") from error
    sheet, unread = _sheet_of_cases(book, name)
    values = [list(row) for row in sheet.iter_rows(values_only=True)]
    numbered = [(line, [sheet_cell(value) for value in row]) for line, row in enumerate(values, start=1)]
    filled = [item for item in numbered if any(item[1])]
    if not filled:
        raise UnreadableFile(f"{name}：文件为空 / the file is empty")
    is_header = (set(_NEEDED) <= set(map(column_key, cells)) for _, cells in filled[:_HEADER_WITHIN])
    header = next((item for item, found in zip(filled, is_header, strict=False) if found), filled[0])
    keys = _keys(header[1], name)
    for area in sheet.merged_cells.ranges:
        if keys[area.min_col - 1] in _MERGED_DOWN:
            for line in range(area.min_row, area.max_row + 1):
                values[line - 1][area.min_col - 1] = values[area.min_row - 1][area.min_col - 1]
    return CaseTable(
        headers=tuple(header[1]),
        keys=keys,
        raw={
            line: tuple(
                sheet_cell(from_excel(value, book.epoch) if _is_serial(value, key) else value)
                for key, value in zip(keys, values[line - 1], strict=True)
            )
            for line, cells in numbered
            if line > header[0] and any(cells)
        },
        unread_sheets=unread,
    )


def _sheet_of_cases(book: Workbook, file: str) -> tuple[Worksheet, tuple[str, ...]]:
    """The sheet called ``cases``, else the only one that holds anything; and what others hold something."""
    filled = [
        sheet
        for sheet in book.worksheets
        if sheet.title != _NOTES_SHEET
        and any(sheet_cell(value) for row in sheet.iter_rows(values_only=True) for value in row)
    ]
    if _CASES_SHEET not in book.sheetnames and len(filled) > 1:
        names = ", ".join(sheet.title for sheet in filled)
        raise UnreadableFile(
            f"{file}：有 {len(filled)} 张有内容的工作表（含隐藏的），请只留一张，或把案件所在的一张命名为 cases"
            f" / has {len(filled)} sheets that hold something, hidden ones too ({names}): leave one, or call the one "
            "with the cases 'cases'"
        )
    named = [book[_CASES_SHEET]] if _CASES_SHEET in book.sheetnames else []
    chosen = (named or filled or book.worksheets)[0]
    return chosen, tuple(sheet.title for sheet in filled if sheet.title != chosen.title)


def _is_serial(value: object, key: str | None) -> bool:
    """Whether a number in a column of dates is a day as Excel counts them, by the book's own epoch."""
    return key in DATES and isinstance(value, int | float) and not isinstance(value, bool) and 1 < value < 100_000


def _keys(headers: Sequence[str], file: str) -> tuple[str | None, ...]:
    keys = tuple(column_key(header) for header in headers)
    for wanted in _NEEDED:
        if wanted not in keys:
            accepted = next((item.zh, item.key) for item in CASE_COLUMNS if item.key == wanted)
            raise missing_column(file, wanted=wanted, accepted=accepted, found=tuple(headers))
    twice = next((key for key in keys if key is not None and keys.count(key) > 1), None)
    if twice is not None:
        raise UnreadableFile(f"{file}：{twice} 有两列，请删去一列 / two columns are {twice}: remove one")
    return keys
