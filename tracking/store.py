"""Zones, orders and subjects in PostGIS. What is found about them is in ``api.findings``."""

from collections.abc import Callable, Collection, Mapping, Sequence
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
from geo.postgis import from_element, geometry_column, metadata, to_element
from geo.shapes import Area, Circle, Corridor, Shape
from tracking.order import Condition, ConditionKind, Measure, Subject, SupervisionOrder
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
    """Add zones, or a new version of those whose content changed; an unchanged zone stays the version it is.

    New zones govern fixes from ``new_from`` on, new versions from ``changed_from`` on, both from ``at`` unless given.
    An instant in the past is a correction: what was found since is evaluated again (ADR 0013).
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/zone'))"))
    current = zone_table.c.superseded_at.is_(None) & zone_table.c.source.in_({draft.source for draft in drafts})
    known = {(row.source, row.source_id): row for row in connection.execute(select(zone_table).where(current))}
    new, changed, renamed = [], [], []
    for draft in drafts:
        row = _zone_row(draft)
        old = known.get((draft.source, draft.source_id))
        if old is None:
            new.append({**row, "version": 1, "created_at": at, "valid_from": new_from or at})
        elif _zone_content(old) != _draft_content(draft):
            changed.append(old.zone_no)
            start = changed_from or at
            new.append(
                {**row, "zone_id": old.zone_id, "version": old.version + 1, "created_at": at, "valid_from": start}
            )
        elif old.name != draft.name:
            renamed.append({"of_zone": old.zone_no, "new_name": draft.name})
    if changed:
        connection.execute(zone_table.update().where(zone_table.c.zone_no.in_(changed)).values(superseded_at=at))
    if new:
        connection.execute(zone_table.insert(), new)
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
        "geometry": to_element(geometry),
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
    """Add a subject, or update alias and birth date of a known one; returns its ``subject_no``."""
    row = connection.execute(
        text(
            "INSERT INTO subject (subject_id, shard, alias, birth_date)"
            " VALUES (:subject_id, :shard, :alias, :birth_date) ON CONFLICT (subject_id)"
            " DO UPDATE SET alias = excluded.alias, birth_date = excluded.birth_date RETURNING subject_no"
        ),
        {"subject_id": subject_id, "shard": shard, "alias": alias, "birth_date": birth_date},
    ).one()
    return int(row.subject_no)


def add_order(
    connection: Connection,
    *,
    order: SupervisionOrder,
    zone_id_of: Callable[[Condition], UUID | None],
    at: datetime,
    effective_from: datetime | None = None,
) -> int:
    """Store an order as the next version of its ``order_id``; the one before is superseded. Returns ``order_no``.

    An order that says what its current version says stays that version: a second import is not a change of law. The
    first version governs while the order is valid. A variation governs from ``at`` on, or when it becomes valid, unless
    ``effective_from`` says otherwise, as it does for the correction of an error (ADR 0013).
    """
    zones = {condition.condition_id: zone_id_of(condition) for condition in order.conditions}
    current = _current_order_no(connection, order, zones)
    if current is not None:
        return current
    parameters = {
        "order_id": order.order_id,
        "subject_no": order.subject_no,
        "measure": str(order.measure),
        "document_number": order.document_number,
        "deciding_organ": order.deciding_organ,
        "executing_organ": order.executing_organ,
        "valid_from": order.valid_from,
        "valid_to": order.valid_to,
        "at": at,
    }
    superseded = connection.execute(
        text("UPDATE supervision_order SET superseded_at = :at WHERE order_id = :order_id AND superseded_at IS NULL"),
        parameters,
    ).rowcount
    start = effective_from or (max(at, order.valid_from) if superseded else order.valid_from)
    parameters["effective_from"] = start
    row = connection.execute(
        text(
            "INSERT INTO supervision_order (order_id, version, subject_no, measure, document_number, deciding_organ,"
            " executing_organ, valid_from, valid_to, effective_from, recorded_at) SELECT :order_id,"
            " coalesce(max(version), 0) + 1, :subject_no, :measure, :document_number, :deciding_organ,"
            " :executing_organ, :valid_from, :valid_to, :effective_from, :at"
            " FROM supervision_order WHERE order_id = :order_id RETURNING order_no"
        ),
        parameters,
    ).one()
    for condition in order.conditions:
        connection.execute(
            text(
                "INSERT INTO condition (condition_id, order_no, kind, zone_id, categories, tolerance_m)"
                " VALUES (:condition_id, :order_no, :kind, :zone_id, :categories, :tolerance_m)"
            ),
            {
                "condition_id": condition.condition_id,
                "order_no": row.order_no,
                "kind": str(condition.kind),
                "zone_id": zones[condition.condition_id],
                "categories": sorted(str(category) for category in condition.categories),
                "tolerance_m": condition.tolerance_m,
            },
        )
    reevaluate_subject(connection, order.subject_no, since=start, reason="order", at=at)
    return int(row.order_no)


def lift_order(connection: Connection, order_id: UUID, *, lifted_at: datetime, at: datetime) -> bool:
    """End an order before its term; False if it has ended already. Its presences end at that instant, by rule."""
    row = connection.execute(
        text(
            "UPDATE supervision_order SET superseded_at = :lifted_at WHERE order_id = :order_id"
            " AND superseded_at IS NULL AND valid_to > :lifted_at RETURNING subject_no"
        ),
        {"order_id": order_id, "lifted_at": lifted_at},
    ).one_or_none()
    if row is None:
        return False
    reevaluate_subject(connection, row.subject_no, since=lifted_at, reason="lifted", at=at)
    return True


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


_ORDER_CONTENT = (
    "subject_no", "measure", "document_number", "deciding_organ", "executing_organ", "valid_from", "valid_to",
)  # fmt: skip


def _current_order_no(connection: Connection, order: SupervisionOrder, zones: Mapping[UUID, UUID | None]) -> int | None:
    """The ``order_no`` of the current version if it holds the same as ``order``, else ``None``."""
    row = connection.execute(
        text("SELECT * FROM supervision_order WHERE order_id = :order_id AND superseded_at IS NULL"),
        {"order_id": order.order_id},
    ).one_or_none()
    if row is None or any(getattr(row, name) != getattr(order, name) for name in _ORDER_CONTENT):
        return None
    known = connection.execute(
        text("SELECT * FROM condition WHERE order_no = :order_no ORDER BY condition_no"), {"order_no": row.order_no}
    )
    stored = [(item.condition_id, item.kind, item.zone_id, item.categories, item.tolerance_m) for item in known]
    asked = [
        (
            item.condition_id,
            str(item.kind),
            zones[item.condition_id],
            sorted(str(category) for category in item.categories),
            item.tolerance_m,
        )
        for item in order.conditions
    ]
    return int(row.order_no) if stored == asked else None


def load_orders(connection: Connection, order_nos: Collection[int] | None = None) -> list[SupervisionOrder]:
    """All orders in all versions that ever govern, or those versions that are named, with their conditions.

    A condition names its zone by the first version of it.
    """
    wanted = "f.in_force_from < f.in_force_to" if order_nos is None else "o.order_no = ANY(:order_nos)"
    parameters = {} if order_nos is None else {"order_nos": list(order_nos)}
    source = "supervision_order o JOIN order_in_force f USING (order_no)"
    conditions: dict[int, list[Condition]] = {}
    for row in connection.execute(
        text(
            "SELECT c.*, z.zone_no, v.first_no FROM condition c JOIN (SELECT condition_no, min(condition_no)"
            " OVER (PARTITION BY condition_id) AS first_no FROM condition) v USING (condition_no)"
            f" JOIN ({source}) USING (order_no) LEFT JOIN zone z ON z.zone_id = c.zone_id AND z.version = 1"
            f" WHERE {wanted} ORDER BY c.condition_no"
        ),
        parameters,
    ):
        conditions.setdefault(row.order_no, []).append(_condition(row))
    orders = connection.execute(
        text(f"SELECT o.*, f.in_force_from, f.in_force_to FROM {source} WHERE {wanted} ORDER BY o.order_no"), parameters
    )
    return [_order(row, conditions.get(row.order_no, ())) for row in orders]


def _order(row: Any, conditions: Sequence[Condition]) -> SupervisionOrder:
    return SupervisionOrder(
        order_no=row.order_no,
        order_id=row.order_id,
        version=row.version,
        subject_no=row.subject_no,
        measure=Measure(row.measure),
        document_number=row.document_number,
        deciding_organ=row.deciding_organ,
        executing_organ=row.executing_organ,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        conditions=tuple(conditions),
        in_force_from=row.in_force_from,
        in_force_to=row.in_force_to,
        # Who registers a first version late does not make it known late: its fixes are refused until then.
        recorded_at=row.recorded_at if row.version > 1 else None,
    )


def _condition(row: Any) -> Condition:
    categories: list[VenueCategory | SiteCategory] = [
        VenueCategory(name) if name in set(VenueCategory) else SiteCategory(name) for name in row.categories
    ]
    return Condition(
        condition_no=row.condition_no,
        condition_id=row.condition_id,
        kind=ConditionKind(row.kind),
        zone_no=row.zone_no,
        categories=frozenset(categories),
        tolerance_m=row.tolerance_m,
        first_no=row.first_no,
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
