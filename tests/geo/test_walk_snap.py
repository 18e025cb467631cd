"""Snapping: the place found is on its edge, at its distance, and nothing on the network is nearer."""

import numpy as np
import pytest
from hypothesis import given, settings

from geo.projection import geodesic_m
from geo.walk_network import WalkNetwork, edge_piece
from geo.walk_snap import SNAP_REACH_M, snap_to_edges
from tests.geo.test_walk import cities
from tests.geo.walk_reference import GEOD, Place, at, degrees, network_of

STEP_M = 1.0


@settings(deadline=None, max_examples=100)
@given(cities())
def test_nothing_on_the_network_is_nearer_than_the_place_found(city: tuple[WalkNetwork, list[Place]]) -> None:
    network, points = city
    lon, lat = degrees(points)
    found = snap_to_edges(network, longitude=lon, latitude=lat)
    everywhere = np.concatenate([dense(network, edge) for edge in range(network.edge_count)])
    for row in range(lon.size):
        here = np.full(len(everywhere), lon[row]), np.full(len(everywhere), lat[row])
        least_m = float(geodesic_m(*here, everywhere[:, 0], everywhere[:, 1]).min())
        if found.edge[row] < 0:
            assert least_m > SNAP_REACH_M - 1e-3
            assert np.isnan([found.along_m[row], found.access_m[row], found.longitude[row]]).all()
        else:
            assert found.access_m[row] <= min(least_m + 1e-3, SNAP_REACH_M)
            assert found.access_m[row] >= least_m - STEP_M


def dense(network: WalkNetwork, edge: int) -> np.ndarray:
    """Places along an edge, a metre apart."""
    length_m = float(network.length_m[edge])
    stops = np.linspace(0.0, length_m, max(int(length_m / STEP_M) + 2, 2)).tolist()
    return np.array([edge_piece(network, edge, stop, stop)[0] for stop in stops])


@settings(deadline=None, max_examples=100)
@given(cities())
def test_the_place_found_is_where_it_says_on_its_edge(city: tuple[WalkNetwork, list[Place]]) -> None:
    network, points = city
    lon, lat = degrees(points)
    found = snap_to_edges(network, longitude=lon, latitude=lat)
    for row in np.flatnonzero(found.is_snapped).tolist():
        along_m = float(found.along_m[row])
        assert 0.0 <= along_m <= network.length_m[found.edge[row]] + 1e-9
        on_edge = edge_piece(network, int(found.edge[row]), along_m, along_m)[0]
        place = (float(found.longitude[row]), float(found.latitude[row]))
        assert GEOD.inv(on_edge[0], on_edge[1], *place)[2] < 1e-6
        assert GEOD.inv(lon[row], lat[row], *place)[2] == pytest.approx(found.access_m[row], abs=1e-9)


def test_of_edges_equally_near_the_first_is_taken() -> None:
    places = {1: (0.0, 0.0), 2: (50.0, 0.0), 3: (100.0, 0.0), 4: (50.0, 50.0)}
    network = network_of([[1, 2], [2, 3], [2, 4]], places)
    lon, lat = at(50.0, 0.0)
    found = snap_to_edges(network, longitude=np.array([lon]), latitude=np.array([lat]))
    assert (found.edge.tolist(), found.access_m.tolist()) == ([0], [0.0])


def test_reach_is_the_same_in_all_directions() -> None:
    corner = network_of([[1, 2]], {1: (0.0, 0.0), 2: (0.01, 0.0)})
    azimuth = np.arange(0.0, 360.0, 15.0)
    for reach_m, is_near in ((59.9, True), (60.1, False)):
        ones = np.full(azimuth.size, 1.0)
        lon, lat, _ = GEOD.fwd(ones * corner.longitude[0], ones * corner.latitude[0], azimuth, ones * reach_m)
        found = snap_to_edges(corner, longitude=lon, latitude=lat)
        assert found.is_snapped.tolist() == [is_near] * azimuth.size
