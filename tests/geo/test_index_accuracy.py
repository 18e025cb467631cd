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
from geo.shapes import Area, Circle, Corridor, Shape, equivalent_radius_m
from tests.geo.test_index import edge_distance_m, star

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


@pytest.mark.parametrize("latitude", [0.0, 34.0, -53.0, 70.0, 82.0])
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
@given(st.floats(-84.0, 84.0), st.floats(0.0, 360.0), st.floats(0.1, 400_000.0), st.floats(-1_000.0, 1_000.0))
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
        assert np.abs(np.diff(metres)).max(initial=0.0) <= 1.001 * step_m + 0.1


def test_sizes_of_the_shapes_above_are_what_they_say() -> None:
    assert equivalent_radius_m(Area(geometry=Polygon(ring_about(117.0, 34.0, 150_000.0, 50_000)))) > 110_000.0
