"""One number of a register is one venue, however its files spell it."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from api.files.source_records import SourceRecordsRead, read_source_records
from api.importing import ImportReport, import_entries
from tests.make import EVENING
from tests.venues.register_scene import LATER, a_record, put, unread
from venues.place import SourceKey
from venues.register import entries_of_records
from venues.row_id import is_still_there, own_spelling
from venues.source_record import SourceKind, SourceRecord

CODE = "91350100M000100Y43"
SPELLINGS = [
    CODE,
    CODE.lower(),
    "9135 0100 M000100Y43",
    "９１３５０１００Ｍ０００１００Ｙ４３",
    f" {CODE[:10]}-{CODE[10:]}",
]
REGISTER = SourceKind.BUSINESS_REGISTRATION


def read(folder: Path, *rows: str, header: str = "统一社会信用代码,企业名称") -> SourceRecordsRead:
    path = folder / "register.csv"
    path.write_text("\n".join((header, *rows)), "utf-8")
    return read_source_records(path, kind=REGISTER, source="市监")


def raw(code: str, name: str = "星光娱乐有限公司") -> SourceRecord:
    """As it was kept before numbers were brought to one spelling."""
    record = a_record("市监", 0, kind=REGISTER, category=None, at_m=None, name=name, uscc=code)
    return replace(record, key=SourceKey(source="市监", source_id=code))


def imported(connection: Connection, found: SourceRecordsRead, *, whole_source: str | None = None) -> ImportReport:
    return import_entries(
        connection, entries_of_records(found.records), rejected=found.rejected, ignored_count=0, at=LATER,
        whole_source=whole_source,
    )  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_the_same_id(tmp_path: Path, spelling: str) -> None:
    (record,) = read(tmp_path, f"{spelling},星光").records
    assert record.key.source_id == CODE
    (record,) = read(tmp_path, f"{spelling},{CODE},星光", header="编号,统一社会信用代码,企业名称").records
    assert record.key.source_id == CODE, "an id column that holds the number is the number"
    (record,) = read(tmp_path, f"7,{spelling},星光", header="编号,统一社会信用代码,企业名称").records
    assert record.key.source_id == "7", "an id of its own stays"


def test_a_number_twice_in_one_file_is_one_record_and_a_rejected_row(tmp_path: Path) -> None:
    found = read(tmp_path, *(f"{spelling},星光" for spelling in SPELLINGS))
    assert [record.key.source_id for record in found.records] == [CODE]
    assert [(row.line, row.reference, row.field) for row in found.rejected] == [
        (line, CODE, "id") for line in range(3, 3 + len(SPELLINGS) - 1)
    ]


def test_what_was_kept_in_another_spelling_keeps_its_id_and_is_not_withdrawn(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        put(connection, [raw(CODE.lower())], at=EVENING)
        query = text("SELECT venue_id, source_id FROM venue WHERE withdrawn_at IS NULL")
        before = connection.execute(query).all()
        same = imported(connection, read(tmp_path, f"{CODE.lower()},星光娱乐有限公司"), whole_source="市监")
        assert (same.added_count, same.changed_count, same.unchanged_count) == (0, 0, 1)
        for spelling in SPELLINGS:
            told = imported(connection, read(tmp_path, f"{spelling},星光娱乐有限公司"), whole_source="市监")
            assert (told.added_count, told.withdrawn) == (0, ())
            assert connection.execute(query).all() == before


def test_a_spelling_that_is_gone_gives_way_to_one_that_is_there(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        put(connection, [raw(CODE.lower()), raw(f"{CODE[:9]} {CODE[9:]}")], at=EVENING)
        connection.execute(text("UPDATE venue SET withdrawn_at = now() WHERE source_id = :id"), {"id": CODE.lower()})
        told = imported(connection, read(tmp_path, f"{CODE},星光"), whole_source="市监")
        assert (told.added_count, told.changed_count, told.withdrawn) == (0, 1, ())
        there = connection.execute(text("SELECT source_id FROM venue WHERE withdrawn_at IS NULL")).scalars().all()
        assert there == [f"{CODE[:9]} {CODE[9:]}"]


def test_a_row_that_could_not_be_read_is_still_there_in_whatever_spelling(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [raw(CODE.lower()), a_record("市监", 2, kind=REGISTER, at_m=None, name="月光", uscc=CODE)])
        other = a_record("市监", 2, kind=REGISTER, at_m=None, name="月光", uscc=CODE)
        report = put(connection, [other], at=LATER, whole_source="市监", rejected=[unread(CODE)], withdraw=1)
        assert (report.withdrawn, report.left_as_it_was_count) == ((), 1)


def test_a_venue_inside_another_names_it_in_any_spelling(engine: Engine, tmp_path: Path) -> None:
    header = "统一社会信用代码,企业名称,所在场所编号,类别"
    rows = (f"{CODE.lower()},合成大酒店,,", f"91320300MA1MYKTW27,合成酒吧,{CODE[:8]} {CODE[8:].lower()},")
    found = read(tmp_path, *rows, header=header)
    hosts = {record.name: record.host_key for record in found.records}
    assert hosts["合成酒吧"] == SourceKey(source="市监", source_id=CODE)
    with engine.begin() as connection:
        put(connection, [raw(CODE.lower(), "合成大酒店")], at=EVENING)
        (told,) = imported(connection, found).rejected
        assert "没有可用的位置" in told.reason, "its host is known in another spelling, and has no place either"
        kept = text("SELECT v.host_source_id, r.content->>'host_id' FROM venue v JOIN venue_source_record r"
                    " USING (record_no) WHERE v.name = '合成酒吧'")  # fmt: skip
        assert tuple(connection.execute(kept).one()) == (CODE.lower(), CODE.lower())


def test_only_numbers_of_the_register_have_spellings() -> None:
    assert own_spelling("3203 0320 0123", SourceKind.TOBACCO_LICENCE) == "320303200123"
    assert own_spelling(CODE.lower(), SourceKind.POI) == ""
    assert own_spelling("node/1", REGISTER) == ""
    assert not is_still_there("node/1", [""])
    assert not is_still_there("", [])
    assert is_still_there(CODE.lower(), [CODE])
