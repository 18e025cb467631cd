"""Delivered or escalated, provably: channels, budgets, what providers report, replies, duty, links, an alert's history.

A notification that ends as dead or failed names what comes in its place, and the table refuses one that does not: a
message for a sealed person excepted, and what had ended before this migration.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

NOTIFICATION = """
ALTER TABLE notification
    ADD COLUMN channel text NOT NULL DEFAULT 'sms' CHECK (channel IN ('sms', 'email', 'webhook', 'voice_task')),
    ADD COLUMN language text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    ADD COLUMN variables jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(variables) = 'array'),
    ADD COLUMN step integer NOT NULL DEFAULT 0 CHECK (step >= 0),
    ADD COLUMN made_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN delivered_at timestamptz,
    ADD COLUMN phone_index bytea,
    ADD COLUMN counted_at timestamptz,
    ADD COLUMN unsure_of text,
    ADD COLUMN obstacle text,
    ADD COLUMN tell_until timestamptz,
    ADD COLUMN failover_from uuid REFERENCES notification,
    ADD COLUMN successor_id uuid REFERENCES notification,
    ADD CHECK (successor_id <> notification_id);
COMMENT ON COLUMN notification.decided_at IS 'event time of the fix that makes it worth sending: stamp 1, fixed';
COMMENT ON COLUMN notification.known_at IS 'when that fix was received: stamp 2, received';
COMMENT ON COLUMN notification.made_at IS 'when it was decided to send it: stamp 3, decided';
COMMENT ON COLUMN notification.delivered_at IS 'when the provider says it arrived: stamp 4, delivered';
COMMENT ON COLUMN notification.phone_index IS 'against whose budget it counts; set by the first claim';
COMMENT ON COLUMN notification.counted_at IS 'when a provider took it, or by when it may have: NULL counts not';
COMMENT ON COLUMN notification.unsure_of IS 'the provider that was handed it and whose answer nobody recorded';
COMMENT ON COLUMN notification.obstacle IS 'why it ended without arriving: alerts.failover.Obstacle';
COMMENT ON COLUMN notification.successor_id IS 'what came in its place';
UPDATE notification SET counted_at = sent_at WHERE sent_at IS NOT NULL;
UPDATE notification n SET phone_index = r.phone_index FROM recipient r
WHERE r.recipient_id = n.recipient_id AND n.counted_at IS NOT NULL AND r.phone_index IS NOT NULL;
UPDATE notification SET obstacle = 'before_0020' WHERE state IN ('dead', 'failed');
ALTER TABLE notification ADD CONSTRAINT notification_never_silently_gone CHECK (
    state NOT IN ('dead', 'failed') OR successor_id IS NOT NULL OR coalesce(last_error, '') = 'sealed'
    OR (obstacle IS NOT NULL AND obstacle = 'before_0020'));
ALTER TABLE notification ADD CONSTRAINT notification_delivered_when CHECK (
    state <> 'delivered' OR delivered_at IS NOT NULL) NOT VALID;
CREATE INDEX notification_budget ON notification (phone_index, counted_at) WHERE counted_at IS NOT NULL;
CREATE INDEX notification_reference ON notification (provider, provider_reference);
CREATE INDEX notification_successor ON notification (successor_id) WHERE successor_id IS NOT NULL;
CREATE INDEX notification_failover_from ON notification (failover_from) WHERE failover_from IS NOT NULL;

ALTER TABLE task
    ADD COLUMN alert_id uuid REFERENCES alert,
    ADD COLUMN recipient_id uuid REFERENCES recipient,
    ADD COLUMN reason_code text,
    ADD COLUMN reason_zh text,
    ADD COLUMN reason_en text;
CREATE INDEX task_alert ON task (alert_id) WHERE alert_id IS NOT NULL;
CREATE INDEX task_recipient ON task (recipient_id) WHERE recipient_id IS NOT NULL;
COMMENT ON COLUMN task.recipient_id IS 'whom to telephone, or whose record to put right';
"""

PEOPLE = """
ALTER TABLE recipient
    ADD COLUMN language text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    ADD COLUMN channels text[] NOT NULL DEFAULT '{sms}'
        CHECK (channels <@ ARRAY['sms', 'email', 'webhook', 'voice_task'] AND cardinality(channels) > 0),
    ADD COLUMN email bytea,
    ADD COLUMN unit text CHECK (unit <> ''),
    ADD COLUMN blocked_for text,
    ALTER COLUMN subject_no DROP NOT NULL,
    DROP CONSTRAINT recipient_role_check,
    ADD CONSTRAINT recipient_role_check
        CHECK (role IN ('guardian', 'prosecutor', 'police', 'guarantor', 'duty_officer', 'leader')),
    ADD CHECK (subject_no IS NOT NULL OR (role IN ('duty_officer', 'leader') AND unit IS NOT NULL));
CREATE INDEX recipient_unit ON recipient (unit, role) WHERE subject_no IS NULL;
COMMENT ON COLUMN recipient.channels IS 'in the order in which they are tried';
COMMENT ON COLUMN recipient.unit IS 'the office to which an officer belongs';
COMMENT ON COLUMN recipient.subject_no IS 'NULL: told by duty, of the cases of the unit';

-- One turn of duty, of the first of its people who is there.
CREATE TABLE duty_roster (
    roster_id uuid PRIMARY KEY,
    unit text NOT NULL CHECK (unit <> ''),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    recipient_ids uuid[] NOT NULL CHECK (cardinality(recipient_ids) > 0),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX duty_roster_when ON duty_roster (unit, from_at);

CREATE TABLE duty_absence (
    absence_id uuid PRIMARY KEY,
    recipient_id uuid NOT NULL REFERENCES recipient,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX duty_absence_recipient ON duty_absence (recipient_id);
"""

ALERTS = """
ALTER TABLE alert
    ADD COLUMN event text CHECK (event <> ''),
    ALTER COLUMN kind DROP NOT NULL,
    ADD COLUMN settled_at timestamptz,
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN acknowledged_by bigint REFERENCES account,
    ADD COLUMN closed_at timestamptz,
    ADD COLUMN closed_by bigint REFERENCES account,
    ADD COLUMN closed_remark text,
    ADD CHECK (event IS NOT NULL OR kind IS NOT NULL),
    ADD CHECK (acknowledged_by IS NULL OR acknowledged_at IS NOT NULL),
    ADD CHECK (closed_by IS NULL OR (state = 'closed' AND closed_at IS NOT NULL AND closed_reason IS NOT NULL));
COMMENT ON COLUMN alert.event IS 'what happened: alerts.event.EventKind; NULL before this migration: as kind says';
COMMENT ON COLUMN alert.settled_at IS 'when it was closed, or a guardian said that it is over';

CREATE TABLE alert_finding (
    alert_id uuid NOT NULL REFERENCES alert,
    finding_id uuid NOT NULL UNIQUE REFERENCES finding,
    PRIMARY KEY (alert_id, finding_id)
);

-- What became of an alert, in order; none of it is ever changed.
CREATE TABLE alert_history (
    entry_id uuid PRIMARY KEY,
    entry_no bigint GENERATED ALWAYS AS IDENTITY,
    alert_id uuid NOT NULL REFERENCES alert,
    subject_no bigint NOT NULL REFERENCES subject,
    kind text NOT NULL CHECK (kind ~ '^[a-z_]+$'),
    at timestamptz NOT NULL,
    actor_kind text NOT NULL CHECK (actor_kind IN ('machine', 'officer', 'guardian', 'guarantor')),
    actor_id uuid,
    reason_code text NOT NULL,
    reason_zh text NOT NULL,
    reason_en text NOT NULL,
    about uuid,
    remark text NOT NULL,
    CHECK ((actor_kind = 'machine') = (actor_id IS NULL))
);
CREATE INDEX alert_history_alert ON alert_history (alert_id, entry_no);
CREATE INDEX alert_history_subject ON alert_history (subject_no);
CREATE TRIGGER alert_history_append_only BEFORE UPDATE ON alert_history
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

CREATE TABLE escalation_step (
    step_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert,
    subject_no bigint NOT NULL REFERENCES subject,
    kind text NOT NULL CHECK (kind IN ('next_recipient', 'voice_task', 'duty_officer', 'leader')),
    planned_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL CHECK (due_at > planned_at),
    done_at timestamptz,
    outcome text
);
CREATE INDEX escalation_step_alert ON escalation_step (alert_id);
CREATE INDEX escalation_step_due ON escalation_step (due_at) WHERE done_at IS NULL;
CREATE INDEX escalation_step_subject ON escalation_step (subject_no);
"""

ANSWERS = """
CREATE TABLE guardian_link (
    link_id uuid PRIMARY KEY,
    alert_id uuid NOT NULL REFERENCES alert,
    notification_id uuid REFERENCES notification,
    recipient_id uuid NOT NULL REFERENCES recipient,
    subject_no bigint NOT NULL REFERENCES subject,
    token_hash bytea NOT NULL UNIQUE,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > made_at),
    opened_at timestamptz,
    open_count integer NOT NULL DEFAULT 0,
    answered_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX guardian_link_alert ON guardian_link (alert_id);
CREATE INDEX guardian_link_notification ON guardian_link (notification_id);
CREATE INDEX guardian_link_recipient ON guardian_link (recipient_id);
CREATE INDEX guardian_link_subject ON guardian_link (subject_no);
COMMENT ON COLUMN guardian_link.token_hash IS 'keyed; the token itself is in the message only';

CREATE TABLE guardian_answer (
    answer_id uuid PRIMARY KEY,
    link_id uuid NOT NULL REFERENCES guardian_link,
    alert_id uuid NOT NULL REFERENCES alert,
    subject_no bigint NOT NULL REFERENCES subject,
    answer text NOT NULL CHECK (answer IN ('taken_away', 'on_my_way', 'cannot', 'not_my_child')),
    answered_at timestamptz NOT NULL
);
CREATE INDEX guardian_answer_link ON guardian_answer (link_id);
CREATE INDEX guardian_answer_alert ON guardian_answer (alert_id);
CREATE INDEX guardian_answer_subject ON guardian_answer (subject_no);
CREATE TRIGGER guardian_answer_append_only BEFORE UPDATE ON guardian_answer
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- What a provider says became of a message. Written as it comes, by whoever hears it; applied by a worker. One whose
-- reference nobody knows (yet) stays as it is.
CREATE TABLE delivery_report (
    report_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider text NOT NULL,
    reference text NOT NULL,
    idempotency_key uuid,
    is_delivered boolean NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    is_proven boolean NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    applied_at timestamptz,
    notification_id uuid REFERENCES notification,
    subject_no bigint REFERENCES subject,
    UNIQUE NULLS NOT DISTINCT (provider, reference, idempotency_key, is_delivered, is_proven),
    CHECK (is_proven OR applied_at IS NULL),
    CHECK ((applied_at IS NULL) = (notification_id IS NULL) AND (applied_at IS NULL) = (subject_no IS NULL))
);
CREATE INDEX delivery_report_waiting ON delivery_report (provider, reference) WHERE applied_at IS NULL AND is_proven;
COMMENT ON COLUMN delivery_report.is_proven IS 'false: anyone could have sent it, and it changes nothing';
CREATE INDEX delivery_report_notification ON delivery_report (notification_id);
CREATE INDEX delivery_report_subject ON delivery_report (subject_no);

CREATE TABLE reply (
    reply_id uuid PRIMARY KEY,
    provider text NOT NULL,
    phone_index bytea,
    text bytea NOT NULL,
    key_id text NOT NULL REFERENCES personal_key,
    at timestamptz NOT NULL,
    is_proven boolean NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    applied_at timestamptz,
    notification_id uuid REFERENCES notification,
    subject_no bigint REFERENCES subject,
    CHECK ((notification_id IS NULL) = (subject_no IS NULL))
);
CREATE INDEX reply_waiting ON reply (received_at) WHERE applied_at IS NULL;
CREATE INDEX reply_notification ON reply (notification_id);
CREATE INDEX reply_subject ON reply (subject_no);
COMMENT ON COLUMN reply.notification_id IS 'the last message that this number had been sent; NULL: none';

CREATE TABLE provider_state (
    provider text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    failures integer NOT NULL CHECK (failures >= 0),
    since timestamptz,
    CHECK (state = 'closed' OR since IS NOT NULL)
);
"""

FUNCTIONS = """
-- The key to seal a reply with, held until the transaction ends: rotation waits for it.
CREATE FUNCTION reply_key_id() RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT key_id FROM personal_key WHERE is_current FOR SHARE
$$;
REVOKE ALL ON FUNCTION reply_key_id() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION reply_key_id() TO hulan_gate, hulan_worker;
"""

WITHHELD = """
CREATE OR REPLACE FUNCTION row_keys_withheld_from_audit() RETURNS TABLE (table_name text, row_key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH sealed AS (SELECT subject_no FROM withheld_from_audit() AS subject_no),
        alerts AS (SELECT alert_id FROM alert JOIN sealed USING (subject_no)),
        orders AS (SELECT order_no, order_id FROM supervision_order JOIN sealed USING (subject_no))
    SELECT 'notification', notification_id::text FROM notification JOIN alerts USING (alert_id)
    UNION ALL SELECT 'alert_violation', ARRAY[alert_id, violation_id]::text FROM alert_violation
        JOIN alerts USING (alert_id){of_0020}
    UNION ALL SELECT 'condition', condition_no::text FROM condition JOIN orders USING (order_no)
    UNION ALL SELECT 'zone', zone_no::text FROM zone JOIN orders ON source = 'condition:' || order_id
$$;
"""
OF_0020 = """
    UNION ALL SELECT 'alert_finding', ARRAY[alert_id, finding_id]::text FROM alert_finding
        JOIN alerts USING (alert_id)
    UNION ALL SELECT 'case_intake', item_id::text FROM case_intake JOIN sealed USING (subject_no)
    UNION ALL SELECT 'delivery_report', report_no::text FROM delivery_report JOIN sealed USING (subject_no)
    UNION ALL SELECT 'reply', reply_id::text FROM reply JOIN sealed USING (subject_no)"""
"""Lines of files and what providers say: the entry of the writing names no subject, the row does later."""

OF_A_SUBJECT = (
    "alert_history", "escalation_step", "guardian_link", "guardian_answer", "delivery_report", "reply",
)  # fmt: skip
OWN_TABLES = (
    "provider_state", "reply", "delivery_report", "guardian_answer", "guardian_link", "escalation_step",
    "alert_history", "alert_finding", "duty_absence", "duty_roster",
)  # fmt: skip
"""In the order in which they can be dropped."""

APP = {
    "alert_finding": "SELECT",
    "alert_history": "SELECT",
    "escalation_step": "SELECT",
    "guardian_answer": "SELECT",
    "delivery_report": "SELECT",
    "reply": "SELECT",
}

WORKER = {
    "alert": "UPDATE (state, settled_at, acknowledged_at, acknowledged_by, closed_at, closed_by, closed_reason,"
    " closed_remark)",
    "alert_finding": "SELECT, INSERT",
    "alert_history": "SELECT, INSERT",
    "delivery_report": "SELECT, INSERT (provider, reference, idempotency_key, is_delivered, at, reason,"
    " is_proven),"
    " UPDATE (applied_at, notification_id, subject_no)",
    "duty_absence": "SELECT",
    "duty_roster": "SELECT",
    "escalation_step": "SELECT, INSERT, UPDATE (done_at, outcome)",
    "guardian_answer": "SELECT",
    "guardian_link": "SELECT, INSERT",
    "notification": "UPDATE (delivered_at, phone_index, counted_at, unsure_of, obstacle, successor_id)",
    "provider_state": "SELECT, INSERT, UPDATE",
    "recipient": "SELECT (language, channels, email, unit, blocked_for, phone_index)",
    "violation": "SELECT (episode_id, subject_no, order_no, condition_no, zone_no, kind, started_at, decided_at,"
    " known_at, probability, engine_version, policy_version)",
    "reply": "SELECT (reply_id, provider, key_id, phone_index, at, is_proven, received_at, applied_at, notification_id,"
    " subject_no), INSERT (reply_id, provider, phone_index, text, key_id, at, is_proven),"
    " UPDATE (applied_at, notification_id, subject_no)",
}

GATE = {
    "delivery_report": "INSERT (provider, reference, idempotency_key, is_delivered, at, reason, is_proven)",
    "guardian_answer": "SELECT, INSERT",
    "guardian_link": "SELECT, UPDATE (opened_at, open_count, answered_at)",
    "reply": "INSERT (reply_id, provider, phone_index, text, key_id, at, is_proven)",
}
"""What providers call back with is written down by the web process, which reads and applies none of it."""

KEEPER = {
    "notification": "SELECT (phone_index), UPDATE (phone_index)",
    "recipient": "SELECT (email), UPDATE (email)",
    "reply": "SELECT (reply_id, subject_no, text, key_id), UPDATE (text, key_id, phone_index)",
}

AUDITED_TABLES = {
    "alert_finding": "", "alert_history": "", "duty_roster": "", "duty_absence": "", "guardian_link": "token_hash",
    "guardian_answer": "", "delivery_report": "", "reply": "text",
}  # fmt: skip

_SEALED = "subject_no IN (SELECT sealed_subjects())"
_OF_ALERT = "alert_id IN (SELECT alert_id FROM alert)"

REPROTECT = """
DROP TRIGGER audit_insert ON {table};
DROP TRIGGER audit_update ON {table};
DROP TRIGGER audit_delete ON {table};
CREATE TRIGGER audit_insert AFTER INSERT ON {table} REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_rows('{personal}');
CREATE TRIGGER audit_update AFTER UPDATE ON {table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_rows('{personal}');
CREATE TRIGGER audit_delete AFTER DELETE ON {table} REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION audit_rows('{personal}');
"""

PERSONAL_COLUMNS = {
    "notification": ("phone,text", "phone,text,variables"),
    "recipient": ("name,phone", "name,phone,email"),
}
"""Table → columns of which the audit kept no fingerprint, and now keeps none."""

DOWN = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM recipient WHERE subject_no IS NULL OR role NOT IN ('guardian', 'prosecutor', 'police')) THEN
        RAISE EXCEPTION 'there are guarantors or people who are told by duty: the schema before has no place for them';
    END IF;
END $$;
UPDATE alert SET kind = event WHERE kind IS NULL;
ALTER TABLE alert ALTER COLUMN kind SET NOT NULL;
DROP FUNCTION reply_key_id();
ALTER TABLE task DROP COLUMN alert_id, DROP COLUMN recipient_id, DROP COLUMN reason_code, DROP COLUMN reason_zh,
    DROP COLUMN reason_en;
ALTER TABLE notification
    DROP CONSTRAINT notification_never_silently_gone, DROP CONSTRAINT notification_delivered_when,
    DROP COLUMN channel, DROP COLUMN language, DROP COLUMN variables, DROP COLUMN step, DROP COLUMN made_at,
    DROP COLUMN delivered_at, DROP COLUMN phone_index, DROP COLUMN counted_at, DROP COLUMN unsure_of,
    DROP COLUMN obstacle, DROP COLUMN tell_until, DROP COLUMN failover_from, DROP COLUMN successor_id;
DROP INDEX notification_reference;
ALTER TABLE recipient DROP COLUMN language, DROP COLUMN channels, DROP COLUMN email, DROP COLUMN unit,
    DROP COLUMN blocked_for, ALTER COLUMN subject_no SET NOT NULL, DROP CONSTRAINT recipient_role_check,
    ADD CONSTRAINT recipient_role_check CHECK (role IN ('guardian', 'prosecutor', 'police'));
ALTER TABLE alert
    DROP COLUMN event, DROP COLUMN acknowledged_at, DROP COLUMN acknowledged_by,
    DROP COLUMN settled_at, DROP COLUMN closed_at, DROP COLUMN closed_by, DROP COLUMN closed_remark;
COMMENT ON COLUMN notification.decided_at IS NULL;
COMMENT ON COLUMN notification.known_at IS NULL;
"""

TO_PROSECUTOR = "coalesce(event, kind) NOT IN ('contact', 'no_contact') OR (SELECT current_account_has('prosecutor'))"
"""That two people met is told to the prosecutors of the case and to no other account (0018)."""

_ALERT_SHOWN = "EXISTS (SELECT FROM alert a WHERE a.alert_id = {table}.alert_id)"
_MESSAGE_SHOWN = (
    "notification_id IS NULL OR EXISTS (SELECT FROM notification n WHERE n.notification_id = {table}.notification_id)"
)
SHOWN_WITH = {
    "alert_finding": _ALERT_SHOWN,
    "alert_history": _ALERT_SHOWN,
    "alert_violation": _ALERT_SHOWN,
    "delivery_report": _MESSAGE_SHOWN,
    "escalation_step": _ALERT_SHOWN,
    "guardian_answer": _ALERT_SHOWN,
    "guardian_link": _ALERT_SHOWN,
    "notification": _ALERT_SHOWN,
    "reply": _MESSAGE_SHOWN,
    "task": f"alert_id IS NULL OR {_ALERT_SHOWN}",
}
"""Table → which of its rows hang on an alert, or on a message of one, that the account is shown."""


def upgrade() -> None:
    """Create them, closed to all but whom they serve."""
    for statements in (NOTIFICATION, PEOPLE, ALERTS, ANSWERS, FUNCTIONS):
        op.execute(statements)
    op.execute(WITHHELD.format(of_0020=OF_0020))
    for table in (*OF_A_SUBJECT, "alert_finding"):
        _bind(table)
    for role, rights in (("app", APP), ("worker", WORKER), ("gate", GATE), ("keeper", KEEPER)):
        for table, privileges in rights.items():
            op.execute(f"GRANT {privileges} ON {table} TO hulan_{role}")
    op.execute("GRANT UPDATE (email, language, channels) ON recipient TO hulan_registrar")
    for table in GATE:
        op.execute(f"CREATE POLICY every_row_for_hulan_gate ON {table} TO hulan_gate USING (true) WITH CHECK (true)")
    of_account = "subject_no IN (SELECT subjects_of_account())"
    op.execute(f"CREATE POLICY reach_of_hulan_keeper ON reply TO hulan_keeper USING ({of_account})"
               f" WITH CHECK ({of_account})")  # fmt: skip
    _restrict("alert", "contact_for_prosecutor", TO_PROSECUTOR)
    for table, shown in SHOWN_WITH.items():
        _restrict(table, "with_alert_shown", shown.format(table=table))
    for table, personal in AUDITED_TABLES.items():
        op.execute(f"SELECT audit_protect('{table}', '{personal}')")
    for table, (_, personal) in PERSONAL_COLUMNS.items():
        op.execute(REPROTECT.format(table=table, personal=personal))


def _restrict(table: str, name: str, shown: str) -> None:
    op.execute(f"CREATE POLICY {name} ON {table} AS RESTRICTIVE FOR ALL TO hulan_app USING ({shown})")


def _bind(table: str) -> None:
    """Row-level security: officers see what their cases' rows are, the worker all, the shredder the sealed."""
    is_of_alert = table == "alert_finding"
    seen = _OF_ALERT if is_of_alert else "subject_no IN (SELECT visible_subjects())"
    shredded = _OF_ALERT if is_of_alert else _SEALED
    named = "alert_id" if is_of_alert else "subject_no"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    if table in APP:
        op.execute(f"CREATE POLICY seen_by_account ON {table} FOR SELECT TO hulan_app USING ({seen})")
    if not is_of_alert:
        op.execute(
            f"CREATE POLICY not_sealed ON {table} AS RESTRICTIVE FOR ALL TO hulan_app"
            " USING (subject_no IN (SELECT reachable_subjects()))"
        )
    op.execute(f"CREATE POLICY every_row_for_hulan_worker ON {table} TO hulan_worker USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT ({named}), DELETE ON {table} TO hulan_shredder")
    op.execute(
        f"CREATE POLICY reach_of_hulan_shredder ON {table} TO hulan_shredder USING ({shredded}) WITH CHECK ({shredded})"
    )


def downgrade() -> None:
    """Drop them with all that is in them. What ended as failed was not known before: it is dead."""
    op.execute(WITHHELD.format(of_0020=""))
    for table, (personal, _) in PERSONAL_COLUMNS.items():
        op.execute(REPROTECT.format(table=table, personal=personal))
    op.execute(
        "UPDATE notification SET state = 'dead', last_error = coalesce(last_error, 'not a text message'),"
        " successor_id = NULL, obstacle = 'before_0020' WHERE channel <> 'sms'"
    )
    op.execute("DROP POLICY contact_for_prosecutor ON alert")
    for table in SHOWN_WITH:
        op.execute(f"DROP POLICY with_alert_shown ON {table}")
    op.execute("REVOKE SELECT ON violation FROM hulan_worker")
    op.execute("GRANT SELECT (violation_id) ON violation TO hulan_worker")
    op.execute("REVOKE UPDATE (state, closed_reason) ON alert FROM hulan_worker")
    op.execute("REVOKE SELECT (phone_index) ON recipient FROM hulan_worker")
    op.execute(DOWN)
    for table in OWN_TABLES:
        op.execute(f"DROP TABLE {table}")
