"""In which administrative division a place lies, from boundary polygons: whose rules bind it. Pure."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from geo.index import ZoneIndex
from geo.shapes import Area
from venues.distance_rule import locality


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
