"""From settings to a database that is ready: the embedded cluster, or the server named by URL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import OperationalError

from api.cluster import running_cluster
from api.database import current_version, expected_version, migrate, open_engine
from api.logins import Login, find_login_fault
from api.personal.opening import open_keyring
from api.settings import Settings


class NotReadyError(RuntimeError):
    """The database cannot be used as it is; the message says what to do."""


@contextmanager
def open_database(
    settings: Settings, *, say: Callable[[str], None], login: Login = Login.OWNER, pool_size: int = 10
) -> Iterator[Engine]:
    """An engine on a database with the schema of this program, logged in with the rights of ``login``.

    The embedded cluster is started, shared and migrated as needed; a server of one's own is only checked, because when
    to migrate it is its administrator's decision (``hulan migrate``). Raises :class:`NotReadyError`, also if the login
    of the web process or of a worker could get around row-level security.
    """
    if settings.is_embedded:
        with running_cluster(settings.data_dir / "postgres", say=say) as url:
            _migrate_if_needed(url, settings)
            own = make_url(url).set(username=login).render_as_string(hide_password=False)
            with _checked(own, settings, login, pool_size) as engine:
                yield engine
        return
    with _checked(url_for(settings, login), settings, login, pool_size) as engine:
        yield engine


def url_for(settings: Settings, login: Login) -> str:
    """The address for this login on a server of one's own. Raises :class:`NotReadyError` if it is not set."""
    urls = {
        Login.OWNER: ("HULAN_DATABASE_URL", settings.database_url),
        Login.WEB: ("HULAN_WEB_DATABASE_URL", settings.web_database_url),
        Login.WORKER: ("HULAN_WORKER_DATABASE_URL", settings.worker_database_url),
    }
    variable, url = urls[login]
    if url is not None:
        return url
    if login is Login.OWNER:
        raise NotReadyError(
            "此命令需要表的所有者登录：请设置 HULAN_DATABASE_URL"
            " / this command logs in as the owner of the tables: set HULAN_DATABASE_URL"
        )
    raise NotReadyError(
        f"未设置 {variable}：此进程不以表的所有者登录。hulan migrate 已建立角色 {login}，请为它设密码"
        f"（ALTER ROLE {login} PASSWORD …）并填写其地址"
        f" / {variable} is not set: this process does not log in as the owner of the tables. `hulan migrate` made role"
        f" {login}: give it a password (ALTER ROLE {login} PASSWORD …) and name its address"
    )


def _migrate_if_needed(url: str, settings: Settings) -> None:
    engine = open_engine(url, audit_hash=settings.audit_hash)
    try:
        if current_version(engine) != expected_version():
            migrate(engine, keyring=open_keyring(settings))
    finally:
        engine.dispose()


@contextmanager
def _checked(url: str, settings: Settings, login: Login, pool_size: int) -> Iterator[Engine]:
    engine = open_engine(url, pool_size=pool_size, audit_hash=settings.audit_hash)
    try:
        _check_version(engine)
        with engine.connect() as connection:
            fault = find_login_fault(connection, login)
        if fault is not None:
            raise NotReadyError(fault)
        yield engine
    finally:
        engine.dispose()


def _check_version(engine: Engine) -> None:
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
