"""Hop 3: drain the log in commit order, call hops 4 and 5, save everything with the cursor — one transaction."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import structlog
from sqlalchemy import Connection, Engine

from alerts.alert import Case
from alerts.decide import decide
from alerts.policy import AlertPolicy
from alerts.store import open_alerts_of, recipients_of, save_alerts, save_notifications
from api.books import Books, load_books
from api.fix_log import drain, save_cursor
from api.leases import LeaseLostError
from api.reevaluation import Findings, evaluate_surely, reevaluate, save_set_aside
from api.rule_edits import take_due_work
from tracking.evaluate import end_lapsed, to_instant
from tracking.policy import PresencePolicy
from tracking.rules import to_microseconds
from tracking.states import PresenceStates
from tracking.store import load_states, load_subjects, save_episodes, save_states, save_violations

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a worker keeps between batches of the shards it holds. Thrown away whenever a commit fails."""

    fences: dict[int, int]
    states: PresenceStates
    books: Books | None = None
    swept_to: int = 0
    """Until when open presences were ended with their rules, microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What one batch did."""

    memory: Memory
    fix_count: int
    episode_count: int
    violation_count: int
    notification_count: int
    set_aside_count: int
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The numbers that evaluation and alerting go by."""

    presence: PresencePolicy
    alerts: AlertPolicy


def load_memory(engine: Engine, fences: dict[int, int]) -> Memory:
    """The committed state of freshly leased shards."""
    with engine.connect() as connection:
        return Memory(fences=fences, states=load_states(connection, list(fences)))


def advance(
    connection: Connection,
    memory: Memory,
    *,
    policies: Policies,
    at: datetime,
    most_rows: int,
    lease_seconds: float,
    now_for: Callable[[datetime], datetime],
) -> Advanced:
    """Evaluate the next batch inside the caller's transaction, which the caller commits.

    ``at``: the wall clock, only stored as the time of writing. ``now_for``: the present, given when the batch became
    known; rules that ended by then end the presences under them. Raises :class:`LeaseLostError` if another worker took
    a shard over; the caller must then roll back and forget ``memory``.
    """
    books = load_books(connection, memory.books)
    drained = drain(connection, sorted(memory.fences), most_rows=most_rows)
    findings = evaluate_surely(memory.states, drained.fixes, books, policies.presence)
    due = take_due_work(connection, memory.fences, memory.states)
    findings = reevaluate(connection, findings, due.since, drained.fixes, books, policies.presence, at=at)
    touched = np.union1d(drained.fixes.subject_no, np.fromiter(due.since, dtype=np.int64, count=len(due.since)))
    present = now_for(to_instant(int(drained.fixes.received_at.max(initial=0))))
    swept_to = max(memory.swept_to, to_microseconds(present))
    lapsed = end_lapsed(
        states=findings.states,
        rules=books.rules,
        zones=books.zones,
        policy=policies.presence,
        after=memory.swept_to if books is memory.books else 0,
        now=swept_to,
        subjects=touched,
    )
    findings = replace(
        findings, episodes=tuple({item.episode_id: item for item in (*findings.episodes, *lapsed)}.values())
    )
    save_set_aside(connection, findings.set_aside, at=at)
    if findings.set_aside:
        log.warning("fixes_set_aside", count=len(findings.set_aside))
    save_episodes(connection, findings.episodes)
    notification_count, violation_count = _raise_alerts(connection, findings, policies.alerts)
    save_states(connection, findings.states, touched)
    if not save_cursor(connection, drained, memory.fences, lease_seconds=lease_seconds):
        raise LeaseLostError(f"shards {sorted(memory.fences)} were taken over by another worker")
    return Advanced(
        memory=Memory(fences=memory.fences, states=findings.states, books=books, swept_to=swept_to),
        fix_count=len(drained.fixes),
        episode_count=len(findings.episodes),
        violation_count=violation_count,
        notification_count=notification_count,
        set_aside_count=len(findings.set_aside),
        has_more=drained.has_more or due.has_more,
    )


def _raise_alerts(connection: Connection, findings: Findings, policy: AlertPolicy) -> tuple[int, int]:
    new_ids = save_violations(connection, findings.violations)
    violations = [item for item in findings.violations if item.violation_id in new_ids or item.live_at is not None]
    if not violations:
        return 0, 0
    subject_nos = {item.subject_no for item in violations}
    subjects = load_subjects(connection, subject_nos)
    since = min(item.decided_at for item in violations) - policy.same_event
    decision = decide(
        cases=[Case(violation=item, subject=subjects[item.subject_no]) for item in violations],
        open_alerts=open_alerts_of(connection, subject_nos, since=since),
        recipients=recipients_of(connection, subject_nos),
        policy=policy,
    )
    save_alerts(connection, decision.alerts, decision.attachments)
    return save_notifications(connection, decision.notifications), len(violations)
