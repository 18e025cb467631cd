"""The matching loop: fixes in blocks through short passes, so that the waits for memory of many fixes overlap.

A pass per block: cells of each fix, cells in the table, entries of the cells, order within the fix, metres. Nothing is
allocated and the GIL is free. When a buffer is too small the kernel stops before the block and says so; the caller
gives a larger one and goes on from the same fix.
"""

import math

import numpy as np
from numpy.typing import NDArray

from geo.grid import COUNT_BITS, TURN, UNITS_PER_DEGREE, cell_key, first_slot
from geo.measure import path_distance_squared, scales_at, signed_distance_m
from geo.outline import LANES, PATH
from geo.prefetch import prefetch
from geo.projection import FloatArray, IntArray, compiled

DONE, MORE_CANDIDATES, MORE_PAIRS = 0, 1, 2
BLOCK_FIXES = 1024
BLOCK_PROBES = 4096
MOST_CELLS = 4096  # of one size around one fix; beyond, every zone of that size is tried by its box
PROBE_ROOM = BLOCK_PROBES + 32 * MOST_CELLS

_LEAST_NORTH_M = 110_574.0
_LEAST_EAST_M = 111_319.0
_POLE_GUARD_DEG = 89.0
_INSERTION_SORT = 24
AHEAD = 8  # candidates whose vertices are on their way while one is measured

Cells = tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray]
Outline = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
Trees = tuple[IntArray, FloatArray, IntArray, IntArray]
Fixes = tuple[FloatArray, FloatArray, FloatArray]
Scratch = tuple[IntArray, IntArray, IntArray, IntArray]
Pairs = tuple[IntArray, IntArray, FloatArray]


@compiled
def first_unmatchable(lon: FloatArray, lat: FloatArray, reach: FloatArray) -> int:
    """Row of the first fix that is not on Earth or whose reach is not finite and >= 0; -1 when there is none."""
    for fix in range(lon.size):
        if not (abs(lon[fix]) <= 180.0 and abs(lat[fix]) <= 90.0 and 0.0 <= reach[fix] < math.inf):
            return fix
    return -1


@compiled
def match_fixes(
    cells: Cells,
    outline: Outline,
    trees: Trees,
    alive: NDArray[np.bool_],
    fixes: Fixes,
    span: tuple[int, int, int],
    scratch: Scratch,
    out: Pairs,
) -> tuple[int, int, int]:
    """Append the pairs of fixes ``span[0]..span[1]`` to ``out`` after ``span[2]``: next fix, pairs so far, status.

    ``alive`` tells for each public row whether its zone is still there; empty when all are.
    """
    fix, stop, count = span
    boxes, probes, groups, found = scratch
    while fix < stop:
        end, probe_count = _list_cells(cells, fixes, fix, stop, boxes, probes)
        _look_up(cells, probes, probe_count)
        total = _collect(cells, boxes, probes, probe_count, groups, found, end - fix, trees[0], outline[2])
        if total > found.size:
            return fix, count, MORE_CANDIDATES
        if count + total > out[0].size:
            return fix, count, MORE_PAIRS
        count = _measure(outline, trees, alive, fixes, fix, end, groups, found, count, out)
        fix = end
    return fix, count, DONE


@compiled
def _list_cells(
    cells: Cells, fixes: Fixes, start: int, stop: int, boxes: IntArray, probes: IntArray
) -> tuple[int, int]:
    """Reach boxes (units) of the next fixes and a probe (fix, size, column, row, key) for every cell they touch."""
    lon, lat, reach = fixes
    shifts = cells[2]
    count, fix = 0, start
    while fix < stop and fix - start < BLOCK_FIXES and count < BLOCK_PROBES:
        wide, rise = 0.0, 0.0
        if reach[fix] > 0.0:
            rise = reach[fix] / _LEAST_NORTH_M
            highest = abs(lat[fix]) + rise
            wide = 360.0
            if highest < _POLE_GUARD_DEG:
                wide = min(reach[fix] / (_LEAST_EAST_M * math.cos(highest * (math.pi / 180.0))), 360.0)
        box = boxes[fix - start]
        box[0] = math.floor((lon[fix] - wide + 180.0) * UNITS_PER_DEGREE)
        box[1] = math.floor((max(lat[fix] - rise, -90.0) + 90.0) * UNITS_PER_DEGREE)
        box[2] = math.floor((lon[fix] + wide + 180.0) * UNITS_PER_DEGREE)
        box[3] = math.floor((min(lat[fix] + rise, 90.0) + 90.0) * UNITS_PER_DEGREE)
        for level in range(shifts.size):
            shift = shifts[level]
            west, south, east, north = box[0] >> shift, box[1] >> shift, box[2] >> shift, box[3] >> shift
            if (east - west + 1) * (north - south + 1) > MOST_CELLS or east - west >= (TURN >> shift) - 1:
                probes[count, 0], probes[count, 1], probes[count, 4] = fix - start, level, -1
                count += 1
                continue
            for row in range(south, north + 1):
                for column in range(west, east + 1):
                    probe = probes[count]
                    probe[0], probe[1], probe[2], probe[3] = fix - start, shift, column, row
                    probe[4] = cell_key(shift, column, row)
                    prefetch(cells[0], first_slot(probe[4], cells[0].shape[0]))
                    count += 1
        fix += 1
    return fix, count


@compiled
def _look_up(cells: Cells, probes: IntArray, count: int) -> None:
    """Replace the key of each probe by the entry list of its cell (0 when empty); -1 stays."""
    slots = cells[0]
    last = slots.shape[0] - 1
    for probe in range(count):
        key = probes[probe, 4]
        if key < 0:
            continue
        slot = first_slot(key, slots.shape[0])
        while slots[slot, 0] != key and slots[slot, 0] >= 0:
            slot = (slot + 1) & last
        probes[probe, 4] = slots[slot, 1] if slots[slot, 0] == key else 0
        prefetch(cells[1], probes[probe, 4] >> COUNT_BITS)


@compiled
def _collect(
    cells: Cells,
    boxes: IntArray,
    probes: IntArray,
    probe_count: int,
    groups: IntArray,
    found: IntArray,
    fix_count: int,
    head: IntArray,
    bounds: FloatArray,
) -> int:
    """Zones whose part in a cell meets the fix's box, sorted and unique per fix: ``found[groups[i]:groups[i + 1]]``.

    Answers the room that is needed when ``found`` is too small.
    """
    entries = cells[1]
    count, probe = 0, 0
    for fix in range(fix_count):
        groups[fix] = count
        box = boxes[fix]
        while probe < probe_count and probes[probe, 0] == fix:
            lists = probes[probe, 4]
            if lists < 0:
                if count + len(head) > found.size:
                    return count + len(head)
                count = _scan_level(cells, probes[probe, 1], box, count, found)
            elif lists > 0:
                first, length = lists >> COUNT_BITS, lists & ((1 << COUNT_BITS) - 1)
                if count + length > found.size:
                    return int(count + length)
                shift, column, row = probes[probe, 1], probes[probe, 2], probes[probe, 3]
                fine, most = shift - 8, (1 << shift) - 1
                west = max(box[0] - (column << shift), 0) >> fine
                south = max(box[1] - (row << shift), 0) >> fine
                east = min(box[2] - (column << shift), most) >> fine
                north = min(box[3] - (row << shift), most) >> fine
                for at in range(first, first + length):
                    entry = entries[at]
                    apart = (((entry >> 24) & 255) > east) | (((entry >> 16) & 255) > north)
                    apart |= (((entry >> 8) & 255) < west) | ((entry & 255) < south)
                    found[count] = entry >> 32
                    count += not apart
            probe += 1
        count = _sorted_unique(found, groups[fix], count)
        for place in range(groups[fix], count):
            prefetch(head, found[place])
            prefetch(bounds, found[place])
    groups[fix_count] = count
    return count


@compiled
def _scan_level(cells: Cells, level: int, box: IntArray, count: int, found: IntArray) -> int:
    """Try every zone of one cell size by its box."""
    level_zones, level_start, zone_box = cells[3], cells[4], cells[5]
    for place in range(level_start[level], level_start[level + 1]):
        zone = level_zones[place]
        if zone_box[zone, 1] <= box[3] and zone_box[zone, 3] >= box[1]:
            for turn in (-TURN, 0, TURN):
                if zone_box[zone, 0] + turn <= box[2] and zone_box[zone, 2] + turn >= box[0]:
                    found[count] = zone
                    count += 1
                    break
    return count


@compiled
def _sorted_unique(found: IntArray, first: int, end: int) -> int:
    """Sort ``found[first:end]`` and drop repeats; the answer is the new end."""
    if end - first < 2:
        return end
    if end - first > _INSERTION_SORT:
        found[first:end].sort()
    else:
        for place in range(first + 1, end):
            zone, free = found[place], place
            while free > first and found[free - 1] > zone:
                found[free] = found[free - 1]
                free -= 1
            found[free] = zone
    kept, last = first, -1
    for place in range(first, end):
        zone = found[place]
        if zone != last:
            found[kept] = zone
            kept += 1
        last = zone
    return kept


@compiled
def _measure(
    outline: Outline,
    trees: Trees,
    alive: NDArray[np.bool_],
    fixes: Fixes,
    start: int,
    end: int,
    groups: IntArray,
    found: IntArray,
    count: int,
    out: Pairs,
) -> int:
    """Append the candidates that are nearer than the reach of their fix."""
    lon, lat, reach = fixes
    fix_row, zone_row, signed_m = out
    x, y, bounds, margin_m = outline
    head, ahead, last_place = trees[0], 0, groups[end - start]
    for fix in range(start, end):
        first, last = groups[fix - start], groups[fix - start + 1]
        if first == last:
            continue
        scales = scales_at(lat[fix])
        for place in range(first, last):
            while ahead < last_place and ahead <= place + AHEAD:
                if head[found[ahead], 0] & 3 == PATH:
                    for vertex in range(head[found[ahead], 2], head[found[ahead], 3] + 1, LANES):
                        prefetch(outline[0], vertex)
                        prefetch(outline[1], vertex)
                ahead += 1
            zone = found[place]
            near = False
            if head[zone, 0] & 3 == PATH and abs(bounds[zone, 0] - lon[fix]) < 180.0:  # the usual case, without a call
                squared, crossed = path_distance_squared(x, y, head[zone, 2], head[zone, 3], lon[fix], lat[fix], scales)
                signed = math.sqrt(squared)
                near = signed * signed * signed <= scales[4]
                signed = -signed if (head[zone, 0] >> 2) & crossed & 1 else signed - margin_m[zone]
            if not near:
                signed = signed_distance_m(outline, trees, zone, (lon[fix], lat[fix], reach[fix]), scales)
            row = head[zone, 1]
            fix_row[count], zone_row[count], signed_m[count] = fix, row, signed
            count += signed < reach[fix] and (alive.size == 0 or alive[row])
    return count
