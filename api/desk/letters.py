"""Messages of the account's cases that did not leave or did not arrive, and another try. Under ``as_account``."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.desk.alerts import MESSAGE, MOST_SHOWN
from api.errors import NotThereError

_DEAD = f"""
SELECT n.alert_id, s.subject_id, {MESSAGE} FROM notification n JOIN alert a USING (alert_id)
    JOIN subject s USING (subject_no)
WHERE n.state IN ('dead', 'failed') ORDER BY n.decided_at DESC, n.step LIMIT :most
"""


def letters_of_account(connection: Connection, *, most: int = MOST_SHOWN) -> list[dict[str, Any]]:
    """The latest events first: what is dead or failed, and what came in its place."""
    return [dict(row._mapping) for row in connection.execute(text(_DEAD), {"most": most})]


def retry_letter(connection: Connection, notification_id: UUID) -> None:
    """Due again at once; age and budget hold. ``NotThereError``: not dead, of a closed alert, or not the caller's."""
    query = text("SELECT redrive_notification(:id)")
    if connection.execute(query, {"id": notification_id}).scalar_one() is None:
        raise NotThereError
