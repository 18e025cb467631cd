"""Settings of the private cluster, written anew at each start: socket and peer logins only, durable, no data logged."""

import os
from pathlib import Path

from api.cluster_place import PORT, ClusterPlace
from api.logins import Login

SUPERUSER = "postgres"

_FIXED = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
    # Personal data stays out of the log. An ERROR or WARNING can quote a value, a DETAIL quotes the whole row,
    # and both reach the client anyway; LOG, FATAL and PANIC tell of the server itself.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_lock_waits": "off",
    "log_temp_files": "-1",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_THROW_AWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def write_settings(place: ClusterPlace, *, durable: bool) -> None:
    """Write hulan.conf, pg_hba.conf and pg_ident.conf for the start that follows."""
    paths = {
        "hba_file": str(place.conf_dir / "pg_hba.conf"),
        "ident_file": str(place.conf_dir / "pg_ident.conf"),
        "log_directory": str(place.log_dir),
        # A list whose elements may be double-quoted.
        "unix_socket_directories": '"' + str(place.socket_dir).replace('"', '""') + '"',
    }
    settings = {**_FIXED, **(_DURABLE if durable else _THROW_AWAY), **paths}
    place.conf_dir.mkdir(exist_ok=True)
    place.conf_dir.chmod(0o755)
    _write(place.conf_dir / "hulan.conf", "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items()))
    _write(place.conf_dir / "pg_hba.conf", "local all all peer map=hulan\n")
    _write(place.conf_dir / "pg_ident.conf", _ident_map(place))


def include_settings(pgdata: Path) -> None:
    """Make a new cluster read hulan.conf; the path is relative, so that the data folder can be moved."""
    with (pgdata / "postgresql.conf").open("a") as stream:
        stream.write("\ninclude = '../conf/hulan.conf'\n")


def _ident_map(place: ClusterPlace) -> str:
    names = {"root", place.account.name}
    lines = [f'hulan "{name}" {role}\n' for name in sorted(names) for role in (*Login, SUPERUSER)]
    return "".join(lines)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _write(path: Path, text: str) -> None:
    # A new file moved into place: root must not write through a link that someone laid there.
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "w") as stream:
        os.fchmod(descriptor, 0o644)
        stream.write(text)
    fresh.replace(path)
