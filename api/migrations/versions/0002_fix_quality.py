"""What is doubtful about a fix: flags found at intake beside it, flags found in sequence in a table of their own.

The numbers are those of ``tracking.quality.FixFlag``, written out: a migration does not change with the program.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

INTAKE = """
ALTER TABLE fix ADD COLUMN flags integer NOT NULL DEFAULT 0;
UPDATE fix SET flags = (CASE WHEN is_accuracy_assumed THEN 1 ELSE 0 END)
    | (CASE WHEN accuracy_m > 10000 THEN 2 ELSE 0 END)
    | (CASE WHEN fixed_at > received_at THEN 16 ELSE 0 END)
    | (CASE WHEN is_mock THEN 32 ELSE 0 END)
WHERE is_accuracy_assumed OR accuracy_m > 10000 OR fixed_at > received_at OR is_mock;
"""

SEQUENCE = """
-- A result of evaluation and not of intake: a late fix may change it. Fixes without such a flag have no row.
CREATE TABLE fix_flag (
    subject_no bigint NOT NULL,
    fixed_at timestamptz NOT NULL,
    fix_key bigint NOT NULL,
    flags integer NOT NULL CHECK (flags <> 0),
    PRIMARY KEY (subject_no, fixed_at, fix_key)
);
"""


def upgrade() -> None:
    """Add both; what older rows say of themselves is flagged."""
    op.execute(INTAKE)
    op.execute(SEQUENCE)


def downgrade() -> None:
    """Remove both."""
    op.execute("DROP TABLE fix_flag")
    op.execute("ALTER TABLE fix DROP COLUMN flags")
