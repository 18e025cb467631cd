"""Every route declares who may call it; one that does not keeps the program from starting."""

import asyncio
from pathlib import Path

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from api.access.policy import ANYONE, SESSION, AccessPolicy, UndeclaredRouteError, Who, policies_of
from api.access.roles import ADMINISTRATORS, OFFICERS, AccountRole, Scope, scopes_open_to
from api.app import create_app
from api.clock import FixedClock
from tests.api.live_server import NOW
from tests.make import KEYRING, SECRET


@pytest.fixture
def app(engine: Engine) -> FastAPI:
    return create_app(engine=engine, secret=SECRET, clock=FixedClock(NOW), keyring=KEYRING)


def planted() -> None:
    """A route of the future."""


def test_every_route_declares_its_policy(app: FastAPI) -> None:
    policies = policies_of(app)
    assert len(policies) >= 15
    open_to_anyone = {name: policy for name, policy in policies.items() if policy.who is Who.ANYONE}
    # A guardian has no account: a code opens one event. Providers report with a signature or a token of the office.
    assert set(open_to_anyone) == {
        "GET /health", "POST /session", "GET /session/oidc", "GET /session/oidc/callback",
        "GET /g", "GET /g/{token}", "POST /g", "GET /guardian.css",
        "POST /callbacks/webhook", "POST /callbacks/{provider}/{kind}/{token}",
    }  # fmt: skip
    # What anyone may ask for is counted by address; health is asked for by machines, all the time. The guardian's page
    # counts wrong codes itself, and what it shows to all costs nothing.
    uncounted = {name for name, policy in open_to_anyone.items() if name.startswith("GET") and not policy.is_counted}
    assert uncounted == {"GET /health", "GET /g", "GET /g/{token}", "GET /guardian.css"}
    assert {name for name, policy in policies.items() if policy.who is Who.DEVICE} == {
        "POST /positions", "GET /check-ins", "POST /check-ins/{check_in_id}", "POST /device-reports",
    }  # fmt: skip


def test_a_route_without_a_policy_is_noticed_wherever_it_is_added(app: FastAPI) -> None:
    app.add_api_route("/planted", planted)
    with pytest.raises(UndeclaredRouteError, match="/planted"):
        policies_of(app)


def test_a_route_without_a_policy_in_a_router_inside_a_router_is_noticed(app: FastAPI) -> None:
    inner, outer = APIRouter(), APIRouter()
    inner.add_api_route("/planted", planted, methods=["POST"])
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer, prefix="/outer")
    with pytest.raises(UndeclaredRouteError, match="/outer/inner/planted"):
        policies_of(app)


def test_a_mounted_application_is_noticed(app: FastAPI) -> None:
    app.mount("/planted", FastAPI())
    with pytest.raises(UndeclaredRouteError, match="/planted"):
        policies_of(app)


def test_a_plain_route_is_noticed(app: FastAPI) -> None:
    app.router.routes.append(Route("/planted", planted))
    with pytest.raises(UndeclaredRouteError, match="/planted"):
        policies_of(app)


async def planted_socket(websocket: WebSocket) -> None:
    """A page of the future that is told of alerts as they come."""


def test_a_websocket_is_noticed_wherever_it_is_added(app: FastAPI) -> None:
    app.router.add_api_websocket_route("/planted", planted_socket)
    with pytest.raises(UndeclaredRouteError, match="/planted"):
        policies_of(app)


def test_a_websocket_in_a_router_inside_a_router_is_noticed(app: FastAPI) -> None:
    inner, outer = APIRouter(), APIRouter()
    inner.add_api_websocket_route("/planted", planted_socket)
    outer.include_router(inner, prefix="/inner")
    app.include_router(outer)
    with pytest.raises(UndeclaredRouteError, match="/inner/planted"):
        policies_of(app)


def test_a_websocket_with_a_policy_is_listed_too(app: FastAPI) -> None:
    app.router.add_api_websocket_route("/planted", planted_socket, dependencies=[Depends(SESSION)])
    assert policies_of(app)["WEBSOCKET /planted"] == SESSION


@pytest.mark.parametrize("kind", ["files", "plain websocket", "host", "mounted routes"])
def test_whatever_else_answers_is_noticed(app: FastAPI, kind: str, tmp_path: Path) -> None:
    planted_routes: dict[str, BaseRoute] = {
        "files": Mount("/planted", StaticFiles(directory=tmp_path)),
        "plain websocket": WebSocketRoute("/planted", planted_socket),
        "host": Host("planted", Starlette()),
        "mounted routes": Mount("/planted", routes=[Route("/", planted)]),
    }
    app.router.routes.append(planted_routes[kind])
    with pytest.raises(UndeclaredRouteError, match="0 access policies"):
        policies_of(app)


def test_two_policies_are_one_too_many(app: FastAPI) -> None:
    app.add_api_route("/planted", planted, dependencies=[Depends(SESSION), Depends(ANYONE)])
    with pytest.raises(UndeclaredRouteError, match="2 access policies"):
        policies_of(app)


def test_a_route_with_a_policy_is_taken(app: FastAPI) -> None:
    app.add_api_route("/planted", planted, dependencies=[Depends(SESSION)])
    assert policies_of(app)["GET /planted"] == SESSION


def test_the_server_does_not_start_with_an_undeclared_route(app: FastAPI) -> None:
    app.add_api_route("/planted", planted)

    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    with pytest.raises(UndeclaredRouteError, match="/planted"):
        asyncio.run(start())


def test_no_policy_and_no_scope_lets_an_administrator_read_cases(app: FastAPI) -> None:
    for name, policy in policies_of(app).items():
        if "/subjects" in name:
            assert not policy.roles & ADMINISTRATORS, name
    for role in ADMINISTRATORS:
        assert Scope.CASES_READ not in scopes_open_to(frozenset({role}))
    assert frozenset(AccountRole) == ADMINISTRATORS | OFFICERS


def test_a_policy_with_a_scope_is_open_to_roles_that_can_have_it(app: FastAPI) -> None:
    for name, policy in policies_of(app).items():
        if policy.who is Who.SESSION_OR_TOKEN:
            assert policy.scope is not None, f"{name}: no token could call it"
            assert all(policy.scope in scopes_open_to(frozenset({role})) for role in policy.roles), name
        else:
            assert policy.scope is None, f"{name}: a scope that no token can use"


def test_policies_are_values() -> None:
    assert AccessPolicy(who=Who.SESSION) == SESSION
