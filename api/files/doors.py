"""Doors of venues from CSV, Excel, GeoJSON, GeoPackage, Shapefile, or the entrances that an OSM file has."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from api.files.cells import (
    CellError,
    check_position,
    is_absent,
    parse_datum_cell,
    parse_flag,
    parse_number,
    parse_optional_number,
)
from api.files.columns import DOOR_COLUMNS, first_cell
from api.files.errors import UnreadableFile, unknown_datum
from api.files.osm import OSM_SUFFIXES, read_osm_objects
from api.files.sheets import SHEET_SUFFIXES, read_sheet
from api.files.tables import TABLE_SUFFIXES, Progress, Table, counted, read_table
from api.files.text import open_text
from api.files.vector import VECTOR_SUFFIXES, read_features
from geo.datum import Datum, to_wgs84
from venues.place import Rejected, SourceKey
from venues.venue_door import DoorKind, VenueDoor

_OSM_CUSTOMERS = frozenset({"main", "yes", "shop"})
_OSM_SHUT = frozenset({"no", "private"})
_KINDS = {
    **dict.fromkeys(("customers", "customer", "顾客", "顾客门", "正门"), DoorKind.CUSTOMERS),
    **dict.fromkeys(("service", "后勤", "后勤门", "员工", "员工门", "紧急出口"), DoorKind.SERVICE),
    **dict.fromkeys(("closed", "封闭", "关闭"), DoorKind.CLOSED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorsRead:
    """The good doors, in file order, and the rejected rows."""

    doors: tuple[VenueDoor, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One row of any kind of file; ``geometry`` is in degrees of ``datum``."""

    line: int
    reference: str
    cells: Mapping[str, str]
    geometry: BaseGeometry | None = None
    datum: Datum | None = None


def read_doors(
    path: Path | str,
    *,
    source: str,
    datum: Datum | None = None,
    layer: str | None = None,
    progress: Progress | None = None,
) -> DoorsRead:
    """The doors in the file at ``path``, in WGS-84, and every row that could not be taken, with its reason.

    Columns: ``id``, ``longitude``, ``latitude`` (or a feature's point), ``kind`` (customers, service, closed, 顾客,
    后勤, 封闭); optional ``venue_source`` with ``venue_source_id`` (the venue's own key), ``is_main``, ``error_m``,
    ``valid_from``, ``valid_to`` (days), and ``datum``, which wins over the argument. OSM: nodes with ``entrance``.
    ``source`` names the register of doors. The first of an id is kept. Raises UnknownDatum, MissingColumn,
    UnreadableFile and OSError.
    """
    doors: dict[str, VenueDoor] = {}
    rejected: list[Rejected] = []
    for one in counted(_lines(Path(path), datum, layer), progress):
        if isinstance(one, Rejected):
            rejected.append(one)
            continue
        try:
            door = _door(one, source)
            if door.key.source_id in doors:
                reason = "编号重复，已保留前一行 / duplicate id: the first was kept"
                raise CellError(field="id", value=door.key.source_id, reason=reason)
        except CellError as error:
            rejected.append(error.rejected(line=one.line, reference=one.reference))
            continue
        doors[door.key.source_id] = door
    return DoorsRead(doors=tuple(doors.values()), rejected=tuple(rejected))


def _lines(file: Path, datum: Datum | None, layer: str | None) -> Iterator[_Line | Rejected]:
    name = file.name.casefold()
    if name.endswith(OSM_SUFFIXES):
        yield from _osm_lines(file)
    elif name.endswith(VECTOR_SUFFIXES):
        for feature in read_features(file, datum=datum, layer=layer):
            reference = first_cell(feature.properties, DOOR_COLUMNS["id"]).strip() or feature.feature_id
            if isinstance(feature.geometry, Point) and not feature.geometry.is_empty:
                yield _Line(
                    line=feature.record,
                    reference=reference,
                    cells=feature.properties,
                    geometry=feature.geometry,
                    datum=feature.datum,
                )
            else:
                reason = feature.problem or "门须为点 / a door must be a point"
                yield Rejected(line=feature.record, reference=reference, field="geometry", value="", reason=reason)
    elif name.endswith(SHEET_SUFFIXES):
        yield from _table_lines(read_sheet(file, layer), datum)
    elif name.endswith(TABLE_SUFFIXES):
        with file.open("rb") as stream, open_text(stream) as text:
            yield from _table_lines(read_table(text, file=file.name), datum)
    else:
        kinds = ", ".join((*TABLE_SUFFIXES, *SHEET_SUFFIXES, *VECTOR_SUFFIXES, *OSM_SUFFIXES))
        raise UnreadableFile(f"{file.name}：不支持的文件类型 / not a kind of file that holds doors; use one of {kinds}")


def _osm_lines(file: Path) -> Iterator[_Line | Rejected]:
    for found in read_osm_objects(file, tag_keys=("entrance",)):
        tags = found.tags
        if tags["entrance"] == "no" or found.kind != "node":
            continue
        if not isinstance(found.geometry, Point):
            yield Rejected(
                line=found.record, reference=found.reference, field="geometry", value="", reason=found.problem
            )
            continue
        kind = DoorKind.CUSTOMERS if tags["entrance"] in _OSM_CUSTOMERS else DoorKind.SERVICE
        is_shut = tags.get("access") in _OSM_SHUT or tags.get("locked") == "yes"
        cells = {
            "id": found.reference,
            "kind": str(DoorKind.CLOSED if is_shut else kind),
            "is_main": "1" if tags["entrance"] == "main" else "0",
        }
        yield _Line(
            line=found.record, reference=found.reference, cells=cells, geometry=found.geometry, datum=Datum.WGS84
        )


def _table_lines(table: Table, datum: Datum | None) -> Iterator[_Line | Rejected]:
    for column in ("id", "longitude", "latitude", "kind"):
        table.need(column, DOOR_COLUMNS[column])
    if datum is None and table.column(DOOR_COLUMNS["datum"]) is None:
        raise unknown_datum(table.file)
    for row in table.rows:
        if isinstance(row, Rejected):
            yield row
        else:
            yield _Line(line=row.line, reference=_cell(row.cells, "id"), cells=row.cells, datum=datum)


def _door(line: _Line, source: str) -> VenueDoor:
    if is_absent(line.reference):
        raise CellError(field="id", value="", reason="编号为空 / empty id: give every door one of its own")
    kind = _KINDS.get(_cell(line.cells, "kind").casefold())
    if kind is None:
        reason = f"类型须为以下之一 / the kind must be one of: {', '.join(_KINDS)}"
        raise CellError(field="kind", value=_cell(line.cells, "kind"), reason=reason)
    raw, datum = _place(line)
    longitude, latitude = to_wgs84(longitude=raw.x, latitude=raw.y, datum=datum)
    error_m = parse_optional_number(_cell(line.cells, "error_m"), field="error_m")
    if error_m is not None and error_m < 0:
        reason = "不得为负 / must not be negative: metres"
        raise CellError(field="error_m", value=_cell(line.cells, "error_m"), reason=reason)
    begun, ended = (_day(line.cells, field) for field in ("valid_from", "valid_to"))
    if begun is not None and ended is not None and ended < begun:
        raise CellError(field="valid_to", value=str(ended), reason="停用早于启用 / ends before it begins")
    main = _cell(line.cells, "is_main")
    return VenueDoor(
        key=SourceKey(source=source, source_id=line.reference),
        kind=kind,
        longitude=float(longitude),
        latitude=float(latitude),
        raw=raw,
        datum=datum,
        venue_key=_venue_key(line.cells),
        is_main=not is_absent(main) and parse_flag(main, field="is_main"),
        error_m=error_m,
        valid_from=begun,
        valid_to=ended,
    )


def _place(line: _Line) -> tuple[Point, Datum]:
    if isinstance(line.geometry, Point) and line.datum is not None:
        raw, datum = Point(line.geometry.x, line.geometry.y), line.datum
    else:
        raw = Point(*(parse_number(_cell(line.cells, field), field=field) for field in ("longitude", "latitude")))
        datum = parse_datum_cell(_cell(line.cells, "datum"), field="datum", default=line.datum)
    check_position(longitude=raw.x, latitude=raw.y)
    return raw, datum


def _day(cells: Mapping[str, str], field: str) -> date | None:
    text = _cell(cells, field)
    if is_absent(text):
        return None
    try:
        return date.fromisoformat(text[:10] if text.endswith(" 00:00:00") else text)
    except ValueError:
        reason = f"“{text}”不是日期，请写成 2026-11-22 / not a day: write it as 2026-11-22"
        raise CellError(field=field, value=text, reason=reason) from None


def _venue_key(cells: Mapping[str, str]) -> SourceKey | None:
    source, source_id = _cell(cells, "venue_source"), _cell(cells, "venue_source_id")
    if bool(source) != bool(source_id):
        reason = "场所来源与编号须同时填写 / a venue is named by its source and its id: fill in both, or none"
        raise CellError(field="venue_source_id", value=source_id, reason=reason)
    return SourceKey(source=source, source_id=source_id) if source else None


def _cell(cells: Mapping[str, str], column: str) -> str:
    return first_cell(cells, DOOR_COLUMNS[column]).strip()
