"""Accounts, roles, sessions, tokens; divisions, case teams; and who may see which rows, for the application's role.

Role ``hulan_app`` owns nothing and does not bypass row-level security; tables not granted to it here are closed to it.
The owner of the tables migrates, takes fixes in and evaluates them.
"""

from alembic import op

revision = "0007"
down_revision = "0006"

ROLES = """
-- A server's administrator may have made it already, and given it to us: then no right to make roles is needed.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hulan_app') THEN
        CREATE ROLE hulan_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$ BEGIN
    GRANT hulan_app TO CURRENT_USER;
EXCEPTION WHEN insufficient_privilege THEN
    IF NOT pg_has_role(CURRENT_USER, 'hulan_app', 'MEMBER') THEN
        RAISE EXCEPTION 'let the administrator of the server run: GRANT hulan_app TO %', CURRENT_USER;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO hulan_app;
"""

ACCOUNTS = """
CREATE TABLE division (
    division_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name text NOT NULL,
    parent_no bigint REFERENCES division CHECK (parent_no <> division_no)
);
CREATE INDEX division_parent ON division (parent_no);

-- One row is one person: the staff number is unique, so that nobody holds two accounts.
CREATE TABLE account (
    account_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id uuid NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('officer', 'administrator')),
    login_name text NOT NULL UNIQUE CHECK (login_name <> ''),
    staff_number text NOT NULL UNIQUE CHECK (staff_number <> ''),
    display_name text NOT NULL,
    division_no bigint REFERENCES division,
    password_hash text NOT NULL,
    password_expires_at timestamptz,
    totp_secret bytea,
    totp_confirmed_at timestamptz,
    totp_last_step bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    disabled_at timestamptz,
    UNIQUE (account_no, kind)
);
COMMENT ON COLUMN account.password_expires_at IS 'set: the password is a first one, to be changed before that time';

-- The kind is part of the key: an administrator cannot be an officer, and has one of the three roles only.
CREATE TABLE account_role (
    account_no bigint NOT NULL,
    role text NOT NULL,
    kind text NOT NULL,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (account_no, role),
    FOREIGN KEY (account_no, kind) REFERENCES account (account_no, kind),
    CHECK ((kind = 'officer' AND role IN ('prosecutor', 'police', 'supervisor', 'leader'))
        OR (kind = 'administrator'
            AND role IN ('system_administrator', 'security_administrator', 'audit_administrator')))
);
CREATE UNIQUE INDEX account_role_one_administrator ON account_role (account_no) WHERE kind = 'administrator';

CREATE TABLE account_session (
    session_hash bytea PRIMARY KEY,
    account_no bigint NOT NULL REFERENCES account,
    is_full boolean NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX account_session_account ON account_session (account_no);

CREATE TABLE api_token (
    token_id uuid PRIMARY KEY,
    account_no bigint NOT NULL REFERENCES account,
    label text NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX api_token_account ON api_token (account_no);

-- Keyed by a hash of the name typed or of the address: names that do not exist are counted like those that do.
CREATE TABLE login_failure (
    kind text NOT NULL CHECK (kind IN ('account', 'address')),
    key_hash bytea NOT NULL,
    failures integer NOT NULL CHECK (failures >= 0),
    last_at timestamptz NOT NULL,
    blocked_until timestamptz,
    PRIMARY KEY (kind, key_hash)
);
"""

CASES = """
CREATE TABLE subject_jurisdiction (
    subject_no bigint PRIMARY KEY REFERENCES subject,
    division_no bigint NOT NULL REFERENCES division
);
CREATE INDEX subject_jurisdiction_division ON subject_jurisdiction (division_no);

CREATE TABLE case_member (
    subject_no bigint NOT NULL REFERENCES subject,
    account_no bigint NOT NULL REFERENCES account,
    joined_at timestamptz NOT NULL,
    left_at timestamptz CHECK (left_at >= joined_at),
    PRIMARY KEY (subject_no, account_no, joined_at)
);
CREATE INDEX case_member_account ON case_member (account_no);
"""

# The owner's rights, a fixed search path, and no argument: the caller chooses nothing but the account it acts for.
FUNCTIONS = """
CREATE FUNCTION current_account_no() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT account_no FROM account
    WHERE account_id = nullif(current_setting('hulan.account_id', true), '')::uuid
        AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > now())
$$;
CREATE FUNCTION current_account_has(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM account_role WHERE account_no = current_account_no() AND role = wanted)
$$;
-- An officer sees the cases of a division at or below the officer's own: a leader all, the others those of their team.
CREATE FUNCTION visible_subjects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE me AS (
        SELECT account_no, division_no FROM account WHERE account_no = current_account_no() AND kind = 'officer'
    ), below AS (
        SELECT division_no FROM me WHERE division_no IS NOT NULL
        UNION SELECT d.division_no FROM division d JOIN below b ON d.parent_no = b.division_no
    )
    SELECT j.subject_no FROM subject_jurisdiction j JOIN below USING (division_no)
    WHERE current_account_has('leader') OR (
        EXISTS (SELECT FROM account_role r JOIN me USING (account_no))
        AND EXISTS (
            SELECT FROM case_member c JOIN me USING (account_no)
            WHERE c.subject_no = j.subject_no AND c.left_at IS NULL AND c.joined_at <= now()))
$$;
REVOKE ALL ON FUNCTION current_account_no(), current_account_has(text), visible_subjects() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION current_account_no(), current_account_has(text), visible_subjects() TO hulan_app;
"""

OF_A_CASE = "subject_no IN (SELECT visible_subjects())"
OWN = "account_no = current_account_no()"
OWN_OR_KEPT = f"{OWN} OR current_account_has('security_administrator') OR current_account_has('system_administrator')"

VISIBLE = {
    "subject": OF_A_CASE,
    "recipient": OF_A_CASE,
    "supervision_order": OF_A_CASE,
    "condition": "order_no IN (SELECT order_no FROM supervision_order)",
    "episode": OF_A_CASE,
    "violation": OF_A_CASE,
    "alert": OF_A_CASE,
    "alert_violation": "alert_id IN (SELECT alert_id FROM alert)",
    "notification": "alert_id IN (SELECT alert_id FROM alert)",
    "subject_jurisdiction": OF_A_CASE,
    "case_member": OF_A_CASE,
    "account": OWN_OR_KEPT,
    "account_role": OWN_OR_KEPT,
}
"""Table → which of its rows the application's role reads. A condition on another of these tables is bound by it too."""

CLOSED = ("fix", "device", "account_session", "api_token", "login_failure")
"""Row-level security without a policy: nothing, even if someone grants the table by mistake."""

READABLE_COLUMNS = {
    "account": "account_no, account_id, kind, login_name, staff_number, display_name, division_no, created_at,"
    " expires_at, disabled_at, totp_confirmed_at"
}
"""Not the password's hash, not the second factor's secret."""

OPEN = ("division", "venue", "site", "venue_incident")
"""About places, not about people of a case: read by whoever has an account."""

OWN_TABLES = (
    "case_member", "subject_jurisdiction", "login_failure", "api_token", "account_session", "account_role", "account",
    "division",
)  # fmt: skip


def upgrade() -> None:
    """Create the tables, the application's role, and what it may see."""
    for statements in (ROLES, ACCOUNTS, CASES, FUNCTIONS):
        op.execute(statements)
    for table, condition in VISIBLE.items():
        columns = f" ({READABLE_COLUMNS[table]})" if table in READABLE_COLUMNS else ""
        op.execute(f"GRANT SELECT{columns} ON {table} TO hulan_app")
        op.execute(f"CREATE POLICY seen_by_account ON {table} FOR SELECT TO hulan_app USING ({condition})")
    for table in (*VISIBLE, *CLOSED):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for table in OPEN:
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")


def downgrade() -> None:
    """Remove them again. The role stays: it belongs to the server and not to one database."""
    for table in VISIBLE:
        op.execute(f"DROP POLICY seen_by_account ON {table}")
        op.execute(f"REVOKE ALL ON {table} FROM hulan_app")
    for table in (*VISIBLE, *CLOSED):
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in OPEN:
        op.execute(f"REVOKE ALL ON {table} FROM hulan_app")
    op.execute("DROP FUNCTION visible_subjects()")
    op.execute("DROP FUNCTION current_account_has(text)")
    op.execute("DROP FUNCTION current_account_no()")
    for table in OWN_TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("REVOKE USAGE ON SCHEMA public FROM hulan_app")
