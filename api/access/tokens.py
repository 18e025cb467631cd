"""API tokens of accounts: random, shown once, stored as a keyed hash, with scopes and an end."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from api.access.caller import Caller
from api.access.roles import AccountRole, Scope, scopes_open_to
from api.devices import hash_token
from api.errors import RefusedInputError
from api.ids import new_id

PREFIX = "hulan_"
"""Tells a token from a device's, to people and to scanners for leaked secrets."""

LONGEST_LIFE = timedelta(days=365)


class ScopeError(RefusedInputError):
    """A token was asked for with scopes that its account cannot have, or for too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token as it may be listed: everything but the token."""

    token_id: UUID
    label: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


def create_token(
    connection: Connection,
    account_no: int,
    *,
    label: str,
    scopes: Sequence[Scope],
    roles: frozenset[AccountRole],
    life: timedelta,
    secret: bytes,
    now: datetime,
) -> tuple[UUID, str]:
    """A new token and its id. Raises :class:`ScopeError`."""
    if not scopes or not set(scopes) <= scopes_open_to(roles):
        raise ScopeError("令牌的范围超出账号的角色 / the scopes go beyond the roles of the account")
    if not timedelta(0) < life <= LONGEST_LIFE:
        raise ScopeError("令牌有效期最长 365 天 / a token lives 365 days at most")
    token, token_id = PREFIX + secrets.token_urlsafe(32), new_id()
    connection.execute(
        text(
            "INSERT INTO api_token (token_id, account_no, label, token_hash, scopes, created_at, expires_at)"
            " VALUES (:token_id, :account_no, :label, :token_hash, :scopes, :now, :expires_at)"
        ),
        {
            "token_id": token_id,
            "account_no": account_no,
            "label": label,
            "token_hash": _hashed(token, secret),
            "scopes": sorted(set(scopes)),
            "now": now,
            "expires_at": now + life,
        },
    )
    return token_id, token


def find_token(connection: Connection, token: str, *, secret: bytes, now: datetime) -> Caller | None:
    """Whose token it is, or ``None``. Scopes that the account's roles no longer allow are left out."""
    row = connection.execute(
        text(
            "SELECT a.account_no, a.account_id, a.login_name, a.totp_confirmed_at, t.scopes,"
            " (SELECT coalesce(array_agg(role), '{}') FROM account_role r WHERE r.account_no = a.account_no) AS roles"
            " FROM api_token t JOIN account a USING (account_no)"
            " WHERE t.token_hash = :token_hash AND t.revoked_at IS NULL AND t.expires_at > :now"
            " AND a.disabled_at IS NULL AND (a.expires_at IS NULL OR a.expires_at > :now)"
        ),
        {"token_hash": _hashed(token, secret), "now": now},
    ).one_or_none()
    if row is None:
        return None
    roles = frozenset(AccountRole(role) for role in row.roles)
    return Caller(
        account_no=row.account_no,
        account_id=row.account_id,
        login_name=row.login_name,
        roles=roles,
        scopes=frozenset(Scope(scope) for scope in row.scopes) & scopes_open_to(roles),
        has_totp=row.totp_confirmed_at is not None,
    )


def list_tokens(connection: Connection, account_no: int) -> list[TokenRow]:
    """The tokens of an account, newest first."""
    rows = connection.execute(
        text(
            "SELECT token_id, label, scopes, created_at, expires_at, revoked_at FROM api_token"
            " WHERE account_no = :account_no ORDER BY created_at DESC, token_id"
        ),
        {"account_no": account_no},
    )
    return [TokenRow(**{**row._mapping, "scopes": tuple(row.scopes)}) for row in rows]


def revoke_token(connection: Connection, account_no: int, token_id: UUID, *, now: datetime) -> bool:
    """Revoke a token of this account; false if it has no such token in force."""
    done = connection.execute(
        text(
            "UPDATE api_token SET revoked_at = :now"
            " WHERE token_id = :token_id AND account_no = :account_no AND revoked_at IS NULL"
        ),
        {"now": now, "token_id": token_id, "account_no": account_no},
    )
    return bool(done.rowcount)


def _hashed(token: str, secret: bytes) -> bytes:
    return hash_token(f"api:{token}", secret)
