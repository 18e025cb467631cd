"""The matching loop: fixes in blocks through short passes, so that the waits for memory of many fixes overlap.

A pass per block: cells of each fix, cells in the table, parts of the cells, entries of the cells, metres. Nothing is
allocated and the GIL is free. When a buffer is too small the kernel stops before the block and says so; the caller
gives a larger one and goes on from the same fix.
"""

import math

import numpy as np
from numpy.typing import NDArray

from geo.grid import PART_BITS, PLACE_BITS, TURN, UNITS_PER_DEGREE, cell_key, first_slot, part_mask
from geo.machine import popcount, prefetch
from geo.measure import signed_distance_m
from geo.near import LINE, Cards, Deck, near_signed_distance_m
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
_AHEAD = 12  # candidates whose vertices are on their way while one is measured
_LINES_AT_ONCE = 4  # of a card and its vertices: those of up to 16 edges
_CARD_BITS = 32
_CARD_MASK = (1 << _CARD_BITS) - 1
_PLACE_MASK = (1 << PLACE_BITS) - 1

Grid = tuple[IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, IntArray, IntArray]
Outline = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
Trees = tuple[IntArray, FloatArray, IntArray, IntArray]
Near = tuple[Cards, Deck]
Fixes = tuple[FloatArray, FloatArray, FloatArray]
Scratch = tuple[IntArray, IntArray, IntArray]
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
    cells: Grid,
    outline: Outline,
    trees: Trees,
    near: Near,
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
    boxes, probes, found = scratch
    while fix < stop:
        end, listed = _list_cells(cells, fixes, fix, stop, boxes, probes)
        kept = _look_at_parts(cells, boxes, probes, _find_cells(cells, probes, listed))
        total = _collect(cells, near[0], boxes, probes, kept, found)
        if total > found.size:
            return fix, count, MORE_CANDIDATES
        if count + total > out[0].size:
            return fix, count, MORE_PAIRS
        count = _measure(outline, trees, near, alive, fixes, fix, found[:total], count, out)
        fix = end
    return fix, count, DONE


@compiled
def _list_cells(cells: Grid, fixes: Fixes, start: int, stop: int, boxes: IntArray, probes: IntArray) -> tuple[int, int]:
    """Reach boxes (units) of the next fixes and a probe (fix, size, column, row, key) for every cell they touch."""
    lon, lat, reach = fixes
    shifts = cells[3]
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
                    prefetch(cells[0], first_slot(probe[4] >> PLACE_BITS, cells[0].shape[0]))
                    count += 1
        fix += 1
    return fix, count


@compiled
def _find_cells(cells: Grid, probes: IntArray, count: int) -> int:
    """Replace the key of each probe by its cell and keep those whose cell is there; -1 stays. Answers how many."""
    slots = cells[0]
    last = slots.shape[0] - 1
    kept = 0
    for at in range(count):
        probe, key = probes[at], probes[at, 4]
        cell, is_there = key, 1
        if key >= 0:
            block, place = key >> PLACE_BITS, key & _PLACE_MASK
            slot = first_slot(block, slots.shape[0])
            while slots[slot, 0] != block and slots[slot, 0] >= 0:
                slot = (slot + 1) & last
            bits = slots[slot, 1]
            cell = slots[slot, 2] + popcount(bits & ((1 << place) - 1))
            is_there = int((slots[slot, 0] >= 0) & (bits >> place) & 1)
        kept = _keep(probes, kept, probe, cell, is_there)
        prefetch(cells[1], cell * is_there)
    return kept


@compiled
def _look_at_parts(cells: Grid, boxes: IntArray, probes: IntArray, count: int) -> int:
    """Keep the probes in whose cell some zone is in the same part as the fix's box; answers how many."""
    kept = 0
    for at in range(count):
        probe, cell = probes[at], probes[at, 4]
        is_met = 1
        if cell >= 0:
            west, south, east, north = _box_in_cell(boxes[probe[0]], probe, 2)
            is_met = int(cells[1][cell] & part_mask(west, south, east, north) != 0)
            prefetch(cells[2], (cells[1][cell] >> PART_BITS) * is_met)
        kept = _keep(probes, kept, probe, cell, is_met)
    return kept


@compiled
def _keep(probes: IntArray, kept: int, probe: IntArray, cell: int, is_kept: int) -> int:
    """Write a probe with its cell to place ``kept``; that place is taken if ``is_kept`` is 1."""
    to = probes[kept]
    to[0], to[1], to[2], to[3], to[4] = probe[0], probe[1], probe[2], probe[3], cell
    return kept + is_kept


@compiled
def _box_in_cell(box: IntArray, probe: IntArray, bits: int) -> tuple[int, int, int, int]:
    """The part of a fix's box in the cell of a probe, in ``1 / 2^bits`` of the cell."""
    shift, column, row = probe[1], probe[2], probe[3]
    fine, most = shift - bits, (1 << shift) - 1
    west = max(box[0] - (column << shift), 0) >> fine
    south = max(box[1] - (row << shift), 0) >> fine
    east = min(box[2] - (column << shift), most) >> fine
    north = min(box[3] - (row << shift), most) >> fine
    return west, south, east, north


@compiled
def _collect(cells: Grid, cards: Cards, boxes: IntArray, probes: IntArray, probe_count: int, found: IntArray) -> int:
    """Zones whose part in a cell meets the fix's box, as fix << 32 | card, sorted, no pair twice; their number.

    Answers the room that is needed when ``found`` is too small.
    """
    entries = cells[2]
    count, first, last_fix, probes_of_fix = 0, 0, -1, 0
    for at in range(probe_count):
        probe = probes[at]
        fix, cell = probe[0], probe[4]
        if fix != last_fix:
            if probes_of_fix > 1:
                count = _sorted_unique(found, first, count)
            first, last_fix, probes_of_fix = count, fix, 0
        probes_of_fix += 1
        start = 0 if cell < 0 else cells[1][cell] >> PART_BITS
        room = cards.size if cell < 0 else (cells[1][cell + 1] >> PART_BITS) - start
        if count + room > found.size:
            return int(count + room)
        if cell < 0:
            count = _scan_level(cells, probe[1], boxes[fix], fix << _CARD_BITS, count, found)
            probes_of_fix += 1  # a scan is not in order
            continue
        west, south, east, north = _box_in_cell(boxes[fix], probe, 8)
        for entry in entries[start : start + room]:
            apart = (((entry >> 24) & 255) > east) | (((entry >> 16) & 255) > north)
            apart |= (((entry >> 8) & 255) < west) | ((entry & 255) < south)
            card = entry >> _CARD_BITS
            found[count] = fix << _CARD_BITS | card
            for line in range(_LINES_AT_ONCE):
                prefetch(cards, card + line)
            count += not apart
    return _sorted_unique(found, first, count) if probes_of_fix > 1 else count


@compiled
def _scan_level(cells: Grid, level: int, box: IntArray, fix_bits: int, count: int, found: IntArray) -> int:
    """Try every zone of one cell size by its box."""
    level_zones, level_start, zone_box, card = cells[4], cells[5], cells[6], cells[7]
    for place in range(level_start[level], level_start[level + 1]):
        zone = level_zones[place]
        if zone_box[zone, 1] <= box[3] and zone_box[zone, 3] >= box[1]:
            for turn in (-TURN, 0, TURN):
                if zone_box[zone, 0] + turn <= box[2] and zone_box[zone, 2] + turn >= box[0]:
                    found[count] = fix_bits | card[zone]
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
    near: Near,
    alive: NDArray[np.bool_],
    fixes: Fixes,
    start: int,
    found: IntArray,
    count: int,
    out: Pairs,
) -> int:
    """Append the candidates that are nearer than the reach of their fix."""
    lon, lat, reach = fixes
    fix_row, zone_row, signed_m = out
    cards, deck = near
    ahead = 0
    for place in range(found.size):
        while ahead < found.size and ahead <= place + _AHEAD:
            line = found[ahead] & _CARD_MASK
            for later in range(line + _LINES_AT_ONCE, line + 2 + 2 * cards[line].edges // LINE):
                prefetch(cards, later)
            ahead += 1
        fix, line = start + (found[place] >> _CARD_BITS), found[place] & _CARD_MASK
        card = cards[line]
        signed = near_signed_distance_m(card, deck, (line + 1) * LINE, lon[fix], lat[fix])
        if math.isnan(signed):
            signed = signed_distance_m(outline, trees, card.zone, (lon[fix], lat[fix], reach[fix]))
        row = card.row
        fix_row[count], zone_row[count], signed_m[count] = fix, row, signed
        count += signed < reach[fix] and (alive.size == 0 or alive[row])
    return count
