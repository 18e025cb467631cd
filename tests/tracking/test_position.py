"""Where a subject probably is: what averaging may and may not do."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from tests.make import METRES_PER_DEGREE
from tracking.policy import MotionPolicy
from tracking.position import POSITION_FIELDS, Positions, filter_positions

POLICY = MotionPolicy()
steady = settings(deadline=None)


def filtered(
    minutes: ArrayLike, east_m: ArrayLike, *, sigma_m: ArrayLike = 10.0, longitude: float = 117.2
) -> tuple[Positions, NDArray[np.float64]]:
    """The positions of one subject on the equator's like, and how far east of ``longitude`` they are, metres."""
    time = np.rint(np.asarray(minutes, dtype=np.float64) * 60e6).astype(np.int64) + 1
    count = len(time)
    turned = (longitude + np.asarray(east_m, dtype=np.float64) / METRES_PER_DEGREE + 180.0) % 360.0 - 180.0
    found = filter_positions(
        state_row=np.zeros(count, dtype=np.int64),
        fix_time=time,
        fix_longitude=np.broadcast_to(turned, count).copy(),
        fix_latitude=np.zeros(count),
        fix_sigma_m=np.broadcast_to(np.asarray(sigma_m, dtype=np.float64), count).copy(),
        last_time=np.zeros(1, dtype=np.int64),
        states=np.zeros((1, len(POSITION_FIELDS))),
        silence_s=1800.0,
        policy=POLICY,
    )
    away = (found.longitude - longitude + 180.0) % 360.0 - 180.0
    return found, away * METRES_PER_DEGREE


def test_the_first_fix_is_all_that_is_known() -> None:
    found, east_m = filtered([0.0], 40.0)
    assert east_m == pytest.approx([40.0], abs=1e-3)
    assert found.sigma_m == pytest.approx([10.0])


def test_many_fixes_tell_more_than_one_and_never_all() -> None:
    found, _ = filtered(np.arange(600.0), 0.0)
    floor_m = 10.0 * np.sqrt(POLICY.fixed_share)
    assert found.sigma_m[-1] < 0.7 * found.sigma_m[0]
    assert np.all(found.sigma_m >= floor_m - 1e-9)


def test_fixes_close_in_time_tell_little_that_is_new() -> None:
    quick, _ = filtered(np.arange(10) / 60.0, 0.0)
    slow, _ = filtered(np.arange(10) * 3.0, 0.0)
    assert quick.sigma_m[-1] > slow.sigma_m[-1]


def test_one_jump_does_not_move_a_person_who_stays() -> None:
    east_m = np.where(np.arange(60) == 40, 120.0, 0.0)
    found, seen_m = filtered(np.arange(60.0), east_m)
    assert np.all(np.abs(seen_m[41:]) < 5.0)
    assert not found.is_supported[40] or abs(seen_m[40]) < 5.0


@pytest.mark.parametrize("far_m", [150.0, 500.0, 2_500.0, 60_000.0])
def test_who_left_is_followed_within_three_fixes(far_m: float) -> None:
    _, seen_m = filtered(np.arange(40.0), np.where(np.arange(40) < 30, 0.0, far_m))
    assert seen_m[32] == pytest.approx(far_m, abs=10.0)


def test_after_a_silence_everything_begins_anew() -> None:
    found, seen_m = filtered([*np.arange(60.0), 100.0], [0.0] * 60 + [50.0])
    assert seen_m[-1] == pytest.approx(50.0, abs=1e-3)
    assert found.sigma_m[-1] == pytest.approx(10.0)


def test_other_surroundings_have_another_error() -> None:
    """Coming indoors: the little error of the street says nothing of the large one under the roof."""
    found, _ = filtered(np.arange(30.0), np.linspace(0.0, 2_000.0, 30), sigma_m=[5.0] * 29 + [30.0])
    assert found.sigma_m[-1] > 20.0


@steady
@given(st.lists(st.floats(-3_000.0, 3_000.0), min_size=1, max_size=20), st.sampled_from([0.0, 117.2, -122.0, 179.99]))
def test_the_same_way_elsewhere_is_the_same_way(east_m: list[float], longitude: float) -> None:
    minutes = np.arange(len(east_m))
    here, here_m = filtered(minutes, east_m, longitude=10.0)
    there, there_m = filtered(minutes, east_m, longitude=longitude)
    assert there_m == pytest.approx(here_m, abs=0.01)
    assert there.sigma_m == pytest.approx(here.sigma_m, rel=1e-3)
    assert there.weight == pytest.approx(here.weight, abs=1e-3)


@steady
@given(st.lists(st.tuples(st.floats(0.0, 40.0), st.floats(-3_000.0, 3_000.0), st.floats(2.0, 900.0)), max_size=30))
def test_widths_and_weights_are_numbers_whatever_comes(steps: list[tuple[float, float, float]]) -> None:
    minutes = np.cumsum([step[0] for step in steps])
    found, _ = filtered(minutes, [step[1] for step in steps], sigma_m=[step[2] for step in steps])
    assert np.all(np.isfinite(found.longitude) & np.isfinite(found.latitude) & np.isfinite(found.sigma_m))
    assert np.all(found.sigma_m > 0.0)
    assert np.all((found.weight >= 0.5) & (found.weight <= 1.0 + 1e-12))


def test_shares_of_the_error_are_one_together() -> None:
    with pytest.raises(ValueError, match="share"):
        replace(POLICY, fresh_share=0.5, fixed_share=0.6)
