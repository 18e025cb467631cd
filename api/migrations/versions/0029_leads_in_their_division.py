"""Leads by hand, and leads that are handed over to the division where their place turned out to lie.

A lead moves only together with an event that says so; all else about it stays as it was opened.
"""

from alembic import op

revision = "0029"
down_revision = "0028"

EVENTS = """
ALTER TABLE lead_event DROP CONSTRAINT lead_event_step_check, DROP CONSTRAINT lead_event_check,
    ADD CONSTRAINT lead_event_step_check CHECK (step IN ('open', 'check', 'dismiss', 'consult', 'recommend', 'deliver',
        'reply', 'recheck', 'open_case', 'close', 'reopen', 'transfer')),
    ADD CONSTRAINT lead_event_check CHECK (CASE step WHEN 'open' THEN true WHEN 'transfer' THEN account_no IS NULL
        ELSE account_no IS NOT NULL END);
ALTER TABLE lead ADD CONSTRAINT lead_ground_check CHECK (ground IN ('distance', 'unlicensed', 'mis_registered',
    'admits_minors', 'sells_alcohol', 'sells_tobacco', 'sells_lottery'));
COMMENT ON COLUMN lead.lead_key IS 'of what was found: the same whenever it is found there again; by hand, of the lead';
COMMENT ON COLUMN lead.regulator IS
    'as the table of the division said when the lead began, or was handed over; null where nobody settled it';
COMMENT ON COLUMN lead.division IS 'where its place lies: moved by an evaluation, with an event transfer';
"""

MOVED = """
CREATE FUNCTION lead_moves_with_its_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT step FROM lead_event WHERE lead_no = OLD.lead_no ORDER BY position DESC LIMIT 1)
        IS DISTINCT FROM 'transfer'
    THEN
        RAISE EXCEPTION 'a lead moves only with an event that says so: what was found or done stays'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER record_stays ON lead;
CREATE TRIGGER record_stays BEFORE DELETE OR UPDATE OF lead_no, lead_id, lead_key, ground, venue_id, venue_name,
    venue_address, categories, is_sure, facts, run_no ON lead
    FOR EACH STATEMENT EXECUTE FUNCTION distance_record_stays();
CREATE TRIGGER moves_with_its_event BEFORE UPDATE ON lead
    FOR EACH ROW EXECUTE FUNCTION lead_moves_with_its_event();
"""

BY_HAND = """
-- In which division a place lies: the most local boundary around it, the one in which it lies deepest; outside of all
-- the one of the last evaluation, as evaluations place it. Null where nobody can tell.
CREATE FUNCTION division_of_venue(asked uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(
        (SELECT z.source_id FROM zone z JOIN (SELECT ST_PointOnSurface(top.geometry) AS point
                FROM venue v JOIN venue top ON top.venue_no = v.current_no WHERE v.venue_id = asked) AS place
            ON ST_Covers(z.geometry, place.point)
        WHERE z.origin = 'boundary' AND z.superseded_at IS NULL AND z.source_id ~ '^[0-9]{6}$'
        ORDER BY length(regexp_replace(z.source_id, '(00){1,3}$', '')) DESC,
            ST_Distance(ST_Boundary(z.geometry), place.point) DESC, z.source_id LIMIT 1),
        (SELECT division FROM distance_run ORDER BY run_no DESC LIMIT 1))
$$;

-- A lead about a place of which an officer saw something, in the officer's name. The id of the one that stands if there
-- is one on that ground; null for whoever may not, and for a place that the officer does not oversee.
CREATE FUNCTION open_lead(asked lead, seen_on date, said text, entered_at timestamptz) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    place venue;
    there text := division_of_venue(asked.venue_id);
    standing uuid;
    added bigint;
BEGIN
    SELECT top.* INTO place FROM venue v JOIN venue top ON top.venue_no = v.current_no
    WHERE v.venue_id = asked.venue_id;
    IF NOT (current_account_has('prosecutor') OR current_account_has('leader')) OR place.venue_id IS NULL
        OR there IS NULL OR NOT there LIKE ANY (divisions_overseen())
    THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('lead ' || place.venue_no));
    SELECT l.lead_id INTO standing FROM lead l JOIN venue v USING (venue_id)
    WHERE l.ground = asked.ground AND v.current_no = place.venue_no AND l.division LIKE ANY (divisions_overseen())
        AND (SELECT e.step FROM lead_event e WHERE e.lead_no = l.lead_no AND e.step <> 'transfer'
            ORDER BY e.position DESC LIMIT 1) NOT IN ('dismiss', 'close')
    ORDER BY l.lead_no LIMIT 1;
    IF standing IS NOT NULL THEN
        RETURN standing;
    END IF;
    INSERT INTO lead (lead_id, lead_key, ground, venue_id, venue_name, venue_address, division, categories, is_sure,
        facts, regulator, candidates, route_zh, route_en, route_basis, run_no)
    VALUES (asked.lead_id, 'by hand ' || asked.lead_id, asked.ground, place.venue_id, place.name, place.address, there,
        asked.categories, false, asked.facts, asked.regulator, asked.candidates, asked.route_zh, asked.route_en,
        asked.route_basis, NULL)
    RETURNING lead_no INTO added;
    INSERT INTO lead_event (lead_no, position, step, at, account_no, on_day, is_urgent, regulator, document_number,
        note)
    VALUES (added, 0, 'open', entered_at, current_account_no(), seen_on, false, '', '', said);
    RETURN asked.lead_id;
END $$;
REVOKE ALL ON FUNCTION division_of_venue(uuid), open_lead(lead, date, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION division_of_venue(uuid), open_lead(lead, date, text, timestamptz) TO hulan_app;
"""

BACK = """
DROP FUNCTION open_lead(lead, date, text, timestamptz);
DROP FUNCTION division_of_venue(uuid);
DROP TRIGGER moves_with_its_event ON lead;
DROP FUNCTION lead_moves_with_its_event();
DROP TRIGGER record_stays ON lead;
CREATE TRIGGER record_stays BEFORE UPDATE OR DELETE ON lead
    FOR EACH STATEMENT EXECUTE FUNCTION distance_record_stays();
ALTER TABLE lead_event DISABLE TRIGGER record_stays;
DELETE FROM lead_event WHERE step = 'transfer';
UPDATE lead_event SET account_no = NULL WHERE step = 'open';
-- Without gaps, as whoever adds the next event counts; by way of numbers that no event has.
UPDATE lead_event SET position = position + 1000000 WHERE position > 0;
UPDATE lead_event e SET position = n.position FROM (SELECT lead_no, position AS was,
        row_number() OVER (PARTITION BY lead_no ORDER BY position) - 1 AS position FROM lead_event) AS n
    WHERE n.lead_no = e.lead_no AND n.was = e.position AND e.position > 0;
ALTER TABLE lead_event ENABLE TRIGGER record_stays;
ALTER TABLE lead_event DROP CONSTRAINT lead_event_step_check, DROP CONSTRAINT lead_event_check,
    ADD CONSTRAINT lead_event_step_check CHECK (step IN ('open', 'check', 'dismiss', 'consult', 'recommend', 'deliver',
        'reply', 'recheck', 'open_case', 'close', 'reopen')),
    ADD CONSTRAINT lead_event_check CHECK ((step = 'open') = (account_no IS NULL));
ALTER TABLE lead DROP CONSTRAINT lead_ground_check;
COMMENT ON COLUMN lead.lead_key IS 'the same whenever the same ground is found about the same venue again';
COMMENT ON COLUMN lead.regulator IS 'as the local table said when the lead began; null where nobody settled it';
COMMENT ON COLUMN lead.division IS NULL;
"""

ADDED_BY_OFFICERS = ("asked.step = 'open'", "asked.step IN ('open', 'transfer')")
"""What ``add_lead_event`` refused, and refuses now."""


def upgrade() -> None:
    """Let leads move with an event, and officers open them."""
    for statements in (EVENTS, MOVED, BY_HAND):
        op.execute(statements)
    _redefine(*ADDED_BY_OFFICERS)


def downgrade() -> None:
    """Leads stay where they were handed over to; that they were, and who opened one by hand, is in the audit only."""
    op.execute(BACK)
    _redefine(*reversed(ADDED_BY_OFFICERS))


def _redefine(before: str, now: str) -> None:
    connection = op.get_bind()
    function = "SELECT pg_get_functiondef('add_lead_event(lead_event)'::regprocedure)"
    definition = str(connection.exec_driver_sql(function).scalar_one())
    if before not in definition:
        raise RuntimeError(f"add_lead_event is not what migration 0026 made: it must say {before!r}")
    connection.exec_driver_sql(definition.replace(before, now))
