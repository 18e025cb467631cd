"""Leads and what was done with them, in PostGIS. An event is added after the last one, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from venues.category import VenueCategory
from venues.lead import LeadEvent, LeadStep
from venues.lead_pattern import LeadGround, LeadProposal
from venues.lead_route import Routed
from venues.lead_told import ToldLead

PROGRAM = "hulan"
"""Who opens a lead."""

IDS_OF_PLACE = (
    "SELECT CAST(:venue_id AS uuid) UNION SELECT other.venue_id FROM venue v JOIN venue other USING (current_no)"
    " WHERE v.venue_id = :venue_id"
)
"""Every id that the place of a venue has among the rows that are one place now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadDraft:
    """A lead to be opened."""

    lead_id: UUID
    proposal: LeadProposal
    venue_name: str
    venue_address: str
    division: str
    routed: Routed


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLead:
    """A lead with all its events. ``account_nos``: of each event's officer, ``None`` for the program."""

    lead_no: int
    lead_id: UUID
    ground: LeadGround
    venue_id: UUID
    venue_name: str
    venue_address: str
    division: str
    categories: frozenset[VenueCategory]
    is_sure: bool
    facts: tuple[str, ...]
    regulator: str | None
    candidates: tuple[str, ...]
    route_zh: str
    route_en: str
    route_basis: str
    """What makes the regulator competent, as the table names it; empty where nothing fits."""
    events: tuple[LeadEvent, ...]
    account_nos: tuple[int | None, ...]


def open_leads(connection: Connection, drafts: Sequence[LeadDraft], *, run_no: int | None, at: datetime) -> int:
    """Open leads, those under a key that was never used; returns how many. What is new: :mod:`venues.lead_told`."""
    opened = 0
    for draft in drafts:
        lead_no = connection.execute(
            text(
                "INSERT INTO lead (lead_id, lead_key, ground, venue_id, venue_name, venue_address, division,"
                " categories, is_sure, facts, regulator, candidates, route_zh, route_en,"
                " route_basis, run_no)"
                " VALUES (:lead_id, :key, :ground, :venue_id, :venue_name, :venue_address, :division,"
                " CAST(:categories AS text[]), :is_sure, CAST(:facts AS text[]), :regulator,"
                " CAST(:candidates AS text[]), :route_zh, :route_en, :route_basis, :run_no)"
                " ON CONFLICT (lead_key) DO NOTHING RETURNING lead_no"
            ),
            {
                "lead_id": draft.lead_id, "key": draft.proposal.key, "ground": str(draft.proposal.ground),
                "venue_id": UUID(draft.proposal.venue_id), "venue_name": draft.venue_name,
                "venue_address": draft.venue_address, "division": draft.division,
                "categories": sorted(str(category) for category in draft.proposal.categories),
                "is_sure": draft.proposal.is_sure, "facts": list(draft.proposal.facts),
                "run_no": run_no, **_routed_columns(draft.routed),
            },
        ).scalar_one_or_none()  # fmt: skip
        if lead_no is not None:
            opening = LeadEvent(step=LeadStep.OPEN, at=at, by=PROGRAM)
            add_event(connection, lead_no=lead_no, position=0, event=opening, account_no=None)
            opened += 1
    return opened


def told_leads(connection: Connection) -> list[ToldLead]:
    """Every lead that was opened, as an evaluation asks about it."""
    rows = connection.execute(
        text(
            "SELECT l.lead_no, l.ground, l.division, l.categories, last.step IN ('dismiss', 'close') AS is_ended,"
            " ARRAY(SELECT l.venue_id UNION SELECT other.venue_id FROM venue v JOIN venue other USING (current_no)"
            " WHERE v.venue_id = l.venue_id) AS venue_ids"
            " FROM lead l CROSS JOIN LATERAL (SELECT step FROM lead_event e WHERE e.lead_no = l.lead_no"
            " AND step <> 'transfer' ORDER BY position DESC LIMIT 1) AS last ORDER BY l.lead_no"
        )
    )
    return [
        ToldLead(
            lead_no=row.lead_no,
            ground=LeadGround(row.ground),
            venue_ids=frozenset(map(str, row.venue_ids)),
            division=row.division,
            categories=frozenset(map(VenueCategory, row.categories)),
            is_ended=row.is_ended,
        )
        for row in rows
    ]


def transfer_lead(connection: Connection, lead: ToldLead, *, division: str, routed: Routed, at: datetime) -> None:
    """Hand a lead over to the division where its place lies, and to whom that table names, with an event that says so.

    If an officer takes a step at that moment nothing moves: the next evaluation sees to it.
    """
    added = connection.execute(
        text(
            "INSERT INTO lead_event (lead_no, position, step, at, is_urgent, regulator, document_number, note)"
            " SELECT l.lead_no, last.position + 1, 'transfer', greatest(:at, last.at), false, '', '',"
            " '场所位于 ' || :division || '，线索原属 ' || l.division || '，原移送'"
            " || coalesce(l.regulator, '部门未明确')"
            " || ' / the place lies in ' || :division || ', not in ' || l.division"
            " FROM lead l CROSS JOIN LATERAL (SELECT position, at FROM lead_event e WHERE e.lead_no = l.lead_no"
            " ORDER BY position DESC LIMIT 1) AS last WHERE l.lead_no = :lead_no"
            " ON CONFLICT (lead_no, position) DO NOTHING"
        ),
        {"lead_no": lead.lead_no, "division": division, "at": at},
    )
    if added.rowcount:
        connection.execute(
            text(
                "UPDATE lead SET division = :division, regulator = :regulator,"
                " candidates = CAST(:candidates AS text[]), route_zh = :route_zh, route_en = :route_en,"
                " route_basis = :route_basis WHERE lead_no = :lead_no"
            ),
            {"lead_no": lead.lead_no, "division": division, **_routed_columns(routed)},
        )


def _routed_columns(routed: Routed) -> dict[str, Any]:
    return {
        "regulator": routed.regulator,
        "candidates": list(routed.candidates),
        "route_zh": routed.text_zh,
        "route_en": routed.text_en,
        "route_basis": routed.route.basis if routed.route else "",
    }


def add_event(connection: Connection, *, lead_no: int, position: int, event: LeadEvent, account_no: int | None) -> bool:
    """Add an event at a place that must be free; ``False`` if somebody else took it."""
    found = connection.execute(
        text(
            "INSERT INTO lead_event (lead_no, position, step, at, account_no, on_day, is_found, is_urgent, regulator,"
            " document_number, note) VALUES (:lead_no, :position, :step, :at, :account_no, :on_day, :is_found,"
            " :is_urgent, :regulator, :document_number, :note) ON CONFLICT (lead_no, position) DO NOTHING"
        ),
        {
            "lead_no": lead_no, "position": position, "step": str(event.step), "at": event.at,
            "account_no": account_no, "on_day": event.on, "is_found": event.is_found, "is_urgent": event.is_urgent,
            "regulator": event.regulator, "document_number": event.document_number, "note": event.note,
        },
    )  # fmt: skip
    return found.rowcount == 1


def ids_of_place(connection: Connection, venue_id: UUID) -> frozenset[UUID]:
    """Every id that the place has among the rows that are one place now, the one given included."""
    return frozenset(connection.execute(text(IDS_OF_PLACE), {"venue_id": venue_id}).scalars())


def load_leads(connection: Connection, *, lead_id: UUID | None = None) -> list[StoredLead]:
    """All leads that the connection may see, the newest first; or the one with this id."""
    chosen = "" if lead_id is None else "WHERE lead_id = :lead_id"
    parameters = {} if lead_id is None else {"lead_id": lead_id}
    rows = connection.execute(text(f"SELECT * FROM lead {chosen} ORDER BY lead_no DESC"), parameters).all()
    events: dict[int, list[Any]] = {row.lead_no: [] for row in rows}
    found = connection.execute(
        text("SELECT * FROM lead_event WHERE lead_no = ANY (:numbers) ORDER BY lead_no, position"),
        {"numbers": list(events)},
    )
    for event in found:
        events[event.lead_no].append(event)
    return [_lead(row, events[row.lead_no]) for row in rows]


def _lead(row: Any, events: Sequence[Any]) -> StoredLead:
    return StoredLead(
        lead_no=row.lead_no,
        lead_id=row.lead_id,
        ground=LeadGround(row.ground),
        venue_id=row.venue_id,
        venue_name=row.venue_name,
        venue_address=row.venue_address,
        division=row.division,
        categories=frozenset(VenueCategory(category) for category in row.categories),
        is_sure=row.is_sure,
        facts=tuple(row.facts),
        regulator=row.regulator,
        candidates=tuple(row.candidates),
        route_zh=row.route_zh,
        route_en=row.route_en,
        route_basis=row.route_basis,
        events=tuple(
            LeadEvent(
                step=LeadStep(event.step),
                at=event.at,
                by=PROGRAM if event.account_no is None else str(event.account_no),
                on=event.on_day,
                is_found=event.is_found,
                is_urgent=event.is_urgent,
                regulator=event.regulator,
                document_number=event.document_number,
                note=event.note,
            )
            for event in events
        ),
        account_nos=tuple(event.account_no for event in events),
    )
