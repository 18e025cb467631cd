"""What is said of a register of venues once and for all: that it has no place twice."""

from alembic import op

revision = "0027"
down_revision = "0026"

TABLES = """
CREATE TABLE venue_register (
    source text PRIMARY KEY,
    has_no_doubles boolean NOT NULL,
    said_at timestamptz NOT NULL,
    said_by text NOT NULL
);
COMMENT ON TABLE venue_register IS 'of which registers somebody said whether they have a place twice';
"""


def upgrade() -> None:
    """Create the table; nothing was said yet."""
    op.execute(TABLES)


def downgrade() -> None:
    """Drop it: it has to be said with each resolving again."""
    op.execute("DROP TABLE venue_register")
