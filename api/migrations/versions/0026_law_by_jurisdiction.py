"""Who sees what the law of distance found: officers of the place, and of the divisions above it.

A finding says in which division its venue lies, whose rules bind it. A lead said so already, a measurement in its text.
"""

from alembic import op

revision = "0026"
down_revision = "0025"

COLUMN = """
ALTER TABLE distance_finding ADD COLUMN division text CHECK (division ~ '^[0-9]{6}$'), ADD COLUMN walk_gate_id text;
COMMENT ON COLUMN distance_finding.walk_gate_id IS 'where the way on foot begins, also where the rule is about another';
COMMENT ON COLUMN distance_finding.division IS
    'of the venue, as the run placed it: its officers and those of divisions above see the row';
-- What was found before this was found in the division of its run: no boundary told more.
ALTER TABLE distance_finding DISABLE TRIGGER record_stays;
UPDATE distance_finding f SET division = r.division FROM distance_run r WHERE r.run_no = f.run_no;
ALTER TABLE distance_finding ENABLE TRIGGER record_stays;
ALTER TABLE distance_finding ALTER COLUMN division SET NOT NULL,
    DROP CONSTRAINT distance_finding_cause_check,
    ADD CONSTRAINT distance_finding_cause_check
        CHECK (cause IN ('first', 'rule', 'distance', 'papers', 'division', 'category', 'gone'));
"""

FUNCTIONS = """
-- Patterns of the division codes (GB/T 2260) that the caller oversees: of the officer's own division and what lies
-- below, by the tree of divisions and by the codes themselves, as not every county has a row. Empty for all others.
CREATE FUNCTION divisions_overseen() RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE below AS (
        SELECT d.division_no, d.code FROM account a JOIN division d USING (division_no)
        WHERE a.account_no = current_account_no() AND a.kind = 'officer'
            AND EXISTS (SELECT FROM account_role r WHERE r.account_no = a.account_no)
        UNION SELECT d.division_no, d.code FROM division d JOIN below b ON d.parent_no = b.division_no
    )
    SELECT coalesce(array_agg(
        CASE code WHEN '000000' THEN '' ELSE regexp_replace(code, '(00){1,2}$', '') END || '%'), '{}')
    FROM below WHERE code ~ '^[0-9]{6}$'
$$;
REVOKE ALL ON FUNCTION divisions_overseen() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION divisions_overseen() TO hulan_app;
"""

KEEPING = """
-- A measurement that an officer made of a venue whose place the officer oversees; false for whoever does not. The text
-- says whose rules were applied, its hash is checked by the table, and who made it is taken from the transaction.
CREATE FUNCTION keep_measurement(asked measurement_archive) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF coalesce(asked.content::jsonb #>> '{given,venue,division}', '') LIKE ANY (divisions_overseen()) THEN
        INSERT INTO measurement_archive (measurement_hash, content, venue_id, site_id, verdict, made_at, made_by)
        SELECT asked.measurement_hash, asked.content, asked.venue_id, asked.site_id, asked.verdict, asked.made_at,
            'account:' || account_id FROM account WHERE account_no = current_account_no()
        ON CONFLICT (measurement_hash) DO NOTHING;
        RETURN true;
    END IF;
    RETURN false;
END $$;
REVOKE ALL ON FUNCTION keep_measurement(measurement_archive) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_measurement(measurement_archive) TO hulan_app;
"""

OVERSEEN = "LIKE ANY ((SELECT divisions_overseen())::text[])"

VISIBLE = {
    "distance_finding": f"division {OVERSEEN}",
    "measurement_archive": f"(content::jsonb #>> '{{given,venue,division}}') {OVERSEEN}",
    "lead": f"division {OVERSEEN}",
    "lead_event": "lead_no IN (SELECT lead_no FROM lead)",
}
"""Table → which of its rows the application's role reads. Events are bound by the policy of their leads."""

CHANGED = (
    (
        "add_lead_event(lead_event)",
        "asked.step = 'open' OR\n",
        "asked.step = 'open' OR\n"
        f"        NOT EXISTS (SELECT FROM lead l WHERE l.lead_no = asked.lead_no AND l.division {OVERSEEN}) OR\n",
    ),
    (
        "people_of_leads(bigint[])",
        "JOIN lead_event e USING (account_no)\n    WHERE ",
        f"JOIN lead_event e USING (account_no)\n        JOIN lead l USING (lead_no) WHERE l.division {OVERSEEN} AND ",
    ),
)
"""Function, what it said, and what it says now: an event is added, and who acted is named, of leads that one sees."""

OF_OFFICERS = "(SELECT {})".format(
    " OR ".join(f"current_account_has('{role}')" for role in ("prosecutor", "leader", "police", "supervisor"))
)


def upgrade() -> None:
    """Say where each finding lies, and show findings, measurements and leads to officers of that place."""
    for statements in (COLUMN, FUNCTIONS, KEEPING):
        op.execute(statements)
    for function, before, now in CHANGED:
        _redefine(function, before, now)
    for table in ("lead", "lead_event"):
        op.execute(f"DROP POLICY seen_by_officers ON {table}")
    for table, condition in VISIBLE.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen_by_officers_there ON {table} FOR SELECT TO hulan_app USING ({condition})")


def downgrade() -> None:
    """Show them as before: leads to every officer, the rest to every account."""
    for table in VISIBLE:
        op.execute(f"DROP POLICY seen_by_officers_there ON {table}")
    for table in ("distance_finding", "measurement_archive"):
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for table in ("lead", "lead_event"):
        op.execute(f"CREATE POLICY seen_by_officers ON {table} FOR SELECT TO hulan_app USING ({OF_OFFICERS})")
    for function, before, now in CHANGED:
        _redefine(function, now, before)
    op.execute("DROP FUNCTION keep_measurement(measurement_archive)")
    op.execute("DROP FUNCTION divisions_overseen()")
    # An entry that only told of another division is told as one of another place.
    op.execute(
        "ALTER TABLE distance_finding DISABLE TRIGGER record_stays;"
        "UPDATE distance_finding SET cause = 'distance' WHERE cause = 'division';"
        "ALTER TABLE distance_finding ENABLE TRIGGER record_stays;"
        "ALTER TABLE distance_finding DROP COLUMN division, DROP COLUMN walk_gate_id,"
        " DROP CONSTRAINT distance_finding_cause_check,"
        " ADD CONSTRAINT distance_finding_cause_check"
        " CHECK (cause IN ('first', 'rule', 'distance', 'papers', 'category', 'gone'))"
    )


def _redefine(function: str, before: str, now: str) -> None:
    connection = op.get_bind()
    definition = str(connection.exec_driver_sql(f"SELECT pg_get_functiondef('{function}'::regprocedure)").scalar_one())
    if before not in definition:
        raise RuntimeError(f"{function} is not what migration 0024 made: it must say {before!r}")
    connection.exec_driver_sql(definition.replace(before, now))
