"""H3 cells: the grid of heat maps, of fix partitions and of coarse questions.

A cell is a uint64. Cells of one resolution differ in size by place: at Xuzhou they are about 24 % smaller than the mean
of the Earth, so a density divides by ``cell_area_m2`` and never by a table. H3 works on a sphere of the
Earth's area; against the WGS-84 ellipsoid its areas are off by up to 0.5 % in China, evenly over a city.
"""

from collections.abc import Sequence

import h3.api.numpy_int as h3
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

FloatArray = NDArray[np.float64]
CellArray = NDArray[np.uint64]

MAXIMUM_RESOLUTION = 15


def cell_of(*, longitude: ArrayLike, latitude: ArrayLike, resolution: int) -> CellArray:
    """The H3 cell (uint64, shape [n]) of each point (WGS-84 degrees, shape [n] or scalar) at ``resolution`` 0 to 15.

    Raises ValueError for unequal lengths, a resolution out of range, and a point that is not on Earth.
    """
    _check_resolution(resolution)
    lon = np.atleast_1d(np.asarray(longitude, dtype=np.float64))
    lat = np.atleast_1d(np.asarray(latitude, dtype=np.float64))
    if lon.ndim != 1 or lon.shape != lat.shape:
        raise ValueError(f"longitude has shape {lon.shape} but latitude {lat.shape}: give two arrays of one length")
    for row in np.flatnonzero(~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)))[:1]:
        raise ValueError(f"point {row} is not on Earth: longitude {lon[row]}, latitude {lat[row]}; are they swapped?")
    pairs = zip(lat.tolist(), lon.tolist(), strict=True)
    return np.fromiter((h3.latlng_to_cell(y, x, resolution) for y, x in pairs), dtype=np.uint64, count=lon.size)


def cell_boundary(cell: int) -> Polygon:
    """The outline of ``cell`` (WGS-84 longitude, latitude). Longitudes pass ±180 where needed to keep it in one piece.

    Raises ValueError when ``cell`` is not an H3 cell.
    """
    corners = np.array(h3.cell_to_boundary(_checked_cell(cell)))[:, ::-1]
    turns = np.rint((corners[:, 0] - corners[0, 0]) / 360.0)
    corners[:, 0] -= 360.0 * turns
    return Polygon(corners)


def cell_area_m2(cells: Sequence[int] | CellArray) -> FloatArray:
    """True square metres of each cell, shape [n]. Raises ValueError when one is not an H3 cell."""
    return np.array([h3.cell_area(_checked_cell(cell), unit="m^2") for cell in cells], dtype=np.float64)


def covering(geometry: BaseGeometry, resolution: int) -> CellArray:
    """All cells that share a point with ``geometry``, a Polygon or MultiPolygon (WGS-84), sorted, shape [n].

    A polygon smaller than a cell is covered by the cells it touches. Use it on outlines of corridors and circles too
    (``geo.shapes.shape_to_geometry``). Raises ValueError for other or empty geometry and for a resolution out of range.
    """
    _check_resolution(resolution)
    if not isinstance(geometry, Polygon | MultiPolygon) or geometry.is_empty:
        raise ValueError(f"cannot cover {geometry.wkt:.80}: give a Polygon or MultiPolygon that is not empty")
    outline = h3.geo_to_h3shape(shapely.force_2d(geometry))
    cells = h3.polygon_to_cells_experimental(outline, resolution, contain="overlap")
    return np.unique(np.asarray(cells, dtype=np.uint64))


def disk(cell: int, k: int) -> CellArray:
    """``cell`` and all cells within ``k`` >= 0 steps of it, sorted: 1 + 3k(k+1) cells away from pentagons.

    Raises ValueError when ``cell`` is not an H3 cell or ``k`` is negative.
    """
    if k < 0:
        raise ValueError(f"k is {k}: the number of steps must be 0 or more")
    return np.sort(np.asarray(h3.grid_disk(_checked_cell(cell), k), dtype=np.uint64))


def disk_sum(cells: CellArray, values: ArrayLike, k: int) -> FloatArray:
    """For each cell the sum of ``values`` over the given cells within ``k`` >= 0 steps of it, itself included.

    ``cells``: unique H3 cells of one resolution in any order, uint64 ``[n]``; ``values`` ``[n]``. Cells that are not
    given count as nothing; a cell without neighbours keeps its own value. A sparse look-up, linear in n.
    Raises ValueError for repeated cells, mixed resolutions, unequal lengths and negative ``k``.
    """
    given, amount = np.asarray(cells, dtype=np.uint64), np.asarray(values, dtype=np.float64)
    if given.ndim != 1 or given.shape != amount.shape:
        raise ValueError(f"cells have shape {given.shape} but values {amount.shape}: give one value for each cell")
    order = np.argsort(given, kind="stable")
    known = given[order]
    for row in np.flatnonzero(known[1:] == known[:-1])[:1]:
        raise ValueError(f"cell {int(known[row]):#x} is given twice: add its values up first")
    if len({h3.get_resolution(_checked_cell(cell)) for cell in known.tolist()}) > 1:
        raise ValueError("the cells have different resolutions: aggregate one resolution at a time")
    sums = np.zeros(known.size)
    for row, cell in enumerate(known.tolist()):
        around = disk(cell, k)
        place = np.minimum(np.searchsorted(known, around), known.size - 1)
        sums[row] = amount[order[place[known[place] == around]]].sum()
    result = np.empty_like(sums)
    result[order] = sums
    return result


def _checked_cell(cell: int) -> int:
    if not h3.is_valid_cell(int(cell)):
        raise ValueError(f"{int(cell):#x} is not an H3 cell: make cells with cell_of")
    return int(cell)


def _check_resolution(resolution: int) -> None:
    if not 0 <= resolution <= MAXIMUM_RESOLUTION:
        raise ValueError(f"resolution is {resolution}: H3 has resolutions 0 to {MAXIMUM_RESOLUTION}")
