"""Zones crossed between two fixes: the person was outside at both and inside in between.

The way between two fixes is taken as straight in longitude and latitude, at even speed. Both hold for a minute, not for
an hour, so a segment longer than a limit says nothing and is left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo.index import ZoneIndex
from geo.projection import FloatArray, IntArray, geodesic_m
from geo.stays import stays_of_pairs

MAXIMUM_SEGMENT_M = 2_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossings:
    """One row per crossed zone and stay in it, sorted by (``fix_row``, ``zone_row``, ``entry_fraction``).

    The segment runs from fix ``fix_row`` to the next. Points are WGS-84 degrees, times in the unit of the times given.
    """

    fix_row: IntArray
    zone_row: IntArray
    entry_fraction: FloatArray  # of the segment, 0 at its first fix and 1 at its second
    exit_fraction: FloatArray
    entry_longitude: FloatArray
    entry_latitude: FloatArray
    exit_longitude: FloatArray
    exit_latitude: FloatArray
    entry_at: IntArray
    exit_at: IntArray

    def __len__(self) -> int:
        return self.fix_row.size

    def take(self, rows: IntArray) -> "Crossings":
        """These rows, in this order."""
        return Crossings(**{name: getattr(self, name)[rows] for name in Crossings.__dataclass_fields__})


def crossings_between(
    index: ZoneIndex,
    *,
    longitude: ArrayLike,
    latitude: ArrayLike,
    fixed_at: ArrayLike,
    track: ArrayLike | None = None,
    maximum_segment_m: float = MAXIMUM_SEGMENT_M,
) -> Crossings:
    """Zones whose inside the straight way between consecutive fixes passes though neither of the two lies in them.

    ``longitude``, ``latitude``: WGS-84 degrees ``[n]`` in order of time. ``fixed_at``: whole numbers ``[n]``, such as
    microseconds. ``track``: ``[n]``, fixes of unequal track are not joined. Segments above ``maximum_segment_m`` metres
    are left out. Raises ValueError as ``ZoneIndex.match`` does, and when times run backwards within a track.
    """
    lon, lat = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
    times = np.asarray(fixed_at, dtype=np.int64)
    tracks = np.zeros(lon.shape, dtype=np.int64) if track is None else np.asarray(track)
    joined = _joined_rows(lon, lat, times, tracks, maximum_segment_m)
    over_lon = (lon[joined + 1] - lon[joined] + 180.0) % 360.0 - 180.0  # the short way, over the antimeridian too
    over_lat = lat[joined + 1] - lat[joined]
    segment, zone, entry, leave = _stays(index, lon, lat, joined, over_lon, over_lat)
    row = joined[segment]
    duration = (times[row + 1] - times[row]).astype(np.float64)
    return Crossings(
        fix_row=row,
        zone_row=zone,
        entry_fraction=entry,
        exit_fraction=leave,
        entry_longitude=_turned(lon[row] + entry * over_lon[segment]),
        entry_latitude=lat[row] + entry * over_lat[segment],
        exit_longitude=_turned(lon[row] + leave * over_lon[segment]),
        exit_latitude=lat[row] + leave * over_lat[segment],
        entry_at=times[row] + np.rint(entry * duration).astype(np.int64),
        exit_at=times[row] + np.rint(leave * duration).astype(np.int64),
    )


def _stays(
    index: ZoneIndex, lon: FloatArray, lat: FloatArray, joined: IntArray, over_lon: FloatArray, over_lat: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Way, zone, first and last fraction of every stay of a way in a zone that holds neither of its ends."""
    middle_lon, middle_lat = _turned(lon[joined] + 0.5 * over_lon), lat[joined] + 0.5 * over_lat
    half_m = geodesic_m(lon[joined], lat[joined], lon[joined + 1], lat[joined + 1]) * 0.51 + 1.0
    near = index.match(longitude=middle_lon, latitude=middle_lat, reach_m=half_m)
    ends = index.match(longitude=lon, latitude=lat, reach_m=0.0)
    held = ends.fix_row * len(index) + ends.zone_row
    fix = joined[near.fix_row]
    free = ~np.isin(fix * len(index) + near.zone_row, held) & ~np.isin((fix + 1) * len(index) + near.zone_row, held)
    way, zone = near.fix_row[free], near.zone_row[free]
    parts = []
    for part, pairs, local in index.parts_of(zone):
        chosen = way[pairs]
        ways = (lon[joined[chosen]], lat[joined[chosen]], over_lon[chosen], over_lat[chosen])
        outlines, trees = part.kernel_outline(), part.kernel_trees()
        of, entry, leave = stays_of_pairs(outlines, trees, local, ways)
        parts.append((chosen[of], zone[pairs[of]], entry, leave))
    found = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((found[2], found[1], found[0]))
    return found[0][order], found[1][order], found[2][order], found[3][order]


def _joined_rows(
    lon: FloatArray, lat: FloatArray, times: IntArray, tracks: NDArray[np.generic], maximum_segment_m: float
) -> IntArray:
    if lon.ndim != 1 or not lon.shape == lat.shape == times.shape == tracks.shape:
        raise ValueError(
            f"longitude, latitude, fixed_at and track have shapes {lon.shape}, {lat.shape}, {times.shape}, "
            f"{tracks.shape}: give arrays of one length"
        )
    good = (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)
    for row in np.flatnonzero(~good)[:1]:
        raise ValueError(f"fix {row} is not on Earth: longitude {lon[row]}, latitude {lat[row]}; are they swapped?")
    same = np.flatnonzero(tracks[1:] == tracks[:-1])
    for row in same[times[same + 1] < times[same]][:1]:
        raise ValueError(f"fix {row + 1} is earlier than fix {row} of the same track: sort by track and time")
    metres = geodesic_m(lon[same], lat[same], lon[same + 1], lat[same + 1])
    return same[(metres <= maximum_segment_m) & (metres > 0.0)].astype(np.int64)


def _turned(longitude: FloatArray) -> FloatArray:
    return np.where(np.abs(longitude) > 180.0, longitude - np.copysign(360.0, longitude), longitude)
