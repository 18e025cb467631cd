"""A map's row of several kinds of venue: each has a record, a zone and a verdict of its own, and they are never one."""

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text

from api.files.mappings import load_mapping
from api.files.places import read_places
from api.files.source_records import read_source_records
from api.importing import ImportReport, import_entries, import_venues
from api.register import resolve
from api.withdrawal import WithdrawalRefusedError
from geo.datum import Datum
from tests.make import EVENING
from tests.venues.register_scene import LATER, unread
from venues.category import SiteCategory, VenueCategory
from venues.inside_store import load_hosts
from venues.place import PlacesRead, SourceKey
from venues.register import entries_of_records, entry_of_venue
from venues.source_record import SourceKind, SourceRecord

AMAP = load_mapping("amap")
HEADER = "id,name,typecode,lon,lat\n"
HOTEL_BAR = "B1,星光酒店,100102|080304,117.20,34.26\n"


def table(folder: Path, *rows: str) -> Path:
    path = folder / "poi.csv"
    path.write_text(HEADER + "".join(rows), "utf-8")
    return path


def records(path: Path, kind: SourceKind = SourceKind.POI) -> tuple[SourceRecord, ...]:
    return read_source_records(path, kind=kind, source="amap", mapping=AMAP, datum=Datum.GCJ02).records


def places(path: Path) -> PlacesRead:
    return read_places(path, mapping=AMAP, datum=Datum.GCJ02, source="amap")


def imported(connection: Connection, found: tuple[SourceRecord, ...], **more: object) -> ImportReport:
    options: dict[str, object] = {"rejected": (), "at": LATER} | more
    return import_entries(connection, entries_of_records(found), ignored_count=0, **options)  # type: ignore[arg-type]


def zones(connection: Connection) -> list[tuple[str, str]]:
    query = "SELECT source_id, category FROM zone WHERE superseded_at IS NULL AND withdrawn_at IS NULL ORDER BY 1, 2"
    return [(row[0], row[1]) for row in connection.execute(text(query))]


@pytest.mark.parametrize(
    ("codes", "categories"),
    [
        ("100102|080304", [("B1", "hotel"), ("B1#bar", "bar")]),
        ("100102|100201|080304|080304", [("B1", "hotel"), ("B1#bar", "bar")]),
        ("050000|080304|080302|0714", [("B1", "bar"), ("B1#ktv", "ktv")]),
        ("080304|080302|071400", [("B1", "bar"), ("B1#bath", "bath"), ("B1#ktv", "ktv")]),
        ("141204|080302", [("B1", "ktv")]),
        ("100102|060200", [("B1", "hotel")]),
        ("100102", [("B1", "hotel")]),
    ],
)
def test_every_category_of_a_row_is_read_once(tmp_path: Path, codes: str, categories: list[tuple[str, str]]) -> None:
    path = table(tmp_path, HOTEL_BAR.replace("100102|080304", codes))
    found = records(path)
    assert sorted((record.key.source_id, str(record.category)) for record in found) == categories
    assert sorted((venue.key.source_id, str(venue.category)) for venue in places(path).venues) == categories
    assert len({(record.longitude, record.latitude, record.name) for record in found}) == 1
    assert {record.host_key for record in found[1:]} <= {SourceKey(source="amap", source_id="B1")}
    assert records(path) == found, "the same row gives the same content"


def test_a_row_that_is_a_school_too_is_both(tmp_path: Path) -> None:
    found = places(table(tmp_path, HOTEL_BAR.replace("100102|080304", "141204|080302|100102")))
    assert [(site.key.source_id, site.category) for site in found.sites] == [("B1", SiteCategory.KINDERGARTEN)]
    assert [(venue.key.source_id, venue.category) for venue in found.venues] == [
        ("B1", VenueCategory.KTV), ("B1#hotel", VenueCategory.HOTEL),
    ]  # fmt: skip


def test_numbers_and_telephones_of_a_row_stay_with_its_first_category(tmp_path: Path) -> None:
    path = tmp_path / "police.csv"
    path.write_text(
        "id,name,typecode,uscc,phone,发证日期\nB1,星光,100102|080304,91350100M000100Y43,13800000101,前年\n", "utf-8"
    )
    found = read_source_records(path, kind=SourceKind.POLICE, source="公安", mapping=AMAP)
    main, bar = found.records
    assert (main.uscc, bar.uscc, bar.phones) == ("91350100M000100Y43", "", ())
    assert len(found.set_aside) == 1, "what is wrong with the row is told once"


def test_a_row_known_by_its_own_number_is_of_one_category_and_the_others_are_told(tmp_path: Path) -> None:
    path = tmp_path / "register.csv"
    path.write_text("name,typecode,uscc\n星光,100102|080304,91350100M000100Y43\n", "utf-8")
    found = read_source_records(path, kind=SourceKind.BUSINESS_REGISTRATION, source="市监", mapping=AMAP)
    assert [record.category for record in found.records] == [VenueCategory.HOTEL]
    ((row,),) = [found.set_aside]
    assert (row.line, row.field, row.value) == (2, "category", "100102|080304")
    assert "bar" in row.reason


def test_each_category_has_a_zone_and_comes_and_goes_with_its_row(engine: Engine, tmp_path: Path) -> None:
    both = records(table(tmp_path, HOTEL_BAR, "B2,别处,080302,117.30,34.30\n"))
    hotel = records(table(tmp_path, HOTEL_BAR.replace("|080304", ""), "B2,别处,080302,117.30,34.30\n"))
    with engine.begin() as connection:
        assert imported(connection, both, at=EVENING).added_count == 3
        assert zones(connection) == [("B1", "hotel"), ("B1#bar", "bar"), ("B2", "ktv")]
        assert imported(connection, both).unchanged_count == 3
        kept = imported(connection, both[2:], whole_source="amap", rejected=[unread("B1")])
        assert (kept.withdrawn, kept.left_as_it_was_count) == ((), 2), "a row that could not be read is all still there"
        assert imported(connection, hotel, whole_source="amap").withdrawn == (("B1#bar", "星光酒店"),)
        assert zones(connection) == [("B1", "hotel"), ("B2", "ktv")]


def test_the_categories_of_a_row_are_never_made_one_venue(engine: Engine, tmp_path: Path) -> None:
    found = records(table(tmp_path, HOTEL_BAR.replace("080304", "080304|080302")))
    with engine.begin() as connection:
        imported(connection, found, at=EVENING)
        pairs = {frozenset(pair) for pair in load_hosts(connection)}
        assert pairs == {frozenset((a.record_id, b.record_id)) for a in found for b in found if a is not b}
    resolve(engine, at=LATER, by="cli:x")
    with engine.connect() as connection:
        assert len(set(connection.execute(text("SELECT current_no FROM venue")).scalars())) == 3
        assert connection.execute(text("SELECT count(*) FROM venue_review")).scalar_one() == 0
        assert len(zones(connection)) == 3


def test_a_file_of_venues_gives_the_same_and_a_bar_without_a_name_is_inside_too(engine: Engine, tmp_path: Path) -> None:
    path = table(tmp_path, HOTEL_BAR, "B2,,100102|080304,117.30,34.30\n")
    with engine.begin() as connection:
        assert import_venues(connection, places(path), at=EVENING).rejected == ()
        assert zones(connection) == [("B1", "hotel"), ("B1#bar", "bar"), ("B2", "hotel"), ("B2#bar", "bar")]
        hosts = text("SELECT source_id, host_source_id FROM venue WHERE host_source = 'amap' ORDER BY 1")
        assert [tuple(row) for row in connection.execute(hosts)] == [("B1#bar", "B1"), ("B2#bar", "B2")]
        assert import_venues(connection, places(path), at=LATER).unchanged_count == 4
    assert [entry_of_venue(venue).record.host_key for venue in places(path).venues][::2] == [None, None]


def test_an_id_that_two_rows_come_to_is_told(tmp_path: Path) -> None:
    bar = "B1#bar,夜色,080304,117.20,34.26\n"
    for rows, kept in (((HOTEL_BAR, bar), 2), ((bar, HOTEL_BAR), 2)):
        path = table(tmp_path, *rows)
        found = read_source_records(path, kind=SourceKind.POI, source="amap", mapping=AMAP, datum=Datum.GCJ02)
        assert (len(found.records), [row.line for row in found.rejected]) == (kept, [3])
        assert [row.field for row in places(path).rejected] == ["id"]


def test_a_further_category_goes_with_its_rows_code_in_a_file_of_a_part_too(engine: Engine, tmp_path: Path) -> None:
    both = records(table(tmp_path, HOTEL_BAR, "B2,别处,080302,117.30,34.30\n"))
    (bar,) = records(table(tmp_path, HOTEL_BAR.replace("100102|080304", "080304")))
    with engine.begin() as connection:
        imported(connection, both, at=EVENING, data_on=date(2026, 11, 1))
        older = imported(connection, (bar,), data_on=date(2026, 10, 1))
        assert older.withdrawn == (), "of a later day it is known to be there"
        other = imported(connection, both[2:], data_on=date(2026, 11, 2))
        assert other.withdrawn == (), "its row is not in the file"
        unreadable = imported(connection, both[:1], rejected=[unread("B1#bar")], data_on=date(2026, 11, 2))
        assert unreadable.withdrawn == ()
        report = imported(connection, (bar,), data_on=date(2026, 11, 2))
        assert (report.changed_count, report.withdrawn) == (1, (("B1#bar", "星光酒店"),))
        assert zones(connection) == [("B1", "bar"), ("B2", "ktv")]
        assert imported(connection, (bar,), data_on=date(2026, 11, 3)).withdrawn == ()
        back = imported(connection, both, data_on=date(2026, 11, 4))
        assert (back.changed_count, zones(connection)) == (2, [("B1", "hotel"), ("B1#bar", "bar"), ("B2", "ktv")])


def test_what_rows_are_no_more_needs_no_confirmation_and_confirms_nothing(engine: Engine, tmp_path: Path) -> None:
    rows = [HOTEL_BAR.replace("B1", f"B{number}") for number in range(1, 6)]
    both = records(table(tmp_path, *rows))
    hotels = records(table(tmp_path, *(row.replace("|080304", "") for row in rows)))
    with engine.begin() as connection:
        imported(connection, both, at=EVENING)
        assert len(imported(connection, hotels, whole_source="amap").withdrawn) == 5
        imported(connection, both)
        with pytest.raises(WithdrawalRefusedError):
            imported(connection, hotels[:1], whole_source="amap", withdraw=5)


def test_a_row_that_is_a_school_too_keeps_no_category_that_it_lost(engine: Engine, tmp_path: Path) -> None:
    row = HOTEL_BAR.replace("100102|080304", "141204|080302|100102")
    with engine.begin() as connection:
        import_venues(connection, places(table(tmp_path, row, "B2,别处,080302,117.30,34.30\n")), at=EVENING)
        assert zones(connection) == [("B1", "ktv"), ("B1#hotel", "hotel"), ("B2", "ktv")]
        less = places(table(tmp_path, row.replace("|100102", ""), "B2,别处,080302,117.30,34.30\n"))
        report = import_venues(connection, less, at=LATER, whole_source="amap")
        assert (report.withdrawn, report.left_as_it_was_count) == ((("B1#hotel", "星光酒店"),), 0)
        assert zones(connection) == [("B1", "ktv"), ("B2", "ktv")]
