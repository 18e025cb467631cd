"""Leads as officers see and work them: what is open, what an agency still owes, and the next step.

The connection is one of ``as_account``: PostgreSQL shows leads to officers, and adds events of prosecutors and leaders.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.calendars import current_calendar
from api.errors import NotThereError
from api.lead_present import present_of
from api.rest_days import RestDays
from tracking.calendar import WorkCalendar
from venues.category import CATEGORY_NAMES_ZH
from venues.distance_rule import covers
from venues.lead import (
    LeadError,
    LeadEvent,
    LeadState,
    LeadStep,
    ReplyClock,
    next_steps,
    recheck_on,
    reply_clock,
    state_of,
    with_step,
)
from venues.lead_figures import LeadFigures, LeadLife, lead_figures
from venues.lead_pattern import LeadGround
from venues.lead_store import StoredLead, ids_of_place, load_leads

GROUND_NAMES_ZH: dict[LeadGround, str] = {
    LeadGround.DISTANCE: "设在学校、幼儿园周边",
    LeadGround.UNLICENSED: "学校周边无许可经营",
    LeadGround.MIS_REGISTERED: "登记业态与实际不符",
    LeadGround.ADMITS_MINORS: "接纳未成年人",
    LeadGround.SELLS_ALCOHOL: "向未成年人售酒",
    LeadGround.SELLS_TOBACCO: "向未成年人售烟",
    LeadGround.SELLS_LOTTERY: "向未成年人售彩票",
}

MOST_LEADS = 200
"""In one answer; the next ones follow the last id of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFilter:
    """Which leads are wanted; all by default."""

    state: LeadState | None = None
    ground: LeadGround | None = None
    is_overdue: bool | None = None
    """Whether an agency's time ran out without an answer."""
    venue_id: UUID | None = None
    """Of the place, by any id that it ever had."""
    division: str | None = None
    """In this division or one below it: six digits, ``320300`` for all of 3203."""
    after: UUID | None = None
    """Those that follow this lead in the list."""


def leads_shown(
    connection: Connection, wanted: LeadFilter, *, today: date, most: int = MOST_LEADS
) -> list[dict[str, Any]]:
    """Leads with state, regulator and due day: what an agency owes longest first, then what is to be looked at again,
    then the newest. ``today``: of Asia/Shanghai. Raises ``NotThereError`` if ``after`` is a lead that one does not see.
    """
    calendar = current_calendar(connection)
    places = None if wanted.venue_id is None else ids_of_place(connection, wanted.venue_id)
    found = []
    for lead in load_leads(connection):
        if _is_wanted(lead, wanted, places):
            shown = _listed(lead, today, calendar)
            if wanted.is_overdue in {None, shown["is_overdue"]}:
                found.append((_urgency(shown, lead), shown))
    if wanted.after is not None:
        last = lead_of(connection, wanted.after)
        passed = _urgency(_listed(last, today, calendar), last)
        found = [one for one in found if one[0] > passed]
    return [shown for _, shown in sorted(found, key=lambda one: one[0])[:most]]


def lead_shown(connection: Connection, lead_id: UUID, *, today: date) -> dict[str, Any]:
    """One lead: facts, what is found now if that changed, regulator, events with who did them, clock, what may be next.

    Raises ``NotThereError``.
    """
    lead = lead_of(connection, lead_id)
    names = _names(connection, lead)
    events = [
        {
            "step": event.step, "at": event.at, "by": names.get(number) if number is not None else None, "on": event.on,
            "is_found": event.is_found, "is_urgent": event.is_urgent, "regulator": event.regulator,
            "document_number": event.document_number, "note": event.note,
        }
        for event, number in zip(lead.events, lead.account_nos, strict=True)
    ]  # fmt: skip
    present = present_of(connection, lead)
    return _listed(lead, today, current_calendar(connection)) | {
        "facts": list(lead.facts), "has_changed": present.has_changed, "present": list(present.findings),
        "route_zh": lead.route_zh, "route_en": lead.route_en,
        "next_steps": list(next_steps(lead.events)), "events": events,
    }  # fmt: skip


def lead_of(connection: Connection, lead_id: UUID) -> StoredLead:
    """The lead. Raises ``NotThereError`` for one that the caller does not see."""
    found = load_leads(connection, lead_id=lead_id)
    if not found:
        raise NotThereError
    return found[0]


def take_lead_step(connection: Connection, lead_id: UUID, event: LeadEvent) -> LeadState:
    """One step further; returns the new state.

    Raises ``NotThereError`` for a lead that the account does not see or may not act on, and LeadError for a step that
    the lead does not allow, that lacks something, or that another officer was quicker than.
    """
    lead = lead_of(connection, lead_id)
    if not _may_act(connection):
        raise NotThereError
    whole = with_step(lead.events, event)
    asked = {
        "lead_no": lead.lead_no, "position": len(lead.events), "step": event.step, "at": event.at.isoformat(),
        "on_day": None if event.on is None else event.on.isoformat(), "is_found": event.is_found,
        "is_urgent": event.is_urgent, "regulator": event.regulator, "document_number": event.document_number,
        "note": event.note,
    }  # fmt: skip
    added = connection.execute(
        text("SELECT add_lead_event(jsonb_populate_record(NULL::lead_event, CAST(:asked AS jsonb)))"),
        {"asked": json.dumps(asked, ensure_ascii=False)},
    ).scalar_one()
    if added is None:
        raise LeadError("线索刚被他人办理，请重新查看 / somebody else was quicker: look at the lead again")
    return state_of(whole)


def figures_of_leads(connection: Connection, *, today: date) -> LeadFigures:
    """Figures of all leads, which name nobody."""
    lives = (LeadLife(ground=lead.ground, events=lead.events) for lead in load_leads(connection))
    return lead_figures(lives, today=today, is_rest_day=RestDays(calendar=current_calendar(connection)))


def figures_shown(connection: Connection, *, today: date) -> dict[str, Any]:
    """The figures as an answer: counts by name."""
    return asdict(figures_of_leads(connection, today=today))


def event_by(step: LeadStep, *, account_id: UUID, at: datetime, **given: Any) -> LeadEvent:
    """A step as entered by an officer; what is not given is left open."""
    return replace(LeadEvent(step=step, at=at, by=str(account_id)), **given)


def _may_act(connection: Connection) -> bool:
    found: bool = connection.execute(
        text("SELECT current_account_has('prosecutor') OR current_account_has('leader')")
    ).scalar_one()
    return found


def _urgency(shown: Mapping[str, Any], lead: StoredLead) -> tuple[int, date, int]:
    """Sorts what waits longest to the front; of what waits alike, and of the rest, the newest first."""
    if shown["is_overdue"]:
        return 0, shown["due_on"], -lead.lead_no
    return (1, shown["recheck_on"], -lead.lead_no) if shown["is_recheck_due"] else (2, date.max, -lead.lead_no)


def _is_wanted(lead: StoredLead, wanted: LeadFilter, places: frozenset[UUID] | None) -> bool:
    return (
        wanted.state in {None, state_of(lead.events)}
        and wanted.ground in {None, lead.ground}
        and (places is None or lead.venue_id in places)
        and (wanted.division is None or covers(wanted.division, lead.division))
    )


def _listed(lead: StoredLead, today: date, calendar: WorkCalendar) -> dict[str, Any]:
    is_rest_day = RestDays(calendar=calendar)
    clock = reply_clock(lead.events, today=today, is_rest_day=is_rest_day)
    again_on = recheck_on(lead.events, is_rest_day=is_rest_day)
    return {
        "lead_id": lead.lead_id, "state": state_of(lead.events), "ground": lead.ground, "is_sure": lead.is_sure,
        "venue_id": lead.venue_id, "venue_name": lead.venue_name, "venue_address": lead.venue_address,
        "division": lead.division, "categories": sorted(lead.categories), "opened_at": lead.events[0].at,
        "regulator": _regulator(lead), "candidates": list(lead.candidates),
        "recheck_on": again_on, "is_recheck_due": again_on is not None and again_on <= today, **_clock(clock),
        "weekends_only_years": sorted(is_rest_day.weekends_only_years),
    }  # fmt: skip


def _clock(clock: ReplyClock | None) -> Mapping[str, Any]:
    if clock is None:
        nothing = dict.fromkeys(("delivered_on", "due_on", "replied_on", "waited_until", "days_left", "colour"))
        return nothing | {"is_overdue": False}
    return {
        "delivered_on": clock.delivered_on, "due_on": clock.due_on, "replied_on": clock.replied_on,
        "waited_until": clock.waited_until, "days_left": clock.days_left, "colour": clock.colour,
        "is_overdue": clock.is_overdue,
    }  # fmt: skip


def _regulator(lead: StoredLead) -> str | None:
    """Whom the last consultation or recommendation went to; before one, whom the table named."""
    told = (event.regulator for event in reversed(lead.events) if event.regulator)
    return next(told, lead.regulator)


def _names(connection: Connection, lead: StoredLead) -> dict[int, str]:
    numbers = sorted({number for number in lead.account_nos if number is not None})
    rows = connection.execute(text("SELECT * FROM people_of_leads(:numbers)"), {"numbers": numbers})
    return {row.account_no: row.display_name for row in rows}


def names_of(categories: list[str]) -> str:
    """Categories in Chinese."""
    by_value: Mapping[str, str] = {str(category): name for category, name in CATEGORY_NAMES_ZH.items()}
    return "、".join(by_value[category] for category in categories)
