"""People with guardians and officers, alerts with messages, and a round of hop 6 at a fixed time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Engine, text

from alerts.alert import Alert, Notification, Recipient, Role
from alerts.channel import Channel
from alerts.delivery import deliver
from alerts.event import EventKind
from alerts.gateway import DeliveryReport, Gateway, GatewayError, Message, Receipt
from alerts.policy import AlertPolicy
from alerts.report_store import save_reports
from alerts.store import add_recipient, save_alerts, save_notifications
from api.clock import FixedClock
from api.ids import new_id
from api.outbox import DatabaseOutbox
from api.personal.fields import current_key, seal_contact
from tests.make import EVENING, KEYRING, Person, a_person
from tracking.order import ConditionKind

MOTHER, FATHER, PROSECUTOR = "13800000101", "13800000102", "13800000103"
POLICY = AlertPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Somebody to be told: role, number, rank, channels."""

    phone: str = MOTHER
    role: Role = Role.GUARDIAN
    rank: int = 1
    channels: tuple[Channel, ...] = (Channel.SMS,)
    email: str | None = None
    is_blocked: bool = False


def a_subject(engine: Engine, people: Sequence[Told] = (Told(),), **changes: Any) -> tuple[Person, list[UUID]]:
    """A subject and the ids of those who are told about it, in their order."""
    ids = []
    with engine.begin() as connection:
        person = a_person(connection, recipients=(), **changes)
        for told in people:
            recipient = Recipient(
                recipient_id=new_id(),
                subject_no=person.subject_no,
                role=told.role,
                rank=told.rank,
                channels=told.channels,
                is_blocked=told.is_blocked,
            )
            contact = seal_contact(
                KEYRING,
                current_key(connection, KEYRING),
                recipient_id=recipient.recipient_id,
                name="合成联系人",
                phone=told.phone,
                email=told.email,
            )
            add_recipient(connection, recipient, contact)
            ids.append(recipient.recipient_id)
    return person, ids


def an_alert(
    engine: Engine,
    subject_no: int,
    recipient_id: UUID,
    *,
    at: datetime = EVENING,
    known_at: datetime | None = None,
    role: Role = Role.GUARDIAN,
    channel: Channel = Channel.SMS,
) -> UUID:
    """An event at ``at`` of which one person is to be told; the id of the message."""
    alert = Alert(
        alert_id=new_id(),
        subject_no=subject_no,
        event=EventKind.ENTRY,
        kind=ConditionKind.EXCLUDED_CATEGORIES,
        opened_at=at,
        last_event_at=at,
        is_late=False,
    )
    notification = Notification(
        notification_id=new_id(),
        alert_id=alert.alert_id,
        recipient_id=recipient_id,
        role=role,
        template="guardian_entry_suspected",
        text="合成消息",
        variables=(("name", "小丽"), ("time", "22时00分")),
        decided_at=at,
        known_at=known_at or at,
        channel=channel,
    )
    with engine.begin() as connection:
        save_alerts(connection, [alert], [])
        save_notifications(connection, [notification])
    return notification.notification_id


@dataclass(kw_only=True)
class Taking:
    """A provider that takes each key once, at the time of the test's clock, and fails as it is told."""

    provider: str = "p1"
    clock: FixedClock
    failures: list[GatewayError] = field(default_factory=list)
    """What the next attempts are answered with."""
    is_down: bool = False
    taken: dict[UUID, tuple[Message, datetime]] = field(default_factory=dict)
    attempts: int = 0

    def send(self, message: Message) -> Receipt:
        self.attempts += 1
        if self.is_down:
            raise GatewayError("not reached", is_provider_down=True, is_taken_possible=False)
        if self.failures:
            raise self.failures.pop(0)
        self.taken.setdefault(message.idempotency_key, (message, self.clock.now()))
        return Receipt(provider=self.provider, reference=f"r-{message.idempotency_key}")

    @property
    def addresses(self) -> list[str]:
        return [message.address for message, _ in self.taken.values()]


def a_round(
    engine: Engine,
    clock: FixedClock,
    *gateways: Gateway,
    channels: Mapping[Channel, Sequence[Gateway]] | None = None,
    policy: AlertPolicy = POLICY,
    outbox: DatabaseOutbox | None = None,
) -> None:
    """Hop 6 until nothing is due; everything that waits is made due first."""
    make_due(engine)
    outbox = outbox or DatabaseOutbox(engine, policy, KEYRING)
    outbox.apply_news(clock)
    while deliver(
        outbox=outbox,
        providers=channels if channels is not None else {Channel.SMS: gateways},
        clock=clock,
        policy=policy,
        rng=np.random.default_rng(1),
    ):
        pass


def make_due(engine: Engine) -> None:
    """Let claims and waits run out."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE notification SET due_at = now() WHERE state = 'pending' AND due_at > now()"))


def rows(engine: Engine, query: str, **values: Any) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def messages(engine: Engine, columns: str = "state, channel, obstacle") -> list[Any]:
    """All notifications, by event, and within an event as one came after the other."""
    return rows(engine, f"SELECT {columns} FROM notification ORDER BY decided_at, alert_id, step")


def tasks(engine: Engine) -> list[Any]:
    return rows(engine, "SELECT kind, reason_code FROM task ORDER BY opened_at, task_id")


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def report(
    engine: Engine,
    clock: FixedClock,
    *,
    is_delivered: bool,
    reference: str = "",
    provider: str = "p1",
    reason: str = "",
    is_proven: bool = True,
    key: object = None,
) -> None:
    """A provider says what became of a message, and the outbox takes it in."""
    told = DeliveryReport(
        provider=provider,
        reference=reference,
        idempotency_key=key,  # type: ignore[arg-type] # None or a UUID
        is_delivered=is_delivered,
        at=clock.now() + timedelta(seconds=3),
        reason=reason,
        is_proven=is_proven,
    )
    with engine.begin() as connection:
        save_reports(connection, [told])
    DatabaseOutbox(engine, POLICY, KEYRING).apply_news(clock)
