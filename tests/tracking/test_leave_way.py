"""Off the approved way on leave: long enough, by how sure the places are, never where the order allows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString

from geo.shapes import Circle, Corridor
from tests.golden_files import assert_golden
from tests.make import BAR_LATITUDE, METRES_PER_DEGREE
from tests.tracking.scene import MINUTE, START, a_track, longitude_at
from tracking.fix import FixBatch
from tracking.leave_way import (
    NO_WAY_EN,
    NO_WAY_ZH,
    AllowedPlace,
    AllowedPlaces,
    LeaveWayPolicy,
    find_detours,
    off_way,
    off_way_en,
    off_way_zh,
)
from tracking.windows import Windows

POLICY = LeaveWayPolicy()
ALL_DAY = Windows.build([START], [START + 1_440 * MINUTE])
WAY = Corridor(
    line=LineString([(longitude_at(0.0), BAR_LATITUDE), (longitude_at(20_000.0), BAR_LATITUDE)]), half_width_m=300.0
)
HOME = Circle(longitude=longitude_at(0.0), latitude=BAR_LATITUDE + 5_000.0 / METRES_PER_DEGREE, radius_m=150.0)
ONLY_THE_WAY = AllowedPlaces.build([AllowedPlace(shape=WAY, during=ALL_DAY)])
WITH_HOME = AllowedPlaces.build([AllowedPlace(shape=shape, during=ALL_DAY) for shape in (WAY, HOME)])
AN_HOUR = np.arange(60.0)


def on_the_road(*off: tuple[float, float], north_m: float = 3_000.0, accuracy_m: float = 10.0) -> FixBatch:
    """An hour along the way at 5 m/s, a fix a minute, and so far north of it between these minutes."""
    is_off = np.any([(first <= AN_HOUR) & (last > AN_HOUR) for first, last in off], axis=0)
    return a_track(AN_HOUR, 300.0 * AN_HOUR, np.where(is_off, north_m, 0.0), accuracy_m=accuracy_m)


def found(fixes: FixBatch, allowed: AllowedPlaces = ONLY_THE_WAY) -> list[tuple[float, ...]]:
    """Since, found and until, in minutes."""
    detours = find_detours(fixes, allowed, policy=POLICY)
    return [tuple((at - START) / MINUTE for at in (item.since, item.found_at, item.until)) for item in detours]


def test_who_keeps_to_the_way_is_not_found() -> None:
    assert found(on_the_road((70, 80))) == []


def test_ten_minutes_off_the_way_are_found_after_five_once() -> None:
    assert found(on_the_road((20, 30))) == [(20, 25, 29)]
    (detour,) = find_detours(on_the_road((20, 30)), ONLY_THE_WAY, policy=POLICY)
    assert detour.probability >= 0.9
    assert detour.farthest_m == pytest.approx(2_700.0, rel=0.01)


def test_each_stretch_is_found_by_itself() -> None:
    assert found(on_the_road((10, 20), (40, 50))) == [(10, 15, 19), (40, 45, 49)]


def test_two_minutes_off_the_way_are_none() -> None:
    assert found(on_the_road((20, 22), (30, 32))) == []


def test_two_fixes_are_none_however_far_apart() -> None:
    fixes = on_the_road((20, 60))
    assert found(fixes.take(np.array([0, 1, 20, 45]))) == []
    assert found(fixes.take(np.array([0, 1, 20, 33, 45]))) == [(20, 45, 45)]


def test_bad_accuracy_never_becomes_certainty() -> None:
    assert found(on_the_road((20, 50), north_m=600.0, accuracy_m=800.0)) == []
    assert found(on_the_road((20, 50), north_m=600.0, accuracy_m=10.0)) == [(20, 25, 49)]


def test_where_the_order_lets_somebody_be_is_off_no_way() -> None:
    at_home = a_track(AN_HOUR, 0.0, 5_000.0)
    assert found(at_home, WITH_HOME) == []
    assert found(at_home) == [(0, 5, 59)]
    until_noon = Windows.build([START], [START + 20 * MINUTE])
    for_a_while = [AllowedPlace(shape=WAY, during=ALL_DAY), AllowedPlace(shape=HOME, during=until_noon)]
    assert found(at_home, AllowedPlaces.build(for_a_while)) == [(20, 25, 59)]


def test_a_silence_ends_a_stretch() -> None:
    fixes = on_the_road((0, 60))
    rows = np.flatnonzero((AN_HOUR < 10) | (AN_HOUR > 45))
    assert found(fixes.take(rows)) == [(0, 5, 9), (46, 51, 59)]


def test_positions_that_tell_nothing_neither_lengthen_a_stretch_nor_end_it() -> None:
    coarse = np.where((AN_HOUR >= 12) & (AN_HOUR < 20), 5_000.0, 10.0)
    assert found(a_track(AN_HOUR, 0.0, np.where(AN_HOUR >= 10, 3_000.0, 0.0), accuracy_m=coarse)) == [(10, 20, 59)]


def test_no_position_at_all_is_nothing() -> None:
    assert found(on_the_road((0, 1)).take(np.zeros(0, dtype=np.intp))) == []


@given(north_m=st.floats(0.0, 6_000.0), accuracy_m=st.floats(5.0, 2_000.0), worse=st.floats(1.0, 20.0))
@settings(max_examples=150, deadline=None)
def test_worse_accuracy_never_says_more(north_m: float, accuracy_m: float, worse: float) -> None:
    def off(accuracy: float) -> float:
        return float(off_way(a_track([1.0], [2_000.0], [north_m], accuracy_m=accuracy), WITH_HOME)[0][0])

    assert off(accuracy_m * worse) <= off(accuracy_m) + 0.03 or north_m < 320.0
    assert off(accuracy_m) < 0.9 or north_m > 300.0


@given(seed=st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_order_of_arrival_changes_nothing_and_stretches_are_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    minutes = np.sort(rng.choice(3_000, 80, replace=False)) / 10.0
    fixes = a_track(
        minutes, rng.uniform(0.0, 9_000.0, 80), np.repeat(rng.choice([0.0, 400.0, 2_000.0], 16), 5),
        accuracy_m=rng.choice([10.0, 50.0, 600.0], 80),
    )  # fmt: skip
    once = find_detours(fixes, WITH_HOME, policy=POLICY)
    assert find_detours(fixes.take(rng.permutation(80)), WITH_HOME, policy=POLICY) == once
    assert all(item.found_at - item.since >= 5 * MINUTE and item.until >= item.found_at for item in once)
    assert all(item.probability >= POLICY.off_probability for item in once)
    assert all(before.until < after.since for before, after in pairwise(once))


@pytest.mark.golden
def test_the_words_name_no_place() -> None:
    lines = [NO_WAY_ZH, NO_WAY_EN]
    for minutes, farthest_m in ((5.2, 2_730.0), (12.0, 30.0)):
        lines += [
            off_way_zh(minutes=minutes, farthest_m=farthest_m),
            off_way_en(minutes=minutes, farthest_m=farthest_m),
        ]
    assert_golden("leave_way.txt", "\n".join(lines) + "\n")
