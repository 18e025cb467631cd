"""What a sequence of fixes proves: a filter over time for each (subject, condition, zone).

The first, plain filter: a time-weighted mean of P(breach) with dwell, exit hysteresis and silence. Rows of
``PRESENCE`` are the open state and the episodes at once: an episode is a row whose ``ended_at`` is set.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tracking.policy import PresencePolicy

PRESENCE = np.dtype(
    [
        ("subject_no", np.int64),
        ("condition_no", np.int64),
        ("zone_no", np.int64),
        ("started_at", np.int64),  # first fix in breach; times are microseconds UTC, 0 = not yet
        ("last_inside_at", np.int64),
        ("seen_at", np.int64),  # last fix weighed
        ("possible_at", np.int64),
        ("decided_at", np.int64),  # fix at which PROBABLE was reached
        ("known_at", np.int64),  # when the latest fix used for that decision was received
        ("live_at", np.int64),  # first fix in breach, from the decision on, that was received soon after it was taken
        ("live_known_at", np.int64),  # when that one was received
        ("ended_at", np.int64),
        ("mean", np.float64),
        ("decided_mean", np.float64),  # the mean at decided_at
        ("peak", np.float64),
        ("fix_count", np.int32),
        ("outside_count", np.int32),
        ("tier", np.int8),
        ("is_entry", np.int8),  # 1 = the subject was known to be outside before
        ("undecidable", np.int8),  # 1 = no fix so far was good enough to decide
        ("ended_by", np.int8),
        ("episode_high", np.int64),  # the 128 bits of the episode's id, fixed when it opens; 0 = not yet given
        ("episode_low", np.int64),
        ("radius_m", np.float64),  # of the disc as large as the zone; infinite for an inclusion zone
        ("decided_now", np.int8),  # 1 = PROBABLE was reached in this run
        ("live_now", np.int8),  # 1 = ``live_at`` was set in this run
    ]
)
"""One presence of a subject at a zone under a condition."""

POSSIBLE, PROBABLE = 1, 2
"""Values of ``tier``."""
ENDED_BY_EXIT, ENDED_BY_SILENCE, ENDED_BY_RULE = 1, 2, 3
"""Values of ``ended_by``."""


def run_filter(
    *,
    fix_subject: NDArray[np.int64],
    fix_time: NDArray[np.int64],
    fix_received: NDArray[np.int64],
    fix_last: NDArray[np.int64],
    fix_sigma_m: NDArray[np.float64],
    obs_start: NDArray[np.int64],
    obs_condition: NDArray[np.int64],
    obs_zone: NDArray[np.int64],
    obs_probability: NDArray[np.float64],
    obs_radius_m: NDArray[np.float64],
    open_rows: NDArray[Any],
    policy: PresencePolicy,
) -> NDArray[Any]:
    """All presences of the subjects in the batch after it: open ones carried on, new ones, ended ones.

    ``n`` fixes sorted by (subject, time); ``fix_last[i]`` is the time of the subject's last fix before this batch, or 0
    if nothing is known. Observations of fix ``i`` are rows ``obs_start[i]:obs_start[i+1]`` of the ``obs_*`` arrays:
    P(breach), and the radius of the disc as large as the zone (infinite for inclusion). ``open_rows``: ``PRESENCE``, by
    subject. ``fix_sigma_m``: standard deviation of each fix per axis, metres. A fix too poor to speak for presence at a
    zone does not speak for absence from it either.
    """
    capacity = len(open_rows) + int(np.count_nonzero(obs_probability >= policy.possible_probability))
    rows = np.zeros(capacity, dtype=PRESENCE)
    rows[: len(open_rows)] = open_rows
    rows["decided_now"] = 0
    rows["live_now"] = 0
    count = _filter(
        fix_subject,
        fix_time,
        fix_received,
        fix_last,
        fix_sigma_m,
        obs_start,
        obs_condition,
        obs_zone,
        obs_probability,
        obs_radius_m,
        rows,
        len(open_rows),
        policy.possible_probability,
        policy.probable_probability,
        policy.exit_probability,
        policy.exit_fix_count,
        int(policy.dwell_s * 1e6),
        policy.minimum_fix_count,
        policy.correlation_s * 1e6,
        int(policy.signal_loss_s * 1e6),
        policy.after_loss_weight,
        int(policy.silence_s * 1e6),
        int(policy.live_within_s * 1e6),
        policy.reach_limit_m,
    )
    return rows[:count]


@njit(cache=True, nogil=True)
def _weigh(  # type: ignore[no-untyped-def] # compiled
    row, time, received, sigma_m, p, possible, probable, exit_p, exit_count, dwell, minimum, correlation, loss,
    after_loss, live_within, is_near, reach_limit,
):  # fmt: skip
    """Add one fix to an open presence; True when that ends it."""
    best = 1.0 - np.exp(-0.5 * (row.radius_m / sigma_m) ** 2)
    # Too poor to speak for presence here, so not for absence either, unless it lies beyond all its error.
    if best < exit_p and (is_near or 3.0 * sigma_m > reach_limit):
        return False
    weight = 1.0 - np.exp(-(time - row.seen_at) / correlation)
    if time - row.seen_at > loss:
        weight = min(weight, after_loss)
    row.mean += weight * (p - row.mean)
    row.seen_at = time
    row.peak = max(row.peak, p)
    if best >= probable:
        row.undecidable = 0
    if p >= possible:
        row.fix_count += 1
        row.last_inside_at = time
        row.outside_count = 0
    elif p < exit_p:
        row.outside_count += 1
        if row.outside_count >= exit_count:
            return True
    if row.tier < 2:  # once PROBABLE stays PROBABLE: the record is never taken back
        row.known_at = max(row.known_at, received)
        long_enough = row.last_inside_at - row.started_at >= dwell and row.fix_count >= minimum
        if long_enough and row.mean >= probable and p >= possible:
            row.tier = 2
            row.decided_at = time
            row.decided_mean = row.mean
            row.decided_now = 1
    if row.tier == 2 and row.live_at == 0 and p >= possible and received - time <= live_within:
        row.live_at = time
        row.live_known_at = received
        row.live_now = 1
    return False


@njit(cache=True, nogil=True)
def _filter(  # type: ignore[no-untyped-def] # compiled; typed and documented at run_filter
    fix_subject,
    fix_time,
    fix_received,
    fix_last,
    fix_sigma_m,
    obs_start,
    obs_condition,
    obs_zone,
    obs_p,
    obs_radius_m,
    rows,
    open_count,
    possible,
    probable,
    exit_p,
    exit_count,
    dwell,
    minimum,
    correlation,
    loss,
    after_loss,
    silence,
    live_within,
    reach_limit,
):
    used = open_count
    active = np.empty(len(rows), dtype=np.int64)
    near_at = np.full(len(rows), -1, dtype=np.int64)  # the last fix that was near the zone of a row
    active_count = 0
    next_open = 0
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
        time = fix_time[fix]
        if last != 0 and time - last > silence:
            for slot in range(active_count):
                rows[active[slot]].ended_at = rows[active[slot]].last_inside_at
                rows[active[slot]].ended_by = 2
            active_count = 0
            last = np.int64(0)
        for obs in range(obs_start[fix], obs_start[fix + 1]):
            found = False
            for slot in range(active_count):
                row = rows[active[slot]]
                if row.condition_no == obs_condition[obs] and row.zone_no == obs_zone[obs]:
                    found = True
                    near_at[active[slot]] = fix
                    if _weigh(
                        row, time, fix_received[fix], fix_sigma_m[fix], obs_p[obs], possible, probable, exit_p,
                        exit_count, dwell, minimum, correlation, loss, after_loss, live_within, True, reach_limit,
                    ):  # fmt: skip
                        row.ended_at = row.last_inside_at
                        row.ended_by = 1
                    break
            if not found and obs_p[obs] >= possible:
                row = rows[used]
                row.subject_no = subject
                row.condition_no = obs_condition[obs]
                row.zone_no = obs_zone[obs]
                row.started_at = time
                row.last_inside_at = time
                row.seen_at = time
                row.possible_at = time
                row.known_at = fix_received[fix]
                row.mean = obs_p[obs]
                row.peak = obs_p[obs]
                row.fix_count = 1
                row.tier = 1
                row.is_entry = 1 if last != 0 else 0
                row.radius_m = obs_radius_m[obs]
                best = 1.0 - np.exp(-0.5 * (row.radius_m / fix_sigma_m[fix]) ** 2)
                row.undecidable = 0 if best >= probable else 1
                near_at[used] = fix
                active[active_count] = used
                active_count += 1
                used += 1
        kept = 0
        for slot in range(active_count):
            row = rows[active[slot]]
            if row.ended_at == 0 and near_at[active[slot]] != fix and _weigh(
                row, time, fix_received[fix], fix_sigma_m[fix], 0.0, possible, probable, exit_p,
                exit_count, dwell, minimum, correlation, loss, after_loss, live_within, False, reach_limit,
            ):  # fmt: skip
                row.ended_at = row.last_inside_at
                row.ended_by = 1
            if row.ended_at == 0:
                active[kept] = active[slot]
                kept += 1
        active_count = kept
        last = time
    return used
