"""The compiled loop of :mod:`tracking.silence`: one pass over reports by subject and time, all memory in ``WATCH``."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.projection import compiled, near_distance_m

WATCH = np.dtype(
    [
        ("subject_no", "i8"),
        ("silent_after", "i8"),  # microseconds
        ("watched_to", "i8"),
        ("last_report_at", "i8"),
        ("last_fix_at", "i8"),  # last usable fix, or when the watch began
        ("silent_since", "i8"),  # these: since when the finding goes on, -1 if it does not
        ("low_since", "i8"),
        ("power_since", "i8"),
        ("permission_since", "i8"),
        ("mock_since", "i8"),
        ("device_no", "i8"),  # -1: not known yet
        ("frozen_from", "i8"),  # the run of fixes that are the same to the last digit
        ("frozen_waking", "i8"),
        ("frozen_count", "i8"),
        ("frozen_longitude", "f8"),
        ("frozen_latitude", "f8"),
        ("frozen_accuracy_m", "f8"),
        ("still_from", "i8"),  # the stay at one place
        ("still_waking", "i8"),
        ("still_count", "i8"),
        ("away_count", "i8"),  # fixes in a row that lie elsewhere
        ("still_longitude", "f8"),
        ("still_latitude", "f8"),
        ("is_frozen", "b1"),
        ("is_left", "b1"),
    ]
)
"""One row per watched subject. Times are int64 microseconds, UTC."""

FINDING = np.dtype(
    [
        ("subject_no", "i8"),
        ("kind", "i8"),
        ("since", "i8"),  # when what was found began
        ("at", "i8"),  # when it was found, or ended
        ("is_end", "b1"),
        ("value", "f8"),  # battery in percent, number of the new device, waking hours of stillness; else NaN
    ]
)
"""One row per beginning and per end. ``kind``: ``tracking.silence.DeviceFinding``."""

FINDINGS_PER_REPORT = 10
_SILENCE, _LOW, _POWER, _PERMISSION, _DEVICE, _MOCK, _FROZEN, _LEFT = 1, 2, 3, 4, 5, 6, 7, 8
_DAY = 86_400_000_000
_OFFSET = 28_800_000_000
_AWAY_FIXES = 3  # an outlier or two is no walk
_MEAN_OF = 60  # the place is the mean of about so many fixes
_WORST_ACCURACY_M = 500.0  # a wider fix tells nothing of who left a house


@compiled
def find_in_reports(
    subject_no: NDArray[np.int64],
    reported_at: NDArray[np.int64],
    longitude: NDArray[np.float64],
    latitude: NDArray[np.float64],
    accuracy_m: NDArray[np.float64],
    battery_percent: NDArray[np.float64],
    device_no: NDArray[np.int64],
    status: NDArray[np.int64],
    states: NDArray[Any],
    numbers: NDArray[np.float64],
    found: NDArray[Any],
    passed_over: NDArray[np.bool_],
) -> int:
    """Advance ``states`` (``WATCH``, by subject) over reports by subject and time; fill ``found``; how many rows."""
    count = 0
    row = 0
    for i in range(len(subject_no)):
        while row < len(states) and states[row]["subject_no"] < subject_no[i]:
            row += 1
        at = reported_at[i]
        if row == len(states) or states[row]["subject_no"] != subject_no[i]:
            passed_over[i] = True
            continue
        state = states[row]
        if at < state["last_report_at"] or at >= state["watched_to"]:
            passed_over[i] = True
            continue
        state["last_report_at"] = at
        count = _silence_until(state, at, found, count)
        is_mock = status[i] & 1 != 0
        has_fix = not is_mock and not math.isnan(longitude[i])
        state["power_since"], count = _toggle(
            state, _POWER, state["power_since"], status[i] & 2 != 0, True, at, found, count
        )
        state["permission_since"], count = _toggle(
            state, _PERMISSION, state["permission_since"], status[i] & 4 != 0, True, at, found, count
        )
        state["mock_since"], count = _toggle(state, _MOCK, state["mock_since"], is_mock, has_fix, at, found, count)
        count = _battery(state, battery_percent[i], at, numbers, found, count)
        if device_no[i] >= 0:
            if state["device_no"] >= 0 and state["device_no"] != device_no[i]:
                count = _add(found, count, state, _DEVICE, at, at, False, device_no[i])
            state["device_no"] = device_no[i]
        if has_fix:
            since_last = at - state["last_fix_at"]
            waking = 0
            if since_last <= state["silent_after"]:
                waking = _waking(state["last_fix_at"], at, numbers)
            if state["silent_since"] != -1:
                count = _add(found, count, state, _SILENCE, state["silent_since"], at, True, math.nan)
                state["silent_since"] = -1
            state["last_fix_at"] = at
            count = _frozen(state, longitude[i], latitude[i], accuracy_m[i], at, waking, numbers, found, count)
            count = _left(state, longitude[i], latitude[i], accuracy_m[i], at, waking, numbers, found, count)
    return count


@compiled
def find_on_the_clock(states: NDArray[Any], now: int, found: NDArray[Any]) -> int:
    """Silences whose limit ran out before ``now``, or before the watch ended, though nothing came."""
    count = 0
    for row in range(len(states)):
        count = _silence_until(states[row], min(now, states[row]["watched_to"]), found, count)
    return count


@compiled
def _silence_until(state: Any, at: int, found: NDArray[Any], count: int) -> int:
    limit = state["last_fix_at"] + state["silent_after"]
    if state["silent_since"] == -1 and at > limit:
        state["silent_since"] = state["last_fix_at"]
        return _add(found, count, state, _SILENCE, state["silent_since"], limit, False, math.nan)
    return count


@compiled
def _toggle(
    state: Any, kind: int, since: int, is_on: bool, can_end: bool, at: int, found: NDArray[Any], count: int
) -> tuple[int, int]:
    """Since when it goes on after this report, and how many rows there are then."""
    if is_on and since == -1:
        return at, _add(found, count, state, kind, at, at, False, math.nan)
    if not is_on and can_end and since != -1:
        return -1, _add(found, count, state, kind, since, at, True, math.nan)
    return since, count


@compiled
def _battery(state: Any, percent: float, at: int, numbers: NDArray[np.float64], found: NDArray[Any], count: int) -> int:
    if state["low_since"] == -1 and percent <= numbers[0]:
        state["low_since"] = at
        return _add(found, count, state, _LOW, at, at, False, percent)
    if state["low_since"] != -1 and percent > numbers[1]:
        since = state["low_since"]
        state["low_since"] = -1
        return _add(found, count, state, _LOW, since, at, True, percent)
    return count


@compiled
def _frozen(
    state: Any,
    longitude: float,
    latitude: float,
    accuracy_m: float,
    at: int,
    waking: int,
    numbers: NDArray[np.float64],
    found: NDArray[Any],
    count: int,
) -> int:
    was_m = state["frozen_accuracy_m"]
    is_same = (
        state["frozen_count"] > 0
        and longitude == state["frozen_longitude"]
        and latitude == state["frozen_latitude"]
        and (accuracy_m == was_m or (math.isnan(accuracy_m) and math.isnan(was_m)))
    )
    if is_same:
        state["frozen_count"] += 1
        state["frozen_waking"] += waking
        if not state["is_frozen"] and state["frozen_waking"] >= numbers[4] and state["frozen_count"] >= numbers[7]:
            state["is_frozen"] = True
            count = _add(found, count, state, _FROZEN, state["frozen_from"], at, False, state["frozen_waking"] / 3.6e9)
        return count
    if state["is_frozen"]:
        count = _add(found, count, state, _FROZEN, state["frozen_from"], at, True, state["frozen_waking"] / 3.6e9)
    state["is_frozen"] = False
    state["frozen_from"], state["frozen_waking"], state["frozen_count"] = at, 0, 1
    state["frozen_longitude"], state["frozen_latitude"] = longitude, latitude
    state["frozen_accuracy_m"] = accuracy_m
    return count


@compiled
def _left(
    state: Any,
    longitude: float,
    latitude: float,
    accuracy_m: float,
    at: int,
    waking: int,
    numbers: NDArray[np.float64],
    found: NDArray[Any],
    count: int,
) -> int:
    if not accuracy_m <= _WORST_ACCURACY_M:  # NaN too
        return count
    if state["still_count"] > 0:
        gap_m = near_distance_m(longitude, latitude, state["still_longitude"], state["still_latitude"])
        if gap_m <= numbers[6] + 2.0 * accuracy_m:
            state["away_count"] = 0
            state["still_count"] += 1
            state["still_waking"] += waking
            share = 1.0 / min(state["still_count"], _MEAN_OF)
            state["still_longitude"] += share * (longitude - state["still_longitude"])
            state["still_latitude"] += share * (latitude - state["still_latitude"])
            if not state["is_left"] and state["still_waking"] >= numbers[5] and state["still_count"] >= numbers[7]:
                state["is_left"] = True
                return _add(found, count, state, _LEFT, state["still_from"], at, False, state["still_waking"] / 3.6e9)
            return count
        state["away_count"] += 1
        if state["away_count"] < _AWAY_FIXES:
            return count
    if state["is_left"]:
        count = _add(found, count, state, _LEFT, state["still_from"], at, True, state["still_waking"] / 3.6e9)
    state["is_left"] = False
    state["still_from"], state["still_waking"], state["still_count"], state["away_count"] = at, 0, 1, 0
    state["still_longitude"], state["still_latitude"] = longitude, latitude
    return count


@compiled
def _waking(begin: int, end: int, numbers: NDArray[np.float64]) -> int:
    """Microseconds of waking hours between two instants."""
    return _waking_before(end, numbers) - _waking_before(begin, numbers)


@compiled
def _waking_before(at: int, numbers: NDArray[np.float64]) -> int:
    day, clock = divmod(at + _OFFSET, _DAY)
    wakes, sleeps = int(numbers[2]), int(numbers[3])
    return day * (sleeps - wakes) + min(max(clock - wakes, 0), sleeps - wakes)


@compiled
def _add(
    found: NDArray[Any], count: int, state: Any, kind: int, since: int, at: int, is_end: bool, value: float
) -> int:
    row = found[count]
    row["subject_no"], row["kind"], row["since"], row["at"] = state["subject_no"], kind, since, at
    row["is_end"], row["value"] = is_end, value
    return count + 1
