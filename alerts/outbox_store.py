"""The outbox of notifications in PostGIS: claimed, counted, handed over, ended, and never silently gone.

Claims, waits and who holds what go by the database's clock, so that workers with different clocks agree; budgets, ages
and breakers by the clock of delivery, which is the event's own in a replay.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from alerts.alert import Role
from alerts.breaker import Breaker, BreakerState, ask, failed, succeeded
from alerts.budget import counted_since, is_within_budget
from alerts.channel import Channel
from alerts.delivery import Begun, Claim, find_obstacle
from alerts.failover import Obstacle
from alerts.gateway import GatewayError, Message, Receipt
from alerts.policy import AlertPolicy
from tracking.order import Subject

OpenAddress = Callable[[UUID, str, bytes, str], str | None]
"""(recipient, column, sealed address, key id) → the address, or ``None`` if what is stored cannot be opened."""

ADDRESS_COLUMNS = {Channel.SMS: "phone", Channel.WEBHOOK: "phone", Channel.EMAIL: "email"}
"""Channel → the column of the recipient that it is sent to."""

_BUDGET_LOCK = 0x48554C42  # "HULB"

_DUE = """
SELECT n.notification_id, n.channel, r.phone_index AS number FROM notification n JOIN recipient r USING (recipient_id)
WHERE n.state = 'pending' AND n.channel <> 'voice_task' AND n.due_at <= now()
ORDER BY n.decided_at, n.notification_id LIMIT :limit FOR UPDATE OF n SKIP LOCKED
"""

_CLAIMED = """
UPDATE notification n SET attempt = attempt + 1, due_at = now() + :claim FROM recipient r, alert a, subject s
WHERE n.notification_id = ANY(:ids) AND r.recipient_id = n.recipient_id AND a.alert_id = n.alert_id
    AND s.subject_no = a.subject_no
RETURNING n.*, r.phone, r.email, r.key_id, r.is_blocked, r.phone_index AS number, r.language AS reads,
    s.subject_no, s.subject_id, s.alias, s.birth_date
"""


def claim_pending(
    connection: Connection,
    *,
    limit: int,
    policy: AlertPolicy,
    now_for: Callable[[datetime], datetime],
    open_address: OpenAddress,
) -> list[Claim]:
    """Take due notifications that no other worker holds; they come due again when the claim runs out.

    What may leave is counted against the budget of its number, under a lock of that number: two workers cannot both
    take the last place. What is for a number that another worker holds at this moment stays due.
    ``now_for``: when a notification became known → the aware instant it is for it.
    """
    due = connection.execute(text(_DUE), {"limit": limit}).all()
    free = {
        number: _hold_number(connection, number)
        for number in {bytes(row.number) for row in due if _is_counted(row, policy)}
    }
    ids = [row.notification_id for row in due if not _is_counted(row, policy) or free[bytes(row.number)]]
    rows = connection.execute(text(_CLAIMED), {"ids": ids, "claim": policy.claim}).all()
    claims = []
    for row in sorted(rows, key=lambda row: (row.decided_at, row.notification_id)):
        claim, now = _claim(row, open_address), now_for(row.known_at)
        if find_obstacle(claim, now=now, policy=policy) is None and _is_counted(row, policy):
            claim = replace(claim, obstacle=_count(connection, row, now=now, policy=policy))
        claims.append(claim)
    return claims


def _hold_number(connection: Connection, number: bytes) -> bool:
    """Until COMMIT nobody else counts messages to this number. False: somebody else does. It never waits."""
    return bool(
        connection.execute(
            text("SELECT pg_try_advisory_xact_lock(:lock, hashtext(encode(:number, 'hex')))"),
            {"lock": _BUDGET_LOCK, "number": number},
        ).scalar_one()
    )


def _is_counted(row: Row[Any], policy: AlertPolicy) -> bool:
    return Channel(row.channel) in policy.budgeted and row.number is not None


def _claim(row: Row[Any], open_address: OpenAddress) -> Claim:
    channel = Channel(row.channel)
    column = ADDRESS_COLUMNS[channel]
    sealed = getattr(row, column)
    address = None if sealed is None else open_address(row.recipient_id, column, sealed, row.key_id)
    found = Obstacle.NO_ADDRESS if sealed is None else Obstacle.UNREADABLE
    return Claim(
        notification_id=row.notification_id,
        message=Message(
            idempotency_key=row.notification_id,
            channel=channel,
            address=address or "",
            text=row.text,
            template=row.template,
            variables=tuple((name, value) for name, value in row.variables),
            language=row.language,
            is_repeat=row.unsure_of is not None,
        ),
        role=Role(row.role),
        subject=Subject(
            subject_no=row.subject_no, subject_id=row.subject_id, alias=row.alias, birth_date=row.birth_date
        ),
        decided_at=row.decided_at,
        known_at=row.known_at,
        attempt=row.attempt,
        is_blocked=row.is_blocked,
        tell_until=row.tell_until,
        unsure_of=row.unsure_of,
        obstacle=found if address is None else None,
        event_at=row.event_at,
        reads=row.reads,
    )


def save_wording(connection: Connection, message: Message) -> None:
    """What is about to leave is what the database says was said."""
    connection.execute(
        text(
            "UPDATE notification SET template = :template, text = :text, variables = cast(:variables AS jsonb),"
            " language = :language WHERE notification_id = :id"
        ),
        {
            "id": message.idempotency_key,
            "template": message.template,
            "text": message.text,
            "variables": json.dumps(message.variables, ensure_ascii=False),
            "language": message.language,
        },
    )


def _count(connection: Connection, row: Row[Any], *, now: datetime, policy: AlertPolicy) -> Obstacle | None:
    """Take a place in the budget of the number, or say that there is none.

    It is counted as taken at the latest instant at which it may be: an attempt begins within the claim, and ends within
    as long again. The lock came before this statement, so that it sees what whoever held it has counted.
    """
    taken_at = connection.execute(
        text(
            "SELECT counted_at FROM notification WHERE phone_index = :number AND counted_at > :since"
            " AND channel = :channel AND notification_id <> :id"
        ),
        {
            "number": row.number,
            "since": counted_since(now),
            "channel": row.channel,
            "id": row.notification_id,
        },
    ).scalars()
    if not is_within_budget(list(taken_at), now=now, policy=policy):
        return Obstacle.BUDGET
    connection.execute(
        text("UPDATE notification SET phone_index = :number, counted_at = :until WHERE notification_id = :id"),
        {"number": row.number, "until": now + 2 * policy.claim, "id": row.notification_id},
    )
    return None


def begin_attempt(connection: Connection, claim: Claim, provider: str, *, now: datetime, policy: AlertPolicy) -> Begun:
    """Ask the breaker, and note before anything is sent that this provider may take it from now on."""
    query = "SELECT FROM notification WHERE notification_id = :id AND state = 'pending' AND attempt = :attempt"
    mine = {"id": claim.notification_id, "attempt": claim.attempt}
    if connection.execute(text(f"{query} AND due_at > now() FOR UPDATE"), mine).one_or_none() is None:
        return Begun.TAKEN_OVER
    breaker = breaker_of(connection, provider)
    if breaker.state is not BreakerState.CLOSED:
        asked = ask(_locked_breaker(connection, provider), now=now, policy=policy)
        if not asked.is_allowed:
            return Begun.PAUSED
        save_breaker(connection, provider, asked.breaker)
    connection.execute(
        text("UPDATE notification SET unsure_of = :provider, due_at = now() + :claim WHERE notification_id = :id"),
        {"provider": provider, "claim": policy.claim, "id": claim.notification_id},
    )
    return Begun.GO


def record_failure(
    connection: Connection, claim: Claim, provider: str, error: GatewayError, *, now: datetime, policy: AlertPolicy
) -> None:
    """What a failed attempt says of the provider, and whether the message may have been taken all the same.

    What an attempt before this one left open stays open.
    """
    if claim.unsure_of is None and not error.is_taken_possible:
        connection.execute(
            text(
                "UPDATE notification SET unsure_of = NULL"
                " WHERE notification_id = :id AND state = 'pending' AND attempt = :attempt"
            ),
            {"id": claim.notification_id, "attempt": claim.attempt},
        )
    if error.is_final:
        record_answered(connection, provider)
    else:
        breaker = failed(_locked_breaker(connection, provider), now=now, policy=policy)
        save_breaker(connection, provider, breaker)


def record_answered(connection: Connection, provider: str) -> None:
    """The provider works. Written only if it was in doubt."""
    if breaker_of(connection, provider) != succeeded():
        save_breaker(connection, provider, succeeded())


def breaker_of(connection: Connection, provider: str) -> Breaker:
    """What is known of a provider; closed if nothing is."""
    return _read_breaker(connection, provider, "")


def _locked_breaker(connection: Connection, provider: str) -> Breaker:
    connection.execute(
        text(
            "INSERT INTO provider_state (provider, state, failures) VALUES (:provider, 'closed', 0)"
            " ON CONFLICT DO NOTHING"
        ),
        {"provider": provider},
    )
    return _read_breaker(connection, provider, " FOR UPDATE")


def _read_breaker(connection: Connection, provider: str, lock: str) -> Breaker:
    query = f"SELECT state, failures, since FROM provider_state WHERE provider = :provider{lock}"
    row = connection.execute(text(query), {"provider": provider}).one_or_none()
    if row is None:
        return Breaker()
    return Breaker(state=BreakerState(row.state), failures=row.failures, since=row.since)


def save_breaker(connection: Connection, provider: str, breaker: Breaker) -> None:
    """Store it for all workers."""
    connection.execute(
        text(
            "INSERT INTO provider_state (provider, state, failures, since)"
            " VALUES (:provider, :state, :failures, :since)"
            " ON CONFLICT (provider) DO UPDATE SET state = excluded.state, failures = excluded.failures,"
            " since = excluded.since"
        ),
        {
            "provider": provider,
            "state": str(breaker.state),
            "failures": breaker.failures,
            "since": breaker.since,
        },
    )


def record_sent(connection: Connection, notification_id: UUID, receipt: Receipt, at: datetime) -> None:
    """The provider took it, and whoever says so is believed: another worker may have given it up meanwhile.

    What is sent already, reported on, or silenced because its record is sealed, stays as it is.
    """
    connection.execute(
        text(
            "UPDATE notification SET state = 'sent', sent_at = :at, provider = :provider, last_error = NULL,"
            " provider_reference = :reference, unsure_of = NULL,"
            " counted_at = CASE WHEN counted_at IS NULL THEN NULL ELSE :at END"
            " WHERE notification_id = :id AND (state = 'pending' OR state = 'dead' AND unsure_of IS NOT NULL)"
        ),
        {"id": notification_id, "at": at, "provider": receipt.provider, "reference": receipt.reference},
    )


def record_retry(
    connection: Connection, notification_id: UUID, reason: str, retry_in: timedelta, *, attempt: int
) -> None:
    """It comes due again after ``retry_in``. Nothing changes if a later attempt is under way: that one will tell."""
    connection.execute(
        text(
            "UPDATE notification SET due_at = now() + :retry_in, last_error = :reason"
            " WHERE notification_id = :id AND state = 'pending' AND attempt = :attempt"
        ),
        {"id": notification_id, "reason": reason, "retry_in": retry_in, "attempt": attempt},
    )
