"""The rules of the house (design.md, section 3), each with a planted fault that it must notice."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.planting import PACKAGES, ROOT, House, copy_house
from tests.house.purity import FORBIDDEN, is_pure, pure_modules

ALL_PACKAGES = (*PACKAGES, "tests", "bench")

PROGRAMS = {"prepare.py", "audit_dependencies.py"}
"""Modules at the top that belong to no package: about the installation, not about the work."""

FOLIUM_LOADS = ["requests", "urllib3"]
"""What ``import folium`` loads although Hulan never asks it to fetch anything."""

LOADS_FOLIUM = {
    "maps.heat": "draws the map with folium",
    "maps.heat_layers": "builds its layers from folium's classes",
    "maps.heat_records": "takes the backdrop styles from maps.heat_layers",
    "maps.offline": "subclasses folium's map to strip its addresses",
}
"""The only pure modules that may load an HTTP library, each with the reason."""

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc", "core"}

MOST_LINES = 500


@pytest.fixture(scope="module")
def clean_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_house(tmp_path_factory.mktemp("house") / "clean").root


@pytest.fixture
def house(clean_copy: Path, tmp_path: Path) -> Iterator[House]:
    shutil.copytree(clean_copy, tmp_path / "house")
    yield House(root=tmp_path / "house")
    shutil.rmtree(tmp_path / "house")


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """What each pure module of the project loads."""
    return House(root=ROOT).purity()


def first_party_files() -> list[Path]:
    return [path for package in ALL_PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def pure_files() -> list[Path]:
    return [
        path for package in PACKAGES if package != "api" for path in (ROOT / package).rglob("*.py") if is_pure(path)
    ]


def imports_of(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return names


# ---- purity at run time


def test_pure_modules_load_no_database_network_or_web_library(loaded: dict[str, list[str]]) -> None:
    assert len(loaded) > 30, f"only {sorted(loaded)} looked at"
    impure = {module: libraries for module, libraries in loaded.items() if libraries and module not in LOADS_FOLIUM}
    assert impure == {}


def test_exemptions_for_folium_are_needed_and_cover_nothing_else(loaded: dict[str, list[str]], tmp_path: Path) -> None:
    (tmp_path / "only_folium.py").write_text("import folium\n")
    assert House(root=tmp_path).purity("only_folium") == {"only_folium": FOLIUM_LOADS}
    assert {module: loaded[module] for module in LOADS_FOLIUM} == dict.fromkeys(LOADS_FOLIUM, FOLIUM_LOADS)
    for module in LOADS_FOLIUM:
        named = {name.split(".")[0] for name in imports_of(ROOT / f"{module.replace('.', '/')}.py")}
        assert not named & FORBIDDEN, f"{module} names a forbidden library itself"


def test_pure_files_are_told_by_their_names() -> None:
    assert is_pure(Path("alerts/gateway.py"))
    assert is_pure(Path("tracking/presence.py"))
    for name in (
        "alerts/gateway_webhook.py", "tracking/store.py", "tracking/order_store.py", "geo/postgis.py",
        "maps/gateway_assets.py",
    ):  # fmt: skip
        assert (ROOT / name).exists(), name
        assert not is_pure(Path(name)), name
    assert set(pure_modules(ROOT)) >= {"geo", "geo.index", "tracking.evaluate", "alerts.decide", "maps.palette"}


@pytest.mark.parametrize(
    "code",
    [
        "import httpx",
        "try:\n    import httpx\nexcept ImportError:\n    pass",
        'from importlib import import_module\n\nimport_module("httpx")',
        "import geo.postgis",
        "from alerts.gateway_webhook import WebhookGateway",
    ],
)
def test_purity_check_notices_a_pure_file_that_loads_a_library(house: House, code: str) -> None:
    house.plant("alerts/policy.py", code)
    found = house.purity("alerts.policy", "alerts.alert")
    assert found["alerts.policy"]
    assert found["alerts.alert"] == []


def test_purity_check_looks_at_each_module_alone(house: House) -> None:
    house.plant("alerts/policy.py", "import sqlite3")
    house.plant("tracking/policy.py", "import no_such_library")
    found = house.purity("venues.category", "alerts.policy", "tracking.order", "tracking.policy")
    assert "not importable" in found.pop("tracking.policy")[0]
    assert found == {"venues.category": [], "alerts.policy": ["sqlite3"], "tracking.order": []}


def test_purity_check_refuses_a_module_from_elsewhere(house: House) -> None:
    (house.root / "geo").rename(house.root / "elsewhere")
    assert "is not under" in house.purity("geo")["geo"][0]


# ---- contracts of import-linter


def test_contracts_hold_in_an_untouched_copy(house: House) -> None:
    verdict = house.lint_imports()
    assert verdict.passed, verdict.text
    assert "0 broken" in verdict.text


@pytest.mark.parametrize(
    ("file", "code", "contract"),
    [
        ("geo/cells.py", "import tracking.order", "One direction"),
        ("venues/risk.py", "from maps.palette import LEVEL_LOOKS", "One direction"),
        ("alerts/decide.py", "import api.clock", "One direction"),
        ("tracking/order.py", "import sqlalchemy", "Only stores"),
        ("alerts/delivery.py", "import httpx", "Only stores"),
        ("maps/palette.py", "try:\n    import fastapi\nexcept ImportError:\n    pass", "Only stores"),
        ("alerts/gateway.py", "def send() -> None:\n    import psycopg", "Only stores"),
        ("venues/risk.py", "import venues.store", "Stores and gateways"),
        ("tracking/evaluate.py", "from tracking.store import load_states", "Stores and gateways"),
        ("alerts/decide.py", "from alerts import gateway_webhook", "Stores and gateways"),
        ("tracking/order.py", "import tracking.gateway_calendar", "Stores and gateways"),
        ("venues/distance.py", "import venues.gateway_distance_law", "Stores and gateways"),
        ("maps/heat.py", "import geo.postgis", "Stores and gateways"),
        ("venues/identity.py", "import venues.gateway_splink", "Stores and gateways"),
        ("venues/identity.py", "import splink", "Splink and its database"),
        ("api/importing.py", "def count() -> None:\n    import duckdb", "Splink and its database"),
    ],
)
def test_contract_notices_a_forbidden_import(house: House, file: str, code: str, contract: str) -> None:
    house.plant(file, code)
    verdict = house.lint_imports()
    assert not verdict.passed
    broken = [line for line in verdict.text.splitlines() if line.endswith("BROKEN")]
    assert any(line.startswith(contract) for line in broken), verdict.text
    assert file.removesuffix(".py").replace("/", ".") in verdict.text


# ---- bans of ruff


def test_untouched_copy_breaks_no_ban(house: House) -> None:
    verdict = house.ruff("TID251", "TID252", "DTZ")
    assert verdict.passed, verdict.text


@pytest.mark.parametrize(
    ("file", "code", "rule"),
    [
        ("tracking/policy.py", "from datetime import UTC, datetime\n\nNOW = datetime.now(UTC)", "TID251"),
        ("tracking/policy.py", "import datetime\n\nNOW = datetime.datetime.now()", "DTZ005"),
        ("tracking/policy.py", "from datetime import date\n\nTODAY = date.today()", "DTZ011"),
        ("geo/index.py", "import time\n\nSTART = time.time()", "TID251"),
        ("geo/index.py", "from time import monotonic", "TID251"),
        ("venues/risk.py", "import random", "TID251"),
        ("venues/risk.py", "from random import choice", "TID251"),
        ("alerts/decide.py", "from uuid import uuid4", "TID251"),
        ("alerts/decide.py", "import socket", "TID251"),
        ("alerts/texts.py", "from urllib.request import urlopen", "TID251"),
        ("maps/heat.py", "import subprocess", "TID251"),
        ("maps/heat.py", "import sqlite3", "TID251"),
        ("tracking/evaluate.py", "from .order import Subject", "TID252"),
        ("api/clock.py", "from . import ids", "TID252"),
    ],
)
def test_ban_notices_a_clock_a_die_or_a_socket(house: House, file: str, code: str, rule: str) -> None:
    house.plant(file, code)
    verdict = house.ruff("TID251", "TID252", "DTZ")
    assert not verdict.passed
    assert [line for line in verdict.text.splitlines() if line.startswith(f"{file}:") and f" {rule} " in line]


def test_edges_may_own_a_clock(house: House) -> None:
    house.plant("api/clock.py", "import random")
    house.plant("alerts/gateway_webhook.py", "import socket")
    verdict = house.ruff("TID251")
    assert verdict.passed, verdict.text


# ---- pure files take values and return values


def test_pure_files_touch_no_file_and_no_environment() -> None:
    handles = {"os", "io", "pathlib", "shutil", "tempfile", "glob", "fcntl", "threading", "multiprocessing", "asyncio"}
    for path in pure_files():
        named = {name.split(".")[0] for name in imports_of(path)}
        assert not named & handles, f"{path.relative_to(ROOT)} imports {sorted(named & handles)}"
        used = {node.id for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Name)}
        assert "open" not in used, f"{path.relative_to(ROOT)} opens a file"


def test_pydantic_stays_at_the_edge() -> None:
    for path in first_party_files():
        if path.relative_to(ROOT).parts[0] not in {"api", "tests", "bench"}:
            named = {name.split(".")[0] for name in imports_of(path)}
            assert not {name for name in named if name.startswith("pydantic")}, path.relative_to(ROOT)


# ---- the shape of the house


def test_no_package_stands_beside_the_named_ones() -> None:
    with_code = {path.name for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert {name for name in with_code if not name.startswith(".")} == set(ALL_PACKAGES)
    assert {path.name for path in ROOT.glob("*.py")} == PROGRAMS


def test_every_package_has_an_init_with_one_docstring_and_nothing_else() -> None:
    for folder in sorted({path.parent for path in first_party_files()}):
        init = folder / "__init__.py"
        assert init.exists(), f"{folder.relative_to(ROOT)} has no __init__.py"
        body = ast.parse(init.read_text(encoding="utf-8")).body
        is_docstring = len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
        assert is_docstring, f"{init.relative_to(ROOT)} must hold one docstring and nothing else"


def test_every_module_begins_with_a_docstring() -> None:
    for path in first_party_files():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path.relative_to(ROOT)


def test_no_file_is_longer_than_the_limit() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in first_party_files()}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {path for path in first_party_files() if path.stem in VAGUE_NAMES or path.parent.name in VAGUE_NAMES}
    assert named == set()


def test_no_import_is_relative() -> None:
    for path in first_party_files():
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        relative = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.level > 0]
        assert not relative, path.relative_to(ROOT)
