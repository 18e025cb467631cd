"""Doors, hours, hotels and visits from the outside: by file, by command, over HTTP, and in the law of distance."""

import csv
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from shapely.geometry import Point
from sqlalchemy import Engine, text

from api.access.roles import AccountRole
from api.distance import measure_pair
from geo.datum import Datum
from tests.access.people import a_browser, official_in
from tests.api.distance_register import BY_AIR, NOW, evaluated, put_scene
from tests.api.test_casework_routes import command
from tests.api.test_venue_routes import logged_in
from tests.geo.walk_reference import at
from tests.golden_files import assert_golden
from tests.venues.distance_scene import ON, law
from tests.venues.register_scene import a_record, put
from venues.category import VenueCategory
from venues.door_store import save_doors
from venues.place import SourceKey
from venues.venue_door import DoorKind, VenueDoor

REGISTER = (
    "编号,名称,类别,地址,经度,纬度,坐标系,营业时间,所在场所编号\n"
    "H,合成大酒店,hotel,和平路28号,117.18,34.26,WGS84,24小时,\n"
    "K,合成大酒店KTV,ktv,和平路28号5层,,,WGS84,每天18:00-次日02:00,H\n"
    "B,夜色小馆,bar,和平路30号,117.181,34.26,WGS84,到天亮,\n"
)
DOORS = (
    "id,longitude,latitude,kind,venue_source,venue_source_id,is_main,valid_from,datum\n"
    "1,117.1811,34.2601,顾客,徐州,B,是,2024-05-01,WGS84\n"
    "2,117.1812,34.2601,后勤,徐州,B,,,WGS84\n"
    "3,117.1812,34.2601,窗,徐州,B,,,WGS84\n"
    "4,117.3,34.3,顾客,,,,,WGS84\n"
)


@pytest.mark.golden
def test_files_and_visits_are_shown_with_the_venue(engine: Engine, tmp_path: Path, database_url: str) -> None:
    official_in(engine, "wang", AccountRole.PROSECUTOR)

    def hulan(*words: str) -> str:
        return command(words, tmp_path, database_url).output

    venues, doors = tmp_path / "venues.csv", tmp_path / "doors.csv"
    venues.write_text(REGISTER, encoding="utf-8")
    doors.write_text(DOORS, encoding="utf-8")
    importing = ("venue", "import", str(venues), "--kind", "police", "--source", "徐州", "--mapping", "hulan")
    assert "still to come" in hulan(*importing, "--data-date", "2999-01-01")
    told = hulan(*importing, "--data-date", "2026-03-01")
    assert "added: 3" in told
    assert "unchanged: 3" in hulan(*importing, "--data-date", "2026-03-15")
    told = hulan("import", "doors", str(doors))
    assert "added: 3" in told
    with (tmp_path / "doors.csv.rejects.csv").open(encoding="utf-8-sig") as stream:
        rows = [(row["line"], row["reference"], row["field"]) for row in csv.DictReader(stream)]
    assert rows == [("4", "3", "kind"), ("0", "4", "venue_source_id")]
    assert "unchanged: 3" in hulan("import", "doors", str(doors))
    by = ("--by", "wang")
    listed = [line for line in hulan("venue", "list", *by).splitlines() if line.strip() and not line.startswith(" ")]
    ids = {line.split()[0]: line.split()[-1] for line in listed}
    bar = ids["夜色小馆"]
    assert "--as-registered" in hulan("venue", "observe", bar, "--remark", "无人", *by)
    for words in (
        ("--as-registered", "--remark", "只卖饭菜", "--on", "2026-03-02"),
        ("--category", "nightclub", "--remark", "深夜设舞池", "--on", "2026-03-18"),
    ):
        assert "noted" in hulan("venue", "observe", bar, *words, *by)
    told = "\n".join(hulan("venue", "show", venue_id, *by) for venue_id in (bar, ids["合成大酒店KTV"]))
    assert_golden("venue_seen.txt", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", told))


def test_officers_say_over_http_what_they_saw(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        put(connection, [a_record("map", 1, name="夜色酒吧", category=VenueCategory.BAR)])
        venue_id = connection.execute(text("SELECT venue_id FROM venue")).scalar_one()
    path = f"/venues/{venue_id}/observations"
    with a_browser(database_url) as browser:
        prosecutor = logged_in(browser, engine, "li", AccountRole.PROSECUTOR, seat=11)
        keeper = logged_in(browser, engine, "sun", AccountRole.SYSTEM_ADMINISTRATOR, seat=12)
        seen = {"category": "ktv", "remark": "设包间与点歌设备", "observed_on": "2026-03-01"}
        assert keeper.ask("POST", path, json=seen).status_code == 403
        assert prosecutor.ask("POST", path, json=seen | {"remark": " "}).status_code == 422
        assert prosecutor.ask("POST", path, json=seen | {"category": "cinema"}).status_code == 422
        late = prosecutor.ask("POST", path, json=seen | {"observed_on": "2026-12-31"})
        assert (late.status_code, late.json()["code"]) == (422, "future_day")
        assert prosecutor.ask("POST", f"/venues/{UUID(int=7)}/observations", json=seen).status_code == 404
        assert prosecutor.ask("POST", path, json=seen).status_code == 201
        shown = prosecutor.ask("GET", f"/venues/{venue_id}").json()
        assert shown["observed_categories"] == {"ktv": "KTV"}
        assert [one["remark"] for one in shown["observations"]] == ["设包间与点歌设备"]
        again = {"category": None, "remark": "已恢复为酒吧"}
        assert prosecutor.ask("POST", path, json=again).status_code == 201
        shown = prosecutor.ask("GET", f"/venues/{venue_id}").json()
        assert (shown["observed_categories"], len(shown["observations"])) == ({}, 2)


def test_a_door_moved_by_a_metre_is_another_measurement_and_a_closed_one_is_none(engine: Engine) -> None:
    """The shop's point says: survey, or so many metres give or take its walls; its door says how many."""

    def measured(door: VenueDoor) -> tuple[str, float]:
        with engine.begin() as connection:
            save_doors(connection, [door], at=NOW)
            found = measure_pair(connection, law(BY_AIR), on=ON, venue_id=shop, site_id=None, walked=None)
        return found.hash, found.finding.straight_m

    with engine.begin() as connection:
        shop = put_scene(connection)
        evaluated(connection, BY_AIR)
        bare = measure_pair(connection, law(BY_AIR), on=ON, venue_id=shop, site_id=None, walked=None)
    longitude, latitude = at(0.0, 42.0)
    door = VenueDoor(
        key=SourceKey(source="survey", source_id="1"), kind=DoorKind.CUSTOMERS, longitude=longitude, latitude=latitude,
        raw=Point(longitude, latitude), datum=Datum.WGS84, venue_key=SourceKey(source="licences", source_id="1"),
        error_m=0.5,
    )  # fmt: skip
    first = measured(door)
    further = at(0.0, 43.0)
    moved = measured(replace(door, longitude=further[0], latitude=further[1]))
    assert first[0] != moved[0]
    assert moved[1] - first[1] == pytest.approx(1.0, abs=0.01)
    assert measured(door) == first, "and back again it is the same"
    assert measured(replace(door, kind=DoorKind.CLOSED))[0] == bare.hash
    assert measured(replace(door, valid_from=date(2026, 12, 1)))[0] == bare.hash
