"""The matrix in SQL: every table × every account under the application's role, and every way round that SQL offers."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from api.access.caller import APPLICATION_ROLE, as_account
from api.access.roles import AccountRole
from api.database import open_engine
from geo.postgis import driver_connection
from tests.access.asking import failure, leaked, refused, seen
from tests.access.matrix import (
    ASKER,
    Needle,
    Scene,
    a_database,
    broken_look_of,
    export_of,
    line_of,
    make_scene,
)

BY_NUMBER = "t.subject_no"
BY_ALERT = "(SELECT a.subject_no FROM alert a WHERE a.alert_id = t.alert_id)"

OF_A_CASE = {
    "subject": BY_NUMBER,
    "subject_jurisdiction": BY_NUMBER,
    "case_member": BY_NUMBER,
    "supervision_order": BY_NUMBER,
    "condition": "(SELECT o.subject_no FROM supervision_order o WHERE o.order_no = t.order_no)",
    "recipient": BY_NUMBER,
    "episode": BY_NUMBER,
    "violation": BY_NUMBER,
    "alert": BY_NUMBER,
    "alert_violation": BY_ALERT,
    "notification": BY_ALERT,
    "zone": "(SELECT v.subject_no FROM violation v WHERE v.zone_no = t.zone_no)",
    "order_in_force": BY_NUMBER,
    "zone_in_force": "(SELECT v.subject_no FROM violation v WHERE v.zone_no = t.zone_no)",
    "leave": BY_NUMBER,
    "leave_approval": BY_NUMBER,
    "exemption": BY_NUMBER,
    "finding": BY_NUMBER,
    "check_in": BY_NUMBER,
    "task": BY_NUMBER,
    "decision": BY_NUMBER,
    "alert_finding": BY_ALERT,
    "alert_history": BY_NUMBER,
    "delivery_report": BY_NUMBER,
    "escalation_step": BY_NUMBER,
    "guardian_answer": BY_NUMBER,
    "reply": BY_NUMBER,
}
"""Table → the case that a row belongs to, as the tables' owner finds it: shown to whoever may see the case."""

ROW_OF = {"order_in_force": "t.order_no::text", "zone_in_force": "t.zone_no::text"}
"""View → what names a row of it; a row of a table is named by its place."""

OF_AN_ASKER = {"look": "look_id", "export_run": "export_id"}
"""Table → a column to count by: what somebody asked for or took out, of whom a row says who that was."""

OF_AN_ACCOUNT = ("account", "account_role")
"""One's own row; all to the administrators who keep accounts."""

OF_WHO_FILED = "case_intake"
"""Shown to the account that filed it: test_filed_cases_are_shown_to_who_filed_them."""

OF_PLACES = (
    "division", "venue", "site", "venue_incident", "calendar_year", "site_gate", "distance_rule", "distance_run",
    "venue_source_record", "venue_link", "venue_review", "venue_door", "venue_observation",
)  # fmt: skip
"""About nobody: shown to all."""

CLOSED = (
    "account_identity", "account_session", "alembic_version", "api_token", "audit_checkpoint", "callback_nonce",
    "clock_edge", "contact_watch", "device", "device_report", "device_watch",
    "guardian_link", "provider_state",
    "engine_layout", "engine_state", "export_limit", "fix_written", "link_guess", "login_failure", "look_rule",
    "oidc_state", "open_subject", "order_times", "personal_key", "record_sealing", "reevaluation",
    "retention_run", "rule_version",
    "thinning_run", "unsealing_request", "venue_phone", "venue_register", "worker",
)  # fmt: skip
"""Shown to nobody under the application's role."""

CURSORS = {"shard": "shard, seen, target, after_xid, after_seq"}
"""Table → the columns that are shown to all: how far the log was read. Nothing else of it is."""

OF_OFFICERS_THERE = ("distance_finding", "lead", "lead_event", "measurement_archive")
"""About venues, shown to officers of the place and above; the scene has none: tests/api/test_leads.py has them."""

OF_ROSTERS = ("duty_absence", "duty_roster")
"""Shown to officers of a case of the unit; the scene has none: tests/api/test_desk.py has them."""

OF_A_LOOK = ("fix", "fix_flag", "fix_set_aside")
"""Shown within the span of an open look, of which this scene has none: tests/access/test_looks.py has them."""

OF_THE_AUDIT = {"audit_entry": "position", "notice": "notice_id"}
"""Table → a column to count by: all of it to the audit administrator."""

OF_NOBODY_SEALED = "subject_no IS NULL OR subject_no NOT IN (SELECT sealed_subjects())"

ROWS_OF_SEALED = """
SELECT position FROM audit_entry WHERE subject_no IS NULL AND (
    table_name = 'notification' AND row_key IN (SELECT notification_id::text FROM notification n JOIN alert a
        USING (alert_id) WHERE a.subject_no IN (SELECT sealed_subjects()))
    OR table_name IN ('alert_violation', 'alert_finding') AND row_key LIKE ANY
        (SELECT '{' || alert_id || ',%' FROM alert WHERE subject_no IN (SELECT sealed_subjects()))
    OR table_name = 'condition' AND row_key IN (SELECT condition_no::text FROM condition JOIN supervision_order
        USING (order_no) WHERE subject_no IN (SELECT sealed_subjects()))
    OR table_name = 'delivery_report' AND row_key IN (SELECT report_no::text FROM delivery_report
        WHERE subject_no IN (SELECT sealed_subjects()))
    OR table_name = 'reply' AND row_key IN (SELECT reply_id::text FROM reply
        WHERE subject_no IN (SELECT sealed_subjects()))
    OR table_name = 'zone' AND row_key IN (SELECT zone_no::text FROM violation
        WHERE subject_no IN (SELECT sealed_subjects())))
"""
"""Entries of rows that name a sealed person by another row only."""

NOT_OURS = {"geography_columns", "geometry_columns", "spatial_ref_sys"}
"""PostGIS's."""


@pytest.fixture(scope="module")
def scene(cluster_url: str) -> Iterator[Scene]:
    with a_database(cluster_url, "matrix_sql") as url:
        engine = open_engine(url)
        try:
            yield make_scene(engine, url)
        finally:
            engine.dispose()


def relations(connection: Connection) -> dict[str, bool]:
    """Every table and view → whether it is a partition of another."""
    query = (
        "SELECT relname, relispartition FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p', 'v', 'm', 'f')"
    )
    return {row.relname: row.relispartition for row in connection.execute(text(query)) if row.relname not in NOT_OURS}


# ---- every table × every account


def test_every_table_is_in_the_matrix(scene: Scene) -> None:
    with scene.engine.connect() as connection:
        found = relations(connection)
    named = [
        *OF_A_CASE, *OF_AN_ASKER, *OF_AN_ACCOUNT, *OF_PLACES, *CLOSED, *CURSORS, *OF_A_LOOK, *OF_ROSTERS, *OF_THE_AUDIT,
        OF_WHO_FILED, *OF_OFFICERS_THERE,
    ]  # fmt: skip
    assert len(named) == len(set(named))
    assert {name for name, is_partition in found.items() if not is_partition} == set(named)
    assert sum(found.values()) >= 1, "no week of the log: nothing to try"


@pytest.mark.parametrize("table", sorted(OF_A_CASE))
def test_each_account_is_shown_the_rows_of_its_cases(scene: Scene, table: str) -> None:
    with scene.engine.connect() as connection:
        row_of = ROW_OF.get(table, "t.ctid::text")
        query = f"SELECT {row_of}, {OF_A_CASE[table]} FROM {table} t"
        row_cases = {row[0]: row[1] for row in connection.execute(text(query))}
    number_of = {name: case.person.subject_no for name, case in scene.cases.items()}
    nowhere = {"subject_jurisdiction", "case_member"}  # not every case has a row of these
    assert set(row_cases.values()) - {None} == set(number_of.values()) or table in nowhere
    for account in scene.accounts.values():
        theirs = {number_of[name] for name in scene.seen_by(account)}
        expected = {place for place, number in row_cases.items() if number in theirs}
        assert seen(scene, account, f"SELECT {row_of} FROM {table} t") == expected, account.name


def test_looks_and_exports_are_shown_to_who_asked_and_who_answers_for_the_case(scene: Scene) -> None:
    """Looks: one's own and those at one's cases. Exports: one's own and those of accounts one leads, of one's cases."""
    asker = scene.accounts[ASKER]
    looks = {name: {case.look_id, broken_look_of(case.look_id)} for name, case in scene.cases.items()}
    for account in scene.accounts.values():
        theirs = scene.seen_by(account)
        asked = {name for name, case in scene.cases.items() if not case.is_sealed} if account is asker else set()
        expected = set().union(*(looks[name] for name in theirs | asked))
        assert seen(scene, account, "SELECT look_id FROM look") == expected, account.name
        leads = AccountRole.LEADER in account.roles and account.place in line_of(asker.place)
        exports = {export_of(scene.cases[name].look_id) for name in theirs} if leads else set()
        assert seen(scene, account, "SELECT export_id FROM export_run") == exports, account.name
    assert len(scene.cases) > len(scene.seen_by(asker)) > 0


def test_filed_cases_are_shown_to_who_filed_them(scene: Scene) -> None:
    """One's own that nobody is named by yet, and those of people whom the account still reaches."""
    filed = text(
        "INSERT INTO case_intake (item_id, intake_id, line, account_no, division_no, asked_at, result, key_id,"
        " subject_no, done_at) SELECT gen_random_uuid(), gen_random_uuid(), 1, :account, division_no, now(), 'x',"
        " key_id, :number, now() FROM (SELECT min(division_no) AS division_no FROM division) d,"
        " (SELECT min(key_id) AS key_id FROM personal_key) k RETURNING item_id"
    )
    every: dict[str, dict[str | None, UUID]] = {}
    with scene.engine.begin() as connection:
        for account in scene.accounts.values():
            numbers: dict[str | None, int | None] = {None: None}
            numbers |= {name: case.person.subject_no for name, case in scene.cases.items()}
            every[account.name] = {
                name: connection.execute(filed, {"account": account.account_no, "number": number}).scalar_one()
                for name, number in numbers.items()
            }
    try:
        for account in scene.accounts.values():
            reached = {name for name, case in scene.cases.items() if not case.is_sealed}
            if account.name != ASKER:
                reached = set(scene.seen_by(account))
            own = every[account.name]
            expected = set() if account.is_out else {own[None], *(own[name] for name in reached)}
            assert seen(scene, account, "SELECT item_id FROM case_intake") == expected, account.name
            assert refused(scene, account, "SELECT content FROM case_intake")
    finally:
        with scene.engine.begin() as connection:
            connection.execute(text("DELETE FROM case_intake"))


@pytest.mark.parametrize("table", OF_AN_ACCOUNT)
def test_each_account_is_shown_itself(scene: Scene, table: str) -> None:
    every = {account.account_no for account in scene.accounts.values() if account.roles or table == "account"}
    for account in scene.accounts.values():
        expected = every & {account.account_no}
        if account.roles & {AccountRole.SYSTEM_ADMINISTRATOR, AccountRole.SECURITY_ADMINISTRATOR}:
            expected = every
        if account.is_out:
            expected = set()
        assert seen(scene, account, f"SELECT account_no FROM {table}") == expected, account.name


def test_places_are_shown_and_every_other_table_is_closed(scene: Scene) -> None:
    with scene.engine.connect() as connection:
        closed = [*CLOSED, *(name for name, is_partition in relations(connection).items() if is_partition)]
    for account in scene.accounts.values():
        for table in OF_PLACES:
            seen(scene, account, f"SELECT ctid::text FROM {table}")
        for table, columns in CURSORS.items():
            seen(scene, account, f"SELECT {columns} FROM {table}")
    for name in ("leader of city", "audit_administrator", "no role"):
        for query in ("TABLE shard", "SELECT fence FROM shard", "SELECT lease_owner, lease_until FROM shard"):
            assert refused(scene, scene.accounts[name], query), (name, query)
        for table in closed:
            for query in (f"SELECT 1 FROM {table}", f"SELECT count(*) FROM {table}", f"TABLE {table}"):
                assert refused(scene, scene.accounts[name], query), (name, query)


def test_fixes_are_shown_to_nobody_without_a_look_and_the_audit_to_its_administrator(scene: Scene) -> None:
    for account in scene.accounts.values():
        for table in OF_ROSTERS:
            assert seen(scene, account, f"SELECT from_at FROM {table}") == set(), (account.name, table)
        for table in OF_A_LOOK:
            assert seen(scene, account, f"SELECT fixed_at FROM {table}") == set(), (account.name, table)
        for table, column in OF_THE_AUDIT.items():
            with scene.engine.connect() as connection:
                open_ones = text(f"SELECT {column} FROM {table} WHERE {OF_NOBODY_SEALED}")
                every = set(connection.execute(open_ones).scalars())
                held = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                of_sealed = set(connection.execute(text(ROWS_OF_SEALED)).scalars())
            assert 0 < len(every) < held, f"{table}: nothing of the sealed to be hidden"
            assert len(of_sealed) >= 4
            if table == "audit_entry":
                every -= of_sealed
            is_auditor = AccountRole.AUDIT_ADMINISTRATOR in account.roles
            assert seen(scene, account, f"SELECT {column} FROM {table}") == (every if is_auditor else set()), account


def test_nobody_is_shown_nothing(scene: Scene) -> None:
    for set_up in ("SELECT 1", "SET LOCAL hulan.account_id = ''", f"SET LOCAL hulan.account_id = '{UUID(int=7)}'"):
        with scene.engine.begin() as connection:
            connection.execute(text(f"SET LOCAL ROLE {APPLICATION_ROLE}"))
            connection.execute(text(set_up))
            for table in (*OF_A_CASE, *OF_AN_ASKER, *OF_AN_ACCOUNT):
                name = "account_no" if table in OF_AN_ACCOUNT else "1"
                assert connection.execute(text(f"SELECT {name} FROM {table}")).all() == [], (set_up, table)


def test_the_role_may_read_and_nothing_else(scene: Scene) -> None:
    query = (
        "SELECT c.relname, p.privilege FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',"
        " 'REFERENCES', 'TRIGGER']) AS p (privilege) WHERE relnamespace = 'public'::regnamespace AND relkind IN"
        " ('r', 'p', 'v') AND has_table_privilege(:role, c.oid, p.privilege)"
    )
    columns = (
        "SELECT c.relname, p.privilege FROM pg_class c, unnest(ARRAY['INSERT', 'UPDATE', 'REFERENCES'])"
        " AS p (privilege) WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')"
        " AND has_any_column_privilege(:role, c.oid, p.privilege)"
    )
    sequences = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'"
        " AND CASE relkind WHEN 'S' THEN has_sequence_privilege(:role, oid, 'SELECT, USAGE, UPDATE') END"
    )
    with scene.engine.connect() as connection:
        for question in (query, columns, sequences):
            found = connection.execute(text(question), {"role": APPLICATION_ROLE}).all()
            assert [row for row in found if row[0] not in NOT_OURS] == []


# ---- ways round, tried by an officer who sees one case of many


WAYS = (
    "SELECT string_agg(alias, ',') FROM subject",
    "SELECT s.*, o.*, c.* FROM subject s LEFT JOIN supervision_order o USING (subject_no) LEFT JOIN condition c"
    " USING (order_no)",
    "SELECT n.*, a.*, r.* FROM notification n FULL JOIN alert a USING (alert_id) FULL JOIN recipient r"
    " USING (recipient_id)",
    "SELECT v.*, e.* FROM violation v CROSS JOIN episode e",
    "SELECT (SELECT string_agg(document_number, ',') FROM supervision_order WHERE subject_no <> s.subject_no)"
    " FROM subject s",
    "WITH RECURSIVE t AS (SELECT * FROM alert UNION SELECT a.* FROM alert a JOIN t USING (kind)) SELECT * FROM t",
    "SELECT row_to_json(s) FROM subject s",
    "SELECT s::text, s.ctid, s.xmin, s.tableoid FROM subject s WHERE ctid = ANY (ARRAY(SELECT"
    " format('(%%s,%%s)', p, i)::tid FROM generate_series(0, 3) p, generate_series(1, 60) i))",
    "SELECT * FROM subject TABLESAMPLE SYSTEM (100)",
    "SELECT subject_no, first_value(alias) OVER (ORDER BY subject_no), lag(alias) OVER () FROM subject",
    "SELECT l.* FROM generate_series(1, 100) i, LATERAL (SELECT * FROM subject WHERE subject_no = i) l",
    "SELECT query_to_xml('SELECT * FROM subject', true, false, '')",
    "SELECT table_to_xml('supervision_order', true, false, '')",
    "SELECT * FROM pg_stats WHERE schemaname = 'public' AND tablename IN ('subject', 'zone', 'notification', 'alert')",
    "SELECT * FROM pg_stats_ext",
    "SELECT query FROM pg_stat_activity",
    "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL",
    "SELECT * FROM pg_prepared_statements",
    "SELECT max(division_no) FROM subject_jurisdiction GROUP BY CUBE (subject_no)",
    "SELECT * FROM geometry_columns",
    "EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT * FROM subject s JOIN alert a USING (subject_no)",
    "EXPLAIN (VERBOSE) SELECT * FROM subject WHERE alias > '化'",
)
"""Queries that are allowed. None may hold anything of a case that the caller may not see."""

REFUSED = (
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT last_value FROM subject_subject_no_seq",
    "COPY subject TO '/tmp/hulan-matrix.csv'",
    "COPY subject TO PROGRAM 'cat'",
    "COPY subject (subject_id, shard, alias, birth_date) FROM PROGRAM 'true'",
    "SELECT * FROM subject FOR UPDATE",
    "SELECT * FROM subject FOR KEY SHARE",
    "LOCK TABLE subject IN ACCESS SHARE MODE NOWAIT; UPDATE subject SET alias = alias",
    "INSERT INTO subject_jurisdiction SELECT 1, 1",
    "INSERT INTO case_member SELECT 1, 1, now()",
    "CREATE TABLE copy_of AS SELECT 1",
    "CREATE VIEW over_all AS SELECT * FROM subject",
    "CREATE RULE spy AS ON SELECT TO subject DO INSTEAD SELECT 1",
    "CREATE POLICY wider ON subject USING (true)",
    "ALTER TABLE subject NO FORCE ROW LEVEL SECURITY",
    "SET LOCAL row_security = off; SELECT * FROM subject",
    "SET LOCAL session_replication_role = replica",
    "SET LOCAL ROLE postgres",
    "ALTER ROLE hulan_app BYPASSRLS",
    "SELECT lo_import('/etc/passwd')",
    *(f"SELECT {name}()" for name in ("audit_rows", "audit_refuse")),
)


def test_no_query_shows_more_than_the_rows(scene: Scene) -> None:
    for name in ("police of district", "police of elsewhere", "audit_administrator"):
        account = scene.accounts[name]
        for query in WAYS:
            with as_account(scene.engine, account.account_id) as connection:
                answer = str(connection.exec_driver_sql(query).fetchall())
            assert leaked(scene, account, answer) == [], (name, query)


def test_counts_and_existence_are_those_of_ones_own_cases(scene: Scene) -> None:
    for name in ("police of district", "leader of town", "security_administrator"):
        account = scene.accounts[name]
        theirs = scene.seen_by(account)
        with as_account(scene.engine, account.account_id) as connection:
            for table in ("subject", "alert", "violation", "notification", "condition", "recipient"):
                counted = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                assert counted == len(theirs), (name, table)
            for case_name, case in scene.cases.items():
                there = connection.execute(
                    text("SELECT EXISTS (SELECT FROM subject WHERE subject_id = :id) OR EXISTS (SELECT FROM recipient"
                         " WHERE subject_no = :no) OR EXISTS (SELECT FROM alert WHERE alert_id = :alert)"),
                    {"id": case.subject_id, "no": case.person.subject_no, "alert": case.alert_id},
                ).scalar_one()  # fmt: skip
                assert there == (case_name in theirs), (name, case_name)


def test_whatever_is_not_reading_is_refused(scene: Scene) -> None:
    for name in ("police of district", "security_administrator"):
        for query in REFUSED:
            assert refused(scene, scene.accounts[name], query), (name, query)


@pytest.mark.parametrize("plan", ["", "enable_seqscan", "enable_indexscan", "enable_bitmapscan", "enable_hashjoin"])
def test_a_condition_that_fails_on_an_unseen_row_does_not_fail(scene: Scene, plan: str) -> None:
    account = scene.accounts["police of district"]
    theirs = scene.seen_by(account)
    for name, case in scene.cases.items():
        number, alias = case.person.subject_no, case.needles[Needle.ALIAS][0]
        for query in (
            f"SELECT count(*) FROM subject WHERE 1 / (subject_no - {number}) > -9",
            f"SELECT count(*) FROM subject WHERE CASE WHEN subject_no = {number} THEN alias::int > 0 ELSE true END",
            f"SELECT count(*) FROM subject s JOIN supervision_order o ON 1 / (o.subject_no - {number}) > -9",
            f"SELECT count(*) FROM alert WHERE subject_no = {number} AND 1 / (subject_no - {number}) > -9",
            f"SELECT sum(1 / (subject_no - {number})) FROM recipient",
            f"SELECT count(*) FROM subject WHERE substr(alias, 1, CASE alias WHEN '{alias}' THEN -1 ELSE 1 END) > ''",
        ):
            error = failure(scene, account, query, setting=plan)
            assert (error is not None) == (name in theirs), (name, query, error)
            assert error is None or leaked(scene, account, error) == []


def test_a_cheap_function_of_ones_own_is_told_no_unseen_row(scene: Scene) -> None:
    """The planner runs cheap conditions first, and a function may tell what it was given; policies come before both."""
    account = scene.accounts["police of district"]
    told: list[str] = []
    with as_account(scene.engine, account.account_id) as connection:
        driver_connection(connection).add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
        connection.exec_driver_sql(
            "CREATE FUNCTION pg_temp.tell(t text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS"
            " $$ BEGIN RAISE NOTICE '%%', t; RETURN true; END $$"
        )
        for table in OF_A_CASE:
            connection.exec_driver_sql(f"SELECT count(*) FROM {table} t WHERE pg_temp.tell(t::text)")
    assert len(told) >= len(OF_A_CASE), "nothing was told: this test shows nothing"
    assert leaked(scene, account, "\n".join(told)) == []


def test_copy_gives_the_rows_that_are_seen(scene: Scene) -> None:
    account = scene.accounts["police of district"]
    for what in ("subject", "(SELECT * FROM subject JOIN supervision_order USING (subject_no))", "notification"):
        with as_account(scene.engine, account.account_id) as connection:
            cursor = driver_connection(connection).cursor()
            with cursor.copy(f"COPY {what} TO STDOUT") as copy:
                lines = b"".join(bytes(block) for block in copy).decode()
        assert lines.count("\n") == len(scene.seen_by(account)), what
        assert leaked(scene, account, lines) == []
    for table in ("record_sealing", "device", "audit_entry", "look_rule"):
        assert refused(scene, account, f"COPY {table} TO STDOUT")
