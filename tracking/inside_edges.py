"""Who is inside a forbidden place when it begins to be forbidden, though no fix comes to show it. Pure.

A prohibition begins with its order, with the hours of a timetable, or since a zone is new or was drawn larger. Of each
subject of whom no fix has told since, the place of the last stay is weighed (``tracking.whereabouts``); those who left
it, or were on the way, are *unknown* and nobody is told of them. Inside is presence, never an "enter" (design.md,
invariant 4). What goes on from one version of a zone or an order to the next begins nothing. Times are int64
microseconds, UTC.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.clock_edges import SETTLE_US, ClockEdge, EdgeKind
from tracking.observation import Observations, observe
from tracking.policy import AREA, PresencePolicy
from tracking.rules import EXCLUSION, RuleBook, ZoneBook
from tracking.versions import ALWAYS
from tracking.whereabouts import Stay, fixes_of_stay, stay_of

INSIDE_FROM = 0.5
"""Who is inside with at least this share is inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsideEdge:
    """One subject inside one zone when it began to be forbidden. ``zone_key``: the number that its versions share."""

    edge: ClockEdge
    zone_key: int
    zone_no: int
    condition_key: int
    inside: float
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Begun:
    """When rules ``[r]`` and zones ``[m]`` begin to be asked about, and whether that is now."""

    rule_at: NDArray[np.int64]
    zone_at: NDArray[np.int64]
    is_rule: NDArray[np.bool_]
    is_zone: NDArray[np.bool_]


def inside_when_bound(
    subjects: NDArray[Any],
    rules: RuleBook,
    zones: ZoneBook,
    *,
    known_at: NDArray[np.int64],
    after: int,
    until: int,
    policy: PresencePolicy,
) -> tuple[InsideEdge, ...]:
    """Prohibitions that begin to be asked about in ``after`` < t ≤ ``until``, of those inside, by subject.

    ``subjects``: ``SUBJECT_STATE`` ``[k]``, ascending. ``known_at``: int64 ``[r]``, when the order of each rule was
    recorded.
    """
    begun = _begun(rules, zones, known_at=known_at, after=after, until=until)
    stay = stay_of(subjects, at=until, policy=policy)
    is_bound = np.isin(subjects["subject_no"], rules.subject_no[begun.is_rule])
    if np.any(begun.is_zone):
        is_bound |= np.isin(subjects["subject_no"], rules.subject_no[rules.breach == EXCLUSION])
    rows = np.flatnonzero(is_bound & (stay.share >= INSIDE_FROM))
    if len(rows) == 0:
        return ()
    subjects, stay = subjects[rows], stay.take(rows)
    place, condition, zone, inside = _inside(subjects, stay, np.full(len(rows), until), rules, zones, policy)
    rule_row, zone_row = (
        rules.spans.rows_at(condition, np.full(len(place), until)),
        zones.spans.rows_at(zone, np.full(len(place), until)),
    )
    due_at = np.maximum(rules.valid_from[rule_row], zones.spans.start[zone_row])
    is_new = begun.is_rule[rule_row] | begun.is_zone[zone_row]
    is_new &= (due_at > ALWAYS) & (subjects["last_weighed_at"][place] < due_at)
    kept = np.flatnonzero(is_new)
    kept = kept[~_went_on(subjects, stay, place[kept], due_at[kept], condition[kept], zone[kept], rules, zones, policy)]
    return tuple(
        InsideEdge(
            edge=ClockEdge(
                kind=EdgeKind.ZONE_START,
                subject_no=int(subjects["subject_no"][place[row]]),
                about=rules.conditions[rule_row[row]].condition_id,
                order_no=rules.orders[rule_row[row]].order_no,
                condition_no=int(rules.condition_no[rule_row[row]]),
                step=int(zone[row]),
                due_at=int(due_at[row]),
                at=int(max(begun.rule_at[rule_row[row]], begun.zone_at[zone_row[row]])),
            ),
            zone_key=int(zone[row]),
            zone_no=int(zones.zone_no[zone_row[row]]),
            condition_key=int(condition[row]),
            inside=float(inside[row]),
            age_s=float(stay.age_s[place[row]]),
        )
        for row in kept.tolist()
    )


def _begun(rules: RuleBook, zones: ZoneBook, *, known_at: NDArray[np.int64], after: int, until: int) -> _Begun:
    floor = after - SETTLE_US if after > ALWAYS + SETTLE_US else ALWAYS  # nothing overflows at either end of time
    rule_at = np.maximum(np.maximum(rules.valid_from, known_at), floor) + SETTLE_US
    zone_at = np.maximum(np.maximum(zones.spans.start, zones.spans.known_at), floor) + SETTLE_US
    is_rule = (rules.breach == EXCLUSION) & (rule_at > after) & (rule_at <= until) & (rules.valid_to > until)
    is_zone = (zones.category_bit != 0) & (zone_at > after) & (zone_at <= until) & (zones.spans.end > until)
    return _Begun(rule_at=rule_at, zone_at=zone_at, is_rule=is_rule, is_zone=is_zone)


def _inside(
    subjects: NDArray[Any], stay: Stay, at: NDArray[np.int64], rules: RuleBook, zones: ZoneBook, policy: PresencePolicy
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Row of the subject, keys of condition and forbidden zone, and share inside, of whoever is inside at ``at``."""
    seen: Observations = observe(fixes_of_stay(subjects, stay, at), rules, zones, policy)
    place = np.repeat(np.arange(len(subjects)), np.diff(seen.start))
    inside = stay.share[place] * seen.probability
    kept = np.flatnonzero((seen.kind != AREA) & (inside >= INSIDE_FROM))
    return place[kept], seen.condition_no[kept], seen.zone_no[kept], inside[kept]


def _went_on(
    subjects: NDArray[Any], stay: Stay, place: NDArray[np.int64], due_at: NDArray[np.int64],
    condition: NDArray[np.int64], zone: NDArray[np.int64], rules: RuleBook, zones: ZoneBook, policy: PresencePolicy,
) -> NDArray[np.bool_]:  # fmt: skip
    """Whether each was inside the same zone under the same condition the instant before it began."""
    before = due_at - 1
    asked = np.unique(np.stack([place, before], axis=1), axis=0)
    rows, instants = asked[:, 0], np.ascontiguousarray(asked[:, 1])
    found, was_condition, was_zone, _ = _inside(subjects[rows], stay.take(rows), instants, rules, zones, policy)
    was = set(zip(rows[found].tolist(), instants[found].tolist(), was_condition.tolist(), was_zone.tolist(),
                  strict=True))  # fmt: skip
    now = zip(place.tolist(), before.tolist(), condition.tolist(), zone.tolist(), strict=True)
    return np.array([one in was for one in now], dtype=bool)
