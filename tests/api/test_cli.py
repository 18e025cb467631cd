"""The command line as its user meets it: the real program, in a process of its own."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from api.cli.whole import app
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, KEYRING_PATH, a_fix, a_person, a_visit, a_worker, log_fixes


def hulan(*arguments: str, data_dir: Path, database_url: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HULAN_")}
    environment |= {"HULAN_DATA_DIR": str(data_dir), "HULAN_SECRET_KEY": "a secret only of this test"}
    environment["HULAN_KEYRING"] = str(KEYRING_PATH)
    if database_url is not None:
        environment["HULAN_DATABASE_URL"] = database_url
    return subprocess.run(
        [sys.executable, "-m", "api.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        ["up"], ["serve"], ["worker"], ["migrate"], ["retention"], ["replay"], ["explain"], ["demo"], ["map", "venues"],
        ["simulate"], ["quality"],
        ["audit", "verify"], ["audit", "checkpoint"], ["audit", "show"], ["audit", "notices"],
        ["import", "venues"], ["import", "sites"], ["import", "zones"], ["import", "boundaries"],
        ["import", "incidents"], ["import", "doors"], ["import", "cases"], ["import", "fixes"],
        ["keys", "list"], ["keys", "new"], ["keys", "rotate"], ["keys", "destroy"],
        *(["venue", word] for word in ("import", "resolve", "list", "show", "confirm", "refuse", "split", "undo")),
        ["venue", "observe"],
        ["venue", "review", "list"],
        ["texts", "lint"], ["texts", "show"],
    ],
)  # fmt: skip
def test_every_command_explains_itself_with_an_example(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--help"])
    assert done.exit_code == 0
    assert "example" in done.output


def test_places_come_in_twice_without_doubling_and_make_a_map(tmp_path: Path, database_url: str) -> None:
    venues = tmp_path / "venues.csv"
    venues.write_text(
        "id,name,category,longitude,latitude,datum\n1,合成酒吧,bar,117.2,34.26,WGS84\n2,坏行,bar,,34.26,WGS84\n"
        "3,`${x}`,ktv,117.201,34.261,GCJ02\n",
        encoding="utf-8",
    )
    first = hulan("import", "venues", str(venues), "--mapping", "hulan", data_dir=tmp_path, database_url=database_url)
    assert "added: 2" in first.stdout
    assert "rejected: 1" in first.stdout
    with (tmp_path / "venues.csv.rejects.csv").open(encoding="utf-8-sig") as file:
        assert [row["line"] for row in csv.DictReader(file)] == ["3"]
    again = hulan("import", "venues", str(venues), "--mapping", "hulan", data_dir=tmp_path, database_url=database_url)
    assert "added: 0" in again.stdout
    assert "unchanged: 2" in again.stdout
    venues.write_text(venues.read_text(encoding="utf-8").replace("合成酒吧", "改名酒吧"), encoding="utf-8")
    third = hulan("import", "venues", str(venues), "--mapping", "hulan", data_dir=tmp_path, database_url=database_url)
    assert "updated: 1" in third.stdout
    heat = tmp_path / "heat.html"
    done = hulan("map", "venues", "--out", str(heat), data_dir=tmp_path, database_url=database_url)
    assert "unknown: 2" in done.stdout, done.stderr
    assert "改名酒吧" in heat.read_text(encoding="utf-8")


def test_rejected_rows_have_a_place_before_anything_is_read(tmp_path: Path) -> None:
    venues = tmp_path / "venues.csv"
    venues.write_text("nothing that could be read", encoding="utf-8")
    for group in ("venues", "fixes", "cases", "gates"):
        done = CliRunner().invoke(app, ["import", group, str(venues), "--rejects", "/proc/self/rejects.csv"])
        assert done.exit_code == 2, done.output
        assert "cannot be written" in done.output


def test_csv_without_a_datum_is_refused_in_plain_words(tmp_path: Path, database_url: str) -> None:
    venues = tmp_path / "venues.csv"
    venues.write_text("id,name,category,longitude,latitude\n1,合成酒吧,bar,117.2,34.26\n", encoding="utf-8")
    done = hulan("import", "venues", str(venues), "--mapping", "hulan", data_dir=tmp_path, database_url=database_url)
    assert done.returncode == 1
    assert "datum" in done.stderr
    assert "Traceback" not in done.stderr


def test_database_that_was_never_migrated_says_what_to_run(tmp_path: Path, cluster_url: str) -> None:
    url = cluster_url.replace("/hulan?", "/postgres?")
    done = hulan("map", "venues", "--out", str(tmp_path / "x.html"), data_dir=tmp_path, database_url=url)
    assert done.returncode == 1
    assert "hulan migrate" in done.stderr


def test_database_that_is_not_there_says_so_without_a_traceback(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    done = hulan("map", "venues", "--out", str(tmp_path / "x.html"), data_dir=tmp_path, database_url=url)
    assert done.returncode == 1
    assert "连接不上数据库" in done.stderr
    assert "Traceback" not in done.stderr


def test_replay_shows_what_would_have_been_seen(tmp_path: Path) -> None:
    zones = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": "bar",
                "geometry": {"type": "Point", "coordinates": [BAR_LONGITUDE, BAR_LATITUDE]},
                "properties": {"kind": "exclusion", "radius_m": 35},
            },
            {"type": "Feature", "id": "bad", "geometry": None, "properties": {"kind": "exclusion"}},
        ],
    }
    (tmp_path / "zones.geojson").write_text(json.dumps(zones))
    lines = ["subject_id,fixed_at,longitude,latitude,accuracy_m,datum"]
    lines += [
        f"A,{fix.fixed_at.isoformat()},{fix.longitude},{fix.latitude},{fix.accuracy_m},WGS84" for fix in a_visit()
    ]
    (tmp_path / "fixes.csv").write_text("\n".join(lines))
    out = tmp_path / "episodes.csv"
    done = hulan(
        "replay", "--zones", str(tmp_path / "zones.geojson"), "--fixes", str(tmp_path / "fixes.csv"),
        "--out", str(out), data_dir=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with out.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["subject_id"], row["zone_id"], row["tier"]) for row in rows] == [("A", "bar", "probable")]
    assert rows[0]["started_at"] == "2026-03-20T14:10:00+00:00"
    assert rows[0]["undecidable"] == "false"
    assert (tmp_path / "episodes.csv.rejects.csv").exists()


def test_cases_and_tracks_come_in_and_fixes_without_an_order_do_not(tmp_path: Path, database_url: str) -> None:
    case = {
        "reference": "A-1", "alias": "小丽", "birth_date": "2010-01-01", "measure": "bail",
        "location_basis": "order_item",
        "document_number": "合成〔2026〕1号", "deciding_organ": "合成区公安局", "executing_organ": "合成",
        "recipients": [{"role": "guardian", "name": "合成", "phone": "13800000101"}],
        "valid_from": "2026-03-20T22:05:00+08:00", "valid_to": "2026-03-21T00:00:00+08:00",
        "conditions": [{"kind": "excluded_categories", "categories": ["bar"]}],
    }  # fmt: skip
    bad = {**case, "reference": "A-2", "document_number": ""}
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [case, bad]}, ensure_ascii=False), encoding="utf-8")
    tokens = tmp_path / "tokens.csv"
    done = hulan(
        "import", "cases", str(tmp_path / "cases.json"), "--tokens", str(tokens),
        data_dir=tmp_path, database_url=database_url,
    )  # fmt: skip
    assert "rejected: 1" in done.stdout, done.stderr
    assert tokens.stat().st_mode & 0o777 == 0o600
    lines = ["subject_id,fixed_at,longitude,latitude,accuracy_m,datum"]
    lines += [
        f"A-1,{fix.fixed_at.isoformat()},{fix.longitude},{fix.latitude},{fix.accuracy_m},WGS84" for fix in a_visit()
    ]
    lines.append("B-9,2026-03-20T22:10:00+08:00,117.2,34.26,10,WGS84")
    (tmp_path / "fixes.csv").write_text("\n".join(lines))
    done = hulan("import", "fixes", str(tmp_path / "fixes.csv"), data_dir=tmp_path, database_url=database_url)
    assert "added: 35" in done.stdout, done.stderr  # the five before the order began are not stored
    reasons = (tmp_path / "fixes.csv.rejects.csv").read_text(encoding="utf-8-sig")
    assert "no order is in force" in reasons
    assert "no such subject" in reasons


def test_retention_lists_before_it_drops(tmp_path: Path, database_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
    log_fixes(engine, person, [a_fix(east_m=500)])  # in March, long before any day this test may run
    a_worker(engine).drain()
    unset = hulan("retention", data_dir=tmp_path, database_url=database_url)
    assert unset.returncode == 1
    assert "HULAN_KEEP_DAYS" in unset.stderr
    assert "HULAN_THIN_AFTER_DAYS" in unset.stderr
    listed = hulan("retention", "--keep-days", "30", "--dry-run", data_dir=tmp_path, database_url=database_url)
    assert "2026-03-16 – 2026-03-23  定位 fixes: 1" in listed.stdout
    unasked = hulan("retention", "--keep-days", "30", data_dir=tmp_path, database_url=database_url)
    assert unasked.returncode == 1, "dropped without an answer"
    done = hulan("retention", "--keep-days", "30", "--yes", data_dir=tmp_path, database_url=database_url)
    assert "dropped: 1 周 weeks, 1 条定位 fixes" in done.stdout
    again = hulan("retention", "--keep-days", "30", "--yes", data_dir=tmp_path, database_url=database_url)
    assert "older than 30 days: 0" in again.stdout


def test_retention_lists_before_it_thins(tmp_path: Path, database_url: str, engine: Engine) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=500) for minute in range(1000)])
    a_worker(engine).drain()
    thin = ("retention", "--thin-after-days", "60", "--thin-minutes", "5")
    listed = hulan(*thin, "--dry-run", data_dir=tmp_path, database_url=database_url)
    assert "2026-03-16 – 2026-03-23  将抽去的定位 fixes to be thinned out: 223" in listed.stdout, listed.stderr
    assert "older than 60 days, to one per 5 minutes: 1" in listed.stdout
    unasked = hulan(*thin, data_dir=tmp_path, database_url=database_url)
    assert unasked.returncode == 1, "thinned without an answer"
    done = hulan(*thin, "--yes", data_dir=tmp_path, database_url=database_url)
    assert "thinned: 1 周 weeks, 223 条定位 fixes removed" in done.stdout, done.stderr
    again = hulan(*thin, "--yes", data_dir=tmp_path, database_url=database_url)
    assert "to one per 5 minutes: 0" in again.stdout
