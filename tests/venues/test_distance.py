"""All venues against all sites: what the law of distance says of each pair, with which distances, and why."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from geo.walk import WalkStatus
from tests.geo.walk_reference import at, network_of
from tests.venues.distance_scene import (
    BY_GATES,
    ON,
    ON_FOOT,
    POLICY,
    RULE,
    STUDENTS,
    YARD,
    divided_street,
    findings,
    gate,
    law,
    licence,
    only,
    school,
    shop,
)
from venues.category import SiteCategory, VenueCategory
from venues.distance import evaluate_distances
from venues.distance_ends import Campus, GateKind
from venues.distance_pairs import NO_NETWORK
from venues.distance_rows import SEVERITY
from venues.distance_rule import AppliesTo, DistanceRule, Grandfather, Metric, RuleStatus, SiteEnd, VenueEnd
from venues.distance_verdict import Reason, Verdict
from venues.distance_words import finding_line

STREET = divided_street()
NORTH_GATE = gate(0.0, 0.0, kind=STUDENTS)


SITE = school(NORTH_GATE, wall=YARD)
SHOP = shop(0.0, 43.0)


def close_to(metres: float) -> object:
    return pytest.approx(metres, abs=0.2)


def test_one_shop_passes_on_foot_and_fails_straight() -> None:
    """43 m straight, 110 m on foot: the shop of Changping (reference/domain.md 2.3)."""
    site, venue = school(NORTH_GATE, wall=YARD), shop(0.0, 43.0)
    straight, on_foot = (only(venue, site, rule, network=STREET) for rule in (BY_GATES, ON_FOOT))
    assert (straight.verdict, on_foot.verdict) == (Verdict.BREACH, Verdict.CLEAR)
    for found in (straight, on_foot):
        assert (found.straight_m, found.walking_m) == (close_to(43.0), close_to(110.0))
        assert (found.straight_error_m, found.walking_error_m) == (close_to(2.0), close_to(2.0))


def test_closing_a_gate_changes_the_way_on_foot_and_nothing_else() -> None:
    south = gate(0.0, -80.0, kind=STUDENTS)
    lane = network_of([[1, 2], [2, 3]], {1: (-300.0, 43.0), 2: (0.0, 43.0), 3: (0.0, -80.0)})
    venue = shop(0.0, 43.0)
    before = school(NORTH_GATE, south, wall=YARD)
    after = school(replace(NORTH_GATE, is_closed=True), south, wall=YARD)
    for rule in (RULE, BY_GATES):
        one, other = only(venue, before, rule, network=lane), only(venue, after, rule, network=lane)
        assert (one.verdict, one.straight_m, one.low_m) == (other.verdict, other.straight_m, other.low_m)
        assert one.walking_m < 50.0 < other.walking_m
    open_gate, closed_gate = (only(venue, site, ON_FOOT, network=lane) for site in (before, after))
    assert (open_gate.verdict, open_gate.walking_m) == (Verdict.BREACH, close_to(43.0))
    assert (closed_gate.verdict, closed_gate.walking_m) == (Verdict.CLEAR, close_to(123.0))
    assert closed_gate.walk_gate == south


def test_an_unreachable_pair_says_unreachable_and_is_looked_at() -> None:
    apart = network_of([[1, 2], [3, 4]], {1: (-300.0, 0.0), 2: (300.0, 0.0), 3: (-300.0, 43.0), 4: (300.0, 43.0)})
    found = only(shop(0.0, 43.0), school(NORTH_GATE, wall=YARD), ON_FOOT, network=apart)
    assert (found.verdict, found.reason) == (Verdict.SURVEY, Reason.UNREACHABLE)
    assert found.walk_status == WalkStatus.UNREACHABLE
    assert np.isnan(found.walking_m)
    assert found.high_m == np.inf


def test_what_is_too_far_straight_is_clear_on_foot_even_if_unreachable() -> None:
    apart = network_of([[1, 2], [3, 4]], {1: (-300.0, 0.0), 2: (300.0, 0.0), 3: (-300.0, 106.0), 4: (300.0, 106.0)})
    far = only(shop(0.0, 106.0), school(NORTH_GATE, wall=YARD), ON_FOOT, replace(RULE, threshold_m=150), network=apart)
    assert (far.rule.rule_id, far.beaten[0].rule.rule_id) == ("straight-from-the-wall", "on-foot")
    assert (far.beaten[0].verdict, far.verdict, far.is_disputed) == (Verdict.CLEAR, Verdict.BREACH, True)


@pytest.mark.parametrize(
    ("y", "verdict", "reason"),
    [
        (97.9, Verdict.BREACH, Reason.DISTANCE),
        (98.1, Verdict.SURVEY, Reason.WITHIN_ERROR),
        (101.9, Verdict.SURVEY, Reason.WITHIN_ERROR),
        (102.2, Verdict.CLEAR, Reason.DISTANCE),
    ],
)
def test_a_clear_breach_is_one_with_the_errors_of_both_ends(y: float, verdict: Verdict, reason: Reason) -> None:
    found = only(shop(0.0, y), school(NORTH_GATE, wall=YARD), BY_GATES)
    assert (found.verdict, found.reason) == (verdict, reason)


def test_without_a_network_a_rule_on_foot_sends_somebody_to_look() -> None:
    found = only(shop(0.0, 43.0), school(NORTH_GATE, wall=YARD), ON_FOOT)
    assert (found.verdict, found.reason, found.walk_status) == (Verdict.SURVEY, Reason.NO_NETWORK, NO_NETWORK)


def test_with_gates_unknown_only_the_wall_bounds_the_distance() -> None:
    found = only(shop(0.0, 43.0), school(wall=YARD), BY_GATES)
    assert (found.verdict, found.reason) == (Verdict.SURVEY, Reason.GATES_UNKNOWN)
    assert (found.low_m, found.straight_m, found.straight_gate) == (close_to(41.0), close_to(43.0), None)
    assert findings(shop(0.0, 103.0), school(wall=YARD), BY_GATES)[0].verdict is Verdict.CLEAR


def test_with_every_gate_closed_nobody_can_walk_and_somebody_looks() -> None:
    found = only(shop(0.0, 43.0), school(replace(NORTH_GATE, is_closed=True), wall=YARD), ON_FOOT, network=STREET)
    assert (found.verdict, found.reason, found.walk_status) == (Verdict.SURVEY, Reason.NO_OPEN_GATE, -1)


def test_a_gate_for_lorries_is_no_gate_for_students() -> None:
    rule = replace(BY_GATES, site_end=SiteEnd.STUDENT_GATES)
    service, far = gate(0.0, 0.0, kind=GateKind.SERVICE), gate(0.0, -80.0, kind=STUDENTS)
    assert only(shop(0.0, 43.0), school(service, far, wall=YARD), rule).verdict is Verdict.CLEAR
    perhaps = replace(service, kind=GateKind.UNKNOWN)
    found = only(shop(0.0, 43.0), school(perhaps, far, wall=YARD), rule)
    assert (found.verdict, found.straight_m) == (Verdict.SURVEY, close_to(123.0))


def test_a_school_known_as_a_point_may_be_nearer_than_its_point() -> None:
    near, middle, far = (only(shop(0.0, y), school(centre=(0.0, 0.0)), RULE) for y in (80.0, 200.0, 251.0))
    assert [found.verdict for found in (near, middle)] == [Verdict.BREACH, Verdict.SURVEY]
    assert far.verdict is Verdict.SURVEY
    assert not findings(shop(0.0, 300.0), school(centre=(0.0, 0.0)), RULE)


def test_a_venue_without_doors_is_as_unsure_as_its_point_and_its_walls() -> None:
    found = only(shop(0.0, 43.0, doors=(), error_m=10.0), school(NORTH_GATE, wall=YARD), BY_GATES)
    assert (found.straight_error_m, found.straight_door) == (close_to(31.0), None)
    assert only(shop(0.0, 80.0, doors=()), school(NORTH_GATE, wall=YARD), BY_GATES).verdict is Verdict.SURVEY


def test_a_rule_from_wall_to_wall_measures_between_the_walls() -> None:
    rule = replace(RULE, venue_end=VenueEnd.FOOTPRINT, threshold_m=30.0)
    block = Polygon([at(*corner) for corner in [(60.0, -40.0), (90.0, -40.0), (90.0, -30.0), (60.0, -30.0)]])
    venue = shop(89.0, -35.0, footprint=block, error_m=1.0)
    found = only(venue, school(NORTH_GATE, wall=YARD), rule)
    assert (found.verdict, found.straight_m) == (Verdict.BREACH, close_to(10.0))
    assert only(venue, school(NORTH_GATE, wall=YARD), replace(rule, venue_end=VenueEnd.DOOR)).verdict is Verdict.CLEAR


def test_a_long_building_is_near_by_its_wall_though_its_door_is_far() -> None:
    rule = replace(RULE, venue_end=VenueEnd.FOOTPRINT, threshold_m=30.0)
    long = Polygon([at(*corner) for corner in [(60.0, -40.0), (400.0, -40.0), (400.0, -30.0), (60.0, -30.0)]])
    venue = shop(390.0, -35.0, footprint=long, error_m=1.0)
    found = only(venue, school(NORTH_GATE, wall=YARD), rule)
    assert (found.verdict, found.straight_m) == (Verdict.BREACH, close_to(10.0))


def test_the_nearest_of_several_doors_counts_unless_the_rule_names_the_main_one() -> None:
    two = shop(0.0, 43.0, doors=((0.0, 43.0), (0.0, 130.0)))
    back = replace(two, doors=(replace(two.doors[0], is_main=False), two.doors[1]))
    site = school(NORTH_GATE, wall=YARD)
    assert only(back, site, BY_GATES).straight_door == back.doors[0]
    by_main = only(back, site, replace(BY_GATES, venue_end=VenueEnd.DOOR))
    assert (by_main.verdict, by_main.straight_door) == (Verdict.CLEAR, back.doors[1])


def test_a_side_door_at_the_gate_of_an_undrawn_school_says_nothing_of_the_main_door() -> None:
    venue = shop(0.0, 230.0, doors=((0.0, 230.0), (0.0, 101.0)))
    venue = replace(venue, doors=(venue.doors[0], replace(venue.doors[1], is_main=False)))
    site = school(gate(0.0, 100.0), centre=(0.0, 0.0))
    by_main, by_any = (only(venue, site, replace(RULE, venue_end=end)) for end in (VenueEnd.DOOR, VenueEnd.ANY_DOOR))
    assert (by_main.verdict, by_any.verdict) == (Verdict.SURVEY, Verdict.BREACH)


def test_a_rule_that_names_no_method_is_clear_only_where_both_readings_agree() -> None:
    rule = replace(RULE, site_end=None, venue_end=None, metric=None)
    site = school(NORTH_GATE, wall=YARD)
    assert only(shop(0.0, 43.0), site, rule, network=STREET).reason is Reason.READINGS_DIFFER
    assert only(shop(20.0, 3.0), site, rule, network=STREET).verdict is Verdict.BREACH
    assert only(shop(0.0, 121.0), site, rule, network=STREET).reason is Reason.WITHIN_ERROR
    assert only(shop(0.0, 123.0), site, rule, network=STREET).verdict is Verdict.CLEAR


def test_each_campus_is_a_place_of_its_own() -> None:
    site = school(NORTH_GATE, wall=YARD)
    lon, lat = at(0.0, 120.0)
    second = Campus(campus_id="north", longitude=lon, latitude=lat, gates=(gate(0.0, 80.0, kind=STUDENTS),))
    both = replace(site, campuses=(*site.campuses, second))
    found = findings(shop(0.0, 43.0), both, BY_GATES)
    assert [one.campus.campus_id for one in found] == ["main", "north"]
    assert [round(one.straight_m) for one in found] == [43, 37]


def test_the_most_local_rule_wins_and_what_it_beats_is_told() -> None:
    local = replace(ON_FOOT, rule_id="suqian", jurisdiction="320300")
    elsewhere = replace(ON_FOOT, rule_id="elsewhere", jurisdiction="330000")
    found = only(shop(0.0, 43.0), school(NORTH_GATE, wall=YARD), RULE, local, elsewhere, network=STREET)
    assert (found.rule, found.verdict) == (local, Verdict.CLEAR)
    assert [(one.rule, one.verdict) for one in found.beaten] == [(RULE, Verdict.BREACH)]
    assert found.is_disputed


@pytest.mark.parametrize(("threshold_m", "winner"), [(100.0, "national"), (80.0, "national"), (120.0, "local")])
def test_a_local_rule_without_a_method_leaves_it_to_one_that_has_it(threshold_m: float, winner: str) -> None:
    """Beijing's 200 m for internet cafés name no method; the national reply does: straight, from the wall."""
    silent = replace(RULE, rule_id="local", jurisdiction="320300", metric=None, threshold_m=threshold_m)
    named = replace(RULE, rule_id="national")
    found = only(shop(0.0, 43.0), school(NORTH_GATE, wall=YARD), silent, named, network=STREET)
    assert (found.rule.rule_id, len(found.beaten)) == (winner, 1)
    alone = only(shop(0.0, 43.0), school(NORTH_GATE, wall=YARD), silent, network=STREET)
    assert alone.rule == silent


def test_of_equally_local_rules_the_later_wins() -> None:
    later = replace(RULE, rule_id="a-later-one", effective_from=date(2024, 1, 1), threshold_m=20.0)
    found = only(shop(0.0, 43.0), school(NORTH_GATE, wall=YARD), RULE, later)
    assert (found.rule, found.verdict) == (later, Verdict.CLEAR)


def test_drafts_past_and_future_rules_and_other_categories_bind_nobody() -> None:
    others = [
        replace(RULE, status=RuleStatus.DRAFT),
        replace(RULE, effective_from=date(2026, 11, 23)),
        replace(RULE, effective_to=date(2026, 11, 21)),
        replace(RULE, venue_categories=frozenset({VenueCategory.BAR})),
        replace(RULE, site_categories=frozenset({SiteCategory.KINDERGARTEN})),
    ]
    for other in others:
        assert not findings(shop(0.0, 43.0), school(NORTH_GATE, wall=YARD), other)


def test_a_restaurant_seen_to_be_a_bar_is_bound_as_a_bar() -> None:
    rule = replace(RULE, venue_categories=frozenset({VenueCategory.BAR}))
    assert not findings(shop(0.0, 43.0, categories=frozenset()), school(NORTH_GATE, wall=YARD), rule)
    assert only(shop(0.0, 43.0, categories=frozenset({VenueCategory.BAR})), school(NORTH_GATE, wall=YARD), rule)


RUNS_OUT = replace(RULE, applies_to=AppliesTo.NEW, grandfather=Grandfather.UNTIL_EXPIRY)
FOR_GOOD = replace(RULE, applies_to=AppliesTo.NEW, grandfather=Grandfather.FOR_GOOD)
BETWEEN: dict[str, Any] = {"effective_from": None, "from_earliest": date(2018, 1, 1), "from_latest": date(2022, 1, 1)}
UNDATED = replace(FOR_GOOD, **BETWEEN)
UNDATED_RUNS_OUT = replace(RUNS_OUT, **BETWEEN)
LATER_SCHOOL = replace(RULE, is_later_site_exempt=True)
OLD, NEW = date(2015, 5, 1), date(2023, 5, 1)


@pytest.mark.parametrize(
    ("rule", "dates", "opened_on", "verdict", "reason"),
    [
        (RUNS_OUT, {"licences": (licence(OLD, ON),)}, None, Verdict.GRANDFATHERED, Reason.LICENCE_RUNS),
        (RUNS_OUT, {"licences": (licence(OLD, date(2026, 11, 21)),)}, None, Verdict.BREACH, Reason.DISTANCE),
        (RUNS_OUT, {"licences": (licence(OLD),)}, None, Verdict.SURVEY, Reason.LICENCE_UNKNOWN),
        (RUNS_OUT, {"licences": (licence(NEW),)}, None, Verdict.BREACH, Reason.DISTANCE),
        (RUNS_OUT, {}, None, Verdict.SURVEY, Reason.LICENCE_UNKNOWN),
        (FOR_GOOD, {"established_on": OLD}, None, Verdict.GRANDFATHERED, Reason.BEFORE_RULE),
        (FOR_GOOD, {"established_on": date(2020, 1, 1)}, None, Verdict.BREACH, Reason.DISTANCE),
        (UNDATED, {"established_on": OLD}, None, Verdict.GRANDFATHERED, Reason.BEFORE_RULE),
        (UNDATED, {"established_on": date(2020, 1, 1)}, None, Verdict.SURVEY, Reason.RULE_DAY_UNKNOWN),
        (UNDATED, {"established_on": NEW}, None, Verdict.BREACH, Reason.DISTANCE),
        (UNDATED_RUNS_OUT, {"licences": (licence(date(2020, 1, 1), ON),)}, None, Verdict.SURVEY,
         Reason.RULE_DAY_UNKNOWN),
        (UNDATED_RUNS_OUT, {"licences": (licence(date(2020, 1, 1), OLD),)}, None, Verdict.BREACH, Reason.DISTANCE),
        (LATER_SCHOOL, {"established_on": OLD}, NEW, Verdict.GRANDFATHERED, Reason.SITE_CAME_LATER),
        (LATER_SCHOOL, {"established_on": NEW}, OLD, Verdict.BREACH, Reason.DISTANCE),
        (LATER_SCHOOL, {"established_on": NEW}, None, Verdict.SURVEY, Reason.SITE_DAY_UNKNOWN),
        (LATER_SCHOOL, {}, OLD, Verdict.SURVEY, Reason.LICENCE_UNKNOWN),
        (replace(RULE, scope_zh="仅电子烟"), {}, None, Verdict.SURVEY, Reason.SCOPE_UNKNOWN),
    ],
)  # fmt: skip
def test_papers_decide_who_may_stay_and_what_they_do_not_tell_is_looked_up(
    rule: DistanceRule, dates: dict[str, Any], opened_on: date | None, verdict: Verdict, reason: Reason
) -> None:
    site = school(NORTH_GATE, wall=YARD, opened_on=opened_on)
    found = only(shop(0.0, 43.0, **dates), site, rule)
    assert (found.verdict, found.reason) == (verdict, reason)
    far = findings(shop(0.0, 105.0, **dates), site, rule)
    assert [one.verdict for one in far] == [Verdict.CLEAR]


def test_a_pair_is_judged_the_same_alone_and_among_others() -> None:
    random = np.random.default_rng(8)
    places = random.uniform(-280.0, 280.0, (40, 2)).tolist()
    venues = [shop(x, 43.0 + y / 8.0, venue_id=f"v{number}") for number, (x, y) in enumerate(places)]
    sites = [
        school(gate(x, y / 8.0, kind=STUDENTS), centre=(x, y / 8.0), site_id=f"s{number}")
        for number, (x, y) in enumerate(places[:15])
    ]
    rules = law(RULE, replace(ON_FOOT, jurisdiction="320000"))
    whole = evaluate_distances(venues, sites, rules, on=ON, network=STREET, policy=POLICY)
    found = {(one.venue.venue_id, one.site.site_id): one for one in whole.findings()}
    assert len(found) > 100
    for venue in venues:
        for site in sites:
            alone = evaluate_distances([venue], [site], rules, on=ON, network=STREET, policy=POLICY)
            among = found.get((venue.venue_id, site.site_id))
            assert repr(list(alone.findings())) == repr([] if among is None else [among])


def test_no_venue_no_site_and_no_rule_are_no_finding() -> None:
    for venues, sites, rules in (([], [school()], [RULE]), ([shop(0, 0)], [], [RULE]), ([shop(0, 0)], [school()], [])):
        run = evaluate_distances(venues, sites, law(*rules), on=ON, network=STREET, policy=POLICY)
        assert not list(run.findings())


@pytest.mark.parametrize("longitude", [np.nan, 200.0])
def test_a_place_that_is_not_on_earth_is_refused(longitude: float) -> None:
    for venue, site, named in (
        (shop(0.0, 43.0, doors=(), longitude=longitude), SITE, "venue shop"),
        (SHOP, school(replace(NORTH_GATE, longitude=longitude)), "gate of site school"),
        (SHOP, replace(SITE, campuses=(replace(SITE.campuses[0], longitude=longitude),)), "campus of site school"),
    ):
        with pytest.raises(ValueError, match=f"{named} is not on Earth: longitude {longitude}"):
            findings(venue, site, RULE, network=STREET)


def test_a_limit_on_foot_below_the_law_is_refused() -> None:
    with pytest.raises(ValueError, match="walk_limit_m is 90"):
        evaluate_distances([shop(0, 0)], [school()], law(RULE), on=ON, network=None,
                           policy=replace(POLICY, walk_limit_m=90.0))  # fmt: skip


INTERNET_CAFE, TOBACCO, KTV = VenueCategory.INTERNET_CAFE, VenueCategory.TOBACCO, VenueCategory.KTV
OF_CAFES = replace(RULE, rule_id="cafes", venue_categories=frozenset({INTERNET_CAFE}), threshold_m=200.0)
OF_SHOPS = replace(BY_GATES, rule_id="shops", jurisdiction="320300", threshold_m=100.0)
SOUTH_ONLY = school(gate(0.0, -80.0, kind=STUDENTS), wall=YARD)


def test_a_rule_on_shops_clears_no_internet_cafe() -> None:
    """43 m from the wall, 123 m from the gate: a breach as a café, and no less so for selling tobacco too."""
    for rules in ((OF_CAFES, OF_SHOPS), (OF_SHOPS, OF_CAFES)):
        cafe, both = (
            only(shop(0.0, 43.0, categories=frozenset(categories)), SOUTH_ONLY, *rules)
            for categories in ({INTERNET_CAFE}, {INTERNET_CAFE, TOBACCO})
        )
        assert (cafe.verdict, cafe.rule, cafe.others) == (Verdict.BREACH, OF_CAFES, ())
        assert (both.verdict, both.rule, set(both.categories)) == (Verdict.BREACH, OF_CAFES, {INTERNET_CAFE})
        (as_shop,) = both.others
        assert (as_shop.verdict, as_shop.rule, set(as_shop.categories)) == (Verdict.CLEAR, OF_SHOPS, {TOBACCO})
        assert not both.is_disputed
        assert both.beaten == as_shop.beaten == ()
        assert set(both.rules) == {OF_CAFES, OF_SHOPS}


def test_categories_of_which_the_same_is_said_stand_together_and_the_worst_decides() -> None:
    of_both = replace(OF_CAFES, venue_categories=frozenset({INTERNET_CAFE, KTV}))
    local = replace(OF_CAFES, rule_id="local", jurisdiction="320300", threshold_m=10.0)
    venue = shop(0.0, 43.0, categories=frozenset({INTERNET_CAFE, KTV}))
    alike = only(venue, SITE, of_both)
    assert (set(alike.categories), alike.others) == ({INTERNET_CAFE, KTV}, ())
    apart = only(venue, SITE, of_both, local)
    assert [(set(part.categories), part.verdict, part.rule) for part in apart.parts] == [
        ({KTV}, Verdict.BREACH, of_both),
        ({INTERNET_CAFE}, Verdict.CLEAR, local),
    ]
    assert [one.rule for one in apart.others[0].beaten] == [of_both]
    assert apart.is_disputed


@given(st.sets(st.sampled_from(VenueCategory), min_size=1), st.sets(st.sampled_from(VenueCategory), min_size=1),
       st.lists(st.tuples(st.sets(st.sampled_from(VenueCategory), min_size=1), st.sampled_from([20.0, 60.0, 200.0]),
                          st.sampled_from([None, Metric.STRAIGHT]), st.sampled_from(["000000", "320300"])),
                min_size=1, max_size=4))  # fmt: skip
@settings(deadline=None)
def test_what_else_a_venue_is_never_makes_it_fare_better(
    has: set[VenueCategory], more: set[VenueCategory], laws: list[Any]
) -> None:
    rules = [
        replace(RULE, rule_id=f"r{number}", venue_categories=frozenset(bound), threshold_m=threshold_m, metric=metric,
                jurisdiction=place)
        for number, (bound, threshold_m, metric, place) in enumerate(laws)
    ]  # fmt: skip
    said = [
        max((SEVERITY[one.verdict] for one in findings(shop(0.0, 43.0, categories=frozenset(held)), SITE, *rules)),
            default=-1)
        for held in (has, more, has | more)
    ]  # fmt: skip
    assert said[2] == max(said[:2])


def test_a_licence_for_something_else_decides_nothing() -> None:
    """Lawful for tobacco since before the rule: that of the internet café, newer and run out, is another paper."""
    tobacco, cafe = licence(OLD, date(2027, 12, 31)), licence(date(2024, 5, 1), date(2025, 5, 1), INTERNET_CAFE)
    for held in ((tobacco,), (tobacco, cafe), (cafe, tobacco)):
        found = only(shop(0.0, 43.0, licences=held), SITE, RUNS_OUT)
        assert (found.verdict, found.reason) == (Verdict.GRANDFATHERED, Reason.LICENCE_RUNS)
    found = only(shop(0.0, 43.0, licences=(cafe,)), SITE, RUNS_OUT)
    assert (found.verdict, found.reason) == (Verdict.SURVEY, Reason.LICENCE_UNKNOWN)
    both = replace(RUNS_OUT, venue_categories=frozenset({TOBACCO, INTERNET_CAFE}))
    venue = shop(0.0, 43.0, categories=frozenset({TOBACCO, INTERNET_CAFE}), licences=(tobacco, cafe))
    assert [(set(part.categories), part.verdict) for part in only(venue, SITE, both).parts] == [
        ({INTERNET_CAFE}, Verdict.BREACH), ({TOBACCO}, Verdict.GRANDFATHERED),
    ]  # fmt: skip


def test_on_a_day_the_licence_of_that_day_counts_and_no_later_renewal() -> None:
    old, renewed = licence(OLD, date(2025, 6, 30)), licence(date(2025, 7, 1), date(2030, 6, 30))
    for on, verdict in ((date(2025, 6, 30), Verdict.GRANDFATHERED), (date(2025, 7, 1), Verdict.BREACH)):
        assert only(shop(0.0, 43.0, licences=(old, renewed)), SITE, RUNS_OUT, on=on).verdict is verdict


@pytest.mark.parametrize("rule", [BY_GATES, ON_FOOT, replace(BY_GATES, site_end=SiteEnd.STUDENT_GATES)])
def test_one_mapped_gate_is_not_all_gates(rule: DistanceRule) -> None:
    """20 m from the north wall, the only gate that a map has in the south one: another may be across the street."""
    far_gate = gate(0.0, -80.0, kind=STUDENTS)
    venue = shop(0.0, 20.0)
    lane = network_of(
        [[1, 2], [2, 3], [3, 4]], {1: (-300.0, 20.0), 2: (200.0, 20.0), 3: (200.0, -80.0), 4: (0.0, -80.0)}
    )
    rule = replace(rule, threshold_m=90.0)
    by_map = only(venue, school(far_gate, wall=YARD, has_all_gates=False), rule, network=lane)
    assert (by_map.verdict, by_map.reason) == (Verdict.SURVEY, Reason.GATES_INCOMPLETE)
    assert (by_map.low_m, by_map.straight_gate) == (close_to(18.0), far_gate)
    by_office = only(venue, school(far_gate, wall=YARD), rule, network=lane)
    assert (by_office.verdict, by_office.reason) == (Verdict.CLEAR, Reason.DISTANCE)
    beyond = only(shop(0.0, 93.0), school(far_gate, wall=YARD, has_all_gates=False), rule, network=lane)
    assert beyond.verdict is Verdict.CLEAR
    near = only(venue, school(far_gate, NORTH_GATE, wall=YARD, has_all_gates=False), replace(rule, metric=None))
    assert (near.reason is Reason.GATES_INCOMPLETE) == (near.verdict is Verdict.SURVEY)


def test_a_breach_by_a_mapped_gate_needs_no_word_on_the_others() -> None:
    assert only(SHOP, school(NORTH_GATE, wall=YARD, has_all_gates=False), BY_GATES).verdict is Verdict.BREACH


@pytest.mark.parametrize("rule", [RULE, BY_GATES, ON_FOOT, replace(BY_GATES, metric=None),
                                  replace(RULE, site_end=None, venue_end=None, metric=None)])  # fmt: skip
def test_inside_the_wall_there_is_no_distance_whatever_is_measured_from(rule: DistanceRule) -> None:
    """幼儿园、中、小学校内: a shop in the yard, 70 m from its only gate."""
    rule = replace(rule, threshold_m=50.0)
    for gates, has_all in (([gate(0.0, -80.0, kind=STUDENTS)], True), ([], False)):
        found = only(shop(0.0, -10.0), school(*gates, wall=YARD, has_all_gates=has_all), rule, network=STREET)
        assert (found.verdict, found.reason) == (Verdict.BREACH, Reason.INSIDE)
        assert (found.low_m, found.high_m, found.straight_m) == (0.0, 0.0, 0.0)
        assert "（在校园内）" in finding_line(found)


def test_at_the_wall_nobody_says_inside_or_outside() -> None:
    site = school(gate(0.0, -80.0, kind=STUDENTS), wall=YARD)
    rule = replace(BY_GATES, threshold_m=50.0)
    for y, verdict, reason in (
        (-2.5, Verdict.BREACH, Reason.INSIDE),
        (-1.5, Verdict.SURVEY, Reason.PERHAPS_INSIDE),
        (1.5, Verdict.SURVEY, Reason.PERHAPS_INSIDE),
        (2.5, Verdict.CLEAR, Reason.DISTANCE),
    ):
        found = only(shop(0.0, y), site, rule)
        assert (found.verdict, found.reason) == (verdict, reason)


def test_until_a_rule_is_surely_law_it_makes_no_breach_and_clears_nobody_whom_another_one_binds() -> None:
    days: dict[str, Any] = {"effective_from": None, "from_earliest": date(2024, 1, 1), "from_latest": date(2024, 6, 1)}
    unsure = replace(RULE, **days)
    for on, expected in (
        (date(2023, 12, 31), []),
        (date(2024, 1, 1), [(Verdict.SURVEY, Reason.RULE_DAY_UNKNOWN)]),
        (date(2024, 5, 31), [(Verdict.SURVEY, Reason.RULE_DAY_UNKNOWN)]),
        (date(2024, 6, 1), [(Verdict.BREACH, Reason.DISTANCE)]),
    ):
        assert [(one.verdict, one.reason) for one in findings(SHOP, SITE, unsure, on=on)] == expected
    local = replace(unsure, rule_id="local", jurisdiction="320300", threshold_m=20.0)
    for on, verdict in (
        (date(2023, 12, 31), Verdict.BREACH),
        (date(2024, 5, 31), Verdict.SURVEY),
        (date(2024, 6, 1), Verdict.CLEAR),
    ):
        assert only(SHOP, SITE, RULE, local, on=on).verdict is verdict
    assert only(SHOP, SITE, local, on=date(2024, 5, 31)).verdict is Verdict.CLEAR
