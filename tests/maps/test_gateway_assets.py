"""Leaflet from disk: the pinned version, complete, with nothing left to load."""

import json
import re
from pathlib import Path

import pytest

from maps.gateway_assets import LEAFLET_VERSION, AssetsMissingError, find_assets
from maps.offline import external_references

ROOT = Path(__file__).resolve().parents[2]


def test_leaflet_is_the_pinned_version_with_its_images_inside() -> None:
    assets = find_assets()
    assert f"Leaflet {LEAFLET_VERSION}" in assets.leaflet_js[:200]
    assert assets.leaflet_css.count("url(data:image/png;base64,") == 3
    assert external_references(f"<style>{assets.leaflet_css}</style>") == []
    assert find_assets(ROOT / "node_modules") == find_assets(ROOT) == assets


def test_lock_pins_the_same_version_and_names_no_registry() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    assert lock["packages"]["node_modules/leaflet"]["version"] == LEAFLET_VERSION
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert wanted["leaflet"] == LEAFLET_VERSION
    for package in lock["packages"].values():
        package.pop("funding", None)  # where its authors ask for money
    assert re.findall(r"https?://|resolved", json.dumps(lock)) == []


def test_missing_leaflet_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(AssetsMissingError, match=r"make prepare"):
        find_assets(tmp_path)


def test_half_a_leaflet_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "leaflet"
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text('{"version": "1.9.4"}', encoding="utf-8")
    (folder / "dist/leaflet.css").write_text("a { background: url(images/layers.png) }", encoding="utf-8")
    with pytest.raises(AssetsMissingError, match=r"layers\.png"):
        find_assets(tmp_path)


def test_other_leaflet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "leaflet").mkdir()
    (tmp_path / "leaflet/package.json").write_text('{"version": "2.0.0"}', encoding="utf-8")
    with pytest.raises(AssetsMissingError, match=r"2\.0\.0"):
        find_assets(tmp_path)
