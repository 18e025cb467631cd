"""What an office must do about its cases, by when; and that it was done.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.casework.people import names_of
from api.errors import NotThereError

_LISTED = """
SELECT t.task_id, t.kind, s.subject_id, o.order_id, o.document_number, t.due_at, t.opened_at, t.done_at, t.done_by,
       t.remark, t.alert_id, t.reason_zh, t.reason_en
FROM task t JOIN subject s USING (subject_no) LEFT JOIN supervision_order o USING (order_no)
WHERE (:with_done OR t.done_at IS NULL) ORDER BY t.done_at IS NOT NULL, t.due_at, t.task_id LIMIT 500
"""


def tasks_of(connection: Connection, *, with_done: bool) -> list[dict[str, Any]]:
    """Of all cases of the account: what is due first, what is done last."""
    rows = connection.execute(text(_LISTED), {"with_done": with_done}).all()
    names = names_of(connection, [row.done_by for row in rows])
    return [{**row._mapping, "done_by": names.get(row.done_by)} for row in rows]


def finish_task(connection: Connection, task_id: UUID, *, remark: str | None) -> None:
    """It is done, by this account. Raises ``NotThereError`` for one that is done or of a case not seen."""
    query = text("SELECT (finish_task(:id, CAST(:remark AS text))).task_id")
    if connection.execute(query, {"id": task_id, "remark": remark}).scalar_one() is None:
        raise NotThereError
