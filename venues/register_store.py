"""The register in PostGIS: records that never change, the venue of each key, and the one function that settles both."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from geo.postgis import SRID, driver_connection, insert_columns
from venues.category import VenueCategory
from venues.phone_store import forget_phones, keep_phones, load_phones
from venues.place import SourceKey
from venues.register import RegisterEntry, record_of_content
from venues.row_id import is_still_there, row_key, under_known_keys
from venues.source_record import OWN_NUMBER, SourceKind, SourceRecord


class RegisterBusyError(RuntimeError):
    """Another transaction, such as a large import, holds the register longer than ``lock_timeout`` waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesSaved:
    """What an import changed in the register. ``changed``: new content, or back after it was withdrawn."""

    added: tuple[tuple[UUID, RegisterEntry], ...]
    """With the id of the venue."""
    changed: tuple[tuple[UUID, RegisterEntry], ...]
    unchanged_count: int
    outdated: tuple[RegisterEntry, ...]
    """Left as they were: the register is known to have said something else on a later day."""
    withdrawn: tuple[tuple[str, str], ...]
    """Id in the register, and name, of what it no longer has."""
    dropped: tuple[tuple[str, str], ...]
    """Likewise of further categories that their rows, which are among the entries, no longer have."""
    left_as_it_was_count: int
    """Venues of rows that are in the file and gave no record, or of which a later day is known than the file's."""
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
    data_on: date | None
    ended_on: date | None
    host_key: SourceKey | None

    def says_the_same(self, record: SourceRecord) -> bool:
        """Whether a record changes nothing. Another mapping may make another category of the same content."""
        mapped = (self.category, self.is_other_trade) == (record.category, record.is_other_trade)
        is_known = self.record_id == record.record_id and self.ended_on == record.ended_on
        return not self.is_withdrawn and is_known and mapped

    def is_of_later_than(self, day: date | None) -> bool:
        """Whether the register is known to have said this on a later day than the one now given."""
        return day is not None and self.data_on is not None and day < self.data_on


@dataclass(frozen=True, slots=True, kw_only=True)
class _SortedOut:
    """Entries by what is to be done with them; of those that say the same, the venues' numbers."""

    added: list[tuple[UUID, RegisterEntry]] = field(default_factory=list)
    changed: list[tuple[UUID, RegisterEntry]] = field(default_factory=list)
    outdated: list[RegisterEntry] = field(default_factory=list)
    confirmed: list[int] = field(default_factory=list)


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
    data_on: date | None = None,
) -> EntriesSaved:
    """Keep every record, and make or bring up to date the venue of its key. Keys must be unique within ``entries``.

    A key that is the register's own number stands for the venue that has it in another spelling, if there is none.
    ``data_on``: the day (Asia/Shanghai) as of which the register says all this; ``None``: it does not tell.
    ``whole_source``: entries are all that this register has; what it had and has no longer is withdrawn, but for the
    ids that are ``still_there``: their rows are in the file, and gave no record. What a row no longer is beside its
    first category is withdrawn in any case, unless its own id is among these. Of telephone numbers (E.164) only what
    ``index_phone`` makes of them is kept, or without it nothing. The caller draws zones and then calls
    :func:`settle_venues` with ``touched``, in the same transaction. ``at``: aware.
    """
    lock_register(connection)
    sources = {entry.record.key.source for entry in entries} | ({whole_source} if whole_source is not None else set())
    known = _known(connection, sources)
    records = under_known_keys([entry.record for entry in entries], known)
    entries = [replace(entry, record=record) for entry, record in zip(entries, records, strict=True)]
    sorted_out = _sorted_out(entries, known, data_on, new_id)
    written = [*sorted_out.added, *sorted_out.changed]
    _write_venues(connection, written, at, data_on)
    _write_records(connection, [entry.record for _, entry in written], by, at, data_on)
    if data_on is not None and sorted_out.confirmed:
        connection.execute(text(_STILL_SO), {"numbers": sorted_out.confirmed, "on": data_on})
    if index_phone is not None:
        late = {entry.record.key for entry in sorted_out.outdated}
        keep_phones(connection, [entry.record for entry in entries if entry.record.key not in late], index_phone)
    of_register = {key: old for key, old in known.items() if key.source == whole_source and not old.is_withdrawn}
    dropped = _dropped(known, entries, sorted_out.outdated, still_there, data_on)
    missing = of_register.keys() - {entry.record.key for entry in entries} - set(dropped)
    left = {
        key for key in missing
        if is_still_there(key.source_id, still_there) or of_register[key].is_of_later_than(data_on)
    }  # fmt: skip
    gone = [of_register[key].venue_no for key in missing - left]
    no_more = [known[key].venue_no for key in dropped]
    numbers = connection.execute(
        text("SELECT venue_no FROM venue WHERE venue_id = ANY (:ids)"), {"ids": [venue_id for venue_id, _ in written]}
    ).scalars()
    return EntriesSaved(
        added=tuple(sorted_out.added),
        changed=tuple(sorted_out.changed),
        unchanged_count=len(sorted_out.confirmed),
        outdated=tuple(sorted_out.outdated),
        withdrawn=_withdraw(connection, gone, at, data_on),
        dropped=_withdraw(connection, no_more, at, data_on),
        left_as_it_was_count=len(left),
        register_count=len(of_register),
        known_ids=frozenset(key.source_id for key in known if key.source == whole_source),
        touched=(*numbers, *gone, *no_more),
    )


def lock_register(connection: Connection) -> None:
    """Wait until nobody else imports, merges or splits; held to the end of the transaction, and taken before any other.

    Whoever settles venues sees what all others before had settled. Raises RegisterBusyError, after which the
    transaction can only be rolled back.
    """
    try:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('venue_link'))"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise RegisterBusyError(
            "正在导入或合并场所，未保存，请稍后再试"
            " / venues are being imported or merged: nothing was saved, try again later"
        ) from error


_LOCK_NOT_AVAILABLE = "55P03"


def _sorted_out(
    entries: Iterable[RegisterEntry],
    known: Mapping[SourceKey, _Known],
    data_on: date | None,
    new_id: Callable[[], UUID],
) -> _SortedOut:
    found = _SortedOut()
    for entry in entries:
        old = known.get(entry.record.key)
        if old is None:
            found.added.append((new_id(), entry))
        elif old.says_the_same(entry.record):
            found.confirmed.append(old.venue_no)
        elif old.is_of_later_than(data_on):
            found.outdated.append(entry)
        else:
            found.changed.append((old.venue_id, entry))
    return found


def _dropped(
    known: Mapping[SourceKey, _Known],
    entries: Iterable[RegisterEntry],
    outdated: Iterable[RegisterEntry],
    still_there: Collection[str],
    data_on: date | None,
) -> list[SourceKey]:
    """What rows were beside their first category and are no more; of a row that was not taken nothing is known."""
    sent = {entry.record.key for entry in entries}
    taken = sent - {entry.record.key for entry in outdated}
    return [
        key
        for key, old in known.items()
        if key not in sent and key.source_id not in still_there
        and old.host_key == row_key(key) and old.host_key in taken
        and not old.is_withdrawn and not old.is_of_later_than(data_on)
    ]  # fmt: skip


def settle_venues(connection: Connection, touched: Collection[int], *, at: datetime) -> None:
    """Say which row stands for each place, and withdraw zones or bring them back accordingly (migrations 0023, 0028).

    A business that was revoked or deregistered before the day of ``at`` (aware) has no zone of its own.
    """
    if touched:
        connection.execute(text("SELECT settle_venues(:touched, :at)"), {"touched": list(touched), "at": at})


def settle_ended_venues(connection: Connection) -> int:
    """Settle the places of businesses whose last day is past by the database's clock; how many there were.

    None while an import or a decision about venues is under way: those of then are found the next time.
    """
    count: int = connection.execute(text("SELECT settle_ended_venues()")).scalar_one()
    return count


def load_current_records(connection: Connection) -> list[SourceRecord]:
    """What the registers say now, by register and key; what was withdrawn is left out."""
    phones = load_phones(connection)
    rows = connection.execute(
        text(f"SELECT {RECORD_COLUMNS} FROM venue v JOIN venue_source_record r USING (record_no)"
             " WHERE v.withdrawn_at IS NULL ORDER BY r.source, r.source_id")
    )  # fmt: skip
    return [record_of_row(row, phones.get(SourceKey(source=row.source, source_id=row.source_id), ())) for row in rows]


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
             " v.withdrawn_at, v.data_on, v.ended_on, v.host_source, v.host_source_id"
             " FROM venue v LEFT JOIN venue_source_record r USING (record_no) WHERE v.source = ANY (:sources)"
             " ORDER BY v.withdrawn_at IS NOT NULL, v.venue_no"),
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
            data_on=row.data_on,
            ended_on=row.ended_on,
            host_key=None
            if row.host_source is None
            else SourceKey(source=row.host_source, source_id=row.host_source_id),
        )
        for row in rows
    }


_STILL_SO = "UPDATE venue SET data_on = :on WHERE venue_no = ANY (:numbers) AND (data_on IS NULL OR data_on < :on)"

_VENUES = f"""
INSERT INTO venue (venue_id, source, source_id, name, category, is_other_trade, address, premises, geometry,
    raw_geometry, datum, host_source, host_source_id, own_geometry, own_raw_geometry, own_datum, ended_on, imported_at,
    data_on)
SELECT venue_id, source, source_id, name, category, is_other_trade, address, premises, ST_GeomFromWKB(shape, {SRID}),
    ST_GeomFromWKB(raw, 0), datum, host_source, host_source_id,
    CASE WHEN host_source IS NOT NULL THEN ST_GeomFromWKB(shape, {SRID}) END,
    CASE WHEN host_source IS NOT NULL THEN ST_GeomFromWKB(raw, 0) END,
    CASE WHEN host_source IS NOT NULL THEN datum END, ended_on, %s, %s
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::text[], %s::text[],
    %b::bytea[], %b::bytea[], %s::text[], %s::text[], %s::text[], %s::date[]) AS sent (venue_id, source, source_id,
    name, category, is_other_trade, address, premises, shape, raw, datum, host_source, host_source_id, ended_on)
ON CONFLICT (source, source_id) DO UPDATE SET name = excluded.name, category = excluded.category,
    is_other_trade = excluded.is_other_trade, address = excluded.address, premises = excluded.premises,
    geometry = excluded.geometry, raw_geometry = excluded.raw_geometry, datum = excluded.datum,
    host_source = excluded.host_source, host_source_id = excluded.host_source_id, own_geometry = excluded.own_geometry,
    own_raw_geometry = excluded.own_raw_geometry, own_datum = excluded.own_datum,
    ended_on = excluded.ended_on, imported_at = excluded.imported_at,
    data_on = excluded.data_on, withdrawn_at = NULL
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
        [entry.record.is_other_trade for entry in entries],
        [entry.record.address for entry in entries],
        [entry.premises for entry in entries],
        _wkb([entry.geometry for entry in entries]),
        _wkb([entry.raw_geometry for entry in entries]),
        [None if entry.datum is None else str(entry.datum) for entry in entries],
        [None if entry.record.host_key is None else entry.record.host_key.source for entry in entries],
        [None if entry.record.host_key is None else entry.record.host_key.source_id for entry in entries],
        [entry.record.ended_on for entry in entries],
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
    connection: Connection, gone: list[int], at: datetime, data_on: date | None
) -> tuple[tuple[str, str], ...]:
    """The day on which it was missing is known of it then: an older file does not bring it back."""
    rows = connection.execute(
        text("UPDATE venue SET withdrawn_at = :at, data_on = greatest(data_on, CAST(:on AS date))"
             " WHERE venue_no = ANY (:gone) RETURNING source_id, name"),
        {"at": at, "on": data_on, "gone": gone},
    ).all()  # fmt: skip
    forget_phones(connection, gone)
    return tuple(sorted((row.source_id, row.name) for row in rows))


def _wkb(geometries: Sequence[BaseGeometry | None]) -> list[bytes | None]:
    return list(shapely.to_wkb(np.array(geometries, dtype=object)))


def _json(record: SourceRecord) -> str:
    return json.dumps(dict(record.sent), ensure_ascii=False)


def say_doubles(connection: Connection, sources: Iterable[str], *, has_none: bool, by: str, at: datetime) -> None:
    """Keep it that registers have no place twice, or may have; what is said last holds. ``at``: aware."""
    rows = [{"source": source, "has_none": has_none, "by": by, "at": at} for source in sorted(set(sources))]
    if rows:
        connection.execute(text(_SAID), rows)


_SAID = """
INSERT INTO venue_register (source, has_no_doubles, said_at, said_by) VALUES (:source, :has_none, :at, :by)
ON CONFLICT (source) DO UPDATE SET has_no_doubles = excluded.has_no_doubles, said_at = excluded.said_at,
    said_by = excluded.said_by WHERE venue_register.has_no_doubles <> excluded.has_no_doubles
"""


def has_no_doubles(said: bool | None, kinds: Iterable[SourceKind]) -> bool:
    """Whether a register has no place twice: as was said of it, else if it numbers what it registers."""
    return all(kind in OWN_NUMBER for kind in kinds) if said is None else said


def sources_without_doubles(connection: Connection, records: Iterable[SourceRecord]) -> frozenset[str]:
    """The registers of ``records`` that have no place twice."""
    rows = connection.execute(text("SELECT source, has_no_doubles FROM venue_register")).all()
    said = {row.source: row.has_no_doubles for row in rows}
    kinds: dict[str, set[SourceKind]] = {}
    for record in records:
        kinds.setdefault(record.key.source, set()).add(record.kind)
    return frozenset(source for source, found in kinds.items() if has_no_doubles(said.get(source), found))
