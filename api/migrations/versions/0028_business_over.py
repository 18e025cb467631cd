"""A business that was revoked or deregistered has no zone of its own from the day after."""

from alembic import op

revision = "0028"
down_revision = "0027"

COLUMN = """
ALTER TABLE venue ADD COLUMN ended_on date;
COMMENT ON COLUMN venue.ended_on IS 'last day of the business, by revocation or deregistration; not by mere expiry';
CREATE INDEX venue_ended ON venue (ended_on) WHERE ended_on IS NOT NULL AND is_watched;
"""

# As venues.calendar_day reads days. What is no day stays unknown until the register is imported again.
FILL = r"""
CREATE FUNCTION pg_temp.day_said(said text) RETURNS date LANGUAGE plpgsql AS $$
DECLARE
    parts text[] := regexp_match(btrim(said, E' \t\n\r\u3000'),
        '^(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))(?: 00:00(?::00)?)?$');
BEGIN
    IF parts IS NULL OR parts[1] = '9999' THEN
        RETURN NULL;
    END IF;
    RETURN make_date(parts[1]::int, coalesce(parts[2], parts[4])::int, coalesce(parts[3], parts[5])::int);
EXCEPTION WHEN datetime_field_overflow THEN
    RETURN NULL;
END $$;
UPDATE venue v SET ended_on = least(pg_temp.day_said(r.content->>'revoked_on'),
    pg_temp.day_said(r.content->>'deregistered_on'))
FROM venue_source_record r
WHERE r.record_no = v.record_no AND (r.content ? 'revoked_on' OR r.content ? 'deregistered_on');
DROP FUNCTION pg_temp.day_said(text);
"""

BEFORE = "SELECT v.withdrawn_at IS NULL AND v.geometry IS NOT NULL"
NOW = (
    "SELECT v.withdrawn_at IS NULL AND (v.ended_on IS NULL"
    " OR v.ended_on >= (moment AT TIME ZONE 'Asia/Shanghai')::date) AND v.geometry IS NOT NULL"
)
"""Who may have a zone, in ``settle_venues``."""

# Days pass without an import. Zones that an order names stay, as they do in settle_venues.
PASSING = """
CREATE FUNCTION settle_ended_venues() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    over bigint[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('venue_link'))
    THEN
        RETURN 0;
    END IF;
    over := ARRAY(SELECT v.venue_no FROM venue v
        WHERE v.is_watched AND v.ended_on < (now() AT TIME ZONE 'Asia/Shanghai')::date
            AND NOT EXISTS (SELECT FROM condition c WHERE c.zone_id = v.venue_id));
    IF over <> '{}' THEN
        PERFORM settle_venues(over, now());
    END IF;
    RETURN cardinality(over);
END $$;
REVOKE ALL ON FUNCTION settle_ended_venues() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION settle_ended_venues() TO hulan_worker;
"""


def upgrade() -> None:
    """Say of each venue whether its business is over; the worker withdraws the zones of those within the hour."""
    op.execute(COLUMN)
    op.get_bind().exec_driver_sql(FILL)
    _settle(BEFORE, NOW)
    op.execute(PASSING)


def downgrade() -> None:
    """Zones that were withdrawn come back; of what was over when it was imported, none was ever drawn."""
    op.execute("DROP FUNCTION settle_ended_venues()")
    _settle(NOW, BEFORE)
    op.execute("SELECT settle_venues(array_agg(venue_no), now()) FROM venue WHERE ended_on IS NOT NULL")
    op.execute("ALTER TABLE venue DROP COLUMN ended_on")


def _settle(before: str, now: str) -> None:
    connection = op.get_bind()
    query = "SELECT pg_get_functiondef('settle_venues(bigint[], timestamptz)'::regprocedure)"
    definition = str(connection.exec_driver_sql(query).scalar_one())
    if before not in definition:
        raise RuntimeError(f"settle_venues is not what migration 0023 made: it must say {before!r}")
    connection.exec_driver_sql(definition.replace(before, now))
