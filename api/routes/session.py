"""Logging in and out: ``POST /session`` with the password, ``POST /session/totp`` with the code."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from api.access.caller import Caller
from api.access.gate import COOKIE, CSRF_HEADER, Gate, address_of, drop_cookie, set_cookie
from api.access.passwords import LONGEST_PASSWORD
from api.access.policy import ANYONE, HALF_SESSION
from api.access.sessions import csrf_token_of

router = APIRouter()


class Credentials(BaseModel):
    """The first step."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    login_name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f]+$")]
    password: Annotated[SecretStr, Field(min_length=1, max_length=LONGEST_PASSWORD)]


class Code(BaseModel):
    """The second step."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    code: Annotated[SecretStr, Field(min_length=6, max_length=6)]


@router.post("/session", dependencies=[Depends(ANYONE)])
def post_session(request: Request, response: Response, body: Credentials) -> dict[str, Any]:
    """Open a half session. 401 ``wrong_credentials`` says neither what was wrong nor whether the account exists."""
    gate: Gate = request.app.state.services.gate
    session_id = gate.log_in.by_password(
        body.login_name,
        body.password.get_secret_value(),
        address=address_of(request),
        old_id=request.cookies.get(COOKIE),
        now=gate.clock.now(),
    )
    return _go_on(gate, response, session_id)


@router.post("/session/totp/secret", dependencies=[Depends(HALF_SESSION)])
def post_totp_secret(request: Request) -> dict[str, str]:
    """A new second factor, shown this once; it counts from the first right code. 403 if there is one already."""
    gate: Gate = request.app.state.services.gate
    return {"otpauth": gate.log_in.enrol(request.state.caller)}


@router.post("/session/totp", dependencies=[Depends(HALF_SESSION)])
def post_totp(request: Request, response: Response, body: Code) -> dict[str, Any]:
    """Turn the half session into a full one with a new id and a new CSRF token."""
    gate: Gate = request.app.state.services.gate
    session_id = gate.log_in.by_code(
        request.state.caller, body.code.get_secret_value(), address=address_of(request), now=gate.clock.now()
    )
    return _go_on(gate, response, session_id)


@router.delete("/session", status_code=204, dependencies=[Depends(HALF_SESSION)])
def delete_session(request: Request, response: Response) -> None:
    """Log out."""
    gate: Gate = request.app.state.services.gate
    gate.log_in.log_out(request.state.caller, gate.clock.now())
    drop_cookie(response)


@router.get("/session/me", dependencies=[Depends(HALF_SESSION)])
def get_me(request: Request) -> dict[str, Any]:
    """Who is logged in, what comes next, and the CSRF token for unsafe requests."""
    return _told(request.app.state.services.gate, request.state.caller, request.cookies[COOKIE])


def _go_on(gate: Gate, response: Response, session_id: str) -> dict[str, Any]:
    caller = gate.log_in.find(session_id, gate.clock.now())
    assert caller is not None
    set_cookie(response, session_id)
    return _told(gate, caller, session_id)


def _told(gate: Gate, caller: Caller, session_id: str) -> dict[str, Any]:
    return {
        "next": _next_step(caller),
        "login_name": caller.login_name,
        "roles": sorted(caller.roles) if caller.is_full else [],
        "csrf_header": CSRF_HEADER,
        "csrf_token": csrf_token_of(session_id, gate.secret),
    }


def _next_step(caller: Caller) -> str | None:
    if not caller.is_full:
        return "totp" if caller.has_totp else "totp_secret"
    return "password" if caller.must_change_password else None
