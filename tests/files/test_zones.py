"""Zones by the contract of design.md section 9, and administrative boundaries."""

import json
from pathlib import Path

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, Polygon

from api.files.errors import MissingColumn, UnreadableFile
from api.files.zones import ZonesRead, read_boundaries, read_zones
from geo.datum import Datum, to_wgs84
from geo.shapes import Area, Circle, Corridor
from tests.files.shared_data import shared_file

POINT = {"type": "Point", "coordinates": [116.4, 39.9]}
LINE = {"type": "LineString", "coordinates": [[116.4, 39.9], [116.5, 39.9]]}
BOX = {"type": "Polygon", "coordinates": [[[116.4, 39.9], [116.5, 39.9], [116.5, 40.0], [116.4, 40.0], [116.4, 39.9]]]}
BOW_TIE = {"type": "Polygon", "coordinates": [[[116, 39], [117, 40], [117, 39], [116, 40], [116, 39]]]}


def a_zone(zone_id: object = "z1", geometry: object = BOX, **properties: object) -> dict[str, object]:
    return {
        "type": "Feature",
        "id": zone_id,
        "geometry": geometry,
        "properties": {"kind": "exclusion", **properties},
    }


def read(folder: Path, *zones: object, datum: Datum | None = None, **members: object) -> ZonesRead:
    path = folder / "zones.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": zones, **members}), "utf-8")
    return read_zones(path, datum=datum)


def test_areas_circles_and_corridors(tmp_path: Path) -> None:
    area, circle, corridor = read(
        tmp_path,
        a_zone("z1", BOX, name="合成区域", schedule={"days": ["mon"]}),
        a_zone(2, POINT, radius_m=200, kind="inclusion"),
        a_zone("z3", LINE, radius_m=30.5),
    ).zones
    assert (area.zone_id, area.kind, area.name, area.schedule) == ("z1", "exclusion", "合成区域", {"days": ["mon"]})
    assert isinstance(area.shape, Area)
    assert (circle.zone_id, circle.kind, circle.schedule) == ("2", "inclusion", None)
    assert circle.shape == Circle(longitude=116.4, latitude=39.9, radius_m=200.0)
    assert isinstance(corridor.shape, Corridor)
    assert corridor.shape.half_width_m == 30.5


def test_another_datum_moves_the_shape_and_keeps_its_size(tmp_path: Path) -> None:
    zones = read(
        tmp_path, a_zone("z1", POINT, radius_m=50), a_zone("z2", LINE, radius_m=50), a_zone("z3"), datum=Datum.GCJ02
    ).zones
    longitude, latitude = to_wgs84(longitude=116.4, latitude=39.9, datum=Datum.GCJ02)
    assert zones[0].shape == Circle(longitude=float(longitude), latitude=float(latitude), radius_m=50.0)
    assert isinstance(zones[1].shape, Corridor)
    assert isinstance(zones[2].shape, Area)
    for moved in (zones[1].shape.line, zones[2].shape.geometry):
        assert shapely.get_coordinates(moved)[0] == pytest.approx([float(longitude), float(latitude)], abs=1e-9)


BAD_ZONES = [
    (a_zone(None), "id"),
    (a_zone("bad", kind="forbidden"), "kind"),
    (a_zone("bad", kind=None), "kind"),
    (a_zone("bad", POINT), "geometry"),
    (a_zone("bad", POINT, radius_m="50"), "radius_m"),
    (a_zone("bad", POINT, radius_m=True), "radius_m"),
    (a_zone("bad", POINT, radius_m=0), "geometry"),
    (a_zone("bad", POINT, radius_m=10**400), "geometry"),
    (a_zone("bad", LINE), "geometry"),
    (a_zone("bad", BOX, radius_m=50), "geometry"),
    (a_zone("bad", BOW_TIE), "geometry"),
    (a_zone("bad", None), "geometry"),
    (a_zone("bad", {"type": "Point", "coordinates": [39.9, 116.4]}, radius_m=5), "geometry"),
    (a_zone("bad", {"type": "Polygon", "coordinates": [[[1, 2], [3, 4]]]}), "geometry"),
    (a_zone("first"), "id"),
    (a_zone("bad", name="a\ud800"), "name"),
    (None, "id"),
    ({"type": "Feature"}, "id"),
]


@pytest.mark.parametrize(("bad", "field"), BAD_ZONES)
def test_a_bad_zone_is_rejected_by_position_and_the_rest_are_kept(tmp_path: Path, bad: object, field: str) -> None:
    found = read(tmp_path, a_zone("first"), bad, a_zone("last"))
    (rejection,) = found.rejected
    assert (rejection.line, rejection.field) == (2, field)
    assert rejection.reason
    assert [zone.zone_id for zone in found.zones] == ["first", "last"]


def test_an_id_may_stand_among_the_properties(tmp_path: Path) -> None:
    (zone,) = read(tmp_path, a_zone(None, BOX, id="z9")).zones
    assert zone.zone_id == "z9"


def test_a_projected_zone_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="EPSG:4326"):
        read(tmp_path, crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}})


def test_a_file_that_is_no_feature_collection_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zones.geojson"
    path.write_text("[]", "utf-8")
    with pytest.raises(UnreadableFile):
        read_zones(path)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)
KINDS = st.sampled_from(["Point", "LineString", "Polygon", "MultiPolygon", "GeometryCollection"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(kind=KINDS, coordinates=JSON, radius=st.one_of(st.none(), st.integers(), st.floats()))
def test_any_geometry_is_a_zone_or_a_rejection(tmp_path: Path, kind: str, coordinates: object, radius: object) -> None:
    bad = a_zone("any", {"type": kind, "coordinates": coordinates}, radius_m=radius)
    found = read(tmp_path, bad, a_zone("good"))
    assert len(found.zones) + len(found.rejected) == 2
    assert found.zones[-1].zone_id == "good"


def boundaries(folder: Path) -> Path:
    bow_tie = Polygon(BOW_TIE["coordinates"][0])  # type: ignore[arg-type]
    geometry = [Polygon([(116, 39), (117, 39), (117, 40)]), bow_tie, None, Point(116, 39)]
    table = geopandas.GeoDataFrame(
        {"Code": ["110101", "110102", "110103", "110104"], "Name": ["甲区", "乙区", "丙区", "丁区"]},
        geometry=np.array(geometry, dtype=object),
        crs="EPSG:4490",
    )
    path = folder / "county.gpkg"
    table.to_file(path, layer="county")
    return path


def test_boundaries_are_inclusion_zones_and_bad_ones_are_rejected(tmp_path: Path) -> None:
    found = read_boundaries(boundaries(tmp_path), code_column="Code", name_column="Name")
    (zone,) = found.zones
    assert (zone.zone_id, zone.kind, zone.name) == ("110101", "inclusion", "甲区")
    assert [(row.line, row.reference, row.field) for row in found.rejected] == [
        (2, "110102", "geometry"),
        (3, "110103", "geometry"),
        (4, "110104", "geometry"),
    ]


def test_repair_is_asked_for_and_reported(tmp_path: Path) -> None:
    found = read_boundaries(boundaries(tmp_path), code_column="code", name_column="name", repair=True)
    assert [zone.zone_id for zone in found.zones] == ["110101", "110102"]
    assert found.repaired == ("110102",)


def test_a_missing_code_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingColumn, match="gb2260"):
        read_boundaries(boundaries(tmp_path), code_column="GB2260", name_column="Name")


@pytest.mark.real
def test_counties_of_china() -> None:
    path = shared_file("china_county_osm_mapchina/china_county.gpkg")
    found = read_boundaries(path, code_column="Code_County", name_column="Name_County", layer="county")
    assert len(found.zones) == 2900
    assert [(row.line, row.reference) for row in found.rejected] == [(2142, "510302")]
    repaired = read_boundaries(path, code_column="Code_County", name_column="Name_County", repair=True)
    assert (len(repaired.zones), repaired.repaired, repaired.rejected) == (2901, ("510302",), ())
