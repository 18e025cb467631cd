"""What a fix proves: the published table, the exact disc, and doubt that never turns into certainty."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.probability import MINIMUM_ACCURACY_M, SIGMA_PER_ACCURACY, centre_probability, inside_probability

ACCURACIES_M = (10, 30, 65, 200, 500)
VENUE_TABLE = {  # metres from the centre of a 20 m venue: probability at each accuracy (domain report, section 3.1)
    0: (0.99, 0.40, 0.10, 0.011, 0.002),
    30: (0.05, 0.16, 0.08, 0.011, 0.002),
    60: (0.0, 0.011, 0.041, 0.010, 0.002),
    100: (0.0, 0.0, 0.008, 0.009, 0.002),
}

radii_m = st.floats(1.0, 300_000.0)
accuracies_m = st.floats(0.01, 20_000.0)


def probability(signed_distance_m: float, accuracy_m: float, equivalent_radius_m: float) -> float:
    return float(
        inside_probability(
            signed_distance_m=signed_distance_m, accuracy_m=accuracy_m, equivalent_radius_m=equivalent_radius_m
        )
    )


@pytest.mark.parametrize("distance_m", VENUE_TABLE)
def test_venue_table_is_reproduced_in_every_cell(distance_m: int) -> None:
    got = inside_probability(signed_distance_m=distance_m - 20.0, accuracy_m=ACCURACIES_M, equivalent_radius_m=20.0)
    wanted = np.array(VENUE_TABLE[distance_m])
    assert np.abs(got - wanted).max() <= 0.01
    assert (np.abs(got - wanted) <= np.maximum(0.05 * wanted, 0.005)).all()


def test_disc_agrees_with_counted_errors() -> None:
    rng = np.random.default_rng(7)
    error = rng.normal(size=(400_000, 2)) * 65.0 * SIGMA_PER_ACCURACY
    assert (np.hypot(*error.T) < 65.0).mean() == pytest.approx(0.68, abs=0.003)
    for radius_m, from_centre_m in ((20.0, 0.0), (50.0, 80.0), (300.0, 290.0)):
        counted = (np.hypot(error[:, 0] + from_centre_m, error[:, 1]) < radius_m).mean()
        assert probability(from_centre_m - radius_m, 65.0, radius_m) == pytest.approx(counted, abs=0.003)


def test_switch_to_the_half_plane_is_continuous() -> None:
    accuracy_m = 10.0
    switch_m = 20.0 * accuracy_m * SIGMA_PER_ACCURACY
    signed_m = np.linspace(-60.0, 60.0, 241)
    below, above = (
        inside_probability(signed_distance_m=signed_m, accuracy_m=accuracy_m, equivalent_radius_m=switch_m * factor)
        for factor in (0.999999, 1.000001)
    )
    assert np.abs(above - below).max() < 0.01


@given(st.floats(-1.0, 50.0), accuracies_m, radii_m)
def test_result_is_a_probability_and_never_above_the_centre(depth: float, accuracy_m: float, radius_m: float) -> None:
    got = probability(depth * radius_m, accuracy_m, radius_m)
    assert 0.0 <= got <= float(centre_probability(accuracy_m=accuracy_m, equivalent_radius_m=radius_m)) <= 1.0


def test_not_even_rounding_makes_a_disc_surer_than_its_centre() -> None:
    radius_m = np.geomspace(1.0, 300.0, 20_000)
    centre = centre_probability(accuracy_m=20.0, equivalent_radius_m=radius_m)
    for depth in (1.0, 0.999999, 0.99):
        got = inside_probability(signed_distance_m=-depth * radius_m, accuracy_m=20.0, equivalent_radius_m=radius_m)
        assert (got <= centre).all()


@given(radii_m, accuracies_m, accuracies_m)
def test_worse_accuracy_never_makes_the_centre_more_certain(radius_m: float, first: float, second: float) -> None:
    good, bad = sorted((first, second))
    at_good, at_bad = centre_probability(accuracy_m=[good, bad], equivalent_radius_m=radius_m)
    assert at_bad <= at_good
    assert probability(-radius_m, bad, radius_m) <= probability(-radius_m, good, radius_m) + 1e-9


@given(radii_m, st.floats(0.0, 1.0), accuracies_m, accuracies_m)
def test_worse_accuracy_never_makes_an_inside_point_more_certain(
    radius_m: float, depth: float, first: float, second: float
) -> None:
    good, bad = sorted((first, second))
    assert probability(-depth * radius_m, bad, radius_m) <= probability(-depth * radius_m, good, radius_m) + 1e-9


@given(radii_m, accuracies_m, st.floats(-1.0, 10.0), st.floats(-1.0, 10.0))
def test_farther_out_is_never_more_probable(radius_m: float, accuracy_m: float, first: float, second: float) -> None:
    near, far = sorted((first, second))
    assert (
        probability(far * radius_m, accuracy_m, radius_m) <= probability(near * radius_m, accuracy_m, radius_m) + 1e-9
    )


def test_an_accuracy_too_good_to_be_true_counts_as_the_minimum() -> None:
    assert probability(1.0, 0.5, 20.0) == probability(1.0, MINIMUM_ACCURACY_M, 20.0) > 0.0


@pytest.mark.parametrize("accuracy_m", [0.0, -1.0, np.nan, np.inf])
def test_unknown_accuracy_is_refused_and_not_taken_for_perfect(accuracy_m: float) -> None:
    with pytest.raises(ValueError, match=r"accuracy_m of pair 1 is .*stated default"):
        inside_probability(signed_distance_m=[0.0, 0.0], accuracy_m=[10.0, accuracy_m], equivalent_radius_m=20.0)
    with pytest.raises(ValueError, match="accuracy_m of pair 0"):
        centre_probability(accuracy_m=accuracy_m, equivalent_radius_m=20.0)


def test_other_impossible_input_is_refused() -> None:
    with pytest.raises(ValueError, match="signed_distance_m of pair 0 is nan"):
        probability(np.nan, 10.0, 20.0)
    with pytest.raises(ValueError, match=r"equivalent_radius_m|accuracy_m"):
        probability(0.0, 10.0, 0.0)


def test_no_pairs_give_no_answers() -> None:
    assert inside_probability(signed_distance_m=[], accuracy_m=[], equivalent_radius_m=[]).shape == (0,)


def test_a_million_pairs_take_seconds_not_minutes() -> None:
    rng = np.random.default_rng(1)
    radius_m = rng.uniform(20.0, 900.0, 1_000_000)
    signed_m = rng.uniform(-1.0, 2.0, radius_m.size) * radius_m
    started = time.perf_counter()
    inside_probability(
        signed_distance_m=signed_m, accuracy_m=rng.uniform(5.0, 200.0, radius_m.size), equivalent_radius_m=radius_m
    )
    assert time.perf_counter() - started < 10.0  # measured 0.3-0.9 s; the machine is shared
