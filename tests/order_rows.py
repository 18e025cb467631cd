"""A row of every table of the work on orders, for tests that only need one to be there."""

from sqlalchemy import Connection, text

from api.ids import new_id
from api.personal.fields import current_key, seal_row
from api.personal.keyring import Keyring

_OF_ORDER = (
    "FROM supervision_order o JOIN condition c USING (order_no) WHERE o.subject_no = :no ORDER BY order_no LIMIT 1"
)
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
