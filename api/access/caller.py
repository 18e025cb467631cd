"""Who makes a request, and the database as that account sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.access.roles import AccountRole, Scope
from api.audit import name_actor

APPLICATION_ROLE = "hulan_app"
"""Owns nothing and cannot bypass row-level security (migration 0007)."""

KEEPER_ROLE = "hulan_keeper"
"""Seals the records of cases that the account may see, sealed ones included, and opens them (migration 0011)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An account that has proved who it is. ``session_hash`` is ``None`` for a token, ``scopes`` for a session."""

    account_no: int
    account_id: UUID
    login_name: str
    roles: frozenset[AccountRole]
    session_hash: bytes | None = None
    scopes: frozenset[Scope] | None = None
    is_full: bool = True
    must_change_password: bool = False
    has_totp: bool = False


@contextmanager
def as_account(engine: Engine, account_id: UUID, *, role: str = APPLICATION_ROLE) -> Iterator[Connection]:
    """One transaction under the application's role, in which the database shows what the account may see.

    The account is the actor in the audit. All settings end with the transaction: a pooled connection never keeps them.
    """
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL ROLE {role}"))
        connection.execute(text("SELECT set_config('hulan.account_id', :account, true)"), {"account": str(account_id)})
        name_actor(connection, actor=actor_of(account_id))
        yield connection


def actor_of(account_id: UUID) -> str:
    """An account as the audit names it."""
    return f"account:{account_id}"
