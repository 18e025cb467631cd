"""The main job from end to end: the real demo command, with its server, worker and database."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A folder that PostgreSQL's account can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="hulan-demo-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run_hulan(data_dir: Path, *arguments: str, **extra: str) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HULAN_")}
    environment |= {"HULAN_DATA_DIR": str(data_dir), **extra}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def figure(output: str, label: str) -> int:
    found = re.search(rf"{label}\s*│\s*(\d+)", output)
    assert found is not None, output
    return int(found[1])


def assert_nothing_is_lost(output: str) -> None:
    """Every notification left, or waits, or was passed on to what came in its place, or is a person's to do.

    Some may wait: after the last fix the clock goes on, and orders that ended years ago are told of.
    """
    labels = ("已发送 sent", "待发送 waiting", "改由下一步 passed on", "由人联系 by a person")
    parts = [figure(output, label) for label in labels]
    assert parts[0] > 0
    assert sum(parts) == figure(output, "通知 notifications")


@pytest.mark.slow
def test_synthetic_evening_runs_from_fix_to_sms_and_heatmap(data_dir: Path) -> None:
    output = run_hulan(data_dir, "demo")
    since = re.search(r"您的孩子小丽于22时(\d\d)分疑似进入未成年人禁入区域，请尽快核实并带离。", output)
    assert since is not None, output
    assert 13 <= int(since[1]) <= 18, "the child came at 22:13: nobody is told of before, nor of much later"
    assert figure(output, "误报 false") == 0
    assert figure(output, "不应发短信 SMS unexpected") == 0
    assert figure(output, "已发现 found") >= 5
    assert_nothing_is_lost(output)
    heat = (data_dir / "demo" / "out" / "heat.html").read_text(encoding="utf-8")
    assert "合成数据" in heat
    for log in ("serve.log", "worker.log"):
        content = (data_dir / "demo" / log).read_text(encoding="utf-8")
        assert "小丽" not in content
        assert "138000001" not in content
    reference = re.findall(r"hulan explain ([0-9A-F]{8})", output.replace("\n", ""))[0]
    told = run_hulan(data_dir / "demo", "explain", reference, "--purpose", "演示", HULAN_DEMO="true")
    for word in (
        "决定书 order",
        "条件 condition",
        "区域 zone",
        "概率 probability",
        "适用规则 rule that won",
        "P 单点 alone",
        "P 综合 all so far",
    ):
        assert word in told


@pytest.mark.slow
@pytest.mark.real
def test_real_tracks_and_places_run_through_the_same_path(data_dir: Path, real_data: Callable[[str], Path]) -> None:
    venues = str(real_data("beijing_osm_bbbike_2020/venues_west.csv"))
    output = run_hulan(
        data_dir, "demo", "--venues", venues, "--sites", venues,
        "--sites", str(real_data("beijing_osm_cau_2026/map.osm")),
        "--sites", str(real_data("beijing_osm_bupt_2025/map.osm")),
        "--tracks", str(real_data("geolife_trackintel_plt")), "--datum", "WGS84",
    )  # fmt: skip
    assert figure(output, "接收 accepted over HTTP") == 133_266
    assert figure(output, "定位 fixes") == 133_258  # eight are repeats
    assert figure(output, "在场 episodes") > 0
    assert figure(output, "警报 alerts") > 0
    assert_nothing_is_lost(output)
    reference = re.findall(r"hulan explain ([0-9A-F]{8})", output.replace("\n", ""))[0]
    told = run_hulan(data_dir / "demo", "explain", reference, "--purpose", "演示", HULAN_DEMO="true")
    assert "合成附不诉〔2008〕" in told
