"""The area within so many metres of a school: of its boundary, of every gate, or on foot from its gates."""

from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from shapely.geometry import MultiLineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from geo.projection import FloatArray
from geo.walk_network import WalkNetwork
from geo.walk_reach import reach_on_foot
from geo.walk_snap import SNAP_REACH_M, checked_points

DEFAULT_HALF_WIDTH_M = 15.0
"""How far from the middle of a walked way its doors are taken to lie: half a street and its pavement."""

_QUARTER_SEGMENTS = 16
_CIRCLE_POINTS = 256  # an edge between two of them is 15 mm inside a circle of 200 m
_GEOD = pyproj.Geod(ellps="WGS84")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FootPerimeter:
    """What lies within a walking distance of gates."""

    area: Polygon | MultiPolygon
    """The walked ways and accesses, widened (degrees, WGS-84); empty if no gate is on the network."""
    lines: MultiLineString
    """The walked parts of the network (degrees, WGS-84)."""
    length_m: float
    """Metres of ``lines``."""
    half_width_m: float
    """By which ``lines`` were widened to ``area``."""
    not_snapped: tuple[int, ...]
    """Rows of gates too far from every way; ``area`` says nothing of them."""


def perimeter(geometry: BaseGeometry, *, distance_m: float) -> Polygon | MultiPolygon:
    """The geometry (degrees, WGS-84) and everything within ``distance_m`` metres of it, straight line.

    Computed in an azimuthal equidistant plane about the geometry's centre: good to 0.1 % up to some 50 km across. Holes
    narrower than twice the distance close. Raises ``ValueError`` if ``distance_m`` is not above 0.
    """
    _check_distance(distance_m)
    return _widened(geometry, distance_m)


def perimeter_of_gates(*, longitude: FloatArray, latitude: FloatArray, distance_m: float) -> Polygon | MultiPolygon:
    """Everything within ``distance_m`` geodesic metres of any gate (degrees, WGS-84, shape [gates], at least one).

    The union of circles of 256 points each. Raises ``ValueError`` for no gate, a gate that is not on Earth, or a
    distance that is not above 0.
    """
    _check_distance(distance_m)
    lon, lat = checked_points(longitude, latitude)
    if lon.size == 0:
        raise ValueError("no gate was given: use the perimeter of the boundary, and say that the gates are not known")
    azimuth = np.tile(np.linspace(0.0, -360.0, _CIRCLE_POINTS, endpoint=False), lon.size)
    ring_lon, ring_lat, _ = _GEOD.fwd(
        np.repeat(lon, _CIRCLE_POINTS), np.repeat(lat, _CIRCLE_POINTS), azimuth, np.full(azimuth.size, distance_m)
    )
    rings = np.column_stack([ring_lon, ring_lat]).reshape(lon.size, _CIRCLE_POINTS, 2)
    return _polygonal(shapely.union_all(shapely.polygons(rings)))


def perimeter_on_foot(
    network: WalkNetwork,
    *,
    longitude: FloatArray,
    latitude: FloatArray,
    distance_m: float,
    half_width_m: float = DEFAULT_HALF_WIDTH_M,
    snap_reach_m: float = SNAP_REACH_M,
) -> FootPerimeter:
    """The ways within ``distance_m`` metres on foot of any gate (degrees, WGS-84, shape [gates]), and their area.

    The way from a gate to the network counts as walked and is part of the area. The area reaches ``half_width_m`` past
    the ends of the ways too: for a finding measure with ``geo.walk.walking_distances``. Raises ``ValueError`` for a
    gate that is not on Earth and for a distance or half width that is not above 0.
    """
    _check_distance(distance_m)
    if not half_width_m > 0:
        raise ValueError(f"half_width_m must be above 0, got {half_width_m}: say how far from its way a door may lie")
    reach = reach_on_foot(
        network, longitude=longitude, latitude=latitude, distance_m=distance_m, snap_reach_m=snap_reach_m
    )
    walked = MultiLineString([*reach.lines.geoms, *reach.accesses.geoms])
    return FootPerimeter(
        area=Polygon() if walked.is_empty else _widened(walked, half_width_m),
        lines=reach.lines,
        length_m=reach.length_m,
        half_width_m=half_width_m,
        not_snapped=reach.not_snapped,
    )


def _check_distance(distance_m: float) -> None:
    if not distance_m > 0:
        raise ValueError(f"distance_m must be above 0, got {distance_m}: give the width of the perimeter in metres")


def _widened(geometry: BaseGeometry, distance_m: float) -> Polygon | MultiPolygon:
    centre = geometry.centroid
    plane = pyproj.Proj(proj="aeqd", lat_0=centre.y, lon_0=centre.x, ellps="WGS84")

    def to_plane(points: FloatArray) -> FloatArray:
        return np.column_stack(plane(points[:, 0], points[:, 1]))

    def from_plane(points: FloatArray) -> FloatArray:
        return np.column_stack(plane(points[:, 0], points[:, 1], inverse=True))

    widened = shapely.transform(geometry, to_plane).buffer(distance_m, quad_segs=_QUARTER_SEGMENTS)
    return _polygonal(shapely.transform(widened, from_plane))


def _polygonal(geometry: BaseGeometry) -> Polygon | MultiPolygon:
    assert isinstance(geometry, Polygon | MultiPolygon)
    return geometry
