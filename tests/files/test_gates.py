"""Gates from CSV, in Chinese or English words, and from OSM."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.files.errors import MissingColumn, UnknownDatum
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


@pytest.mark.real
def test_gates_of_a_real_map(real_data: Callable[[str], Path]) -> None:
    read = read_gates(real_data("beijing_osm_cau_2026/map.osm"))
    assert not read.rejected
    assert len(read.gates) == 21
