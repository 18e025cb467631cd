"""The law of distance and leads by command: gates in, evaluated, reported, verified, worked."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from api.access.roles import AccountRole
from api.cli.main import assemble
from api.clock import SystemClock
from api.files.saved_walk_network import save_walk_network
from tests.access.people import official_in
from tests.api.distance_register import NOW, STREET, put_scene
from tests.evidence.scene import text_of_pdf
from tests.geo.walk_reference import at
from tests.make import KEYRING_PATH
from tests.venues.distance_scene import YARD
from tracking.local_time import LOCAL_TIME

command_line = assemble()

RULE = """
[[rule]]
id = "own-tobacco"
jurisdiction = "320300"
venues = ["tobacco"]
sites = ["primary_school"]
threshold_m = {threshold}
inclusive = true
site_end = "{end}"
venue_end = "any_door"
metric = "{metric}"
from = 2026-01-01
applies_to = "all"
later_site_exempt = false
status = "in_force"
document = "合成规定"
text_zh = "合成规则"
source = "tests"
verification = "office"
"""

Run = Callable[..., Result]


@pytest.fixture
def hulan(database_url: str, tmp_path: Path) -> Run:
    """A command, with an office's own law; words are checked to have worked unless ``fails``."""
    law = tmp_path / "law.toml"
    law.write_text(RULE.format(threshold=70, end="boundary", metric="straight"), encoding="utf-8")
    environment = {
        "HULAN_DATA_DIR": str(tmp_path / "data"), "HULAN_KEYRING": str(KEYRING_PATH),
        "HULAN_DATABASE_URL": database_url, "HULAN_SECRET_KEY": "a secret only of this test",
        "HULAN_DISTANCE_LAW_FILE": str(law),
    }  # fmt: skip

    def run(*words: str, exit_code: int = 0) -> Result:
        done = CliRunner().invoke(command_line, list(words), env=environment)
        assert done.exit_code == exit_code, done.output + done.stderr
        return done

    return run


def test_a_register_is_evaluated_reported_and_verified(hulan: Run, engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        shop = put_scene(connection)
        connection.execute(text("UPDATE site_gate SET superseded_at = now()"))
    longitude, latitude = at(0.0, 0.0)
    gates = tmp_path / "gates.csv"
    gates.write_text(
        f"id,longitude,latitude,datum,kind,error_m,校门齐全\nn,{longitude},{latitude},WGS84,学生,1,是\n"
        "x,500,0,WGS84,学生,1,\n",
        encoding="utf-8",
    )
    done = hulan("import", "gates", str(gates))
    assert "added: 1" in done.output
    assert "rejected: 1" in done.output
    assert "500" in (tmp_path / "gates.csv.rejects.csv").read_text(encoding="utf-8")
    assert "关闭 closed" not in hulan("distance", "gate", "gates/n").output
    gates.write_text(gates.read_text(encoding="utf-8").replace("学生,1,是\nx", "封闭,1,是\nx"), encoding="utf-8")
    hulan("import", "gates", str(gates))
    versions = hulan("distance", "gate", "gates/n").output
    assert versions.index("开放 open") < versions.index("关闭 closed")
    assert versions.count("cli:") == 2
    assert "no such gate" in hulan("distance", "gate", "gates/y", exit_code=1).stderr
    gates.write_text(gates.read_text(encoding="utf-8").replace("封闭", "学生"), encoding="utf-8")
    hulan("import", "gates", str(gates))
    street = tmp_path / "street.npz"
    save_walk_network(STREET, street)

    first = hulan(
        "distance", "evaluate", "--division", "320312", "--network", str(street), "--network-on", "2026-08-01"
    )
    assert "breach: 1" in first.output
    assert "new leads: 1" in first.output
    listed = hulan("distance", "list", "--verdict", "breach", "--division", "320300").output
    assert "nothing found" in hulan("distance", "list", "--division", "440000").output
    number = re.search(r"编号 no. ([0-9]+)", listed)
    assert number is not None
    assert "nothing found" in hulan("distance", "list", "--after", number[1]).output
    assert "no finding of this number" in hulan("distance", "list", "--after", "999", exit_code=1).stderr
    assert "six digits" in hulan("distance", "list", "--division", "3203", exit_code=2).stderr
    assert "路口烟店 — 育才小学" in listed
    assert "直线 straight 43 米" in listed
    assert "步行 on foot 110 米" in listed

    # On foot the same shop keeps the same metres: the law is changed in the office's file.
    law = tmp_path / "law.toml"
    law.write_text(RULE.format(threshold=70, end="all_gates", metric="walking"), encoding="utf-8")
    second = hulan("distance", "evaluate", "--division", "320312")
    assert "clear: 1" in second.output
    assert "明显违反 breach → 不违反 clear" in hulan("distance", "changes").output
    history = hulan("distance", "show", str(shop)).output
    assert history.index("明显违反") < history.index("不违反 clear")
    assert history.count("合成规定（own-tobacco，版本") == 2
    assert hulan("distance", "rules").output.count("own-tobacco") == 2

    report, again = tmp_path / "report.pdf", tmp_path / "again.pdf"
    told = hulan("distance", "report", str(shop), "--out", str(report)).output
    found = re.search(r"[0-9a-f]{64}", told)
    assert found is not None
    assert "110 米" in "".join(text_of_pdf(report.read_bytes()))
    assert "the same" in hulan("distance", "verify", found[0], "--out", str(again)).output
    assert again.read_bytes() == report.read_bytes()
    (kept,) = (tmp_path / "data" / "walk").iterdir()
    kept.rename(kept.with_name("lost"))
    assert "not kept" in hulan("distance", "verify", found[0], exit_code=1).stderr
    assert "no such measurement" in hulan("distance", "verify", "0" * 64, exit_code=1).stderr


def test_gates_far_from_the_school_that_they_name_are_told_by_the_evaluation(
    hulan: Run, engine: Engine, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        put_scene(connection)
    (longitude, latitude), (far, _) = at(0.0, 0.0), at(5000.0, 0.0)
    gates = tmp_path / "gates.csv"
    gates.write_text(
        "id,longitude,latitude,datum,学校来源,学校编号\n"
        f"near,{longitude},{latitude},WGS84,osm,way/1\nfar,{far},{latitude},WGS84,osm,way/1\n",
        encoding="utf-8",
    )
    assert "added: 2" in hulan("import", "gates", str(gates)).output
    told = hulan("distance", "evaluate", "--division", "320312").output
    assert "1 个校门不计：所指学校未登记，或距其校园超过 500 米，请核对学校编号与坐标：gates/far / 1 gates" in told
    gates.write_text(gates.read_text(encoding="utf-8").replace(str(far), str(longitude)), encoding="utf-8")
    hulan("import", "gates", str(gates))
    assert "个校门不计" not in hulan("distance", "evaluate", "--division", "320312").output


CITY = {
    "schools.geojson": ("way/1", {"amenity": "school", "name": "育才小学"}, YARD),
    "shops.geojson": ("node/1", {"shop": "tobacco", "name": "路口烟店"}, None),
}


def write_city(folder: Path, *, shop_y: float = 43.0, is_closed: bool = False) -> None:
    """A school with one gate and a shop across the street, as files that the commands read."""
    corner = [(-1.0, shop_y - 1.0), (1.0, shop_y - 1.0), (1.0, shop_y + 1.0), (-1.0, shop_y + 1.0)]
    for name, (key, tags, wall) in CITY.items():
        ring = [at(*place) for place in (wall or corner)]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        feature = {"type": "Feature", "id": key, "properties": {"id": key, **tags}, "geometry": geometry}
        found = json.dumps({"type": "FeatureCollection", "features": [feature]}, ensure_ascii=False)
        (folder / name).write_text(found, encoding="utf-8")
    longitude, latitude = at(0.0, 0.0)
    gates = (
        "id,longitude,latitude,datum,kind,is_closed,error_m,all_gates\n"
        f"north,{longitude},{latitude},WGS84,学生,{is_closed},1,yes\n"
    )
    (folder / "gates.csv").write_text(gates, encoding="utf-8")


def test_what_changed_in_a_city_and_why_is_told_in_plain_words(hulan: Run, tmp_path: Path) -> None:
    """Files are edited and imported again, and the office's law: no hand in the database."""
    street = tmp_path / "street.npz"
    save_walk_network(STREET, street)

    def changed(**city: Any) -> str:
        write_city(tmp_path, **city)
        hulan("import", "sites", str(tmp_path / "schools.geojson"), "--datum", "WGS84")
        hulan("import", "venues", str(tmp_path / "shops.geojson"), "--datum", "WGS84")
        hulan("import", "gates", str(tmp_path / "gates.csv"))
        hulan("distance", "evaluate", "--division", "320312", "--network", str(street), "--network-on", "2026-08-01")
        return str(hulan("distance", "changes").output)

    first = changed()
    assert "明显违反 breach  路口烟店 — 育才小学" in first
    assert "原因 why：首次测量" in first
    assert "nothing changed" in changed()

    closed = changed(is_closed=True)
    assert "明显违反 breach → 明显违反 breach" in closed
    assert (
        "原因 why：校门 gates/north 已登记为关闭；直线未变（43.0 米）；步行由 110.0 米 变为 没有开放的校门，未测"
        in closed
    )
    assert "gate gates/north is registered as closed; the straight line is the same (43.0 m)" in closed
    opened = changed()
    assert "直线未变（43.0 米）；步行由 没有开放的校门，未测 变为 110.0 米" in opened

    moved = changed(shop_y=44.0)
    assert "原因 why：直线由 43.0 米变为 44.0 米；步行由 110.0 米 变为 111.0 米" in moved
    assert "straight 43.0 m before, 44.0 m now" in moved

    law = tmp_path / "law.toml"
    law.write_text(RULE.format(threshold=70, end="all_gates", metric="walking"), encoding="utf-8")
    ruled = changed(shop_y=44.0)
    assert "明显违反 breach → 不违反 clear" in ruled
    assert re.search(
        r"规则由《合成规定》（限 70 米（含本数），直线，从围墙或校园边界到任一出入口，版本 [0-9a-f]{16}）"
        r"改为《合成规定》（限 70 米（含本数），步行，从所有出入口到任一出入口，版本 [0-9a-f]{16}）；直线未变",
        ruled,
    )
    assert "the rule changed from own-tobacco (70 m straight" in ruled
    shop = re.search(r"[0-9a-f-]{36}", ruled)
    assert shop is not None
    history = hulan("distance", "show", shop[0]).output
    assert history.count("明显违反 breach：") == 4
    assert history.count("不违反 clear：") == 1


def test_who_will_not_see_what_is_found_is_told(hulan: Run, engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
    assert "its districts do not see" in hulan("distance", "evaluate", "--division", "320300").output
    assert "its districts do not see" not in hulan("distance", "evaluate", "--division", "320312").output
    changed = hulan("distance", "changes").output
    assert "所在区划由 320300 改为 320312；直线未变（43.0 米）" in changed


def test_a_lead_is_worked_by_commands(hulan: Run, engine: Engine, tmp_path: Path) -> None:
    today = SystemClock().now().astimezone(LOCAL_TIME).date()
    with engine.begin() as connection:
        put_scene(connection)
    hulan("distance", "evaluate", "--division", "320312")
    official_in(engine, "wang", now=NOW)
    official_in(engine, "zhao", AccountRole.POLICE, now=NOW)
    listed = hulan("lead", "list", "--by", "wang").output
    found = re.search(r"id ([0-9a-f-]{36})", listed)
    assert found is not None
    assert "烟草专卖行政主管部门" in listed
    assert found[0] in hulan("lead", "list", "--by", "wang", "--division", "320000").output
    assert "no leads" in hulan("lead", "list", "--by", "wang", "--division", "440000").output
    assert "no leads" in hulan("lead", "list", "--by", "wang", "--after", found[1]).output
    lead = found[1]
    refused = hulan("lead", "recommend", lead, "--regulator", "甲", "--number", "1", "--by", "wang", exit_code=1)
    assert "not open to recommend" in refused.stderr
    hulan("lead", "check", lead, "--on", f"{today}", "--found", "--by", "zhao", exit_code=1)
    assert "checked" in hulan("lead", "check", lead, "--on", f"{today}", "--found", "--by", "wang").output
    hulan("lead", "recommend", lead, "--regulator", "合成烟草局", "--number", "合成检建〔2026〕1号", "--by", "wang")
    hulan("lead", "deliver", lead, "--on", f"{today}", "--urgent", "--by", "wang")
    shown = hulan("lead", "show", lead, "--by", "zhao").output
    assert "期限内 green：应于" in shown
    assert "合成检建〔2026〕1号" in shown
    assert "下一步 next: 送达 deliver、行政机关回复 reply" in shown
    for name in ("draft.docx", "draft.pdf"):
        path = tmp_path / name
        given = ("--procuratorate", "合成检察院", "--out", str(path), "--by", "wang")
        hulan("lead", "recommendation", lead, *given)
        assert path.stat().st_size > 1000
        assert "not there yet" in hulan("lead", "recommendation", lead, *given, exit_code=1).stderr
    figures = hulan("lead", "statistics", "--by", "wang").output
    assert "已送达 delivered 1" in figures
    assert "结果 outcomes：在办 open 1  不立案 no_case 0" in figures
    assert f"{today:%Y-%m}" in figures
    assert "合成烟草局" in figures
    assert "no leads" in hulan("lead", "list", "--by", "wang", "--state", "new").output


def test_a_lead_is_opened_by_command(hulan: Run, engine: Engine) -> None:
    with engine.begin() as connection:
        shop = put_scene(connection)
    hulan("distance", "evaluate", "--division", "320312")
    official_in(engine, "wang", now=NOW)
    official_in(engine, "zhao", division="320303", now=NOW)
    given = ("lead", "open", str(shop), "--ground", "sells_tobacco", "--note", "向学生售烟")
    hulan(*given, "--by", "zhao", exit_code=1)
    assert "still to come" in hulan(*given, "--on", "2999-01-01", "--by", "wang", exit_code=1).stderr
    opened = hulan(*given, "--by", "wang").output.split()[-1]
    assert f"already: {opened}" in hulan(*given, "--by", "wang", exit_code=1).stderr
    shown = hulan("lead", "show", opened, "--by", "wang").output
    assert "向未成年人售烟" in shown
    assert "烟草专卖行政主管部门" in shown
    assert "· 向学生售烟" in shown


def test_what_was_typed_wrongly_is_told(hulan: Run) -> None:
    assert "six digits" in hulan("distance", "evaluate", "--division", "3203", exit_code=1).stderr
    assert "import them first" in hulan("distance", "evaluate", "--division", "320312", exit_code=1).stderr
    assert "must be one of" in hulan("distance", "list", "--verdict", "bad", exit_code=1).stderr
    assert "nothing found" in hulan("distance", "list").output
    number = "00000000-0000-7000-8000-000000000007"
    assert "nothing was found" in hulan("distance", "show", number, exit_code=1).stderr


def test_every_command_about_leads_and_distances_shows_how_it_is_typed(hulan: Run) -> None:
    for group in ("lead", "distance"):
        commands = re.findall(r"^\W*│\s([a-z][a-z-]+)\s", hulan(group, "--help").output, re.MULTILINE)
        assert len(commands) >= 7, commands
        for command in commands:
            assert "例 / example:" in hulan(group, command, "--help").output, (group, command)
    assert "hulan lead check" in hulan("lead", "--help").output


def test_a_school_and_a_gate_that_are_gone_are_taken_out_by_file(hulan: Run, tmp_path: Path) -> None:
    write_city(tmp_path)
    schools, gates = tmp_path / "schools.geojson", tmp_path / "gates.csv"
    all_schools = ("import", "sites", str(schools), "--datum", "WGS84", "--whole", "--source", "map")
    all_gates = ("import", "gates", str(gates), "--whole", "--source", "survey")
    assert "--source" in hulan("import", "sites", str(schools), "--datum", "WGS84", "--whole", exit_code=1).stderr
    assert "--source" in hulan("import", "gates", str(gates), "--whole", exit_code=1).stderr
    hulan(*all_schools, "--data-date", "2026-10-01")
    assert "added: 1" in hulan(*all_gates, "--data-date", "2026-10-01").output
    assert "unchanged: 1" in hulan(*all_gates, "--data-date", "2026-11-01").output
    assert "still to come" in hulan(*all_gates, "--data-date", "2999-01-01", exit_code=1).stderr
    assert "数据截至 as of 2026-11-01" in hulan("distance", "gate", "survey/north").output

    found = json.loads(schools.read_text(encoding="utf-8"))
    elsewhere = [[x + 0.1, y] for x, y in found["features"][0]["geometry"]["coordinates"][0]]
    found["features"][0] |= {"id": "way/2", "geometry": {"type": "Polygon", "coordinates": [elsewhere]}}
    found["features"][0]["properties"]["id"] = "way/2"
    schools.write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    rows = gates.read_text(encoding="utf-8")
    gates.write_text(rows.replace("north", "east") + "x,500,0,WGS84,学生,no,1,\n", encoding="utf-8")

    refused = hulan(*all_gates, exit_code=1)
    assert "未导入：将撤回 1 个校门中的 1 个，" in refused.stderr
    assert "gates.csv.rejects.csv" in refused.output
    told = hulan(*all_gates, "--withdraw", "1", "--data-date", "2026-11-20").output
    assert "withdrawn: 1" in told
    assert "撤回 withdrawn: north" in told
    assert "数据截至 as of 2026-11-20" in hulan("distance", "gate", "survey/north").output
    older = hulan(*all_schools, "--data-date", "2026-09-01").output
    assert "kept as it was: 1" in older
    told = hulan(*all_schools, "--withdraw", "1").output
    assert "撤回 withdrawn: way/1 育才小学" in told
