"""The first sheet of an Excel workbook as a table, in the form in which ``api.files.tables`` gives a CSV file."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zipfile import BadZipFile

from openpyxl import load_workbook

from api.files.errors import UnreadableFile
from api.files.tables import Row, Table
from venues.place import Rejected

SHEET_SUFFIXES = (".xlsx", ".xlsm")


def sheet_cell(value: object) -> str:
    """A cell as text: whole numbers without a point, days as ISO days."""
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


def read_sheet(path: Path) -> Table:
    """The rows below the header, which is the first line with two filled cells: a title above it is passed over.

    Raises UnreadableFile for what is no workbook, has no header, or names a column twice.
    """
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise UnreadableFile(f"{path.name}：不是 Excel 工作簿（.xlsx）/ is no Excel workbook (.xlsx)") from error
    try:
        lines = [[sheet_cell(value) for value in line] for line in book.worksheets[0].iter_rows(values_only=True)]
    finally:
        book.close()
    header = next((row for row, cells in enumerate(lines) if sum(map(bool, cells)) >= 2), None)
    if header is None:
        raise UnreadableFile(f"{path.name}：第一张表没有表头 / the first sheet has no header of two columns or more")
    columns = tuple(cell.casefold() for cell in lines[header])
    named = [column for column in columns if column]
    if twice := next((column for column in named if named.count(column) > 1), None):
        raise UnreadableFile(f"{path.name}：列名“{twice}”重复 / the header names column {twice!r} twice: rename one")
    return Table(file=path.name, columns=columns, rows=_rows(columns, lines[header + 1 :], after=header + 1))


def _rows(columns: tuple[str, ...], lines: list[list[str]], *, after: int) -> Iterator[Row | Rejected]:
    for line, cells in enumerate(lines, start=after + 1):
        if any(cells):
            yield Row(line=line, cells={name: cell for name, cell in zip(columns, cells, strict=False) if name})
