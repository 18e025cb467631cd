"""A row of every table of the work on orders, for tests that only need one to be there."""

from sqlalchemy import Connection, text

from api.ids import new_id
from api.personal.fields import current_key, seal_row
from api.personal.keyring import Keyring

_OF_ORDER = (
    "FROM supervision_order o JOIN condition c USING (order_no) WHERE o.subject_no = :no ORDER BY order_no LIMIT 1"
)
_OF_ALERT = (
    "FROM alert a JOIN notification n USING (alert_id) WHERE a.subject_no = :no ORDER BY n.alert_id, n.notification_id"
    " LIMIT 1"
)
"""Nothing, where there is no alert."""
_ROWS = (
    "INSERT INTO leave (leave_id, subject_no, order_no, reason, destination, route, transport, contact, key_id,"
    " from_at, to_at, state, is_urgent, requested_at, requested_by)"
    " SELECT :leave, :no, order_no, '合成事由', '合成市', '合成路线', '火车', :contact, :key_id, '2026-03-22T00:00Z',"
    f" '2026-03-24T00:00Z', 'requested', false, '2026-03-21T00:00Z', :account {_OF_ORDER}",
    "INSERT INTO leave_approval (approval_id, leave_no, subject_no, organ, account_no, decided_at, is_approved, remark)"
    " SELECT gen_random_uuid(), leave_no, :no, 'police', :account, '2026-03-21T01:00Z', true, '同意' FROM leave"
    " WHERE leave_id = :leave",
    "INSERT INTO exemption (exemption_id, subject_no, zone_no, kind, approver, reason, valid_from, valid_to,"
    " recorded_at) SELECT gen_random_uuid(), :no, min(zone_no), 'home', :account, '合成理由', '2026-06-01T00:00Z',"
    " '2026-07-01T00:00Z', '2026-03-21T00:00Z' FROM zone",
    "INSERT INTO finding (finding_id, subject_no, order_no, condition_no, kind, started_at, decided_at, known_at,"
    " probability, engine_version, policy_version) SELECT :finding, :no, order_no, condition_no, 'silence',"
    f" '2026-03-21T00:00Z', '2026-03-21T00:30Z', '2026-03-21T00:30Z', 0.5, 'e', 'p' {_OF_ORDER}",
    "INSERT INTO check_in (check_in_id, subject_no, condition_no, kind, opens_at, due_at, state)"
    " SELECT gen_random_uuid(), :no, condition_no, 'planned', '2026-03-21T00:00Z', '2026-03-21T01:00Z', 'planned'"
    f" {_OF_ORDER}",
    "INSERT INTO task (task_id, kind, subject_no, order_no, due_at, opened_at) SELECT gen_random_uuid(), 'review',"
    f" :no, order_no, '2026-03-25T00:00Z', '2026-03-21T00:00Z' {_OF_ORDER}",
    "INSERT INTO decision (decision_id, subject_no, finding_id, account_no, outcome, reason_code, remark, decided_at)"
    " VALUES (gen_random_uuid(), :no, :finding, :account, 'dismissed', 'device_fault', '合成', '2026-03-21T02:00Z')",
    "INSERT INTO clock_edge (edge_id, kind, subject_no, due_at, done_at)"
    " VALUES (gen_random_uuid(), 'order_end', :no, '2026-03-21T00:00Z', '2026-03-21T00:00Z')",
    "INSERT INTO contact_watch (condition_id, condition_no, subject_no, seen, met) SELECT condition_id, condition_no,"
    f" :no, '3:3:', '{{}}' {_OF_ORDER} ON CONFLICT DO NOTHING",
    "INSERT INTO device_watch (subject_no, content) VALUES (:no, '') ON CONFLICT DO NOTHING",
    "INSERT INTO device_report (subject_no, device_id, reported_at, received_at, status)"
    " VALUES (:no, gen_random_uuid(), '2026-03-21T00:00Z', '2026-03-21T00:00Z', 2)",
)


_ROWS_OF_ALERT = (
    "INSERT INTO alert_finding SELECT min(alert_id::text)::uuid, :finding FROM alert WHERE subject_no = :no"
    " HAVING count(*) > 0",
    "INSERT INTO alert_history (entry_id, alert_id, subject_no, kind, at, actor_kind, reason_code, reason_zh,"
    " reason_en, remark) SELECT gen_random_uuid(), alert_id, :no, 'opened', now(), 'machine', 'c', '合成', 'c', ''"
    f" {_OF_ALERT}",
    "INSERT INTO escalation_step (step_id, alert_id, subject_no, kind, planned_at, due_at)"
    f" SELECT gen_random_uuid(), alert_id, :no, 'leader', now(), now() + interval '1 hour' {_OF_ALERT}",
    "INSERT INTO guardian_link (link_id, alert_id, notification_id, recipient_id, subject_no, token_hash, made_at,"
    " expires_at) SELECT :link, alert_id, notification_id, recipient_id, :no, sha256(notification_id::text::bytea),"
    f" now(), now() + interval '1 day' {_OF_ALERT}",
    "INSERT INTO guardian_answer (answer_id, link_id, alert_id, subject_no, answer, answered_at)"
    " SELECT gen_random_uuid(), link_id, alert_id, :no, 'taken_away', now() FROM guardian_link WHERE subject_no = :no",
    "INSERT INTO delivery_report (provider, reference, is_delivered, at, is_proven, applied_at, notification_id,"
    f" subject_no) SELECT 'fake', notification_id::text, true, now(), true, now(), notification_id, :no {_OF_ALERT}",
    "INSERT INTO reply (reply_id, provider, phone_index, text, key_id, at, is_proven, notification_id, subject_no)"
    f" SELECT :reply, 'fake', '', :answer, :key_id, now(), true, notification_id, :no {_OF_ALERT}",
)


def add_order_work(
    connection: Connection, subject_no: int, *, account_no: int, keyring: Keyring, contact: str = "合成电话"
) -> None:
    """A leave with an answer, an exemption, a finding with a decision, a check-in, a task and an edge of the clock."""
    leave_id, key = new_id(), current_key(connection, keyring)
    sealed = seal_row(key, table="leave", row_id=leave_id, values={"contact": contact})
    values = {
        "no": subject_no,
        "account": account_no,
        "leave": leave_id,
        "finding": new_id(),
        "contact": sealed["contact"],
        "key_id": key.key_id,
    }
    for statement in _ROWS:
        connection.execute(text(statement), values)
    add_alert_work(connection, subject_no, finding_id=values["finding"], keyring=keyring)


def add_alert_work(connection: Connection, subject_no: int, *, finding_id: object, keyring: Keyring) -> None:
    """What became of an alert: history, a step, a link with its answer, a report and a reply."""
    reply_id, key = new_id(), current_key(connection, keyring)
    values = {
        "no": subject_no,
        "finding": finding_id,
        "link": new_id(),
        "reply": reply_id,
        "answer": seal_row(key, table="reply", row_id=reply_id, values={"text": "1"})["text"],
        "key_id": key.key_id,
    }
    for statement in _ROWS_OF_ALERT:
        connection.execute(text(statement), values)
