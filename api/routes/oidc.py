"""Single sign-on: ``GET /session/oidc`` sends the browser to the provider, who sends it back to the callback."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api.access.gate import COOKIE, Gate, set_cookie
from api.access.linking import log_in_linked, note_log_in, use_up
from api.access.oidc import CALLBACK, PENDING_SECONDS, OidcProvider, open_pending, seal_pending
from api.access.policy import AccessPolicy, Who
from api.errors import NotThereError, OidcRefusedError, OidcUnavailableError

router = APIRouter()
log = structlog.get_logger()

ANYONE_COUNTED = AccessPolicy(who=Who.ANYONE, is_counted=True)

PENDING_COOKIE = "__Host-hulan-oidc"
"""Lax, because the provider's site sends the browser back. The session's own cookie stays strict."""

LANDING_PAGE = (
    '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
    '<title>登录成功 Logged in</title></head><body><p><a href="/">继续 / continue</a></p></body></html>'
)
"""Not a redirect: a browser counts that as the provider's and withholds the strict cookie. One fixed way on."""

Given = Annotated[str, Query(max_length=4096)]


@router.get("/session/oidc", status_code=303, dependencies=[Depends(ANYONE_COUNTED)])
def get_oidc(request: Request) -> RedirectResponse:
    """Send the browser to the provider. 404 if there is none, 503 ``oidc_unavailable`` if it does not answer."""
    gate: Gate = request.app.state.services.gate
    with _reasons_logged():
        url, pending = _provider(request).begin()
    response = RedirectResponse(url, status_code=303)
    response.set_cookie(
        PENDING_COOKIE,
        seal_pending(pending, gate.secret, now=gate.clock.now()),
        max_age=PENDING_SECONDS,
        path="/",
        secure=True,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(CALLBACK, dependencies=[Depends(ANYONE_COUNTED)])
def get_callback(request: Request, code: Given = "", state: Given = "", iss: Given | None = None) -> Response:
    """Open a session for the linked account. 401 ``oidc_refused`` whatever is wrong with the provider's answer."""
    gate: Gate = request.app.state.services.gate
    provider, now = _provider(request), gate.clock.now()
    pending = open_pending(request.cookies.get(PENDING_COOKIE), gate.secret, state=state, now=now)
    try:
        with _reasons_logged():
            use_up(gate.log_in, pending, now=now)
            identity = provider.finish(pending, code=code, issuer=iss, now=now)
    except OidcRefusedError:
        with gate.engine.begin() as connection:
            note_log_in(connection, account_id=None)
        raise
    session_id = log_in_linked(gate.log_in, identity, old_id=request.cookies.get(COOKIE), now=now)
    response = HTMLResponse(LANDING_PAGE)
    set_cookie(response, session_id)
    response.delete_cookie(PENDING_COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return response


@contextmanager
def _reasons_logged() -> Iterator[None]:
    """What the answer does not say, whoever runs the server needs to know."""
    try:
        yield
    except (OidcRefusedError, OidcUnavailableError) as error:
        log.warning("single_sign_on_failed", reason=str(error))
        raise


def _provider(request: Request) -> OidcProvider:
    provider: OidcProvider | None = request.app.state.services.oidc
    if provider is None:
        raise NotThereError
    return provider
