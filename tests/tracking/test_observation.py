"""Which fix is weighed against which rule at which zone, and how much it says; against a plain loop over everything."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.probability import ShapeProbability, centre_probability
from geo.shape_change import widened
from tests.make import EVENING
from tests.tracking.scene import (
    MINUTE,
    START,
    Scene,
    a_condition,
    a_scene,
    a_track,
    a_zone,
    an_area,
    an_order,
    joined,
    longitudes_at,
)
from tracking.fix import FixBatch
from tracking.observation import Observations, observe
from tracking.order import ConditionKind
from tracking.rules import INCLUSION, RuleBook, ZoneBook
from venues.category import SiteCategory, VenueCategory

ZONES = [
    a_zone(4, category=VenueCategory.BAR),
    a_zone(7, east_m=100.0, radius_m=20.0, category=VenueCategory.KTV),
    a_zone(9, east_m=0.0, radius_m=200.0, category=SiteCategory.PRIMARY_SCHOOL),
    a_zone(11, east_m=50.0, radius_m=60.0, category=None),
    an_area(12, radius_m=1_000.0),
    an_area(15, east_m=300.0, radius_m=400.0),
]
CITY = a_scene(
    *ZONES,
    orders=[
        an_order(a_condition(1), a_condition(2, ConditionKind.STAY_WITHIN_AREA, zone_no=12, tolerance_m=50.0)),
        an_order(
            a_condition(3, categories=[VenueCategory.KTV, SiteCategory.PRIMARY_SCHOOL]),
            a_condition(4, ConditionKind.EXCLUSION_ZONE, zone_no=11),
            a_condition(5, ConditionKind.STAY_WITHIN_AREA, zone_no=15),
            subject_no=2,
            valid_from=EVENING + timedelta(minutes=3),
            valid_to=EVENING + timedelta(minutes=6),
        ),
    ],
)
"""Subjects 1 and 2 with rules of every kind; subject 3 has no order."""

steady = settings(deadline=None)


def seen_by(scene: Scene, fixes: FixBatch) -> Observations:
    return observe(fixes, scene.rules, scene.zones, scene.policy)


def told(scene: Scene, fixes: FixBatch) -> dict[tuple[int, int, int], float]:
    """(fix row, condition, zone) → P(breach)."""
    seen = seen_by(scene, fixes)
    row = np.repeat(np.arange(len(fixes)), np.diff(seen.start))
    keys = zip(row.tolist(), seen.condition_no.tolist(), seen.zone_no.tolist(), strict=True)
    found = dict(zip(keys, seen.probability.tolist(), strict=True))
    assert len(found) == len(row), "one observation twice"
    return found


def expected(scene: Scene, fixes: FixBatch) -> dict[tuple[int, int, int], float]:
    """The same by a loop over every fix, rule and zone; distances from the index, one fix and one zone at a time."""
    found = {}
    zones, rules = scene.zones, scene.rules
    for row in range(len(fixes)):
        for rule in np.flatnonzero(rules.subject_no == fixes.subject_no[row]).tolist():
            order, condition = rules.orders[rule], rules.conditions[rule]
            at = EVENING + timedelta(microseconds=int(fixes.fixed_at[row]) - START)
            if not order.is_valid_at(at):
                continue
            for place, zone in enumerate(zones.zones):
                accuracy_m = fixes.accuracy_m[row]
                reach_m = min(2.0 * accuracy_m + float(rules.tolerance_m.max()), scene.policy.reach_limit_m)
                distance_m = distance(fixes, row, zones, place)
                if condition.kind is ConditionKind.STAY_WITHIN_AREA:
                    if zone.zone_no == condition.zone_no:
                        # against the most that such a fix could say, of the area as its tolerance widens it
                        wide = ShapeProbability.build([widened(zone.shape, condition.tolerance_m)])
                        signed = min(distance_m, reach_m) - condition.tolerance_m
                        best = float(wide.best_probability(zone_row=np.array([0]), accuracy_m=accuracy_m)[0])
                        share = min(inside(wide, fixes, row, signed) / best, 1.0)
                        found[row, condition.condition_no, zone.zone_no] = 1.0 - share
                elif distance_m < reach_m and (
                    zone.zone_no == condition.zone_no or zone.category in condition.categories
                ):
                    alone = ShapeProbability.build([zone.shape])
                    found[row, condition.condition_no, zone.zone_no] = inside(alone, fixes, row, distance_m)
    return found


def distance(fixes: FixBatch, row: int, zones: ZoneBook, place: int) -> float:
    pairs = zones.index.match(
        longitude=fixes.longitude[[row]], latitude=fixes.latitude[[row]], reach_m=np.array([1_000_000.0])
    )
    return float(pairs.signed_distance_m[pairs.zone_row == place][0])


def inside(shape: ShapeProbability, fixes: FixBatch, row: int, signed_m: float) -> float:
    return float(
        shape.inside(
            zone_row=np.array([0]),
            longitude=fixes.longitude[row],
            latitude=fixes.latitude[row],
            accuracy_m=fixes.accuracy_m[row],
            signed_distance_m=signed_m,
        )[0]
    )


@st.composite
def scattered(draw: st.DrawFn) -> FixBatch:
    count = draw(st.integers(0, 8))
    column = st.lists(st.floats(-2_500.0, 2_500.0), min_size=count, max_size=count)
    batch = a_track(
        draw(st.lists(st.floats(0.0, 10.0), min_size=count, max_size=count)),
        draw(column),
        draw(column),
        accuracy_m=draw(st.lists(st.sampled_from([3.0, 10.0, 65.0, 500.0, 5_000.0]), min_size=count, max_size=count)),
        subject_no=draw(st.lists(st.integers(1, 3), min_size=count, max_size=count)),
    )
    return batch.take(np.lexsort((batch.fixed_at, batch.subject_no)))


@steady
@given(scattered())
def test_every_fix_is_weighed_as_a_plain_loop_would(batch: FixBatch) -> None:
    assert told(CITY, batch) == pytest.approx(expected(CITY, batch), abs=1e-9)


@steady
@given(scattered())
def test_columns_are_grouped_by_fix_and_in_range(batch: FixBatch) -> None:
    seen = seen_by(CITY, batch)
    assert seen.start.tolist() == sorted(seen.start.tolist())
    assert (seen.start[0], seen.start[-1], len(seen.start)) == (0, len(seen.zone_no), len(batch) + 1)
    assert np.all((seen.probability >= 0.0) & (seen.probability <= 1.0))
    assert np.all(seen.probability <= seen.best_probability + 1e-12), "more than the best that such a fix could say"


# ---- orders


@pytest.mark.parametrize(
    ("microseconds", "is_bound"),
    [(3 * MINUTE - 1, False), (3 * MINUTE, True), (6 * MINUTE - 1, True), (6 * MINUTE, False)],
)
def test_an_order_binds_from_its_first_instant_to_before_its_last(microseconds: int, is_bound: bool) -> None:
    fix = a_track([microseconds / MINUTE], 100.0, subject_no=2)
    assert fix.fixed_at.tolist() == [START + microseconds]
    assert bool(told(CITY, fix)) is is_bound


def test_without_an_order_nothing_is_observed() -> None:
    everywhere = a_track(np.zeros(4), [0.0, 100.0, 50.0, 5_000.0], subject_no=3)
    assert told(CITY, everywhere) == {}


def test_of_two_people_in_one_bar_only_the_one_with_the_order_item_is_observed() -> None:
    together = joined(a_track(np.arange(10.0), 0.0), a_track(np.arange(10.0), 0.0, subject_no=2))
    scene = a_scene(
        a_zone(1),
        orders=[
            an_order(a_condition(1, categories=[VenueCategory.BAR])),
            an_order(a_condition(2, categories=[VenueCategory.KTV]), subject_no=2),
        ],
    )
    assert {condition for _, condition, _ in told(scene, together)} == {1}
    assert [item.subject_no for item in scene.run(together).violations] == [1]


def test_the_same_bar_under_two_conditions_is_two_observations() -> None:
    order = an_order(a_condition(1), a_condition(2, ConditionKind.EXCLUSION_ZONE, zone_no=4))
    scene = a_scene(a_zone(4), orders=[order])
    assert sorted(told(scene, a_track([0.0], 0.0))) == [(0, 1, 4), (0, 2, 4)]


def test_a_named_zone_is_observed_whatever_its_category_and_no_other_of_its_category() -> None:
    order = an_order(a_condition(1, ConditionKind.EXCLUSION_ZONE, zone_no=2))
    scene = a_scene(a_zone(1), a_zone(2), orders=[order])
    assert [zone for _, _, zone in told(scene, a_track([0.0], 0.0))] == [2]


def test_a_zone_without_a_category_is_no_venue() -> None:
    every_category = [*VenueCategory, *SiteCategory]
    scene = a_scene(a_zone(1, category=None), an_area(2), orders=[an_order(a_condition(1, categories=every_category))])
    assert told(scene, a_track([0.0], 0.0)) == {}


# ---- zones


def test_zones_beyond_the_reach_are_not_weighed() -> None:
    near, far = a_track([0.0], 35.0 + 19.9), a_track([0.0], 35.0 + 20.1)
    scene = a_scene(a_zone(1))
    assert len(told(scene, near)) == 1
    assert told(scene, far) == {}


def test_reach_is_limited_however_bad_the_accuracy() -> None:
    limit_m = CITY.policy.reach_limit_m
    scene = a_scene(a_zone(1))
    assert len(told(scene, a_track([0.0], limit_m, accuracy_m=50_000.0))) == 1
    assert told(scene, a_track([0.0], limit_m + 100.0, accuracy_m=50_000.0)) == {}


def test_an_area_is_weighed_from_anywhere() -> None:
    seen = told(CITY, a_track(np.zeros(3), [0.0, 1_100.0, 400_000.0]))
    by_fix = {row: chance for (row, condition, _), chance in seen.items() if condition == 2}
    assert by_fix[0] == 0.0
    assert by_fix[1] > 0.99
    assert by_fix[2] > 0.99


def test_tolerance_widens_an_area() -> None:
    at_border = a_track([0.0], 1_000.0)
    assert told(CITY, at_border)[0, 2, 12] < 1e-6
    strict = a_scene(
        an_area(12, radius_m=1_000.0), orders=[an_order(a_condition(2, ConditionKind.STAY_WITHIN_AREA, zone_no=12))]
    )
    assert told(strict, at_border)[0, 2, 12] == pytest.approx(0.5, abs=0.1)


def test_best_is_what_a_fix_at_the_centre_would_say() -> None:
    seen = seen_by(a_scene(a_zone(1, radius_m=20.0)), a_track([0.0], 30.0, accuracy_m=65.0))
    best = float(centre_probability(accuracy_m=65.0, equivalent_radius_m=20.0))
    assert seen.best_probability.tolist() == pytest.approx([best], rel=0.01)
    assert best == pytest.approx(0.10, abs=0.01)


def test_no_fixes_and_no_zones_give_no_observations() -> None:
    assert told(CITY, a_track([], [])) == {}
    assert told(a_scene(), a_track([0.0], 0.0)) == {}


# ---- compiling rules


def test_a_rule_whose_zone_is_missing_is_refused_by_name() -> None:
    zones = ZoneBook.build([a_zone(1)])
    for missing in (None, 0, 2):
        order = an_order(a_condition(1, ConditionKind.EXCLUSION_ZONE, zone_no=missing))
        with pytest.raises(ValueError, match=f"names zone_no {missing}"):
            RuleBook.build([order], zones)


def test_zones_and_rules_may_come_in_any_order() -> None:
    book = ZoneBook.build(ZONES[::-1])
    assert book.zone_no.tolist() == [4, 7, 9, 11, 12, 15]
    assert [book.row_of(number) for number in (4, 15, 5, 99)] == [0, 5, -1, -1]
    rules = RuleBook.build([an_order(a_condition(5), subject_no=9), an_order(a_condition(4), a_condition(2))], book)
    assert list(zip(rules.subject_no.tolist(), rules.condition_no.tolist(), strict=True)) == [(1, 2), (1, 4), (9, 5)]
    assert not np.any(rules.breach == INCLUSION)


def test_metres_of_the_scene_are_metres() -> None:
    assert np.diff(longitudes_at([0.0, 1_000.0]))[0] == pytest.approx(0.010868, rel=1e-3)
