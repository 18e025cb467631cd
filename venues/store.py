"""Venues, sites and incidents in PostGIS. Re-import of a source id updates; nothing is ever doubled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, Connection, DateTime, Table, Text, Uuid, select, text

from geo.datum import Datum
from geo.postgis import from_element, geometry_column, insert_columns, metadata, raw_geometry_column, to_element
from venues.category import SiteCategory, VenueCategory
from venues.place import IncidentKind, Site, SourceKey, Venue, VenueIncident


def _place_columns(prefix: str) -> list[Column[Any]]:
    return [
        Column(f"{prefix}_no", BigInteger, primary_key=True),
        Column(f"{prefix}_id", Uuid),
        Column("source", Text),
        Column("source_id", Text),
        Column("name", Text),
        Column("category", Text),
        Column("geometry", geometry_column()),
        Column("raw_geometry", raw_geometry_column()),
        Column("datum", Text),
        Column("imported_at", DateTime(timezone=True)),
    ]


venue_table = Table("venue", metadata, *_place_columns("venue"), Column("address", Text))
site_table = Table("site", metadata, *_place_columns("site"))
incident_table = Table(
    "venue_incident",
    metadata,
    Column("source", Text, primary_key=True),
    Column("source_id", Text, primary_key=True),
    Column("venue_no", BigInteger),
    Column("kind", Text),
    Column("occurred_at", DateTime(timezone=True)),
    Column("involves_minor", Boolean),
    Column("imported_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What an import changed: the places that are new or differ, with their ids, and how many were the same."""

    added: tuple[tuple[UUID, Venue | Site], ...]
    changed: tuple[tuple[UUID, Venue | Site], ...]
    unchanged_count: int


def save_venues(connection: Connection, venues: Sequence[Venue], *, at: datetime, new_id: Callable[[], UUID]) -> Saved:
    """Add venues or update those whose (source, source_id) is known. Keys must be unique within ``venues``."""
    return _save(connection, venue_table, "venue", venues, at, new_id)


def save_sites(connection: Connection, sites: Sequence[Site], *, at: datetime, new_id: Callable[[], UUID]) -> Saved:
    """Add sites or update those whose (source, source_id) is known."""
    return _save(connection, site_table, "site", sites, at, new_id)


def _save(
    connection: Connection,
    table: Table,
    prefix: str,
    places: Sequence[Venue | Site],
    at: datetime,
    new_id: Callable[[], UUID],
) -> Saved:
    # Two imports of one source at a time would both find a place missing and both add it.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"import/{prefix}"})
    known = _known(connection, table, prefix, {place.key.source for place in places})
    added: list[tuple[UUID, Venue | Site]] = []
    changed: list[tuple[UUID, Venue | Site]] = []
    for place in places:
        old = known.get((place.key.source, place.key.source_id))
        if old is None:
            added.append((new_id(), place))
        elif old[1] != _content(place):
            changed.append((old[0], place))
    if added:
        connection.execute(table.insert(), [{f"{prefix}_id": place_id, **_row(place, at)} for place_id, place in added])
    for place_id, place in changed:
        connection.execute(table.update().where(table.c[f"{prefix}_id"] == place_id).values(**_row(place, at)))
    return Saved(added=tuple(added), changed=tuple(changed), unchanged_count=len(places) - len(added) - len(changed))


def _known(
    connection: Connection, table: Table, prefix: str, sources: set[str]
) -> Mapping[tuple[str, str], tuple[UUID, tuple[Any, ...]]]:
    rows = connection.execute(select(table).where(table.c.source.in_(sources)))
    return {
        (row.source, row.source_id): (
            getattr(row, f"{prefix}_id"),
            (row.name, row.category, from_element(row.raw_geometry).wkb, row.datum, getattr(row, "address", "")),
        )
        for row in rows
    }


def _content(place: Venue | Site) -> tuple[Any, ...]:
    address = place.address if isinstance(place, Venue) else ""
    return (place.name, str(place.category), place.raw_geometry.wkb, str(place.datum), address)


def _row(place: Venue | Site, at: datetime) -> dict[str, Any]:
    row = {
        "source": place.key.source,
        "source_id": place.key.source_id,
        "name": place.name,
        "category": str(place.category),
        "geometry": to_element(place.geometry),
        "raw_geometry": to_element(place.raw_geometry, srid=0),
        "datum": str(place.datum),
        "imported_at": at,
    }
    return row | {"address": place.address} if isinstance(place, Venue) else row


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsSaved:
    """How many incidents were written, and which ones name a venue that is not in the register."""

    written_count: int
    without_venue: tuple[VenueIncident, ...]


def save_incidents(connection: Connection, incidents: Sequence[VenueIncident], *, at: datetime) -> IncidentsSaved:
    """Add or update incidents by their source key; those of unknown venues are handed back, not lost."""
    rows = connection.execute(select(venue_table.c.source, venue_table.c.source_id, venue_table.c.venue_no))
    numbers = {(row.source, row.source_id): row.venue_no for row in rows}
    found = [item for item in incidents if (item.venue_key.source, item.venue_key.source_id) in numbers]
    written = insert_columns(
        connection,
        "venue_incident",
        {
            "source": ("text", [item.key.source for item in found]),
            "source_id": ("text", [item.key.source_id for item in found]),
            "venue_no": ("bigint", [numbers[item.venue_key.source, item.venue_key.source_id] for item in found]),
            "kind": ("text", [str(item.kind) for item in found]),
            "occurred_at": ("timestamptz", [item.occurred_at for item in found]),
            "involves_minor": ("boolean", [item.involves_minor for item in found]),
            "imported_at": ("timestamptz", [at] * len(found)),
        },
        on_conflict="ON CONFLICT (source, source_id) DO UPDATE SET venue_no = excluded.venue_no, kind = excluded.kind, "
        "occurred_at = excluded.occurred_at, involves_minor = excluded.involves_minor",
    )
    known = {id(item) for item in found}
    return IncidentsSaved(
        written_count=written, without_venue=tuple(item for item in incidents if id(item) not in known)
    )


def load_venues(connection: Connection) -> list[Venue]:
    """Every venue, by source and source id."""
    rows = connection.execute(select(venue_table).order_by(venue_table.c.source, venue_table.c.source_id))
    return [Venue(category=VenueCategory(row.category), address=row.address, **_loaded(row)) for row in rows]


def load_sites(connection: Connection) -> list[Site]:
    """Every site, by source and source id."""
    rows = connection.execute(select(site_table).order_by(site_table.c.source, site_table.c.source_id))
    return [Site(category=SiteCategory(row.category), **_loaded(row)) for row in rows]


def _loaded(row: Any) -> dict[str, Any]:
    return {
        "key": SourceKey(source=row.source, source_id=row.source_id),
        "name": row.name,
        "geometry": from_element(row.geometry),
        "raw_geometry": from_element(row.raw_geometry),
        "datum": Datum(row.datum),
    }


def load_incidents(connection: Connection) -> list[VenueIncident]:
    """Every incident, oldest first."""
    query = (
        select(
            incident_table, venue_table.c.source.label("venue_source"), venue_table.c.source_id.label("venue_source_id")
        )
        .join(venue_table, venue_table.c.venue_no == incident_table.c.venue_no)
        .order_by(incident_table.c.occurred_at, incident_table.c.source, incident_table.c.source_id)
    )
    return [
        VenueIncident(
            key=SourceKey(source=row.source, source_id=row.source_id),
            venue_key=SourceKey(source=row.venue_source, source_id=row.venue_source_id),
            kind=IncidentKind(row.kind),
            occurred_at=row.occurred_at,
            involves_minor=row.involves_minor,
        )
        for row in connection.execute(query)
    ]
