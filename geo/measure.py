"""Metres from a fix to one zone of any kind at any distance: compiled, without allocation.

A PATH is measured edge by edge, a TREE is searched by boxes. Beyond the length where the mid-latitude formula errs by
5 mm, the geodesic to the nearest point replaces it.
"""

import math

from geo.outline import CIRCLE, PATH
from geo.projection import (
    EQUATOR_RADIUS_M,
    FloatArray,
    IntArray,
    box_distance_squared,
    compiled,
    crosses_odd,
    metres_per_degree,
    near_distance_m,
    nearest_on_run,
    plane_at,
)

_RADIANS = math.pi / 180.0
_MID_LATITUDE_CUBE = 0.005 * 24.0 * 6_371_000.0**2  # s^3 (1 + tan²) / 24 R² is the error of the mid-latitude formula
_FLATTENING = 1.0 / 298.257223563
_MOST_STEPS = 40


@compiled
def signed_distance_m(
    outline: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    forest: tuple[IntArray, FloatArray, IntArray, IntArray],
    zone: int,
    fix: tuple[float, float, float],
) -> float:
    """Signed metres from the fix (degrees, degrees, reach in metres) to the edge of ``zone``; inf beyond reach."""
    x, y, bounds, margin_m = outline
    head = forest[0]
    lon, lat, reach = fix
    away = bounds[zone, 0] - lon
    if away > 180.0 or away < -180.0:
        lon += 360.0 * math.floor((0.5 * (bounds[zone, 0] + bounds[zone, 2]) - lon) / 360.0 + 0.5)
    margin = margin_m[zone]
    kind, closed, first, last = head[zone, 0] & 3, head[zone, 0] >> 2, head[zone, 2], head[zone, 3]
    inside, to_lon, to_lat = False, bounds[zone, 0], bounds[zone, 1]
    if kind == PATH:
        inside = closed == 1 and crosses_odd(x, y, first, last, lon, lat)
        _, to_lon, to_lat = nearest_on_run(x, y, first, last, lon, lat, plane_at(lat), math.inf)
    elif kind != CIRCLE:
        inside, to_lon, to_lat = _nearest_in_tree(
            x, y, forest, (first, last, closed), bounds[zone], (lon, lat, reach + margin)
        )
        if math.isnan(to_lon):
            return math.inf
    distance = near_distance_m(lon, lat, to_lon, to_lat)
    if inside or distance * 0.9 <= reach + margin:
        distance = distance_between_m(lon, lat, to_lon, to_lat)
    return -distance if inside else distance - margin


@compiled
def distance_between_m(longitude: float, latitude: float, to_longitude: float, to_latitude: float) -> float:
    """Metres between two points at any distance; longitudes must not differ by a turn."""
    metres = near_distance_m(longitude, latitude, to_longitude, to_latitude)
    cosine = math.cos(latitude * _RADIANS)
    if metres * metres * metres <= _MID_LATITUDE_CUBE * cosine * cosine:
        return metres
    return _geodesic_m(longitude, latitude, to_longitude, to_latitude)


@compiled
def _nearest_in_tree(
    x: FloatArray,
    y: FloatArray,
    forest: tuple[IntArray, FloatArray, IntArray, IntArray],
    tree: tuple[int, int, int],
    bounds: FloatArray,
    fix: tuple[float, float, float],
) -> tuple[bool, float, float]:
    """Whether the fix is inside by even-odd crossing, and the nearest point on the edges (NaN when beyond reach)."""
    _, box, skip, ends = forest
    first_node, end_node, closed = tree
    lon, lat, reach = fix
    inside = closed == 1 and _inside_tree(x, y, forest, first_node, end_node, lon, lat)
    south_east, _ = metres_per_degree(0.5 * (lat + bounds[1]))
    north_east, _ = metres_per_degree(0.5 * (lat + bounds[3]))
    least_east = 0.98 * min(south_east, north_east)  # the parabola of the plane may be 2 % off across 30 degrees
    plane = plane_at(lat)
    best = math.inf if inside else (1.05 * reach + 1.0) ** 2
    seed = first_node
    while skip[seed] != seed + 1:
        child, end, nearest = seed + 1, skip[seed], math.inf
        while child < end:
            bound = box_distance_squared(
                box[child, 0], box[child, 1], box[child, 2], box[child, 3], lon, lat, least_east
            )
            if bound < nearest:
                seed, nearest = child, bound
            child = skip[child]
    best, to_lon, to_lat = nearest_on_run(x, y, ends[seed, 0], ends[seed, 1], lon, lat, plane, best)
    node = first_node
    while node < end_node:
        bound = box_distance_squared(box[node, 0], box[node, 1], box[node, 2], box[node, 3], lon, lat, least_east)
        if bound >= best or node == seed:
            node = skip[node]
            continue
        if skip[node] == node + 1:
            squared, run_lon, run_lat = nearest_on_run(x, y, ends[node, 0], ends[node, 1], lon, lat, plane, best)
            if squared < best:
                best, to_lon, to_lat = squared, run_lon, run_lat
        node += 1
    return inside, to_lon, to_lat


@compiled
def _inside_tree(
    x: FloatArray,
    y: FloatArray,
    forest: tuple[IntArray, FloatArray, IntArray, IntArray],
    first_node: int,
    end_node: int,
    lon: float,
    lat: float,
) -> bool:
    """Even-odd crossing. One path wholly east of the fix is crossed oddly when its ends lie on different sides."""
    _, box, skip, ends = forest
    inside, node = False, first_node
    while node < end_node:
        if lat < box[node, 1] or lat > box[node, 3] or lon > box[node, 2]:
            node = skip[node]
        elif lon < box[node, 0] and ends[node, 0] >= 0:
            inside = inside != ((y[ends[node, 0]] > lat) != (y[ends[node, 1]] > lat))
            node = skip[node]
        else:
            if skip[node] == node + 1:
                inside = inside != crosses_odd(x, y, ends[node, 0], ends[node, 1], lon, lat)
            node += 1
    return inside


@compiled
def _geodesic_m(longitude: float, latitude: float, to_longitude: float, to_latitude: float) -> float:
    """Geodesic metres on WGS-84 by Vincenty's inverse: below 1 mm but for points nearly opposite on the Earth."""
    turn = (to_longitude - longitude) * _RADIANS
    tan_u1 = (1.0 - _FLATTENING) * math.tan(latitude * _RADIANS)
    tan_u2 = (1.0 - _FLATTENING) * math.tan(to_latitude * _RADIANS)
    cos_u1, cos_u2 = 1.0 / math.sqrt(1.0 + tan_u1 * tan_u1), 1.0 / math.sqrt(1.0 + tan_u2 * tan_u2)
    sin_u1, sin_u2 = tan_u1 * cos_u1, tan_u2 * cos_u2
    bearing, sigma, sin_sigma, cos_sigma, cos_squared, cos_2m = turn, 0.0, 0.0, 1.0, 1.0, 0.0
    for _ in range(_MOST_STEPS):
        sin_b, cos_b = math.sin(bearing), math.cos(bearing)
        sin_sigma = math.hypot(cos_u2 * sin_b, cos_u1 * sin_u2 - sin_u1 * cos_u2 * cos_b)
        if sin_sigma == 0.0:
            return 0.0
        cos_sigma = sin_u1 * sin_u2 + cos_u1 * cos_u2 * cos_b
        sigma = math.atan2(sin_sigma, cos_sigma)
        sin_azimuth = cos_u1 * cos_u2 * sin_b / sin_sigma
        cos_squared = 1.0 - sin_azimuth * sin_azimuth
        cos_2m = cos_sigma - 2.0 * sin_u1 * sin_u2 / cos_squared if cos_squared > 1e-15 else 0.0
        c = _FLATTENING / 16.0 * cos_squared * (4.0 + _FLATTENING * (4.0 - 3.0 * cos_squared))
        inner = cos_2m + c * cos_sigma * (2.0 * cos_2m * cos_2m - 1.0)
        last, bearing = bearing, turn + (1.0 - c) * _FLATTENING * sin_azimuth * (sigma + c * sin_sigma * inner)
        if abs(bearing - last) < 1e-12:
            break
    polar_m = EQUATOR_RADIUS_M * (1.0 - _FLATTENING)
    u_squared = cos_squared * (EQUATOR_RADIUS_M * EQUATOR_RADIUS_M - polar_m * polar_m) / (polar_m * polar_m)
    a = 1.0 + u_squared / 16384.0 * (4096.0 + u_squared * (u_squared * (320.0 - 175.0 * u_squared) - 768.0))
    b = u_squared / 1024.0 * (256.0 + u_squared * (u_squared * (74.0 - 47.0 * u_squared) - 128.0))
    high = b / 6.0 * cos_2m * (4.0 * sin_sigma * sin_sigma - 3.0) * (4.0 * cos_2m * cos_2m - 3.0)
    inner = cos_2m + b / 4.0 * (cos_sigma * (2.0 * cos_2m * cos_2m - 1.0) - high)
    return polar_m * a * (sigma - b * sin_sigma * inner)
