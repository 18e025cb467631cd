"""Exclusion zones that a subject passed through between two fixes, in neither of which anybody was seen inside."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.crossing import MAXIMUM_SEGMENT_M, Crossings, crossings_between
from geo.probability import SIGMA_PER_ACCURACY
from tracking.fix import FixBatch
from tracking.observation import observe
from tracking.policy import AREA, PresencePolicy
from tracking.presence import CrossedZones
from tracking.rules import RuleBook, ZoneBook

_FARTHER_SIGMA = 4.0
"""Two fixes nearer than this many standard deviations of their difference are no way but two errors."""


def crossed_zones(
    *, starts: FixBatch, ends: FixBatch, end_row: NDArray[np.intp], rules: RuleBook, zones: ZoneBook,
    policy: PresencePolicy,
) -> CrossedZones:  # fmt: skip
    """Zones on the straight way from ``starts[i]`` to ``ends[i]``, consecutive fixes of one subject in which we trust.

    ``end_row`` [k], ascending: what ``fix_row`` of the answer says for each way.
    """
    sigma_m = np.hypot(starts.accuracy_m, ends.accuracy_m) * SIGMA_PER_ACCURACY
    metres = _about_m(starts, ends)
    is_short = ends.fixed_at - starts.fixed_at <= int(policy.crossing_s * 1e6)
    is_way = np.flatnonzero((metres > _FARTHER_SIGMA * sigma_m) & (metres <= MAXIMUM_SEGMENT_M) & is_short)
    starts, ends, end_row = starts.take(is_way), ends.take(is_way), end_row[is_way]
    found = crossings_between(
        zones.index,
        longitude=_woven(starts.longitude, ends.longitude),
        latitude=_woven(starts.latitude, ends.latitude),
        fixed_at=_woven(starts.fixed_at, ends.fixed_at),
        track=np.repeat(np.arange(len(starts)), 2),
    )
    found = found.take(np.flatnonzero(zones.spans.hold(found.zone_row, found.entry_at)))
    way = found.fix_row // 2
    middle = _middles(found, starts.take(way), ends.take(way))
    seen = observe(middle, rules, zones, policy)
    stay = np.repeat(np.arange(len(middle)), np.diff(seen.start))
    thresholds = policy.thresholds()
    likely = seen.probability >= thresholds[seen.kind, 0] * seen.best_probability
    keep = (seen.kind != AREA) & (seen.zone_no == zones.zone_key[found.zone_row[stay]]) & likely
    stay = stay[keep]
    return CrossedZones(
        fix_row=end_row[way[stay]].astype(np.int64),
        condition_no=seen.condition_no[keep],
        zone_no=seen.zone_no[keep],
        entered_at=found.entry_at[stay],
        left_at=found.exit_at[stay],
        probability=seen.probability[keep],
        radius_m=seen.radius_m[keep],
        kind=seen.kind[keep],
    )


def _about_m(starts: FixBatch, ends: FixBatch) -> NDArray[np.float64]:
    """Metres between fixes, within 1 % up to some kilometres: what is a way need not be known better."""
    east = (ends.longitude - starts.longitude + 180.0) % 360.0 - 180.0
    scale = np.cos(np.radians(0.5 * (starts.latitude + ends.latitude)))
    return np.asarray(np.hypot(east * scale, ends.latitude - starts.latitude) * 111_319.49, dtype=np.float64)


def _woven(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    return np.stack([first, second], axis=1).reshape(-1)


def _middles(found: Crossings, starts: FixBatch, ends: FixBatch) -> FixBatch:
    """The middle of each stretch inside a zone as a fix whose error is that of its two ends, by the share of each."""
    share = 0.5 * (found.entry_fraction + found.exit_fraction)
    return FixBatch(
        subject_no=ends.subject_no,
        fixed_at=found.entry_at,
        received_at=ends.received_at,
        longitude=0.5 * (found.entry_longitude + found.exit_longitude),
        latitude=0.5 * (found.entry_latitude + found.exit_latitude),
        accuracy_m=np.hypot((1.0 - share) * starts.accuracy_m, share * ends.accuracy_m),
        fix_key=ends.fix_key,
        flags=ends.flags,
    )
