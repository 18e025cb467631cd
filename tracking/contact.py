"""Whether two subjects who may not meet were near each other, and for how long: 刑诉法 71(2), 77(1). Pure.

At each fix of either its filtered position is compared with the last one of the other, if that is not too old; the
other may have moved since, which widens it. Errors of the two are taken as independent: in one building they are not
quite, so that two who are near look a little farther apart than they are, never nearer. Event time; a stretch of both
is looked at as a whole, whatever order it came in. A finding is for the prosecutor alone: either of the two would learn
from it where the other is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.probability import SIGMA_PER_ACCURACY, inside_probability
from geo.projection import geodesic_m


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPolicy:
    """The limits. ``version`` is stored with what they led to. None of them is measured: no field data was at hand."""

    version: str = "contact-1"
    near_probability: float = 0.5
    apart_probability: float = 0.2
    """Near from the first, until below the second: one bad fix does not end a meeting."""
    most_age_s: float = 300.0
    """A position older than this says nothing of where the other is now; as long without news a meeting ends."""
    moving_mps: float = 0.5
    """Growth of the standard deviation per axis of the other's position with its age: people who meet hardly move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two subjects who may not be within ``within_m`` of each other for ``dwell_s``."""

    first_no: int
    second_no: int
    within_m: float
    dwell_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """They were near each other ``since``, ``found_at`` for the whole dwell, and last ``until``; microseconds, UTC.

    ``probability``: the most by ``found_at``.
    """

    since: int
    found_at: int
    until: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Places:
    """``n`` filtered positions in any order: ``subject_no``, ``at`` (microseconds) int64; degrees WGS-84; ``sigma_m``
    the standard deviation per axis.
    """

    subject_no: NDArray[np.int64]
    at: NDArray[np.int64]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    sigma_m: NDArray[np.float64]

    def take(self, rows: NDArray[Any]) -> "Places":
        """The named rows, in that order."""
        return Places(**{name: getattr(self, name)[rows] for name in Places.__dataclass_fields__})


def find_meetings(places: Places, pair: Pair, *, policy: ContactPolicy) -> tuple[Meeting, ...]:
    """Every time that the pair was near each other for the dwell, in order. Positions of others are passed over."""
    numbers = (pair.first_no, pair.second_no)
    own = places.take(np.flatnonzero(np.isin(places.subject_no, numbers)))
    own = own.take(np.lexsort((own.subject_no, own.at)))
    probability = _probabilities(own, pair, policy)
    return _meetings(own.at, probability, dwell=round(pair.dwell_s * 1e6), policy=policy)


def near_probability(
    first: tuple[Any, Any, Any], second: tuple[Any, Any, Any], *, age_s: Any, within_m: float, policy: ContactPolicy
) -> NDArray[np.float64]:
    """P(less than ``within_m`` apart) ``[k]`` of two places (longitude, latitude, sigma), the second ``age_s`` old."""
    distance_m = geodesic_m(*(np.asarray(item, dtype=np.float64) for item in (*first[:2], *second[:2])))
    sigma_m = np.sqrt(first[2] ** 2 + second[2] ** 2 + (policy.moving_mps * age_s) ** 2)
    return np.asarray(
        inside_probability(
            signed_distance_m=distance_m - within_m,
            accuracy_m=sigma_m / SIGMA_PER_ACCURACY,
            equivalent_radius_m=within_m,
        )
    )


def _probabilities(own: Places, pair: Pair, policy: ContactPolicy) -> NDArray[np.float64]:
    """P(near) at each position ``[n]``, sorted by time; NaN where the other was not heard of lately."""
    probability = np.full(len(own.at), np.nan)
    other = _last_of_other(own, pair)
    age_s = np.where(other >= 0, (own.at - own.at[np.maximum(other, 0)]) * 1e-6, np.inf)
    mine = np.flatnonzero(age_s <= policy.most_age_s)
    if len(mine):
        theirs = other[mine]
        probability[mine] = near_probability(
            (own.longitude[mine], own.latitude[mine], own.sigma_m[mine]),
            (own.longitude[theirs], own.latitude[theirs], own.sigma_m[theirs]),
            age_s=age_s[mine],
            within_m=pair.within_m,
            policy=policy,
        )
    return probability


def _last_of_other(own: Places, pair: Pair) -> NDArray[np.intp]:
    """For each row the last row of the other that is not newer, -1 if there is none."""
    found = np.full(len(own.at), -1, dtype=np.intp)
    for number in (pair.first_no, pair.second_no):
        mine, theirs = np.flatnonzero(own.subject_no == number), np.flatnonzero(own.subject_no != number)
        if len(theirs) and len(mine):
            place = np.searchsorted(own.at[theirs], own.at[mine], side="right") - 1
            found[mine] = np.where(place >= 0, theirs[np.maximum(place, 0)], -1)
    return found


def _meetings(
    at: NDArray[np.int64], probability: NDArray[np.float64], *, dwell: int, policy: ContactPolicy
) -> tuple[Meeting, ...]:
    most_age = round(policy.most_age_s * 1e6)
    meetings: list[Meeting] = []
    since = until = found_at = -1
    peak = found_peak = 0.0

    def close() -> None:
        if since >= 0 and found_at >= 0:
            meetings.append(Meeting(since=since, found_at=found_at, until=until, probability=found_peak))

    for instant, value in zip(at.tolist(), probability.tolist(), strict=True):
        if since >= 0 and (instant - until > most_age or value < policy.apart_probability):
            close()
            since, found_at, peak = -1, -1, 0.0
        if value >= policy.near_probability:
            since = instant if since < 0 else since
            until, peak = instant, max(peak, value)
            if found_at < 0 and instant - since >= dwell:
                found_at, found_peak = instant, peak
    close()
    return tuple(meetings)
