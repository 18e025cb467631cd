"""What officers do with orders: lift, exempt, ask for and answer leaves, decide what was found, finish tasks.

Functions with their owner's rights that check the caller: the application's role reads and writes no table itself.
Each answers NULL where there is nothing that the caller may do this to.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

CHECKS = """
-- Who decides about a case; others of its team ask, watch and finish tasks.
CREATE FUNCTION account_decides() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT current_account_has('leader') OR current_account_has('prosecutor') OR current_account_has('police')
$$;

-- The key to seal with, held until the transaction ends: rotation waits for it.
CREATE FUNCTION sealing_key_id() RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT key_id FROM personal_key WHERE is_current AND current_account_no() IS NOT NULL FOR SHARE
$$;

CREATE FUNCTION judge_again(number bigint, from_at timestamptz, why text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO reevaluation (shard, subject_no, since, reason, created_at)
    SELECT shard, subject_no, from_at, why, now() FROM subject WHERE subject_no = number
$$;

-- The organs that must agree to a leave (tracking.leave.organs_needed; a test compares them). Where nobody wrote down
-- who decided, the strictest: two organs.
CREATE FUNCTION organs_for_leave(measure text, stage text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE WHEN measure = 'conditional_non_prosecution' THEN ARRAY['procuratorate']
        WHEN stage = 'police' THEN ARRAY['police']
        ELSE ARRAY[coalesce(stage, 'procuratorate'), 'police'] END
$$;
"""

ORDERS = """
-- Before its term it ends now; after it, what is recorded is that it was lifted late. What was to be done about
-- its term is done by that.
CREATE FUNCTION end_order(wanted uuid, document text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found supervision_order;
BEGIN
    UPDATE supervision_order SET lifted_at = now(), lifting_document = document,
        superseded_at = CASE WHEN valid_to > now() THEN now() ELSE superseded_at END
    WHERE order_id = wanted AND superseded_at IS NULL AND lifted_at IS NULL AND account_decides()
        AND subject_no IN (SELECT visible_subjects())
    RETURNING * INTO found;
    IF found.order_no IS NOT NULL THEN
        PERFORM judge_again(found.subject_no, now(), 'lifted');
        UPDATE task SET done_at = now(), done_by = current_account_no(), remark = document
        WHERE subject_no = found.subject_no AND done_at IS NULL AND kind IN ('order_reminder', 'review', 'lifting')
            AND order_no IN (SELECT order_no FROM supervision_order WHERE order_id = wanted);
    END IF;
    RETURN found.lifted_at;
END $$;

CREATE FUNCTION grant_exemption(asked exemption, wanted_zone uuid) RETURNS exemption
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT account_decides() OR asked.subject_no NOT IN (SELECT visible_subjects()) THEN
        RETURN NULL;
    END IF;
    IF wanted_zone IS NOT NULL THEN
        SELECT min(zone_no) INTO asked.zone_no FROM zone
        WHERE zone_id = wanted_zone AND (category IS NOT NULL OR origin = 'supervisor');
        IF asked.zone_no IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO exemption (exemption_id, subject_no, zone_no, geometry, kind, approver, reason, valid_from, valid_to,
        recorded_at)
    VALUES (asked.exemption_id, asked.subject_no, asked.zone_no, asked.geometry, asked.kind, current_account_no(),
        asked.reason, asked.valid_from, asked.valid_to, now())
    RETURNING * INTO asked;
    PERFORM judge_again(asked.subject_no, asked.valid_from, 'exemption');
    RETURN asked;
END $$;

CREATE FUNCTION revoke_exemption(wanted uuid) RETURNS exemption
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found exemption;
BEGIN
    UPDATE exemption SET revoked_at = now() WHERE exemption_id = wanted AND revoked_at IS NULL AND valid_to > now()
        AND account_decides() AND subject_no IN (SELECT visible_subjects())
    RETURNING * INTO found;
    IF found.exemption_id IS NOT NULL THEN
        PERFORM judge_again(found.subject_no, now(), 'exemption');
    END IF;
    RETURN found;
END $$;
"""

LEAVES = """
CREATE FUNCTION ask_leave(asked leave) RETURNS leave
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM FROM supervision_order WHERE order_no = asked.order_no AND subject_no = asked.subject_no
        AND superseded_at IS NULL AND valid_to > now() AND subject_no IN (SELECT visible_subjects());
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO leave (leave_id, subject_no, order_no, reason, destination, route, transport, contact, key_id,
        geometry, radius_m, from_at, to_at, state, is_urgent, requested_at, requested_by, papers_at)
    VALUES (asked.leave_id, asked.subject_no, asked.order_no, asked.reason, asked.destination, asked.route,
        asked.transport, asked.contact, asked.key_id, asked.geometry, asked.radius_m, asked.from_at, asked.to_at,
        CASE WHEN asked.is_urgent THEN 'urgent' ELSE 'requested' END, asked.is_urgent, now(), current_account_no(),
        CASE WHEN asked.is_urgent THEN NULL ELSE now() END)
    RETURNING * INTO asked;
    RETURN asked;
END $$;

-- The role says for whom somebody speaks. A court's answer is entered with its paper by either of the two others.
CREATE FUNCTION answer_leave(answer leave_approval, wanted uuid) RETURNS leave
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    asked leave;
    needed text[];
    latest jsonb;
BEGIN
    SELECT * INTO asked FROM leave WHERE leave_id = wanted AND state IN ('requested', 'urgent')
        AND subject_no IN (SELECT visible_subjects())
        AND CASE answer.organ WHEN 'police' THEN current_account_has('police')
            WHEN 'procuratorate' THEN current_account_has('prosecutor')
            ELSE answer.document_number IS NOT NULL
                 AND (current_account_has('police') OR current_account_has('prosecutor')) END
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO leave_approval (approval_id, leave_no, subject_no, organ, account_no, decided_at, is_approved, remark,
        document_number)
    VALUES (answer.approval_id, asked.leave_no, asked.subject_no, answer.organ, current_account_no(), now(),
        answer.is_approved, answer.remark, answer.document_number);
    SELECT organs_for_leave(measure, stage) INTO needed FROM supervision_order WHERE order_no = asked.order_no;
    SELECT jsonb_object_agg(organ, is_approved) INTO latest FROM (
        SELECT DISTINCT ON (organ) organ, is_approved FROM leave_approval WHERE leave_no = asked.leave_no
            AND organ = ANY (needed) ORDER BY organ, decided_at DESC, approval_id DESC) AS last;
    IF latest @> jsonb_build_object(answer.organ, false) THEN
        UPDATE leave SET state = 'refused' WHERE leave_id = wanted RETURNING * INTO asked;
    ELSIF (SELECT bool_and(coalesce((latest ->> organ)::boolean, false)) FROM unnest(needed) AS organ) THEN
        UPDATE leave SET state = 'approved', approved_at = now() WHERE leave_id = wanted RETURNING * INTO asked;
        PERFORM judge_again(asked.subject_no, greatest(asked.from_at, now()), 'leave');
    END IF;
    RETURN asked;
END $$;

-- 'returned': the subject reported to be back. 'cancelled': it is not used, or no longer. 'papers': they came.
CREATE FUNCTION close_leave(wanted uuid, how text) RETURNS leave
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found leave;
BEGIN
    UPDATE leave SET
        state = CASE how WHEN 'papers' THEN state ELSE how END,
        returned_at = CASE how WHEN 'returned' THEN now() ELSE returned_at END,
        cancelled_at = CASE how WHEN 'cancelled' THEN now() ELSE cancelled_at END,
        papers_at = CASE how WHEN 'papers' THEN now() ELSE papers_at END
    WHERE leave_id = wanted AND subject_no IN (SELECT visible_subjects())
        AND CASE how WHEN 'returned' THEN state IN ('approved', 'overstayed') AND from_at <= now()
            WHEN 'cancelled' THEN state IN ('requested', 'urgent', 'approved')
            WHEN 'papers' THEN is_urgent AND papers_at IS NULL ELSE false END
    RETURNING * INTO found;
    IF found.approved_at IS NOT NULL AND how <> 'papers' THEN
        PERFORM judge_again(found.subject_no, now(), 'leave');
    END IF;
    RETURN found;
END $$;
"""

DECISIONS = """
-- It supersedes the decision before, if there is one. The violation is locked: of two at once one comes first.
CREATE FUNCTION decide_found(asked decision) RETURNS decision
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF asked.violation_id IS NOT NULL THEN
        SELECT subject_no INTO asked.subject_no FROM violation WHERE violation_id = asked.violation_id FOR UPDATE;
    ELSE
        SELECT subject_no INTO asked.subject_no FROM finding WHERE finding_id = asked.finding_id FOR UPDATE;
    END IF;
    IF asked.subject_no IS NULL OR NOT account_decides() OR asked.subject_no NOT IN (SELECT visible_subjects()) THEN
        RETURN NULL;
    END IF;
    SELECT decision_id INTO asked.supersedes FROM decision d
    WHERE (d.violation_id = asked.violation_id OR d.finding_id = asked.finding_id)
        AND NOT EXISTS (SELECT FROM decision later WHERE later.supersedes = d.decision_id);
    INSERT INTO decision (decision_id, subject_no, violation_id, finding_id, account_no, outcome, reason_code, remark,
        decided_at, supersedes)
    VALUES (asked.decision_id, asked.subject_no, asked.violation_id, asked.finding_id, current_account_no(),
        asked.outcome, asked.reason_code, asked.remark, now(), asked.supersedes)
    RETURNING * INTO asked;
    UPDATE violation SET state = asked.outcome WHERE violation_id = asked.violation_id;
    RETURN asked;
END $$;

CREATE FUNCTION finish_task(wanted uuid, said text) RETURNS task
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    found task;
BEGIN
    UPDATE task SET done_at = now(), done_by = current_account_no(), remark = said
    WHERE task_id = wanted AND done_at IS NULL AND subject_no IN (SELECT visible_subjects())
    RETURNING * INTO found;
    RETURN found;
END $$;

-- Who took part in the work on cases that the caller may see.
CREATE FUNCTION people_of_work(numbers bigint[]) RETURNS TABLE (account_no bigint, display_name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT a.account_no, a.display_name FROM account a
    WHERE a.account_no = ANY (numbers) AND EXISTS (
        SELECT FROM (SELECT subject_no, account_no FROM decision
                     UNION ALL SELECT subject_no, account_no FROM leave_approval
                     UNION ALL SELECT subject_no, approver FROM exemption
                     UNION ALL SELECT subject_no, done_by FROM task
                     UNION ALL SELECT subject_no, requested_by FROM leave) w
        WHERE w.account_no = a.account_no AND w.subject_no IN (SELECT visible_subjects()))
$$;
"""

FOR_OFFICERS = {
    "people_of_work": "bigint[]",
    "finish_task": "uuid, text",
    "decide_found": "decision",
    "close_leave": "uuid, text",
    "answer_leave": "leave_approval, uuid",
    "ask_leave": "leave",
    "revoke_exemption": "uuid",
    "grant_exemption": "exemption, uuid",
    "end_order": "uuid, text",
    "sealing_key_id": "",
}
"""Name → arguments, in the order in which they can be dropped."""

INNER = {"organs_for_leave": "text, text", "judge_again": "bigint, timestamptz, text", "account_decides": ""}
"""Called by the others only."""


def upgrade() -> None:
    """Create them, open to the application's role and to nobody else."""
    for statements in (CHECKS, ORDERS, LEAVES, DECISIONS):
        op.execute(statements)
    for name, arguments in (FOR_OFFICERS | INNER).items():
        op.execute(f"REVOKE ALL ON FUNCTION {name}({arguments}) FROM PUBLIC")
    for name, arguments in FOR_OFFICERS.items():
        op.execute(f"GRANT EXECUTE ON FUNCTION {name}({arguments}) TO hulan_app")


def downgrade() -> None:
    """Drop them."""
    for name, arguments in (FOR_OFFICERS | INNER).items():
        op.execute(f"DROP FUNCTION {name}({arguments})")
