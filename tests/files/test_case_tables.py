"""Cases from CSV and Excel: the template comes in again, good orders are taken, bad ones named by their line."""

import csv
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from alerts.alert import Block
from alerts.channel import Channel
from api.files.case_columns import CASE_COLUMNS
from api.files.case_tables import read_case_table, write_template
from api.files.errors import UnreadableFile
from tracking.order import ConditionKind, LocationBasis, Measure

ROWS = [
    {"对象编号": "A-1", "化名": "小丽", "出生日期": "2009-05-14", "措施": "取保候审", "决定书文号": "合成〔2026〕1号",
     "决定机关": "某区人民检察院", "执行机关": "某派出所", "定位依据": "书面同意", "同意日期": "2026-02-28",
     "同意书": "合成同意书", "同意人": "本人和监护人", "起": "2026-03-01", "止": "2026-08-31",
     "条件": "不得进入特定场所", "场所类别": "酒吧;网吧",
     "通知对象": "监护人", "通知对象姓名": "父亲", "通知对象手机": "138 0000 0101"},
    {"对象编号": "A-1", "决定书文号": "合成〔2026〕1号", "条件": "规定时段不得外出", "经度": "117.2", "纬度": "34.26",
     "半径米": "100", "坐标系": "WGS84", "时段": "22:00-06:00;67 20:00-22:00 休息日"},
    {"对象编号": "A-1", "决定书文号": "合成〔2026〕1号", "条件": "接受不定期抽检", "时段": "12345 08:00-21:00",
     "参数": "per_week=3 answer_minutes=20"},
    {"对象编号": "B-1", "化名": "小明", "出生日期": "2009-05-14", "措施": "取保候审", "决定书文号": "合成〔2026〕2号",
     "决定机关": "某区人民检察院", "执行机关": "某派出所", "起": "2026-03-01", "止": "三月", "条件": "不得进入特定场所",
     "场所类别": "酒吧"},
]  # fmt: skip


TOLD = {
    "通知语言": "英文", "通知渠道": "邮件；短信", "通知对象邮箱": "m@example.test", "不通知": "涉嫌侵害或同案",
}  # fmt: skip


def test_a_table_says_how_somebody_is_told(tmp_path: Path) -> None:
    rows = [ROWS[0] | TOLD, ROWS[1] | {"通知对象": "监护人", "通知对象姓名": "父亲", "通知对象手机": "138 0000 0101"}]
    other = {"通知对象": "民警", "通知对象姓名": "合成民警", "通知对象手机": "13800000102", "通知对象单位": "某派出所"}
    other["不通知"] = "否"
    path = tmp_path / "cases.csv"
    rows.append(ROWS[2] | other)
    headers = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([headers, *[[row.get(name, "") for name in headers] for row in rows]])
    read = read_case_table(path)
    assert read.rejected == ()
    father, officer = read.cases[0].recipients
    assert (father.language, father.channels, father.email) == ("en", (Channel.EMAIL, Channel.SMS), "m@example.test")
    assert (father.is_blocked, father.blocked_for) == (True, Block.SUSPECT), "a row that says less takes nothing back"
    assert (officer.unit, officer.is_blocked, officer.channels) == ("某派出所", False, (Channel.SMS,))


def written(path: Path) -> Path:
    headers = list(dict.fromkeys(name for row in ROWS for name in row))
    table = [headers, *[[row.get(name, "") for name in headers] for row in ROWS]]
    if path.suffix == ".csv":
        with path.open("w", encoding="gb18030", newline="") as file:
            csv.writer(file).writerows(table)
        return path
    book = Workbook()
    for line in table:
        book.worksheets[0].append(line)
    book.save(path)
    return path


@pytest.mark.parametrize("name", ["cases.csv", "cases.xlsx"])
def test_rows_of_one_order_make_one_case_and_a_bad_order_is_named(tmp_path: Path, name: str) -> None:
    read = read_case_table(written(tmp_path / name))
    (case,) = read.cases
    assert (case.measure, case.location_basis) == (Measure.BAIL, LocationBasis.CONSENT)
    assert case.valid_to.isoformat() == "2026-09-01T00:00:00+08:00", "the last day counts as a whole"
    assert [item.kind for item in case.conditions] == [
        ConditionKind.EXCLUDED_CATEGORIES, ConditionKind.CURFEW, ConditionKind.SPOT_CHECK,
    ]  # fmt: skip
    assert case.conditions[1].timetable == {
        "windows": [
            {"from": "22:00", "to": "06:00"},
            {"from": "20:00", "to": "22:00", "weekdays": [5, 6], "day_kinds": ["rest_day"]},
        ]
    }
    assert case.conditions[2].parameters == {"per_week": 3.0, "spacing_minutes": 60.0, "answer_minutes": 20.0}
    assert [item.phone for item in case.recipients] == ["13800000101"]
    (rejected,) = read.rejected
    assert (rejected.line, rejected.reference, rejected.field, rejected.value) == (5, "B-1", "valid_to", "三月")
    assert "2026-03-01" in rejected.reason


@pytest.mark.parametrize("name", ["template.csv", "template.xlsx"])
def test_the_template_comes_in_as_it_is(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_template(path)
    read = read_case_table(path)
    assert read.rejected == ()
    assert [case.reference for case in read.cases] == ["A-1"]
    with pytest.raises(UnreadableFile, match="文件已存在"):
        write_template(path)


def test_excel_keeps_dates_as_people_typed_them(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    write_template(path)
    book = load_workbook(path)
    sheet = book.worksheets[0]
    from datetime import datetime

    column = [item.key for item in CASE_COLUMNS].index("valid_to") + 1
    sheet.cell(row=2, column=column).value = datetime(2026, 8, 31)  # noqa: DTZ001 # as Excel stores dates
    book.save(path)
    assert read_case_table(path).cases[0].valid_to.isoformat() == "2026-09-01T00:00:00+08:00"


def test_rows_that_contradict_each_other_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_template(path)
    text = path.read_text(encoding="utf-8-sig")
    second = text.splitlines()[1].replace("取保候审", "监视居住")
    path.write_text(f"{text}{second}\n", encoding="utf-8")
    (rejected,) = read_case_table(path).rejected
    assert (rejected.field, rejected.value) == ("measure", "取保候审；监视居住")


def test_what_is_no_case_table_is_refused_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "x.xlsx").write_bytes(b"no workbook")
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UnreadableFile):
        read_case_table(tmp_path / "x.xlsx")
    with pytest.raises(ValueError, match="reference"):
        read_case_table(tmp_path / "x.csv")
