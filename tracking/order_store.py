"""Orders and their conditions in PostGIS, every version of them."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from tracking.order import Condition, ConditionKind, Consent, LocationBasis, Measure, Organ, SupervisionOrder
from tracking.store import reevaluate_subject
from tracking.timetable_json import timetable_from_json, timetable_to_json
from venues.category import SiteCategory, VenueCategory

_ORDER_COLUMNS = (
    "subject_no", "measure", "document_number", "deciding_organ", "executing_organ", "valid_from", "valid_to",
    "stage", "legal_basis", "location_basis", "consent", "review_at",
)  # fmt: skip
"""What an order says. That one of these differs makes a version."""

_CONDITION_COLUMNS = (
    "condition_id", "kind", "zone_id", "categories", "tolerance_m", "timetable", "parameters", "reason_code",
    "is_protected",
)  # fmt: skip

_JSON = {"consent", "timetable", "parameters"}


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
    ``effective_from`` says otherwise, as it does for the correction of an error (ADR 0013). Without ``location_basis``
    a version governs nothing (migration 0015).
    """
    content = _order_row(order)
    conditions = [_condition_row(item, zone_id_of(item)) for item in order.conditions]
    current = _current_order_no(connection, order.order_id, content, conditions)
    if current is not None:
        return current
    superseded = connection.execute(
        text("UPDATE supervision_order SET superseded_at = :at WHERE order_id = :order_id AND superseded_at IS NULL"),
        {"at": at, "order_id": order.order_id},
    ).rowcount
    start = effective_from or (max(at, order.valid_from) if superseded else order.valid_from)
    row = connection.execute(
        text(
            f"INSERT INTO supervision_order (order_id, version, {', '.join(_ORDER_COLUMNS)}, effective_from,"
            f" recorded_at) SELECT :order_id, coalesce(max(version), 0) + 1, {_values(_ORDER_COLUMNS)},"
            " :effective_from, :at FROM supervision_order WHERE order_id = :order_id RETURNING order_no"
        ),
        {**_written(content), "order_id": order.order_id, "effective_from": start, "at": at},
    ).one()
    for condition in conditions:
        connection.execute(
            text(
                f"INSERT INTO condition (order_no, {', '.join(_CONDITION_COLUMNS)})"
                f" VALUES (:order_no, {_values(_CONDITION_COLUMNS)})"
            ),
            {**_written(condition), "order_no": row.order_no},
        )
    reevaluate_subject(connection, order.subject_no, since=start, reason="order", at=at)
    return int(row.order_no)


def lift_order(
    connection: Connection, order_id: UUID, *, lifted_at: datetime, at: datetime, document: str | None = None
) -> bool:
    """End an order before its term; False if it has ended already. Its presences end at that instant, by rule."""
    row = connection.execute(
        text(
            "UPDATE supervision_order SET superseded_at = :lifted_at, lifted_at = :lifted_at,"
            " lifting_document = CAST(:document AS text) WHERE order_id = :order_id"
            " AND superseded_at IS NULL AND valid_to > :lifted_at RETURNING subject_no"
        ),
        {"order_id": order_id, "lifted_at": lifted_at, "document": document},
    ).one_or_none()
    if row is None:
        return False
    reevaluate_subject(connection, row.subject_no, since=lifted_at, reason="lifted", at=at)
    return True


def _order_row(order: SupervisionOrder) -> dict[str, Any]:
    consent = order.consent
    return {
        "subject_no": order.subject_no,
        "measure": str(order.measure),
        "document_number": order.document_number,
        "deciding_organ": order.deciding_organ,
        "executing_organ": order.executing_organ,
        "valid_from": order.valid_from,
        "valid_to": order.valid_to,
        "stage": None if order.stage is None else str(order.stage),
        "legal_basis": list(order.legal_basis),
        "location_basis": None if order.location_basis is None else str(order.location_basis),
        "consent": None
        if consent is None
        else {"signed_at": consent.signed_at.isoformat(), "document": consent.document, "by": consent.by},
        "review_at": order.review_at,
    }


def _condition_row(condition: Condition, zone_id: UUID | None) -> dict[str, Any]:
    return {
        "condition_id": condition.condition_id,
        "kind": str(condition.kind),
        "zone_id": zone_id,
        "categories": sorted(str(category) for category in condition.categories),
        "tolerance_m": condition.tolerance_m,
        "timetable": None if condition.timetable is None else timetable_to_json(condition.timetable),
        "parameters": dict(condition.parameters),
        "reason_code": condition.reason_code,
        "is_protected": condition.is_protected,
    }


def _values(columns: Sequence[str]) -> str:
    return ", ".join(f"CAST(:{name} AS jsonb)" if name in _JSON else f":{name}" for name in columns)


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value, ensure_ascii=False) if name in _JSON and value is not None else value
        for name, value in row.items()
    }


def _current_order_no(
    connection: Connection, order_id: UUID, content: Mapping[str, Any], conditions: Sequence[Mapping[str, Any]]
) -> int | None:
    """The ``order_no`` of the current version if it holds the same, else ``None``."""
    row = connection.execute(
        text("SELECT * FROM supervision_order WHERE order_id = :order_id AND superseded_at IS NULL"),
        {"order_id": order_id},
    ).one_or_none()
    if row is None or any(getattr(row, name) != content[name] for name in _ORDER_COLUMNS):
        return None
    known = connection.execute(
        text("SELECT * FROM condition WHERE order_no = :order_no ORDER BY condition_no"), {"order_no": row.order_no}
    )
    stored = [{name: getattr(item, name) for name in _CONDITION_COLUMNS} for item in known]
    return int(row.order_no) if stored == list(conditions) else None


def load_orders(connection: Connection, order_nos: Collection[int] | None = None) -> list[SupervisionOrder]:
    """All orders in all versions that ever govern, or those versions that are named, with their conditions.

    A condition names its zone by the first version of it. Timetables are as the order says them: rules are made of
    what ``tracking.activation.activate`` makes of these.
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
        stage=None if row.stage is None else Organ(row.stage),
        legal_basis=tuple(row.legal_basis),
        location_basis=None if row.location_basis is None else LocationBasis(row.location_basis),
        consent=None
        if row.consent is None
        else Consent(
            signed_at=datetime.fromisoformat(row.consent["signed_at"]),
            document=row.consent["document"],
            by=row.consent["by"],
        ),
        review_at=row.review_at,
        lifted_at=row.lifted_at,
        lifting_document=row.lifting_document,
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
        timetable=None if row.timetable is None else timetable_from_json(row.timetable),
        parameters=row.parameters,
        reason_code=row.reason_code,
        is_protected=row.is_protected,
        first_no=row.first_no,
    )
