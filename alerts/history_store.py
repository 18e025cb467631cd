"""What became of an alert, in order: appended to, read, never changed (the database refuses it)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from geo.postgis import insert_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One thing that happened to an alert. ``at``: aware. ``actor``: ``account``, ``guardian``, or a part of Hulan."""

    alert_id: UUID
    subject_no: int
    at: datetime
    kind: str
    """Lower case and underscores: opened, acknowledged, closed, failed_over, …"""
    actor: str
    account_no: int | None = None
    reason: str | None = None
    remark: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Ids and codes; nothing personal."""


def append_history(connection: Connection, entries: Sequence[HistoryEntry]) -> None:
    """Add entries in their order."""
    insert_columns(
        connection,
        "alert_history",
        {
            "alert_id": ("uuid", [item.alert_id for item in entries]),
            "subject_no": ("bigint", [item.subject_no for item in entries]),
            "at": ("timestamptz", [item.at for item in entries]),
            "kind": ("text", [item.kind for item in entries]),
            "actor": ("text", [item.actor for item in entries]),
            "account_no": ("bigint", [item.account_no for item in entries]),
            "reason": ("text", [item.reason for item in entries]),
            "remark": ("text", [item.remark for item in entries]),
            "detail": ("jsonb", [json.dumps(item.detail, ensure_ascii=False) for item in entries]),
        },
    )


def history_of(connection: Connection, alert_id: UUID) -> list[HistoryEntry]:
    """All that happened to an alert, in order."""
    rows = connection.execute(
        text(
            "SELECT alert_id, subject_no, at, kind, actor, account_no, reason, remark, detail FROM alert_history"
            " WHERE alert_id = :alert_id ORDER BY entry_no"
        ),
        {"alert_id": alert_id},
    )
    return [HistoryEntry(**row._mapping) for row in rows]
