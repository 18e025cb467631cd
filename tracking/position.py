"""Where a subject probably is, fix after fix: two hypotheses, still and moving, over errors that last for minutes.

Each hypothesis is a Kalman filter over the place and over the error of the phone, both in metres on two like axes, so
that one 2 x 2 covariance serves east and north. The error of a fix of standard deviation sigma is taken as sigma times
the sum of three parts: one that changes slowly (AR(1), ``error_correlation_s``: it is in the state, so that a second
fix a minute later adds little), one fresh with each fix, and one that never changes (a wall that reflects: it is no
part of the state but of the width that is given, and no number of fixes takes it away).

The two are joined as an interacting multiple model (Blom and Bar-Shalom, "The interacting multiple model algorithm for
systems with Markovian switching coefficients", IEEE Trans. Automatic Control 33, 1988, 780-783). Within each, a fix may
be an outlier that says nothing (probabilistic data association, Bar-Shalom and Tse, "Tracking in a cluttered
environment with probabilistic data association", Automatica 11, 1975, 451-460): a jump of 200 m neither moves a person
who stays nor holds back one who left; the fixes after it tell.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tracking.policy import MotionPolicy

_MODE = (
    "longitude",
    "latitude",
    "east_error",
    "north_error",
    "variance_m2",
    "covariance_m",
    "error_variance",
    "bias_m",
)
POSITION_FIELDS: tuple[str, ...] = (
    "longitude",  # of the last fix that was weighed, as reported; degrees WGS-84
    "latitude",
    "sigma_m",  # its standard deviation per axis
    "level_m",  # the same, smoothed: phones report it with a scatter that their errors do not have
    "trust",  # probability that the filtered position is right and the fix near it; 0 for an outlier
    "still_weight",  # probability of the hypothesis "still"
    *(f"still_{name}" for name in _MODE),
    *(f"moving_{name}" for name in _MODE),
)
"""The float64 columns of the state of one subject: per hypothesis the mean place (degrees), the mean error (in sigmas),
the variance of the place (m²), its covariance with the error (m), the variance of the error, and the standard
deviation of the part of the error that never changes."""

_STILL, _MOVING = 0, 1
_LEVEL, _TRUST, _STILL_WEIGHT, _FIRST_MODE = 3, 4, 5, 6
_LON, _LAT, _EAST, _NORTH, _VXX, _VXU, _VUU, _BIAS = range(8)
_METRES_PER_DEGREE = 111_319.49
_TAU = 2.0 * np.pi
_RARE = 3.0  # innovations beyond this many standard deviations are no usual way on foot or in traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Positions:
    """One filtered position per fix, ``[n]``: the place of the likelier hypothesis.

    ``longitude``, ``latitude``: degrees WGS-84. ``sigma_m``: standard deviation per axis. ``weight``: probability of
    the hypothesis. ``is_supported``: the fix itself lies near; else it is an outlier, and says nothing.
    """

    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    sigma_m: NDArray[np.float64]
    weight: NDArray[np.float64]
    is_supported: NDArray[np.bool_]


def filter_positions(
    *,
    state_row: NDArray[np.int64],
    fix_time: NDArray[np.int64],
    fix_longitude: NDArray[np.float64],
    fix_latitude: NDArray[np.float64],
    fix_sigma_m: NDArray[np.float64],
    last_time: NDArray[np.int64],
    states: NDArray[np.float64],
    silence_s: float,
    policy: MotionPolicy,
) -> Positions:
    """Positions of ``n`` fixes, sorted by (subject, time); ``states`` is advanced in place.

    ``state_row`` [n]: the row of the fix's subject in ``states`` [s, ``POSITION_FIELDS``] and in ``last_time`` [s], the
    time of the last fix weighed, 0 when nothing is known, microseconds. After ``silence_s`` a subject begins anew.
    """
    count = len(fix_time)
    out = np.empty((count, 4))
    supported = np.empty(count, dtype=np.bool_)
    _run(
        state_row, fix_time, fix_longitude, fix_latitude, fix_sigma_m, last_time, states, out, supported,
        silence_s * 1e6, policy.parameters(),
    )  # fmt: skip
    longitude, latitude, sigma_m, weight = (np.ascontiguousarray(out[:, column]) for column in range(4))
    return Positions(longitude=longitude, latitude=latitude, sigma_m=sigma_m, weight=weight, is_supported=supported)


@njit(cache=True, nogil=True)
def _run(state_row, time, lon, lat, sigma, last_time, states, out, supported, silence, policy):  # type: ignore[no-untyped-def] # compiled
    modes, mixed = np.zeros((2, 8)), np.zeros((2, 8))
    subject, still, last, level = np.int64(-1), 0.5, np.int64(0), 1.0
    for fix in range(len(time)):
        if state_row[fix] != subject:
            if subject >= 0:
                _save(states[subject], modes, still)
            subject = state_row[fix]
            still, last = _load(states[subject], modes), last_time[subject]
            level = states[subject, _LEVEL]
        scale = _METRES_PER_DEGREE * max(np.cos(np.radians(lat[fix])), 1e-6)
        if last == 0 or time[fix] - last > silence:
            level = sigma[fix]
            _begin(modes, level, policy)
            still = 0.5
        else:
            _to_metres(modes, lon[fix], lat[fix], scale)
            change = np.log(sigma[fix] / level)
            is_new = abs(change) >= policy[12]  # other surroundings: the old error says nothing of the new one
            level *= np.exp(change * (1.0 if is_new else policy[11]))
            still = _advance(modes, mixed, still, 1e-6 * (time[fix] - last), level, is_new, policy)
        last = time[fix]
        best = _STILL if still >= 0.5 else _MOVING
        away = modes[best, _LON] ** 2 + modes[best, _LAT] ** 2
        _to_degrees(modes, lon[fix], lat[fix], scale)
        out[fix, 0], out[fix, 1] = modes[best, _LON], modes[best, _LAT]
        out[fix, 2] = np.sqrt(modes[best, _VXX] + modes[best, _BIAS] ** 2)
        out[fix, 3] = still if best == _STILL else 1.0 - still
        supported[fix] = away <= (policy[9] * sigma[fix]) ** 2
        states[subject, 0], states[subject, 1], states[subject, 2] = lon[fix], lat[fix], sigma[fix]
        states[subject, _LEVEL] = level
        states[subject, _TRUST] = out[fix, 3] if supported[fix] else 0.0
    if subject >= 0:
        _save(states[subject], modes, still)


@njit(cache=True, nogil=True)
def _load(state, modes):  # type: ignore[no-untyped-def] # compiled
    for mode in range(2):
        for column in range(8):
            modes[mode, column] = state[_FIRST_MODE + 8 * mode + column]
    return state[_STILL_WEIGHT]


@njit(cache=True, nogil=True)
def _save(state, modes, still):  # type: ignore[no-untyped-def] # compiled
    state[_STILL_WEIGHT] = still
    for mode in range(2):
        for column in range(8):
            state[_FIRST_MODE + 8 * mode + column] = modes[mode, column]


@njit(cache=True, nogil=True)
def _to_metres(modes, lon, lat, scale):  # type: ignore[no-untyped-def] # compiled
    """Places as metres from the fix; the short way over the antimeridian."""
    for mode in range(2):
        east = modes[mode, _LON] - lon
        if east > 180.0:
            east -= 360.0
        elif east < -180.0:
            east += 360.0
        modes[mode, _LON] = east * scale
        modes[mode, _LAT] = (modes[mode, _LAT] - lat) * _METRES_PER_DEGREE


@njit(cache=True, nogil=True)
def _to_degrees(modes, lon, lat, scale):  # type: ignore[no-untyped-def] # compiled
    for mode in range(2):
        east = lon + modes[mode, _LON] / scale
        if east > 180.0:
            east -= 360.0
        elif east < -180.0:
            east += 360.0
        modes[mode, _LON] = east
        modes[mode, _LAT] = min(max(lat + modes[mode, _LAT] / _METRES_PER_DEGREE, -90.0), 90.0)


@njit(cache=True, nogil=True)
def _begin(modes, sigma, policy):  # type: ignore[no-untyped-def] # compiled
    """All that is known is this fix; the origin is the fix."""
    slow, fresh, fixed = policy[5], policy[6], policy[7]
    for mode in range(2):
        modes[mode, _LON] = modes[mode, _LAT] = modes[mode, _EAST] = modes[mode, _NORTH] = 0.0
        modes[mode, _VXX] = sigma**2 * (slow + fresh)
        modes[mode, _VXU] = -sigma * np.sqrt(slow)
        modes[mode, _VUU] = 1.0
        modes[mode, _BIAS] = sigma * np.sqrt(fixed)


@njit(cache=True, nogil=True)
def _advance(modes, mixed, still, seconds, sigma, is_new, policy):  # type: ignore[no-untyped-def] # compiled
    """Mix, predict and correct both hypotheses by a fix at the origin; the new probability of "still"."""
    leave = 1.0 - np.exp(-seconds / policy[0])
    settle = 1.0 - np.exp(-seconds / policy[1])
    stays, settles = still * (1.0 - leave), (1.0 - still) * settle
    leaves, goes_on = still * leave, (1.0 - still) * (1.0 - settle)
    prior = stays + settles
    # A place is kept as it was until it is given up for good: one jump must not blur what hours have shown.
    _mix(modes, mixed, _STILL, 1.0 if still >= policy[13] else 0.0)
    _mix(modes, mixed, _MOVING, leaves / max(leaves + goes_on, 1e-300))
    keep = 0.0 if is_new else np.exp(-seconds / policy[4])
    for mode in range(2):
        grown = policy[2] * seconds if mode == _STILL else (policy[3] * seconds) ** 2
        if mode == _STILL and still < policy[13]:
            grown += (policy[3] * seconds) ** 2 / 3.0  # settled somewhere on the way since the last fix
        mixed[mode, _VXX] += grown
        mixed[mode, _EAST] *= keep
        mixed[mode, _NORTH] *= keep
        mixed[mode, _VXU] *= keep
        mixed[mode, _VUU] = keep * keep * mixed[mode, _VUU] + 1.0 - keep * keep
    likely_still = prior * _correct(modes, mixed, _STILL, sigma, policy)
    likely_moving = (1.0 - prior) * _correct(modes, mixed, _MOVING, sigma, policy)
    return likely_still / max(likely_still + likely_moving, 1e-300)


@njit(cache=True, nogil=True)
def _mix(modes, mixed, target, share):  # type: ignore[no-untyped-def] # compiled
    """The hypothesis that a subject comes from: still with probability ``share``, else moving."""
    rest = 1.0 - share
    for column in range(8):
        mixed[target, column] = share * modes[_STILL, column] + rest * modes[_MOVING, column]
    east, north = modes[0, _LON] - modes[1, _LON], modes[0, _LAT] - modes[1, _LAT]
    east_error, north_error = modes[0, _EAST] - modes[1, _EAST], modes[0, _NORTH] - modes[1, _NORTH]
    spread = 0.5 * share * rest
    mixed[target, _VXX] += spread * (east * east + north * north)
    mixed[target, _VXU] += spread * (east * east_error + north * north_error)
    mixed[target, _VUU] += spread * (east_error * east_error + north_error * north_error)


@njit(cache=True, nogil=True)
def _correct(modes, mixed, mode, sigma, policy):  # type: ignore[no-untyped-def] # compiled
    """Correct one hypothesis by a fix at the origin as far as it is no outlier; the likelihood of the fix."""
    slope = sigma * np.sqrt(policy[5])
    vxx, vxu, vuu = mixed[mode, _VXX], mixed[mode, _VXU], mixed[mode, _VUU]
    place_gain, error_gain = vxx + slope * vxu, vxu + slope * vuu
    variance = place_gain + slope * error_gain + sigma**2 * policy[6]
    east = -mixed[mode, _LON] - slope * mixed[mode, _EAST]
    north = -mixed[mode, _LAT] - slope * mixed[mode, _NORTH]
    away = east * east + north * north
    usual = 1.0
    if mode == _MOVING and away > _RARE**2 * variance:  # a train, a lift in a car: rare, and as fast as it takes
        more = away / 4.0 - variance
        vxx, place_gain, variance, usual = vxx + more, place_gain + more, variance + more, policy[14]
    told = usual * (1.0 - policy[8]) * np.exp(-0.5 * away / variance) / (_TAU * variance)
    stray = policy[8] / (np.pi * policy[10] ** 2 * (1.0 + away / policy[10] ** 2) ** 2)
    share = told / (told + stray)
    place_gain, error_gain = place_gain / variance, error_gain / variance
    spread = 0.5 * share * (1.0 - share) * away
    modes[mode, _LON] = mixed[mode, _LON] + share * place_gain * east
    modes[mode, _LAT] = mixed[mode, _LAT] + share * place_gain * north
    modes[mode, _EAST] = mixed[mode, _EAST] + share * error_gain * east
    modes[mode, _NORTH] = mixed[mode, _NORTH] + share * error_gain * north
    modes[mode, _VXX] = vxx - (share * variance - spread) * place_gain * place_gain
    modes[mode, _VXU] = vxu - (share * variance - spread) * place_gain * error_gain
    modes[mode, _VUU] = vuu - (share * variance - spread) * error_gain * error_gain
    taken = share * min(max(place_gain, 0.0), 1.0)
    modes[mode, _BIAS] = (1.0 - taken) * mixed[mode, _BIAS] + taken * sigma * np.sqrt(policy[7])
    return told + stray
