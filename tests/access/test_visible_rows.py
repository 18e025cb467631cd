"""Who sees which rows, asked of PostgreSQL with the application's role; and the same over HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from api.access.accounts import (
    AccountDraft,
    AccountError,
    add_division,
    create_account,
    disable_account,
    join_case,
    leave_case,
    set_jurisdiction,
)
from api.access.caller import APPLICATION_ROLE, as_account
from api.access.roles import ADMINISTRATORS, AccountRole
from tests.access.people import Browser, Official, a_browser, an_official, another
from tests.api.live_server import NOW
from tests.make import EVENING, KEYRING, Person, a_bar, a_person
from tests.order_rows import add_order_work

CITY, DISTRICT, OTHER = "320300", "320303", "370600"

PERSONAL = (
    "subject", "recipient", "supervision_order", "condition", "episode", "violation", "alert", "alert_violation",
    "notification", "subject_jurisdiction", "case_member", "leave", "leave_approval", "exemption", "finding",
    "check_in", "task", "decision", "alert_finding", "alert_history", "delivery_report", "escalation_step",
    "guardian_answer", "reply",
)  # fmt: skip
"""Tables of which the application's role sees the rows of a case."""

UNDER_A_LOOK = ("fix", "fix_flag", "fix_set_aside")
"""Rows of a case and a span that the account has an open look at: test_looks.py."""

THROUGH_OTHERS = {"zone_in_force", "order_in_force", "shard"}
"""Views with the rights of whoever asks, and how far the log was read: no data of anybody."""

OPEN = {
    "division", "venue", "site", "venue_incident", "calendar_year", "venue_source_record", "venue_link", "venue_review",
    "venue_door", "venue_observation",
    "site_gate", "distance_rule", "distance_run",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """Two cases in a district of a city, one in another city; officers of each place and role."""

    cases: dict[str, Person]
    officials: dict[str, Official]


SEES = {
    "member of a": {"a"},
    "member of a and b": {"a", "b"},
    "leader of the city": {"a", "b"},
    "leader of the district": {"a", "b"},
    "leader elsewhere": {"c"},
    "officer on no team": set(),
    "supervisor on the team of a case elsewhere": set(),
    "left the team": set(),
    "disabled leader": set(),
    "expired leader": set(),
    "system": set(),
    "security": set(),
    "audit": set(),
}
"""Officer → the cases that the officer may see."""


@pytest.fixture
def office(engine: Engine) -> Office:
    with engine.begin() as connection:
        return an_office(connection)


def an_office(connection: Connection) -> Office:
    for code, parent in ((CITY, None), (DISTRICT, CITY), (OTHER, None)):
        add_division(connection, code=code, name=f"合成{code}", parent_code=parent)
    a_bar(connection)
    cases = {name: a_person(connection, alias=f"合成{name}") for name in "abc"}
    for name, person in cases.items():
        set_jurisdiction(connection, person.subject_no, OTHER if name == "c" else DISTRICT)
        findings_of(connection, person.subject_no)

    def made(name: str, role: AccountRole, division: str = DISTRICT) -> Official:
        return an_official(connection, name, role, division=division)

    officials = {
        "member of a": made("o1", AccountRole.PROSECUTOR),
        "member of a and b": made("o2", AccountRole.POLICE, CITY),
        "leader of the city": made("o3", AccountRole.LEADER, CITY),
        "leader of the district": made("o4", AccountRole.LEADER),
        "leader elsewhere": made("o5", AccountRole.LEADER, OTHER),
        "officer on no team": made("o6", AccountRole.PROSECUTOR),
        "supervisor on the team of a case elsewhere": made("o7", AccountRole.SUPERVISOR),
        "left the team": made("o8", AccountRole.POLICE),
        "disabled leader": made("o9", AccountRole.LEADER, CITY),
        "expired leader": made("o10", AccountRole.LEADER, CITY),
        "system": made("s1", AccountRole.SYSTEM_ADMINISTRATOR),
        "security": made("s2", AccountRole.SECURITY_ADMINISTRATOR),
        "audit": made("s3", AccountRole.AUDIT_ADMINISTRATOR),
    }
    teams = {
        "a": ("member of a", "member of a and b", "left the team"),
        "b": ("member of a and b",),
        "c": ("supervisor on the team of a case elsewhere",),
    }
    for case, names in teams.items():
        for name in names:
            join_case(connection, cases[case].subject_no, officials[name].account_no, now=EVENING)
    for person in cases.values():
        add_order_work(connection, person.subject_no, account_no=officials["member of a"].account_no, keyring=KEYRING)
    leave_case(connection, cases["a"].subject_no, officials["left the team"].account_no, now=NOW)
    disable_account(connection, officials["disabled leader"].account_no, now=NOW)
    connection.execute(text("UPDATE account SET expires_at = :now WHERE login_name = 'o10'"), {"now": NOW})
    for name in ("system", "security", "audit"):  # even by mistake
        join_case(connection, cases["a"].subject_no, officials[name].account_no, now=EVENING)
    return Office(cases=cases, officials=officials)


def findings_of(connection: Connection, subject_no: int) -> None:
    """An episode, a violation, an alert and a notification of a subject, keyed by its number."""
    key = UUID(int=subject_no)
    values = {"no": subject_no, "key": key, "at": EVENING}
    of_order = "FROM condition c JOIN supervision_order o USING (order_no), zone z WHERE o.subject_no = :no LIMIT 1"
    for statement in (
        "INSERT INTO episode (episode_id, subject_no, condition_no, zone_no, tier, started_at, last_inside_at,"
        " possible_at, peak_probability, fix_count, is_entry, is_undecidable, is_crossing)"
        f" SELECT :key, :no, condition_no, zone_no, 'probable', :at, :at, :at, 1, 1, true, false, false {of_order}",
        "INSERT INTO violation (violation_id, episode_id, subject_no, order_no, condition_no, zone_no, kind,"
        " started_at, decided_at, known_at, probability, engine_version, policy_version)"
        f" SELECT :key, :key, :no, o.order_no, condition_no, zone_no, 'entry', :at, :at, :at, 1, 'e', 'p' {of_order}",
        "INSERT INTO alert VALUES (:key, :no, 'entry', 'open', :at, :at, false)",
        "INSERT INTO alert_violation VALUES (:key, :key)",
        "INSERT INTO notification (notification_id, alert_id, recipient_id, role, template, text, decided_at,"
        " known_at) SELECT :key, :key, recipient_id, role, 't', 't', :at, :at FROM recipient"
        " WHERE subject_no = :no",
    ):
        connection.execute(text(statement), values)


def counts(connection: Connection) -> dict[str, int]:
    return {table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in PERSONAL}


def seen_cases(connection: Connection, office: Office) -> set[str]:
    numbers = set(connection.execute(text("SELECT subject_no FROM subject")).scalars())
    return {name for name, person in office.cases.items() if person.subject_no in numbers}


# ---- rows


def test_the_database_shows_each_account_its_cases_and_nothing_else(engine: Engine, office: Office) -> None:
    team_sizes = {"a": 6, "b": 1, "c": 1}
    for who, cases in SEES.items():
        with as_account(engine, office.officials[who].account_id) as connection:
            assert seen_cases(connection, office) == cases, who
            found = counts(connection)
        for table, count in found.items():
            expected = sum(team_sizes[case] if table == "case_member" else 1 for case in cases)
            assert count == expected, (who, table, count)


def test_there_is_something_to_see(engine: Engine, office: Office) -> None:
    with engine.connect() as connection:
        assert min(counts(connection).values()) >= 3


def test_without_an_account_and_with_an_unknown_one_nothing_is_seen(engine: Engine, office: Office) -> None:
    with as_account(engine, UUID(int=7)) as connection:
        assert set(counts(connection).values()) == {0}
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL ROLE {APPLICATION_ROLE}"))
        assert set(counts(connection).values()) == {0}
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL ROLE {APPLICATION_ROLE}"))
        connection.execute(text("SET LOCAL hulan.account_id = ''"))
        assert set(counts(connection).values()) == {0}


def test_the_account_is_forgotten_with_the_transaction(engine: Engine, office: Office) -> None:
    with as_account(engine, office.officials["leader of the city"].account_id) as connection:
        process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() == process
        assert connection.exec_driver_sql("SELECT current_setting('hulan.account_id', true)").scalar_one() == ""
        assert connection.exec_driver_sql("SELECT current_user = session_user").scalar_one()


# ---- the application's role


def test_the_applications_role_owns_nothing_and_bypasses_nothing(engine: Engine) -> None:
    with engine.connect() as connection:
        role = connection.execute(
            text("SELECT * FROM pg_roles WHERE rolname = :role"), {"role": APPLICATION_ROLE}
        ).one()
        owned = connection.execute(text("SELECT count(*) FROM pg_class WHERE relowner = :oid"), {"oid": role.oid})
        assert owned.scalar_one() == 0
    assert not (role.rolsuper or role.rolbypassrls or role.rolcreaterole or role.rolcreatedb or role.rolcanlogin)


def test_every_table_open_to_the_applications_role_is_bound_or_is_about_places(engine: Engine) -> None:
    query = """
        SELECT c.relname, c.relrowsecurity FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
            AND has_any_column_privilege(:role, c.oid, 'SELECT')
            AND c.relname NOT IN ('spatial_ref_sys', 'geometry_columns', 'geography_columns')
    """
    with engine.connect() as connection:
        found = {row.relname: row.relrowsecurity for row in connection.execute(text(query), {"role": APPLICATION_ROLE})}
    assert {table for table, is_bound in found.items() if not is_bound} == {*OPEN, *THROUGH_OTHERS}
    bound = {*PERSONAL, *UNDER_A_LOOK, "zone", "account", "account_role", "look", "notice", "audit_entry", "export_run",
             "case_intake", "duty_roster", "duty_absence", "lead", "lead_event", "distance_finding",
             "measurement_archive"}  # fmt: skip
    assert set(found) == bound | {*OPEN, *THROUGH_OTHERS}


def test_a_closed_table_is_closed(engine: Engine, office: Office) -> None:
    leader = office.officials["leader of the city"].account_id
    for table in (
        "device",
        "account_session",
        "api_token",
        "login_failure",
        "link_guess",
        "callback_nonce",
        "export_limit",
        "look_rule",
        "account_identity",
        "oidc_state",
    ):
        with pytest.raises(DBAPIError, match="permission denied"), as_account(engine, leader) as connection:
            connection.execute(text(f"SELECT 1 FROM {table}"))


WIDENING = (
    "UPDATE account_role SET role = 'leader'",
    "DELETE FROM case_member",
    "INSERT INTO case_member SELECT subject_no, 1, now() FROM subject",
    "ALTER TABLE subject DISABLE ROW LEVEL SECURITY",
    "DROP POLICY seen_by_account ON subject",
    "SET LOCAL row_security = off; SELECT * FROM subject",
    "SELECT password_hash FROM account",
    "SELECT totp_secret FROM account",
)


def test_the_applications_role_cannot_widen_its_view(engine: Engine, office: Office) -> None:
    member = office.officials["member of a"].account_id
    for statement in WIDENING:
        with pytest.raises(DBAPIError), as_account(engine, member) as connection:
            connection.exec_driver_sql(statement)


def test_an_officer_sees_only_their_own_account(engine: Engine, office: Office) -> None:
    with as_account(engine, office.officials["leader of the city"].account_id) as connection:
        assert connection.execute(text("SELECT login_name FROM account")).scalars().all() == ["o3"]
    with as_account(engine, office.officials["security"].account_id) as connection:
        assert connection.execute(text("SELECT count(*) FROM account")).scalar_one() == len(SEES)
    with as_account(engine, office.officials["audit"].account_id) as connection:
        assert connection.execute(text("SELECT login_name FROM account")).scalars().all() == ["s3"]


# ---- roles


@pytest.mark.parametrize(
    "roles",
    [
        {AccountRole.SYSTEM_ADMINISTRATOR, AccountRole.AUDIT_ADMINISTRATOR},
        {AccountRole.SECURITY_ADMINISTRATOR, AccountRole.PROSECUTOR},
        set(ADMINISTRATORS),
        set(),
    ],
)
def test_no_person_holds_two_administrator_roles_or_one_and_a_case(engine: Engine, roles: set[AccountRole]) -> None:
    draft = AccountDraft(login_name="x", staff_number="X-1", display_name="合成", roles=frozenset(roles))
    with pytest.raises(AccountError), engine.begin() as connection:
        create_account(connection, draft, now=NOW)


@pytest.mark.parametrize("staff_number", ["S-an", "s-AN ", "Ｓ-ａｎ"])
def test_no_person_has_two_accounts(engine: Engine, staff_number: str) -> None:
    with engine.begin() as connection:
        an_official(connection, "an", AccountRole.SECURITY_ADMINISTRATOR)
    roles = frozenset({AccountRole.AUDIT_ADMINISTRATOR})
    draft = AccountDraft(login_name="an2", staff_number=staff_number, display_name="合成", roles=roles)
    with pytest.raises(AccountError, match="一人只能有一个账号"), engine.begin() as connection:
        create_account(connection, draft, now=NOW)


@pytest.mark.parametrize("role", ["system_administrator", "audit_administrator", "prosecutor", "leader"])
def test_the_database_itself_refuses_a_second_role(engine: Engine, role: str) -> None:
    with engine.begin() as connection:
        official = an_official(connection, "an", AccountRole.SECURITY_ADMINISTRATOR)
    for kind in ("administrator", "officer"):
        with pytest.raises(DBAPIError), engine.begin() as connection:
            connection.execute(
                text("INSERT INTO account_role VALUES (:no, :role, :kind, now())"),
                {"no": official.account_no, "role": role, "kind": kind},
            )


# ---- over HTTP


@pytest.fixture
def browser(database_url: str) -> Iterator[Browser]:
    with a_browser(database_url) as browser:
        yield browser


def test_another_case_is_not_there(browser: Browser, office: Office) -> None:
    for who in ("member of a", "leader of the district", "leader elsewhere", "officer on no team", "audit"):
        caller = another(browser)
        caller.log_in(office.officials[who])
        check_cases_over_http(caller, office, who)


def check_cases_over_http(browser: Browser, office: Office, who: str) -> None:
    """One official asks for every case and for one that does not exist."""
    missing = browser.ask("GET", f"/subjects/{UUID(int=5)}")
    for name, person in office.cases.items():
        answer = browser.ask("GET", f"/subjects/{person.subject_id}")
        if who in {"system", "security", "audit"}:
            assert (answer.status_code, answer.json()) == (missing.status_code, missing.json()), "existence is told"
            assert answer.status_code == 403
        elif name in SEES[who]:
            assert (answer.status_code, answer.json()["open_alert_count"]) == (200, 1)
        else:
            assert (answer.status_code, answer.content) == (404, missing.content)
    listed = browser.ask("GET", "/subjects").json().get("subjects", [])
    assert {name for name, person in office.cases.items() if str(person.subject_id) in listed} == SEES[who]


def test_every_account_route_is_closed_to_the_wrong_roles(browser: Browser, office: Office) -> None:
    officer, audit = browser, another(browser)
    officer.log_in(office.officials["leader of the city"])
    audit.log_in(office.officials["audit"])
    target = office.officials["member of a"].account_id
    for caller in (officer, audit):
        assert caller.ask("GET", "/accounts").json()["code"] == "not_allowed"
        for act in ("unlock", "disable"):
            assert caller.ask("POST", f"/accounts/{target}/{act}").json()["code"] == "not_allowed"
    assert another(browser, "198.51.100.9").ask("GET", "/accounts").status_code == 401
    keeper = another(browser, "198.51.100.10")
    keeper.log_in(office.officials["security"])
    listed = keeper.ask("GET", "/accounts")
    assert len(listed.json()["accounts"]) == len(SEES)
    assert "argon2" not in listed.text
    assert keeper.ask("POST", f"/accounts/{target}/disable").status_code == 204
    assert keeper.ask("POST", f"/accounts/{UUID(int=9)}/disable").status_code == 404
