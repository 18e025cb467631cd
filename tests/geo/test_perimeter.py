"""The perimeter of a school: every point at the right distance, measured on the ellipsoid or along the ways."""

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, box

from geo.perimeter import FootPerimeter, perimeter, perimeter_of_gates, perimeter_on_foot
from geo.walk import snapped_distances
from geo.walk_network import WalkNetwork
from geo.walk_snap import Snapped, snap_to_edges
from tests.geo.test_walk import cities
from tests.geo.walk_reference import Place, at, degrees, length_of, network_of

GEOD = pyproj.Geod(ellps="WGS84")
CROSS = {1: (-300.0, 0.0), 2: (0.0, 0.0), 3: (300.0, 0.0), 4: (0.0, 300.0), 5: (0.0, -40.0), 6: (500.0, 90.0)}
STREETS = [[1, 2, 3], [2, 4], [2, 5]]


@pytest.mark.parametrize("latitude", [0.5, 34.26, 53.0])
def test_edge_of_a_point_perimeter_is_200_m_away(latitude: float) -> None:
    ring = perimeter(Point(117.2, latitude), distance_m=200.0).exterior  # type: ignore[union-attr] # one polygon
    distances = [GEOD.inv(117.2, latitude, lon, lat)[2] for lon, lat in ring.coords]
    assert min(distances) == pytest.approx(200.0, abs=0.1)
    assert max(distances) == pytest.approx(200.0, abs=0.1)


def test_perimeter_of_a_campus_reaches_200_m_beyond_each_side() -> None:
    campus = box(117.2, 34.26, 117.204, 34.263)
    west, south, east, north = perimeter(campus, distance_m=200.0).bounds
    assert GEOD.inv(west, 34.2615, 117.2, 34.2615)[2] == pytest.approx(200.0, abs=0.5)
    assert GEOD.inv(117.202, south, 117.202, 34.26)[2] == pytest.approx(200.0, abs=0.5)
    assert east > 117.204
    assert north > 34.263


def test_width_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        perimeter(LineString([(117.2, 34.2), (117.3, 34.2)]), distance_m=0.0)
    with pytest.raises(ValueError, match="above 0"):
        perimeter_of_gates(longitude=np.array([117.2]), latitude=np.array([34.2]), distance_m=-1.0)


def test_half_width_must_be_above_zero() -> None:
    one = np.array([17.2])
    with pytest.raises(ValueError, match="half_width_m"):
        perimeter_on_foot(network_of(STREETS, CROSS), longitude=one, latitude=one, distance_m=9.0, half_width_m=0.0)


# ---- around every gate


def test_perimeter_of_gates_is_the_union_of_circles() -> None:
    lon, lat = degrees([(0.0, 0.0), (300.0, 0.0), (2000.0, 0.0)])
    area = perimeter_of_gates(longitude=lon, latitude=lat, distance_m=200.0)
    assert isinstance(area, MultiPolygon)
    assert len(area.geoms) == 2
    distances = [min(GEOD.inv(*gate, *point)[2] for gate in zip(lon, lat, strict=True)) for point in edge_of(area)]
    assert max(distances) == pytest.approx(200.0, abs=1e-6)
    assert min(distances) > 199.9
    inside, outside = at(0.0, 199.5), at(1000.0, 0.0)
    assert area.contains(Point(inside))
    assert not area.contains(Point(outside))


def edge_of(area: MultiPolygon) -> list[tuple[float, float]]:
    return [(x, y) for polygon in area.geoms for x, y in polygon.exterior.coords]


def test_perimeter_without_gates_is_refused() -> None:
    with pytest.raises(ValueError, match="no gate"):
        perimeter_of_gates(longitude=np.array([]), latitude=np.array([]), distance_m=200.0)


# ---- on foot


def on_foot(network: WalkNetwork, gates: list[Place], *, distance_m: float = 200.0) -> FootPerimeter:
    lon, lat = degrees(gates)
    return perimeter_on_foot(network, longitude=lon, latitude=lat, distance_m=distance_m, half_width_m=10.0)


def test_ways_within_200_m_end_where_the_walk_is_200_m() -> None:
    found = on_foot(network_of(STREETS, CROSS), [(0.0, 0.0)])
    assert found.length_m == pytest.approx(3 * 200.0 + 40.0, rel=1e-4)
    assert sum(length_of(line) for line in found.lines.geoms) == pytest.approx(found.length_m, rel=1e-6)
    for place, is_inside in [((-199.0, 0.0), True), ((-211.0, 0.0), False), ((0.0, 199.0), True), ((0.0, -49.0), True)]:
        assert found.area.contains(Point(at(*place))) is is_inside, place
    assert not found.area.contains(Point(at(100.0, 11.0)))
    assert found.half_width_m == 10.0


def test_the_way_to_the_network_is_walked_and_covered() -> None:
    network = network_of(STREETS, CROSS)
    found = on_foot(network, [(100.0, 50.0)])
    assert found.area.contains(Point(at(100.0, 50.0)))
    assert found.length_m == pytest.approx(150.0 + 100.0 + 50.0 + 40.0 + 50.0, rel=1e-4)
    near = on_foot(network, [(100.0, 50.0)], distance_m=30.0)
    assert near.lines.is_empty
    assert near.area.contains(Point(at(100.0, 25.0)))
    assert not near.area.contains(Point(at(100.0, 5.0)))


def test_walks_from_both_ends_of_an_edge_meet_once() -> None:
    found = on_foot(network_of([[1, 3]], CROSS), [(-100.0, 0.0), (150.0, 0.0)], distance_m=150.0)
    assert len(found.lines.geoms) == 1
    assert found.length_m == pytest.approx(550.0, rel=1e-4)


def test_gates_off_the_network_are_named_and_cover_nothing() -> None:
    network = network_of([[1, 3]], CROSS)
    found = on_foot(network, [(0.0, 0.0), (0.0, 200.0)])
    assert found.not_snapped == (1,)
    assert on_foot(network, [(0.0, 200.0)]).area.is_empty


@settings(deadline=None, max_examples=60)
@given(cities(), st.sampled_from([40.0, 120.0]))
def test_the_ways_in_reach_are_those_whose_walk_is_short_enough(
    city: tuple[WalkNetwork, list[Place]], distance_m: float
) -> None:
    network, points = city
    lon, lat = degrees(points)
    found = perimeter_on_foot(network, longitude=lon, latitude=lat, distance_m=distance_m, half_width_m=5.0)
    gates, (metres, probes) = snap_to_edges(network, longitude=lon, latitude=lat), metre_by_metre(network)
    gate_row, probe_row = np.divmod(np.arange(lon.size * metres.size), metres.size)
    walked_m, _ = snapped_distances(network, gates, probes, gate_row, probe_row, limit_m=distance_m)
    is_near = ~np.isnan(walked_m.reshape(lon.size, metres.size)).all(axis=0)
    ends_of_parts = 2 * (network.edge_count + lon.size)
    assert found.length_m == pytest.approx(float(metres[is_near].sum()), abs=ends_of_parts)
    assert sum(length_of(line) for line in found.lines.geoms) == pytest.approx(found.length_m, abs=0.01)
    assert found.lines.is_empty or shapely.buffer(found.area, 1e-9).covers(found.lines)
    assert all(found.area.covers(Point(lon[row], lat[row])) for row in np.flatnonzero(gates.is_snapped).tolist())


def metre_by_metre(network: WalkNetwork) -> tuple[np.ndarray, Snapped]:
    """Every edge cut into cells of at most 1 m: their lengths, and their middles as places."""
    counts = np.maximum(np.ceil(network.length_m), 1).astype(np.int64)
    edge = np.repeat(np.arange(network.edge_count), counts)
    step_m = (network.length_m / counts)[edge]
    along_m = (np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts) + 0.5) * step_m
    zeros = np.zeros(edge.size)
    return step_m, Snapped(edge=edge, along_m=along_m, access_m=zeros, longitude=zeros, latitude=zeros)
