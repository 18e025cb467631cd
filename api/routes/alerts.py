"""Alerts of the caller's cases: list, show, turns, the live stream; and messages that did not arrive."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import AwareDatetime
from starlette.types import Receive, Scope, Send

from alerts.alert import AlertState
from alerts.event import EventKind
from alerts.life import Closing, Reopening
from api.access.caller import as_account
from api.desk.alerts import (
    MOST_SHOWN,
    AlertFilter,
    acknowledge_alert,
    alert_shown,
    alerts_of_account,
    close_alert,
    reopen_alert,
)
from api.desk.letters import letters_of_account, retry_letter
from api.desk.open_streams import OpenStreams
from api.desk.replies import replies_shown
from api.desk.stream import Batch, StreamPlace, next_batch
from api.errors import CodeMissingError, FirstPasswordError, NotAllowedError, NotSignedInError
from api.routes.orders import CASE_OFFICERS, DECIDES_CASES, Body
from api.routes.sealing import Words

router = APIRouter()

ASKED_EVERY_S = 1.0
"""How often an open stream asks the database."""

HEARTBEAT_EVERY_S = 15.0
"""Proxies give up on what says nothing; the heartbeat also tells where to go on from."""

RETRY_MS = 2000
"""After how long a browser connects again."""


class ClosingIn(Body):
    """A reason from the list; some need a remark."""

    closing: Closing
    remark: Words = ""


class ReopeningIn(Body):
    """Why it is opened again."""

    reason: Reopening
    remark: Words = ""


@router.get("/alerts", dependencies=[Depends(CASE_OFFICERS)])
def get_alerts(
    request: Request,
    state: Annotated[AlertState | None, Query()] = None,
    event: Annotated[EventKind | None, Query()] = None,
    subject_id: Annotated[UUID | None, Query()] = None,
    before: Annotated[AwareDatetime | None, Query()] = None,
    most: Annotated[int, Query(ge=1, le=MOST_SHOWN)] = MOST_SHOWN,
) -> dict[str, Any]:
    """Alerts of the caller's cases, the latest event first; ``before``: the ``opened_at`` of the last one shown."""
    wanted = AlertFilter(state=state, event=event, subject_id=subject_id, before=before)
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"alerts": alerts_of_account(connection, wanted, most=most)}


# ---- live


@router.get("/alerts/stream", dependencies=[Depends(CASE_OFFICERS)], response_class=StreamingResponse)
def get_stream(
    request: Request,
    last_event_id: Annotated[str | None, Header()] = None,
    follow: Annotated[bool, Query()] = True,
) -> StreamingResponse:
    """Server-sent events of what becomes of alerts of the caller's cases, from ``Last-Event-ID`` on, else from now on.

    ``follow=false``: what there is by now, and then the answer ends.

    ``alert``: an entry of the history and its alert as the list shows it. ``reset``: the id is of another database or
    of before it was restored: read the list anew. ``end``: the session, the account or the role is gone.
    """
    after = None if last_event_id is None else StreamPlace.read(last_event_id)
    return _Stream(
        request, after, is_reset=last_event_id is not None and after is None, follows=follow,
        streams=request.app.state.services.streams,
    )  # fmt: skip


class _Stream(StreamingResponse):
    """Counted as open for as long as it is."""

    media_type = "text/event-stream"

    def __init__(
        self, request: Request, after: StreamPlace | None, *, is_reset: bool, follows: bool, streams: OpenStreams
    ) -> None:
        events = _events(request, after, is_reset=is_reset, follows=follows)
        super().__init__(events, headers={"X-Accel-Buffering": "no"})
        self._account_id, self._streams = request.state.caller.account_id, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.one_of(self._account_id):
            await super().__call__(scope, receive, send)


async def _events(
    request: Request, after: StreamPlace | None, *, is_reset: bool, follows: bool
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    streams: OpenStreams = request.app.state.services.streams
    place, beat_at = after, -1.0
    while not streams.is_ending:
        try:
            batch = await run_in_threadpool(_next, request, place)
        except (NotSignedInError, NotAllowedError, CodeMissingError, FirstPasswordError):
            yield format_sse_event(event="end", data_str="{}")
            return
        if is_reset or batch.is_reset:
            yield format_sse_event(event="reset", data_str="{}", id=str(batch.place))
            is_reset = False
        for told in batch.told:
            data = json.dumps(told.data, ensure_ascii=False, default=_as_json)
            yield format_sse_event(event="alert", data_str=data, id=str(told.place))
        if loop.time() - beat_at >= HEARTBEAT_EVERY_S:
            retry = RETRY_MS if beat_at < 0 else None
            yield format_sse_event(comment="ping", id=str(batch.place), retry=retry)
            beat_at = loop.time()
        is_full = batch.told and batch.place == batch.told[-1].place
        place = batch.place
        if not is_full:
            if not follows:
                return
            await asyncio.sleep(ASKED_EVERY_S)


def _next(request: Request, place: StreamPlace | None) -> Batch:
    """Who the caller is and what they may see are both asked at each delivery."""
    services = request.app.state.services
    caller = services.gate.admit_still(request, CASE_OFFICERS)
    with as_account(services.engine, caller.account_id) as connection:
        return next_batch(connection, place)


def _as_json(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    return str(value) if isoformat is None else isoformat()


# ---- one alert


@router.get("/alerts/{alert_id}", dependencies=[Depends(CASE_OFFICERS)])
def get_alert(request: Request, alert_id: UUID) -> dict[str, Any]:
    """One alert with its facts, who was told how and when (four stamps), what is planned, and its whole history."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        replies = replies_shown(connection, alert_id, request.app.state.services.keyring)
        return {**alert_shown(connection, alert_id), "replies": replies}


@router.post("/alerts/{alert_id}/acknowledge", dependencies=[Depends(CASE_OFFICERS)])
def post_acknowledge(request: Request, alert_id: UUID) -> dict[str, str]:
    """The caller takes it up: nobody further is told."""
    account_id = request.state.caller.account_id
    with as_account(request.app.state.services.engine, account_id) as connection:
        return {"state": acknowledge_alert(connection, alert_id, by=account_id)}


@router.post("/alerts/{alert_id}/close", dependencies=[Depends(DECIDES_CASES)])
def post_close(request: Request, alert_id: UUID, body: ClosingIn) -> dict[str, str]:
    """The work is done, for a reason from the list."""
    account_id = request.state.caller.account_id
    with as_account(request.app.state.services.engine, account_id) as connection:
        return {"state": close_alert(connection, alert_id, by=account_id, **body.model_dump())}


@router.post("/alerts/{alert_id}/reopen", dependencies=[Depends(DECIDES_CASES)])
def post_reopen(request: Request, alert_id: UUID, body: ReopeningIn) -> dict[str, str]:
    """Open a closed one again; it is escalated from now."""
    account_id = request.state.caller.account_id
    with as_account(request.app.state.services.engine, account_id) as connection:
        return {"state": reopen_alert(connection, alert_id, by=account_id, **body.model_dump())}


# ---- messages


@router.get("/outbox", dependencies=[Depends(CASE_OFFICERS)])
def get_outbox(request: Request) -> dict[str, Any]:
    """Messages of the caller's cases that did not leave or did not arrive, and what came in their place."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        return {"messages": letters_of_account(connection)}


@router.post("/outbox/{notification_id}/retry", status_code=204, dependencies=[Depends(DECIDES_CASES)])
def post_retry(request: Request, notification_id: UUID) -> None:
    """Another try for one that did not leave."""
    with as_account(request.app.state.services.engine, request.state.caller.account_id) as connection:
        retry_letter(connection, notification_id)
