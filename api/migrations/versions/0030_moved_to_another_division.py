"""A venue that is found to lie in another division: the one before is told so, and sees no old verdict as today's.

Officers see the findings of their division. The newest that they see is taken for what holds, so where a later one is
out of their sight an entry without a verdict stands before it.
"""

from alembic import op

revision = "0030"
down_revision = "0029"

CHECKED = """
ALTER TABLE distance_finding DROP CONSTRAINT distance_finding_cause_check, DROP CONSTRAINT distance_finding_check,
    ADD CONSTRAINT distance_finding_cause_check
        CHECK (cause IN ('first', 'rule', 'distance', 'papers', 'division', 'category', 'gone'{moved})),
    ADD CONSTRAINT distance_finding_check CHECK ((verdict IS NULL) = (cause IN ('gone'{moved})));
"""

TOLD = """
-- Where a venue changed its division before, and officers of the former do not see the newer one: they are told now, as
-- of right before that was found. A code that ends with 00 stands for all below it.
INSERT INTO distance_finding (run_no, venue_id, venue_name, site_id, site_name, campus_id, holds_from, recorded_at,
    cause, division)
SELECT run_no, venue_id, venue_name, site_id, site_name, campus_id, holds_from, recorded_at - interval '1 microsecond',
    'moved', before
FROM (
    SELECT f.*, lag(f.division) OVER pair AS before, lag(f.verdict) OVER pair AS verdict_before
    FROM distance_finding f LEFT JOIN venue v ON v.venue_id = f.venue_id
        LEFT JOIN venue top ON top.venue_no = v.current_no
    WINDOW pair AS (PARTITION BY coalesce(top.venue_id, f.venue_id), f.site_id, f.campus_id
        ORDER BY f.holds_from, f.recorded_at, f.finding_no)
) AS found
WHERE verdict_before IS NOT NULL AND division NOT LIKE
    CASE before WHEN '000000' THEN '' ELSE regexp_replace(before, '(00){1,2}$', '') END || '%'
    AND holds_from <= ((recorded_at - interval '1 microsecond') AT TIME ZONE 'Asia/Shanghai')::date
"""


def upgrade() -> None:
    """Let an entry say so, and add those that were missing."""
    op.execute(CHECKED.format(moved=", 'moved'"))
    op.execute(TOLD)


def downgrade() -> None:
    """Tell them as before of what is gone."""
    op.execute(
        "ALTER TABLE distance_finding DISABLE TRIGGER record_stays;"
        "UPDATE distance_finding SET cause = 'gone' WHERE cause = 'moved';"
        "ALTER TABLE distance_finding ENABLE TRIGGER record_stays;"
    )
    op.execute(CHECKED.format(moved=""))
