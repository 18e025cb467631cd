"""From "this person is told" to the message, the entries of the history and the work that follows. Pure."""

from datetime import datetime
from uuid import UUID

from alerts.alert import Alert, Case, Notification, Task, TaskKind
from alerts.event import Audience, EventKind
from alerts.history import MACHINE, HistoryEntry, HistoryKind
from alerts.life import history_entry
from alerts.reason import Reason
from alerts.routing import Choice
from alerts.texts import render, template_for
from tracking.episode import derived_id
from tracking.order import ConditionKind
from tracking.rules import to_microseconds


def notification_for(
    alert: Alert, case: Case, choice: Choice, *, decided_at: datetime, known_at: datetime, step: int
) -> Notification:
    """The message to one person. Its key is that of alert, person, step and moment: decided again, it is the same one.

    ``decided_at``: event time of what makes it worth sending; ``known_at``: when that was received; both aware.
    """
    recipient = choice.recipient
    template = _template(choice.audience, case.event)
    return Notification(
        notification_id=derived_id(
            "notification", to_microseconds(decided_at), str(alert.alert_id), str(recipient.recipient_id), step
        ),
        alert_id=alert.alert_id,
        recipient_id=recipient.recipient_id,
        role=recipient.role,
        template=template,
        text=render(template, name=case.subject.alias, at=case.fact.started_at, reference=short_reference(alert)),
        decided_at=decided_at,
        known_at=known_at,
        channel=recipient.channels[0],
        language=recipient.language,
        step=step,
        tell_until=choice.tell_until,
    )


def _template(audience: Audience, event: EventKind) -> str:
    """Until every kind of event has a wording of its own, what is no entry is told as a departure."""
    is_entry = event is EventKind.ENTRY
    kind = ConditionKind.EXCLUSION_ZONE if is_entry else ConditionKind.STAY_WITHIN_AREA
    return template_for("guardian" if audience is Audience.GUARDIAN else "officer", kind)


def told_entry(alert: Alert, choice: Choice, *, at: datetime) -> HistoryEntry:
    """This person is told, and why."""
    return history_entry(
        alert, HistoryKind.TOLD, at=at, actor=MACHINE, reason=choice.reason, about=choice.recipient.recipient_id
    )


def task_for(
    alert: Alert, kind: TaskKind, *, at: datetime, reason: Reason, about: UUID | None = None, due_at: datetime
) -> Task:
    """Work for an officer, once for an alert, a kind, an instant and what it is about."""
    return Task(
        task_id=derived_id("task", to_microseconds(at), kind, str(alert.alert_id), str(about)),
        kind=kind,
        subject_no=alert.subject_no,
        alert_id=alert.alert_id,
        due_at=due_at,
        reason=reason,
        recipient_id=about,
    )


def short_reference(alert: Alert) -> str:
    """Eight characters by which an officer finds the alert."""
    return alert.alert_id.hex[-8:].upper()
