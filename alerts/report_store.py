"""What providers tell of messages that they took, and what people answer: written as it comes, then applied.

Sent is not delivered. A report may come before the one who sent the message has said so, or twice, or about a message
that is nobody's: it waits, changes nothing, or stays aside.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from alerts.channel import Channel
from alerts.failover_store import end_failed
from alerts.gateway import Awaited, DeliveryReport
from alerts.outbox_store import ADDRESS_COLUMNS, OpenAddress
from alerts.policy import AlertPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedReply:
    """What somebody answered, as the database keeps it. ``phone_index``: ``None`` if the number is none."""

    reply_id: UUID
    provider: str
    phone_index: bytes | None
    text: bytes
    key_id: str
    at: datetime
    is_proven: bool


def save_reports(connection: Connection, reports: Sequence[DeliveryReport]) -> int:
    """Write them down, each once however often it is told; returns how many are new."""
    values = [
        {
            "provider": item.provider,
            "reference": item.reference,
            "key": None if item.idempotency_key is None else str(item.idempotency_key),
            "is_delivered": item.is_delivered,
            "at": item.at.isoformat(),
            "reason": item.reason,
            "is_proven": item.is_proven,
        }
        for item in reports
    ]
    done = connection.execute(
        text(
            "INSERT INTO delivery_report (provider, reference, idempotency_key, is_delivered, at, reason, is_proven)"
            ' SELECT provider, reference, "key", is_delivered, at, reason, is_proven FROM'
            ' jsonb_to_recordset(:values) AS r (provider text, reference text, "key" uuid, is_delivered boolean,'
            " at timestamptz, reason text, is_proven boolean) ON CONFLICT DO NOTHING"
        ),
        {"values": json.dumps(values)},
    )
    return done.rowcount


_WAITING = """
SELECT r.report_no, r.provider, r.reference, r.is_delivered, r.at, r.reason, n.notification_id, n.known_at, n.state,
    n.unsure_of, a.subject_no
FROM delivery_report r JOIN LATERAL (
    SELECT notification_id FROM notification WHERE notification_id = r.idempotency_key
    UNION SELECT notification_id FROM notification WHERE provider = r.provider AND provider_reference = r.reference
        AND r.reference <> '' LIMIT 1) AS found ON true
    JOIN notification n ON n.notification_id = found.notification_id JOIN alert a USING (alert_id)
WHERE r.applied_at IS NULL AND r.is_proven ORDER BY r.report_no LIMIT :most FOR UPDATE OF r SKIP LOCKED
"""

_DELIVERED = """
UPDATE notification SET state = 'delivered', delivered_at = :at, sent_at = coalesce(sent_at, :at), last_error = NULL,
    provider = :provider, provider_reference = coalesce(nullif(:reference, ''), provider_reference), unsure_of = NULL
WHERE notification_id = :id AND (state IN ('pending', 'sent') OR state = 'dead' AND unsure_of IS NOT NULL)
"""


def apply_reports(
    connection: Connection, *, most: int, policy: AlertPolicy, now_for: Callable[[datetime], datetime]
) -> int:
    """Apply what waits and is about a message of ours: delivered, or failed and the next one in its place at once.

    The first report of a message stands; returns how many were applied.
    """
    rows = connection.execute(text(_WAITING), {"most": most}).all()
    for row in rows:
        if row.is_delivered:
            values = {"id": row.notification_id, "at": row.at, "provider": row.provider, "reference": row.reference}
            connection.execute(text(_DELIVERED), values)
        else:
            _apply_failure(connection, row, policy, now_for(row.known_at))
        connection.execute(
            text(
                "UPDATE delivery_report SET applied_at = now(), notification_id = :id, subject_no = :subject_no"
                " WHERE report_no = :no"
            ),
            {"id": row.notification_id, "subject_no": row.subject_no, "no": row.report_no},
        )
    return len(rows)


def _apply_failure(connection: Connection, row: Row[Any], policy: AlertPolicy, now: datetime) -> None:
    """A provider that tells of a message that nobody recorded as sent has taken it: it counts."""
    if row.state == "pending":
        connection.execute(
            text(
                "UPDATE notification SET sent_at = :at, provider = :provider, provider_reference = :reference,"
                " unsure_of = NULL WHERE notification_id = :id AND state = 'pending'"
            ),
            {"at": row.at, "provider": row.provider, "reference": row.reference, "id": row.notification_id},
        )
    end_failed(connection, row.notification_id, row.reason, at=now, policy=policy)


def awaited_of(
    connection: Connection, provider: str, *, since: datetime, most: int, open_address: OpenAddress
) -> list[Awaited]:
    """Messages that a provider took at or after ``since`` (aware) and reported nothing final of, the oldest first."""
    rows = connection.execute(
        text(
            "SELECT n.notification_id, n.provider_reference, n.sent_at, n.channel, n.recipient_id, r.phone, r.email,"
            " r.key_id FROM notification n JOIN recipient r USING (recipient_id) WHERE n.provider = :provider"
            " AND n.state = 'sent' AND n.sent_at >= :since ORDER BY n.sent_at, n.notification_id LIMIT :most"
        ),
        {"provider": provider, "since": since, "most": most},
    )
    found = []
    for row in rows:
        column = ADDRESS_COLUMNS[Channel(row.channel)]
        sealed = getattr(row, column)
        address = None if sealed is None else open_address(row.recipient_id, column, sealed, row.key_id)
        found.append(
            Awaited(
                idempotency_key=row.notification_id,
                reference=row.provider_reference,
                address=address or "",
                sent_at=row.sent_at,
            )
        )
    return found


def save_replies(connection: Connection, replies: Sequence[SealedReply]) -> None:
    """Write down what people answered; one that is told again under the same id is there already."""
    for reply in replies:
        connection.execute(
            text(
                "INSERT INTO reply (reply_id, provider, phone_index, text, key_id, at, is_proven)"
                " VALUES (:reply_id, :provider, :phone_index, :text, :key_id, :at, :is_proven) ON CONFLICT DO NOTHING"
            ),
            asdict(reply),
        )


_ANSWERED = """
SELECT r.reply_id, n.notification_id, a.subject_no
FROM reply r LEFT JOIN LATERAL (
    SELECT notification_id, alert_id FROM notification WHERE phone_index = r.phone_index AND counted_at IS NOT NULL
        AND sent_at <= r.at ORDER BY sent_at DESC, notification_id DESC LIMIT 1) AS n ON true
    LEFT JOIN alert a USING (alert_id)
WHERE r.applied_at IS NULL ORDER BY r.received_at LIMIT :most FOR UPDATE OF r SKIP LOCKED
"""


def apply_replies(connection: Connection, *, most: int) -> int:
    """Put each answer to the last message that its number had been sent.

    One from a number that was sent nothing is kept, and is about nobody. One that is not proven is shown as such, as
    none acknowledges anything.
    """
    rows = connection.execute(text(_ANSWERED), {"most": most}).all()
    for row in rows:
        connection.execute(
            text(
                "UPDATE reply SET applied_at = now(), notification_id = :notification_id, subject_no = :subject_no"
                " WHERE reply_id = :reply_id"
            ),
            {"notification_id": row.notification_id, "subject_no": row.subject_no, "reply_id": row.reply_id},
        )
    return len(rows)
