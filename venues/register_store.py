"""The register in PostGIS: records that never change, the venue of each key, and the one function that settles both."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

from geo.postgis import SRID, driver_connection, insert_columns
from venues.category import VenueCategory
from venues.place import SourceKey
from venues.register import RegisterEntry, record_of_content
from venues.source_record import OWN_NUMBER, SourceKind, SourceRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesSaved:
    """What an import changed in the register. ``changed``: new content, or back after it was withdrawn."""

    added: tuple[tuple[UUID, RegisterEntry], ...]
    """With the id of the venue."""
    changed: tuple[tuple[UUID, RegisterEntry], ...]
    unchanged_count: int
    outdated: tuple[RegisterEntry, ...]
    """Left as they were: the register is known to have said something else on a later day."""
    withdrawn_count: int
    touched: tuple[int, ...]
    """Numbers of venues for :func:`settle_venues`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    venue_no: int
    venue_id: UUID
    record_id: UUID | None
    category: str | None
    is_withdrawn: bool
    data_on: date | None

    def is_later_than(self, data_on: date | None) -> bool:
        """Whether this is known of a later day than a file speaks of."""
        return data_on is not None and self.data_on is not None and data_on < self.data_on

    def says_the_same(self, record: SourceRecord) -> bool:
        """Whether a record changes nothing. Another mapping may make another category of the same content."""
        return not self.is_withdrawn and self.record_id == record.record_id and self.category == record.category


def save_entries(
    connection: Connection,
    entries: Sequence[RegisterEntry],
    *,
    by: str,
    at: datetime,
    new_id: Callable[[], UUID],
    whole_source: str | None = None,
    data_on: date | None = None,
) -> EntriesSaved:
    """Keep every record, and make or bring up to date the venue of its key. Keys must be unique within ``entries``.

    ``data_on``: the day (Asia/Shanghai) as of which the register says all this; ``None``: it does not tell.
    ``whole_source``: entries are all that this register has; what it had and has no longer is withdrawn. The caller
    draws zones and then calls :func:`settle_venues` with ``touched``, in the same transaction. ``at``: aware.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/venue'))"))
    sources = {entry.record.key.source for entry in entries} | ({whole_source} if whole_source is not None else set())
    known = _known(connection, sources)
    added: list[tuple[UUID, RegisterEntry]] = []
    changed: list[tuple[UUID, RegisterEntry]] = []
    outdated: list[RegisterEntry] = []
    confirmed: list[int] = []
    for entry in entries:
        old = known.get(entry.record.key)
        if old is None:
            added.append((new_id(), entry))
        elif old.says_the_same(entry.record):
            confirmed.append(old.venue_no)
        elif old.is_later_than(data_on):
            outdated.append(entry)
        else:
            changed.append((old.venue_id, entry))
    written = [*added, *changed]
    _write_venues(connection, written, at, data_on)
    _write_records(connection, [entry.record for _, entry in written], by, at, data_on)
    if data_on is not None and confirmed:
        connection.execute(text(_STILL_SO), {"numbers": confirmed, "on": data_on})
    withdrawn = _withdraw(connection, known, entries, whole_source, at, data_on)
    numbers = connection.execute(
        text("SELECT venue_no FROM venue WHERE venue_id = ANY (:ids)"), {"ids": [venue_id for venue_id, _ in written]}
    ).scalars()
    return EntriesSaved(
        added=tuple(added),
        changed=tuple(changed),
        unchanged_count=len(confirmed),
        outdated=tuple(outdated),
        withdrawn_count=len(withdrawn),
        touched=(*numbers, *withdrawn),
    )


def settle_venues(connection: Connection, touched: Collection[int], *, at: datetime) -> None:
    """Say which row stands for each place, and withdraw zones or bring them back accordingly (migration 0023)."""
    if touched:
        connection.execute(text("SELECT settle_venues(:touched, :at)"), {"touched": list(touched), "at": at})


def load_current_records(connection: Connection) -> list[SourceRecord]:
    """What the registers say now, by register and key; what was withdrawn is left out."""
    rows = connection.execute(
        text(f"SELECT {RECORD_COLUMNS} FROM venue v JOIN venue_source_record r USING (record_no)"
             " WHERE v.withdrawn_at IS NULL ORDER BY r.source, r.source_id")
    )  # fmt: skip
    return [record_of_row(row) for row in rows]


RECORD_COLUMNS = "r.record_id, r.source, r.source_id, r.kind, r.content, r.longitude, r.latitude, v.category"


def record_of_row(row: Any) -> SourceRecord:
    """The record of a row with ``RECORD_COLUMNS``: its category is what the last import's mapping made of it."""
    return record_of_content(
        row.content,
        key=SourceKey(source=row.source, source_id=row.source_id),
        kind=SourceKind(row.kind),
        longitude=row.longitude,
        latitude=row.latitude,
        category=None if row.category is None else VenueCategory(row.category),
    )


def _known(connection: Connection, sources: Collection[str]) -> dict[SourceKey, _Known]:
    rows = connection.execute(
        text("SELECT v.venue_no, v.venue_id, v.source, v.source_id, r.record_id, v.category, v.withdrawn_at, v.data_on"
             " FROM venue v LEFT JOIN venue_source_record r USING (record_no) WHERE v.source = ANY (:sources)"),
        {"sources": sorted(sources)},
    )  # fmt: skip
    return {
        SourceKey(source=row.source, source_id=row.source_id): _Known(
            venue_no=row.venue_no,
            venue_id=row.venue_id,
            record_id=row.record_id,
            category=row.category,
            is_withdrawn=row.withdrawn_at is not None,
            data_on=row.data_on,
        )
        for row in rows
    }


_STILL_SO = "UPDATE venue SET data_on = :on WHERE venue_no = ANY (:numbers) AND (data_on IS NULL OR data_on < :on)"

_VENUES = f"""
INSERT INTO venue (venue_id, source, source_id, name, category, address, premises, geometry, raw_geometry, datum,
    host_source, host_source_id, imported_at, data_on)
SELECT venue_id, source, source_id, name, category, address, premises, ST_GeomFromWKB(shape, {SRID}),
    ST_GeomFromWKB(raw, 0), datum, host_source, host_source_id, %s, %s
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bytea[],
    %s::bytea[], %s::text[], %s::text[], %s::text[]) AS sent (venue_id, source, source_id, name, category, address,
    premises, shape, raw, datum, host_source, host_source_id)
ON CONFLICT (source, source_id) DO UPDATE SET name = excluded.name, category = excluded.category,
    address = excluded.address, premises = excluded.premises, geometry = excluded.geometry,
    raw_geometry = excluded.raw_geometry, datum = excluded.datum, host_source = excluded.host_source,
    host_source_id = excluded.host_source_id, imported_at = excluded.imported_at, data_on = excluded.data_on,
    withdrawn_at = NULL
"""


def _write_venues(
    connection: Connection, written: Sequence[tuple[UUID, RegisterEntry]], at: datetime, data_on: date | None
) -> None:
    if not written:
        return
    entries = [entry for _, entry in written]
    columns: list[list[Any]] = [
        [venue_id for venue_id, _ in written],
        [entry.record.key.source for entry in entries],
        [entry.record.key.source_id for entry in entries],
        [entry.record.name for entry in entries],
        [None if entry.record.category is None else str(entry.record.category) for entry in entries],
        [entry.record.address for entry in entries],
        [entry.premises for entry in entries],
        [_wkb(entry.geometry) for entry in entries],
        [_wkb(entry.raw_geometry) for entry in entries],
        [None if entry.datum is None else str(entry.datum) for entry in entries],
        [None if entry.record.host_key is None else entry.record.host_key.source for entry in entries],
        [None if entry.record.host_key is None else entry.record.host_key.source_id for entry in entries],
    ]
    driver_connection(connection).execute(_VENUES.encode(), [at, data_on, *columns])


def _write_records(
    connection: Connection, records: Sequence[SourceRecord], by: str, at: datetime, data_on: date | None
) -> None:
    """Insert what is new and point each venue at its record: content that a register goes back to is there already."""
    ids = [record.record_id for record in records]
    insert_columns(
        connection,
        "venue_source_record",
        {
            "record_id": ("uuid", ids),
            "source": ("text", [record.key.source for record in records]),
            "source_id": ("text", [record.key.source_id for record in records]),
            "kind": ("text", [str(record.kind) for record in records]),
            "content": ("jsonb", [_json(record) for record in records]),
            "content_hash": ("bytea", [bytes.fromhex(record.content_hash) for record in records]),
            "longitude": ("double precision", [record.longitude for record in records]),
            "latitude": ("double precision", [record.latitude for record in records]),
            "imported_at": ("timestamptz", [at] * len(records)),
            "imported_by": ("text", [by] * len(records)),
            "data_on": ("date", [data_on] * len(records)),
        },
        on_conflict="ON CONFLICT (record_id) DO NOTHING",
    )
    connection.execute(
        text("UPDATE venue v SET record_no = r.record_no FROM venue_source_record r"
             " WHERE r.record_id = ANY (:ids) AND v.source = r.source AND v.source_id = r.source_id"),
        {"ids": ids},
    )  # fmt: skip


def _withdraw(
    connection: Connection,
    known: dict[SourceKey, _Known],
    entries: Iterable[RegisterEntry],
    whole_source: str | None,
    at: datetime,
    data_on: date | None,
) -> list[int]:
    """What a whole register no longer has; not what was added to it after the day as of which it speaks."""
    there = {entry.record.key for entry in entries}
    gone = [
        old.venue_no
        for key, old in known.items()
        if key.source == whole_source and key not in there and not old.is_withdrawn and not old.is_later_than(data_on)
    ]
    connection.execute(
        text("UPDATE venue SET withdrawn_at = :at WHERE venue_no = ANY (:gone)"), {"at": at, "gone": gone}
    )
    return gone


def _wkb(geometry: BaseGeometry | None) -> bytes | None:
    return None if geometry is None else bytes(shapely.to_wkb(geometry))


def _json(record: SourceRecord) -> str:
    return json.dumps(dict(record.sent), ensure_ascii=False)


def sources_without_doubles(records: Iterable[SourceRecord]) -> frozenset[str]:
    """Registers that number what they register: none has a place twice."""
    kinds = {record.key.source: record.kind for record in records}
    return frozenset(source for source, kind in kinds.items() if kind in OWN_NUMBER)
