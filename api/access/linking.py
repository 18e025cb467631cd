"""Accounts and the identities they are linked to. An administrator links; a token makes no account and no link."""

import hashlib
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from api.access.accounts import FIRST_PASSWORD_LIVES, AccountError
from api.access.log_in import LogIn
from api.access.oidc import PENDING_SECONDS, Identity, Pending
from api.access.passwords import PASSWORDS, make_password
from api.access.roles import AccountKind
from api.access.sessions import end_session, end_sessions_of, hash_session, open_session
from api.audit import LookKind, name_actor, record_event
from api.errors import OidcRefusedError


def link_identity(connection: Connection, account_no: int, *, issuer: str, subject: str, now: datetime) -> None:
    """From now on this person logs in at the provider, and no password opens the account. Raises ``AccountError``."""
    linked = connection.execute(
        text(
            "INSERT INTO account_identity (account_no, issuer, subject, linked_at)"
            " VALUES (:account_no, :issuer, :subject, :now) ON CONFLICT DO NOTHING"
        ),
        {"account_no": account_no, "issuer": issuer, "subject": subject, "now": now},
    )
    if not linked.rowcount:
        raise AccountError(
            "该账号或该身份已有关联，请先用 hulan account unlink-oidc 解除"
            " / the account or the identity is linked already: `hulan account unlink-oidc` comes first"
        )
    lock_password(connection, account_no)
    end_sessions_of(connection, account_no, now=now)


def unlink_identity(connection: Connection, account_no: int, *, now: datetime) -> str:
    """Undo a link; returns a first password, shown once. Raises ``AccountError`` if there is no link."""
    gone = connection.execute(
        text("DELETE FROM account_identity WHERE account_no = :account_no"), {"account_no": account_no}
    )
    if not gone.rowcount:
        raise AccountError("该账号没有关联 / the account is not linked")
    password = make_password()
    _store(connection, account_no, password, expires_at=now + FIRST_PASSWORD_LIVES)
    end_sessions_of(connection, account_no, now=now)
    return password


def is_linked(connection: Connection, account_no: int) -> bool:
    """Whether the account's person logs in at the provider."""
    found = connection.execute(
        text("SELECT 1 FROM account_identity WHERE account_no = :account_no"), {"account_no": account_no}
    )
    return found.first() is not None


def lock_password(connection: Connection, account_no: int) -> None:
    """Replace the password by one that nobody knows: guessing costs the same as ever and never succeeds."""
    _store(connection, account_no, make_password(), expires_at=None)


def use_up(log_in: LogIn, pending: Pending, *, now: datetime) -> None:
    """A log-in is finished once. Raises ``OidcRefusedError`` the second time, in whichever process."""
    values = {
        "state_hash": hashlib.sha256(pending.state.encode()).digest(),
        "now": now,
        "old": now - timedelta(seconds=2 * PENDING_SECONDS),
    }
    with log_in.engine.begin() as connection:
        connection.execute(text("DELETE FROM oidc_state WHERE used_at < :old"), values)
        used = connection.execute(
            text("INSERT INTO oidc_state (state_hash, used_at) VALUES (:state_hash, :now) ON CONFLICT DO NOTHING"),
            values,
        )
    if not used.rowcount:
        raise OidcRefusedError("this log-in was finished before")


def log_in_linked(log_in: LogIn, identity: Identity, *, old_id: str | None, now: datetime) -> str:
    """A new session of the account that the identity is linked to: a half one unless the provider proved two factors.

    Administrators give Hulan's own code in any case: who runs the provider must not become one of them. Raises
    ``OidcRefusedError`` without a linked account that may log in.
    """
    with log_in.engine.begin() as connection:
        row = connection.execute(
            text(
                "SELECT a.account_no, a.account_id, a.kind FROM account_identity i JOIN account a USING (account_no)"
                " WHERE i.issuer = :issuer AND i.subject = :subject AND a.disabled_at IS NULL"
                " AND (a.expires_at IS NULL OR a.expires_at > :now)"
            ),
            {"issuer": identity.issuer, "subject": identity.subject, "now": now},
        ).one_or_none()
        if row is None:
            note_log_in(connection, account_id=None)
        else:
            is_full = identity.has_second_factor and row.kind == AccountKind.OFFICER
            if is_full:  # else it is noted with the code
                note_log_in(connection, account_id=row.account_id)
            if old_id is not None:
                end_session(connection, hash_session(old_id, log_in.secret), now=now)
            return open_session(
                connection, row.account_no, is_full=is_full, secret=log_in.secret, times=log_in.times, now=now
            )
    raise OidcRefusedError("no account that may log in is linked to this identity")


def note_log_in(connection: Connection, *, account_id: UUID | None) -> None:
    """An entry of the audit for a log-in by the provider; ``None``: refused."""
    kind = LookKind.LOG_IN_REFUSED if account_id is None else LookKind.LOG_IN
    name_actor(connection, actor="anonymous" if account_id is None else f"account:{account_id}")
    record_event(connection, kind, subject_no=None, detail="single sign-on")


def _store(connection: Connection, account_no: int, password: str, *, expires_at: datetime | None) -> None:
    connection.execute(
        text(
            "UPDATE account SET password_hash = :password_hash, password_expires_at = :expires_at"
            " WHERE account_no = :account_no"
        ),
        {"password_hash": PASSWORDS.hash(password), "expires_at": expires_at, "account_no": account_no},
    )
