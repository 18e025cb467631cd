"""Which zones a fix is near, and how far it is from their edges: the hot kernel of the engine.

``ZoneIndex`` compiles shapes once. ``match`` finds candidates in a hashed grid whose entries hold the box of each
zone's part in the cell, then measures: a circle from its centre, an area and a corridor from their edges. An index
never changes: ``with_zone`` and ``without_zone`` give a new one that shares all but a small part with the old one.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo.kernel import first_unmatchable
from geo.outline import Outlines
from geo.projection import FloatArray, IntArray
from geo.segment import AnyArray, Segment
from geo.shapes import Shape

YOUNG_ZONES = 256  # most zones of the segment that every with_zone compiles anew
_LEAST_FIXES_PER_THREAD = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonePairs:
    """Fixes near zones: three arrays of one length, sorted by (``fix_row``, ``zone_row``), no pair twice."""

    fix_row: IntArray  # position of the fix in the arrays given to match
    zone_row: IntArray  # row of the zone: its position in build, or what with_zone appended
    signed_distance_m: FloatArray  # metres to the zone's edge, negative inside

    def __len__(self) -> int:
        return self.fix_row.size


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneIndex:
    """An immutable index over zones, made by ``build`` and asked by ``match``, from any number of threads at once.

    A zone keeps its row for good. The first segment holds what ``build`` or ``compacted`` compiled; each later one
    holds up to ``YOUNG_ZONES`` zones that ``with_zone`` added since. A removed zone is a tombstone until ``compacted``.
    """

    _segments: tuple[Segment, ...]
    _alive: NDArray[np.bool_]  # [rows]
    _whole: bool  # no zone was removed: the kernel need not look at _alive

    @classmethod
    def build(cls, shapes: Sequence[Shape]) -> Self:
        """Index ``shapes``; ``zone_row`` in every answer is the position in this sequence, which may be empty.

        Shapes must have passed ``geo.shapes.check_shape``. Only what would poison the arithmetic is checked again:
        ValueError for an empty geometry, a coordinate that is not finite, and a radius that is not positive.
        """
        segment = Segment.over(Outlines.of(shapes), np.arange(len(shapes), dtype=np.int64))
        return cls(_segments=(segment,), _alive=_sealed(np.ones(len(shapes), dtype=np.bool_)), _whole=True)

    def __len__(self) -> int:
        """Rows ever given out, those of removed zones included."""
        return self._alive.size

    @property
    def zone_count(self) -> int:
        """Zones that ``match`` can find."""
        return int(np.count_nonzero(self._alive))

    @property
    def pending_count(self) -> int:
        """Zones added or removed since the last ``build`` or ``compacted``. Compact when it nears a per cent of all."""
        compiled_row_count = len(self._segments[0])
        added = sum(len(segment) for segment in self._segments[1:])
        return added + compiled_row_count + added - self.zone_count

    def with_zone(self, shape: Shape) -> Self:
        """This index and ``shape``, whose row is ``len(self)``. Milliseconds, whatever the number of zones.

        Only the young segment is compiled anew; a full one is left as it is and a new one begun. Each segment costs
        every fix one more look at a table, so that ``compacted`` is due from time to time. Raises as ``build`` does.
        """
        fresh = Segment.over(Outlines.of([shape]), np.array([len(self)], dtype=np.int64))
        alive = _sealed(np.append(self._alive, True))
        *older, young = self._segments
        if older and len(young) < YOUNG_ZONES:
            young = Segment.merged([young, fresh], np.ones_like(alive))
            return type(self)(_segments=(*older, young), _alive=alive, _whole=self._whole)
        return type(self)(_segments=(*self._segments, fresh), _alive=alive, _whole=self._whole)

    def without_zone(self, zone_row: int) -> Self:
        """This index without the zone of that row, which is never given out again. KeyError when there is none."""
        if not 0 <= zone_row < len(self) or not self._alive[zone_row]:
            raise KeyError(f"zone row {zone_row} is not in the index: it has {len(self)} rows, some of them removed")
        alive = self._alive.copy()
        alive[zone_row] = False
        return type(self)(_segments=self._segments, _alive=_sealed(alive), _whole=False)

    def compacted(self) -> Self:
        """The same zones at the same rows, compiled into one segment without tombstones. Takes as long as ``build``."""
        segment = Segment.merged(list(self._segments), self._alive)
        return type(self)(_segments=(segment,), _alive=self._alive, _whole=True)

    def match(
        self, *, longitude: ArrayLike, latitude: ArrayLike, reach_m: ArrayLike, thread_count: int = 1
    ) -> ZonePairs:
        """Every pair of a fix and a zone whose signed distance to the zone's edge is below the reach of that fix.

        ``longitude`` and ``latitude`` are WGS-84 degrees of shape [n]; ``reach_m`` is metres, one number or [n], >= 0.
        Inside is negative, so a zone that holds the fix is always in the answer. Error of the distance: below 0.1 m up
        to 20 km, 3e-5 of it up to 100 km, 5e-4 beyond. The answer for a fix does not depend on the other fixes, nor on
        ``thread_count``, the threads that share the work; the GIL is free meanwhile.
        Raises ValueError for a wrong shape and for values that are not finite or not on Earth: a fix that is not
        a number must never look like a person who left every zone.
        """
        fixes = _checked_fixes(longitude, latitude, reach_m)
        count = fixes[0].size
        shares = max(min(thread_count, count // _LEAST_FIXES_PER_THREAD), 1)
        if shares == 1:
            columns = self._match_rows(fixes, 0, count)
        else:
            ends = [count * share // shares for share in range(shares + 1)]
            with ThreadPoolExecutor(shares) as pool:
                parts = list(pool.map(self._match_rows, [fixes] * shares, ends[:-1], ends[1:]))
            columns = _concatenated(parts)
        return ZonePairs(fix_row=columns[0], zone_row=columns[1], signed_distance_m=columns[2])

    def _match_rows(
        self, fixes: tuple[FloatArray, FloatArray, FloatArray], start: int, stop: int
    ) -> tuple[IntArray, IntArray, FloatArray]:
        alive = self._alive[:0] if self._whole else self._alive
        parts = [segment.match(fixes, alive, start, stop) for segment in self._segments]
        parts = [part for part in parts if part[0].size] or parts[:1]
        if len(parts) == 1:
            return parts[0]
        fix, zone, signed = _concatenated(parts)
        order = np.argsort(fix, kind="stable")  # rows ascend from one segment to the next
        return fix[order], zone[order], signed[order]

    def parts_of(self, zone_row: IntArray) -> Iterator[tuple[Segment, IntArray, IntArray]]:
        """For each segment: itself, which of ``zone_row`` [k] it holds, and their places in it."""
        for segment in self._segments:
            place = np.minimum(np.searchsorted(segment.row, zone_row), max(len(segment) - 1, 0))
            held = np.flatnonzero(segment.row[place] == zone_row) if len(segment) else np.zeros(0, dtype=np.int64)
            yield segment, held, place[held]

    def to_arrays(self) -> dict[str, AnyArray]:
        """The whole index as named arrays, for ``from_arrays`` and ``geo.store``."""
        named = {f"{number}.{name}": array
                 for number, segment in enumerate(self._segments)
                 for name, array in segment.to_arrays().items()}  # fmt: skip
        return {"alive": self._alive, **named}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> Self:
        """The index that ``to_arrays`` took apart; arrays are used as they are, memory maps too.

        KeyError when one is missing.
        """
        count = len({name.partition(".")[0] for name in arrays} - {"alive"})
        parts = [
            {name.partition(".")[2]: array for name, array in arrays.items() if name.startswith(f"{number}.")}
            for number in range(count)
        ]
        alive = _sealed(np.asarray(arrays["alive"], dtype=np.bool_).view(np.ndarray))
        return cls(_segments=tuple(Segment.from_arrays(part) for part in parts), _alive=alive, _whole=bool(alive.all()))


def _sealed(array: NDArray[np.bool_]) -> NDArray[np.bool_]:
    array.setflags(write=False)
    return array


def _concatenated(
    parts: Sequence[tuple[IntArray, IntArray, FloatArray]],
) -> tuple[IntArray, IntArray, FloatArray]:
    fix, zone, signed = zip(*parts, strict=True)
    return np.concatenate(fix), np.concatenate(zone), np.concatenate(signed)


def _checked_fixes(
    longitude: ArrayLike, latitude: ArrayLike, reach_m: ArrayLike
) -> tuple[FloatArray, FloatArray, FloatArray]:
    lon, lat = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
    reach = np.asarray(reach_m, dtype=np.float64)
    if lon.ndim != 1 or lat.shape != lon.shape or reach.shape not in ((), lon.shape):
        raise ValueError(
            f"longitude, latitude and reach_m have shapes {lon.shape}, {lat.shape}, {reach.shape}: "
            "give two arrays of one length, and one reach or as many"
        )
    fixes = _read_only(lon), _read_only(lat), _read_only(np.broadcast_to(reach, lon.shape))
    row = first_unmatchable(*fixes)
    if row >= 0:
        raise ValueError(
            f"fix {row} cannot be matched: longitude {lon[row]}, latitude {lat[row]}, reach {fixes[2][row]} m; "
            "longitude must be within ±180, latitude within ±90, reach finite and not negative"
        )
    return fixes


def _read_only(array: FloatArray) -> FloatArray:
    """A contiguous read-only view: one type for the compiled kernel, whoever made the array."""
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view
