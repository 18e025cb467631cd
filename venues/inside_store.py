"""Venues inside others, such as a hotel's bar, in PostGIS: category and zone of their own, outline of the other."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from venues.place import SourceKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeless:
    """A venue inside another one that has no zone, or of whose host nothing is known."""

    key: SourceKey
    name: str
    is_host_known: bool
    """Whether the host is in the register: then neither it nor what it is inside of has a usable place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InsidePlaced:
    """What became of venues inside others."""

    touched: tuple[int, ...]
    """Numbers of those that have another place or zone, for ``settle_venues``."""
    placeless: tuple[Placeless, ...]
    """By register and key."""


def place_inside(
    connection: Connection,
    touched: Collection[int] | None = None,
    *,
    at: datetime,
    governs_from: datetime | None = None,
) -> InsidePlaced:
    """Give venues that are inside others the outline around them, or a point if they have no position of their own.

    For what ``touched`` (numbers of venues) has of both; all without. Everything that registers say of the place around
    counts, and of what that is inside of (migration 0031). Draws their zones, which govern from ``governs_from`` on, or
    from ``at``. The caller settles ``touched`` of what is returned, in the same transaction.
    """
    asked = _ALL_INSIDE if touched is None else "CAST(:touched AS bigint[])"
    values = {"touched": [] if touched is None else list(touched), "at": at, "from": governs_from or at}
    moved = connection.execute(text(f"SELECT place_inside({asked}, :at, :from)"), values).scalars()
    return InsidePlaced(
        touched=tuple(moved),
        placeless=tuple(
            Placeless(
                key=SourceKey(source=row.source, source_id=row.source_id),
                name=row.name,
                is_host_known=row.is_host_known,
            )
            for row in connection.execute(text(_PLACELESS.format(asked=asked)), values)
        ),
    )


_ALL_INSIDE = "ARRAY(SELECT venue_no FROM venue WHERE host_source IS NOT NULL)"

_PLACELESS = """
SELECT i.source, i.source_id, i.name, host.venue_no IS NOT NULL AS is_host_known
FROM venue i LEFT JOIN venue host ON host.source = i.host_source AND host.source_id = i.host_source_id
WHERE i.host_source IS NOT NULL AND i.withdrawn_at IS NULL
    AND (i.venue_no = ANY ({asked}) OR host.current_no IN (SELECT current_no FROM venue WHERE venue_no = ANY ({asked})))
    AND (host.venue_no IS NULL OR i.geometry IS NULL
        OR i.category IS NOT NULL AND NOT EXISTS (SELECT FROM zone z WHERE z.zone_id = i.venue_id))
    AND (i.ended_on IS NULL OR i.ended_on >= (CAST(:at AS timestamptz) AT TIME ZONE 'Asia/Shanghai')::date)
ORDER BY i.source, i.source_id
"""


def load_hosts(connection: Connection) -> list[tuple[UUID, UUID]]:
    """Records that stand now of venues inside others, each with that of the other: never one venue.

    Nor are the further categories of one row (``venues.row_id``).
    """
    rows = connection.execute(
        text("SELECT r.record_id AS one, h.record_id AS other FROM venue i JOIN venue host"
             " ON host.source = i.host_source AND host.source_id = i.host_source_id"
             " JOIN venue_source_record r ON r.record_no = i.record_no"
             " JOIN venue_source_record h ON h.record_no = host.record_no"
             " UNION ALL SELECT r.record_id, s.record_id FROM venue i JOIN venue j ON j.host_source = i.host_source"
             " AND j.host_source_id = i.host_source_id AND j.venue_no > i.venue_no"
             " JOIN venue_source_record r ON r.record_no = i.record_no"
             " JOIN venue_source_record s ON s.record_no = j.record_no"
             " WHERE starts_with(i.source_id, i.host_source_id || '#')"
             " AND starts_with(j.source_id, j.host_source_id || '#')")
    )  # fmt: skip
    return [(row.one, row.other) for row in rows]


def load_further(connection: Connection) -> list[tuple[int, int]]:
    """Places of rows' further categories (``venues.row_id``), each with that of its row, by the rows that stand."""
    rows = connection.execute(
        text("SELECT DISTINCT i.current_no AS further_no, host.current_no AS row_no FROM venue i JOIN venue host"
             " ON host.source = i.host_source AND host.source_id = i.host_source_id"
             " WHERE i.source = i.host_source AND i.source_id = i.host_source_id || '#' || i.category"
             " AND i.withdrawn_at IS NULL AND host.withdrawn_at IS NULL AND i.current_no <> host.current_no")
    )  # fmt: skip
    return [(row.further_no, row.row_no) for row in rows]
