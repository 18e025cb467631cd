"""A distance is told between the ends that it is between: the straight one, and the one on foot."""

from dataclasses import replace
from datetime import date

import pytest
from shapely.geometry import LineString, Point, Polygon

from api.papers.measurement_map import sketch_of
from geo.walk import WalkStatus
from tests.geo.walk_reference import at
from tests.venues.distance_scene import (
    BY_GATES,
    ON_FOOT,
    RULE,
    STUDENTS,
    YARD,
    gate,
    only,
    school,
    shop,
)
from tests.venues.test_measurement import made
from venues.distance_ends import Gate, GateKind, PlacedVenue
from venues.distance_reading import NO_OPEN_GATE
from venues.distance_rule import DistanceRule, Metric, SiteEnd, VenueEnd
from venues.distance_words import finding_line, measurement_lines, straight_zh, walking_zh
from venues.measurement import Measurement

CLOSED = gate(0.0, 0.0, kind=STUDENTS, is_closed=True, gate_id="CLOSED")
WEST = gate(-140.0, 0.0, kind=STUDENTS, gate_id="WEST")
TWO_GATES = school(CLOSED, WEST, wall=YARD)
SHOP = shop(0.0, 43.0)


def line_m(found: Measurement) -> float:
    line: LineString = sketch_of(found)[1].straight
    return line.length


def test_the_straight_line_is_told_and_drawn_from_the_gate_that_it_is_measured_from() -> None:
    """43 m to a closed gate; on foot only the open one counts, 203 m away and 146 m straight."""
    one = made(SHOP, TWO_GATES, ON_FOOT)
    found = one.finding
    for gate_told, wanted in ((found.straight_gate, CLOSED), (found.walk_gate, WEST)):
        assert gate_told is not None
        assert gate_told.gate_id == wanted.gate_id
    assert found.straight_door == found.walk_door == one.given.venue.doors[0]
    told = dict(measurement_lines(one))
    assert told["直线 Straight"] == (
        "43 米 ± 2 米，自校门 CLOSED（117.2000000, 34.2600000，已封闭）至出入口 117.2000000, 34.2603876"
    )
    west, _ = at(-140.0, 0.0)
    assert told["步行 On foot"] == (
        f"203 米 ± 2 米，自校门 WEST（{west:.7f}, 34.2600000）至出入口 117.2000000, 34.2603876"
    )
    assert line_m(one) == pytest.approx(found.straight_m, abs=0.05)


EDGE = Polygon([at(*corner) for corner in [(-9.0, 43.0), (9.0, 43.0), (9.0, 60.0), (-9.0, 60.0)]])


@pytest.mark.parametrize(
    ("venue", "rule", "gates"),
    [
        (SHOP, RULE, (CLOSED, WEST)),
        (SHOP, BY_GATES, (CLOSED, WEST)),
        (SHOP, ON_FOOT, (WEST, CLOSED)),
        (SHOP, ON_FOOT, ()),
        (shop(0.0, 50.0, footprint=EDGE, error_m=1.0), replace(RULE, venue_end=VenueEnd.FOOTPRINT), (CLOSED,)),
        (shop(0.0, 50.0, footprint=EDGE, error_m=1.0), replace(BY_GATES, venue_end=VenueEnd.FOOTPRINT), (CLOSED,)),
        (shop(0.0, 50.0, footprint=EDGE, error_m=1.0, doors=()), BY_GATES, (CLOSED,)),
        (shop(0.0, 50.0, doors=((0.0, 50.0), (30.0, 20.0))), replace(RULE, metric=None, site_end=None), (WEST,)),
    ],
)
@pytest.mark.parametrize("is_drawn", [True, False])
def test_the_line_that_is_drawn_is_as_long_as_the_distance_that_is_told(
    venue: PlacedVenue, rule: DistanceRule, gates: tuple[Gate, ...], is_drawn: bool
) -> None:
    one = made(venue, school(*gates, wall=YARD if is_drawn else None, centre=(0.0, -20.0)), rule)
    assert line_m(one) == pytest.approx(one.finding.straight_m, abs=0.05)
    told = dict(measurement_lines(one))["直线 Straight"]
    assert ("场所边沿" in told) == (one.finding.is_to_edge)
    assert ("校园边界" in told) == (one.finding.straight_gate is None and is_drawn)


def test_gates_for_lorries_are_not_the_gates_that_a_rule_on_students_asks_for() -> None:
    """One gate is open and mapped, and none of those that count is: nobody says that every gate is closed."""
    for_students = replace(BY_GATES, site_end=SiteEnd.STUDENT_GATES)
    service = gate(0.0, 0.0, kind=GateKind.SERVICE)
    found = only(SHOP, school(service, wall=YARD), for_students)
    assert straight_zh(found) == "43 米 ± 2 米（学生校门未登记，量至边界）"
    assert (found.walk_status, walking_zh(found)) == (NO_OPEN_GATE, "学生校门未登记，未测")
    shut = only(SHOP, school(service, gate(9.0, 0.0, kind=STUDENTS, is_closed=True), wall=YARD), for_students)
    assert (straight_zh(shut), walking_zh(shut)) == ("44 米 ± 2 米", "没有开放的学生校门，未测")
    assert "规则所指的校门均已关闭" in finding_line(
        only(SHOP, school(service, CLOSED, wall=YARD), replace(ON_FOOT, site_end=SiteEnd.STUDENT_GATES))
    )
    assert walking_zh(only(SHOP, school(CLOSED, wall=YARD), BY_GATES)) == "没有开放的校门，未测"
    assert walking_zh(only(SHOP, school(wall=YARD), BY_GATES)) == "校门未登记，未测"


def test_the_ring_is_about_what_the_rule_measures_from() -> None:
    site = school(CLOSED, gate(30.0, 0.0, kind=GateKind.SERVICE), wall=YARD)
    plane, by_wall = sketch_of(made(SHOP, site, RULE))
    yard = plane.of(site.campuses[0].boundary or Polygon())
    assert isinstance(by_wall.limit, Polygon)
    assert by_wall.limit.exterior.distance(yard) == pytest.approx(100.0, abs=0.5)
    (_, by_gates), (_, by_student_gates) = (
        sketch_of(made(SHOP, site, replace(BY_GATES, site_end=end)))
        for end in (SiteEnd.ALL_GATES, SiteEnd.STUDENT_GATES)
    )
    closed, service = (plane.point(one) for one in site.campuses[0].gates)
    assert isinstance(by_gates.limit, Polygon)
    assert isinstance(by_student_gates.limit, Polygon)
    for limit, places in ((by_gates.limit, (closed, service)), (by_student_gates.limit, (closed,))):
        assert min(limit.exterior.distance(place) for place in places) == pytest.approx(100.0, abs=0.5)
    assert by_gates.limit.area > by_student_gates.limit.area * 1.1
    assert sketch_of(made(SHOP, site, ON_FOOT))[1].limit is None
    silent = sketch_of(made(SHOP, site, replace(RULE, metric=None, site_end=None)))[1]
    assert silent.limit == by_wall.limit


def test_the_ring_of_a_school_that_nobody_drew_is_about_its_point_and_its_gates() -> None:
    site = school(gate(0.0, 200.0, kind=STUDENTS), centre=(0.0, 0.0))
    for rule in (RULE, replace(RULE, metric=None)):
        plane, sketch = sketch_of(made(shop(0.0, 260.0), site, rule))
        assert sketch.limit is not None
        for end in ((0.0, 0.0), (0.0, 200.0)):
            place = at(*end)
            assert sketch.limit.boundary.distance(plane.of(Point(place))) == pytest.approx(100.0, abs=0.5)


def test_the_report_tells_the_interval_that_the_verdict_is_about() -> None:
    far = made(shop(0.0, 450.0), school(gate(0.0, 200.0, kind=STUDENTS), centre=(0.0, 0.0)),
               replace(RULE, threshold_m=200.0))  # fmt: skip
    assert dict(measurement_lines(far))["误差区间 Interval"] == "98 米至 252 米"
    unmapped = made(SHOP, school(wall=YARD), ON_FOOT)
    assert dict(measurement_lines(unmapped))["误差区间 Interval"] == "至少 41 米"


def test_the_report_says_of_what_only_a_rule_speaks() -> None:
    only_some = replace(RULE, scope_zh="仅电子烟零售点")
    told = dict(measurement_lines(made(SHOP, TWO_GATES, only_some)))
    assert told["适用范围 Scope"] == "仅电子烟零售点"
    assert "适用范围 Scope" not in dict(measurement_lines(made(SHOP, TWO_GATES, RULE)))
    beaten = dict(measurement_lines(made(SHOP, TWO_GATES, only_some, replace(ON_FOOT, jurisdiction="320300"))))
    assert beaten["另一规则 Another rule"].endswith("从围墙或校园边界到任一出入口；仅电子烟零售点）")


def test_a_way_that_is_not_measured_has_no_ends() -> None:
    one = made(SHOP, school(wall=YARD, data_on=date(2026, 9, 1)), replace(BY_GATES, metric=Metric.WALKING))
    assert one.finding.walk_status != WalkStatus.REACHED
    assert dict(measurement_lines(one))["步行 On foot"] == "校门未登记，未测"
