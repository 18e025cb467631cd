"""Accounts of others, for administrators: listing, unlocking, disabling.

First passwords are given out on the command line only: an administrator who could reset an officer's over the web
could log in as that officer.
"""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection, Row, text

from api.access.accounts import disable_account
from api.access.caller import actor_of, as_account
from api.access.gate import Gate
from api.access.policy import AccessPolicy, Who
from api.access.roles import AccountRole, Scope
from api.access.throttle import Attempt, clear_account
from api.audit import LookKind, name_actor, record_event
from api.errors import NotThereError

router = APIRouter(prefix="/accounts")

_READERS = frozenset({AccountRole.SYSTEM_ADMINISTRATOR, AccountRole.SECURITY_ADMINISTRATOR})
READS_ACCOUNTS = AccessPolicy(who=Who.SESSION_OR_TOKEN, roles=_READERS, scope=Scope.ACCOUNTS_READ)
KEEPS_ACCOUNTS = AccessPolicy(who=Who.SESSION, roles=frozenset({AccountRole.SECURITY_ADMINISTRATOR}))


@router.get("", dependencies=[Depends(READS_ACCOUNTS)])
def get_accounts(request: Request) -> dict[str, Any]:
    """Every account that the database shows the caller, without passwords and secrets."""
    gate: Gate = request.app.state.services.gate
    with as_account(gate.engine, request.state.caller.account_id) as connection:
        rows = connection.execute(
            text(
                "SELECT account_id, login_name, staff_number, display_name, created_at, expires_at, disabled_at,"
                " totp_confirmed_at IS NOT NULL AS has_totp, (SELECT array_agg(role ORDER BY role) FROM account_role r"
                " WHERE r.account_no = a.account_no) AS roles FROM account a ORDER BY login_name"
            )
        )
        return {"accounts": [dict(row._mapping) for row in rows]}


@router.post("/{account_id}/unlock", status_code=204, dependencies=[Depends(KEEPS_ACCOUNTS)])
def post_unlock(request: Request, account_id: UUID) -> None:
    """Forget the failed log-ins of an account."""
    gate: Gate = request.app.state.services.gate
    with gate.engine.begin() as connection:
        account = _account(connection, account_id)
        name_actor(connection, actor=actor_of(request.state.caller.account_id))
        record_event(connection, LookKind.UNLOCKED, subject_no=None, detail=f"account {account_id}")
        attempt = Attempt.of(login_name=account.login_name, address="", secret=gate.secret)
        clear_account(connection, attempt.account_key)


@router.post("/{account_id}/disable", status_code=204, dependencies=[Depends(KEEPS_ACCOUNTS)])
def post_disable(request: Request, account_id: UUID) -> None:
    """End an account with its sessions and tokens."""
    gate: Gate = request.app.state.services.gate
    with gate.engine.begin() as connection:
        name_actor(connection, actor=actor_of(request.state.caller.account_id))
        disable_account(connection, _account(connection, account_id).account_no, now=gate.clock.now())


def _account(connection: Connection, account_id: UUID) -> Row[Any]:
    row = connection.execute(
        text("SELECT account_no, login_name FROM account WHERE account_id = :account_id"), {"account_id": account_id}
    ).one_or_none()
    if row is None:
        raise NotThereError
    return row
