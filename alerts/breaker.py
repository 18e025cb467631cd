"""A circuit breaker per provider, as a value: a provider that fails is left alone for a while. Pure.

The value is stored, so that all workers share it: after a pause exactly one of them tries one message.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from alerts.policy import AlertPolicy


class BreakerState(StrEnum):
    """What is done with the messages for a provider."""

    CLOSED = "closed"
    """All are handed over."""
    OPEN = "open"
    """None is."""
    HALF_OPEN = "half_open"
    """One is under way, and tells whether the provider is back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """What is known of a provider. ``since``: aware, when it was opened, or when the one message set out."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    """In a row."""
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The answer to "may I send?", and the breaker after it: to be stored before anything is sent."""

    is_allowed: bool
    breaker: Breaker


def ask(breaker: Breaker, *, now: datetime, policy: AlertPolicy) -> Asked:
    """Whether a message may be handed over at ``now`` (aware).

    A probe of which nothing was heard for as long as a claim lasts is taken for lost with its worker, and another one
    sets out.
    """
    if breaker.state is BreakerState.CLOSED or breaker.since is None:
        return Asked(is_allowed=True, breaker=breaker)
    pause = policy.breaker_open if breaker.state is BreakerState.OPEN else policy.claim
    if now < breaker.since + pause:
        return Asked(is_allowed=False, breaker=breaker)
    return Asked(is_allowed=True, breaker=replace(breaker, state=BreakerState.HALF_OPEN, since=now))


def succeeded() -> Breaker:
    """After a provider took a message, or refused it by itself: the provider answers, so that it is closed."""
    return Breaker()


def failed(breaker: Breaker, *, now: datetime, policy: AlertPolicy) -> Breaker:
    """After a failure of the provider at ``now``. Who comes late with a failure does not prolong an open one."""
    if breaker.state is BreakerState.OPEN:
        return breaker
    failures = breaker.failures + 1
    if breaker.state is BreakerState.HALF_OPEN or failures >= policy.breaker_failures:
        return Breaker(state=BreakerState.OPEN, failures=failures, since=now)
    return replace(breaker, failures=failures)
