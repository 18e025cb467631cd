"""Hop 6: hand pending notifications to the gateway, once each, outside any transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from alerts.gateway import Gateway, GatewayError, Message, Receipt
from alerts.policy import AlertPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A notification that this worker alone may send until its claim runs out."""

    notification_id: UUID
    message: Message
    decided_at: datetime
    known_at: datetime
    attempt: int
    """1 for the first try."""


class Outbox(Protocol):
    """The pending notifications. Every call is a transaction of its own."""

    def claim(self, limit: int) -> list[Claim]:
        """Take up to ``limit`` due notifications that nobody else holds."""
        ...

    def record_sent(self, claim: Claim, receipt: Receipt, at: datetime) -> None:
        """The provider took it."""
        ...

    def record_retry(self, claim: Claim, reason: str, retry_in: timedelta) -> None:
        """Try again later."""
        ...

    def record_dead(self, claim: Claim, reason: str) -> None:
        """It will not be sent: visible, and never silently gone."""
        ...


class DeliveryClock(Protocol):
    """The time it is for a piece of work: the wall clock, or the event's own time in a replay."""

    def now_for(self, known_at: datetime) -> datetime:
        """Aware instant. ``known_at``: when the work became known."""
        ...


def deliver(*, outbox: Outbox, gateway: Gateway, clock: DeliveryClock, policy: AlertPolicy, limit: int = 50) -> int:
    """Send what is due; returns how many notifications were handled. Safe to run in any number of processes.

    A worker that dies between sending and recording leaves its claim to run out; the next one sends again with the same
    idempotency key.
    """
    claims = outbox.claim(limit)
    for claim in claims:
        now = clock.now_for(claim.known_at)
        if now - claim.decided_at > policy.maximum_age:
            outbox.record_dead(
                claim, f"older than {policy.maximum_age}: the event is over, an officer must follow it up"
            )
            continue
        try:
            receipt = gateway.send(claim.message)
        except GatewayError as error:
            _record_failure(outbox, claim, error, policy)
        else:
            outbox.record_sent(claim, receipt, now)
    return len(claims)


def _record_failure(outbox: Outbox, claim: Claim, error: GatewayError, policy: AlertPolicy) -> None:
    if error.is_final or claim.attempt >= policy.maximum_attempts:
        outbox.record_dead(claim, error.reason)
    else:
        outbox.record_retry(claim, error.reason, policy.first_retry * 2 ** (claim.attempt - 1))
