"""``hulan simulate``, ``replay`` and ``quality`` as their user meets them."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from api.cli.whole import app
from api.files.tracks import read_tracks
from api.files.zones import read_zones
from api.quality import SWEPT, Setup, trade_off, trade_off_steps
from api.quality_plot import draw
from geo.shapes import Circle
from tracking.policy import PresencePolicy
from tracking.rules import to_microseconds
from tracking.simulate import TEST_SEEDS_FROM, simulate
from tracking.simulate_delivery import PROMPT
from tracking.simulate_scenario import SCENARIOS


def hulan(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(item) for item in arguments])


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("command", ["simulate", "quality"])
def test_help_is_chinese_first_and_english_with_an_example(command: str) -> None:
    text = hulan(command, "--help").output
    first = next(line for line in text.splitlines()[2:] if line.strip())
    assert re.search(r"[\u4e00-\u9fff]", first)
    assert re.search(rf"example: +hulan {command}", text)


def test_simulated_visits_are_replayed_from_files_and_found(tmp_path: Path) -> None:
    done = hulan("simulate", "--scenario", "visit_20_accurate", "--people", "4", "--days", "2", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "person-days: 8" in done.output
    out = tmp_path / "episodes.csv"
    replayed = hulan(
        "replay", "--zones", tmp_path / "zones.geojson", "--fixes", tmp_path / "fixes.csv", "--out", out
    )  # fmt: skip
    assert replayed.exit_code == 0, replayed.output
    truth, episodes = rows_of(tmp_path / "truth.csv"), rows_of(out)
    assert len(truth) == 8
    for visit in truth:
        assert visit["is_visit"] == "true"
        (episode,) = [
            item
            for item in episodes
            if (item["subject_id"], item["zone_id"], item["tier"])
            == (visit["subject_id"], visit["zone_id"], "probable")
            and visit["entered_at"][:16] <= item["decided_at"][:16] <= visit["left_at"][:16]
        ]
        assert episode["undecidable"] == "false"


@pytest.mark.parametrize("as_parquet", [False, True])
def test_files_hold_exactly_what_was_simulated(tmp_path: Path, as_parquet: bool) -> None:
    more = ["--parquet"] if as_parquet else []
    hulan("simulate", "--scenario", "ordinary_week", "--people", "2", "--delivery", "prompt", "--out", tmp_path, *more)
    simulated = simulate("ordinary_week", people=2, days=1, seed=TEST_SEEDS_FROM)
    zones = read_zones(tmp_path / "zones.geojson")
    assert zones.rejected == ()
    assert [(item.kind, item.shape) for item in zones.zones] == [
        (str(zone.kind), zone.shape) for zone in simulated.zones if isinstance(zone.shape, Circle)
    ]
    fixes = simulated.fixes
    for track in read_tracks(tmp_path / ("fixes.parquet" if as_parquet else "fixes.csv")):
        assert track.rejected == ()
        rows = np.flatnonzero(fixes.subject_no == int(track.subject_ref[1:]) - 1)
        assert [to_microseconds(fix.fixed_at) for fix in track.fixes] == fixes.fixed_at[rows].tolist()
        assert [to_microseconds(fix.received_at or fix.fixed_at) for fix in track.fixes] == (
            fixes.received_at[rows].tolist()
        )
        assert [fix.longitude for fix in track.fixes] == fixes.longitude[rows].tolist()
        assert [fix.latitude for fix in track.fixes] == fixes.latitude[rows].tolist()
        assert [fix.accuracy_m for fix in track.fixes] == fixes.accuracy_m[rows].tolist()


def test_quality_prints_a_row_for_the_policy_and_each_rule() -> None:
    done = hulan("quality", "--scenario", "visit_10", "--people", "2", "--days", "1")
    assert done.exit_code == 0, done.output
    for words in ("护栏 Hulan", "点在区域内", "连续 3 点", "连续 5 点", "精度圈相交", "检验 test seed 1000", "100.0%"):
        assert words in done.output, words


def test_quality_as_json_is_one_line_with_every_figure() -> None:
    done = hulan("quality", "--scenario", "all", "--people", "1", "--days", "1", "--seed", "3", "--json")
    assert done.exit_code == 0, done.output
    assert done.output.count("\n") == 1
    said = json.loads(done.output)
    assert set(said["scenarios"]) == set(SCENARIOS)
    assert said["is_tuning_seed"] is True
    assert set(said["scenarios"]["visit_10"]["scores"]) == {"policy", "point", "three", "five", "overlap"}
    assert said["scenarios"]["visit_10"]["scores"]["policy"]["visit_count"] == 1


def test_a_policy_file_changes_what_is_found(tmp_path: Path) -> None:
    strict = tmp_path / "strict.toml"
    strict.write_text("dwell_s = 3000.0\n")
    recalls = []
    arguments: tuple[str | Path, ...]
    for arguments in ((), ("--policy", strict)):
        said = json.loads(hulan("quality", "--scenario", "visit_10", "--people", "2", "--json", *arguments).output)
        recalls.append(said["scenarios"]["visit_10"]["scores"]["policy"]["probable_recall"])
    assert recalls[0] > recalls[1] == 0.0


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_trade_off_is_drawn_with_no_screen(tmp_path: Path, suffix: str) -> None:
    plot = tmp_path / f"trade-off{suffix}"
    done = hulan(
        "quality", "--scenario", "visit_10", "--people", "1", "--days", "1", "--plot", plot,
        "--sweep", "dwell_s=60,240", "--sweep", "probable_probability=0.3,0.6",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    start = plot.read_bytes()[:200]
    assert start.startswith(b"\x89PNG") if suffix == ".png" else b"<?xml" in start


def test_a_lower_threshold_gives_no_fewer_false_alarms_and_finds_no_fewer_visits(tmp_path: Path) -> None:
    steps: list[int] = []
    values = {"probable_probability": (0.3, 0.5, 0.8)}
    setup = Setup(people=10, days=1, seed=TEST_SEEDS_FROM, delivery=PROMPT)
    traded = trade_off(PresencePolicy(), values, setup, progress=steps.append)
    assert len(steps) == trade_off_steps(values)
    for figure in ("false_per_day", "recall"):
        falling = [getattr(point, figure) for point in traded.swept]
        assert falling == sorted(falling, reverse=True)
    draw(traded, tmp_path / "one.svg")


def test_default_sweep_names_fields_of_the_policy_in_force() -> None:
    assert trade_off_steps(SWEPT) == 18 + 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "--scenario", "nobody", "--out", "x"], "neighbour"),
        (["simulate", "--scenario", "visit_10", "--delivery", "pigeon", "--out", "x"], "prompt, rough"),
        (["quality", "--scenario", "nobody"], "neighbour"),
        (["quality", "--plot", "picture.gif"], ".png"),
        (["quality", "--plot", "picture.png", "--sweep", "dwell_s"], "probable_probability=0.3,0.5,0.7"),
        (["quality", "--plot", "picture.png", "--sweep", "dwel_s=1,2"], "dwell_s"),
        (["quality", "--sweep", "dwell_s=1,2"], "--plot"),
    ],
)
def test_what_cannot_be_done_is_refused_in_both_languages(arguments: list[str], said: str, tmp_path: Path) -> None:
    done = hulan(*[tmp_path / item if item == "x" else item for item in arguments])
    assert done.exit_code == 1
    assert said in done.stderr
    assert re.search(r"[\u4e00-\u9fff]", done.stderr)
    assert re.search(r"[a-z]{3}", done.stderr)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "said"), [("dwel_s = 1.0", "dwell_s"), ("dwell_s = 'long'", "float"), ("dwell_s =", "TOML")]
)
def test_a_policy_file_that_names_nothing_is_refused_with_the_names(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    done = hulan("quality", "--scenario", "visit_10", "--people", "1", "--policy", file)
    assert done.exit_code == 1
    assert said in done.stderr
