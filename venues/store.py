"""Sites and incidents in PostGIS, and venues as maps show them. Re-import of a source id updates; nothing is doubled.

Venues are written by ``venues.register_store``.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Date,
    DateTime,
    Table,
    Text,
    Uuid,
    literal_column,
    select,
    text,
)

from geo.datum import Datum
from geo.postgis import from_element, geometry_column, insert_columns, metadata, raw_geometry_column, to_element
from venues.category import SiteCategory, VenueCategory
from venues.place import DataDay, IncidentKind, Site, SourceKey, Venue, VenueIncident
from venues.whole_register import is_older, missing_from


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


venue_table = Table(
    "venue",
    metadata,
    *_place_columns("venue"),
    Column("address", Text),
    Column("premises", Text),
    Column("record_no", BigInteger),
    Column("current_no", BigInteger),
    Column("merge_no", BigInteger),
    Column("is_watched", Boolean),
    Column("is_other_trade", Boolean),
    Column("withdrawn_at", DateTime(timezone=True)),
    Column("data_on", Date),
    Column("ended_on", Date),
    Column("host_source", Text),
    Column("host_source_id", Text),
    Column("own_geometry", geometry_column()),
    Column("own_raw_geometry", raw_geometry_column()),
    Column("own_datum", Text),
)
site_table = Table(
    "site",
    metadata,
    *_place_columns("site"),
    Column("opened_on", Date),
    Column("data_on", Date),
    Column("withdrawn_at", DateTime(timezone=True)),
)
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
class SitesSaved:
    """What an import of sites changed, with their ids. ``changed``: new content, or back after it was withdrawn."""

    added: tuple[tuple[UUID, Site], ...]
    changed: tuple[tuple[UUID, Site], ...]
    unchanged_count: int
    outdated: tuple[SourceKey, ...]
    """Left as they were: known to have been otherwise on a later day."""
    withdrawn: tuple[tuple[str, str], ...]
    """Id in the register, and name, of what it no longer has."""
    withdrawn_ids: tuple[UUID, ...]
    left_as_it_was_count: int
    """Sites whose rows are in the file and gave none, or of which a later day is known than the file's."""
    register_count: int
    """Sites that the whole register had before, those withdrawn before not counted."""
    known_ids: frozenset[str]
    """Ids of all that the whole register ever had before."""


def save_sites(
    connection: Connection,
    sites: Sequence[Site],
    *,
    at: datetime,
    new_id: Callable[[], UUID],
    whole_source: str | None = None,
    still_there: Collection[str] = (),
    data_on: date | None = None,
) -> SitesSaved:
    """Add sites or update those whose (source, source_id) is known. Keys must be unique within ``sites``.

    ``data_on``: the day (Asia/Shanghai) as of which the file speaks; ``None``: it does not tell. ``whole_source``: the
    sites are all that this register has; what it has no longer is withdrawn, but for the ids that are ``still_there``.
    The caller draws and withdraws zones, in the same transaction. ``at``: aware.
    """
    # Two imports of one source at a time would both find a place missing and both add it.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/site'))"))
    known = _known(connection, {site.key.source for site in sites} | ({whole_source} if whole_source else set()))
    added = [(new_id(), site) for site in sites if site.key not in known]
    differ = [site for site in sites if site.key in known and not _says_the_same(known[site.key], site)]
    outdated = {site.key for site in differ if is_older(data_on, than=known[site.key].data_on)}
    changed = [(known[site.key].site_id, site) for site in differ if site.key not in outdated]
    if added:
        rows = [{"site_id": site_id, **_row(site, at, data_on)} for site_id, site in added]
        connection.execute(site_table.insert(), rows)
    for site_id, site in changed:
        connection.execute(site_table.update().where(site_table.c.site_id == site_id).values(**_row(site, at, data_on)))
    same = {site.key for site in sites if site.key in known} - {site.key for site in differ}
    _still_so(connection, [known[key].site_no for key in same], data_on)
    register = {key: row for key, row in known.items() if key.source == whole_source}
    there = {key: row.data_on for key, row in register.items() if row.withdrawn_at is None}
    missing = missing_from(there, {site.key for site in sites}, still_there=still_there, data_on=data_on)
    gone = [known[key] for key in missing.gone]
    _withdraw(connection, [row.site_no for row in gone], at, data_on)
    return SitesSaved(
        added=tuple(added),
        changed=tuple(changed),
        unchanged_count=len(same),
        outdated=tuple(site.key for site in differ if site.key in outdated),
        withdrawn=tuple((row.source_id, row.name) for row in gone),
        withdrawn_ids=tuple(row.site_id for row in gone),
        left_as_it_was_count=len(missing.left),
        register_count=len(there),
        known_ids=frozenset(key.source_id for key in register),
    )


def _known(connection: Connection, sources: set[str]) -> Mapping[SourceKey, Any]:
    rows = connection.execute(select(site_table).where(site_table.c.source.in_(sources)))
    return {SourceKey(source=row.source, source_id=row.source_id): row for row in rows}


def _says_the_same(row: Any, site: Site) -> bool:
    """Whether a site changes nothing of its row; one that was withdrawn is back."""
    known = (row.name, row.category, from_element(row.raw_geometry).wkb, row.datum, row.opened_on)
    said = (site.name, str(site.category), site.raw_geometry.wkb, str(site.datum), site.opened_on)
    return row.withdrawn_at is None and known == said


def _row(site: Site, at: datetime, data_on: date | None) -> dict[str, Any]:
    return {
        "source": site.key.source,
        "source_id": site.key.source_id,
        "name": site.name,
        "category": str(site.category),
        "geometry": to_element(site.geometry),
        "raw_geometry": to_element(site.raw_geometry, srid=0),
        "datum": str(site.datum),
        "opened_on": site.opened_on,
        "imported_at": at,
        "data_on": data_on,
        "withdrawn_at": None,
    }


def _still_so(connection: Connection, numbers: Sequence[int], data_on: date | None) -> None:
    if data_on is not None and numbers:
        connection.execute(
            text("UPDATE site SET data_on = :on WHERE site_no = ANY (:numbers) AND (data_on IS NULL OR data_on < :on)"),
            {"on": data_on, "numbers": list(numbers)},
        )


def _withdraw(connection: Connection, numbers: Sequence[int], at: datetime, data_on: date | None) -> None:
    if numbers:
        connection.execute(
            text("UPDATE site SET withdrawn_at = :at, data_on = coalesce(:on, data_on) WHERE site_no = ANY (:numbers)"),
            {"at": at, "on": data_on, "numbers": list(numbers)},
        )


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


def load_venues(connection: Connection, *, on: date) -> list[Venue]:
    """Every place that has a position and a category once, by source and source id: as its row shown has it.

    A business that was revoked or deregistered before the day ``on`` (Asia/Shanghai) is left out.
    """
    rows = connection.execute(
        select(venue_table).where(_is_shown(on)).order_by(venue_table.c.source, venue_table.c.source_id)
    )
    return [Venue(category=VenueCategory(row.category), address=row.address, **_loaded(row)) for row in rows]


def _is_shown(on: date) -> ColumnElement[bool]:
    """Of the rows of a place the one that maps show: the first that is watched, else the first with position."""
    return literal_column(f"venue.venue_no = ({_SHOWN.format(current='venue.current_no', on=on)})").is_(True)


_SHOWN = (
    "SELECT m.venue_no FROM venue m WHERE m.current_no = {current} AND m.geometry IS NOT NULL"
    " AND m.category IS NOT NULL AND m.withdrawn_at IS NULL AND (m.ended_on IS NULL OR m.ended_on >= DATE '{on}')"
    " ORDER BY m.is_watched DESC, m.venue_no LIMIT 1"
)


def load_sites(connection: Connection) -> list[Site]:
    """Every site that its register still has, by source and source id."""
    imported_on: ColumnElement[date] = literal_column("(site.imported_at AT TIME ZONE 'Asia/Shanghai')::date").label(
        "imported_on"
    )
    query = select(site_table, imported_on).where(site_table.c.withdrawn_at.is_(None))
    rows = connection.execute(query.order_by(site_table.c.source, site_table.c.source_id))
    return [
        Site(
            category=SiteCategory(row.category),
            opened_on=row.opened_on,
            described=DataDay(on=row.data_on or row.imported_on, is_by_import=row.data_on is None),
            **_loaded(row),
        )
        for row in rows
    ]


def _loaded(row: Any) -> dict[str, Any]:
    return {
        "key": SourceKey(source=row.source, source_id=row.source_id),
        "name": row.name,
        "geometry": from_element(row.geometry),
        "raw_geometry": from_element(row.raw_geometry),
        "datum": Datum(row.datum),
    }


def load_incidents(connection: Connection, *, on: date) -> list[VenueIncident]:
    """Every incident, oldest first, of the row that its place is shown by, or of its own if the place is not shown.

    ``on``: as of :func:`load_venues`.
    """
    shown: ColumnElement[int] = literal_column(
        f"coalesce(({_SHOWN.format(current='own.current_no', on=on)}), own.venue_no)"
    )
    own = venue_table.alias("own")
    query = (
        select(
            incident_table, venue_table.c.source.label("venue_source"), venue_table.c.source_id.label("venue_source_id")
        )
        .join(own, own.c.venue_no == incident_table.c.venue_no)
        .join(venue_table, venue_table.c.venue_no == shown)
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
