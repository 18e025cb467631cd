"""Where somebody may be whom nothing was heard of for a while: at the place, surely not there, or nobody can say. Pure.

From the state of the position filter at the last fix that decides (``tracking.position``), its age and
``tracking.policy.MotionPolicy``. Two things may have happened since: who stayed is where the place was, blurred by its
variance and the drift of a stay; who left, or was on the way at the last fix, may be anywhere within reach of three
standard deviations of the speed of those who move. If the place lies within that reach, the share of those is
*unknown*: they may have come home. Only beyond it are they outside. The shares add up to 1; with no state, or one that
is too old, everything is unknown, never "outside" (design.md, invariant 4).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.probability import MINIMUM_ACCURACY_M, SIGMA_PER_ACCURACY
from geo.projection import geodesic_m
from geo.shapes import shape_bounds
from tracking.fix import FixBatch
from tracking.observation import observe
from tracking.policy import PresencePolicy
from tracking.rules import RuleBook, ZoneBook

_REACH_SIGMA = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whereabouts:
    """``k`` answers in shares, float64 ``[k]`` each, that add up to 1. ``age_s``: of the last fix, infinite if none."""

    inside: NDArray[np.float64]
    outside: NDArray[np.float64]
    unknown: NDArray[np.float64]
    age_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stay:
    """``k`` subjects: the share who are where they stayed, 0 where not ``is_known``; its blur; the age of the last fix.

    ``share``, ``sigma_m`` (standard deviation per axis), ``age_s`` (infinite if there is none): float64 ``[k]``.
    """

    share: NDArray[np.float64]
    sigma_m: NDArray[np.float64]
    is_known: NDArray[np.bool_]
    age_s: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> "Stay":
        """The named rows, in that order."""
        return Stay(
            share=self.share[rows], sigma_m=self.sigma_m[rows], is_known=self.is_known[rows], age_s=self.age_s[rows]
        )


def whereabouts(
    subjects: NDArray[Any], *, rule_row: NDArray[np.int64], at: int, rules: RuleBook, zones: ZoneBook,
    policy: PresencePolicy,
) -> Whereabouts:  # fmt: skip
    """Whether each subject is at the place of an inclusion rule at an instant, microseconds UTC.

    ``subjects``: ``SUBJECT_STATE`` ``[k]`` as ``PresenceStates.rows_for`` gives it; ``rule_row`` ``[k]``: rows of
    ``rules``, of inclusion, that bind then. Raises ValueError for a rule that does not.
    """
    if np.any((rules.valid_from[rule_row] > at) | (rules.valid_to[rule_row] <= at)):
        raise ValueError(f"规则此时无效 / a rule does not bind at {at}")
    stay = stay_of(subjects, at=at, policy=policy)
    is_known, stayed = stay.is_known, stay.share
    at_place = 1.0 - _breach(subjects, stay, rule_row, at, rules, zones, policy)
    left = subjects["still_weight"] - stayed
    reach_m = _REACH_SIGMA * policy.motion.moving_mps * np.where(is_known, stay.age_s, 0.0)
    beyond = {
        mode: _least_distance_m(subjects, mode, rule_row, rules, zones)
        > reach_m + _REACH_SIGMA * np.sqrt(np.maximum(subjects[f"{mode}_variance_m2"], 0.0))
        for mode in ("still", "moving")
    }
    outside = stayed * (1.0 - at_place) + left * beyond["still"] + (1.0 - subjects["still_weight"]) * beyond["moving"]
    inside = np.where(is_known, stayed * at_place, 0.0)
    outside = np.where(is_known, outside, 0.0)
    return Whereabouts(
        inside=inside, outside=outside, unknown=np.maximum(1.0 - inside - outside, 0.0), age_s=stay.age_s
    )


def stay_of(subjects: NDArray[Any], *, at: int, policy: PresencePolicy) -> Stay:
    """Of ``SUBJECT_STATE`` ``[k]`` those who are where they stayed at their last fix, an instant later."""
    age_s = np.where(subjects["last_weighed_at"] > 0, (at - subjects["last_weighed_at"]) * 1e-6, np.inf)
    is_known = age_s <= policy.silence_s
    age_s = np.maximum(age_s, 0.0)
    seconds, motion = np.where(is_known, age_s, 0.0), policy.motion
    variance = subjects["still_variance_m2"] + subjects["still_bias_m"] ** 2 + motion.still_drift_m2ps * seconds
    return Stay(
        share=np.where(is_known, subjects["still_weight"] * np.exp(-seconds / motion.stay_s), 0.0),
        sigma_m=np.sqrt(np.maximum(variance, 0.0)),
        is_known=is_known,
        age_s=age_s,
    )


def fixes_of_stay(subjects: NDArray[Any], stay: Stay, at: NDArray[np.int64]) -> FixBatch:
    """The places where they stayed as fixes at instants ``[k]``, to be weighed as such. ``subjects`` as sorted."""
    return FixBatch(
        subject_no=subjects["subject_no"].copy(),
        fixed_at=at,
        received_at=at,
        longitude=subjects["still_longitude"].copy(),
        latitude=subjects["still_latitude"].copy(),
        accuracy_m=np.maximum(stay.sigma_m / SIGMA_PER_ACCURACY, MINIMUM_ACCURACY_M),
        fix_key=np.zeros(len(subjects), dtype=np.int64),
        flags=np.zeros(len(subjects), dtype=np.int32),
    )


def _breach(
    subjects: NDArray[Any], stay: Stay, rule_row: NDArray[np.int64], at: int, rules: RuleBook, zones: ZoneBook,
    policy: PresencePolicy,
) -> NDArray[np.float64]:  # fmt: skip
    """P(outside) ``[k]`` of those who stayed, weighed as a fix at that place would be; 1 where nothing is known."""
    breach = np.ones(len(subjects))
    rows = np.flatnonzero(stay.is_known)
    rows = rows[np.argsort(subjects["subject_no"][rows], kind="stable")]
    if len(rows) == 0:
        return breach
    instants = np.full(len(rows), at, dtype=np.int64)
    seen = observe(fixes_of_stay(subjects[rows], stay.take(rows), instants), rules, zones, policy)
    of_fix = np.repeat(np.arange(len(rows)), np.diff(seen.start))
    wanted = rule_row[rows][of_fix]
    is_asked = seen.condition_no == rules.condition_key[wanted]
    is_asked &= seen.zone_no == zones.zone_key[rules.zone_row[wanted]]
    breach[rows[of_fix[is_asked]]] = seen.probability[is_asked]
    return breach


def _least_distance_m(
    subjects: NDArray[Any], mode: str, rule_row: NDArray[np.int64], rules: RuleBook, zones: ZoneBook
) -> NDArray[np.float64]:
    """Metres ``[k]`` to the box around each rule's zone, less its tolerance: never more than to the zone itself."""
    zone_rows, place = np.unique(rules.zone_row[rule_row], return_inverse=True)
    bounds = np.array([shape_bounds(zones.zones[row].shape) for row in zone_rows.tolist()]).reshape(-1, 4)[place]
    longitude, latitude = subjects[f"{mode}_longitude"], subjects[f"{mode}_latitude"]
    nearest_longitude = np.clip(longitude, bounds[:, 0], bounds[:, 2])
    nearest_latitude = np.clip(latitude, bounds[:, 1], bounds[:, 3])
    distance_m = geodesic_m(longitude, latitude, nearest_longitude, nearest_latitude)
    return np.asarray(distance_m - rules.tolerance_m[rule_row], dtype=np.float64)
