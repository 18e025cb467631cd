"""GeoJSON, GeoPackage and Shapefile: the CRS is obeyed, a given datum wins, bad features cost themselves."""

import json
from pathlib import Path

import geopandas
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon
from shapely.geometry.base import BaseGeometry

from api.files.errors import UnknownDatum, UnreadableFile
from api.files.mappings import load_mapping
from api.files.places import read_places
from geo.datum import Datum, to_wgs84
from tests.files.shared_data import shared_file
from venues.category import SiteCategory, VenueCategory

OSM = load_mapping("osm")
HULAN = load_mapping("hulan")
BAR = Point(116.4, 39.9).buffer(0.001, quad_segs=1)
BOX = Polygon([(116.0, 39.0), (116.01, 39.0), (116.01, 39.01), (116.0, 39.01)])


def a_layer(crs: str | None, *, bar: BaseGeometry | None = None) -> geopandas.GeoDataFrame:
    columns = {"id": [1, 2], "name": ["合成酒吧", "合成小学"], "category": ["酒吧", "小学"]}
    geometry = [BAR if bar is None else bar, BOX]
    if crs is None:
        return geopandas.GeoDataFrame(columns, geometry=geometry)
    return geopandas.GeoDataFrame(columns, geometry=geometry, crs="EPSG:4326").to_crs(crs)


def features(folder: Path, *items: object, **members: object) -> Path:
    path = folder / "places.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": items, **members}), "utf-8")
    return path


def feature(geometry: object, **properties: object) -> dict[str, object]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def point(longitude: float = 116.4, latitude: float = 39.9) -> dict[str, object]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson"])
@pytest.mark.parametrize(
    ("crs", "datum"),
    [
        ("EPSG:4326", Datum.WGS84),
        ("EPSG:4490", Datum.CGCS2000),
        ("EPSG:32650", Datum.WGS84),
        ("EPSG:4527", Datum.CGCS2000),
    ],
)
def test_every_crs_comes_to_the_same_degrees(tmp_path: Path, suffix: str, crs: str, datum: Datum) -> None:
    path = tmp_path / f"places.{suffix}"
    a_layer(crs).to_file(path)
    read = read_places(path, mapping=HULAN)
    (venue,), (site,) = read.venues, read.sites
    assert (venue.key.source_id, venue.name, venue.category) == ("1", "合成酒吧", VenueCategory.BAR)
    assert (venue.datum, site.category) == (datum, SiteCategory.PRIMARY_SCHOOL)
    assert shapely.equals_exact(venue.geometry.normalize(), BAR.normalize(), tolerance=1e-7)
    assert shapely.equals_exact(site.geometry.normalize(), BOX.normalize(), tolerance=1e-7)
    assert shapely.equals_exact(venue.raw_geometry, venue.geometry, tolerance=1e-9)


def test_a_datum_given_by_the_caller_wins_over_the_files_crs(tmp_path: Path) -> None:
    path = tmp_path / "places.gpkg"
    a_layer("EPSG:3857").to_file(path)
    (venue,) = read_places(path, mapping=HULAN, datum=Datum.GCJ02).venues
    longitude, latitude = to_wgs84(longitude=116.4, latitude=39.9, datum=Datum.GCJ02)
    assert shapely.equals_exact(venue.geometry.centroid, Point(float(longitude), float(latitude)), tolerance=1e-6)
    assert venue.datum is Datum.GCJ02


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_shapefile_without_prj_is_refused_unless_a_datum_is_given(tmp_path: Path) -> None:
    path = tmp_path / "places.shp"
    a_layer(None).to_file(path)
    assert not path.with_suffix(".prj").exists()
    with pytest.raises(UnknownDatum):
        read_places(path, mapping=HULAN)
    (venue,) = read_places(path, mapping=HULAN, datum=Datum.BD09).venues
    assert venue.datum is Datum.BD09


def test_a_shapefile_of_old_chinese_software_without_cpg(tmp_path: Path) -> None:
    path = tmp_path / "places.shp"
    a_layer("EPSG:4326").to_file(path, encoding="GB18030")
    path.with_suffix(".cpg").unlink()
    (venue,) = read_places(path, mapping=HULAN).venues
    assert venue.name == "合成酒吧"


def test_a_package_of_several_layers_needs_a_choice(tmp_path: Path) -> None:
    path = tmp_path / "places.gpkg"
    a_layer("EPSG:4326").to_file(path, layer="one")
    a_layer("EPSG:4326").to_file(path, layer="two")
    with pytest.raises(UnreadableFile, match="one, two"):
        read_places(path, mapping=HULAN)
    assert len(read_places(path, mapping=HULAN, layer="two").venues) == 1


def test_features_of_osm_exports_are_read_by_their_tags(tmp_path: Path) -> None:
    path = features(
        tmp_path,
        feature(point(), **{"@id": "node/1", "amenity": "bar", "name": "合成酒吧"}),
        feature(point(), **{"@id": "way/2", "highway": "residential"}),
        {**feature(point(), shop="tobacco"), "id": "node/3"},
    )
    read = read_places(path, mapping=OSM, source="osm")
    assert [venue.key.source_id for venue in read.venues] == ["node/1", "node/3"]
    assert (read.ignored_count, read.rejected) == (1, ())


def test_every_bad_feature_is_rejected_and_the_good_ones_are_kept(tmp_path: Path) -> None:
    bow_tie = {"type": "Polygon", "coordinates": [[[116, 39], [117, 40], [117, 39], [116, 40], [116, 39]]]}
    bad: list[object] = [
        None,
        bow_tie,
        {"type": "LineString", "coordinates": [[116, 39], [117, 40]]},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": ["east", "north"]},
        {"type": "Point", "coordinates": [float("nan"), 39.9]},
        {"type": "Point", "coordinates": [39.9, 116.4]},
        {"type": "Polygon", "coordinates": [[[116, 39], [117, 40]]]},
        {"type": "Ball", "coordinates": [1, 2]},
        [1, 2],
    ]
    items = [feature(geometry, id=number, category="bar") for number, geometry in enumerate(bad)]
    read = read_places(features(tmp_path, *items, feature(point(), id="good", category="bar")), mapping=HULAN)
    assert [row.reference for row in read.rejected] == [str(number) for number in range(len(bad))]
    assert [row.line for row in read.rejected] == list(range(1, len(bad) + 1))
    assert [venue.key.source_id for venue in read.venues] == ["good"]


def test_a_name_that_no_database_takes_is_rejected(tmp_path: Path) -> None:
    items = [feature(point(), id=name, name=name, category="bar") for name in ("a\ud800", "a\x00", "合成")]
    read = read_places(features(tmp_path, *items), mapping=HULAN)
    assert [row.reference for row in read.rejected] == ["a\\ud800", "a\\x00"]
    assert len(read.venues) == 1


def test_things_that_are_not_features_are_rejected(tmp_path: Path) -> None:
    read = read_places(features(tmp_path, 7, {"type": "Feature"}), mapping=HULAN)
    assert [row.line for row in read.rejected] == [1, 2]


def test_heights_are_dropped(tmp_path: Path) -> None:
    path = features(tmp_path, feature({"type": "Point", "coordinates": [116.4, 39.9, 50.0]}, id="1", category="bar"))
    (venue,) = read_places(path, mapping=HULAN).venues
    assert not venue.geometry.has_z


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.geojson", b'{"type": "FeatureCollection", "features": [{]}'),
        ("x.geojson", b"[" * 100_000),
        ("x.geojson", b'{"type": "Topology"}'),
        ("x.gpkg", b"not a database"),
        ("x.shp", b"not a shapefile"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile):
        read_places(tmp_path / name, mapping=HULAN)


@pytest.mark.parametrize("code", ["EPSG:9999999", "EPSG:4214", "EPSG:4610", "EPSG:4269"])
def test_a_crs_without_an_exact_way_to_wgs84_is_refused(tmp_path: Path, code: str) -> None:
    crs = {"type": "name", "properties": {"name": code}}
    with pytest.raises(UnreadableFile, match="EPSG:4326"):
        read_places(features(tmp_path, crs=crs), mapping=HULAN)


def test_european_degrees_are_taken_as_wgs84(tmp_path: Path) -> None:
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4258"}}
    path = features(tmp_path, feature(point(9.5, 47.1), id="1", category="bar"), crs=crs)
    (venue,) = read_places(path, mapping=HULAN).venues
    assert shapely.equals_exact(venue.geometry, Point(9.5, 47.1), tolerance=1e-5)


def test_a_line_layer_rejects_by_type(tmp_path: Path) -> None:
    path = tmp_path / "lines.gpkg"
    a_layer("EPSG:4326", bar=LineString([(116, 39), (117, 39)])).to_file(path)
    read = read_places(path, mapping=HULAN)
    assert [(row.reference, row.value) for row in read.rejected] == [("1", "LineString")]
    assert len(read.sites) == 1


@pytest.mark.real
@pytest.mark.parametrize(("name", "count"), [("places", 1114), ("landuse", 5046)])
def test_shapefiles_without_places_of_ours(name: str, count: int) -> None:
    read = read_places(shared_file(f"beijing_osm_bbbike_2020/{name}.shp"), mapping=OSM)
    assert (read.venues, read.sites, read.rejected, read.ignored_count) == ((), (), (), count)
