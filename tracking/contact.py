"""Whether two subjects who may not meet were near each other, and for how long: 刑诉法 71(2), 77(1). Pure.

At each fix of either its filtered position is compared with the last one of the other before it, if that is not too
old; the other may have moved since, which widens it. Errors of the two are taken as independent: in one building they
are not quite, so that two who are near look a little farther apart than they are, never nearer. Event time; reports in,
findings and state out, the same for any batches cut between two instants. A finding is for the prosecutor alone: either
of the two would learn from it where the other is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.probability import SIGMA_PER_ACCURACY, inside_probability
from geo.projection import geodesic_m

CONTACT = np.dtype(
    [
        ("condition_no", "i8"),
        ("subject_no", "i8", (2,)),
        ("within_m", "f8"),
        ("dwell", "i8"),
        ("at", "i8", (2,)),  # last position of each, -1: none yet
        ("longitude", "f8", (2,)),
        ("latitude", "f8", (2,)),
        ("sigma_m", "f8", (2,)),
        ("near_since", "i8"),  # -1: not near
        ("near_at", "i8"),  # when they were last seen near
        ("peak", "f8"),
        ("is_found", "b1"),
    ]
)
"""One row per condition between two subjects. Times are int64 microseconds, UTC."""


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
class ContactFinding:
    """Two were near each other ``since``, found ``at`` (microseconds), or were so until ``at`` if ``is_end``."""

    condition_no: int
    subject_nos: tuple[int, int]
    since: int
    at: int
    is_end: bool
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Met:
    """``findings`` by condition and time; ``states``: ``CONTACT``, to hand in next time."""

    findings: tuple[ContactFinding, ...]
    states: NDArray[Any]


def begin_contacts(conditions: Sequence[tuple[int, int, int, float, float]]) -> NDArray[Any]:
    """The state of conditions of whose subjects nothing is known: number, both subjects, metres, seconds of dwell."""
    states = np.zeros(len(conditions), dtype=CONTACT)
    for row, (condition_no, first_no, second_no, within_m, dwell_s) in enumerate(conditions):
        states[row]["condition_no"], states[row]["within_m"] = condition_no, within_m
        states[row]["subject_no"] = (first_no, second_no)
        states[row]["dwell"] = round(dwell_s * 1e6)
    states["at"] = states["near_since"] = states["near_at"] = -1
    return states


def find_contacts(places: Places, states: NDArray[Any], *, policy: ContactPolicy) -> Met:
    """What the positions say of each pair; those older than a pair's newest are passed over. ``states`` stays as is."""
    states, findings = states.copy(), list[ContactFinding]()
    for row in range(len(states)):
        findings += _meet(places, states[row : row + 1], policy)
    return Met(findings=tuple(findings), states=states)


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


def _meet(places: Places, state: NDArray[Any], policy: ContactPolicy) -> list[ContactFinding]:
    """The findings of one pair; its state ``[1]`` is advanced in place."""
    numbers = state["subject_no"][0]
    newest = int(state["at"].max())
    rows = np.flatnonzero(np.isin(places.subject_no, numbers) & (places.at >= max(newest, 0)))
    side = (places.subject_no[rows] == numbers[1]).astype(np.int64)
    order = np.lexsort((side, places.at[rows]))
    rows, side = rows[order], side[order]
    # The last known place of each before the batch stands first: row 0 and row 1 of the columns.
    at = np.concatenate([state["at"][0], places.at[rows]])
    columns = [
        np.concatenate([state[name][0], getattr(places, name)[rows]]) for name in ("longitude", "latitude", "sigma_m")
    ]
    sides = np.concatenate([[0, 1], side])
    other = _last_of_other(at, sides)
    age_s = (at[2:] - at[other]) * 1e-6
    is_told = (at[other] >= 0) & (age_s <= policy.most_age_s)
    found: list[ContactFinding] = []
    probability = np.full(len(rows), np.nan)
    told = np.flatnonzero(is_told)
    if len(told):
        mine, theirs = told + 2, other[told]
        probability[told] = near_probability(
            (columns[0][mine], columns[1][mine], columns[2][mine]),
            (columns[0][theirs], columns[1][theirs], columns[2][theirs]),
            age_s=age_s[told], within_m=float(state["within_m"][0]), policy=policy,
        )  # fmt: skip
    for instant, value in zip(at[2:].tolist(), probability.tolist(), strict=True):
        found += _step(state, instant, value, policy)
    for number in (0, 1):
        last = int(np.flatnonzero(sides == number)[-1])
        state["at"][0, number] = at[last]
        for name, column in zip(("longitude", "latitude", "sigma_m"), columns, strict=True):
            state[name][0, number] = column[last]
    return found


def _last_of_other(at: NDArray[np.int64], sides: NDArray[np.int64]) -> NDArray[np.intp]:
    """For each row from the third on the last row of the other side that is older, by time; never one as old."""
    found = np.zeros(len(at) - 2, dtype=np.intp)
    for number in (0, 1):
        theirs = np.flatnonzero(sides != number)
        mine = np.flatnonzero(sides[2:] == number)
        place = np.searchsorted(at[theirs], at[2:][mine], side="left") - 1
        found[mine] = theirs[np.maximum(place, 0)]
    return found


def _step(state: NDArray[Any], at: int, probability: float, policy: ContactPolicy) -> list[ContactFinding]:
    """One comparison; NaN: the other was not heard of lately."""
    found: list[ContactFinding] = []
    one = state[0]
    is_stale = one["near_since"] >= 0 and at - one["near_at"] > policy.most_age_s * 1e6
    if one["near_since"] >= 0 and (is_stale or probability < policy.apart_probability):
        if one["is_found"]:
            found.append(_finding(one, int(one["near_at"]), is_end=True))
        one["near_since"], one["peak"], one["is_found"] = -1, 0.0, False
    if probability >= policy.near_probability:
        if one["near_since"] < 0:
            one["near_since"] = at
        one["near_at"], one["peak"] = at, max(float(one["peak"]), probability)
        if not one["is_found"] and at - one["near_since"] >= one["dwell"]:
            one["is_found"] = True
            found.append(_finding(one, at, is_end=False))
    return found


def _finding(one: Any, at: int, *, is_end: bool) -> ContactFinding:
    first, second = one["subject_no"].tolist()
    return ContactFinding(
        condition_no=int(one["condition_no"]), subject_nos=(first, second), since=int(one["near_since"]), at=at,
        is_end=is_end, probability=float(one["peak"]),
    )  # fmt: skip
