"""When a straight way is inside a zone: fractions of the way, compiled.

An area is left and entered where the way crosses its edges, found in degrees, in which both are straight.
A circle is found by its nearest point to the way and then by halving, with the same distance as in matching; a corridor
edge by edge, as two discs and the strip between them.
"""

import math

import numpy as np

from geo.measure import distance_between_m
from geo.outline import CIRCLE, PATH
from geo.projection import FloatArray, IntArray, compiled, metres_per_degree

_HALVINGS = 40

Outline = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
Trees = tuple[IntArray, FloatArray, IntArray, IntArray]
Way = tuple[float, float, float, float]


@compiled
def stays_of_pairs(
    outline: Outline, trees: Trees, zones: IntArray, ways: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
) -> tuple[IntArray, FloatArray, FloatArray]:
    """For each pair of a zone and a way that begins and ends outside it: pair, first and last fraction of each stay."""
    room, count = max(2 * zones.size, 16), 0
    pair_of, entry, leave = np.empty(room, dtype=np.int64), np.empty(room), np.empty(room)
    marks = np.empty(64)
    for pair in range(zones.size):
        zone = zones[pair]
        lon = ways[0][pair]
        lon += 360.0 * math.floor((0.5 * (outline[2][zone, 0] + outline[2][zone, 2]) - lon) / 360.0 + 0.5)
        way = (lon, ways[1][pair], ways[2][pair], ways[3][pair])
        needed = _marks(outline, trees, zone, way, marks)
        if needed > marks.size:
            marks = np.empty(2 * needed)
            needed = _marks(outline, trees, zone, way, marks)
        stays = _paired(marks, needed, trees[0][zone, 0] & 3 == CIRCLE or trees[0][zone, 0] >> 2 == 0)
        if count + stays > pair_of.size:
            pair_of = np.concatenate((pair_of, np.empty(pair_of.size + stays, dtype=np.int64)))
            entry = np.concatenate((entry, np.empty(entry.size + stays)))
            leave = np.concatenate((leave, np.empty(leave.size + stays)))
        for stay in range(stays):
            pair_of[count], entry[count], leave[count] = pair, marks[2 * stay], marks[2 * stay + 1]
            count += 1
    return pair_of[:count].copy(), entry[:count].copy(), leave[:count].copy()


@compiled
def _paired(marks: FloatArray, count: int, intervals: bool) -> int:
    """Order ``marks`` into stays, empty ones dropped; the answer is their number.

    ``intervals``: the marks are pairs that may overlap (then joined); else they are crossings in any order.
    """
    stays = count // 2
    if not intervals:
        marks[:count].sort()
        kept = 0
        for stay in range(stays):
            if marks[2 * stay] < marks[2 * stay + 1]:
                marks[2 * kept], marks[2 * kept + 1] = marks[2 * stay], marks[2 * stay + 1]
                kept += 1
        return kept
    order = np.argsort(marks[:count:2].copy())
    first, last = marks[:count:2].copy(), marks[1:count:2].copy()
    kept = 0
    for stay in range(stays):
        low, high = first[order[stay]], last[order[stay]]
        if kept > 0 and low <= marks[2 * kept - 1]:
            marks[2 * kept - 1] = max(marks[2 * kept - 1], high)
        elif low < high:
            marks[2 * kept], marks[2 * kept + 1] = low, high
            kept += 1
    return kept


@compiled
def _marks(outline: Outline, trees: Trees, zone: int, way: Way, marks: FloatArray) -> int:
    """Fractions where the way enters and leaves, not yet in order; the answer is how many there are or would be."""
    _, _, bounds, margin_m = outline
    head, box, skip, ends = trees
    kind, closed, first, last = head[zone, 0] & 3, head[zone, 0] >> 2, head[zone, 2], head[zone, 3]
    if kind == CIRCLE:
        return _circle_marks(bounds[zone, 0], bounds[zone, 1], margin_m[zone], way, marks)
    if kind == PATH:
        return _path_marks(outline, closed, first, last, margin_m[zone], way, marks, 0)
    east, north = metres_per_degree(min(abs(way[1]) + 0.2, 89.0))
    wide, high = margin_m[zone] / east, margin_m[zone] / (0.99 * north)
    count, node = 0, first
    while node < last:
        apart = max(way[0], way[0] + way[2]) + wide < box[node, 0] or min(way[0], way[0] + way[2]) - wide > box[node, 2]
        apart = apart or max(way[1], way[1] + way[3]) + high < box[node, 1]
        if apart or min(way[1], way[1] + way[3]) - high > box[node, 3]:
            node = skip[node]
        else:
            if skip[node] == node + 1:
                count = _path_marks(outline, closed, ends[node, 0], ends[node, 1], margin_m[zone], way, marks, count)
            node += 1
    return count


@compiled
def _path_marks(
    outline: Outline, closed: int, first: int, last: int, half_width_m: float, way: Way, marks: FloatArray, count: int
) -> int:
    """Crossings of the edges of an area, or pairs for the edges of a corridor."""
    x, y, _, _ = outline
    lon, lat, dx, dy = way
    east, north = metres_per_degree(lat + 0.5 * dy)
    for vertex in range(first, last):
        ax, ay, bx, by = x[vertex] - lon, y[vertex] - lat, x[vertex + 1] - lon, y[vertex + 1] - lat
        if closed == 1:
            a_side, b_side = dx * ay - dy * ax, dx * by - dy * bx
            if (a_side > 0.0) == (b_side > 0.0):
                continue
            part = a_side / (a_side - b_side)
            px, py = ax + part * (bx - ax), ay + part * (by - ay)
            low = high = (px * dx + py * dy) / (dx * dx + dy * dy)
            if not 0.0 < low < 1.0:
                continue
            found = 1
        else:
            low, high = _capsule(ax * east, ay * north, bx * east, by * north, dx * east, dy * north, half_width_m)
            low, high = max(low, 0.0), min(high, 1.0)
            if low >= high:
                continue
            found = 2
        if count + found <= marks.size:
            marks[count] = low
            if found == 2:
                marks[count + 1] = high
        count += found
    return count


@compiled
def _capsule(
    ax: float, ay: float, bx: float, by: float, dx: float, dy: float, half_width_m: float
) -> tuple[float, float]:
    """Fractions between which the way from the origin along d (metres) is within the half width of the edge a→b."""
    low, high = math.inf, -math.inf
    length_squared = dx * dx + dy * dy
    for cx, cy in ((ax, ay), (bx, by)):
        middle = (cx * dx + cy * dy) / length_squared
        spare = half_width_m * half_width_m - (cx - middle * dx) ** 2 - (cy - middle * dy) ** 2
        if spare > 0.0:
            half = math.sqrt(spare / length_squared)
            low, high = min(low, middle - half), max(high, middle + half)
    ux, uy = bx - ax, by - ay
    edge_m = math.hypot(ux, uy)
    if edge_m == 0.0:
        return low, high
    ux, uy = ux / edge_m, uy / edge_m
    start, end = -math.inf, math.inf
    for origin, step, least, most in (
        (-(ax * ux + ay * uy), dx * ux + dy * uy, 0.0, edge_m),
        (ax * uy - ay * ux, dy * ux - dx * uy, -half_width_m, half_width_m),
    ):
        if step == 0.0:
            if not least <= origin <= most:
                return low, high
        else:
            enter, leave = (least - origin) / step, (most - origin) / step
            start, end = max(start, min(enter, leave)), min(end, max(enter, leave))
    if start < end:
        low, high = min(low, start), max(high, end)
    return low, high


@compiled
def _circle_marks(lon: float, lat: float, radius_m: float, way: Way, marks: FloatArray) -> int:
    """The two fractions at which the way meets the circle, or none."""
    east, north = metres_per_degree(0.5 * (lat + way[1] + 0.5 * way[3]))
    dx, dy = way[2] * east, way[3] * north
    nearest = ((lon - way[0]) * east * dx + (lat - way[1]) * north * dy) / (dx * dx + dy * dy)
    nearest = min(max(nearest, 0.0), 1.0)
    if distance_between_m(way[0] + nearest * way[2], way[1] + nearest * way[3], lon, lat) >= radius_m:
        return 0
    for side in range(2):
        inside, outside = nearest, float(side)
        for _ in range(_HALVINGS):
            middle = 0.5 * (inside + outside)
            if distance_between_m(way[0] + middle * way[2], way[1] + middle * way[3], lon, lat) < radius_m:
                inside = middle
            else:
                outside = middle
        marks[side] = 0.5 * (inside + outside)
    return 2
