"""Two who may not meet: near long enough, by how sure the places are, whatever the batches."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from tests.make import BAR_LATITUDE
from tests.tracking.scene import MINUTE, START, longitudes_at
from tracking.contact import ContactPolicy, Pair, Places, find_meetings, near_probability

POLICY = ContactPolicy()
Walk = tuple[int, NDArray[np.float64], NDArray[np.float64]]


def walk(subject_no: int, minutes: ArrayLike, east_m: ArrayLike) -> Walk:
    times = np.asarray(minutes, dtype=np.float64)
    return subject_no, times, np.broadcast_to(np.asarray(east_m, dtype=np.float64), times.shape)


def places(*walks: Walk, sigma_m: float = 8.0) -> Places:
    at = np.concatenate([np.rint(times * MINUTE).astype(np.int64) + START for _, times, _ in walks])
    return Places(
        subject_no=np.concatenate([np.full(len(times), number) for number, times, _ in walks]),
        at=at,
        longitude=longitudes_at(np.concatenate([east_m for _, _, east_m in walks])),
        latitude=np.full(len(at), BAR_LATITUDE),
        sigma_m=np.full(len(at), sigma_m),
    )


def met(*walks: Walk, sigma_m: float = 8.0, within_m: float = 50.0, minutes: float = 10.0) -> list[tuple[float, ...]]:
    """Since, found and until, in minutes."""
    pair = Pair(first_no=1, second_no=2, within_m=within_m, dwell_s=minutes * 60.0)
    found = find_meetings(places(*walks, sigma_m=sigma_m), pair, policy=POLICY)
    return [tuple((at - START) / MINUTE for at in (item.since, item.found_at, item.until)) for item in found]


HALF = np.arange(0.5, 60.0)


def test_two_who_stay_together_for_the_time_are_found_then_once() -> None:
    together = np.where((HALF > 20) & (HALF < 40), 10.0, 500.0)
    assert met(walk(1, np.arange(60.0), 0.0), walk(2, HALF, together)) == [(20.5, 30.5, 40.0)]


def test_two_who_meet_again_are_found_again() -> None:
    together = np.where((HALF < 15) | (HALF > 40), 10.0, 500.0)
    assert met(walk(1, np.arange(60.0), 0.0), walk(2, HALF, together)) == [(0.5, 10.5, 15.0), (40.5, 50.5, 59.5)]


def test_two_who_pass_each_other_are_not_found() -> None:
    assert met(walk(1, np.arange(60.0), 0.0), walk(2, HALF, 4_000.0 - 130.0 * HALF)) == []


def test_places_too_coarse_to_tell_prove_no_meeting() -> None:
    assert met(walk(1, np.arange(60.0), 0.0), walk(2, HALF, 10.0), sigma_m=60.0) == []


def test_of_one_who_is_silent_nobody_can_say_that_they_met_on() -> None:
    first = walk(1, np.arange(60.0), 0.0)
    ((since, found_at, until),) = met(first, walk(2, HALF[:12], 10.0))
    assert (since, found_at) == (0.5, 10.5)
    assert 11.5 <= until <= 13.0
    assert met(first, walk(2, HALF[:8], 10.0)) == []


def test_others_near_by_are_no_contact_of_the_pair() -> None:
    assert met(walk(1, np.arange(60.0), 0.0), walk(3, HALF, 10.0)) == []
    assert met(walk(3, HALF, 10.0)) == []


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_order_of_arrival_changes_nothing_and_meetings_are_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    minutes = [np.sort(rng.choice(1_200, 60, replace=False)) / 10.0 for _ in range(2)]
    steps = [np.cumsum(rng.normal(0.0, 12.0, 60)) for _ in range(2)]
    whole = places(walk(1, minutes[0], steps[0]), walk(2, minutes[1], steps[1]))
    pair = Pair(first_no=1, second_no=2, within_m=40.0, dwell_s=300.0)
    once = find_meetings(whole, pair, policy=POLICY)
    assert find_meetings(whole.take(rng.permutation(len(whole.at))), pair, policy=POLICY) == once
    turned = Pair(first_no=2, second_no=1, within_m=40.0, dwell_s=300.0)
    assert find_meetings(whole, turned, policy=POLICY) == once
    assert all(item.found_at - item.since >= 5 * MINUTE and item.until >= item.found_at for item in once)
    assert all(before.until < after.since for before, after in pairwise(once))


def test_the_probability_falls_with_distance_and_with_doubt() -> None:
    def p(east_m: float, sigma_m: float, age_s: float = 0.0) -> float:
        here = (longitudes_at([0.0]), np.array([BAR_LATITUDE]), np.array([sigma_m]))
        there = (longitudes_at([east_m]), np.array([BAR_LATITUDE]), np.array([sigma_m]))
        return float(near_probability(here, there, age_s=age_s, within_m=50.0, policy=POLICY)[0])

    assert p(0.0, 5.0) == pytest.approx(1.0, abs=1e-3)
    assert p(50.0, 5.0) == pytest.approx(0.5, abs=0.05)
    assert p(0.0, 5.0) > p(40.0, 5.0) > p(60.0, 5.0) > p(100.0, 5.0)
    assert p(0.0, 60.0) < 0.5
    assert p(20.0, 5.0, 300.0) < p(20.0, 5.0)
