"""Finds out who makes a request: by the session cookie, or by an API token."""

from dataclasses import dataclass, field
from datetime import datetime

from fastapi import Request, Response
from sqlalchemy import Engine

from api.access.caller import Caller
from api.access.log_in import LogIn
from api.access.policy import AccessPolicy
from api.access.sessions import is_csrf_token
from api.access.throttle import RequestLimiter
from api.access.tokens import find_token
from api.clock import SystemClock
from api.devices import DeviceRegister, Permit
from api.errors import ForgedRequestError, NotSignedInError, UnknownDeviceError

COOKIE = "__Host-hulan"
"""The prefix makes browsers insist on Secure, on Path=/ and on no Domain: a neighbouring site cannot set it."""

CSRF_HEADER = "X-CSRF-Token"

UNKNOWN_A_MINUTE = 60
"""Unknown tokens and sessions from one address, then 429 for a while."""

OPEN_POSTS_A_MINUTE = 120
"""Log-ins from one address, right or wrong: an office may share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One per process."""

    engine: Engine
    secret: bytes
    clock: SystemClock
    log_in: LogIn
    unknown: RequestLimiter = field(default_factory=lambda: RequestLimiter(UNKNOWN_A_MINUTE))
    open_posts: RequestLimiter = field(default_factory=lambda: RequestLimiter(OPEN_POSTS_A_MINUTE))

    def take_turn(self, request: Request) -> None:
        """Count a request of somebody unknown that would cost work."""
        self.open_posts.take(address_of(request))

    def permit_device(self, request: Request, devices: DeviceRegister) -> Permit:
        """The permit of a device. Raises ``UnknownDeviceError``, and 429 after many unknown tokens of one address.

        A device that this process has met is looked up in any case: telephones share addresses of their network.
        """
        authorization, address = request.headers.get("authorization"), address_of(request)
        if authorization is not None and not devices.has_met(authorization):
            self.unknown.check(address)
        try:
            return devices.permit_for(authorization)
        except UnknownDeviceError:
            if authorization is not None:
                self.unknown.take(address)
            raise

    def admit(self, request: Request, policy: AccessPolicy, *, is_safe: bool) -> Caller:
        """The caller, who may call the route; raises an error of ``api.errors`` otherwise."""
        if "authorization" not in request.headers and COOKIE not in request.cookies:
            raise NotSignedInError
        address = address_of(request)
        self.unknown.check(address)
        caller = self._caller(request, self.clock.now(), is_safe=is_safe)
        if caller is None:
            self.unknown.take(address)
            raise NotSignedInError
        policy.check(caller)
        return caller

    def admit_still(self, request: Request, policy: AccessPolicy) -> Caller:
        """The caller of an answer that goes on, asked anew: raises once the session, the account or the role is gone.

        It is no use of the session: a page that is left open does not keep somebody logged in.
        """
        caller = self._caller(request, self.clock.now(), is_safe=True, is_use=False)
        if caller is None:
            raise NotSignedInError
        policy.check(caller)
        return caller

    def _caller(self, request: Request, now: datetime, *, is_safe: bool, is_use: bool = True) -> Caller | None:
        authorization = request.headers.get("authorization")
        if authorization is not None:  # never both: a token is not sent by a page of another site
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                return None
            with self.engine.begin() as connection:
                return find_token(connection, token.strip(), secret=self.secret, now=now)
        session_id = request.cookies.get(COOKIE)
        caller = None if session_id is None else self.log_in.find(session_id, now, is_use=is_use)
        if caller is None or session_id is None:
            return None
        if not is_safe and not is_csrf_token(request.headers.get(CSRF_HEADER, ""), session_id, self.secret):
            raise ForgedRequestError
        return caller


def address_of(request: Request) -> str:
    """The address a request came from; that of the client behind a trusted proxy (``HULAN_TRUSTED_PROXIES``)."""
    return request.client.host if request.client is not None else "?"


def set_cookie(response: Response, session_id: str) -> None:
    """Put a session's id into the browser: out of reach of scripts, of other sites, and of plain HTTP."""
    response.set_cookie(COOKIE, session_id, path="/", secure=True, httponly=True, samesite="strict")


def drop_cookie(response: Response) -> None:
    """Take it out again."""
    response.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
