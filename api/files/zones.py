"""Zones and administrative boundaries from files. The contract of a zone file is in design.md section 9."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from api.files.cells import CellError
from api.files.columns import first_cell
from api.files.errors import UnreadableFile, missing_column
from api.files.tables import Progress
from api.files.text import is_damaged
from api.files.vector import Feature, cell_text, is_wgs84, read_features, read_geojson
from geo.datum import Datum, geometry_to_wgs84, to_wgs84
from geo.geojson import shape_from_geojson
from geo.shapes import Area, Circle, Corridor, Shape, ShapeError, check_shape
from venues.place import Rejected

EXCLUSION = "exclusion"
INCLUSION = "inclusion"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRecord:
    """One zone as a file describes it. ``shape`` is WGS-84 and has passed ``geo.shapes.check_shape``."""

    zone_id: str
    kind: str
    """``exclusion`` or ``inclusion``."""
    name: str
    shape: Shape
    schedule: object | None
    """As the file writes it; whoever enforces it parses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonesRead:
    """The good zones, in file order, and the rejected ones with their positions (1-based) and reasons."""

    zones: tuple[ZoneRecord, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    repaired: tuple[str, ...] = ()
    """Ids of the boundaries whose invalid geometry was repaired because the caller asked for it."""


def read_zones(path: Path | str, *, datum: Datum | None = None, progress: Progress | None = None) -> ZonesRead:
    """The zones of a GeoJSON file: features with ``id``, ``kind`` and optional ``name``, ``schedule``, ``radius_m``.

    A Point is a circle of ``radius_m`` metres, a LineString a corridor of that half width. Coordinates are WGS-84
    unless ``datum`` says otherwise; lengths stay as they are. The first zone of an id is kept. Raises UnreadableFile
    for a file that is not a GeoJSON feature collection or names a CRS other than WGS-84, and OSError.
    """
    file = Path(path)
    features, crs = read_geojson(file)
    if not is_wgs84(crs):
        raise UnreadableFile(
            f"{file.name}：区域文件须用 WGS-84 经纬度 / zones must be WGS-84 longitude and latitude, not {crs}: "
            "reproject the file to EPSG:4326"
        )
    read = _gathered(
        (_zone(position, feature, datum) for position, feature in enumerate(features, start=1)), repaired=()
    )
    if progress is not None:
        progress(len(features))
    return read


def read_boundaries(
    path: Path | str,
    *,
    code_column: str,
    name_column: str,
    datum: Datum | None = None,
    layer: str | None = None,
    repair: bool = False,
    progress: Progress | None = None,
) -> ZonesRead:
    """The areas of a GeoPackage, Shapefile or GeoJSON file as inclusion zones: ``zone_id`` is the code.

    An area with an invalid geometry is rejected; with ``repair`` its polygons are made valid and its id is reported in
    ``repaired``. The frame is the file's CRS, or ``datum`` if given. Raises UnknownDatum, MissingColumn,
    UnreadableFile, OSError.
    """
    features = list(read_features(Path(path), datum=datum, layer=layer))
    columns = (code_column.strip().casefold(), name_column.strip().casefold())
    found = {column: None for feature in features for column in feature.properties}
    for column in columns:
        if features and column not in found:
            raise missing_column(Path(path).name, wanted=column, accepted=(column,), found=tuple(found))
    repaired: list[str] = []
    records = [_boundary(feature, columns, repaired if repair else None) for feature in features]
    if progress is not None:
        progress(len(records))
    return _gathered(iter(records), repaired=repaired)


def _gathered(records: Iterator[tuple[int, ZoneRecord] | Rejected], *, repaired: list[str] | tuple[()]) -> ZonesRead:
    zones: dict[str, ZoneRecord] = {}
    positions: dict[str, int] = {}
    rejected: list[Rejected] = []
    for record in records:
        if isinstance(record, Rejected):
            rejected.append(record)
            continue
        position, zone = record
        if zone.zone_id in zones:
            kept = positions[zone.zone_id]
            reason = f"编号重复，已保留第 {kept} 个 / duplicate id: number {kept} was kept; give each zone its own id"
            error = CellError(field="id", value=zone.zone_id, reason=reason)
            rejected.append(error.rejected(line=position, reference=zone.zone_id))
            continue
        zones[zone.zone_id] = zone
        positions[zone.zone_id] = position
    return ZonesRead(zones=tuple(zones.values()), rejected=tuple(rejected), repaired=tuple(repaired))


def _zone(position: int, feature: object, datum: Datum | None) -> tuple[int, ZoneRecord] | Rejected:
    members: Mapping[str, object] = feature if isinstance(feature, dict) else {}
    found = members.get("properties")
    properties: Mapping[str, object] = found if isinstance(found, dict) else {}
    identity = members.get("id")
    zone_id = cell_text(properties.get("id") if identity is None else identity).strip()
    try:
        if not zone_id:
            raise CellError(field="id", value="", reason="缺少编号 / no id: give the feature an id that stays the same")
        name = cell_text(properties.get("name"))
        if is_damaged(zone_id + name):
            raise CellError(field="name", value=name, reason="含损坏字符 / holds broken characters: save it as UTF-8")
        record = ZoneRecord(
            zone_id=zone_id,
            kind=_kind(properties.get("kind")),
            name=name,
            shape=_shape(members.get("geometry"), properties.get("radius_m"), datum),
            schedule=properties.get("schedule"),
        )
    except CellError as error:
        return error.rejected(line=position, reference=zone_id)
    return position, record


def _kind(value: object) -> str:
    if value not in (EXCLUSION, INCLUSION):
        reason = "kind 应为 exclusion 或 inclusion / kind must be exclusion (keep out) or inclusion (stay inside)"
        raise CellError(field="kind", value=cell_text(value), reason=reason)
    return str(value)


def _shape(geometry: object, radius: object, datum: Datum | None) -> Shape:
    if not isinstance(geometry, dict):
        raise CellError(field="geometry", value="", reason="没有几何 / no geometry: draw the zone")
    if radius is not None and (isinstance(radius, bool) or not isinstance(radius, int | float)):
        reason = "radius_m 应为米数 / radius_m must be a number of metres"
        raise CellError(field="radius_m", value=cell_text(radius), reason=reason)
    try:
        shape = shape_from_geojson(geometry, radius_m=None if radius is None else float(radius))
        return shape if datum is None else _shape_to_wgs84(shape, datum)
    except (ValueError, OverflowError, shapely.errors.ShapelyError) as error:
        raise _shape_rejection(error, value=cell_text(geometry.get("type"))) from error


def _shape_to_wgs84(shape: Shape, datum: Datum) -> Shape:
    match shape:
        case Circle():
            longitude, latitude = to_wgs84(longitude=shape.longitude, latitude=shape.latitude, datum=datum)
            return Circle(longitude=float(longitude), latitude=float(latitude), radius_m=shape.radius_m)
        case Corridor():
            line = geometry_to_wgs84(shape.line, datum)
            assert isinstance(line, LineString | MultiLineString)
            return Corridor(line=line, half_width_m=shape.half_width_m)
        case Area():
            return _area(geometry_to_wgs84(shape.geometry, datum))


def _shape_rejection(error: Exception, *, value: str) -> CellError:
    return CellError(field="geometry", value=value, reason=f"形状无效 / invalid shape: {error}")


def _boundary(
    feature: Feature, columns: tuple[str, str], repaired: list[str] | None
) -> tuple[int, ZoneRecord] | Rejected:
    """``repaired`` takes the ids of the areas that were repaired; ``None`` forbids repair."""
    code = first_cell(feature.properties, columns[:1]).strip()
    try:
        if not code:
            raise CellError(field=columns[0], value="", reason="缺少代码 / no code: an area needs one to be told apart")
        if is_damaged(code + first_cell(feature.properties, columns[1:])):
            raise CellError(field=columns[1], value="", reason="含损坏字符 / holds broken characters: save it as UTF-8")
        if feature.geometry is None:
            raise CellError(field="geometry", value="", reason=feature.problem)
        geometry = _wgs84_geometry(feature.geometry, feature.datum)
        if repaired is not None and not geometry.is_valid:
            geometry = _made_valid(geometry)
            repaired.append(code)
        area = _area(geometry)
    except CellError as error:
        return error.rejected(line=feature.record, reference=code)
    name = first_cell(feature.properties, columns[1:])
    return feature.record, ZoneRecord(zone_id=code, kind=INCLUSION, name=name, shape=area, schedule=None)


def _wgs84_geometry(geometry: BaseGeometry, datum: Datum) -> BaseGeometry:
    try:
        return geometry_to_wgs84(shapely.force_2d(geometry), datum)
    except ValueError as error:
        reason = f"坐标超出范围 / a position is not on Earth: {error}"
        raise CellError(field="geometry", value=geometry.geom_type, reason=reason) from error


def _area(geometry: BaseGeometry) -> Area:
    if not isinstance(geometry, Polygon | MultiPolygon):
        reason = "不是面 / not an area: a boundary is a Polygon or MultiPolygon"
        raise CellError(field="geometry", value=geometry.geom_type, reason=reason)
    area = Area(geometry=geometry)
    try:
        check_shape(area)
    except ShapeError as error:
        raise _shape_rejection(error, value=geometry.geom_type) from error
    return area


def _made_valid(geometry: BaseGeometry) -> BaseGeometry:
    """Its polygons made valid; the lines and points that fall out of it are dropped."""
    parts = [part for part in shapely.get_parts(shapely.make_valid(geometry)) if part.area > 0.0]
    polygons = [polygon for part in parts for polygon in shapely.get_parts(part)]
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
