"""Spot checks: who knows all that was cannot tell what comes. Fixed seeds, and a scheme that fails the same test."""

from collections.abc import Callable
from datetime import date, time
from itertools import pairwise
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2, kstest

from tests.tracking.test_calendar import CALENDAR
from tracking.spot_check import (
    WEEK_US,
    SpotCheckPolicy,
    plan_spot_checks,
    planning_rng,
)
from tracking.timetable import Timetable, Window, day_start_us
from tracking.windows import Windows

HOUR_US = 3_600_000_000
SECOND_US = 1_000_000
MONDAY = date(2026, 3, 2)
DAYTIME = Timetable(windows=(Window(starts=time(8), ends=time(22)),))
WEEK = DAYTIME.active_windows(first_day=MONDAY, last_day=date(2026, 3, 8), calendar=CALENDAR)
BEGIN = day_start_us(MONDAY)
POLICY = SpotCheckPolicy(per_week=3.0, spacing_s=7_200.0, answer_s=900.0)
ASKABLE_HOURS = 13.75
"""Of each day: the last quarter of an hour is too late for an answer."""
LEAST_P = 0.001
Weeks = list[NDArray[np.float64]]
Planner = Callable[[np.random.Generator, int | None], NDArray[np.int64]]


def plan(
    policy: SpotCheckPolicy, *, last_at: int | None, rng: np.random.Generator, allowed: Windows = WEEK
) -> NDArray[np.int64]:
    """The week from Monday on."""
    return plan_spot_checks(
        policy, allowed=allowed, planned_from=BEGIN, planned_to=BEGIN + WEEK_US, last_at=last_at, rng=rng
    )


def memoryless(rng: np.random.Generator, last_at: int | None) -> NDArray[np.int64]:
    return plan(POLICY, last_at=last_at, rng=rng)


def exactly_three(rng: np.random.Generator, last_at: int | None) -> NDArray[np.int64]:
    """What one would write first: three uniform times each week. Foreseeable; here to see the tests fail on it."""
    offset = np.sort(rng.random(3)) * 7 * ASKABLE_HOURS * HOUR_US
    day, rest = np.divmod(offset, ASKABLE_HOURS * HOUR_US)
    return np.asarray(WEEK.start[day.astype(int)] + rest, dtype=np.int64)


def many_weeks(planner: Planner, weeks: int, seed: int) -> Weeks:
    """Askable hours since Monday 8:00 (0 to 7 × 13.75) of each week's checks, one week after the other."""
    rng, found = np.random.default_rng(seed), []
    last_at: int | None = None
    for _ in range(weeks):
        times = planner(rng, last_at)
        if len(times):
            last_at = int(times[-1])
        if last_at is not None:
            last_at -= WEEK_US  # the next week is planned on the dates of this one
        found.append(askable_hours(times))
    return found


def askable_hours(times: NDArray[np.int64]) -> NDArray[np.float64]:
    day, rest = np.divmod(times - int(WEEK.start[0]), 24 * HOUR_US)
    return np.asarray(day * ASKABLE_HOURS + rest / HOUR_US)


def chi_square_p(values: NDArray[np.float64], bins: int) -> float:
    """How likely values in [0, 1) so uneven over the bins are if they are uniform."""
    counts = np.histogram(values, bins=bins, range=(0.0, 1.0))[0]
    assert counts.sum() == len(values) > 20 * bins
    expected = len(values) / bins
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), bins - 1))


def only_one_left(weeks: Weeks, *, at_hour: float, had: int) -> NDArray[np.float64]:
    """Of weeks with so many checks before an hour and one after it and its spacing: where in the rest that one fell."""
    last = 7 * ASKABLE_HOURS
    found = []
    for hours in weeks:
        before, rest = hours[hours < at_hour], hours[hours >= at_hour]
        if len(before) == had and len(rest) == 1 and not np.any(before > at_hour - 2.0):
            found.append((rest[0] - at_hour) / (last - at_hour))
    return np.array(found)


@pytest.fixture(scope="module")
def weeks() -> Weeks:
    return many_weeks(memoryless, 10_000, seed=1)


@pytest.mark.parametrize(("had", "day"), [(0, 1), (0, 3), (1, 2), (1, 5), (2, 3), (2, 5), (3, 5)])
def test_the_one_that_comes_is_uniform_over_the_time_left_whatever_there_was(had: int, day: int, weeks: Weeks) -> None:
    assert chi_square_p(only_one_left(weeks, at_hour=day * ASKABLE_HOURS, had=had), bins=10) > LEAST_P


def test_chance_of_a_check_is_the_same_after_any_history(weeks: Weeks) -> None:
    """The time until the next, seen through its own distribution, is uniform: in each class of history, and in all."""
    gaps, classes = [], []
    for hours in weeks:
        for place, (one, two) in enumerate(pairwise(hours)):
            gaps.append(two - one - spacing_left(one))
            classes.append(min(place, 2))
    gap, klass = np.array(gaps), np.array(classes)
    assert gap.min() >= -1e-3
    # A next check within the week is a draw of an exponential that is cut at the week's end: compare with that.
    ends = 7 * ASKABLE_HOURS
    froms = np.concatenate([hours[:-1] + [spacing_left(h) for h in hours[:-1]] for hours in weeks if len(hours) > 1])
    rate = rate_per_hour()
    uniform = -np.expm1(-rate * gap) / -np.expm1(-rate * (ends - froms))
    for which in (0, 1, 2):
        assert chi_square_p(uniform[klass == which], bins=12) > LEAST_P
    assert kstest(uniform, "uniform").pvalue > LEAST_P


def spacing_left(hour: float) -> float:
    """Askable hours that two hours on the clock take away after a check."""
    of_day = hour % ASKABLE_HOURS
    return min(2.0, ASKABLE_HOURS - of_day)


def rate_per_hour() -> float:
    lost = np.mean([spacing_left(h) for h in np.linspace(0, ASKABLE_HOURS, 10_000, endpoint=False)])
    return float(3.0 / (7 * ASKABLE_HOURS - 3.0 * lost))


def slots(weeks: Weeks) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Each hour on which nobody is within the spacing when it begins: its history, and whether a check came in it.

    History: checks so far this week, time since the last in classes, day of the week, hour, the count of last week.
    """
    rows, hit, last_count = [], [], 0
    for hours in weeks:
        for slot in range(7 * 13):
            begin = (slot // 13) * ASKABLE_HOURS + slot % 13
            before = hours[hours < begin]
            if len(before) and begin - before[-1] < spacing_left(before[-1]):
                continue
            since = 9 if len(before) == 0 else min(int((begin - before[-1]) // 6), 8)
            rows.append((min(len(before), 4), since, slot // 13, slot % 13, min(last_count, 4)))
            hit.append(bool(np.any((hours >= begin) & (hours < begin + 1.0))))
        last_count = len(hours)
    return np.array(rows), np.array(hit)


FEATURES = {"so far": [0], "since": [1], "so far and day": [0, 2], "hour": [3], "last week and day": [4, 2]}
Slots = tuple[NDArray[np.int64], NDArray[np.bool_]]


@pytest.fixture(scope="module")
def halves(weeks: Weeks) -> tuple[Slots, Slots]:
    return slots(weeks[:2_000]), slots(weeks[2_000:4_000])


def lift(seen: Slots, asked: Slots, features: list[int]) -> float:
    """How many times as often as on average a check comes in the tenth of the asked hours that look likeliest.

    To a predictor that learned the rate of each class of history from the hours it has seen. 1: chance.
    """
    (rows, hit), (asked_rows, asked_hit) = seen, asked
    shape, prior = [14] * len(features), 200.0
    size = int(np.prod(shape))
    key = np.ravel_multi_index(tuple(rows[:, features].T), shape)
    rates = (np.bincount(key, hit, size) + prior * hit.mean()) / (np.bincount(key, minlength=size) + prior)
    looks = rates[np.ravel_multi_index(tuple(asked_rows[:, features].T), shape)]
    likeliest = np.argsort(-looks, kind="stable")[: len(looks) // 10]
    return float(asked_hit[likeliest].mean() / asked_hit.mean())


@pytest.mark.parametrize("name", FEATURES)
def test_predictor_trained_on_history_does_no_better_than_chance(name: str, halves: tuple[Slots, Slots]) -> None:
    assert lift(*halves, FEATURES[name]) < 1.12  # about two standard errors of 600 hits


def test_the_same_predictor_sees_through_exactly_three_a_week() -> None:
    naive = many_weeks(exactly_three, 2_000, seed=2)
    assert lift(slots(naive[:1_000]), slots(naive[1_000:]), FEATURES["so far and day"]) > 2.0


def test_mean_number_is_what_was_asked_for_in_spite_of_the_spacing(weeks: Weeks) -> None:
    assert np.mean([len(hours) for hours in weeks]) == pytest.approx(3.0, rel=0.02)


policies = st.builds(
    SpotCheckPolicy,
    per_week=st.floats(0.2, 12.0),
    spacing_s=st.floats(0.0, 10_000.0),
    answer_s=st.floats(1.0, 3_600.0),
)


@settings(deadline=None)
@given(policies, st.integers(0, 2**32), st.integers(-20, 100))
def test_checks_keep_the_hours_the_spacing_and_the_answers_limit(
    policy: SpotCheckPolicy, seed: int, last_hour: int
) -> None:
    last_at = int(WEEK.start[0]) + last_hour * HOUR_US
    times = plan(policy, last_at=last_at, rng=np.random.default_rng(seed))
    assert np.all(WEEK.holds(times)) if len(times) else True
    row = np.searchsorted(WEEK.start, times, side="right") - 1
    assert np.all(times + policy.answer_s * SECOND_US <= WEEK.end[row])
    assert np.all(np.diff(np.append(last_at, times)) >= max(policy.spacing_s, 1.0) * SECOND_US - 1)
    assert np.all(times % SECOND_US == 0)


def test_plan_is_the_same_for_a_second_worker_and_another_for_other_secrets() -> None:
    def planned(secret: bytes, condition: int, planned_from: int) -> list[int]:
        rng = planning_rng(secret, condition_id=UUID(int=condition), planned_from=planned_from)
        found = plan(SpotCheckPolicy(per_week=20.0), last_at=None, rng=rng)
        return [int(at) for at in found]

    secret, begin = b"sixteen bytes ..", day_start_us(MONDAY)
    assert planned(secret, 1, begin) == planned(secret, 1, begin)
    others = [planned(b"sixteen bytes .,", 1, begin), planned(secret, 2, begin), planned(secret, 1, begin + WEEK_US)]
    assert all(not set(planned(secret, 1, begin)) & set(other) for other in others)
    with pytest.raises(ValueError, match="16"):
        planning_rng(b"short", condition_id=UUID(int=1), planned_from=0)


def test_what_has_no_room_is_refused_and_no_allowed_time_means_no_check() -> None:
    with pytest.raises(ValueError, match="容不下"):
        plan(SpotCheckPolicy(per_week=30.0, spacing_s=36_000.0), last_at=None, rng=np.random.default_rng(1))
    never = Windows.build([], [])
    assert len(plan(POLICY, allowed=never, last_at=None, rng=np.random.default_rng(1))) == 0
    with pytest.raises(ValueError, match="per_week"):
        SpotCheckPolicy(per_week=0.0)
