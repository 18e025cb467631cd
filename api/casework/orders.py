"""Orders as an officer reads them, every version in plain words; and lifting one.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.calendars import current_calendar
from api.cases import WITHOUT_BASIS
from api.casework.wording import condition_en, condition_zh
from api.errors import NotThereError
from tracking.activation import activate
from tracking.order import LOCATION_BASIS_NAMES_ZH, MEASURE_NAMES_ZH, SupervisionOrder
from tracking.order_store import load_orders


def orders_of(connection: Connection, subject_no: int) -> list[dict[str, Any]]:
    """The orders of a subject as they stand, the latest first."""
    numbers = connection.execute(
        text("SELECT DISTINCT ON (order_id) order_no FROM supervision_order WHERE subject_no = :no"
             " ORDER BY order_id, version DESC"),
        {"no": subject_no},
    ).scalars()  # fmt: skip
    found = load_orders(connection, numbers.all())
    return [_told(connection, order) for order in sorted(found, key=lambda item: item.valid_from, reverse=True)]


def versions_of(connection: Connection, order_id: UUID) -> list[dict[str, Any]]:
    """Every version of an order, the last one first. Raises ``NotThereError``."""
    numbers = connection.execute(
        text("SELECT order_no FROM supervision_order WHERE order_id = :id"), {"id": order_id}
    ).scalars()
    found = load_orders(connection, numbers.all())
    if not found:
        raise NotThereError
    return [_told(connection, order) for order in sorted(found, key=lambda item: item.version, reverse=True)]


def end_order(connection: Connection, order_id: UUID, *, document: str) -> datetime:
    """Lift an order (解除), with the paper that does: its rules end now, or it is on record that it came late.

    Raises ``NotThereError`` for one that is not the account's to lift, or that was lifted or superseded.
    """
    lifted_at: datetime | None = connection.execute(
        text("SELECT end_order(:id, :document)"), {"id": order_id, "document": document}
    ).scalar_one()
    if lifted_at is None:
        raise NotThereError
    return lifted_at


def _told(connection: Connection, order: SupervisionOrder) -> dict[str, Any]:
    assert order.in_force_from is not None
    return {
        "order_id": order.order_id,
        "version": order.version,
        "measure": order.measure,
        "measure_zh": MEASURE_NAMES_ZH[order.measure],
        "document_number": order.document_number,
        "deciding_organ": order.deciding_organ,
        "executing_organ": order.executing_organ,
        "stage": order.stage,
        "legal_basis": order.legal_basis,
        "location_basis": order.location_basis,
        "location_basis_zh": None if order.location_basis is None else LOCATION_BASIS_NAMES_ZH[order.location_basis],
        "consent": None
        if order.consent is None
        else {"signed_at": order.consent.signed_at, "document": order.consent.document, "by": order.consent.by},
        "valid_from": order.valid_from,
        "valid_to": order.valid_to,
        "review_at": order.review_at,
        "governs_from": order.in_force_from,
        "governs_to": order.in_force_to,
        "lifted_at": order.lifted_at,
        "lifting_document": order.lifting_document,
        "conditions": [
            {
                "condition_id": item.condition_id,
                "kind": item.kind,
                "zh": condition_zh(item),
                "en": condition_en(item),
                "reason_code": item.reason_code,
            }
            for item in order.conditions
        ],
        "not_active_because": why_not_active(connection, order),
    }


def why_not_active(connection: Connection, order: SupervisionOrder) -> str | None:
    """Why none of its rules binds although it is on file; ``None``: they do, while it governs."""
    if order.location_basis is None:
        return WITHOUT_BASIS
    blocked = activate([order], calendar=current_calendar(connection)).blocked
    return blocked[0].reason if blocked else None
