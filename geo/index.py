"""Which zones a fix is near, and how far it is from their edges: the hot kernel of the engine.

``ZoneIndex`` compiles shapes once. ``match`` finds candidates by their boxes, then measures: a circle from its centre,
an area and a corridor from their edges. Edges lie in runs of up to 32 with a box each, so a fix deep in a prefecture
looks at one box per run and at the edges of few runs. An index never changes after ``build``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self, assert_never

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from geo.projection import (
    EXACT_BEYOND_M,
    FloatArray,
    IntArray,
    box_distance_squared,
    compiled,
    crosses_odd,
    geodesic_m,
    metres_per_degree,
    near_distance_m,
    nearest_on_run,
    plane_at,
    reach_box,
)
from geo.shapes import Area, Circle, Corridor, Shape, continuous

_EDGES_PER_RUN = 32
_FIXES_PER_BATCH = 65_536  # bounds the memory for candidates, not the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePairs:
    """Fixes near zones: three arrays of one length, sorted by (``fix_row``, ``zone_row``), no pair twice."""

    fix_row: IntArray  # position of the fix in the arrays given to match
    zone_row: IntArray  # position of the zone in the sequence given to build
    signed_distance_m: FloatArray  # metres to the zone's edge, negative inside

    def __len__(self) -> int:
        return self.fix_row.size


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edges:
    """The edges of all areas and corridors. Run r is the path of vertices first[r]..last[r]; zone z owns runs
    zone_run[z]..zone_run[z+1]. A circle owns no run.
    """

    x: FloatArray  # [vertices] degrees
    y: FloatArray
    first: IntArray  # [runs]
    last: IntArray
    box: FloatArray  # [runs, 4] west, south, east, north
    zone_run: IntArray  # [zones + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneIndex:
    """An immutable index over zones, made by ``build`` and asked by ``match``."""

    _tree: shapely.STRtree
    _span: tuple[float, float]  # westernmost and easternmost longitude of the boxes in the tree
    _edges: _Edges
    _bounds: FloatArray  # [zones, 4] of centre, polygon or line, without the margin; degrees
    _margin_m: FloatArray  # [zones] radius of a circle, half width of a corridor, 0 for an area
    _closed: NDArray[np.bool_]  # [zones] an area, which has an inside of its own

    @classmethod
    def build(cls, shapes: Sequence[Shape]) -> Self:
        """Index ``shapes``; ``zone_row`` in every answer is the position in this sequence, which may be empty.

        Shapes must have passed ``geo.shapes.check_shape``. Only what would poison the arithmetic is checked again:
        ValueError for an empty geometry, a coordinate that is not finite, and a radius that is not positive.
        """
        outline = np.array([_outline_of(shape) for shape in shapes], dtype=object)
        margin_m = np.array([_margin_of(shape) for shape in shapes], dtype=np.float64)
        closed = np.array([isinstance(shape, Area) for shape in shapes], dtype=np.bool_)
        bounds = shapely.bounds(outline).reshape(-1, 4)
        _refuse_unmeasurable(bounds, margin_m, closed)
        edges = _compiled_edges(outline)
        boxes = reach_box(bounds[:, 0], bounds[:, 1], bounds[:, 2], bounds[:, 3], margin_m)
        for array in (bounds, margin_m, closed, *(getattr(edges, field.name) for field in fields(edges))):
            array.setflags(write=False)
        tree = shapely.STRtree(_diagonals(*boxes))
        span = float(boxes[0].min(initial=np.inf)), float(boxes[2].max(initial=-np.inf))
        return cls(_tree=tree, _span=span, _edges=edges, _bounds=bounds, _margin_m=margin_m, _closed=closed)

    def __len__(self) -> int:
        return self._margin_m.size

    def match(self, *, longitude: ArrayLike, latitude: ArrayLike, reach_m: ArrayLike) -> ZonePairs:
        """Every pair of a fix and a zone whose signed distance to the zone's edge is below the reach of that fix.

        ``longitude`` and ``latitude`` are WGS-84 degrees of shape [n]; ``reach_m`` is metres, one number or [n], >= 0.
        Inside is negative, so a zone that holds the fix is always in the answer. Error of the distance: below 0.1 m up
        to 20 km, 3e-5 of it up to 100 km, 5e-4 beyond. The answer for a fix does not depend on the other fixes.
        Raises ValueError for a wrong shape and for values that are not finite or not on Earth: a fix that is not
        a number must never look like a person who left every zone.
        """
        lon, lat, reach = _checked_fixes(longitude, latitude, reach_m)
        starts = range(0, max(lon.size, 1), _FIXES_PER_BATCH)
        batches = [self._match_batch(lon, lat, reach, slice(start, start + _FIXES_PER_BATCH)) for start in starts]
        fix_row, zone_row, signed = (np.concatenate(column) for column in zip(*batches, strict=True))
        return ZonePairs(fix_row=fix_row, zone_row=zone_row, signed_distance_m=signed)

    def _match_batch(
        self, lon: FloatArray, lat: FloatArray, reach: FloatArray, rows: slice
    ) -> tuple[IntArray, IntArray, FloatArray]:
        fix, zone = self._candidates(lon[rows], lat[rows], reach[rows])
        fix += rows.start
        signed = self._signed_distances(lon[fix], lat[fix], zone, reach[fix])
        near = signed < reach[fix]
        return fix[near], zone[near], signed[near]

    def _candidates(self, lon: FloatArray, lat: FloatArray, reach: FloatArray) -> tuple[IntArray, IntArray]:
        """Pairs whose boxes touch, sorted, none twice. Boxes past the antimeridian are tried a turn away too."""
        west, south, east, north = reach_box(lon, lat, lon, lat, reach)
        lowest, highest = self._span
        pairs = [np.empty((2, 0), dtype=np.int64)]
        for turn in (-360.0, 0.0, 360.0):
            rows = np.flatnonzero((east + turn >= lowest) & (west + turn <= highest))
            found = self._tree.query(_diagonals(west[rows] + turn, south[rows], east[rows] + turn, north[rows]))
            pairs.append(np.stack([rows[found[0]], found[1]]))
        key = np.sort(np.concatenate([fix * len(self) + zone for fix, zone in pairs]))
        key = key[np.diff(key, prepend=-1) > 0]
        return key // max(len(self), 1), key % max(len(self), 1)

    def _signed_distances(self, lon: FloatArray, lat: FloatArray, zone: IntArray, reach: FloatArray) -> FloatArray:
        """Signed metres of each pair; inf where an area or corridor is surely beyond the reach."""
        middle = 0.5 * (self._bounds[zone, 0] + self._bounds[zone, 2])
        lon = lon + 360.0 * np.rint((middle - lon) / 360.0)
        near_lon, near_lat, signed = np.empty_like(lon), np.empty_like(lon), np.empty_like(lon)
        edges = self._edges
        _measure(
            (edges.x, edges.y, edges.first, edges.last, edges.box, edges.zone_run),
            (self._bounds, self._closed),
            (zone, lon, lat, reach + self._margin_m[zone]),
            (near_lon, near_lat, signed),
        )
        far = np.flatnonzero(np.isfinite(signed) & (np.abs(signed) > EXACT_BEYOND_M))
        exact = geodesic_m(lon[far], lat[far], near_lon[far], near_lat[far])
        signed[far] = np.copysign(exact, signed[far])
        return signed - self._margin_m[zone]


def _diagonals(west: FloatArray, south: FloatArray, east: FloatArray, north: FloatArray) -> NDArray[np.object_]:
    """Lines with the boxes given: the tree looks at boxes only, and a line is cheaper to make than a polygon."""
    corners = np.stack([west, south, east, north], axis=1)
    return np.asarray(shapely.linestrings(corners.reshape(-1, 2, 2)), dtype=object)


def _outline_of(shape: Shape) -> shapely.Geometry:
    match shape:
        case Circle():
            return shapely.Point(shape.longitude, shape.latitude)
        case Area():
            return continuous(shape.geometry)
        case Corridor():
            return continuous(shape.line)
    assert_never(shape)


def _margin_of(shape: Shape) -> float:
    match shape:
        case Circle():
            return shape.radius_m
        case Area():
            return 0.0
        case Corridor():
            return shape.half_width_m
    assert_never(shape)


def _refuse_unmeasurable(bounds: FloatArray, margin_m: FloatArray, closed: NDArray[np.bool_]) -> None:
    good = np.isfinite(bounds).all(axis=1) & np.isfinite(margin_m) & ((margin_m > 0.0) | closed)
    for row in np.flatnonzero(~good)[:1]:
        raise ValueError(
            f"zone {row} cannot be measured: bounds {bounds[row].tolist()}, radius or half width {margin_m[row]} m; "
            "check it with geo.shapes.check_shape first"
        )


def _checked_fixes(
    longitude: ArrayLike, latitude: ArrayLike, reach_m: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    lon, lat = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
    reach = np.asarray(reach_m, dtype=np.float64)
    if lon.ndim != 1 or lat.shape != lon.shape or reach.shape not in ((), lon.shape):
        raise ValueError(
            f"longitude, latitude and reach_m have shapes {lon.shape}, {lat.shape}, {reach.shape}: "
            "give two arrays of one length, and one reach or as many"
        )
    reach = np.broadcast_to(reach, lon.shape)
    good = (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0) & (reach >= 0.0) & np.isfinite(reach)
    for row in np.flatnonzero(~good)[:1]:
        raise ValueError(
            f"fix {row} cannot be matched: longitude {lon[row]}, latitude {lat[row]}, reach {reach[row]} m; "
            "longitude must be within ±180, latitude within ±90, reach finite and not negative"
        )
    return lon, lat, reach


def _compiled_edges(outline: NDArray[np.object_]) -> _Edges:
    """The paths of ``outline`` (rings of polygons, lines) cut into runs; points have none."""
    parts, part_zone = shapely.get_parts(outline, return_index=True)
    rings, ring_part = shapely.get_rings(parts, return_index=True)
    is_line = shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING
    paths = np.concatenate([rings, parts[is_line]])
    path_zone = np.concatenate([part_zone[ring_part], part_zone[is_line]])
    order = np.argsort(path_zone, kind="stable")
    paths, path_zone = paths[order], path_zone[order]

    points, path = shapely.get_coordinates(paths, return_index=True)
    x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
    starts = np.searchsorted(path, np.arange(paths.size + 1))
    place = np.arange(path.size) - starts[path]
    edge = np.flatnonzero(place < (np.diff(starts) - 1)[path])  # vertices that begin an edge
    run = np.flatnonzero(place[edge] % _EDGES_PER_RUN == 0)  # edges that begin a run
    first = edge[run]
    last = np.minimum(first + _EDGES_PER_RUN, starts[1:][path[first]] - 1)
    box = np.empty((first.size, 4))
    for column, (values, extreme) in enumerate(((x, np.minimum), (y, np.minimum), (x, np.maximum), (y, np.maximum))):
        box[:, column] = extreme.reduceat(extreme(values[edge], values[edge + 1]), run) if run.size else 0.0
    zone_run = np.searchsorted(path_zone[path[first]], np.arange(outline.size + 1))
    return _Edges(x=x, y=y, first=first, last=last, box=box, zone_run=zone_run)


@compiled
def _measure(
    edges: tuple[FloatArray, FloatArray, IntArray, IntArray, FloatArray, IntArray],
    zones: tuple[FloatArray, NDArray[np.bool_]],
    pairs: tuple[IntArray, FloatArray, FloatArray, FloatArray],
    out: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    """Nearest point of each zone's centre, ring or line and metres to it: negative inside an area, inf beyond reach."""
    bounds, closed = zones
    zone_of, lon_of, lat_of, reach_of = pairs
    near_lon, near_lat, signed = out
    for pair in range(zone_of.size):
        zone, lon, lat = zone_of[pair], lon_of[pair], lat_of[pair]
        inside = False
        if edges[5][zone] == edges[5][zone + 1]:
            to_lon, to_lat = bounds[zone, 0], bounds[zone, 1]
        else:
            inside, to_lon, to_lat = _nearest_edge(edges, bounds[zone], closed[zone], zone, lon, lat, reach_of[pair])
        distance = near_distance_m(lon, lat, to_lon, to_lat) if not math.isnan(to_lon) else math.inf
        near_lon[pair], near_lat[pair] = to_lon, to_lat
        signed[pair] = -distance if inside else distance


@compiled
def _nearest_edge(
    edges: tuple[FloatArray, FloatArray, IntArray, IntArray, FloatArray, IntArray],
    bounds: FloatArray,
    closed: bool,
    zone: int,
    lon: float,
    lat: float,
    reach_m: float,
) -> tuple[bool, float, float]:
    """Whether the fix is inside by even-odd crossing, and the nearest point on the edges (NaN when beyond reach).

    A run wholly east of the fix is crossed an odd number of times exactly when its ends lie on different sides.
    Distances start with the run whose box is nearest, so that most others are refused by their box.
    """
    x, y, first, last, box, zone_run = edges
    south_east, _ = metres_per_degree(0.5 * (lat + bounds[1]))
    north_east, _ = metres_per_degree(0.5 * (lat + bounds[3]))
    least_east = 0.98 * min(south_east, north_east)  # the parabola of the plane may be 2 % off across 30 degrees
    inside, nearest, nearest_bound = False, zone_run[zone], math.inf
    for run in range(zone_run[zone], zone_run[zone + 1]):
        west, south, east, north = box[run, 0], box[run, 1], box[run, 2], box[run, 3]
        bound = box_distance_squared(west, south, east, north, lon, lat, least_east)
        if bound < nearest_bound:
            nearest, nearest_bound = run, bound
        if closed and south <= lat <= north and lon <= east:
            if lon < west:
                odd = (y[first[run]] > lat) != (y[last[run]] > lat)
            else:
                odd = crosses_odd(x, y, first[run], last[run], lon, lat)
            inside = inside != odd

    plane = plane_at(lat)
    best = math.inf if inside else (1.05 * reach_m + 1.0) ** 2
    best, to_lon, to_lat = nearest_on_run(x, y, first[nearest], last[nearest], lon, lat, plane, best)
    for run in range(zone_run[zone], zone_run[zone + 1]):
        bound = box_distance_squared(box[run, 0], box[run, 1], box[run, 2], box[run, 3], lon, lat, least_east)
        if bound < best and run != nearest:
            squared, run_lon, run_lat = nearest_on_run(x, y, first[run], last[run], lon, lat, plane, best)
            if squared < best:
                best, to_lon, to_lat = squared, run_lon, run_lat
    return inside, to_lon, to_lat
