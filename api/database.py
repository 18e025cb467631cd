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

CLOSE_STATISTICS = """
DO $$ DECLARE telling regprocedure; BEGIN
    FOR telling IN
        SELECT oid FROM pg_proc WHERE proname IN ('st_estimatedextent', '_postgis_stats', '_postgis_index_extent',
            '_postgis_selectivity', '_postgis_join_selectivity')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', telling);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'whoever made the extension postgis must take its functions of statistics away from PUBLIC';
END $$
"""
"""PostGIS tells anyone the extent and the histogram of any table's geometry: where the zones of protected people are.

The planner needs no right to them. Only who owns the extension can close them; for others it changes nothing.
"""


def open_engine(url: str, *, pool_size: int = 5, audit_hash: str = "sha256") -> Engine:
    """An engine whose every session works in UTC, gives up on locks rather than hang, and audits by ``audit_hash``."""
    return create_engine(
        url,
        pool_size=pool_size,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text would else hold the names and places of the statement that failed
        connect_args={
            "options": "-c timezone=UTC -c lock_timeout=30s -c idle_in_transaction_session_timeout=300s"
            f" -c hulan.audit_hash={audit_hash}"
        },
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
