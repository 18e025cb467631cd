"""Venues inside others, placed after every decision too: by all rows of the place around them, and back again."""

from alembic import op

revision = "0031"
down_revision = "0030"

OWN_PLACE = """
ALTER TABLE venue ADD COLUMN own_geometry geometry(Geometry, 4326), ADD COLUMN own_raw_geometry geometry,
    ADD COLUMN own_datum text;
COMMENT ON COLUMN venue.own_geometry IS
    'of a venue inside another one: where its register says that it is; geometry is what place_inside made of both';
-- What the outline of another venue took the place of is known as a point.
UPDATE venue i SET own_geometry = i.geometry, own_raw_geometry = i.raw_geometry, own_datum = i.datum
FROM venue_source_record r WHERE r.record_no = i.record_no AND i.host_source IS NOT NULL AND r.longitude IS NOT NULL
    AND NOT EXISTS (SELECT FROM venue host WHERE host.source = i.host_source AND host.source_id = i.host_source_id
        AND host.geometry = i.geometry);
UPDATE venue i SET own_geometry = ST_SetSRID(ST_MakePoint(r.longitude, r.latitude), 4326),
    own_raw_geometry = ST_MakePoint(r.longitude, r.latitude), own_datum = 'WGS84'
FROM venue_source_record r WHERE r.record_no = i.record_no AND i.host_source IS NOT NULL AND r.longitude IS NOT NULL
    AND i.own_geometry IS NULL;
"""

WATCHABLE = (
    "(ST_Dimension({0}) = 2 AND ST_IsValid({0}) AND ST_Area(ST_ConvexHull({0})) >= 1e-10"
    " AND ST_YMin({0}) >= -85 AND ST_YMax({0}) <= 85)"
)
"""As ``geo.shapes.check_shape`` has it."""

PLACING = f"""
-- Where venues are that are inside others, and the zone of each: for what `touched` has of both. Of the places around
-- it, all rows of each, the outermost outline counts; else its own place; else the nearest point. Zones govern from
-- `governs_from` on. Returns the rows that changed: the caller settles them.
CREATE FUNCTION place_inside(touched bigint[], moment timestamptz, governs_from timestamptz) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    inside bigint[];
    moved bigint[];
    redrawn bigint[];
BEGIN
    WITH RECURSIVE below AS (
        SELECT current_no AS place FROM venue WHERE venue_no = ANY (touched)
        UNION
        SELECT i.current_no FROM below b JOIN venue host ON host.current_no = b.place
            JOIN venue i ON i.host_source = host.source AND i.host_source_id = host.source_id
    )
    SELECT array_agg(v.venue_no) INTO inside FROM below b JOIN venue v ON v.current_no = b.place
    WHERE v.host_source IS NOT NULL AND v.withdrawn_at IS NULL;
    IF inside IS NULL THEN
        RETURN;
    END IF;
    WITH RECURSIVE climb AS (
        SELECT i.venue_no AS start, host.current_no AS place, 1 AS steps, ARRAY[host.current_no] AS way
        FROM venue i JOIN venue host ON host.source = i.host_source AND host.source_id = i.host_source_id
        WHERE i.venue_no = ANY (inside)
        UNION ALL
        SELECT c.start, up.current_no, c.steps + 1, c.way || up.current_no
        FROM climb c JOIN venue m ON m.current_no = c.place
            JOIN venue up ON up.source = m.host_source AND up.source_id = m.host_source_id
        WHERE up.current_no <> ALL (c.way)
    ), around AS (
        SELECT c.start, c.steps, m.venue_no, m.withdrawn_at IS NOT NULL AS is_gone, own.*
        FROM climb c JOIN venue m ON m.current_no = c.place CROSS JOIN LATERAL (
            SELECT m.geometry AS shape, m.raw_geometry AS raw, m.datum WHERE m.host_source IS NULL
            UNION ALL
            SELECT m.own_geometry, m.own_raw_geometry, m.own_datum WHERE m.host_source IS NOT NULL) AS own
        WHERE own.shape IS NOT NULL
    ), known AS (
        SELECT start, shape, raw, datum, 1 AS rank, -steps AS far, is_gone, venue_no FROM around
        WHERE {WATCHABLE.format("shape")}
        UNION ALL
        SELECT venue_no, own_geometry, own_raw_geometry, own_datum, 2, 0, false, venue_no FROM venue
        WHERE venue_no = ANY (inside) AND own_geometry IS NOT NULL
        UNION ALL
        SELECT start, shape, raw, datum, 3, steps, is_gone, venue_no FROM around WHERE ST_Dimension(shape) = 0
    ), best AS (
        SELECT DISTINCT ON (start) * FROM known ORDER BY start, rank, far, is_gone, venue_no
    ), placed AS (
        UPDATE venue v SET geometry = best.shape, raw_geometry = best.raw, datum = best.datum
        FROM unnest(inside) AS asked (number) LEFT JOIN best ON best.start = asked.number
        WHERE v.venue_no = asked.number AND v.geometry IS DISTINCT FROM best.shape
        RETURNING v.venue_no
    )
    SELECT array_agg(venue_no) INTO moved FROM placed;
    SELECT array_agg(v.venue_no) INTO redrawn
    FROM venue v LEFT JOIN LATERAL (SELECT * FROM zone WHERE zone_id = v.venue_id ORDER BY version DESC LIMIT 1) AS z
        ON true
    WHERE v.venue_no = ANY (inside) AND v.category IS NOT NULL
        AND (v.ended_on IS NULL OR v.ended_on >= (moment AT TIME ZONE 'Asia/Shanghai')::date)
        AND (ST_Dimension(v.geometry) = 0 OR {WATCHABLE.format("v.geometry")})
        AND (z.zone_no IS NULL OR z.category IS DISTINCT FROM v.category OR z.geometry IS DISTINCT FROM v.geometry);
    UPDATE zone z SET superseded_at = moment FROM venue v
    WHERE v.venue_no = ANY (redrawn) AND z.zone_id = v.venue_id AND z.superseded_at IS NULL;
    INSERT INTO zone (zone_id, version, kind, origin, source, source_id, name, category, geometry, radius_m, created_at,
        valid_from)
    SELECT v.venue_id, 1 + coalesce((SELECT max(version) FROM zone z WHERE z.zone_id = v.venue_id), 0), 'exclusion',
        'venue', 'venue:' || v.source, v.source_id, v.name, v.category, v.geometry,
        CASE WHEN ST_Dimension(v.geometry) = 0 THEN 35 END, moment, governs_from
    FROM venue v WHERE v.venue_no = ANY (redrawn) ORDER BY v.venue_no;
    UPDATE zone z SET name = v.name FROM venue v
    WHERE v.venue_no = ANY (inside) AND z.zone_id = v.venue_id AND z.superseded_at IS NULL AND z.name <> v.name;
    -- As settle_venues: half a degree is farther than any fix can be.
    INSERT INTO reevaluation (shard, since, west, south, east, north, reason, created_at)
    SELECT s.shard, governs_from, box.west - 0.5, box.south - 0.5, box.east + 0.5, box.north + 0.5, 'zone', moment
    FROM shard s CROSS JOIN (SELECT min(ST_XMin(z.geometry)) AS west, min(ST_YMin(z.geometry)) AS south,
        max(ST_XMax(z.geometry)) AS east, max(ST_YMax(z.geometry)) AS north
        FROM zone z JOIN venue v ON v.venue_id = z.zone_id WHERE v.venue_no = ANY (redrawn)) AS box
    WHERE box.west IS NOT NULL AND EXISTS (SELECT FROM subject WHERE subject.shard = s.shard);
    RETURN QUERY SELECT DISTINCT unnest(moved || redrawn);
END $$;
REVOKE ALL ON FUNCTION place_inside(bigint[], timestamptz, timestamptz) FROM PUBLIC;
"""

DECIDING = """
CREATE OR REPLACE FUNCTION decide_link(asked venue_link) RETURNS uuid
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
        {both_sides}
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
    PERFORM settle_venues(touched, now());{placing}
    RETURN asked.link_id;
END $$;
"""

BOTH_SIDES = (
    "SELECT ARRAY[v.venue_no, l.kept_no] INTO touched FROM venue v JOIN venue_link l ON l.link_no = v.merge_no"
    "\n        WHERE v.merge_no = asked.undone_no;"
)
ONE_SIDE = "SELECT array_agg(venue_no) INTO touched FROM venue WHERE merge_no = asked.undone_no;"
PLACED = """
    touched := ARRAY(SELECT place_inside(touched, now(), now()));
    IF touched <> '{}' THEN
        PERFORM settle_venues(touched, now());
    END IF;"""


def upgrade() -> None:
    """Keep what a register says of where a venue inside another one is."""
    op.execute(OWN_PLACE)
    op.execute(PLACING)
    op.execute(DECIDING.format(both_sides=BOTH_SIDES, placing=PLACED))


def downgrade() -> None:
    """Decisions place nothing again; what is placed stays as it is until the next import."""
    op.execute(DECIDING.format(both_sides=ONE_SIDE, placing=""))
    op.execute("DROP FUNCTION place_inside(bigint[], timestamptz, timestamptz)")
    op.execute("ALTER TABLE venue DROP COLUMN own_geometry, DROP COLUMN own_raw_geometry, DROP COLUMN own_datum")
