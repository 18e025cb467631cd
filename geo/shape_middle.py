"""How much a zone can be proved at best: the greatest P(inside) over all places, by the size of the error.

P at the best place falls with sigma, from 1 at the widest spot to area / (2 pi sigma²) at the centroid. It is searched
once per zone at ``LEVELS`` sigmas between the width and the extent, and kept as q = -log(1 - P) sigma², which is
constant for a disc and slow for anything else: a line between logarithms holds it.

The search goes from small errors to great ones with several places at once, since the widest spot is seldom where most
of the zone is near: the middles of chords across the zone, from its corners and from the middles of its edges, and the
centroid. At each sigma places climb by the mean of what the error would hit (mean shift: E[y - x] = grad P / P) and
those that meet go on as one. A place whose P was below the best already is not looked at: P at a summit never rises.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from geo.local_shape import Columns, Rings, edge_pull, edge_sum
from geo.projection import FloatArray, compiled, crosses_odd, metres_per_degree
from geo.shapes import CIRCLE_POINTS, Circle, Corridor, Shape, continuous, shape_to_geometry

LEVELS = 20
_EVEN_CHORDS, _CORNER_CHORDS = 24, 24
_SHARP = 0.85  # cosine of the turn from which a corner counts
_LEAST_SIGMA_M = 1.5  # no accuracy is read as less
_CERTAIN = 1.0 - 1e-9
_PLENTY = 0.9995  # a place as sure as this needs no better one
_CLIMBS = 5  # steps of a place at one sigma
_LEAST_STEP = 0.03  # sigma; a summit is flat
_MEET = 0.6  # sigma; places nearer than this go on as one
_WORTH = 0.6  # of the best: a place with less does not climb
_SHARE = 200  # zones, the least that are worth a thread
_PLANE_DEG = 0.1  # corridors up to this size are widened in the plane of their middle


def flat_polygon(shape: Shape) -> Polygon | MultiPolygon | None:
    """The outline to integrate over, in degrees without a jump at the antimeridian; None for a circle."""
    if isinstance(shape, Circle):
        return None
    outline = _small_corridor(shape) if isinstance(shape, Corridor) else None
    outline = continuous(shape_to_geometry(shape)) if outline is None else outline
    assert isinstance(outline, Polygon | MultiPolygon)
    return outline


def _small_corridor(shape: Corridor) -> shapely.Geometry | None:
    """The outline of a corridor whose scales hardly change over it; None for a larger one."""
    line = continuous(shape.line)
    west, south, east, north = line.bounds
    scale = np.array(metres_per_degree(0.5 * (south + north)))
    if max(north - south, (east - west) * scale[0] / scale[1]) > _PLANE_DEG:
        return None
    middle = np.array([0.5 * (west + east), 0.5 * (south + north)])
    plane = shapely.transform(line, lambda points: (points - middle) * scale)
    wide = shapely.buffer(plane, shape.half_width_m, quad_segs=CIRCLE_POINTS // 4)
    return shapely.transform(wide, lambda points: points / scale + middle)


def best_curves(rings: Rings, *, thread_count: int = 1) -> tuple[FloatArray, FloatArray]:
    """[m, 2, LEVELS]: log sigma (metres) and log q of each zone, NaN for one without rings; [m] square metres."""
    zones = rings.zone_run.size - 1
    curves, area_m2 = np.full((zones, 2, LEVELS), np.nan), np.zeros(zones)
    shares = max(1, min(thread_count, zones // _SHARE))
    spans = list(pairwise(zones * share // shares for share in range(shares + 1)))
    with ThreadPoolExecutor(shares) as pool:
        list(pool.map(lambda span: _search(rings.columns, span, curves, area_m2), spans))
    return curves, area_m2


def best_on_curves(curves: FloatArray, sigma_m: FloatArray) -> FloatArray:
    """The best P(inside) of pairs: curve [k, 2, LEVELS] and sigma [k]. Never rises with sigma."""
    place, level = np.log(sigma_m), curves[:, 0]
    step = (level[:, -1] - level[:, 0]) / (LEVELS - 1)
    at = np.clip((place - level[:, 0]) / step, 0.0, LEVELS - 1.0)
    low = np.minimum(at.astype(np.int64), LEVELS - 2)
    pair = np.arange(place.size)
    left, right = curves[pair, 1, low], curves[pair, 1, low + 1]
    return np.asarray(-np.expm1(-np.exp(left + (at - low) * (right - left) - 2.0 * place)), dtype=np.float64)


@compiled
def _search(rings: Columns, span: tuple[int, int], curves: FloatArray, area_m2: FloatArray) -> None:
    """Fill ``curves`` and ``area_m2`` for the zones of ``span``."""
    zone_run = rings[4]
    most = _EVEN_CHORDS + 2 * _CORNER_CHORDS + 2
    places, worth = np.empty((most, 2)), np.empty(most)
    for zone in range(span[0], span[1]):
        if zone_run[zone] == zone_run[zone + 1]:
            continue
        scale, size = _size(rings, zone, places)
        area_m2[zone] = size[0]
        count = _add_chords(rings, zone, scale, size[1], places, worth)
        low = max(0.25 * size[0] / size[1], _LEAST_SIGMA_M)  # area over length: half the width of a thin zone
        high = max(4.0 * size[2], 2.0 * low)
        for number in range(LEVELS):
            sigma = low * (high / low) ** (number / (LEVELS - 1.0))
            best, count = _follow(rings, zone, (scale[0] / sigma, scale[1] / sigma), places, worth, count)
            best = min(max(best, 1e-300), _CERTAIN)
            curves[zone, 0, number] = math.log(sigma)
            curves[zone, 1, number] = math.log(-math.log1p(-best)) + 2.0 * math.log(sigma)
        for number in range(LEVELS - 2, -1, -1):  # no error makes a zone easier to prove than a smaller one
            least = curves[zone, 1, number + 1] - 2.0 * (curves[zone, 0, number + 1] - curves[zone, 0, number])
            curves[zone, 1, number] = max(curves[zone, 1, number], least)


@compiled
def _size(rings: Columns, zone: int, places: FloatArray) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Metres per degree at the middle; area, length of edges and half the diagonal (m², m, m). Places[0]: centroid."""
    x, y, run_ends, run_box, zone_run, _ = rings
    start, end = zone_run[zone], zone_run[zone + 1]
    west, south = run_box[start:end, 0].min(), run_box[start:end, 1].min()
    east, north = run_box[start:end, 2].max(), run_box[start:end, 3].max()
    ox, oy = 0.5 * (west + east), 0.5 * (south + north)
    scale = metres_per_degree(oy)
    doubled, length, mx, my = 0.0, 0.0, 0.0, 0.0
    for run in range(start, end):
        for vertex in range(run_ends[run, 0], run_ends[run, 1]):
            ax, ay, bx, by = x[vertex] - ox, y[vertex] - oy, x[vertex + 1] - ox, y[vertex + 1] - oy
            cross = ax * by - ay * bx
            doubled, mx, my = doubled + cross, mx + cross * (ax + bx), my + cross * (ay + by)
            length += math.hypot((bx - ax) * scale[0], (by - ay) * scale[1])
    places[0, 0], places[0, 1] = ox + mx / (3.0 * doubled), oy + my / (3.0 * doubled)
    half_m = 0.5 * math.hypot((east - west) * scale[0], (north - south) * scale[1])
    return scale, (0.5 * doubled * scale[0] * scale[1], length, half_m)


@compiled
def _add_chords(
    rings: Columns, zone: int, scale: tuple[float, float], length_m: float, places: FloatArray, worth: FloatArray
) -> int:
    """Middles of chords at right angles from points even on the outline, and along the bisectors of sharp corners."""
    x, y, run_ends, _, zone_run, _ = rings
    spacing = length_m / _EVEN_CHORDS
    count, walked, corners, opens = 1, 0.5 * spacing, 0, 0
    for run in range(zone_run[zone], zone_run[zone + 1]):
        if run == zone_run[zone] or run_ends[run, 0] != run_ends[run - 1, 1]:
            opens = run_ends[run, 0]
        goes_on = run + 1 < zone_run[zone + 1] and run_ends[run + 1, 0] == run_ends[run, 1]
        for vertex in range(run_ends[run, 0], run_ends[run, 1]):
            ux, uy = (x[vertex + 1] - x[vertex]) * scale[0], (y[vertex + 1] - y[vertex]) * scale[1]
            long = math.hypot(ux, uy)
            if long == 0.0:
                continue
            while walked < long and count <= _EVEN_CHORDS:
                lon, lat = x[vertex] + walked / long * ux / scale[0], y[vertex] + walked / long * uy / scale[1]
                count = _add_chord(rings, zone, (lon, lat), (-uy / long, ux / long), scale, 0.5, places, count)
                walked += spacing
            walked -= long
            if corners < _CORNER_CHORDS:
                after = vertex + 2 if goes_on or vertex + 1 < run_ends[run, 1] else opens + 1
                vx, vy = (x[after] - x[vertex + 1]) * scale[0], (y[after] - y[vertex + 1]) * scale[1]
                other = math.hypot(vx, vy)
                if ux * vx + uy * vy < _SHARP * long * other:
                    nx, ny = -uy / long - vy / other, ux / long + vx / other
                    corner = x[vertex + 1], y[vertex + 1]
                    count = _add_chord(rings, zone, corner, (nx, ny), scale, 0.5, places, count)
                    if ux * vy < uy * vx:  # at an inner corner the widest spot is nearer to it
                        count = _add_chord(rings, zone, corner, (nx, ny), scale, 0.3, places, count)
                    corners += 1
    worth[:count] = 1.0
    return count


@compiled
def _add_chord(
    rings: Columns,
    zone: int,
    start: tuple[float, float],
    way: tuple[float, float],
    scale: tuple[float, float],
    part: float,
    places: FloatArray,
    count: int,
) -> int:
    """Put the place at ``part`` of the chord from a point on the outline along ``way`` in ``places``; how many now."""
    (lon, lat), (nx, ny) = start, way
    reach = _reach(rings, zone, lon, lat, nx, ny, scale)
    if reach < math.inf:
        places[count, 0], places[count, 1] = lon + part * reach * nx / scale[0], lat + part * reach * ny / scale[1]
        return count + 1
    return count


@compiled
def _reach(
    rings: Columns, zone: int, lon: float, lat: float, nx: float, ny: float, scale: tuple[float, float]
) -> float:
    """How many times (nx, ny) metres the next edge is away in that direction; infinite without one."""
    x, y, run_ends, _, zone_run, _ = rings
    nearest = math.inf
    for run in range(zone_run[zone], zone_run[zone + 1]):
        first = run_ends[run, 0]
        ax, ay = (x[first] - lon) * scale[0], (y[first] - lat) * scale[1]
        side = nx * ay - ny * ax
        for vertex in range(first + 1, run_ends[run, 1] + 1):
            bx, by = (x[vertex] - lon) * scale[0], (y[vertex] - lat) * scale[1]
            other = nx * by - ny * bx
            if (side > 0.0) != (other > 0.0):
                part = side / (side - other)
                hx, hy = ax + part * (bx - ax), ay + part * (by - ay)
                along = (hx * nx + hy * ny) / (nx * nx + ny * ny)
                if 1e-6 < along < nearest:
                    nearest = along
            ax, ay, side = bx, by, other
    return nearest


@compiled
def _follow(
    rings: Columns, zone: int, scale: tuple[float, float], places: FloatArray, worth: FloatArray, count: int
) -> tuple[float, int]:
    """The best P at one sigma, and how many places go on: they climb, and the best of them comes first."""
    count = _met(scale, places, worth, count)
    best, first = 0.0, 0
    for place in range(count):
        if worth[place] <= best or best >= _PLENTY:
            continue
        lon, lat = places[place, 0], places[place, 1]
        chance = _chance(rings, zone, lon, lat, scale)
        if chance >= _WORTH * best:
            chance = _climb(rings, zone, scale, places[place], chance)
        worth[place] = chance
        if chance > best:
            best, first = chance, place
    for axis in range(2):
        places[0, axis], places[first, axis] = places[first, axis], places[0, axis]
    worth[0], worth[first] = worth[first], worth[0]
    return best, count


@compiled
def _met(scale: tuple[float, float], places: FloatArray, worth: FloatArray, count: int) -> int:
    """Join places that are near each other; the better one goes on. How many are left."""
    kept = 1
    for place in range(1, count):
        alone = True
        for other in range(kept):
            dx = (places[place, 0] - places[other, 0]) * scale[0]
            dy = (places[place, 1] - places[other, 1]) * scale[1]
            if dx * dx + dy * dy < _MEET * _MEET:
                alone = False
                if worth[place] > worth[other]:
                    places[other], worth[other] = places[place], worth[place]
                break
        if alone:
            places[kept], worth[kept] = places[place], worth[place]
            kept += 1
    return kept


@compiled
def _climb(rings: Columns, zone: int, scale: tuple[float, float], place: FloatArray, chance: float) -> float:
    """Move ``place`` towards a summit of P if that is higher; P there. ``chance``: P at ``place``."""
    lon, lat = place[0], place[1]
    for _ in range(_CLIMBS):
        px, py = edge_pull(rings, zone, lon, lat, scale[0], scale[1])
        stride = (1.0 + 2.0 * chance * chance) / max(chance, 1e-12)
        stride = max(stride, 0.25 / max(1.0 - chance, 1e-4))  # the shift alone is slow where nearly all is hit
        px, py = stride * px, stride * py
        length = math.hypot(px, py)
        if length < _LEAST_STEP:
            break
        cut = min(1.0, 1.0 / length)
        lon, lat = lon + cut * px / scale[0], lat + cut * py / scale[1]
    if lon == place[0] and lat == place[1]:
        return chance
    reached = _chance(rings, zone, lon, lat, scale)
    if reached > chance:
        place[0], place[1] = lon, lat
        return reached
    return chance


@compiled
def _chance(rings: Columns, zone: int, lon: float, lat: float, scale: tuple[float, float]) -> float:
    """P(inside) by the sign of the edge sum, and by crossings where no edge is near. ``scale``: sigmas per degree."""
    total = edge_sum(rings, zone, lon, lat, scale[0], scale[1])
    if total == 0.0:  # every edge is far
        odd = False
        for run in range(rings[4][zone], rings[4][zone + 1]):
            odd = odd != crosses_odd(rings[0], rings[1], rings[2][run, 0], rings[2][run, 1], lon, lat)
        return 1.0 if odd else 0.0
    return 1.0 - total if total > 0.0 else -total
