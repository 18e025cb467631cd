"""The declared access policy of every route. A route without one keeps the program from starting.

A route declares with ``dependencies=[Depends(POLICY)]``; the policy runs before the route and leaves what it found in
``request.state``: ``caller`` for accounts, ``permit`` for devices.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import iter_route_contexts

from api.access.caller import Caller
from api.access.roles import EVERYONE, AccountRole, Scope
from api.errors import (
    CodeMissingError,
    FirstPasswordError,
    ForgedRequestError,
    NotAllowedError,
)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

FRAMEWORK_ROUTES = frozenset({"/openapi.json"})
"""Served by FastAPI itself to anyone: names of fields, no data."""


class Who(StrEnum):
    """How far somebody must have proved who they are."""

    ANYONE = "anyone"
    DEVICE = "device"
    HALF_SESSION = "half session"
    SESSION = "session"
    SESSION_OR_TOKEN = "session or token"  # noqa: S105 # a word, no secret


class UndeclaredRouteError(RuntimeError):
    """A route has no declared policy, or more than one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """Who may call a route. ``scope`` is what a token needs; ``roles`` hold for sessions and tokens alike.

    Unsafe requests by anyone are counted by address; ``is_counted``: safe ones too, because they cost work.
    ``is_counted_by_route``: the route counts the wrong ones itself, as a provider tells much at once.
    """

    who: Who
    roles: frozenset[AccountRole] = EVERYONE
    scope: Scope | None = None
    with_first_password: bool = False
    is_counted: bool = False
    is_counted_by_route: bool = False

    async def __call__(self, request: Request) -> None:
        """Admit the request or raise an error of ``api.errors``."""
        gate = request.app.state.services.gate
        if self.who is Who.DEVICE:
            devices = request.app.state.services.devices
            request.state.permit = await run_in_threadpool(gate.permit_device, request, devices)
            return
        is_safe = request.method in SAFE_METHODS
        if not is_safe and request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            raise ForgedRequestError
        if self.who is Who.ANYONE:
            if (not is_safe or self.is_counted) and not self.is_counted_by_route:
                gate.take_turn(request)
            return
        request.state.caller = await run_in_threadpool(gate.admit, request, self, is_safe=is_safe)

    def check(self, caller: Caller) -> None:
        """Raise unless a caller who proved who they are may call the route."""
        if self.who is not Who.HALF_SESSION:
            if not caller.is_full:
                raise CodeMissingError
            if caller.must_change_password and not self.with_first_password:
                raise FirstPasswordError
        if caller.scopes is not None and (self.who is not Who.SESSION_OR_TOKEN or self.scope not in caller.scopes):
            raise NotAllowedError
        if self.who is not Who.HALF_SESSION and not caller.roles & self.roles:
            raise NotAllowedError


ANYONE = AccessPolicy(who=Who.ANYONE)
DEVICE = AccessPolicy(who=Who.DEVICE)
HALF_SESSION = AccessPolicy(who=Who.HALF_SESSION)
FIRST_PASSWORD = AccessPolicy(who=Who.SESSION, with_first_password=True)
SESSION = AccessPolicy(who=Who.SESSION)


def policies_of(app: FastAPI) -> dict[str, AccessPolicy]:
    """The policy of each route by ``METHOD path`` or ``WEBSOCKET path``. Raises :class:`UndeclaredRouteError`."""
    found: dict[str, AccessPolicy] = {}
    for route in iter_route_contexts(app.routes):
        if route.path in FRAMEWORK_ROUTES and app.openapi_url == route.path:
            continue
        policies = _declared(route)
        if len(policies) != 1:
            raise UndeclaredRouteError(
                f"{sorted(route.methods or [])} {route.path}: {len(policies)} access policies,"
                " declare one with dependencies=[Depends(POLICY)]"
            )
        for method in route.methods or ("WEBSOCKET",):
            found[f"{method} {route.path}"] = policies[0]
    return found


def _declared(route: Any) -> list[AccessPolicy]:
    dependencies = getattr(getattr(route, "dependant", None), "dependencies", ())
    return [dependency.call for dependency in dependencies if isinstance(dependency.call, AccessPolicy)]
