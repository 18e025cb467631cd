"""Asking providers what became of messages: what they say goes the way of callbacks (ADR 0026).

A provider that is asked is asked by one worker at a time; one that tells by the line it is sent on, by each that has a
line. No transaction is open while a provider answers, and what it told is stored before it is asked again.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, Engine, text

from alerts.delivery import Providers
from alerts.gateway import Awaited, GatewayError, Polls
from alerts.outbox_store import OpenAddress
from alerts.report_store import awaited_of
from api.callbacks import keep_told
from api.personal.keyring import Keyring

log = structlog.get_logger()

ASKED_FOR = timedelta(hours=48)
"""What is not reported on within this time is asked about no more: no provider tries longer to deliver."""

MOST_AWAITED = 500
ASKED_AT_A_TIME = 20
"""Stored in between: a provider that fails half way has told what it told."""


def poll_providers(
    engine: Engine,
    providers: Providers,
    *,
    keyring: Keyring,
    open_address: OpenAddress,
    now: datetime,
    every: timedelta,
) -> int:
    """Ask each provider whose turn it is at ``now`` (aware); returns how much was told, repeats too.

    ``every``: no provider is asked more often, by whatever number of workers. One that fails is asked again then.
    """
    count = 0
    for gateway in _asked(providers):
        try:
            count += _poll(engine, gateway, keyring=keyring, open_address=open_address, now=now, every=every)
        except GatewayError as error:
            log.warning("provider_not_polled", provider=gateway.provider, reason=error.reason)
    return count


def _asked(providers: Providers) -> Iterator[Polls]:
    """Each once, though it may serve more than one channel."""
    by_name = {gateway.provider: gateway for gateways in providers.values() for gateway in gateways}
    return (gateway for gateway in by_name.values() if isinstance(gateway, Polls))


def _poll(
    engine: Engine, gateway: Polls, *, keyring: Keyring, open_address: OpenAddress, now: datetime, every: timedelta
) -> int:
    if gateway.tells_by_itself:
        return _ask(engine, gateway, (), keyring)
    with engine.begin() as connection:
        if not _take_turn(connection, gateway.provider, now=now, every=every):
            return 0
        awaited = awaited_of(
            connection, gateway.provider, since=now - ASKED_FOR, most=MOST_AWAITED, open_address=open_address
        )
    reachable = [item for item in awaited if item.address]
    return sum(
        _ask(engine, gateway, reachable[start : start + ASKED_AT_A_TIME], keyring)
        for start in range(0, len(reachable), ASKED_AT_A_TIME)
    )


def _ask(engine: Engine, gateway: Polls, awaited: Sequence[Awaited], keyring: Keyring) -> int:
    try:
        told = gateway.poll(awaited)
    except GatewayError:
        raise
    except Exception as error:  # a gateway's own bug must not keep the others from being asked
        raise GatewayError(f"gateway failed: {type(error).__name__}") from error
    if not told.reports and not told.replies:
        return 0
    with engine.begin() as connection:
        return keep_told(connection, told, keyring)


def _take_turn(connection: Connection, provider: str, *, now: datetime, every: timedelta) -> bool:
    """Whether no worker asked it lately; then it is this one's turn, even if it dies before it asks."""
    done = connection.execute(
        text(
            "INSERT INTO provider_state AS p (provider, state, failures, polled_at)"
            " VALUES (:provider, 'closed', 0, :now)"
            " ON CONFLICT (provider) DO UPDATE SET polled_at = excluded.polled_at"
            " WHERE p.polled_at IS NULL OR p.polled_at <= :before"
        ),
        {"provider": provider, "now": now, "before": now - every},
    )
    return done.rowcount == 1
