"""The officers' desk: turns of an alert by role, rosters, a stream in the order of commits, figures.

That two people met is for the prosecutors of the case alone (0018, 0020), here too. Figures of all cases are given as
counts and quantiles, to leaders and to the system administrator.
"""

from alembic import op

revision = "0021"
down_revision = "0020"

STREAM = """
ALTER TABLE alert_history ADD COLUMN written_in xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX alert_history_stream ON alert_history (written_in, entry_no);
COMMENT ON COLUMN alert_history.written_in IS 'the transaction: entries are streamed once none before it still runs';
"""

_FACT_OF_CONTACT = "coalesce({row}event, {row}kind) IN ('contact', 'no_contact')"

TURNS = f"""
-- An officer of the case takes an alert up, closes it, or opens it again. alerts.life says what is allowed and makes
-- the entry; this sees to it that the caller may, that the alert still is as the caller saw it, and that alert, entry
-- and the steps planned anew are there, or none of them.
CREATE FUNCTION turn_alert(turned alert, seen text, entry alert_history, steps jsonb) RETURNS alert
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found alert;
BEGIN
    IF (seen, turned.state) NOT IN (('open', 'acknowledged'), ('open', 'closed'), ('acknowledged', 'closed'),
                                    ('closed', 'open'))
        OR 'closed' IN (seen, turned.state) AND NOT account_decides()
    THEN
        RETURN NULL;
    END IF;
    UPDATE alert a SET state = turned.state,
        settled_at = CASE turned.state WHEN 'closed' THEN least(a.settled_at, now()) WHEN 'open' THEN NULL
            ELSE a.settled_at END,
        acknowledged_at = CASE turned.state WHEN 'acknowledged' THEN now() WHEN 'open' THEN NULL
            ELSE acknowledged_at END,
        acknowledged_by = CASE turned.state WHEN 'acknowledged' THEN current_account_no() WHEN 'open' THEN NULL
            ELSE acknowledged_by END,
        closed_at = CASE turned.state WHEN 'closed' THEN now() END,
        closed_by = CASE turned.state WHEN 'closed' THEN current_account_no() END,
        closed_reason = CASE turned.state WHEN 'closed' THEN entry.reason_code END,
        closed_remark = CASE turned.state WHEN 'closed' THEN entry.remark END
    WHERE alert_id = turned.alert_id AND state = seen AND closed_reason IS DISTINCT FROM 'sealed'
        AND subject_no IN (SELECT visible_subjects())
        AND (NOT {_FACT_OF_CONTACT.format(row="a.")} OR current_account_has('prosecutor'))
    RETURNING * INTO found;
    IF found.alert_id IS NULL THEN
        RETURN found;
    END IF;
    INSERT INTO alert_history (entry_id, alert_id, subject_no, kind, at, actor_kind, actor_id, reason_code,
        reason_zh, reason_en, about, remark)
    VALUES (entry.entry_id, found.alert_id, found.subject_no,
        CASE found.state WHEN 'open' THEN 'reopened' ELSE found.state END, now(), 'officer',
        (SELECT account_id FROM account WHERE account_no = current_account_no()), entry.reason_code,
        entry.reason_zh, entry.reason_en, NULL, entry.remark);
    IF found.state = 'open' THEN
        INSERT INTO escalation_step (step_id, alert_id, subject_no, kind, planned_at, due_at)
        SELECT s.step_id, found.alert_id, found.subject_no, s.kind, s.planned_at, s.due_at
        FROM jsonb_to_recordset(steps) AS s (step_id uuid, kind text, planned_at timestamptz, due_at timestamptz);
    END IF;
    RETURN found;
END $$;

-- Another try for a message of a case of the caller's; age and budget hold as for any other.
CREATE FUNCTION redrive_notification(wanted uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found uuid;
BEGIN
    UPDATE notification SET state = 'pending', obstacle = NULL, last_error = NULL, due_at = now()
    WHERE notification_id = wanted AND state = 'dead' AND channel <> 'voice_task'
        AND last_error IS DISTINCT FROM 'sealed' AND account_decides()
        AND alert_id IN (SELECT alert_id FROM alert a WHERE state <> 'closed'
            AND subject_no IN (SELECT visible_subjects())
            AND (NOT {_FACT_OF_CONTACT.format(row="a.")} OR current_account_has('prosecutor')))
    RETURNING notification_id INTO found;
    RETURN found;
END $$;

-- Who took part in alerts that the caller may see.
CREATE FUNCTION people_of_alerts(numbers uuid[]) RETURNS TABLE (account_id uuid, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT a.account_id, a.display_name FROM account a
    WHERE a.account_id = ANY (numbers) AND EXISTS (
        SELECT FROM alert_history h WHERE h.actor_kind = 'officer' AND h.actor_id = a.account_id
            AND h.subject_no IN (SELECT visible_subjects()))
$$;
"""

ROSTERS = """
-- Organs as the orders of the caller's cases name them: whose rosters an officer sees. A unit is told under that name.
CREATE FUNCTION visible_units() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT unit FROM supervision_order
        CROSS JOIN LATERAL (VALUES (executing_organ), (deciding_organ)) AS organ (unit)
    WHERE superseded_at IS NULL AND unit <> '' AND subject_no IN (SELECT visible_subjects())
$$;

-- Who is told by duty: entered, or brought up to date, by a leader who sees a case of the unit. The number stays:
-- another number is another person.
CREATE FUNCTION enter_duty_person(asked recipient) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found uuid;
BEGIN
    IF NOT current_account_has('leader') OR asked.role NOT IN ('duty_officer', 'leader')
        OR asked.unit NOT IN (SELECT visible_units())
    THEN
        RETURN NULL;
    END IF;
    INSERT INTO recipient (recipient_id, subject_no, role, name, phone, phone_index, email, key_id, rank, is_blocked,
        language, channels, unit)
    VALUES (asked.recipient_id, NULL, asked.role, asked.name, asked.phone, asked.phone_index, asked.email,
        asked.key_id, 1, false, asked.language, asked.channels, asked.unit)
    ON CONFLICT (recipient_id) DO UPDATE SET name = excluded.name, phone = excluded.phone, email = excluded.email,
        key_id = excluded.key_id, is_blocked = false, language = excluded.language, channels = excluded.channels
    WHERE recipient.subject_no IS NULL AND recipient.unit = excluded.unit AND recipient.role = excluded.role
    RETURNING recipient_id INTO found;
    RETURN found;
END $$;

CREATE FUNCTION enter_duty(asked duty_roster) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT current_account_has('leader') OR asked.unit NOT IN (SELECT visible_units())
        OR EXISTS (SELECT FROM unnest(asked.recipient_ids) AS wanted WHERE NOT EXISTS (
            SELECT FROM recipient r WHERE r.recipient_id = wanted AND r.subject_no IS NULL AND r.unit = asked.unit
                AND r.role = 'duty_officer' AND NOT r.is_blocked))
    THEN
        RETURN NULL;
    END IF;
    INSERT INTO duty_roster (roster_id, unit, from_at, to_at, recipient_ids)
    VALUES (asked.roster_id, asked.unit, asked.from_at, asked.to_at, asked.recipient_ids);
    RETURN asked.roster_id;
END $$;

CREATE FUNCTION enter_absence(asked duty_absence) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM recipient WHERE recipient_id = asked.recipient_id AND subject_no IS NULL
        AND unit IN (SELECT visible_units()) AND current_account_has('leader');
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO duty_absence (absence_id, recipient_id, from_at, to_at)
    VALUES (asked.absence_id, asked.recipient_id, asked.from_at, asked.to_at);
    RETURN asked.absence_id;
END $$;

-- A turn of duty, an absence, or a person of the rosters: from now on it counts no longer, and stays on record.
CREATE FUNCTION revoke_duty(wanted uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found uuid;
BEGIN
    IF NOT current_account_has('leader') THEN
        RETURN NULL;
    END IF;
    UPDATE duty_roster SET revoked_at = now() WHERE roster_id = wanted AND revoked_at IS NULL
        AND unit IN (SELECT visible_units()) RETURNING roster_id INTO found;
    IF found IS NULL THEN
        UPDATE duty_absence SET revoked_at = now() WHERE absence_id = wanted AND revoked_at IS NULL
            AND recipient_id IN (SELECT recipient_id FROM recipient WHERE unit IN (SELECT visible_units()))
        RETURNING absence_id INTO found;
    END IF;
    IF found IS NULL THEN
        UPDATE recipient SET is_blocked = true WHERE recipient_id = wanted AND subject_no IS NULL AND NOT is_blocked
            AND unit IN (SELECT visible_units()) RETURNING recipient_id INTO found;
    END IF;
    RETURN found;
END $$;
"""

FIGURES = """
CREATE FUNCTION may_see_figures() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT current_account_has('system_administrator') OR current_account_has('leader')
$$;

-- Seconds between the stamps of messages that were decided within the span, by channel.
CREATE FUNCTION alert_times(since timestamptz, until timestamptz)
RETURNS TABLE (channel text, stage text, messages bigint, p50 double precision, p95 double precision,
    p99 double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT g.channel, g.stage, g.counted, g.q[1], g.q[2], g.q[3] FROM (
        SELECT n.channel, s.stage, count(*) AS counted,
            percentile_cont(ARRAY[0.5, 0.95, 0.99]::double precision[]) WITHIN GROUP (ORDER BY s.span) AS q
        FROM notification n JOIN alert a USING (alert_id) JOIN open_subject USING (subject_no)
        CROSS JOIN LATERAL (VALUES
            ('fixed_to_received', extract(epoch FROM n.known_at - n.decided_at)::double precision),
            ('received_to_decided', extract(epoch FROM n.made_at - n.known_at)::double precision),
            ('decided_to_sent', extract(epoch FROM n.sent_at - n.made_at)::double precision),
            ('decided_to_delivered', extract(epoch FROM n.delivered_at - n.made_at)::double precision),
            ('fixed_to_delivered', extract(epoch FROM n.delivered_at - n.decided_at)::double precision)
        ) AS s (stage, span)
        WHERE n.made_at >= since AND n.made_at < until AND s.span IS NOT NULL AND may_see_figures()
            AND coalesce(a.event, a.kind) NOT IN ('contact', 'no_contact')
        GROUP BY n.channel, s.stage) AS g
    ORDER BY 1, 2
$$;

-- What officers said to what was found, decided within the span and standing: by rule and category of place. A place
-- is named only if it is a public one, was decided on five times, and about three persons.
CREATE FUNCTION alert_precision(since timestamptz, until timestamptz)
RETURNS TABLE (rule text, category text, zone_id uuid, confirmed bigint, dismissed bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT f.rule, f.category, f.zone_id, count(*) FILTER (WHERE f.outcome = 'confirmed'),
        count(*) FILTER (WHERE f.outcome = 'dismissed')
    FROM (
        SELECT d.outcome, d.subject_no, coalesce(v.kind, found.kind) AS rule,
            CASE WHEN v.violation_id IS NULL THEN 'none' ELSE coalesce(z.category, 'own') END AS category,
            CASE WHEN z.category IS NOT NULL THEN z.zone_id END AS zone_id
        FROM decision d JOIN open_subject USING (subject_no) LEFT JOIN violation v USING (violation_id)
            LEFT JOIN finding found ON found.finding_id = d.finding_id LEFT JOIN zone z ON z.zone_no = v.zone_no
        WHERE d.decided_at >= since AND d.decided_at < until AND may_see_figures()
            AND NOT EXISTS (SELECT FROM decision later WHERE later.supersedes = d.decision_id)
    ) AS f
    WHERE f.rule NOT IN ('contact', 'no_contact')
    GROUP BY GROUPING SETS ((f.rule, f.category), (f.rule, f.category, f.zone_id))
    HAVING GROUPING(f.zone_id) = 1
        OR f.zone_id IS NOT NULL AND count(*) >= 5 AND count(DISTINCT f.subject_no) >= 3
    ORDER BY 1, 2, 3 NULLS FIRST
$$;

-- Alerts of events within the span, and for how many weeks persons were under rules in it.
CREATE FUNCTION alert_counts(since timestamptz, until timestamptz)
RETURNS TABLE (event text, alerts bigint, late bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(a.event, a.kind), count(*), count(*) FILTER (WHERE a.is_late)
    FROM alert a JOIN open_subject USING (subject_no)
    WHERE a.opened_at >= since AND a.opened_at < until AND may_see_figures()
        AND coalesce(a.event, a.kind) NOT IN ('contact', 'no_contact')
    GROUP BY 1 ORDER BY 1
$$;

-- Seconds from the event to when the family said that the child was taken away, of events within the span; an answer
-- that was taken back, or that an officer opened again after, is none.
CREATE FUNCTION alert_rescues(since timestamptz, until timestamptz)
RETURNS TABLE (rescues bigint, p50 double precision, p95 double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT count(*), (percentile_cont(0.5) WITHIN GROUP (ORDER BY r.span))::double precision,
        (percentile_cont(0.95) WITHIN GROUP (ORDER BY r.span))::double precision
    FROM (
        SELECT greatest(extract(epoch FROM a.settled_at - a.opened_at), 0)::double precision AS span
        FROM alert a JOIN open_subject USING (subject_no)
        WHERE a.opened_at >= since AND a.opened_at < until AND may_see_figures()
            AND coalesce(a.event, a.kind) NOT IN ('contact', 'no_contact')
            AND EXISTS (SELECT FROM guardian_answer g WHERE g.alert_id = a.alert_id AND g.answer = 'taken_away'
                AND g.answered_at = a.settled_at)
    ) AS r
$$;

CREATE FUNCTION person_weeks(since timestamptz, until timestamptz) RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(sum(extract(epoch FROM upper(span) - lower(span))), 0)::double precision / 604800
    FROM (
        SELECT range_agg(tstzrange(greatest(in_force_from, since), least(in_force_to, until))) AS spans
        FROM order_in_force JOIN open_subject USING (subject_no)
        WHERE greatest(in_force_from, since) < least(in_force_to, until) AND may_see_figures() GROUP BY subject_no
    ) AS person CROSS JOIN LATERAL unnest(person.spans) AS span
$$;
"""

FOR_OFFICERS = {
    "turn_alert": "alert, text, alert_history, jsonb",
    "redrive_notification": "uuid",
    "people_of_alerts": "uuid[]",
    "enter_duty_person": "recipient",
    "enter_duty": "duty_roster",
    "enter_absence": "duty_absence",
    "revoke_duty": "uuid",
    "alert_times": "timestamptz, timestamptz",
    "alert_precision": "timestamptz, timestamptz",
    "alert_counts": "timestamptz, timestamptz",
    "alert_rescues": "timestamptz, timestamptz",
    "person_weeks": "timestamptz, timestamptz",
    "visible_units": "",
}
"""Name → arguments, in the order in which they can be dropped."""

INNER = {"may_see_figures": ""}
"""Called by the others only."""

ROSTER_POLICIES = {
    "duty_roster": "unit IN (SELECT visible_units())",
    "duty_absence": "recipient_id IN (SELECT recipient_id FROM recipient WHERE subject_no IS NULL)",
}


def upgrade() -> None:
    """Create them, closed to all but whom they serve."""
    for statements in (STREAM, TURNS, ROSTERS, FIGURES):
        op.execute(statements)
    for name, arguments in (FOR_OFFICERS | INNER).items():
        op.execute(f"REVOKE ALL ON FUNCTION {name}({arguments}) FROM PUBLIC")
    for name, arguments in FOR_OFFICERS.items():
        op.execute(f"GRANT EXECUTE ON FUNCTION {name}({arguments}) TO hulan_app")
    for table, seen in ROSTER_POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen_by_account ON {table} FOR SELECT TO hulan_app USING ({seen})")
        op.execute(
            f"CREATE POLICY every_row_for_hulan_worker ON {table} TO hulan_worker USING (true) WITH CHECK (true)"
        )
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")
    op.execute(
        "CREATE POLICY by_duty_seen_by_account ON recipient FOR SELECT TO hulan_app"
        " USING (subject_no IS NULL AND unit IN (SELECT visible_units()))"
    )


def downgrade() -> None:
    """Drop them: nobody turns an alert, sees a roster or a figure."""
    op.execute("DROP POLICY by_duty_seen_by_account ON recipient")
    for table in ROSTER_POLICIES:
        op.execute(f"REVOKE SELECT ON {table} FROM hulan_app")
        op.execute(f"DROP POLICY every_row_for_hulan_worker ON {table}")
        op.execute(f"DROP POLICY seen_by_account ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for name, arguments in (FOR_OFFICERS | INNER).items():
        op.execute(f"DROP FUNCTION {name}({arguments})")
    op.execute("ALTER TABLE alert_history DROP COLUMN written_in")
