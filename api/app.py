"""The HTTP application, wired from its parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import Engine, text

from alerts.link import LinkPolicy, link_key
from alerts.policy import AlertPolicy
from alerts.templates import BUILT_IN, Catalogue
from api import errors
from api.access.gate import Gate
from api.access.log_in import LogIn
from api.access.oidc import OidcPlan, OidcProvider
from api.access.passwords import PASSWORDS, Passwords
from api.access.policy import policies_of
from api.access.sessions import SessionTimes
from api.callbacks import CallbackDesk
from api.clock import SystemClock
from api.desk.open_streams import OpenStreams
from api.devices import DeviceRegister
from api.exporting.handing_out import Desk
from api.exporting.packing import Packing
from api.guardian.desk import GuardianDesk
from api.inbox import Inbox
from api.papers.desk import PaperDesk
from api.personal.keyring import Keyring
from api.routes import (
    account,
    accounts,
    alerts,
    audit,
    callbacks,
    case_files,
    check_ins,
    decisions,
    distance,
    evidence,
    exports,
    guardian,
    health,
    leads,
    leaves,
    looks,
    metrics,
    orders,
    person,
    positions,
    recipients,
    rosters,
    sealing,
    session,
    subjects,
    track,
    venues,
)
from api.routes import oidc as oidc_routes
from api.security_headers import HardenedApp
from venues.gateway_distance_law import load_lead_routes
from venues.lead_route import LeadRoute

MOST_BYTES = 8_000_000
"""In the body of one request: far more than the most fixes take, far less than would fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the routes need, made once at start-up."""

    engine: Engine
    devices: DeviceRegister
    inbox: Inbox
    clock: SystemClock
    gate: Gate
    oidc: OidcProvider | None
    trusts_received_at: bool
    keyring: Keyring
    desk: Desk | None
    streams: OpenStreams
    guardian_desk: GuardianDesk
    callback_desk: CallbackDesk
    paper_desk: PaperDesk
    lead_routes: tuple[LeadRoute, ...]
    alert_policy: AlertPolicy


def create_app(
    *,
    engine: Engine,
    secret: bytes,
    clock: SystemClock,
    keyring: Keyring,
    trusts_received_at: bool = False,
    session_times: SessionTimes | None = None,
    packing: Packing | None = None,
    passwords: Passwords = PASSWORDS,
    oidc: OidcPlan | None = None,
    links: LinkPolicy | None = None,
    catalogue: Catalogue = BUILT_IN,
    callback_token: str = "",
    webhook_secret: bytes = b"",
    alert_policy: AlertPolicy | None = None,
    paper_desk: PaperDesk | None = None,
    lead_routes: tuple[LeadRoute, ...] | None = None,
) -> FastAPI:
    """The application. ``trusts_received_at`` only for replays of history in the demo.

    Without ``packing`` nothing leaves; without ``callback_token`` and ``webhook_secret`` no callback is let in.

    It does not start with a route whose access policy is not declared (``UndeclaredRouteError``).
    """
    log_in = LogIn(engine=engine, secret=secret, times=session_times or SessionTimes(), passwords=passwords)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        policies_of(app)
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with Inbox(engine) as inbox:
            app.state.services = Services(
                engine=engine,
                devices=DeviceRegister(engine, secret),
                inbox=inbox,
                clock=clock,
                gate=Gate(engine=engine, secret=secret, clock=clock, log_in=log_in),
                oidc=None if oidc is None else OidcProvider(oidc),
                trusts_received_at=trusts_received_at,
                desk=None if packing is None else Desk(engine=engine, packing=packing, now=clock.now),
                keyring=keyring,
                streams=OpenStreams(),
                guardian_desk=GuardianDesk(
                    engine=engine,
                    key=link_key(secret),
                    clock=clock,
                    links=links or LinkPolicy(),
                    catalogue=catalogue,
                    alerts=alert_policy or AlertPolicy(),
                ),
                callback_desk=CallbackDesk(
                    engine=engine, keyring=keyring, token=callback_token, webhook_secret=webhook_secret
                ),
                alert_policy=alert_policy or AlertPolicy(),
                paper_desk=paper_desk or PaperDesk(),
                lead_routes=load_lead_routes() if lead_routes is None else lead_routes,
            )
            yield

    # The interactive docs pages load scripts from a CDN; the schema itself is served.
    # The redirect from /x/ to /x would name whatever host the request names.
    app = HardenedApp(
        title="Hulan 护栏", docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan,
        max_body_size=MOST_BYTES,
    )  # fmt: skip
    errors.install(app)
    modules = (
        positions, check_ins, health, session, oidc_routes, account, accounts, subjects, looks, track, person, audit,
        exports, evidence, sealing, orders, case_files, leaves, decisions, alerts, recipients, rosters, metrics, venues,
        guardian, callbacks, distance, leads,
    )  # fmt: skip
    for module in modules:
        app.include_router(module.router)
    return app
