"""How much a zone can be proved at best: the greatest P(inside) over all places, by the size of the error.

P at the best place falls with sigma, from 1 at the pole of inaccessibility to area / (2 pi sigma²) at the centroid.
It is searched once per zone at ``LEVELS`` sigmas between the inscribed radius and the extent, and kept as
q = -log(1 - P) sigma², which is constant for a disc and slow for anything else: a line between logarithms holds it.
"""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from geo.local_shape import Columns, Rings, edge_sum
from geo.projection import FloatArray, compiled, metres_per_degree
from geo.shapes import Circle, Shape, continuous, shape_to_geometry

LEVELS = 16
_POLE_TOLERANCE = 0.05  # of the square root of the area
_CERTAIN = 1.0 - 1e-9
_MOST_STEPS = 40


def flat_polygon(shape: Shape) -> Polygon | MultiPolygon | None:
    """The outline to integrate over, in degrees without a jump at the antimeridian; None for a circle."""
    if isinstance(shape, Circle):
        return None
    outline = continuous(shape_to_geometry(shape))
    assert isinstance(outline, Polygon | MultiPolygon)
    return outline


def best_curves(polygons: Sequence[Polygon | MultiPolygon | None], rings: Rings) -> FloatArray:
    """[m, 2, LEVELS]: log sigma (metres) and log q of each polygon; NaN for None. ``rings``: theirs."""
    starts = np.full((len(polygons), 6), np.nan)
    for row, polygon in enumerate(polygons):
        if polygon is not None:
            starts[row] = _start(polygon)
    curves = np.full((len(polygons), 2, LEVELS), np.nan)
    _search(rings.columns, starts, curves)
    return curves


def best_on_curves(curves: FloatArray, sigma_m: FloatArray) -> FloatArray:
    """The best P(inside) of pairs: curve [k, 2, LEVELS] and sigma [k]. Never rises with sigma."""
    place, level = np.log(sigma_m), curves[:, 0]
    step = (level[:, -1] - level[:, 0]) / (LEVELS - 1)
    at = np.clip((place - level[:, 0]) / step, 0.0, LEVELS - 1.0)
    low = np.minimum(at.astype(np.int64), LEVELS - 2)
    pair = np.arange(place.size)
    left, right = curves[pair, 1, low], curves[pair, 1, low + 1]
    return np.asarray(-np.expm1(-np.exp(left + (at - low) * (right - left) - 2.0 * place)), dtype=np.float64)


def _start(polygon: Polygon | MultiPolygon) -> tuple[float, ...]:
    """Pole and centroid (degrees), inscribed radius and half the diagonal (metres)."""
    west, south, east, north = polygon.bounds
    scale = np.array(metres_per_degree(0.5 * (south + north)))
    origin = np.array([0.5 * (west + east), 0.5 * (south + north)])
    flat = shapely.transform(polygon, lambda points: (points - origin) * scale)
    tolerance_m = max(_POLE_TOLERANCE * math.sqrt(flat.area), 1e-3)
    spoke = shapely.maximum_inscribed_circle(flat, tolerance_m)
    pole = shapely.get_coordinates(spoke)[0] / scale + origin
    centroid = shapely.get_coordinates(flat.centroid)[0] / scale + origin
    half_m = 0.5 * math.hypot(*((np.array([east, north]) - (west, south)) * scale))
    return *pole.tolist(), *centroid.tolist(), max(spoke.length, 1e-3), half_m


@compiled
def _search(
    rings: Columns,
    starts: FloatArray,
    curves: FloatArray,
) -> None:
    """Fill ``curves``: from small errors to great ones, each search begins where the last one ended."""
    for zone in range(starts.shape[0]):
        if math.isnan(starts[zone, 0]):
            continue
        lon, lat = starts[zone, 0], starts[zone, 1]
        low, high = 0.3 * starts[zone, 4], 4.0 * max(starts[zone, 5], starts[zone, 4])
        for number in range(LEVELS):
            sigma = low * (high / low) ** (number / (LEVELS - 1.0))
            lon, lat, best = _climb(rings, zone, lon, lat, sigma)
            middle = _chance(rings, zone, starts[zone, 2], starts[zone, 3], sigma)
            if middle > best:
                lon, lat, best = _climb(rings, zone, starts[zone, 2], starts[zone, 3], sigma)
            best = min(max(best, 1e-300), _CERTAIN)
            curves[zone, 0, number] = math.log(sigma)
            curves[zone, 1, number] = math.log(-math.log1p(-best)) + 2.0 * math.log(sigma)
        for number in range(LEVELS - 2, -1, -1):  # no error makes a zone easier to prove than a smaller one
            least = curves[zone, 1, number + 1] - 2.0 * (curves[zone, 0, number + 1] - curves[zone, 0, number])
            curves[zone, 1, number] = max(curves[zone, 1, number], least)


@compiled
def _climb(
    rings: Columns,
    zone: int,
    lon: float,
    lat: float,
    sigma: float,
) -> tuple[float, float, float]:
    """The place of a local maximum of P near (lon, lat), to an eighth of a sigma, and P there."""
    best, stride, steps = _chance(rings, zone, lon, lat, sigma), 0.5, 0
    east_m, north_m = metres_per_degree(lat)
    while stride >= 0.125 and steps < _MOST_STEPS and best < 0.999:
        moved = False
        for dx, dy in ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)):
            to_lon, to_lat = lon + dx * stride * sigma / east_m, lat + dy * stride * sigma / north_m
            chance = _chance(rings, zone, to_lon, to_lat, sigma)
            if chance > best + 1e-6:
                lon, lat, best, moved = to_lon, to_lat, chance, True
                break
        steps += 1
        if not moved:
            stride *= 0.5
    return lon, lat, best


@compiled
def _chance(
    rings: Columns,
    zone: int,
    lon: float,
    lat: float,
    sigma: float,
) -> float:
    """P(inside) by the sign of the edge sum alone: fit where edges are within reach."""
    east_m, north_m = metres_per_degree(lat)
    total = edge_sum(rings, zone, lon, lat, east_m / sigma, north_m / sigma)
    return 1.0 - total if total > 0.0 else -total
