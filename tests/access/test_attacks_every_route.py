"""Attacks on every route that the application has, taken from its own schema: a new route is attacked too."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, text

from api.access.gate import COOKIE, CSRF_HEADER
from api.access.policy import SAFE_METHODS, Who, policies_of
from api.access.roles import AccountRole
from api.app import create_app
from api.clock import FixedClock
from api.routes.oidc import PENDING_COOKIE
from api.security_headers import SECURITY_HEADERS
from tests.access.people import Browser, a_browser, another, official_in
from tests.access.single_sign_on import Provider
from tests.api.live_server import bearer
from tests.make import KEYRING, SECRET, a_person

INJECTIONS = (
    "' OR '1'='1",
    "x'; DROP TABLE account; --",
    "x' UNION SELECT password_hash FROM account --",
    "') OR 1=cast((SELECT version()) AS int) --",
    "'; SELECT pg_sleep(30); --",
    '" OR ""="',
    "\\'; COMMIT; DELETE FROM audit_entry; --",
    "$$; TRUNCATE login_failure; $$",
    "1; SET ROLE postgres",
    "\u0000' OR true --",
    "＇ ＯＲ １＝１",
    "%27%20OR%201=1",
)
PATHS_OUT = (
    "/../../etc/passwd", "/..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/....//....//etc/passwd",
    "/..%5c..%5cetc%5cpasswd", "/..%c0%af..%c0%afetc/passwd", "/etc/passwd%00.html", "//etc/passwd",
    "/file:///etc/passwd",
    "/.env", "/.git/config", "/pyproject.toml", "/api/settings.py", "/static/../api/settings.py", "/leaflet/leaflet.js",
)  # fmt: skip
LINE_BREAKS = (
    "x\r\nSet-Cookie: a=b",
    "x\nX-Injected: 1",
    "x%0d%0aX-Injected:%201",
    "x\u2028X-Injected: 1",
    "嘊嘍X-Injected: 1",
)
NO_PROVIDER = Provider(url="http://127.0.0.1:9", faults=())

TELLS_TOO_MUCH = re.compile(
    r"Traceback|File \"|\.py\b|psycopg|sqlalchemy|postgres|SELECT |INSERT |argon2|syntax error|pydantic|starlette", re.I
)
"""What no answer holds, whatever was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation of the schema with the names of what can be sent to it."""

    method: str
    path: str
    in_path: tuple[str, ...]
    in_query: tuple[str, ...]
    in_body: dict[str, Any] | None

    def filled(self, words: str) -> tuple[str, dict[str, str], list[Any]]:
        """The path, the query and the bodies with these words wherever something can be said."""
        path = self.path
        for name in self.in_path:
            path = path.replace("{" + name + "}", quote(words, safe=""))
        bodies: list[Any] = [None]
        if self.in_body is not None:
            whole = {name: with_words(schema, words) for name, schema in self.in_body.items()}
            alone = [{name: words} for name in self.in_body]
            bodies = [whole, *alone, words, [words], {words: words}]
        return path, dict.fromkeys((*self.in_query, "unknown"), words), bodies


def with_words(schema: dict[str, Any], words: str) -> Any:
    if schema.get("type") == "array":
        return [words]
    return {"words": words} if schema.get("type") == "object" else words


def routes_of(schema: dict[str, Any]) -> list[Route]:
    found = []
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            given = operation.get("parameters", ())
            content = operation.get("requestBody", {}).get("content", {})
            body = content.get("application/json", {}).get("schema")
            if body is not None and "$ref" in body:
                body = schema["components"]["schemas"][body["$ref"].rpartition("/")[2]]
            found.append(
                Route(
                    method=method.upper(),
                    path=path,
                    in_path=tuple(item["name"] for item in given if item["in"] == "path"),
                    in_query=tuple(item["name"] for item in given if item["in"] == "query"),
                    in_body=None if body is None else body.get("properties", {"fixes": {"type": "array"}}),
                )
            )
    return found


@pytest.fixture
def browser(database_url: str) -> Iterator[Browser]:
    with a_browser(database_url, clock=FixedClock(datetime.now(UTC)), oidc=NO_PROVIDER.plan()) as browser:
        yield browser


PAGES = [
    Route(method="GET", path="/g", in_path=(), in_query=(), in_body=None),
    Route(method="GET", path="/guardian.css", in_path=(), in_query=(), in_body=None),
    Route(method="GET", path="/g/{token}", in_path=("token",), in_query=(), in_body=None),
    Route(method="POST", path="/g", in_path=(), in_query=(), in_body={"code": {}, "answer": {}}),
]
"""For people, and no part of the schema."""


@pytest.fixture
def routes(browser: Browser) -> list[Route]:
    return routes_of(browser.ask("GET", "/openapi.json").json()) + PAGES


def test_the_schema_and_the_pages_are_every_route(engine: Engine, routes: list[Route]) -> None:
    app = create_app(engine=engine, secret=SECRET, keyring=KEYRING, clock=FixedClock(datetime.now(UTC)))
    assert {f"{route.method} {route.path}" for route in routes} == set(policies_of(app))
    assert len(routes) >= 17
    said = sum(len(route.in_path) + len(route.in_query) + len(route.in_body or {}) for route in routes)
    assert said >= 15


# ---- SQL


QUIET_TABLES = ("login_failure", "link_guess", "account_session", "audit_entry", "audit_chain", "oidc_state")
"""They may change: attempts are counted and noted. Their being there is looked at, their rows are not."""


def contents(engine: Engine) -> dict[str, str]:
    """A digest of every table."""
    with engine.connect() as connection:
        tables = connection.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        ).scalars()
        return {
            table: "there"
            if table in QUIET_TABLES
            else connection.execute(
                text(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t")
            ).scalar_one()
            for table in tables.all()
        }


@contextmanager
def unchanged(engine: Engine) -> Iterator[None]:
    before = contents(engine)
    assert len(before) > 20
    yield
    assert contents(engine) == before


def callers(engine: Engine, browser: Browser) -> list[tuple[str, Browser, dict[str, str]]]:
    """Somebody unknown, an officer, a security administrator, a token and a device: who gets furthest differs."""
    with engine.begin() as connection:
        person = a_person(connection)
    officer, keeper = another(browser, "198.51.100.21"), another(browser, "198.51.100.22")
    officer.log_in(official_in(engine, "wang", now=browser.clock.now()))
    keeper.log_in(official_in(engine, "an", AccountRole.SECURITY_ADMINISTRATOR, now=browser.clock.now()))
    token = officer.ask("POST", "/account/tokens", json={"label": "x", "scopes": ["cases:read"]}).json()["token"]
    return [
        ("unknown", another(browser, "198.51.100.23"), {}),
        ("officer", officer, {}),
        ("keeper", keeper, {}),
        ("token", another(browser, "198.51.100.24"), bearer(token)),
        ("device", another(browser, "198.51.100.25"), bearer(person.token)),
    ]


@pytest.mark.parametrize("words", INJECTIONS)
def test_sql_in_every_string_of_every_route_changes_and_shows_nothing(
    engine: Engine, browser: Browser, routes: list[Route], words: str
) -> None:
    everyone = callers(engine, browser)
    tried = 0
    with unchanged(engine):
        for name, caller, headers in everyone:
            for route in routes:
                if (route.method, route.path) == ("DELETE", "/session"):
                    continue  # takes nothing, and would log the caller out
                path, query, bodies = route.filled(words)
                for body in bodies:
                    if (route.path, body) == ("/account/tokens", None):
                        continue
                    answer = caller.ask(route.method, path, params=query, json=body, headers=headers)
                    where = (name, route.method, route.path, body, answer.status_code)
                    assert answer.status_code < 500 or answer.json()["code"] == "oidc_unavailable", where
                    assert not TELLS_TOO_MUCH.search(answer.text.replace(words, "")), (where, answer.text)
                    tried += 1
    assert tried > 100
    headed = words.replace("\x00", "").encode()
    for header in ("Authorization", "Cookie", CSRF_HEADER, "X-Forwarded-For", "X-Request-Id", "Accept-Language"):
        value = {"Authorization": b"Bearer ", "Cookie": COOKIE.encode() + b"="}.get(header, b"") + headed
        answer = browser.client.get("/session/me", headers={header.encode(): value})
        assert answer.status_code == 401, (header, answer.text)


def test_each_text_of_a_query_alone_may_hold_anything(engine: Engine, browser: Browser, routes: list[Route]) -> None:
    """Beside others that are refused first, what one of them does is not seen."""
    said = [(route, name) for route in routes for name in route.in_query]
    assert ("/venues", "name") in {(route.path, name) for route, name in said}
    nobody = str(UUID(int=0, version=4))
    everyone = callers(engine, browser)[1:4]
    with unchanged(engine):
        for _, caller, headers in everyone:
            for route, name in said:
                path, _, _ = route.filled(nobody)
                for words in ("\x00", "x\x00", *INJECTIONS):
                    answer = caller.ask(route.method, path, params={name: words}, headers=headers)
                    where = (route.method, path, name, words, answer.status_code)
                    assert answer.status_code < 500 or answer.json()["code"] == "oidc_unavailable", where
                    assert not TELLS_TOO_MUCH.search(answer.text.replace(words, "")), (where, answer.text)


def test_a_label_with_sql_is_a_label(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine, now=browser.clock.now()))
    for words in INJECTIONS:
        answer = browser.ask("POST", "/account/tokens", json={"label": words, "scopes": ["cases:read"]})
        assert answer.status_code == (422 if "\x00" in words else 201)
    labels = {item["label"] for item in browser.ask("GET", "/account/tokens").json()["tokens"]}
    assert labels == {words for words in INJECTIONS if "\x00" not in words}


# ---- forged requests


def test_every_unsafe_route_of_a_session_refuses_requests_without_its_token(
    engine: Engine, browser: Browser, routes: list[Route]
) -> None:
    browser.log_in(official_in(engine, now=browser.clock.now()))
    other = another(browser)
    other.log_in(official_in(engine, "li", now=browser.clock.now()))
    policies = policies_of(
        create_app(engine=engine, secret=SECRET, keyring=KEYRING, clock=FixedClock(datetime.now(UTC)))
    )
    unsafe = [route for route in routes if route.method not in SAFE_METHODS]
    assert len(unsafe) >= 8
    browser.csrf_token = None
    with unchanged(engine):
        for route in unsafe:
            who = policies[f"{route.method} {route.path}"].who
            if who in {Who.ANYONE, Who.DEVICE}:
                continue
            path, _, _ = route.filled("00000000-0000-0000-0000-000000000000")
            for sent in ({}, {CSRF_HEADER: ""}, {CSRF_HEADER: "0" * 64}, {CSRF_HEADER: other.csrf_token or ""}):
                answer = browser.ask(route.method, path, json={}, headers=sent)
                # A body is read after the policy: whatever is wrong with it, this comes first.
                assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), (route, sent)
    for route in unsafe:
        if policies[f"{route.method} {route.path}"].who is not Who.DEVICE:  # no browser sends a device's token
            path, _, _ = route.filled("00000000-0000-0000-0000-000000000000")
            answer = other.ask(route.method, path, json={}, headers={"Sec-Fetch-Site": "cross-site"})
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), route
    assert other.ask("GET", "/session/me").status_code == 200


def test_a_method_cannot_be_smuggled_through_a_safe_one(engine: Engine, browser: Browser, routes: list[Route]) -> None:
    browser.log_in(official_in(engine, now=browser.clock.now()))
    token, browser.csrf_token = browser.csrf_token, None
    override = {"X-HTTP-Method-Override": "DELETE", "X-HTTP-Method": "DELETE", "X-Method-Override": "DELETE"}
    for method in ("GET", "POST", "HEAD", "OPTIONS", "TRACE", "PATCH"):
        browser.ask(method, "/session?_method=DELETE", headers=override)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    browser.ask("POST", "/account/tokens", content=b"_method=DELETE&label=x", headers=form)
    browser.csrf_token = token
    assert browser.ask("GET", "/session/me").status_code == 200, "it logged out"
    assert browser.ask("GET", "/account/tokens").json() == {"tokens": []}


def test_a_body_that_is_no_json_is_read_by_no_route(engine: Engine, browser: Browser, routes: list[Route]) -> None:
    official = official_in(engine, now=browser.clock.now())
    body = json.dumps({"login_name": "wang", "password": official.first_password})
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
    ):
        answer = browser.ask("POST", "/session", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 422, kind
        assert official.first_password not in answer.text


# ---- every answer


def test_every_answer_of_every_route_is_hardened_and_tells_nothing(
    engine: Engine, browser: Browser, routes: list[Route]
) -> None:
    answers: dict[str, httpx.Response] = {}
    for name, caller, headers in callers(engine, browser):
        for route in routes:
            path, query, _ = route.filled("x")
            for method in (route.method, "PUT", "HEAD", "OPTIONS"):
                key = f"{name} {method} {path}"
                if method != "DELETE" or path != "/session":
                    answers[key] = caller.ask(method, path, params=query, content=b"{", headers=headers)
    for path in PATHS_OUT:
        answers[path] = browser.ask("GET", path)
    assert {answer.status_code for answer in answers.values()} >= {200, 401, 403, 404, 405, 422}
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE account RENAME TO gone"))
    broken = another(browser, "198.51.100.31")
    broken.session_id = "x" * 43
    answers["broken"] = broken.ask("GET", "/session/me")
    answers["broken log-in"] = broken.give_password("wang", "x")
    assert answers["broken log-in"].status_code == 503
    for key, answer in answers.items():
        for header, value in SECURITY_HEADERS.items():
            assert answer.headers.get(header) == value, (key, header)
        is_style = key.endswith(" GET /guardian.css")  # the same for everybody, with nothing in it about anybody
        assert answer.headers["cache-control"] == ("public, max-age=3600" if is_style else "no-store"), key
        assert "access-control-allow-origin" not in answer.headers, key
        assert not TELLS_TOO_MUCH.search(answer.text) or key.endswith("/openapi.json"), (key, answer.text)
        for cookie in answer.headers.get_list("set-cookie"):
            flags = {part.strip().lower() for part in cookie.split(";")[1:]}
            assert {"httponly", "secure", "path=/"} <= flags, (key, cookie)
            assert flags & {"samesite=strict", "samesite=lax"}, (key, cookie)
            assert cookie.startswith((f"{COOKIE}=", f"{PENDING_COOKIE}=")), (key, cookie)
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy


# ---- paths, hosts, header lines, sizes


def test_no_path_leads_to_a_file(browser: Browser) -> None:
    for path in PATHS_OUT:
        for start in ("", "/subjects", "/session", "/accounts"):
            answer = browser.client.send(browser.client.build_request("GET", start + path))
            assert answer.status_code in {401, 404, 405, 422}, (start, path)
            assert "root:" not in answer.text
            assert "[project]" not in answer.text


def test_the_host_a_request_names_changes_nothing(engine: Engine, browser: Browser) -> None:
    evil = {
        "Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Host": "evil.example",
        "X-Original-URL": "/accounts", "X-Rewrite-URL": "/accounts", "Origin": "https://evil.example",
    }  # fmt: skip
    for path in ("/health", "/session/me", "/nothing", "/openapi.json", "/session/", "//evil.example/%2f.."):
        plain, forged = browser.ask("GET", path), browser.ask("GET", path, headers=evil)
        assert (plain.status_code, plain.text) == (forged.status_code, forged.text), path
        assert "evil" not in str(forged.headers), path
        assert "location" not in forged.headers, path


@pytest.mark.parametrize("words", LINE_BREAKS)
def test_a_line_break_in_a_name_or_label_never_becomes_a_header(engine: Engine, browser: Browser, words: str) -> None:
    browser.log_in(official_in(engine, now=browser.clock.now()))
    answers = [
        browser.ask("POST", "/account/tokens", json={"label": words, "scopes": ["cases:read"]}),
        another(browser).give_password(words, words),
        browser.ask("GET", "/account/tokens"),
        browser.ask("GET", f"/subjects/{quote(words)}"),
        browser.ask("GET", "/session/oidc/callback", params={"state": words, "code": words, "iss": words}),
        browser.ask("GET", "/nothing/" + words.replace("\r", "%0d").replace("\n", "%0a")),
    ]
    for answer in answers:
        assert "x-injected" not in answer.headers
        assert "a=b" not in answer.headers.get("set-cookie", "")
        assert answer.status_code < 500


def test_a_body_too_large_or_too_deep_is_refused_by_every_route(
    engine: Engine, browser: Browser, routes: list[Route]
) -> None:
    browser.log_in(official_in(engine, now=browser.clock.now()))
    for route in routes:
        if route.in_body is None:
            continue
        path, _, _ = route.filled("00000000-0000-0000-0000-000000000000")
        json_kind = {"Content-Type": "application/json"}
        large = browser.ask(route.method, path, content=b'{"x":"' + b"x" * 9_000_000 + b'"}', headers=json_kind)
        assert large.status_code in {401, 413}, (route, large.status_code)
        deep = browser.ask(route.method, path, content=b"[" * 100_000, headers=json_kind)
        assert deep.status_code in ({404} if route in PAGES else {401, 422}), (route, deep.status_code)
        assert not TELLS_TOO_MUCH.search(deep.text)
    assert browser.ask("GET", "/session/me").status_code == 200
