"""Recipients, alerts and the outbox of notifications in PostGIS."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from alerts.alert import Alert, AlertState, Attachment, Notification, Recipient, Role, SealedContact, zone_place
from alerts.delivery import Claim
from alerts.event import EVENT_OF_CONDITION
from alerts.gateway import Message, Receipt
from geo.postgis import insert_columns
from tracking.order import ConditionKind

OpenPhone = Callable[[UUID, bytes, str], str | None]
"""(recipient, sealed number, key id) → the number, or ``None`` if what is stored cannot be opened."""

UNREADABLE_NUMBER = "the recipient's number cannot be opened: restore the row of the recipient from a backup"


def add_recipient(connection: Connection, recipient: Recipient, contact: SealedContact) -> None:
    """Add a recipient, or update a known one, whose number stays the same: another number is another recipient."""
    connection.execute(
        text(
            "INSERT INTO recipient (recipient_id, subject_no, role, name, phone, phone_index, key_id, rank, is_blocked)"
            " VALUES (:recipient_id, :subject_no, :role, :name, :phone, :phone_index, :key_id, :rank, :is_blocked)"
            " ON CONFLICT (recipient_id) DO UPDATE SET role = excluded.role, name = excluded.name,"
            " phone = excluded.phone, phone_index = excluded.phone_index, key_id = excluded.key_id,"
            " rank = excluded.rank, is_blocked = excluded.is_blocked"
        ),
        {
            "recipient_id": recipient.recipient_id,
            "subject_no": recipient.subject_no,
            "role": str(recipient.role),
            "name": contact.name,
            "phone": contact.phone,
            "phone_index": contact.phone_index,
            "key_id": contact.key_id,
            "rank": recipient.rank,
            "is_blocked": recipient.is_blocked,
        },
    )


def block_other_recipients(connection: Connection, subject_no: int, *, keep: Collection[UUID]) -> None:
    """Whoever the case no longer names is told nothing from now on; the record of what they were told stays."""
    connection.execute(
        text("UPDATE recipient SET is_blocked = true WHERE subject_no = :subject_no AND NOT recipient_id = ANY(:keep)"),
        {"subject_no": subject_no, "keep": list(keep)},
    )


def recipients_of(connection: Connection, subject_nos: Collection[int]) -> dict[int, list[Recipient]]:
    """Everyone who may be told about these subjects, the blocked ones marked."""
    rows = connection.execute(
        text(
            "SELECT recipient_id, subject_no, role, rank, is_blocked FROM recipient"
            " WHERE subject_no = ANY(:subject_nos) ORDER BY rank, recipient_id"
        ),
        {"subject_nos": list(subject_nos)},
    )
    found: dict[int, list[Recipient]] = {}
    for row in rows:
        found.setdefault(row.subject_no, []).append(
            Recipient(
                recipient_id=row.recipient_id,
                subject_no=row.subject_no,
                role=Role(row.role),
                rank=row.rank,
                is_blocked=row.is_blocked,
            )
        )
    return found


def open_alerts_of(connection: Connection, subject_nos: Collection[int], *, since: datetime) -> list[Alert]:
    """The alerts of these subjects that are not closed and had an event at or after ``since``."""
    rows = connection.execute(
        text(
            "SELECT a.*, f.* FROM alert a JOIN LATERAL (SELECT"
            " coalesce(array_agg(v.violation_id), '{}') AS fact_ids, coalesce(array_agg(v.zone_no), '{}') AS zone_nos,"
            " coalesce(bool_or(c.is_protected), false) AS is_protected FROM alert_violation JOIN violation v"
            " USING (violation_id) JOIN condition c USING (condition_no) WHERE alert_id = a.alert_id) f ON true"
            " WHERE subject_no = ANY(:subject_nos) AND state <> 'closed'"
            " AND last_event_at >= :since ORDER BY opened_at, alert_id"
        ),
        {"subject_nos": list(subject_nos), "since": since},
    )
    return [
        Alert(
            alert_id=row.alert_id,
            subject_no=row.subject_no,
            event=EVENT_OF_CONDITION[ConditionKind(row.kind)],
            kind=ConditionKind(row.kind),
            opened_at=row.opened_at,
            last_event_at=row.last_event_at,
            is_late=row.is_late,
            state=AlertState(row.state),
            fact_ids=frozenset(row.fact_ids),
            is_protected=row.is_protected,
            places=frozenset(zone_place(number) for number in row.zone_nos),
        )
        for row in rows
    ]


def save_alerts(connection: Connection, alerts: Sequence[Alert], attachments: Sequence[Attachment]) -> int:
    """Add alerts or move their last event on, and attach violations; returns the alerts written."""
    written = insert_columns(
        connection,
        "alert",
        {
            "alert_id": ("uuid", [item.alert_id for item in alerts]),
            "subject_no": ("bigint", [item.subject_no for item in alerts]),
            "kind": ("text", [str(item.kind) for item in alerts]),
            "state": ("text", [str(item.state) for item in alerts]),
            "opened_at": ("timestamptz", [item.opened_at for item in alerts]),
            "last_event_at": ("timestamptz", [item.last_event_at for item in alerts]),
            "is_late": ("boolean", [item.is_late for item in alerts]),
        },
        on_conflict="ON CONFLICT (alert_id) DO UPDATE SET last_event_at ="
        " greatest(alert.last_event_at, excluded.last_event_at), is_late = alert.is_late AND excluded.is_late",
    )
    insert_columns(
        connection,
        "alert_violation",
        {
            "alert_id": ("uuid", [item.alert_id for item in attachments]),
            "violation_id": ("uuid", [item.fact_id for item in attachments]),
        },
        on_conflict="ON CONFLICT DO NOTHING",
    )
    return written


def save_notifications(connection: Connection, notifications: Sequence[Notification]) -> int:
    """Put notifications in the outbox, due at once; one that is there already is left as it is."""
    columns: dict[str, tuple[str, Sequence[Any]]] = {
        "notification_id": ("uuid", [item.notification_id for item in notifications]),
        "alert_id": ("uuid", [item.alert_id for item in notifications]),
        "recipient_id": ("uuid", [item.recipient_id for item in notifications]),
        "role": ("text", [str(item.role) for item in notifications]),
        "template": ("text", [item.template for item in notifications]),
        "text": ("text", [item.text for item in notifications]),
        "decided_at": ("timestamptz", [item.decided_at for item in notifications]),
        "known_at": ("timestamptz", [item.known_at for item in notifications]),
    }
    return insert_columns(connection, "notification", columns, on_conflict="ON CONFLICT (notification_id) DO NOTHING")


def claim_pending(connection: Connection, *, limit: int, claim: timedelta, open_phone: OpenPhone) -> list[Claim]:
    """Take due notifications that no other worker holds; they come due again when the claim runs out.

    The database's clock decides, so that workers with different clocks agree. One whose number cannot be opened is
    dead, and the others go on.
    """
    rows = connection.execute(
        text(
            # Materialized: run once, or the limit would be one per run of the subquery.
            "WITH due AS MATERIALIZED (SELECT notification_id FROM notification WHERE state = 'pending'"
            " AND due_at <= now() ORDER BY decided_at, notification_id LIMIT :limit FOR UPDATE SKIP LOCKED)"
            " UPDATE notification n SET attempt = attempt + 1, due_at = now() + :claim FROM due, recipient r"
            " WHERE n.notification_id = due.notification_id AND r.recipient_id = n.recipient_id"
            " RETURNING n.*, r.phone, r.key_id"
        ),
        {"limit": limit, "claim": claim},
    ).all()
    claims: list[Claim] = []
    for row in sorted(rows, key=lambda row: (row.decided_at, row.notification_id)):
        phone = open_phone(row.recipient_id, row.phone, row.key_id)
        if phone is None:
            record_dead(connection, row.notification_id, UNREADABLE_NUMBER, attempt=row.attempt)
            continue
        claims.append(
            Claim(
                notification_id=row.notification_id,
                message=Message(
                    idempotency_key=row.notification_id, address=phone, text=row.text, template=row.template
                ),
                role=Role(row.role),
                decided_at=row.decided_at,
                known_at=row.known_at,
                attempt=row.attempt,
            )
        )
    return claims


def record_sent(connection: Connection, notification_id: UUID, receipt: Receipt, at: datetime) -> None:
    """The provider took it. A notification that is sent already stays as it is."""
    connection.execute(
        text(
            "UPDATE notification SET state = 'sent', sent_at = :at, provider = :provider,"
            " provider_reference = :reference, last_error = NULL WHERE notification_id = :id AND state = 'pending'"
        ),
        {"id": notification_id, "at": at, "provider": receipt.provider, "reference": receipt.reference},
    )


def record_retry(
    connection: Connection, notification_id: UUID, reason: str, retry_in: timedelta, *, attempt: int
) -> None:
    """It comes due again after ``retry_in``. Nothing changes if a later attempt is under way: that one will tell."""
    connection.execute(
        text(
            "UPDATE notification SET due_at = now() + :retry_in, last_error = :reason"
            " WHERE notification_id = :id AND state = 'pending' AND attempt = :attempt"
        ),
        {"id": notification_id, "reason": reason, "retry_in": retry_in, "attempt": attempt},
    )


def record_dead(connection: Connection, notification_id: UUID, reason: str, *, attempt: int) -> None:
    """It will not be sent. Nothing changes if a later attempt is under way: that one will tell."""
    connection.execute(
        text(
            "UPDATE notification SET state = 'dead', last_error = :reason"
            " WHERE notification_id = :id AND state = 'pending' AND attempt = :attempt"
        ),
        {"id": notification_id, "reason": reason, "attempt": attempt},
    )
