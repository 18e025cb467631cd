"""The guardian's page: a link is opened and answered through two functions only; wrong codes and nonces are counted."""

from alembic import op

revision = "0022"
down_revision = "0021"

TABLES = """
ALTER TABLE notification ADD COLUMN event_at timestamptz;
COMMENT ON COLUMN notification.event_at IS 'what the text says as the time of the event; NULL: it stays as it is';

ALTER TABLE provider_state ADD COLUMN polled_at timestamptz;
COMMENT ON COLUMN provider_state.polled_at IS 'when a worker last took the turn of asking it what became of messages';

CREATE TABLE link_guess (
    key_hash bytea PRIMARY KEY,
    from_at timestamptz NOT NULL,
    guesses integer NOT NULL CHECK (guesses >= 0)
);
COMMENT ON TABLE link_guess IS 'wrong codes of an address, or of all, within a window that began at from_at';
CREATE INDEX link_guess_from ON link_guess (from_at);

CREATE TABLE callback_nonce (
    nonce_hash bytea PRIMARY KEY,
    met_at timestamptz NOT NULL
);
CREATE INDEX callback_nonce_met ON callback_nonce (met_at);
"""

FUNCTIONS = """
-- The link of a code (by its hash) or of a token (by its id) while it is good: what its page says, and what an answer
-- is judged by. Link and alert are held until the transaction ends. An opening is counted.
CREATE FUNCTION hold_link(wanted_hash bytea, wanted_id uuid, at timestamptz, correct_within interval,
    with_circle boolean)
RETURNS TABLE (link_id uuid, recipient_id uuid, role text, subject_no bigint, alias text, alert_id uuid, event text,
    opened_at timestamptz, last_event_at timestamptz, is_late boolean, state text, settled_at timestamptz,
    acknowledged_at timestamptz, is_by_family boolean, answer text, answered_at timestamptz, final_at timestamptz,
    longitude double precision, latitude double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    held guardian_link;
    place geometry;
BEGIN
    SELECT * INTO held FROM guardian_link l
    WHERE (l.token_hash = wanted_hash OR l.link_id = wanted_id) AND l.revoked_at IS NULL AND l.expires_at > at
        AND (l.answered_at IS NULL OR l.answered_at + correct_within > at)
    FOR UPDATE;
    IF held.link_id IS NULL THEN
        RETURN;
    END IF;
    PERFORM 1 FROM alert a WHERE a.alert_id = held.alert_id FOR UPDATE;
    IF NOT EXISTS (
        SELECT FROM recipient r JOIN subject s ON s.subject_no = held.subject_no
            LEFT JOIN notification n ON n.notification_id = held.notification_id
        WHERE r.recipient_id = held.recipient_id AND r.role IN ('guardian', 'guarantor') AND s.sealed_at IS NULL
            AND (n.tell_until IS NULL OR n.tell_until > at)
            AND (NOT r.is_blocked OR r.blocked_for = 'not_the_child' AND held.answered_at IS NOT NULL)
    ) THEN
        RETURN;
    END IF;
    UPDATE guardian_link l SET open_count = l.open_count + 1, opened_at = coalesce(l.opened_at, at)
    WHERE l.link_id = held.link_id;
    IF with_circle THEN
        SELECT ST_Centroid(z.geometry) INTO place FROM alert_violation av JOIN violation v USING (violation_id)
            JOIN zone z USING (zone_no)
        WHERE av.alert_id = held.alert_id AND z.kind = 'exclusion' ORDER BY v.started_at, v.violation_id LIMIT 1;
    END IF;
    RETURN QUERY SELECT held.link_id, held.recipient_id, r.role, held.subject_no, s.alias, a.alert_id,
        coalesce(a.event, a.kind), a.opened_at, a.last_event_at, a.is_late, a.state, a.settled_at, a.acknowledged_at,
        a.acknowledged_by IS NULL, g.answer, g.answered_at, held.answered_at,
        round(ST_X(place)::numeric, 2)::double precision, round(ST_Y(place)::numeric, 2)::double precision
    FROM alert a JOIN subject s ON s.subject_no = a.subject_no
        JOIN recipient r ON r.recipient_id = held.recipient_id
        LEFT JOIN LATERAL (SELECT b.answer, b.answered_at FROM guardian_answer b WHERE b.link_id = held.link_id
            ORDER BY b.answered_at DESC, b.answer_id DESC LIMIT 1) g ON true
    WHERE a.alert_id = held.alert_id;
END $$;

-- What an answer did, as alerts.correction says it: the answer, entries, tasks and steps, the alert, the block; all of
-- it or nothing. It reaches no other alert and nobody else than the link's.
CREATE FUNCTION answer_link(answered guardian_answer, turned alert, is_final boolean, block text, lifts_block boolean,
    entries jsonb, tasks jsonb, steps jsonb)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    held guardian_link;
    by_role text;
    given timestamptz := answered.answered_at;
BEGIN
    SELECT * INTO held FROM guardian_link l
    WHERE l.link_id = answered.link_id AND l.revoked_at IS NULL AND l.expires_at > given FOR UPDATE;
    IF held.link_id IS NULL OR turned.state NOT IN ('open', 'acknowledged') THEN
        RETURN false;
    END IF;
    UPDATE alert a SET state = turned.state, settled_at = turned.settled_at,
        acknowledged_at = CASE WHEN turned.state = a.state THEN a.acknowledged_at
            WHEN turned.state = 'acknowledged' THEN given END
    WHERE a.alert_id = held.alert_id AND a.state <> 'closed';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    SELECT r.role INTO by_role FROM recipient r WHERE r.recipient_id = held.recipient_id;
    INSERT INTO guardian_answer (answer_id, link_id, alert_id, subject_no, answer, answered_at)
    VALUES (answered.answer_id, held.link_id, held.alert_id, held.subject_no, answered.answer, given);
    INSERT INTO alert_history (entry_id, alert_id, subject_no, kind, at, actor_kind, actor_id, reason_code, reason_zh,
        reason_en, about, remark)
    SELECT e.entry_id, held.alert_id, held.subject_no, e.kind, given, by_role, held.recipient_id, e.reason_code,
        e.reason_zh, e.reason_en, held.recipient_id, ''
    FROM jsonb_to_recordset(entries) AS e (entry_id uuid, kind text, reason_code text, reason_zh text, reason_en text)
    WHERE e.kind IN ('answered', 'acknowledged', 'reopened')
    ON CONFLICT (entry_id) DO NOTHING;
    INSERT INTO task (task_id, kind, subject_no, due_at, opened_at, alert_id, recipient_id, reason_code, reason_zh,
        reason_en)
    SELECT t.task_id, 'wrong_recipient', held.subject_no, t.due_at, given, held.alert_id, held.recipient_id,
        t.reason_code, t.reason_zh, t.reason_en
    FROM jsonb_to_recordset(tasks) AS t (task_id uuid, due_at timestamptz, reason_code text, reason_zh text,
        reason_en text)
    ON CONFLICT (task_id) DO NOTHING;
    INSERT INTO escalation_step (step_id, alert_id, subject_no, kind, planned_at, due_at)
    SELECT s.step_id, held.alert_id, held.subject_no, s.kind, given, s.due_at
    FROM jsonb_to_recordset(steps) AS s (step_id uuid, kind text, due_at timestamptz)
    ON CONFLICT (step_id) DO NOTHING;
    UPDATE recipient r SET is_blocked = block IS NOT NULL, blocked_for = block
    WHERE r.recipient_id = held.recipient_id AND (
        block = 'not_the_child' AND NOT r.is_blocked
        OR block IS NULL AND lifts_block AND r.is_blocked AND r.blocked_for = 'not_the_child');
    UPDATE guardian_link l SET answered_at = given
    WHERE l.link_id = held.link_id AND l.answered_at IS NULL AND is_final;
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION hold_link(bytea, uuid, timestamptz, interval, boolean),
    answer_link(guardian_answer, alert, boolean, text, boolean, jsonb, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION hold_link(bytea, uuid, timestamptz, interval, boolean),
    answer_link(guardian_answer, alert, boolean, text, boolean, jsonb, jsonb, jsonb) TO hulan_gate;
COMMENT ON COLUMN guardian_link.answered_at IS 'the first answer that ends it: any but 正在赶去';
"""

OF_GATE = {
    "guardian_answer": "SELECT, INSERT",
    "guardian_link": "SELECT, UPDATE (opened_at, open_count, answered_at)",
}
"""What the web process could do without the functions, and can no more."""


WORDING = "UPDATE (template, text, variables, language) ON notification"
"""Of the worker, which words a message anew if the day or the reader changed before it left."""


def upgrade() -> None:
    """Two tables that are about nobody, the functions in place of rights on tables, and messages worded anew."""
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    for table in ("link_guess", "callback_nonce"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY every_row_for_hulan_gate ON {table} TO hulan_gate USING (true) WITH CHECK (true)")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON link_guess TO hulan_gate")
    op.execute(f"GRANT {WORDING} TO hulan_worker")
    op.execute("GRANT SELECT, INSERT, DELETE ON callback_nonce TO hulan_gate")
    for table, rights in OF_GATE.items():
        op.execute(f"REVOKE {rights} ON {table} FROM hulan_gate")
        op.execute(f"DROP POLICY every_row_for_hulan_gate ON {table}")


def downgrade() -> None:
    """Give the rights back."""
    op.execute("COMMENT ON COLUMN guardian_link.answered_at IS NULL")
    op.execute("DROP FUNCTION hold_link(bytea, uuid, timestamptz, interval, boolean)")
    op.execute("DROP FUNCTION answer_link(guardian_answer, alert, boolean, text, boolean, jsonb, jsonb, jsonb)")
    for table, rights in OF_GATE.items():
        op.execute(f"GRANT {rights} ON {table} TO hulan_gate")
        op.execute(f"CREATE POLICY every_row_for_hulan_gate ON {table} TO hulan_gate USING (true) WITH CHECK (true)")
    op.execute("DROP TABLE callback_nonce, link_guess")
    op.execute(f"REVOKE {WORDING} FROM hulan_worker")
    op.execute("ALTER TABLE notification DROP COLUMN event_at")
    op.execute("ALTER TABLE provider_state DROP COLUMN polled_at")
