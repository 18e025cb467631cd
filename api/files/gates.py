"""Gates of schools from CSV, Excel, GeoJSON, GeoPackage, Shapefile, or those that an OSM file has.

A row may name its school; else its wall tells.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry import Point

from api.files.cells import (
    CellError,
    check_position,
    is_absent,
    parse_datum_cell,
    parse_flag,
    parse_number,
    parse_optional_number,
)
from api.files.columns import GATE_COLUMNS, first_cell
from api.files.errors import UnreadableFile, unknown_datum
from api.files.osm import OSM_SUFFIXES, read_osm_objects
from api.files.sheets import SHEET_SUFFIXES, read_sheet
from api.files.tables import TABLE_SUFFIXES, Progress, Row, Table, counted, read_table
from api.files.text import open_text
from api.files.vector import VECTOR_SUFFIXES, read_features
from geo.datum import Datum, to_wgs84
from venues.distance_ends import Gate, GateKind
from venues.place import Rejected, SourceKey

_OSM_GATES = frozenset({"gate", "lift_gate", "swing_gate", "sliding_gate", "kissing_gate", "entrance"})
_CLOSED = frozenset({"封闭", "关闭", "closed"})
_KINDS = {
    "student": GateKind.STUDENT,
    "学生": GateKind.STUDENT,
    "学生门": GateKind.STUDENT,
    "service": GateKind.SERVICE,
    "后勤": GateKind.SERVICE,
    "后勤门": GateKind.SERVICE,
    "unknown": GateKind.UNKNOWN,
    "不详": GateKind.UNKNOWN,
    **dict.fromkeys(_CLOSED, GateKind.UNKNOWN),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundGate:
    """A gate (WGS-84), the school that its row names, and its place as sent."""

    gate: Gate
    site_key: SourceKey | None
    raw: Point
    datum: Datum
    says_all: bool = False
    """The row says that with it all gates of its campus are registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesRead:
    """The good gates, in file order, and the rejected rows."""

    gates: tuple[FoundGate, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def read_gates(
    path: Path | str, *, datum: Datum | None = None, layer: str | None = None, progress: Progress | None = None
) -> GatesRead:
    """The gates in the file at ``path``, in WGS-84, and every row that could not be taken, with its reason.

    Columns: ``id``, ``longitude``, ``latitude`` (or a feature's point); optional ``site_source`` with
    ``site_source_id`` (the school's own key), ``kind`` (student, service, closed, unknown, or 学生, 后勤, 封闭, 不详;
    blank: unknown), ``is_closed``, ``error_m``, ``all_gates`` (yes where the file has all gates of the campus; one row
    of it is enough), and ``datum``, which in a table wins over the argument. OSM: nodes tagged as gates (``barrier``),
    closed with ``access=no``.
    ``layer`` chooses a layer of a GeoPackage, or a sheet of a workbook. The first of an id is kept. Raises UnknownDatum
    if neither the file nor ``datum`` says what the coordinates are, MissingColumn, and UnreadableFile for a damaged
    file or of another kind.
    """
    file = Path(path)
    name = file.name.casefold()
    if name.endswith(OSM_SUFFIXES):
        return _gathered(_from_osm(file), progress)
    if name.endswith(VECTOR_SUFFIXES):
        return _gathered(_from_rows(_feature_rows(file, datum, layer), None), progress)
    if name.endswith(SHEET_SUFFIXES):
        return _gathered(_from_table(read_sheet(file, layer), datum), progress)
    if name.endswith(TABLE_SUFFIXES):
        with file.open("rb") as stream, open_text(stream) as text:
            return _gathered(_from_table(read_table(text, file=file.name), datum), progress)
    kinds = ", ".join((*TABLE_SUFFIXES, *SHEET_SUFFIXES, *VECTOR_SUFFIXES, *OSM_SUFFIXES))
    raise UnreadableFile(f"{file.name}：不支持的文件类型 / not a kind of file that holds gates; use one of {kinds}")


def _gathered(found: Iterator[FoundGate | Rejected], progress: Progress | None) -> GatesRead:
    gates: dict[str, FoundGate] = {}
    rejected = []
    for one in counted(found, progress):
        if isinstance(one, Rejected):
            rejected.append(one)
        else:
            gates.setdefault(one.gate.gate_id, one)
    return GatesRead(gates=tuple(gates.values()), rejected=tuple(rejected))


def _from_osm(file: Path) -> Iterator[FoundGate]:
    for found in read_osm_objects(file, tag_keys=("barrier",)):
        if isinstance(found.geometry, Point) and found.tags["barrier"] in _OSM_GATES:
            yield FoundGate(
                gate=Gate(
                    gate_id=found.reference,
                    longitude=found.geometry.x,
                    latitude=found.geometry.y,
                    is_closed=found.tags.get("access") == "no",
                ),
                site_key=None,
                raw=found.geometry,
                datum=Datum.WGS84,
            )


def _from_table(table: Table, datum: Datum | None) -> Iterator[FoundGate | Rejected]:
    for column in ("id", "longitude", "latitude"):
        table.need(column, GATE_COLUMNS[column])
    if datum is None and table.column(GATE_COLUMNS["datum"]) is None:
        raise unknown_datum(table.file)
    yield from _from_rows(table.rows, datum)


def _feature_rows(file: Path, datum: Datum | None, layer: str | None) -> Iterator[Row | Rejected]:
    """Features as rows of a table: the point's degrees are those of the feature's own datum."""
    for feature in read_features(file, datum=datum, layer=layer):
        reference = first_cell(feature.properties, GATE_COLUMNS["id"]).strip() or feature.feature_id
        if isinstance(feature.geometry, Point) and not feature.geometry.is_empty:
            place = {"longitude": repr(feature.geometry.x), "latitude": repr(feature.geometry.y)}
            cells = {**feature.properties, "id": reference, **place, "datum": str(feature.datum)}
            yield Row(line=feature.record, cells=cells)
        else:
            reason = feature.problem or "校门须为点 / a gate must be a point"
            yield Rejected(line=feature.record, reference=reference, field="geometry", value="", reason=reason)


def _from_rows(rows: Iterable[Row | Rejected], datum: Datum | None) -> Iterator[FoundGate | Rejected]:
    known: set[str] = set()
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            found = _gate(row, datum, known)
        except CellError as error:
            yield error.rejected(line=row.line, reference=_cell(row, "id"))
            continue
        known.add(found.gate.gate_id)
        yield found


def _gate(row: Row, datum: Datum | None, known: set[str]) -> FoundGate:
    gate_id, kind_text = _cell(row, "id"), _cell(row, "kind").casefold()
    if is_absent(gate_id) or gate_id in known:
        reason = "编号为空或重复，已保留前一行 / empty or duplicate id: the first was kept"
        raise CellError(field="id", value=gate_id, reason=reason)
    if not is_absent(kind_text) and kind_text not in _KINDS:
        raise CellError(
            field="kind", value=kind_text, reason=f"类型无法识别 / unknown kind: write one of {', '.join(_KINDS)}"
        )
    longitude = parse_number(_cell(row, "longitude"), field="longitude")
    latitude = parse_number(_cell(row, "latitude"), field="latitude")
    check_position(longitude=longitude, latitude=latitude)
    error_m = parse_optional_number(_cell(row, "error_m"), field="error_m")
    if error_m is not None and error_m < 0:
        raise CellError(field="error_m", value=_cell(row, "error_m"), reason="不得为负 / must not be negative: metres")
    closed, every = _cell(row, "is_closed"), _cell(row, "all_gates")
    found_datum = parse_datum_cell(_cell(row, "datum"), field="datum", default=datum)
    lon, lat = to_wgs84(longitude=longitude, latitude=latitude, datum=found_datum)
    return FoundGate(
        gate=Gate(
            gate_id=gate_id,
            longitude=float(lon),
            latitude=float(lat),
            kind=_KINDS.get(kind_text, GateKind.UNKNOWN),
            is_closed=kind_text in _CLOSED or (not is_absent(closed) and parse_flag(closed, field="is_closed")),
            error_m=error_m,
        ),
        site_key=_site_key(row),
        raw=Point(longitude, latitude),
        datum=found_datum,
        says_all=not is_absent(every) and parse_flag(every, field="all_gates"),
    )


def _site_key(row: Row) -> SourceKey | None:
    source, source_id = _cell(row, "site_source"), _cell(row, "site_source_id")
    if bool(source) != bool(source_id):
        reason = "学校来源与编号须同时填写 / a school is named by its source and its id: fill in both, or none"
        raise CellError(field="site_source_id", value=source_id, reason=reason)
    return SourceKey(source=source, source_id=source_id) if source else None


def _cell(row: Row, column: str) -> str:
    return first_cell(row.cells, GATE_COLUMNS[column]).strip()
