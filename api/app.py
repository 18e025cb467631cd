"""The HTTP application, wired from its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import Engine, text

from api import errors
from api.clock import SystemClock
from api.devices import DeviceRegister
from api.inbox import Inbox
from api.routes import health, positions

MOST_BYTES = 8_000_000
"""In the body of one request: far more than the most fixes take, far less than would fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes need, made once at start-up."""

    engine: Engine
    devices: DeviceRegister
    inbox: Inbox
    clock: SystemClock
    trusts_received_at: bool


def create_app(*, engine: Engine, secret: bytes, clock: SystemClock, trusts_received_at: bool = False) -> FastAPI:
    """The application. ``trusts_received_at`` only for replays of history in the demo."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with Inbox(engine) as inbox:
            app.state.services = Services(
                engine=engine,
                devices=DeviceRegister(engine, secret),
                inbox=inbox,
                clock=clock,
                trusts_received_at=trusts_received_at,
            )
            yield

    # The interactive docs pages load scripts from a CDN; the schema itself is served.
    app = FastAPI(title="Hulan 护栏", docs_url=None, redoc_url=None, lifespan=lifespan, max_body_size=MOST_BYTES)
    errors.install(app)
    app.include_router(positions.router)
    app.include_router(health.router)
    return app
