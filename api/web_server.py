"""The HTTP server of a process: uvicorn that ends open streams when it is told to stop."""

import socket
from typing import Any

import uvicorn
from fastapi import FastAPI

STREAMS_END_WITHIN_S = 5
"""A live stream of alerts never ends by itself. Told to stop it ends within a second; one that is stuck is cut off."""


class WebServer(uvicorn.Server):
    """Serves one app. Without an access log: addresses and query strings are personal data."""

    def __init__(self, app: FastAPI, **more: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app, access_log=False, log_config=None, timeout_graceful_shutdown=STREAMS_END_WITHIN_S, **more
            )
        )
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then wait for the requests under way."""
        self._app.state.services.streams.end()
        await super().shutdown(sockets=sockets)
