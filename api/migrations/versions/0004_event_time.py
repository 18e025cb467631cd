"""Rules in event time: when each version of a zone and of an order governs, and what is to be evaluated again."""

from alembic import op

revision = "0004"
down_revision = "0003"

COLUMNS = """
ALTER TABLE zone ADD COLUMN valid_from timestamptz;
UPDATE zone SET valid_from = created_at;
ALTER TABLE zone ALTER COLUMN valid_from SET NOT NULL;

ALTER TABLE supervision_order ADD COLUMN effective_from timestamptz, ADD COLUMN recorded_at timestamptz;
UPDATE supervision_order SET effective_from = valid_from, recorded_at = valid_from;
ALTER TABLE supervision_order ALTER COLUMN effective_from SET NOT NULL, ALTER COLUMN recorded_at SET NOT NULL;

CREATE INDEX condition_versions ON condition (condition_id);

ALTER TABLE episode ADD COLUMN is_crossing boolean NOT NULL DEFAULT false, ADD COLUMN undecidable_at timestamptz;
ALTER TABLE episode ALTER COLUMN is_crossing DROP DEFAULT;
"""

# A later version takes over from its start on, even where it reaches back before the start of one in between. The last
# one governs until it is withdrawn. See ADR 0013.
VIEWS = """
CREATE VIEW zone_in_force AS
SELECT zone_no, zone_id, min(zone_no) OVER (PARTITION BY zone_id) AS first_no, valid_from AS in_force_from,
       coalesce(min(valid_from) OVER (PARTITION BY zone_id ORDER BY version
                                      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
                superseded_at) AS in_force_to
FROM zone;

CREATE VIEW order_in_force AS
SELECT order_no, order_id, subject_no, version, greatest(valid_from, effective_from) AS in_force_from,
       least(valid_to, coalesce(min(effective_from) OVER (PARTITION BY subject_no, order_id ORDER BY version
                                                          ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
                                superseded_at)) AS in_force_to
FROM supervision_order;
"""

# Work for the holder of a shard: judge again from an instant on one subject, or (subject_no null) whoever was in a box.
WORK = """
CREATE TABLE reevaluation (
    item_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard smallint NOT NULL CHECK (shard BETWEEN 0 AND 63),
    subject_no bigint REFERENCES subject,
    since timestamptz NOT NULL,
    west double precision,
    south double precision,
    east double precision,
    north double precision,
    reason text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX reevaluation_shard ON reevaluation (shard, item_no);
"""


def upgrade() -> None:
    """Every version so far governs from when it was made, as it was applied."""
    for statements in (COLUMNS, VIEWS, WORK):
        op.execute(statements)


def downgrade() -> None:
    """Versions are known by being superseded only."""
    op.execute("DROP TABLE reevaluation")
    op.execute("DROP VIEW order_in_force")
    op.execute("DROP VIEW zone_in_force")
    op.execute("ALTER TABLE episode DROP COLUMN is_crossing, DROP COLUMN undecidable_at")
    op.execute("DROP INDEX condition_versions")
    op.execute("ALTER TABLE supervision_order DROP COLUMN effective_from, DROP COLUMN recorded_at")
    op.execute("ALTER TABLE zone DROP COLUMN valid_from")
