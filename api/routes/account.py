"""One's own account: the password and the API tokens."""

from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.access.caller import actor_of
from api.access.gate import Gate, address_of, set_cookie
from api.access.passwords import LONGEST_PASSWORD
from api.access.policy import FIRST_PASSWORD, SESSION
from api.access.roles import Scope
from api.access.sessions import csrf_token_of
from api.access.tokens import create_token, list_tokens, revoke_token
from api.audit import LookKind, name_actor, record_event
from api.errors import NotThereError

router = APIRouter(prefix="/account")


class PasswordChange(BaseModel):
    """The old password and the new one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    old: Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]
    new: Annotated[SecretStr, Field(max_length=LONGEST_PASSWORD)]


class TokenWish(BaseModel):
    """What a token shall be for."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    label: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
    scopes: Annotated[list[Scope], Field(min_length=1)]
    days: Annotated[int, Field(ge=1, le=365)] = 90


@router.post("/password", dependencies=[Depends(FIRST_PASSWORD)])
def post_password(request: Request, response: Response, body: PasswordChange) -> dict[str, str]:
    """Change the password: every other session ends, this one goes on under a new id and a new CSRF token."""
    gate: Gate = request.app.state.services.gate
    session_id = gate.log_in.to_new_password(
        request.state.caller,
        old=body.old.get_secret_value(),
        new=body.new.get_secret_value(),
        address=address_of(request),
        now=gate.clock.now(),
    )
    set_cookie(response, session_id)
    return {"csrf_token": csrf_token_of(session_id, gate.secret)}


@router.get("/tokens", dependencies=[Depends(SESSION)])
def get_tokens(request: Request) -> dict[str, Any]:
    """One's own tokens, without the tokens themselves."""
    gate: Gate = request.app.state.services.gate
    with gate.engine.begin() as connection:
        return {"tokens": list_tokens(connection, request.state.caller.account_no)}


@router.post("/tokens", status_code=201, dependencies=[Depends(SESSION)])
def post_token(request: Request, body: TokenWish) -> dict[str, Any]:
    """A new token, shown this once. 422 for scopes beyond one's roles."""
    gate: Gate = request.app.state.services.gate
    caller = request.state.caller
    with gate.engine.begin() as connection:
        name_actor(connection, actor=actor_of(caller.account_id))
        token_id, token = create_token(
            connection,
            caller.account_no,
            label=body.label,
            scopes=body.scopes,
            roles=caller.roles,
            life=timedelta(days=body.days),
            secret=gate.secret,
            now=gate.clock.now(),
        )
        record_event(connection, LookKind.TOKEN_MADE, subject_no=None, detail=f"token {token_id}")
    return {"token_id": token_id, "token": token}


@router.delete("/tokens/{token_id}", status_code=204, dependencies=[Depends(SESSION)])
def delete_token(request: Request, token_id: UUID) -> None:
    """Revoke a token of one's own; 404 for any other."""
    gate: Gate = request.app.state.services.gate
    caller = request.state.caller
    with gate.engine.begin() as connection:
        name_actor(connection, actor=actor_of(caller.account_id))
        if not revoke_token(connection, caller.account_no, token_id, now=gate.clock.now()):
            raise NotThereError
        record_event(connection, LookKind.TOKEN_REVOKED, subject_no=None, detail=f"token {token_id}")
