"""Links to the answer page: one for each message that asks for a code."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from alerts.link import MOST_ROUNDS, LinkPolicy, code_for, hash_of_code, link_id_for


def make_link(
    connection: Connection, notification_id: UUID, *, key: bytes, at: datetime, policy: LinkPolicy
) -> tuple[UUID, str]:
    """The link of a message and its code: made at ``at`` (aware) by the first claim, the same ever after."""
    link_id = link_id_for(notification_id, key=key)
    codes = [code_for(link_id, key=key, round_no=number) for number in range(MOST_ROUNDS)]
    values = {"link_id": link_id, "notification_id": notification_id, "at": at, "expires_at": at + policy.lasts}
    known = connection.execute(text("SELECT token_hash FROM guardian_link WHERE link_id = :link_id"), values).scalar()
    for code in codes:
        token_hash = hash_of_code(code, key=key)
        if known is None:
            done = connection.execute(text(_MAKE), values | {"token_hash": token_hash})
            if done.rowcount:
                return link_id, code
        elif bytes(known) == token_hash:
            return link_id, code
    raise LookupError(f"反馈码全部重复 / every code of link {link_id} is another link's")


_MAKE = """
INSERT INTO guardian_link (link_id, alert_id, notification_id, recipient_id, subject_no, token_hash, made_at,
    expires_at)
SELECT :link_id, alert_id, notification_id, recipient_id, subject_no, :token_hash, :at, :expires_at
FROM notification JOIN alert USING (alert_id) WHERE notification_id = :notification_id
ON CONFLICT DO NOTHING
"""
