"""Evaluation that a single bad fix cannot stop, and that fixes arriving late correct."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from api.books import Books
from api.fix_flags import forget_fix_flags
from api.fix_log import history
from geo.postgis import insert_columns
from tracking.episode import Violation
from tracking.evaluate import Evaluation, episodes_of, evaluate, to_instant
from tracking.fix import FixBatch
from tracking.policy import PresencePolicy
from tracking.presence import PRESENCE
from tracking.rules import to_microseconds
from tracking.states import PresenceStates
from tracking.store import supersede_episodes

LATE_LIMIT = timedelta(days=7)
"""How far back a silence is looked for first; a longer stay without one is read from its beginning."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


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


def reevaluate_late(
    connection: Connection, findings: Findings, books: Books, policy: PresencePolicy, *, at: datetime
) -> Findings:
    """Evaluate again, from their log, the subjects of whom older fixes arrived after newer ones.

    A silence ends all presence, so the stretch between two silences that holds the late fix can be evaluated anew and
    alone, and gives what in-order arrival would have given. Episodes no longer found are superseded, not deleted.
    """
    for subject_no in np.unique(findings.late.subject_no).tolist():
        times = findings.late.fixed_at[findings.late.subject_no == subject_no]
        oldest = to_instant(int(times.min()))
        stretch = _stretch(connection, subject_no, oldest, policy)
        start = int(stretch.fixed_at[0])
        forgotten = findings.states.without(np.array([subject_no]))
        again = evaluate_surely(forgotten, stretch, books, policy)
        since = to_instant(start)
        supersede_episodes(
            connection,
            subject_no=subject_no,
            since=since,
            kept=[item.episode_id for item in episodes_of(again.presence_rows)],
            at=at,
        )

        forget_fix_flags(connection, subject_no=subject_no, since=since)
        rows = findings.presence_rows
        superseded = (rows["subject_no"] == subject_no) & (rows["started_at"] >= start)

        def is_kept(item: Violation, number: int = subject_no, since: datetime = since) -> bool:
            return item.subject_no != number or item.started_at < since

        findings = _joined(
            Findings(
                states=again.states,
                presence_rows=rows[~superseded],
                violations=tuple(item for item in findings.violations if is_kept(item)),
                set_aside=findings.set_aside,
                late=findings.late,
                flagged=findings.flagged.take(
                    (findings.flagged.subject_no != subject_no) | (findings.flagged.fixed_at < start)
                ),
            ),
            again,
        )
    return findings


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


def _stretch(connection: Connection, subject_no: int, late_at: datetime, policy: PresencePolicy) -> FixBatch:
    """The subject's fixes from the end of the last silence before ``late_at`` on."""
    for since in (late_at - LATE_LIMIT, _BEGINNING):
        log = history(connection, subject_no, since=since)
        until = log.fixed_at[: int(np.searchsorted(log.fixed_at, to_microseconds(late_at), side="right"))]
        breaks = np.flatnonzero(np.diff(until) > int(policy.silence_s * 1e6))
        if len(breaks):
            return log.take(np.arange(int(breaks[-1]) + 1, len(log)))
    return log


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
        presence_rows=_newest(np.concatenate([first.presence_rows, second.presence_rows])),
        violations=tuple(violations.values()),
        set_aside=first.set_aside + second.set_aside,
        late=concatenated(first.late, second.late),
        flagged=concatenated(first.flagged, second.flagged),
    )


def _newest(rows: NDArray[Any]) -> NDArray[Any]:
    """Of every episode the last row."""
    order = np.lexsort((np.arange(len(rows)), rows["episode_low"], rows["episode_high"]))
    high, low = rows["episode_high"][order], rows["episode_low"][order]
    is_last = np.append((high[1:] != high[:-1]) | (low[1:] != low[:-1]), True)[: len(rows)]
    newest: NDArray[Any] = rows[np.sort(order[is_last])]
    return newest


def concatenated(first: FixBatch, second: FixBatch) -> FixBatch:
    """Both, one behind the other."""
    return FixBatch(
        **{
            name: np.concatenate([getattr(first, name), getattr(second, name)])
            for name in FixBatch.__dataclass_fields__
        }
    )
