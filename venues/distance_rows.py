"""What each rule of the day says of every pair that it binds, and which rule wins: columns, one row for each. Pure.

Rules about different kinds of venue do not compete: an internet café that also sells tobacco is judged as both. Of
several rules for one kind the most local wins, then the latest; but a rule that says not how to measure yields to one
that does, for as many metres or more. The pair is worth its worst kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from geo.projection import FloatArray, IntArray
from venues.category import VenueCategory
from venues.distance_columns import Flags
from venues.distance_ends import PlacedVenue, ProtectedSite
from venues.distance_pairs import Codes, DistancePairs
from venues.distance_reading import Measured, measured_by, walk_status_by
from venues.distance_rule import DistanceRule, Metric, Reading, SiteEnd, VenueEnd, covers
from venues.distance_verdict import UNKNOWN_DAY, Judged, Papers, Reason, Verdict, agreed, judge_interval, with_papers

CATEGORIES = tuple(VenueCategory)
"""By the codes of columns."""

SEVERITY: dict[Verdict, int] = {Verdict.CLEAR: 0, Verdict.GRANDFATHERED: 1, Verdict.SURVEY: 2, Verdict.BREACH: 3}
"""The worse, the more there is to do."""
_SEVERITY = np.array([SEVERITY[verdict] for verdict in Verdict])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DistanceRows:
    """One row per pair, category of the venue and rule that binds it, columns of shape [rows].

    Rows of a category stand together, the winning rule last, and the worst category of a pair comes last.
    """

    pair: IntArray
    category: Codes
    """Position in ``CATEGORIES``."""
    rule: IntArray
    """Position among the rules of the run."""
    is_winning: Flags
    """The last row of a pair, which decides it."""
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
    """``geo.walk.WalkStatus``, ``NO_NETWORK`` or ``NO_OPEN_GATE``."""
    straight_door: IntArray
    """Row of the door that ``straight_m`` ends at; -1 if it ends at the venue's footprint."""
    straight_gate: IntArray
    """Row of the gate that it begins at; -1 if it is measured from the wall or the campus's point."""
    walk_door: IntArray
    """Of the way on foot; -1 without a way."""
    walk_gate: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Said:
    """What one rule says of all pairs by distance alone, columns of shape [pairs]."""

    judged: Judged
    low_m: FloatArray
    high_m: FloatArray
    straight: Measured
    walking: Measured
    walk_status: Codes


def rows_of(
    pairs: DistancePairs,
    venues: Sequence[PlacedVenue],
    sites: Sequence[ProtectedSite],
    rules: Sequence[DistanceRule],
    on: date,
) -> DistanceRows:
    """The law of the day ``on``; ``rules`` by precedence."""
    site_row = pairs.campuses.site_row[pairs.campus_row]
    established_on, opened_on = _days_of_place(pairs.venue_row, site_row, venues, sites)
    bound_categories = frozenset().union(*(rule.venue_categories for rule in rules))
    is_of = {category: np.array([category in venue.categories for venue in venues], dtype=np.bool_)
             for category in bound_categories}  # fmt: skip
    is_ended = {category: np.array([category in venue.ended_categories for venue in venues], dtype=np.bool_)
                for category in bound_categories}  # fmt: skip
    lies_in = {code: np.array([covers(code, venue.division) for venue in venues], dtype=np.bool_)
               for code in {rule.jurisdiction for rule in rules}}  # fmt: skip
    known: dict[Reading, Measured] = {}
    licences: dict[VenueCategory, tuple[IntArray, IntArray]] = {}
    parts: list[DistanceRows] = []
    for number, rule in enumerate(rules if pairs.venue_row.size else ()):
        bound_sites = np.array([site.category in rule.site_categories for site in sites], dtype=np.bool_)
        bound = lies_in[rule.jurisdiction][pairs.venue_row] & bound_sites[site_row]
        by_category = [
            (category, pair)
            for category in sorted(rule.venue_categories, key=CATEGORIES.index)
            if (pair := np.flatnonzero(bound & is_of[category][pairs.venue_row])).size
        ]
        if not by_category:
            continue
        said = _said(pairs, rule, known)
        for category, pair in by_category:
            if category not in licences:
                licences[category] = _licences(venues, category, on)
            first_day, last_day = (days[pairs.venue_row[pair]] for days in licences[category])
            papers = Papers(established_on=established_on[pair], licence_from=first_day, licence_to=last_day,
                            site_opened_on=opened_on[pair],
                            is_ended=is_ended[category][pairs.venue_row[pair]])  # fmt: skip
            parts.append(_rows(said, rule, number, category, pair, papers, on))
    return _ranked(parts, rules, on)


def _said(pairs: DistancePairs, rule: DistanceRule, known: dict[Reading, Measured]) -> _Said:
    def measured(reading: Reading) -> Measured:
        if reading not in known:
            known[reading] = measured_by(pairs, reading)
        return known[reading]

    strict, lenient = measured(rule.readings[0]), measured(rule.readings[-1])
    judged = judge_interval(strict.low_m, strict.high_m, strict.known, rule)
    if lenient is not strict:
        judged = agreed(judged, judge_interval(lenient.low_m, lenient.high_m, lenient.known, rule))
    by_air, on_foot = _as(rule.readings[0], Metric.STRAIGHT), _as(rule.readings[-1], Metric.WALKING)
    return _Said(
        judged=judged,
        low_m=np.minimum(strict.low_m, lenient.low_m),
        high_m=np.maximum(strict.high_m, lenient.high_m),
        straight=measured(by_air),
        walking=measured(on_foot),
        walk_status=walk_status_by(pairs, on_foot),
    )


def _rows(
    said: _Said,
    rule: DistanceRule,
    number: int,
    category: VenueCategory,
    pair: IntArray,
    papers: Papers,
    on: date,
) -> DistanceRows:
    judged = Judged(verdict=said.judged.verdict[pair], reason=said.judged.reason[pair])
    judged = with_papers(judged, papers, rule, on=on)
    return DistanceRows(
        pair=pair,
        category=np.full(pair.size, CATEGORIES.index(category), dtype=np.int8),
        rule=np.full(pair.size, number, dtype=np.int64),
        is_winning=np.zeros(pair.size, dtype=np.bool_),
        verdict=judged.verdict,
        reason=judged.reason,
        low_m=said.low_m[pair],
        high_m=said.high_m[pair],
        straight_m=said.straight.nominal_m[pair],
        straight_error_m=said.straight.error_m[pair],
        walking_m=said.walking.nominal_m[pair],
        walking_error_m=said.walking.error_m[pair],
        walk_status=said.walk_status[pair],
        straight_door=said.straight.door_row[pair],
        straight_gate=said.straight.gate_row[pair],
        walk_door=said.walking.door_row[pair],
        walk_gate=said.walking.gate_row[pair],
    )


def _as(reading: Reading, metric: Metric) -> Reading:
    """The same ends by another metric, so that both distances can be told."""
    site_end, venue_end = reading.site_end, reading.venue_end
    if metric is Metric.WALKING:
        site_end = SiteEnd.ALL_GATES if site_end is SiteEnd.BOUNDARY else site_end
        venue_end = VenueEnd.ANY_DOOR if venue_end is VenueEnd.FOOTPRINT else venue_end
    return Reading(site_end=site_end, venue_end=venue_end, metric=metric)


def _ranked(parts: Sequence[DistanceRows], rules: Sequence[DistanceRule], on: date) -> DistanceRows:
    """All rows by pair: the winning rule last in each category, the worst category last."""
    names = DistanceRows.__slots__
    if not parts:
        kinds = {"is_winning": np.bool_, "pair": np.int64, "rule": np.int64, "straight_door": np.int64,
                 "straight_gate": np.int64, "walk_door": np.int64, "walk_gate": np.int64,
                 "category": np.int8, "verdict": np.int8, "reason": np.int8, "walk_status": np.int8}  # fmt: skip
        return DistanceRows(**{name: np.zeros(0, dtype=kinds.get(name, np.float64)) for name in names})
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    # One number for each category of each pair: within it rules compete.
    kind = np.unique(columns["pair"] * len(CATEGORIES) + columns["category"], return_inverse=True)[1]
    order = np.lexsort((columns["rule"], ~_yields(kind, columns["rule"], rules), kind))
    columns, kind = {name: column[order] for name, column in columns.items()}, kind[order]
    winner = np.flatnonzero(np.concatenate([kind[:-1] != kind[1:], [True]]))
    _ask_where_unsure(columns, kind, winner, np.array([not rule.is_surely_begun(on) for rule in rules]))
    winner = winner[kind]
    severity = _SEVERITY[columns["verdict"][winner]]
    order = np.lexsort((kind, columns["rule"][winner], severity, columns["pair"]))
    columns = {name: column[order] for name, column in columns.items()}
    columns["is_winning"][:-1] = columns["pair"][:-1] != columns["pair"][1:]
    columns["is_winning"][-1] = True
    return DistanceRows(**columns)


def _ask_where_unsure(columns: dict[str, Any], kind: IntArray, winner: IntArray, is_unsure: Flags) -> None:
    """A rule that may not be law yet beats no other to another verdict: then somebody asks which one holds."""
    verdict = columns["verdict"]
    differs = np.zeros(winner.size, dtype=np.bool_)
    np.logical_or.at(differs, kind, verdict != verdict[winner][kind])
    asked = winner[differs & is_unsure[columns["rule"][winner]]]
    verdict[asked], columns["reason"][asked] = Verdict.SURVEY, Reason.RULE_DAY_UNKNOWN


def _yields(kind: IntArray, rule: IntArray, rules: Sequence[DistanceRule]) -> Flags:
    """Which rows say not how to measure, where another rule of their kind does, for no fewer metres."""
    is_silent = np.array([one.metric is None for one in rules], dtype=np.bool_)[rule]
    threshold_m = np.array([one.threshold_m for one in rules])[rule]
    widest_said_m = np.zeros(int(kind.max()) + 1)
    np.maximum.at(widest_said_m, kind[~is_silent], threshold_m[~is_silent])
    return is_silent & (widest_said_m[kind] >= threshold_m)


def _days_of_place(
    venue_row: IntArray, site_row: IntArray, venues: Sequence[PlacedVenue], sites: Sequence[ProtectedSite]
) -> tuple[IntArray, IntArray]:
    """By pair, since when the operator is there, and the school."""
    established_on = _days([venue.established_on for venue in venues])
    return established_on[venue_row], _days([site.opened_on for site in sites])[site_row]


def _licences(venues: Sequence[PlacedVenue], category: VenueCategory, on: date) -> tuple[IntArray, IntArray]:
    """By venue, the first and the last day of its licence for one category."""
    held = [venue.licence_for(category, on=on) for venue in venues]
    first = _days([None if licence is None else licence.valid_from for licence in held])
    return first, _days([None if licence is None else licence.valid_to for licence in held])


def _days(days: Sequence[date | None]) -> IntArray:
    return np.array([UNKNOWN_DAY if day is None else day.toordinal() for day in days], dtype=np.int64)
