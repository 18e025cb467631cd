"""Reads the vendored Leaflet from disk and makes it one script and one style sheet with nothing left to load."""

import base64
import json
import re
from pathlib import Path

from maps.offline import MapAssets

LEAFLET_VERSION = "1.9.4"
"""The version that ``package.json`` pins."""

_IMAGE = re.compile(r"""url\(\s*["']?(images/[\w.-]+\.png)["']?\s*\)""")
_INTERNET_EXPLORER = re.compile(r"\s*behavior:\s*url\(#default#VML\);")


class AssetsMissingError(FileNotFoundError):
    """The map scripts are not where they should be."""


def find_assets(root: Path | None = None) -> MapAssets:
    """Leaflet's script and its style sheet, images written into it as ``data:`` addresses.

    Args:
        root: The ``node_modules`` folder, or a folder that holds one; ``None`` means the one of this repository.

    Raises:
        AssetsMissingError: a file is absent or Leaflet has another version than ``LEAFLET_VERSION``.
    """
    folder = _node_modules(root) / "leaflet"
    found = str(json.loads(_read(folder / "package.json")).get("version"))
    if found != LEAFLET_VERSION:
        raise AssetsMissingError(
            f"{folder} holds Leaflet {found}, Hulan needs {LEAFLET_VERSION}: run `make prepare` (npm ci)"
        )
    dist = folder / "dist"
    style = _IMAGE.sub(lambda match: f"url({_as_data_address(dist / match[1])})", _read(dist / "leaflet.css"))
    return MapAssets(leaflet_js=_read(dist / "leaflet.js"), leaflet_css=_INTERNET_EXPLORER.sub("", style))


def _node_modules(root: Path | None) -> Path:
    """The folder that holds the packages."""
    if root is None:
        root = Path(__file__).resolve().parent.parent
    return root / "node_modules" if (root / "node_modules").is_dir() else root


def _read(path: Path) -> str:
    """The text of an asset, line ends as ``\\n``."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise AssetsMissingError(
            f"map asset {path} is missing: run `make prepare` (npm ci) in Hulan's folder"
        ) from None


def _as_data_address(path: Path) -> str:
    """A PNG file as a ``data:`` address."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")
    except FileNotFoundError:
        raise AssetsMissingError(
            f"map asset {path} is missing: run `make prepare` (npm ci) in Hulan's folder"
        ) from None
