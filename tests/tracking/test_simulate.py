"""Simulated tracks: truth is exact, delivery changes the order and nothing else, seeds decide everything."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracking.fix import FixBatch
from tracking.policy import PresencePolicy
from tracking.replay import replay
from tracking.rules import ZoneBook
from tracking.simulate import STARTS_AT, TEST_SEEDS_FROM, VISIT_S, Simulation, simulate
from tracking.simulate_delivery import PROMPT, ROUGH, Delivery, deliver, fix_times
from tracking.simulate_path import TruePaths, times_inside
from tracking.simulate_scenario import SCENARIOS

DAY_US = 86_400_000_000
every_scenario = pytest.mark.parametrize("name", SCENARIOS)


def a_simulation(name: str, *, people: int = 3, days: int = 2, delivery: Delivery = PROMPT) -> Simulation:
    return simulate(name, people=people, days=days, seed=TEST_SEEDS_FROM, delivery=delivery)


def content(fixes: FixBatch) -> set[tuple[float, ...]]:
    """What was observed, without when it came."""
    columns = (fixes.subject_no, fixes.fixed_at, fixes.longitude, fixes.latitude, fixes.accuracy_m)
    return set(zip(*(column.tolist() for column in columns), strict=True))


@every_scenario
def test_same_seed_gives_the_same_fixes_and_another_seed_others(name: str) -> None:
    one, same = a_simulation(name), a_simulation(name)
    other = simulate(name, people=3, days=2, seed=TEST_SEEDS_FROM + 1)
    assert content(one.fixes) == content(same.fixes)
    assert np.array_equal(one.truth.entered_at, same.truth.entered_at)
    assert not content(one.fixes) & content(other.fixes)


@every_scenario
def test_fixes_come_at_the_interval_in_order_of_arrival_and_never_before_they_are_taken(name: str) -> None:
    found = a_simulation(name)
    fixes, interval_s = found.fixes, SCENARIOS[name].interval_s
    assert len(fixes) == 3 * 2 * 86_400 / interval_s
    assert np.all(np.diff(fixes.received_at) >= 0)
    assert np.all(fixes.received_at > fixes.fixed_at)
    one = np.sort(fixes.fixed_at[fixes.subject_no == 1])
    assert np.all(np.abs(np.diff(one) / 1e6 - interval_s) <= 0.2 * interval_s + 0.002)
    assert np.all((one >= STARTS_AT) & (one < STARTS_AT + 2 * DAY_US))


@pytest.mark.parametrize(
    ("name", "seconds"), [("visit_10", 600), ("visit_indoor_30", 1_800), ("visit_20_accurate", 1_200)]
)
def test_a_visit_lasts_exactly_from_edge_to_edge_once_a_day(name: str, seconds: int) -> None:
    truth = a_simulation(name, people=20).truth
    assert len(truth) == 40
    assert truth.is_visit.all()
    assert np.all(np.abs(truth.left_at - truth.entered_at - seconds * 1_000_000) <= 2)


@pytest.mark.parametrize("name", ["neighbour", "neighbour_biased", "resident", "walk_past", "drive_past"])
def test_who_is_never_inside_has_no_truth(name: str) -> None:
    assert len(a_simulation(name, people=20).truth) == 0


def test_walking_through_is_a_passage_and_no_visit() -> None:
    truth = a_simulation("pass_through", people=20).truth
    assert len(truth) == 20 * 2 * 8
    assert not truth.is_visit.any()
    longest_s = 2 * 50.0 / 1.3
    assert np.all(truth.left_at - truth.entered_at <= longest_s * 1e6 + 2)


def test_ordinary_days_hold_visits_and_passages() -> None:
    truth = a_simulation("ordinary_week", people=20, days=7).truth
    length_s = (truth.left_at - truth.entered_at) / 1e6
    assert truth.is_visit.sum() > 10
    assert not truth.is_visit.all()
    assert np.array_equal(truth.is_visit, length_s >= VISIT_S)


@every_scenario
def test_without_error_fixes_are_inside_exactly_when_the_truth_says_so(name: str) -> None:
    scenario = SCENARIOS[name]
    ground = scenario.build(4, 2, np.random.default_rng(TEST_SEEDS_FROM))
    person, at_s = fix_times(
        people=4, ends_s=ground.paths.ends_s, interval_s=13.0, rng=np.random.default_rng(TEST_SEEDS_FROM)
    )
    place_m = ground.paths.position_m(person, at_s)
    inside = times_inside(ground.paths, ground.centre_m, ground.radius_m)
    for zone, (centre_m, radius_m) in enumerate(zip(ground.centre_m, ground.radius_m, strict=True)):
        far_m = np.hypot(*(place_m - centre_m).T) - radius_m
        said = np.zeros(len(at_s), dtype=bool)
        for row in np.flatnonzero(inside.zone == zone):
            during = (at_s >= inside.from_s[row]) & (at_s <= inside.until_s[row])
            said |= (person == inside.person[row]) & during
        clear = np.abs(far_m) > 1e-3
        assert np.array_equal(said[clear], far_m[clear] < 0.0)


def test_a_straight_way_through_a_disc_is_cut_where_geometry_says() -> None:
    paths = TruePaths(
        at_s=np.array([[0.0, 100.0, 160.0]]),
        place_m=np.array([[[-50.0, 30.0], [50.0, 30.0], [50.0, 30.0]]]),
        model_no=np.zeros((1, 3), dtype=np.int64),
        ends_s=200.0,
    )
    inside = times_inside(paths, np.array([[0.0, 0.0], [50.0, 30.0], [500.0, 0.0]]), np.array([50.0, 10.0, 5.0]))
    assert inside.zone.tolist() == [0, 1]
    assert inside.from_s == pytest.approx([10.0, 90.0])
    assert inside.until_s == pytest.approx([90.0, 200.0])


@every_scenario
def test_rough_delivery_loses_in_gaps_and_changes_nothing_of_the_rest(name: str) -> None:
    prompt, rough = a_simulation(name).fixes, a_simulation(name, delivery=ROUGH).fixes
    assert content(rough) < content(prompt)
    assert len(content(rough)) < len(rough)  # some came twice
    assert np.any(np.diff(rough.fixed_at) < 0)
    assert np.all(np.diff(rough.received_at) >= 0)


def test_delivery_without_gaps_gives_the_same_set_of_fixes() -> None:
    late = replace(ROUGH, gaps_per_day=0.0)
    prompt, held = a_simulation("ordinary_week").fixes, a_simulation("ordinary_week", delivery=late).fixes
    assert content(held) == content(prompt)
    assert (held.received_at - held.fixed_at).max() > 600_000_000


def test_order_of_delivery_does_not_change_what_is_found() -> None:
    late = replace(ROUGH, gaps_per_day=0.0)
    prompt, held = a_simulation("visit_10"), a_simulation("visit_10", delivery=late)
    zones = ZoneBook.build(prompt.zones)
    found = [replay(item.fixes, zones, policy=PresencePolicy()) for item in (prompt, held)]
    assert [(item.episode_id, item.decided_at, item.ended_at) for item in found[0]] == [
        (item.episode_id, item.decided_at, item.ended_at) for item in found[1]
    ]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), per_day=st.floats(0.0, 40.0))
def test_fixes_of_one_burst_arrive_together_when_it_ends(seed: int, per_day: float) -> None:
    person, at_s = fix_times(people=2, ends_s=86_400.0, interval_s=300.0, rng=np.random.default_rng(seed))
    held = Delivery(held_per_day=per_day, delay_s=(0.5, 1.0))
    arrived = deliver(person, at_s, ends_s=86_400.0, delivery=held, rng=np.random.default_rng(seed))
    assert sorted(arrived.row) == list(range(len(at_s)))
    received_s = np.empty(len(at_s))
    received_s[arrived.row] = arrived.received_s
    waited = received_s - at_s > 1.0
    for row, following in pairwise(range(len(at_s))):
        if waited[row] and person[row] == person[following] and at_s[following] < received_s[row] - 1.0:
            assert abs(received_s[following] - received_s[row]) <= 0.5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scenario": "nobody"}, "neighbour"),
        ({"people": 0}, "people = 0"),
        ({"days": 0}, "days = 0"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_cannot_be_simulated_is_refused_with_what_to_do(change: dict[str, object], said: str) -> None:
    asked: dict[str, object] = {"scenario": "visit_10", "people": 1, "days": 1, "seed": 0, **change}
    with pytest.raises(ValueError, match=said):
        simulate(asked.pop("scenario"), **asked)  # type: ignore[arg-type]
