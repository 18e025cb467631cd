"""The outbox as hop 6 sees it: every call a transaction of its own, none open while a message is sent.

The only place where a telephone number is opened for use.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Engine

from alerts.delivery import Claim
from alerts.gateway import Receipt
from alerts.policy import AlertPolicy
from alerts.store import claim_pending, record_dead, record_retry, record_sent
from api.personal.fields import open_field
from api.personal.keyring import Keyring
from api.personal.sealing import SealError

log = structlog.get_logger()


class DatabaseOutbox:
    """Implements :class:`alerts.delivery.Outbox` on PostgreSQL."""

    def __init__(self, engine: Engine, policy: AlertPolicy, keyring: Keyring) -> None:
        self._engine = engine
        self._policy = policy
        self._keyring = keyring

    def claim(self, limit: int) -> list[Claim]:
        """Take due notifications and commit that. Raises ``KeyringError``, and nothing is taken."""
        with self._engine.begin() as connection:
            return claim_pending(connection, limit=limit, claim=self._policy.claim, open_phone=self._open_phone)

    def _open_phone(self, recipient_id: UUID, sealed: bytes, key_id: str) -> str | None:
        try:
            return open_field(
                self._keyring, sealed, key_id=key_id, table="recipient", column="phone", row_id=recipient_id
            )
        except SealError:
            log.error("number_unreadable", recipient_id=recipient_id, key_id=key_id)
            return None

    def record_sent(self, claim: Claim, receipt: Receipt, at: datetime) -> None:
        """Commit that the provider took it."""
        with self._engine.begin() as connection:
            record_sent(connection, claim.notification_id, receipt, at)

    def record_retry(self, claim: Claim, reason: str, retry_in: timedelta) -> None:
        """Commit when to try again."""
        with self._engine.begin() as connection:
            record_retry(connection, claim.notification_id, reason, retry_in, attempt=claim.attempt)

    def record_dead(self, claim: Claim, reason: str) -> None:
        """Commit that it will not be sent."""
        with self._engine.begin() as connection:
            record_dead(connection, claim.notification_id, reason, attempt=claim.attempt)
