"""The mistakes that people make in a table of orders: the good orders are kept, the others come back to be mended."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from api.case_file import CasesRead
from api.files.case_columns import REJECT_COLUMNS
from api.files.case_rejects import write_case_rejects
from api.files.case_rows import plain_cell, read_day
from api.files.case_tables import cases_in, open_case_table, read_case_table
from api.files.cells import CellError
from api.files.errors import UnreadableFile

ORDER = {
    "对象编号": "A-1", "化名": "小丽", "出生日期": "2009-05-14", "措施": "取保候审", "决定书文号": "合成〔2026〕1号",
    "决定机关": "合成区人民检察院", "执行机关": "合成派出所", "定位依据": "决定书列明", "起": "2026-03-01",
    "止": "2026-08-31", "条件": "不得进入特定场所", "场所类别": "酒吧;网吧", "通知对象": "监护人",
    "通知对象姓名": "父亲", "通知对象手机": "13800000101",
}  # fmt: skip
SAME = {"对象编号": "A-1", "决定书文号": "合成〔2026〕1号"}
CURFEW = {**SAME, "条件": "规定时段不得外出", "经度": "117.2", "纬度": "34.26", "半径米": "100", "坐标系": "WGS84",
          "时段": "22:00-06:00"}  # fmt: skip
OTHER = {**ORDER, "对象编号": "B-1", "决定书文号": "合成〔2026〕2号"}


def lines_of(rows: list[dict[str, Any]]) -> list[list[Any]]:
    headers = list(dict.fromkeys(name for row in rows for name in row))
    return [headers, *[[row.get(name, "") for name in headers] for row in rows]]


def as_csv(path: Path, rows: list[dict[str, Any]], *, encoding: str = "gb18030") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(lines_of(rows))
    return path


def read(tmp_path: Path, *rows: dict[str, Any]) -> CasesRead:
    return read_case_table(as_csv(tmp_path / "t.csv", list(rows)))


@pytest.mark.parametrize(
    "words",
    ["2026-03-01", "2026/3/1", "2026.3.1", "2026年3月1日", "20260301", "46082", "２０２６-０３-０１", "'2026-03-01"],
)
def test_a_day_is_read_as_people_and_spreadsheets_write_it(words: str) -> None:
    assert read_day(plain_cell("valid_from", words), "valid_from") == date(2026, 3, 1)


@pytest.mark.parametrize("words", ["2026-02-30", "26/3/1", "三月一日", "2026-13-01", "4608"])
def test_a_day_that_is_none_is_named(words: str) -> None:
    with pytest.raises(CellError) as refused:
        read_day(words, "valid_to")
    assert (refused.value.field, refused.value.value) == ("valid_to", words)
    assert "2026-03-01" in refused.value.reason


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        ("2026/8/31", "2026-09-01T00:00:00+08:00"),
        ("2026/8/31 0:00", "2026-09-01T00:00:00+08:00"),
        ("46265.75", "2026-08-31T18:00:00+08:00"),
        ("2026-08-31 18:00", "2026-08-31T18:00:00+08:00"),
        ("2026-08-31T10:00:00Z", "2026-08-31T10:00:00+00:00"),
    ],
)
def test_the_end_of_a_term_is_its_last_day_or_an_instant(tmp_path: Path, words: str, ends: str) -> None:
    (case,) = read(tmp_path, {**ORDER, "止": words}).cases
    assert case.valid_to.isoformat() == ends


MISTAKES: list[tuple[dict[str, str], str, str, str]] = [
    ({"止": "2026-02-30"}, "valid_to", "2026-02-30", "没有这一天"),
    ({"决定书文号": ""}, "document_number", "", "未填写"),
    ({"决定机关": "合成区检查院"}, "deciding_organ", "合成区检查院", "stage"),
    ({"措施": "取保侯审"}, "measure", "取保侯审", "取保候审、监视居住"),
    ({"场所类别": "酒吧;夜总会x"}, "categories", "夜总会x", "夜总会"),
    ({"出生日期": "2019-05-14"}, "birth_date", "2019-05-14", "12 周岁"),
    ({"定位依据": "书面同意"}, "location_basis", "书面同意", "同意书"),
    ({"定位依据": "刑诉法 78"}, "location_basis", "刑诉法 78", "监视居住"),
    ({"通知对象手机": "1.38E+10"}, "recipient_phone", "", "科学计数"),
    ({"通知对象手机": "0516-12345"}, "recipient_phone", "", "电话|手机"),
    ({"止": "2026-02-01"}, "valid_to", "2026-02-01", "晚于"),
]


@pytest.mark.parametrize(("change", "field", "value", "reason"), MISTAKES)
def test_each_mistake_names_field_value_and_remedy(
    tmp_path: Path, change: dict[str, str], field: str, value: str, reason: str
) -> None:
    found = read(tmp_path, OTHER, {**ORDER, **change})
    assert [case.reference for case in found.cases] == ["B-1"]
    (rejected,) = found.rejected
    assert (rejected.line, rejected.reference, rejected.field, rejected.value) == (3, "A-1", field, value)
    assert any(word in rejected.reason for word in reason.split("|"))
    assert " / " in rejected.reason, "Chinese, and English beside it"


def test_swapped_coordinates_and_a_missing_datum_are_named_on_their_condition(tmp_path: Path) -> None:
    swapped = {**CURFEW, "经度": "34.26", "纬度": "117.2"}
    (rejected,) = read(tmp_path, ORDER, swapped).rejected
    assert (rejected.field, rejected.value) == ("latitude", "34.26, 117.2")
    assert "颠倒" in rejected.reason
    (rejected,) = read(tmp_path, ORDER, {**CURFEW, "坐标系": ""}).rejected
    assert (rejected.field, rejected.reason[:6]) == ("datum", "未注明坐标系")


def test_a_point_from_a_chinese_map_is_brought_to_wgs84(tmp_path: Path) -> None:
    (case,) = read(tmp_path, ORDER, {**CURFEW, "坐标系": "GCJ02"}).cases
    longitude, latitude = (case.conditions[1].geometry or {})["coordinates"]
    assert 0.001 < 117.2 - longitude < 0.01
    assert 0.0001 < abs(34.26 - latitude) < 0.01


def test_a_row_that_is_there_twice_counts_once_and_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, ORDER, CURFEW, ORDER, {})
    assert [len(case.conditions) for case in found.cases] == [2]
    assert found.notes == ("第 4 行与第 2 行完全相同，只取一次 / line 4 repeats line 2 and was taken once",)


def test_a_condition_copied_to_name_another_recipient_is_one_condition(tmp_path: Path) -> None:
    mother = {**ORDER, "通知对象姓名": "母亲", "通知对象手机": "13800000102"}
    (case,) = read(tmp_path, ORDER, mother).cases
    assert (len(case.conditions), len(case.recipients)) == (1, 2)


def test_two_orders_of_one_person_share_the_recipients(tmp_path: Path) -> None:
    """Else the second would silence those whom the first names."""
    second = {**ORDER, "决定书文号": "合成〔2026〕9号", "通知对象": "", "通知对象姓名": "", "通知对象手机": ""}
    assert [len(case.recipients) for case in read(tmp_path, ORDER, second).cases] == [1, 1]


def test_a_further_row_needs_no_document_where_there_is_one_only(tmp_path: Path) -> None:
    (case,) = read(tmp_path, ORDER, {**CURFEW, "决定书文号": ""}).cases
    assert len(case.conditions) == 2
    second = {**ORDER, "决定书文号": "合成〔2026〕9号"}
    found = read(tmp_path, ORDER, second, {**CURFEW, "决定书文号": ""}, OTHER)
    assert [case.reference for case in found.cases] == ["B-1"], "nobody knows of which order the condition is"
    assert {item.line for item in found.rejected} == {2, 3, 4}


def test_an_order_of_which_a_row_cannot_be_placed_is_not_taken_in_part(tmp_path: Path) -> None:
    found = read(tmp_path, ORDER, {**CURFEW, "对象编号": ""}, OTHER)
    assert [case.reference for case in found.cases] == ["B-1"]
    path = as_csv(tmp_path / "broken.csv", [ORDER, OTHER])
    with path.open("a", encoding="gb18030") as file:
        file.write("A-1,合成〔2026〕1号,规定时段不得外出\n")
    assert [case.reference for case in read_case_table(path).cases] == ["B-1"]


def as_book(path: Path, rows: list[dict[str, Any]], *, epoch: Any = None) -> Workbook:
    book = Workbook()
    if epoch is not None:
        book.epoch = epoch
    for line in lines_of(rows):
        book.worksheets[0].append([cell if cell != "" else None for cell in line])
    book.save(path)
    return book


def test_merged_cells_a_title_and_empty_lines_are_read_as_they_look(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    as_book(path, [ORDER, {**CURFEW, "对象编号": "", "决定书文号": ""}, {}, OTHER])
    book = load_workbook(path)
    sheet = book.worksheets[0]
    for column in (1, 5):
        sheet.merge_cells(start_row=2, end_row=3, start_column=column, end_column=column)
    sheet.insert_rows(1)
    sheet["A1"] = "取保候审对象一览表"
    # openpyxl moves no merged areas
    for area in list(sheet.merged_cells.ranges):
        area.shift(row_shift=1)
    book.save(path)
    found = read_case_table(path)
    assert found.rejected == ()
    assert [(case.reference, len(case.conditions)) for case in found.cases] == [("A-1", 2), ("B-1", 1)]
    assert found.lines == (3, 6)


@pytest.mark.parametrize(("epoch", "serial"), [(None, 46082), (CALENDAR_MAC_1904, 46082 - 1462)])
def test_a_serial_of_either_epoch_is_its_day(tmp_path: Path, epoch: Any, serial: int) -> None:
    as_book(tmp_path / "t.xlsx", [{**ORDER, "起": serial}], epoch=epoch)
    (case,) = read_case_table(tmp_path / "t.xlsx").cases
    assert case.valid_from.isoformat() == "2026-03-01T00:00:00+08:00"


def test_what_is_an_old_workbook_or_names_a_column_twice_is_refused_whole(tmp_path: Path) -> None:
    old = tmp_path / "t.xls"
    old.write_bytes(b"\xd0\xcf\x11\xe0" + b"\0" * 600)
    with pytest.raises(UnreadableFile, match=r"另存为.*\.xlsx"):
        read_case_table(old)
    path = as_csv(tmp_path / "t.csv", [{**ORDER, "valid_to": "2026-09-30"}])
    with pytest.raises(UnreadableFile, match="valid_to 有两列"):
        read_case_table(path)


def test_a_column_that_is_not_known_is_told(tmp_path: Path) -> None:
    (note,) = read(tmp_path, {**ORDER, "时断": "22:00-06:00"}).notes
    assert "时断" in note


@pytest.mark.parametrize("name", ["t.csv", "t.xlsx"])
def test_the_reject_file_comes_in_once_it_is_mended(tmp_path: Path, name: str) -> None:
    rows: list[dict[str, Any]] = [
        OTHER,
        {**ORDER, "止": "2026-02-30"},
        CURFEW,
        {**OTHER, "对象编号": "-C-1", "措施": "x"},
    ]
    path = tmp_path / name
    as_book(path, rows) if name.endswith("xlsx") else as_csv(path, rows)
    table = open_case_table(path)
    first = cases_in(table)
    rejects = tmp_path / f"rejects{path.suffix}"
    write_case_rejects(rejects, table, first.rejected)
    assert rejects.stat().st_mode & 0o777 == 0o600
    again = open_case_table(rejects)
    assert again.headers[:4] == REJECT_COLUMNS
    told = cases_in(again)
    assert {(item.field, item.value) for item in told.rejected} == {(i.field, i.value) for i in first.rejected}
    assert (told.cases, told.notes) == ((), ())
    if name.endswith("csv"):
        text = rejects.read_text(encoding="utf-8-sig")
        assert "'-C-1" in text, "no formula for a spreadsheet"
        rejects.write_text(text.replace("2026-02-30", "2026-08-31"), encoding="utf-8-sig")
    else:
        book = load_workbook(rejects)
        sheet = book.worksheets[0]
        (cell,) = [cell for row in sheet.iter_rows() for cell in row[4:] if cell.value == "2026-02-30"]
        cell.value = "2026-08-31"
        book.save(rejects)
    mended = read_case_table(rejects)
    assert [(case.reference, len(case.conditions)) for case in mended.cases] == [("A-1", 2)]
    assert {item.reference for item in mended.rejected} == {"-C-1"}
