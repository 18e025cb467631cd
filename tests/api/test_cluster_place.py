"""Where the private cluster may live, and as whom it runs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from api.cluster import ClusterError, running_cluster
from tests.api.throwaway_cluster import answer, open_folder, postmaster_of, silent

_NOBODY = 65534
_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change users")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder under /tmp that other accounts can pass through; pytest's own are closed to them."""
    yield from open_folder()


@pytest.mark.parametrize("name", ["d" * 120, "数据 folder, with 'signs' \"here\":1"], ids=["long", "signs"])
def test_any_folder_name_works(folder: Path, name: str) -> None:
    with running_cluster(folder / name, durable=False, say=silent) as url:
        assert answer(url, "SELECT 1") == "1"
        socket_dir = Path(str(make_url(url).query["host"]))
    assert not socket_dir.is_relative_to(folder)
    assert socket_dir.stat().st_mode & 0o777 == 0o700
    socket_dir.rmdir()


def test_socket_folder_open_to_others_is_refused(folder: Path) -> None:
    (folder / "run").mkdir()
    with pytest.raises(ClusterError, match="is not a private folder"), running_cluster(folder, say=silent):
        pass


@_as_root
def test_folder_out_of_the_accounts_reach_is_named(folder: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(ClusterError) as refused, running_cluster(closed / "deep/data", say=silent):
        pass
    assert f"may not enter {closed} " in str(refused.value)
    assert "HULAN_DATA_DIR=/var/lib/hulan" in str(refused.value)


@_as_root
def test_runs_as_a_plain_user_and_root_joins(folder: Path) -> None:
    os.chown(folder, _NOBODY, _NOBODY)
    assert _as_nobody(lambda: _starts(folder / "data")) == 0
    with running_cluster(folder / "data", durable=False, say=silent) as url:
        assert answer(url, "SELECT current_user") == "hulan"
        assert Path(f"/proc/{postmaster_of(folder / 'data')}").stat().st_uid == _NOBODY
        assert _as_nobody(lambda: _starts(folder / "data")) == 0


@_as_root
def test_plain_user_is_kept_out_of_roots_cluster(folder: Path) -> None:
    with running_cluster(folder / "data", durable=False, say=silent):
        assert _as_nobody(lambda: _starts(folder / "data")) == 1


def _starts(data: Path) -> None:
    with running_cluster(data, durable=False, say=silent) as url:
        assert answer(url, "SELECT 1") == "1"


def _as_nobody(act: Callable[[], None]) -> int:
    # A fork and not a new program: the interpreter may lie in a folder that only root may enter.
    child = os.fork()
    if child == 0:
        status = 2
        try:
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            act()
            status = 0
        except ClusterError:
            status = 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
