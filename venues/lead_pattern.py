"""Reasons to look at a venue: too near a school, no licence near a school, registered as something it is not. Pure.

A pattern proposes leads for a venue and ground, with the facts that made them, under a key that a repeat has too. Those
that go to one regulator are one lead: ``venues.lead_route.leads_by_regulator``.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from venues.category import CATEGORY_NAMES_ZH, VenueCategory
from venues.distance import DistanceFinding
from venues.distance_verdict import Verdict
from venues.distance_words import finding_line


class LeadGround(StrEnum):
    """Why somebody should look."""

    DISTANCE = "distance"  # 设在学校、幼儿园周边
    UNLICENSED = "unlicensed"  # 学校周边无许可经营
    MIS_REGISTERED = "mis_registered"  # 登记业态与实际不符
    ADMITS_MINORS = "admits_minors"  # 接纳未成年人
    SELLS_ALCOHOL = "sells_alcohol"  # 向未成年人售酒
    SELLS_TOBACCO = "sells_tobacco"  # 向未成年人售烟
    SELLS_LOTTERY = "sells_lottery"  # 向未成年人售彩票


NEEDS_LICENCE = frozenset(
    {
        VenueCategory.INTERNET_CAFE,
        VenueCategory.KTV,
        VenueCategory.NIGHTCLUB,
        VenueCategory.ARCADE,
        VenueCategory.TOBACCO,
    }
)
"""Categories with a licence of their own in a register (网吧条例、娱乐场所管理条例、烟草专卖法)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueStanding:
    """What registers and observers say a venue is."""

    venue_id: str
    name: str
    registered_as: frozenset[VenueCategory]
    """By business registration; empty for a category that Hulan does not know, such as a restaurant."""
    registered_zh: str
    """In the register's own words; empty where nobody read what they mean: what was not read tells nothing."""
    observed_as: frozenset[VenueCategory]
    """By inspectors, the public or a POI provider."""
    licensed_for: frozenset[VenueCategory]
    """By licences that are on file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadProposal:
    """A lead that a pattern found."""

    key: str
    """The same whenever the same is found again."""
    ground: LeadGround
    venue_id: str
    categories: frozenset[VenueCategory]
    is_sure: bool
    """False if only a survey on site can tell."""
    facts: tuple[str, ...]
    """In Chinese and English, one line each."""


def distance_leads(findings: Iterable[DistanceFinding]) -> tuple[LeadProposal, ...]:
    """Each venue that breaks the law of distance, or may, once for each of its categories that does.

    Each site that it is too near is a fact.
    """
    return tuple(
        _proposal(
            LeadGround.DISTANCE,
            venue_id,
            frozenset({category}),
            [finding_line(part) for part in parts],
            is_sure=any(part.verdict is Verdict.BREACH for part in parts),
        )
        for venue_id, held in _by_venue(findings).items()
        for category in sorted(frozenset().union(*(part.categories for part in held)))
        if (parts := [part for part in held if category in part.categories])
    )


def unlicensed_leads(
    standings: Iterable[VenueStanding], findings: Iterable[DistanceFinding]
) -> tuple[LeadProposal, ...]:
    """Venues near a school that are seen to be what needs a licence, with none on file.

    Near is what is too near by law, or may be; a place that may stay needs its licence all the more.
    """
    near = _by_venue(findings, also=Verdict.GRANDFATHERED)
    return tuple(
        _proposal(
            LeadGround.UNLICENSED,
            standing.venue_id,
            missing,
            [
                f"实为{_names(missing)}，未见相应许可 / seen to be {_words(missing)}, no such licence on file",
                *(finding_line(finding) for finding in near[standing.venue_id]),
            ],
            is_sure=False,
        )
        for standing in standings
        if standing.venue_id in near and (missing := (standing.observed_as & NEEDS_LICENCE) - standing.licensed_for)
    )


def mis_registered_leads(standings: Iterable[VenueStanding]) -> tuple[LeadProposal, ...]:
    """Bars and the like that are registered as something else: a 小酒馆 registers as a restaurant and acts as a bar."""
    return tuple(
        _proposal(
            LeadGround.MIS_REGISTERED,
            standing.venue_id,
            other,
            [
                f"登记为{standing.registered_zh}，实为{_names(other)} / registered as {standing.registered_zh}, "
                f"seen to be {_words(other)}"
            ],
            is_sure=False,
        )
        for standing in standings
        if standing.registered_zh
        and (other := (standing.observed_as - standing.registered_as - standing.licensed_for) & _MINORS_BARRED)
    )


_MINORS_BARRED = frozenset(
    {VenueCategory.BAR, VenueCategory.NIGHTCLUB, VenueCategory.KTV, VenueCategory.INTERNET_CAFE, VenueCategory.ARCADE}
)


def _by_venue(findings: Iterable[DistanceFinding], *, also: Verdict | None = None) -> dict[str, list[DistanceFinding]]:
    held: dict[str, list[DistanceFinding]] = {}
    for finding in findings:
        for part in finding.parts:
            if part.verdict in (Verdict.BREACH, Verdict.SURVEY, also):
                held.setdefault(part.venue.venue_id, []).append(part)
    return held


def _proposal(
    ground: LeadGround, venue_id: str, categories: frozenset[VenueCategory], facts: Sequence[str], *, is_sure: bool
) -> LeadProposal:
    return LeadProposal(
        key=hashlib.sha256(f"{ground}\n{venue_id}".encode()).hexdigest()[:32],
        ground=ground,
        venue_id=venue_id,
        categories=categories,
        is_sure=is_sure,
        facts=tuple(facts),
    )


def _names(categories: Iterable[VenueCategory]) -> str:
    return "、".join(CATEGORY_NAMES_ZH[category] for category in sorted(categories))


def _words(categories: Iterable[VenueCategory]) -> str:
    return ", ".join(sorted(categories))
