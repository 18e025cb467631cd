"""What a file of a whole register no longer has: withdrawn, asked about first, not brought back by an older one."""

from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, text

from api.venue_listing import records_of_venue
from api.withdrawal import WithdrawalRefusedError, Withdrawn, check_withdrawal
from tests.api.test_casework_routes import command
from tests.make import EVENING
from tests.venues.register_scene import LATER, a_record, put, unread, zone_names
from tests.venues.test_venue_door import a_door
from venues.category import VenueCategory
from venues.door_store import load_doors, save_doors
from venues.place import SourceKey
from venues.source_record import SourceRecord

SEPTEMBER, OCTOBER, NOVEMBER, DECEMBER = (date(2026, month, 1) for month in (9, 10, 11, 12))


def shops(count: int) -> list[SourceRecord]:
    return [a_record("map", number, at_m=100 * number, name=f"{number}号店") for number in range(count)]


# ---- how much goes unasked


@pytest.mark.parametrize(
    ("gone", "of", "confirmed", "is_asked"),
    [
        (0, 0, 0, False),
        (0, 40, 0, False),
        (1, 1, 0, True),
        (1, 1, 1, False),
        (2, 3, 0, False),
        (3, 3, 0, True),
        (3, 20, 0, False),
        (4, 20, 0, True),
        (4, 80, 0, False),
        (5, 80, 0, True),
        (80, 80, 79, True),
        (80, 80, 80, False),
    ],
)
def test_all_or_much_of_a_register_goes_only_on_confirmation(
    gone: int, of: int, confirmed: int, is_asked: bool
) -> None:
    withdrawn = [(str(number), f"{number}号店") for number in range(gone)]
    known = {str(number) for number in range(of)}
    for rejected in ([], [unread("39")] if of == 40 else []):
        asked = None
        try:
            check_withdrawal(
                withdrawn, of=Withdrawn.VENUES, register_count=of, known_ids=known, rejected=rejected,
                confirmed_count=confirmed,
            )  # fmt: skip
        except WithdrawalRefusedError as error:
            asked = str(error)
        assert (asked is not None) == is_asked
        if asked is not None:
            assert f"--withdraw {gone}" in asked
            assert f"{of} 处中的 {gone} 处" in asked


def test_a_header_alone_or_a_capped_export_withdraws_nothing_unasked(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, shops(40))
    for left in ([], shops(20), shops(36)):
        with pytest.raises(WithdrawalRefusedError, match=r"文件可能不全.*a header alone"), engine.begin() as connection:
            put(connection, left, whole_source="map")
    with engine.begin() as connection:
        assert len(zone_names(connection)) == 40
        assert len(put(connection, shops(37), whole_source="map").withdrawn) == 3
        assert len(put(connection, [], whole_source="map", withdraw=37).withdrawn) == 37
        assert put(connection, [], whole_source="map").withdrawn == (), "nothing is left to ask about"


# ---- an older file


def test_an_older_file_does_not_bring_back_what_a_later_one_no_longer_had(engine: Engine) -> None:
    shop, bar = a_record("map", 1, name="星光KTV"), a_record("map", 2, name="夜色酒吧", category=VenueCategory.BAR)
    with engine.begin() as connection:
        put(connection, [shop, bar], data_on=OCTOBER)
        assert len(put(connection, [shop], at=LATER, data_on=NOVEMBER, whole_source="map").withdrawn) == 1
        for day in (SEPTEMBER, OCTOBER):
            late = put(connection, [shop, bar], at=LATER, data_on=day, whole_source="map")
            assert (late.changed_count, [(row.reference, row.field) for row in late.rejected]) == (
                0, [("2", "data_date")],
            )  # fmt: skip
        assert zone_names(connection) == {"星光KTV"}
        (said,) = records_of_venue(connection, id_of(connection, "2"))
        assert (said["data_on"], said["is_current"]) == (OCTOBER, False), "its record is of the day it was of"
        assert put(connection, [bar], at=LATER, data_on=DECEMBER).changed_count == 1
        assert zone_names(connection) == {"星光KTV", "夜色酒吧"}
        (said,) = records_of_venue(connection, id_of(connection, "2"))
        assert (said["data_on"], said["is_current"]) == (DECEMBER, True)


def test_what_a_file_without_a_day_no_longer_has_may_come_back_with_any_day_that_is_not_older(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, shops(2), data_on=OCTOBER)
        put(connection, shops(1), at=LATER, whole_source="map")
        assert put(connection, shops(2), at=LATER, data_on=SEPTEMBER).changed_count == 0
        assert put(connection, shops(2), at=LATER, data_on=OCTOBER).changed_count == 1


def test_an_older_file_does_not_bring_back_a_door(engine: Engine) -> None:
    key = SourceKey(source="map", source_id="1")
    doors = [a_door(1, venue_key=key), a_door(2, venue_key=key)]
    with engine.begin() as connection:
        put(connection, [a_record("map", 1, name="星光KTV")])
        save_doors(connection, doors, at=EVENING, data_on=OCTOBER)
        gone = save_doors(connection, doors[:1], at=LATER, data_on=NOVEMBER, whole_source="test")
        assert (gone.withdrawn, gone.register_count, sorted(gone.known_ids)) == (("2",), 2, ["1", "2"])
        late = save_doors(connection, doors, at=LATER, data_on=OCTOBER, whole_source="test")
        assert (late.added_count, late.changed_count, [each.source_id for each in late.outdated]) == (0, 0, ["2"])
        assert [door.key.source_id for held in load_doors(connection).values() for door in held] == ["1"]
        again = save_doors(connection, doors[:1], at=LATER, whole_source="test")
        assert (again.withdrawn, again.register_count) == ((), 1), "what is gone does not go again"
        back = save_doors(connection, doors, at=LATER, data_on=DECEMBER)
        assert (back.added_count, back.changed_count, back.unchanged_count) == (0, 1, 1)


def id_of(connection: Connection, source_id: str) -> UUID:
    query = "SELECT venue_id FROM venue WHERE source_id = :id"
    found: UUID = connection.execute(text(query), {"id": source_id}).scalar_one()
    return found


# ---- by command


def test_doors_are_withdrawn_by_command_on_the_same_conditions(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    def hulan(*words: str) -> str:
        return command(("import", "doors", str(file), "--source", "测", *words), tmp_path, database_url).output

    file = tmp_path / "doors.csv"
    head = "id,longitude,latitude,kind,datum\n"
    rows = [f"{number},117.2,34.26,customers,WGS84\n" for number in range(6)]
    file.write_text(head + "".join(rows), encoding="utf-8")
    assert "added: 6" in hulan()
    file.write_text(head, encoding="utf-8")
    assert "6 个门中的 6 个" in hulan("--whole")
    assert "--withdraw 6" in hulan("--whole", "--withdraw", "5")
    file.write_text(head + "".join(rows[1:]) + "X,117.2,,customers,WGS84\n", encoding="utf-8")
    told = hulan("--whole")
    assert "有 1 行未能读取" in told
    assert "doors.csv.rejects.csv" in told
    with engine.connect() as connection:
        there = text("SELECT count(*) FROM venue_door WHERE withdrawn_at IS NULL")
        assert connection.execute(there).scalar_one() == 6, "nothing was withdrawn unasked"
    assert "withdrawn: 1" in hulan("--whole", "--withdraw", "1")
