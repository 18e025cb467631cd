"""The documents say what is true: names, settings, commands, tests and links in them are compared with the program."""

import ast
import importlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic.fields import FieldInfo

from api.cli.whole import app
from api.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
DECISIONS = ROOT / "docs" / "decisions"

HOPS = (
    "api.routes.positions.post_positions",
    "api.inbox.Inbox.append",
    "api.evaluator.advance",
    "tracking.evaluate.evaluate",
    "alerts.decide.decide",
    "alerts.delivery.deliver",
)
"""From a phone to a guardian (design.md, section 4)."""

INVARIANT_COUNT = 14

OTHER_VARIABLES = {
    "HULAN_DATABASE_PASSWORD": "password of the database in `compose.yaml`, which puts it into `HULAN_DATABASE_URL`",
    "HULAN_WEB_PASSWORD": "password of login `hulan_web` in `compose.yaml`",
    "HULAN_WORKER_PASSWORD": "password of login `hulan_service` in `compose.yaml`",
    "HULAN_RECORD": "`1` records the golden texts anew (`make record`); tests only",
}
"""Variables that are no settings of the program."""

DEFAULTS_IN_WORDS = {"data_dir": "`/var/lib/hulan` for root, else `$XDG_DATA_HOME/hulan` or `~/.local/share/hulan`"}
"""Defaults that depend on the machine."""

_NAME = re.compile(r"`((?:geo|venues|tracking|alerts|maps|api|tests)(?:\.\w+)+)(?:\(\))?`")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)*(?:\.(?:py|md|toml|yaml|lock|json)|/))`")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
_COMMAND = re.compile(r"hulan ((?:[a-z][a-z-]* ?)+)")
_TARGET = re.compile(r"`?make ([a-z][a-z-]*)")
_VARIABLE = re.compile(r"HULAN_[A-Z_]*[A-Z]")


def documents() -> list[Path]:
    """Every document that people read."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


every_document = pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def resolve(name: str) -> object:
    """The object of a dotted name; raises ``AttributeError`` or ``ImportError`` if there is none."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)


# ---- names


@every_document
def test_every_dotted_name_in_a_document_is_in_the_program(path: Path) -> None:
    for name in set(_NAME.findall(text_of(path))):
        if not (ROOT / name).exists():  # `api.md` is a file, not a name
            resolve(name)


def test_a_name_that_is_not_there_is_noticed() -> None:
    for name in ("api.inbox.Inbox.add", "api.in_box.Inbox", "tracking.evaluate.evaluate.now"):
        with pytest.raises((AttributeError, ImportError)):
            resolve(name)


def test_architecture_names_the_six_hops_in_order() -> None:
    named = _NAME.findall(text_of(ROOT / "ARCHITECTURE.md"))
    assert [name for name in dict.fromkeys(named) if name in HOPS] == list(HOPS)
    assert all(callable(resolve(name)) for name in HOPS)


def test_architecture_names_every_package() -> None:
    picture = text_of(ROOT / "ARCHITECTURE.md").split("## The six hops")[0]
    drawn = [
        line.split()[0] for line in picture.splitlines() if re.match(r" +(api|maps|alerts|tracking|venues|geo) ", line)
    ]
    assert drawn == ["api", "maps", "alerts", "tracking", "venues", "geo"]


@every_document
def test_every_file_and_link_named_in_a_document_exists(path: Path) -> None:
    for name in set(_FILE.findall(text_of(path))):
        # A bare name such as `store.py` stands for every file of that name.
        assert (ROOT / name).exists() or ("/" not in name and any(ROOT.glob(f"[a-z]*/**/{name}"))), name
    for target in set(_LINK.findall(text_of(path))):
        assert (path.parent / target).exists(), target


@every_document
def test_every_command_named_in_a_document_exists(path: Path) -> None:
    for words in _COMMAND.findall("\n".join(code_in(text_of(path)))):
        command: Any = typer.main.get_command(app)  # a click command, from the copy of click inside typer
        for word in words.split():
            if not hasattr(command, "commands"):
                break
            assert word in command.commands, f"hulan {words}"
            command = command.commands[word]


def code_in(text: str) -> Iterator[str]:
    """Fenced blocks and spans of code."""
    for position, block in enumerate(text.split("```")):
        if position % 2:
            yield from block.splitlines()
        else:
            yield from re.findall(r"`([^`]+)`", block)


@every_document
def test_every_make_target_named_in_a_document_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    named = {target for line in code_in(text_of(path)) for target in _TARGET.findall(line)}
    assert named <= targets


# ---- settings


def settings_page() -> str:
    """docs/settings.md as the program would write it."""
    rows = [f"| {' | '.join(setting_row(name, field))} |" for name, field in Settings.model_fields.items()]
    others = [f"| `{name}` | {meaning} |" for name, meaning in OTHER_VARIABLES.items()]
    return "\n".join(
        [
            "# 设置 Settings",
            "",
            "环境变量，启动时读取一次。Environment variables, read once at the start. A value that cannot be used",
            "stops the program with a message that names the variable. `make record` writes this page from",
            "`api.settings.Settings`.",
            "",
            "| variable | default | 说明 meaning |",
            "|---|---|---|",
            *rows,
            "",
            "另有 Others:",
            "",
            "| variable | meaning |",
            "|---|---|",
            *others,
            "",
        ]
    )


def setting_row(name: str, field: FieldInfo) -> tuple[str, str, str]:
    words = DEFAULTS_IN_WORDS.get(name, "—")
    if name not in DEFAULTS_IN_WORDS and field.default is not None:
        words = f"`{json.dumps(field.default).strip(chr(34))}`"
    return f"`HULAN_{name.upper()}`", words, field.description or ""


@pytest.mark.golden
def test_settings_page_is_what_the_program_says() -> None:
    path = ROOT / "docs" / "settings.md"
    if os.environ.get("HULAN_RECORD"):
        path.write_text(settings_page(), encoding="utf-8")
    assert text_of(path) == settings_page(), "run `make record`"


def test_every_setting_is_described_in_both_languages() -> None:
    for name, field in Settings.model_fields.items():
        assert re.search(r"[\u4e00-\u9fff]", field.description or ""), name
        assert re.search(r"[a-z]{3}", field.description or ""), name


def test_every_default_in_words_belongs_to_a_setting_whose_default_is_made() -> None:
    made = {name for name, field in Settings.model_fields.items() if field.default_factory is not None}
    assert set(DEFAULTS_IN_WORDS) == made


def test_every_variable_named_anywhere_is_known() -> None:
    known = {f"HULAN_{name.upper()}" for name in Settings.model_fields} | set(OTHER_VARIABLES)
    files = [*documents(), *ROOT.glob("*.py"), *ROOT.glob("*.yaml"), ROOT / "Makefile", ROOT / "Dockerfile"]
    files += [
        path
        for package in ("api", "maps", "alerts", "tracking", "venues", "geo", "bench")
        for path in (ROOT / package).rglob("*.py")
    ]
    for path in files:
        named = {name for name in _VARIABLE.findall(text_of(path)) if name != "HULAN_DATABASE"}
        assert named <= known, f"{path.relative_to(ROOT)}: {sorted(named - known)}"


# ---- invariants


def test_every_invariant_names_tests_that_exist() -> None:
    rows = [
        line.split(" | ") for line in text_of(ROOT / "docs" / "invariants.md").splitlines() if re.match(r"\| \d", line)
    ]
    assert [int(row[0].strip("| ")) for row in rows] == list(range(1, INVARIANT_COUNT + 1))
    for row in rows:
        number, tests = row[0].strip("| "), _TEST.findall(" | ".join(row))
        assert tests or row[-1].strip("| "), f"invariant {number} names neither a test nor what is open"
        for file, name in tests:
            functions = [
                node.name for node in ast.walk(ast.parse(text_of(ROOT / file))) if isinstance(node, ast.FunctionDef)
            ]
            assert name in functions, f"invariant {number}: {file}::{name}"


# ---- decisions and changes


def test_decisions_are_numbered_without_a_gap_and_have_every_part() -> None:
    paths = sorted(DECISIONS.glob("*.md"))
    assert [path.name[:5] for path in paths] == [f"{number:04}-" for number in range(1, len(paths) + 1)]
    for path in paths:
        headings = re.findall(r"^## (.+)$", text_of(path), flags=re.MULTILINE)
        assert headings == ["Status", "Context", "Decision", "Consequences", "Alternatives"], path.name
        assert text_of(path).startswith(f"# {path.name[:4]} "), path.name
        assert len(text_of(path).splitlines()) <= 60, f"{path.name} is longer than a page"
        sections = re.split(r"^## .+$", text_of(path), flags=re.MULTILINE)[1:]
        assert all(section.strip() for section in sections), f"{path.name} has an empty part"


def test_every_decision_named_in_the_code_or_a_document_exists() -> None:
    numbers = {path.name[:4] for path in DECISIONS.glob("*.md")}
    sources = [
        path
        for package in ("api", "maps", "alerts", "tracking", "venues", "geo")
        for path in (ROOT / package).rglob("*.py")
    ]
    for path in [*sources, *documents()]:
        assert set(re.findall(r"\bADR (\d{4})", text_of(path))) <= numbers, path.relative_to(ROOT)


def test_changelog_keeps_its_form_and_says_something_of_the_unreleased() -> None:
    text = text_of(ROOT / "CHANGELOG.md")
    versions = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", version) for version in versions[1:])
    kinds = set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert re.search(r"^- ", text.split("## [Unreleased]")[1], flags=re.MULTILINE)
