"""What leads have told of a place already, and which of them are with the wrong office. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from venues.category import VenueCategory
from venues.distance_rule import covers
from venues.lead_pattern import LeadGround, LeadProposal


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldLead:
    """A lead that was opened once."""

    lead_no: int
    ground: LeadGround
    venue_ids: frozenset[str]
    """Every id that its place ever had among the rows that are one place now."""
    division: str
    categories: frozenset[VenueCategory]
    is_ended: bool
    """Dismissed or closed."""


def untold(
    proposals: Iterable[LeadProposal], told: Iterable[ToldLead], *, divisions: Mapping[str, str]
) -> tuple[LeadProposal, ...]:
    """What is new of each proposal: a kind of venue of which no lead on that ground told the office of the place.

    What was dismissed or closed is not said again, but for a place that lies where that office has no say.
    ``divisions``: of the venues, by id.
    """
    held: dict[tuple[LeadGround, str], list[ToldLead]] = {}
    for lead in told:
        for venue_id in lead.venue_ids:
            held.setdefault((lead.ground, venue_id), []).append(lead)
    found = []
    for proposal in proposals:
        division = divisions[proposal.venue_id]
        known: frozenset[VenueCategory] = frozenset().union(
            *(
                lead.categories
                for lead in held.get((proposal.ground, proposal.venue_id), ())
                if not lead.is_ended or covers(lead.division, division) or covers(division, lead.division)
            )
        )
        if new := proposal.categories - known:
            found.append(replace(proposal, categories=new))
    return tuple(found)


def misplaced(told: Iterable[ToldLead], *, divisions: Mapping[str, str]) -> tuple[tuple[ToldLead, str], ...]:
    """The leads not ended whose place lies in another division than they say, with that division.

    A division around the one that a lead says is no other one: that run only knew less.
    """
    return tuple(
        (lead, division)
        for lead in told
        if not lead.is_ended
        for division in sorted(divisions[one] for one in lead.venue_ids if one in divisions)[:1]
        if division != lead.division and not covers(division, lead.division)
    )
