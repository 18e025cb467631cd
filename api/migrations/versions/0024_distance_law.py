"""The law of distance in the database: gates, rules by version, runs, verdicts, measurements, leads and their events.

What was found, measured or done stays: these tables only grow, whoever writes. Leads are for officers.
"""

from alembic import op

revision = "0024"
down_revision = "0023"

PLACES = """
ALTER TABLE site ADD COLUMN opened_on date;
COMMENT ON COLUMN site.opened_on IS 'first day of teaching there, by its source: a venue may have been there before';

-- Gates of schools, as imported, in every version: on a gate that is closed a verdict turns. One that names no school
-- belongs to the one in whose wall it is.
CREATE TABLE site_gate (
    gate_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    source_id text NOT NULL,
    site_source text,
    site_source_id text,
    kind text NOT NULL CHECK (kind IN ('student', 'service', 'unknown')),
    is_closed boolean NOT NULL,
    error_m double precision CHECK (error_m >= 0),
    geometry geometry(Point, 4326) NOT NULL,
    raw_geometry geometry NOT NULL,
    datum text NOT NULL,
    says_all boolean NOT NULL DEFAULT false,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL,
    superseded_at timestamptz,
    CHECK ((site_source IS NULL) = (site_source_id IS NULL)),
    CHECK (superseded_at >= imported_at)
);
COMMENT ON COLUMN site_gate.says_all IS 'its row says that with it all gates of its campus are registered';
CREATE UNIQUE INDEX site_gate_current ON site_gate (source, source_id) WHERE superseded_at IS NULL;
CREATE INDEX site_gate_versions ON site_gate (source, source_id);

CREATE FUNCTION gate_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.superseded_at IS NULL AND NEW.superseded_at IS NOT NULL
            AND to_jsonb(NEW) - 'superseded_at' = to_jsonb(OLD) - 'superseded_at'
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% of site_gate is refused: a version of a gate stays as it was', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER version_stays BEFORE UPDATE OR DELETE ON site_gate FOR EACH ROW EXECUTE FUNCTION gate_version_stays();
"""

FINDINGS = """
CREATE TABLE distance_rule (
    rule_id text NOT NULL,
    rule_version text NOT NULL,
    content jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (rule_id, rule_version)
);
COMMENT ON COLUMN distance_rule.content IS 'every column of venues.distance_rule.DistanceRule; the version is its hash';

CREATE TABLE distance_run (
    run_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL UNIQUE,
    law_day date NOT NULL,
    evaluated_at timestamptz NOT NULL,
    made_by text NOT NULL,
    division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
    method text NOT NULL,
    policy jsonb NOT NULL,
    network_version text,
    network_on date,
    venue_count integer NOT NULL,
    site_count integer NOT NULL,
    gate_count integer NOT NULL,
    rule_count integer NOT NULL,
    verdicts jsonb NOT NULL,
    change_count integer NOT NULL,
    CHECK (law_day <= (evaluated_at AT TIME ZONE 'Asia/Shanghai')::date)
);
COMMENT ON COLUMN distance_run.verdicts IS 'verdict of the winning rule: how many pairs of a venue and a campus';

-- A verdict from a day of the law on, as known since an instant; of a pair that nothing changed about there is no row.
CREATE TABLE distance_finding (
    finding_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_no bigint NOT NULL REFERENCES distance_run,
    venue_id uuid NOT NULL,
    venue_name text NOT NULL,
    site_id text NOT NULL,
    site_name text NOT NULL,
    campus_id text NOT NULL,
    holds_from date NOT NULL,
    recorded_at timestamptz NOT NULL,
    cause text NOT NULL CHECK (cause IN ('first', 'rule', 'distance', 'papers', 'category', 'gone')),
    verdict text CHECK (verdict IN ('clear', 'survey', 'breach', 'grandfathered')),
    reason text,
    rule_id text,
    rule_version text,
    low_m double precision,
    high_m double precision,
    straight_m double precision,
    straight_error_m double precision,
    walking_m double precision,
    walking_error_m double precision,
    walk_status smallint,
    gate_id text,
    door_id text,
    is_disputed boolean,
    beaten jsonb,
    categories jsonb,
    others jsonb,
    FOREIGN KEY (rule_id, rule_version) REFERENCES distance_rule,
    CHECK ((verdict IS NULL) = (cause = 'gone')),
    CHECK (holds_from <= (recorded_at AT TIME ZONE 'Asia/Shanghai')::date),
    CHECK (num_nulls(verdict, reason, rule_id, rule_version, low_m, high_m, walk_status, is_disputed, beaten,
        categories, others) IN (0, 11))
);
COMMENT ON COLUMN distance_finding.categories IS 'what it is judged as: of several categories the worst off';
COMMENT ON COLUMN distance_finding.others IS 'of its other categories, by rules of their own; the worst first';
CREATE INDEX distance_finding_pair
    ON distance_finding (venue_id, site_id, campus_id, holds_from DESC, recorded_at DESC, finding_no DESC);
CREATE INDEX distance_finding_run ON distance_finding (run_no);
COMMENT ON COLUMN distance_finding.venue_id IS
    'no reference: what was found outlives a venue that the register joins with another or drops';

CREATE TABLE measurement_archive (
    measurement_hash text PRIMARY KEY,
    content text NOT NULL,
    venue_id uuid NOT NULL,
    site_id text NOT NULL,
    verdict text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text NOT NULL,
    CHECK (measurement_hash = encode(sha256(convert_to(content, 'UTF8')), 'hex'))
);
CREATE INDEX measurement_archive_venue ON measurement_archive (venue_id, made_at);
"""

LEADS = """
CREATE TABLE lead (
    lead_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lead_id uuid NOT NULL UNIQUE,
    lead_key text NOT NULL UNIQUE,
    ground text NOT NULL,
    venue_id uuid NOT NULL,
    venue_name text NOT NULL,
    venue_address text NOT NULL,
    division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
    categories text[] NOT NULL,
    is_sure boolean NOT NULL,
    facts text[] NOT NULL,
    regulator text,
    candidates text[] NOT NULL,
    route_zh text NOT NULL,
    route_en text NOT NULL,
    route_basis text NOT NULL,
    run_no bigint REFERENCES distance_run
);
COMMENT ON COLUMN lead.lead_key IS 'the same whenever the same ground is found about the same venue again';
COMMENT ON COLUMN lead.regulator IS 'as the local table said when the lead began; null where nobody settled it';

-- What was done with a lead. Two officers who act at once take the same position: one of them is refused.
CREATE TABLE lead_event (
    lead_no bigint NOT NULL REFERENCES lead,
    position integer NOT NULL CHECK (position >= 0),
    step text NOT NULL CHECK (step IN ('open', 'check', 'dismiss', 'consult', 'recommend', 'deliver', 'reply',
        'recheck', 'open_case', 'close', 'reopen')),
    at timestamptz NOT NULL,
    account_no bigint REFERENCES account,
    on_day date,
    is_found boolean,
    is_urgent boolean NOT NULL,
    regulator text NOT NULL,
    document_number text NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (lead_no, position),
    CHECK ((step = 'open') = (account_no IS NULL)),
    CHECK ((step = 'open') = (position = 0)),
    CHECK (on_day <= (at AT TIME ZONE 'Asia/Shanghai')::date)
);

-- The next event of a lead, by an officer who may act on leads; venues.lead says which steps a lead allows. Null where
-- somebody else was first, and for whoever may not.
CREATE FUNCTION add_lead_event(asked lead_event) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    added integer;
BEGIN
    IF NOT (current_account_has('prosecutor') OR current_account_has('leader')) OR asked.step = 'open' OR
        asked.position <> (SELECT max(e.position) + 1 FROM lead_event e WHERE e.lead_no = asked.lead_no)
    THEN
        RETURN NULL;
    END IF;
    INSERT INTO lead_event (lead_no, position, step, at, account_no, on_day, is_found, is_urgent, regulator,
        document_number, note)
    VALUES (asked.lead_no, asked.position, asked.step, asked.at, current_account_no(), asked.on_day, asked.is_found,
        asked.is_urgent, asked.regulator, asked.document_number, asked.note)
    ON CONFLICT ON CONSTRAINT lead_event_pkey DO NOTHING RETURNING lead_event.position INTO added;
    RETURN added;
END $$;

CREATE FUNCTION people_of_leads(numbers bigint[]) RETURNS TABLE (account_no bigint, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT DISTINCT a.account_no, a.display_name FROM account a JOIN lead_event e USING (account_no)
    WHERE a.account_no = ANY (numbers) AND (current_account_has('prosecutor') OR current_account_has('leader')
        OR current_account_has('police') OR current_account_has('supervisor'))
$$;
REVOKE ALL ON FUNCTION add_lead_event(lead_event), people_of_leads(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_lead_event(lead_event), people_of_leads(bigint[]) TO hulan_app;
"""

DIVISIONS = """
-- Boundaries of divisions, about nobody: so that whoever reads the register can ask for one place of it.
CREATE FUNCTION boundaries_of(codes text) RETURNS SETOF geometry
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT geometry FROM zone WHERE origin = 'boundary' AND superseded_at IS NULL AND source_id LIKE codes
$$;
REVOKE ALL ON FUNCTION boundaries_of(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION boundaries_of(text) TO hulan_app;
"""

KEPT = """
CREATE FUNCTION distance_record_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: what was found or done stays', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""

GROWS_ONLY = ("distance_rule", "distance_run", "distance_finding", "measurement_archive", "lead", "lead_event")

OPEN = ("site_gate", "distance_rule", "distance_run", "distance_finding", "measurement_archive")
"""About places, as venues are: read by whoever has an account."""

OF_OFFICERS = "(SELECT {})".format(
    " OR ".join(f"current_account_has('{role}')" for role in ("prosecutor", "leader", "police", "supervisor"))
)
AUDITED = {"measurement_archive": "content", "lead": "", "lead_event": "note"}


def upgrade() -> None:
    """Create the tables, say that they only grow, and who reads and adds."""
    for statements in (PLACES, FINDINGS, LEADS, DIVISIONS, KEPT):
        op.execute(statements)
    for table in GROWS_ONLY:
        op.execute(
            f"CREATE TRIGGER record_stays BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION distance_record_stays()"
        )
    for table in OPEN:
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")
    for table in ("lead", "lead_event"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen_by_officers ON {table} FOR SELECT TO hulan_app USING ({OF_OFFICERS})")
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")
    for table, personal in AUDITED.items():
        op.execute(f"SELECT audit_protect('{table}', '{personal}')")


def downgrade() -> None:
    """Drop them: whoever goes down exports what was found and done first."""
    op.execute("DROP FUNCTION add_lead_event(lead_event)")
    op.execute("DROP FUNCTION people_of_leads(bigint[])")
    op.execute("DROP FUNCTION boundaries_of(text)")
    op.execute("DROP TABLE lead_event, lead, measurement_archive, distance_finding, distance_run, distance_rule")
    op.execute("DROP TABLE site_gate; DROP FUNCTION gate_version_stays(); ALTER TABLE site DROP COLUMN opened_on")
    op.execute("DROP FUNCTION distance_record_stays()")
