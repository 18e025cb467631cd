"""What became of an alert, in order: added to, read, never changed (the database refuses it)."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from alerts.history import Actor, ActorKind, HistoryEntry, HistoryKind
from alerts.reason import Reason
from geo.postgis import insert_columns


def append_history(connection: Connection, entries: Sequence[HistoryEntry], *, subject_no: int) -> None:
    """Add entries about alerts of a subject in their order; one that is there already stays as it is."""
    insert_columns(
        connection,
        "alert_history",
        {
            "entry_id": ("uuid", [item.entry_id for item in entries]),
            "alert_id": ("uuid", [item.alert_id for item in entries]),
            "subject_no": ("bigint", [subject_no] * len(entries)),
            "kind": ("text", [str(item.kind) for item in entries]),
            "at": ("timestamptz", [item.at for item in entries]),
            "actor_kind": ("text", [str(item.actor.kind) for item in entries]),
            "actor_id": ("uuid", [item.actor.actor_id for item in entries]),
            "reason_code": ("text", [str(item.reason.code) for item in entries]),
            "reason_zh": ("text", [item.reason.zh for item in entries]),
            "reason_en": ("text", [item.reason.en for item in entries]),
            "about": ("uuid", [item.about for item in entries]),
            "remark": ("text", [item.remark for item in entries]),
        },
        on_conflict="ON CONFLICT (entry_id) DO NOTHING",
    )


def history_of(connection: Connection, alert_id: UUID) -> list[HistoryEntry]:
    """All that happened to an alert, in the order in which it was written."""
    rows = connection.execute(
        text("SELECT * FROM alert_history WHERE alert_id = :alert_id ORDER BY entry_no"), {"alert_id": alert_id}
    )
    return [
        HistoryEntry(
            entry_id=row.entry_id,
            alert_id=row.alert_id,
            kind=HistoryKind(row.kind),
            at=row.at,
            actor=Actor(kind=ActorKind(row.actor_kind), actor_id=row.actor_id),
            reason=Reason(code=row.reason_code, zh=row.reason_zh, en=row.reason_en),
            about=row.about,
            remark=row.remark,
        )
        for row in rows
    ]
