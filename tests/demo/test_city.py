"""The synthetic city: the same every time, plausible, awkward where real data are, and complete for the evening."""

import json
import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from shapely.geometry import LineString, Polygon

from api.demo.city import EVENING_STARTS_AT, City, build_city
from api.demo.city_files import (
    boundary_geojson,
    gates_geojson,
    incident_rows,
    sites_geojson,
    streets_geojson,
    venues_geojson,
)
from api.demo.incidents import PERIOD
from api.demo.people import FORBIDDEN_TO_MINORS
from venues.category import SiteCategory, VenueCategory

SEEDS = (7, 1, 2026)


@pytest.fixture(scope="module", params=SEEDS)
def city(request: pytest.FixtureRequest) -> City:
    return build_city(int(request.param))


def as_text(city: City) -> str:
    exports = (venues_geojson, sites_geojson, gates_geojson, streets_geojson, boundary_geojson, incident_rows)
    return json.dumps([export(city) for export in exports], ensure_ascii=False)


def test_same_seed_gives_the_same_city_and_another_seed_another() -> None:
    assert as_text(build_city(7)) == as_text(build_city(7))
    assert as_text(build_city(7)) != as_text(build_city(8))


def test_city_says_that_it_is_synthetic(city: City) -> None:
    assert "合成" in city.name
    assert all("合成" in venue.address for venue in city.venues)


def test_city_lies_near_xuzhou_and_everything_lies_in_it(city: City) -> None:
    centre = city.city_boundary.centroid
    assert (centre.x, centre.y) == pytest.approx((117.2, 34.26), abs=0.01)
    assert all(city.city_boundary.contains(venue.geometry) for venue in city.venues)
    assert all(city.city_boundary.contains(site.geometry) for site in city.sites)
    assert city.city_boundary.contains(city.residence_boundary)
    assert 0.4 < city.district_boundary.area / city.city_boundary.area < 0.8


def test_plane_keeps_distances_to_a_thousandth(city: City) -> None:
    corner = city.plane.to_wgs84(np.array([[3_000.0, 4_000.0]]))
    assert city.plane.to_metres(corner)[0] == pytest.approx((3_000.0, 4_000.0), abs=1e-6)
    pyproj = pytest.importorskip("pyproj")
    _, _, distance_m = pyproj.Geod(ellps="WGS84").inv(117.2, 34.26, *corner[0])
    assert distance_m == pytest.approx(5_000.0, rel=1e-3)


def test_every_street_can_be_reached_from_every_other(city: City) -> None:
    network = city.network
    count = len(network.nodes_m)
    graph = coo_array((np.ones(len(network.ends)), network.ends.T), shape=(count, count))
    assert connected_components(graph, directed=False)[0] == 1


def test_route_follows_streets_and_crosses_the_river_on_bridges(city: City) -> None:
    west, east = city.landmark("枫林苑").point_m, city.landmark("春晖里").point_m
    way = city.network.route(west, east)
    assert tuple(way[0]) == west
    assert tuple(way[-1]) == east
    over = LineString(way.tolist()).intersection(city.network.river_m)
    bridges = [line.buffer(0.5) for _, line in city.network.bridges_m()]
    assert any(bridge.covers(over) for bridge in bridges)
    for start, end in pairwise(way[1:-1]):
        middle = (start + end) / 2
        assert math.dist(city.network.foot((middle[0], middle[1])).point_m, middle) < 0.5


def test_route_is_as_short_as_another_algorithm_finds(city: City) -> None:
    network = city.network
    count = len(network.nodes_m)
    along = network.nodes_m[network.ends[:, 1]] - network.nodes_m[network.ends[:, 0]]
    graph = coo_array((np.hypot(along[:, 0], along[:, 1]), network.ends.T), shape=(count, count))
    for start, goal in ((0, count - 1), (40, 250), (170, 175), (300, 20)):
        way = network.route(tuple(network.nodes_m[start]), tuple(network.nodes_m[goal]))
        shortest_m = dijkstra(graph.tocsr(), directed=False, indices=[start])[0, goal]
        assert LineString(way.tolist()).length == pytest.approx(shortest_m)


def test_river_is_bridged_five_times(city: City) -> None:
    bridges = [street for street in city.streets if street.kind == "bridge"]
    assert len(bridges) == 5
    assert "淮海大桥" in {bridge.name for bridge in bridges}


def test_venues_are_many_and_of_the_kinds_that_matter(city: City) -> None:
    count = Counter(venue.category for venue in city.venues)
    assert 220 <= len(city.venues) <= 280
    assert count[VenueCategory.BAR] >= 30
    assert count[VenueCategory.INTERNET_CAFE] >= 20
    assert count[VenueCategory.KTV] >= 12
    assert {VenueCategory.HOTEL, VenueCategory.TOBACCO, VenueCategory.ARCADE, VenueCategory.BILLIARDS} <= set(count)
    assert len({venue.key for venue in city.venues}) == len(city.venues)
    assert {venue.geometry.geom_type for venue in city.venues} == {"Point", "Polygon"}


def test_bars_crowd_in_the_lane_and_venues_of_all_kinds_in_the_mall(city: City) -> None:
    lane = [venue for venue in city.venues if venue.key.source_id.startswith("venue/bar-lane")]
    mall = [venue for venue in city.venues if venue.key.source_id.startswith("venue/mall")]
    assert len(lane) >= 12
    assert len({venue.category for venue in mall}) >= 7
    for cluster in (lane, mall):
        places = [city.metres(venue.geometry) for venue in cluster]
        assert max(math.dist(one, other) for one in places for other in places) < 200.0


@pytest.mark.parametrize("mark", ["<b>", "${", "`", "'", '"', "\\", "&"])
def test_some_names_break_careless_map_code(city: City, mark: str) -> None:
    names = [venue.name for venue in city.venues] + [site.name for site in city.sites]
    assert any(mark in name for name in names)


def test_sites_have_a_boundary_and_a_gate_of_each_kind_on_it(city: City) -> None:
    assert len(city.sites) == 14
    assert sum(site.category is SiteCategory.KINDERGARTEN for site in city.sites) == 4
    for site in city.sites:
        gates = [gate for gate in city.gates if gate.site_key == site.key]
        assert sorted(gate.kind for gate in gates) == ["closed", "service", "student"]
        assert isinstance(site.geometry, Polygon)
        assert site.geometry.is_valid
        edge_m = city.plane.shape_to_metres(site.geometry).exterior
        assert all(edge_m.distance(city.plane.shape_to_metres(gate.point)) < 0.01 for gate in gates)


def test_some_venues_stand_within_200_m_of_a_school(city: City) -> None:
    grounds = [city.plane.shape_to_metres(site.geometry) for site in city.sites]
    near = {
        venue.category
        for venue in city.venues
        if min(ground.distance(city.plane.shape_to_metres(venue.geometry)) for ground in grounds) < 200.0
    }
    assert {VenueCategory.TOBACCO, VenueCategory.INTERNET_CAFE} <= near


def test_homes_are_clear_of_forbidden_venues_but_for_the_one_beside_a_bar(city: City) -> None:
    venues = [city.metres(venue.geometry) for venue in city.venues if venue.category in FORBIDDEN_TO_MINORS]
    nearest = {
        landmark.name: min(math.dist(landmark.point_m, place) for place in venues) for landmark in city.landmarks
    }
    assert nearest.pop("枫林苑") == pytest.approx(60.0, abs=0.1)
    assert 60.0 < nearest.pop("解放路酒坊巷口公交站") < 90.0
    assert min(nearest.values()) > 90.0


def test_incidents_fill_18_months_and_crowd_at_a_few_venues(city: City) -> None:
    assert all(EVENING_STARTS_AT - PERIOD * 1.01 < item.occurred_at < EVENING_STARTS_AT for item in city.incidents)
    assert all(item.occurred_at.utcoffset() is not None for item in city.incidents)
    assert {item.kind.value for item in city.incidents} == {"police_call", "penalty", "criminal_case"}
    known = {venue.key for venue in city.venues}
    count = Counter(item.venue_key for item in city.incidents)
    assert set(count) <= known
    assert sum(number >= 7 for number in count.values()) >= 8
    assert sum(number <= 3 for number in count.values()) >= 25
    assert len(known) - len(count) >= 150


def test_features_name_id_name_and_our_category(city: City) -> None:
    ours = {category.value for category in (*VenueCategory, *SiteCategory)}
    for collection in (venues_geojson(city), sites_geojson(city)):
        assert collection["type"] == "FeatureCollection"
        for feature in collection["features"]:
            assert feature["id"] == feature["properties"]["id"]
            assert feature["properties"]["name"]
            assert feature["properties"]["category"] in ours
    assert {feature["properties"]["category"] for feature in streets_geojson(city)["features"]} == {
        "street",
        "bridge",
        "river",
    }
    assert len(boundary_geojson(city)["features"]) == 2


def test_incident_rows_are_text_and_point_at_venues(city: City) -> None:
    rows = incident_rows(city)
    ids = {venue.key.source_id for venue in city.venues}
    assert len(rows) == len(city.incidents)
    assert all(isinstance(value, str) for row in rows for value in row.values())
    assert all(row["venue_source_id"] in ids and row["occurred_at"].endswith("+08:00") for row in rows)


@pytest.mark.parametrize("ask", ["venue", "site", "gate", "landmark"])
def test_unknown_place_is_refused_by_name(city: City, ask: str) -> None:
    with pytest.raises(KeyError, match="nowhere"):
        getattr(city, ask)("nowhere")
