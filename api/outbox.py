"""The outbox as hop 6 sees it: every call a transaction of its own, none open while a message is sent.

The only place where a telephone number or an address is opened for use.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine

from alerts.delivery import Begun, Claim, DeliveryClock
from alerts.failover import Obstacle
from alerts.failover_store import end_dead
from alerts.gateway import GatewayError, Receipt
from alerts.link import wants_code
from alerts.outbox_store import (
    begin_attempt,
    claim_pending,
    record_answered,
    record_failure,
    record_retry,
    record_sent,
    save_wording,
)
from alerts.policy import AlertPolicy
from alerts.report_store import apply_replies, apply_reports
from alerts.rewording import reworded
from alerts.templates import BUILT_IN, Catalogue
from api.guardian.link_maker import LinkMaker
from api.personal.fields import open_field
from api.personal.keyring import Keyring
from api.personal.sealing import SealError

log = structlog.get_logger()

APPLIED_AT_A_TIME = 100


class DatabaseOutbox:
    """Implements :class:`alerts.delivery.Outbox` on PostgreSQL."""

    def __init__(
        self,
        engine: Engine,
        policy: AlertPolicy,
        keyring: Keyring,
        links: LinkMaker | None = None,
        catalogue: Catalogue = BUILT_IN,
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._keyring = keyring
        self._links = links
        self._catalogue = catalogue

    def claim(self, limit: int, clock: DeliveryClock) -> list[Claim]:
        """Take due notifications and commit that. Raises ``KeyringError``, and nothing is taken."""
        with self._engine.begin() as connection:
            claims = claim_pending(
                connection, limit=limit, policy=self._policy, now_for=clock.now_for, open_address=self.open_address
            )
            return [self._as_it_leaves(connection, claim, at=clock.now_for(claim.known_at)) for claim in claims]

    def _as_it_leaves(self, connection: Connection, claim: Claim, *, at: datetime) -> Claim:
        """Worded for the day and the reader, and that is stored; then with its code, which the database never holds.

        What a provider may have already is left as it was: another text under the same key would be another message.
        """
        message, links = claim.message, self._links
        if claim.event_at is not None and claim.unsure_of is None:
            message = reworded(
                message,
                event_at=claim.event_at,
                now=at,
                reads=claim.reads,
                with_code=links is not None,
                catalogue=self._catalogue,
            )
            if message != claim.message:
                save_wording(connection, message)
        if wants_code(message):
            if links is None:
                log.warning("message_without_its_code", notification_id=claim.notification_id)
            else:
                message = links.put_code_in(connection, message, at=at)
        return replace(claim, message=message)

    def open_address(self, recipient_id: UUID, column: str, sealed: bytes, key_id: str) -> str | None:
        """A number or e-mail address in clear; ``None``, and told to operators, if it was tampered with."""
        try:
            return open_field(
                self._keyring, sealed, key_id=key_id, table="recipient", column=column, row_id=recipient_id
            )
        except SealError:
            log.error("number_unreadable", recipient_id=recipient_id, key_id=key_id)
            return None

    def begin(self, claim: Claim, provider: str, now: datetime) -> Begun:
        """Commit that this provider may take it from now on."""
        with self._engine.begin() as connection:
            return begin_attempt(connection, claim, provider, now=now, policy=self._policy)

    def record_sent(self, claim: Claim, provider: str, receipt: Receipt, at: datetime) -> None:
        """Commit that the provider took it."""
        with self._engine.begin() as connection:
            record_sent(connection, claim.notification_id, receipt, at)
            record_answered(connection, provider)

    def record_failure(self, claim: Claim, provider: str, error: GatewayError, now: datetime) -> None:
        """Commit what a failed attempt says of the provider."""
        with self._engine.begin() as connection:
            record_failure(connection, claim, provider, error, now=now, policy=self._policy)

    def record_retry(self, claim: Claim, reason: str, retry_in: timedelta) -> None:
        """Commit when to try again."""
        with self._engine.begin() as connection:
            record_retry(connection, claim.notification_id, reason, retry_in, attempt=claim.attempt)

    def record_dead(self, claim: Claim, obstacle: Obstacle, detail: str, at: datetime) -> None:
        """Commit that it will not be sent, together with what comes in its place."""
        with self._engine.begin() as connection:
            end_dead(
                connection,
                claim.notification_id,
                obstacle,
                detail,
                attempt=claim.attempt,
                at=at,
                policy=self._policy,
            )

    def apply_news(self, clock: DeliveryClock) -> int:
        """Commit what providers reported and people answered since; returns how much it was."""
        with self._engine.begin() as connection:
            reported = apply_reports(connection, most=APPLIED_AT_A_TIME, policy=self._policy, now_for=clock.now_for)
        with self._engine.begin() as connection:
            return reported + apply_replies(connection, most=APPLIED_AT_A_TIME)
