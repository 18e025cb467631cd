"""The record of what left, and the limit on it: kept by the database (migration 0010), asked here."""

import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.errors import ExportLimitError
from api.exporting.manifest import AuditPlace
from api.look_policy import Look


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRun:
    """One export. ``account_no`` and ``look_id`` are ``None`` at the server's terminal; ``manifest_hash``: SHA-256."""

    export_id: UUID
    kind: str
    account_no: int | None
    made_by: str
    subject_no: int
    alert_id: UUID | None
    look_id: UUID | None
    track_rows: int
    lodging_rows: int
    manifest_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRun:
    """An export as lists show it."""

    export_id: UUID
    kind: str
    made_by: str
    made_at: datetime
    subject_id: UUID
    alert_id: UUID | None
    look_id: UUID | None
    is_approved: bool
    track_rows: int
    lodging_rows: int
    manifest_sha256: str


def rows_allowed(connection: Connection, look: Look) -> int | None:
    """How many track rows may leave under a look; ``None``: as many as it spans, because a leader approved it.

    Until the transaction ends, another export of the same account waits.
    """
    if look.is_approved is True:
        return None
    return int(connection.execute(text("SELECT export_rows_left('track')")).scalar_one())


def check_rows(row_count: int, allowed: int | None) -> None:
    """Raises :class:`ExportLimitError` if more rows would leave than may."""
    if allowed is not None and row_count > allowed:
        raise ExportLimitError


def record_run(connection: Connection, run: ExportRun) -> None:
    """Keep a run of an account (``as_account``). Raises :class:`ExportLimitError` where the database refuses it."""
    query = text("SELECT record_export(jsonb_populate_record(NULL::export_run, CAST(:run AS jsonb)))")
    if connection.execute(query, {"run": _as_json(run)}).scalar_one() is None:
        raise ExportLimitError


def record_terminal_run(connection: Connection, run: ExportRun) -> None:
    """Keep a run of the server's terminal, by the owner of the tables: no look, no limit, on record all the same."""
    columns = [item.name for item in fields(run)]
    connection.execute(
        text(
            f"INSERT INTO export_run ({', '.join(columns)}, is_approved)"
            f" VALUES ({', '.join(f':{name}' for name in columns)}, false)"
        ),
        {name: getattr(run, name) for name in columns},
    )


def own_entry(connection: Connection) -> AuditPlace:
    """The entry of the audit that this transaction wrote last."""
    row = connection.execute(text("SELECT * FROM audit_own_entry()")).one()
    return AuditPlace(position=row.position, hash=bytes(row.hash).hex())


def list_runs(connection: Connection, *, most: int) -> list[ShownRun]:
    """The exports that the account may read about, the newest first."""
    rows = connection.execute(
        text(
            "SELECT r.*, s.subject_id, encode(r.manifest_hash, 'hex') AS manifest_sha256 FROM export_run r"
            " JOIN subject s USING (subject_no) ORDER BY r.made_at DESC, r.export_id LIMIT :most"
        ),
        {"most": most},
    )
    return [ShownRun(**{item.name: getattr(row, item.name) for item in fields(ShownRun)}) for row in rows]


def _as_json(run: ExportRun) -> str:
    values: dict[str, Any] = {item.name: getattr(run, item.name) for item in fields(run)}
    values["manifest_hash"] = rf"\x{run.manifest_hash.hex()}"
    return json.dumps(values, default=str)
