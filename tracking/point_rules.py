"""The rules that others use, to compare with: points in a zone, so many in a row, accuracy circles that overlap.

As in Traccar, Tile38, OwnTracks (point), SCRAM (in a row) and Home Assistant (overlap); reference/peers.md 3.1. They
know no tiers: what they find is an alert.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracking.fix import FixBatch
from tracking.rules import ZoneBook


@dataclass(frozen=True, slots=True, kw_only=True)
class PointRule:
    """A fix speaks for presence when its distance to the edge (negative inside), less a share of its accuracy, is < 0.

    ``in_a_row`` such fixes make an entry, and as many others an exit.
    """

    name: str
    title_zh: str
    title_en: str
    in_a_row: int = 1
    accuracy_share: float = 0.0


POINT_RULES: tuple[PointRule, ...] = (
    PointRule(name="point", title_zh="点在区域内", title_en="point in zone"),
    PointRule(name="three", title_zh="连续 3 点", title_en="3 in a row", in_a_row=3),
    PointRule(name="five", title_zh="连续 5 点", title_en="5 in a row", in_a_row=5),
    PointRule(name="overlap", title_zh="精度圈相交", title_en="accuracy overlap", accuracy_share=1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """``k`` presences that a rule or a policy found, in any order. Times are int64 microseconds UTC.

    ``possible_at``: when it was first thought possible. ``decided_at``: when it was thought probable, 0 = never.
    ``is_undecidable``: bool, no fix was good enough to decide.
    """

    subject_no: NDArray[np.int64]
    zone_no: NDArray[np.int64]
    started_at: NDArray[np.int64]
    ended_at: NDArray[np.int64]
    possible_at: NDArray[np.int64]
    decided_at: NDArray[np.int64]
    is_undecidable: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.subject_no)


def find_by_rule(fixes: FixBatch, zones: ZoneBook, rule: PointRule) -> Findings:
    """What a rule finds in fixes of any order; repeated ones count once."""
    order = np.lexsort((fixes.fix_key, fixes.fixed_at, fixes.subject_no))
    batch = fixes.take(order[_is_first_of(fixes, order)])
    allowance_m = rule.accuracy_share * batch.accuracy_m
    pairs = zones.index.match(
        longitude=batch.longitude, latitude=batch.latitude, reach_m=np.maximum(allowance_m, 0.0) + 1.0
    )
    speaks = pairs.signed_distance_m < allowance_m[pairs.fix_row]
    fix, zone = pairs.fix_row[speaks], pairs.zone_row[speaks]
    by_zone = np.lexsort((fix, zone, batch.subject_no[fix]))
    fix, zone = fix[by_zone], zone[by_zone]
    first, found, last = presences(subject_no=batch.subject_no[fix], zone=zone, fix=fix, in_a_row=rule.in_a_row)
    found_at = batch.fixed_at[fix[found]]
    return Findings(
        subject_no=batch.subject_no[fix[first]],
        zone_no=zones.zone_no[zone[first]],
        started_at=batch.fixed_at[fix[first]],
        ended_at=batch.fixed_at[fix[last]],
        possible_at=found_at,
        decided_at=found_at,
        is_undecidable=np.zeros(len(first), dtype=bool),
    )


def presences(
    *, subject_no: NDArray[np.int64], zone: NDArray[np.int64], fix: NDArray[np.int64], in_a_row: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows at which each presence begins, is found, and was last seen.

    Rows ``[n]`` are the fixes that speak for a zone, sorted by subject, zone and fix; ``fix`` counts all fixes of a
    subject, so that a missing number is a fix that spoke against. A presence begins with the run that is long enough,
    and lasts until ``in_a_row`` fixes in a row spoke against.
    """
    if len(fix) == 0:
        none = np.zeros(0, dtype=np.intp)
        return none, none, none
    is_other = np.append(True, (subject_no[1:] != subject_no[:-1]) | (zone[1:] != zone[:-1]))
    starts = np.flatnonzero(is_other | np.append(True, np.diff(fix) != 1))
    ends = np.append(starts[1:], len(fix)) - 1
    against = np.append(0, fix[starts[1:]] - fix[ends[:-1]] - 1)
    stretch = np.cumsum(is_other[starts] | (against >= in_a_row))
    is_long = ends - starts + 1 >= in_a_row
    found_in, first_long = np.unique(stretch[is_long], return_index=True)
    begin = starts[is_long][first_long]
    last_run = np.searchsorted(stretch, found_in, side="right") - 1
    return begin, begin + in_a_row - 1, ends[last_run]


def _is_first_of(fixes: FixBatch, order: NDArray[np.intp]) -> NDArray[np.bool_]:
    same = np.zeros(len(order), dtype=bool)
    columns = (fixes.subject_no[order], fixes.fixed_at[order], fixes.fix_key[order])
    same[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    return ~same
