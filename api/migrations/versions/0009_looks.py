"""Looks: asked for with a purpose, approved where a rule says so, or taken by breaking the glass; accounts under audit.

The rules, who may decide, and what a look opens are decided here, beneath the application. Time is the database's.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

TABLES = """
-- When a leader must approve first. Each condition that is given must hold; a rule is in force on local dates.
CREATE TABLE look_rule (
    rule_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kinds text[] NOT NULL CHECK (kinds <@ ARRAY['track', 'person', 'export', 'evidence'] AND cardinality(kinds) > 0),
    is_minor_only boolean NOT NULL DEFAULT false,
    longer_than interval,
    more_rows_than integer CHECK (more_rows_than >= 0),
    valid_from date NOT NULL,
    valid_to date CHECK (valid_to >= valid_from),
    source text NOT NULL CHECK (source <> '')
);

CREATE TABLE look (
    look_id uuid PRIMARY KEY,
    account_no bigint NOT NULL REFERENCES account,
    subject_no bigint NOT NULL REFERENCES subject,
    kind text NOT NULL CHECK (kind IN ('track', 'person', 'export', 'evidence')),
    purpose_code text NOT NULL CHECK (purpose_code <> ''),
    purpose text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    from_at timestamptz,
    to_at timestamptz CHECK (to_at > from_at),
    row_count integer CHECK (row_count >= 0),
    needs_approval boolean NOT NULL,
    is_approved boolean,
    decided_by bigint REFERENCES account CHECK (decided_by <> account_no),
    decided_at timestamptz,
    is_break_glass boolean NOT NULL,
    ends_at timestamptz NOT NULL,
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CHECK ((from_at IS NULL) = (to_at IS NULL)),
    CHECK (kind <> 'track' OR from_at IS NOT NULL),
    CHECK ((is_approved IS NULL) = (decided_by IS NULL) AND (is_approved IS NULL) = (decided_at IS NULL)),
    CHECK (is_approved IS NULL OR needs_approval),
    CHECK (ends_at <= coalesce(decided_at, asked_at) + interval '24 hours'),
    CHECK (NOT is_break_glass OR (ends_at <= asked_at + interval '30 minutes' AND char_length(btrim(purpose)) >= 10))
);
CREATE INDEX look_account ON look (account_no, ends_at);
CREATE INDEX look_subject ON look (subject_no, asked_at);
COMMENT ON COLUMN look.written_by IS 'a look opens nothing in the transaction that writes it, which may be rolled back';

-- To the audit administrator: ids only.
CREATE TABLE notice (
    notice_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('break_glass')),
    look_id uuid NOT NULL UNIQUE REFERENCES look,
    account_no bigint NOT NULL REFERENCES account,
    account_id uuid NOT NULL,
    subject_no bigint NOT NULL REFERENCES subject,
    made_at timestamptz NOT NULL DEFAULT now(),
    reviewed_at timestamptz,
    reviewed_by bigint REFERENCES account CHECK (reviewed_by <> account_no),
    remark text CHECK (btrim(remark) <> ''),
    CHECK ((reviewed_at IS NULL) = (reviewed_by IS NULL) AND (reviewed_at IS NULL) = (remark IS NULL))
);
CREATE INDEX notice_open ON notice (made_at) WHERE reviewed_at IS NULL;
"""

RULES = """
INSERT INTO look_rule (kinds, is_minor_only, longer_than, more_rows_than, valid_from, source) VALUES
    ('{track,export,evidence}', true, NULL, NULL, '2024-01-01', '未成年人网络保护条例第三十六条'),
    ('{track}', false, '7 days', NULL, '2024-01-01', '本系统规定 house rule'),
    ('{export}', false, NULL, 25, '2017-06-01', '法释〔2017〕10号第五条');
"""

# A minor is who was under 18 at the beginning of the span: on their birthday people are of age (tracking.order).
FUNCTIONS = """
-- (SELECT f()) is called once for a statement, f() might be called for each row.
CREATE FUNCTION subjects_of_jurisdiction() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE below AS (
        SELECT division_no FROM account
        WHERE account_no = (SELECT current_account_no()) AND kind = 'officer' AND division_no IS NOT NULL
        UNION SELECT d.division_no FROM division d JOIN below b ON d.parent_no = b.division_no
    )
    SELECT j.subject_no FROM subject_jurisdiction j JOIN below USING (division_no)
    WHERE EXISTS (SELECT FROM account_role WHERE account_no = (SELECT current_account_no()))
$$;

-- The looks of the caller that open something now.
CREATE FUNCTION open_looks() RETURNS SETOF look
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT * FROM look
    WHERE account_no = (SELECT current_account_no()) AND ends_at > now()
        AND (NOT needs_approval OR is_break_glass OR is_approved)
        AND written_by IS DISTINCT FROM pg_current_xact_id_if_assigned()
$$;

-- A leader sees the cases of the jurisdiction, others those of their team, and whoever broke the glass this one case.
CREATE OR REPLACE FUNCTION visible_subjects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT s.subject_no FROM subjects_of_jurisdiction() AS s (subject_no)
    WHERE (SELECT current_account_has('leader'))
        OR EXISTS (
            SELECT FROM case_member c WHERE c.subject_no = s.subject_no AND c.account_no = (SELECT current_account_no())
                AND c.left_at IS NULL AND c.joined_at <= now())
        OR s.subject_no IN (SELECT l.subject_no FROM open_looks() l WHERE l.is_break_glass)
$$;

-- Whose fixes of what time the caller may read.
CREATE FUNCTION open_spans() RETURNS TABLE (subject_no bigint, from_at timestamptz, to_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT l.subject_no, l.from_at, l.to_at FROM open_looks() l
    WHERE l.kind IN ('track', 'export', 'evidence') AND l.from_at IS NOT NULL
        AND l.subject_no IN (SELECT visible_subjects())
$$;

CREATE FUNCTION look_needs_approval(asked look) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM look_rule r, subject s
        WHERE s.subject_no = asked.subject_no AND asked.kind = ANY (r.kinds)
            AND (asked.asked_at AT TIME ZONE 'Asia/Shanghai')::date
                BETWEEN r.valid_from AND coalesce(r.valid_to, 'infinity')
            AND (NOT r.is_minor_only OR extract(year FROM age(
                    (coalesce(asked.from_at, asked.asked_at) AT TIME ZONE 'Asia/Shanghai')::date, s.birth_date)) < 18)
            AND (r.longer_than IS NULL OR asked.from_at IS NULL OR asked.to_at - asked.from_at > r.longer_than)
            AND (r.more_rows_than IS NULL OR asked.row_count IS NULL OR asked.row_count > r.more_rows_than))
$$;

-- NULL where there is nothing that the caller may ask for. An open look lives for `life`, an undecided one for `wait`.
CREATE FUNCTION ask_look(asked look, life interval, wait interval) RETURNS look
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF asked.is_break_glass THEN
        PERFORM FROM subjects_of_jurisdiction() AS s (subject_no) WHERE s.subject_no = asked.subject_no;
    ELSE
        PERFORM FROM visible_subjects() AS s (subject_no) WHERE s.subject_no = asked.subject_no;
    END IF;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    asked.account_no := current_account_no();
    asked.asked_at := now();
    asked.needs_approval := look_needs_approval(asked);
    asked.is_approved := NULL;
    asked.decided_by := NULL;
    asked.decided_at := NULL;
    asked.ends_at := now() + CASE WHEN asked.needs_approval AND NOT asked.is_break_glass THEN wait ELSE life END;
    asked.written_by := pg_current_xact_id();
    INSERT INTO look VALUES (asked.*);
    IF asked.is_break_glass THEN
        INSERT INTO notice (notice_id, kind, look_id, account_no, account_id, subject_no)
        SELECT gen_random_uuid(), 'break_glass', asked.look_id, account_no, account_id, asked.subject_no
        FROM account WHERE account_no = asked.account_no;
        PERFORM audit_note('break_glass', asked.subject_no, 'look ' || asked.look_id);
    END IF;
    RETURN asked;
END $$;

-- By another leader of the division or above, and once; NULL where there is nothing that the caller may decide.
CREATE FUNCTION decide_look(wanted uuid, approve boolean, life interval) RETURNS look
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found look;
BEGIN
    UPDATE look SET is_approved = approve, decided_by = current_account_no(), decided_at = now(),
        ends_at = CASE WHEN approve THEN now() + life ELSE ends_at END, written_by = pg_current_xact_id()
    WHERE look_id = wanted AND account_no <> current_account_no() AND needs_approval AND NOT is_break_glass
        AND is_approved IS NULL AND ends_at > now() AND current_account_has('leader')
        AND subject_no IN (SELECT subjects_of_jurisdiction())
    RETURNING * INTO found;
    IF found.look_id IS NOT NULL THEN
        PERFORM audit_note('decision', found.subject_no,
                           'look ' || found.look_id || CASE WHEN approve THEN ' approved' ELSE ' refused' END);
    END IF;
    RETURN found;
END $$;

-- Whom the caller may break the glass for; not to be told to anybody who does not.
CREATE FUNCTION subject_within_jurisdiction(wanted uuid) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT subject_no FROM subject WHERE subject_id = wanted AND subject_no IN (SELECT subjects_of_jurisdiction())
$$;

-- Who asked for looks and who decided them, to whoever may see these looks.
CREATE FUNCTION people_of_looks(wanted uuid[])
RETURNS TABLE (look_id uuid, account_no bigint, account_id uuid, display_name text, division_code text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT l.look_id, a.account_no, a.account_id, a.display_name, d.code
    FROM look l JOIN account a ON a.account_no IN (l.account_no, l.decided_by) LEFT JOIN division d USING (division_no)
    WHERE l.look_id = ANY (wanted)
        AND (l.account_no = (SELECT current_account_no()) OR l.subject_no IN (SELECT visible_subjects()))
$$;

CREATE FUNCTION review_notice(wanted uuid, said text) RETURNS notice
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found notice;
BEGIN
    UPDATE notice SET reviewed_at = now(), reviewed_by = current_account_no(), remark = said
    WHERE notice_id = wanted AND reviewed_at IS NULL AND current_account_has('audit_administrator')
    RETURNING * INTO found;
    IF found.notice_id IS NOT NULL THEN
        PERFORM audit_note('decision', found.subject_no, 'notice ' || found.notice_id || ' reviewed');
    END IF;
    RETURN found;
END $$;
"""

OWN_FUNCTIONS = {
    "review_notice": "uuid, text",
    "people_of_looks": "uuid[]",
    "decide_look": "uuid, boolean, interval",
    "ask_look": "look, interval, interval",
    "look_needs_approval": "look",
    "open_spans": "",
    "subject_within_jurisdiction": "uuid",
    "open_looks": "",
    "subjects_of_jurisdiction": "",
}
"""Name → arguments, in the order in which they can be dropped after ``visible_subjects()``."""

IN_AN_OPEN_SPAN = (
    "EXISTS (SELECT FROM open_spans() o WHERE o.subject_no = {table}.subject_no"
    " AND {table}.fixed_at BETWEEN o.from_at AND o.to_at)"
)
"""The function runs once for a statement; what it found is looked through for each row."""

OF_A_SPAN = ("fix", "fix_flag", "fix_set_aside")

VISIBLE = {
    "look": "account_no = (SELECT current_account_no()) OR subject_no IN (SELECT visible_subjects())",
    "notice": "(SELECT current_account_has('audit_administrator'))",
    "audit_entry": "(SELECT current_account_has('audit_administrator'))",
} | {table: IN_AN_OPEN_SPAN.format(table=table) for table in OF_A_SPAN}

READABLE_COLUMNS = {
    "audit_entry": "position, at, kind, actor, purpose, request_id, subject_no, table_name, row_key, detail",
}

ALREADY_BOUND = ("fix",)
"""Row-level security is on since migration 0007."""

AUDITED_TABLES = {
    "division": "",
    "account": "login_name,staff_number,display_name,password_hash,totp_secret",
    "account_role": "",
    "api_token": "label,token_hash",
    "subject_jurisdiction": "",
    "case_member": "",
    "look_rule": "",
    "look": "purpose",
    "notice": "remark",
}
"""Table → columns of which no fingerprint is kept (migration 0006)."""

# As migration 0007 made it.
VISIBLE_BEFORE = """
CREATE OR REPLACE FUNCTION visible_subjects() RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH RECURSIVE me AS (
        SELECT account_no, division_no FROM account WHERE account_no = current_account_no() AND kind = 'officer'
    ), below AS (
        SELECT division_no FROM me WHERE division_no IS NOT NULL
        UNION SELECT d.division_no FROM division d JOIN below b ON d.parent_no = b.division_no
    )
    SELECT j.subject_no FROM subject_jurisdiction j JOIN below USING (division_no)
    WHERE current_account_has('leader') OR (
        EXISTS (SELECT FROM account_role r JOIN me USING (account_no))
        AND EXISTS (
            SELECT FROM case_member c JOIN me USING (account_no)
            WHERE c.subject_no = j.subject_no AND c.left_at IS NULL AND c.joined_at <= now()))
$$;
"""


def upgrade() -> None:
    """Create looks, rules and notices; open what a look opens; put accounts under audit."""
    for statements in (TABLES, RULES, FUNCTIONS):
        op.execute(statements)
    for name, arguments in OWN_FUNCTIONS.items():
        op.execute(f"REVOKE ALL ON FUNCTION {name}({arguments}) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {name}({arguments}) TO hulan_app")
    for table, condition in VISIBLE.items():
        columns = f" ({READABLE_COLUMNS[table]})" if table in READABLE_COLUMNS else ""
        op.execute(f"GRANT SELECT{columns} ON {table} TO hulan_app")
        op.execute(f"CREATE POLICY seen_by_account ON {table} FOR SELECT TO hulan_app USING ({condition})")
    for table in (*VISIBLE, "look_rule"):  # the partitions of the log are granted to nobody
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    for table in ("fix_flag", "fix_set_aside"):  # of which its grants alone say what the worker may do
        op.execute(
            f"CREATE POLICY every_row_for_hulan_worker ON {table} TO hulan_worker USING (true) WITH CHECK (true)"
        )
    for table, personal in AUDITED_TABLES.items():
        op.execute(f"SELECT audit_protect('{table}', '{personal}')")


def downgrade() -> None:
    """Remove them; accounts are no longer audited by row."""
    for table in AUDITED_TABLES:
        for event in ("insert", "update", "delete", "truncate"):
            op.execute(f"DROP TRIGGER audit_{event} ON {table}")
    for table in VISIBLE:
        op.execute(f"DROP POLICY seen_by_account ON {table}")
        op.execute(f"REVOKE ALL ON {table} FROM hulan_app")
    for table in ("fix_flag", "fix_set_aside"):
        op.execute(f"DROP POLICY every_row_for_hulan_worker ON {table}")
    for table in {*VISIBLE} - {"look", "notice", *ALREADY_BOUND}:
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute(VISIBLE_BEFORE)
    for name, arguments in OWN_FUNCTIONS.items():
        op.execute(f"DROP FUNCTION {name}({arguments})")
    op.execute("DROP TABLE notice, look, look_rule")
