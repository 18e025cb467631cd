"""Schools that are gone, and the days as of which the files of schools and gates speak."""

from alembic import op

revision = "0032"
down_revision = "0031"

COLUMNS = """
ALTER TABLE site ADD COLUMN data_on date, ADD COLUMN withdrawn_at timestamptz;
COMMENT ON COLUMN site.data_on IS 'the last day as of which a file says what the row says, or that it is gone';
COMMENT ON COLUMN site.withdrawn_at IS 'since when the register no longer has it';
ALTER TABLE site_gate ADD COLUMN data_on date, ADD COLUMN gone_on date,
    ADD CHECK (gone_on IS NULL OR superseded_at IS NOT NULL);
COMMENT ON COLUMN site_gate.data_on IS 'the last day as of which a file is known to say what the version says';
COMMENT ON COLUMN site_gate.gone_on IS 'the day as of which the file speaks that has the gate no longer';
"""

VERSIONS = """
CREATE OR REPLACE FUNCTION gate_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.superseded_at IS NULL AND {allowed}
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% of site_gate is refused: a version of a gate stays as it was', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""

ONLY_SUPERSEDED = """NEW.superseded_at IS NOT NULL
            AND to_jsonb(NEW) - 'superseded_at' = to_jsonb(OLD) - 'superseded_at'"""

OR_SEEN_AGAIN = """(NEW.superseded_at IS NOT NULL
            AND to_jsonb(NEW) - '{superseded_at,gone_on}'::text[] = to_jsonb(OLD) - '{superseded_at,gone_on}'::text[]
            OR NEW.data_on > coalesce(OLD.data_on, '-infinity')
            AND to_jsonb(NEW) - 'data_on' = to_jsonb(OLD) - 'data_on')"""
"""A later file may say the same of a gate as its version does."""


def upgrade() -> None:
    """Add the columns; of what was imported before no day is known."""
    op.execute(COLUMNS)
    op.execute(VERSIONS.replace("{allowed}", OR_SEEN_AGAIN))


def downgrade() -> None:
    """Drop them: schools that are gone come back, with no zone until their file is imported again."""
    op.execute(VERSIONS.replace("{allowed}", ONLY_SUPERSEDED))
    op.execute("ALTER TABLE site_gate DROP COLUMN data_on, DROP COLUMN gone_on")
    op.execute("ALTER TABLE site DROP COLUMN data_on, DROP COLUMN withdrawn_at")
