"""A sheet of an Excel workbook as a table, in the form in which ``api.files.tables`` gives a CSV file."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import zip_longest
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


def read_sheet(path: Path, layer: str | None = None) -> Table:
    """The rows below the header, which is the first line with two filled cells: a title above it is passed over.

    Of the sheet that ``layer`` names, else of the only one that holds anything. Raises UnreadableFile for what is no
    workbook, has no header, or names a column twice, and where several sheets, hidden ones too, hold something and
    none is named.
    """
    sheet, lines = _chosen(_filled_sheets(path), path.name, layer)
    header = next((row for row, cells in enumerate(lines) if sum(map(bool, cells)) >= 2), None)
    if header is None:
        raise UnreadableFile(
            f"{path.name}：工作表“{sheet}”没有表头 / sheet {sheet!r} has no header of two columns or more"
        )
    columns = tuple(cell.casefold() for cell in lines[header])
    named = [column for column in columns if column]
    if twice := next((column for column in named if named.count(column) > 1), None):
        raise UnreadableFile(f"{path.name}：列名“{twice}”重复 / the header names column {twice!r} twice: rename one")
    return Table(file=path.name, columns=columns, rows=_rows(columns, lines[header + 1 :], after=header + 1))


def _filled_sheets(path: Path) -> dict[str, list[list[str]]]:
    """The cells of each sheet by its name, in the order of the book; of one that holds nothing no lines."""
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, OSError) as error:
        raise UnreadableFile(f"{path.name}：不是 Excel 工作簿（.xlsx）/ is no Excel workbook (.xlsx)") from error
    found: dict[str, list[list[str]]] = {}
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write A1 there, and what lies beyond would not be read
            lines = [[sheet_cell(value) for value in line] for line in sheet.iter_rows(values_only=True)]
            found[sheet.title] = lines if any(map(any, lines)) else []
    finally:
        book.close()
    return found


def _chosen(sheets: Mapping[str, list[list[str]]], file: str, layer: str | None) -> tuple[str, list[list[str]]]:
    filled = [name for name, lines in sheets.items() if lines]
    if layer is not None and layer not in sheets:
        raise UnreadableFile(
            f"{file}：没有工作表“{layer}” / has no sheet {layer!r}; its sheets are: {', '.join(sheets)}"
        )
    if layer is None and len(filled) > 1:
        raise UnreadableFile(
            f"{file}：有 {len(filled)} 张有内容的工作表（含隐藏的），请用 --layer 指定一张，其余另行导入 / has "
            f"{len(filled)} sheets that hold something, hidden ones too ({', '.join(filled)}): "
            "name one with --layer, and import the others after it"
        )
    name = layer if layer is not None else next(iter(filled or sheets))
    return name, sheets[name]


def _rows(columns: tuple[str, ...], lines: list[list[str]], *, after: int) -> Iterator[Row | Rejected]:
    for line, cells in enumerate(lines, start=after + 1):
        if any(cells):
            yield Row(line=line, cells={name: cell for name, cell in zip_longest(columns, cells, fillvalue="") if name})
