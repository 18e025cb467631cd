"""The schema that the migrations make, against the tables and columns that the stores believe in."""

import ast
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from geoalchemy2 import Geometry
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Engine, Float, Integer, Table, Text, Uuid, text
from sqlalchemy.types import TypeEngine

import alerts.store
import tracking.store
import venues.store
from api.database import MIGRATIONS, current_version, expected_version, migrate
from api.engine_state import ShardOf, load_states, save_states
from api.fix_log import rebase
from api.migrations.versions import __file__ as versions_file
from geo.postgis import metadata
from tests.make import KEYRING, a_bar, a_batch, a_fix, a_person, a_visit, a_worker, log_fixes
from tracking.episode import Episode, Violation
from tracking.evaluate import evaluate
from tracking.order_store import load_orders
from tracking.policy import PresencePolicy
from tracking.presence import PRESENCE
from tracking.rules import RuleBook, ZoneBook
from tracking.states import PresenceStates
from tracking.store import load_zones

STORES = (alerts.store, tracking.store, venues.store)

POSTGRES_TYPES: dict[type[TypeEngine[Any]], set[str]] = {
    BigInteger: {"int8"},
    Integer: {"int4", "int2"},
    Text: {"text"},
    Float: {"float8"},
    Boolean: {"bool"},
    Date: {"date"},
    DateTime: {"timestamptz"},
    Uuid: {"uuid"},
    Geometry: {"geometry"},
}
"""SQLAlchemy type → the PostgreSQL types it may stand for."""


OF_ONE_RUN = {"decided_now", "live_now"}
"""What a run says about itself; the next one begins without it."""


def columns_of(engine: Engine, table: str) -> dict[str, str]:
    """Column name → PostgreSQL type name."""
    query = "SELECT column_name, udt_name FROM information_schema.columns WHERE table_name = :table"
    with engine.connect() as connection:
        return {row.column_name: row.udt_name for row in connection.execute(text(query), {"table": table})}


def tables_of(engine: Engine) -> set[str]:
    """Hulan's own tables: not PostGIS's, not Alembic's."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with engine.connect() as connection:
        found = {row.tablename for row in connection.execute(text(query))}
    return found - {"spatial_ref_sys", "alembic_version"}


def alembic_config(connection: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["keyring"] = KEYRING
    return config


def fingerprint(engine: Engine) -> list[tuple[Any, ...]]:
    """Columns, indexes, constraints and triggers of the whole schema."""
    query = """
        SELECT 'column', table_name || '.' || column_name, udt_name || is_nullable || coalesce(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT 'trigger', tgrelid::regclass || '.' || tgname, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal
        ORDER BY 1, 2, 3
    """
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def rights(engine: Engine) -> list[tuple[Any, ...]]:
    """Policies, own functions, and what anybody but the owner may do with tables, columns and functions."""
    query = """
        WITH own AS (
            SELECT oid, oid::regprocedure::text AS name, coalesce(proacl, acldefault('f', proowner)) AS acl, proowner
            FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
                AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        ), tables AS (
            SELECT oid, relname, relacl, relowner, relrowsecurity FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')
        ), given AS (
            SELECT name, a.* FROM own, aclexplode(acl) AS a WHERE grantee <> proowner
            UNION ALL SELECT relname, a.* FROM tables, aclexplode(relacl) AS a WHERE grantee <> relowner
            UNION ALL SELECT relname || '.' || attname, a.* FROM tables JOIN pg_attribute ON attrelid = oid,
                aclexplode(attacl) AS a WHERE grantee <> relowner AND NOT attisdropped
        )
        SELECT 'policy', tablename || '.' || policyname, permissive || roles::text || cmd || coalesce(qual, '')
            || coalesce(with_check, '') FROM pg_policies WHERE schemaname = 'public'
        UNION ALL SELECT 'rows guarded', relname, relrowsecurity::text FROM tables
        UNION ALL SELECT 'function', name, pg_get_functiondef(oid) FROM own
        UNION ALL SELECT 'may', name, grantee::regrole || ' ' || privilege_type FROM given
        ORDER BY 1, 2, 3
    """
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def kind_of(column: Column[Any]) -> set[str]:
    return next(names for kind, names in POSTGRES_TYPES.items() if isinstance(column.type, kind))


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_table_of_a_store_is_the_table_of_the_database(engine: Engine, table: Table) -> None:
    found = columns_of(engine, table.name)
    assert set(found) == {column.name for column in table.columns}
    wrong = {column.name: found[column.name] for column in table.columns if found[column.name] not in kind_of(column)}
    assert wrong == {}


@pytest.mark.parametrize("table", metadata.sorted_tables, ids=lambda table: table.name)
def test_geometry_columns_have_the_same_srid(engine: Engine, table: Table) -> None:
    query = "SELECT f_geometry_column, srid FROM geometry_columns WHERE f_table_name = :table"
    with engine.connect() as connection:
        found = {row[0]: row[1] for row in connection.execute(text(query), {"table": table.name})}
    # GeoAlchemy2 says -1 for "none", PostGIS says 0.
    believed = {column.name: max(column.type.srid, 0) for column in table.columns if isinstance(column.type, Geometry)}
    assert found == believed


def test_finding_tables_hold_every_field_of_a_finding(engine: Engine) -> None:
    episode, violation = columns_of(engine, "episode"), columns_of(engine, "violation")
    assert set(episode) == {field.name for field in fields(Episode)} | {"superseded_at"}
    # Whether someone can still act is for the alert to say.
    assert set(violation) == {field.name for field in fields(Violation)} - {"live_at", "live_known_at"} | {"state"}


def test_states_come_back_from_the_database_bit_by_bit(engine: Engine) -> None:
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(connection)
        zones = ZoneBook.build(load_zones(connection))
        rules = RuleBook.build(load_orders(connection), zones)
    fixes = a_batch([*a_visit()[:19], a_fix(minutes=19.37, east_m=21.3)], subject_no=person.subject_no)
    before = evaluate(
        states=PresenceStates.empty(), fixes=fixes, rules=rules, zones=zones, policy=PresencePolicy()
    ).states
    assert len(before.open_rows) == 1, "nothing to remember: this test shows nothing"
    subjects = before.subject_rows["subject_no"]
    shard_of = ShardOf.of(subjects, np.array([person.sender.shard], dtype=np.int16))
    with engine.begin() as connection:
        save_states(connection, before, touched=subjects, shard_of=shard_of, written={})
    with engine.connect() as connection:
        after = load_states(connection, range(64)).states
    assert after.subject_rows.tolist() == before.subject_rows.tolist()
    for name in set(PRESENCE.names or ()) - OF_ONE_RUN:
        assert after.open_rows[name].tolist() == before.open_rows[name].tolist(), name


def test_every_table_named_in_a_store_is_in_the_schema(engine: Engine) -> None:
    assert {table.name for table in metadata.sorted_tables} <= tables_of(engine)
    assert {"fix", "shard", "episode", "violation", "alert", "notification"} <= tables_of(engine)


def test_database_and_program_agree_on_the_version(engine: Engine) -> None:
    assert current_version(engine) == expected_version()
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    assert current_version(engine) is None


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    before = fingerprint(engine)
    assert migrate(engine, keyring=KEYRING) == expected_version()
    assert fingerprint(engine) == before


def test_going_down_and_up_again_gives_the_same_schema(engine: Engine) -> None:
    before = fingerprint(engine)
    assert tables_of(engine)
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert tables_of(engine) == set()
    assert current_version(engine) is None
    assert migrate(engine, keyring=KEYRING) == expected_version()
    assert fingerprint(engine) == before


def test_each_step_down_gives_the_schema_and_the_rights_of_before(engine: Engine) -> None:
    revisions = [script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]
    before = {}
    for revision in revisions:
        before[revision] = [*fingerprint(engine), *rights(engine)]
        with engine.begin() as connection:
            command.downgrade(alembic_config(connection), "-1")
    other = {}
    for revision in reversed(revisions):
        with engine.begin() as connection:
            command.upgrade(alembic_config(connection), revision)
        other[revision] = set(before[revision]) ^ {*fingerprint(engine), *rights(engine)}
    assert {revision: found for revision, found in other.items() if found} == {}


def test_cursors_rebased_while_anything_else_commits_skip_nothing(engine: Engine) -> None:
    """After a restore. The server's own housekeeping commits too, between any two statements."""
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(connection)
    log_fixes(engine, person, a_visit())
    with engine.begin() as connection, engine.connect() as other:
        connection.execute(text("SELECT pg_current_xact_id()"))
        other.execute(text("SELECT pg_current_xact_id()"))
        other.commit()
        assert rebase(connection) == len(a_visit())
    a_worker(engine).drain()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM violation")).scalar_one() == 1


def test_going_down_works_with_data_in_the_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(connection)
    log_fixes(engine, person, a_visit()[:25])
    a_worker(engine).drain()
    with engine.connect() as connection:
        for table in ("engine_state", "episode", "violation", "alert_violation", "notification"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 1, table
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    assert tables_of(engine) == set()


def test_failed_migration_leaves_nothing_behind(engine: Engine) -> None:
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
        connection.execute(text("CREATE TABLE notification (in_the_way integer)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(engine, keyring=KEYRING)
    assert tables_of(engine) == {"notification"}
    assert current_version(engine) is None


def test_every_migration_says_what_it_does_and_follows_one_other() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert len(scripts.get_heads()) == 1
    for path in sorted(Path(versions_file).parent.glob("[0-9]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path.name} has no docstring"
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert {"upgrade", "downgrade"} <= set(functions), path.name
        assert all(ast.get_docstring(functions[name]) for name in ("upgrade", "downgrade")), path.name
        revision = scripts.get_revision(path.name[:4])
        assert revision is not None, f"{path.name} is not revision {path.name[:4]}"


def test_any_change_of_a_rule_moves_the_rule_version(engine: Engine) -> None:
    def version() -> int:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT version FROM rule_version")).scalar_one())

    with engine.begin() as connection:
        a_bar(connection)
        a_person(connection)
    for change in (
        "UPDATE zone SET superseded_at = now()",
        "UPDATE supervision_order SET valid_to = valid_to + interval '1 day'",
        "UPDATE condition SET tolerance_m = 5",
        "DELETE FROM condition",
    ):
        before = version()
        with engine.begin() as connection:
            connection.execute(text(change))
        assert version() > before, change
