"""An alert, a recipient and a notification, as values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts.channel import Channel
from tracking.episode import Violation
from tracking.order import ConditionKind, Subject


class AlertState(StrEnum):
    """The life of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Role(StrEnum):
    """Who a recipient is to the subject."""

    GUARDIAN = "guardian"
    PROSECUTOR = "prosecutor"
    POLICE = "police"
    GUARANTOR = "guarantor"
    DUTY_OFFICER = "duty_officer"
    LEADER = "leader"


class NotificationState(StrEnum):
    """The life of a notification. Only ``DELIVERED`` means that the provider says it arrived."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One person who may be told about a subject. ``rank`` orders guardians; a blocked one is never told.

    ``channels``: in order of preference. ``language``: zh or en.
    """

    recipient_id: UUID
    subject_no: int
    role: Role
    rank: int = 1
    is_blocked: bool = False
    language: str = "zh"
    channels: tuple[Channel, ...] = (Channel.SMS,)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedContact:
    """A recipient's name and number as the database keeps them: sealed, the number also as a keyed index."""

    name: bytes
    phone: bytes
    phone_index: bytes
    key_id: str
    email: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Work for a person. One event is one alert: entries close in time share it, and so do departures."""

    alert_id: UUID
    subject_no: int
    kind: ConditionKind
    opened_at: datetime
    """Event time of its first violation, aware."""
    last_event_at: datetime
    is_late: bool
    """True while all that is known of it was received too late for anyone to act on."""
    state: AlertState = AlertState.OPEN
    violation_ids: frozenset[UUID] = frozenset()
    """What it holds. A violation stays with its alert for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A violation belongs to an alert."""

    alert_id: UUID
    violation_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one recipient on one channel. Its id is the idempotency key towards the provider.

    The number is the recipient's, which never changes, and is opened only when the message leaves.
    """

    notification_id: UUID
    alert_id: UUID
    recipient_id: UUID
    role: Role
    template: str
    text: str
    decided_at: datetime
    """Event time of the fix that makes it worth sending, aware."""
    known_at: datetime
    """When that fix was received, aware."""
    channel: Channel = Channel.SMS
    language: str = "zh"
    variables: tuple[tuple[str, str], ...] = ()
    """Name and value, in the order of the template."""
    step: int = 0
    """How many people and channels were tried before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A violation together with the subject that it is about."""

    violation: Violation
    subject: Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What hop 5 decided: alerts opened or carried on, what they hold, who is told."""

    alerts: tuple[Alert, ...]
    attachments: tuple[Attachment, ...]
    notifications: tuple[Notification, ...]
