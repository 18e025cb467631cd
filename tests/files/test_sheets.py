"""Workbooks: every sheet that holds something is read or named, never dropped without a word."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from openpyxl import Workbook

from api.files.case_tables import cases_in, open_case_table, write_template
from api.files.doors import read_doors
from api.files.errors import UnreadableFile
from api.files.gates import read_gates
from api.files.mappings import load_mapping
from api.files.places import read_places
from api.files.source_records import read_source_records
from geo.datum import Datum
from venues.source_record import SourceKind

Reader = Callable[[Path, str | None], Any]
HEADER = ["id", "name", "类别", "kind", "lon", "lat"]
BAR = ["B1", "夜色酒吧", "bar", "customers", 117.25, 34.25]
KTV = ["B2", "星光KTV", "ktv", "customers", 117.26, 34.25]
SCHOOL_GATE = ["G1", "东门", "primary_school", "student", 117.25, 34.25]


def _places(path: Path, layer: str | None) -> Any:
    return read_places(path, mapping=load_mapping("hulan"), datum=Datum.WGS84, layer=layer)


def _register(path: Path, layer: str | None) -> Any:
    mapping = load_mapping("hulan")
    return read_source_records(
        path, kind=SourceKind.POLICE, source="公安", mapping=mapping, datum=Datum.WGS84, layer=layer
    )


def _doors(path: Path, layer: str | None) -> Any:
    return read_doors(path, source="doors", datum=Datum.WGS84, layer=layer)


def _gates(path: Path, layer: str | None) -> Any:
    return read_gates(path, datum=Datum.WGS84, layer=layer)


READERS: list[tuple[Reader, str, list[Any]]] = [
    (_places, "venues", BAR),
    (_register, "records", BAR),
    (_doors, "doors", BAR),
    (_gates, "gates", SCHOOL_GATE),
]


def book_of(path: Path, sheets: dict[str, Sequence[Sequence[Any]]], *, hidden: Sequence[str] = ()) -> Path:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(list(line))
        if name in hidden:
            sheet.sheet_state = "hidden"
    book.save(path)
    return path


@pytest.mark.parametrize(("read", "found", "row"), READERS)
@pytest.mark.parametrize("hidden", [(), ("下半年",)])
def test_a_second_sheet_must_be_chosen_by_name(
    tmp_path: Path, read: Reader, found: str, row: list[Any], hidden: Sequence[str]
) -> None:
    other = ["X2", *row[1:]]
    book = book_of(
        tmp_path / "登记.xlsx", {"上半年": [HEADER, row], "下半年": [HEADER, other], "Sheet3": []}, hidden=hidden
    )
    with pytest.raises(UnreadableFile, match=r"上半年, 下半年.*--layer"):
        read(book, None)
    for layer, source_id in (("上半年", row[0]), ("下半年", "X2")):
        (one,) = getattr(read(book, layer), found)
        assert source_id in repr(one)
    with pytest.raises(UnreadableFile, match=r"没有工作表“三月”.*上半年, 下半年, Sheet3"):
        read(book, "三月")


@pytest.mark.parametrize(("read", "found", "row"), READERS)
def test_empty_sheets_beside_the_only_one_do_not_matter(
    tmp_path: Path, read: Reader, found: str, row: list[Any]
) -> None:
    book = book_of(tmp_path / "登记.xlsx", {"Sheet1": [], "Sheet2": [["", ""], HEADER, row], "Sheet3": [["  "]]})
    assert len(getattr(read(book, None), found)) == 1


def test_a_book_without_anything_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="没有表头"):
        _places(book_of(tmp_path / "空.xlsx", {"Sheet1": [], "Sheet2": []}), None)


def test_cases_on_two_sheets_are_refused_unless_one_is_called_cases(tmp_path: Path) -> None:
    header = ["对象编号", "决定书文号", "条件"]
    cases, more = [header, ["A1", "1号", "x"]], [header, ["A2", "2号", "x"]]
    with pytest.raises(UnreadableFile, match=r"一组, 二组"):
        open_case_table(book_of(tmp_path / "a.xlsx", {"一组": cases, "二组": more}, hidden=["二组"]))
    table = open_case_table(book_of(tmp_path / "b.xlsx", {"二组": more, "cases": cases}))
    assert [entry.cells["reference"] for entry in table.entries()] == ["A1"]
    assert any("未读取的工作表" in note and "二组" in note for note in cases_in(table).notes)
    empty_first = open_case_table(book_of(tmp_path / "c.xlsx", {"Sheet1": [], "二组": more}))
    assert [entry.cells["reference"] for entry in empty_first.entries()] == ["A2"]


def test_the_notes_of_our_own_template_are_no_second_sheet(tmp_path: Path) -> None:
    write_template(tmp_path / "cases.xlsx")
    assert open_case_table(tmp_path / "cases.xlsx").unread_sheets == ()


@pytest.mark.parametrize("stated", ["A1", "A1:F2"])
def test_what_a_sheet_says_of_its_size_is_not_believed(tmp_path: Path, stated: str) -> None:
    whole = book_of(tmp_path / "a.xlsx", {"Sheet1": [HEADER, BAR, KTV[:6], ["B3", "无坐标", "bar"]]})
    with ZipFile(whole) as there, ZipFile(tmp_path / "b.xlsx", "w") as copy:
        for name in there.namelist():
            copy.writestr(
                name, there.read(name).replace(b'<dimension ref="A1:F4"', f'<dimension ref="{stated}"'.encode())
            )
    read = _places(tmp_path / "b.xlsx", None)
    assert [venue.key.source_id for venue in read.venues] == ["B1", "B2"]
    assert [(row.reference, row.field) for row in read.rejected] == [("B3", "longitude")]
