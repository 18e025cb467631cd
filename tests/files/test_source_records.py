"""Registers from files: Chinese headers, Excel, shapes, OSM; every row a record, rejected, or no venue."""

import json
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from api.files.errors import MissingColumn, UnknownDatum, UnreadableFile
from api.files.mappings import load_mapping
from api.files.rejects import write_rejects
from api.files.source_records import SourceRecordsRead, read_source_records
from geo.datum import Datum
from tests.files.shared_data import shared_file
from venues.category import VenueCategory
from venues.mapping import parse_mapping
from venues.source_record import SourceKind

HEADER = "统一社会信用代码,企业名称,法定代表人,身份证号,住所（经营场所）,联系电话,成立日期,有效期止,经度,纬度"
GOOD = (
    "91350100M000100Y43,徐州市云龙区星光娱乐有限公司,张某,320303199001011234,"
    "和平路28号3层,13800000101,2021年3月1日,长期,117.255718,34.248705"
)
REGISTER = SourceKind.BUSINESS_REGISTRATION


def read(folder: Path, *lines: str, name: str = "register.csv", kind: SourceKind = REGISTER) -> SourceRecordsRead:
    path = folder / name
    path.write_text("\n".join((HEADER, *lines)), "utf-8-sig")
    return read_source_records(path, kind=kind, source="市监", datum=Datum.GCJ02)


def test_a_register_with_chinese_headers_is_read(tmp_path: Path) -> None:
    (record,) = read(tmp_path, GOOD).records
    assert (record.key.source, record.key.source_id) == ("市监", "91350100M000100Y43")
    assert (record.name, record.address) == ("徐州市云龙区星光娱乐有限公司", "和平路28号3层")
    assert (record.phones, record.valid_from, record.valid_to) == (("+8613800000101",), date(2021, 3, 1), None)
    assert record.longitude == pytest.approx(117.25, abs=1e-5)
    assert record.latitude == pytest.approx(34.25, abs=1e-5)


def test_who_represents_a_company_is_not_kept(tmp_path: Path) -> None:
    (record,) = read(tmp_path, GOOD).records
    assert "张某" not in repr(record)
    assert "320303199001011234" not in repr(record)


def test_every_row_is_a_record_or_rejected_with_field_value_and_remedy(tmp_path: Path) -> None:
    wrong_code = GOOD.replace("Y43", "Y44")
    read_rows = read(
        tmp_path,
        wrong_code,
        GOOD,
        GOOD,
        GOOD.replace("91350100M000100Y43", ""),
        GOOD.replace("徐州市云龙区星光娱乐有限公司", ""),
        GOOD.replace("117.255718", ""),
        GOOD.replace("117.255718", "东边"),
        GOOD.replace("Y43", "Y44").replace("2021年3月1日", "前年"),
        "a,b",
    )
    assert len(read_rows.records) == 1
    told = [(row.line, row.field) for row in read_rows.rejected]
    assert told == [
        (2, "uscc"), (4, "id"), (5, "id"), (6, "name"), (7, "longitude"), (8, "longitude"), (9, "uscc"), (10, ""),
    ]  # fmt: skip
    assert all(" / " in row.reason for row in read_rows.rejected)
    text = write_rejects(tmp_path / "rejects.csv", read_rows.rejected).read_text("utf-8-sig")
    assert text.count("\n") >= len(told)


def test_a_wrong_telephone_costs_the_number_and_not_the_row(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD.replace("13800000101", "12309"))
    assert found.records[0].phones == ()
    assert [(row.line, row.field, row.value) for row in found.set_aside] == [(2, "phone", "12309")]


def test_an_odd_licence_number_is_taken_and_told(tmp_path: Path) -> None:
    path = tmp_path / "tobacco.csv"
    path.write_text("烟草专卖零售许可证号,店名\n320303100123,老王烟酒店\n999999300123,好再来超市\n", "utf-8")
    found = read_source_records(path, kind=SourceKind.TOBACCO_LICENCE, source="烟草")
    assert [record.tobacco_licence for record in found.records] == ["320303100123", "999999300123"]
    assert (found.rejected, found.set_aside) == ((), ())
    assert [(row.line, row.reference, row.field) for row in found.doubted] == [
        (3, "999999300123", "tobacco_licence"), (3, "999999300123", "tobacco_licence"),
    ]  # fmt: skip
    assert all("已收录，请按烟草专卖零售许可证核对" in row.reason for row in found.doubted)


def test_every_column_of_an_end_counts_and_words_for_nothing_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "register.csv"
    lines = (
        "编号,名称,企业名称,有效期止,注销日期,吊销日期",
        "1,星光歌舞厅,,长期,2023-05-01,",
        "2,,云上娱乐,2028-01-01,2023-05-01,2022-03-04",
        "3,好网吧,无,无,—,/",
        "4,旧网吧,,明年,,",
    )
    path.write_text("\n".join(lines), "utf-8")
    found = read_source_records(path, kind=SourceKind.POLICE, source="公安")
    assert [(each.name, each.valid_to) for each in found.records] == [
        ("星光歌舞厅", date(2023, 5, 1)), ("云上娱乐", date(2022, 3, 4)), ("好网吧", None), ("旧网吧", None),
    ]  # fmt: skip
    assert not found.rejected
    assert [(row.line, row.reference, row.field, row.value) for row in found.set_aside] == [
        (5, "4", "valid_to", "明年")
    ]


def test_a_register_without_positions_needs_no_datum(tmp_path: Path) -> None:
    path = tmp_path / "tobacco.csv"
    path.write_text("烟草专卖零售许可证号,店名\n320303100123,老王烟酒店\n", "utf-8")
    (record,) = read_source_records(path, kind=SourceKind.TOBACCO_LICENCE, source="烟草").records
    assert (record.key.source_id, record.longitude, record.category) == ("320303100123", None, VenueCategory.TOBACCO)


def test_positions_without_a_datum_and_rows_without_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "poi.csv"
    path.write_text("id,name,lon,lat\n1,星光KTV,117.2,34.2\n", "utf-8")
    with pytest.raises(UnknownDatum):
        read_source_records(path, kind=SourceKind.POI, source="poi")
    path.write_text("id,lon,lat\n1,117.2,34.2\n", "utf-8")
    with pytest.raises(MissingColumn):
        read_source_records(path, kind=SourceKind.POI, source="poi", datum=Datum.WGS84)
    with pytest.raises(UnreadableFile):
        read_source_records(tmp_path / "register.doc", kind=SourceKind.POI, source="poi")


def test_excel_gives_the_same_records_as_csv(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["某市娱乐场所登记表"])
    sheet.append(HEADER.split(","))
    sheet.append([*GOOD.split(",")[:6], date(2021, 3, 1), None, 117.255718, 34.248705])
    book.save(tmp_path / "register.xlsx")
    (from_book,) = read_source_records(
        tmp_path / "register.xlsx", kind=REGISTER, source="市监", datum=Datum.GCJ02
    ).records
    (from_csv,) = read(tmp_path, GOOD).records
    for field in ("key", "name", "address", "phones", "valid_from", "longitude", "latitude"):
        assert getattr(from_book, field) == getattr(from_csv, field), field


def test_shapes_come_with_their_middle_and_their_category(tmp_path: Path) -> None:
    square = [[117.0, 34.0], [117.001, 34.0], [117.001, 34.001], [117.0, 34.001], [117.0, 34.0]]
    features = [
        {
            "type": "Feature",
            "id": str(number),
            "properties": {"name": name, "category": category},
            "geometry": {"type": "Polygon", "coordinates": [square]} if number != 3 else None,
        }
        for number, (name, category) in enumerate([("星光", "ktv"), ("银行", "bank"), ("夜色", "bar"), ("无形", "bar")])
    ]
    path = tmp_path / "poi.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")
    words = parse_mapping({"codes": {"ktv": "ktv", "bar": "bar"}}, name="words")
    found = read_source_records(path, kind=SourceKind.POI, source="poi", mapping=words)
    assert [(each.name, each.category) for each in found.records] == [
        ("星光", VenueCategory.KTV),
        ("夜色", VenueCategory.BAR),
    ]
    assert len(found.ignored_ids) == 1
    assert [(row.reference, row.field) for row in found.rejected] == [("3", "geometry")]
    assert found.records[0].longitude == pytest.approx(117.0005)


WORDS = "编号,名称,类别\n1,星光,歌舞娱乐场所\n2,老地方,餐饮服务\n3,云上,云计算\n4,路口,\n5,实验,小学\n"


@pytest.mark.parametrize(
    ("kind", "taken", "rejected", "ignored"),
    [
        (SourceKind.POLICE, [("星光", "ktv", False), ("老地方", None, True), ("路口", None, False)], [4], 1),
        (SourceKind.POI, [("星光", "ktv", False)], [4, 5], 2),
    ],
)
def test_another_trade_is_a_record_of_a_register_and_no_word_is_lost(
    tmp_path: Path, kind: SourceKind, taken: list[tuple[str, str | None, bool]], rejected: list[int], ignored: int
) -> None:
    path = tmp_path / "register.csv"
    path.write_text(WORDS, "utf-8")
    found = read_source_records(path, kind=kind, source="x", mapping=load_mapping("hulan"))
    assert [(each.name, each.category, each.is_other_trade) for each in found.records] == taken
    assert [row.line for row in found.rejected] == rejected
    assert {row.field for row in found.rejected} == {"category"}
    assert len(found.ignored_ids) == ignored
    assert {row.reference for row in found.rejected} <= {"3", "4"}
    unread = read_source_records(path, kind=kind, source="x").records
    assert [(each.category_text, each.is_other_trade) for each in unread][:2] == [
        ("歌舞娱乐场所", False),
        ("餐饮服务", False),
    ]


def test_a_tobacco_licence_is_for_tobacco_whatever_the_shop_is_called(tmp_path: Path) -> None:
    path = tmp_path / "register.csv"
    path.write_text("烟草许可证号,店名,业态\n320303100123,老王,便利店\n320303100124,老李,食杂\n", "utf-8")
    found = read_source_records(
        path, kind=SourceKind.TOBACCO_LICENCE, source="烟草", mapping=load_mapping("hulan")
    ).records
    assert [each.category for each in found] == [VenueCategory.TOBACCO] * 2


@pytest.mark.real
def test_monaco_is_read_with_its_categories() -> None:
    path = shared_file("monaco_osm_3_snapshots/monaco_2016.osm.pbf")
    found = read_source_records(path, kind=SourceKind.POI, source="osm", mapping=load_mapping("osm"))
    assert len(found.records) + len([row for row in found.rejected if row.field == "name"]) == 49
    assert all(each.category is not None for each in found.records)


@pytest.mark.real
def test_beijing_west_is_read_whole_with_a_reject_file(tmp_path: Path) -> None:
    path = shared_file("beijing_osm_bbbike_2020/venues_west.csv")
    found = read_source_records(path, kind=SourceKind.POI, source="osm", mapping=load_mapping("osm"), datum=Datum.WGS84)
    assert len(found.records) + len(found.rejected) + len(found.ignored_ids) == 2441
    assert found.records
    assert {row.field for row in found.rejected} <= {"name"}
    write_rejects(tmp_path / "rejects.csv", found.rejected)
