"""Where the private cluster lives in the data folder, and which account owns it. Linux and macOS only."""

import hashlib
import os
import pwd
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PORT = 5432
# Size of sun_path less its closing zero byte; a longer path makes bind() and connect() fail.
SOCKET_PATH_BYTES = 103 if sys.platform == "darwin" else 107
_SHARED_FOLDER = Path("/tmp")  # noqa: S108 - the folder made in it is private, and its owner is verified
# libpq reads a comma, and SQLAlchemy a colon, in a host as a list of hosts or a port.
_HOST_SAFE = re.compile(r"/[\w /.+@=~-]*")


class ClusterError(RuntimeError):
    """The private cluster cannot be used; the text says what is wrong and what to do, in Chinese and English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The operating-system account that runs the server and owns its files; never root."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlace:
    """Folders and files of one private cluster, and the account that runs it."""

    data_dir: Path
    account: Account

    @property
    def pgdata(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.data_dir / "pgdata"

    @property
    def log_dir(self) -> Path:
        """Server log, one file per weekday, overwritten after a week."""
        return self.data_dir / "log"

    @property
    def conf_dir(self) -> Path:
        """Settings written anew at each start."""
        return self.data_dir / "conf"

    @property
    def start_lock(self) -> Path:
        """Held exclusively while a command starts or stops the server."""
        return self.data_dir / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Held shared by every command that uses the server."""
        return self.data_dir / "users.lock"

    @property
    def socket_dir(self) -> Path:
        """Folder of the unix socket: `run` in the data folder, or a private folder with a short name."""
        run = self.data_dir / "run"
        socket_path = os.fsencode(run / f".s.PGSQL.{PORT}")
        if len(socket_path) <= SOCKET_PATH_BYTES and _HOST_SAFE.fullmatch(str(run)):
            return run
        name = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return _session_folder(self.account) / f"hulan-{self.account.uid}-{name}"


def place_in(data_dir: Path) -> ClusterPlace:
    """Make the data folder if it is missing and say which account serves it.

    Raises ClusterError if the folder cannot be made, belongs to someone else, or is out of the account's reach.
    """
    folder = data_dir.resolve()
    try:
        _make_missing(folder)
        account = _serving_account(folder)
    except OSError as error:
        raise ClusterError(
            f"数据文件夹 {folder} 用不了（{error.strerror}）。请换用户运行，或用 HULAN_DATA_DIR 指定别处。\n"
            f"Cannot use the data folder {folder}. Run as its owner, or name another folder with HULAN_DATA_DIR."
        ) from error
    place = ClusterPlace(data_dir=folder, account=account)
    _require_reach(place)
    return place


def run_as(account: Account, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program as the account, away from our terminal's signals and without our PG* settings."""
    environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    dropped = os.geteuid() == 0
    return subprocess.run(
        command,
        user=account.uid if dropped else None,
        group=account.gid if dropped else None,
        extra_groups=[account.gid] if dropped else None,
        # English messages: the start is retried by what they say.
        env={**environment, "LC_ALL": "C", "TZ": "UTC"},
        cwd="/",
        umask=0o077,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def make_private(folder: Path, account: Account) -> None:
    """Make a folder that only the account can use; refuse one that is a link, foreign, or open to others."""
    try:
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        pass
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != account.uid or found.st_mode & 0o077:
        raise ClusterError(
            f"{folder} 不是 {account.name} 独有的文件夹，拒绝使用。请删除它，或用 HULAN_DATA_DIR 指定别处。\n"
            f"{folder} is not a private folder of {account.name}; refused. Remove it, or set HULAN_DATA_DIR."
        )


def _session_folder(account: Account) -> Path:
    session = Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere"))
    try:
        found = session.stat()
    except OSError:
        return _SHARED_FOLDER
    private = found.st_uid == account.uid and not found.st_mode & 0o077
    short = len(os.fsencode(session)) <= 40 and _HOST_SAFE.fullmatch(str(session))
    return session if private and short else _SHARED_FOLDER


def _make_missing(folder: Path) -> None:
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        # Root's server runs under another account, which has to pass through.
        path.chmod(0o711 if os.geteuid() == 0 else 0o700)


def _serving_account(data_dir: Path) -> Account:
    pgdata = data_dir / "pgdata"
    owner = (pgdata if pgdata.exists() else data_dir).stat().st_uid
    if os.geteuid() != 0:
        if pgdata.exists() and owner != os.geteuid():
            raise ClusterError(
                f"数据文件夹 {data_dir} 属于 uid {owner}，请以该用户或 root 运行。\n"
                f"The data folder {data_dir} belongs to uid {owner}: run as that user or as root."
            )
        return _account_of(os.geteuid())
    if owner != 0:
        return _account_of(owner)
    if pgdata.exists():
        raise ClusterError(
            f"{pgdata} 属于 root，PostgreSQL 不以 root 运行。请 chown -R 给普通用户。\n"
            f"{pgdata} belongs to root, and PostgreSQL refuses to run as root: chown -R it to another user."
        )
    for name in ("postgres", "nobody"):
        try:
            return _account_of(pwd.getpwnam(name).pw_uid)
        except KeyError:
            continue
    raise ClusterError("没有 postgres 或 nobody 用户。\nThere is no user postgres and no user nobody.")


def _account_of(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise ClusterError(
            f"uid {uid} 没有用户名，PostgreSQL 需要一个（见 /etc/passwd）。\n"
            f"uid {uid} has no user name, and PostgreSQL needs one (see /etc/passwd)."
        ) from None
    return Account(uid=uid, gid=entry.pw_gid, name=entry.pw_name)


def _require_reach(place: ClusterPlace) -> None:
    if os.geteuid() != 0 or _reaches(place.account, place.data_dir):
        return
    way_down = reversed((place.data_dir, *place.data_dir.parents))
    closed = next(path for path in way_down if not _reaches(place.account, path))
    raise ClusterError(
        f"数据库以用户 {place.account.name} 运行，进不了 {closed}（数据文件夹 {place.data_dir}）。"
        f"请用 HULAN_DATA_DIR 指定别处，例如 HULAN_DATA_DIR=/var/lib/hulan。\n"
        f"The database runs as user {place.account.name}, who may not enter {closed} (data folder {place.data_dir}). "
        f"Name another folder, for example HULAN_DATA_DIR=/var/lib/hulan."
    )


def _reaches(account: Account, folder: Path) -> bool:
    return run_as(account, ["test", "-x", str(folder)]).returncode == 0
