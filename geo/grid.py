"""A hashed grid of several cell sizes over the zones: which zones a point can be near, without looking at geometry.

Places are fixed-point: 2^32 units to the turn, so a cell of size ``2^shift`` units is found by a shift, and longitude
wraps by a mask. A zone is entered at one cell size, chosen from its extent, in the cells that it shares a point with;
its entry there holds the box of its part in the cell, in 1/256 of the cell, rounded outwards.

Cells are kept by blocks of 8 x 8: a table small enough for the cache says which cells of a block are there, so that
empty cells cost no look at memory and the cells around a fix lie side by side.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from geo.large_pages import in_large_pages
from geo.outline import MOST_PATH_EDGES, Outlines
from geo.projection import FloatArray, IntArray, compiled, reach_box

UNITS_PER_DEGREE = 2.0**32 / 360.0
TURN = 1 << 32
PLACE_BITS = 6
PART_BITS = 16
SMALLEST_SHIFT = 14  # cells of 153 m: smaller ones would be many looks for one fix with a reach
_LARGEST_SHIFT = 30
_CELLS_ACROSS = 3.0  # of a small zone; its extent is between a quarter of this and this
_CELLS_ACROSS_LARGE = 32.0  # of a zone of many edges, whose cells spare more work
_EMPTY = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells of ``m`` zones."""

    slots: IntArray  # [2^k, 3] open-addressed table of block key (-1 is empty), bits of the cells there, first cell
    cells: IntArray  # [cells + 1] first entry << 16 | mask of the 4 x 4 parts of the cell that any entry meets
    entries: IntArray  # [entries] card << 32 | west << 24 | south << 16 | east << 8 | north
    shifts: IntArray  # [levels] cell sizes in use, ascending
    level_zones: IntArray  # [m] zones sorted by cell size
    level_start: IntArray  # [levels + 1] where each size starts in level_zones
    zone_box: IntArray  # [m, 4] west, south, east, north in units, margin included; west may be below 0
    card: IntArray  # [m] line of each zone's card in the deck, ascending

    @classmethod
    def over(cls, outlines: Outlines, card: IntArray) -> Self:
        """Enter every zone of ``outlines``, whose cards are ``card`` [m]."""
        bounds = outlines.bounds
        box = np.stack(reach_box(bounds[:, 0], bounds[:, 1], bounds[:, 2], bounds[:, 3], outlines.margin_m), axis=1)
        zone_box = _zone_boxes(box)
        edges = np.diff(outlines.path_start[outlines.zone_path])
        extent = np.maximum(zone_box[:, 2] - zone_box[:, 0], zone_box[:, 3] - zone_box[:, 1])
        across = np.where(edges > MOST_PATH_EDGES, _CELLS_ACROSS_LARGE, _CELLS_ACROSS)
        shift = np.ceil(np.log2(extent / across) / 2.0).astype(np.int64) * 2
        shift = np.clip(shift, SMALLEST_SHIFT, _LARGEST_SHIFT)
        pad = np.stack([bounds[:, 0] - box[:, 0], bounds[:, 1] - box[:, 1]], axis=1) * UNITS_PER_DEGREE + 1.0
        paths = (outlines.x, outlines.y, outlines.path_start, outlines.zone_path, outlines.closed)
        keys, entries = _cover(paths, bounds, zone_box, shift, pad, card)
        order = np.argsort(keys, kind="stable")
        keys, entries = keys[order], entries[order]
        level_zones = np.argsort(shift, kind="stable").astype(np.int64)
        shifts, level_start = np.unique(shift[level_zones], return_index=True)
        slots, cells = _table(keys, entries)
        return cls(
            slots=in_large_pages(slots),
            cells=in_large_pages(cells),
            entries=in_large_pages(entries),
            shifts=shifts,
            level_zones=level_zones,
            level_start=np.append(level_start, shift.size).astype(np.int64),
            zone_box=zone_box,
            card=card,
        )


def _zone_boxes(box: FloatArray) -> IntArray:
    """Boxes in units with one unit to spare; a box of more than a turn covers the turn."""
    units = np.empty(box.shape, dtype=np.int64)
    units[:, 0::2] = np.floor((box[:, 0::2] + 180.0) * UNITS_PER_DEGREE)
    units[:, 1::2] = np.floor((box[:, 1::2] + 90.0) * UNITS_PER_DEGREE)
    units += np.array([-1, -1, 1, 1])
    whole = units[:, 2] - units[:, 0] >= TURN - 1
    units[whole, 0], units[whole, 2] = 0, TURN - 1
    units[:, 1::2] = np.clip(units[:, 1::2], 0, TURN // 2 + 1)
    return units


@compiled
def cell_key(shift: int, column: int, row: int) -> int:
    """One number for a cell, below 2^41: its block << 6 | its place in the block; ``column`` may lie a turn away."""
    wrapped = column & ((TURN >> shift) - 1)
    return (shift << 36) | (wrapped >> 3 << 21) | (row >> 3 << 6) | ((row & 7) << 3) | (wrapped & 7)


@compiled
def part_mask(west: int, south: int, east: int, north: int) -> int:
    """Bits of those of the 4 x 4 parts of a cell, south-west first, that lie in a box given in parts (0..3)."""
    return (((2 << east) - (1 << west)) * (0x1111 >> (4 * (3 - north + south)))) << (4 * south)


@compiled
def first_slot(block: int, slots: int) -> int:
    """Where the search for ``block`` in a table of ``slots`` (a power of two) starts."""
    mixed = np.uint64(block) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(32)
    return np.int64(mixed & np.uint64(slots - 1))  # type: ignore[return-value] # numba: an int is an int64


def _table(keys: IntArray, entries: IntArray) -> tuple[IntArray, IntArray]:
    """Slots and cells of entries that are sorted by their ``keys``."""
    unique, start = np.unique(keys, return_index=True)
    cells = np.append(start, keys.size).astype(np.int64) << PART_BITS
    blocks, first_cell = np.unique(unique >> PLACE_BITS, return_index=True)
    bits = np.bitwise_or.reduceat(1 << (unique & (1 << PLACE_BITS) - 1), first_cell) if unique.size else blocks
    slots = np.full((1 << max(int(2 * blocks.size - 1).bit_length(), 3), 3), _EMPTY, dtype=np.int64)
    _insert(slots, blocks, bits, first_cell)
    _mark_parts(cells, entries)
    return slots, cells


@compiled
def _insert(slots: IntArray, blocks: IntArray, bits: IntArray, first_cell: IntArray) -> None:
    for row in range(blocks.size):
        slot = first_slot(blocks[row], slots.shape[0])
        while slots[slot, 0] != _EMPTY:
            slot = (slot + 1) & (slots.shape[0] - 1)
        slots[slot, 0], slots[slot, 1], slots[slot, 2] = blocks[row], bits[row], first_cell[row]


@compiled
def _mark_parts(cells: IntArray, entries: IntArray) -> None:
    """Give every cell the mask of its parts that any of its entries meets."""
    for cell in range(cells.size - 1):
        mask = 0
        for entry in entries[cells[cell] >> PART_BITS : cells[cell + 1] >> PART_BITS]:
            mask |= part_mask((entry >> 30) & 3, (entry >> 22) & 3, (entry >> 14) & 3, (entry >> 6) & 3)
        cells[cell] |= mask


@compiled
def _cover(
    paths: tuple[FloatArray, FloatArray, IntArray, IntArray, NDArray[np.bool_]],
    bounds: FloatArray,
    zone_box: IntArray,
    shift: IntArray,
    pad: FloatArray,
    card: IntArray,
) -> tuple[IntArray, IntArray]:
    """Keys and entries of all zones in all cells that they share a point with."""
    zones = zone_box.shape[0]
    total, most = 0, 1
    for zone in range(zones):
        cells = 1
        for axis in range(2):
            cells *= (zone_box[zone, axis + 2] >> shift[zone]) - (zone_box[zone, axis] >> shift[zone]) + 1
        total, most = total + cells, max(most, cells)
    keys, entries = np.empty(total, dtype=np.int64), np.empty(total, dtype=np.int64)
    part, inside = np.empty((most, 4)), np.empty(4 * most + 4, dtype=np.bool_)
    count = 0
    for zone in range(zones):
        size, fine = shift[zone], shift[zone] - 8
        west, south = zone_box[zone, 0] >> size, zone_box[zone, 1] >> size
        columns = (zone_box[zone, 2] >> size) - west + 1
        rows = (zone_box[zone, 3] >> size) - south + 1
        part[: columns * rows, :2], part[: columns * rows, 2:] = np.inf, -np.inf
        if columns * rows == 1 or zone_box[zone, 2] - zone_box[zone, 0] >= TURN - 1:
            for cell in range(columns * rows):
                part[cell] = zone_box[zone]
        else:
            _add_edges(paths, bounds, zone, (west, south, columns, rows, size), pad[zone], part)
            if paths[4][zone]:
                _add_corners(paths, zone, (west, south, columns, rows, size), inside, part)
        for cell in range(columns * rows):
            if part[cell, 0] > part[cell, 2]:
                continue
            column, row = west + cell % columns, south + cell // columns
            entry = card[zone]
            for side in range(4):
                origin = (column if side % 2 == 0 else row) << size
                place = (np.int64(np.floor(part[cell, side])) - origin) >> fine
                entry = (entry << 8) | min(max(place, 0), 255)
            keys[count], entries[count] = cell_key(size, column, row), entry
            count += 1
    return keys[:count].copy(), entries[:count].copy()


@compiled
def _add_edges(
    paths: tuple[FloatArray, FloatArray, IntArray, IntArray, NDArray[np.bool_]],
    bounds: FloatArray,
    zone: int,
    window: tuple[int, int, int, int, int],
    pad: FloatArray,
    part: FloatArray,
) -> None:
    """Widen the boxes of all cells by the edges of the zone, each ``pad`` units thick; a circle is one point."""
    x, y, path_start, zone_path, _ = paths
    if zone_path[zone] == zone_path[zone + 1]:
        east, north = (bounds[zone, 0] + 180.0) * UNITS_PER_DEGREE, (bounds[zone, 1] + 90.0) * UNITS_PER_DEGREE
        _add_edge(east, north, east, north, window, pad, part)
    for path in range(zone_path[zone], zone_path[zone + 1]):
        for vertex in range(path_start[path], path_start[path + 1] - 1):
            ax, ay = (x[vertex] + 180.0) * UNITS_PER_DEGREE, (y[vertex] + 90.0) * UNITS_PER_DEGREE
            bx, by = (x[vertex + 1] + 180.0) * UNITS_PER_DEGREE, (y[vertex + 1] + 90.0) * UNITS_PER_DEGREE
            _add_edge(ax, ay, bx, by, window, pad, part)


@compiled
def _add_edge(
    ax: float,
    ay: float,
    bx: float,
    by: float,
    window: tuple[int, int, int, int, int],
    pad: FloatArray,
    part: FloatArray,
) -> None:
    """Widen the boxes of the cells that the thick edge a→b meets by its part in them (units)."""
    west, south, columns, rows, size = window
    step = float(1 << size)
    low_column = max(int(np.floor((min(ax, bx) - pad[0]) / step)) - west, 0)
    high_column = min(int(np.floor((max(ax, bx) + pad[0]) / step)) - west, columns - 1)
    low_row = max(int(np.floor((min(ay, by) - pad[1]) / step)) - south, 0)
    high_row = min(int(np.floor((max(ay, by) + pad[1]) / step)) - south, rows - 1)
    for row in range(low_row, high_row + 1):
        for column in range(low_column, high_column + 1):
            left, bottom = (west + column) * step - pad[0] - 1.0, (south + row) * step - pad[1] - 1.0
            right, top = left + step + 2.0 * pad[0] + 2.0, bottom + step + 2.0 * pad[1] + 2.0
            start, end = 0.0, 1.0
            for a, b, low, high in ((ax, bx, left, right), (ay, by, bottom, top)):
                if a == b:
                    if a < low or a > high:
                        end = -1.0
                else:
                    enter, leave = (low - a) / (b - a), (high - a) / (b - a)
                    start, end = max(start, min(enter, leave)), min(end, max(enter, leave))
            if start <= end:
                box = part[row * columns + column]
                for along in (start, end):
                    px, py = ax + along * (bx - ax), ay + along * (by - ay)
                    box[0], box[1] = min(box[0], px - pad[0]), min(box[1], py - pad[1])
                    box[2], box[3] = max(box[2], px + pad[0]), max(box[3], py + pad[1])


@compiled
def _add_corners(
    paths: tuple[FloatArray, FloatArray, IntArray, IntArray, NDArray[np.bool_]],
    zone: int,
    window: tuple[int, int, int, int, int],
    inside: NDArray[np.bool_],
    part: FloatArray,
) -> None:
    """Widen the box of each cell by those of its corners that lie inside the area."""
    x, y, path_start, zone_path, _ = paths
    west, south, columns, rows, size = window
    step = float(1 << size)
    width = columns + 1
    inside[: width * (rows + 1)] = False
    for path in range(zone_path[zone], zone_path[zone + 1]):
        for vertex in range(path_start[path], path_start[path + 1] - 1):
            ax, ay = (x[vertex] + 180.0) * UNITS_PER_DEGREE, (y[vertex] + 90.0) * UNITS_PER_DEGREE
            bx, by = (x[vertex + 1] + 180.0) * UNITS_PER_DEGREE, (y[vertex + 1] + 90.0) * UNITS_PER_DEGREE
            low_row = max(int(np.floor(min(ay, by) / step)) - south, 0)
            for row in range(low_row, min(int(np.floor(max(ay, by) / step)) - south + 1, rows) + 1):
                level = (south + row) * step
                if (ay > level) != (by > level):
                    reached = int(np.ceil((ax + (level - ay) * (bx - ax) / (by - ay)) / step)) - west
                    for column in range(min(max(reached, 0), width)):
                        inside[row * width + column] = not inside[row * width + column]
    for row in range(rows + 1):
        for column in range(width):
            if inside[row * width + column]:
                px, py = (west + column) * step, (south + row) * step
                for cell_row in range(max(row - 1, 0), min(row + 1, rows)):
                    for cell_column in range(max(column - 1, 0), min(column + 1, columns)):
                        box = part[cell_row * columns + cell_column]
                        box[0], box[1] = min(box[0], px), min(box[1], py)
                        box[2], box[3] = max(box[2], px), max(box[3], py)
