"""The zone index against brute force on geodesics: same pairs, same metres, whatever the shape and the place."""

import math
import time
from collections.abc import Sequence

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from geo.index import ZoneIndex
from geo.projection import FloatArray
from geo.shapes import Area, Circle, Corridor, Shape, shape_bounds

GEOD = pyproj.Geod(ellps="WGS84")
seeds = st.integers(0, 2**32 - 1)
METRE_DEG = 1.0 / 111_000.0


def geodesic_m(longitude: float, latitude: float, to_longitude: float, to_latitude: float) -> float:
    return float(GEOD.inv(longitude, latitude, to_longitude, to_latitude)[2])


def edge_distance_m(longitude: float, latitude: float, geometry: BaseGeometry) -> float:
    """Metres to the nearest point of a line, whose straight lon/lat edges are cut small and brought to an azimuthal
    equidistant plane about the fix: there distances from the fix are true geodesics.
    """
    fine = shapely.segmentize(geometry, max(geometry.length / 2000.0, 1e-7))

    def flattened(points: FloatArray) -> FloatArray:
        start = np.full(len(points), longitude), np.full(len(points), latitude)
        azimuth, _, metres = GEOD.inv(*start, points[:, 0], points[:, 1])
        return np.column_stack([metres * np.sin(np.radians(azimuth)), metres * np.cos(np.radians(azimuth))])

    return float(shapely.transform(fine, flattened).distance(Point(0.0, 0.0)))


def signed_distance_m(longitude: float, latitude: float, shape: Shape) -> float:
    match shape:
        case Circle():
            return geodesic_m(longitude, latitude, shape.longitude, shape.latitude) - shape.radius_m
        case Corridor():
            return edge_distance_m(longitude, latitude, shape.line) - shape.half_width_m
        case Area():
            metres = edge_distance_m(longitude, latitude, shape.geometry.boundary)
            return -metres if shape.geometry.contains(Point(longitude, latitude)) else metres


def brute_force_match(shapes: Sequence[Shape], longitude: Sequence[float], latitude: Sequence[float]) -> FloatArray:
    """Signed metres of every fix (row) to every zone (column)."""
    points = zip(longitude, latitude, strict=True)
    return np.array([[signed_distance_m(x, y, shape) for shape in shapes] for x, y in points]).reshape(-1, len(shapes))


def star(rng: np.random.Generator, centre: tuple[float, float], size_m: float) -> Polygon:
    """A polygon of random corners about ``centre``, concave more often than not."""
    corners = int(rng.integers(3, 90))
    angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, corners))
    reach = rng.uniform(0.3, 1.0, corners) * size_m * METRE_DEG
    return Polygon(np.column_stack([centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle)]))


def random_shape(rng: np.random.Generator, centre: tuple[float, float]) -> Shape:
    size_m = float(10.0 ** rng.uniform(0.7, 3.0))
    place = centre[0] + rng.uniform(-0.01, 0.01), centre[1] + rng.uniform(-0.01, 0.01)
    kind = rng.integers(4)
    if kind == 0:
        return Circle(longitude=place[0], latitude=place[1], radius_m=size_m)
    if kind == 1:
        route = np.array(place) + np.cumsum(rng.normal(size=(int(rng.integers(2, 70)), 2)), axis=0) * 50 * METRE_DEG
        return Corridor(line=LineString(route), half_width_m=size_m / 5.0)
    polygon = star(rng, place, size_m)
    while not polygon.is_valid or polygon.area < 1e-12:
        polygon = star(rng, place, size_m)
    if kind == 2:
        return Area(geometry=polygon)
    holed = polygon.difference(polygon.centroid.buffer(size_m * METRE_DEG / 8.0))
    return Area(geometry=holed) if isinstance(holed, Polygon | MultiPolygon) else Area(geometry=polygon)


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(18.0, 53.5), st.floats(74.0, 135.0))
def test_pairs_and_metres_equal_brute_force(seed: int, latitude: float, longitude: float) -> None:
    rng = np.random.default_rng(seed)
    shapes = [random_shape(rng, (longitude, latitude)) for _ in range(int(rng.integers(1, 8)))]
    lon = longitude + rng.uniform(-0.015, 0.015, 8)
    lat = latitude + rng.uniform(-0.015, 0.015, 8)
    for fix in range(5):  # in the middle of a zone, where its hole is
        west, south, east, north = shape_bounds(shapes[int(rng.integers(len(shapes)))])
        lon[fix] = rng.uniform((2.0 * west + east) / 3.0, (west + 2.0 * east) / 3.0)
        lat[fix] = rng.uniform((2.0 * south + north) / 3.0, (south + 2.0 * north) / 3.0)
    reach = rng.uniform(0.0, 1000.0, 8)
    reach[:2] = 0.0
    pairs = ZoneIndex.build(shapes).match(longitude=lon, latitude=lat, reach_m=reach)
    wanted = brute_force_match(shapes, lon.tolist(), lat.tolist())

    found = np.full(wanted.shape, np.inf)
    found[pairs.fix_row, pairs.zone_row] = pairs.signed_distance_m
    near = np.isfinite(found)
    assert np.abs(found[near] - wanted[near]).max(initial=0.0) <= 0.1
    doubtful = np.abs(wanted - reach[:, None]) <= 0.1
    assert np.array_equal(near[~doubtful], (wanted < reach[:, None])[~doubtful])
    key = pairs.fix_row * len(shapes) + pairs.zone_row
    assert (np.diff(key) > 0).all()


@settings(max_examples=60, deadline=None)
@given(st.floats(-180.0, 180.0), st.floats(-85.0, 85.0), st.floats(0.0, 360.0), st.floats(0.0, 1000.0))
def test_circle_distance_is_exact_to_a_centimetre_anywhere(
    longitude: float, latitude: float, azimuth: float, metres: float
) -> None:
    lon, lat, _ = GEOD.fwd(longitude, latitude, azimuth, metres)
    index = ZoneIndex.build([Circle(longitude=longitude, latitude=latitude, radius_m=20.0)])
    pairs = index.match(longitude=[lon], latitude=[lat], reach_m=1000.0)
    assert pairs.signed_distance_m == pytest.approx([metres - 20.0], abs=0.01)


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(-180.0, 180.0), st.floats(-60.0, 60.0))
def test_moving_zone_and_fix_together_east_changes_nothing(seed: int, to_longitude: float, latitude: float) -> None:
    """To 5 mm: a fix beyond the antimeridian is measured in double precision, most others in single."""
    rng = np.random.default_rng(seed)
    shapes = [random_shape(rng, (117.0, latitude)) for _ in range(4)]
    lon, lat = 117.0 + rng.uniform(-0.01, 0.01), latitude + rng.uniform(-0.01, 0.01)
    moved = [moved_east(shape, to_longitude - 117.0) for shape in shapes]
    to_lon = (lon + to_longitude - 117.0 + 180.0) % 360.0 - 180.0
    here = ZoneIndex.build(shapes).match(longitude=[lon], latitude=[lat], reach_m=9000.0)
    there = ZoneIndex.build(moved).match(longitude=[to_lon], latitude=[lat], reach_m=9000.0)
    assert len(here) == len(there) == 4
    assert there.signed_distance_m == pytest.approx(here.signed_distance_m, abs=0.005)


def moved_east(shape: Shape, turn: float) -> Shape:
    """The shape ``turn`` degrees farther east; its longitudes may pass ±180, a circle's centre may not."""
    match shape:
        case Circle():
            longitude = (shape.longitude + turn + 180.0) % 360.0 - 180.0
            return Circle(longitude=longitude, latitude=shape.latitude, radius_m=shape.radius_m)
        case Corridor():
            line = shapely.transform(shape.line, lambda points: points + np.array([turn, 0.0]))
            return Corridor(line=line, half_width_m=shape.half_width_m)
        case Area():
            return Area(geometry=shapely.transform(shape.geometry, lambda points: points + np.array([turn, 0.0])))


@settings(max_examples=60, deadline=None)
@given(
    seeds,
    st.sampled_from(["circle", "area", "ring", "corridor"]),
    st.integers(4, 200),
    st.floats(-60.0, 60.0),
    st.floats(-60.0, 60.0),
)
def test_moving_zone_and_fix_together_north_changes_nothing_in_metres(
    seed: int, kind: str, corners: int, latitude: float, to_latitude: float
) -> None:
    """Corners keep their geodesic bearing and metres from the fix, so that only the bows of the edges can differ.

    An edge of L metres is straight in longitude and latitude and bows by up to L² tan(latitude) / 8R off the geodesic
    between its ends. Besides that, 1 cm for the metres themselves.
    """
    rng = np.random.default_rng(seed)
    angle = (np.arange(corners) + rng.uniform(0.0, 0.9, corners)) * 2.0 * np.pi / corners
    spokes = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(0.3, 1.0, (corners, 1))
    centre_m, size_m = rng.uniform(-500.0, 500.0, 2), 10.0 ** rng.uniform(1.0, 2.7)
    outline_m = np.vstack([spokes, spokes[:1]]) * size_m + centre_m
    there, here = (
        ZoneIndex.build([zone_about((117.0, place), kind, outline_m, centre_m)])
        .match(longitude=[117.0], latitude=[place], reach_m=5000.0)
        .signed_distance_m
        for place in (to_latitude, latitude)
    )
    longest_m = np.hypot(*np.diff(outline_m, axis=0).T).max()
    bow_m = longest_m**2 * math.tan(math.radians(max(abs(latitude), abs(to_latitude)))) / (8.0 * 6_371_000.0)
    assert len(here) == 1
    assert there == pytest.approx(here, abs=2.0 * bow_m + 0.01)


def zone_about(fix: tuple[float, float], kind: str, outline_m: FloatArray, centre_m: FloatArray) -> Shape:
    """A zone whose closed outline [n, 2] or centre is given in metres east and north of ``fix``."""

    def placed(points_m: FloatArray) -> FloatArray:
        azimuth, metres = np.degrees(np.arctan2(points_m[:, 0], points_m[:, 1])), np.hypot(*points_m.T)
        lon, lat, _ = GEOD.fwd(np.full(len(azimuth), fix[0]), np.full(len(azimuth), fix[1]), azimuth, metres)
        return np.column_stack([lon, lat])

    if kind == "circle":
        longitude, latitude = placed(centre_m[None])[0].tolist()
        return Circle(longitude=longitude, latitude=latitude, radius_m=120.0)
    if kind == "corridor":
        return Corridor(line=LineString(placed(outline_m)), half_width_m=30.0)
    hole_m = centre_m + (outline_m - centre_m) / 3.0
    return Area(geometry=Polygon(placed(outline_m), [placed(hole_m)] if kind == "ring" else []))


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from([0.0, 0.0, 34.0, -60.0, 84.0]))
def test_what_is_just_within_reach_is_found_in_every_direction(seed: int, latitude: float) -> None:
    """3 mm within and beyond: no rounding of cells or boxes may lose a zone. At the equator the box is tightest."""
    rng, count = np.random.default_rng(seed), 400
    lon, lat = rng.uniform(-180.0, 180.0, count), latitude + rng.uniform(-0.2, 0.2, count)
    reach = 10.0 ** rng.uniform(0.0, 3.4, count)
    bearing = rng.choice([0.0, 90.0, 180.0, 270.0], count)
    for beyond_m in (-0.003, 0.003):
        x, y, _ = GEOD.fwd(lon, lat, bearing, reach + 2.0 + beyond_m)
        places = zip(np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True)
        index = ZoneIndex.build([two_metres_about(*place, row % 2 == 0) for row, place in enumerate(places)])
        pairs = index.match(longitude=lon, latitude=lat, reach_m=reach)
        own = pairs.fix_row[pairs.fix_row == pairs.zone_row]
        assert own.tolist() == (list(range(count)) if beyond_m < 0.0 else [])


def two_metres_about(longitude: float, latitude: float, is_circle: bool) -> Shape:
    """A circle, or a corridor of two parts a tenth of a millimetre long, which is searched as a tree."""
    if is_circle:
        return Circle(longitude=longitude, latitude=latitude, radius_m=2.0)
    part = [(longitude, latitude), (longitude - math.copysign(1e-9, longitude), latitude)]
    return Corridor(line=MultiLineString([part, part]), half_width_m=2.0)


def test_a_hole_is_outside_and_its_edge_counts() -> None:
    yard = Polygon(
        box(117.0, 34.0, 117.02, 34.02).exterior.coords, [box(117.008, 34.008, 117.012, 34.012).exterior.coords]
    )
    pairs = ZoneIndex.build([Area(geometry=yard)]).match(
        longitude=[117.010, 117.0079, 117.03], latitude=[34.010, 34.010, 34.010], reach_m=1e4
    )
    wanted = brute_force_match([Area(geometry=yard)], [117.010, 117.0079, 117.03], [34.010] * 3)[:, 0]
    assert pairs.signed_distance_m == pytest.approx(wanted, abs=0.01)
    assert pairs.signed_distance_m[0] > 150
    assert pairs.signed_distance_m[1] == pytest.approx(-9.2, abs=0.1)


def test_every_part_of_a_multipolygon_counts() -> None:
    parts = MultiPolygon([box(117.0, 34.0, 117.01, 34.01), box(117.05, 34.0, 117.06, 34.01)])
    pairs = ZoneIndex.build([Area(geometry=parts)]).match(
        longitude=[117.005, 117.055, 117.03], latitude=[34.005] * 3, reach_m=100.0
    )
    assert pairs.fix_row.tolist() == [0, 1]
    assert (pairs.signed_distance_m < -400).all()


def test_a_corridor_of_parts_is_measured_from_its_nearest_part() -> None:
    route = MultiLineString([[(117.0, 34.0), (117.01, 34.0)], [(117.0, 34.02), (117.01, 34.02)]])
    pairs = ZoneIndex.build([Corridor(line=route, half_width_m=50.0)]).match(
        longitude=[117.005, 117.005, 117.005], latitude=[34.0001, 34.0199, 34.01], reach_m=100.0
    )
    assert pairs.fix_row.tolist() == [0, 1]
    assert pairs.signed_distance_m == pytest.approx([11.09 - 50.0, 11.09 - 50.0], abs=0.01)


def test_deep_inside_a_prefecture_is_negative_and_near_its_edge_is_exact() -> None:
    angle = np.linspace(0.0, 2.0 * np.pi, 20_000, endpoint=False)
    ring = np.column_stack([117.0 + 1.5 * np.cos(angle) + 0.02 * np.cos(40 * angle), 34.0 + 1.4 * np.sin(angle)])
    prefecture = Polygon(ring)
    assert prefecture.is_valid
    index = ZoneIndex.build([Area(geometry=prefecture)])
    edge_lon, edge_lat = ring[3210]
    lon, lat = np.array([117.0, 117.6, edge_lon + 0.003]), np.array([34.0, 34.4, edge_lat + 0.003])
    pairs = index.match(longitude=lon, latitude=lat, reach_m=2000.0)
    wanted = [
        signed_distance_m(x, y, Area(geometry=prefecture)) for x, y in zip(lon.tolist(), lat.tolist(), strict=True)
    ]
    assert pairs.fix_row.tolist() == [0, 1, 2]
    assert (pairs.signed_distance_m[:2] < -50_000).all()
    assert pairs.signed_distance_m[:2] == pytest.approx(wanted[:2], rel=1e-4)
    assert pairs.signed_distance_m[2] == pytest.approx(wanted[2], abs=0.1)
    assert pairs.signed_distance_m[2] > 0


def test_far_circles_are_measured_by_the_geodesic() -> None:
    circle = Circle(longitude=117.0, latitude=34.0, radius_m=300_000.0)
    lon, lat, _ = GEOD.fwd([117.0, 117.0], [34.0, 34.0], [50.0, 210.0], [299_000.0, 450_000.0])
    pairs = ZoneIndex.build([circle]).match(longitude=lon, latitude=lat, reach_m=200_000.0)
    assert pairs.signed_distance_m == pytest.approx([-1000.0, 150_000.0], abs=0.01)


def test_a_zone_across_the_antimeridian_is_one_zone() -> None:
    split = MultiPolygon([box(179.99, 10.0, 180.0, 10.02), box(-180.0, 10.0, -179.99, 10.02)])
    shapes: list[Shape] = [
        Area(geometry=split),
        Circle(longitude=179.999, latitude=10.01, radius_m=500.0),
        Circle(longitude=-179.999, latitude=10.01, radius_m=500.0),
    ]
    pairs = ZoneIndex.build(shapes).match(
        longitude=[-179.9999, 179.9999, -180.0, 180.0], latitude=[10.01] * 4, reach_m=100.0
    )
    assert len(pairs) == 12
    assert (pairs.signed_distance_m < -350).all()


@pytest.mark.parametrize("latitude", [-60.0, 34.0, 70.0])
def test_a_slanting_edge_of_kilometres_is_measured_at_its_bow(latitude: float) -> None:
    """Its middle lies 0.6 to 0.9 m off the geodesic between its ends."""
    corner = Polygon([(117.0, latitude), (117.045, latitude + 0.045), (117.0, latitude + 0.045)])
    lon, lat = 117.0226, latitude + 0.0224
    pairs = ZoneIndex.build([Area(geometry=corner)]).match(longitude=[lon], latitude=[lat], reach_m=500.0)
    assert pairs.signed_distance_m == pytest.approx([edge_distance_m(lon, lat, corner.exterior)], abs=0.01)


def test_a_long_edge_that_the_fix_is_far_along_is_found() -> None:
    wedge = Polygon([(117.0, 34.0), (118.0, 34.5), (117.0, 34.6)])
    lon, lat = 117.5, 34.245
    pairs = ZoneIndex.build([Area(geometry=wedge)]).match(longitude=[lon], latitude=[lat], reach_m=5000.0)
    assert pairs.signed_distance_m == pytest.approx([edge_distance_m(lon, lat, wedge.exterior)], abs=0.1)


def test_answer_for_a_fix_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(5)
    shapes = [random_shape(rng, (117.0, 34.0)) for _ in range(40)]
    index = ZoneIndex.build(shapes)
    lon, lat = rng.uniform(116.98, 117.02, 70_000), rng.uniform(33.98, 34.02, 70_000)
    reach = rng.uniform(0.0, 300.0, lon.size)
    whole = index.match(longitude=lon, latitude=lat, reach_m=reach)
    tail = index.match(longitude=lon[65_000:], latitude=lat[65_000:], reach_m=reach[65_000:])
    rows = whole.fix_row >= 65_000
    assert np.array_equal(whole.fix_row[rows] - 65_000, tail.fix_row)
    assert np.array_equal(whole.zone_row[rows], tail.zone_row)
    assert np.array_equal(whole.signed_distance_m[rows], tail.signed_distance_m)


def test_no_zones_and_no_fixes_give_no_pairs() -> None:
    empty = ZoneIndex.build([])
    assert len(empty) == 0
    assert len(empty.match(longitude=[117.0], latitude=[34.0], reach_m=100.0)) == 0
    one = ZoneIndex.build([Circle(longitude=117.0, latitude=34.0, radius_m=5.0)])
    assert len(one) == 1
    pairs = one.match(longitude=[], latitude=[], reach_m=100.0)
    assert len(pairs) == 0
    assert pairs.fix_row.dtype == pairs.zone_row.dtype == np.int64


@pytest.mark.parametrize(
    ("longitude", "latitude", "reach_m"),
    [(np.nan, 34.0, 100.0), (117.0, np.inf, 100.0), (34.0, 117.0, 100.0), (117.0, 34.0, -1.0), (117.0, 34.0, np.nan)],
)
def test_a_fix_that_cannot_be_matched_is_refused_and_not_lost(
    longitude: float, latitude: float, reach_m: float
) -> None:
    index = ZoneIndex.build([Circle(longitude=117.0, latitude=34.0, radius_m=5.0)])
    with pytest.raises(ValueError, match="fix 1 cannot be matched"):
        index.match(longitude=[117.0, longitude], latitude=[34.0, latitude], reach_m=[100.0, reach_m])


def test_arrays_of_different_length_are_refused() -> None:
    index = ZoneIndex.build([])
    with pytest.raises(ValueError, match="two arrays of one length"):
        index.match(longitude=[117.0, 118.0], latitude=[34.0], reach_m=100.0)
    with pytest.raises(ValueError, match="one reach or as many"):
        index.match(longitude=[117.0], latitude=[34.0], reach_m=[1.0, 2.0])


@pytest.mark.parametrize(
    "shape",
    [
        Circle(longitude=117.0, latitude=34.0, radius_m=0.0),
        Circle(longitude=np.nan, latitude=34.0, radius_m=5.0),
        Corridor(line=LineString([(117, 34), (118, 34)]), half_width_m=np.nan),
        Area(geometry=Polygon()),
    ],
)
def test_a_zone_that_cannot_be_measured_is_refused(shape: Shape) -> None:
    with pytest.raises(ValueError, match="zone 1 cannot be measured"):
        ZoneIndex.build([Circle(longitude=117.0, latitude=34.0, radius_m=5.0), shape])


def test_an_index_cannot_be_changed() -> None:
    index = ZoneIndex.build([Area(geometry=box(117.0, 34.0, 117.01, 34.01))])
    with pytest.raises(AttributeError):
        index._alive = np.zeros(1, dtype=bool)  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        index._alive[0] = False


def test_a_day_of_fixes_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    lon, lat = rng.uniform(117.0, 117.6, 170_000), rng.uniform(34.0, 34.5, 170_000)
    centres = zip(rng.uniform(117.0, 117.6, 2500).tolist(), rng.uniform(34.0, 34.5, 2500).tolist(), strict=True)
    index = ZoneIndex.build([Circle(longitude=x, latitude=y, radius_m=80.0) for x, y in centres])
    index.match(longitude=lon[:1], latitude=lat[:1], reach_m=200.0)  # compile
    started = time.perf_counter()
    assert len(index.match(longitude=lon, latitude=lat, reach_m=200.0)) > 10_000
    assert time.perf_counter() - started < 10.0  # measured 0.2 s; the machine is shared
