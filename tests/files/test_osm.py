"""OSM nodes, ways and relations as places: areas stay areas, broken ones are named, contributors are left behind."""

from pathlib import Path

import pytest
from shapely.geometry import MultiPolygon, Point, Polygon

from api.files.errors import UnreadableFile
from api.files.mappings import load_mapping
from api.files.places import read_places
from geo.datum import Datum
from tests.files.shared_data import shared_file
from venues.place import PlacesRead

OSM = load_mapping("osm")

NODES = {
    1: (116.0, 39.0),
    2: (116.01, 39.0),
    3: (116.01, 39.01),
    4: (116.0, 39.01),
    5: (116.004, 39.004),
    6: (116.006, 39.004),
    7: (116.005, 39.006),
}


def tags(**values: str) -> str:
    return "".join(f'<tag k="{key}" v="{value}"/>' for key, value in values.items())


def way(number: int, nodes: list[int], body: str = "") -> str:
    links = "".join(f'<nd ref="{node}"/>' for node in nodes)
    return f'<way id="{number}" user="someone" uid="7">{links}{body}</way>'


def relation(number: int, members: list[tuple[int, str]], body: str) -> str:
    links = "".join(f'<member type="way" ref="{ref}" role="{role}"/>' for ref, role in members)
    return f'<relation id="{number}" user="someone">{links}{body}</relation>'


def read_osm(folder: Path, body: str, *, name: str = "map.osm") -> PlacesRead:
    nodes = "".join(f'<node id="{n}" lon="{lon}" lat="{lat}" user="someone"/>' for n, (lon, lat) in NODES.items())
    path = folder / name
    path.write_text(f'<?xml version="1.0"?><osm version="0.6" generator="test">{nodes}{body}</osm>', "utf-8")
    return read_places(path, mapping=OSM)


def test_a_node_is_a_point_with_its_address(tmp_path: Path) -> None:
    body = tags(amenity="bar", name="合成 酒吧") + '<tag k="addr:street" v="合成路"/><tag k="addr:housenumber" v="8"/>'
    read = read_osm(tmp_path, f'<node id="9" lon="116.5" lat="39.5" user="someone">{body}</node>')
    (venue,) = read.venues
    assert (venue.key.source, venue.key.source_id) == ("osm", "node/9")
    assert (venue.name, venue.address, venue.datum) == ("合成 酒吧", "合成路 8", Datum.WGS84)
    assert venue.geometry.equals(Point(116.5, 39.5))
    assert "someone" not in repr(read)


def test_a_closed_way_is_a_polygon(tmp_path: Path) -> None:
    (site,) = read_osm(tmp_path, way(20, [1, 2, 3, 4, 1], tags(amenity="school", name="合成小学"))).sites
    assert site.key.source_id == "way/20"
    assert site.geometry.equals(Polygon([NODES[n] for n in (1, 2, 3, 4)]))


def test_a_multipolygon_relation_keeps_its_hole(tmp_path: Path) -> None:
    body = way(20, [1, 2, 3, 4, 1]) + way(21, [5, 6, 7, 5])
    body += relation(30, [(20, "outer"), (21, "inner")], tags(type="multipolygon", amenity="school", name="合成学校"))
    (site,) = read_osm(tmp_path, body).sites
    assert site.key.source_id == "relation/30"
    assert isinstance(site.geometry, Polygon)
    assert len(site.geometry.interiors) == 1


def test_a_closed_way_that_is_also_a_ring_of_a_relation_is_kept(tmp_path: Path) -> None:
    body = way(20, [1, 2, 3, 4, 1], tags(amenity="school")) + relation(
        30, [(20, "outer")], tags(type="multipolygon", tourism="hotel")
    )
    read = read_osm(tmp_path, body)
    assert [site.key.source_id for site in read.sites] == ["way/20"]
    assert [venue.key.source_id for venue in read.venues] == ["relation/30"]


@pytest.mark.parametrize(
    "body",
    [
        way(20, [1, 2, 3], tags(amenity="bar")),
        way(20, [1, 2, 99, 1], tags(amenity="bar")),
        way(20, [1, 3, 2, 4, 1], tags(amenity="bar")),
        way(20, [1, 2, 3, 4, 1])
        + relation(30, [(20, "outer"), (99, "outer")], tags(type="multipolygon", amenity="bar")),
        way(20, [1, 2, 3, 4, 1]) + relation(30, [(20, "")], tags(type="site", amenity="school")),
    ],
    ids=["open way", "missing node", "bow tie", "missing way", "site relation"],
)
def test_what_makes_no_area_is_rejected_by_name(tmp_path: Path, body: str) -> None:
    good = f'<node id="9" lon="116.5" lat="39.5">{tags(tourism="hotel")}</node>'
    read = read_osm(tmp_path, good + body)
    (rejection,) = read.rejected
    assert rejection.reference in ("way/20", "relation/30")
    assert rejection.field == "geometry"
    assert len(read.venues) == 1
    assert read.sites == ()


def test_other_tagged_objects_are_counted(tmp_path: Path) -> None:
    read = read_osm(tmp_path, f'<node id="9" lon="116.5" lat="39.5">{tags(amenity="bench")}</node>')
    assert (read.ignored_count, read.venues, read.rejected) == (1, (), ())


@pytest.mark.parametrize("name", ["map.osm", "map.osm.pbf"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<osm><node id=")
    with pytest.raises(UnreadableFile, match="OSM"):
        read_places(tmp_path / name, mapping=OSM)


@pytest.mark.real
def test_schools_of_a_campus_are_areas() -> None:
    read = read_places(shared_file("beijing_osm_cau_2026/map.osm"), mapping=OSM)
    assert (len(read.venues), len(read.sites), len(read.rejected)) == (4, 5, 0)
    assert sum(isinstance(site.geometry, Polygon) for site in read.sites) == 4
    assert {site.key.source_id for site in read.sites if site.category == "primary_school"} == {
        "way/167304641",
        "way/1393226242",
    }


@pytest.mark.real
def test_a_university_campus_without_schools() -> None:
    read = read_places(shared_file("beijing_osm_bupt_2025/map.osm"), mapping=OSM)
    assert (read.venues, read.sites, read.rejected, read.ignored_count) == ((), (), (), 182)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "venues", "sites", "rejected"),
    [
        ("helsinki_osm_2019/helsinki.osm.pbf", 125, 3, ["relation/335178"]),
        ("monaco_osm_3_snapshots/monaco_2012.osm.pbf", 16, 2, []),
        ("monaco_osm_3_snapshots/monaco_2016.osm.pbf", 49, 17, []),
        ("liechtenstein_osm/liechtenstein_2013.osm.pbf", 21, 21, []),
    ],
)
def test_binary_extracts(name: str, venues: int, sites: int, rejected: list[str]) -> None:
    read = read_places(shared_file(name), mapping=OSM)
    assert [row.reference for row in read.rejected] == rejected
    assert (len(read.venues), len(read.sites)) == (venues, sites)
    assert all(isinstance(venue.geometry, Point | Polygon | MultiPolygon) for venue in read.venues)
