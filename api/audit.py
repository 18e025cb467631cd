"""The audit as the program uses it: who acts, for what purpose, and what was looked at.

Changes of audited tables need no call: triggers of the database write them. Who did it is taken from the transaction.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, text

from api.request_ids import current_request_id

SHORTEST_PURPOSE = 2
"""Characters: 核查 is a purpose."""

AUDITED_TABLES = (
    "zone", "subject", "device", "supervision_order", "condition", "recipient", "violation", "alert",
    "alert_violation", "notification", "fix_set_aside", "retention_run", "thinning_run", "division", "account",
    "account_role", "api_token", "subject_jurisdiction", "case_member", "look_rule", "look", "notice",
    "export_limit", "export_run", "account_identity", "record_sealing", "unsealing_request",
    "leave", "leave_approval", "exemption", "finding", "task", "decision", "calendar_year", "alert_finding",
    "alert_history", "duty_absence", "duty_roster", "guardian_link", "guardian_answer", "delivery_report", "reply",
    "case_intake", "venue_link", "venue_observation", "measurement_archive", "lead", "lead_event",
)  # fmt: skip
"""Every row of these is compared with its last entry. The log of fixes and what is derived from it are
not: see ADR 0015; nor are sessions and counters of failed log-ins, whose events are noted."""


SEALED = "封存 sealed"
"""Shown in place of what an entry is about when it is about a sealed record. The entry itself stays whole."""


class LookKind(StrEnum):
    """What an application may note beside changed rows."""

    EXPLAIN = "look_explain"
    TRACK = "look_track"
    MAP = "look_map"
    PERSON = "look_person"
    EXPORT = "export"
    EXPORT_REFUSED = "export_refused"
    EVIDENCE = "evidence"
    LOG_IN = "log_in"
    LOG_IN_REFUSED = "log_in_refused"
    LOCKED_OUT = "locked_out"
    UNLOCKED = "unlocked"
    LOG_OUT = "log_out"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 # a word, no secret
    SECOND_FACTOR = "second_factor"
    TOKEN_MADE = "token_made"  # noqa: S105
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    DECISION = "decision"
    BREAK_GLASS = "break_glass"
    MEASUREMENT = "look_measurement"
    RECOMMENDATION = "look_recommendation"


class PurposeMissingError(ValueError):
    """Somebody wanted to see a person's data without saying what for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry as people read it; ``at`` is aware."""

    position: int
    at: datetime
    kind: str
    actor: str
    purpose: str
    what: str
    subject_no: int | None


def name_actor(connection: Connection, *, actor: str, purpose: str = "", request_id: str = "") -> None:
    """Say who acts until the transaction ends; every entry of it carries this.

    Without it an entry is by ``system:`` and the name of the process. The request is the one being answered, if any.
    """
    connection.execute(
        text(
            "SELECT set_config('hulan.actor', :actor, true), set_config('hulan.purpose', :purpose, true),"
            " set_config('hulan.request_id', :request_id, true)"
        ),
        {"actor": actor, "purpose": purpose, "request_id": request_id or current_request_id()},
    )


def record_look(
    connection: Connection,
    kind: LookKind,
    *,
    actor: str,
    purpose: str | None,
    subject_no: int | None,
    detail: str,
    request_id: str = "",
) -> None:
    """Note that ``actor`` sees data of a person. Commit before showing anything.

    ``detail`` names what is seen by ids, never by names. Raises :class:`PurposeMissingError` without a purpose.
    """
    stated = "" if purpose is None else purpose.strip()
    if len(stated) < SHORTEST_PURPOSE:
        raise PurposeMissingError(
            "查阅个人数据须说明目的，例如 --purpose 核查警报"
            " / to see data of a person, state what for, e.g. --purpose 'check of the alert'"
        )
    name_actor(connection, actor=actor, purpose=stated, request_id=request_id)
    record_event(connection, kind, subject_no=subject_no, detail=detail)


def record_event(connection: Connection, kind: LookKind, *, subject_no: int | None, detail: str) -> None:
    """Note what changes no row and needs no purpose, such as a log-in. No names in ``detail``."""
    connection.execute(
        text("SELECT audit_note(:kind, :subject_no, :detail)"),
        {"kind": str(kind), "subject_no": subject_no, "detail": detail},
    )


_CODE = re.compile(r"[a-z_]+")


def read_entries(connection: Connection, *, before: int | None, most: int) -> list[dict[str, Any]]:
    """Entries for the audit administrator, the newest first. A purpose in words may name somebody: codes only."""
    rows = connection.execute(
        text(
            "SELECT position, at, kind, actor, purpose, request_id, subject_no, table_name, row_key, detail"
            " FROM audit_entry WHERE CAST(:before AS bigint) IS NULL OR position < :before"
            " ORDER BY position DESC LIMIT :most"
        ),
        {"before": before, "most": most},
    )
    return [{**row._mapping, "purpose": row.purpose if _CODE.fullmatch(row.purpose) else ""} for row in rows]


def last_entries(connection: Connection, *, subject_no: int | None = None, most: int) -> Sequence[ShownEntry]:
    """The newest entries, the newest last; of one subject, if one is named. Of a sealed record only that, when, who."""
    of_subject = "" if subject_no is None else "WHERE subject_no = :subject_no"
    sealed = "subject_no IN (SELECT subject_no FROM subject WHERE sealed_at IS NOT NULL)"
    rows = connection.execute(
        text(
            f"SELECT *, coalesce({sealed}, false) AS is_sealed FROM audit_entry {of_subject}"
            " ORDER BY position DESC LIMIT :most"
        ),
        {"subject_no": subject_no, "most": most} if of_subject else {"most": most},
    ).all()
    return [_shown(row) for row in reversed(rows)]


def _shown(row: Any) -> ShownEntry:
    what = row.detail if row.table_name is None else f"{row.table_name} {row.row_key}"
    return ShownEntry(
        position=row.position,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        purpose=SEALED if row.is_sealed else row.purpose,
        what=SEALED if row.is_sealed else what,
        subject_no=None if row.is_sealed else row.subject_no,
    )
