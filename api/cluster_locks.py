"""Who uses the private cluster, and who may start or stop it: flocks, which the kernel drops when their holder dies."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from api.cluster_place import ClusterError, ClusterPlace

START_S = 600  # crash recovery after a power cut replays all WAL since the last checkpoint


def open_lock(place: ClusterPlace, path: Path) -> int:
    """Open a lock file of the data folder, made on first use; raises ClusterError if it is someone else's."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ClusterError(
            f"打不开 {path}（{error.strerror}）：数据文件夹属于别的用户，请以该用户或 root 运行。\n"
            f"Cannot open {path}: the data folder belongs to another user; run as that user or as root."
        ) from error
    if os.geteuid() == 0:
        os.fchown(descriptor, place.account.uid, place.account.gid)
    return descriptor


def locked(descriptor: int) -> bool:
    """Take the lock exclusively if nobody else holds it; says whether it is held now."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def starting_or_stopping(place: ClusterPlace, say: Callable[[str], None]) -> Iterator[None]:
    """Be the only command that starts or stops the server; waits for another that does."""
    descriptor = open_lock(place, place.start_lock)
    told = time.monotonic() + 2
    try:
        while not locked(descriptor):
            if time.monotonic() > told:
                say("另一个命令正在启动或停止数据库，等待中…… / another command starts or stops the database; waiting")
                told += START_S
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
