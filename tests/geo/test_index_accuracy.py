"""Metres of the zone index against geodesics: kiosk to prefecture, equator to 85 degrees, across the antimeridian."""

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon

from geo.index import ZoneIndex
from geo.projection import FloatArray
from geo.shapes import Area, Circle, Corridor, Shape, equivalent_radius_m, shape_bounds
from tests.geo.test_index import edge_distance_m, signed_distance_m, star

GEOD = pyproj.Geod(ellps="WGS84")


def ring_about(longitude: float, latitude: float, radius_m: float, corners: int) -> FloatArray:
    """Corners at about ``radius_m``, with waves; longitudes continuous."""
    azimuth = np.linspace(0.0, 360.0, corners, endpoint=False)
    reach = radius_m * (0.8 + 0.1 * np.sin(np.radians(azimuth * 9)) + 0.02 * np.sin(np.radians(azimuth * 200)))
    start = np.full(corners, longitude), np.full(corners, latitude)
    lon, lat, _ = GEOD.fwd(*start, azimuth, reach)
    return np.column_stack([longitude + (np.asarray(lon) - longitude + 180.0) % 360.0 - 180.0, lat])


def near_reference_m(lon: float, lat: float, ring: FloatArray) -> float:
    """Geodesic metres to a ring, of which only edges that could be nearest are cut small."""
    closed = np.vstack([ring, ring[:1]])
    start = np.full(len(closed), lon), np.full(len(closed), lat)
    metres = np.asarray(GEOD.inv(*start, closed[:, 0], closed[:, 1])[2])
    lengths = np.asarray(GEOD.inv(closed[:-1, 0], closed[:-1, 1], closed[1:, 0], closed[1:, 1])[2])
    likely = np.flatnonzero(np.minimum(metres[:-1], metres[1:]) - lengths <= metres.min())
    return min(edge_distance_m(lon, lat, LineString(closed[edge : edge + 2])) for edge in likely.tolist())


@pytest.mark.parametrize("latitude", [0.0, 34.0, -53.0, 70.0, 82.0, 83.6])
@pytest.mark.parametrize("longitude", [117.0, 179.98])
@pytest.mark.parametrize(
    ("radius_m", "corners"), [(3.0, 5), (60.0, 12), (900.0, 40), (5_000.0, 300), (150_000.0, 50_000)]
)
def test_an_area_is_exact_within_a_kilometre_of_its_edge(
    longitude: float, latitude: float, radius_m: float, corners: int
) -> None:
    ring = ring_about(longitude, latitude, radius_m, corners)
    index = ZoneIndex.build([Area(geometry=Polygon(ring))])
    rng = np.random.default_rng(corners)
    for corner in rng.integers(0, corners, 12).tolist():
        lon, lat, _ = GEOD.fwd(
            ring[corner, 0], ring[corner, 1], rng.uniform(0, 360), rng.uniform(0, min(1e3, radius_m))
        )
        turned = longitude + (lon - longitude + 180.0) % 360.0 - 180.0
        pairs = index.match(longitude=[(lon + 180.0) % 360.0 - 180.0], latitude=[lat], reach_m=2_000.0)
        wanted = near_reference_m(turned, lat, ring)
        inside = shapely.contains_xy(Polygon(ring), turned, lat)
        assert pairs.signed_distance_m == pytest.approx([-wanted if inside else wanted], abs=0.1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.0, -34.0, 83.5, 84.6, -84.9]),
    st.sampled_from([117.0, 180.0, -180.0, 179.99, -179.99]),
    st.floats(0.0, 4.0),
)
def test_pairs_and_metres_near_the_limits_equal_brute_force(
    seed: int, latitude: float, longitude: float, exponent: float
) -> None:
    """Both sides of the antimeridian and up to 85 degrees, kiosks to 3 km, reaches of 1 m to 10 km."""
    rng = np.random.default_rng(seed)
    shapes = [shape_near(rng, longitude, latitude) for _ in range(4)]
    lon, lat, _ = GEOD.fwd([longitude] * 6, [latitude] * 6, rng.uniform(0, 360, 6), rng.uniform(0, 8_000, 6))
    lon, lat, reach_m = (np.asarray(lon) + 180.0) % 360.0 - 180.0, np.asarray(lat), 10.0**exponent
    pairs = ZoneIndex.build(shapes).match(longitude=lon, latitude=lat, reach_m=reach_m)
    found = np.full((6, len(shapes)), np.inf)
    found[pairs.fix_row, pairs.zone_row] = pairs.signed_distance_m
    for (fix, zone), metres in np.ndenumerate(found):
        west = shape_bounds(shapes[zone])[0]
        turned = west + (lon[fix] - west + 180.0) % 360.0 - 180.0
        wanted = signed_distance_m(float(turned), float(lat[fix]), shapes[zone])
        if np.isfinite(metres):
            assert metres == pytest.approx(wanted, abs=0.1)
        else:
            assert wanted > reach_m - 0.1


def shape_near(rng: np.random.Generator, longitude: float, latitude: float) -> Shape:
    """A circle, area or corridor within 3 km; corners continuous in longitude."""
    size_m, kind = float(10.0 ** rng.uniform(0.5, 3.5)), int(rng.integers(3))
    x, y, _ = GEOD.fwd(longitude, latitude, rng.uniform(0, 360), rng.uniform(0, 3_000))
    if kind == 0:
        return Circle(longitude=x, latitude=y, radius_m=size_m)
    ring = ring_about(x, y, size_m, int(rng.integers(3, 40)))
    if kind == 1:
        return Area(geometry=Polygon(ring))
    return Corridor(line=LineString(ring), half_width_m=size_m / 8.0)


@settings(max_examples=60, deadline=None)
@given(st.floats(-84.9, 84.9), st.floats(0.0, 360.0), st.floats(0.1, 400_000.0), st.floats(-1_000.0, 1_000.0))
def test_a_circle_is_exact_within_a_kilometre_of_its_edge(
    latitude: float, azimuth: float, radius_m: float, beyond_m: float
) -> None:
    metres = max(radius_m + beyond_m, 0.0)
    lon, lat, _ = GEOD.fwd(179.9, latitude, azimuth, metres)
    index = ZoneIndex.build([Circle(longitude=179.9, latitude=latitude, radius_m=radius_m)])
    pairs = index.match(longitude=[lon], latitude=[lat], reach_m=2_000.0)
    assert pairs.signed_distance_m == pytest.approx([metres - radius_m], abs=0.02)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-84.0, 84.0), st.floats(1.0, 5.0))
def test_signed_distance_is_continuous_along_a_path(seed: int, latitude: float, exponent: float) -> None:
    rng = np.random.default_rng(seed)
    size_m = 10.0**exponent
    shapes: list[Shape] = [Circle(longitude=117.0, latitude=latitude, radius_m=size_m)]
    polygon = star(rng, (117.0, latitude), min(size_m, 50_000.0))
    if polygon.is_valid and polygon.bounds[3] < 85.0 and polygon.bounds[1] > -85.0 and polygon.area > 1e-9:
        shapes += [Area(geometry=polygon), Corridor(line=polygon.exterior, half_width_m=size_m / 10.0)]
    lon, lat, _ = GEOD.fwd([117.0] * 400, [latitude] * 400, [seed % 360] * 400, np.linspace(0.0, 2.5 * size_m, 400))
    step_m = 2.5 * size_m / 399
    pairs = ZoneIndex.build(shapes).match(longitude=lon, latitude=np.clip(lat, -90, 90), reach_m=4.0 * size_m + 100.0)
    for zone in range(len(shapes)):
        metres = pairs.signed_distance_m[pairs.zone_row == zone]
        slack_m = 0.01 if size_m < 1_000.0 else 0.1
        assert metres.size == 400
        assert np.abs(np.diff(metres)).max() <= 1.001 * step_m + slack_m


def test_sizes_of_the_shapes_above_are_what_they_say() -> None:
    assert equivalent_radius_m(Area(geometry=Polygon(ring_about(117.0, 34.0, 150_000.0, 50_000)))) > 110_000.0
