"""Zones crossed between two fixes: against fine sampling, for every kind of shape."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon, box

from geo.crossing import Crossings, crossings_between
from geo.index import ZoneIndex
from geo.shapes import Area, Circle, Corridor, Shape
from tests.geo.test_index import METRE_DEG, random_shape

MINUTE = 60_000_000


def cross(index: ZoneIndex, lon: list[float], lat: list[float], **options: float) -> Crossings:
    return crossings_between(index, longitude=lon, latitude=lat, fixed_at=np.arange(len(lon)) * MINUTE, **options)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-80.0, 80.0), st.sampled_from([117.0, 179.999, -180.0]))
@example(722, 44.0, 117.0)
@example(3118138138, 80.0, 117.0)
def test_stays_equal_those_found_by_sampling_the_way(seed: int, latitude: float, longitude: float) -> None:
    rng = np.random.default_rng(seed)
    shapes = [random_shape(rng, (longitude, latitude)) for _ in range(6)]
    try:
        index = ZoneIndex.build(shapes)
    except ValueError:
        return
    step = rng.uniform(-0.01, 0.01, (2, 2))
    lon, lat = (longitude + step[:, 0] + 180.0) % 360.0 - 180.0, latitude + step[:, 1]
    found = cross(index, lon.tolist(), lat.tolist(), maximum_segment_m=5_000.0)
    over = (lon[1] - lon[0] + 180.0) % 360.0 - 180.0
    fraction = np.linspace(0.0, 1.0, 4001)
    way_lon = (lon[0] + fraction * over + 180.0) % 360.0 - 180.0
    inside = np.zeros((len(shapes), fraction.size), dtype=bool)
    pairs = index.match(longitude=way_lon, latitude=lat[0] + fraction * (lat[1] - lat[0]), reach_m=0.1)
    inside[pairs.zone_row, pairs.fix_row] = pairs.signed_distance_m < 0.0
    grazed = np.zeros_like(inside)  # a way along the edge of a corridor: 8 mm to 5 cm (at 80 degrees) were seen
    grazed[pairs.zone_row, pairs.fix_row] = np.abs(pairs.signed_distance_m) < 0.1
    for zone in range(len(shapes)):
        mine = found.zone_row == zone
        if inside[zone, 0] or inside[zone, -1]:
            assert not mine.any()
            continue
        covered = np.zeros(fraction.size, dtype=bool)
        for entry, leave in zip(found.entry_fraction[mine], found.exit_fraction[mine], strict=True):
            covered |= (fraction > entry) & (fraction < leave)
        edges = np.concatenate([found.entry_fraction[mine], found.exit_fraction[mine]])
        doubtful = (np.abs(fraction[:, None] - edges) < 2e-5).any(axis=1)
        doubtful |= grazed[zone] & isinstance(shapes[zone], Corridor)
        assert np.array_equal(covered[~doubtful], inside[zone][~doubtful])


def test_points_and_times_lie_on_the_way() -> None:
    found = cross(ZoneIndex.build([Area(geometry=box(117.004, 33.0, 117.006, 35.0))]), [117.0, 117.01], [34.0, 34.005])
    assert found.zone_row.tolist() == [0]
    assert found.entry_fraction == pytest.approx([0.4])
    assert found.exit_fraction == pytest.approx([0.6])
    assert found.entry_longitude == pytest.approx([117.004])
    assert found.exit_latitude == pytest.approx([34.003])
    assert (found.entry_at.tolist(), found.exit_at.tolist()) == ([24_000_000], [36_000_000])


@pytest.mark.parametrize("start", [0.0005, 0.02, 0.96, 0.9985])
def test_a_narrow_zone_near_an_end_of_the_way_is_crossed(start: float) -> None:
    lane = Area(geometry=box(117.0 + 0.02 * start, 33.99, 117.0 + 0.02 * (start + 0.001), 34.01))
    found = cross(ZoneIndex.build([lane]), [117.0, 117.02], [34.0, 34.002])
    assert found.entry_fraction == pytest.approx([start])
    assert found.exit_fraction == pytest.approx([start + 0.001])


def test_a_circle_is_crossed_at_its_radius() -> None:
    index = ZoneIndex.build([Circle(longitude=117.005, latitude=34.0, radius_m=100.0)])
    found = cross(index, [117.0, 117.01], [34.0, 34.0])
    for lon, lat in ((found.entry_longitude, found.entry_latitude), (found.exit_longitude, found.exit_latitude)):
        edge = index.match(longitude=lon, latitude=lat, reach_m=1.0)
        assert edge.signed_distance_m == pytest.approx([0.0], abs=1e-4)


def test_a_zone_with_two_arms_is_crossed_twice() -> None:
    arms = Polygon([(117.0, 34.0), (117.006, 34.0), (117.006, 34.01), (117.004, 34.01), (117.004, 34.001),
                    (117.002, 34.001), (117.002, 34.01), (117.0, 34.01)])  # fmt: skip
    found = cross(ZoneIndex.build([Area(geometry=arms)]), [116.999, 117.007], [34.005, 34.005])
    assert found.entry_fraction == pytest.approx([1 / 8, 5 / 8])
    assert found.exit_fraction == pytest.approx([3 / 8, 7 / 8])


def test_a_way_through_a_hole_leaves_the_zone_there() -> None:
    yard = box(117.002, 33.99, 117.008, 34.01).difference(box(117.004, 33.995, 117.006, 34.005))
    assert isinstance(yard, Polygon)
    found = cross(ZoneIndex.build([Area(geometry=yard)]), [117.0, 117.01], [34.0, 34.0])
    assert found.entry_fraction == pytest.approx([0.2, 0.6])
    assert found.exit_fraction == pytest.approx([0.4, 0.8])


def test_a_corridor_is_one_stay_over_its_bends() -> None:
    route = LineString([(117.002, 33.99), (117.002, 34.0), (117.004, 34.0), (117.004, 34.01)])
    found = cross(ZoneIndex.build([Corridor(line=route, half_width_m=30.0)]), [117.0, 117.006], [34.0, 34.0])
    assert len(found) == 1
    assert found.entry_longitude == pytest.approx([117.002 - 30 / 92_300], abs=1e-6)


def test_ends_inside_touching_long_jumps_and_other_tracks_are_no_crossings() -> None:
    shapes: list[Shape] = [Area(geometry=box(117.004, 33.99, 117.006, 34.01))]
    index = ZoneIndex.build(shapes)
    assert len(cross(index, [117.0, 117.005, 117.01], [34.0, 34.0, 34.0])) == 0
    assert len(cross(index, [117.0, 117.002], [34.0, 34.0])) == 0
    assert len(cross(index, [117.004, 117.004], [33.98, 34.02], maximum_segment_m=9_000.0)) <= 1
    assert len(cross(index, [117.0, 117.01], [34.0, 34.0], maximum_segment_m=500.0)) == 0
    apart = crossings_between(index, longitude=[117.0, 117.01], latitude=[34.0] * 2, fixed_at=[0, 1], track=[1, 2])
    assert len(apart) == 0
    assert len(cross(index, [117.0], [34.0])) == len(cross(index, [], [])) == 0


def test_zones_added_later_are_crossed_and_removed_ones_are_not() -> None:
    index = ZoneIndex.build([Area(geometry=box(117.004, 33.99, 117.006, 34.01))])
    grown = index.with_zone(Circle(longitude=117.005, latitude=34.0, radius_m=100.0))
    assert cross(grown, [117.0, 117.01], [34.0, 34.0]).zone_row.tolist() == [0, 1]
    assert cross(grown.without_zone(0), [117.0, 117.01], [34.0, 34.0]).zone_row.tolist() == [1]


def test_a_prefecture_is_crossed_at_its_corner() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 5_000, endpoint=False)
    area = Polygon(np.column_stack([117.0 + 1.5 * np.cos(angle), 34.0 + 1.4 * np.sin(angle)]))
    x = 118.5 - 200 * METRE_DEG
    found = cross(
        ZoneIndex.build([Area(geometry=area)]), [118.51, x, 118.51], [34.1, 34.0, 33.9], maximum_segment_m=5e4
    )
    assert len(found) == 0
    assert len(cross(ZoneIndex.build([Area(geometry=area)]), [x, x], [34.1, 33.9], maximum_segment_m=5e4)) == 1


def test_what_cannot_be_a_track_is_refused() -> None:
    index = ZoneIndex.build([])
    with pytest.raises(ValueError, match="fix 1 is earlier than fix 0"):
        crossings_between(index, longitude=[117.0, 117.1], latitude=[34.0, 34.0], fixed_at=[5, 4])
    with pytest.raises(ValueError, match="arrays of one length"):
        crossings_between(index, longitude=[117.0, 117.1], latitude=[34.0], fixed_at=[5, 4])
    with pytest.raises(ValueError, match="fix 0 is not on Earth"):
        crossings_between(index, longitude=[np.nan], latitude=[34.0], fixed_at=[5])
