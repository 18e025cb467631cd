"""Hop 5 with the store around it: what was found becomes alerts and messages, in the transaction that found it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from alerts.alert import Case
from alerts.decide import decide
from alerts.policy import AlertPolicy
from alerts.roster import Roster
from alerts.store import open_alerts_of, recipients_of, save_alerts, save_notifications
from api.findings import save_violations
from tracking.episode import Violation
from tracking.order import Measure
from tracking.store import load_subjects


def raise_alerts(connection: Connection, found: Sequence[Violation], policy: AlertPolicy) -> tuple[int, int]:
    """Save violations and what follows from those that are news; returns how many messages and violations."""
    new_ids: Collection[UUID] = save_violations(connection, found)
    violations = [item for item in found if item.violation_id in new_ids or item.live_at is not None]
    if not violations:
        return 0, 0
    subject_nos = {item.subject_no for item in violations}
    since = min(item.decided_at for item in violations) - max(policy.same_event, policy.cool_down)
    decision = decide(
        cases=_cases(connection, violations),
        alerts=open_alerts_of(connection, subject_nos, since=since),
        recipients=recipients_of(connection, subject_nos),
        roster=Roster(),
        policy=policy,
    )
    save_alerts(connection, decision.alerts, decision.attachments)
    return save_notifications(connection, decision.notifications), len(violations)


def _cases(connection: Connection, violations: Sequence[Violation]) -> list[Case]:
    """Each with the measure of its order, and whether its condition is about a protected person."""
    subjects = load_subjects(connection, {item.subject_no for item in violations})
    orders = connection.execute(
        text("SELECT order_no, measure FROM supervision_order WHERE order_no = ANY(:numbers)"),
        {"numbers": sorted({item.order_no for item in violations})},
    )
    measures = {row.order_no: Measure(row.measure) for row in orders}
    protected = connection.execute(
        text("SELECT condition_no FROM condition WHERE condition_no = ANY(:numbers) AND is_protected"),
        {"numbers": sorted({item.condition_no for item in violations})},
    )
    protected_nos = set(protected.scalars())
    return [
        Case(
            fact=item,
            subject=subjects[item.subject_no],
            measure=measures[item.order_no],
            is_protected=item.condition_no in protected_nos,
        )
        for item in violations
    ]
