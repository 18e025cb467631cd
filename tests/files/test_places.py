"""Places from CSV: what is taken, what is ignored, and what is rejected with which reason. Synthetic names only."""

import csv
from datetime import date
from pathlib import Path

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from shapely.geometry import Point

from api.files.errors import MissingColumn, UnknownDatum, UnreadableFile
from api.files.mappings import load_mapping
from api.files.places import read_places
from geo.datum import Datum, to_wgs84
from tests.files.shared_data import shared_file
from venues.category import SiteCategory, VenueCategory
from venues.place import PlacesRead, Site, SourceKey, Venue

OSM = load_mapping("osm")
HULAN = load_mapping("hulan")
AMAP = load_mapping("amap")
HEADER = "id,name,category,longitude,latitude\n"


def a_csv(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path = folder / "register.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read_rows(folder: Path, rows: str, *, header: str = HEADER) -> PlacesRead:
    return read_places(a_csv(folder, header + rows), mapping=HULAN, datum=Datum.WGS84)


def test_a_venue_and_a_site_are_told_apart(tmp_path: Path) -> None:
    read = read_rows(tmp_path, "1,合成网吧,网吧,116.4,39.9\n2,合成小学,小学,116.41,39.91\n")
    (venue,), (site,) = read.venues, read.sites
    assert venue.key == SourceKey(source="register", source_id="1")
    assert (venue.name, venue.category, venue.datum) == ("合成网吧", VenueCategory.INTERNET_CAFE, Datum.WGS84)
    assert venue.geometry.equals(Point(116.4, 39.9))
    assert site.category is SiteCategory.PRIMARY_SCHOOL
    assert read.rejected == ()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_chinese_headers_and_encodings(tmp_path: Path, encoding: str) -> None:
    text = "编号;名称;类别;经度;纬度;坐标系;地址\nA1;夜色 酒吧;酒吧;116.4;39.9;GCJ-02;合成路1号\n"
    (venue,) = read_places(a_csv(tmp_path, text, encoding=encoding), mapping=HULAN, datum=None).venues
    assert (venue.name, venue.address, venue.datum) == ("夜色 酒吧", "合成路1号", Datum.GCJ02)


def test_a_shifted_datum_is_converted_and_kept_as_sent(tmp_path: Path) -> None:
    text = "id,typecode,lng,lat\nB0,080304|050000,116.404,39.915\n"
    (venue,) = read_places(a_csv(tmp_path, text), mapping=AMAP, datum=Datum.GCJ02, source="amap").venues
    longitude, latitude = to_wgs84(longitude=116.404, latitude=39.915, datum=Datum.GCJ02)
    assert venue.geometry.equals(Point(float(longitude), float(latitude)))
    assert venue.raw_geometry.equals(Point(116.404, 39.915))
    assert venue.key == SourceKey(source="amap", source_id="B0")


def test_without_a_datum_the_whole_file_is_refused(tmp_path: Path) -> None:
    path = a_csv(tmp_path, HEADER + "1,a,bar,116.4,39.9\n")
    with pytest.raises(UnknownDatum, match=r"缺少 datum 列.*--datum GCJ02"):
        read_places(path, mapping=HULAN, datum=None)


def test_a_rows_own_datum_wins_over_the_argument(tmp_path: Path) -> None:
    text = HEADER.strip() + ",datum\n1,a,bar,116.4,39.9,BD09\n2,b,bar,116.4,39.9,\n"
    read = read_places(a_csv(tmp_path, text), mapping=HULAN, datum=Datum.CGCS2000)
    assert [venue.datum for venue in read.venues] == [Datum.BD09, Datum.CGCS2000]


@pytest.mark.parametrize(
    ("row", "field", "reason"),
    [
        ("9,a,bar,,39.9", "longitude", "missing"),
        ("9,a,bar,116.4,NaN", "latitude", "missing"),
        ("9,a,bar,116.4,north", "latitude", "not a number"),
        ("9,a,bar,216.4,39.9", "longitude", "out of range"),
        ("9,a,bar,39.9,116.4", "latitude", "swapped"),
        ("9,a,bar,0,0", "longitude", "0,0"),
        (" ,a,bar,116.4,39.9", "id", "empty id"),
        ("1,a,bar,116.4,39.9", "id", "duplicate id: line 2"),
        ("9,a,,116.4,39.9", "category", "category"),
        ("9,a,pubb,116.4,39.9", "category", "category"),
        ("9,a,bar,116.4,39.9,x", "", "columns"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason_and_the_others_are_kept(
    tmp_path: Path, row: str, field: str, reason: str
) -> None:
    read = read_rows(tmp_path, f"1,good,bar,116.4,39.9\n{row}\n3,good,ktv,116.4,39.9\n")
    (rejection,) = read.rejected
    assert (rejection.line, rejection.field) == (3, field)
    assert reason in rejection.reason
    assert [venue.key.source_id for venue in read.venues] == ["1", "3"]


def test_a_rejection_carries_the_rows_own_id(tmp_path: Path) -> None:
    (rejection,) = read_rows(tmp_path, "77,a,bar,x,39.9\n").rejected
    assert (rejection.reference, rejection.value) == ("77", "x")


def test_an_id_whose_first_row_was_bad_is_not_taken(tmp_path: Path) -> None:
    read = read_rows(tmp_path, "1,a,bar,x,39.9\n1,a,bar,116.4,39.9\n")
    assert [venue.key.source_id for venue in read.venues] == ["1"]


def test_the_day_on_which_a_school_opened_is_read_or_told_and_costs_no_school(tmp_path: Path) -> None:
    header = "id,name,category,longitude,latitude,建校日期\n"
    rows = (
        "1,a,小学,116.4,39.9,2019年9月1日\n2,b,小学,116.5,39.9,1958\n3,c,小学,116.6,39.9,—\n4,d,bar,116.7,39.9,1958\n"
    )
    read = read_places(a_csv(tmp_path, header + rows), mapping=HULAN, datum=Datum.WGS84)
    assert [site.opened_on for site in read.sites] == [date(2019, 9, 1), None, None]
    assert not read.rejected
    assert [(row.line, row.reference, row.field, row.value) for row in read.set_aside] == [
        (3, "2", "opened_on", "1958")
    ]


def test_a_workbook_gives_the_same_places_as_a_table(tmp_path: Path) -> None:
    rows = "1,星光,bar,116.4,39.9\n2,实验小学,小学,116.5,39.9\n3,x,bank,116.4,39.9\n"
    book = Workbook()
    for line in (HEADER + rows).splitlines():
        book.worksheets[0].append(line.split(","))
    book.save(tmp_path / "places.xlsx")
    from_table = read_places(a_csv(tmp_path, HEADER + rows), mapping=HULAN, datum=Datum.WGS84, source="x")
    from_book = read_places(tmp_path / "places.xlsx", mapping=HULAN, datum=Datum.WGS84, source="x")
    assert from_book == from_table
    assert (len(from_book.venues), len(from_book.sites), len(from_book.rejected)) == (1, 1, 1)


def test_what_is_no_place_of_ours_is_counted(tmp_path: Path) -> None:
    text = "osm_id,type,name,lon,lat\n1,bank,a,116.4,39.9\n2,university,b,0,0\n3,pub,c,116.4,39.9\n"
    read = read_places(a_csv(tmp_path, text), mapping=OSM, datum=Datum.WGS84)
    assert (read.ignored_count, len(read.venues), read.rejected) == (2, 1, ())
    assert len(read.ignored_ids) == 2, "what is ignored is still in the file"


def test_a_table_with_osm_keys_as_columns(tmp_path: Path) -> None:
    text = "@id,amenity,shop,lon,lat\nnode/1,bar,,116.4,39.9\nnode/2,,tobacco,116.4,39.9\nnode/3,bench,,116.4,39.9\n"
    read = read_places(a_csv(tmp_path, text), mapping=OSM, datum=Datum.WGS84, source="osm")
    assert [venue.category for venue in read.venues] == [VenueCategory.BAR, VenueCategory.TOBACCO]
    assert read.ignored_count == 1


@pytest.mark.parametrize("missing", ["id", "category", "longitude", "latitude"])
def test_a_missing_column_is_named(tmp_path: Path, missing: str) -> None:
    header = ",".join(column if column != missing else "x" for column in HEADER.strip().split(","))
    with pytest.raises(MissingColumn, match=missing):
        read_rows(tmp_path, "", header=header + "\n")


def test_an_unknown_kind_of_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.docx").write_bytes(b"")
    with pytest.raises(UnreadableFile, match="不支持"):
        read_places(tmp_path / "x.docx", mapping=OSM)


def test_a_mapping_of_codes_cannot_read_osm(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="amap"):
        read_places(tmp_path / "map.osm", mapping=AMAP)


def test_a_nul_in_a_row_is_rejected(tmp_path: Path) -> None:
    read = read_rows(tmp_path, "1,a\x00b,bar,116.4,39.9\n2,b,bar,116.4,39.9\n")
    assert ([row.line for row in read.rejected], len(read.venues)) == ([2], 1)


def test_progress_adds_up_to_every_record(tmp_path: Path) -> None:
    steps: list[int] = []
    rows = "".join(f"{number},a,{'bar' if number % 2 else 'x'},116.4,39.9\n" for number in range(2500))
    read_places(a_csv(tmp_path, HEADER + rows), mapping=HULAN, datum=Datum.WGS84, progress=steps.append)
    assert steps == [1000, 1000, 500]


BAD_ROWS = [("x", "", 116.4, 39.9), ("x", "bar", 39.9, 116.4), ("x", "bar", 0.0, 0.0), ("x", "?", 1.0, 2.0)]
NAMES = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
GOOD = st.tuples(NAMES, st.sampled_from(["bar", "网吧", "小学"]), st.floats(73.5, 135.0), st.floats(3.5, 53.5))
BAD = st.sampled_from(BAD_ROWS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(rows=st.lists(st.one_of(GOOD, BAD), max_size=10), encoding=st.sampled_from(["utf-8-sig", "utf-8"]))
def test_every_row_is_taken_exactly_or_rejected_by_line(
    tmp_path: Path, rows: list[tuple[str, str, float, float]], encoding: str
) -> None:
    path = tmp_path / "register.csv"
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER.strip().split(","))
        writer.writerows([number, *row] for number, row in enumerate(rows))
    read = read_places(path, mapping=HULAN, datum=Datum.WGS84)
    expected = {str(number): row for number, row in enumerate(rows) if row not in BAD_ROWS}
    places: list[Venue | Site] = [*read.venues, *read.sites]
    taken = {place.key.source_id: place for place in places}
    assert {row.line for row in read.rejected} == {number + 2 for number, row in enumerate(rows) if row in BAD_ROWS}
    assert taken.keys() == expected.keys()
    for source_id, (name, _, longitude, latitude) in expected.items():
        assert taken[source_id].name == name
        assert shapely.get_coordinates(taken[source_id].geometry).tolist() == [[longitude, latitude]]


@pytest.mark.real
def test_beijing_venue_nodes() -> None:
    path = shared_file("beijing_osm_bbbike_2020/venues_west.csv")
    read = read_places(path, mapping=OSM, datum=Datum.WGS84)
    assert (len(read.venues), len(read.sites), len(read.rejected), read.ignored_count) == (411, 89, 0, 1941)
    assert sum(venue.category is VenueCategory.HOTEL for venue in read.venues) == 197 + 94 + 31 + 8
    with pytest.raises(UnknownDatum):
        read_places(path, mapping=OSM)
