"""Doors of venues, what officers saw on site, venues inside others, and the day as of which a register speaks."""

from alembic import op

revision = "0025"
down_revision = "0024"

DOORS = """
-- Doors as imported. One that names no venue belongs to the one in whose wall it is.
CREATE TABLE venue_door (
    door_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text NOT NULL,
    source_id text NOT NULL,
    venue_source text,
    venue_source_id text,
    kind text NOT NULL CHECK (kind IN ('customers', 'service', 'closed')),
    is_main boolean NOT NULL,
    valid_from date,
    valid_to date,
    error_m double precision CHECK (error_m >= 0),
    geometry geometry(Point, 4326) NOT NULL,
    raw_geometry geometry NOT NULL,
    datum text NOT NULL,
    data_on date,
    imported_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    UNIQUE (source, source_id),
    CHECK ((venue_source IS NULL) = (venue_source_id IS NULL)),
    CHECK (valid_from <= valid_to)
);
CREATE INDEX venue_door_venue ON venue_door (venue_source, venue_source_id);
CREATE INDEX venue_door_in_a_wall ON venue_door USING gist (geometry) WHERE venue_source IS NULL;
COMMENT ON COLUMN venue_door.valid_from IS 'known to be there from this day; null: not known since when';
COMMENT ON COLUMN venue_door.withdrawn_at IS 'since when the file no longer has it';
"""

OBSERVATIONS = """
-- What an officer saw a venue to be, on site. The last one of a place counts, by the day of the visit.
CREATE TABLE venue_observation (
    observation_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    observation_id uuid NOT NULL UNIQUE,
    venue_no bigint NOT NULL REFERENCES venue,
    category text,
    remark text NOT NULL CHECK (remark <> ''),
    observed_on date NOT NULL,
    observed_by text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX venue_observation_venue ON venue_observation (venue_no);
COMMENT ON COLUMN venue_observation.category IS 'null: nothing else than it is registered as';
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON venue_observation
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION observe_venue(asked venue_observation) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    added uuid;
BEGIN
    IF NOT (current_account_has('police') OR current_account_has('supervisor') OR current_account_has('prosecutor')
        OR current_account_has('leader'))
    THEN
        RETURN NULL;
    END IF;
    INSERT INTO venue_observation (observation_id, venue_no, category, remark, observed_on, observed_by, at)
    SELECT asked.observation_id, v.venue_no, asked.category, asked.remark, asked.observed_on,
        'account:' || a.account_id, now()
    FROM venue v, account a WHERE v.venue_no = asked.venue_no AND a.account_no = current_account_no()
    RETURNING observation_id INTO added;
    RETURN added;
END $$;
REVOKE ALL ON FUNCTION observe_venue(venue_observation) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION observe_venue(venue_observation) TO hulan_app;
"""

VENUES = """
ALTER TABLE venue ADD COLUMN data_on date, ADD COLUMN host_source text, ADD COLUMN host_source_id text,
    ADD CHECK ((host_source IS NULL) = (host_source_id IS NULL));
CREATE INDEX venue_host ON venue (host_source, host_source_id) WHERE host_source IS NOT NULL;
COMMENT ON COLUMN venue.data_on IS 'the last day as of which the register is known to say what its record says';
COMMENT ON COLUMN venue.host_source IS 'the venue that this one is inside of, as its register names it';
ALTER TABLE venue_source_record ADD COLUMN data_on date;
COMMENT ON COLUMN venue_source_record.data_on IS 'the day as of which the file speaks that brought this version first';
"""


def upgrade() -> None:
    """Create the tables; what was imported before has no day of its data."""
    for statements in (DOORS, OBSERVATIONS, VENUES):
        op.execute(statements)
    for table in ("venue_door", "venue_observation"):
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")
    op.execute("SELECT audit_protect('venue_observation', 'remark')")


def downgrade() -> None:
    """Drop them: whoever goes down exports what officers saw first."""
    op.execute("ALTER TABLE venue_source_record DROP COLUMN data_on")
    op.execute("ALTER TABLE venue DROP COLUMN data_on, DROP COLUMN host_source, DROP COLUMN host_source_id")
    op.execute("DROP FUNCTION observe_venue(venue_observation)")
    op.execute("DROP TABLE venue_observation, venue_door")
