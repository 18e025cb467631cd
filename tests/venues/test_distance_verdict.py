"""Verdicts from intervals: nothing between the errors is ever clear, whatever the true places are."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.projection import geodesic_m
from tests.geo.walk_reference import Place, at
from tests.venues.distance_scene import BY_GATES, ON, ON_FOOT, RULE, YARD, divided_street, findings, gate, school, shop
from venues.distance_ends import Gate, GateKind
from venues.distance_reading import Known
from venues.distance_rule import DistanceRule, Metric, SiteEnd, VenueEnd
from venues.distance_verdict import Reason, Verdict, agreed, judge_interval

STREET = divided_street()
metres = st.floats(0.0, 400.0)
errors = st.floats(0.0, 60.0)
places = st.tuples(st.floats(-180.0, 180.0), st.floats(-120.0, 180.0))
rules = st.builds(
    lambda threshold, inclusive, site_end, venue_end, metric: replace(
        RULE,
        threshold_m=threshold,
        is_inclusive=inclusive,
        metric=metric,
        site_end=SiteEnd.ALL_GATES if metric is Metric.WALKING and site_end is SiteEnd.BOUNDARY else site_end,
        venue_end=VenueEnd.DOOR if metric is Metric.WALKING and venue_end is VenueEnd.FOOTPRINT else venue_end,
    ),
    st.floats(30.0, 250.0),
    st.booleans(),
    st.sampled_from([None, *SiteEnd]),
    st.sampled_from([None, *VenueEnd]),
    st.sampled_from([None, *Metric]),
)


def judged(low_m: float, high_m: float, rule: DistanceRule, known: Known = Known.MEASURED) -> tuple[Verdict, Reason]:
    one = judge_interval(np.array([low_m]), np.array([high_m]), np.array([known], dtype=np.int8), rule)
    return Verdict(int(one.verdict[0])), Reason(int(one.reason[0]))


@settings(deadline=None)
@given(metres, errors, st.floats(0.0, 1.0), rules)
def test_a_clear_word_holds_for_every_distance_within_the_errors(
    middle_m: float, error_m: float, part: float, rule: DistanceRule
) -> None:
    verdict, _ = judged(middle_m - error_m, middle_m + error_m, rule)
    true_m = middle_m - error_m + 2.0 * error_m * part
    too_near = true_m <= rule.threshold_m if rule.is_inclusive else true_m < rule.threshold_m
    assert verdict is Verdict.SURVEY or too_near == (verdict is Verdict.BREACH)


@settings(deadline=None)
@given(metres, errors, errors, rules)
def test_greater_errors_never_make_a_verdict_surer(
    middle_m: float, error_m: float, more_m: float, rule: DistanceRule
) -> None:
    sure, unsure = (judged(middle_m - by, middle_m + by, rule)[0] for by in (error_m, error_m + more_m))
    assert unsure in (sure, Verdict.SURVEY)


@pytest.mark.parametrize(("inclusive", "verdict"), [(True, Verdict.BREACH), (False, Verdict.CLEAR)])
def test_exactly_the_threshold_is_as_the_rule_says(inclusive: bool, verdict: Verdict) -> None:
    assert judged(100.0, 100.0, replace(RULE, is_inclusive=inclusive)) == (verdict, Reason.DISTANCE)


@pytest.mark.parametrize("known", list(Known))
def test_what_is_not_known_is_said_and_never_a_breach(known: Known) -> None:
    verdict, reason = judged(50.0, np.inf, RULE, known)
    assert verdict is Verdict.SURVEY
    assert reason.name == known.name or reason is Reason.WITHIN_ERROR


@settings(deadline=None)
@given(st.sampled_from([(0.0, 90.0), (90.0, 110.0), (110.0, 500.0)]), st.sampled_from([(0.0, 95.0), (120.0, np.inf)]))
def test_two_readings_agree_or_somebody_looks(one: tuple[float, float], other: tuple[float, float]) -> None:
    known = np.zeros(1, dtype=np.int8)
    parts = [judge_interval(np.array([low]), np.array([high]), known, RULE) for low, high in (one, other)]
    both = agreed(*parts)
    assert both.verdict[0] == parts[0].verdict[0] == parts[1].verdict[0] or both.verdict[0] == Verdict.SURVEY
    swapped = agreed(*reversed(parts))
    assert (swapped.verdict[0], swapped.reason[0]) == (both.verdict[0], both.reason[0])


def is_in_the_yard(place: Place) -> bool:
    return -50.0 < place[0] < 50.0 and -80.0 < place[1] < 0.0


def moved(place: Place, azimuth: float, by_m: float) -> Place:
    return place[0] + by_m * float(np.cos(azimuth)), place[1] + by_m * float(np.sin(azimuth))


@settings(deadline=None)
@given(places, places, errors, errors, st.tuples(st.floats(0.0, 6.28), st.floats(0.0, 6.28)), st.floats(0.0, 0.99))
def test_wherever_gate_and_door_truly_are_a_clear_word_by_radius_is_true(
    gate_at: Place, door_at: Place, gate_m: float, door_m: float, azimuths: tuple[float, float], part: float
) -> None:
    site = school(gate(*gate_at, error_m=gate_m), wall=YARD)
    venue = shop(*door_at)
    venue = replace(venue, doors=(replace(venue.doors[0], error_m=door_m),))
    true_gate, true_door = moved(gate_at, azimuths[0], gate_m * part), moved(door_at, azimuths[1], door_m * part)
    columns = [np.array([value]) for value in (*at(*true_gate), *at(*true_door))]
    true_m = 0.0 if is_in_the_yard(true_door) else float(geodesic_m(*columns)[0])
    for found in findings(venue, site, BY_GATES):
        if found.verdict is not Verdict.SURVEY:
            assert (true_m <= BY_GATES.threshold_m) == (found.verdict is Verdict.BREACH)
    if not findings(venue, site, BY_GATES):
        assert true_m > BY_GATES.threshold_m


@settings(deadline=None)
@given(st.lists(st.tuples(places, st.sampled_from(GateKind), st.booleans()), max_size=3), places, rules)
def test_what_holds_of_every_finding(
    gates: list[tuple[Place, GateKind, bool]], door_at: Place, rule: DistanceRule
) -> None:
    ends: list[Gate] = [gate(*place, kind=kind, is_closed=closed) for place, kind, closed in gates]
    for found in findings(shop(*door_at), school(*ends, wall=YARD), rule, network=STREET, on=ON):
        assert 0.0 <= found.low_m <= found.high_m
        if rule.site_end in (SiteEnd.ALL_GATES, SiteEnd.STUDENT_GATES):
            assert not found.walking_m < found.straight_m - 0.01
        if found.verdict is Verdict.BREACH:
            assert found.high_m <= rule.threshold_m
        if found.verdict is Verdict.CLEAR:
            assert found.low_m >= rule.threshold_m
        if not ends and rule.site_end is not SiteEnd.BOUNDARY and found.reason is not Reason.INSIDE:
            assert found.verdict is not Verdict.BREACH


@settings(deadline=None)
@given(places, places)
def test_who_is_clear_straight_is_clear_on_foot(gate_at: Place, door_at: Place) -> None:
    site, venue = school(gate(*gate_at, kind=GateKind.STUDENT), wall=YARD), shop(*door_at)
    straight = {one.verdict for one in findings(venue, site, BY_GATES, network=STREET)}
    on_foot = {one.verdict for one in findings(venue, site, ON_FOOT, network=STREET)}
    if straight == {Verdict.CLEAR}:
        assert on_foot == {Verdict.CLEAR}
    if on_foot == {Verdict.BREACH}:
        assert straight == {Verdict.BREACH}


@settings(deadline=None)
@given(
    st.lists(places, max_size=2),
    st.floats(0.0, 360.0),
    places,
    st.sampled_from([BY_GATES, ON_FOOT, replace(BY_GATES, metric=None)]),
)
def test_a_gate_that_nobody_registered_never_makes_a_clear_venue_too_near(
    registered: list[Place], along_m: float, door_at: Place, rule: DistanceRule
) -> None:
    """Wherever in the wall the unregistered gate is: with it registered too, no clear word is taken back."""
    known, venue = [gate(*place) for place in registered], shop(*door_at)
    whole = [*known, gate(*on_the_wall(along_m))]
    told = findings(venue, school(*known, wall=YARD, has_all_gates=False), rule, network=STREET)
    true = findings(venue, school(*whole, wall=YARD), rule, network=STREET)
    for before, after in zip(told, true, strict=False):
        if before.verdict is not Verdict.SURVEY:
            assert after.verdict is before.verdict


def on_the_wall(along_m: float) -> Place:
    """A place on the wall of the yard, so many metres from its south-west corner."""
    for start, step, length_m in (((-50.0, -80.0), (1.0, 0.0), 100.0), ((50.0, -80.0), (0.0, 1.0), 80.0),
                                  ((50.0, 0.0), (-1.0, 0.0), 100.0), ((-50.0, 0.0), (0.0, -1.0), 80.0)):  # fmt: skip
        if along_m <= length_m:
            return start[0] + step[0] * along_m, start[1] + step[1] * along_m
        along_m -= length_m
    raise AssertionError(along_m)
