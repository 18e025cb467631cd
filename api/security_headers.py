"""Headers of every answer, whatever made it: a route, an error, a file."""

from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.request_ids import RequestIds

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""No inline script and nothing of other hosts: every asset is served by Hulan."""

HTTPS_HEADER = ("Strict-Transport-Security", "max-age=31536000")


class HardenedApp(FastAPI):
    """FastAPI with these headers and the request's number around everything, its answer to unforeseen errors too."""

    def build_middleware_stack(self) -> ASGIApp:
        """The stack of FastAPI inside ours: ``add_middleware`` would leave the answer 500 without headers."""
        return _SecurityHeaders(RequestIds(super().build_middleware_stack()))


class _SecurityHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_hardened(message: Message) -> None:
            if message["type"] == "http.response.start":
                _harden(message, is_https=scope.get("scheme") == "https")
            await send(message)

        await self._app(scope, receive, send_hardened)


def _harden(message: dict[str, Any] | Message, *, is_https: bool) -> None:
    headers = MutableHeaders(raw=message.setdefault("headers", []))
    for name, value in SECURITY_HEADERS.items():
        headers[name] = value
    headers.setdefault("Cache-Control", "no-store")  # an asset may say otherwise, nothing personal does
    if is_https:
        headers[HTTPS_HEADER[0]] = HTTPS_HEADER[1]
