"""In which administrative division a place lies, from boundary polygons: whose rules bind it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from geo.index import ZoneIndex
from geo.shapes import Area
from venues.distance_rule import locality
from venues.divisions import division_of_code
from venues.traits import Traits


def divisions_of(*, longitude: ArrayLike, latitude: ArrayLike, areas: Mapping[str, Area]) -> tuple[str | None, ...]:
    """The most local division (code, GB/T 2260) that holds each place (degrees, WGS-84, shape [n]); ``None`` in none.

    Of divisions that overlap, as coarse boundaries do, the one in which a place lies deepest. Raises ValueError for a
    place that is not on Earth.
    """
    codes = sorted(areas)
    index = ZoneIndex.build([areas[code] for code in codes])
    pairs = index.match(longitude=longitude, latitude=latitude, reach_m=0.0)
    level = np.array([locality(code) for code in codes], dtype=np.int64)[pairs.zone_row]
    order = np.lexsort((pairs.zone_row, pairs.signed_distance_m, -level, pairs.fix_row))
    found: list[str | None] = [None] * int(np.size(longitude))
    for row, zone in zip(pairs.fix_row[order][::-1].tolist(), pairs.zone_row[order][::-1].tolist(), strict=True):
        found[row] = codes[zone]
    return tuple(found)


def in_their_counties(records: Sequence[Traits], areas: Mapping[str, Area]) -> list[Traits]:
    """The records, in their order: one whose address tells no county is of the boundary around it, if that may be."""
    asked = [
        (row, each.longitude, each.latitude)
        for row, each in enumerate(records)
        if each.longitude is not None and each.latitude is not None and not each.division.is_county
    ]
    placed = list(records)
    if not asked or not areas:
        return placed
    rows, longitude, latitude = zip(*asked, strict=True)
    for row, code in zip(rows, divisions_of(longitude=longitude, latitude=latitude, areas=areas), strict=True):
        told = records[row].division
        found = None if code is None else division_of_code(code)
        if found is not None and not told.is_other_county(found) and len(found.code) > len(told.code):
            placed[row] = replace(records[row], division=replace(told, code=found.code))
    return placed
