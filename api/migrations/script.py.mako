"""${message}."""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Apply."""
    op.execute("")


def downgrade() -> None:
    """Undo."""
    op.execute("")
