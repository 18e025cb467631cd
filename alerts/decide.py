"""Hop 5: (violations, open alerts, recipients) → alerts and notifications. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from alerts.alert import Alert, AlertState, Attachment, Case, Decision, Notification, Recipient, Role
from alerts.policy import AlertPolicy
from alerts.texts import render, template_for
from tracking.episode import derived_id
from tracking.rules import to_microseconds


def decide(
    *,
    cases: Sequence[Case],
    open_alerts: Sequence[Alert],
    recipients: Mapping[int, Sequence[Recipient]],
    policy: AlertPolicy,
) -> Decision:
    """Group violations into events and say who is told of a new one.

    ``open_alerts``: the alerts not closed of the subjects concerned. ``recipients``: by ``subject_no``. A violation of
    an event that has an alert already is attached to it and tells nobody again; a late one tells nobody at all.
    """
    current: dict[tuple[int, str], list[Alert]] = {}
    for alert in open_alerts:
        current.setdefault((alert.subject_no, alert.kind), []).append(alert)
    changed: dict[str, Alert] = {}
    attachments: list[Attachment] = []
    notifications: list[Notification] = []
    for case in sorted(cases, key=lambda item: (item.violation.decided_at, str(item.violation.violation_id))):
        known = current.setdefault((case.violation.subject_no, case.violation.kind), [])
        same = next((alert for alert in known if _is_same_event(alert, case, policy)), None)
        if same is None:
            alert = _open(case, policy)
            if not alert.is_late:
                notifications += _notifications(alert, case, recipients.get(case.violation.subject_no, ()))
        else:
            known.remove(same)
            alert = replace(same, last_event_at=max(same.last_event_at, case.violation.decided_at))
        known.append(alert)
        changed[str(alert.alert_id)] = alert
        attachments.append(Attachment(alert_id=alert.alert_id, violation_id=case.violation.violation_id))
    return Decision(alerts=tuple(changed.values()), attachments=tuple(attachments), notifications=tuple(notifications))


def _is_same_event(alert: Alert, case: Case, policy: AlertPolicy) -> bool:
    if alert.state is AlertState.CLOSED:
        return False
    return alert.opened_at - policy.same_event <= case.violation.decided_at <= alert.last_event_at + policy.same_event


def _open(case: Case, policy: AlertPolicy) -> Alert:
    violation = case.violation
    return Alert(
        alert_id=derived_id("alert", to_microseconds(violation.decided_at), str(violation.violation_id)),
        subject_no=violation.subject_no,
        kind=violation.kind,
        opened_at=violation.decided_at,
        last_event_at=violation.decided_at,
        is_late=violation.known_at - violation.decided_at > policy.late_after,
    )


def _notifications(alert: Alert, case: Case, recipients: Sequence[Recipient]) -> list[Notification]:
    """A minor's first guardian who is not blocked, and every officer. An adult's guardians are never told."""
    told = [recipient for recipient in recipients if recipient.role is not Role.GUARDIAN]
    if case.subject.is_minor_at(case.violation.decided_at):
        guardians = [item for item in recipients if item.role is Role.GUARDIAN and not item.is_blocked]
        told += sorted(guardians, key=lambda item: (item.rank, str(item.recipient_id)))[:1]
    return [_notification(alert, case, recipient) for recipient in told if not recipient.is_blocked]


def _notification(alert: Alert, case: Case, recipient: Recipient) -> Notification:
    audience = "guardian" if recipient.role is Role.GUARDIAN else "officer"
    template = template_for(audience, case.violation.kind)
    return Notification(
        notification_id=derived_id(
            "notification", to_microseconds(alert.opened_at), str(alert.alert_id), str(recipient.recipient_id), template
        ),
        alert_id=alert.alert_id,
        recipient_id=recipient.recipient_id,
        role=recipient.role,
        phone=recipient.phone,
        template=template,
        text=render(template, name=case.subject.alias, at=case.violation.started_at, reference=short_reference(alert)),
        decided_at=case.violation.decided_at,
        known_at=case.violation.known_at,
    )


def short_reference(alert: Alert) -> str:
    """Eight characters by which an officer finds the alert."""
    return alert.alert_id.hex[-8:].upper()
