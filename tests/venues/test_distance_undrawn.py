"""A school that nobody drew is known by its point and its gates: its wall may go on beyond every one of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from geo.projection import geodesic_m
from tests.geo.walk_reference import Place, at
from tests.venues.distance_scene import (
    BY_GATES,
    POLICY,
    RULE,
    STUDENTS,
    YARD,
    divided_street,
    findings,
    gate,
    only,
    school,
    shop,
)
from venues.distance import DistanceFinding
from venues.distance_ends import GateKind, PlacedVenue, ProtectedSite
from venues.distance_method import METHOD, DistanceMethod
from venues.distance_pairs import near_pairs
from venues.distance_reading import measured_by
from venues.distance_rule import DistanceRule, Metric, SiteEnd, VenueEnd
from venues.distance_verdict import Reason, Verdict
from venues.distance_words import finding_line

STREET = divided_street()


def with_gate_at(y: float) -> ProtectedSite:
    return school(gate(0.0, y, kind=STUDENTS, error_m=5.0), centre=(0.0, 0.0))


@pytest.mark.parametrize(
    ("threshold_m", "gate_y", "shop_y", "verdict", "high_m"),
    [
        (200.0, 200.0, 395.0, Verdict.SURVEY, 201.0),
        (200.0, 200.0, 405.0, Verdict.SURVEY, 211.0),
        (200.0, 200.0, 557.0, Verdict.CLEAR, 363.0),
        (100.0, 400.0, 490.0, Verdict.BREACH, 96.0),
        (100.0, 400.0, 502.0, Verdict.SURVEY, 108.0),
        (100.0, 400.0, 657.0, Verdict.CLEAR, 263.0),
    ],
)
def test_a_gate_far_from_the_point_tells_where_the_wall_is(
    threshold_m: float, gate_y: float, shop_y: float, verdict: Verdict, high_m: float
) -> None:
    """What the gate alone says is no surer for a point that is farther away; beyond its extent too, all is clear."""
    site = with_gate_at(gate_y)
    found = findings(shop(0.0, shop_y), site, replace(RULE, threshold_m=threshold_m))
    if verdict is Verdict.CLEAR and not found:
        return
    (one,) = found
    assert one.verdict is verdict
    assert one.high_m == pytest.approx(high_m, abs=0.3)
    assert one.low_m == pytest.approx(max(high_m - 12.0 - POLICY.campus_extent_m, 0.0), abs=0.3)
    assert one.straight_m == pytest.approx(shop_y - gate_y, abs=0.3)
    assert one.straight_error_m == pytest.approx(6.0)
    assert one.straight_gate == site.campuses[0].gates[0]
    assert f"（边界未登记，量至校门 0,{gate_y:g}）" in finding_line(one)


def test_a_shop_whose_only_link_to_the_school_is_a_far_gate_is_found() -> None:
    """From the point it is 620 m away; beyond the gate the wall may come as near as 64 m."""
    found = only(shop(0.0, 620.0), with_gate_at(400.0), RULE)
    assert (found.verdict, found.reason) == (Verdict.SURVEY, Reason.WITHIN_ERROR)
    assert found.low_m == pytest.approx(64.0, abs=0.5)


def test_the_point_is_told_where_it_is_nearer_than_any_gate() -> None:
    found = only(shop(0.0, -60.0), with_gate_at(100.0), RULE)
    assert (found.straight_gate, round(found.straight_m)) == (None, 60)
    assert "（边界未登记，量至学校点位）" in finding_line(found)


def test_with_no_counting_gate_the_wall_of_an_undrawn_school_is_known_by_the_gate_for_lorries() -> None:
    site = school(gate(0.0, 100.0, kind=GateKind.SERVICE), centre=(0.0, 0.0))
    found = only(shop(0.0, 150.0), site, replace(BY_GATES, site_end=SiteEnd.STUDENT_GATES))
    assert (found.verdict, found.reason) == (Verdict.SURVEY, Reason.GATES_UNKNOWN)
    assert (found.straight_gate, round(found.straight_m)) == (site.campuses[0].gates[0], 50)
    assert "（学生校门未登记，量至校门 0,100）" in finding_line(found)


places = st.tuples(st.floats(-400.0, 400.0), st.floats(-400.0, 400.0))
errors = st.floats(0.0, 40.0)
gates = st.lists(st.tuples(places, st.sampled_from(GateKind), st.booleans(), errors), max_size=3)
rules = st.builds(
    lambda threshold_m, site_end, venue_end, metric: replace(
        RULE, threshold_m=threshold_m, site_end=site_end, venue_end=venue_end, metric=metric
    ),
    st.floats(30.0, 250.0),
    st.sampled_from([None, *SiteEnd]),
    st.sampled_from([None, *VenueEnd]),
    st.sampled_from([None, *Metric]),
)


def a_school(known: list[tuple[Place, GateKind, bool, float]], *, is_drawn: bool, has_all: bool) -> ProtectedSite:
    ends = [gate(*place, kind=kind, is_closed=closed, error_m=error_m) for place, kind, closed, error_m in known]
    return school(*ends, wall=YARD if is_drawn else None, has_all_gates=has_all)


def a_shop(door_at: Place, *, has_door: bool, has_footprint: bool) -> PlacedVenue:
    x, y = door_at
    block = Polygon([at(x + dx, y + dy) for dx, dy in ((-3.0, 0.0), (30.0, 0.0), (30.0, 9.0), (-3.0, 9.0))])
    return shop(x, y, doors=None if has_door else (), footprint=block if has_footprint else None, error_m=4.0)


def check_order(found: DistanceFinding) -> None:
    """The distance told is one that the interval holds, of the metric that the interval is about."""
    assert 0.0 <= found.low_m <= found.high_m
    metrics = {reading.metric for reading in found.rule.readings}
    if metrics == {Metric.WALKING}:
        if not np.isnan(found.walking_m) and found.reason is not Reason.INSIDE and found.high_m > 0.0:
            assert found.low_m <= found.walking_m <= found.high_m
    else:
        assert found.low_m <= found.straight_m <= found.high_m


@settings(deadline=None)
@given(gates, places, rules, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_every_distance_told_lies_in_its_interval(
    known: list[tuple[Place, GateKind, bool, float]], door_at: Place, rule: DistanceRule,
    is_drawn: bool, has_all: bool, has_door: bool, has_footprint: bool,
) -> None:  # fmt: skip
    site = a_school(known, is_drawn=is_drawn, has_all=has_all)
    venue = a_shop(door_at, has_door=has_door, has_footprint=has_footprint)
    for found in findings(venue, site, rule, network=STREET):
        for part in found.parts:
            check_order(part)


@settings(deadline=None)
@given(places, errors, places, st.tuples(st.floats(0.0, 6.28), st.floats(0.0, 0.99)),
       st.tuples(st.floats(0.0, 6.28), st.floats(0.0, 0.99)))  # fmt: skip
def test_wherever_the_wall_goes_on_from_the_gate_a_clear_word_is_true(
    gate_at: Place, gate_m: float, door_at: Place, off: tuple[float, float], on: tuple[float, float]
) -> None:
    """The gate is truly within its error; the wall comes as near as its extent beyond it. The door is exact."""
    site = school(gate(*gate_at, kind=STUDENTS, error_m=gate_m), centre=(0.0, 0.0))
    venue = shop(*door_at)
    venue = replace(venue, doors=(replace(venue.doors[0], error_m=0.0),))
    true_gate = np.array(gate_at) + gate_m * off[1] * np.array([np.cos(off[0]), np.sin(off[0])])
    wall = true_gate + POLICY.campus_extent_m * on[1] * np.array([np.cos(on[0]), np.sin(on[0])])
    to_gate_m, to_wall_m, to_point_m = (
        float(geodesic_m(*(np.array([value]) for value in (*at(*end), *at(*door_at))))[0])
        for end in (true_gate, wall, (0.0, 0.0))
    )
    true_m = min(to_gate_m, to_wall_m)
    found = findings(venue, site, RULE)
    if not found or found[0].verdict is Verdict.CLEAR:
        assert true_m > RULE.threshold_m - 0.01
    elif found[0].verdict is Verdict.BREACH:
        assert min(to_gate_m, to_point_m + 1.0) <= RULE.threshold_m + 0.01


def test_an_interval_that_is_none_stops_the_run() -> None:
    """The former method made such intervals: by the present one nothing is ever said from them."""
    sites, venues = [with_gate_at(200.0)], [shop(0.0, 395.0)]
    reading = replace(RULE, threshold_m=200.0).readings[0]
    before = near_pairs(venues, sites, network=None, reach_m=200.0, policy=POLICY,
                        method=DistanceMethod.GATES_ABOVE_ONLY)  # fmt: skip
    one = measured_by(before, reading)
    assert one.low_m[0] > one.high_m[0]
    now = measured_by(replace(before, method=METHOD), reading)
    assert now.low_m[0] <= now.nominal_m[0] <= now.high_m[0]
    impossible = [school(gate(0.0, 0.0, error_m=-5.0), wall=YARD)]
    wrong = near_pairs([shop(0.0, 43.0)], impossible, network=None, reach_m=200.0, policy=POLICY)
    with pytest.raises(AssertionError, match=r"pair 0: 4.* to 3.* m is no interval"):
        measured_by(wrong, BY_GATES.readings[0])
