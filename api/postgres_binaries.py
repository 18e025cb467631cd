"""Which PostgreSQL servers with PostGIS this machine has, and which of them fits a data folder."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from api.cluster_place import ClusterError

_BIN_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresBinaries:
    """One installed PostgreSQL server."""

    major: int
    bin_dir: Path
    has_postgis: bool

    def program(self, name: str) -> str:
        """Full path of one of its programs."""
        return str(self.bin_dir / name)


def installed_postgres() -> list[PostgresBinaries]:
    """Servers found on this machine, newest major first."""
    folders = [folder for pattern in _BIN_FOLDERS for folder in Path("/").glob(pattern)]
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        folders.append(Path(_output_of([pg_config, "--bindir"])))
    found = [_inspect(folder) for folder in {folder.resolve() for folder in folders}]
    return sorted((one for one in found if one is not None), key=lambda one: one.major, reverse=True)


def binaries_for(pgdata: Path, installed: Sequence[PostgresBinaries]) -> PostgresBinaries:
    """The server that fits the data folder: its own major, or the newest with PostGIS for a new cluster.

    Raises ClusterError, with the packages to install, if there is none.
    """
    version_file = pgdata / "PG_VERSION"
    if not version_file.exists():
        return _newest_with_postgis(installed)
    major = version_file.read_text().strip()
    fitting = [one for one in installed if str(one.major) == major]
    if not fitting:
        raise _no_such_major(pgdata, major, installed)
    if not any(one.has_postgis for one in fitting):
        raise _no_postgis(major)
    return next(one for one in fitting if one.has_postgis)


def _newest_with_postgis(installed: Sequence[PostgresBinaries]) -> PostgresBinaries:
    fitting = [one for one in installed if one.has_postgis]
    if fitting:
        return max(fitting, key=lambda one: one.major)
    raise _no_postgis(str(installed[0].major) if installed else "")


def _no_postgis(major: str) -> ClusterError:
    debian = f"postgresql-{major} postgresql-{major}-postgis-3" if major else "postgresql postgresql-postgis"
    homebrew = f"postgresql@{major or 17} postgis"
    what = f"PostgreSQL {major} 的 PostGIS / PostGIS for PostgreSQL {major}" if major else "PostgreSQL + PostGIS"
    return ClusterError(
        f"本机没有 {what}。\n"
        f"Debian/Ubuntu: apt-get install {debian}\n"
        f"macOS: brew install {homebrew}\n"
        f"或者用 HULAN_DATABASE_URL 指向别的 PostGIS 服务器。Or point HULAN_DATABASE_URL at another PostGIS server."
    )


def _no_such_major(pgdata: Path, major: str, installed: Sequence[PostgresBinaries]) -> ClusterError:
    have = ", ".join(str(one.major) for one in installed) or "—"
    packages = f"postgresql-{major} postgresql-{major}-postgis-3"
    return ClusterError(
        f"{pgdata} 由 PostgreSQL {major} 建立，本机安装的是 PostgreSQL {have}，不能打开，数据未被改动。\n"
        f"请安装 {packages}（macOS: postgresql@{major} postgis），"
        f"或装好两个版本后用 pg_upgrade（或 pg_dump 导出再导入）迁移。\n"
        f"{pgdata} was made by PostgreSQL {major}; installed here: PostgreSQL {have}. Not opened, nothing changed.\n"
        f"Install {packages} (macOS: postgresql@{major} postgis), "
        f"or, with both versions installed, move the data with pg_upgrade or pg_dump."
    )


def _inspect(bin_dir: Path) -> PostgresBinaries | None:
    programs = (bin_dir / name for name in ("postgres", "initdb", "pg_ctl"))
    if not all(os.access(program, os.X_OK) for program in programs):
        return None
    version = re.search(r"PostgreSQL\) (\d+)", _output_of([str(bin_dir / "postgres"), "--version"]))
    if version is None:
        return None
    major = int(version[1])
    shares = [Path("/usr/share/postgresql") / str(major), bin_dir.parent / "share", bin_dir.parent / "share/postgresql"]
    if (bin_dir / "pg_config").exists():
        shares.append(Path(_output_of([str(bin_dir / "pg_config"), "--sharedir"])))
    has_postgis = any((share / "extension/postgis.control").exists() for share in shares)
    return PostgresBinaries(major=major, bin_dir=bin_dir, has_postgis=has_postgis)


def _output_of(command: list[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.strip()
