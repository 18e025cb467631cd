"""Gates from CSV, in Chinese or English words, and from OSM."""

import json
from collections.abc import Callable
from pathlib import Path

import geopandas
import pytest
from openpyxl import Workbook

from api.files.errors import MissingColumn, UnknownDatum, UnreadableFile
from api.files.gates import GatesRead, read_gates
from geo.datum import Datum, from_wgs84
from venues.distance_ends import GateKind
from venues.place import SourceKey

HEADER = "编号,学校来源,学校编号,类型,是否关闭,误差米,经度,纬度,坐标系\n"


def read_rows(folder: Path, rows: str, *, header: str = HEADER, datum: Datum | None = None) -> GatesRead:
    path = folder / "gates.csv"
    path.write_text(header + rows, "utf-8-sig")
    return read_gates(path, datum=datum)


def test_a_gate_names_its_school_and_keeps_its_place_as_sent(tmp_path: Path) -> None:
    lon, lat = from_wgs84(longitude=117.2, latitude=34.26, datum=Datum.GCJ02)
    (found,) = read_rows(tmp_path, f"G1,osm,way/7,学生,否,2.5,{lon},{lat},gcj-02\n").gates
    assert found.site_key == SourceKey(source="osm", source_id="way/7")
    assert (found.gate.kind, found.gate.is_closed, found.gate.error_m) == (GateKind.STUDENT, False, 2.5)
    assert found.gate.longitude == pytest.approx(117.2, abs=1e-8)
    assert found.gate.latitude == pytest.approx(34.26, abs=1e-8)
    assert (found.raw.x, found.datum) == (float(lon), Datum.GCJ02)


@pytest.mark.parametrize(
    ("cells", "kind", "is_closed"),
    [
        ("后勤,", GateKind.SERVICE, False),
        ("封闭,", GateKind.UNKNOWN, True),
        ("student,是", GateKind.STUDENT, True),
        (",", GateKind.UNKNOWN, False),
    ],
)
def test_kinds_and_closing(tmp_path: Path, cells: str, kind: GateKind, is_closed: bool) -> None:
    (found,) = read_rows(tmp_path, f"G1,,,{cells},,117.2,34.26,WGS84\n").gates
    assert (found.gate.kind, found.gate.is_closed, found.site_key, found.gate.error_m) == (kind, is_closed, None, None)


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (",,,,,,117.2,34.26,WGS84", "id"),
        ("G0,,,,,,117.2,34.26,WGS84", "id"),
        ("G2,,,正门,,,117.2,34.26,WGS84", "kind"),
        ("G2,osm,,,,,117.2,34.26,WGS84", "site_source_id"),
        ("G2,,,,,,34.26,117.2,WGS84", "latitude"),
        ("G2,,,,,,东经,34.26,WGS84", "longitude"),
        ("G2,,,,,-1,117.2,34.26,WGS84", "error_m"),
        ("G2,,,,也许,,117.2,34.26,WGS84", "is_closed"),
        ("G2,,,,,,117.2,34.26,", "datum"),
    ],
)
def test_a_bad_row_is_rejected_with_its_field_and_the_good_one_is_kept(tmp_path: Path, row: str, field: str) -> None:
    read = read_rows(tmp_path, f"G0,,,,,,117.2,34.26,WGS84\n{row}\n")
    assert [found.gate.gate_id for found in read.gates] == ["G0"]
    assert [(one.line, one.field) for one in read.rejected] == [(3, field)]


def test_a_file_without_datum_or_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownDatum):
        read_rows(tmp_path, "G1,117.2,34.26\n", header="id,longitude,latitude\n")
    with pytest.raises(MissingColumn, match="longitude"):
        read_rows(tmp_path, "G1,34.26\n", header="id,latitude\n", datum=Datum.WGS84)
    assert len(read_rows(tmp_path, "G1,117.2,34.26\n", header="id,lon,lat\n", datum=Datum.WGS84).gates) == 1


def test_a_row_says_that_the_gates_of_its_campus_are_all_there(tmp_path: Path) -> None:
    header = HEADER.replace("误差米", "误差米,校门齐全")
    rows = "".join(f"G{number},,,,,,{word},117.2,34.26,WGS84\n" for number, word in enumerate(("是", "否", "", "也许")))
    read = read_rows(tmp_path, rows, header=header)
    assert [found.says_all for found in read.gates] == [True, False, False]
    assert [one.field for one in read.rejected] == ["all_gates"]
    assert not read_rows(tmp_path, "G1,,,,,,117.2,34.26,WGS84\n").gates[0].says_all


ROWS = [
    {"编号": "G1", "学校来源": "osm", "学校编号": "way/7", "类型": "学生", "是否关闭": "否", "误差米": "2.5"},
    {"编号": "G2", "类型": "封闭"},
    {"编号": "G2", "类型": "学生"},
    {"编号": "G3", "类型": "正门"},
]


def write_geojson(path: Path) -> None:
    features = [
        {"type": "Feature", "properties": row, "geometry": {"type": "Point", "coordinates": [117.2 + n / 1000, 34.26]}}
        for n, row in enumerate(ROWS)
    ]
    wall = {"type": "LineString", "coordinates": [[117.2, 34.26], [117.3, 34.26]]}
    features.append({"type": "Feature", "properties": {}, "geometry": wall})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False), "utf-8")


@pytest.mark.parametrize("name", ["gates.xlsx", "gates.geojson", "gates.gpkg"])
def test_every_kind_of_file_gives_the_same_gates(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".xlsx"):
        book = Workbook()
        sheet = book.worksheets[0]
        columns = [*ROWS[0], "经度", "纬度"]
        sheet.append(columns)
        for n, row in enumerate(ROWS):
            sheet.append([{**row, "经度": str(117.2 + n / 1000), "纬度": "34.26"}.get(column) for column in columns])
        book.save(path)
    else:
        write_geojson(tmp_path / "gates.geojson")
        if name.endswith(".gpkg"):
            geopandas.read_file(tmp_path / "gates.geojson").to_file(path, driver="GPKG", layer="gates")
    read = read_gates(path, datum=Datum.WGS84)
    first, second = read.gates
    assert first.site_key == SourceKey(source="osm", source_id="way/7")
    assert (first.gate.kind, first.gate.is_closed, first.gate.error_m) == (GateKind.STUDENT, False, 2.5)
    assert (second.gate.gate_id, second.gate.is_closed, second.site_key) == ("G2", True, None)
    assert (first.gate.longitude, second.gate.longitude) == (117.2, 117.2 + 1 / 1000)
    assert [(one.reference, one.field) for one in read.rejected[:2]] == [("G2", "id"), ("G3", "kind")]
    assert len(read.rejected) == (2 if name.endswith(".xlsx") else 3)


def test_degrees_of_a_feature_are_of_the_datum_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gates.geojson"
    write_geojson(path)
    found = read_gates(path, datum=Datum.GCJ02).gates[0]
    assert (found.raw.x, found.datum) == (117.2, Datum.GCJ02)
    assert abs(found.gate.longitude - 117.2) > 0.001


def test_another_kind_of_file_is_refused_with_those_that_are_read(tmp_path: Path) -> None:
    path = tmp_path / "gates.docx"
    path.write_bytes(b"")
    with pytest.raises(UnreadableFile, match="geojson"):
        read_gates(path)


@pytest.mark.real
def test_gates_of_a_real_map(real_data: Callable[[str], Path]) -> None:
    read = read_gates(real_data("beijing_osm_cau_2026/map.osm"))
    assert not read.rejected
    assert len(read.gates) == 21
