"""Every venue against every site near it, by every rule of the day: what breaks the law of distance, and by which rule.

Both distances are always told, straight and on foot, between the ends that the rule names. Which rule wins, and that
each kind of venue has its own, ``venues.distance_rows`` says. Rules that did not win are told beside the one that did,
with what they would have said.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from math import isnan

import numpy as np

from geo.walk_network import WalkNetwork
from venues.category import VenueCategory
from venues.distance_ends import Campus, DistancePolicy, Door, Gate, GateKind, PlacedVenue, ProtectedSite
from venues.distance_law import DistanceLaw
from venues.distance_method import METHOD, DistanceMethod
from venues.distance_pairs import DistancePairs, near_pairs
from venues.distance_rows import CATEGORIES, DistanceRows, rows_of
from venues.distance_rule import DistanceRule, Metric, SiteEnd, VenueEnd
from venues.distance_verdict import Reason, Verdict

WALKED_BEYOND_M = 400.0
"""How much further than the widest rule ways are followed, so that the errors of both ends leave a longer one clear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    """A rule that bound the pair and yielded to a more local or later one."""

    rule: DistanceRule
    verdict: Verdict
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceFinding:
    """One venue near one campus, under the rule that won for those of its categories that fare worst."""

    venue: PlacedVenue
    site: ProtectedSite
    campus: Campus
    straight_door: Door | None
    """Where the straight distance ends; ``None`` for the venue's point, or its edge (:attr:`is_to_edge`)."""
    straight_gate: Gate | None
    """Where it begins; ``None`` for the wall, or for the campus's point if nobody drew the wall."""
    walk_door: Door | None
    """Where the way on foot ends, and begins."""
    walk_gate: Gate | None
    rule: DistanceRule
    verdict: Verdict
    reason: Reason
    low_m: float
    high_m: float
    straight_m: float
    straight_error_m: float
    walking_m: float
    walking_error_m: float
    walk_status: int
    categories: frozenset[VenueCategory]
    """What the venue is judged as: the rule binds it as these, and says this of them."""
    beaten: tuple[Beaten, ...] = ()
    others: tuple["DistanceFinding", ...] = ()
    """What is said of the venue's other categories, the worst first; each with no others."""

    @property
    def is_to_edge(self) -> bool:
        """Whether the straight distance ends at the edge of the venue's footprint, and at no door."""
        is_asked = self.rule.readings[0].venue_end is VenueEnd.FOOTPRINT
        return is_asked and self.straight_gate is None and self.venue.footprint is not None

    @property
    def is_walked(self) -> bool:
        """Whether the rule's distance is on foot, and there is a way."""
        return self.rule.readings[-1].metric is Metric.WALKING and not isnan(self.walking_m)

    @property
    def parts(self) -> tuple["DistanceFinding", ...]:
        """This and :attr:`others`: what is said of each of the venue's categories that a rule binds."""
        return (self, *self.others)

    @property
    def rules(self) -> tuple[DistanceRule, ...]:
        """Every rule that binds the pair, once."""
        held = {rule.rule_id: rule for part in self.parts for rule in (part.rule, *(one.rule for one in part.beaten))}
        return tuple(held.values())

    @property
    def is_disputed(self) -> bool:
        """Whether a rule that yielded says otherwise: then somebody should ask which one holds."""
        return any(other.verdict is not part.verdict for part in self.parts for other in part.beaten)


# No slots: what is derived is kept.
@dataclass(frozen=True, kw_only=True, eq=False)
class DistanceRun:
    """All venues against all sites on one day."""

    on: date
    venues: tuple[PlacedVenue, ...]
    sites: tuple[ProtectedSite, ...]
    rules: tuple[DistanceRule, ...]
    """In force on the day, by precedence."""
    policy: DistancePolicy
    network_version: str | None
    pairs: DistancePairs
    rows: DistanceRows
    campuses: tuple[tuple[int, Campus], ...] = field(repr=False)
    """Row of the site, and the campus, by campus row."""

    def findings(self, *verdicts: Verdict) -> Iterator[DistanceFinding]:
        """What the winning rules say, by venue and campus; of these verdicts only, if any are named.

        A venue of several categories has the worst of their verdicts.
        """
        rows = self.rows
        last = np.flatnonzero(rows.is_winning)
        first = np.concatenate([[0], last[:-1] + 1]) if last.size else last
        wanted = np.isin(rows.verdict[last], list(verdicts)) if verdicts else np.ones(last.size, dtype=np.bool_)
        for start, row in zip(first[wanted].tolist(), last[wanted].tolist(), strict=True):
            yield self._finding(start, row)

    def _finding(self, start: int, last: int) -> DistanceFinding:
        """Of the rows of one pair, ``start`` to ``last``."""
        category = self.rows.category[start : last + 1]
        ends = [*np.flatnonzero(category[:-1] != category[1:]).tolist(), last - start]
        begins = [0, *(end + 1 for end in ends[:-1])]
        return _joined(self._part(start + begin, start + end) for begin, end in zip(begins, ends, strict=True))

    def _part(self, start: int, row: int) -> DistanceFinding:
        """Of the rows of one category, the winning rule last."""
        rows, pair = self.rows, int(self.rows.pair[row])
        site_row, campus = self.campuses[int(self.pairs.campus_row[pair])]
        venue_row = int(self.pairs.venue_row[pair])
        venue = self.venues[venue_row]
        first_door = int(self.pairs.venues.first[venue_row])
        first_gate = int(self.pairs.campuses.gates.first[self.pairs.campus_row[pair]])

        def door_of(number: int) -> Door | None:
            return venue.doors[number - first_door] if number >= 0 and venue.doors else None

        def gate_of(number: int) -> Gate | None:
            return campus.gates[number - first_gate] if number >= 0 else None

        return DistanceFinding(
            venue=venue,
            site=self.sites[site_row],
            campus=campus,
            straight_door=door_of(int(rows.straight_door[row])),
            straight_gate=gate_of(int(rows.straight_gate[row])),
            walk_door=door_of(int(rows.walk_door[row])),
            walk_gate=gate_of(int(rows.walk_gate[row])),
            rule=self.rules[int(rows.rule[row])],
            verdict=Verdict(int(rows.verdict[row])),
            reason=Reason(int(rows.reason[row])),
            low_m=float(rows.low_m[row]),
            high_m=float(rows.high_m[row]),
            straight_m=float(rows.straight_m[row]),
            straight_error_m=float(rows.straight_error_m[row]),
            walking_m=float(rows.walking_m[row]),
            walking_error_m=float(rows.walking_error_m[row]),
            walk_status=int(rows.walk_status[row]),
            categories=frozenset({CATEGORIES[int(rows.category[row])]}),
            beaten=tuple(
                Beaten(
                    rule=self.rules[int(rows.rule[other])],
                    verdict=Verdict(int(rows.verdict[other])),
                    reason=Reason(int(rows.reason[other])),
                )
                for other in range(start, row)
            ),
        )


def counting_gates(campus: Campus, site_end: SiteEnd) -> tuple[Gate, ...]:
    """The gates, open or closed, from which a rule that names ``site_end`` measures; without any, those that may count.

    None for the boundary.
    """
    if site_end is SiteEnd.BOUNDARY:
        return ()
    if site_end is SiteEnd.ALL_GATES:
        return campus.gates
    sure = tuple(gate for gate in campus.gates if gate.kind is GateKind.STUDENT)
    return sure or tuple(gate for gate in campus.gates if gate.kind is not GateKind.SERVICE)


def _joined(parts: Iterable[DistanceFinding]) -> DistanceFinding:
    """The worst, which comes last, with the others; categories of which the same is said stand together."""
    held: dict[object, DistanceFinding] = {}
    for part in reversed(tuple(parts)):
        said = (part.rule.rule_id, part.verdict, part.reason,
                *((one.rule.rule_id, one.verdict, one.reason) for one in part.beaten))  # fmt: skip
        found = held.get(said)
        held[said] = part if found is None else replace(found, categories=found.categories | part.categories)
    worst, *others = held.values()
    return replace(worst, others=tuple(others)) if others else worst


def policy_for(law: DistanceLaw, on: date) -> DistancePolicy:
    """The assumptions of a day: ways are followed beyond the widest rule by more than both ends are off."""
    assumed = DistancePolicy()
    widest_m = max((rule.threshold_m for rule in law.in_force(on)), default=0.0)
    return replace(assumed, walk_limit_m=max(assumed.walk_limit_m, widest_m + WALKED_BEYOND_M))


def evaluate_distances(
    venues: Sequence[PlacedVenue],
    sites: Sequence[ProtectedSite],
    law: DistanceLaw,
    *,
    on: date,
    network: WalkNetwork | None,
    policy: DistancePolicy,
    method: DistanceMethod = METHOD,
) -> DistanceRun:
    """What the law of the day ``on`` says of every venue near every site.

    Without a network every rule on foot sends somebody to look, unless the straight line already clears the venue.
    Raises ValueError for a site without campus, a place that is not on Earth, and a walk limit that could not decide
    the widest rule. ``method``: another one than the present only to make an archived measurement again.
    """
    rules = law.in_force(on)
    widest_m = max((rule.threshold_m for rule in rules), default=1.0)
    pairs = near_pairs(venues, sites, network=network, reach_m=widest_m, policy=policy, method=method)
    if policy.walk_limit_m < widest_m:
        raise ValueError(
            f"步行上限 {policy.walk_limit_m:g} 米小于最宽的规则 {widest_m:g} 米"
            f" / walk_limit_m is {policy.walk_limit_m:g}: the widest rule has {widest_m:g}"
        )
    return DistanceRun(
        on=on,
        venues=tuple(venues),
        sites=tuple(sites),
        rules=rules,
        policy=policy,
        network_version=None if network is None else network.network_version,
        pairs=pairs,
        rows=rows_of(pairs, venues, sites, rules, on),
        campuses=tuple((number, campus) for number, site in enumerate(sites) for campus in site.campuses),
    )
