"""Hop 4: (states, fixes, rules, zones) → states, episodes, violations. Pure and columnar."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from geo.probability import MINIMUM_ACCURACY_M, SIGMA_PER_ACCURACY
from tracking.episode import Ending, Episode, Tier, Violation, derived_id, joined_id, split_id
from tracking.fix import FixBatch
from tracking.observation import observe
from tracking.policy import ENGINE_VERSION, PresencePolicy
from tracking.presence import (
    ENDED_BY_EXIT,
    ENDED_BY_RULE,
    ENDED_BY_SILENCE,
    PROBABLE,
    run_filter,
)
from tracking.rule_ends import cut_at_rule_ends, ended_at, known_at, mark_redrawn, rule_ends, was_watched
from tracking.rules import RuleBook, ZoneBook
from tracking.states import SUBJECT_STATE, PresenceStates
from tracking.versions import NEVER

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENDINGS = {ENDED_BY_EXIT: Ending.EXIT, ENDED_BY_SILENCE: Ending.SILENCE, ENDED_BY_RULE: Ending.RULE}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A fix that cannot be evaluated, with the reason; the rest go on."""

    row: int
    """Row in the batch as given."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a batch changed. ``episodes`` hold every episode it opened, carried on or ended."""

    states: PresenceStates
    episodes: tuple[Episode, ...]
    violations: tuple[Violation, ...]
    late_rows: NDArray[np.intp]
    """Rows not evaluated because their subject has a newer fix already: evaluate that subject again from its log."""
    set_aside: tuple[SetAside, ...]


def evaluate(
    *,
    states: PresenceStates,
    fixes: FixBatch,
    rules: RuleBook,
    zones: ZoneBook,
    policy: PresencePolicy,
) -> Evaluation:
    """Find what the fixes prove about every rule of their subjects.

    The answer does not depend on how fixes are cut into batches, as long as each subject's come in time order; older
    ones are named in ``late_rows``. Event time only: the wall clock has no part in it.
    """
    set_aside = tuple(_find_poison(fixes))
    rows = np.setdiff1d(np.arange(len(fixes)), np.array([item.row for item in set_aside], dtype=np.intp))
    rows = rows[np.lexsort((fixes.fix_key[rows], fixes.fixed_at[rows], fixes.subject_no[rows]))]
    late = fixes.fixed_at[rows] <= states.last_for(fixes.subject_no[rows])
    batch = fixes.take(_without_repeats(fixes, rows[~late]))
    episodes: dict[UUID, Episode] = {}
    violations: dict[UUID, Violation] = {}
    for part in cut_at_rule_ends(batch, states, rules, zones):
        fixes_of_part = batch.take(part)
        presences = _presences(states, fixes_of_part, rules, zones, policy)
        states = _advance_states(states, fixes_of_part, presences)
        for row in presences:
            episode = _episode(row, rules, zones)
            episodes[episode.episode_id] = episode
            if row["decided_now"] or row["live_now"]:
                violation = _violation(row, rules, zones, policy)
                violations[violation.violation_id] = violation
    return Evaluation(
        states=states,
        episodes=tuple(episodes.values()),
        violations=tuple(violations.values()),
        late_rows=rows[late],
        set_aside=set_aside,
    )


def end_lapsed(
    *,
    states: PresenceStates,
    rules: RuleBook,
    zones: ZoneBook,
    policy: PresencePolicy,
    now: int,
    after: int,
    subjects: NDArray[np.int64],
) -> tuple[Episode, ...]:
    """Episodes of open presences whose rule has ended by ``now`` (microseconds UTC), as they ended.

    Only those that ended later than ``after``, and those of ``subjects``. No fix may ever come to show it: after an
    order's end they are refused. The states stay as they are, so that a fix from before the end, should one still
    arrive, carries on the same presence.
    """
    rows = states.open_rows
    ends = rule_ends(rows, until=np.full(len(rows), now), rules=rules, zones=zones)
    has_ended = (ends != NEVER) & ((ends > after) | np.isin(rows["subject_no"], subjects))
    return tuple(_episode(row, rules, zones) for row in _ended(states, rows[has_ended], ends[has_ended], policy))


def _find_poison(fixes: FixBatch) -> list[SetAside]:
    """Rows that no rule can weigh. The edge refuses such input; a row that got past it must not stop the rest."""
    finite = np.isfinite(fixes.longitude) & np.isfinite(fixes.latitude) & np.isfinite(fixes.accuracy_m)
    with np.errstate(invalid="ignore"):
        placed = (np.abs(fixes.longitude) <= 180.0) & (np.abs(fixes.latitude) <= 90.0) & (fixes.accuracy_m > 0.0)
    return [
        SetAside(row=int(row), reason="longitude, latitude or accuracy_m is not a number in range")
        for row in np.flatnonzero(~(finite & placed))
    ]


def _without_repeats(fixes: FixBatch, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    if len(rows) == 0:
        return rows
    same = np.zeros(len(rows), dtype=bool)
    columns = (fixes.subject_no, fixes.fixed_at, fixes.fix_key)
    same[1:] = np.logical_and.reduce([column[rows][1:] == column[rows][:-1] for column in columns])
    return rows[~same]


def _presences(
    states: PresenceStates, batch: FixBatch, rules: RuleBook, zones: ZoneBook, policy: PresencePolicy
) -> NDArray[Any]:
    seen = observe(batch, rules, zones, policy)
    subjects, first = np.unique(batch.subject_no, return_index=True)
    in_batch = states.open_rows[np.isin(states.open_rows["subject_no"], subjects)]
    next_at = batch.fixed_at[first[np.searchsorted(subjects, in_batch["subject_no"])]]
    ends = rule_ends(in_batch, until=next_at, rules=rules, zones=zones)
    has_ended = ends != NEVER
    rows = run_filter(
        fix_subject=batch.subject_no,
        fix_time=batch.fixed_at,
        fix_received=known_at(batch, seen, rules, zones),
        fix_last=states.last_for(batch.subject_no),
        fix_sigma_m=np.maximum(batch.accuracy_m, MINIMUM_ACCURACY_M) * SIGMA_PER_ACCURACY,
        obs_start=seen.start,
        obs_condition=seen.condition_no,
        obs_zone=seen.zone_no,
        obs_probability=seen.probability,
        obs_radius_m=seen.radius_m,
        open_rows=in_batch[~has_ended],
        policy=policy,
    )
    mark_redrawn(rows, rules, zones)
    for row in np.flatnonzero((rows["episode_high"] == 0) & (rows["episode_low"] == 0)).tolist():
        previous_at = _previous_at(states, batch, int(rows["subject_no"][row]), int(rows["started_at"][row]))
        if not was_watched(rows[row], previous_at, rules, zones):
            rows["is_entry"][row] = 0
        _name_episode(rows, row, rules, zones)
    return np.concatenate([rows, _ended(states, in_batch[has_ended], ends[has_ended], policy)])


def _ended(states: PresenceStates, rows: NDArray[Any], ends: NDArray[np.int64], policy: PresencePolicy) -> NDArray[Any]:
    seen_at = states.last_for(rows["subject_no"])
    return ended_at(rows, ends, seen_at=seen_at, silence=int(policy.silence_s * 1e6))


def _previous_at(states: PresenceStates, batch: FixBatch, subject_no: int, started_at: int) -> int:
    """The time of the subject's fix before this instant, 0 if there was none."""
    first = int(np.searchsorted(batch.subject_no, subject_no))
    after = int(np.searchsorted(batch.subject_no, subject_no, "right"))
    row = first + int(np.searchsorted(batch.fixed_at[first:after], started_at))
    return int(batch.fixed_at[row - 1]) if row > first else int(states.last_for(np.array([subject_no]))[0])


def _name_episode(rows: NDArray[Any], row: int, rules: RuleBook, zones: ZoneBook) -> None:
    """Give a new episode its id. It is kept in the row: a later version of zone or order is not another stay."""
    started_at = int(rows["started_at"][row])
    zone = zones.zones[zones.row_at(int(rows["zone_no"][row]), started_at)]
    condition = rules.conditions[rules.row_at(int(rows["condition_no"][row]), started_at)]
    subject_no = int(rows["subject_no"][row])
    key = derived_id("episode", started_at, subject_no, str(condition.condition_id), str(zone.zone_id))
    rows["episode_high"][row], rows["episode_low"][row] = split_id(key)


def _advance_states(states: PresenceStates, batch: FixBatch, presences: NDArray[Any]) -> PresenceStates:
    if len(batch) == 0:
        return states
    is_last = np.append(batch.subject_no[1:] != batch.subject_no[:-1], True)
    subject_rows = np.zeros(int(is_last.sum()), dtype=SUBJECT_STATE)
    subject_rows["subject_no"], subject_rows["last_fixed_at"] = batch.subject_no[is_last], batch.fixed_at[is_last]
    return states.replaced(subject_rows=subject_rows, open_rows=presences[presences["ended_at"] == 0])


def to_instant(microseconds: int) -> datetime:
    """Microseconds since the Unix epoch as an aware UTC instant."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


def _episode_id(row: Any) -> UUID:
    return joined_id(int(row["episode_high"]), int(row["episode_low"]))


def _episode(row: Any, rules: RuleBook, zones: ZoneBook) -> Episode:
    """Zone and condition are named by the versions in force when it started."""
    ended = to_instant(row["ended_at"]) if row["ended_at"] else None
    return Episode(
        episode_id=_episode_id(row),
        subject_no=int(row["subject_no"]),
        condition_no=_condition_no(row, rules, int(row["started_at"])),
        zone_no=_zone_no(row, zones, int(row["started_at"])),
        tier=Tier.PROBABLE if row["tier"] == PROBABLE else Tier.POSSIBLE,
        started_at=to_instant(row["started_at"]),
        ended_at=ended,
        ended_by=None if ended is None else _ENDINGS[int(row["ended_by"])],
        last_inside_at=to_instant(row["last_inside_at"]),
        possible_at=to_instant(row["possible_at"]),
        decided_at=to_instant(row["decided_at"]) if row["decided_at"] else None,
        peak_probability=float(row["peak"]),
        fix_count=int(row["fix_count"]),
        is_entry=bool(row["is_entry"]),
        is_undecidable=bool(row["undecidable"]),
    )


def _condition_no(row: Any, rules: RuleBook, at: int) -> int:
    key = int(row["condition_no"])
    held = len(rules.spans.rows_of(key))
    return int(rules.condition_no[rules.row_at(key, at)]) if held else key


def _zone_no(row: Any, zones: ZoneBook, at: int) -> int:
    key = int(row["zone_no"])
    found = zones.row_at(key, at)
    return int(zones.zone_no[found]) if found >= 0 else key


def _violation(row: Any, rules: RuleBook, zones: ZoneBook, policy: PresencePolicy) -> Violation:
    """Zone, condition and order are named by the versions in force when it was decided."""
    decided_at = int(row["decided_at"])
    rule = rules.row_at(int(row["condition_no"]), decided_at)
    episode_id = _episode_id(row)
    return Violation(
        violation_id=derived_id("violation", int(row["started_at"]), str(episode_id)),
        episode_id=episode_id,
        subject_no=int(row["subject_no"]),
        order_no=rules.orders[rule].order_no,
        condition_no=int(rules.condition_no[rule]),
        zone_no=_zone_no(row, zones, decided_at),
        kind=rules.conditions[rule].kind,
        started_at=to_instant(row["started_at"]),
        decided_at=to_instant(row["decided_at"]),
        known_at=to_instant(row["known_at"]),
        live_at=to_instant(row["live_at"]) if row["live_at"] else None,
        live_known_at=to_instant(row["live_known_at"]) if row["live_at"] else None,
        probability=float(row["decided_mean"]),
        engine_version=ENGINE_VERSION,
        policy_version=policy.version,
    )
