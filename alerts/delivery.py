"""Hop 6: hand pending notifications to providers, each once, outside any transaction. Pure but for its arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Protocol
from uuid import UUID

import numpy as np

from alerts.alert import FAMILY_ROLES, Role
from alerts.backoff import draw_wait
from alerts.channel import Channel
from alerts.failover import Obstacle, usable_providers
from alerts.gateway import Gateway, GatewayError, Message, Receipt
from alerts.policy import AlertPolicy
from tracking.order import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A notification that this worker alone may send until its claim runs out."""

    notification_id: UUID
    message: Message
    role: Role
    subject: Subject
    decided_at: datetime
    known_at: datetime
    attempt: int
    """1 for the first claim."""
    is_blocked: bool = False
    """The recipient, by now."""
    tell_until: datetime | None = None
    """From this aware instant on the recipient may not be told."""
    unsure_of: str | None = None
    """A provider that may have taken it: it was handed over, and no answer was recorded."""
    obstacle: Obstacle | None = None
    """What the outbox found: the budget of the number is spent, or there is no address."""
    event_at: datetime | None = None
    """What the text says as the time of the event, aware; ``None``: not known."""
    reads: str = "zh"
    """The recipient's language."""


Providers = Mapping[Channel, Sequence[Gateway]]
"""For each channel the providers in the order in which they are tried."""


class Begun(Enum):
    """What the outbox says before a message is handed over."""

    GO = auto()
    PAUSED = auto()
    """The provider failed lately: another one, or later."""
    TAKEN_OVER = auto()
    """The claim ran out, and another worker has it."""


class DeliveryClock(Protocol):
    """The time it is for a piece of work: the wall clock, or the event's own time in a replay."""

    def now(self) -> datetime:
        """Aware instant, for what is about no message: providers."""
        ...

    def now_for(self, known_at: datetime) -> datetime:
        """Aware instant. ``known_at``: when the work became known."""
        ...


class Outbox(Protocol):
    """The pending notifications. Every call is a transaction of its own."""

    def claim(self, limit: int, clock: DeliveryClock) -> list[Claim]:
        """Take up to ``limit`` due notifications that nobody else holds, and count them against their budgets."""
        ...

    def begin(self, claim: Claim, provider: str, now: datetime) -> Begun:
        """Ask whether the provider may be sent anything, and note that it may take this one from now on."""
        ...

    def record_sent(self, claim: Claim, provider: str, receipt: Receipt, at: datetime) -> None:
        """The provider took it."""
        ...

    def record_failure(self, claim: Claim, provider: str, error: GatewayError, now: datetime) -> None:
        """The provider did not take it, or nobody knows whether it did."""
        ...

    def record_retry(self, claim: Claim, reason: str, retry_in: timedelta) -> None:
        """Try again later."""
        ...

    def record_dead(self, claim: Claim, obstacle: Obstacle, detail: str, at: datetime) -> None:
        """It will not be sent. What comes next in its place is there from the same instant on."""
        ...


def longest_age(role: Role, policy: AlertPolicy) -> timedelta:
    """How long after the event a message is still of use."""
    return policy.maximum_age if role in FAMILY_ROLES else policy.officer_maximum_age


def find_obstacle(claim: Claim, *, now: datetime, policy: AlertPolicy) -> Obstacle | None:
    """Why the message may not leave at ``now`` (aware), or ``None``."""
    if claim.is_blocked:
        return Obstacle.BLOCKED
    is_over = claim.tell_until is not None and now >= claim.tell_until
    if is_over or (claim.role is Role.GUARDIAN and not claim.subject.is_minor_at(now)):
        return Obstacle.ADULT
    if claim.role in FAMILY_ROLES and claim.known_at - claim.decided_at > policy.quiet_after:
        return Obstacle.LATE
    if now - claim.decided_at > longest_age(claim.role, policy):
        return Obstacle.TOO_OLD
    return claim.obstacle


def deliver(
    *, outbox: Outbox, providers: Providers, clock: DeliveryClock, policy: AlertPolicy, rng: np.random.Generator
) -> int:
    """Send some of what is due; returns how many notifications were handled. Safe to run in any number of processes.

    A worker that dies between sending and recording leaves its claim to run out; the next one sends again to the same
    provider with the same idempotency key.
    """
    claims = outbox.claim(policy.claim_count, clock)
    for claim in claims:
        now = clock.now_for(claim.known_at)
        obstacle = find_obstacle(claim, now=now, policy=policy)
        if obstacle is None:
            _hand_over(claim, outbox=outbox, providers=providers, clock=clock, policy=policy, rng=rng)
        else:
            outbox.record_dead(claim, obstacle, "", now)
    return len(claims)


def _hand_over(
    claim: Claim,
    *,
    outbox: Outbox,
    providers: Providers,
    clock: DeliveryClock,
    policy: AlertPolicy,
    rng: np.random.Generator,
) -> None:
    """Try the providers in order until one takes it, may have taken it, or refuses it for good."""
    gateways = {gateway.provider: gateway for gateway in providers.get(claim.message.channel, ())}
    usable = usable_providers(tuple(gateways), unsure_of=claim.unsure_of)
    said = "no answer in time"
    for name in usable:
        match outbox.begin(claim, name, clock.now()):
            case Begun.TAKEN_OVER:
                return
            case Begun.PAUSED:
                said = f"{name} is left alone for a while after failures"
                continue
        answer = _send(gateways[name], claim.message)
        if isinstance(answer, Receipt):
            outbox.record_sent(claim, name, answer, clock.now_for(claim.known_at))
            return
        outbox.record_failure(claim, name, answer, clock.now())
        said = answer.reason
        if answer.is_final:
            obstacle = Obstacle.BUDGET if answer.is_budget_hit else Obstacle.REFUSED
            outbox.record_dead(claim, obstacle, said, clock.now_for(claim.known_at))
            return
        if answer.is_taken_possible or not answer.is_provider_down:
            break
    if usable:
        wait = draw_wait(claim.attempt, first=policy.first_retry, longest=policy.longest_retry, rng=rng)
        outbox.record_retry(claim, said, wait)
    else:
        outbox.record_dead(claim, Obstacle.NO_PROVIDER, "", clock.now_for(claim.known_at))


def _send(gateway: Gateway, message: Message) -> Receipt | GatewayError:
    try:
        return gateway.send(message)
    except GatewayError as error:
        return error
    except Exception as error:  # a gateway's own bug is a failed attempt: the other messages must leave
        return GatewayError(f"gateway failed: {type(error).__name__}")
