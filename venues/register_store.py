"""The register in PostGIS: records that never change, the venue of each key, and the one function that settles both."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

from geo.postgis import SRID, driver_connection, insert_columns
from venues.category import VenueCategory
from venues.licence import is_shared_line
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
    withdrawn: tuple[tuple[str, str], ...]
    """Id in the register, and name, of what it no longer has."""
    left_as_it_was_count: int
    """Venues of rows that are in the file and gave no record."""
    register_count: int
    """Venues that the whole register had before, those withdrawn before not counted."""
    known_ids: frozenset[str]
    """Ids of all that the whole register ever had before."""
    touched: tuple[int, ...]
    """Numbers of venues for :func:`settle_venues`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    venue_no: int
    venue_id: UUID
    record_id: UUID | None
    category: str | None
    is_other_trade: bool
    is_withdrawn: bool

    def says_the_same(self, record: SourceRecord) -> bool:
        """Whether a record changes nothing. Another mapping may make another category of the same content."""
        mapped = (self.category, self.is_other_trade) == (record.category, record.is_other_trade)
        return not self.is_withdrawn and self.record_id == record.record_id and mapped


def save_entries(
    connection: Connection,
    entries: Sequence[RegisterEntry],
    *,
    by: str,
    at: datetime,
    new_id: Callable[[], UUID],
    whole_source: str | None = None,
    still_there: Collection[str] = (),
    index_phone: Callable[[str], bytes] | None = None,
) -> EntriesSaved:
    """Keep every record, and make or bring up to date the venue of its key. Keys must be unique within ``entries``.

    ``whole_source``: entries are all that this register has; what it had and has no longer is withdrawn, but for the
    ids that are ``still_there``: their rows are in the file, and gave no record. Of telephone numbers (E.164) only what
    ``index_phone`` makes of them is kept, or without it nothing. The caller draws zones and then calls
    :func:`settle_venues` with ``touched``, in the same transaction. ``at``: aware.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/venue'))"))
    sources = {entry.record.key.source for entry in entries} | ({whole_source} if whole_source is not None else set())
    known = _known(connection, sources)
    added: list[tuple[UUID, RegisterEntry]] = []
    changed: list[tuple[UUID, RegisterEntry]] = []
    for entry in entries:
        old = known.get(entry.record.key)
        if old is None:
            added.append((new_id(), entry))
        elif not old.says_the_same(entry.record):
            changed.append((old.venue_id, entry))
    written = [*added, *changed]
    _write_venues(connection, written, at)
    _write_records(connection, [entry.record for _, entry in written], by, at)
    if index_phone is not None:
        _keep_phones(connection, entries, index_phone)
    of_register = {key: old for key, old in known.items() if key.source == whole_source and not old.is_withdrawn}
    missing = of_register.keys() - {entry.record.key for entry in entries}
    gone = [of_register[key].venue_no for key in missing if key.source_id not in still_there]
    numbers = connection.execute(
        text("SELECT venue_no FROM venue WHERE venue_id = ANY (:ids)"), {"ids": [venue_id for venue_id, _ in written]}
    ).scalars()
    return EntriesSaved(
        added=tuple(added),
        changed=tuple(changed),
        unchanged_count=len(entries) - len(written),
        withdrawn=_withdraw(connection, gone, at),
        left_as_it_was_count=len(missing) - len(gone),
        register_count=len(of_register),
        known_ids=frozenset(key.source_id for key in known if key.source == whole_source),
        touched=(*numbers, *gone),
    )


def settle_venues(connection: Connection, touched: Collection[int], *, at: datetime) -> None:
    """Say which row stands for each place, and withdraw zones or bring them back accordingly (migration 0023)."""
    if touched:
        connection.execute(text("SELECT settle_venues(:touched, :at)"), {"touched": list(touched), "at": at})


def load_current_records(connection: Connection) -> list[SourceRecord]:
    """What the registers say now, by register and key; what was withdrawn is left out."""
    phones = _phones(connection)
    rows = connection.execute(
        text(f"SELECT {RECORD_COLUMNS} FROM venue v JOIN venue_source_record r USING (record_no)"
             " WHERE v.withdrawn_at IS NULL ORDER BY r.source, r.source_id")
    )  # fmt: skip
    return [record_of_row(row, phones.get((row.source, row.source_id), ())) for row in rows]


RECORD_COLUMNS = (
    "r.record_id, r.source, r.source_id, r.kind, r.content, r.longitude, r.latitude, v.category, v.is_other_trade"
)


def record_of_row(row: Any, phones: tuple[str, ...] = ()) -> SourceRecord:
    """The record of a row with ``RECORD_COLUMNS``: its category is what the last import's mapping made of it.

    ``phones``: hashes, for whoever compares records; nobody else may read them.
    """
    return record_of_content(
        row.content,
        key=SourceKey(source=row.source, source_id=row.source_id),
        kind=SourceKind(row.kind),
        longitude=row.longitude,
        latitude=row.latitude,
        category=None if row.category is None else VenueCategory(row.category),
        is_other_trade=row.is_other_trade,
        kept_phones=phones,
    )


def _known(connection: Connection, sources: Collection[str]) -> dict[SourceKey, _Known]:
    rows = connection.execute(
        text("SELECT v.venue_no, v.venue_id, v.source, v.source_id, r.record_id, v.category, v.is_other_trade,"
             " v.withdrawn_at"
             " FROM venue v LEFT JOIN venue_source_record r USING (record_no) WHERE v.source = ANY (:sources)"),
        {"sources": sorted(sources)},
    )  # fmt: skip
    return {
        SourceKey(source=row.source, source_id=row.source_id): _Known(
            venue_no=row.venue_no,
            venue_id=row.venue_id,
            record_id=row.record_id,
            category=row.category,
            is_other_trade=row.is_other_trade,
            is_withdrawn=row.withdrawn_at is not None,
        )
        for row in rows
    }


_VENUES = f"""
INSERT INTO venue (venue_id, source, source_id, name, category, is_other_trade, address, premises, geometry,
    raw_geometry, datum, imported_at)
SELECT venue_id, source, source_id, name, category, is_other_trade, address, premises, ST_GeomFromWKB(shape, {SRID}),
    ST_GeomFromWKB(raw, 0), datum, %s
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[],
    %s::bytea[], %s::bytea[], %s::text[])
    AS sent (venue_id, source, source_id, name, category, is_other_trade, address, premises, shape, raw, datum)
ON CONFLICT (source, source_id) DO UPDATE SET name = excluded.name, category = excluded.category,
    is_other_trade = excluded.is_other_trade, address = excluded.address, premises = excluded.premises,
    geometry = excluded.geometry, raw_geometry = excluded.raw_geometry, datum = excluded.datum,
    imported_at = excluded.imported_at, withdrawn_at = NULL
"""


def _write_venues(connection: Connection, written: Sequence[tuple[UUID, RegisterEntry]], at: datetime) -> None:
    if not written:
        return
    entries = [entry for _, entry in written]
    columns: list[list[Any]] = [
        [venue_id for venue_id, _ in written],
        [entry.record.key.source for entry in entries],
        [entry.record.key.source_id for entry in entries],
        [entry.record.name for entry in entries],
        [None if entry.record.category is None else str(entry.record.category) for entry in entries],
        [entry.record.is_other_trade for entry in entries],
        [entry.record.address for entry in entries],
        [entry.premises for entry in entries],
        [_wkb(entry.geometry) for entry in entries],
        [_wkb(entry.raw_geometry) for entry in entries],
        [None if entry.datum is None else str(entry.datum) for entry in entries],
    ]
    driver_connection(connection).execute(_VENUES.encode(), [at, *columns])


def _write_records(connection: Connection, records: Sequence[SourceRecord], by: str, at: datetime) -> None:
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
        },
        on_conflict="ON CONFLICT (record_id) DO NOTHING",
    )
    connection.execute(
        text("UPDATE venue v SET record_no = r.record_no FROM venue_source_record r"
             " WHERE r.record_id = ANY (:ids) AND v.source = r.source AND v.source_id = r.source_id"),
        {"ids": ids},
    )  # fmt: skip


def _keep_phones(connection: Connection, entries: Sequence[RegisterEntry], index_phone: Callable[[str], bytes]) -> None:
    """What the numbers of these venues are told by, as the register has them now; a switchboard tells nothing."""
    known = _phones(connection)
    changed: dict[SourceKey, list[bytes]] = {}
    for entry in entries:
        key = entry.record.key
        said = sorted({index_phone(phone) for phone in entry.record.phones if not is_shared_line(phone)})
        if tuple(index.hex() for index in said) != known.get((key.source, key.source_id), ()):
            changed[key] = said
    _forget_phones(connection, list(changed))
    rows = [(key.source, key.source_id, index) for key, said in changed.items() for index in said]
    connection.execute(
        text("INSERT INTO venue_phone (venue_no, phone_index) SELECT v.venue_no, p.phone_index"
             " FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:indexes AS bytea[]))"
             " AS p (source, source_id, phone_index) JOIN venue v USING (source, source_id)"),
        {"sources": [row[0] for row in rows], "ids": [row[1] for row in rows], "indexes": [row[2] for row in rows]},
    )  # fmt: skip


def _forget_phones(connection: Connection, keys: Sequence[SourceKey]) -> None:
    connection.execute(
        text("DELETE FROM venue_phone WHERE venue_no IN (SELECT v.venue_no FROM venue v"
             " JOIN unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS k (source, source_id)"
             " USING (source, source_id))"),
        {"sources": [key.source for key in keys], "ids": [key.source_id for key in keys]},
    )  # fmt: skip


def _phones(connection: Connection) -> dict[tuple[str, str], tuple[str, ...]]:
    rows = connection.execute(
        text("SELECT v.source, v.source_id, array_agg(encode(p.phone_index, 'hex') ORDER BY p.phone_index) AS phones"
             " FROM venue_phone p JOIN venue v USING (venue_no) GROUP BY v.source, v.source_id")
    )  # fmt: skip
    return {(row.source, row.source_id): tuple(row.phones) for row in rows}


def _withdraw(connection: Connection, gone: list[int], at: datetime) -> tuple[tuple[str, str], ...]:
    rows = connection.execute(
        text("UPDATE venue SET withdrawn_at = :at WHERE venue_no = ANY (:gone) RETURNING source_id, name"),
        {"at": at, "gone": gone},
    ).all()  # fmt: skip
    connection.execute(text("DELETE FROM venue_phone WHERE venue_no = ANY (:gone)"), {"gone": gone})
    return tuple(sorted((row.source_id, row.name) for row in rows))


def _wkb(geometry: BaseGeometry | None) -> bytes | None:
    return None if geometry is None else bytes(shapely.to_wkb(geometry))


def _json(record: SourceRecord) -> str:
    return json.dumps(dict(record.sent), ensure_ascii=False)


def sources_without_doubles(records: Iterable[SourceRecord]) -> frozenset[str]:
    """Registers that number what they register: none has a place twice."""
    kinds = {record.key.source: record.kind for record in records}
    return frozenset(source for source, kind in kinds.items() if kind in OWN_NUMBER)
