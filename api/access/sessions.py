"""Sessions live in the database: revocable at once, with an idle and an absolute end, under an id nobody can choose."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from api.access.caller import Caller
from api.access.roles import AccountRole
from api.devices import hash_token

HALF_SESSION = timedelta(minutes=10)
"""Between the password and the code of the second factor."""

NOTED_EVERY = timedelta(minutes=1)
"""How exactly the last use is kept: a write per request would cost more than it tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTimes:
    """How long a session lives unused, and at all."""

    idle: timedelta = timedelta(minutes=30)
    most: timedelta = timedelta(hours=12)


def open_session(
    connection: Connection, account_no: int, *, is_full: bool, secret: bytes, times: SessionTimes, now: datetime
) -> str:
    """A new session; returns its id, which only the cookie holds."""
    session_id = secrets.token_urlsafe(32)
    connection.execute(
        text(
            "INSERT INTO account_session (session_hash, account_no, is_full, created_at, seen_at, ends_at)"
            " VALUES (:session_hash, :account_no, :is_full, :now, :now, :ends_at)"
        ),
        {
            "session_hash": hash_session(session_id, secret),
            "account_no": account_no,
            "is_full": is_full,
            "now": now,
            "ends_at": now + (times.most if is_full else HALF_SESSION),
        },
    )
    return session_id


def find_session(
    connection: Connection, session_hash: bytes, *, times: SessionTimes, now: datetime, is_use: bool = True
) -> Caller | None:
    """Whose session it is, or ``None``: unknown, ended, idle too long, or of an account that may not log in.

    ``is_use``: whether somebody uses it now; what only goes on by itself does not keep it alive.
    """
    row = connection.execute(
        text(
            "SELECT a.account_no, a.account_id, a.login_name, a.password_expires_at, a.totp_confirmed_at, s.is_full,"
            " s.seen_at, (SELECT coalesce(array_agg(role), '{}') FROM account_role r WHERE r.account_no = a.account_no)"
            " AS roles FROM account_session s JOIN account a USING (account_no)"
            " WHERE s.session_hash = :session_hash AND s.revoked_at IS NULL AND s.ends_at > :now"
            " AND s.seen_at > :idle_since AND a.disabled_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > :now)"
            " AND (a.password_expires_at IS NULL OR a.password_expires_at > :now)"
        ),
        {"session_hash": session_hash, "now": now, "idle_since": now - times.idle},
    ).one_or_none()
    if row is None:
        return None
    if is_use and now - row.seen_at >= NOTED_EVERY:
        connection.execute(
            text("UPDATE account_session SET seen_at = :now WHERE session_hash = :session_hash"),
            {"now": now, "session_hash": session_hash},
        )
    return Caller(
        account_no=row.account_no,
        account_id=row.account_id,
        login_name=row.login_name,
        roles=frozenset(AccountRole(role) for role in row.roles),
        session_hash=session_hash,
        is_full=row.is_full,
        must_change_password=row.password_expires_at is not None,
        has_totp=row.totp_confirmed_at is not None,
    )


def end_session(connection: Connection, session_hash: bytes, *, now: datetime) -> None:
    """Revoke one session; an unknown one is no error."""
    connection.execute(
        text("UPDATE account_session SET revoked_at = :now WHERE session_hash = :session_hash AND revoked_at IS NULL"),
        {"now": now, "session_hash": session_hash},
    )


def end_sessions_of(connection: Connection, account_no: int, *, now: datetime) -> int:
    """Revoke every session of an account; returns how many."""
    done = connection.execute(
        text("UPDATE account_session SET revoked_at = :now WHERE account_no = :account_no AND revoked_at IS NULL"),
        {"now": now, "account_no": account_no},
    )
    return done.rowcount


def hash_session(session_id: str, secret: bytes) -> bytes:
    """What is stored of a session's id."""
    return hash_token(f"session:{session_id}", secret)


def csrf_token_of(session_id: str, secret: bytes) -> str:
    """The token that unsafe requests of this session carry in a header: a keyed hash of the id."""
    return hmac.new(secret, f"csrf:{session_id}".encode(), hashlib.sha256).hexdigest()


def is_csrf_token(token: str, session_id: str, secret: bytes) -> bool:
    """Whether a token belongs to a session."""
    return hmac.compare_digest(token.encode(), csrf_token_of(session_id, secret).encode())
