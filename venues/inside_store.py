"""Venues inside others, such as a hotel's bar, in PostGIS: category and zone of their own, outline of the other."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import shapely
from sqlalchemy import Connection, text

from geo.datum import Datum
from venues.category import VenueCategory
from venues.place import SourceKey, Venue


@dataclass(frozen=True, slots=True, kw_only=True)
class InsidePlaced:
    """What became of venues inside others."""

    moved: tuple[tuple[UUID, Venue], ...]
    """With the id of the venue; its geometry is now that of the one around it."""
    touched: tuple[int, ...]
    """Their numbers."""
    homeless: tuple[str, ...]
    """Ids in their register of those whose host is not in the register."""


def place_inside(connection: Connection, touched: Collection[int]) -> InsidePlaced:
    """Give venues that are inside another one its outline, or its point if they have no position of their own.

    For what ``touched`` (numbers of venues) has of both. The caller draws the zones of ``moved``.
    """
    values = {"touched": list(touched)}
    moved = connection.execute(text(_PLACE_INSIDE), values).all()
    return InsidePlaced(
        moved=tuple((row.venue_id, _venue_of(row)) for row in moved if row.category is not None),
        touched=tuple(row.venue_no for row in moved),
        homeless=tuple(connection.execute(text(_HOMELESS), values).scalars()),
    )


_PLACE_INSIDE = """
UPDATE venue i SET geometry = host.geometry, raw_geometry = host.raw_geometry, datum = host.datum
FROM venue host, venue_source_record own
WHERE own.record_no = i.record_no AND i.host_source = host.source
    AND i.host_source_id = host.source_id AND host.host_source IS NULL
    AND (i.venue_no = ANY (:touched) OR host.venue_no = ANY (:touched)) AND i.withdrawn_at IS NULL
    AND host.geometry IS NOT NULL AND (ST_Dimension(host.geometry) = 2 OR own.longitude IS NULL)
    AND i.geometry IS DISTINCT FROM host.geometry
RETURNING i.venue_no, i.venue_id, i.source, i.source_id, i.name, i.category, i.address, i.datum,
    ST_AsBinary(i.geometry) AS shape, ST_AsBinary(i.raw_geometry) AS raw
"""

_HOMELESS = """
SELECT i.source_id FROM venue i WHERE i.venue_no = ANY (:touched) AND i.host_source IS NOT NULL AND NOT EXISTS (
    SELECT FROM venue host WHERE host.source = i.host_source AND host.source_id = i.host_source_id)
ORDER BY i.source_id
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


def _venue_of(row: Any) -> Venue:
    return Venue(
        key=SourceKey(source=row.source, source_id=row.source_id),
        name=row.name,
        category=VenueCategory(row.category),
        geometry=shapely.from_wkb(bytes(row.shape)),
        raw_geometry=shapely.from_wkb(bytes(row.raw)),
        datum=Datum(row.datum),
        address=row.address,
    )
