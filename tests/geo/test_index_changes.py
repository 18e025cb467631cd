"""An index that grows, shrinks, is saved and is asked by threads answers as one that was built at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Polygon

from geo.index import YOUNG_ZONES, ZoneIndex, ZonePairs
from geo.projection import FloatArray
from geo.shapes import Area, Circle, Shape
from geo.store import load_zone_index, save_zone_index
from tests.geo.test_index import random_shape

HERE = (117.0, 34.0)


def fixes(rng: np.random.Generator, count: int) -> tuple[FloatArray, FloatArray]:
    return HERE[0] + rng.uniform(-0.02, 0.02, count), HERE[1] + rng.uniform(-0.02, 0.02, count)


def ask(index: ZoneIndex, lon: FloatArray, lat: FloatArray, **options: int) -> ZonePairs:
    return index.match(longitude=lon, latitude=lat, reach_m=300.0, **options)


def assert_same(one: ZonePairs, other: ZonePairs) -> None:
    assert np.array_equal(one.fix_row, other.fix_row)
    assert np.array_equal(one.zone_row, other.zone_row)
    assert np.array_equal(one.signed_distance_m, other.signed_distance_m)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 9), max_size=12))
def test_adding_and_removing_equals_building_anew(seed: int, steps: list[int]) -> None:
    rng = np.random.default_rng(seed)
    shapes: list[Shape | None] = [random_shape(rng, HERE) for _ in range(5)]
    index = ZoneIndex.build([shape for shape in shapes if shape])
    for step in steps:
        living = [row for row, shape in enumerate(shapes) if shape]
        if step < 6 or not living:
            shape = random_shape(rng, HERE)
            index = index.with_zone(shape)
            shapes.append(shape)
        else:
            row = living[step % len(living)]
            index, shapes[row] = index.without_zone(row), None
    living = [row for row, shape in enumerate(shapes) if shape]
    lon, lat = fixes(rng, 100)
    anew = ask(ZoneIndex.build([shape for shape in shapes if shape]), lon, lat)
    wanted = ZonePairs(
        fix_row=anew.fix_row,
        zone_row=np.array(living, dtype=np.int64)[anew.zone_row],
        signed_distance_m=anew.signed_distance_m,
    )
    assert_same(ask(index, lon, lat), wanted)
    assert_same(ask(index.compacted(), lon, lat), wanted)
    assert (len(index), index.zone_count) == (len(shapes), len(living))
    assert index.compacted().pending_count == 0


def test_a_full_young_segment_is_left_and_a_new_one_begun() -> None:
    rng = np.random.default_rng(1)
    shapes: list[Shape] = [
        Circle(longitude=float(lon), latitude=float(lat), radius_m=50.0)
        for lon, lat in zip(*fixes(rng, 2 * YOUNG_ZONES + 10), strict=True)
    ]
    index = ZoneIndex.build(shapes[:3])
    for shape in shapes[3:]:
        index = index.with_zone(shape)
    lon, lat = fixes(rng, 300)
    assert_same(ask(index, lon, lat), ask(ZoneIndex.build(shapes), lon, lat))
    assert index.pending_count == len(shapes) - 3


def test_the_old_index_still_answers_as_before() -> None:
    rng = np.random.default_rng(2)
    old = ZoneIndex.build([random_shape(rng, HERE) for _ in range(4)])
    lon, lat = fixes(rng, 50)
    before = ask(old, lon, lat)
    old.with_zone(random_shape(rng, HERE)).without_zone(0)
    assert_same(ask(old, lon, lat), before)


def test_a_zone_that_is_not_there_cannot_be_removed() -> None:
    index = ZoneIndex.build([Circle(longitude=117.0, latitude=34.0, radius_m=5.0)]).without_zone(0)
    for row in (0, 1, -1):
        with pytest.raises(KeyError, match=f"zone row {row} is not in the index"):
            index.without_zone(row)
    with pytest.raises(ValueError, match="cannot be measured"):
        index.with_zone(Area(geometry=Polygon()))


@pytest.mark.parametrize("mapped", [True, False])
def test_a_saved_index_answers_as_before(tmp_path: Path, mapped: bool) -> None:
    rng = np.random.default_rng(3)
    index = ZoneIndex.build([random_shape(rng, HERE) for _ in range(30)])
    index = index.with_zone(random_shape(rng, HERE)).without_zone(4)
    save_zone_index(index, tmp_path / "zones")
    loaded = load_zone_index(tmp_path / "zones", mapped=mapped)
    lon, lat = fixes(rng, 200)
    assert_same(ask(loaded, lon, lat), ask(index, lon, lat))
    assert_same(ask(loaded.with_zone(random_shape(rng, HERE)).without_zone(31), lon, lat), ask(index, lon, lat))
    with pytest.raises(FileExistsError, match="new folder"):
        save_zone_index(index, tmp_path / "zones")


def test_a_folder_without_an_index_or_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no zone index"):
        load_zone_index(tmp_path)
    save_zone_index(ZoneIndex.build([]), tmp_path / "zones")
    np.save(tmp_path / "zones" / "format.npy", np.array([99]))
    with pytest.raises(ValueError, match="format 99"):
        load_zone_index(tmp_path / "zones")


def test_two_threads_find_what_one_finds() -> None:
    rng = np.random.default_rng(4)
    index = ZoneIndex.build([random_shape(rng, HERE) for _ in range(200)])
    lon, lat = fixes(rng, 20_000)
    alone = ask(index, lon, lat)
    assert_same(ask(index, lon, lat, thread_count=3), alone)
    with ThreadPoolExecutor(2) as pool:
        for answer in pool.map(lambda _: ask(index, lon, lat), range(6)):
            assert_same(answer, alone)
