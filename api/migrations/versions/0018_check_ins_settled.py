"""Check-ins settle by their times and are judged by their place; who may not meet is watched, for the prosecutor only.

That two people met is told to the prosecutors of the case and to no other account, nor what was decided about it.
"""

from alembic import op

revision = "0018"
down_revision = "0017"

CHECK_INS = """
ALTER TABLE check_in
    ADD COLUMN grace_until timestamptz CHECK (grace_until >= due_at),
    ADD COLUMN judged_at timestamptz,
    ADD COLUMN place_probability double precision CHECK (place_probability BETWEEN 0 AND 1);
COMMENT ON COLUMN check_in.grace_until IS 'a later answer is a miss, made up or not; NULL: when it is due';
COMMENT ON COLUMN check_in.judged_at IS 'when it was asked whether the answer came from its place, if it has one';
COMMENT ON COLUMN check_in.is_at_place IS 'NULL: it has no place, is not judged yet, or no fix like that can tell';
UPDATE check_in SET judged_at = answered_at;
UPDATE check_in k SET grace_until = k.due_at
    + make_interval(secs => 60 * coalesce((c.parameters ->> 'grace_minutes')::double precision, 15))
FROM condition c WHERE c.condition_no = k.condition_no AND k.kind = 'planned';
ALTER TABLE check_in DROP CONSTRAINT check_in_state_check, ADD CONSTRAINT check_in_state_check
    CHECK (state IN ('planned', 'open', 'answered', 'late', 'missed', 'absent', 'withdrawn'));
CREATE INDEX check_in_to_make_up ON check_in (make_up_until) WHERE state = 'missed';
CREATE INDEX check_in_to_judge ON check_in (subject_no) WHERE answered_at IS NOT NULL AND judged_at IS NULL;
"""

CHECK_INS_BEFORE = """
UPDATE check_in SET state = 'missed' WHERE state = 'absent';
ALTER TABLE check_in DROP CONSTRAINT check_in_state_check, ADD CONSTRAINT check_in_state_check
    CHECK (state IN ('planned', 'open', 'answered', 'late', 'missed', 'withdrawn'));
DROP INDEX check_in_to_make_up, check_in_to_judge;
ALTER TABLE check_in DROP COLUMN grace_until, DROP COLUMN judged_at, DROP COLUMN place_probability;
"""

CONTACTS = """
-- How far the log of the two was compared under a condition (by condition_id), and when they were found together.
CREATE TABLE contact_watch (
    condition_id uuid PRIMARY KEY,
    condition_no bigint NOT NULL REFERENCES condition,
    subject_no bigint NOT NULL REFERENCES subject,
    seen pg_snapshot NOT NULL,
    met tstzmultirange NOT NULL
);
CREATE INDEX contact_watch_condition ON contact_watch (condition_no);
CREATE INDEX contact_watch_subject ON contact_watch (subject_no);
COMMENT ON COLUMN contact_watch.condition_no IS 'the newest version that was gone by';
COMMENT ON COLUMN contact_watch.met IS 'what is a finding already: a look at later fixes must not find it again';
"""

_SEALED = "subject_no IN (SELECT sealed_subjects())"
_TO_PROSECUTOR = "kind <> 'contact' OR (SELECT current_account_has('prosecutor'))"

# In the text of a function, as PostgreSQL keeps it.
_DECIDED = "WHERE finding_id = asked.finding_id FOR UPDATE"
_DECIDED_BY_PROSECUTOR = (
    "WHERE finding_id = asked.finding_id AND (kind <> ''contact'' OR current_account_has(''prosecutor'')) FOR UPDATE"
)


def upgrade() -> None:
    """Widen check-ins, create the watch, close what is the prosecutor's."""
    op.execute(CHECK_INS)
    op.execute("GRANT SELECT (grace_until) ON check_in TO hulan_gate")
    op.execute("GRANT UPDATE (judged_at, place_probability) ON check_in TO hulan_worker")
    op.execute(CONTACTS)
    op.execute("ALTER TABLE contact_watch ENABLE ROW LEVEL SECURITY")
    op.execute(
        "CREATE POLICY every_row_for_hulan_worker ON contact_watch TO hulan_worker USING (true) WITH CHECK (true)"
    )
    op.execute("GRANT SELECT, INSERT, UPDATE (condition_no, seen, met) ON contact_watch TO hulan_worker")
    op.execute("GRANT SELECT (subject_no), DELETE ON contact_watch TO hulan_shredder")
    op.execute(
        f"CREATE POLICY reach_of_hulan_shredder ON contact_watch TO hulan_shredder USING ({_SEALED})"
        f" WITH CHECK ({_SEALED})"
    )
    op.execute(
        f"CREATE POLICY contact_for_prosecutor ON finding AS RESTRICTIVE FOR ALL TO hulan_app USING ({_TO_PROSECUTOR})"
    )
    op.execute(
        "CREATE POLICY of_finding_shown ON decision AS RESTRICTIVE FOR ALL TO hulan_app USING (finding_id IS NULL"
        " OR EXISTS (SELECT FROM finding f WHERE f.finding_id = decision.finding_id))"
    )
    _rewrite("decide_found(decision)", _DECIDED, _DECIDED_BY_PROSECUTOR)


def downgrade() -> None:
    """As before; a check-in that was absent is missed, and what was judged is forgotten."""
    _rewrite("decide_found(decision)", _DECIDED_BY_PROSECUTOR, _DECIDED)
    op.execute("DROP POLICY of_finding_shown ON decision")
    op.execute("DROP POLICY contact_for_prosecutor ON finding")
    op.execute("DROP TABLE contact_watch")
    op.execute(CHECK_INS_BEFORE)


def _rewrite(function: str, old: str, new: str) -> None:
    """Replace words of a function that an earlier migration made; its rights stay."""
    op.execute(
        f"DO $do$ BEGIN EXECUTE replace(pg_get_functiondef('{function}'::regprocedure), '{old}', '{new}'); END $do$"
    )
