"""What people answered by text message, for the officers of the case: as it was said, and no more is read into it.

A bare 1 says neither which child nor which of the four answers it means, so that no reply acknowledges or settles
anything (ADR 0028); who wants that to happen types the code, or is telephoned.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from api.personal.fields import open_field
from api.personal.keyring import Keyring

_OF_ALERT = """
SELECT r.reply_id, n.recipient_id, n.role, r.provider, r.text, r.key_id, r.at, r.received_at, r.is_proven
FROM reply r JOIN notification n USING (notification_id)
WHERE n.alert_id = :id AND (r.is_proven OR NOT EXISTS (
    SELECT FROM reply p WHERE p.is_proven AND p.phone_index = r.phone_index AND p.at = r.at))
ORDER BY r.at, r.reply_id
"""


def replies_shown(connection: Connection, alert_id: UUID, keyring: Keyring) -> list[dict[str, Any]]:
    """Replies to the messages of an alert, the oldest first. ``is_proven``: the provider said so when it was asked."""
    return [
        {
            "role": row.role,
            "text": open_field(keyring, row.text, key_id=row.key_id, table="reply", column="text", row_id=row.reply_id),
            "at": row.at,
            "received_at": row.received_at,
            "provider": row.provider,
            "is_proven": row.is_proven,
        }
        for row in connection.execute(text(_OF_ALERT), {"id": alert_id})
    ]
