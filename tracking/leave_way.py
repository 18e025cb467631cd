"""Whether somebody on leave is off the way or places that were approved, and for how long: 公通字〔2022〕25号 19. Pure.

Off means: neither on the approved way or places nor inside an area where the order lets its subject be anyway; whoever
is at home is never off the way. Each filtered position is measured against the most that one of its accuracy could say
of each place, so that a coarse one proves nothing; the shares of several places are added, though places overlap:
doubt speaks for the subject. Event time; a stretch is looked at as a whole, whatever order it came in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.index import ZoneIndex
from geo.probability import ShapeProbability
from geo.shapes import Shape
from tracking.fix import FixBatch
from tracking.windows import Windows

NO_WAY_ZH = "路线未划定，不监测偏离"
NO_WAY_EN = "no way drawn: leaving it is not watched"
"""Said of a leave that names its way in words only."""
FARTHEST_M = 20_000.0
"""Distances are measured up to here; what is farther is told as this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveWayPolicy:
    """The limits. ``version`` is stored with what they led to. None of them is measured: no field data was at hand."""

    version: str = "leave-way-1"
    off_probability: float = 0.9
    back_probability: float = 0.5
    """Off from the first, until below the second; between them a position tells nothing."""
    dwell_s: float = 300.0
    least_fix_count: int = 3
    most_gap_s: float = 1800.0
    """So long without a position that tells, and the stretch is over: nobody knows where somebody was meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedPlace:
    """A place where the subject may be on leave, and when it counts as one."""

    shape: Shape
    during: Windows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AllowedPlaces:
    """``m`` of them compiled."""

    places: tuple[AllowedPlace, ...]
    index: ZoneIndex
    shapes: ShapeProbability

    @classmethod
    def build(cls, places: Sequence[AllowedPlace]) -> "AllowedPlaces":
        """Compile shapes that passed ``geo.shapes.check_shape``; at least the approved way itself."""
        shapes = [place.shape for place in places]
        return cls(places=tuple(places), index=ZoneIndex.build(shapes), shapes=ShapeProbability.build(shapes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """Off the way ``since``, ``found_at`` for the whole dwell, and last ``until``; microseconds, UTC.

    By ``found_at``: ``probability``, the least of those that count, and ``farthest_m`` from the nearest place.
    """

    since: int
    found_at: int
    until: int
    probability: float
    farthest_m: float


def find_detours(fixes: FixBatch, allowed: AllowedPlaces, *, policy: LeaveWayPolicy) -> tuple[Detour, ...]:
    """Every stretch off the way for the dwell, in order. ``fixes``: filtered positions of one subject on leave."""
    ordered = fixes.take(np.lexsort((fixes.fix_key, fixes.fixed_at)))
    probability, distance_m = off_way(ordered, allowed)
    return _detours(ordered.fixed_at, probability, distance_m, policy)


def off_way(fixes: FixBatch, allowed: AllowedPlaces) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """P(off) ``[n]`` of each position, and metres to the nearest place, up to ``FARTHEST_M``."""
    count, place_count = len(fixes), len(allowed.places)
    reach_m = np.maximum(2.0 * fixes.accuracy_m + 100.0, FARTHEST_M)
    pairs = allowed.index.match(longitude=fixes.longitude, latitude=fixes.latitude, reach_m=reach_m)
    distance_m = np.repeat(reach_m[:, None], place_count, axis=1)
    distance_m[pairs.fix_row, pairs.zone_row] = pairs.signed_distance_m
    fix_row, zone_row = (grid.ravel() for grid in np.indices((count, place_count)))
    accuracy_m = fixes.accuracy_m[fix_row]
    inside = allowed.shapes.inside(
        zone_row=zone_row, longitude=fixes.longitude[fix_row], latitude=fixes.latitude[fix_row],
        accuracy_m=accuracy_m, signed_distance_m=distance_m.ravel(),
    )  # fmt: skip
    most = np.maximum(allowed.shapes.best_probability(zone_row=zone_row, accuracy_m=accuracy_m), inside)
    # Where no position of this accuracy could say anything, none speaks against the subject.
    share = np.divide(inside, most, out=np.ones(len(inside)), where=most > 0.0).reshape(count, place_count)
    holds = np.stack([place.during.holds(fixes.fixed_at) for place in allowed.places], axis=1)
    on = np.where(holds, share, 0.0).sum(axis=1)
    nearest_m = np.where(holds, distance_m, FARTHEST_M).min(axis=1, initial=FARTHEST_M)
    return np.maximum(1.0 - on, 0.0), np.maximum(nearest_m, 0.0)


def _detours(
    at: NDArray[np.int64], probability: NDArray[np.float64], distance_m: NDArray[np.float64], policy: LeaveWayPolicy
) -> tuple[Detour, ...]:
    """Cut at every position that is back and at every gap; of each piece the positions that are off."""
    tells = (probability >= policy.off_probability) | (probability < policy.back_probability)
    at, probability, distance_m = at[tells], probability[tells], distance_m[tells]
    is_off = probability >= policy.off_probability
    gap = np.diff(at, prepend=at[:1]) > round(policy.most_gap_s * 1e6)
    piece = np.cumsum(gap | ~is_off)
    found = []
    for number in np.unique(piece[is_off]):
        rows = np.flatnonzero((piece == number) & is_off)
        is_long = at[rows] - at[rows[0]] >= round(policy.dwell_s * 1e6)
        is_long[: policy.least_fix_count - 1] = False
        if not np.any(is_long):
            continue
        last = int(np.argmax(is_long))
        seen = rows[: last + 1]
        found.append(
            Detour(
                since=int(at[rows[0]]),
                found_at=int(at[rows[last]]),
                until=int(at[rows[-1]]),
                probability=float(probability[seen].min()),
                farthest_m=float(distance_m[seen].max()),
            )
        )
    return tuple(found)


def off_way_zh(*, minutes: float, farthest_m: float) -> str:
    """In plain words for officers, without a place."""
    far = rounded_m(farthest_m)
    told = f"最远约 {far} 米" if far else "距离不足 100 米"
    return (
        f"外出期间不在批准的路线或地点，也不在决定书允许的区域，已满 {minutes:.0f} 分钟，"
        f"{told}。此为系统推定，须由办案人员核实。"
    )


def off_way_en(*, minutes: float, farthest_m: float) -> str:
    """The same in English."""
    far = rounded_m(farthest_m)
    told = f"about {far} m away at most" if far else "less than 100 m away"
    return (
        f"On leave, and for {minutes:.0f} min neither on the approved way or places nor where the order allows,"
        f" {told}. A machine's suspicion: an officer must check."
    )


def rounded_m(distance_m: float) -> int:
    """To 100 m: how far, and not where."""
    return round(distance_m / 100.0) * 100
