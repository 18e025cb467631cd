"""Hop 4: (states, fixes, rules, zones) → states, episodes, violations. Pure and columnar."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geo.probability import MINIMUM_ACCURACY_M, SIGMA_PER_ACCURACY
from tracking.crossed import crossed_zones
from tracking.episode import Episode, Violation
from tracking.fix import FixBatch
from tracking.observation import observe
from tracking.policy import PresencePolicy
from tracking.position import POSITION_FIELDS, Positions, filter_positions
from tracking.presence import CrossedZones, WeighedFixes
from tracking.presence_rows import episodes_of, name_episodes, violations_of
from tracking.quality import DOES_NOT_DECIDE
from tracking.quality_sequence import QUALITY_STATE, flag_sequence
from tracking.rule_ends import ended_at, filter_with_rules, known_at, rule_ends, unwatched_entries
from tracking.rules import RuleBook, ZoneBook
from tracking.states import QUALITY_FIELDS, PresenceStates
from tracking.versions import NEVER

_POISON = "longitude, latitude or accuracy_m is not a number in range"


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
        violations=violations_of(presences, rules, zones, policy),
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
    filtered = _as_fixes(batch, positions)
    last = np.append(0, batch.fixed_at[:-1])[: len(batch)]
    last[starts] = before["last_weighed_at"][subject_row[starts]]
    seen = observe(filtered, rules, zones, policy)
    fixes = WeighedFixes(
        subject_no=batch.subject_no,
        fixed_at=batch.fixed_at,
        received_at=known_at(batch, seen, rules, zones),
        last=last,
        sigma_m=sigma_m,
        weight=positions.weight,
        is_supported=positions.is_supported,
    )
    rows = filter_with_rules(
        fixes=fixes,
        seen=seen,
        crossed=_crossed(before[subject_row[starts]], starts, believed, positions, rules, zones, policy),
        open_rows=states.open_rows[np.isin(states.open_rows["subject_no"], subjects["subject_no"])],
        rules=rules,
        zones=zones,
        policy=policy,
    )
    new = np.flatnonzero((rows["episode_high"] == 0) & (rows["episode_low"] == 0))
    rows["is_entry"][new[unwatched_entries(rows[new], fixes, rules, zones)]] = 0
    name_episodes(rows, new, rules, zones)
    return subjects, rows


def _as_fixes(batch: FixBatch, positions: Positions) -> FixBatch:
    return replace(
        batch,
        longitude=positions.longitude,
        latitude=positions.latitude,
        accuracy_m=positions.sigma_m / SIGMA_PER_ACCURACY,
    )


def filtered_fixes(fixes: FixBatch, policy: PresencePolicy) -> tuple[FixBatch, NDArray[np.intp]]:
    """Where the engine took the subjects to be: filtered positions, ``accuracy_m`` their 68 % radius, and their rows.

    ``fixes`` are sorted by (subject, time), without repeats, each subject's from after a silence on. Fixes that do not
    decide have no position.
    """
    before = PresenceStates.empty().rows_for(np.unique(fixes.subject_no))
    subjects, flags = _flagged(before, fixes, policy)
    rows = np.flatnonzero((fixes.flags | flags) & DOES_NOT_DECIDE == 0)
    batch = fixes.take(rows)
    sigma_m = np.maximum(batch.accuracy_m, MINIMUM_ACCURACY_M) * SIGMA_PER_ACCURACY
    subject_row = np.searchsorted(subjects["subject_no"], batch.subject_no)
    return _as_fixes(batch, _advance_positions(subjects, subject_row, batch, sigma_m, policy)), rows


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
        "subject_no": before["subject_no"],
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


def end_lapsed(
    *,
    states: PresenceStates,
    rules: RuleBook,
    zones: ZoneBook,
    policy: PresencePolicy,
    now: int,
    after: int,
    subjects: NDArray[np.int64],
) -> NDArray[Any]:
    """``PRESENCE`` ``[k]``: open presences whose rule has ended by ``now`` (microseconds UTC), as they ended.

    Only those that ended later than ``after``, and those of ``subjects``. No fix may ever come to show it: after an
    order's end they are refused. The states stay as they are, so that a fix from before the end, should one still
    arrive, carries on the same presence.
    """
    last_ends = np.minimum(
        rules.spans.last_ends(states.open_rows["condition_no"]), zones.spans.last_ends(states.open_rows["zone_no"])
    )
    rows = states.open_rows[(last_ends > after) | np.isin(states.open_rows["subject_no"], subjects)]
    ends = rule_ends(rows, until=np.full(len(rows), now), rules=rules, zones=zones)
    has_ended = ends != NEVER
    has_ended &= (ends > after) | np.isin(rows["subject_no"], subjects)
    seen_at = states.rows_for(rows["subject_no"])["last_weighed_at"]
    silence = int(policy.silence_s * 1e6)
    return ended_at(rows[has_ended], ends[has_ended], seen_at=seen_at[has_ended], silence=silence)


def _advance_states(states: PresenceStates, subjects: NDArray[Any], presences: NDArray[Any]) -> PresenceStates:
    if len(subjects) == 0:
        return states
    return states.replaced(subject_rows=subjects, open_rows=presences[presences["ended_at"] == 0])
