"""One way to a database: an engine by URL, and the schema by its migrations."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from api.personal.keyring import Keyring

MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x48554C414E  # "HULAN": two machines that start at once must not migrate at once


def open_engine(url: str, *, pool_size: int = 5) -> Engine:
    """An engine whose every session works in UTC and gives up on locks rather than hang."""
    return create_engine(
        url,
        pool_size=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text would else hold the names and places of the statement that failed
        connect_args={"options": "-c timezone=UTC -c lock_timeout=30s -c idle_in_transaction_session_timeout=300s"},
    )


def migrate(engine: Engine, *, keyring: Keyring) -> str:
    """Bring the schema to this program's version, in one transaction; returns that version.

    ``keyring``: for the steps that seal personal fields.
    """
    config = _config()
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        config.attributes["keyring"] = keyring
        command.upgrade(config, "head")
    return expected_version()


def expected_version() -> str:
    """The schema version that this program was written for."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current_version(engine: Engine) -> str | None:
    """The schema version of the database, or ``None`` if it was never migrated."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
