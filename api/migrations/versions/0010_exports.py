"""What left the system: export runs, how many rows may leave without approval, what evidence needs to be read.

The limit is kept beneath the application: ``record_export`` refuses the row that goes beyond it.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

TABLES = """
-- Rows that one account may take out without a leader's approval, in all exports together, within a moving time.
CREATE TABLE export_limit (
    limit_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    data text NOT NULL CHECK (data IN ('track', 'lodging')),
    most_rows integer NOT NULL CHECK (most_rows >= 0),
    within interval NOT NULL CHECK (within > interval '0'),
    valid_from date NOT NULL,
    valid_to date CHECK (valid_to >= valid_from),
    source text NOT NULL CHECK (source <> '')
);
INSERT INTO export_limit (data, most_rows, within, valid_from, source) VALUES
    ('track', 25, '30 days', '2017-06-01', '法释〔2017〕10号第五条：行踪轨迹50条，履职中获得的减半'),
    ('lodging', 250, '30 days', '2017-06-01', '法释〔2017〕10号第五条：住宿信息500条，履职中获得的减半');

-- Without an account: at the terminal of the server.
CREATE TABLE export_run (
    export_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('export', 'evidence')),
    account_no bigint REFERENCES account,
    made_by text NOT NULL CHECK (made_by <> ''),
    subject_no bigint NOT NULL REFERENCES subject,
    alert_id uuid REFERENCES alert,
    look_id uuid REFERENCES look,
    is_approved boolean NOT NULL,
    track_rows integer NOT NULL CHECK (track_rows >= 0),
    lodging_rows integer NOT NULL CHECK (lodging_rows >= 0),
    made_at timestamptz NOT NULL DEFAULT now(),
    manifest_hash bytea NOT NULL CHECK (octet_length(manifest_hash) = 32),
    CHECK ((account_no IS NULL) = (look_id IS NULL)),
    CHECK (kind = 'evidence' OR alert_id IS NULL)
);
CREATE INDEX export_run_account ON export_run (account_no, made_at);
CREATE INDEX export_run_subject ON export_run (subject_no);
COMMENT ON COLUMN export_run.alert_id IS 'what evidence is of; null once a sealed record is destroyed';
COMMENT ON COLUMN export_run.manifest_hash IS 'SHA-256 of manifest.json, which is what is signed';
"""

FUNCTIONS = """
-- How many rows the caller may still take out; whoever asks at the same time waits until this transaction has ended.
CREATE FUNCTION export_rows_left(wanted text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    me bigint := current_account_no();
BEGIN
    IF me IS NULL THEN
        RETURN 0;
    END IF;
    PERFORM pg_advisory_xact_lock(1163415628, me::integer);
    RETURN (
        SELECT greatest(0, coalesce(min(l.most_rows - (
            SELECT coalesce(sum(CASE wanted WHEN 'track' THEN r.track_rows ELSE r.lodging_rows END), 0)
            FROM export_run r
            WHERE r.account_no = me AND NOT r.is_approved AND r.made_at > clock_timestamp() - l.within)), 0))
        FROM export_limit l
        WHERE l.data = wanted
            AND (now() AT TIME ZONE 'Asia/Shanghai')::date BETWEEN l.valid_from AND coalesce(l.valid_to, 'infinity')
    )::integer;
END $$;

-- By an open look of the caller's own; NULL where there is none, or where more rows would leave than may.
CREATE FUNCTION record_export(run export_run) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    opened look;
BEGIN
    SELECT * INTO opened FROM open_looks() l
    WHERE l.look_id = run.look_id AND l.subject_no = run.subject_no AND l.kind = run.kind
        AND l.subject_no IN (SELECT visible_subjects());
    IF NOT FOUND OR (run.kind = 'evidence') <> (run.alert_id IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    run.account_no := current_account_no();
    run.made_at := clock_timestamp();
    run.is_approved := opened.is_approved IS TRUE;
    IF NOT run.is_approved AND (run.track_rows > export_rows_left('track')
                                OR run.lodging_rows > export_rows_left('lodging')) THEN
        RETURN NULL;
    END IF;
    INSERT INTO export_run VALUES (run.*);
    RETURN run.export_id;
END $$;

-- Whose exports the caller may read about beside their own: a leader those of the division and below.
CREATE FUNCTION accounts_led() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE below AS (
        SELECT division_no FROM account
        WHERE account_no = current_account_no() AND division_no IS NOT NULL AND current_account_has('leader')
        UNION SELECT d.division_no FROM division d JOIN below b ON d.parent_no = b.division_no
    )
    SELECT account_no FROM account JOIN below USING (division_no)
$$;

-- What a look must span so that an alert can be weighed again: from the last silence before it on.
CREATE FUNCTION evidence_span(wanted uuid, margin interval, silence interval, back interval)
RETURNS TABLE (from_at timestamptz, to_at timestamptz, row_count bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH first AS (
        SELECT v.subject_no, v.started_at, coalesce(e.ended_at, v.decided_at) + margin AS until
        FROM alert_violation a JOIN violation v USING (violation_id) JOIN episode e USING (episode_id)
        WHERE a.alert_id = wanted AND v.subject_no IN (SELECT visible_subjects()) ORDER BY v.decided_at LIMIT 1
    ), steps AS (
        SELECT h.fixed_at, h.fixed_at - lag(h.fixed_at) OVER (ORDER BY h.fixed_at) AS gap
        FROM (SELECT f.fixed_at FROM fix f JOIN first USING (subject_no)
              WHERE f.fixed_at BETWEEN first.started_at - back AND first.started_at
              UNION ALL SELECT started_at FROM first) AS h
    )
    SELECT least(first.started_at - margin, coalesce(
               (SELECT max(fixed_at) FROM steps WHERE gap > silence),
               (SELECT min(f.fixed_at) FROM fix f WHERE f.subject_no = first.subject_no))),
           first.until,
           (SELECT count(*) FROM fix f WHERE f.subject_no = first.subject_no
                AND f.fixed_at BETWEEN first.started_at - margin AND first.until)
    FROM first
$$;

-- The entry that this transaction wrote last: the end of the chain that it holds.
CREATE FUNCTION audit_own_entry() RETURNS TABLE ("position" bigint, hash bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT e.position, e.hash FROM audit_entry e
    WHERE e.chain = nullif(current_setting('hulan.audit_chain', true), '')::integer ORDER BY e.seq DESC LIMIT 1
$$;

-- Zones that a finding of a visible case names, in all their versions.
CREATE FUNCTION visible_zones() RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT DISTINCT z.zone_id FROM violation v JOIN zone z USING (zone_no)
    WHERE v.subject_no IN (SELECT visible_subjects())
$$;
"""

OWN_FUNCTIONS = {
    "visible_zones": "",
    "audit_own_entry": "",
    "evidence_span": "uuid, interval, interval, interval",
    "accounts_led": "",
    "record_export": "export_run",
    "export_rows_left": "text",
}

VISIBLE = {
    "zone": "zone_id IN (SELECT visible_zones())",
    "export_run": "(account_no = current_account_no() OR account_no IN (SELECT accounts_led()))"
    " AND subject_no IN (SELECT visible_subjects())",
}

VIEWS = ("zone_in_force", "order_in_force")
"""Seen with the rights of whoever asks, so that they show no more than the tables beneath them."""

TIMES = """
-- With its owner's rights: the intake asks whether a fix may be taken, and sees nothing else of an order.
-- Written out: a view that is seen with the caller's rights keeps asking for them inside another view.
CREATE VIEW order_times AS
SELECT subject_no, greatest(valid_from, effective_from) AS in_force_from,
       least(valid_to, coalesce(min(effective_from) OVER (PARTITION BY subject_no, order_id ORDER BY version
                                                          ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
                                superseded_at)) AS in_force_to
FROM supervision_order;
GRANT SELECT ON order_times TO hulan_gate;
REVOKE ALL ON order_in_force FROM hulan_gate;
"""

CURSORS = "shard, seen, target, after_xid, after_seq"
"""How far the log was read: no data of anybody."""


def upgrade() -> None:
    """Create the tables; open to the application's role what evidence is read from."""
    for statements in (TABLES, FUNCTIONS):
        op.execute(statements)
    for name, arguments in OWN_FUNCTIONS.items():
        op.execute(f"REVOKE ALL ON FUNCTION {name}({arguments}) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name}({arguments}) TO hulan_app")
    for table, condition in VISIBLE.items():
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")
        op.execute(f"CREATE POLICY seen_by_account ON {table} FOR SELECT TO hulan_app USING ({condition})")
    for table in (*VISIBLE, "export_limit"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for view in VIEWS:
        op.execute(f"ALTER VIEW {view} SET (security_invoker = true)")
        op.execute(f"GRANT SELECT ON {view} TO hulan_app")
    op.execute("CREATE POLICY every_row_for_hulan_worker ON zone TO hulan_worker USING (true)")
    op.execute(TIMES)
    op.execute(f"GRANT SELECT ({CURSORS}) ON shard TO hulan_app")
    op.execute("UPDATE look_rule SET kinds = '{export,evidence}' WHERE kinds = '{export}' AND more_rows_than = 25")
    for table in ("export_limit", "export_run"):
        op.execute(f"SELECT audit_protect('{table}', '')")


def downgrade() -> None:
    """Remove them; what left is no longer on record outside the audit."""
    op.execute("UPDATE look_rule SET kinds = '{export}' WHERE kinds = '{export,evidence}' AND more_rows_than = 25")
    op.execute(f"REVOKE SELECT ({CURSORS}) ON shard FROM hulan_app")
    op.execute("DROP VIEW order_times")
    op.execute("GRANT SELECT (subject_no, in_force_from, in_force_to) ON order_in_force TO hulan_gate")
    op.execute("DROP POLICY every_row_for_hulan_worker ON zone")
    for view in VIEWS:
        op.execute(f"REVOKE ALL ON {view} FROM hulan_app")
        op.execute(f"ALTER VIEW {view} RESET (security_invoker)")
    for table in VISIBLE:
        op.execute(f"DROP POLICY seen_by_account ON {table}")
        op.execute(f"REVOKE ALL ON {table} FROM hulan_app")
    op.execute("ALTER TABLE zone DISABLE ROW LEVEL SECURITY")
    for name, arguments in OWN_FUNCTIONS.items():
        op.execute(f"DROP FUNCTION {name}({arguments})")
    op.execute("DROP TABLE export_run, export_limit")
