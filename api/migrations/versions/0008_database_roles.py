"""The web process and the worker get logins of their own, which own nothing and see what their work needs (ADR 0017).

Rights are given to roles (``hulan_gate``, ``hulan_worker``), logins are members of one. ``hulan_gate`` does not inherit
``hulan_app``: a login of it sees rows of a case only after ``SET ROLE hulan_app``, and then those of its account.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

ROLES = """
DO $$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['hulan_gate', 'hulan_worker'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT', role);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'let the administrator of the server run: CREATE ROLE % NOLOGIN NOINHERIT', role;
        END;
    END LOOP;
    IF NOT pg_has_role('hulan_gate', 'hulan_app', 'MEMBER') THEN
        BEGIN
            GRANT hulan_app TO hulan_gate;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION 'let the administrator of the server run: GRANT hulan_app TO hulan_gate';
        END;
    END IF;
    IF pg_has_role('hulan_gate', 'hulan_app', 'USAGE') THEN
        RAISE EXCEPTION 'hulan_gate inherits hulan_app: ALTER ROLE hulan_gate NOINHERIT, and on PostgreSQL 16 or newer'
            ' GRANT hulan_app TO hulan_gate WITH INHERIT FALSE, SET TRUE';
    END IF;
END $$;
"""

# Without a password nobody gets in with one. Where we may not make logins, the administrator names others.
LOGINS = """
DO $$
DECLARE
    login record;
BEGIN
    FOR login IN SELECT * FROM (VALUES ('hulan_web', 'hulan_gate'), ('hulan_service', 'hulan_worker')) AS l (name, role)
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login.name) THEN
                EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', login.name);
            END IF;
            IF NOT pg_has_role(login.name::name, login.role::name, 'MEMBER') THEN
                EXECUTE format('GRANT %I TO %I', login.role, login.name);
            END IF;
        EXCEPTION WHEN insufficient_privilege OR duplicate_object OR unique_violation THEN
            RAISE NOTICE 'login % is left to the administrator of the server', login.name;
        END;
        BEGIN
            -- Whoever owns the database must be able to end its sessions.
            IF NOT pg_has_role(current_user, login.name::name, 'USAGE') THEN
                EXECUTE format('GRANT %I TO %I', login.name, current_user);
            END IF;
        EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
            RAISE NOTICE 'sessions of % are ended by the administrator of the server', login.name;
        END;
    END LOOP;
END $$;
"""

# The owner's rights, a fixed search path, and arguments that cannot name anything but a week of the log.
WEEKS = """
-- ATTACH lets readers and writers of the log go on; CREATE TABLE ... PARTITION OF would lock them out.
CREATE FUNCTION make_fix_week(week timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC'
SET lock_timeout = '10s' AS $$
DECLARE
    name text := 'fix_' || to_char(week, 'YYYYMMDD');
BEGIN
    IF week <> date_trunc('week', week) THEN
        RAISE EXCEPTION 'a week begins on Monday 00:00 UTC, not at %', week;
    END IF;
    PERFORM pg_advisory_xact_lock(1213549655);  -- HULW: two processes that miss the same week make it once
    IF to_regclass('public.' || name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE public.%I (LIKE public.fix INCLUDING DEFAULTS INCLUDING STORAGE)', name);
    EXECUTE format('ALTER TABLE public.fix ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                   name, week, week + interval '7 days');
    RETURN true;
END $$;

CREATE FUNCTION drop_fix_week(name text, days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    week timestamptz;
    stored bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_inherits JOIN pg_class ON oid = inhrelid
                   WHERE inhparent = 'public.fix'::regclass AND relname = name) THEN
        RAISE EXCEPTION '% is no week of the log', name;
    END IF;
    week := to_timestamp(right(name, 8), 'YYYYMMDD');
    -- The engine still reads what is younger, whatever it is asked to keep.
    IF days < 14 OR week + interval '7 days' > now() - interval '14 days' THEN
        RAISE EXCEPTION '% stays: fixes are kept 14 days or more', name;
    END IF;
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', name);
    EXECUTE format('SELECT count(*) FROM public.%I', name) INTO stored;
    EXECUTE format('ALTER TABLE public.fix DETACH PARTITION public.%I', name);
    EXECUTE format('DROP TABLE public.%I', name);
    INSERT INTO retention_run (partition_name, from_at, to_at, fix_count, keep_days)
    VALUES (name, week, week + interval '7 days', stored, days)
    ON CONFLICT (partition_name) DO UPDATE SET dropped_at = now(),
        fix_count = retention_run.fix_count + excluded.fix_count, keep_days = excluded.keep_days;
    RETURN stored;
END $$;
"""

GATE = {
    "account": "SELECT (account_no, account_id, login_name, password_hash, password_expires_at, totp_secret,"
    " totp_confirmed_at, totp_last_step, expires_at, disabled_at), UPDATE (password_hash, password_expires_at,"
    " totp_secret, totp_confirmed_at, totp_last_step, disabled_at)",
    "account_role": "SELECT (account_no, role)",
    "account_session": "SELECT, INSERT, UPDATE (seen_at, revoked_at)",
    "alembic_version": "SELECT",
    "api_token": "SELECT, INSERT, UPDATE (revoked_at)",
    "case_member": "SELECT (account_no, joined_at, left_at), UPDATE (left_at)",
    "device": "SELECT (device_id, subject_no, token_hash, revoked_at)",
    "fix": "INSERT (subject_no, fixed_at, fix_key, shard, received_at, sent_at, longitude, latitude, accuracy_m,"
    " is_accuracy_assumed, raw_longitude, raw_latitude, datum, source, speed_mps, altitude_m, battery_percent, is_mock,"
    " device_id, flags, cell)",
    "fix_written": "INSERT (oldest, newest)",
    "login_failure": "SELECT, INSERT, UPDATE (failures, last_at, blocked_until), DELETE",
    "order_in_force": "SELECT (subject_no, in_force_from, in_force_to)",
    "shard": "SELECT (lease_until)",
    "subject": "SELECT (subject_no, shard)",
}
"""What the web process does before it knows for whom: devices, log-ins, sessions, tokens, and the log of fixes."""

WORKER = {
    "alembic_version": "SELECT",
    "alert": "SELECT, INSERT, UPDATE (last_event_at, is_late)",
    "alert_violation": "SELECT, INSERT",
    "condition": "SELECT",
    "engine_layout": "SELECT, INSERT, UPDATE (layout)",
    "engine_state": "SELECT, INSERT, DELETE",
    "episode": "SELECT, INSERT, UPDATE",
    "fix": "SELECT",
    "fix_flag": "SELECT, INSERT, UPDATE (flags), DELETE",
    "fix_set_aside": "SELECT, INSERT",
    "fix_written": "SELECT, DELETE",
    "notification": "SELECT, INSERT,"
    " UPDATE (state, attempt, due_at, sent_at, provider, provider_reference, last_error)",
    "order_in_force": "SELECT",
    "personal_key": "SELECT",
    "recipient": "SELECT (recipient_id, subject_no, role, phone, key_id, rank, is_blocked)",
    "reevaluation": "SELECT, INSERT, DELETE",
    "retention_run": "SELECT",
    "rule_version": "SELECT",
    "shard": "SELECT, UPDATE (seen, target, after_xid, after_seq, lease_owner, lease_until, fence)",
    "subject": "SELECT (subject_no, subject_id, shard, alias, birth_date, key_id)",
    "supervision_order": "SELECT",
    "violation": "SELECT (violation_id), INSERT",
    "worker": "SELECT, INSERT, UPDATE, DELETE",
    "zone": "SELECT",
    "zone_in_force": "SELECT",
}
"""Evaluation, delivery, retention. No name, no ID number, no account; no rule is changed and no finding deleted."""

EVERY_ROW = {
    "hulan_gate": ("account", "account_role", "account_session", "api_token", "device", "login_failure", "subject"),
    "hulan_worker": (
        "alert", "alert_violation", "condition", "episode", "fix", "notification", "recipient", "subject",
        "supervision_order", "violation",
    ),
}  # fmt: skip
"""Tables under row-level security of which the grants alone say what the role may do."""

SOME_ROWS = """
CREATE POLICY fixes_come_in ON fix FOR INSERT TO hulan_gate WITH CHECK (true);
-- Disabling an account takes it off its teams; nothing puts anybody on one.
CREATE POLICY members_are_found ON case_member FOR SELECT TO hulan_gate USING (true);
CREATE POLICY members_leave ON case_member FOR UPDATE TO hulan_gate USING (left_at IS NULL)
    WITH CHECK (left_at IS NOT NULL);
"""

FUNCTIONS = """
REVOKE ALL ON FUNCTION make_fix_week(timestamptz), drop_fix_week(text, integer), audit_note(text, bigint, text),
    audit_heads(), audit_last_checkpoint(), audit_save_checkpoint(audit_checkpoint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_fix_week(timestamptz), audit_note(text, bigint, text) TO hulan_gate, hulan_worker;
GRANT EXECUTE ON FUNCTION audit_note(text, bigint, text) TO hulan_app;
GRANT EXECUTE ON FUNCTION drop_fix_week(text, integer), audit_heads(), audit_last_checkpoint(),
    audit_save_checkpoint(audit_checkpoint) TO hulan_worker;
GRANT USAGE ON SEQUENCE fix_seq TO hulan_gate;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO hulan_gate, hulan_worker;
"""

DOWN = """
DROP POLICY fixes_come_in ON fix;
DROP POLICY members_are_found ON case_member;
DROP POLICY members_leave ON case_member;
DROP FUNCTION make_fix_week(timestamptz);
DROP FUNCTION drop_fix_week(text, integer);
REVOKE ALL ON FUNCTION audit_note(text, bigint, text), audit_heads(), audit_last_checkpoint(),
    audit_save_checkpoint(audit_checkpoint) FROM hulan_app, hulan_gate, hulan_worker;
GRANT EXECUTE ON FUNCTION audit_note(text, bigint, text), audit_heads(), audit_last_checkpoint(),
    audit_save_checkpoint(audit_checkpoint) TO PUBLIC;
REVOKE ALL ON SEQUENCE fix_seq FROM hulan_gate;
REVOKE USAGE ON SCHEMA public FROM hulan_gate, hulan_worker;
"""


def upgrade() -> None:
    """Make the roles and logins, and give each role what its work needs."""
    for statements in (ROLES, LOGINS, WEEKS):
        op.execute(statements)
    for role, rights in (("hulan_gate", GATE), ("hulan_worker", WORKER)):
        for table, privileges in rights.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
        for table in EVERY_ROW[role]:
            op.execute(f"CREATE POLICY every_row_for_{role} ON {table} TO {role} USING (true) WITH CHECK (true)")
    op.execute(SOME_ROWS)
    op.execute(FUNCTIONS)


def downgrade() -> None:
    """Take the rights away. The roles stay: they belong to the server and not to one database."""
    op.execute(DOWN)
    for role, rights in (("hulan_gate", GATE), ("hulan_worker", WORKER)):
        for table in EVERY_ROW[role]:
            op.execute(f"DROP POLICY every_row_for_{role} ON {table}")
        for table in rights:
            op.execute(f"REVOKE ALL ON {table} FROM {role}")
