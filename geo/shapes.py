"""Shapes of zones in WGS-84 longitude and latitude, and what makes one acceptable.

A shape is refused here, where a person can still mend it, and not in the engine: a bow-tie polygon, a zone drawn with
latitude first or a radius in kilometres would otherwise watch the wrong place for months.
Near the antimeridian longitudes may pass ±180 so that a shape stays in one piece; see ``continuous``.
"""

import math
import re
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import pyproj
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.projection import FloatArray, reach_box

MAXIMUM_RADIUS_M = 500_000.0
MAXIMUM_EXTENT_DEG = 30.0  # Inner Mongolia, the widest province, spans 29 degrees
MAXIMUM_LATITUDE_DEG = 85.0  # nearer to a pole the local plane does not hold
CIRCLE_POINTS = 64
_LEAST_AREA_DEG2 = 1e-10  # about 1 m²

_GEOD = pyproj.Geod(ellps="WGS84")
_REASON = re.compile(r"^(?P<reason>.*)\[(?P<longitude>\S+) (?P<latitude>\S+?)(?: \S+)?\]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """All points within ``radius_m`` geodesic metres of the centre (degrees, WGS-84)."""

    longitude: float
    latitude: float
    radius_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """The inside of a polygon or multipolygon (degrees, WGS-84), without its holes; edges straight in lon/lat."""

    geometry: Polygon | MultiPolygon


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridor:
    """All points within ``half_width_m`` metres of a line (degrees, WGS-84), for example an approved route."""

    line: LineString | MultiLineString
    half_width_m: float


Shape = Circle | Area | Corridor
Geometry = TypeVar("Geometry", bound=BaseGeometry)


class ShapeError(ValueError):
    """A shape that cannot be a zone. ``longitude`` and ``latitude`` say where, when there is one place."""

    def __init__(self, message: str, *, longitude: float | None = None, latitude: float | None = None) -> None:
        super().__init__(message)
        self.longitude = longitude
        self.latitude = latitude


def check_shape(shape: Shape) -> None:
    """Raise ShapeError unless ``shape`` can be enforced; the message says what is wrong, where, and what to do."""
    match shape:
        case Circle():
            _check_positions(np.array([[shape.longitude, shape.latitude]]))
            _check_length("radius", shape.radius_m)
        case Corridor():
            _check_geometry(
                shape.line, (LineString, MultiLineString), "a corridor needs a LineString or MultiLineString"
            )
            _check_length("half width", shape.half_width_m)
            if shape.line.length == 0.0:
                raise ShapeError("the line of the corridor has length 0: give at least two different points")
        case Area():
            _check_geometry(shape.geometry, (Polygon, MultiPolygon), "an area needs a Polygon or MultiPolygon")
            _check_rings(shape.geometry)
    _, south, _, north = shape_bounds(shape)
    if max(-south, north) > MAXIMUM_LATITUDE_DEG:
        raise ShapeError(
            f"the shape reaches latitude {max(north, -south):.4f}: beyond ±{MAXIMUM_LATITUDE_DEG:g} degrees distances "
            "are not supported; check that longitude comes before latitude"
        )


def shape_to_geometry(shape: Shape) -> BaseGeometry:
    """The outline of ``shape`` for drawing (degrees, WGS-84).

    An area is itself, a circle a ring of 64 geodesic points, a corridor a buffer in an azimuthal equidistant plane.
    Never use it to measure: ``geo.index`` does that exactly.
    """
    match shape:
        case Circle():
            return circle_outline(shape, CIRCLE_POINTS)
        case Corridor():
            return buffered(continuous(shape.line), shape.half_width_m)
        case Area():
            return shape.geometry


def circle_outline(circle: Circle, points: int) -> Polygon:
    """A ring of ``points`` geodesic points of the circle (degrees, continuous)."""
    azimuths = np.linspace(0.0, -360.0, points, endpoint=False)  # counter-clockwise, as RFC 7946 asks
    start = np.full(points, circle.longitude), np.full(points, circle.latitude)
    lon, lat, _ = _GEOD.fwd(*start, azimuths, np.full(points, circle.radius_m))
    return _unwrapped(Polygon(np.column_stack([lon, lat])))


def shape_bounds(shape: Shape) -> tuple[float, float, float, float]:
    """West, south, east, north (degrees, WGS-84) of a box that holds ``shape``; tight for areas, within 1 % for others.

    Near the antimeridian west may be below -180 or east above 180.
    """
    match shape:
        case Circle():
            box, margin_m = (shape.longitude, shape.latitude, shape.longitude, shape.latitude), shape.radius_m
        case Corridor():
            box, margin_m = continuous(shape.line).bounds, shape.half_width_m
        case Area():
            return continuous(shape.geometry).bounds
    sides = [np.array([side]) for side in (*box, margin_m)]
    west, south, east, north = reach_box(*sides)
    return float(west[0]), float(south[0]), float(east[0]), float(north[0])


def area_m2(shape: Shape) -> float:
    """Square metres of ``shape`` on the WGS-84 ellipsoid; holes are left out, overlaps of a corridor counted once.

    Polygon edges are taken as geodesics (pyproj): in a city this differs from straight edges by parts per million.
    """
    if isinstance(shape, Circle):
        return math.pi * shape.radius_m**2
    geometry = shape_to_geometry(shape)
    return sum(_polygon_area_m2(part) for part in shapely.get_parts(geometry))


def equivalent_radius_m(shape: Shape) -> float:
    """Radius in metres of the disc with the area of ``shape``."""
    return math.sqrt(area_m2(shape) / math.pi)


def continuous(geometry: Geometry) -> Geometry:
    """``geometry`` in one piece: when it spans more than half a turn, western longitudes are raised by 360.

    Polygons that were split at the antimeridian, as RFC 7946 asks, are joined, so that the seam is not an edge.
    """
    whole = _unwrapped(geometry)
    if whole is geometry or not isinstance(whole, Polygon | MultiPolygon):
        return whole
    return cast(Geometry, shapely.union_all([whole]))


def _unwrapped(geometry: Geometry) -> Geometry:
    west, _, east, _ = geometry.bounds
    return shapely.transform(geometry, _raised) if east - west > 180.0 else geometry


def _raised(points: FloatArray) -> FloatArray:
    return np.column_stack([np.where(points[:, 0] < 0.0, points[:, 0] + 360.0, points[:, 0]), points[:, 1]])


def buffered(line: BaseGeometry, half_width_m: float) -> BaseGeometry:
    """All within ``half_width_m`` metres of ``line`` (degrees, continuous), by an azimuthal equidistant plane."""
    west, south, east, north = line.bounds
    plane = pyproj.Proj(proj="aeqd", lon_0=(west + east) / 2, lat_0=(south + north) / 2, ellps="WGS84")
    flat = shapely.transform(line, lambda points: np.column_stack(plane(points[:, 0], points[:, 1])))
    wide = shapely.buffer(flat, half_width_m, quad_segs=CIRCLE_POINTS // 4)
    return _unwrapped(
        shapely.transform(wide, lambda points: np.column_stack(plane(points[:, 0], points[:, 1], inverse=True)))
    )


def _polygon_area_m2(polygon: Polygon) -> float:
    outer, *holes = (abs(_GEOD.polygon_area_perimeter(*ring.xy)[0]) for ring in (polygon.exterior, *polygon.interiors))
    return float(outer - sum(holes))


def _check_geometry(geometry: BaseGeometry, kinds: tuple[type[BaseGeometry], ...], wanted: str) -> None:
    if not isinstance(geometry, kinds):
        raise ShapeError(f"{wanted}, not a {geometry.geom_type}")
    if geometry.is_empty:
        raise ShapeError("the geometry has no points: draw it again")
    _check_positions(shapely.get_coordinates(geometry))
    whole = _unwrapped(geometry)
    west, south, east, north = whole.bounds
    if max(east - west, north - south) > MAXIMUM_EXTENT_DEG:
        points = shapely.get_coordinates(whole)
        farthest = int(np.abs(points - np.median(points, axis=0)).max(axis=1).argmax())
        longitude, latitude = shapely.get_coordinates(geometry)[farthest].tolist()
        raise ShapeError(
            f"the shape spans {east - west:.2f} by {north - south:.2f} degrees, more than {MAXIMUM_EXTENT_DEG:g}: its "
            f"farthest point is longitude {longitude}, latitude {latitude}; correct it, or split the shape",
            longitude=longitude,
            latitude=latitude,
        )


def _check_positions(points: FloatArray) -> None:
    for longitude, latitude in points[~((np.abs(points[:, 0]) <= 180.0) & (np.abs(points[:, 1]) <= 90.0))][:1].tolist():
        place = f"longitude {longitude}, latitude {latitude}"
        if not (math.isfinite(longitude) and math.isfinite(latitude)):
            raise ShapeError(f"a position is not a number: {place}; give finite degrees")
        if abs(latitude) > 90.0 and abs(longitude) <= 90.0:
            words = "is not on Earth: longitude and latitude look swapped; put longitude first"
        else:
            words = "is out of range: longitude must be within ±180 and latitude within ±90 degrees"
        raise ShapeError(f"{place} {words}", longitude=longitude, latitude=latitude)


def _check_length(name: str, metres: float) -> None:
    if not 0.0 < metres <= MAXIMUM_RADIUS_M:
        raise ShapeError(f"the {name} is {metres} m: it must be more than 0 and at most {MAXIMUM_RADIUS_M:g} m")


def _check_rings(geometry: BaseGeometry) -> None:
    if _unwrapped(geometry).convex_hull.area < _LEAST_AREA_DEG2:
        longitude, latitude = shapely.get_coordinates(geometry)[0].tolist()
        raise ShapeError(
            "the polygon has area 0 (below 1 m²): its points lie on one line or at one place",
            longitude=longitude,
            latitude=latitude,
        )
    found = _REASON.match(shapely.is_valid_reason(geometry))
    if found:
        longitude, latitude = float(found["longitude"]), float(found["latitude"])
        raise ShapeError(
            f"the polygon is not valid: {found['reason']} at longitude {longitude:.7f}, latitude {latitude:.7f}; "
            "move the edges apart there",
            longitude=longitude,
            latitude=latitude,
        )
