"""A copy of the house to break things in, and the three checks that must notice."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The project."""

PACKAGES = ("geo", "venues", "tracking", "alerts", "maps", "api")
"""What is shipped, lowest first (design.md, section 3)."""

_PURITY = Path(__file__).with_name("purity.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check said."""

    passed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A copy of the packages with their pyproject.toml."""

    root: Path

    def plant(self, file: str, code: str) -> None:
        """Append ``code`` to ``file``, which is made if it is not there."""
        path = self.root / file
        before = path.read_text(encoding="utf-8") if path.exists() else '"""Planted."""\n'
        path.write_text(f"{before}\n{code}\n", encoding="utf-8")

    def lint_imports(self) -> Verdict:
        """The contracts of import-linter, on the copy: the working directory is the first place it looks."""
        return self._run([str(Path(sys.executable).with_name("lint-imports")), "--no-cache"])

    def ruff(self, *rules: str) -> Verdict:
        """Only ``rules`` of ruff, with the copied settings."""
        ruff = str(Path(sys.executable).with_name("ruff"))
        return self._run([ruff, "check", "--no-cache", "--output-format=concise", "--select", ",".join(rules), "."])

    def purity(self, *modules: str) -> dict[str, list[str]]:
        """Forbidden libraries that each module loads when it is imported; all pure modules if none is named."""
        verdict = self._run([sys.executable, "-P", str(_PURITY), str(self.root), *modules])
        assert verdict.passed, verdict.text
        found: dict[str, list[str]] = json.loads(verdict.text)
        return found

    def _run(self, command: list[str]) -> Verdict:
        # PYTHONPATH comes before the editable install of the project, which must not stand in for the copy.
        env = {**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, timeout=120, check=False)
        return Verdict(passed=done.returncode == 0, text=done.stdout + done.stderr)


def copy_house(folder: Path) -> House:
    """Copy the shipped packages and their settings into an empty folder."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return House(root=folder)
