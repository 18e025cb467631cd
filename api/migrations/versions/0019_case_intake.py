"""Cases that officers enter over the web: filed sealed, registered by a worker under a role of its own.

The web process writes no order: a function with the owner's rights files for the account that asks, which then reads
its own rows. The worker takes ``hulan_registrar`` for the transaction that registers one case; that role reaches the
cases that the asking account may see, and a person nobody knew through ``admit_case``.
"""

from alembic import op

revision = "0019"
down_revision = "0018"

TABLE = """
CREATE TABLE case_intake (
    item_id uuid PRIMARY KEY,
    intake_id uuid NOT NULL,
    line integer NOT NULL CHECK (line > 0),
    account_no bigint NOT NULL REFERENCES account,
    division_no bigint NOT NULL REFERENCES division,
    asked_at timestamptz NOT NULL,
    content bytea,
    result bytea NOT NULL,
    token bytea,
    key_id text NOT NULL REFERENCES personal_key,
    subject_no bigint REFERENCES subject,
    done_at timestamptz,
    CHECK ((content IS NULL) = (done_at IS NOT NULL)),
    CHECK (token IS NULL OR (done_at IS NOT NULL AND subject_no IS NOT NULL))
);
CREATE INDEX case_intake_file ON case_intake (intake_id, line);
CREATE INDEX case_intake_waiting ON case_intake (asked_at, line) WHERE done_at IS NULL;
CREATE INDEX case_intake_account ON case_intake (account_no);
CREATE INDEX case_intake_subject ON case_intake (subject_no);
CREATE INDEX case_intake_done ON case_intake (done_at);
COMMENT ON COLUMN case_intake.intake_id IS 'the file; a row is one case of it';
COMMENT ON COLUMN case_intake.division_no IS 'of the account when it asked: whose case it becomes if nobody knew it';
COMMENT ON COLUMN case_intake.content IS 'sealed; erased when the case is registered or rejected';
COMMENT ON COLUMN case_intake.token IS 'of a new device, sealed; erased when the account fetched it';
ALTER TABLE case_intake ENABLE ROW LEVEL SECURITY;
SELECT audit_protect('case_intake', 'content,result,token');
"""

ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hulan_registrar') THEN
        BEGIN
            CREATE ROLE hulan_registrar NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'let the administrator of the server run: CREATE ROLE hulan_registrar NOLOGIN'
                    ' NOINHERIT; GRANT hulan_registrar TO hulan_worker, %', current_user;
        END;
    END IF;
    IF NOT pg_has_role('hulan_worker', 'hulan_registrar', 'MEMBER') THEN
        GRANT hulan_registrar TO hulan_worker;
    END IF;
    IF NOT pg_has_role(current_user, 'hulan_registrar', 'MEMBER') THEN
        EXECUTE format('GRANT hulan_registrar TO %I', current_user);
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO hulan_registrar;
"""

FUNCTIONS = """
-- The key to seal with where nothing was sealed yet: the first case of an office may come over the web.
CREATE FUNCTION start_sealing(wanted text, kind text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF account_decides() AND NOT EXISTS (SELECT FROM personal_key) THEN
        INSERT INTO personal_key (key_id, cipher, is_current) VALUES (wanted, kind, true) ON CONFLICT DO NOTHING;
    END IF;
    RETURN sealing_key_id();
END $$;

-- What has no content was rejected at the door and is kept with its reasons. 0: the caller may not enter cases.
CREATE FUNCTION file_cases(wanted uuid, items jsonb) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH filed AS (
        INSERT INTO case_intake (item_id, intake_id, line, account_no, division_no, asked_at, content, result, key_id,
            done_at)
        SELECT i.item_id, wanted, i.line, a.account_no, a.division_no, now(), i.content, i.result, i.key_id,
            CASE WHEN i.content IS NULL THEN now() END
        FROM jsonb_populate_recordset(NULL::case_intake, items) i
        JOIN account a ON a.account_no = current_account_no() AND a.division_no IS NOT NULL
        WHERE account_decides() AND NOT EXISTS (SELECT FROM case_intake WHERE intake_id = wanted)
        RETURNING 1)
    SELECT count(*) FROM filed
$$;

-- Each token once, to the account that asked and still may see the case.
CREATE FUNCTION take_case_tokens(wanted uuid) RETURNS TABLE (item_id uuid, result bytea, token bytea, key_id text)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH held AS (
        SELECT i.item_id, i.result, i.token, i.key_id FROM case_intake i
        WHERE i.intake_id = wanted AND i.account_no = current_account_no() AND i.token IS NOT NULL
            AND i.subject_no IN (SELECT visible_subjects())
        FOR UPDATE
    ), taken AS (
        UPDATE case_intake i SET token = NULL FROM held WHERE i.item_id = held.item_id)
    SELECT * FROM held
$$;

-- The number of a person whom nobody knew, who becomes a case of the asking account; or of one that it may see.
-- NULL: neither, whatever the reason.
CREATE FUNCTION admit_case(item uuid, wanted uuid, of_shard integer, called text, born date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked case_intake;
    number bigint;
BEGIN
    SELECT * INTO asked FROM case_intake
    WHERE item_id = item AND done_at IS NULL AND account_no = current_account_no() AND account_decides();
    IF asked.item_id IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO subject (subject_id, shard, alias, birth_date) VALUES (wanted, of_shard, called, born)
    ON CONFLICT (subject_id) DO NOTHING RETURNING subject_no INTO number;
    IF number IS NOT NULL THEN
        INSERT INTO subject_jurisdiction (subject_no, division_no) VALUES (number, asked.division_no);
        INSERT INTO case_member (subject_no, account_no, joined_at) VALUES (number, asked.account_no, now());
        RETURN number;
    END IF;
    SELECT s.subject_no INTO number FROM subject s
    WHERE s.subject_id = wanted AND s.subject_no IN (SELECT visible_subjects());
    RETURN number;
END $$;
"""

CALLERS = {
    "start_sealing": ("text, text", "hulan_app"),
    "file_cases": ("uuid, jsonb", "hulan_app"),
    "take_case_tokens": ("uuid", "hulan_app"),
    "admit_case": ("uuid, uuid, integer, text, date", "hulan_registrar"),
}
"""Function → its arguments, and who may call it."""

REGISTRAR = {
    "account": "SELECT (account_no, account_id)",
    "calendar_year": "SELECT",
    "case_intake": "SELECT, UPDATE (content, result, token, key_id, subject_no, done_at), DELETE",
    "condition": "SELECT, INSERT",
    "device": "SELECT (subject_no, revoked_at), INSERT (device_id, subject_no, token_hash)",
    # A row of keys is held FOR SHARE while it seals, for which PostgreSQL asks a right to change one column.
    "personal_key": "SELECT, UPDATE (used_from)",
    "recipient": "SELECT, INSERT, UPDATE (role, name, phone, phone_index, key_id, rank, is_blocked)",
    "reevaluation": "INSERT",
    "rule_version": "SELECT, UPDATE (version)",
    "shard": "SELECT (shard)",
    "subject": "SELECT, UPDATE (alias, birth_date, name, id_number, id_number_index, address, key_id)",
    "supervision_order": "SELECT, INSERT, UPDATE (superseded_at)",
    "zone": "SELECT, INSERT, UPDATE (name, superseded_at)",
}
"""What registering one case does (``api.cases.register_case``), and nothing else."""

_OF_ACCOUNT = "subject_no IN (SELECT visible_subjects())"
_OF_ORDER = "order_no IN (SELECT order_no FROM supervision_order)"
_OF_CONDITION = "origin = 'condition' AND source LIKE 'condition:%'"

REACH = {
    "account": ("account_no IN (SELECT account_no FROM case_intake)", "false"),
    "case_intake": ("true", "true"),
    "condition": (_OF_ORDER, _OF_ORDER),
    "device": (_OF_ACCOUNT, _OF_ACCOUNT),
    "recipient": (_OF_ACCOUNT, _OF_ACCOUNT),
    "subject": (_OF_ACCOUNT, _OF_ACCOUNT),
    "supervision_order": (_OF_ACCOUNT, _OF_ACCOUNT),
}
"""Table → the rows it reaches, and those it may write."""

SOME_ROWS = f"""
CREATE POLICY read_by_registrar ON zone FOR SELECT TO hulan_registrar USING (true);
CREATE POLICY changed_by_registrar ON zone FOR UPDATE TO hulan_registrar USING ({_OF_CONDITION});
CREATE POLICY drawn_by_registrar ON zone FOR INSERT TO hulan_registrar WITH CHECK ({_OF_CONDITION});

GRANT EXECUTE ON FUNCTION visible_subjects() TO hulan_registrar;

GRANT SELECT (item_id, intake_id, line, account_no, asked_at, result, token, key_id, subject_no, done_at)
    ON case_intake TO hulan_app;
CREATE POLICY seen_by_asker ON case_intake FOR SELECT TO hulan_app
    USING (account_no = (SELECT current_account_no()));
CREATE POLICY not_sealed ON case_intake AS RESTRICTIVE FOR ALL TO hulan_app
    USING (subject_no IS NULL OR subject_no IN (SELECT reachable_subjects()));

-- A worker asks at its start for every key that rows are sealed with.
GRANT SELECT (key_id) ON case_intake TO hulan_worker;
CREATE POLICY every_row_for_hulan_worker ON case_intake FOR SELECT TO hulan_worker USING (true);

GRANT SELECT (item_id, subject_no, key_id, content, result, token), UPDATE (key_id, content, result, token)
    ON case_intake TO hulan_keeper;
CREATE POLICY reach_of_hulan_keeper ON case_intake TO hulan_keeper
    USING (subject_no IN (SELECT subjects_of_account())) WITH CHECK (subject_no IN (SELECT subjects_of_account()));

GRANT SELECT (subject_no), DELETE ON case_intake TO hulan_shredder;
CREATE POLICY reach_of_hulan_shredder ON case_intake TO hulan_shredder
    USING (subject_no IN (SELECT sealed_subjects())) WITH CHECK (subject_no IN (SELECT sealed_subjects()));
"""

DOWN = """
DROP POLICY read_by_registrar ON zone;
DROP POLICY changed_by_registrar ON zone;
DROP POLICY drawn_by_registrar ON zone;
REVOKE EXECUTE ON FUNCTION visible_subjects() FROM hulan_registrar;
"""


def upgrade() -> None:
    """Nothing is filed yet."""
    for statements in (TABLE, ROLE, FUNCTIONS):
        op.execute(statements)
    for name, (arguments, role) in CALLERS.items():
        op.execute(f"REVOKE ALL ON FUNCTION {name}({arguments}) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name}({arguments}) TO {role}")
    for table, privileges in REGISTRAR.items():
        op.execute(f"GRANT {privileges} ON {table} TO hulan_registrar")
    op.execute(SOME_ROWS)
    for table, (reached, written) in REACH.items():
        op.execute(
            f"CREATE POLICY reach_of_hulan_registrar ON {table} TO hulan_registrar USING ({reached})"
            f" WITH CHECK ({written})"
        )


def downgrade() -> None:
    """What waits is lost: whoever goes down lets a worker finish first. The role stays, it belongs to the server."""
    op.execute(DOWN)
    for table in REACH:
        op.execute(f"DROP POLICY reach_of_hulan_registrar ON {table}")
    for name, (arguments, _) in CALLERS.items():
        op.execute(f"DROP FUNCTION {name}({arguments})")
    op.execute("DROP TABLE case_intake")
    for table in REGISTRAR:
        if table != "case_intake":
            op.execute(f"REVOKE ALL ON {table} FROM hulan_registrar")
    op.execute("REVOKE USAGE ON SCHEMA public FROM hulan_registrar")
