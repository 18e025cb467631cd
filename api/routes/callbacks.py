"""Callbacks of providers: receipts and replies. Whoever calls is told whether it was kept, and nothing else."""

from collections.abc import Callable
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from alerts.gateway import BadCallbackError, BadSignatureError
from api.access.gate import address_of
from api.access.policy import AccessPolicy, Who
from api.callbacks import HINTS, CallbackDesk
from api.errors import NotThereError

router = APIRouter()
log = structlog.get_logger()

PROVIDERS = AccessPolicy(who=Who.ANYONE, is_counted_by_route=True)

LONGEST_CALLBACK = 1_000_000
"""Bytes: a provider sends up to some hundred receipts at once."""

TAKEN = {"code": 0, "msg": "OK", "result": 0, "errmsg": "OK"}
"""What Aliyun (code, msg) and Tencent Cloud (result, errmsg) take for an answer that needs no repeat."""


@router.post("/callbacks/webhook", dependencies=[Depends(PROVIDERS)])
async def post_signed(request: Request) -> JSONResponse:
    """What the receiver of the webhook tells, signed."""
    desk: CallbackDesk = request.app.state.services.callback_desk
    now, body = request.app.state.services.clock.now(), await request.body()
    return await _answer(request, lambda: desk.take_signed(request.headers, body, now=now), body)


@router.post("/callbacks/{provider}/{kind}/{token}", dependencies=[Depends(PROVIDERS)])
async def post_hint(
    request: Request,
    provider: Annotated[str, Path(description="aliyun, tencent")],
    kind: Annotated[str, Path(description="reports, replies")],
    token: Annotated[str, Path(description="HULAN_CALLBACK_TOKEN")],
) -> JSONResponse:
    """What a provider tells that signs nothing: kept as a hint, which changes nothing (ADR 0026)."""
    if (provider, kind) not in HINTS:
        raise NotThereError
    desk: CallbackDesk = request.app.state.services.callback_desk
    body = await request.body()
    return await _answer(request, lambda: desk.take_hint(provider, kind, token, body), body)


async def _answer(request: Request, keep: Callable[[], int], body: bytes) -> JSONResponse:
    """Wrong signatures are counted by address: guessing the address of a callback is made slow."""
    gate, address = request.app.state.services.gate, address_of(request)
    gate.unknown.check(address)
    if len(body) > LONGEST_CALLBACK:
        return JSONResponse({"code": "too_large", "message": "回调内容过长 / too long"}, 413)
    try:
        kept = await run_in_threadpool(keep)
    except BadSignatureError as error:
        gate.unknown.take(address)
        log.warning("callback_refused", reason=str(error))
        return JSONResponse({"code": "not_signed", "message": str(error)}, 403)
    except BadCallbackError as error:
        log.warning("callback_unreadable", reason=str(error))
        return JSONResponse({"code": "bad_callback", "message": str(error)}, 422)
    log.info("callback_kept", count=kept)
    return JSONResponse(TAKEN)
