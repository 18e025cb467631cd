"""One school, once, with its campuses and gates; kindergartens apart; no university."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from api.files.gates import read_gates
from api.files.mappings import load_mapping
from api.files.places import read_places
from geo.datum import Datum
from tests.geo.walk_reference import at
from venues.category import SiteCategory
from venues.distance_ends import Gate
from venues.mapping import NotAPlace
from venues.place import Site, SourceKey
from venues.school_site import JoinedSite, gates_by_ground, join_sites, protected_site

PRIMARY, SCHOOL, KINDERGARTEN = SiteCategory.PRIMARY_SCHOOL, SiteCategory.SCHOOL, SiteCategory.KINDERGARTEN


def record(name: str, geometry: BaseGeometry, *, of: str, category: SiteCategory = PRIMARY) -> Site:
    return Site(
        key=SourceKey(source="osm", source_id=of),
        name=name,
        category=category,
        geometry=geometry,
        raw_geometry=geometry,
        datum=Datum.WGS84,
    )


def ground(x: float, y: float, size_m: float = 100.0) -> Polygon:
    return box(*at(x, y), *at(x + size_m, y + size_m))


def node(x: float, y: float) -> Point:
    return Point(at(x, y))


def ids(joined: tuple[JoinedSite, ...]) -> list[list[str]]:
    return [[key.source_id for key in site.keys] for site in joined]


def test_node_and_area_of_one_school_are_one_site() -> None:
    area, label = record("育才小学", ground(0, 0), of="way/1"), record("育才小学", node(50, 50), of="node/1")
    nameless = record("", node(20, 20), of="node/2", category=SCHOOL)
    (site,) = join_sites([label, nameless, area])
    assert [key.source_id for key in site.keys] == ["way/1", "node/1", "node/2"]
    assert (site.site_id, site.name, site.category, site.grounds) == (
        "osm/way/1",
        "育才小学",
        PRIMARY,
        (area.geometry,),
    )


@pytest.mark.parametrize(
    ("name", "place", "category"),
    [
        ("育才幼儿园", (50.0, 50.0), KINDERGARTEN),
        ("育才小学", (50.0, 50.0), KINDERGARTEN),
        ("育才小学", (50.0, 50.0), SiteCategory.SECONDARY_SCHOOL),
        ("民族小学", (50.0, 50.0), PRIMARY),
        ("育才小学", (50.0, -40.0), PRIMARY),
        ("", (50.0, -5.0), PRIMARY),
    ],
)
def test_what_is_another_school_or_a_kindergarten_stays_apart(
    name: str, place: tuple[float, float], category: SiteCategory
) -> None:
    area = record("育才小学", ground(0, 0), of="way/1")
    assert len(join_sites([area, record(name, node(*place), of="node/1", category=category)])) == 2


def test_a_school_of_unknown_level_takes_no_kindergarten_in() -> None:
    area = record("育才学校", ground(0, 0), of="way/1", category=SCHOOL)
    inside = record("", node(50, 50), of="node/1", category=KINDERGARTEN)
    assert len(join_sites([area, inside])) == 2


def test_an_unknown_level_never_joins_two_levels() -> None:
    area = record("实验学校", ground(0, 0), of="way/1", category=SCHOOL)
    labels = [record("实验学校", node(40 + 10 * number, 50), of=f"node/{number}", category=category)
              for number, category in enumerate([PRIMARY, SiteCategory.SECONDARY_SCHOOL])]  # fmt: skip
    joined = join_sites([area, *labels])
    assert sorted(len(site.keys) for site in joined) == [1, 2]


@pytest.mark.parametrize(
    ("name", "other", "is_one"),
    [
        ("徐州市云龙区育才小学", "育才小學", True),
        ("北京市海淀区实验小学", "海淀区 实验·小学", True),
        ("第八中学（新校区）", "第八中学新校区", True),
        ("海淀区实验小学", "西城区实验小学", False),
        ("育才小学", "育才小学附属小学", False),
        ("ＡＢＣ国际学校", "abc国际学校", True),
    ],
)
def test_two_areas_near_each_other_are_one_school_if_their_names_say_the_same(
    name: str, other: str, is_one: bool
) -> None:
    areas = [record(name, ground(0, 0), of="way/1"), record(other, ground(160, 0), of="way/2")]
    assert len(join_sites(areas)) == (1 if is_one else 2)


def test_two_areas_of_one_name_are_campuses_and_far_ones_are_namesakes() -> None:
    near, far = record("育才小学", ground(160, 0), of="way/2"), record("育才小学", ground(2000, 0), of="way/3")
    joined = join_sites([record("育才小学", ground(0, 0), of="way/1"), near, far])
    assert ids(joined) == [["way/1", "way/2"], ["way/3"]]
    assert len(protected_site(joined[0]).campuses) == 2


def test_one_area_drawn_twice_is_one_campus() -> None:
    joined = join_sites([record("育才小学", ground(0, 0), of="way/1"), record("", ground(1, 1, 98), of="relation/1")])
    assert ids(joined) == [["relation/1", "way/1"]]
    assert len(joined[0].grounds) == 1


@settings(deadline=None)
@given(st.permutations(range(7)))
def test_the_order_of_records_does_not_matter(order: list[int]) -> None:
    records = [
        record("育才小学", ground(0, 0), of="way/1"),
        record("育才小学", node(50, 50), of="node/1"),
        record("育才小学", ground(150, 0), of="way/2"),
        record("育才幼儿园", node(60, 60), of="node/2", category=KINDERGARTEN),
        record("", node(10, 10), of="node/3", category=SCHOOL),
        record("育才", node(160, 10), of="node/4", category=SiteCategory.SECONDARY_SCHOOL),
        record("实验学校", MultiPolygon([ground(900, 0), ground(1100, 0)]), of="relation/1", category=SCHOOL),
    ]
    assert join_sites(records[row] for row in order) == join_sites(records)


def gate_at(x: float, y: float) -> Gate:
    longitude, latitude = at(x, y)
    return Gate(gate_id=f"{x:g},{y:g}", longitude=longitude, latitude=latitude)


def test_a_gate_belongs_to_the_nearest_wall_and_far_ones_to_none() -> None:
    grounds = [ground(0, 0), ground(104, 0), node(300, 0)]
    gates = [gate_at(50, 1), gate_at(101, 50), gate_at(103, 50), gate_at(50, 50), gate_at(300, 0), gate_at(50, -14)]
    held = gates_by_ground(grounds, gates)
    assert [[gate.gate_id for gate in found] for found in held] == [["50,1", "101,50", "50,-14"], ["103,50"], []]
    assert gates_by_ground([], gates) == ()
    assert gates_by_ground(grounds, []) == ((), (), ())


def test_a_university_is_no_site() -> None:
    osm, amap = load_mapping("osm"), load_mapping("amap")
    for tags in ({"amenity": "university", "name": "中国矿业大学"}, {"amenity": "college"},
                 {"amenity": "school", "name": "徐州工程学院"}):  # fmt: skip
        assert osm.for_tags(tags) is NotAPlace.IGNORED
    assert amap.for_value("141201") is NotAPlace.IGNORED


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "sites", "gates_in_walls"),
    [("beijing_osm_cau_2026/map.osm", 5, 0), ("helsinki_osm_2019/helsinki.osm.pbf", 3, 4)],
)
def test_schools_of_a_real_map_are_sites_with_the_gates_in_their_walls(
    real_data: Callable[[str], Path], file: str, sites: int, gates_in_walls: int
) -> None:
    """A Beijing university with attached schools, in whose walls nobody mapped a gate; three schools of Helsinki."""
    path = real_data(file)
    joined = join_sites(read_places(path, mapping=load_mapping("osm")).sites)
    gates = [found.gate for found in read_gates(path).gates]
    held = gates_by_ground([ground for site in joined for ground in site.grounds], gates)
    assert (len(joined), sum(len(one) for one in held)) == (sites, gates_in_walls)
    assert not [site.name for site in joined if site.name.endswith(("大学", "学院"))]
