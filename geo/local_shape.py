"""The chance that a circular normal error carries a point into a polygon: exact, edge by edge.

About the fix, in metres over sigma, a triangle of the origin and one edge has probability
(1/2 pi) of the integral of 1 - exp(-r(theta)²/2) over the angle that it takes (DiDonato and Hageman, "A method for
computing the integral of the bivariate normal distribution over an arbitrary polygon", SIAM J. Sci. Stat. Comput. 3,
1982, 434-446). Summed over all edges the angles give 1 inside and 0 outside, so that

    P = [inside] - S,   S = sum over edges of (a x b) / 2 pi * integral over u in 0..1 of exp(-|p(u)|²/2) / |p(u)|²

with p(u) = a + u (b - a), outer rings counter-clockwise and holes clockwise. Edges farther than ``FAR_SIGMA`` add
below exp(-12.5) and are left out with their whole run. S is 1 - P inside and -P outside: its sign says which, and
agrees with the edges to the last bit, whereas a signed distance measured elsewhere may differ by a millimetre there.

Edges that are short against their distance take two or four Gauss-Legendre nodes; a long or near edge is the
difference of two of Owen's T functions ("Tables for computing bivariate normal probabilities", Ann. Math. Stat. 27,
1956, 1075-1090), each by five nodes after Young and Minder (Algorithm AS 76, Applied Statistics 23, 1974, 455-457).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from geo.projection import FloatArray, IntArray, compiled, metres_per_degree

Columns = tuple[FloatArray, FloatArray, IntArray, FloatArray, IntArray, FloatArray]

FAR_SIGMA = 5.0
"""An error is longer than this with a probability of 4e-6: beyond it the edges of a zone say nothing."""

_EDGES_PER_RUN = 16
_CLEAR = 1e-4  # |S| above this tells inside from outside by itself
_AT_EDGE_M = 0.01  # so near an edge the signed distance may have the sign of the other side
_NUDGE = 1e-7  # sigma: no fix lies on a vertex or in line with an edge, and P moves by less than 1e-7
_TURN = 2.0 * math.pi
_LEAST_SQUARED = 1e-60

_G4_NODE = (0.06943184420297371, 0.33000947820757187, 0.6699905217924281, 0.9305681557970262)  # on 0..1
_G4_WEIGHT = (0.17392742256872692, 0.3260725774312731, 0.3260725774312731, 0.17392742256872692)
_G2_NODE = (0.21132486540518713, 0.7886751345948129)
_G5_NODE = (0.04691007703066802, 0.23076534494715845, 0.5, 0.7692346550528415, 0.9530899229693319)
_G5_WEIGHT = (0.11846344252809454, 0.23931433524968324, 0.28444444444444444, 0.23931433524968324, 0.11846344252809454)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """Oriented rings of ``m`` polygons in degrees WGS-84, cut into runs of at most 16 consecutive edges."""

    x: FloatArray  # [vertices] longitude, continuous within a zone
    y: FloatArray  # [vertices] latitude
    run_ends: IntArray  # [runs, 2] first and last vertex
    run_box: FloatArray  # [runs, 4] west, south, east, north
    zone_run: IntArray  # [m + 1] first run of each zone
    middle: FloatArray  # [m] longitude of the middle: a fix is taken on the turn of the Earth nearest to it

    @classmethod
    def of(cls, polygons: Sequence[Polygon | MultiPolygon | None]) -> Self:
        """The rings of each polygon (degrees, continuous); None has none."""
        outlines = np.array([Polygon() if item is None else item for item in polygons], dtype=object)
        outlines = shapely.force_2d(outlines)
        parts, part_zone = shapely.get_parts(outlines, return_index=True)
        outer, inner = shapely.get_exterior_ring(parts), [list(part.interiors) for part in parts]
        holes = [ring for rings in inner for ring in rings]
        zone = np.concatenate([part_zone, np.repeat(part_zone, [len(rings) for rings in inner])]).astype(np.int64)
        rings = np.concatenate([outer, np.array(holes, dtype=object)])
        wants_ccw = np.arange(rings.size) < outer.size
        turned = np.where(shapely.is_ccw(rings) == wants_ccw, rings, shapely.reverse(rings))
        order = np.argsort(zone, kind="stable")
        points, ring_of = shapely.get_coordinates(turned[order], return_index=True)
        start = np.searchsorted(ring_of, np.arange(rings.size + 1)).astype(np.int64)
        x, y = np.ascontiguousarray(points[:, 0]), np.ascontiguousarray(points[:, 1])
        ends, ring_run = _runs(start)
        ring_zone_run = np.searchsorted(zone[order], np.arange(len(outlines) + 1))
        bounds = shapely.bounds(outlines).reshape(-1, 4)
        return cls(
            x=x,
            y=y,
            run_ends=ends,
            run_box=_boxes(x, y, ends),
            zone_run=ring_run[ring_zone_run],
            middle=np.nan_to_num(0.5 * (bounds[:, 0] + bounds[:, 2])),
        )

    @property
    def columns(self) -> Columns:
        """What the compiled functions take."""
        return self.x, self.y, self.run_ends, self.run_box, self.zone_run, self.middle

    def inside(
        self,
        zone_row: IntArray,
        longitude: FloatArray,
        latitude: FloatArray,
        sigma_m: FloatArray,
        signed_distance_m: FloatArray,
    ) -> FloatArray:
        """P(inside) of each pair, float64 [k]; arrays are contiguous, of one length and free of NaN. Frees the GIL.

        ``signed_distance_m`` needs the right sign and may be nearer to 0 than the true distance.
        """
        out = np.empty(zone_row.size)
        _inside(self.columns, zone_row, longitude, latitude, sigma_m, signed_distance_m, out)
        return out


def _runs(start: IntArray) -> tuple[IntArray, IntArray]:
    """First and last vertex of each run [runs, 2], and the first run of each ring [rings + 1]."""
    edges = np.diff(start) - 1
    counts = -(-edges // _EDGES_PER_RUN)
    ring_run = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    place = np.arange(ring_run[-1]) - np.repeat(ring_run[:-1], counts)
    first = np.repeat(start[:-1], counts) + place * _EDGES_PER_RUN
    last = np.minimum(first + _EDGES_PER_RUN, np.repeat(start[1:] - 1, counts))
    return np.column_stack([first, last]).astype(np.int64), ring_run


@compiled
def _boxes(x: FloatArray, y: FloatArray, ends: IntArray) -> FloatArray:
    box = np.empty((ends.shape[0], 4))
    for run in range(ends.shape[0]):
        first, last = ends[run, 0], ends[run, 1] + 1
        box[run, 0], box[run, 1] = x[first:last].min(), y[first:last].min()
        box[run, 2], box[run, 3] = x[first:last].max(), y[first:last].max()
    return box


@compiled
def _inside(
    rings: Columns,
    zone_row: IntArray,
    longitude: FloatArray,
    latitude: FloatArray,
    sigma_m: FloatArray,
    signed_m: FloatArray,
    out: FloatArray,
) -> None:
    """Fill ``out``; pairs beyond ``FAR_SIGMA`` of every edge are 0 or 1 by their sign."""
    for pair in range(zone_row.size):
        sigma, signed = sigma_m[pair], signed_m[pair]
        if abs(signed) >= FAR_SIGMA * sigma:
            out[pair] = 1.0 if signed < 0.0 else 0.0
            continue
        zone, lat = zone_row[pair], latitude[pair]
        lon = longitude[pair] + 360.0 * round((rings[5][zone] - longitude[pair]) / 360.0)
        east_m, north_m = metres_per_degree(lat)
        total = edge_sum(rings, zone, lon, lat, east_m / sigma, north_m / sigma)
        is_inside = signed < 0.0
        if abs(total) > _CLEAR or abs(signed) < _AT_EDGE_M:
            is_inside = total > 0.0
        out[pair] = min(1.0, max(0.0, (1.0 if is_inside else 0.0) - total))


@compiled
def edge_sum(
    rings: Columns,
    zone: int,
    lon: float,
    lat: float,
    east: float,
    north: float,
) -> float:
    """S of the zone about the fix; ``east`` and ``north`` are sigmas per degree."""
    x, y, run_ends, run_box, zone_run, _ = rings
    reach_x, reach_y = FAR_SIGMA / east, FAR_SIGMA / north
    total = 0.0
    for run in range(zone_run[zone], zone_run[zone + 1]):
        if run_box[run, 0] - lon > reach_x or lon - run_box[run, 2] > reach_x:
            continue
        if run_box[run, 1] - lat > reach_y or lat - run_box[run, 3] > reach_y:
            continue
        first = run_ends[run, 0]
        ax, ay = (x[first] - lon) * east + _NUDGE, (y[first] - lat) * north + 0.618 * _NUDGE
        for vertex in range(first + 1, run_ends[run, 1] + 1):
            bx, by = (x[vertex] - lon) * east + _NUDGE, (y[vertex] - lat) * north + 0.618 * _NUDGE
            total += _edge(ax, ay, bx, by)
            ax, ay = bx, by
    return total


@compiled
def edge_pull(rings: Columns, zone: int, lon: float, lat: float, east: float, north: float) -> tuple[float, float]:
    """The gradient of P at the fix, per sigma: over each edge the density times its inward normal (exact)."""
    x, y, run_ends, run_box, zone_run, _ = rings
    reach_x, reach_y = FAR_SIGMA / east, FAR_SIGMA / north
    px, py = 0.0, 0.0
    for run in range(zone_run[zone], zone_run[zone + 1]):
        if run_box[run, 0] - lon > reach_x or lon - run_box[run, 2] > reach_x:
            continue
        if run_box[run, 1] - lat > reach_y or lat - run_box[run, 3] > reach_y:
            continue
        first = run_ends[run, 0]
        ax, ay = (x[first] - lon) * east, (y[first] - lat) * north
        for vertex in range(first + 1, run_ends[run, 1] + 1):
            bx, by = (x[vertex] - lon) * east, (y[vertex] - lat) * north
            ux, uy = bx - ax, by - ay
            squared, cross = ux * ux + uy * uy, ax * by - ay * bx
            if squared > _LEAST_SQUARED and cross * cross <= FAR_SIGMA * FAR_SIGMA * squared:
                length = math.sqrt(squared)
                start, end = (ax * ux + ay * uy) / length, (bx * ux + by * uy) / length
                if start <= FAR_SIGMA and end >= -FAR_SIGMA:
                    share = 0.5 * (math.erf(end * math.sqrt(0.5)) - math.erf(start * math.sqrt(0.5)))
                    share *= math.exp(-0.5 * cross * cross / squared) / (math.sqrt(_TURN) * length)
                    px, py = px - uy * share, py + ux * share
            ax, ay = bx, by
    return px, py


@compiled
def _edge(ax: float, ay: float, bx: float, by: float) -> float:
    """The share of one directed edge a→b (in sigmas from the fix) in S."""
    ux, uy = bx - ax, by - ay
    squared = ux * ux + uy * uy
    cross = ax * by - ay * bx
    if squared < _LEAST_SQUARED or cross * cross > FAR_SIGMA * FAR_SIGMA * squared:
        return 0.0
    along = -(ax * ux + ay * uy)
    at = min(1.0, max(0.0, along / squared))
    nx, ny = ax + at * ux, ay + at * uy
    nearest = nx * nx + ny * ny
    if nearest > FAR_SIGMA * FAR_SIGMA:
        return 0.0
    limit = min(nearest, 1.0)
    if squared <= 0.0625 * limit:
        share = 0.0
        for node in _G2_NODE:
            px, py = ax + node * ux, ay + node * uy
            reach = px * px + py * py
            share += 0.5 * math.exp(-0.5 * reach) / reach
        return share * cross / _TURN
    if squared <= limit:
        share = 0.0
        for number in range(4):
            px, py = ax + _G4_NODE[number] * ux, ay + _G4_NODE[number] * uy
            reach = px * px + py * py
            share += _G4_WEIGHT[number] * math.exp(-0.5 * reach) / reach
        return share * cross / _TURN
    length = math.sqrt(squared)
    height = abs(cross) / length
    if height == 0.0:
        return 0.0
    share = _owen(height, (squared - along) / length) + _owen(height, along / length)
    return share if cross > 0.0 else -share


@compiled
def _owen(height: float, along: float) -> float:
    """Owen's T(height, along / height) for height > 0, odd in ``along``; absolute error below 1e-6."""
    reach = abs(along)
    if reach <= height:
        share = _owen_below_one(height, reach / height)
    else:
        tail_h, tail_r = 0.5 * math.erfc(height * math.sqrt(0.5)), 0.5 * math.erfc(reach * math.sqrt(0.5))
        share = 0.5 * (tail_h + tail_r) - tail_h * tail_r - _owen_below_one(reach, height / reach)
    return share if along > 0.0 else -share


@compiled
def _owen_below_one(height: float, slope: float) -> float:
    """Owen's T(height, slope) for height >= 0 and slope in 0..1."""
    half = 0.5 * height * height
    if half > 18.0:
        return 0.0
    share = 0.0
    for number in range(5):
        spread = 1.0 + (slope * _G5_NODE[number]) ** 2
        share += _G5_WEIGHT[number] * math.exp(-half * spread) / spread
    return share * slope / _TURN
