"""Sealing a person's record: one action, after which the person is not there (ADR 0020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.access.caller import KEEPER_ROLE, actor_of, as_account
from api.access.roles import AccountRole
from api.audit import name_actor
from api.devices import revoke_devices
from api.errors import NotThereError
from api.ids import new_id
from api.personal.fields import SEALED_TABLES, SealedTable, current_key, open_field, seal_row
from api.personal.keyring import Keyring
from api.personal.sealing import Key
from api.records.grounds import SealingGround, keep_until
from tracking.order_store import lift_order

PURPOSE = "封存 sealed records"
"""In the audit, for whatever is done about them. No document is named: not every entry can be masked by its subject."""

SEALERS = frozenset({AccountRole.PROSECUTOR, AccountRole.LEADER})
"""Who may seal the record of a case of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """On what a record is sealed or opened: the ground, in words what it is in this case, and the document."""

    ground: str
    ground_text: str
    document_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRecord:
    """What was done. ``keep_until``: aware, when the record is to be destroyed."""

    subject_no: int
    keep_until: datetime
    key_id: str


def seal_record(
    engine: Engine, keyring: Keyring, *, account_id: UUID, subject_id: UUID, basis: Basis, now: datetime
) -> SealedRecord:
    """Take a person out of everything, at once and whole.

    Raises ``NotThereError`` unless the account is a prosecutor's or a leader's who sees the case; so does a record that
    is sealed already. ``KeyringError`` and ``SealError`` as :func:`api.personal.fields.identity_of`.
    """
    SealingGround(basis.ground)
    account_no, subject_no = _admitted(engine, account_id, subject_id)
    with as_account(engine, account_id, role=KEEPER_ROLE) as connection:
        name_actor(connection, actor=actor_of(account_id), purpose=PURPOSE)
        hold_record(connection, subject_no)
        sealed_at = connection.execute(
            text("SELECT sealed_at FROM subject WHERE subject_no = :no"), {"no": subject_no}
        ).scalar_one()
        if sealed_at is not None:
            raise NotThereError
        until = keep_until(now)
        cipher = current_key(connection, keyring).cipher
        key = keyring.add_for(subject_id, cipher, keep_until=until, at=now)  # on disk before anything is sealed with it
        _end_supervision(connection, subject_no, now=now)
        _seal_fields(connection, keyring, key, subject_no, ground=basis.ground, now=now)
        _silence(connection, subject_no)
        done = SealedRecord(subject_no=subject_no, keep_until=until, key_id=key.key_id)
        _note(connection, done, basis, account_no, now=now)
    return done


def hold_record(connection: Connection, subject_no: int) -> int:
    """Wait for the evaluator that is at work on the subject, and let none that began before commit; returns the shard.

    The subject first, then the shard: an evaluator takes them in this order too.
    """
    shard = connection.execute(
        text("SELECT shard FROM subject WHERE subject_no = :no FOR UPDATE"), {"no": subject_no}
    ).scalar_one()
    connection.execute(text("UPDATE shard SET fence = fence WHERE shard = :shard"), {"shard": shard})
    return int(shard)


def _admitted(engine: Engine, account_id: UUID, subject_id: UUID) -> tuple[int, int]:
    with as_account(engine, account_id) as connection:
        row = connection.execute(
            text(
                "SELECT current_account_no() AS account_no, subject_no FROM subject WHERE subject_id = :subject_id"
                " AND EXISTS (SELECT FROM unnest(CAST(:roles AS text[])) AS role WHERE current_account_has(role))"
            ),
            {"subject_id": subject_id, "roles": sorted(SEALERS)},
        ).one_or_none()
    if row is None:
        raise NotThereError
    return row.account_no, row.subject_no


def _end_supervision(connection: Connection, subject_no: int, *, now: datetime) -> None:
    """No rule binds from this instant on, and no device is heard."""
    order_ids = connection.execute(
        text("SELECT order_id FROM supervision_order WHERE subject_no = :no AND superseded_at IS NULL"),
        {"no": subject_no},
    ).scalars()
    for order_id in order_ids.all():
        lift_order(connection, order_id, lifted_at=now, at=now)
    revoke_devices(connection, subject_no, now=now)


def _seal_fields(
    connection: Connection, keyring: Keyring, key: Key, subject_no: int, *, ground: str, now: datetime
) -> None:
    """Every personal field under the person's own key, and none to be found by its number."""
    connection.execute(
        text("INSERT INTO personal_key (key_id, cipher, is_current, subject_no) VALUES (:key_id, :cipher, false, :no)"),
        {"key_id": key.key_id, "cipher": str(key.cipher), "no": subject_no},
    )
    marked = "id_number_index = NULL, sealed_at = :now, sealing_ground = :ground"
    also: dict[str, tuple[str, dict[str, Any]]] = {
        "subject": (marked, {"now": now, "ground": ground}),
        "recipient": ("phone_index = NULL, is_blocked = true", {}),
        "reply": ("phone_index = NULL", {}),
    }
    for table in SEALED_TABLES:
        changes, values = also.get(table.table, ("", {}))
        _seal_table(connection, keyring, key, table, subject_no, changes=changes, values=values)


def _seal_table(
    connection: Connection,
    keyring: Keyring,
    key: Key,
    table: SealedTable,
    subject_no: int,
    *,
    changes: str,
    values: Mapping[str, Any],
) -> None:
    rows = connection.execute(
        text(
            f"SELECT {table.row_id} AS row_id, key_id, {', '.join(table.columns)} FROM {table.table}"
            " WHERE subject_no = :no FOR NO KEY UPDATE"
        ),
        {"no": subject_no},
    ).all()
    assignments = ", ".join([f"{column} = :{column}" for column in table.columns] + [changes] * bool(changes))
    for row in rows:
        texts = {
            column: open_field(keyring, sealed, key_id=row.key_id, table=table.table, column=column, row_id=row.row_id)
            for column in table.columns
            if (sealed := getattr(row, column)) is not None
        }
        anew = dict.fromkeys(table.columns) | seal_row(key, table=table.table, row_id=row.row_id, values=texts)
        connection.execute(
            text(f"UPDATE {table.table} SET {assignments}, key_id = :key_id WHERE {table.row_id} = :row_id"),
            {**anew, **values, "key_id": key.key_id, "row_id": row.row_id},
        )


def _silence(connection: Connection, subject_no: int) -> None:
    """No alert is anybody's work any more and no message leaves; triggers see to those that are still to come.

    No message is found by its number, so that those sent count no more against what the number may be sent.
    """
    for statement in (
        "UPDATE notification n SET state = 'dead', last_error = 'sealed' FROM alert a WHERE a.alert_id = n.alert_id"
        " AND a.subject_no = :no AND n.state = 'pending'",
        "UPDATE alert SET state = 'closed', closed_reason = 'sealed' WHERE subject_no = :no AND state <> 'closed'",
        "UPDATE notification n SET phone_index = NULL FROM alert a WHERE a.alert_id = n.alert_id"
        " AND a.subject_no = :no AND n.phone_index IS NOT NULL",
    ):
        connection.execute(text(statement), {"no": subject_no})


def _note(connection: Connection, done: SealedRecord, basis: Basis, account_no: int, *, now: datetime) -> None:
    connection.execute(
        text(
            "INSERT INTO record_sealing (sealing_id, subject_no, action, ground, ground_text, document_number,"
            " by_account_no, at, keep_until, key_id) VALUES (:id, :no, 'sealed', :ground, :words, :document, :by, :at,"
            " :until, :key_id)"
        ),
        {
            "id": new_id(),
            "no": done.subject_no,
            "ground": basis.ground,
            "words": basis.ground_text,
            "document": basis.document_number,
            "by": account_no,
            "at": now,
            "until": done.keep_until,
            "key_id": done.key_id,
        },
    )
