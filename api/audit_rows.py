"""Whether the audited tables still hold what their last entries say. Computed here, not by the database's functions."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from api.audit_chain import Algorithm, Fault, FaultKind, digest, field

_TRIGGERS = {"audit_insert", "audit_update", "audit_delete", "audit_truncate"}
_GUARD = "audit_refuse"

_AS_TEXT = (
    "SELECT set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO, MDY', true),"
    " set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true),"
    " set_config('intervalstyle', 'postgres', true)"
)
"""How values are written as text while they are hashed; the same as in migration 0006."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEntry:
    """The last entry of one row. ``columns``: name → fingerprint of four hex digits, or ``-`` for a personal column."""

    position: int
    at: datetime
    is_deleted: bool
    algorithm: Algorithm
    columns: Mapping[str, str]
    row_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Difference:
    key: str
    last: LastEntry
    found: bytes
    values: Mapping[str, str | None]


def content_of(values: Mapping[str, str | None], names: Sequence[str]) -> bytes:
    """The bytes of a row that are hashed: name and value of each column that is no key, by name."""
    return b"".join(field(name) + field(values.get(name)) for name in names)


def find_row_faults(connection: Connection, table: str, *, progress: Callable[[int], None]) -> Iterator[Fault]:
    """Rows of one audited table that were altered, removed, added or swapped without an entry."""
    connection.execute(text(_AS_TEXT))
    expected = _last_entries(connection, table)
    different: list[_Difference] = []
    for key, values in _rows(connection, table):
        progress(1)
        last = expected.pop(key, None)
        if last is None or last.is_deleted:
            order = 0 if last is None else last.position
            reason = "no entry tells of it" if last is None else f"entry {last.position} says that it was deleted"
            yield Fault(kind=FaultKind.INSERTED, where=f"{table} {key}", detail=reason, order=order)
            continue
        found = digest(last.algorithm, content_of(values, sorted(last.columns)))
        if found != last.row_hash:
            different.append(_Difference(key=key, last=last, found=found, values=values))
    yield from _name_differences(table, different)
    for key, last in expected.items():
        if not last.is_deleted:
            detail = f"entry {last.position} says that it is there"
            yield Fault(kind=FaultKind.MISSING, where=f"{table} {key}", detail=detail, order=last.position, at=last.at)


def find_unguarded(connection: Connection, tables: Sequence[str]) -> Iterator[Fault]:
    """Triggers that are gone or switched off."""
    rows = connection.execute(
        text(
            "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            " JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgenabled IN ('O', 'A')"
            " AND c.relnamespace = 'public'::regnamespace AND p.proname = ANY(ARRAY['audit_rows', 'audit_refuse'])"
        )
    )
    found = {(row.relname, row.tgname) for row in rows}
    wanted = {(table, trigger) for table in tables for trigger in _TRIGGERS}
    wanted |= {("audit_entry", _GUARD), ("audit_checkpoint", _GUARD)}
    for table, trigger in sorted(wanted - found):
        detail = f"trigger {trigger} is gone or switched off"
        yield Fault(kind=FaultKind.UNGUARDED, where=table, detail=detail, order=0)


def _last_entries(connection: Connection, table: str) -> dict[str, LastEntry]:
    rows = connection.execute(
        text(
            "SELECT DISTINCT ON (row_key) row_key, position, at, kind, algorithm, columns, row_hash FROM audit_entry"
            " WHERE table_name = :table ORDER BY row_key, position DESC"
        ),
        {"table": table},
    )
    return {
        row.row_key: LastEntry(
            position=row.position,
            at=row.at,
            is_deleted=row.kind == "row_deleted",
            algorithm=Algorithm(row.algorithm),
            columns=dict(part.split(":") for part in (row.columns or "").split(",") if part),
            row_hash=bytes(row.row_hash or b""),
        )
        for row in rows
    }


def _rows(connection: Connection, table: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Key and text values of every row."""
    columns = connection.execute(
        text(
            "SELECT a.attname, coalesce(a.attnum = ANY(i.indkey), false) AS is_key FROM pg_attribute a"
            " LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary"
            " WHERE a.attrelid = CAST(:table AS regclass) AND a.attnum > 0 AND NOT a.attisdropped"
        ),
        {"table": table},
    ).all()
    keys = sorted(row.attname for row in columns if row.is_key)
    names = sorted(row.attname for row in columns if not row.is_key)
    key = (
        f"CAST({keys[0]} AS text)"
        if len(keys) == 1
        else f"CAST(ARRAY[{', '.join(f'CAST({name} AS text)' for name in keys)}] AS text)"
    )
    wanted = ", ".join([key, *(f'CAST("{name}" AS text)' for name in names)])
    rows = connection.execute(text(f"SELECT {wanted} FROM {table}").execution_options(stream_results=True))
    for row in rows:
        yield row[0], dict(zip(names, row[1:], strict=True))


def _name_differences(table: str, different: Sequence[_Difference]) -> Iterator[Fault]:
    by_expected: dict[bytes, list[_Difference]] = {}
    for item in different:
        by_expected.setdefault(item.last.row_hash, []).append(item)
    paired: set[str] = set()
    for item in different:
        partners = [
            other
            for other in by_expected.get(item.found, [])
            if other.found == item.last.row_hash and other is not item
        ]
        if item.key in paired:
            continue
        if partners:
            paired.add(partners[0].key)
            yield _row_fault(FaultKind.SWAPPED, table, item, f"with {table} {partners[0].key}")
        else:
            yield _row_fault(FaultKind.ALTERED, table, item, _what_changed(item))


def _what_changed(item: _Difference) -> str:
    columns = item.last.columns
    changed = [name for name, mark in columns.items() if mark not in {"-", _fingerprint(item.values.get(name))}]
    changed = changed or [name for name, mark in columns.items() if mark == "-"]
    return f"column {', '.join(changed)}; last told by entry {item.last.position}"


def _fingerprint(value: str | None) -> str:
    return hashlib.sha256(field(value)).hexdigest()[:4]


def _row_fault(kind: FaultKind, table: str, item: _Difference, detail: str) -> Fault:
    return Fault(kind=kind, where=f"{table} {item.key}", detail=detail, order=item.last.position, at=item.last.at)
