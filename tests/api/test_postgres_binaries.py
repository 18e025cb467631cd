"""Which installed server may open which data folder."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.cluster import ClusterError, running_cluster
from api.postgres_binaries import PostgresBinaries, binaries_for
from tests.api.throwaway_cluster import open_folder, silent


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder under /tmp that other accounts can pass through; pytest's own are closed to them."""
    yield from open_folder()


def test_cluster_of_another_major_is_refused_unchanged(folder: Path) -> None:
    pgdata = folder / "pgdata"
    pgdata.mkdir()
    (pgdata / "PG_VERSION").write_text("9\n")
    shutil.chown(pgdata, "postgres" if os.geteuid() == 0 else os.geteuid())
    with pytest.raises(ClusterError) as refused, running_cluster(folder, say=silent):
        pass
    for part in ("PostgreSQL 9", "未被改动", "nothing changed", "postgresql-9-postgis-3", "pg_upgrade"):
        assert part in str(refused.value)
    assert [path.name for path in pgdata.iterdir()] == ["PG_VERSION"]


def test_folder_that_is_no_cluster_is_left_alone(folder: Path) -> None:
    (folder / "pgdata").mkdir()
    (folder / "pgdata/photo.jpg").touch()
    shutil.chown(folder / "pgdata", "postgres" if os.geteuid() == 0 else os.geteuid())
    with pytest.raises(ClusterError, match="not a PostgreSQL data directory"), running_cluster(folder, say=silent):
        pass
    assert (folder / "pgdata/photo.jpg").exists()


def test_binaries_are_chosen_by_the_folder_then_by_age_and_postgis(folder: Path) -> None:
    installed = [_installed(17, postgis=False), _installed(16, postgis=True), _installed(15, postgis=True)]
    assert binaries_for(folder, installed).major == 16
    (folder / "PG_VERSION").write_text("15\n")
    assert binaries_for(folder, installed).major == 15
    (folder / "PG_VERSION").write_text("17\n")
    with pytest.raises(ClusterError, match="apt-get install postgresql-17 postgresql-17-postgis-3"):
        binaries_for(folder, installed)
    (folder / "PG_VERSION").unlink()
    with pytest.raises(ClusterError, match="brew install postgresql@17 postgis"):
        binaries_for(folder, [])


def _installed(major: int, *, postgis: bool) -> PostgresBinaries:
    return PostgresBinaries(major=major, bin_dir=Path("/nowhere"), has_postgis=postgis)
