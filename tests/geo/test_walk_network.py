"""The walk network's columns: where ways are split, what is refused, and a version that tells any change."""

import numpy as np
import pytest

from geo.walk_access import is_open_on_foot
from geo.walk_network import WalkLines, build_walk_network, edge_piece, without_edges, without_fragments
from tests.geo.walk_reference import GEOD, at, lines_of, network_of

PLACES = {1: (0.0, 0.0), 2: (100.0, 0.0), 3: (200.0, 0.0), 4: (100.0, 100.0), 5: (100.0, 200.0)}


def test_ways_are_split_where_they_share_a_vertex_and_only_there() -> None:
    network = network_of([[1, 2, 3], [2, 4, 5]], PLACES)
    assert network.edge_count == 3
    assert network.node_count == 4
    assert np.diff(network.start).tolist() == [2, 2, 3]
    assert network.nodes.dtype == np.int32


def test_lengths_are_geodesic() -> None:
    network = network_of([[1, 2, 4]], PLACES)
    by_hand = GEOD.inv(*at(0.0, 0.0), *at(100.0, 0.0))[2] + GEOD.inv(*at(100.0, 0.0), *at(100.0, 100.0))[2]
    assert network.length_m.tolist() == [pytest.approx(by_hand, abs=1e-9)]
    assert network.along_m[-1] == network.length_m[0]


def test_a_way_that_meets_itself_is_split_there() -> None:
    network = network_of([[1, 2, 4, 5, 2, 3]], PLACES)
    assert sorted(map(tuple, network.nodes.tolist())) == [(0, 1), (1, 1), (1, 2)]
    assert network.component.tolist() == [0, 0, 0]


def test_repeated_vertices_and_single_points_are_dropped() -> None:
    network = network_of([[1, 1, 2, 2], [3, 3], [4]], PLACES)
    assert network.edge_count == 1
    assert np.diff(network.start).tolist() == [2]


def test_nothing_to_walk_on_is_refused() -> None:
    with pytest.raises(ValueError, match="no edge"):
        network_of([[3, 3]], PLACES)
    with pytest.raises(ValueError, match="at least one"):
        without_edges(network_of([[1, 2]], PLACES), np.array([0]))


@pytest.mark.parametrize(
    ("longitude", "latitude", "said"),
    [(34.0, 117.0, "swapped"), (float("nan"), 34.0, "vertex 1"), (-60.0, 34.0, "antimeridian")],
)
def test_a_vertex_that_cannot_be_is_refused(longitude: float, latitude: float, said: str) -> None:
    lines = WalkLines(
        start=np.array([0, 2]),
        vertex_key=np.array([1, 2]),
        longitude=np.array([179.0, longitude]),
        latitude=np.array([34.0, latitude]),
    )
    with pytest.raises(ValueError, match=said):
        build_walk_network(lines)


def test_version_tells_any_change_and_nothing_else() -> None:
    ways = [[1, 2, 3], [2, 4]]
    version = network_of(ways, PLACES).network_version
    assert len(version) == 64
    assert network_of(ways, PLACES).network_version == version
    moved = {**PLACES, 4: (100.0, 100.001)}
    assert network_of(ways, moved).network_version != version
    assert without_edges(network_of(ways, PLACES), np.array([0])).network_version != version


def test_fragments_are_left_out_by_their_length() -> None:
    places = {**PLACES, 6: (100.0, 30.0), 7: (150.0, 30.0), 8: (150.0, 60.0)}
    network = network_of([[1, 2, 3], [2, 4], [6, 7, 8]], places)
    assert without_fragments(network, least_m=79.0).edge_count == 4
    kept = without_fragments(network, least_m=81.0)
    assert kept.edge_count == 3
    assert kept.length_m.sum() == pytest.approx(300.0, rel=1e-3)
    with pytest.raises(ValueError, match="at least one"):
        without_fragments(network, least_m=400.0)


def test_columns_cannot_be_changed() -> None:
    network = network_of([[1, 2]], PLACES)
    for column in network.columns().values():
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


def test_a_piece_of_an_edge_keeps_the_vertices_between_and_its_direction() -> None:
    network = network_of([[1, 2, 4]], PLACES)
    piece = edge_piece(network, 0, 50.0, 150.0)
    assert piece.shape == (3, 2)
    assert piece[1] == pytest.approx(at(100.0, 0.0))
    assert (edge_piece(network, 0, 150.0, 50.0) == piece[::-1]).all()


def test_places_keep_their_numbers_whatever_their_keys() -> None:
    lines = lines_of([[1, 2, 3]], PLACES)
    renamed = WalkLines(
        start=lines.start,
        vertex_key=lines.vertex_key + 10**12,
        longitude=lines.longitude,
        latitude=lines.latitude,
    )
    assert build_walk_network(renamed).network_version == build_walk_network(lines).network_version


@pytest.mark.parametrize(
    ("tags", "is_open"),
    [
        ({"highway": "residential", "oneway": "yes"}, True),
        ({"highway": "footway"}, True),
        ({"highway": "steps"}, True),
        ({"highway": "path", "bridge": "yes", "layer": "1"}, True),
        ({"highway": "footway", "tunnel": "yes"}, True),
        ({"highway": "pedestrian", "area": "yes"}, True),
        ({"highway": "cycleway"}, True),
        ({"highway": "motorway"}, False),
        ({"highway": "motorway_link", "sidewalk": "both"}, False),
        ({"highway": "motorway", "foot": "yes"}, True),
        ({"highway": "trunk"}, False),
        ({"highway": "trunk", "foot": "designated"}, True),
        ({"highway": "trunk", "sidewalk": "right"}, True),
        ({"highway": "trunk_link", "sidewalk:both": "yes"}, True),
        ({"highway": "trunk", "sidewalk": "separate"}, False),
        ({"highway": "primary", "motorroad": "yes"}, False),
        ({"highway": "construction"}, False),
        ({"highway": "proposed"}, False),
        ({"highway": "service", "access": "private"}, False),
        ({"highway": "service", "access": "no"}, False),
        ({"highway": "service", "access": "private", "foot": "yes"}, True),
        ({"highway": "service", "access": "no", "foot": "designated"}, True),
        ({"highway": "residential", "foot": "no"}, False),
        ({"highway": "residential", "foot": "private"}, False),
        ({"highway": "service", "access": "destination"}, True),
        ({"railway": "platform"}, True),
        ({"railway": "rail"}, False),
        ({"building": "yes"}, False),
    ],
    ids=str,
)
def test_ways_open_to_people_on_foot(tags: dict[str, str], is_open: bool) -> None:
    assert is_open_on_foot(tags) is is_open
