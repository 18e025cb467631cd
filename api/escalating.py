"""Escalation: alerts that nobody acknowledged go on to the next step. Any number of workers; each step happens once.

Each alert is taken in a transaction of its own, under a lock that nobody waits for. What is due follows from the plan
and the history alone, so that a worker that dies, stands still or starts anew changes nothing (ADR 0025).
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine

from alerts.alert import Alert, Case, EscalationStep
from alerts.decided_store import (
    alerts_to_escalate,
    load_roster,
    mark_done,
    save_decided,
    steps_of,
    told_of,
)
from alerts.escalation import due_steps, plan_steps
from alerts.history import ActorKind, HistoryEntry, HistoryKind
from alerts.history_store import history_of
from alerts.steps import Scene, leave_out, take_step
from alerts.store import recipients_of, take_alert
from api.alert_cases import cases_of, load_findings, load_violation
from api.alerting import Alerting

_TOLD_BY = frozenset({HistoryKind.OPENED, HistoryKind.BECAME_LIVE})
"""Entries about the fact by which an alert was told."""


def escalate_due(engine: Engine, alerting: Alerting, *, now: datetime) -> int:
    """Take every step that is due by ``now`` (aware); returns how many, those left out too."""
    with engine.connect() as connection:
        waiting = alerts_to_escalate(connection, now=now)
    count = 0
    for alert_id in waiting:
        with engine.begin() as connection:
            count += escalate(connection, alert_id, alerting, now=now)
    return count


def escalate(connection: Connection, alert_id: UUID, alerting: Alerting, *, now: datetime) -> int:
    """Take the steps of one alert that are due, in the caller's transaction. An alert that another holds has none."""
    alert = take_alert(connection, alert_id)
    if alert is None:
        return 0
    _plan_again(connection, alert, alerting)
    steps = steps_of(connection, alert_id)
    count = 0
    # A step that reaches nobody brings the next one about at once; each of the plan is taken once at most.
    for _ in steps:
        history = history_of(connection, alert_id)
        due = due_steps(alert, steps=steps, history=history, now=now, policy=alerting.policy)
        for skipped in due.skipped:
            entry = leave_out(skipped, alert, now=now)
            save_decided(connection, subject_of={alert_id: alert.subject_no}, history=[entry])
            mark_done(connection, [skipped.step.step_id], outcome="skipped", at=now)
        for step in due.steps:
            _take(connection, alert, step, history, alerting, now=now)
        count += len(due.steps) + len(due.skipped)
        if not due.steps and not due.skipped:
            break
    return count


def _plan_again(connection: Connection, alert: Alert, alerting: Alerting) -> None:
    """What an officer opened again is waited for anew, from that instant on."""
    history = history_of(connection, alert.alert_id)
    opened = [entry for entry in history if entry.kind is HistoryKind.REOPENED]
    if not opened or opened[-1].actor.kind is not ActorKind.OFFICER:
        return
    steps = plan_steps(alert.alert_id, told_at=opened[-1].at, policy=alerting.policy)
    save_decided(connection, subject_of={alert.alert_id: alert.subject_no}, steps=steps)


def _take(
    connection: Connection,
    alert: Alert,
    step: EscalationStep,
    history: list[HistoryEntry],
    alerting: Alerting,
    *,
    now: datetime,
) -> None:
    case = _case_of(connection, alert, history, alerting)
    scene = Scene(
        alert=alert,
        case=case,
        recipients=recipients_of(connection, [alert.subject_no]).get(alert.subject_no, []),
        roster=load_roster(connection, since=now, until=now),
        told=told_of(connection, alert.alert_id),
        event_at=alert.last_event_at if case.fact.live_at is None else case.fact.live_at,
        now=now,
        policy=alerting.policy,
        catalogue=alerting.catalogue,
        with_code=alerting.with_code,
    )
    taken = take_step(step, scene)
    save_decided(
        connection,
        subject_of={alert.alert_id: alert.subject_no},
        notifications=taken.notifications,
        tasks=taken.tasks,
        history=taken.history,
    )
    is_left_out = any(entry.kind is HistoryKind.SKIPPED for entry in taken.history)
    mark_done(connection, [step.step_id], outcome="skipped" if is_left_out else "taken", at=now)


def _case_of(connection: Connection, alert: Alert, history: list[HistoryEntry], alerting: Alerting) -> Case:
    """The fact by which the alert was told last, with all that routing asks for."""
    told_by = [entry.about for entry in history if entry.kind in _TOLD_BY and entry.about is not None]
    for fact_id in [*reversed(told_by), *sorted(alert.fact_ids, key=str)]:
        findings = load_findings(connection, [fact_id], maximum_age=alerting.policy.maximum_age)
        violation = load_violation(connection, fact_id)
        if findings or violation is not None:
            (case,) = cases_of(connection, [*findings, *([] if violation is None else [violation])])
            return case
    raise LookupError(f"alert {alert.alert_id} holds no fact")
