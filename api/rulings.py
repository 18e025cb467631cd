"""Which rule won over suspected violations and what it beat, from the versions by which they were found.

What officers allowed is read as it stands: whatever they change makes the violation be judged again (ADR 0022).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.casework.people import names_of
from tracking.allowance_store import exemptions_in_force, leaves_in_force
from tracking.leave import Exemption
from tracking.order_store import load_orders
from tracking.priority import RANK_NAMES_ZH, Claim, Ruling, claims_on, resolve
from tracking.store import load_zones


def rulings_of(connection: Connection, violations: Sequence[Any]) -> dict[UUID, Ruling]:
    """By the id of the violation. ``violations``: rows of the table, as many as are wanted."""
    claims = claims_of(connection, violations)
    return {row.violation_id: resolve(claims[row.violation_id], at=row.decided_at) for row in violations}


def claims_of(connection: Connection, violations: Sequence[Any]) -> dict[UUID, tuple[Claim, ...]]:
    """All that has a word on each violation, by its id."""
    if not violations:
        return {}
    orders = {order.order_no: order for order in load_orders(connection, {row.order_no for row in violations})}
    conditions = {item.condition_no: item for order in orders.values() for item in order.conditions}
    zones = {zone.zone_no: zone for zone in load_zones(connection, {row.zone_no for row in violations})}
    subjects = {row.subject_no for row in violations}
    leaves, exemptions = leaves_in_force(connection, subjects), _exemptions(connection, subjects)
    return {
        row.violation_id: claims_on(
            zones[row.zone_no],
            order=orders[row.order_no],
            condition=conditions[row.condition_no],
            leaves=leaves,
            exemptions=exemptions,
        )
        for row in violations
    }


def ruling_json(ruling: Ruling) -> Mapping[str, Any]:
    """For programs and screens: the rule that won, what it beat from the strongest down, and why in words."""
    return {
        "won": None if ruling.governs is None else _claim_json(ruling.governs),
        "beaten": [_claim_json(claim) for claim in ruling.beaten],
        "why_zh": ruling.why_zh,
        "why_en": ruling.why_en,
    }


def _claim_json(claim: Claim) -> Mapping[str, Any]:
    return {
        "rank": claim.rank.name.lower(),
        "rank_zh": RANK_NAMES_ZH[claim.rank],
        "says": claim.says,
        "name_zh": claim.name_zh,
        "name_en": claim.name_en,
    }


def _exemptions(connection: Connection, subject_nos: set[int]) -> tuple[Exemption, ...]:
    granted = exemptions_in_force(connection, subject_nos)
    names = _names(connection, {item.approver for item in granted})
    return tuple(
        Exemption(
            exemption_no=item.exemption_no,
            subject_no=item.subject_no,
            kind=item.kind,
            zone_key=item.zone_key,
            approved_by=names[item.approver],
            reason=item.reason,
            valid_from=item.starts_at,
            valid_to=item.ends_at,
        )
        for item in granted
    )


def _names(connection: Connection, account_nos: set[int]) -> dict[int | None, str]:
    """Of those who worked on cases that the account sees; whoever reads as the tables' owner sees all."""
    names = names_of(connection, account_nos)
    if unknown := account_nos - names.keys():
        query = text("SELECT account_no, display_name FROM account WHERE account_no = ANY(:numbers)")
        names |= {row.account_no: row.display_name for row in connection.execute(query, {"numbers": sorted(unknown)})}
    return names
