"""Single sign-on in a real browser: the strict cookie of the session is sent on the page after the provider's."""

import socket
from pathlib import Path

import pytest
from playwright.sync_api import Request, sync_playwright
from sqlalchemy import Engine

from api.access.gate import COOKIE
from api.access.oidc import CALLBACK, OidcPlan
from api.app import create_app
from api.clock import SystemClock
from api.routes.oidc import PENDING_COOKIE
from tests.access.single_sign_on import CLIENT_SECRET, linked, running_provider
from tests.api.live_server import CHEAP, served
from tests.make import KEYRING, SECRET

CHROMIUM = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


def test_the_page_after_the_providers_is_logged_in(engine: Engine) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = f"http://localhost:{port}"  # another site than the provider's 127.0.0.1, and trusted with Secure cookies
    with running_provider(here + CALLBACK) as provider:
        linked(engine, provider)
        provider.order("person", sub="wang-sub")
        plan = OidcPlan(issuer=provider.url, client_id="hulan", client_secret=CLIENT_SECRET, name="x", public_url=here)
        app = create_app(engine=engine, secret=SECRET, keyring=KEYRING, clock=SystemClock(), passwords=CHEAP, oidc=plan)
        with served(app, port=port), sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu", "--no-proxy-server"]
            )
            page = chromium.new_page()
            visited: list[Request] = []
            page.on("request", lambda request: visited.append(request) if request.is_navigation_request() else None)
            page.goto(here + "/session/oidc")
            page.wait_for_url(here + "/")
            landing = next(request for request in visited if request.url == here + "/")
            callback = next(request for request in visited if request.url.startswith(here + CALLBACK))
            assert COOKIE + "=" in landing.all_headers()["cookie"], "the browser withheld the session's cookie"
            assert PENDING_COOKIE + "=" not in landing.all_headers()["cookie"]
            assert PENDING_COOKIE + "=" in callback.all_headers()["cookie"]
            assert "referer" not in landing.all_headers(), "the code would be in it"
            cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
            assert cookies[COOKIE]["sameSite"] == "Strict"
            assert page.evaluate("document.cookie") == ""
            # The other way round, from the provider's site: what strict means, and why a redirect would not do.
            page.goto(provider.url + "/nothing")
            page.evaluate(f"location.href = '{here}/session/me'")
            page.wait_for_url(here + "/session/me")
            assert "not_signed_in" in page.content()
            page.reload()
            page.goto(here + "/health")
            page.evaluate("location.href = '/session/me'")
            page.wait_for_url(here + "/session/me")
            assert "totp_secret" in page.content()
            chromium.close()
