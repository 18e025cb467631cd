"""Walking distances: equal to a plain search on the split graph, right on small networks, honest without a way."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.walk import WalkPairs, WalkStatus, snapped_distances, walking_distances, walking_path
from geo.walk_network import WalkNetwork, without_edges
from geo.walk_snap import Snapped, snap_to_edges
from tests.geo.walk_reference import Place, at, brute_force_m, degrees, length_of, network_of

CROSS = {1: (0.0, 0.0), 2: (100.0, 0.0), 3: (200.0, 0.0), 4: (100.0, 100.0), 5: (100.0, -100.0), 6: (0.0, 100.0)}


def walk(network: WalkNetwork, gates: list[Place], venues: list[Place], *, limit_m: float = 400.0) -> WalkPairs:
    (gate_lon, gate_lat), (venue_lon, venue_lat) = degrees(gates), degrees(venues)
    return walking_distances(
        network,
        gate_longitude=gate_lon,
        gate_latitude=gate_lat,
        venue_longitude=venue_lon,
        venue_latitude=venue_lat,
        limit_m=limit_m,
    )


def only(network: WalkNetwork, gate: Place, venue: Place, *, limit_m: float = 400.0) -> tuple[WalkStatus, float]:
    pairs = walk(network, [gate], [venue], limit_m=limit_m)
    (status,), (distance_m,) = pairs.status.tolist(), pairs.distance_m.tolist()
    return WalkStatus(status), distance_m


def close_to(metres: float) -> object:
    return pytest.approx(metres, rel=1e-3)


def test_a_walk_goes_round_the_corner_and_counts_both_accesses() -> None:
    network = network_of([[1, 2], [2, 4]], CROSS)
    assert only(network, (20.0, 5.0), (110.0, 60.0)) == (WalkStatus.REACHED, close_to(5.0 + 80.0 + 60.0 + 10.0))


@pytest.mark.parametrize("venue_x", [10.0, 50.0, 90.0])
def test_two_points_on_one_edge_are_joined_along_it(venue_x: float) -> None:
    network = network_of([[1, 2]], CROSS)
    status, distance_m = only(network, (40.0, 2.0), (venue_x, -3.0))
    assert (status, distance_m) == (WalkStatus.REACHED, close_to(5.0 + abs(venue_x - 40.0)))


def test_two_points_on_one_long_edge_are_joined_by_a_shorter_way_round() -> None:
    detour = {1: (0.0, 0.0), 2: (0.0, 300.0), 3: (40.0, 300.0), 4: (40.0, 0.0)}
    network = network_of([[1, 2, 3, 4], [1, 4]], detour)
    assert only(network, (0.0, 20.0), (40.0, 20.0)) == (WalkStatus.REACHED, close_to(20.0 + 40.0 + 20.0))


def test_of_parallel_edges_the_shorter_is_walked() -> None:
    places = {1: (0.0, 0.0), 2: (100.0, 0.0), 3: (50.0, 80.0), 4: (-50.0, 0.0), 5: (150.0, 0.0)}
    network = network_of([[1, 3, 2], [1, 2], [4, 1], [2, 5]], places)
    assert only(network, (-40.0, 0.0), (140.0, 0.0)) == (WalkStatus.REACHED, close_to(180.0))


def test_a_round_way_is_walked_in_the_shorter_direction() -> None:
    square = {1: (0.0, 0.0), 2: (100.0, 0.0), 3: (100.0, 100.0), 4: (0.0, 100.0)}
    network = network_of([[1, 2, 3, 4, 1]], square)
    assert network.nodes.tolist() == [[0, 0]]
    assert only(network, (10.0, 0.0), (0.0, 10.0)) == (WalkStatus.REACHED, close_to(20.0))
    path = walking_path(network, **ends((10.0, 0.0), (0.0, 10.0)))
    assert path.distance_m == close_to(20.0)
    assert path.line is not None
    assert length_of(path.line) == pytest.approx(path.distance_m, abs=1e-3)


def test_a_gate_on_a_dead_end_is_reached_over_its_mouth() -> None:
    network = network_of([[1, 2, 3], [2, 4]], CROSS)
    assert only(network, (100.0, 100.0), (200.0, 0.0)) == (WalkStatus.REACHED, close_to(200.0))


def test_a_bridge_is_not_joined_with_the_road_below() -> None:
    bridge = {1: (0.0, 0.0), 2: (200.0, 0.0), 3: (100.0, -100.0), 4: (100.0, 100.0)}
    network = network_of([[1, 2], [3, 4]], bridge)
    assert only(network, (90.0, 0.0), (100.0, 20.0))[0] is WalkStatus.UNREACHABLE
    stairs = network_of([[1, 2], [3, 4], [2, 4]], bridge)
    expected_m = 110.0 + np.hypot(100.0, 100.0) + 80.0
    assert only(stairs, (90.0, 0.0), (100.0, 20.0)) == (WalkStatus.REACHED, close_to(expected_m))


def test_no_way_a_long_way_and_no_network_are_different_answers() -> None:
    places = {1: (0.0, 0.0), 2: (0.0, 300.0), 3: (100.0, 300.0), 4: (100.0, 0.0), 5: (50.0, 0.0), 6: (60.0, 0.0)}
    network = network_of([[1, 2, 3, 4], [5, 6]], places)
    pairs = walk(network, [(0.0, 0.0)], [(100.0, 0.0), (55.0, 1.0), (-170.0, 0.0), (0.0, 9.0)])
    assert pairs.status.tolist() == [
        WalkStatus.BEYOND_LIMIT,
        WalkStatus.UNREACHABLE,
        WalkStatus.NOT_SNAPPED,
        WalkStatus.REACHED,
    ]
    assert np.isnan(pairs.distance_m).tolist() == [True, True, True, False]
    assert only(network, (0.0, 0.0), (100.0, 0.0), limit_m=701.0) == (WalkStatus.REACHED, close_to(700.0))


def test_a_walk_just_within_the_limit_is_found_over_many_nodes() -> None:
    places = {key: (40.0 * key, 0.0) for key in range(12)}
    network = network_of([[key, key + 1] for key in range(11)], places)
    assert only(network, (0.0, 10.0), (379.0, 10.0)) == (WalkStatus.REACHED, close_to(399.0))
    assert only(network, (0.0, 10.0), (382.0, 10.0))[0] is WalkStatus.BEYOND_LIMIT


def test_snapping_ends_at_60_m() -> None:
    network = network_of([[1, 2]], CROSS)
    assert only(network, (50.0, 59.9), (50.0, 0.0))[0] is WalkStatus.REACHED
    assert only(network, (50.0, 60.2), (50.0, 0.0))[0] is WalkStatus.NOT_SNAPPED


def test_pairs_farther_than_the_limit_are_not_listed() -> None:
    network = network_of([[1, 2, 3]], CROSS)
    pairs = walk(network, [(0.0, 0.0), (200.0, 0.0)], [(10.0, 0.0), (190.0, 0.0)], limit_m=50.0)
    assert list(zip(pairs.gate_row.tolist(), pairs.venue_row.tolist(), strict=True)) == [(0, 0), (1, 1)]
    assert walk(network, [], [(0.0, 0.0)]).status.size == 0


def test_bad_points_and_limits_are_refused() -> None:
    network = network_of([[1, 2]], CROSS)
    with pytest.raises(ValueError, match=r"point 0 .*swapped"):
        snap_to_edges(network, longitude=np.array([34.0]), latitude=np.array([117.0]))
    with pytest.raises(ValueError, match="one length"):
        snap_to_edges(network, longitude=np.array([34.0, 35.0]), latitude=np.array([17.0]))
    with pytest.raises(ValueError, match="limit_m"):
        only(network, (0.0, 0.0), (1.0, 0.0), limit_m=-1.0)


def ends(one: Place, other: Place) -> dict[str, float]:
    (lon, lat), (to_lon, to_lat) = at(*one), at(*other)
    return {"longitude": lon, "latitude": lat, "to_longitude": to_lon, "to_latitude": to_lat}


def test_a_path_is_a_line_of_its_own_length_from_point_to_point() -> None:
    network = network_of([[1, 2, 3], [2, 4], [5, 2]], CROSS)
    path = walking_path(network, **ends((20.0, 5.0), (110.0, -60.0)))
    assert path.status is WalkStatus.REACHED
    assert path.line is not None
    assert path.distance_m == close_to(155.0)
    assert length_of(path.line) == pytest.approx(path.distance_m, abs=1e-3)
    assert path.line.coords[0] == pytest.approx(at(20.0, 5.0))
    assert path.line.coords[-1] == pytest.approx(at(110.0, -60.0))
    assert len(path.edges) == 2


def test_a_path_without_a_way_says_why() -> None:
    network = network_of([[1, 2], [4, 6]], CROSS)
    assert walking_path(network, **ends((20.0, 0.0), (50.0, 100.0))).status is WalkStatus.UNREACHABLE
    assert walking_path(network, **ends((20.0, 0.0), (500.0, 0.0))).status is WalkStatus.NOT_SNAPPED
    far = walking_path(network, **ends((20.0, 0.0), (90.0, 0.0)), limit_m=50.0)
    assert (far.status, far.line, far.edges) == (WalkStatus.BEYOND_LIMIT, None, ())


def test_a_path_to_the_same_point_is_a_point() -> None:
    path = walking_path(network_of([[1, 2]], CROSS), **ends((20.0, 0.0), (20.0, 0.0)))
    assert path.distance_m == pytest.approx(0.0, abs=1e-6)
    assert path.line is not None


# ---- any network


@st.composite
def cities(draw: st.DrawFn) -> tuple[WalkNetwork, list[Place]]:
    """Irregular networks with parallel ways, rings, islands and crossings without a node; points on and off."""
    count = draw(st.integers(3, 12))
    metres = st.integers(0, 300).map(float)
    places = {key: (draw(metres), draw(metres)) for key in range(count)}
    way = st.lists(st.integers(0, count - 1), min_size=2, max_size=5).filter(lambda keys: len(set(keys)) > 1)
    network = network_of(draw(st.lists(way, min_size=1, max_size=10)), places)
    corner = st.sampled_from(sorted(places.values()))
    points = draw(st.lists(st.one_of(st.tuples(metres, metres), corner), min_size=1, max_size=8))
    return network, points


def snapped(network: WalkNetwork, points: list[Place]) -> Snapped:
    lon, lat = degrees(points)
    return snap_to_edges(network, longitude=lon, latitude=lat)


def full_matrix(network: WalkNetwork, places: Snapped, *, limit_m: float = 1e6) -> np.ndarray:
    """Metres between all points, infinite without a way."""
    count = places.edge.size
    rows, columns = np.divmod(np.arange(count * count), count)
    distance_m, _ = snapped_distances(network, places, places, rows, columns, limit_m=limit_m)
    return np.where(np.isnan(distance_m), np.inf, distance_m).reshape(count, count)


@settings(deadline=None, max_examples=200)
@given(cities(), st.sampled_from([50.0, 200.0, 1e6]))
def test_distances_equal_a_plain_search_on_the_split_graph(
    city: tuple[WalkNetwork, list[Place]], limit_m: float
) -> None:
    network, points = city
    places = snapped(network, points)
    truth = brute_force_m(network, places, places)
    found = full_matrix(network, places, limit_m=limit_m)
    sure = np.abs(truth - limit_m) > 1e-6
    np.testing.assert_allclose(found[sure], np.where(truth <= limit_m, truth, np.inf)[sure], rtol=0.0, atol=1e-9)


@settings(deadline=None, max_examples=100)
@given(cities())
def test_a_status_says_whether_a_way_exists(city: tuple[WalkNetwork, list[Place]]) -> None:
    network, points = city
    places = snapped(network, points)
    truth = brute_force_m(network, places, places)
    pairs = walk(network, points, points, limit_m=200.0)
    for gate, venue, status in zip(*(c.tolist() for c in (pairs.gate_row, pairs.venue_row, pairs.status)), strict=True):
        is_off = min(places.edge[gate], places.edge[venue]) < 0
        assert (status == WalkStatus.NOT_SNAPPED) == is_off
        assert (status == WalkStatus.UNREACHABLE) == (not is_off and np.isinf(truth[gate, venue]))


@settings(deadline=None, max_examples=100)
@given(cities())
def test_distances_are_symmetric_and_keep_the_triangle_inequality(city: tuple[WalkNetwork, list[Place]]) -> None:
    network, points = city
    found = full_matrix(network, snapped(network, points))
    np.testing.assert_allclose(found, found.T, rtol=0.0, atol=1e-9)
    through = (found[:, :, None] + found[None, :, :]).min(axis=1)
    assert (found <= through + 1e-9).all()


@settings(deadline=None, max_examples=100)
@given(cities(), st.data())
def test_closing_an_edge_never_shortens_a_walk(city: tuple[WalkNetwork, list[Place]], data: st.DataObject) -> None:
    network, points = city
    closed = data.draw(st.integers(0, network.edge_count - 1))
    places = snapped(network, points)
    stays = np.flatnonzero(places.edge != closed)
    if network.edge_count == 1 or stays.size == 0:
        return
    kept = Snapped(
        edge=places.edge[stays] - (places.edge[stays] > closed),
        along_m=places.along_m[stays],
        access_m=places.access_m[stays],
        longitude=places.longitude[stays],
        latitude=places.latitude[stays],
    )
    before = full_matrix(network, places)[np.ix_(stays, stays)]
    after = full_matrix(without_edges(network, np.array([closed])), kept)
    assert (after >= before - 1e-9).all()


@settings(deadline=None, max_examples=100)
@given(cities())
def test_paths_are_as_long_as_their_distance_and_never_shorter_than_straight(
    city: tuple[WalkNetwork, list[Place]],
) -> None:
    network, points = city
    truth = full_matrix(network, snapped(network, points[:1] + points[-1:]))[0, 1]
    path = walking_path(network, **ends(points[0], points[-1]))
    assert (path.status is WalkStatus.REACHED) == np.isfinite(truth)
    if path.line is not None:
        assert path.distance_m == pytest.approx(truth, abs=1e-9)
        assert length_of(path.line) == pytest.approx(path.distance_m, abs=1e-3)
        assert path.distance_m >= path.straight_m - 1e-3
