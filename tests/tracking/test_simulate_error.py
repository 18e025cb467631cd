"""The phone's error has the statistics that its parameters name. Tolerances are four standard errors or more."""

from dataclasses import replace

import numpy as np
import pytest

from tracking.simulate import TEST_SEEDS_FROM
from tracking.simulate_error import ENVIRONMENTS, INDOOR, URBAN, ErrorModel, Noise, draw_noise

PEOPLE, FIXES = 200, 500


def noise_of(model: ErrorModel, *, stays: int = 10, interval_s: float = 60.0) -> Noise:
    """``PEOPLE`` times ``FIXES`` fixes of one model, each person with so many stays of equal length."""
    number = np.arange(PEOPLE * FIXES)
    return draw_noise(
        at_s=np.asarray((number % FIXES) * interval_s, dtype=np.float64),
        is_first=number % FIXES == 0,
        stay=number // (FIXES // stays),
        models=[model],
        model_no=np.zeros(len(number), dtype=np.int64),
        rng=np.random.default_rng(TEST_SEEDS_FROM),
    )


@pytest.mark.parametrize("model", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_reported_accuracy_holds_68_percent(model: ErrorModel) -> None:
    noise = noise_of(replace(model, outlier_share=0.0))
    share = np.mean(np.hypot(*noise.error_m.T) < noise.reported_m)
    assert share == pytest.approx(0.68, abs=0.02)


@pytest.mark.parametrize("model", ENVIRONMENTS.values(), ids=ENVIRONMENTS.keys())
def test_radius_is_the_one_named(model: ErrorModel) -> None:
    noise = noise_of(replace(model, outlier_share=0.0), stays=50)
    assert np.median(noise.reported_m) == pytest.approx(model.radius_m, rel=0.02)


@pytest.mark.parametrize("lag", [1, 2, 5])
def test_errors_a_minute_apart_are_correlated_as_named(lag: int) -> None:
    model = replace(URBAN, correlation_s=(180.0, 180.0), radius_spread=0.0, outlier_share=0.0)
    error = noise_of(model).error_m[:, 0].reshape(PEOPLE, FIXES)
    found = np.corrcoef(error[:, lag:].ravel(), error[:, :-lag].ravel())[0, 1]
    assert found == pytest.approx(np.exp(-lag * 60.0 / 180.0), abs=0.02)


def test_correlation_time_of_a_stay_lies_in_the_range() -> None:
    error = noise_of(replace(URBAN, radius_spread=0.0, outlier_share=0.0)).error_m[:, 0].reshape(PEOPLE, FIXES)
    found = np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1]
    low_s, high_s = URBAN.correlation_s
    assert np.exp(-60.0 / low_s) < found < np.exp(-60.0 / high_s)


def test_nobody_inherits_the_error_of_the_person_before() -> None:
    error = noise_of(replace(URBAN, correlation_s=(1e9, 1e9), radius_spread=0.0, outlier_share=0.0), stays=1).error_m
    of_people = error[:, 0].reshape(PEOPLE, FIXES)
    assert np.allclose(of_people[:, 0], of_people[:, -1], atol=1.0)
    assert abs(np.corrcoef(of_people[1:, 0], of_people[:-1, 0])[0, 1]) < 0.3


@pytest.mark.parametrize("run", [1.0, 4.0])
def test_outliers_are_as_many_and_as_long_as_named(run: float) -> None:
    noise = noise_of(replace(INDOOR, outlier_share=0.02, outlier_run=run))
    jumps = noise.is_outlier
    starts = jumps & ~np.append(False, jumps[:-1])
    assert jumps.mean() == pytest.approx(0.02, rel=0.1)
    assert jumps.sum() / starts.sum() == pytest.approx(run, rel=0.1)


def test_outliers_jump_far_and_claim_what_the_others_claim() -> None:
    noise = noise_of(INDOOR)
    reach_m = np.hypot(*noise.error_m[noise.is_outlier].T)
    low_m, high_m = INDOOR.outlier_m
    assert np.median(reach_m) > low_m
    assert reach_m.max() < high_m + 6 * INDOOR.radius_m
    assert np.median(noise.reported_m[noise.is_outlier]) == pytest.approx(INDOOR.radius_m, rel=0.1)


def test_an_outlier_may_admit_part_of_its_jump() -> None:
    noise = noise_of(replace(INDOOR, outlier_admits=0.5))
    assert noise.reported_m[noise.is_outlier].min() >= 0.5 * INDOOR.outlier_m[0]


def test_bias_stays_for_a_stay_and_leaves_the_radius_as_it_is() -> None:
    model = replace(URBAN, radius_spread=0.0, outlier_share=0.0)
    plain, biased = noise_of(model, stays=2), noise_of(replace(model, bias_share=0.5), stays=2)
    spread = [noise.error_m[:, 0].std() for noise in (plain, biased)]
    means = [noise.error_m[:, 0].reshape(PEOPLE * 2, -1).mean(axis=1).std() for noise in (plain, biased)]
    assert spread[1] == pytest.approx(spread[0], rel=0.1)
    assert means[1] > 2.0 * means[0]
    assert means[1] / spread[1] == pytest.approx(np.sqrt(0.5), abs=0.1)


def test_simulated_noise_of_nothing_is_nothing() -> None:
    none = np.zeros(0, dtype=np.int64)
    noise = draw_noise(
        at_s=np.zeros(0), is_first=np.zeros(0, dtype=bool), stay=none, models=[URBAN], model_no=none,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert len(noise.reported_m) == 0
