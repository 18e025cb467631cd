"""Notices to the audit administrator: who broke the glass, in ids. Written with the look itself (migration 0009)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice as the audit administrator reads it; instants aware. ``account_id`` broke the glass."""

    notice_id: UUID
    kind: str
    look_id: UUID
    account_id: UUID
    subject_no: int
    made_at: datetime
    reviewed_at: datetime | None
    remark: str | None


def read_notices(connection: Connection, *, is_open: bool, most: int) -> list[Notice]:
    """The oldest first; only those that nobody reviewed, if ``is_open``."""
    rows = connection.execute(
        text(
            "SELECT notice_id, kind, look_id, account_id, subject_no, made_at, reviewed_at, remark FROM notice"
            # Whoever reads as the tables' owner finds nobody who is sealed; of an account the policies decide.
            " WHERE (row_security_active('notice') OR subject_no IN"
            " (SELECT subject_no FROM subject WHERE sealed_at IS NULL))"
            + (" AND reviewed_at IS NULL" if is_open else "")
            + " ORDER BY made_at, notice_id LIMIT :most"
        ),
        {"most": most},
    )
    return [Notice(**row._mapping) for row in rows]


def review_notice(connection: Connection, notice_id: UUID, *, remark: str) -> bool:
    """Acknowledge a notice, as audit administrator and once; false if there is none to acknowledge."""
    row = connection.execute(
        text("SELECT notice_id FROM review_notice(:notice_id, :remark)"), {"notice_id": notice_id, "remark": remark}
    ).one()
    return row.notice_id is not None
