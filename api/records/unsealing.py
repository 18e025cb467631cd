"""Opening a sealed record: one person asks, a leader approves, both see it until the time is over.

Whether it is over is asked of the database's clock with every statement (``hidden_subjects`` of migration 0011): no job
has to run.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.access.caller import KEEPER_ROLE, actor_of, as_account
from api.access.roles import AccountRole
from api.audit import name_actor
from api.errors import NotThereError, RefusedInputError
from api.ids import new_id
from api.records.grounds import LONGEST_UNSEALED, UnsealingGround
from api.records.sealing import PURPOSE, SEALERS, Basis

_ASK = text("""
INSERT INTO unsealing_request (request_id, subject_id, subject_no, ground, ground_text, document_number, asked_by,
    asked_at)
SELECT :request_id, :subject_id, (
        SELECT s.subject_no FROM subject s WHERE s.subject_id = :subject_id AND s.sealed_at IS NOT NULL
            AND s.subject_no IN (SELECT subjects_of_account())
            AND NOT EXISTS (SELECT FROM record_sealing r WHERE r.subject_no = s.subject_no AND r.action = 'shredded')),
    :ground, :words, :document, current_account_no(), :now
""")

_PENDING = (
    "decided_by IS NULL AND asked_by <> current_account_no() AND subject_no IN (SELECT subjects_of_account())"
    " AND current_account_has('leader')"
)

_APPROVED = text("""
INSERT INTO record_sealing (sealing_id, subject_no, action, ground, ground_text, document_number, by_account_no,
    second_account_no, at, unsealed_until)
SELECT :sealing_id, subject_no, 'unsealed', ground, ground_text, document_number, asked_by, decided_by, decided_at,
    unsealed_until FROM unsealing_request WHERE request_id = :request_id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsealings:
    """What waits for a leader, and what became of the account's own requests: rows by column."""

    to_decide: tuple[dict[str, Any], ...]
    own: tuple[dict[str, Any], ...]


def ask_unsealing(engine: Engine, *, account_id: UUID, subject_id: UUID, basis: Basis, now: datetime) -> UUID:
    """Ask for a sealed record to be opened; returns the request's id, also when there is no such record.

    Else whoever may ask could find out who has a record. Such a request comes before nobody.
    """
    UnsealingGround(basis.ground)
    request_id = new_id()
    with as_account(engine, account_id, role=KEEPER_ROLE) as connection:
        _admit(connection, account_id, roles=SEALERS)
        connection.execute(
            _ASK,
            {
                "request_id": request_id,
                "subject_id": subject_id,
                "ground": basis.ground,
                "words": basis.ground_text,
                "document": basis.document_number,
                "now": now,
            },
        )
    return request_id


def decide_unsealing(
    engine: Engine, *, account_id: UUID, request_id: UUID, is_approved: bool, length: timedelta, now: datetime
) -> datetime | None:
    """Approve or refuse, as a leader whose case it is and who did not ask; returns until when it is open.

    Raises ``NotThereError`` for a request that is not the caller's to decide, ``RefusedInputError`` for a length that
    is not positive or too long.
    """
    if not timedelta(0) < length <= LONGEST_UNSEALED:
        raise RefusedInputError(f"at most {LONGEST_UNSEALED.days} days")
    with as_account(engine, account_id, role=KEEPER_ROLE) as connection:
        _admit(connection, account_id, roles=frozenset({AccountRole.LEADER}))
        decided = connection.execute(
            text(
                "UPDATE unsealing_request SET decided_by = current_account_no(), decided_at = :now,"
                " is_approved = :is_approved,"
                " unsealed_until = CASE WHEN :is_approved THEN clock_timestamp() + :length END"
                f" WHERE request_id = :request_id AND {_PENDING} RETURNING unsealed_until"
            ),
            {"request_id": request_id, "is_approved": is_approved, "length": length, "now": now},
        ).one_or_none()
        if decided is None:
            raise NotThereError
        if is_approved:
            connection.execute(_APPROVED, {"sealing_id": new_id(), "request_id": request_id})
    until: datetime | None = decided.unsealed_until
    return until


def list_unsealings(engine: Engine, *, account_id: UUID) -> Unsealings:
    """What the account may decide, and what it asked for."""
    columns = "request_id, subject_id, ground, ground_text, document_number, asked_at"
    with as_account(engine, account_id, role=KEEPER_ROLE) as connection:
        _admit(connection, account_id, roles=SEALERS)
        to_decide = connection.execute(
            text(f"SELECT {columns} FROM unsealing_request WHERE {_PENDING} ORDER BY asked_at")
        ).all()
        own = connection.execute(
            text(
                f"SELECT {columns}, is_approved, unsealed_until FROM unsealing_request"
                " WHERE asked_by = current_account_no() ORDER BY asked_at"
            )
        ).all()
    return Unsealings(
        to_decide=tuple(dict(row._mapping) for row in to_decide), own=tuple(dict(row._mapping) for row in own)
    )


def _admit(connection: Connection, account_id: UUID, *, roles: frozenset[AccountRole]) -> None:
    """Raises ``NotThereError`` for an account without one of the roles."""
    is_admitted = connection.execute(
        text("SELECT bool_or(current_account_has(role)) FROM unnest(CAST(:roles AS text[])) AS role"),
        {"roles": sorted(roles)},
    ).scalar_one()
    if not is_admitted:
        raise NotThereError
    name_actor(connection, actor=actor_of(account_id), purpose=PURPOSE)
