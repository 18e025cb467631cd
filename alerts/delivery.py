"""Hop 6: hand pending notifications to the gateway, once each, outside any transaction."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from alerts.alert import Role
from alerts.gateway import Gateway, GatewayError, Message, Receipt
from alerts.policy import AlertPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A notification that this worker alone may send until its claim runs out."""

    notification_id: UUID
    message: Message
    role: Role
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


def deliver(*, outbox: Outbox, gateway: Gateway, clock: DeliveryClock, policy: AlertPolicy) -> int:
    """Send some of what is due; returns how many notifications were handled. Safe to run in any number of processes.

    A worker that dies between sending and recording leaves its claim to run out; the next one sends again with the same
    idempotency key.
    """
    claims = outbox.claim(policy.claim_count)
    for claim in claims:
        now = clock.now_for(claim.known_at)
        longest = policy.maximum_age if claim.role is Role.GUARDIAN else policy.officer_maximum_age
        if now - claim.decided_at > longest:
            outbox.record_dead(claim, f"older than {longest}: the event is over, an officer must follow it up")
            continue
        try:
            receipt = gateway.send(claim.message)
        except GatewayError as error:
            _record_failure(outbox, claim, error, policy)
        except Exception as error:  # a gateway's own bug is a failed attempt: the other messages must leave
            _record_failure(outbox, claim, GatewayError(f"gateway failed: {type(error).__name__}"), policy)
        else:
            outbox.record_sent(claim, receipt, now)
    return len(claims)


def _record_failure(outbox: Outbox, claim: Claim, error: GatewayError, policy: AlertPolicy) -> None:
    if error.is_final:
        outbox.record_dead(claim, error.reason)
    else:
        doubled = policy.first_retry * 2 ** min(claim.attempt - 1, 16)
        outbox.record_retry(claim, error.reason, min(doubled, policy.longest_retry))
