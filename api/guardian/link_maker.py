"""The code of the answer page in messages that ask for one; in an e-mail the link as well."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from alerts.gateway import Message
from alerts.link import LinkPolicy, token_for, with_code
from alerts.link_store import make_link
from api.guardian.pages import ENTRY_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMaker:
    """One per worker. ``key``: :func:`alerts.link.link_key`. ``public_url``: without it e-mails have the code only."""

    key: bytes
    policy: LinkPolicy = field(default_factory=LinkPolicy)
    public_url: str | None = None

    def put_code_in(self, connection: Connection, message: Message, *, at: datetime) -> Message:
        """The message as it leaves at ``at`` (aware); the same at every try."""
        link_id, code = make_link(connection, message.idempotency_key, key=self.key, at=at, policy=self.policy)
        address = None
        if self.public_url is not None:
            address = f"{self.public_url.rstrip('/')}{ENTRY_PATH}/{token_for(link_id, key=self.key)}"
        return with_code(message, code, address=address)
