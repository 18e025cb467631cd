"""Functions that anyone could call and nobody but their owner needs: forging the audit, reading PostGIS's statistics.

A trigger function's right is asked for when a trigger is made, never when it fires: the audit's own triggers go on.
"""

from alembic import op

from api.database import CLOSE_STATISTICS

revision = "0013"
down_revision = "0012"

TRIGGER_FUNCTIONS = ("audit_rows", "audit_refuse", "bump_rule_version", "refuse_other_number")
"""With the first, on a table of one's own that is named like an audited one, entries of its rows could be forged."""


ORACLES = ("look_needs_approval(look)", "subjects_of_jurisdiction()")
"""Functions that only the owner's own functions call. The first, asked about any subject at many instants, tells the
day of birth; the second tells an officer how many cases there are beside their own."""


def upgrade() -> None:
    """Take them away from everybody, and what only the owner's functions need from the application's role."""
    for function in ORACLES:
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC, hulan_app")
    for name in TRIGGER_FUNCTIONS:
        op.execute(f"REVOKE ALL ON FUNCTION {name}() FROM PUBLIC")
    op.execute(CLOSE_STATISTICS)


def downgrade() -> None:
    """Give the trigger functions back. PostGIS's stay closed: that they were open was never ours."""
    for name in TRIGGER_FUNCTIONS:
        op.execute(f"GRANT EXECUTE ON FUNCTION {name}() TO PUBLIC")
    for function in ORACLES:
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO hulan_app")
