"""What is found of a lead's venue now, beside the facts that it was opened with, which are never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from api.distance_shown import FindingFilter, findings_shown
from venues.distance_history import Cause
from venues.distance_verdict import VERDICT_NAMES_ZH, Verdict
from venues.lead_pattern import LeadGround
from venues.lead_store import IDS_OF_PLACE, StoredLead

_OF_DISTANCE = frozenset({LeadGround.DISTANCE, LeadGround.UNLICENSED})
_NOTHING = "现无约束该场所的距离规则，或附近已无学校 / no rule binds it now, or no school is near any more"
_ELSEWHERE = "场所已在其他区划，由当地办理 / the place lies in another division now, whose officers see to it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Whether anything was found anew since a lead was opened; if so what holds now, a line each in both languages."""

    has_changed: bool
    findings: tuple[str, ...]


def present_of(connection: Connection, lead: StoredLead) -> Present:
    """What evaluations found since ``lead`` was opened. Of a lead about registrations only, nothing is compared."""
    if lead.ground not in _OF_DISTANCE:
        return Present(has_changed=False, findings=())
    newest: str | None = connection.execute(
        text(f"SELECT cause FROM distance_finding f WHERE venue_id IN ({IDS_OF_PLACE})"
             " AND recorded_at > :opened_at ORDER BY recorded_at DESC, finding_no DESC LIMIT 1"),
        {"venue_id": lead.venue_id, "opened_at": lead.events[0].at},
    ).scalar_one_or_none()  # fmt: skip
    if newest is None:
        return Present(has_changed=False, findings=())
    now = findings_shown(connection, FindingFilter(venue_id=lead.venue_id))
    nothing = _ELSEWHERE if newest == Cause.MOVED else _NOTHING
    return Present(has_changed=True, findings=tuple(map(_line, now)) or (nothing,))


def _line(found: Mapping[str, Any]) -> str:
    verdict = Verdict[found["verdict"].upper()]
    return (
        f"距{found['site_name']}直线 {_metres(found['straight_m'])}，步行 {_metres(found['walking_m'])}，"
        f"限 {found['threshold_m']:g} 米（{found['document']}）：{VERDICT_NAMES_ZH[verdict]}，{found['reason_zh']}，"
        f"自 {found['holds_from']} / {found['verdict']} by rule {found['rule_id']} since {found['holds_from']}:"
        f" {found['reason_en']}"
    )


def _metres(metres: float | None) -> str:
    return "不详" if metres is None else f"{metres:.0f} 米"
