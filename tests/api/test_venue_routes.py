"""The register from the outside: over HTTP with roles and scopes, and by command with files."""

import csv
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from shapely.geometry import box
from sqlalchemy import Engine, text

from api.access.caller import as_account
from api.access.roles import AccountRole, Scope
from api.access.tokens import create_token
from api.errors import BoundaryMissingError, NotThereError
from api.ids import new_id
from api.register import resolve
from api.venue_listing import open_reviews
from geo.shapes import Area
from tests.access.people import Browser, a_browser, another, official_in
from tests.api.live_server import NOW
from tests.api.test_casework_routes import command
from tests.files.shared_data import shared_file
from tests.golden_files import assert_golden
from tests.make import SECRET
from tests.venues.register_scene import a_record, a_street, merged_by_machine, put, state
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory
from venues.source_record import SourceKind

LICENCE = "91350100M000100Y43"


@pytest.fixture
def register(engine: Engine) -> Engine:
    """One street, resolved: a KTV of three registers, and a bar of which a person must say whether it is another's."""
    alike = a_record("police", 3, kind=SourceKind.POLICE, at_m=130, name="夜色", category=VenueCategory.BAR)
    with engine.begin() as connection:
        put(connection, [*a_street(), alike])
    resolve(engine, at=NOW - timedelta(days=1))
    return engine


def logged_in(browser: Browser, engine: Engine, name: str, role: AccountRole, *, seat: int) -> Browser:
    """Each at a machine of their own."""
    there = another(browser, f"198.51.100.{seat}")
    there.log_in(official_in(engine, name, role))
    return there


def ktv(browser: Browser) -> dict[str, Any]:
    (found,) = [item for item in browser.ask("GET", "/venues").json() if item["record_count"] == 3]
    return dict(found)


def test_officers_read_the_register_and_police_and_supervisors_keep_it(register: Engine, database_url: str) -> None:
    with a_browser(database_url) as browser:
        police = logged_in(browser, register, "wang", AccountRole.POLICE, seat=11)
        prosecutor = logged_in(browser, register, "li", AccountRole.PROSECUTOR, seat=12)
        listed = police.ask("GET", "/venues").json()
        assert prosecutor.ask("GET", "/venues").json() == listed
        assert len(listed) == 4
        place = ktv(police)
        assert place["licences"]["uscc"] == [LICENCE]
        assert place["registered_categories"] == place["observed_categories"] == {"ktv": "KTV"}
        assert [item["name"] for item in police.ask("GET", "/venues", params={"category": "bar"}).json()]
        assert police.ask("GET", "/venues", params={"name": "无此名"}).json() == []
        assert police.ask("GET", "/venues", params={"after": listed[-1]["venue_id"]}).json() == []
        records = police.ask("GET", f"/venues/{place['venue_id']}/records").json()
        assert {record["kind_zh"] for record in records} == {"市场主体登记", "地图兴趣点", "公安登记"}
        (question,) = police.ask("GET", "/venue-reviews").json()
        assert {question["left"]["name"], question["right"]["name"]} == {"夜色酒吧", "夜色"}
        assert sum(weight["bits"] for weight in question["weights"]) != 0
        path = f"/venue-reviews/{question['review_id']}"
        assert prosecutor.ask("POST", path, json={"answer": "confirm"}).status_code == 403
        merge_id = police.ask("POST", path, json={"answer": "confirm"}).json()["merge_id"]
        assert police.ask("GET", "/venue-reviews").json() == []
        assert police.ask("POST", path, json={"answer": "refuse", "reason": "两家"}).status_code == 404, (
            "it is answered"
        )
        assert police.ask("POST", f"/venue-links/{merge_id}/undo").status_code == 204
        assert police.ask("GET", "/venue-reviews").json() == [question], "asked again, as if nothing had been"
        assert police.ask("POST", path, json={"answer": "refuse", "reason": "两家"}).status_code == 200
        assert police.ask("GET", "/venue-reviews").json() == []


def test_a_wrong_merge_is_split_taken_back_and_shown_with_who_did_it(register: Engine, database_url: str) -> None:
    with register.connect() as connection:
        before = state(connection)
    with a_browser(database_url) as browser:
        police = logged_in(browser, register, "wang", AccountRole.SUPERVISOR, seat=11)
        place = ktv(police)
        shown = police.ask("GET", f"/venues/{place['venue_id']}").json()
        merges = [item for item in shown["history"] if item["kind"] == "merge" and item["stands"]]
        assert len(merges) == 2
        assert {item["decided_by"] for item in merges} == {"machine:1"}
        path = f"/venues/{place['venue_id']}/splits"
        assert police.ask("POST", path, json={"merge_id": str(UUID(int=7)), "reason": "两家店"}).status_code == 404
        assert police.ask("POST", path, json={"merge_id": merges[0]["link_id"], "reason": ""}).status_code == 422
        split = police.ask("POST", path, json={"merge_id": merges[0]["link_id"], "reason": "两家店"})
        assert split.status_code == 201
        apart = police.ask("GET", f"/venues/{split.json()['venue_id']}").json()
        assert apart["venue_id"] == split.json()["venue_id"]
        (entry,) = [item for item in apart["history"] if item["kind"] == "split"]
        assert entry["decided_by"].startswith("account:")
        assert entry["reason"] == "两家店"
        assert police.ask("POST", f"/venue-links/{entry['link_id']}/undo").status_code == 204
        assert ktv(police)["record_count"] == 3
    with register.connect() as connection:
        after = state(connection)
    assert {row[:-4] for row in after["venues"]} == {row[:-4] for row in before["venues"]}
    assert after["zones"] == before["zones"]


def test_two_places_that_the_machine_did_not_ask_about_are_merged_with_a_reason_and_undone(
    register: Engine, database_url: str
) -> None:
    with register.connect() as connection:
        before = state(connection)
    with a_browser(database_url) as browser:
        police = logged_in(browser, register, "wang", AccountRole.POLICE, seat=11)
        prosecutor = logged_in(browser, register, "li", AccountRole.PROSECUTOR, seat=12)
        (shop,) = [item for item in police.ask("GET", "/venues").json() if item["name"] == "老王烟酒店"]
        path, other = (
            f"/venues/{ktv(police)['venue_id']}/merges",
            {"venue_id": shop["venue_id"], "reason": "同一经营者"},
        )
        assert prosecutor.ask("POST", path, json=other).status_code == 403
        assert police.ask("POST", path, json=other | {"reason": ""}).status_code == 422, "why is part of it"
        assert police.ask("POST", path, json=other | {"venue_id": str(UUID(int=7))}).status_code == 404
        merged = police.ask("POST", path, json=other)
        assert merged.status_code == 201
        assert police.ask("POST", path, json=other).status_code == 422, "they are one by now"
        shown = police.ask("GET", f"/venues/{shop['venue_id']}").json()
        assert (shown["record_count"], set(shown["categories"])) == (4, {"ktv", "tobacco"})
        entry = shown["history"][0]
        assert (entry["link_id"], entry["kind"]) == (merged.json()["merge_id"], "merge")
        assert (entry["reason"], entry["decided_by"][:8]) == ("同一经营者", "account:")
        resolve(register, at=NOW)
        assert police.ask("GET", f"/venues/{shop['venue_id']}").json()["record_count"] == 4, "the machine leaves it so"
        assert police.ask("POST", f"/venue-links/{entry['link_id']}/undo").status_code == 204
    with register.connect() as connection:
        assert state(connection) == before


def test_a_token_with_its_scope_reads_venues_and_decides_nothing(register: Engine, database_url: str) -> None:
    official = official_in(register, "wang", AccountRole.POLICE)
    with register.begin() as connection:
        _, token = create_token(
            connection,
            official.account_no,
            label="x",
            scopes=[Scope.VENUES_READ],
            roles=frozenset({AccountRole.POLICE}),
            life=timedelta(days=1),
            secret=SECRET,
            now=NOW,
        )
    with a_browser(database_url) as browser:
        headers = {"Authorization": f"Bearer {token}"}
        assert len(browser.ask("GET", "/venues", headers=headers).json()) == 4
        (question,) = browser.ask("GET", "/venue-reviews", headers=headers).json()
        path = f"/venue-reviews/{question['review_id']}"
        assert browser.ask("POST", path, json={"answer": "confirm"}, headers=headers).status_code == 403


def test_businesses_that_followed_one_another_at_one_door_are_shown(engine: Engine, database_url: str) -> None:
    kind, home = SourceKind.BUSINESS_REGISTRATION, "徐州市云龙区和平路28号3层305室"
    first, second = (
        a_record("register", 1, kind=kind, name="旧日网吧有限公司", address=home, uscc=LICENCE, valid_from="2015-01-01",
                 category=VenueCategory.INTERNET_CAFE),
        a_record("register", 2, kind=kind, name="新潮歌厅有限公司", address=home, uscc="91320300MA1MA1MA18",
                 valid_from="2021-05-01"),
    )  # fmt: skip
    elsewhere = [
        a_record("police", 3, kind=SourceKind.POLICE, name="外县歌厅", at_m=None, valid_from="2018-01-01",
                 address=home.replace("云龙区", "睢宁县")),
        a_record("police", 4, kind=SourceKind.POLICE, name="外市歌厅", address="和平路28号3层305室", at_m=90_000,
                 valid_from="2019-01-01"),
    ]  # fmt: skip
    with engine.begin() as connection:
        put(connection, [first, second, *elsewhere])
    official_in(engine, "wang", AccountRole.POLICE)
    with a_browser(database_url) as browser:
        police = logged_in(browser, engine, "zhao", AccountRole.POLICE, seat=11)
        (venue_id,) = (item["venue_id"] for item in police.ask("GET", "/venues", params={"name": "旧日"}).json())
        operators = police.ask("GET", f"/venues/{venue_id}").json()["operators"]
    assert [(item["name"], item["ended"], item["is_end_assumed"]) for item in operators] == [
        ("旧日网吧有限公司", "2021-04-30", True),
        ("新潮歌厅有限公司", None, False),
    ]


# ---- by command


def test_a_register_comes_in_whole_or_not_and_its_rejected_rows_lie_beside_it(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    official_in(engine, "wang", AccountRole.POLICE)

    def hulan(*words: str) -> str:
        return command(words, tmp_path, database_url).output

    file = tmp_path / "登记.csv"
    rows = "编号,企业名称,经营场所,统一社会信用代码,经度,纬度,坐标系\n1,星光娱乐有限公司,和平路28号," + LICENCE
    file.write_text(f"{rows},117.18,34.26,GCJ02\n2,坏号公司,和平路30号,123,117.18,34.26,GCJ02\n", encoding="utf-8")
    importing = ("venue", "import", str(file), "--kind", "business_registration", "--source", "徐州")
    told = hulan(*importing)
    assert "added: 1" in told
    assert "rejected: 1" in told
    with (tmp_path / "登记.csv.rejects.csv").open(encoding="utf-8-sig") as stream:
        assert [(row["line"], row["field"]) for row in csv.DictReader(stream)] == [("3", "uscc")]
    assert "unchanged: 1" in hulan(*importing)
    file.write_text(rows.replace("1,星光", "9,月光") + ",117.18,34.26,GCJ02\n", encoding="utf-8")
    assert "--withdraw 1" in hulan(*importing, "--whole"), "all that the register had"
    assert "withdrawn: 1" in hulan(*importing, "--whole", "--withdraw", "1")
    listed = hulan("venue", "list", "--by", "wang")
    assert "月光娱乐有限公司" in listed
    assert "星光" not in listed
    new = rows.replace("1,星光", "8,新光").replace("经度", "联系电话,经度").replace(LICENCE, LICENCE + ",13800000101")
    file.write_text(f"{new},117.18,34.26,GCJ02\n99,月光,和平路28号,123,,117.18,34.26,GCJ02\n", encoding="utf-8")
    assert "--withdraw 1" in hulan(*importing, "--whole"), (
        "the row that cannot be read may be the venue that is missing"
    )
    assert "月光娱乐有限公司" in hulan("venue", "list", "--by", "wang")
    with (tmp_path / "登记.csv.rejects.csv").open(encoding="utf-8-sig") as stream:
        assert [row["reference"] for row in csv.DictReader(stream)] == ["99"], "what to mend is told all the same"
    told = hulan(*importing, "--whole", "--withdraw", "1")
    assert "withdrawn: 9 月光娱乐有限公司" in told
    with engine.connect() as connection:
        (shop,) = connection.execute(text("SELECT venue_id FROM venue WHERE withdrawn_at IS NULL")).scalars()
        assert connection.execute(text("SELECT count(*) FROM venue_phone")).scalar_one() == 1
    assert "13800000101" not in hulan("venue", "show", str(shop), "--by", "wang", "--json")
    file.write_text(rows.replace("1,星光", "7,半张") + ",117.18,34.26,NOWHERE\n", encoding="utf-8")
    hulan(*importing)
    file.write_text("编号,地址\n1,x\n", encoding="utf-8")
    assert "name" in hulan(*importing)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM venue")).scalar_one() == 3, "nothing of a bad file is kept"


def test_the_command_line_resolves_asks_and_decides(engine: Engine, tmp_path: Path, database_url: str) -> None:
    official_in(engine, "wang", AccountRole.POLICE)
    alike = a_record("police", 3, kind=SourceKind.POLICE, at_m=130, name="夜色", category=VenueCategory.BAR)
    with engine.begin() as connection:
        put(connection, [*a_street(), alike])

    def hulan(*words: str) -> str:
        return command(words, tmp_path, database_url).output

    assert "no such register: 无此登记" in hulan("venue", "resolve", "--no-doubles", "无此登记")
    assert "merged: 2" in hulan("venue", "resolve", "--no-doubles", "police")
    asked = hulan("venue", "review", "list", "--by", "wang")
    review_id = asked.splitlines()[0].split()[-1]
    assert "夜色酒吧" in asked
    merge_id = hulan("venue", "confirm", review_id, "--by", "wang").split()[-3]
    assert "nothing to judge" in hulan("venue", "review", "list", "--by", "wang")
    hulan("venue", "undo", merge_id, "--by", "wang")
    assert "two venues" in hulan("venue", "refuse", review_id, "--by", "wang", "--reason", "两家")
    place = next(line.split()[-1] for line in hulan("venue", "list", "--by", "wang").splitlines() if "KTV" in line)
    shown = hulan("venue", "show", place, "--by", "wang")
    merge = next(line for line in shown.splitlines() if "合并 merged" in line).split()[4]
    assert "split" in hulan("venue", "split", place, merge, "--reason", "两家店", "--by", "wang")
    assert "已拆 split" in hulan("venue", "show", place, "--by", "wang")
    shop = next(line.split()[-1] for line in hulan("venue", "list", "--by", "wang").splitlines() if "烟酒店" in line)
    merging = ("venue", "merge", place, shop, "--reason", "同一经营者", "--by", "wang")
    assert "hulan venue undo" in hulan(*merging)
    assert "已是同一场所" in hulan(*merging)
    assert "同一经营者" in hulan("venue", "show", shop, "--by", "wang")


def test_a_business_that_is_over_is_shown_with_its_last_day(engine: Engine, tmp_path: Path, database_url: str) -> None:
    kind, words = SourceKind.BUSINESS_REGISTRATION, "已注销/吊销 ended on 2019-05-01"
    over = a_record("register", 1, kind=kind, name="旧日网吧", uscc=LICENCE, deregistered_on="2019-05-01",
                    category=VenueCategory.INTERNET_CAFE)  # fmt: skip
    ran_out = a_record("register", 2, kind=kind, name="到期网吧", uscc="91320300MA1MA1MA18", valid_to="2019-05-01",
                       category=VenueCategory.INTERNET_CAFE)  # fmt: skip
    still = a_record("map", 9, name="旧日上网", category=VenueCategory.INTERNET_CAFE)
    with engine.begin() as connection:
        put(connection, [over, ran_out, still])
        merged_by_machine(connection, (over, still))
    official_in(engine, "zhang", AccountRole.POLICE)
    with a_browser(database_url) as browser:
        police = logged_in(browser, engine, "wang", AccountRole.POLICE, seat=11)
        listed = {item["name"]: item for item in police.ask("GET", "/venues").json()}
    assert {name: item["ended_on"] for name, item in listed.items()} == {"旧日上网": "2019-05-01", "到期网吧": None}
    assert listed["旧日上网"]["is_watched"], "the map still has it"
    assert words in command(("venue", "list", "--by", "zhang"), tmp_path, database_url).output
    shown = command(("venue", "show", listed["旧日上网"]["venue_id"], "--by", "zhang"), tmp_path, database_url).output
    assert f"市场主体登记 register 1: 旧日网吧  {words}" in shown
    assert f"旧日上网  {words}" not in shown


@pytest.mark.golden
def test_what_officers_read_of_a_question_and_of_a_place(engine: Engine, tmp_path: Path, database_url: str) -> None:
    official_in(engine, "wang", AccountRole.POLICE)
    alike = a_record("police", 3, kind=SourceKind.POLICE, at_m=130, name="夜色", category=VenueCategory.BAR)
    with engine.begin() as connection:
        put(connection, [*a_street(), alike])
    resolve(engine, at=NOW)

    def hulan(*words: str) -> str:
        return command(("venue", *words, "--by", "wang"), tmp_path, database_url).output

    place = next(line.split()[-1] for line in hulan("list").splitlines() if "KTV" in line)
    told = f"{hulan('review', 'list')}\n{hulan('show', place)}"
    assert_golden("venue_register.txt", re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "…", told))


@pytest.mark.real
def test_beijing_west_comes_in_whole_with_a_reject_file_and_is_resolved(
    engine: Engine, tmp_path: Path, database_url: str
) -> None:
    path = shared_file("beijing_osm_bbbike_2020/venues_west.csv")
    rejects = tmp_path / "rejects.csv"
    told = command(
        ("venue", "import", str(path), "--kind", "poi", "--source", "osm", "--mapping", "osm", "--datum", "WGS84",
         "--rejects", str(rejects)), tmp_path, database_url
    ).output  # fmt: skip
    counts = {word.split()[-1]: int(number) for word, _, number in
              (part.partition(": ") for part in told.splitlines()[-2].split("  "))}  # fmt: skip
    assert sum(counts.values()) == 2441
    with rejects.open(encoding="utf-8-sig") as stream:
        assert len(list(csv.DictReader(stream))) == counts["rejected"] > 0
    with engine.connect() as connection:
        zones, venues = (
            connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in ("zone", "venue")
        )
    assert zones == venues == counts["added"]
    done = resolve(engine, at=NOW)
    assert done.record_count == counts["added"]
    assert done.venue_count == counts["added"] - done.merged_count
    with engine.connect() as connection:
        current = connection.execute(text("SELECT count(*) FROM zone WHERE superseded_at IS NULL")).scalar_one()
        lost = connection.execute(
            text("SELECT count(*) FROM venue v WHERE NOT EXISTS (SELECT FROM venue w WHERE w.is_watched"
                 " AND w.current_no = v.current_no AND w.category = v.category)")
        ).scalar_one()  # fmt: skip
    assert (lost, current <= venues) == (0, True)


def test_questions_come_a_page_at_a_time_and_by_division(engine: Engine, database_url: str) -> None:
    pairs = [
        a_record(source, 30 + number, kind=kind, at_m=at_m + 5_000 * number, name=f"{name}{more}", address=address,
                 category=VenueCategory.BAR)
        for number, name in enumerate(("夜色", "蓝月", "归舟"))
        for source, kind, more, at_m, address in (
            ("map", SourceKind.POI, "酒吧", 40, f"和平路{30 + number}号"), ("police", SourceKind.POLICE, "", 130, "")
        )
    ]  # fmt: skip
    with engine.begin() as connection:
        put(connection, [*a_street()[:4], *pairs])
    resolve(engine, at=NOW - timedelta(days=1))
    wang = official_in(engine, "wang", AccountRole.POLICE)
    with as_account(engine, wang.account_id) as connection:
        whole = open_reviews(connection)
        assert len(whole) == 3
        paged: list[dict[str, Any]] = []
        while page := open_reviews(connection, most=2, after=paged[-1]["review_id"] if paged else None):
            assert len(page) <= 2
            paged += page
        assert paged == whole
        with pytest.raises(NotThereError):
            open_reviews(connection, after=new_id())
        with pytest.raises(BoundaryMissingError, match="440106"):
            open_reviews(connection, division="440106")
    middle = next(record for record in pairs if record.name == "蓝月")
    assert middle.longitude is not None
    assert middle.latitude is not None
    around = Area(geometry=box(middle.longitude - 0.01, middle.latitude - 0.01, middle.longitude + 0.01,
                               middle.latitude + 0.01))  # fmt: skip
    district = ZoneDraft(
        zone_id=new_id(), source="boundary:t", source_id="440106", kind=ZoneKind.INCLUSION,
        origin=ZoneOrigin.BOUNDARY, name="合成区", shape=around,
    )  # fmt: skip
    with engine.begin() as connection:
        save_zones(connection, [district], at=NOW)
    with a_browser(database_url) as browser:
        browser.log_in(wang)
        for division, count in (("440106", 1), ("440100", 1), ("000000", 1)):
            found = browser.ask("GET", "/venue-reviews", params={"division": division}).json()
            assert [one["left"]["name"][:2] for one in found] == ["蓝月"] * count
        refused = browser.ask("GET", "/venue-reviews", params={"division": "330106"})
        assert (refused.status_code, refused.json()["code"]) == (409, "boundary_missing")
        assert browser.ask("GET", "/venue-reviews", params={"division": "44"}).status_code == 422
        after = {"after": str(whole[0]["review_id"])}
        assert [one["review_id"] for one in browser.ask("GET", "/venue-reviews", params=after).json()] == [
            str(one["review_id"]) for one in whole[1:]
        ]
