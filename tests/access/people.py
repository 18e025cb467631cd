"""Officers and administrators for tests, and a browser that logs them in over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pyotp
from sqlalchemy import Connection, Engine

from api.access.accounts import AccountDraft, account_no_of, add_division, create_account
from api.access.gate import COOKIE
from api.access.roles import OFFICERS, AccountRole
from api.clock import FixedClock
from tests.api.live_server import CHEAP, NOW, running_server

PASSWORD = "a long password of the tests 7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """An account in the database with its first password."""

    account_id: UUID
    account_no: int
    login_name: str
    first_password: str


def an_official(
    connection: Connection,
    login_name: str = "wang",
    *roles: AccountRole,
    division: str = "320300",
    now: datetime = NOW,
    expires_at: datetime | None = None,
) -> Official:
    """A person with an account, a prosecutor of one city unless said otherwise."""
    wanted = frozenset(roles) or frozenset({AccountRole.PROSECUTOR})
    if wanted <= OFFICERS:
        add_division(connection, code=division, name=f"合成区划{division}", parent_code=None)
    draft = AccountDraft(
        login_name=login_name,
        staff_number=f"S-{login_name}",
        display_name="合成人员",
        roles=wanted,
        division_code=division if wanted <= OFFICERS else None,
        expires_at=expires_at,
    )
    account_id, password = create_account(connection, draft, now=now, passwords=CHEAP)
    return Official(
        account_id=account_id,
        account_no=account_no_of(connection, login_name),
        login_name=login_name,
        first_password=password,
    )


@dataclass(kw_only=True)
class Browser:
    """Sends the cookie as a browser would over HTTPS, and the CSRF token as the pages will."""

    client: httpx.Client
    clock: FixedClock
    address: str = "198.51.100.1"
    session_id: str | None = None
    csrf_token: str | None = None
    totp: pyotp.TOTP | None = None
    seen: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """One request; keeps the cookie and the CSRF token of its answer."""
        sent = {"X-Forwarded-For": self.address}
        if self.session_id is not None:
            sent["Cookie"] = f"{COOKIE}={self.session_id}"
        if self.csrf_token is not None:
            sent["X-CSRF-Token"] = self.csrf_token
        answer = self.client.request(method, path, headers=sent | (headers or {}), **more)
        self.client.cookies.clear()
        if COOKIE in answer.cookies:
            self.session_id = answer.cookies[COOKIE]
            self.seen.append(self.session_id)
        is_json = answer.content and "json" in answer.headers.get("content-type", "")
        if answer.is_success and is_json and isinstance(answer.json(), dict):
            self.csrf_token = answer.json().get("csrf_token", self.csrf_token)
        return answer

    def give_password(self, login_name: str, password: str) -> httpx.Response:
        return self.ask("POST", "/session", json={"login_name": login_name, "password": password})

    def enrol(self) -> None:
        """Ask for a second factor and keep its secret, as an authenticator would."""
        address = self.ask("POST", "/session/totp/secret").json()["otpauth"]
        self.totp = pyotp.TOTP(parse_qs(urlsplit(address).query)["secret"][0])

    def give_code(self, code: str | None = None) -> httpx.Response:
        """The code of now; the clock moves on first, because no code is taken twice."""
        assert self.totp is not None
        self.clock.current += timedelta(seconds=30)
        return self.ask("POST", "/session/totp", json={"code": code or self.totp.at(self.clock.now())})

    def log_in(self, official: Official, password: str = PASSWORD) -> None:
        """All of a first log-in, or of a later one."""
        if self.totp is not None:
            assert self.give_password(official.login_name, password).status_code == 200
            assert self.give_code().status_code == 200
            return
        assert self.give_password(official.login_name, official.first_password).json()["next"] == "totp_secret"
        self.enrol()
        assert self.give_code().json()["next"] == "password"
        change = {"old": official.first_password, "new": password}
        assert self.ask("POST", "/account/password", json=change).status_code == 200


@contextmanager
def a_browser(database_url: str, *, clock: FixedClock | None = None, **more: Any) -> Iterator[Browser]:
    """A browser on a running server whose clock the test moves; the rest goes to ``create_app``."""
    clock = clock or FixedClock(NOW)
    with running_server(database_url, clock=clock, **more) as client:
        yield Browser(client=client, clock=clock)


def another(browser: Browser, address: str = "198.51.100.2") -> Browser:
    """A second browser on the same server."""
    return Browser(client=browser.client, clock=browser.clock, address=address)


def official_in(engine: Engine, login_name: str = "wang", *roles: AccountRole, **more: Any) -> Official:
    """:func:`an_official` in a transaction of its own."""
    with engine.begin() as connection:
        return an_official(connection, login_name, *roles, **more)
