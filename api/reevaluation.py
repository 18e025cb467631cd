"""Evaluation that a single bad fix cannot stop, and that late fixes and edited rules correct."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from api.books import Books
from api.findings import supersede_episodes
from api.fix_flags import forget_fix_flags
from api.histories import LOOK_BACK, concatenated, read_histories, stretch_starts
from api.retention import Remains
from geo.postgis import insert_columns
from tracking.episode import Violation
from tracking.evaluate import Evaluation, evaluate
from tracking.fix import FixBatch
from tracking.policy import PresencePolicy
from tracking.presence import PRESENCE
from tracking.presence_rows import newest_of_each, to_instant
from tracking.rules import to_microseconds
from tracking.states import PresenceStates
from tracking.versions import NEVER

MOST_TOGETHER = 2_000
"""Subjects read and evaluated again at once: more would need much memory and be no quicker."""

_BACK = LOOK_BACK[-1] // timedelta(microseconds=1)


class EvaluationFailedError(RuntimeError):
    """Everything failed: nothing is set aside, and the log is read again when the program is mended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonFix:
    """A fix that evaluation cannot take, by its identity in the log."""

    subject_no: int
    fixed_at: datetime
    fix_key: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a batch gave, with what could not be evaluated yet."""

    states: PresenceStates
    presence_rows: NDArray[Any]
    """``PRESENCE`` ``[k]``: the newest state of every episode touched."""
    violations: tuple[Violation, ...]
    set_aside: tuple[PoisonFix, ...]
    late: FixBatch
    flagged: FixBatch
    """Fixes that the sequence speaks against, with what it says as their ``flags``."""


def evaluate_surely(states: PresenceStates, fixes: FixBatch, books: Books, policy: PresencePolicy) -> Findings:
    """Evaluate a batch. If that fails, evaluate subject by subject and at last fix by fix, setting aside what fails.

    Errors never turn into events (design.md, invariant 3): a fix that fails changes no state.
    """
    try:
        return _findings(
            fixes, evaluate(states=states, fixes=fixes, rules=books.rules, zones=books.zones, policy=policy)
        )
    except MemoryError:
        raise
    except Exception as error:  # whatever it is, it must not stop the other subjects
        subjects = np.unique(fixes.subject_no)
        if len(subjects) > 1:
            parts = [np.flatnonzero(fixes.subject_no == subject) for subject in subjects]
        elif len(fixes) > 1:
            parts = [np.array([row]) for row in np.lexsort((fixes.fix_key, fixes.fixed_at))]
        else:
            return _set_aside_whole(states, fixes, f"evaluation failed: {type(error).__name__}")
    findings = _nothing(states, fixes)
    for rows in parts:
        findings = _joined(findings, evaluate_surely(findings.states, fixes.take(rows), books, policy))
    if len(subjects) > 1 and len(findings.set_aside) == len(fixes):
        raise EvaluationFailedError("no fix of any subject could be evaluated: the program is at fault, not the fixes")
    return findings


def reevaluate(
    connection: Connection,
    findings: Findings,
    since: Mapping[int, int],
    drained: FixBatch,
    books: Books,
    policy: PresencePolicy,
    *,
    at: datetime,
    remains: Remains,
) -> Findings:
    """Evaluate again, from their log, the subjects whose older fixes arrived late and those whose rules were edited.

    ``since``: where an edit reaches back to, microseconds by subject. ``drained``: the batch that gave ``findings``,
    not behind the cursor yet. A silence ends all presence, so the stretch between two silences that holds the instant
    can be evaluated anew and alone, and gives what in-order arrival under the rules as they are now would have given.
    Many subjects are read and evaluated together. Episodes no longer found are superseded, not deleted. What was found
    before the log is whole stays as it is; what is left of that time only tells where the subjects were when it ended.
    """
    oldest = _oldest(findings.late, drained, since)
    subjects = sorted(oldest)
    for group in (subjects[first : first + MOST_TOGETHER] for first in range(0, len(subjects), MOST_TOGETHER)):
        found = stretch_starts(connection, {number: oldest[number] for number in group}, silence_s=policy.silence_s)
        fixes = drained.take(np.isin(drained.subject_no, np.array(group, dtype=np.int64)))
        read = {number: _read_from(start, oldest[number], remains) for number, start in found.items()}
        log = concatenated(read_histories(connection, read), fixes)
        again = evaluate_surely(findings.states.without(np.array(group, dtype=np.int64)), log, books, policy)
        starts = {number: max(start, remains.whole_from) for number, start in read.items()}
        again = _since(again, starts)
        starts_at = {number: to_instant(start) for number, start in starts.items()}
        supersede_episodes(connection, starts_at, kept=again.presence_rows, at=at)
        forget_fix_flags(connection, starts_at)
        findings = _joined(_until(findings, starts), again)
    return findings


def _read_from(start: int, oldest: int, remains: Remains) -> int:
    """Where a stretch is read from: where the log is thin, no farther back than a silence is looked for."""
    needed = min(oldest, remains.whole_from) - _BACK
    return max(start, remains.begins_at, needed)


def _since(findings: Findings, starts: Mapping[int, int]) -> Findings:
    """What was found from some instants on, microseconds by subject, of whom all are named."""
    rows, flagged = findings.presence_rows, findings.flagged
    return replace(
        findings,
        presence_rows=rows[rows["started_at"] >= _starts_for(rows["subject_no"], starts)],
        violations=tuple(
            item for item in findings.violations if to_microseconds(item.started_at) >= starts[item.subject_no]
        ),
        flagged=flagged.take(np.flatnonzero(flagged.fixed_at >= _starts_for(flagged.subject_no, starts))),
    )


def _until(findings: Findings, starts: Mapping[int, int]) -> Findings:
    """What was found before some instants, microseconds by subject; all that was found of the others."""
    rows, flagged, violations = findings.presence_rows, findings.flagged, findings.violations
    return replace(
        findings,
        presence_rows=rows[rows["started_at"] < _starts_for(rows["subject_no"], starts)],
        violations=tuple(
            item for item in violations if to_microseconds(item.started_at) < starts.get(item.subject_no, NEVER)
        ),
        flagged=flagged.take(np.flatnonzero(flagged.fixed_at < _starts_for(flagged.subject_no, starts))),
    )


def _starts_for(subject_no: NDArray[np.int64], starts: Mapping[int, int]) -> NDArray[np.int64]:
    """The start of each of these subjects, ``NEVER`` where it has none."""
    return np.array([starts.get(number, NEVER) for number in subject_no.tolist()], dtype=np.int64)


def _oldest(late: FixBatch, drained: FixBatch, since: Mapping[int, int]) -> dict[int, int]:
    """Where each subject is to be judged again from: its oldest late fix, or the edit, or what came in just now."""
    oldest = dict(since)
    edited = drained.take(np.isin(drained.subject_no, np.array(list(since), dtype=np.int64)))
    for batch in (late, edited):
        order = np.lexsort((batch.fixed_at, batch.subject_no))
        subjects, first = np.unique(batch.subject_no[order], return_index=True)
        for number, time in zip(subjects.tolist(), batch.fixed_at[order][first].tolist(), strict=True):
            oldest[number] = min(oldest.get(number, time), time)
    return oldest


def save_set_aside(connection: Connection, poison: tuple[PoisonFix, ...], *, at: datetime) -> None:
    """Record what was set aside and why. The fixes stay in the log."""
    insert_columns(
        connection,
        "fix_set_aside",
        {
            "subject_no": ("bigint", [item.subject_no for item in poison]),
            "fixed_at": ("timestamptz", [item.fixed_at for item in poison]),
            "fix_key": ("bigint", [item.fix_key for item in poison]),
            "reason": ("text", [item.reason for item in poison]),
            "set_aside_at": ("timestamptz", [at] * len(poison)),
        },
        on_conflict="ON CONFLICT DO NOTHING",
    )


def _findings(fixes: FixBatch, evaluation: Evaluation) -> Findings:
    return Findings(
        states=evaluation.states,
        presence_rows=evaluation.presence_rows,
        violations=evaluation.violations,
        set_aside=tuple(set_aside(fixes, item.row, item.reason) for item in evaluation.set_aside),
        late=fixes.take(evaluation.late_rows),
        flagged=replace(fixes.take(evaluation.flagged_rows), flags=evaluation.flags),
    )


def set_aside(fixes: FixBatch, row: int, reason: str) -> PoisonFix:
    """The fix of a row, not to be evaluated."""
    return PoisonFix(
        subject_no=int(fixes.subject_no[row]),
        fixed_at=to_instant(int(fixes.fixed_at[row])),
        fix_key=int(fixes.fix_key[row]),
        reason=reason,
    )


def _nothing(states: PresenceStates, fixes: FixBatch) -> Findings:
    return Findings(
        states=states,
        presence_rows=np.zeros(0, dtype=PRESENCE),
        violations=(),
        set_aside=(),
        late=fixes.take(np.zeros(0, dtype=np.intp)),
        flagged=fixes.take(np.zeros(0, dtype=np.intp)),
    )


def _set_aside_whole(states: PresenceStates, fixes: FixBatch, reason: str) -> Findings:
    nothing = _nothing(states, fixes)
    return Findings(
        states=states,
        presence_rows=nothing.presence_rows,
        violations=(),
        set_aside=tuple(set_aside(fixes, row, reason) for row in range(len(fixes))),
        late=nothing.late,
        flagged=nothing.flagged,
    )


def _joined(first: Findings, second: Findings) -> Findings:
    violations = {item.violation_id: item for item in (*first.violations, *second.violations)}
    return Findings(
        states=second.states,
        presence_rows=newest_of_each(np.concatenate([first.presence_rows, second.presence_rows])),
        violations=tuple(violations.values()),
        set_aside=tuple(dict.fromkeys(first.set_aside + second.set_aside)),
        late=concatenated(first.late, second.late),
        flagged=concatenated(first.flagged, second.flagged),
    )
