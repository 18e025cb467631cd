"""What was refused of a case file, in the form of that file, to be mended there and brought in again."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from api.files.case_columns import REJECT_COLUMNS, column_for, header_of
from api.files.case_tables import CaseTable, fill_as_text, lines_of_cases
from api.files.text import shown
from venues.place import Rejected

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def write_case_rejects(path: Path, source: CaseTable | Sequence[Any], rejected: Sequence[Rejected]) -> None:
    """Write the refused cases whole, with what is wrong: a workbook, CSV, or JSON, as ``source`` was and ``path`` is
    called. The file appears whole or not at all, for its owner only: it holds names and numbers. Raises OSError.
    """
    if isinstance(source, CaseTable):
        lines = _table_lines(source, rejected)
        content = _book(lines) if path.suffix.lower() == ".xlsx" else _csv(lines)
    else:
        content = _json(source, rejected)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def _table_lines(table: CaseTable, rejected: Sequence[Rejected]) -> list[list[str]]:
    """The header and each refused case's rows, the faults in the first of them."""
    known = [number for number, header in enumerate(table.headers) if header not in REJECT_COLUMNS]
    lines = [[*REJECT_COLUMNS, *(table.headers[number] for number in known)]]
    by_line: dict[int, list[Rejected]] = {}
    for item in rejected:
        by_line.setdefault(item.line, []).append(item)
    all_lines = lines_of_cases(table)
    for first, faults in sorted(by_line.items()):
        is_one = len(faults) == 1
        told = [
            "；".join(header_of(column_for(item.field)) for item in faults),
            "；".join(shown(item.value) for item in faults if item.value),
            "；".join(
                item.reason if is_one else f"{header_of(column_for(item.field))}：{item.reason}" for item in faults
            ),
        ]
        for line in all_lines.get(first, [first]):
            raw = table.raw.get(line, ())
            cells = [shown(raw[number], limit=1000) if number < len(raw) else "" for number in known]
            lines.append([str(line), *(told if line == first else ["", "", ""]), *cells])
    return lines


def _csv(lines: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[_inert(cell) for cell in line] for line in lines])
    return text.getvalue().encode("utf-8-sig")


def _book(lines: Sequence[Sequence[str]]) -> bytes:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "cases"
    fill_as_text(sheet, [[_inert(cell) for cell in line] for line in lines], rows=len(lines))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _json(items: Sequence[Any], rejected: Sequence[Rejected]) -> bytes:
    numbers = sorted({item.line for item in rejected})
    faults = [{"case": numbers.index(item.line) + 1, "number_in_file": item.line, "reference": item.reference,
               "field": item.field, "value": item.value, "reason": item.reason} for item in rejected]  # fmt: skip
    content = {"rejected": faults, "cases": [items[number - 1] for number in numbers]}
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode(errors="backslashreplace")


def _inert(cell: str) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
