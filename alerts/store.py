"""Recipients, alerts and new notifications in PostGIS."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from alerts.alert import Alert, AlertState, Attachment, Block, Notification, Recipient, Role, SealedContact, zone_place
from alerts.channel import Channel
from alerts.event import EVENT_OF_CONDITION, EVENT_OF_FINDING, EventKind
from geo.postgis import insert_columns
from tracking.order import ConditionKind

OFFICE = "office"
"""The provider of what a human does."""


def add_recipient(connection: Connection, recipient: Recipient, contact: SealedContact) -> None:
    """Add a recipient, or update a known one, whose number stays the same: another number is another recipient."""
    connection.execute(
        text(
            "INSERT INTO recipient (recipient_id, subject_no, role, name, phone, phone_index, email, key_id, rank,"
            " is_blocked, language, channels) VALUES (:recipient_id, :subject_no, :role, :name, :phone, :phone_index,"
            " :email, :key_id, :rank, :is_blocked, :language, :channels)"
            " ON CONFLICT (recipient_id) DO UPDATE SET role = excluded.role, name = excluded.name,"
            " phone = excluded.phone, phone_index = excluded.phone_index, email = excluded.email,"
            " key_id = excluded.key_id, rank = excluded.rank, is_blocked = excluded.is_blocked,"
            " language = excluded.language, channels = excluded.channels"
        ),
        {
            "recipient_id": recipient.recipient_id,
            "subject_no": recipient.subject_no,
            "role": str(recipient.role),
            "name": contact.name,
            "phone": contact.phone,
            "phone_index": contact.phone_index,
            "email": contact.email,
            "key_id": contact.key_id,
            "rank": recipient.rank,
            "is_blocked": recipient.is_blocked,
            "language": recipient.language,
            "channels": [str(channel) for channel in recipient.channels],
        },
    )


def block_other_recipients(connection: Connection, subject_no: int, *, keep: Collection[UUID]) -> None:
    """Whoever the case no longer names is told nothing from now on; the record of what they were told stays."""
    connection.execute(
        text("UPDATE recipient SET is_blocked = true WHERE subject_no = :subject_no AND NOT recipient_id = ANY(:keep)"),
        {"subject_no": subject_no, "keep": list(keep)},
    )


_RECIPIENT = "recipient_id, subject_no, role, rank, is_blocked, language, channels, unit, blocked_for"


def recipients_of(connection: Connection, subject_nos: Collection[int]) -> dict[int, list[Recipient]]:
    """Everyone who may be told about these subjects, the blocked ones marked."""
    rows = connection.execute(
        text(f"SELECT {_RECIPIENT} FROM recipient WHERE subject_no = ANY(:subject_nos) ORDER BY rank, recipient_id"),
        {"subject_nos": list(subject_nos)},
    )
    found: dict[int, list[Recipient]] = {}
    for row in rows:
        found.setdefault(row.subject_no, []).append(_recipient_of(row))
    return found


def recipients_by_duty(connection: Connection) -> list[Recipient]:
    """Everyone who is told by the roster of a unit, the blocked ones marked."""
    rows = connection.execute(
        text(f"SELECT {_RECIPIENT} FROM recipient WHERE subject_no IS NULL ORDER BY rank, recipient_id")
    )
    return [_recipient_of(row) for row in rows]


def _recipient_of(row: Row[Any]) -> Recipient:
    return Recipient(
        recipient_id=row.recipient_id,
        subject_no=row.subject_no,
        role=Role(row.role),
        rank=row.rank,
        is_blocked=row.is_blocked,
        language=row.language,
        channels=tuple(Channel(channel) for channel in row.channels),
        unit=row.unit,
        blocked_for=None if row.blocked_for is None else Block(row.blocked_for),
    )


def alerts_of(
    connection: Connection, subject_nos: Collection[int], *, since: datetime, fact_ids: Collection[UUID] = ()
) -> list[Alert]:
    """The alerts of these subjects, closed ones too, with an event at or after ``since`` or one of these facts.

    Held until COMMIT: nobody turns one meanwhile, and nobody else decides about it.
    """
    return _alerts(
        connection,
        "a.subject_no = ANY(:subject_nos) AND (a.last_event_at >= :since OR a.alert_id IN"
        " (SELECT alert_id FROM alert_violation WHERE violation_id = ANY(:fact_ids) UNION ALL"
        " SELECT alert_id FROM alert_finding WHERE finding_id = ANY(:fact_ids)))"
        " ORDER BY a.opened_at, a.alert_id FOR UPDATE OF a",
        subject_nos=list(subject_nos),
        since=since,
        fact_ids=list(fact_ids),
    )


def take_alert(connection: Connection, alert_id: UUID) -> Alert | None:
    """An alert that is open and that no other worker holds, held until COMMIT; else ``None``."""
    found = _alerts(
        connection, "a.alert_id = :alert_id AND a.state = 'open' FOR UPDATE OF a SKIP LOCKED", alert_id=alert_id
    )
    return found[0] if found else None


def _alerts(connection: Connection, where: str, **values: Any) -> list[Alert]:
    rows = connection.execute(
        text(
            "SELECT a.*, f.fact_ids, f.zone_nos, f.is_protected OR g.is_protected AS is_protected, g.finding_ids,"
            " g.finding_kinds"
            " FROM alert a JOIN LATERAL (SELECT"
            " coalesce(array_agg(v.violation_id), '{}') AS fact_ids, coalesce(array_agg(v.zone_no), '{}') AS zone_nos,"
            " coalesce(bool_or(c.is_protected), false) AS is_protected FROM alert_violation JOIN violation v"
            " USING (violation_id) JOIN condition c USING (condition_no) WHERE alert_id = a.alert_id) f ON true"
            " JOIN LATERAL (SELECT coalesce(array_agg(finding_id), '{}') AS finding_ids,"
            " coalesce(array_agg(finding.kind), '{}') AS finding_kinds,"
            " coalesce(bool_or(c.is_protected), false) AS is_protected FROM alert_finding JOIN finding"
            " USING (finding_id) LEFT JOIN condition c USING (condition_no) WHERE alert_id = a.alert_id) g ON true"
            f" WHERE {where}"
        ),
        values,
    )
    return [
        Alert(
            alert_id=row.alert_id,
            subject_no=row.subject_no,
            event=EVENT_OF_CONDITION[ConditionKind(row.kind)] if row.event is None else EventKind(row.event),
            kind=None if row.kind is None else ConditionKind(row.kind),
            opened_at=row.opened_at,
            last_event_at=row.last_event_at,
            is_late=row.is_late,
            state=AlertState(row.state),
            fact_ids=frozenset(row.fact_ids) | frozenset(row.finding_ids),
            is_protected=row.is_protected,
            places=_places(row),
            settled_at=row.settled_at,
        )
        for row in rows
    ]


def _places(row: Row[Any]) -> frozenset[str]:
    """``alerts.alert.Case.place`` of what an alert holds."""
    found = {str(EVENT_OF_FINDING[kind]) for kind in row.finding_kinds}
    return frozenset(found | {zone_place(number) for number in row.zone_nos})


_CARRY_ON = """
ON CONFLICT (alert_id) DO UPDATE SET last_event_at = greatest(alert.last_event_at, excluded.last_event_at),
    is_late = alert.is_late AND excluded.is_late, state = excluded.state, settled_at = excluded.settled_at,
    acknowledged_at = CASE excluded.state WHEN 'open' THEN NULL ELSE alert.acknowledged_at END,
    acknowledged_by = CASE excluded.state WHEN 'open' THEN NULL ELSE alert.acknowledged_by END,
    closed_at = CASE excluded.state WHEN 'closed' THEN alert.closed_at END,
    closed_by = CASE excluded.state WHEN 'closed' THEN alert.closed_by END,
    closed_reason = CASE excluded.state WHEN 'closed' THEN alert.closed_reason END,
    closed_remark = CASE excluded.state WHEN 'closed' THEN alert.closed_remark END
WHERE alert.closed_reason IS DISTINCT FROM 'sealed'
"""
"""Whoever writes read it under :func:`alerts_of`. Opened again, nobody has acknowledged or closed it."""


def save_alerts(connection: Connection, alerts: Sequence[Alert], attachments: Sequence[Attachment]) -> int:
    """Add alerts or move their last event on, and attach violations and findings; returns the alerts written."""
    written = insert_columns(
        connection,
        "alert",
        {
            "alert_id": ("uuid", [item.alert_id for item in alerts]),
            "subject_no": ("bigint", [item.subject_no for item in alerts]),
            "kind": ("text", [None if item.kind is None else str(item.kind) for item in alerts]),
            "event": ("text", [str(item.event) for item in alerts]),
            "state": ("text", [str(item.state) for item in alerts]),
            "opened_at": ("timestamptz", [item.opened_at for item in alerts]),
            "last_event_at": ("timestamptz", [item.last_event_at for item in alerts]),
            "is_late": ("boolean", [item.is_late for item in alerts]),
            "settled_at": ("timestamptz", [item.settled_at for item in alerts]),
        },
        on_conflict=_CARRY_ON,
    )
    for table, column, is_finding in (
        ("alert_violation", "violation_id", False),
        ("alert_finding", "finding_id", True),
    ):
        held = [item for item in attachments if item.is_finding is is_finding]
        columns = {
            "alert_id": ("uuid", [item.alert_id for item in held]),
            column: ("uuid", [item.fact_id for item in held]),
        }
        insert_columns(connection, table, columns, on_conflict="ON CONFLICT DO NOTHING")
    return written


def save_notifications(connection: Connection, notifications: Sequence[Notification]) -> int:
    """Put notifications in the outbox, due at once; one that is there already is left as it is.

    A call is the office's from the start: no gateway makes it, and ``alerts.decided_store`` makes the task.
    """
    calls = [item.channel is Channel.VOICE_TASK for item in notifications]
    by_call = list(zip(notifications, calls, strict=True))
    columns: dict[str, tuple[str, Sequence[Any]]] = {
        "notification_id": ("uuid", [item.notification_id for item in notifications]),
        "alert_id": ("uuid", [item.alert_id for item in notifications]),
        "recipient_id": ("uuid", [item.recipient_id for item in notifications]),
        "role": ("text", [str(item.role) for item in notifications]),
        "template": ("text", [item.template for item in notifications]),
        "text": ("text", [item.text for item in notifications]),
        "event_at": ("timestamptz", [item.event_at for item in notifications]),
        "decided_at": ("timestamptz", [item.decided_at for item in notifications]),
        "known_at": ("timestamptz", [item.known_at for item in notifications]),
        "channel": ("text", [str(item.channel) for item in notifications]),
        "language": ("text", [item.language for item in notifications]),
        "variables": ("jsonb", [json.dumps(item.variables, ensure_ascii=False) for item in notifications]),
        "step": ("integer", [item.step for item in notifications]),
        "tell_until": ("timestamptz", [item.tell_until for item in notifications]),
        "state": ("text", ["sent" if call else "pending" for call in calls]),
        "sent_at": ("timestamptz", [item.known_at if call else None for item, call in by_call]),
        "provider": ("text", [OFFICE if call else None for call in calls]),
        "provider_reference": ("text", [str(item.notification_id) if call else None for item, call in by_call]),
    }
    return insert_columns(connection, "notification", columns, on_conflict="ON CONFLICT (notification_id) DO NOTHING")
