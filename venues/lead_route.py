"""Which regulator a lead goes to, by ground, kind of venue and place: a local table, as who answers for bars differs.

A table is data (``venues/lead_routes.toml``, and an office's own). The most local row wins, the last of equally local
ones. Where nobody settled who is competent the answer says so, with who might be: a lead is never sent by guess. Pure.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeVar

from venues.category import VenueCategory
from venues.distance_rule import Verification, covers, locality
from venues.lead_pattern import LeadGround, LeadProposal

Choice = TypeVar("Choice", bound=StrEnum)
_KEYS = {"jurisdiction", "grounds", "venues", "regulators", "settled", "basis", "source", "verification"}


class RouteError(ValueError):
    """A table that cannot be right. The message names the row, the key and what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRoute:
    """One row: leads of these grounds about these venues in this place go to these regulators."""

    jurisdiction: str
    """Division code (GB/T 2260) of six digits; ``000000`` the nation."""
    grounds: frozenset[LeadGround]
    venue_categories: frozenset[VenueCategory]
    regulators: tuple[str, ...]
    """One where it is settled; else who might be competent."""
    is_settled: bool
    basis: str
    source: str
    verification: Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Where a lead goes. ``regulator`` is ``None`` if nobody settled it: then somebody decides, from ``candidates``."""

    regulator: str | None
    candidates: tuple[str, ...]
    route: LeadRoute | None
    text_zh: str
    text_en: str


def route_lead(
    routes: tuple[LeadRoute, ...], *, ground: LeadGround, categories: frozenset[VenueCategory], division: str
) -> Routed:
    """The regulator for a lead about a venue of these categories in ``division`` (six digits)."""
    found = [_last_word(routes, ground, category, division) for category in sorted(categories)]
    chosen = [route for route in dict.fromkeys(found) if route is not None]
    if not chosen:
        return Routed(
            regulator=None,
            candidates=(),
            route=None,
            text_zh="移送表中没有对应条目：请先补充本地规定",
            text_en="no row of the table fits: add what is settled locally",
        )
    named = tuple(dict.fromkeys(name for route in chosen for name in route.regulators))
    if len(named) == 1 and all(route.is_settled for route in chosen):
        return Routed(
            regulator=named[0],
            candidates=named,
            route=chosen[0],
            text_zh=f"移送{named[0]}（{chosen[0].basis}）",
            text_en=f"to {named[0]} ({chosen[0].basis})",
        )
    return Routed(
        regulator=None,
        candidates=named,
        route=chosen[0],
        text_zh=f"职责未明确，可能为{'、'.join(named)}：请先会商确定，并写入本地移送表",
        text_en=f"who is competent is not settled, perhaps {', '.join(named)}: settle it and add it to the local table",
    )


def leads_by_regulator(
    routes: tuple[LeadRoute, ...], proposals: Iterable[LeadProposal], *, divisions: Mapping[str, str]
) -> tuple[tuple[LeadProposal, Routed], ...]:
    """One lead for each venue, ground and regulator: a KTV that sells tobacco too near a school is told to two.

    Categories of which nobody settled who is competent make one lead together. ``divisions``: of the venues, by id.
    """
    held: dict[tuple[LeadGround, str, str], list[LeadProposal]] = {}
    for proposal in proposals:
        by_whom: dict[str, set[VenueCategory]] = {}
        for category in proposal.categories:
            by_whom.setdefault(_routed(routes, proposal, {category}, divisions).regulator or "", set()).add(category)
        for whom, categories in sorted(by_whom.items()):
            held.setdefault((proposal.ground, proposal.venue_id, whom), []).append(
                replace(proposal, categories=frozenset(categories))
            )
    joined = [_joined(found, whom, divisions) for (_, _, whom), found in held.items()]
    return tuple((lead, _routed(routes, lead, lead.categories, divisions)) for lead in joined)


def _routed(
    routes: tuple[LeadRoute, ...],
    proposal: LeadProposal,
    categories: Iterable[VenueCategory],
    divisions: Mapping[str, str],
) -> Routed:
    division = divisions[proposal.venue_id]
    return route_lead(routes, ground=proposal.ground, categories=frozenset(categories), division=division)


def _joined(proposals: Sequence[LeadProposal], whom: str, divisions: Mapping[str, str]) -> LeadProposal:
    first = proposals[0]
    categories: frozenset[VenueCategory] = frozenset().union(*(one.categories for one in proposals))
    named = (first.key, whom, divisions[first.venue_id], *sorted(categories))
    return replace(
        first,
        key=hashlib.sha256("\n".join(named).encode()).hexdigest()[:32],
        categories=categories,
        is_sure=any(one.is_sure for one in proposals),
        facts=tuple(dict.fromkeys(fact for one in proposals for fact in one.facts)),
    )


def _last_word(
    routes: tuple[LeadRoute, ...], ground: LeadGround, category: VenueCategory, division: str
) -> LeadRoute | None:
    """The most local row about one kind of venue, the last of equally local ones."""
    fitting = [
        (locality(route.jurisdiction), number, route)
        for number, route in enumerate(routes)
        if ground in route.grounds and category in route.venue_categories and covers(route.jurisdiction, division)
    ]
    return max(fitting, key=lambda one: one[:2])[2] if fitting else None


def read_lead_routes(text: str) -> tuple[LeadRoute, ...]:
    """The table that TOML text describes. Raises RouteError, naming row and key, for anything else."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RouteError(f"移送表不是 TOML / the table is no TOML: {error}") from error
    for key in data.keys() - {"route"}:
        raise RouteError(f"{key}：不认识的段 unknown table; a file has [[route]]")
    return tuple(_route(entry, f"route[{number}]") for number, entry in enumerate(data.get("route", []), start=1))


def _route(entry: Mapping[str, Any], where: str) -> LeadRoute:
    for key in entry.keys() ^ _KEYS:
        raise RouteError(f"{where}.{key}：缺少或不认识 missing or unknown; the keys are {', '.join(sorted(_KEYS))}")
    code, names = entry["jurisdiction"], entry["regulators"]
    if not (isinstance(code, str) and len(code) == 6 and code.isascii() and code.isdigit()):
        raise RouteError(f"{where}.jurisdiction：应为六位区划代码 a division code of six digits, not {code!r}")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise RouteError(f"{where}.regulators：应列出部门 must name at least one, not {names!r}")
    if not isinstance(entry["settled"], bool) or (entry["settled"] and len(names) != 1):
        raise RouteError(f"{where}.settled：已明确的须为一个部门 true needs exactly one regulator, else false")
    return LeadRoute(
        jurisdiction=code,
        grounds=_members(LeadGround, entry["grounds"], f"{where}.grounds"),
        venue_categories=_members(VenueCategory, entry["venues"], f"{where}.venues"),
        regulators=tuple(names),
        is_settled=entry["settled"],
        basis=str(entry["basis"]),
        source=str(entry["source"]),
        verification=next(iter(_members(Verification, [entry["verification"]], f"{where}.verification"))),
    )


def _members(kind: type[Choice], values: object, where: str) -> frozenset[Choice]:
    known = {member.value: member for member in kind}
    if not isinstance(values, list) or not values or any(value not in known for value in values):
        raise RouteError(f"{where}：{values!r} 应取自 must be some of {', '.join(known)}")
    return frozenset(known[value] for value in values)
