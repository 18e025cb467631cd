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

from alerts.alert import FAMILY_ROLES, Task, TaskKind
from alerts.channel import Channel
from alerts.decided_store import save_decided
from alerts.failover_store import end_broken, end_failed
from alerts.gateway import Awaited, DeliveryReport
from alerts.outbox_store import ADDRESS_COLUMNS, OpenAddress
from alerts.policy import AlertPolicy
from alerts.reason import Because, because
from tracking.episode import derived_id
from tracking.rules import to_microseconds


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
    connection: Connection,
    *,
    most: int,
    policy: AlertPolicy,
    now_for: Callable[[datetime], datetime],
    on_broken: Callable[[int, Exception], None],
) -> int:
    """Apply what waits and is about a message of ours: delivered, or failed and the next one in its place at once.

    The first report of a message stands; returns how many were applied. One that cannot be is told of, with its number,
    to ``on_broken``, which raises what concerns all of them; then a human looks after its message.
    """
    rows = connection.execute(text(_WAITING), {"most": most}).all()
    for row in rows:
        for attempt in (_apply, _leave_to_people):
            try:
                with connection.begin_nested():
                    attempt(connection, row, policy, now_for(row.known_at))
                break
            except Exception as error:  # the others must be applied
                on_broken(row.report_no, error)
        connection.execute(
            text(
                "UPDATE delivery_report SET applied_at = now(), notification_id = :id, subject_no = :subject_no"
                " WHERE report_no = :no"
            ),
            {"id": row.notification_id, "subject_no": row.subject_no, "no": row.report_no},
        )
    return len(rows)


def _apply(connection: Connection, row: Row[Any], policy: AlertPolicy, now: datetime) -> None:
    if row.is_delivered:
        values = {"id": row.notification_id, "at": row.at, "provider": row.provider, "reference": row.reference}
        connection.execute(text(_DELIVERED), values)
    else:
        _apply_failure(connection, row, policy, now)


def _leave_to_people(connection: Connection, row: Row[Any], policy: AlertPolicy, now: datetime) -> None:
    end_broken(connection, row.notification_id, attempt=None, at=now, policy=policy)


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
    """Messages that a provider took at or after ``since`` (aware) and reported nothing final of, ``most`` at a time.

    In the order of their keys, round and round: the next call goes on behind the last, however many stay silent.
    """
    rows = connection.execute(
        text(
            "SELECT n.notification_id, n.provider_reference, n.sent_at, n.channel, n.recipient_id, r.phone, r.email,"
            " r.key_id FROM notification n JOIN recipient r USING (recipient_id) WHERE n.provider = :provider"
            " AND n.state = 'sent' AND n.sent_at >= :since ORDER BY n.notification_id <= coalesce((SELECT polled_to"
            " FROM provider_state WHERE provider = :provider), '00000000-0000-0000-0000-000000000000'),"
            " n.notification_id LIMIT :most"
        ),
        {"provider": provider, "since": since, "most": most},
    ).all()
    if rows:
        connection.execute(
            text("UPDATE provider_state SET polled_to = :last WHERE provider = :provider"),
            {"last": rows[-1].notification_id, "provider": provider},
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
SELECT r.reply_id, r.phone_index, r.received_at, n.notification_id, n.subject_no, n.sent_at, (
    SELECT count(DISTINCT b.subject_no) FROM notification m JOIN alert b USING (alert_id)
    WHERE m.phone_index = r.phone_index AND m.counted_at IS NOT NULL AND m.sent_at <= r.at
        AND m.sent_at > n.sent_at - interval '24 hours') AS subject_count
FROM reply r LEFT JOIN LATERAL (
    SELECT notification_id, sent_at, subject_no FROM notification JOIN alert USING (alert_id)
    WHERE phone_index = r.phone_index AND counted_at IS NOT NULL AND sent_at <= r.at
    ORDER BY sent_at DESC, notification_id DESC LIMIT 1) AS n ON true
WHERE r.applied_at IS NULL ORDER BY r.received_at LIMIT :most FOR UPDATE OF r SKIP LOCKED
"""

_POSSIBLY_ANSWERED = """
SELECT DISTINCT ON (a.subject_no) a.subject_no, a.alert_id, m.recipient_id
FROM notification m JOIN alert a USING (alert_id) JOIN open_subject o ON o.subject_no = a.subject_no
WHERE m.phone_index = :phone_index AND m.counted_at IS NOT NULL AND a.state <> 'closed' AND m.role = ANY(:family)
    AND m.sent_at <= :last_at AND m.sent_at > cast(:last_at AS timestamptz) - interval '24 hours'
ORDER BY a.subject_no, m.sent_at DESC, m.notification_id
"""


def apply_replies(connection: Connection, *, most: int) -> int:
    """Put each answer to the last message that its number had been sent, if that is sure.

    One from a number that was sent nothing is kept, and is about nobody. So is one from a number that was told of more
    than one person within the 24 hours up to that message, as nobody knows which of them it is about, and one case must
    not show what was said of another: each case is asked to telephone. One that is not proven is shown as such, as none
    acknowledges anything.
    """
    rows = connection.execute(text(_ANSWERED), {"most": most}).all()
    for row in rows:
        is_sure = row.subject_count <= 1
        connection.execute(
            text(
                "UPDATE reply SET applied_at = now(), notification_id = :notification_id, subject_no = :subject_no"
                " WHERE reply_id = :reply_id"
            ),
            {
                "notification_id": row.notification_id if is_sure else None,
                "subject_no": row.subject_no if is_sure else None,
                "reply_id": row.reply_id,
            },
        )
        if not is_sure:
            _ask_by_telephone(connection, row)
    return len(rows)


def _ask_by_telephone(connection: Connection, reply: Row[Any]) -> None:
    """A call for each case that it may be about, unless one stands; none for officers, who are told of many cases."""
    values = {
        "phone_index": reply.phone_index,
        "last_at": reply.sent_at,
        "family": [str(role) for role in FAMILY_ROLES],
    }
    for row in connection.execute(text(_POSSIBLY_ANSWERED), values).all():
        task = Task(
            task_id=derived_id(
                "task", to_microseconds(reply.received_at), "unclear", f"{reply.reply_id} {row.alert_id}"
            ),
            kind=TaskKind.VOICE_CALL,
            subject_no=row.subject_no,
            alert_id=row.alert_id,
            due_at=reply.received_at,
            reason=because(Because.ANSWER_UNCLEAR),
            recipient_id=row.recipient_id,
        )
        save_decided(connection, subject_of={row.alert_id: row.subject_no}, tasks=[task])
