"""From settings to a database that is ready: the embedded cluster, or the server named by URL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from api.cluster import running_cluster
from api.database import current_version, expected_version, migrate, open_engine
from api.personal.opening import open_keyring
from api.settings import Settings


class NotReadyError(RuntimeError):
    """The database cannot be used as it is; the message says what to do."""


@contextmanager
def open_database(settings: Settings, *, say: Callable[[str], None], pool_size: int = 10) -> Iterator[Engine]:
    """An engine on a database with the schema of this program.

    The embedded cluster is started, shared and migrated as needed; a server of one's own is only checked, because when
    to migrate it is its administrator's decision (``hulan migrate``).
    """
    if settings.database_url is None:
        with running_cluster(settings.data_dir / "postgres", say=say) as url:
            engine = open_engine(url, pool_size=pool_size)
            try:
                if current_version(engine) != expected_version():
                    migrate(engine, keyring=open_keyring(settings))
                yield engine
            finally:
                engine.dispose()
        return
    engine = open_engine(settings.database_url, pool_size=pool_size)
    try:
        _check(engine)
        yield engine
    finally:
        engine.dispose()


def _check(engine: Engine) -> None:
    try:
        found = current_version(engine)
    except OperationalError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise NotReadyError(f"连接不上数据库 {where} / cannot reach the database {where}: {error.orig}") from error
    if found != expected_version():
        raise NotReadyError(
            f"数据库结构版本为 {found}，程序需要 {expected_version()}：请运行 hulan migrate"
            f" / the schema is at version {found}, this program needs {expected_version()}: run `hulan migrate`"
        )
