"""The register of venues: records that never change, decisions that are only added to, and one zone for each place.

A row of ``venue`` stays what one register knows under one key, with its id, its zone and its incidents. Decisions say
which rows are one place: ``current_no`` is the row that stands for it.
"""

from alembic import op

revision = "0023"
down_revision = "0022"

TABLES = """
CREATE TABLE venue_source_record (
    record_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id uuid NOT NULL UNIQUE,
    source text NOT NULL,
    source_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('business_registration', 'poi', 'tobacco_licence', 'culture_licence', 'police')),
    content jsonb NOT NULL,
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    longitude double precision,
    latitude double precision,
    imported_at timestamptz NOT NULL,
    imported_by text NOT NULL,
    CHECK ((longitude IS NULL) = (latitude IS NULL)),
    FOREIGN KEY (source, source_id) REFERENCES venue (source, source_id)
);
CREATE INDEX venue_source_record_key ON venue_source_record (source, source_id);
COMMENT ON COLUMN venue_source_record.content IS
    'every field as sent but telephone numbers; longitude and latitude beside it are WGS-84';

CREATE TABLE venue_link (
    link_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    link_id uuid NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('merge', 'split', 'confirm', 'refuse')),
    left_no bigint REFERENCES venue_source_record,
    right_no bigint REFERENCES venue_source_record,
    kept_no bigint REFERENCES venue,
    absorbed_no bigint REFERENCES venue,
    undone_no bigint REFERENCES venue_link,
    probability double precision CHECK (probability BETWEEN 0 AND 1),
    decided_by text NOT NULL CHECK (decided_by <> ''),
    at timestamptz NOT NULL,
    reason text NOT NULL DEFAULT '',
    CHECK ((kind = 'split') = (undone_no IS NOT NULL) AND (kind = 'split') = (left_no IS NULL)),
    CHECK ((kind = 'merge') = (kept_no IS NOT NULL) AND (kind = 'merge') = (absorbed_no IS NOT NULL)
        AND (kind = 'merge') = (probability IS NOT NULL)),
    CHECK (kind = 'split' OR left_no <> right_no),
    CHECK (kind = 'merge' OR split_part(decided_by, ':', 1) <> 'machine')
);
CREATE INDEX venue_link_left ON venue_link (left_no);
CREATE INDEX venue_link_right ON venue_link (right_no);
CREATE UNIQUE INDEX venue_link_undone ON venue_link (undone_no);
COMMENT ON TABLE venue_link IS 'decisions, never changed: venues.links.follow says what they come to';

CREATE TABLE venue_review (
    review_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    review_id uuid NOT NULL UNIQUE,
    left_no bigint NOT NULL REFERENCES venue_source_record,
    right_no bigint NOT NULL REFERENCES venue_source_record,
    probability double precision NOT NULL CHECK (probability BETWEEN 0 AND 1),
    doubt text NOT NULL,
    prior_bits double precision NOT NULL,
    weights jsonb NOT NULL,
    model_version text NOT NULL,
    proposed_at timestamptz NOT NULL,
    superseded_at timestamptz
);
CREATE UNIQUE INDEX venue_review_current ON venue_review (left_no, right_no) WHERE superseded_at IS NULL;
COMMENT ON TABLE venue_review IS 'questions; open while the two are two places and nobody refused to make them one';

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
REVOKE ALL ON FUNCTION refuse_change() FROM PUBLIC;
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON venue_source_record
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON venue_link
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

VENUES = """
ALTER TABLE venue ALTER COLUMN category DROP NOT NULL, ALTER COLUMN geometry DROP NOT NULL,
    ALTER COLUMN raw_geometry DROP NOT NULL, ALTER COLUMN datum DROP NOT NULL,
    ADD COLUMN record_no bigint REFERENCES venue_source_record,
    ADD COLUMN current_no bigint REFERENCES venue,
    ADD COLUMN merge_no bigint UNIQUE REFERENCES venue_link,
    ADD COLUMN is_watched boolean NOT NULL DEFAULT false,
    ADD COLUMN is_other_trade boolean NOT NULL DEFAULT false,
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN premises text NOT NULL DEFAULT '';
UPDATE venue SET current_no = venue_no;
ALTER TABLE venue ALTER COLUMN current_no SET NOT NULL;
CREATE INDEX venue_current ON venue (current_no);
CREATE INDEX venue_premises ON venue (premises) WHERE premises <> '';
COMMENT ON COLUMN venue.current_no IS 'the row that stands for the place; its own number if no merge took it';
COMMENT ON COLUMN venue.merge_no IS 'the merge that stands and absorbed this row';
COMMENT ON COLUMN venue.is_watched IS 'its zone is in force: for its place and category, or an order names it';
CREATE TABLE venue_phone (
    venue_no bigint NOT NULL REFERENCES venue,
    phone_index bytea NOT NULL CHECK (octet_length(phone_index) = 32),
    PRIMARY KEY (venue_no, phone_index)
);
COMMENT ON TABLE venue_phone IS
    'by what equal telephone numbers of venues are found: keyed hashes, the numbers themselves are not kept';
COMMENT ON COLUMN venue.is_other_trade IS 'no category because the mapping knows its trade, and it is none of ours';
COMMENT ON COLUMN venue.withdrawn_at IS 'since when the register no longer has it';
COMMENT ON COLUMN venue.premises IS 'venues.address.premises_key; empty for rows not imported since 0023';

CREATE FUNCTION stand_for_oneself() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    NEW.current_no := coalesce(NEW.current_no, NEW.venue_no);
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION stand_for_oneself() FROM PUBLIC;
CREATE TRIGGER stand_for_oneself BEFORE INSERT ON venue FOR EACH ROW EXECUTE FUNCTION stand_for_oneself();
"""

# Hash and id as venues.source_record computes them, of what is known of a row that came before there were records.
FORMER = """
WITH said AS (
    SELECT v.*, (SELECT jsonb_object_agg(f.field, f.value) FROM (VALUES ('name', v.name),
        ('address', nullif(v.address, '')), ('category', v.category), ('datum', v.datum),
        ('geometry', ST_AsText(v.raw_geometry, 17))) AS f (field, value) WHERE f.value IS NOT NULL) AS sent
    FROM venue v
), hashed AS (
    SELECT s.*, sha256(convert_to('["poi",' || to_json(s.source) || ',' || to_json(s.source_id) || ',[' || (
        SELECT string_agg('[' || to_json(p.key) || ',' || to_json(p.value) || ']', ',' ORDER BY p.key COLLATE "C")
        FROM jsonb_each_text(s.sent) AS p) || ']]', 'UTF8')) AS hash
    FROM said s
)
INSERT INTO venue_source_record (record_id, source, source_id, kind, content, content_hash, longitude, latitude,
    imported_at, imported_by)
SELECT encode(set_byte(set_byte(substr(hash, 1, 16), 6, get_byte(hash, 6) & 15 | 128), 8, get_byte(hash, 8) & 63 | 128),
        'hex')::uuid, source, source_id, 'poi', sent, hash, ST_X(ST_PointOnSurface(geometry)),
    ST_Y(ST_PointOnSurface(geometry)), imported_at, 'migration:0023'
FROM hashed;
UPDATE venue v SET record_no = r.record_no FROM venue_source_record r
WHERE r.source = v.source AND r.source_id = v.source_id;
UPDATE venue v SET is_watched = true
WHERE EXISTS (SELECT FROM zone z WHERE z.zone_id = v.venue_id AND z.superseded_at IS NULL);
"""

ZONES = """
ALTER TABLE zone ADD COLUMN withdrawn_at timestamptz;
COMMENT ON COLUMN zone.withdrawn_at IS 'from then on nothing governs in its place, until a later version does';
CREATE OR REPLACE VIEW zone_in_force AS
SELECT zone_no, zone_id, min(zone_no) OVER (PARTITION BY zone_id) AS first_no, valid_from AS in_force_from,
       least(withdrawn_at,
             coalesce(min(valid_from) OVER (PARTITION BY zone_id ORDER BY version
                                            ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
                      superseded_at)) AS in_force_to
FROM zone;
ALTER VIEW zone_in_force SET (security_invoker = true);
"""

FORMER_VIEW = """
CREATE OR REPLACE VIEW zone_in_force AS
SELECT zone_no, zone_id, min(zone_no) OVER (PARTITION BY zone_id) AS first_no, valid_from AS in_force_from,
       coalesce(min(valid_from) OVER (PARTITION BY zone_id ORDER BY version
                                      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
                superseded_at) AS in_force_to
FROM zone;
ALTER VIEW zone_in_force SET (security_invoker = true);
"""

SETTLING = """
-- What decisions and imports come to: which row stands for each place, and whose zone. Of the rows of a place with one
-- category one is watched: an outline rather than a point, then by register, then the oldest. No category is lost, and
-- a zone that an order names is never withdrawn: only the order lifts its ban.
CREATE FUNCTION settle_venues(touched bigint[], moment timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    members bigint[] := ARRAY(SELECT m.venue_no FROM venue m WHERE m.current_no IN (
        SELECT current_no FROM venue WHERE venue_no = ANY (touched)));
    moved uuid[];
BEGIN
    WITH RECURSIVE climb AS (
        SELECT venue_no AS start, venue_no AS here FROM venue WHERE venue_no = ANY (members)
        UNION ALL
        SELECT c.start, l.kept_no FROM climb c JOIN venue v ON v.venue_no = c.here
            JOIN venue_link l ON l.link_no = v.merge_no
    )
    UPDATE venue v SET current_no = c.here FROM climb c JOIN venue top ON top.venue_no = c.here
    WHERE c.start = v.venue_no AND top.merge_no IS NULL AND v.current_no <> c.here;
    WITH ranked AS (
        SELECT v.venue_no, EXISTS (SELECT FROM condition c JOIN zone z USING (zone_id) WHERE c.zone_id = v.venue_id)
            OR known.may AND row_number() OVER (PARTITION BY v.current_no, v.category
            ORDER BY known.may DESC, ST_Dimension(v.geometry) DESC NULLS LAST, array_position(
                ARRAY['police', 'poi', 'culture_licence', 'tobacco_licence', 'business_registration'], r.kind),
                v.venue_no) = 1 AS is_kept
        FROM venue v LEFT JOIN venue_source_record r ON r.record_no = v.record_no
            CROSS JOIN LATERAL (SELECT v.withdrawn_at IS NULL AND v.geometry IS NOT NULL AND v.category IS NOT NULL
                AND EXISTS (SELECT FROM zone z WHERE z.zone_id = v.venue_id) AS may) AS known
        WHERE v.venue_no = ANY (members)
    )
    UPDATE venue v SET is_watched = ranked.is_kept FROM ranked
    WHERE ranked.venue_no = v.venue_no AND v.is_watched <> ranked.is_kept;
    WITH withdrawn AS (
        UPDATE zone z SET superseded_at = moment, withdrawn_at = moment FROM venue v
        WHERE v.venue_no = ANY (members) AND NOT v.is_watched AND z.zone_id = v.venue_id AND z.superseded_at IS NULL
        RETURNING z.zone_id
    ), again AS (
        INSERT INTO zone (zone_id, version, kind, origin, source, source_id, name, category, geometry, radius_m,
            created_at, valid_from)
        SELECT z.zone_id, z.version + 1, z.kind, z.origin, z.source, z.source_id, z.name, z.category, z.geometry,
            z.radius_m, moment, moment
        FROM venue v JOIN zone z ON z.zone_id = v.venue_id
        WHERE v.venue_no = ANY (members) AND v.is_watched AND z.withdrawn_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM zone later WHERE later.zone_id = z.zone_id AND later.version > z.version)
        RETURNING zone_id
    )
    SELECT array_agg(zone_id) INTO moved FROM (SELECT zone_id FROM withdrawn UNION SELECT zone_id FROM again) AS zones;
    -- Fixes of before COMMIT were weighed by the zones of before. Half a degree is farther than any fix can be.
    INSERT INTO reevaluation (shard, since, west, south, east, north, reason, created_at)
    SELECT s.shard, moment, box.west - 0.5, box.south - 0.5, box.east + 0.5, box.north + 0.5, 'zone', moment
    FROM shard s CROSS JOIN (SELECT min(ST_XMin(geometry)) AS west, min(ST_YMin(geometry)) AS south,
        max(ST_XMax(geometry)) AS east, max(ST_YMax(geometry)) AS north FROM zone WHERE zone_id = ANY (moved)) AS box
    WHERE box.west IS NOT NULL AND EXISTS (SELECT FROM subject WHERE subject.shard = s.shard);
END $$;
REVOKE ALL ON FUNCTION settle_venues(bigint[], timestamptz) FROM PUBLIC;
"""

DECIDING = """
-- A decision of an officer on two records, or to undo a merge. venues.links makes it and says what it means; this sees
-- to it that the caller may, that the venues still are as the caller saw them, and that decision and effect are one.
CREATE FUNCTION decide_link(asked venue_link) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    one bigint;
    other bigint;
    touched bigint[];
    number bigint;
BEGIN
    IF NOT (current_account_has('police') OR current_account_has('supervisor')) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('venue_link'));
    IF asked.kind = 'split' THEN
        SELECT array_agg(venue_no) INTO touched FROM venue WHERE merge_no = asked.undone_no;
    ELSE
        SELECT current_no INTO one FROM venue JOIN venue_source_record r USING (source, source_id)
        WHERE r.record_no = asked.left_no;
        SELECT current_no INTO other FROM venue JOIN venue_source_record r USING (source, source_id)
        WHERE r.record_no = asked.right_no;
        IF one IS NOT NULL AND other IS NOT NULL AND (asked.kind = 'confirm') = (one = other) AND (asked.kind <> 'merge'
            OR (asked.kept_no, asked.absorbed_no) IN ((one, other), (other, one)))
        THEN
            touched := ARRAY[one, other];
        END IF;
    END IF;
    IF touched IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO venue_link (link_id, kind, left_no, right_no, kept_no, absorbed_no, undone_no, probability, decided_by,
        at, reason)
    VALUES (asked.link_id, asked.kind, asked.left_no, asked.right_no, asked.kept_no, asked.absorbed_no,
        asked.undone_no, asked.probability,
        (SELECT 'account:' || account_id FROM account WHERE account_no = current_account_no()), now(),
        coalesce(asked.reason, ''))
    RETURNING link_no INTO number;
    IF asked.kind = 'merge' THEN
        UPDATE venue SET merge_no = number WHERE venue_no = asked.absorbed_no;
    ELSIF asked.kind = 'split' THEN
        UPDATE venue SET merge_no = NULL WHERE merge_no = asked.undone_no;
    END IF;
    PERFORM settle_venues(touched, now());
    RETURN asked.link_id;
END $$;
REVOKE ALL ON FUNCTION decide_link(venue_link) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION decide_link(venue_link) TO hulan_app;
"""

OPEN = ("venue_source_record", "venue_link", "venue_review")
"""Places, not people: read by every account, written by the owner's commands and by ``decide_link``."""


def upgrade() -> None:
    """Create the register; every venue that is there becomes a record and keeps its id, zone and incidents."""
    for statements in (TABLES, VENUES, FORMER, ZONES, SETTLING, DECIDING):
        op.execute(statements)
    for table in OPEN:
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")
    op.execute("SELECT audit_protect('venue_link', '')")


def downgrade() -> None:
    """One row, one place again, as it was before there were decisions; rows that had no position or category go."""
    op.execute(
        "UPDATE venue SET merge_no = NULL;"
        " SELECT settle_venues(array_agg(venue_no), now()) FROM venue WHERE current_no <> venue_no"
    )
    op.execute(FORMER_VIEW)
    op.execute("ALTER TABLE zone DROP COLUMN withdrawn_at")
    op.execute("DROP FUNCTION decide_link(venue_link)")
    op.execute("DROP FUNCTION settle_venues(bigint[], timestamptz)")
    op.execute("DROP TRIGGER stand_for_oneself ON venue; DROP FUNCTION stand_for_oneself()")
    op.execute(
        "ALTER TABLE venue DROP COLUMN record_no, DROP COLUMN current_no, DROP COLUMN merge_no,"
        " DROP COLUMN is_watched, DROP COLUMN is_other_trade, DROP COLUMN withdrawn_at, DROP COLUMN premises"
    )
    op.execute("DROP TABLE venue_phone, venue_review, venue_link, venue_source_record")
    op.execute("DROP FUNCTION refuse_change()")
    lacking = "category IS NULL OR geometry IS NULL"
    op.execute(f"DELETE FROM venue_incident WHERE venue_no IN (SELECT venue_no FROM venue WHERE {lacking})")
    op.execute(f"DELETE FROM venue WHERE {lacking}")
    op.execute(
        "ALTER TABLE venue ALTER COLUMN category SET NOT NULL, ALTER COLUMN geometry SET NOT NULL,"
        " ALTER COLUMN raw_geometry SET NOT NULL, ALTER COLUMN datum SET NOT NULL"
    )
