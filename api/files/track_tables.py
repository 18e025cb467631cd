"""Fixes in tables, CSV or Parquet: one row per fix, any number of subjects."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow
from pyarrow import parquet

from api.files.cells import (
    CellError,
    check_position,
    is_absent,
    parse_datum_cell,
    parse_flag,
    parse_instant,
    parse_number,
    parse_optional_number,
)
from api.files.columns import FIX_COLUMNS
from api.files.errors import UnreadableFile, unknown_datum
from api.files.tables import Row, Table, counted, read_table
from api.files.text import is_damaged, open_text
from api.files.track_formats import TrackRead, TrackSource, known_accuracy_m
from geo.datum import Datum
from tracking.fix import Fix, FixSource
from venues.place import Rejected

_NEEDED = ("fixed_at", "longitude", "latitude")
_BATCH_ROWS = 20_000
_SOURCES = {
    **{source.value: source for source in FixSource},
    "wlan": FixSource.WIFI,
    "lbs": FixSource.CELL,
    "network": FixSource.UNKNOWN,  # Android: Wi-Fi or cell, it does not say which
    "fused": FixSource.UNKNOWN,
}


def read_csv(source: TrackSource) -> Iterator[TrackRead]:
    """The tracks of a CSV file, one ``TrackRead`` per subject. Raises MissingColumn, UnknownDatum, UnreadableFile."""
    with open_text(source.stream) as text:
        yield from _tracks(read_table(text, file=source.file), source)


def read_parquet(source: TrackSource) -> Iterator[TrackRead]:
    """The tracks of a Parquet file with the columns of the CSV contract; times are timestamps or ISO 8601 text.

    Raises as :func:`read_csv`.
    """
    try:
        with parquet.ParquetFile(source.stream) as file:
            columns = {name.strip().casefold(): name for name in file.schema_arrow.names}
            wanted = [column for names in FIX_COLUMNS.values() for column in names if column in columns]
            table = Table(file=source.file, columns=tuple(columns), rows=_parquet_rows(file, columns, wanted))
            yield from _tracks(table, source)
    except (pyarrow.ArrowException, OSError) as error:
        raise UnreadableFile(f"{source.file}：Parquet 文件损坏 / not a readable Parquet file: {error}") from error


def _parquet_rows(file: Any, columns: Mapping[str, str], wanted: list[str]) -> Iterator[Row | Rejected]:
    line = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=[columns[name] for name in wanted]):
        cells = batch.to_pydict()
        texts = [[_text(value) for value in cells[columns[name]]] for name in wanted]
        for row in zip(*texts, strict=True):
            line += 1
            yield Row(line=line, cells=dict(zip(wanted, row, strict=True)))


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _tracks(table: Table, source: TrackSource) -> Iterator[TrackRead]:
    columns = _columns(table, datum=source.datum)
    fixes: dict[str, list[Fix]] = {}
    rejected: dict[str, list[Rejected]] = {}
    for row in counted(table.rows, source.progress):
        if isinstance(row, Rejected):
            rejected.setdefault("", []).append(row)
            continue
        subject_ref = row.cells[columns["subject_id"]].strip() if "subject_id" in columns else source.path.stem
        try:
            if not subject_ref or is_damaged(subject_ref):
                raise CellError(
                    field="subject_id",
                    value=subject_ref,
                    reason="缺少对象编号 / no readable subject_id: whose fix is it?",
                )
            fixes.setdefault(subject_ref, []).append(_fix(row.cells, columns, source))
        except CellError as error:
            rejected.setdefault(subject_ref, []).append(error.rejected(line=row.line, reference=subject_ref))
    for subject_ref in dict.fromkeys([*fixes, *rejected]):
        yield TrackRead(
            subject_ref=subject_ref,
            fixes=tuple(fixes.get(subject_ref, ())),
            rejected=tuple(rejected.get(subject_ref, ())),
            file=source.file,
        )


def _columns(table: Table, *, datum: Datum | None) -> dict[str, str]:
    """Which column of the file holds which field. Raises MissingColumn and UnknownDatum."""
    found = {field: table.column(accepted) for field, accepted in FIX_COLUMNS.items()}
    for field in _NEEDED:
        table.need(field, FIX_COLUMNS[field])
    if datum is None and found["datum"] is None:
        raise unknown_datum(table.file)
    return {field: column for field, column in found.items() if column is not None}


def _fix(cells: Mapping[str, str], columns: Mapping[str, str], source: TrackSource) -> Fix:
    def cell(field: str) -> str:
        return cells[columns[field]] if field in columns else ""

    def number(field: str) -> float | None:
        return parse_optional_number(cell(field), field=field)

    def instant(field: str) -> datetime | None:
        text = cell(field)
        return None if is_absent(text) else parse_instant(text, field=field, timezone=source.timezone)

    longitude = parse_number(cell("longitude"), field="longitude")
    latitude = parse_number(cell("latitude"), field="latitude")
    check_position(longitude=longitude, latitude=latitude)
    speed_mps, battery_percent, mock = number("speed_mps"), number("battery_percent"), cell("is_mock")
    return Fix(
        fixed_at=parse_instant(cell("fixed_at"), field="fixed_at", timezone=source.timezone),
        longitude=longitude,
        latitude=latitude,
        datum=parse_datum_cell(cell("datum"), field="datum", default=source.datum),
        accuracy_m=known_accuracy_m(number("accuracy_m")),
        source=_source(cell("source")),
        sent_at=instant("sent_at"),
        received_at=instant("received_at"),
        speed_mps=None if speed_mps is None or speed_mps < 0.0 else speed_mps,
        altitude_m=number("altitude_m"),
        battery_percent=None if battery_percent is None or battery_percent < 0.0 else battery_percent,
        is_mock=not is_absent(mock) and parse_flag(mock, field="is_mock"),
    )


def _source(text: str) -> FixSource:
    if is_absent(text):
        return FixSource.UNKNOWN
    source = _SOURCES.get(text.strip().casefold())
    if source is None:
        reason = f"定位方式无法识别 / unknown source: write one of {', '.join(_SOURCES)}, or leave it blank"
        raise CellError(field="source", value=text, reason=reason)
    return source
