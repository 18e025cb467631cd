"""Orders as the law writes them, and the work on them: leaves, exemptions, findings, check-ins, tasks, decisions.

An order without a legal basis for locating the person governs no instant: nothing is tracked under it (invariant 8).
Of orders from before this migration residential surveillance has the basis of the statute itself (刑诉法 78); the
others stop to govern until an office enters theirs.
"""

from alembic import op

revision = "0015"
down_revision = "0014"

ORDERS = """
ALTER TABLE supervision_order
    ADD COLUMN stage text CHECK (stage IN ('police', 'procuratorate', 'court')),
    ADD COLUMN legal_basis text[] NOT NULL DEFAULT '{}',
    ADD COLUMN location_basis text CHECK (location_basis IN ('statute_78', 'consent', 'order_item')),
    ADD COLUMN consent jsonb,
    ADD COLUMN review_at timestamptz,
    ADD COLUMN lifted_at timestamptz,
    ADD COLUMN lifting_document text CHECK (lifting_document <> ''),
    ADD CHECK (location_basis IS DISTINCT FROM 'consent' OR consent IS NOT NULL),
    ADD CHECK (location_basis IS DISTINCT FROM 'statute_78' OR measure = 'residential_surveillance'),
    ADD CHECK (lifting_document IS NULL OR lifted_at IS NOT NULL);
COMMENT ON COLUMN supervision_order.stage IS 'the organ whose decision it is; a term is counted anew with each';
COMMENT ON COLUMN supervision_order.location_basis IS 'why the person may be located; without it nothing is governed';
COMMENT ON COLUMN supervision_order.consent IS '{"signed_at": instant, "document": text, "by": text}';
UPDATE supervision_order SET location_basis = 'statute_78' WHERE measure = 'residential_surveillance';

ALTER TABLE condition
    ADD COLUMN timetable jsonb,
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    ADD COLUMN reason_code text CHECK (reason_code <> ''),
    ADD COLUMN is_protected boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN condition.timetable IS 'a tracking.timetable.Timetable; NULL: at all times';
COMMENT ON COLUMN condition.is_protected IS 'its zone is of a protected person: no subject or guardian is told';
"""

# {ends}: the end of a version, which without a legal basis for locating the person is its beginning.
IN_FORCE = """
CREATE OR REPLACE VIEW order_in_force WITH (security_invoker = true) AS
SELECT order_no, order_id, subject_no, version, greatest(valid_from, effective_from) AS in_force_from,
       {ends} AS in_force_to
FROM supervision_order;

CREATE OR REPLACE VIEW order_times AS
SELECT subject_no, greatest(valid_from, effective_from) AS in_force_from,
       {ends} AS in_force_to
FROM supervision_order;
"""

ENDS = (
    "least(valid_to, coalesce(min(effective_from) OVER (PARTITION BY subject_no, order_id ORDER BY version"
    " ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING), superseded_at))"
)
ENDS_WITH_BASIS = f"CASE WHEN location_basis IS NULL THEN greatest(valid_from, effective_from) ELSE {ENDS} END"

ALLOWED = """
CREATE TABLE leave (
    leave_id uuid PRIMARY KEY,
    leave_no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    subject_no bigint NOT NULL REFERENCES subject,
    order_no bigint NOT NULL REFERENCES supervision_order,
    reason text NOT NULL,
    destination text NOT NULL,
    route text NOT NULL,
    transport text NOT NULL,
    contact bytea,
    key_id text REFERENCES personal_key,
    geometry geometry(Geometry, 4326),
    radius_m double precision CHECK (radius_m > 0),
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL CHECK (to_at > from_at),
    state text NOT NULL CHECK (
        state IN ('requested', 'urgent', 'approved', 'refused', 'returned', 'overstayed', 'cancelled')),
    is_urgent boolean NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_by bigint NOT NULL REFERENCES account,
    papers_at timestamptz,
    approved_at timestamptz,
    cancelled_at timestamptz,
    returned_at timestamptz,
    CHECK (contact IS NULL OR key_id IS NOT NULL),
    CHECK ((state = 'cancelled') = (cancelled_at IS NOT NULL)),
    CHECK ((state = 'returned') = (returned_at IS NOT NULL)),
    CHECK (state NOT IN ('approved', 'overstayed') OR approved_at IS NOT NULL)
);
CREATE INDEX leave_subject ON leave (subject_no, from_at);
CREATE INDEX leave_order ON leave (order_no);
COMMENT ON COLUMN leave.geometry IS 'what it is for: places (circles of radius_m), ways (so wide to each side)';
COMMENT ON COLUMN leave.approved_at IS 'when the last of the organs that the measure needs had agreed';

-- One organ's answer. The last of an organ stands; none is ever changed.
CREATE TABLE leave_approval (
    approval_id uuid PRIMARY KEY,
    leave_no bigint NOT NULL REFERENCES leave (leave_no),
    subject_no bigint NOT NULL REFERENCES subject,
    organ text NOT NULL CHECK (organ IN ('police', 'procuratorate', 'court')),
    account_no bigint NOT NULL REFERENCES account,
    decided_at timestamptz NOT NULL,
    is_approved boolean NOT NULL,
    remark text NOT NULL,
    document_number text CHECK (document_number <> ''),
    CHECK (organ <> 'court' OR document_number IS NOT NULL)
);
CREATE INDEX leave_approval_leave ON leave_approval (leave_no, decided_at);
CREATE INDEX leave_approval_subject ON leave_approval (subject_no);
COMMENT ON COLUMN leave_approval.document_number IS 'of the paper; a court has no account, an officer enters it';

CREATE TABLE exemption (
    exemption_id uuid PRIMARY KEY,
    exemption_no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    subject_no bigint NOT NULL REFERENCES subject,
    zone_no bigint,
    geometry geometry(Geometry, 4326),
    kind text NOT NULL CHECK (kind IN ('home', 'school', 'work', 'family_business', 'way', 'ordered_service')),
    approver bigint NOT NULL REFERENCES account,
    reason text NOT NULL CHECK (btrim(reason) <> ''),
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL CHECK (valid_to > valid_from),
    recorded_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CHECK ((zone_no IS NULL) <> (geometry IS NULL))
);
CREATE INDEX exemption_subject ON exemption (subject_no);
COMMENT ON COLUMN exemption.geometry IS 'every venue within it; zone_no: all versions of this one zone';
"""

FOUND = """
-- What is found and is no presence at a zone: silence, tampering, what was not answered, what was not lifted in time.
CREATE TABLE finding (
    finding_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    order_no bigint REFERENCES supervision_order,
    condition_no bigint REFERENCES condition,
    kind text NOT NULL,
    started_at timestamptz NOT NULL,
    decided_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL,
    probability double precision CHECK (probability BETWEEN 0 AND 1),
    detail jsonb NOT NULL DEFAULT '{}',
    engine_version text NOT NULL,
    policy_version text NOT NULL
);
CREATE INDEX finding_subject ON finding (subject_no, started_at);
CREATE INDEX finding_order ON finding (order_no);
CREATE INDEX finding_condition ON finding (condition_no);

CREATE TABLE check_in (
    check_in_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    condition_no bigint REFERENCES condition,
    kind text NOT NULL CHECK (kind IN ('planned', 'spot', 'asked')),
    opens_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL CHECK (due_at > opens_at),
    make_up_until timestamptz CHECK (make_up_until >= due_at),
    shown_at timestamptz,
    answered_at timestamptz,
    fix_key bigint,
    is_at_place boolean,
    state text NOT NULL CHECK (state IN ('planned', 'open', 'answered', 'late', 'missed', 'withdrawn'))
);
CREATE INDEX check_in_subject ON check_in (subject_no, opens_at);
CREATE INDEX check_in_condition ON check_in (condition_no);
CREATE INDEX check_in_unanswered ON check_in (due_at) WHERE state IN ('planned', 'open');

CREATE TABLE task (
    task_id uuid PRIMARY KEY,
    kind text NOT NULL,
    subject_no bigint NOT NULL REFERENCES subject,
    order_no bigint REFERENCES supervision_order,
    due_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    done_at timestamptz,
    done_by bigint REFERENCES account,
    remark text CHECK (btrim(remark) <> ''),
    CHECK ((done_at IS NULL) = (done_by IS NULL))
);
CREATE INDEX task_open ON task (subject_no, due_at) WHERE done_at IS NULL;
CREATE INDEX task_subject ON task (subject_no);
CREATE INDEX task_order ON task (order_no);

-- Nothing stops in silence: each order that governs no longer is work for its office.
INSERT INTO task (task_id, kind, subject_no, order_no, due_at, opened_at)
SELECT gen_random_uuid(), 'location_basis', subject_no, order_no, now(), now() FROM supervision_order
WHERE location_basis IS NULL AND superseded_at IS NULL AND valid_to > now();

-- What an officer says to what the machine suspects. A later one supersedes; none is ever changed.
CREATE TABLE decision (
    decision_id uuid PRIMARY KEY,
    subject_no bigint NOT NULL REFERENCES subject,
    violation_id uuid REFERENCES violation,
    finding_id uuid REFERENCES finding,
    account_no bigint NOT NULL REFERENCES account,
    outcome text NOT NULL CHECK (outcome IN ('confirmed', 'dismissed')),
    reason_code text NOT NULL CHECK (reason_code <> ''),
    remark text NOT NULL,
    decided_at timestamptz NOT NULL,
    supersedes uuid UNIQUE REFERENCES decision,
    CHECK ((violation_id IS NULL) <> (finding_id IS NULL))
);
CREATE UNIQUE INDEX decision_first_on_violation ON decision (violation_id) WHERE supersedes IS NULL;
CREATE UNIQUE INDEX decision_first_on_finding ON decision (finding_id) WHERE supersedes IS NULL;
CREATE INDEX decision_violation ON decision (violation_id);
CREATE INDEX decision_finding ON decision (finding_id);
CREATE INDEX decision_subject ON decision (subject_no);
CREATE TRIGGER decision_append_only BEFORE UPDATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER leave_approval_append_only BEFORE UPDATE ON leave_approval
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
"""

CLOCK = """
-- What the clock brought about, once: the key is derived from the edge.
CREATE TABLE clock_edge (
    edge_id uuid PRIMARY KEY,
    kind text NOT NULL,
    subject_no bigint NOT NULL REFERENCES subject,
    due_at timestamptz NOT NULL,
    done_at timestamptz NOT NULL
);
CREATE INDEX clock_edge_subject ON clock_edge (subject_no, due_at);
ALTER TABLE shard ADD COLUMN clock_at timestamptz;
COMMENT ON COLUMN shard.clock_at IS 'up to when the edges of the clock are done; NULL: none yet';

-- region '': the year of the State Council's notice; an adcode: the school calendars that begin in the year.
CREATE TABLE calendar_year (
    year integer NOT NULL CHECK (year BETWEEN 1992 AND 2200),
    region text NOT NULL,
    content jsonb NOT NULL,
    source text NOT NULL CHECK (source <> ''),
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (year, region)
);
"""

OF_A_SUBJECT = ("leave", "leave_approval", "exemption", "finding", "check_in", "task", "decision")
"""Officers of the case see them; ``clock_edge`` is the program's own."""

OWN_TABLES = ("decision", "task", "check_in", "finding", "exemption", "leave_approval", "leave", "clock_edge",
              "calendar_year")  # fmt: skip
"""In the order in which they can be dropped."""

WORKER = {
    "leave": "SELECT (leave_id, leave_no, subject_no, order_no, key_id, geometry, radius_m, from_at, to_at, state,"
    " is_urgent, requested_at, papers_at, approved_at, cancelled_at, returned_at), UPDATE (state)",
    "leave_approval": "SELECT",
    "exemption": "SELECT",
    "finding": "SELECT, INSERT",
    "check_in": "SELECT, INSERT, UPDATE (shown_at, answered_at, fix_key, is_at_place, state, make_up_until)",
    "task": "SELECT, INSERT",
    "decision": "SELECT",
    "clock_edge": "SELECT, INSERT",
    "calendar_year": "SELECT",
}
"""It finds and plans, reads what people decided, and decides nothing."""

KEEPER = {
    "leave": "SELECT (leave_id, subject_no, contact, key_id), UPDATE (contact, key_id)",
    "supervision_order": "SELECT (lifted_at, lifting_document), UPDATE (lifted_at, lifting_document)",
}

RULE_TABLES = {
    "leave": "UPDATE OF from_at, to_at, approved_at, cancelled_at, returned_at",
    "exemption": "UPDATE",
    "calendar_year": "UPDATE",
}
"""Table → which changes of a row are changes of rules. That a leave is overstayed, as the worker notes, is none."""
"""A change of one is a change of what binds: workers compile their rules anew."""

AUDITED_TABLES = {
    "leave": "contact",
    "leave_approval": "",
    "exemption": "",
    "finding": "",
    "task": "",
    "decision": "",
    "calendar_year": "",
}
"""Not check-ins, of which each person has some a day, nor edges of the clock: what they led to is a finding."""

_SEALED = "subject_no IN (SELECT sealed_subjects())"


def upgrade() -> None:
    """Create them, closed to all but whom they serve."""
    op.execute(ORDERS)
    op.execute(IN_FORCE.format(ends=ENDS_WITH_BASIS))
    for statements in (ALLOWED, FOUND, CLOCK):
        op.execute(statements)
    for table in OF_A_SUBJECT:
        op.execute(f"GRANT SELECT ON {table} TO hulan_app")
        op.execute(
            f"CREATE POLICY seen_by_account ON {table} FOR SELECT TO hulan_app"
            " USING (subject_no IN (SELECT visible_subjects()))"
        )
        op.execute(
            f"CREATE POLICY not_sealed ON {table} AS RESTRICTIVE FOR ALL TO hulan_app"
            " USING (subject_no IN (SELECT reachable_subjects()))"
        )
    for table in (*OF_A_SUBJECT, "clock_edge"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(
            f"CREATE POLICY every_row_for_hulan_worker ON {table} TO hulan_worker USING (true) WITH CHECK (true)"
        )
        op.execute(f"GRANT SELECT (subject_no), DELETE ON {table} TO hulan_shredder")
        op.execute(
            f"CREATE POLICY reach_of_hulan_shredder ON {table} TO hulan_shredder"
            f" USING ({_SEALED}) WITH CHECK ({_SEALED})"
        )
    op.execute(
        "CREATE POLICY not_sealed ON clock_edge AS RESTRICTIVE FOR ALL TO hulan_app"
        " USING (subject_no IN (SELECT reachable_subjects()))"
    )
    op.execute("GRANT SELECT ON calendar_year TO hulan_app")
    for table, privileges in WORKER.items():
        op.execute(f"GRANT {privileges} ON {table} TO hulan_worker")
    op.execute("GRANT UPDATE (clock_at) ON shard TO hulan_worker")
    for table, privileges in KEEPER.items():
        op.execute(f"GRANT {privileges} ON {table} TO hulan_keeper")
    of_account = "subject_no IN (SELECT subjects_of_account())"
    op.execute(
        f"CREATE POLICY reach_of_hulan_keeper ON leave TO hulan_keeper USING ({of_account}) WITH CHECK ({of_account})"
    )
    for table, update in RULE_TABLES.items():
        op.execute(
            f"CREATE TRIGGER bump_rule_version AFTER INSERT OR {update} OR DELETE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION bump_rule_version()"
        )
    for table, personal in AUDITED_TABLES.items():
        op.execute(f"SELECT audit_protect('{table}', '{personal}')")


def downgrade() -> None:
    """Drop them with all that is in them; orders without a basis for locating govern again."""
    for table in OWN_TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("REVOKE UPDATE (clock_at) ON shard FROM hulan_worker")
    op.execute("ALTER TABLE shard DROP COLUMN clock_at")
    op.execute(IN_FORCE.format(ends=ENDS))
    op.execute(
        "ALTER TABLE condition DROP COLUMN timetable, DROP COLUMN parameters, DROP COLUMN reason_code,"
        " DROP COLUMN is_protected"
    )
    op.execute(
        "ALTER TABLE supervision_order DROP COLUMN stage, DROP COLUMN legal_basis, DROP COLUMN location_basis,"
        " DROP COLUMN consent, DROP COLUMN review_at, DROP COLUMN lifted_at, DROP COLUMN lifting_document"
    )
