"""What a fix is worth beside those before it: impossible speed, teleport, stale repeat. Compiled, with carried state.

The state holds the last accepted fix (the anchor) and a place that disagrees with it (the candidate). A fix farther
from the anchor than the time allows is flagged; when enough fixes in a row agree at the new place, that becomes the
anchor, so that neither a wrong first fix nor a real journey is held against the subject for long. Of a jump away and
back the fixes away are flagged and the return is not. Only what was known at the time is used, so flags never change
as later fixes come, and the answer does not depend on how the sequence is cut into batches.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.projection import compiled, near_distance_m
from tracking.fix import FixBatch
from tracking.quality import INTAKE_DOES_NOT_DECIDE, FixFlag, QualityPolicy

QUALITY_STATE = np.dtype(
    [
        ("subject_no", np.int64),
        ("seen_at", np.int64),  # the last fix of any worth; times are microseconds UTC, 0 = none yet
        ("seen_key", np.int64),
        ("placed_at", np.int64),  # the last fix that was weighed, and since when and how often it says the same
        ("placed_longitude", np.float64),
        ("placed_latitude", np.float64),
        ("placed_accuracy_m", np.float64),
        ("repeat_since", np.int64),
        ("anchor_at", np.int64),
        ("anchor_longitude", np.float64),
        ("anchor_latitude", np.float64),
        ("anchor_accuracy_m", np.float64),
        ("candidate_at", np.int64),
        ("candidate_longitude", np.float64),
        ("candidate_latitude", np.float64),
        ("candidate_accuracy_m", np.float64),
        ("repeat_count", np.int32),
        ("candidate_count", np.int32),
        ("seen_flags", np.int32),
    ]
)
"""What the flags of a subject's next fix depend on. A subject that is absent begins anew."""

_IMPOSSIBLE_SPEED, _TELEPORT = int(FixFlag.IMPOSSIBLE_SPEED), int(FixFlag.TELEPORT)
_STALE_REPEAT, _SAME_INSTANT = int(FixFlag.STALE_REPEAT), int(FixFlag.SAME_INSTANT)
_Limits = tuple[float, float, float, float, int, int, int, int]


def flag_sequence(
    fixes: FixBatch, state: NDArray[Any], policy: QualityPolicy
) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Flags int32 ``[n]`` of the sequence (without those of intake), and the state after it.

    ``fixes``: sorted by (subject_no, fixed_at, fix_key), positions finite, none older than its subject's state; the
    last fix of a state may come again and gets the same flags. ``state``: ``QUALITY_STATE``, ascending subjects, each
    once. The new state holds every subject of both. Neither argument is changed. Raises ValueError when rows are not
    in that order.
    """
    rows = _with_rows_for(fixes.subject_no, state)
    flags = np.zeros(len(fixes), dtype=np.int32)
    limits: _Limits = (
        policy.accuracy_factor,
        policy.top_speed_mps,
        policy.teleport_speed_mps,
        policy.time_grain_s,
        policy.agreeing_fix_count,
        policy.stale_fix_count,
        round(policy.stale_after_s * 1e6),
        round(policy.forget_after_s * 1e6),
    )
    bad_row = _flag_all(
        fixes.subject_no,
        fixes.fixed_at,
        fixes.fix_key,
        fixes.longitude,
        fixes.latitude,
        fixes.accuracy_m,
        fixes.flags,
        rows,
        flags,
        limits,
    )
    if bad_row >= 0:
        raise ValueError(f"fix {bad_row} is older than the one before it: sort by subject_no, fixed_at, fix_key")
    return flags, rows


def _with_rows_for(subject_no: NDArray[np.int64], state: NDArray[Any]) -> NDArray[Any]:
    """A copy of ``state`` with an empty row for each subject of the batch that it lacks."""
    is_first = np.ones(len(subject_no), dtype=bool)
    np.not_equal(subject_no[1:], subject_no[:-1], out=is_first[1:])
    subjects = subject_no[is_first]
    new = subjects[~np.isin(subjects, state["subject_no"])]
    if len(new) == 0:
        return state.copy()
    rows = np.zeros(len(state) + len(new), dtype=QUALITY_STATE)
    rows[: len(state)] = state
    rows["subject_no"][len(state) :] = new
    return rows[np.argsort(rows["subject_no"], kind="stable")]


@compiled
def _excess_m(
    longitude: float, latitude: float, from_longitude: float, from_latitude: float, accuracies_m: float, factor: float
) -> float:
    """Metres between two fixes beyond what their errors explain."""
    turn = longitude - from_longitude
    if turn > 180.0:
        longitude -= 360.0
    elif turn < -180.0:
        longitude += 360.0
    return near_distance_m(longitude, latitude, from_longitude, from_latitude) - factor * accuracies_m


@compiled
def _note_repeat(row: Any, time: int, longitude: float, latitude: float, accuracy_m: float) -> bool:
    """Remember the fix; True when it says the same as the one before it."""
    is_repeat = (
        row.placed_at != 0
        and longitude == row.placed_longitude
        and latitude == row.placed_latitude
        and accuracy_m == row.placed_accuracy_m
    )
    row.placed_at = time
    if is_repeat:
        row.repeat_count += 1
        return True
    row.placed_longitude = longitude
    row.placed_latitude = latitude
    row.placed_accuracy_m = accuracy_m
    row.repeat_since = time
    row.repeat_count = 1
    return False


@compiled
def _set_anchor(row: Any, time: int, longitude: float, latitude: float, accuracy_m: float) -> None:
    row.anchor_at = time
    row.anchor_longitude = longitude
    row.anchor_latitude = latitude
    row.anchor_accuracy_m = accuracy_m
    row.candidate_count = 0


@compiled
def _agrees_elsewhere(
    row: Any, time: int, longitude: float, latitude: float, accuracy_m: float, limits: _Limits
) -> bool:
    """The fix becomes the candidate; True when it is the last of enough fixes in a row that agree with each other."""
    factor, top_speed, _, grain_s, agreeing, _, _, _ = limits
    agrees = False
    if row.candidate_count > 0:
        reach_m = top_speed * ((time - row.candidate_at) * 1e-6 + grain_s)
        accuracies_m = accuracy_m + row.candidate_accuracy_m
        excess_m = _excess_m(longitude, latitude, row.candidate_longitude, row.candidate_latitude, accuracies_m, factor)
        agrees = excess_m <= reach_m
    row.candidate_count = row.candidate_count + 1 if agrees else 1
    row.candidate_at = time
    row.candidate_longitude = longitude
    row.candidate_latitude = latitude
    row.candidate_accuracy_m = accuracy_m
    return bool(row.candidate_count >= agreeing)


@compiled
def _weigh(row: Any, time: int, longitude: float, latitude: float, accuracy_m: float, limits: _Limits) -> int:
    """Flags of one fix beside the subject's state, which is carried on."""
    factor, top_speed, teleport_speed, grain_s, _, stale_count, stale_after, _ = limits
    if time == row.placed_at:
        return _SAME_INSTANT
    is_repeat = _note_repeat(row, time, longitude, latitude, accuracy_m)
    flag = 0
    if is_repeat and row.repeat_count >= stale_count and time - row.repeat_since >= stale_after:
        flag = _STALE_REPEAT
    if row.anchor_at == 0:
        _set_anchor(row, time, longitude, latitude, accuracy_m)
        return flag
    since_s = (time - row.anchor_at) * 1e-6
    excess_m = _excess_m(
        longitude, latitude, row.anchor_longitude, row.anchor_latitude, accuracy_m + row.anchor_accuracy_m, factor
    )
    if excess_m <= top_speed * (since_s + grain_s):
        row.candidate_count = 0
        # An exact repeat is no news of where the subject is now; nor is a fix that bounds it less than the anchor does.
        if not is_repeat and factor * (accuracy_m - row.anchor_accuracy_m) <= top_speed * since_s:
            _set_anchor(row, time, longitude, latitude, accuracy_m)
        return flag
    if not is_repeat and _agrees_elsewhere(row, time, longitude, latitude, accuracy_m, limits):
        _set_anchor(row, time, longitude, latitude, accuracy_m)
        return flag
    return flag | (_TELEPORT if excess_m > teleport_speed * (since_s + grain_s) else _IMPOSSIBLE_SPEED)


@compiled
def _flag_all(
    subject_no: NDArray[np.int64],
    fixed_at: NDArray[np.int64],
    fix_key: NDArray[np.int64],
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    accuracy_m: NDArray[np.float64],
    intake_flags: NDArray[np.int32],
    rows: NDArray[Any],
    flags: NDArray[np.int32],
    limits: _Limits,
) -> int:
    """Fill ``flags`` and carry ``rows`` on; the first fix out of order, or -1."""
    at = 0
    for fix in range(subject_no.size):
        if fix > 0 and subject_no[fix] < subject_no[fix - 1]:
            return fix
        while rows[at].subject_no != subject_no[fix]:
            at += 1
        row = rows[at]
        time = fixed_at[fix]
        if row.seen_at != 0:
            if time < row.seen_at or (time == row.seen_at and fix_key[fix] < row.seen_key):
                return fix
            if time == row.seen_at and fix_key[fix] == row.seen_key:
                flags[fix] = row.seen_flags
                continue
            if time - row.seen_at > limits[7]:
                row.placed_at = 0
                row.anchor_at = 0
                row.candidate_count = 0
        if intake_flags[fix] & INTAKE_DOES_NOT_DECIDE == 0:
            flags[fix] = _weigh(row, time, longitude[fix], latitude[fix], accuracy_m[fix], limits)
        row.seen_at = time
        row.seen_key = fix_key[fix]
        row.seen_flags = flags[fix]
    return -1
