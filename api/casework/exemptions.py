"""Exemptions: one person may be at one place for a time; granted and revoked by name.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.casework.people import names_of
from api.errors import NotThereError
from api.ids import new_id
from tracking.leave import EXEMPTION_NAMES_ZH, ExemptionKind

_LISTED = """
SELECT exemption_id, exemption_no, kind, approver, reason, valid_from, valid_to, recorded_at, revoked_at,
       ST_AsGeoJSON(geometry)::jsonb AS geometry
FROM exemption WHERE subject_no = :no ORDER BY valid_from DESC, exemption_no
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExemptionWish:
    """Where and how long somebody may be: at a venue's zone, or at every venue within ``radius_m`` of a point."""

    kind: ExemptionKind
    reason: str
    valid_from: datetime
    valid_to: datetime
    zone_id: UUID | None = None
    longitude: float | None = None
    latitude: float | None = None
    radius_m: float | None = None


def exemptions_of(connection: Connection, subject_no: int) -> list[dict[str, Any]]:
    """All of a subject, those that were revoked or ran out too."""
    rows = connection.execute(text(_LISTED), {"no": subject_no}).all()
    names = names_of(connection, [row.approver for row in rows])
    return [
        {**row._mapping, "approver": names.get(row.approver), "kind_zh": EXEMPTION_NAMES_ZH[ExemptionKind(row.kind)]}
        for row in rows
    ]


def grant_exemption(connection: Connection, subject_no: int, wish: ExemptionWish) -> UUID:
    """Grant it as the account; what was found there since its beginning is judged again.

    Raises ``NotThereError`` for a zone that is no venue's or no site's, and where the account decides nothing.
    """
    asked = {
        "exemption_id": str(new_id()),
        "subject_no": subject_no,
        "kind": wish.kind,
        "reason": wish.reason,
        "valid_from": wish.valid_from.isoformat(),
        "valid_to": wish.valid_to.isoformat(),
    }
    values: dict[str, Any] = {"asked": json.dumps(asked, ensure_ascii=False), "zone": wish.zone_id}
    place = "NULL"
    if wish.zone_id is None:
        place = (
            "ST_Buffer(ST_SetSRID(ST_MakePoint(CAST(:longitude AS double precision),"
            " CAST(:latitude AS double precision)), 4326)::geography, CAST(:radius_m AS double precision))::geometry"
        )
        values |= {"longitude": wish.longitude, "latitude": wish.latitude, "radius_m": wish.radius_m}
    row = connection.execute(
        text(
            "SELECT (grant_exemption(jsonb_populate_record(NULL::exemption, CAST(:asked AS jsonb)"
            f" || jsonb_build_object('geometry', {place})), CAST(:zone AS uuid))).exemption_id"
        ),
        values,
    ).scalar_one()
    return _there(row)


def revoke_exemption(connection: Connection, exemption_id: UUID) -> None:
    """From now on it lifts nothing. Raises ``NotThereError`` for one that is over or not the account's."""
    query = text("SELECT (revoke_exemption(:id)).exemption_id")
    _there(connection.execute(query, {"id": exemption_id}).scalar_one())


def _there(found: UUID | None) -> UUID:
    if found is None:
        raise NotThereError
    return found
