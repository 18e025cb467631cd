"""As whom the processes log in, and what PostgreSQL lets each do. A new table fails here until it is decided."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from alerts.gateway import FakeGateway
from api.access.accounts import disable_account, join_case, set_jurisdiction
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.audit import LookKind, record_event
from api.audit_chain import Algorithm
from api.audit_checkpoint import AuditKeys, make_checkpoint
from api.audit_verify import verify
from api.cli.run import make_worker
from api.database import open_engine
from api.logins import ROLE_OF, Login, find_login_fault
from api.session import NotReadyError, open_database
from api.settings import Settings, read_settings
from tests.access.people import a_browser, an_official, official_in
from tests.access.rights import EXECUTABLE, EXPECTED
from tests.api.live_server import NOW, post_fixes, running_server, url_as
from tests.make import EVENING, KEYRING_PATH, SECRET, Person, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes

_GRANTS = """
WITH relation AS (
    SELECT c.oid, c.relname, c.relacl, c.relowner FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass
                        AND d.objsubid = 0 AND d.deptype IN ('e', 'i'))
), granted AS (
    SELECT oid, (aclexplode(relacl)).* , NULL::name AS attname FROM relation
    UNION ALL
    SELECT r.oid, (aclexplode(a.attacl)).*, a.attname FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
)
SELECT r.relname, CASE g.grantee WHEN 0 THEN 'public' ELSE g.grantee::regrole::text END AS grantee, g.privilege_type,
       array_agg(g.attname::text ORDER BY g.attname) AS columns
FROM relation r LEFT JOIN granted g ON g.oid = r.oid AND g.grantee <> r.relowner
GROUP BY r.relname, g.grantee, g.privilege_type ORDER BY 1, 2, 3
"""


def grants(engine: Engine) -> dict[str, dict[str, str]]:
    """What the catalogue says, in the form of ``EXPECTED``."""
    found: dict[str, dict[str, list[str]]] = {}
    with engine.connect() as connection:
        for row in connection.execute(text(_GRANTS)):
            of_relation = found.setdefault(row.relname, {})
            if row.grantee is not None:
                columns = "" if row.columns == [None] else f"({' '.join(row.columns)})"
                name = row.grantee.removeprefix("hulan_")
                of_relation.setdefault(name, []).append(f"{row.privilege_type}{columns}")
    return {name: {role: " ".join(what) for role, what in roles.items()} for name, roles in found.items()}


# ---- what is granted


def test_every_table_says_what_each_role_may_do_with_it(engine: Engine) -> None:
    assert grants(engine) == EXPECTED


def test_a_new_table_is_noticed_and_closed_to_all(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE of_tomorrow (key bigint PRIMARY KEY)"))
    assert set(grants(engine)) - set(EXPECTED) == {"of_tomorrow"}
    assert grants(engine)["of_tomorrow"] == {}


def test_a_new_week_is_closed_to_all_but_through_the_log(engine: Engine, web: Engine, person: Person) -> None:
    log_fixes(engine, person, a_visit())
    week = next(name for name in grants(engine) if name.startswith("fix_2026"))
    assert grants(engine)[week] == {}
    refused(web, f"SELECT * FROM {week}")


def test_functions_with_the_owners_rights_are_open_to_whom_they_serve(engine: Engine) -> None:
    query = """
        SELECT p.proname, array_agg(CASE a.grantee WHEN 0 THEN 'public' ELSE a.grantee::regrole::text END) AS who
        FROM pg_proc p LEFT JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            ON a.grantee <> p.proowner
        WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND NOT EXISTS
            (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        GROUP BY p.proname, p.oid
    """
    with engine.connect() as connection:
        found = {
            row.proname: {who.removeprefix("hulan_") for who in row.who if who is not None}
            for row in connection.execute(text(query))
        }
        paths = connection.execute(
            text("SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
                 " AND proname = ANY(:names) AND NOT proconfig::text LIKE '%search_path=%pg_temp%'"),
            {"names": list(EXECUTABLE)},
        )  # fmt: skip
        assert paths.scalar_one() == 0, "a function with the owner's rights that believes the caller's search_path"
    assert found == EXECUTABLE


def test_no_login_owns_bypasses_or_becomes_more(engine: Engine) -> None:
    query = """
        SELECT r.rolname, r.rolcanlogin,
               r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication AS mighty,
               (SELECT count(*) FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype = 'o') AS owned,
               array(SELECT o.rolname::text FROM pg_roles o WHERE o.oid <> r.oid
                     AND pg_has_role(r.oid, o.oid, 'MEMBER') ORDER BY 1) AS becomes
        FROM pg_roles r WHERE r.rolname IN ('hulan_app', 'hulan_gate', 'hulan_worker', 'hulan_web', 'hulan_service',
            'hulan_keeper', 'hulan_shredder', 'hulan_registrar')
    """
    with engine.connect() as connection:
        found = {row.rolname: row for row in connection.execute(text(query))}
    assert {name: row.becomes for name, row in found.items()} == {
        "hulan_app": [],
        "hulan_gate": ["hulan_app", "hulan_keeper"],
        "hulan_worker": ["hulan_registrar", "hulan_shredder"],
        "hulan_web": ["hulan_app", "hulan_gate", "hulan_keeper"],
        "hulan_service": ["hulan_registrar", "hulan_shredder", "hulan_worker"],
        "hulan_keeper": [],
        "hulan_registrar": [],
        "hulan_shredder": [],
    }
    assert not any(row.mighty or row.owned for row in found.values())
    assert {name for name, row in found.items() if row.rolcanlogin} == {"hulan_web", "hulan_service"}


# ---- what an attacker with statements of their own gets


@pytest.fixture
def web(database_url: str) -> Iterator[Engine]:
    engine = open_engine(url_as(database_url, Login.WEB))
    yield engine
    engine.dispose()


@pytest.fixture
def service(database_url: str) -> Iterator[Engine]:
    engine = open_engine(url_as(database_url, Login.WORKER))
    yield engine
    engine.dispose()


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        a_bar(connection)
        return a_person(connection)


CASE_TABLES = (
    "recipient", "supervision_order", "condition", "episode", "violation", "alert", "alert_violation", "notification",
    "subject_jurisdiction", "fix", "fix_flag", "fix_set_aside", "zone", "engine_state", "reevaluation", "personal_key",
    "audit_entry", "audit_checkpoint", "retention_run", "thinning_run", "division",
)  # fmt: skip


def refused(engine: Engine | Connection, statement: str) -> None:
    """The statement fails for want of a right."""
    if isinstance(engine, Connection):
        with pytest.raises(DBAPIError) as raised:
            engine.exec_driver_sql(statement)
        assert getattr(raised.value.orig, "sqlstate", None) == "42501", (statement, raised.value.orig)
        return
    with engine.connect() as connection:
        refused(connection, statement)


def test_the_web_process_reads_no_case_but_for_an_account(web: Engine, person: Person) -> None:
    for table in CASE_TABLES:
        refused(web, f"SELECT 1 FROM {table}")


BREAKING_OUT = (
    "SET ROLE hulan",
    "SET ROLE postgres",
    "SET ROLE {other}",
    "SET SESSION AUTHORIZATION hulan",
    "SET SESSION AUTHORIZATION {other}",
    "SET session_replication_role = replica",
    "GRANT hulan TO CURRENT_USER",
    "CREATE ROLE mine",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER TABLE subject DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE fix OWNER TO CURRENT_USER",
    "ALTER TABLE alert DISABLE TRIGGER ALL",
    "DROP TRIGGER audit_update ON alert",
    "DROP TABLE fix",
    "DROP POLICY seen_by_account ON subject",
    "CREATE POLICY mine ON subject USING (true)",
    "TRUNCATE alert",
    "CREATE TABLE public.mine (key bigint)",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE OR REPLACE FUNCTION visible_subjects() RETURNS SETOF bigint LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION dblink",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY shard TO '/tmp/hulan-of-tests'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT name FROM subject",
    "SELECT id_number FROM subject",
    "SELECT name FROM recipient",
    "INSERT INTO case_member SELECT 1, 1, now()",
    "INSERT INTO account_role SELECT 1, 'leader', 'officer', now()",
    "UPDATE subject_jurisdiction SET division_no = 1",
    "UPDATE zone SET radius_m = 1",
    "UPDATE fix SET longitude = 0",
    "DELETE FROM fix",
    "DELETE FROM alert",
    "DELETE FROM audit_entry",
    "INSERT INTO audit_entry DEFAULT VALUES",
    "UPDATE audit_entry SET actor = 'x'",
    "SELECT audit_append('row_updated', 1, 'zone', '1', '', '', '')",
    "SELECT setval('audit_position', 1)",
    "SELECT audit_protect('zone', '')",
)


def test_neither_login_gets_out_of_its_rights(web: Engine, service: Engine, person: Person) -> None:
    for statement in BREAKING_OUT:
        refused(web, statement.format(other=Login.WORKER))
        refused(service, statement.format(other=Login.WEB))


def test_the_worker_knows_no_account_and_no_device(service: Engine) -> None:
    for table in ("account", "account_role", "account_session", "api_token", "login_failure", "case_member", "device"):
        refused(service, f"SELECT 1 FROM {table}")
    for role in ("hulan_app", "hulan_gate"):
        refused(service, f"SET ROLE {role}")


def test_the_web_process_signs_nothing_drops_nothing_and_forges_no_place_in_the_log(web: Engine) -> None:
    for statement in (
        "SELECT audit_save_checkpoint(NULL)",
        "SELECT * FROM audit_heads()",
        "SELECT drop_fix_week('fix_20260316', 30)",
        "SELECT thin_fix_week('fix_20260316', 10)",
        "SELECT settle_ended_venues()",
        "SET ROLE hulan_worker",
        "SELECT staff_number FROM account",
        "INSERT INTO fix (written_by) VALUES ('3')",
        "INSERT INTO fix_written (written_by) VALUES ('3')",
    ):
        refused(web, statement)


ENDING_THE_ROLE = ("RESET ROLE", "SET ROLE NONE", "SELECT set_config('role', 'none', false)",
                   "RESET SESSION AUTHORIZATION", "SET ROLE hulan_web", "SET ROLE hulan_gate")  # fmt: skip


def test_leaving_the_role_of_an_account_gives_the_rights_of_the_gate_and_no_more(
    engine: Engine, web: Engine, person: Person
) -> None:
    official = member_of(engine, person)
    further = ["SET ROLE hulan", "SET SESSION AUTHORIZATION hulan", "DROP TABLE alert"]
    further += [f"SELECT 1 FROM {table}" for table in CASE_TABLES]
    for leaving in ENDING_THE_ROLE:
        for statement in further:
            with as_account(web, official) as connection:
                connection.exec_driver_sql(leaving)
                refused(connection, statement)


def test_an_account_reads_no_password(engine: Engine, web: Engine, person: Person) -> None:
    official = member_of(engine, person)
    for columns in ("password_hash", "totp_secret", "*"):
        with as_account(web, official) as connection:
            assert connection.execute(text("SELECT login_name FROM account")).scalars().all() == ["wang"]
            assert connection.execute(text("SELECT count(*) FROM subject")).scalar_one() == 1
            refused(connection, f"SELECT {columns} FROM account")


def test_the_gate_takes_members_off_a_team_and_puts_nobody_on(engine: Engine, web: Engine, person: Person) -> None:
    with engine.begin() as connection:
        official = an_official(connection)
        join_case(connection, person.subject_no, official.account_no, now=EVENING)
    with web.begin() as connection:
        disable_account(connection, official.account_no, now=NOW)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT left_at FROM case_member")).scalars().all() == [NOW]
    with web.begin() as connection:
        assert connection.execute(text("UPDATE case_member SET left_at = NULL")).rowcount == 0


def test_a_note_of_either_process_is_in_the_audit_under_its_login(engine: Engine, web: Engine, service: Engine) -> None:
    for process in (web, service):
        with process.begin() as connection:
            record_event(connection, LookKind.LOG_IN, subject_no=None, detail="of tests")
    with engine.connect() as connection:
        found = connection.execute(text("SELECT login FROM audit_entry WHERE detail = 'of tests' ORDER BY position"))
        assert found.scalars().all() == [Login.WEB, Login.WORKER]


def member_of(engine: Engine, person: Person) -> Any:
    """The account of an officer on the team of a case."""
    with engine.begin() as connection:
        official = an_official(connection)
        set_jurisdiction(connection, person.subject_no, "320300")
        join_case(connection, person.subject_no, official.account_no, now=EVENING)
    return official.account_id


# ---- weeks of the log


def test_only_whole_weeks_that_are_old_enough_go(service: Engine, engine: Engine, person: Person) -> None:
    log_fixes(engine, person, a_visit())
    now = datetime.now(UTC)
    monday = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=now.weekday())
    with service.connect() as connection:
        make = text("SELECT make_fix_week(:week)")
        assert connection.execute(make, {"week": monday}).scalar_one()
        assert not connection.execute(make, {"week": monday}).scalar_one()
        connection.commit()
        for week in (monday + timedelta(days=1), monday + timedelta(seconds=1)):
            with pytest.raises(ProgrammingError, match="begins on Monday"):
                connection.execute(make, {"week": week})
            connection.rollback()
        drop = text("SELECT drop_fix_week(:name, :days)")
        for name, days in ((f"fix_{monday:%Y%m%d}", 30), ("fix_20260316", 13), ("subject", 30), ("fix_flag", 30)):
            with pytest.raises(ProgrammingError, match=r"fixes are kept 14 days|is no week of the log"):
                connection.execute(drop, {"name": name, "days": days})
            connection.rollback()
        assert connection.execute(drop, {"name": "fix_20260316", "days": 30}).scalar_one() == len(a_visit())


# ---- the processes, from end to end


def test_the_main_job_runs_with_every_process_under_its_own_login(
    engine: Engine, service: Engine, database_url: str, person: Person, tmp_path: Path
) -> None:
    """Log-in and intake by the web process; evaluation, a late fix, an edited zone, delivery, retention, checkpoints by
    the worker; an officer sees the alert. Nothing but the set-up runs as the owner."""
    with running_server(database_url, trusts_received_at=True) as client:
        *visit, late = a_visit()
        assert post_fixes(client, person.token, visit).status_code == 201
        gateway = FakeGateway()
        worker = a_worker(service, gateway)
        worker.keep_days = 30
        keys = AuditKeys.open(tmp_path)
        assert make_checkpoint(service, keys, at=NOW, algorithm=Algorithm.SHA256) is not None
        worker.drain()
        assert len(gateway.sent) == 1
        assert post_fixes(client, person.token, [a_fix(minutes=12.5, east_m=3.0), late]).status_code == 201
        worker.drain()
        with engine.begin() as connection:
            a_bar(connection, radius_m=40.0, at=NOW, valid_from=EVENING)
        worker.drain()
        worker.tidy()
        assert client.get("/health").json() == {"status": "ok", "worker": "present"}
    official = official_in(engine, "li", AccountRole.LEADER)
    with engine.begin() as connection:
        set_jurisdiction(connection, person.subject_no, "320300")
    with a_browser(database_url) as browser:
        browser.log_in(official)
        assert browser.ask("GET", f"/subjects/{person.subject_id}").json()["open_alert_count"] == 1
    with engine.connect() as connection:
        by = connection.execute(text("SELECT DISTINCT login FROM audit_entry WHERE table_name = 'alert'")).scalars()
        assert list(by) == [Login.WORKER]
    assert verify(engine, tmp_path).faults == ()


# ---- which login a process takes


def settings_for(tmp_path: Path, **urls: str) -> Settings:
    return read_settings(data_dir=tmp_path, secret_key=SECRET.decode(), keyring=KEYRING_PATH, **urls)


def test_a_process_takes_its_own_login_and_no_other(engine: Engine, database_url: str, tmp_path: Path) -> None:
    web, service = url_as(database_url, Login.WEB), url_as(database_url, Login.WORKER)
    settings = settings_for(tmp_path, web_database_url=web, worker_database_url=service)
    for login in ROLE_OF:
        with open_database(settings, say=lambda _: None, login=login) as opened, opened.connect() as connection:
            assert connection.execute(text("SELECT session_user")).scalar_one() == login
    with pytest.raises(NotReadyError, match="HULAN_DATABASE_URL"), open_database(settings, say=lambda _: None):
        pass
    with open_database(settings, say=lambda _: None, login=Login.WORKER) as opened:
        assert make_worker(settings, opened).engine is opened
    owner_only = settings_for(tmp_path, database_url=database_url)
    for login, variable in ((Login.WEB, "HULAN_WEB_DATABASE_URL"), (Login.WORKER, "HULAN_WORKER_DATABASE_URL")):
        with pytest.raises(NotReadyError, match=variable), open_database(owner_only, say=lambda _: None, login=login):
            pass


def test_a_login_with_too_many_or_too_few_rights_is_refused(
    web: Engine, engine: Engine, database_url: str, tmp_path: Path
) -> None:
    of_web, of_worker = url_as(database_url, Login.WEB), url_as(database_url, Login.WORKER)
    for login, url, fault in (
        (Login.WEB, database_url, "绕过行级安全"),
        (Login.WORKER, database_url, "绕过行级安全"),
        (Login.WORKER, of_web, "GRANT hulan_worker TO hulan_web"),
        (Login.WEB, of_worker, "GRANT hulan_gate TO hulan_service"),
    ):
        settings = settings_for(tmp_path, web_database_url=url, worker_database_url=url)
        with pytest.raises(NotReadyError, match=fault), open_database(settings, say=lambda _: None, login=login):
            pass
    with engine.begin() as connection:
        connection.execute(text("GRANT hulan_worker TO hulan_web"))
    try:
        with web.connect() as connection:
            assert "REVOKE hulan_worker FROM hulan_web" in (find_login_fault(connection, Login.WEB) or "")
    finally:  # roles belong to the server, not to this test's database
        with engine.begin() as connection:
            connection.execute(text("REVOKE hulan_worker FROM hulan_web"))
