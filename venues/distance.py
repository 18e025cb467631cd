"""Every venue against every site near it, by every rule of the day: what breaks the law of distance, and by which rule.

Both distances are always told, straight and on foot, between the ends that the rule names. Of several rules for one
pair the most local wins, then the latest; but a rule that says not how to measure yields to one that does, for as many
metres or more. Those that did not win are told beside it, with what they would have said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from geo.projection import FloatArray, IntArray
from geo.walk_network import WalkNetwork
from venues.distance_columns import Flags
from venues.distance_ends import Campus, DistancePolicy, Door, Gate, PlacedVenue, ProtectedSite
from venues.distance_law import DistanceLaw
from venues.distance_pairs import Codes, DistancePairs, near_pairs
from venues.distance_reading import Measured, measured_by, walk_status_by
from venues.distance_rule import DistanceRule, Metric, Reading, SiteEnd, VenueEnd, covers
from venues.distance_verdict import UNKNOWN_DAY, Papers, Reason, Verdict, agreed, judge_interval, with_papers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistanceRows:
    """One row per pair and rule that binds it, columns of shape [rows]; of one pair the winning rule comes last."""

    pair: IntArray
    rule: IntArray
    """Position among the rules of the run."""
    is_winning: Flags
    verdict: Codes
    reason: Codes
    low_m: FloatArray
    """Between this and ``high_m`` lies the distance that the rule means, all readings together."""
    high_m: FloatArray
    straight_m: FloatArray
    """Between the ends as mapped; to the wall where no gate is mapped."""
    straight_error_m: FloatArray
    walking_m: FloatArray
    """NaN unless there is a way within the limit; ``walk_status`` says why not."""
    walking_error_m: FloatArray
    walk_status: Codes
    """``geo.walk.WalkStatus``, ``NO_NETWORK``, or -1 without an open gate."""
    door: IntArray
    """Row of the door that the legal distance, or else the straight one, ends at; -1 without one."""
    gate: IntArray
    walk_door: IntArray
    """Of the way on foot, whatever the legal distance is; -1 without a way."""
    walk_gate: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    """A rule that bound the pair and yielded to a more local or later one."""

    rule: DistanceRule
    verdict: Verdict
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceFinding:
    """One venue near one campus, under the rule that won."""

    venue: PlacedVenue
    site: ProtectedSite
    campus: Campus
    door: Door | None
    gate: Gate | None
    walk_door: Door | None
    """Where the way on foot ends and begins, whatever the legal distance is."""
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
    beaten: tuple[Beaten, ...] = ()

    @property
    def is_disputed(self) -> bool:
        """Whether a rule that yielded says otherwise: then somebody should ask which one holds."""
        return any(other.verdict is not self.verdict for other in self.beaten)


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
        """What the winning rules say, by venue and campus; of these verdicts only, if any are named."""
        rows = self.rows
        last = np.flatnonzero(rows.is_winning)
        first = np.concatenate([[0], last[:-1] + 1]) if last.size else last
        wanted = np.isin(rows.verdict[last], list(verdicts)) if verdicts else np.ones(last.size, dtype=np.bool_)
        for start, row in zip(first[wanted].tolist(), last[wanted].tolist(), strict=True):
            yield self._finding(start, row)

    def _finding(self, start: int, row: int) -> DistanceFinding:
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
            door=door_of(int(rows.door[row])),
            gate=gate_of(int(rows.gate[row])),
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
            beaten=tuple(
                Beaten(
                    rule=self.rules[int(rows.rule[other])],
                    verdict=Verdict(int(rows.verdict[other])),
                    reason=Reason(int(rows.reason[other])),
                )
                for other in range(start, row)
            ),
        )


def evaluate_distances(
    venues: Sequence[PlacedVenue],
    sites: Sequence[ProtectedSite],
    law: DistanceLaw,
    *,
    on: date,
    network: WalkNetwork | None,
    policy: DistancePolicy,
) -> DistanceRun:
    """What the law of the day ``on`` says of every venue near every site.

    Without a network every rule on foot sends somebody to look, unless the straight line already clears the venue.
    Raises ValueError for a site without campus, a place that is not on Earth, and a walk limit that could not decide
    the widest rule.
    """
    rules = law.in_force(on)
    widest_m = max((rule.threshold_m for rule in rules), default=1.0)
    pairs = near_pairs(venues, sites, network=network, reach_m=widest_m, policy=policy)
    if policy.walk_limit_m < widest_m:
        raise ValueError(f"walk_limit_m is {policy.walk_limit_m}: the widest rule has {widest_m:g}")
    return DistanceRun(
        on=on,
        venues=tuple(venues),
        sites=tuple(sites),
        rules=rules,
        policy=policy,
        network_version=None if network is None else network.network_version,
        pairs=pairs,
        rows=_rows(pairs, venues, sites, rules, on),
        campuses=tuple((number, campus) for number, site in enumerate(sites) for campus in site.campuses),
    )


def _rows(
    pairs: DistancePairs,
    venues: Sequence[PlacedVenue],
    sites: Sequence[ProtectedSite],
    rules: Sequence[DistanceRule],
    on: date,
) -> DistanceRows:
    site_row = pairs.campuses.site_row[pairs.campus_row]
    papers = _papers(pairs.venue_row, site_row, venues, sites)
    known: dict[Reading, Measured] = {}
    parts = []
    for number, rule in enumerate(rules):
        bound_venues = np.array(
            [bool(venue.categories & rule.venue_categories) and covers(rule.jurisdiction, venue.division)
             for venue in venues], dtype=np.bool_)  # fmt: skip
        bound_sites = np.array([site.category in rule.site_categories for site in sites], dtype=np.bool_)
        pair = (
            np.flatnonzero(bound_venues[pairs.venue_row] & bound_sites[site_row]) if pairs.venue_row.size else site_row
        )
        if pair.size:
            parts.append(_rule_rows(pairs, rule, number, pair, papers, on, known))
    return _sorted(parts, rules)


def _rule_rows(
    pairs: DistancePairs,
    rule: DistanceRule,
    number: int,
    pair: IntArray,
    papers: Papers,
    on: date,
    known: dict[Reading, Measured],
) -> DistanceRows:
    def measured(reading: Reading) -> Measured:
        if reading not in known:
            known[reading] = measured_by(pairs, reading)
        return known[reading]

    strict, lenient = measured(rule.readings[0]), measured(rule.readings[-1])
    judged = judge_interval(strict.low_m[pair], strict.high_m[pair], strict.known[pair], rule)
    if lenient is not strict:
        judged = agreed(judged, judge_interval(lenient.low_m[pair], lenient.high_m[pair], lenient.known[pair], rule))
    judged = with_papers(judged, _rows_of(papers, pair), rule, on=on)
    by_air, on_foot = _as(rule.readings[0], Metric.STRAIGHT), _as(rule.readings[-1], Metric.WALKING)
    straight, walking = measured(by_air), measured(on_foot)
    legal = walking if rule.readings[-1].metric is Metric.WALKING else straight
    is_legal = legal.door_row[pair] >= 0
    return DistanceRows(
        pair=pair,
        rule=np.full(pair.size, number, dtype=np.int64),
        is_winning=np.zeros(pair.size, dtype=np.bool_),
        verdict=judged.verdict,
        reason=judged.reason,
        low_m=np.minimum(strict.low_m, lenient.low_m)[pair],
        high_m=np.maximum(strict.high_m, lenient.high_m)[pair],
        straight_m=straight.nominal_m[pair],
        straight_error_m=straight.error_m[pair],
        walking_m=walking.nominal_m[pair],
        walking_error_m=walking.error_m[pair],
        walk_status=walk_status_by(pairs, on_foot)[pair],
        door=np.where(is_legal, legal.door_row[pair], straight.door_row[pair]),
        gate=np.where(is_legal, legal.gate_row[pair], straight.gate_row[pair]),
        walk_door=walking.door_row[pair],
        walk_gate=walking.gate_row[pair],
    )


def _as(reading: Reading, metric: Metric) -> Reading:
    """The same ends by another metric, so that both distances can be told."""
    site_end, venue_end = reading.site_end, reading.venue_end
    if metric is Metric.WALKING:
        site_end = SiteEnd.ALL_GATES if site_end is SiteEnd.BOUNDARY else site_end
        venue_end = VenueEnd.ANY_DOOR if venue_end is VenueEnd.FOOTPRINT else venue_end
    return Reading(site_end=site_end, venue_end=venue_end, metric=metric)


def _sorted(parts: Sequence[DistanceRows], rules: Sequence[DistanceRule]) -> DistanceRows:
    """All rows by pair, the winning rule last: the most local one, but for those that yield."""
    names = DistanceRows.__slots__
    if not parts:
        kinds = {"is_winning": np.bool_, "pair": np.int64, "rule": np.int64, "door": np.int64, "gate": np.int64,
                 "walk_door": np.int64, "walk_gate": np.int64,
                 "verdict": np.int8, "reason": np.int8, "walk_status": np.int8}  # fmt: skip
        return DistanceRows(**{name: np.zeros(0, dtype=kinds.get(name, np.float64)) for name in names})
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.lexsort((columns["rule"], ~_yields(columns["pair"], columns["rule"], rules), columns["pair"]))
    columns = {name: column[order] for name, column in columns.items()}
    columns["is_winning"][:-1] = columns["pair"][:-1] != columns["pair"][1:]
    columns["is_winning"][-1] = True
    return DistanceRows(**columns)


def _yields(pair: IntArray, rule: IntArray, rules: Sequence[DistanceRule]) -> Flags:
    """Which rows say not how to measure, where another rule of the pair does, for no fewer metres."""
    is_silent = np.array([one.metric is None for one in rules], dtype=np.bool_)[rule]
    threshold_m = np.array([one.threshold_m for one in rules])[rule]
    widest_said_m = np.zeros(int(pair.max()) + 1)
    np.maximum.at(widest_said_m, pair[~is_silent], threshold_m[~is_silent])
    return is_silent & (widest_said_m[pair] >= threshold_m)


def _papers(
    venue_row: IntArray, site_row: IntArray, venues: Sequence[PlacedVenue], sites: Sequence[ProtectedSite]
) -> Papers:
    return Papers(
        established_on=_days([venue.established_on for venue in venues])[venue_row],
        licence_from=_days([venue.licence_from for venue in venues])[venue_row],
        licence_to=_days([venue.licence_to for venue in venues])[venue_row],
        site_opened_on=_days([site.opened_on for site in sites])[site_row],
    )


def _rows_of(papers: Papers, pair: IntArray) -> Papers:
    return Papers(**{name: getattr(papers, name)[pair] for name in Papers.__slots__})


def _days(days: Sequence[date | None]) -> IntArray:
    return np.array([UNKNOWN_DAY if day is None else day.toordinal() for day in days], dtype=np.int64)
