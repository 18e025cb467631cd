"""The outbox as hop 6 sees it: every call a transaction of its own, none open while a message is sent."""

from datetime import datetime, timedelta

from sqlalchemy import Engine

from alerts.delivery import Claim
from alerts.gateway import Receipt
from alerts.policy import AlertPolicy
from alerts.store import claim_pending, record_dead, record_retry, record_sent


class DatabaseOutbox:
    """Implements :class:`alerts.delivery.Outbox` on PostgreSQL."""

    def __init__(self, engine: Engine, policy: AlertPolicy) -> None:
        self._engine = engine
        self._policy = policy

    def claim(self, limit: int) -> list[Claim]:
        """Take due notifications and commit that."""
        with self._engine.begin() as connection:
            return claim_pending(connection, limit=limit, claim=self._policy.claim)

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
