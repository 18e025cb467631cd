"""Rows of a delimited text file, each with its line, so that a bad row can be named and a good one is never lost."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TextIO, TypeVar

from api.files.errors import UnreadableFile, missing_column
from api.files.text import is_damaged, shown
from venues.place import Rejected

TABLE_SUFFIXES = (".csv", ".tsv", ".txt")

_REPORT_EVERY = 1000
_DELIMITERS = (",", ";", "\t")
_LONGEST_RECORD_LINES = 20  # a quoted cell may hold line ends; one that never closes must not swallow the file

Record = TypeVar("Record")
Progress = Callable[[int], None]
"""Told how many records were read since it was last called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record: its cells by column name in lower case, and its 1-based line."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A header, in lower case, and its records, to be read once; a record that cannot be split is a ``Rejected``."""

    file: str
    columns: tuple[str, ...]
    rows: Iterator[Row | Rejected]

    def column(self, accepted: tuple[str, ...]) -> str | None:
        """The first of ``accepted`` (lower case) that is a column of the file in any case; ``None`` if none is."""
        return next((name for name in accepted if name in self.columns), None)

    def need(self, wanted: str, accepted: tuple[str, ...]) -> str:
        """As :meth:`column`, but raises MissingColumn."""
        found = self.column(accepted)
        if found is None:
            raise missing_column(self.file, wanted=wanted, accepted=accepted, found=self.columns)
        return found


def counted(records: Iterable[Record], progress: Progress | None) -> Iterator[Record]:
    """``records``, and every 1,000 of them and at the end a word to ``progress``."""
    unreported = 0
    for record in records:
        unreported += 1
        if progress is not None and unreported == _REPORT_EVERY:
            progress(unreported)
            unreported = 0
        yield record
    if progress is not None and unreported:
        progress(unreported)


def read_table(stream: TextIO, *, file: str) -> Table:
    """The table in ``stream`` (opened with ``newline=""``), separated by ``,``, ``;`` or tab as its header shows.

    Raises UnreadableFile for an empty file, a header that names a column twice, or a header without a second column.
    """
    lines = _Lines(stream)
    header = next((line for line in lines if line.strip("\r\n \t,;")), None)
    if header is None:
        raise UnreadableFile(f"{file}：文件为空 / the file is empty: a table with a header line is needed")
    delimiter = max(_DELIMITERS, key=header.count)
    cells, _ = _split([header.lstrip("\ufeff")], delimiter)
    columns = tuple(cell.strip().casefold() for cell in cells or ())
    named = [column for column in columns if column]
    twice = next((column for column in named if named.count(column) > 1), None)
    if twice is not None:
        raise UnreadableFile(f"{file}：列名“{twice}”重复 / the header names column {twice!r} twice: rename one")
    if len(named) < 2:
        raise UnreadableFile(
            f"{file}：第一行不是表头 / the first line is not a header of columns separated by , ; or tab"
        )
    return Table(file=file, columns=columns, rows=_records(lines, columns, delimiter))


class _Lines:
    """Physical lines that can be put back; ``number`` is the 1-based number of the line handed out last."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = iter(stream)
        self._returned: list[str] = []
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._returned.pop() if self._returned else next(self._stream)
        self.number += 1
        return line

    def put_back(self, lines: list[str]) -> None:
        self._returned.extend(reversed(lines))
        self.number -= len(lines)


def _records(lines: _Lines, columns: tuple[str, ...], delimiter: str) -> Iterator[Row | Rejected]:
    for line in lines:
        number = lines.number
        if '"' in line:
            cells, problem = _quoted_record(line, lines, delimiter, len(columns))
        else:
            cells, problem = line.rstrip("\r\n").split(delimiter), ""
        if cells is None:
            yield _rejected(number, line, problem)
        elif not any(cell.strip() for cell in cells):
            continue
        elif len(cells) != len(columns) and not _has_only_blanks_to_spare(cells, columns):
            yield _rejected(
                number,
                line,
                f"列数不符，应为 {len(columns)} 列 / {len(cells)} columns instead of {len(columns)}: "
                "put a cell that holds the separator in double quotes",
            )
        elif any(map(is_damaged, cells)):
            yield _rejected(
                number,
                line,
                "含无法解码的字节 / holds broken bytes or a NUL: save the file again as UTF-8",
            )
        else:
            yield Row(line=number, cells=dict(zip(columns, cells, strict=False)))


def _has_only_blanks_to_spare(cells: list[str], columns: tuple[str, ...]) -> bool:
    return len(cells) > len(columns) and not any(cell.strip() for cell in cells[len(columns) :])


def _quoted_record(first: str, lines: _Lines, delimiter: str, width: int) -> tuple[list[str] | None, str]:
    """The cells of the record that begins with ``first``; it may go on over more lines, but only as a whole record."""
    taken = [first]
    while True:
        cells, is_open = _split(taken, delimiter)
        if cells is not None and (len(taken) == 1 or len(cells) == width):
            return cells, ""
        following = next(lines, None) if is_open and len(taken) < _LONGEST_RECORD_LINES else None
        if following is None:
            lines.put_back(taken[1:])
            return (
                None,
                '双引号未成对 / unbalanced double quotes: close the quote, and write a quote inside a cell as ""',
            )
        taken.append(following)


def _split(physical: list[str], delimiter: str) -> tuple[list[str] | None, bool]:
    """The cells of one record, or ``None`` and whether a quote is still open at its end."""
    try:
        records = list(csv.reader(physical, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return None, "unexpected end of data" in str(error)
    return (records[0] if records else []), False


def _rejected(line: int, text: str, reason: str) -> Rejected:
    return Rejected(line=line, reference="", field="", value=shown(text.rstrip("\r\n")), reason=reason)
