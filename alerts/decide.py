"""Hop 5: (violations, open alerts, recipients) → alerts and notifications. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from alerts.alert import Alert, AlertState, Attachment, Case, Decision, Notification, Recipient, Role
from alerts.event import EVENT_OF_CONDITION, HEARING_OF_EVENT
from alerts.policy import AlertPolicy
from alerts.texts import render, template_for
from tracking.episode import derived_id
from tracking.rules import to_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    """A moment at which a violation becomes known, or becomes something that someone can still act on."""

    at: datetime
    is_live: bool
    case: Case


def decide(
    *,
    cases: Sequence[Case],
    open_alerts: Sequence[Alert],
    recipients: Mapping[int, Sequence[Recipient]],
    policy: AlertPolicy,
) -> Decision:
    """Group violations into events and say who is told of a new one.

    ``open_alerts``: the alerts not closed of the subjects concerned. ``recipients``: by ``subject_no``. A violation of
    an event that has an alert already is attached to it and tells nobody again. A late one tells nobody; a live one of
    the same event does, because nobody was told yet.
    """
    current: dict[tuple[int, str], dict[UUID, Alert]] = {}
    for alert in open_alerts:
        current.setdefault((alert.subject_no, EVENT_OF_CONDITION[alert.kind]), {})[alert.alert_id] = alert
    changed: dict[UUID, Alert] = {}
    attachments: dict[UUID, Attachment] = {}
    notifications: dict[UUID, Notification] = {}
    for event in sorted(_events(cases), key=_in_order):
        violation = event.case.violation
        known = current.setdefault((violation.subject_no, EVENT_OF_CONDITION[violation.kind]), {})
        same = _alert_of(event, known.values(), policy)
        alert = _open(event) if same is None else _carried_on(same, event)
        if event.is_live and (same is None or same.is_late):
            for item in _notifications(alert, event, recipients.get(violation.subject_no, ())):
                notifications.setdefault(item.notification_id, item)
        known[alert.alert_id] = changed[alert.alert_id] = alert
        attachments.setdefault(
            violation.violation_id, Attachment(alert_id=alert.alert_id, violation_id=violation.violation_id)
        )
    return Decision(
        alerts=tuple(changed.values()),
        attachments=tuple(attachments.values()),
        notifications=tuple(notifications.values()),
    )


def _events(cases: Sequence[Case]) -> list[_Event]:
    events: list[_Event] = []
    for case in cases:
        decided_at, live_at = case.violation.decided_at, case.violation.live_at
        events.append(_Event(at=decided_at, is_live=live_at == decided_at, case=case))
        if live_at is not None and live_at != decided_at:
            events.append(_Event(at=live_at, is_live=True, case=case))
    return events


def _in_order(event: _Event) -> tuple[datetime, str]:
    return event.at, str(event.case.violation.violation_id)


def _alert_of(event: _Event, known: Iterable[Alert], policy: AlertPolicy) -> Alert | None:
    """The alert that holds the violation already; else the oldest one of the same event."""
    alerts = sorted(known, key=lambda alert: (alert.opened_at, str(alert.alert_id)))
    holding = (alert for alert in alerts if event.case.violation.violation_id in alert.violation_ids)
    same = (alert for alert in alerts if _is_same_event(alert, event, policy))
    return next(holding, None) or next(same, None)


def _is_same_event(alert: Alert, event: _Event, policy: AlertPolicy) -> bool:
    if alert.state is AlertState.CLOSED:
        return False
    return alert.opened_at - policy.same_event <= event.at <= alert.last_event_at + policy.same_event


def _carried_on(alert: Alert, event: _Event) -> Alert:
    return replace(
        alert,
        last_event_at=max(alert.last_event_at, event.at),
        is_late=alert.is_late and not event.is_live,
        violation_ids=alert.violation_ids | {event.case.violation.violation_id},
    )


def _open(event: _Event) -> Alert:
    violation = event.case.violation
    return Alert(
        alert_id=derived_id("alert", to_microseconds(violation.decided_at), str(violation.violation_id)),
        subject_no=violation.subject_no,
        kind=violation.kind,
        opened_at=violation.decided_at,
        last_event_at=event.at,
        is_late=not event.is_live,
        violation_ids=frozenset({violation.violation_id}),
    )


def _notifications(alert: Alert, event: _Event, recipients: Sequence[Recipient]) -> list[Notification]:
    """A minor's first guardian who is not blocked, and every officer. An adult's guardians are never told."""
    told = [recipient for recipient in recipients if recipient.role is not Role.GUARDIAN]
    hearing = HEARING_OF_EVENT[EVENT_OF_CONDITION[event.case.violation.kind]]
    if hearing.family and event.case.subject.is_minor_at(event.at):
        guardians = [item for item in recipients if item.role is Role.GUARDIAN and not item.is_blocked]
        told += sorted(guardians, key=lambda item: (item.rank, str(item.recipient_id)))[:1]
    return [_notification(alert, event, recipient) for recipient in told if not recipient.is_blocked]


def _notification(alert: Alert, event: _Event, recipient: Recipient) -> Notification:
    case = event.case
    audience = "guardian" if recipient.role is Role.GUARDIAN else "officer"
    known_at = case.violation.live_known_at or case.violation.known_at
    template = template_for(audience, EVENT_OF_CONDITION[case.violation.kind])
    return Notification(
        notification_id=derived_id(
            "notification", to_microseconds(alert.opened_at), str(alert.alert_id), str(recipient.recipient_id), template
        ),
        alert_id=alert.alert_id,
        recipient_id=recipient.recipient_id,
        role=recipient.role,
        template=template,
        text=render(
            template,
            name=case.subject.alias,
            at=case.violation.started_at,
            now=known_at,
            reference=short_reference(alert),
        ).text,
        decided_at=event.at,
        known_at=known_at,
    )


def short_reference(alert: Alert) -> str:
    """Eight characters by which an officer finds the alert."""
    return alert.alert_id.hex[-8:].upper()
