"""A lead that an officer opens by hand: what registers and maps cannot tell, as that a bar lets minors in."""

import json
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from api.errors import LeadStandsError, NotThereError
from api.ids import new_id
from venues.distance_store import load_places
from venues.lead import LeadError, LeadEvent, LeadStep, with_step
from venues.lead_pattern import LeadGround
from venues.lead_route import LeadRoute, route_lead


def open_by_hand(
    connection: Connection,
    routes: tuple[LeadRoute, ...],
    *,
    venue_id: UUID,
    ground: LeadGround,
    note: str,
    on: date | None,
    by: UUID,
    at: datetime,
) -> UUID:
    """Open a lead about a place, for the regulator whom the table names there; returns its id.

    ``note``: what was seen, ``on`` which day (Asia/Shanghai), each line a fact. ``by``: the account of the connection.
    Raises ``NotThereError`` for a place that the officer does not oversee or may not open leads of, LeadError for a day
    to come or a note without words, and ``LeadStandsError`` if a lead on that ground is open there already.
    """
    with_step((), LeadEvent(step=LeadStep.OPEN, at=at, by=str(by), on=on))
    facts = [line.strip().replace(" / ", "／") for line in note.splitlines() if line.strip()]
    if not facts:
        raise LeadError("请写明发现的情况 / say what was seen")
    places = load_places(connection, venue_id=venue_id)
    if not places:
        raise NotThereError
    place_id = places[0].venue_id
    division = connection.execute(text("SELECT division_of_venue(:id)"), {"id": place_id}).scalar_one()
    if division is None:
        raise NotThereError
    categories = places[0].categories
    routed = route_lead(routes, ground=ground, categories=categories, division=division)
    lead_id = new_id()
    asked = {
        "lead_id": str(lead_id), "ground": ground, "venue_id": place_id, "categories": sorted(categories),
        "facts": facts, "regulator": routed.regulator, "candidates": list(routed.candidates),
        "route_zh": routed.text_zh, "route_en": routed.text_en,
        "route_basis": routed.route.basis if routed.route else "",
    }  # fmt: skip
    opened = connection.execute(
        text("SELECT open_lead(jsonb_populate_record(NULL::lead, CAST(:asked AS jsonb)), :on, :note, :at)"),
        {"asked": json.dumps(asked, ensure_ascii=False), "on": on, "note": note, "at": at},
    ).scalar_one()
    if opened is None:
        raise NotThereError
    if opened != lead_id:
        raise LeadStandsError(opened)
    return lead_id
