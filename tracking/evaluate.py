"""Hop 4: (states, fixes, rules, zones) → states, episodes, violations. Pure and columnar."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from geo.probability import MINIMUM_ACCURACY_M, SIGMA_PER_ACCURACY
from tracking.crossed import crossed_zones
from tracking.episode import Ending, Episode, Tier, Violation, derived_id, joined_id, split_id
from tracking.fix import FixBatch
from tracking.observation import observe
from tracking.policy import ENGINE_VERSION, PresencePolicy
from tracking.position import POSITION_FIELDS, Positions, filter_positions
from tracking.presence import (
    ENDED_BY_EXIT,
    ENDED_BY_RULE,
    ENDED_BY_SILENCE,
    OF_ONE_RUN,
    PROBABLE,
    CrossedZones,
    WeighedFixes,
    run_filter,
)
from tracking.quality import DOES_NOT_DECIDE
from tracking.quality_sequence import QUALITY_STATE, flag_sequence
from tracking.rules import RuleBook, ZoneBook
from tracking.states import QUALITY_FIELDS, PresenceStates

_POISON = "longitude, latitude or accuracy_m is not a number in range"
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
    """What a batch changed.

    ``presence_rows``: ``PRESENCE`` ``[k]``, every episode it opened, carried on or ended; ``episodes`` shows them as
    objects. ``violations``: decided, or become live, in this batch. ``check_ins``: presences that no fix of this
    accuracy can decide, found so in this batch: the subject should be asked.
    """

    states: PresenceStates
    presence_rows: NDArray[Any]
    violations: tuple[Violation, ...]
    late_rows: NDArray[np.intp]
    """Rows not evaluated because their subject has a newer fix already: evaluate that subject again from its log."""
    set_aside: tuple[SetAside, ...]
    flagged_rows: NDArray[np.intp]
    """Rows that the sequence of fixes speaks against; ``flags`` says why."""
    flags: NDArray[np.int32]
    """Bits of ``tracking.quality.FixFlag``, one for each of ``flagged_rows``; those of intake are not repeated."""

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """``presence_rows`` as episodes, made anew at each call."""
        return episodes_of(self.presence_rows)

    @property
    def check_ins(self) -> tuple[Episode, ...]:
        """The episodes of this batch for which a check-in should be asked now."""
        return episodes_of(self.presence_rows[self.presence_rows["undecidable_now"] == 1])


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
    poison = _find_poison(fixes)
    rows = np.flatnonzero(~poison)
    rows = rows[np.lexsort((fixes.fix_key[rows], fixes.fixed_at[rows], fixes.subject_no[rows]))]
    late = fixes.fixed_at[rows] <= states.last_for(fixes.subject_no[rows])
    taken = _without_repeats(fixes, rows[~late])
    batch = fixes.take(taken)
    before = states.rows_for(batch.subject_no[_first_rows(batch.subject_no)])
    subjects, flags = _flagged(before, batch, policy)
    decides = (batch.flags | flags) & DOES_NOT_DECIDE == 0
    subjects, presences = _presences(states, subjects, batch.take(decides), rules, zones, policy)
    flagged = np.flatnonzero(flags)
    return Evaluation(
        states=_advance_states(states, subjects, presences),
        presence_rows=presences,
        violations=_violations(presences, rules, policy),
        late_rows=rows[late],
        set_aside=tuple(SetAside(row=int(row), reason=_POISON) for row in np.flatnonzero(poison)),
        flagged_rows=taken[flagged],
        flags=flags[flagged],
    )


def _first_rows(subject_no: NDArray[np.int64]) -> NDArray[np.intp]:
    """The first row of each subject of sorted numbers."""
    return np.flatnonzero(np.append(True, subject_no[1:] != subject_no[:-1])[: len(subject_no)])


def _flagged(before: NDArray[Any], batch: FixBatch, policy: PresencePolicy) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """``SUBJECT_STATE`` with what the sequence of fixes remembers and the time of the last of them; and the flags."""
    subjects = before.copy()
    memory = np.zeros(len(subjects), dtype=QUALITY_STATE)
    memory["subject_no"] = subjects["subject_no"]
    for name in QUALITY_FIELDS:
        memory[name] = subjects[f"quality_{name}"]
    flags, memory = flag_sequence(batch, memory, policy.quality)
    for name in QUALITY_FIELDS:
        subjects[f"quality_{name}"] = memory[name]
    last = np.append(_first_rows(batch.subject_no)[1:], len(batch)) - 1
    subjects["last_fixed_at"] = batch.fixed_at[last[: len(subjects)]]
    return subjects, flags


def _find_poison(fixes: FixBatch) -> NDArray[np.bool_]:
    """Rows that no rule can weigh. The edge refuses such input; a row that got past it must not stop the rest."""
    finite = np.isfinite(fixes.longitude) & np.isfinite(fixes.latitude) & np.isfinite(fixes.accuracy_m)
    with np.errstate(invalid="ignore"):
        placed = (np.abs(fixes.longitude) <= 180.0) & (np.abs(fixes.latitude) <= 90.0) & (fixes.accuracy_m > 0.0)
    return ~(finite & placed)


def _without_repeats(fixes: FixBatch, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    if len(rows) == 0:
        return rows
    same = np.zeros(len(rows), dtype=bool)
    columns = (fixes.subject_no, fixes.fixed_at, fixes.fix_key)
    same[1:] = np.logical_and.reduce([column[rows][1:] == column[rows][:-1] for column in columns])
    return rows[~same]


def _presences(
    states: PresenceStates,
    before: NDArray[Any],
    batch: FixBatch,
    rules: RuleBook,
    zones: ZoneBook,
    policy: PresencePolicy,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """``SUBJECT_STATE`` after the fixes that decide, and all presences of the subjects of ``before``.

    Only fixes that decide are a sign of where somebody is: a mocked one does not put off silence.
    """
    subjects = before.copy()
    subject_row = np.searchsorted(subjects["subject_no"], batch.subject_no)
    sigma_m = np.maximum(batch.accuracy_m, MINIMUM_ACCURACY_M) * SIGMA_PER_ACCURACY
    believed = replace(batch, accuracy_m=sigma_m / SIGMA_PER_ACCURACY)
    positions = _advance_positions(subjects, subject_row, batch, sigma_m, policy)
    starts = _first_rows(batch.subject_no)
    subjects["last_weighed_at"][subject_row[starts]] = batch.fixed_at[
        np.append(starts[1:], len(batch))[: len(starts)] - 1
    ]
    filtered = replace(
        batch,
        longitude=positions.longitude,
        latitude=positions.latitude,
        accuracy_m=positions.sigma_m / SIGMA_PER_ACCURACY,
    )
    in_batch = states.open_rows[np.isin(states.open_rows["subject_no"], subjects["subject_no"])]
    in_force = np.isin(in_batch["condition_no"], rules.condition_no) & np.isin(in_batch["zone_no"], zones.zone_no)
    rows = run_filter(
        fixes=WeighedFixes(
            subject_no=batch.subject_no,
            fixed_at=batch.fixed_at,
            received_at=batch.received_at,
            last=before["last_weighed_at"][subject_row],
            sigma_m=sigma_m,
            weight=positions.weight,
            is_supported=positions.is_supported,
        ),
        seen=observe(filtered, rules, zones, policy),
        crossed=_crossed(before[subject_row[starts]], starts, believed, positions, rules, zones, policy),
        open_rows=in_batch[in_force],
        policy=policy,
    )
    _name_episodes(rows, rules, zones)
    return subjects, np.concatenate([rows, _ended_by_rule(in_batch[~in_force])])


def _advance_positions(
    subjects: NDArray[Any],
    subject_row: NDArray[np.intp],
    batch: FixBatch,
    sigma_m: NDArray[np.float64],
    policy: PresencePolicy,
) -> Positions:
    """Filtered positions of the batch; the filter's state in ``subjects`` is advanced in place."""
    state = np.stack([subjects[name] for name in POSITION_FIELDS], axis=1)
    positions = filter_positions(
        state_row=subject_row,
        fix_time=batch.fixed_at,
        fix_longitude=batch.longitude,
        fix_latitude=batch.latitude,
        fix_sigma_m=sigma_m,
        last_time=subjects["last_weighed_at"].copy(),
        states=state,
        silence_s=policy.silence_s,
        policy=policy.motion,
    )
    for column, name in enumerate(POSITION_FIELDS):
        subjects[name] = state[:, column]
    return positions


def _crossed(
    before: NDArray[Any],
    starts: NDArray[np.intp],
    batch: FixBatch,
    positions: Positions,
    rules: RuleBook,
    zones: ZoneBook,
    policy: PresencePolicy,
) -> CrossedZones:
    """Zones on the way to each fix from the one before it, which may be of an earlier batch."""
    previous = batch.take(np.maximum(np.arange(len(batch)) - 1, 0))
    trust = np.where(positions.is_supported, positions.weight, 0.0)
    trust_before = np.append(0.0, trust[:-1])[: len(batch)]
    first = {
        "fixed_at": before["last_weighed_at"],
        "longitude": before["longitude"],
        "latitude": before["latitude"],
        "accuracy_m": before["sigma_m"] / SIGMA_PER_ACCURACY,
    }
    for name, values in first.items():
        getattr(previous, name)[starts] = values
    trust_before[starts] = np.where(before["last_weighed_at"] > 0, before["trust"], 0.0)
    sure = np.flatnonzero((trust >= policy.crossing_probability) & (trust_before >= policy.crossing_probability))
    return crossed_zones(
        starts=previous.take(sure), ends=batch.take(sure), end_row=sure, rules=rules, zones=zones, policy=policy
    )


def _ended_by_rule(rows: NDArray[Any]) -> NDArray[Any]:
    """Presences whose condition or zone is gone end where they were last seen: that is no exit."""
    ended = rows.copy()
    ended["ended_at"] = ended["last_inside_at"]
    ended["ended_by"] = ENDED_BY_RULE
    for name in OF_ONE_RUN:
        ended[name] = 0
    return ended


def _name_episodes(rows: NDArray[Any], rules: RuleBook, zones: ZoneBook) -> None:
    """Give new episodes their ids. They are kept in the rows: a later version of zone or order is not another stay."""
    new = np.flatnonzero((rows["episode_high"] == 0) & (rows["episode_low"] == 0))
    if len(new) == 0:
        return
    condition_ids = [rules.conditions[row].condition_id for row in rules.rows_of(rows["condition_no"][new])]
    zone_ids = [zones.zones[row].zone_id for row in np.searchsorted(zones.zone_no, rows["zone_no"][new])]
    keys = zip(rows["started_at"][new].tolist(), rows["subject_no"][new].tolist(), condition_ids, zone_ids, strict=True)
    halves = [
        split_id(derived_id("episode", started_at, subject_no, str(condition_id), str(zone_id)))
        for started_at, subject_no, condition_id, zone_id in keys
    ]
    rows["episode_high"][new] = [high for high, _ in halves]
    rows["episode_low"][new] = [low for _, low in halves]


def _advance_states(states: PresenceStates, subjects: NDArray[Any], presences: NDArray[Any]) -> PresenceStates:
    if len(subjects) == 0:
        return states
    return states.replaced(subject_rows=subjects, open_rows=presences[presences["ended_at"] == 0])


def to_instant(microseconds: int) -> datetime:
    """Microseconds since the Unix epoch as an aware UTC instant."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


def _episode_id(row: Any) -> UUID:
    return joined_id(int(row["episode_high"]), int(row["episode_low"]))


def episodes_of(presence_rows: NDArray[Any]) -> tuple[Episode, ...]:
    """Rows of ``PRESENCE`` as episodes."""
    return tuple(_episode(row) for row in presence_rows)


def _episode(row: Any) -> Episode:
    ended = to_instant(row["ended_at"]) if row["ended_at"] else None
    return Episode(
        episode_id=_episode_id(row),
        subject_no=int(row["subject_no"]),
        condition_no=int(row["condition_no"]),
        zone_no=int(row["zone_no"]),
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
        is_crossing=bool(row["is_crossing"]),
        is_undecidable=bool(row["undecidable"]),
        undecidable_at=to_instant(row["undecidable_at"]) if row["undecidable_at"] else None,
    )


def _violations(rows: NDArray[Any], rules: RuleBook, policy: PresencePolicy) -> tuple[Violation, ...]:
    told = rows[(rows["decided_now"] == 1) | (rows["live_now"] == 1)]
    if len(told) == 0:
        return ()
    rule_rows = rules.rows_of(told["condition_no"]).tolist()
    return tuple(_violation(row, rule, rules, policy) for row, rule in zip(told, rule_rows, strict=True))


def _violation(row: Any, rule: int, rules: RuleBook, policy: PresencePolicy) -> Violation:
    episode_id = _episode_id(row)
    return Violation(
        violation_id=derived_id("violation", int(row["started_at"]), str(episode_id)),
        episode_id=episode_id,
        subject_no=int(row["subject_no"]),
        order_no=rules.orders[rule].order_no,
        condition_no=int(row["condition_no"]),
        zone_no=int(row["zone_no"]),
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
