"""What could not be sent or did not arrive, what came in its place, and another try by hand."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A notification as operators read it: without number, name or text. Instants aware; ``event_at`` is the fix's."""

    notification_id: UUID
    alert_id: UUID
    role: str
    channel: str
    step: int
    state: str
    obstacle: str | None
    last_error: str | None
    attempt: int
    event_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    provider: str | None
    successor_id: UUID | None
    task: str | None
    """The kind of task that it is, and whether it is done."""


_LETTER = """
SELECT n.notification_id, n.alert_id, n.role, n.channel, n.step, n.state, n.obstacle, n.last_error, n.attempt,
    n.decided_at AS event_at, n.sent_at, n.delivered_at, n.provider, n.successor_id,
    t.kind || CASE WHEN t.done_at IS NULL THEN '' ELSE ' ✓' END AS task
FROM notification n JOIN alert a USING (alert_id) JOIN open_subject o ON o.subject_no = a.subject_no
    LEFT JOIN task t ON t.task_id = n.notification_id
"""


def dead_letters(connection: Connection, *, most: int) -> list[Letter]:
    """The last events first: what is dead or failed, whoever was told instead."""
    rows = connection.execute(
        text(f"{_LETTER} WHERE n.state IN ('dead', 'failed') ORDER BY n.decided_at DESC, n.step LIMIT :most"),
        {"most": most},
    )
    return [Letter(**row._mapping) for row in rows]


def chain_of(connection: Connection, notification_id: UUID) -> list[Letter]:
    """All notifications of the alert of this one, in the order in which one came after the other; none if unknown."""
    rows = connection.execute(
        text(
            f"{_LETTER} WHERE n.alert_id = (SELECT alert_id FROM notification WHERE notification_id = :id)"
            " ORDER BY n.step, n.made_at, n.notification_id"
        ),
        {"id": notification_id},
    )
    return [Letter(**row._mapping) for row in rows]


def pending_count(connection: Connection) -> int:
    """How many messages wait to be sent."""
    query = "SELECT count(*) FROM notification WHERE state = 'pending' AND channel <> 'voice_task'"
    return int(connection.execute(text(query)).scalar_one())
