"""A number for each request, made here and never taken from the client: in the answer, and in every entry of the audit.

It is kept in the context of the request, which FastAPI hands on to the thread that runs a route.
"""

from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.ids import new_id

REQUEST_ID_HEADER = "X-Request-ID"

_CURRENT: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """That of the request that is being answered; empty outside of one."""
    return _CURRENT.get()


class RequestIds:
    """Gives every request its number."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(new_id())

        async def send_numbered(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message.setdefault("headers", []))[REQUEST_ID_HEADER] = request_id
            await send(message)

        token = _CURRENT.set(request_id)
        try:
            await self._app(scope, receive, send_numbered)
        finally:
            _CURRENT.reset(token)
