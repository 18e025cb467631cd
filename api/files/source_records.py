"""Registers of venues as files: CSV, Excel, GeoJSON, GeoPackage, Shapefile, OSM. Each row a record, or rejected.

Only the columns of ``SOURCE_COLUMNS`` are read: legal representatives and their ID numbers stay where they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from shapely.geometry.base import BaseGeometry

from api.files.cells import CellError, check_position, is_absent, parse_datum_cell, parse_optional_number
from api.files.columns import PLACE_COLUMNS, SOURCE_COLUMNS, category_columns, first_cell
from api.files.errors import UnreadableFile, unknown_datum
from api.files.found_places import NO_CATEGORY
from api.files.osm import OSM_SUFFIXES, read_osm_objects
from api.files.places import osm_address
from api.files.sheets import SHEET_SUFFIXES, read_sheet
from api.files.tables import TABLE_SUFFIXES, Progress, Table, counted, read_table
from api.files.text import open_text
from api.files.vector import VECTOR_SUFFIXES, read_features
from geo.datum import Datum, to_wgs84
from venues.category import SiteCategory, VenueCategory
from venues.licence import LicenceError, doubts_about_tobacco_licence
from venues.mapping import CategoryMapping, Decision, NotAPlace
from venues.place import Rejected, SourceKey
from venues.source_record import OWN_NUMBER, SourceKind, SourceRecord, read_source_record


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecordsRead:
    """What a register's file gave; rows, rejections and rows ignored add up to the rows of the file."""

    records: tuple[SourceRecord, ...]
    rejected: tuple[Rejected, ...]
    set_aside: tuple[Rejected, ...]
    """Numbers that cannot be: the row was taken without them."""
    doubted: tuple[Rejected, ...]
    """Numbers that look odd: the row was taken with them."""
    ignored_ids: tuple[str, ...]
    """Rows of a map that the mapping says are no venue; what a register has of another trade is a record.
    The id of each, empty where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One row of any kind of file; ``geometry`` is in degrees of ``datum``, and its middle is the place."""

    line: int
    reference: str
    cells: Mapping[str, str]
    geometry: BaseGeometry | None = None
    datum: Datum | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One row that is a venue; ``position`` is longitude, latitude in degrees of ``datum``."""

    line: int
    record: SourceRecord
    """Without its position."""
    problems: tuple[LicenceError, ...]
    position: tuple[float, float] | None
    datum: Datum | None

    def set_aside(self) -> list[Rejected]:
        """The numbers that the row was taken without."""
        return self._told(self.problems)

    def doubted(self) -> list[Rejected]:
        """The numbers that a person should compare with the paper."""
        number = self.record.tobacco_licence
        return self._told(doubts_about_tobacco_licence(number)) if number else []

    def _told(self, problems: Iterable[LicenceError]) -> list[Rejected]:
        return [problem.rejected(line=self.line, reference=self.record.key.source_id) for problem in problems]


def read_source_records(
    path: Path | str,
    *,
    kind: SourceKind,
    source: str,
    mapping: CategoryMapping | None = None,
    datum: Datum | None = None,
    layer: str | None = None,
    progress: Progress | None = None,
) -> SourceRecordsRead:
    """The records in the file at ``path``, positions in WGS-84, and every row that could not be taken, with its reason.

    ``source`` names the register. ``mapping`` says which codes or tags are which category; without one the file's words
    are kept as they are. Words that a closed vocabulary does not know reject the row. What a mapping says is no venue
    is ignored on a map, and a record of another trade in a register: a bar may be registered so. A row's id is its
    ``id`` column, else the register's own number. The first row of an id is kept. Positions may be missing; ``datum``
    is as in ``api.files.places.read_places``.
    Raises UnknownDatum, MissingColumn, UnreadableFile, and OSError.
    """
    rows: dict[str, _Row] = {}
    rejected: list[Rejected] = []
    ignored: list[str] = []
    for entry in counted(_entries(Path(path), mapping=mapping, datum=datum, layer=layer), progress):
        if isinstance(entry, Rejected):
            rejected.append(entry)
            continue
        try:
            row = _row(entry, kind=kind, source=source, mapping=mapping)
            if row is None:
                ignored.append(_id_of(entry, kind))
                continue
            _check_once(row, rows)
        except (CellError, LicenceError) as error:
            rejected.append(error.rejected(line=entry.line, reference=_id_of(entry, kind)))
            continue
        rows[row.record.key.source_id] = row
    return SourceRecordsRead(
        records=_placed(list(rows.values())),
        rejected=tuple(rejected),
        set_aside=tuple(problem for row in rows.values() for problem in row.set_aside()),
        doubted=tuple(doubt for row in rows.values() for doubt in row.doubted()),
        ignored_ids=tuple(ignored),
    )


def _placed(rows: Sequence[_Row]) -> tuple[SourceRecord, ...]:
    """The records with their positions in WGS-84; one call for each datum, as one for each row takes far longer."""
    records = [row.record for row in rows]
    for datum in Datum:
        placed = [(at, row.position) for at, row in enumerate(rows) if row.position is not None and row.datum is datum]
        if placed:
            degrees = np.array([position for _, position in placed])
            longitude, latitude = to_wgs84(longitude=degrees[:, 0], latitude=degrees[:, 1], datum=datum)
            for (at, _), x, y in zip(placed, longitude.tolist(), latitude.tolist(), strict=True):
                records[at] = replace(records[at], longitude=x, latitude=y)
    return tuple(records)


def _entries(
    file: Path, *, mapping: CategoryMapping | None, datum: Datum | None, layer: str | None
) -> Iterator[_Entry | Rejected]:
    name = file.name.casefold()
    if name.endswith(OSM_SUFFIXES):
        yield from _osm_entries(file, mapping, datum)
    elif name.endswith(VECTOR_SUFFIXES):
        for feature in read_features(file, datum=datum, layer=layer):
            reference = first_cell(feature.properties, PLACE_COLUMNS["id"]).strip() or feature.feature_id
            if feature.geometry is None and feature.problem:
                yield _no_geometry(feature.record, reference, feature.problem)
            else:
                yield _Entry(
                    line=feature.record,
                    reference=reference,
                    cells=feature.properties,
                    geometry=feature.geometry,
                    datum=feature.datum,
                )
    elif name.endswith(SHEET_SUFFIXES):
        yield from _table_entries(read_sheet(file, layer), datum)
    elif name.endswith(TABLE_SUFFIXES):
        with file.open("rb") as stream, open_text(stream) as text:
            yield from _table_entries(read_table(text, file=file.name), datum)
    else:
        kinds = ", ".join((*TABLE_SUFFIXES, *SHEET_SUFFIXES, *VECTOR_SUFFIXES, *OSM_SUFFIXES))
        raise UnreadableFile(
            f"{file.name}：不支持的文件类型 / not a kind of file that holds registers; use one of {kinds}"
        )


def _osm_entries(file: Path, mapping: CategoryMapping | None, datum: Datum | None) -> Iterator[_Entry | Rejected]:
    if mapping is None or not mapping.rules:
        raise UnreadableFile(
            f"{file.name}：OSM 文件需要带标签规则的映射 / an OSM file needs a mapping with rules for tags"
        )
    for found in read_osm_objects(file, tag_keys=mapping.tag_keys):
        if found.geometry is None and not isinstance(mapping.for_tags(found.tags), NotAPlace):
            yield _no_geometry(found.record, found.reference, found.problem)
        else:
            yield _Entry(
                line=found.record,
                reference=found.reference,
                cells=found.tags | {"type": "", "addr:full": osm_address(found.tags)},
                geometry=found.geometry,
                datum=datum or Datum.WGS84,
            )


def _table_entries(table: Table, datum: Datum | None) -> Iterator[_Entry | Rejected]:
    table.need("name", SOURCE_COLUMNS["name"])
    datum_column = table.column(PLACE_COLUMNS["datum"])
    if table.column(PLACE_COLUMNS["longitude"]) is not None and datum is None and datum_column is None:
        raise unknown_datum(table.file)
    for row in table.rows:
        if isinstance(row, Rejected):
            yield row
        else:
            yield _Entry(
                line=row.line,
                reference=first_cell(row.cells, PLACE_COLUMNS["id"]).strip(),
                cells=row.cells,
                datum=datum,
            )


def _row(entry: _Entry, *, kind: SourceKind, source: str, mapping: CategoryMapping | None) -> _Row | None:
    """One row as far as it can be read alone; ``None`` for what is no venue. Raises CellError, LicenceError."""
    cells = {field: first_cell(entry.cells, names) for field, names in SOURCE_COLUMNS.items()}
    sent = {field: text for field, text in cells.items() if field == "name" or not is_absent(text)}
    words = first_cell(entry.cells, category_columns(is_by_code=mapping is not None and bool(mapping.codes)))
    if not is_absent(words):
        sent["category"] = words
    words = sent.get("category", "")
    decision = None if mapping is None else _decision(entry.cells, mapping, words=words, name=sent["name"])
    category = decision if isinstance(decision, VenueCategory) else None
    if kind is SourceKind.TOBACCO_LICENCE:
        category = category or VenueCategory.TOBACCO
    elif decision is NotAPlace.UNKNOWN and (words or kind is SourceKind.POI):
        raise CellError(field="category", value=words, reason=NO_CATEGORY)
    elif isinstance(decision, SiteCategory) or (decision is NotAPlace.IGNORED and kind is SourceKind.POI):
        return None
    position, datum = _position(entry, sent)
    if not (source_id := _id_of(entry, kind)):
        reason = "编号为空 / empty id: give an id column, or the register's own number"
        raise CellError(field="id", value="", reason=reason)
    key = SourceKey(source=source, source_id=source_id)
    is_other_trade = decision is NotAPlace.IGNORED and bool(words) and category is None
    record, problems = read_source_record(sent, key=key, kind=kind, category=category, is_other_trade=is_other_trade)
    return _Row(line=entry.line, record=record, problems=problems, position=position, datum=datum)


def _decision(cells: Mapping[str, str], mapping: CategoryMapping, *, words: str, name: str) -> Decision:
    decision = mapping.for_tags(cells) if mapping.rules else NotAPlace.UNKNOWN
    return mapping.for_value(words, name=name) if isinstance(decision, NotAPlace) and words else decision


def _position(entry: _Entry, sent: dict[str, str]) -> tuple[tuple[float, float] | None, Datum | None]:
    """Where the row is and in which datum; both go into ``sent`` as the file has them. Raises CellError."""
    if entry.geometry is not None:
        middle = entry.geometry.representative_point()
        longitude, latitude, datum = middle.x, middle.y, entry.datum
        sent["geometry"] = entry.geometry.wkt
    else:
        texts = {field: first_cell(entry.cells, PLACE_COLUMNS[field]) for field in ("longitude", "latitude")}
        x, y = (parse_optional_number(text, field=field) for field, text in texts.items())
        if x is None and y is None:
            return None, None
        if x is None or y is None:
            value, reason = "、".join(texts.values()), "经纬度须成对 / give both longitude and latitude, or neither"
            raise CellError(field="longitude", value=value, reason=reason)
        longitude, latitude = x, y
        datum = parse_datum_cell(first_cell(entry.cells, PLACE_COLUMNS["datum"]), field="datum", default=entry.datum)
        sent |= texts
    assert datum is not None  # tables are refused without, and features come with one
    check_position(longitude=longitude, latitude=latitude)
    sent["datum"] = datum
    return (longitude, latitude), datum


def _id_of(entry: _Entry, kind: SourceKind) -> str:
    """The row's id, else the register's own number; empty if it has neither."""
    number = first_cell(entry.cells, SOURCE_COLUMNS.get(OWN_NUMBER.get(kind, ""), ())).strip()
    return entry.reference or ("" if is_absent(number) else number)


def _check_once(row: _Row, rows: Mapping[str, _Row]) -> None:
    if (first := rows.get(row.record.key.source_id)) is not None:
        reason = f"编号重复，已保留第 {first.line} 行 / duplicate id: line {first.line} was kept"
        raise CellError(field="id", value=row.record.key.source_id, reason=reason)


def _no_geometry(line: int, reference: str, problem: str) -> Rejected:
    return Rejected(line=line, reference=reference, field="geometry", value="", reason=problem)
