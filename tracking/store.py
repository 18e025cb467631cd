"""Zones and subjects in PostGIS. Orders are in ``tracking.order_store``, what is found in ``api.findings``."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shapely import LineString, MultiLineString, Point
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Float,
    Integer,
    Table,
    Text,
    Uuid,
    bindparam,
    column,
    select,
    table,
    text,
)

from geo.crossing import MAXIMUM_SEGMENT_M
from geo.postgis import from_element, geometry_column, insert_columns, metadata, to_ewkb
from geo.shapes import Area, Circle, Corridor, Shape
from tracking.order import Subject
from tracking.policy import PresencePolicy
from tracking.zone import Zone, ZoneKind, ZoneOrigin
from venues.category import SiteCategory, VenueCategory

zone_table = Table(
    "zone",
    metadata,
    Column("zone_no", BigInteger, primary_key=True),
    Column("zone_id", Uuid),
    Column("version", Integer),
    Column("kind", Text),
    Column("origin", Text),
    Column("source", Text),
    Column("source_id", Text),
    Column("name", Text),
    Column("category", Text),
    Column("geometry", geometry_column()),
    Column("radius_m", Float),
    Column("created_at", DateTime(timezone=True)),
    Column("superseded_at", DateTime(timezone=True)),
    Column("valid_from", DateTime(timezone=True)),
    Column("withdrawn_at", DateTime(timezone=True)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneDraft:
    """A zone to be saved; (``source``, ``source_id``) is its identity. ``zone_id`` is used if it is new."""

    zone_id: UUID
    source: str
    source_id: str
    kind: ZoneKind
    origin: ZoneOrigin
    name: str
    shape: Shape
    category: VenueCategory | SiteCategory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonesSaved:
    """How many zones are new, got a new version, or were the same."""

    added_count: int
    changed_count: int
    unchanged_count: int


def save_zones(
    connection: Connection,
    drafts: Sequence[ZoneDraft],
    *,
    at: datetime,
    new_from: datetime | None = None,
    changed_from: datetime | None = None,
) -> ZonesSaved:
    """Add zones, or a new version of those whose content changed or that were withdrawn; others stay as they are.

    New zones govern fixes from ``new_from`` on, new versions from ``changed_from`` on, both from ``at`` unless given.
    An instant in the past is a correction: what was found since is evaluated again (ADR 0013).
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/zone'))"))
    latest = zone_table.c.superseded_at.is_(None) | zone_table.c.withdrawn_at.is_not(None)
    query = select(zone_table).where(latest, zone_table.c.source.in_({draft.source for draft in drafts}))
    rows = connection.execute(query.order_by(zone_table.c.version))
    known = {(row.source, row.source_id): row for row in rows}
    new, changed, renamed = [], [], []
    for draft in drafts:
        row = _zone_row(draft)
        old = known.get((draft.source, draft.source_id))
        if old is None:
            new.append({**row, "version": 1, "created_at": at, "valid_from": new_from or at})
        elif old.superseded_at is not None or _zone_content(old) != _draft_content(draft):
            changed.append(old.zone_no)
            start = changed_from or at
            new.append(
                {**row, "zone_id": old.zone_id, "version": old.version + 1, "created_at": at, "valid_from": start}
            )
        elif old.name != draft.name:
            renamed.append({"of_zone": old.zone_no, "new_name": draft.name})
    if changed:
        is_current = zone_table.c.zone_no.in_(changed) & zone_table.c.superseded_at.is_(None)
        connection.execute(zone_table.update().where(is_current).values(superseded_at=at))
    if new:
        _insert_zones(connection, new)
        reevaluate_near(connection, {row["zone_id"] for row in new}, since=min(r["valid_from"] for r in new), at=at)
    if renamed:
        # Another sign over the door is not another zone: whoever is inside has not left and come back.
        rename = zone_table.update().where(zone_table.c.zone_no == bindparam("of_zone"))
        connection.execute(rename.values(name=bindparam("new_name")), renamed)
    return ZonesSaved(
        added_count=len(new) - len(changed),
        changed_count=len(changed) + len(renamed),
        unchanged_count=len(drafts) - len(new) - len(renamed),
    )


def withdraw_zones(connection: Connection, zone_ids: Collection[UUID], *, at: datetime) -> None:
    """Zones of places that are gone govern no fixes from ``at`` on; :func:`save_zones` brings them back.

    One that an order names stays: no import lifts a ban.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/zone'))"))
    query = (
        "UPDATE zone SET superseded_at = :at, withdrawn_at = :at WHERE zone_id = ANY (:gone) AND superseded_at IS NULL"
        " AND NOT EXISTS (SELECT FROM condition c WHERE c.zone_id = zone.zone_id) RETURNING zone_id"
    )
    withdrawn = connection.execute(text(query), {"at": at, "gone": list(zone_ids)}).scalars().all()
    if withdrawn:
        reevaluate_near(connection, withdrawn, since=at, at=at)


_TYPES = {"zone_id": "uuid", "version": "integer", "geometry": "geometry", "radius_m": "double precision"}
_TYPES |= dict.fromkeys(("created_at", "valid_from"), "timestamptz")


def _insert_zones(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """One statement for all, because the audit's trigger runs once for each."""
    columns = {name: (_TYPES.get(name, "text"), [row[name] for row in rows]) for name in rows[0]}
    insert_columns(connection, "zone", columns)


def _zone_row(draft: ZoneDraft) -> dict[str, Any]:
    geometry, radius_m = _stored_shape(draft.shape)
    return {
        "zone_id": draft.zone_id,
        "kind": str(draft.kind),
        "origin": str(draft.origin),
        "source": draft.source,
        "source_id": draft.source_id,
        "name": draft.name,
        "category": None if draft.category is None else str(draft.category),
        "geometry": to_ewkb(geometry),
        "radius_m": radius_m,
    }


def _stored_shape(shape: Shape) -> tuple[Any, float | None]:
    match shape:
        case Circle():
            return Point(shape.longitude, shape.latitude), shape.radius_m
        case Corridor():
            return shape.line, shape.half_width_m
        case Area():
            return shape.geometry, None


def _loaded_shape(geometry: Any, radius_m: float | None) -> Shape:
    if isinstance(geometry, Point):
        assert radius_m is not None
        return Circle(longitude=geometry.x, latitude=geometry.y, radius_m=radius_m)
    if isinstance(geometry, LineString | MultiLineString):
        assert radius_m is not None
        return Corridor(line=geometry, half_width_m=radius_m)
    return Area(geometry=geometry)


def _zone_content(row: Any) -> tuple[Any, ...]:
    return (row.kind, row.origin, row.category, from_element(row.geometry).wkb, row.radius_m)


def _draft_content(draft: ZoneDraft) -> tuple[Any, ...]:
    geometry, radius_m = _stored_shape(draft.shape)
    category = None if draft.category is None else str(draft.category)
    return (str(draft.kind), str(draft.origin), category, geometry.wkb, radius_m)


def load_zones(connection: Connection, zone_nos: Collection[int] | None = None) -> list[Zone]:
    """All zones in all versions, or those versions that are named."""
    in_force = table("zone_in_force", column("zone_no"), column("first_no"), column("in_force_to"))
    query = select(zone_table, in_force.c.first_no, in_force.c.in_force_to).join(
        in_force, in_force.c.zone_no == zone_table.c.zone_no
    )
    if zone_nos is not None:
        query = query.where(zone_table.c.zone_no.in_(zone_nos))
    return [_zone(row) for row in connection.execute(query.order_by(zone_table.c.zone_no))]


def _zone(row: Any) -> Zone:
    category: VenueCategory | SiteCategory | None = None
    if row.category is not None:
        category = VenueCategory(row.category) if row.category in set(VenueCategory) else SiteCategory(row.category)
    return Zone(
        zone_no=row.zone_no,
        zone_id=row.zone_id,
        version=row.version,
        kind=ZoneKind(row.kind),
        origin=ZoneOrigin(row.origin),
        name=row.name,
        shape=_loaded_shape(from_element(row.geometry), row.radius_m),
        category=category,
        first_no=row.first_no,
        in_force_from=row.valid_from,
        in_force_to=row.in_force_to,
        recorded_at=row.created_at,
    )


def zone_ids(connection: Connection, source: str, source_ids: Collection[str]) -> dict[str, UUID]:
    """Current zone ids by their id in a source."""
    query = select(zone_table.c.source_id, zone_table.c.zone_id).where(
        zone_table.c.superseded_at.is_(None), zone_table.c.source == source, zone_table.c.source_id.in_(source_ids)
    )
    return {row.source_id: row.zone_id for row in connection.execute(query)}


def add_subject(connection: Connection, *, subject_id: UUID, shard: int, alias: str, birth_date: date) -> int:
    """Add a subject, or update alias and birth date of a known one; returns its ``subject_no``.

    Who may only change the subjects that a policy shows needs no right to add any, and no row that it may not see.
    """
    values = {"subject_id": subject_id, "shard": shard, "alias": alias, "birth_date": birth_date}
    known = connection.execute(
        text(
            "UPDATE subject SET alias = :alias, birth_date = :birth_date WHERE subject_id = :subject_id"
            " RETURNING subject_no"
        ),
        values,
    ).scalar()
    if known is not None:
        return int(known)
    row = connection.execute(
        text(
            "INSERT INTO subject (subject_id, shard, alias, birth_date)"
            " VALUES (:subject_id, :shard, :alias, :birth_date) ON CONFLICT (subject_id)"
            " DO UPDATE SET alias = excluded.alias, birth_date = excluded.birth_date RETURNING subject_no"
        ),
        values,
    ).one()
    return int(row.subject_no)


def reevaluate_subject(connection: Connection, subject_no: int, *, since: datetime, reason: str, at: datetime) -> None:
    """Have the holder of the subject's shard judge its fixes from an instant on again."""
    connection.execute(
        text(
            "INSERT INTO reevaluation (shard, subject_no, since, reason, created_at)"
            " SELECT shard, subject_no, :since, :reason, :at FROM subject WHERE subject_no = :subject_no"
        ),
        {"subject_no": subject_no, "since": since, "reason": reason, "at": at},
    )


def reevaluate_near(connection: Connection, zone_ids: Collection[UUID], *, since: datetime, at: datetime) -> None:
    """Have every shard judge again, from an instant on, the subjects that were near any version of these zones.

    Being far from an inclusion zone is a breach, so that everyone is near one. Near is what a fix can be weighed from,
    or one end of a way that can lead through the zone.
    """
    connection.execute(
        text(
            "INSERT INTO reevaluation (shard, since, west, south, east, north, reason, created_at)"
            " SELECT s.shard, :since, z.west, z.south, z.east, z.north, 'zone', :at"
            " FROM shard s CROSS JOIN (SELECT"
            " CASE WHEN bool_or(kind = 'inclusion') THEN -180 ELSE min(ST_XMin(geometry) - wide) END AS west,"
            " CASE WHEN bool_or(kind = 'inclusion') THEN -90 ELSE min(ST_YMin(geometry) - high) END AS south,"
            " CASE WHEN bool_or(kind = 'inclusion') THEN 180 ELSE max(ST_XMax(geometry) + wide) END AS east,"
            " CASE WHEN bool_or(kind = 'inclusion') THEN 90 ELSE max(ST_YMax(geometry) + high) END AS north"
            " FROM zone CROSS JOIN LATERAL (SELECT (:reach_m + coalesce(radius_m, 0)) / 111000.0 AS high,"
            " (:reach_m + coalesce(radius_m, 0)) / (111000.0 * greatest(cos(radians(least(89.0,"
            " greatest(abs(ST_YMin(geometry)), abs(ST_YMax(geometry)))))), 0.01)) AS wide) AS margin"
            " WHERE zone_id = ANY(:zone_ids)) AS z"
            " WHERE EXISTS (SELECT FROM subject WHERE subject.shard = s.shard)"
        ),
        {
            "zone_ids": list(zone_ids),
            "since": since,
            "at": at,
            "reach_m": PresencePolicy().reach_limit_m + MAXIMUM_SEGMENT_M,
        },
    )


def load_subjects(connection: Connection, subject_nos: Collection[int]) -> dict[int, Subject]:
    """Subjects by number."""
    rows = connection.execute(
        text("SELECT subject_no, subject_id, alias, birth_date FROM subject WHERE subject_no = ANY(:subject_nos)"),
        {"subject_nos": list(subject_nos)},
    )
    return {
        row.subject_no: Subject(
            subject_no=row.subject_no, subject_id=row.subject_id, alias=row.alias, birth_date=row.birth_date
        )
        for row in rows
    }
