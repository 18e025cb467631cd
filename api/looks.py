"""Looks: asked for with a purpose, decided by a leader, found again when something is to be shown.

The connection is one of ``as_account``: PostgreSQL decides what the account may ask for, decide and see (migration
0009). A look opens nothing in the transaction that asks for it or decides it: commit first.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from api.access.caller import actor_of
from api.audit import LookKind, record_look
from api.errors import ApprovalMissingError, LookMissingError, NotAllowedError, NotThereError
from api.ids import new_id
from api.look_policy import LOOK_LIFE, WAIT_FOR_DECISION, Look, LookWish, Purpose, SightKind

_COLUMNS = ", ".join(item.name for item in fields(Look))

_NOTED_AS = {
    SightKind.TRACK: LookKind.TRACK,
    SightKind.PERSON: LookKind.PERSON,
    SightKind.EXPORT: LookKind.EXPORT,
    SightKind.EVIDENCE: LookKind.EVIDENCE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looker:
    """Somebody who took part in a look: who asked for it, or decided it."""

    look_id: UUID
    account_no: int
    account_id: UUID
    display_name: str
    division_code: str | None


def subject_no_of(connection: Connection, subject_id: UUID, *, is_break_glass: bool = False) -> int:
    """The number of a subject whom the account sees, or may break the glass for. Raises ``NotThereError``."""
    query = (
        "SELECT subject_within_jurisdiction(:subject_id)"
        if is_break_glass
        else "SELECT subject_no FROM subject WHERE subject_id = :subject_id"
    )
    found = connection.execute(text(query), {"subject_id": subject_id}).scalar()
    if found is None:
        raise NotThereError
    return int(found)


def ask_look(connection: Connection, wish: LookWish, *, subject_no: int) -> Look:
    """Keep a look, open or waiting for a leader as the rules say; breaking the glass leaves a notice.

    Raises ``LookRefusedError``, and ``NotThereError`` for a subject that the account may not even ask about.
    """
    wish.check()
    asked = {
        "look_id": str(new_id()),
        "subject_no": subject_no,
        "kind": wish.kind,
        "purpose_code": wish.purpose_code,
        "purpose": wish.purpose.strip(),
        "from_at": None if wish.from_at is None else wish.from_at.isoformat(),
        "to_at": None if wish.to_at is None else wish.to_at.isoformat(),
        "row_count": wish.row_count,
        "is_break_glass": wish.is_break_glass,
    }
    row = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM ask_look(jsonb_populate_record(NULL::look, CAST(:asked AS jsonb)), :life, :wait)"
        ),
        {"asked": json.dumps(asked), "life": wish.life, "wait": WAIT_FOR_DECISION},
    ).one()
    if row.look_id is None:
        raise NotThereError
    return _look(row)


def decide_look(connection: Connection, look_id: UUID, *, account_no: int, is_approved: bool) -> Look:
    """Approve or refuse a look of another officer. Raises ``NotAllowedError`` for one's own, else ``NotThereError``."""
    row = connection.execute(
        text(f"SELECT {_COLUMNS} FROM decide_look(:look_id, :is_approved, :life)"),
        {"look_id": look_id, "is_approved": is_approved, "life": LOOK_LIFE},
    ).one()
    if row.look_id is not None:
        return _look(row)
    query = text("SELECT account_no FROM look WHERE look_id = :look_id")
    if connection.execute(query, {"look_id": look_id}).scalar() == account_no:
        raise NotAllowedError
    raise NotThereError


def find_look(
    connection: Connection, look_id: UUID, *, account_no: int, subject_no: int, kind: SightKind, now: datetime
) -> Look:
    """The account's own open look of this kind at this subject.

    Raises ``LookMissingError`` (a ``NotThereError``) where there is none, it ended, or it was refused, and
    ``ApprovalMissingError`` while a leader has still to decide. It has ended once ``now`` or the database's clock say
    so; fixes are shown by the latter.
    """
    row = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM look WHERE look_id = :look_id AND account_no = :account_no"
            " AND subject_no = :subject_no AND kind = :kind AND ends_at > greatest(now(), :now)"
            " AND subject_no IN (SELECT visible_subjects())"
        ),
        {"look_id": look_id, "account_no": account_no, "subject_no": subject_no, "kind": kind, "now": now},
    ).one_or_none()
    look = None if row is None else _look(row)
    if look is None or look.is_approved is False:
        raise LookMissingError
    if not look.is_open:
        raise ApprovalMissingError
    return look


def note_look(connection: Connection, look: Look, *, account_id: UUID, detail: str = "") -> None:
    """Put into the audit that something is shown under a look. Commit before showing it.

    The entry carries the code of the purpose; its words stay with the look.
    """
    record_look(
        connection,
        _NOTED_AS[look.kind],
        actor=actor_of(account_id),
        purpose=look.purpose_code,
        subject_no=look.subject_no,
        detail=f"look {look.look_id} {detail}".strip(),
    )


def own_looks(connection: Connection, account_no: int, *, most: int) -> list[Look]:
    """The looks of an account, the newest first."""
    return _looks(connection, "account_no = :no ORDER BY asked_at DESC, look_id LIMIT :most", no=account_no, most=most)


def waiting_looks(connection: Connection, account_no: int, *, most: int) -> list[Look]:
    """Looks of others, at subjects whom the account sees, that wait for a leader; the oldest first."""
    return _looks(
        connection,
        "account_no <> :no AND needs_approval AND NOT is_break_glass AND is_approved IS NULL AND ends_at > now()"
        " AND subject_no IN (SELECT visible_subjects()) ORDER BY asked_at, look_id LIMIT :most",
        no=account_no,
        most=most,
    )


def looks_at(connection: Connection, subject_no: int, *, most: int) -> list[Look]:
    """All looks at a subject, the newest first."""
    return _looks(connection, "subject_no = :no ORDER BY asked_at DESC, look_id LIMIT :most", no=subject_no, most=most)


def lookers_of(connection: Connection, looks: Sequence[Look]) -> dict[int, Looker]:
    """Who took part in these looks, by number of the account."""
    rows = connection.execute(
        text("SELECT * FROM people_of_looks(:looks)"), {"looks": [look.look_id for look in looks]}
    )
    return {row.account_no: Looker(**row._mapping) for row in rows}


def _looks(connection: Connection, condition: str, **values: Any) -> list[Look]:
    rows = connection.execute(text(f"SELECT {_COLUMNS} FROM look WHERE {condition}"), values)
    return [_look(row) for row in rows]


def _look(row: Row[Any]) -> Look:
    values: dict[str, Any] = dict(row._mapping)
    return Look(**values | {"kind": SightKind(values["kind"]), "purpose_code": Purpose(values["purpose_code"])})
