"""Two who may not meet: near long enough, by how sure the places are, whatever the batches."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from tests.make import BAR_LATITUDE
from tests.tracking.scene import MINUTE, START, longitudes_at
from tracking.contact import ContactFinding, ContactPolicy, Places, begin_contacts, find_contacts, near_probability

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


def pair(within_m: float = 50.0, minutes: float = 10.0) -> NDArray[np.void]:
    return begin_contacts([(7, 1, 2, within_m, minutes * 60.0)])


def told(findings: tuple[ContactFinding, ...]) -> list[tuple[float, float, bool]]:
    return [((item.since - START) / MINUTE, (item.at - START) / MINUTE, item.is_end) for item in findings]


HALF = np.arange(0.5, 60.0)


def test_two_who_stay_together_for_the_time_are_found_then_and_their_parting_too() -> None:
    together = np.where((HALF > 20) & (HALF < 40), 10.0, 500.0)
    found = find_contacts(places(walk(1, np.arange(60.0), 0.0), walk(2, HALF, together)), pair(), policy=POLICY)
    assert told(found.findings) == [(20.5, 30.5, False), (20.5, 40.0, True)]
    assert {item.subject_nos for item in found.findings} == {(1, 2)}


def test_two_who_pass_each_other_are_not_found() -> None:
    passing = 4_000.0 - 130.0 * HALF
    found = find_contacts(places(walk(1, np.arange(60.0), 0.0), walk(2, HALF, passing)), pair(), policy=POLICY)
    assert found.findings == ()


def test_places_too_coarse_to_tell_prove_no_meeting() -> None:
    both = places(walk(1, np.arange(60.0), 0.0), walk(2, HALF, 10.0), sigma_m=60.0)
    assert find_contacts(both, pair(), policy=POLICY).findings == ()


def test_of_one_who_is_silent_nobody_can_say_that_they_met_on() -> None:
    first = walk(1, np.arange(60.0), 0.0)
    begun, ended = told(find_contacts(places(first, walk(2, HALF[:12], 10.0)), pair(), policy=POLICY).findings)
    assert begun == (0.5, 10.5, False)
    assert 11.5 <= ended[1] <= 13.0
    assert find_contacts(places(first, walk(2, HALF[:8], 10.0)), pair(), policy=POLICY).findings == ()


def test_others_near_by_are_no_contact_of_the_pair() -> None:
    both = places(walk(1, np.arange(60.0), 0.0), walk(3, HALF, 10.0))
    assert find_contacts(both, pair(), policy=POLICY).findings == ()


@given(
    seed=st.integers(0, 10_000), cuts=st.lists(st.floats(0, 120), max_size=6), shuffled=st.booleans()
)  # fmt: skip
@settings(max_examples=40)
def test_batches_cut_anywhere_in_any_order_find_the_same(seed: int, cuts: list[float], shuffled: bool) -> None:
    rng = np.random.default_rng(seed)
    minutes = [np.sort(rng.choice(1_200, 60, replace=False)) / 10.0 for _ in range(2)]
    steps = [np.cumsum(rng.normal(0.0, 12.0, 60)) for _ in range(2)]
    whole = places(walk(1, minutes[0], steps[0]), walk(2, minutes[1], steps[1]))
    once = find_contacts(whole, pair(40.0, 5.0), policy=POLICY)
    states, found = pair(40.0, 5.0), tuple[ContactFinding, ...]()
    edges = [0, *sorted(START + round(cut * MINUTE) for cut in cuts), 2**62]
    for first, last in pairwise(edges):
        rows = np.flatnonzero((whole.at >= first) & (whole.at < last))
        rows = rng.permutation(rows) if shuffled else rows
        part = Places(**{name: getattr(whole, name)[rows] for name in Places.__dataclass_fields__})
        met = find_contacts(part, states, policy=POLICY)
        states, found = met.states, found + met.findings
    assert found == once.findings


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
