"""What a sequence of positions proves: a filter over time for each (subject, condition, zone).

Its input are filtered positions (``tracking.position``), so that errors that last for minutes are not counted as many
votes. POSSIBLE is quick; PROBABLE takes a dwell and a mean of P(breach) over it, and a fix that could decide; two
positions outside end a presence. Rows of ``PRESENCE`` are the open state and the episodes at once: an episode is a row
whose ``ended_at`` is set.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tracking.observation import Observations
from tracking.policy import PresencePolicy

PRESENCE = np.dtype(
    [
        ("subject_no", np.int64),
        ("condition_no", np.int64),  # key: the number of the first version, of the zone likewise
        ("zone_no", np.int64),
        ("start_condition_no", np.int64),  # the versions in force at the start; 0 = not yet given
        ("start_zone_no", np.int64),
        ("started_at", np.int64),  # first fix in breach; times are microseconds UTC, 0 = not yet
        ("last_inside_at", np.int64),
        ("seen_at", np.int64),  # last fix weighed
        ("possible_at", np.int64),
        ("likely_at", np.int64),  # first fix by which the breach was likelier than the threshold of PROBABLE
        ("decided_at", np.int64),  # fix at which PROBABLE was reached
        ("known_at", np.int64),  # when the latest fix used for that decision was received
        ("live_at", np.int64),  # first fix in breach, from the decision on, that was received soon after it was taken
        ("live_known_at", np.int64),  # when that one was received
        ("undecidable_at", np.int64),  # the dwell was over and no fix could decide: ask for a check-in
        ("ended_at", np.int64),
        ("mean", np.float64),  # of P(breach), over about the dwell
        ("decided_mean", np.float64),  # the mean at decided_at
        ("peak", np.float64),
        ("fix_count", np.int32),
        ("outside_count", np.int32),
        ("tier", np.int8),
        ("is_entry", np.int8),  # 1 = the subject was known to be outside before
        ("is_crossing", np.int8),  # 1 = no fix lay inside: the way between two fixes did
        ("undecidable", np.int8),  # 1 = no fix so far was good enough to decide
        ("kind", np.int8),  # SMALL, LARGE or AREA
        ("ended_by", np.int8),
        ("episode_high", np.int64),  # the 128 bits of the episode's id, fixed when it opens; 0 = not yet given
        ("episode_low", np.int64),
        ("radius_m", np.float64),  # of the disc as large as the zone; infinite for an inclusion zone
        ("decided_now", np.int8),  # 1 = PROBABLE was reached in this run
        ("live_now", np.int8),  # 1 = ``live_at`` was set in this run
        ("undecidable_now", np.int8),  # 1 = ``undecidable_at`` was set in this run
    ]
)
"""One presence of a subject at a zone under a condition."""

OF_ONE_RUN = ("decided_now", "live_now", "undecidable_now")
"""Fields that tell of one run and are no part of what is remembered."""

POSSIBLE, PROBABLE = 1, 2
"""Values of ``tier``."""
ENDED_BY_EXIT, ENDED_BY_SILENCE, ENDED_BY_RULE = 1, 2, 3
"""Values of ``ended_by``."""

_MOST_OF_MEAN = 0.5
"""However long the pause before it, one fix makes no more than this of the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighedFixes:
    """``n`` fixes sorted by (subject, time), as the filter over time reads them.

    ``last``: time of the subject's fix before this one, or 0 if nothing is known. ``sigma_m``: standard
    deviation per axis of the fix itself. ``weight``: probability of the filtered position. ``is_supported``: the fix
    lies near that position; else it is an outlier.
    """

    subject_no: NDArray[np.int64]
    fixed_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    last: NDArray[np.int64]
    sigma_m: NDArray[np.float64]
    weight: NDArray[np.float64]
    is_supported: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> "WeighedFixes":
        """These rows, in this order."""
        return WeighedFixes(**{name: getattr(self, name)[rows] for name in WeighedFixes.__dataclass_fields__})


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossedZones:
    """``c`` zones that the way to fix ``fix_row`` led through, sorted by ``fix_row``; the fix before it lay outside.

    ``entered_at``, ``left_at``: int64 microseconds. ``probability``: P(inside) at the middle of the stretch inside.
    """

    fix_row: NDArray[np.int64]
    condition_no: NDArray[np.int64]
    zone_no: NDArray[np.int64]
    entered_at: NDArray[np.int64]
    left_at: NDArray[np.int64]
    probability: NDArray[np.float64]
    radius_m: NDArray[np.float64]
    kind: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.fix_row)

    def of_fixes(self, rows: NDArray[np.intp]) -> "CrossedZones":
        """Those of some fixes, ascending; ``fix_row`` then counts among these."""
        kept = np.flatnonzero(np.isin(self.fix_row, rows))
        columns = {name: getattr(self, name)[kept] for name in CrossedZones.__dataclass_fields__}
        return CrossedZones(**columns | {"fix_row": np.searchsorted(rows, self.fix_row[kept]).astype(np.int64)})


def run_filter(
    *,
    fixes: WeighedFixes,
    seen: Observations,
    crossed: CrossedZones,
    open_rows: NDArray[Any],
    policy: PresencePolicy,
) -> NDArray[Any]:
    """All presences of the subjects in the batch after it: open ones carried on, new ones, ended ones.

    ``seen``: of the filtered positions of ``fixes``. ``open_rows``: ``PRESENCE``, by subject. A fix too poor to speak
    for presence at a zone does not speak for absence from it either; nor does an outlier.
    """
    thresholds = policy.thresholds()
    opens = seen.probability >= thresholds[seen.kind, 0] * seen.best_probability
    rows = np.zeros(len(open_rows) + int(np.count_nonzero(opens)) + len(crossed), dtype=PRESENCE)
    rows[: len(open_rows)] = open_rows
    for name in OF_ONE_RUN:
        rows[name] = 0
    count = _filter(
        fixes.subject_no,
        fixes.fixed_at,
        fixes.received_at,
        fixes.last,
        fixes.sigma_m,
        fixes.weight,
        fixes.is_supported,
        seen.start,
        seen.condition_no,
        seen.zone_no,
        seen.probability,
        seen.best_probability,
        seen.radius_m,
        seen.kind,
        crossed.fix_row,
        crossed.condition_no,
        crossed.zone_no,
        crossed.entered_at,
        crossed.left_at,
        crossed.probability,
        crossed.radius_m,
        crossed.kind,
        rows,
        len(open_rows),
        thresholds,
        int(policy.silence_s * 1e6),
        int(policy.live_within_s * 1e6),
        policy.reach_limit_m,
    )
    return rows[:count]


@njit(cache=True, nogil=True)
def _best_at(radius_m, sigma_m):  # type: ignore[no-untyped-def] # compiled
    """The most that a fix of this accuracy could say of a zone of this size."""
    return 1.0 - np.exp(-0.5 * (radius_m / sigma_m) ** 2)


@njit(cache=True, nogil=True)
def _weigh(  # type: ignore[no-untyped-def] # compiled
    row, time, received, sigma_m, weight, p, best, is_near, is_supported, limits, live_within, reach_limit,
):  # fmt: skip
    """Add one fix to an open presence; True when that ends it."""
    own_best = _best_at(row.radius_m, sigma_m)
    # Too poor to speak for presence here, so not for absence either, unless it lies beyond all its error.
    if own_best < limits[7] and (is_near or 3.0 * sigma_m > reach_limit):
        return False
    if not is_supported:
        return False
    best = max(best, own_best)  # a place that is in doubt is no poor fix: its doubt is none of the zone's
    share = min(1.0 - np.exp(-(time - row.seen_at) / limits[6]), _MOST_OF_MEAN)
    row.mean += share * (weight * p - row.mean)
    row.seen_at = time
    row.peak = max(row.peak, p)
    if own_best >= limits[1]:
        row.undecidable = 0
    is_inside = is_near and p >= limits[0] * best
    if row.likely_at == 0 and weight * p >= limits[1]:
        row.likely_at = time
    if is_inside:
        row.fix_count += 1
        row.last_inside_at = time
        row.outside_count = 0
    elif p < limits[2] * best or not is_near:
        row.outside_count += 1
        if row.outside_count >= limits[3]:
            return True
    if row.tier < 2:  # once PROBABLE stays PROBABLE: the record is never taken back
        row.known_at = max(row.known_at, received)
        long_enough = row.last_inside_at - row.started_at >= limits[4] and row.fix_count >= limits[5]
        if long_enough and own_best >= limits[1] and row.mean >= limits[1] and weight * p >= limits[1]:
            row.tier = 2
            row.decided_at = time
            row.decided_mean = row.mean
            row.decided_now = 1
        elif long_enough and row.undecidable == 1 and row.undecidable_at == 0 and is_inside:
            row.undecidable_at = time
            row.undecidable_now = 1
    if row.tier == 2 and row.live_at == 0 and is_inside and received - time <= live_within:
        row.live_at = time
        row.live_known_at = received
        row.live_now = 1
    return False


@njit(cache=True, nogil=True)
def _open(  # type: ignore[no-untyped-def] # compiled
    row, subject, condition, zone, time, received, p, weight, radius_m, kind, is_entry, is_undecidable,
):  # fmt: skip
    row.subject_no = subject
    row.condition_no = condition
    row.zone_no = zone
    row.started_at = time
    row.last_inside_at = time
    row.seen_at = time
    row.possible_at = time
    row.known_at = received
    row.mean = weight * p
    row.peak = p
    row.fix_count = 1
    row.tier = 1
    row.is_entry = 1 if is_entry else 0
    row.radius_m = radius_m
    row.kind = kind
    row.undecidable = 1 if is_undecidable else 0


@njit(cache=True, nogil=True)
def _filter(  # type: ignore[no-untyped-def] # compiled; typed and documented at run_filter
    fix_subject,
    fix_time,
    fix_received,
    fix_last,
    fix_sigma_m,
    fix_weight,
    fix_supported,
    obs_start,
    obs_condition,
    obs_zone,
    obs_p,
    obs_best,
    obs_radius_m,
    obs_kind,
    way_fix,
    way_condition,
    way_zone,
    way_entered,
    way_left,
    way_p,
    way_radius_m,
    way_kind,
    rows,
    open_count,
    thresholds,
    silence,
    live_within,
    reach_limit,
):
    used = open_count
    active = np.empty(len(rows), dtype=np.int64)
    near_at = np.full(len(rows), -1, dtype=np.int64)  # the last fix that was near the zone of a row
    active_count = 0
    next_open = 0
    next_way = 0
    subject = np.int64(-1)
    last = np.int64(0)
    for fix in range(len(fix_subject)):
        if fix == 0 or fix_subject[fix] != subject:
            subject = fix_subject[fix]
            last = fix_last[fix]
            active_count = 0
            while next_open < open_count and rows[next_open].subject_no < subject:
                next_open += 1
            while next_open < open_count and rows[next_open].subject_no == subject:
                active[active_count] = next_open
                active_count += 1
                next_open += 1
        time, received, sigma_m, weight = fix_time[fix], fix_received[fix], fix_sigma_m[fix], fix_weight[fix]
        if last != 0 and time - last > silence:
            for slot in range(active_count):
                rows[active[slot]].ended_at = rows[active[slot]].last_inside_at
                rows[active[slot]].ended_by = 2
            active_count = 0
            last = np.int64(0)
        for obs in range(obs_start[fix], obs_start[fix + 1]):
            limits = thresholds[obs_kind[obs]]
            found = False
            for slot in range(active_count):
                row = rows[active[slot]]
                if row.condition_no == obs_condition[obs] and row.zone_no == obs_zone[obs]:
                    found = True
                    near_at[active[slot]] = fix
                    if _weigh(
                        row, time, received, sigma_m, weight, obs_p[obs], obs_best[obs], True, fix_supported[fix],
                        limits, live_within, reach_limit,
                    ):  # fmt: skip
                        row.ended_at = row.last_inside_at
                        row.ended_by = 1
                    break
            own_best = _best_at(obs_radius_m[obs], sigma_m)
            tells = fix_supported[fix] and own_best >= limits[7]
            if not found and tells and obs_p[obs] >= limits[0] * max(obs_best[obs], own_best):
                _open(
                    rows[used], subject, obs_condition[obs], obs_zone[obs], time, received, obs_p[obs], weight,
                    obs_radius_m[obs], obs_kind[obs], last != 0, own_best < limits[1],
                )  # fmt: skip
                rows[used].likely_at = time if weight * obs_p[obs] >= limits[1] else 0
                near_at[used] = fix
                active[active_count] = used
                active_count += 1
                used += 1
        while next_way < len(way_fix) and way_fix[next_way] <= fix:
            known = way_fix[next_way] < fix
            for slot in range(active_count):
                row = rows[active[slot]]
                known |= row.condition_no == way_condition[next_way] and row.zone_no == way_zone[next_way]
            if not known:
                row = rows[used]
                _open(
                    row, subject, way_condition[next_way], way_zone[next_way], way_entered[next_way], received,
                    way_p[next_way], 1.0, way_radius_m[next_way], way_kind[next_way], True, False,
                )  # fmt: skip
                row.fix_count = 0
                row.is_crossing = 1
                row.last_inside_at = way_left[next_way]
                row.ended_at = way_left[next_way]
                row.ended_by = 1
                used += 1
            next_way += 1
        kept = 0
        for slot in range(active_count):
            row = rows[active[slot]]
            if row.ended_at == 0 and near_at[active[slot]] != fix and _weigh(
                row, time, received, sigma_m, weight, 0.0, 1.0, False, fix_supported[fix],
                thresholds[row.kind], live_within, reach_limit,
            ):  # fmt: skip
                row.ended_at = row.last_inside_at
                row.ended_by = 1
            if row.ended_at == 0:
                active[kept] = active[slot]
                kept += 1
        active_count = kept
        last = time
    return used
