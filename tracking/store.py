"""Zones, orders and findings in PostGIS. What the engine remembers is in ``api.engine_state``."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
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
    select,
    text,
)

from geo.postgis import copy_rows, driver_connection, from_element, geometry_column, metadata, to_element
from geo.shapes import Area, Circle, Corridor, Shape
from tracking.episode import Ending, Episode, Tier, Violation
from tracking.order import Condition, ConditionKind, Measure, Subject, SupervisionOrder
from tracking.presence import ENDED_BY_EXIT, ENDED_BY_RULE, ENDED_BY_SILENCE, PROBABLE
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


def save_zones(connection: Connection, drafts: Sequence[ZoneDraft], *, at: datetime) -> ZonesSaved:
    """Add zones, or a new version of those whose content changed; an unchanged zone stays the version it is."""
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('import/zone'))"))
    current = zone_table.c.superseded_at.is_(None) & zone_table.c.source.in_({draft.source for draft in drafts})
    known = {(row.source, row.source_id): row for row in connection.execute(select(zone_table).where(current))}
    new, changed, renamed = [], [], []
    for draft in drafts:
        row = _zone_row(draft)
        old = known.get((draft.source, draft.source_id))
        if old is None:
            new.append({**row, "version": 1, "created_at": at})
        elif _zone_content(old) != _draft_content(draft):
            changed.append(old.zone_no)
            new.append({**row, "zone_id": old.zone_id, "version": old.version + 1, "created_at": at})
        elif old.name != draft.name:
            renamed.append({"of_zone": old.zone_no, "new_name": draft.name})
    if changed:
        connection.execute(zone_table.update().where(zone_table.c.zone_no.in_(changed)).values(superseded_at=at))
    if new:
        connection.execute(zone_table.insert(), new)
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
    """The zones now in force, or those versions that are named."""
    wanted = zone_table.c.superseded_at.is_(None) if zone_nos is None else zone_table.c.zone_no.in_(zone_nos)
    return [_zone(row) for row in connection.execute(select(zone_table).where(wanted).order_by(zone_table.c.zone_no))]


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
) -> int:
    """Store an order as the next version of its ``order_id``; the one before is superseded. Returns ``order_no``.

    An order that says what its current version says stays that version: a second import is not a change of law.
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
    connection.execute(
        text("UPDATE supervision_order SET superseded_at = :at WHERE order_id = :order_id AND superseded_at IS NULL"),
        parameters,
    )
    row = connection.execute(
        text(
            "INSERT INTO supervision_order (order_id, version, subject_no, measure, document_number, deciding_organ,"
            " executing_organ, valid_from, valid_to) SELECT :order_id, coalesce(max(version), 0) + 1, :subject_no,"
            " :measure, :document_number, :deciding_organ, :executing_organ, :valid_from, :valid_to"
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
    return int(row.order_no)


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
    """The orders in their current version, or those versions that are named, with their conditions."""
    wanted = "o.superseded_at IS NULL" if order_nos is None else "o.order_no = ANY(:order_nos)"
    parameters = {} if order_nos is None else {"order_nos": list(order_nos)}
    conditions: dict[int, list[Condition]] = {}
    for row in connection.execute(
        text(
            "SELECT c.*, z.zone_no FROM condition c JOIN supervision_order o USING (order_no)"
            " LEFT JOIN zone z ON z.zone_id = c.zone_id AND z.superseded_at IS NULL"
            f" WHERE {wanted} ORDER BY c.condition_no"
        ),
        parameters,
    ):
        conditions.setdefault(row.order_no, []).append(_condition(row))
    orders = connection.execute(
        text(f"SELECT o.* FROM supervision_order o WHERE {wanted} ORDER BY o.order_no"), parameters
    )
    return [
        SupervisionOrder(
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
            conditions=tuple(conditions.get(row.order_no, ())),
        )
        for row in orders
    ]


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
    )


def load_subjects(connection: Connection, subject_nos: Collection[int]) -> dict[int, Subject]:
    """Subjects by number."""
    rows = connection.execute(
        text("SELECT * FROM subject WHERE subject_no = ANY(:subject_nos)"), {"subject_nos": list(subject_nos)}
    )
    return {
        row.subject_no: Subject(
            subject_no=row.subject_no, subject_id=row.subject_id, alias=row.alias, birth_date=row.birth_date
        )
        for row in rows
    }


def _instant(microseconds: str) -> str:
    """The SQL of an instant, from that of its microseconds since 1970; exact, as ``to_timestamp`` is not."""
    return f"timestamptz '1970-01-01 00:00:00+00' + {microseconds} * interval '1 microsecond'"


_EPISODE_COLUMNS = [name for name in Episode.__slots__ if name != "episode_id"]

_STAGE_EPISODES = """
CREATE TEMP TABLE IF NOT EXISTS episode_stage (
    episode_id uuid, subject_no bigint, condition_no bigint, zone_no bigint, started_at bigint, ended_at bigint,
    last_inside_at bigint, possible_at bigint, decided_at bigint, peak double precision, fix_count integer,
    tier smallint, ended_by smallint, is_entry smallint, undecidable smallint
) ON COMMIT DELETE ROWS
"""

_MERGE_EPISODES = f"""
INSERT INTO episode AS e (episode_id, subject_no, condition_no, zone_no, tier, started_at, ended_at, ended_by,
    last_inside_at, possible_at, decided_at, peak_probability, fix_count, is_entry, is_undecidable)
SELECT episode_id, subject_no, condition_no, zone_no,
    CASE tier WHEN {PROBABLE} THEN '{Tier.PROBABLE}' ELSE '{Tier.POSSIBLE}' END,
    {_instant("started_at")}, {_instant("nullif(ended_at, 0)")},
    CASE WHEN ended_at <> 0 THEN CASE ended_by WHEN {ENDED_BY_EXIT} THEN '{Ending.EXIT}'
        WHEN {ENDED_BY_SILENCE} THEN '{Ending.SILENCE}' WHEN {ENDED_BY_RULE} THEN '{Ending.RULE}' END END,
    {_instant("last_inside_at")}, {_instant("possible_at")}, {_instant("nullif(decided_at, 0)")},
    peak, fix_count, is_entry <> 0, undecidable <> 0
FROM episode_stage
ON CONFLICT (episode_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _EPISODE_COLUMNS)},
    superseded_at = NULL
WHERE (e.superseded_at, {", ".join(f"e.{name}" for name in _EPISODE_COLUMNS)})
    IS DISTINCT FROM (CAST(NULL AS timestamptz), {", ".join(f"excluded.{name}" for name in _EPISODE_COLUMNS)})
"""


def save_episodes(connection: Connection, presence_rows: NDArray[Any]) -> int:
    """Add the episodes of ``PRESENCE`` rows, or carry known ones on; returns the rows written.

    A repeat of the same episode changes nothing and writes nothing. No two rows may be of one episode.
    """
    if len(presence_rows) == 0:
        return 0
    rows = presence_rows
    names = ("subject_no", "condition_no", "zone_no", "started_at", "ended_at", "last_inside_at", "possible_at",
             "decided_at", "peak", "fix_count", "tier", "ended_by", "is_entry", "undecidable")  # fmt: skip
    driver = driver_connection(connection)
    driver.execute(_STAGE_EPISODES)
    ids = np.stack([rows["episode_high"], rows["episode_low"]], axis=1)
    copy_rows(connection, "episode_stage", {"episode_id": ids} | {name: rows[name] for name in names})
    return driver.execute(_MERGE_EPISODES.encode()).rowcount


def supersede_episodes(
    connection: Connection, *, subject_no: int, since: datetime, kept: Collection[UUID], at: datetime
) -> int:
    """Mark episodes from ``since`` on that a new evaluation with late fixes no longer finds. None is deleted."""
    return connection.execute(
        text(
            "UPDATE episode SET superseded_at = :at WHERE subject_no = :subject_no AND started_at >= :since"
            " AND superseded_at IS NULL AND NOT episode_id = ANY(:kept)"
        ),
        {"subject_no": subject_no, "since": since, "kept": list(kept), "at": at},
    ).rowcount


_VIOLATION_COLUMNS = {
    "violation_id": "uuid", "episode_id": "uuid", "subject_no": "bigint", "order_no": "bigint",
    "condition_no": "bigint", "zone_no": "bigint", "kind": "text", "started_at": "timestamptz",
    "decided_at": "timestamptz", "known_at": "timestamptz", "probability": "double precision",
    "engine_version": "text", "policy_version": "text",
}  # fmt: skip


def save_violations(connection: Connection, violations: Sequence[Violation]) -> set[UUID]:
    """Add violations; returns the ids of those that were not known before."""
    if not violations:
        return set()
    arrays = ", ".join(f"%s::{kind}[]" for kind in _VIOLATION_COLUMNS.values())
    statement = (
        f"INSERT INTO violation ({', '.join(_VIOLATION_COLUMNS)}) SELECT * FROM unnest({arrays})"
        " ON CONFLICT (violation_id) DO NOTHING RETURNING violation_id"
    )
    values = [[getattr(item, name) for item in violations] for name in _VIOLATION_COLUMNS]
    return {row[0] for row in driver_connection(connection).execute(statement.encode(), values)}
