"""Walk networks from files: what people on foot may use is in, what it crosses is not joined, and it saves whole."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from api.files.errors import UnreadableFile
from api.files.saved_walk_network import load_walk_network, save_walk_network
from api.files.walk_network import WalkNetworkRead, read_walk_network
from geo.datum import Datum, from_wgs84
from geo.walk import WalkStatus, walking_path
from geo.walk_network import WalkNetwork
from tests.files.shared_data import shared_file
from tests.geo.walk_reference import Place, at, network_of

PLACES: dict[int, Place] = {
    1: (0.0, 0.0),
    2: (100.0, 0.0),
    3: (200.0, 0.0),
    4: (100.0, 100.0),
    5: (100.0, -100.0),
    6: (200.0, 100.0),
    7: (150.0, 0.0),
}


def way(number: int, nodes: Sequence[int], **tags: str) -> str:
    links = "".join(f'<nd ref="{node}"/>' for node in nodes)
    return f'<way id="{number}" user="someone">{links}{tagged(tags)}</way>'


def square(number: int, ways: Sequence[int], **tags: str) -> str:
    members = "".join(f'<member type="way" ref="{ref}" role="outer"/>' for ref in ways)
    return f'<relation id="{number}">{members}{tagged({"type": "multipolygon", **tags})}</relation>'


def tagged(tags: dict[str, str]) -> str:
    return "".join(f'<tag k="{key.replace("__", ":")}" v="{value}"/>' for key, value in tags.items())


def read_osm(folder: Path, *body: str, places: dict[int, Place] = PLACES) -> WalkNetworkRead:
    nodes = "".join('<node id="{}" lon="{}" lat="{}"/>'.format(n, *at(*place)) for n, place in places.items())
    path = folder / "roads.osm"
    path.write_text(f'<?xml version="1.0"?><osm version="0.6">{nodes}{"".join(body)}</osm>', "utf-8")
    return read_walk_network(path)


def walk(network: WalkNetwork, one: Place, other: Place) -> tuple[WalkStatus, float]:
    (lon, lat), (to_lon, to_lat) = at(*one), at(*other)
    path = walking_path(network, longitude=lon, latitude=lat, to_longitude=to_lon, to_latitude=to_lat, snap_reach_m=5.0)
    return path.status, round(path.distance_m, 0)


def test_oneway_streets_are_walked_both_ways_and_stairs_join_them(tmp_path: Path) -> None:
    read = read_osm(tmp_path, way(1, [1, 2], highway="residential", oneway="yes"), way(2, [2, 4], highway="steps"))
    assert walk(read.network, (100.0, 80.0), (10.0, 0.0)) == (WalkStatus.REACHED, 170.0)
    assert walk(read.network, (10.0, 0.0), (100.0, 80.0)) == (WalkStatus.REACHED, 170.0)


def test_a_bridge_over_a_road_has_no_node_with_it(tmp_path: Path) -> None:
    road = way(1, [1, 3], highway="primary")
    bridge = way(2, [5, 4], highway="footway", bridge="yes", layer="1")
    assert walk(read_osm(tmp_path, road, bridge).network, (50.0, 0.0), (100.0, 50.0))[0] is WalkStatus.UNREACHABLE
    stairs = way(3, [3, 6, 4], highway="steps")
    joined = read_osm(tmp_path, road, bridge, stairs).network
    assert walk(joined, (50.0, 0.0), (100.0, 50.0)) == (WalkStatus.REACHED, 150.0 + 100.0 + 100.0 + 50.0)


def test_motorways_and_private_ways_are_out(tmp_path: Path) -> None:
    read = read_osm(
        tmp_path,
        way(1, [1, 2], highway="residential"),
        way(2, [2, 3], highway="motorway"),
        way(3, [2, 4], highway="service", access="private"),
        way(4, [2, 5], highway="service", access="private", foot="yes"),
        way(5, [3, 6], railway="rail"),
    )
    assert (read.network.edge_count, read.kept_count, read.closed_count) == (2, 2, 3)
    assert walk(read.network, (10.0, 0.0), (190.0, 0.0))[0] is WalkStatus.NOT_SNAPPED


def test_an_island_is_unreachable(tmp_path: Path) -> None:
    read = read_osm(tmp_path, way(1, [1, 2], highway="path"), way(2, [4, 6], highway="path"))
    assert walk(read.network, (10.0, 0.0), (110.0, 100.0))[0] is WalkStatus.UNREACHABLE


def test_the_outline_of_a_square_is_walked_although_its_way_has_no_tags(tmp_path: Path) -> None:
    street = way(1, [1, 2], highway="residential")
    plain = way(2, [2, 3, 6, 4, 2])
    read = read_osm(tmp_path, street, plain, square(9, [2], highway="pedestrian"))
    assert walk(read.network, (90.0, 0.0), (190.0, 0.0)) == (WalkStatus.REACHED, 100.0)
    assert read_osm(tmp_path, street, plain, square(9, [2], landuse="grass")).network.edge_count == 1


def test_an_outline_that_is_a_way_itself_is_read_once(tmp_path: Path) -> None:
    body = way(1, [2, 3, 6, 4, 2], highway="footway"), square(9, [1], highway="pedestrian")
    assert read_osm(tmp_path, *body).network.edge_count == 1


def test_a_way_cut_by_the_extract_keeps_its_pieces_apart(tmp_path: Path) -> None:
    read = read_osm(tmp_path, way(1, [1, 2, 99, 7, 3], highway="path"))
    assert (read.cut_count, read.network.edge_count) == (1, 2)
    assert walk(read.network, (90.0, 0.0), (160.0, 0.0))[0] is WalkStatus.UNREACHABLE


def test_a_file_without_a_way_on_foot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"没有可步行的道路.*1 ways were not open"):
        read_osm(tmp_path, way(1, [1, 2], highway="motorway"))


@pytest.mark.parametrize("name", ["roads.osm", "roads.osm.pbf", "roads.geojson", "roads.txt"])
def test_damaged_and_unknown_files_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<osm><node id=")
    with pytest.raises(UnreadableFile, match=r"roads\."):
        read_walk_network(tmp_path / name)


def geojson(folder: Path, features: list[tuple[str, object, dict[str, object]]]) -> Path:
    path = folder / "roads.geojson"
    document = [
        {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}
        for kind, coordinates, properties in features
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": document}), "utf-8")
    return path


def points(*keys: int) -> list[Place]:
    return [at(*PLACES[key]) for key in keys]


def test_lines_of_geojson_are_joined_at_equal_vertices(tmp_path: Path) -> None:
    path = geojson(
        tmp_path,
        [
            ("LineString", points(1, 2, 3), {"name": "合成路"}),
            ("MultiLineString", [points(2, 4), points(4, 6)], {}),
            ("Polygon", [points(3, 6, 7, 3)], {"highway": "pedestrian"}),
            ("LineString", points(2, 5), {"foot": "no"}),
            ("LineString", points(1, 5), {"highway": "motorway"}),
            ("Point", points(1)[0], {}),
        ],
    )
    heard: list[int] = []
    read = read_walk_network(path, progress=heard.append)
    assert (read.kept_count, read.closed_count, read.rejected_count) == (3, 2, 1)
    assert sum(heard) == 6
    assert walk(read.network, (10.0, 0.0), (100.0, 50.0)) == (WalkStatus.REACHED, 140.0)


def test_lines_in_a_chinese_datum_are_brought_to_wgs84(tmp_path: Path) -> None:
    lon, lat = np.array(points(1, 2, 4)).T
    shifted = np.column_stack(from_wgs84(longitude=lon, latitude=lat, datum=Datum.GCJ02)).tolist()
    path = geojson(tmp_path, [("LineString", shifted[:2], {}), ("LineString", shifted[1:], {})])
    network = read_walk_network(path, datum=Datum.GCJ02).network
    assert network.longitude == pytest.approx(lon[[0, 1, 1, 2]], abs=1e-10)
    assert network.component.max() == 0


# ---- saved and loaded


@pytest.mark.parametrize("name", ["city", "city.npz"])
def test_a_saved_network_comes_back_whole_and_replaces_the_old_one(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    save_walk_network(network_of([[1, 2]], PLACES), path)
    network = network_of([[1, 2, 3], [2, 4]], PLACES)
    save_walk_network(network, path)
    loaded = load_walk_network(path)
    assert loaded.network_version == network.network_version
    for column, saved in zip(loaded.columns().values(), network.columns().values(), strict=True):
        assert (column == saved).all()
        assert not column.flags.writeable
    assert walk(loaded, (10.0, 0.0), (100.0, 50.0)) == (WalkStatus.REACHED, 140.0)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_folder_is_mapped_and_not_read(tmp_path: Path) -> None:
    save_walk_network(network_of([[1, 2]], PLACES), tmp_path / "city")
    holder: object = load_walk_network(tmp_path / "city").longitude
    while isinstance(holder, np.ndarray) and not isinstance(holder, np.memmap):
        holder = holder.base
    assert isinstance(holder, np.memmap)


def test_a_changed_or_incomplete_network_is_refused(tmp_path: Path) -> None:
    save_walk_network(network_of([[1, 2]], PLACES), tmp_path / "city")
    np.save(tmp_path / "city" / "length_m.npy", np.array([1.0]))
    with pytest.raises(UnreadableFile, match="changed after it was saved"):
        load_walk_network(tmp_path / "city")
    (tmp_path / "city" / "nodes.npy").unlink()
    with pytest.raises(UnreadableFile, match="city"):
        load_walk_network(tmp_path / "city")
    (tmp_path / "city.npz").write_bytes(b"no archive")
    with pytest.raises(UnreadableFile, match=r"city\.npz"):
        load_walk_network(tmp_path / "city.npz")


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"")
    with pytest.raises(UnreadableFile, match=r"one\.jpg"):
        save_walk_network(network_of([[1, 2]], PLACES), tmp_path / "photos")
    assert [entry.name for entry in tmp_path.iterdir()] == ["photos"]


# ---- real files


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "least_edges", "least_share"),
    [
        ("helsinki_osm_2019/helsinki.osm.pbf", 5_000, 0.95),
        ("liechtenstein_osm/liechtenstein_2013.osm.pbf", 5_000, 0.95),
        ("beijing_osm_cau_2026/map.osm", 600, 0.85),
    ],
)
def test_real_maps_make_one_large_network(name: str, least_edges: int, least_share: float) -> None:
    network = read_walk_network(shared_file(name)).network
    assert network.edge_count > least_edges
    assert np.bincount(network.component).max() > least_share * network.node_count
    ends = network.start[1:] - 1
    assert (network.length_m >= 0.0).all()
    assert network.along_m[ends] == pytest.approx(network.length_m)
