"""Sealed records: a person who is sealed is not there for the application's role, for look-ups and for messages.

``open_subject`` is everyone who is not sealed: what the program shows or looks up as the tables' owner, it reads from
there. For the application's role a restrictive policy stands beside every policy that a table has or will get.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

COLUMNS = """
ALTER TABLE subject
    ADD COLUMN address bytea,
    ADD COLUMN sealed_at timestamptz,
    ADD COLUMN sealing_ground text,
    ADD CHECK (key_id IS NOT NULL OR address IS NULL),
    ADD CHECK ((sealed_at IS NULL) = (sealing_ground IS NULL));
CREATE INDEX subject_sealed ON subject (subject_no) WHERE sealed_at IS NOT NULL;
COMMENT ON COLUMN subject.sealed_at IS 'set for good; an unsealing opens the record to two people for a while';

ALTER TABLE personal_key ADD COLUMN subject_no bigint REFERENCES subject;
COMMENT ON COLUMN personal_key.subject_no IS 'whose key it is: of one sealed person, and destroyed with the record';
ALTER TABLE personal_key ADD CHECK (subject_no IS NULL OR NOT is_current);

ALTER TABLE alert ADD COLUMN closed_reason text;
"""

# Nobody is found by number any more who is sealed. What was cleared stays cleared.
INDEXES = """
ALTER TABLE subject DROP CONSTRAINT subject_check1;
ALTER TABLE subject ADD CONSTRAINT subject_id_number_is_found CHECK (
    CASE WHEN sealed_at IS NULL THEN (id_number IS NULL) = (id_number_index IS NULL) ELSE id_number_index IS NULL END);
ALTER TABLE recipient ALTER COLUMN phone_index DROP NOT NULL;
DROP TRIGGER recipient_keeps_number ON recipient;
CREATE TRIGGER recipient_keeps_number BEFORE UPDATE ON recipient FOR EACH ROW
    WHEN (new.phone_index IS DISTINCT FROM old.phone_index AND new.phone_index IS NOT NULL)
    EXECUTE FUNCTION refuse_other_number();
"""

TABLES = """
CREATE TABLE record_sealing (
    sealing_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    action text NOT NULL CHECK (action IN ('sealed', 'unsealed', 'shredded')),
    ground text NOT NULL,
    ground_text text NOT NULL,
    document_number text NOT NULL CHECK (document_number <> ''),
    by_account_no bigint REFERENCES account,
    second_account_no bigint REFERENCES account CHECK (second_account_no <> by_account_no),
    at timestamptz NOT NULL,
    keep_until timestamptz,
    unsealed_until timestamptz,
    key_id text,
    CHECK (by_account_no IS NOT NULL OR action = 'shredded'),
    CHECK ((action = 'sealed') = (keep_until IS NOT NULL)),
    CHECK ((action = 'unsealed') = (unsealed_until IS NOT NULL)),
    CHECK (action <> 'unsealed' OR second_account_no IS NOT NULL)
);
CREATE UNIQUE INDEX record_sealing_once ON record_sealing (subject_no, action) WHERE action <> 'unsealed';
CREATE TRIGGER record_sealing_append_only BEFORE UPDATE OR DELETE ON record_sealing
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TABLE unsealing_request (
    request_id uuid PRIMARY KEY,
    subject_id uuid NOT NULL,
    subject_no bigint REFERENCES subject,
    ground text NOT NULL,
    ground_text text NOT NULL,
    document_number text NOT NULL CHECK (document_number <> ''),
    asked_by bigint NOT NULL REFERENCES account,
    asked_at timestamptz NOT NULL,
    decided_by bigint REFERENCES account CHECK (decided_by <> asked_by),
    decided_at timestamptz,
    is_approved boolean,
    unsealed_until timestamptz,
    CHECK ((decided_by IS NULL) = (decided_at IS NULL) AND (decided_by IS NULL) = (is_approved IS NULL)),
    CHECK ((unsealed_until IS NOT NULL) = coalesce(is_approved, false)),
    CHECK (unsealed_until IS NULL OR subject_no IS NOT NULL)
);
CREATE INDEX unsealing_request_open ON unsealing_request (subject_no) WHERE is_approved;
COMMENT ON COLUMN unsealing_request.subject_no IS 'null: there was no such sealed record, which the asker is not told';
ALTER TABLE record_sealing ENABLE ROW LEVEL SECURITY;
ALTER TABLE unsealing_request ENABLE ROW LEVEL SECURITY;
SELECT audit_protect('record_sealing', '');
SELECT audit_protect('unsealing_request', '');
"""

VIEW = """
CREATE VIEW open_subject AS
SELECT subject_no, subject_id, shard, alias, birth_date FROM subject WHERE sealed_at IS NULL;
"""

# The clock is asked with every statement: an unsealing that has run out is over, whether a job ran or not.
HIDDEN = """
CREATE FUNCTION hidden_subjects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT s.subject_no FROM subject s WHERE s.sealed_at IS NOT NULL AND NOT EXISTS (
        SELECT FROM unsealing_request u WHERE u.subject_no = s.subject_no AND u.is_approved
            AND u.unsealed_until > clock_timestamp() AND current_account_no() IN (u.asked_by, u.decided_by))
$$;
REVOKE ALL ON FUNCTION hidden_subjects() FROM PUBLIC;

-- What both functions were goes on under other names; policies know a function by its number, so that it stays.
DO $$ BEGIN
    EXECUTE replace(pg_get_functiondef('subjects_of_jurisdiction()'::regprocedure), 'subjects_of_jurisdiction()',
                    'subjects_of_divisions()');
    EXECUTE replace(replace(pg_get_functiondef('visible_subjects()'::regprocedure), 'visible_subjects()',
                            'subjects_of_account()'), 'subjects_of_jurisdiction()', 'subjects_of_divisions()');
END $$;
REVOKE ALL ON FUNCTION subjects_of_account(), subjects_of_divisions() FROM PUBLIC;
CREATE OR REPLACE FUNCTION subjects_of_jurisdiction() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT subject_no FROM subjects_of_divisions() AS subject_no EXCEPT SELECT hidden_subjects()
$$;
CREATE OR REPLACE FUNCTION visible_subjects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT subject_no FROM subjects_of_account() AS subject_no EXCEPT SELECT hidden_subjects()
$$;

-- Policies need functions that their reader may call. Neither of these tells an officer who is sealed: the first only
-- whose rows the caller is shown anyway, the second the audit administrator alone whose entries are withheld.
CREATE FUNCTION reachable_subjects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    (SELECT visible_subjects() UNION SELECT subject_no FROM look WHERE account_no = (SELECT current_account_no()))
    EXCEPT SELECT hidden_subjects()
$$;
CREATE FUNCTION withheld_from_audit() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT subject_no FROM hidden_subjects() AS subject_no WHERE (SELECT current_account_has('audit_administrator'))
$$;

-- Entries of rows that name their subject by another row: the keys as migration 0006 writes them.
CREATE FUNCTION row_keys_withheld_from_audit() RETURNS TABLE (table_name text, row_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH sealed AS (SELECT subject_no FROM withheld_from_audit() AS subject_no),
        alerts AS (SELECT alert_id FROM alert JOIN sealed USING (subject_no)),
        orders AS (SELECT order_no, order_id FROM supervision_order JOIN sealed USING (subject_no))
    SELECT 'notification', notification_id::text FROM notification JOIN alerts USING (alert_id)
    UNION ALL SELECT 'alert_violation', ARRAY[alert_id, violation_id]::text FROM alert_violation
        JOIN alerts USING (alert_id)
    UNION ALL SELECT 'condition', condition_no::text FROM condition JOIN orders USING (order_no)
    UNION ALL SELECT 'zone', zone_no::text FROM zone JOIN orders ON source = 'condition:' || order_id
$$;
REVOKE ALL ON FUNCTION reachable_subjects(), withheld_from_audit(), row_keys_withheld_from_audit() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reachable_subjects(), withheld_from_audit(), row_keys_withheld_from_audit() TO hulan_app;
"""

WITHOUT_HIDDEN = (
    ("open_looks()", "ends_at > now()", "ends_at > now() AND subject_no NOT IN (SELECT hidden_subjects())"),
    (
        "people_of_looks(uuid[])",
        "l.look_id = ANY (wanted)",
        "l.look_id = ANY (wanted) AND l.subject_no NOT IN (SELECT hidden_subjects())",
    ),
    (
        "review_notice(uuid, text)",
        "reviewed_at IS NULL AND",
        "reviewed_at IS NULL AND subject_no NOT IN (SELECT hidden_subjects()) AND",
    ),
)
"""Functions with the owner's rights, which no policy holds back → what of them was, and what it is now."""

# Whatever a table's own policy says, and whatever another one will: these are joined by AND.
RESTRICTED = """
DO $$ DECLARE bound regclass; BEGIN
    FOR bound IN
        SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relrowsecurity AND a.attname = 'subject_no' AND NOT a.attisdropped
    LOOP
        EXECUTE format('CREATE POLICY not_sealed ON %s AS RESTRICTIVE FOR ALL TO hulan_app'
                       ' USING (subject_no IS NULL OR subject_no IN (SELECT reachable_subjects())'
                       ' OR ((SELECT current_account_has(''audit_administrator''))'
                       ' AND subject_no NOT IN (SELECT withheld_from_audit())))', bound);
    END LOOP;
END $$;
CREATE POLICY no_row_of_sealed ON audit_entry AS RESTRICTIVE FOR ALL TO hulan_app
    USING (subject_no IS NOT NULL OR table_name IS NULL
           OR (table_name, row_key) NOT IN (SELECT table_name, row_key FROM row_keys_withheld_from_audit()));
"""

# What was found in fixes of before is recorded, and nobody is told, whoever writes the row.
SILENCED = """
CREATE FUNCTION close_alert_of_sealed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM subject WHERE subject_no = new.subject_no AND sealed_at IS NOT NULL) THEN
        new.state := 'closed';
        new.closed_reason := 'sealed';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER alert_of_sealed BEFORE INSERT OR UPDATE ON alert FOR EACH ROW
    WHEN (new.state <> 'closed') EXECUTE FUNCTION close_alert_of_sealed();

CREATE FUNCTION stop_notification_of_sealed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM alert JOIN subject USING (subject_no)
               WHERE alert_id = new.alert_id AND sealed_at IS NOT NULL) THEN
        new.state := 'dead';
        new.last_error := 'sealed';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER notification_of_sealed BEFORE INSERT OR UPDATE ON notification FOR EACH ROW
    WHEN (new.state = 'pending') EXECUTE FUNCTION stop_notification_of_sealed();
"""

# Sealing reaches many tables, and so does destroying: each has a role of its own, which a process takes for that one
# transaction. The first reaches only the cases of the account that seals, the second only the sealed.
ROLES = """
DO $$ DECLARE wanted record; BEGIN
    FOR wanted IN SELECT * FROM (VALUES ('hulan_keeper', 'hulan_gate'), ('hulan_shredder', 'hulan_worker'))
        AS w (name, taken_by)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOINHERIT',
                               wanted.name);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'let the administrator of the server run: CREATE ROLE % NOLOGIN NOINHERIT;'
                        ' GRANT % TO %, %', wanted.name, wanted.name, wanted.taken_by, current_user;
            END;
        END IF;
        IF NOT pg_has_role(wanted.taken_by::name, wanted.name::name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', wanted.name, wanted.taken_by);
        END IF;
        IF NOT pg_has_role(current_user, wanted.name::name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', wanted.name, current_user);
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION sealed_subjects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT subject_no FROM subject WHERE sealed_at IS NOT NULL
$$;
REVOKE ALL ON FUNCTION sealed_subjects(), close_alert_of_sealed(), stop_notification_of_sealed() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sealed_subjects() TO hulan_shredder;
GRANT EXECUTE ON FUNCTION current_account_no(), current_account_has(text), subjects_of_account() TO hulan_keeper;
GRANT EXECUTE ON FUNCTION audit_note(text, bigint, text) TO hulan_keeper, hulan_shredder;
GRANT USAGE ON SCHEMA public TO hulan_keeper, hulan_shredder;
GRANT SELECT (subject_no, shard) ON open_subject TO hulan_gate;
GRANT SELECT (sealed_at) ON subject TO hulan_gate;
GRANT SELECT ON open_subject TO hulan_worker;
"""

KEEPER = {
    "alert": "SELECT (alert_id, subject_no, state), UPDATE (state, closed_reason)",
    "device": "SELECT (subject_no, revoked_at), UPDATE (revoked_at)",
    "notification": "SELECT (alert_id, state), UPDATE (state, last_error)",
    "personal_key": "SELECT, INSERT, UPDATE (is_current)",
    "recipient": "SELECT (recipient_id, subject_no, name, phone, key_id),"
    " UPDATE (name, phone, key_id, phone_index, is_blocked)",
    "record_sealing": "SELECT, INSERT",
    "reevaluation": "INSERT",
    "rule_version": "SELECT, UPDATE",
    "shard": "SELECT (shard, fence), UPDATE (fence)",
    "subject": "SELECT (subject_no, subject_id, shard, name, id_number, address, key_id, sealed_at),"
    " UPDATE (name, id_number, address, key_id, id_number_index, sealed_at, sealing_ground)",
    "supervision_order": "SELECT (subject_no, order_id, superseded_at, valid_to), UPDATE (superseded_at)",
    "unsealing_request": "SELECT, INSERT, UPDATE (decided_by, decided_at, is_approved, unsealed_until)",
}

SHREDDER = {
    "alert": "SELECT (alert_id, subject_no), DELETE",
    "alert_violation": "SELECT (alert_id), DELETE",
    "condition": "SELECT (order_no, zone_id), DELETE",
    "device": "SELECT (subject_no), DELETE",
    "engine_layout": "SELECT, INSERT, UPDATE (layout)",
    "engine_state": "SELECT, INSERT, DELETE",
    "episode": "SELECT (subject_no), DELETE",
    "export_run": "SELECT (subject_no, alert_id), UPDATE (alert_id)",
    "fix": "SELECT (subject_no), DELETE",
    "fix_flag": "SELECT (subject_no), DELETE",
    "fix_set_aside": "SELECT (subject_no), DELETE",
    "look": "SELECT (subject_no), UPDATE (purpose)",
    "notice": "SELECT (subject_no, remark), UPDATE (remark)",
    "notification": "SELECT (alert_id), DELETE",
    "personal_key": "SELECT (subject_no), DELETE",
    "recipient": "SELECT (subject_no), DELETE",
    "record_sealing": "SELECT, INSERT",
    "reevaluation": "SELECT (subject_no), DELETE",
    "rule_version": "SELECT, UPDATE",
    "shard": "SELECT, UPDATE (fence, lease_owner, lease_until)",
    "subject": "SELECT (subject_no, shard), UPDATE (alias, birth_date, name, id_number, address, key_id)",
    "supervision_order": "SELECT (order_no, order_id, subject_no), DELETE",
    "unsealing_request": "SELECT (subject_no, unsealed_until)",
    "violation": "SELECT (subject_no), DELETE",
    "zone": "SELECT (source, zone_id), DELETE",
}

_OF_ACCOUNT = "subject_no IN (SELECT subjects_of_account())"
_SEALED = "subject_no IN (SELECT sealed_subjects())"
_OF_ALERT = "alert_id IN (SELECT alert_id FROM alert)"

REACH = {
    "hulan_keeper": {
        "alert": _OF_ACCOUNT, "device": _OF_ACCOUNT, "notification": _OF_ALERT, "recipient": _OF_ACCOUNT,
        "record_sealing": _OF_ACCOUNT, "subject": _OF_ACCOUNT, "supervision_order": _OF_ACCOUNT,
        "unsealing_request": f"asked_by = current_account_no() OR {_OF_ACCOUNT}",
    },
    "hulan_shredder": {
        "alert": _SEALED, "alert_violation": _OF_ALERT, "device": _SEALED, "episode": _SEALED,
        "export_run": _SEALED, "fix": _SEALED, "fix_flag": _SEALED, "fix_set_aside": _SEALED, "look": _SEALED,
        "notice": _SEALED, "notification": _OF_ALERT, "recipient": _SEALED,
        "record_sealing": _SEALED, "subject": _SEALED, "unsealing_request": _SEALED, "violation": _SEALED,
        "zone": "source LIKE 'condition:%'",
    },
}  # fmt: skip
"""Role → table under row-level security → the rows it reaches."""

DOWN = """
DROP POLICY read_by_shredder ON supervision_order;
DROP POLICY shredded ON supervision_order;
DROP POLICY read_by_shredder ON condition;
DROP POLICY shredded ON condition;
DO $$ DECLARE bound text; BEGIN
    IF EXISTS (SELECT FROM subject WHERE sealed_at IS NOT NULL) THEN
        RAISE EXCEPTION 'there are sealed records, which the schema before would show again';
    END IF;
    FOR bound IN SELECT format('%I', tablename) FROM pg_policies WHERE policyname = 'not_sealed' LOOP
        EXECUTE format('DROP POLICY not_sealed ON %s', bound);
    END LOOP;
    EXECUTE replace(pg_get_functiondef('subjects_of_divisions()'::regprocedure), 'subjects_of_divisions()',
                    'subjects_of_jurisdiction()');
    EXECUTE replace(replace(pg_get_functiondef('subjects_of_account()'::regprocedure), 'subjects_of_account()',
                            'visible_subjects()'), 'subjects_of_divisions()', 'subjects_of_jurisdiction()');
END $$;
DROP FUNCTION subjects_of_account();
DROP FUNCTION subjects_of_divisions();
DROP POLICY no_row_of_sealed ON audit_entry;
DROP FUNCTION row_keys_withheld_from_audit();
DROP FUNCTION reachable_subjects();
DROP FUNCTION withheld_from_audit();
DROP FUNCTION hidden_subjects();
DROP FUNCTION sealed_subjects();
DROP TRIGGER alert_of_sealed ON alert;
DROP TRIGGER notification_of_sealed ON notification;
DROP FUNCTION close_alert_of_sealed();
DROP FUNCTION stop_notification_of_sealed();
DROP VIEW open_subject;
DROP TABLE record_sealing, unsealing_request;
REVOKE SELECT (sealed_at) ON subject FROM hulan_gate;
REVOKE EXECUTE ON FUNCTION current_account_no(), current_account_has(text) FROM hulan_keeper;
REVOKE EXECUTE ON FUNCTION audit_note(text, bigint, text) FROM hulan_keeper, hulan_shredder;
REVOKE USAGE ON SCHEMA public FROM hulan_keeper, hulan_shredder;
ALTER TABLE alert DROP COLUMN closed_reason;
ALTER TABLE personal_key DROP COLUMN subject_no;
ALTER TABLE recipient ALTER COLUMN phone_index SET NOT NULL;
DROP TRIGGER recipient_keeps_number ON recipient;
CREATE TRIGGER recipient_keeps_number BEFORE UPDATE ON recipient FOR EACH ROW
    WHEN (old.phone_index <> new.phone_index) EXECUTE FUNCTION refuse_other_number();
ALTER TABLE subject DROP CONSTRAINT subject_id_number_is_found;
ALTER TABLE subject ADD CONSTRAINT subject_check1 CHECK ((id_number IS NULL) = (id_number_index IS NULL));
ALTER TABLE subject DROP COLUMN address, DROP COLUMN sealed_at, DROP COLUMN sealing_ground;
"""


def upgrade() -> None:
    """Nobody is sealed yet."""
    for statements in (COLUMNS, INDEXES, TABLES, VIEW, HIDDEN, RESTRICTED, SILENCED):
        op.execute(statements)
    for function, before, now in WITHOUT_HIDDEN:
        _change_function(function, before, now)
    op.execute(ROLES)
    for role, rights in (("hulan_keeper", KEEPER), ("hulan_shredder", SHREDDER)):
        for table, privileges in rights.items():
            op.execute(f"GRANT {privileges} ON {table} TO {role}")
        for table, rows in REACH[role].items():
            op.execute(f"CREATE POLICY reach_of_{role} ON {table} TO {role} USING ({rows}) WITH CHECK ({rows})")
    op.execute("CREATE POLICY read_by_shredder ON supervision_order FOR SELECT TO hulan_shredder USING (true)")
    op.execute(f"CREATE POLICY shredded ON supervision_order FOR DELETE TO hulan_shredder USING ({_SEALED})")
    op.execute("CREATE POLICY read_by_shredder ON condition FOR SELECT TO hulan_shredder USING (true)")
    op.execute(
        "CREATE POLICY shredded ON condition FOR DELETE TO hulan_shredder USING"
        f" (order_no IN (SELECT order_no FROM supervision_order WHERE {_SEALED}))"
    )


def downgrade() -> None:
    """Refused while somebody is sealed. Addresses have no older place: they are lost."""
    for role, rights in (("hulan_keeper", KEEPER), ("hulan_shredder", SHREDDER)):
        for table in REACH[role]:
            op.execute(f"DROP POLICY reach_of_{role} ON {table}")
        for table in rights:
            op.execute(f"REVOKE ALL ON {table} FROM {role}")
    for function, before, now in WITHOUT_HIDDEN:
        _change_function(function, now, before)
    op.execute(DOWN)


def _change_function(function: str, before: str, now: str) -> None:
    query = f"SELECT pg_get_functiondef('{function}'::regprocedure)"
    definition = str(op.get_bind().exec_driver_sql(query).scalar_one())
    if definition.count(before) != 1:
        raise RuntimeError(f"{function} is not what migration 0009 made it")
    op.get_bind().exec_driver_sql(definition.replace(before, now))
