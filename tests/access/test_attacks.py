"""What forged, guessed and malformed requests meet; headers and logs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from api.access.gate import COOKIE, UNKNOWN_A_MINUTE
from api.access.roles import AccountRole
from api.security_headers import SECURITY_HEADERS
from tests.access.people import PASSWORD, Browser, a_browser, another, official_in
from tests.api.live_server import as_json, bearer, post, server_process
from tests.make import a_fix, a_person

INJECTIONS = (
    "' OR '1'='1",
    "wang'; DROP TABLE account; --",
    'wang" OR ""="',
    "wang' UNION SELECT password_hash FROM account --",
    "%' AND 1=cast((SELECT password_hash FROM account) AS int) --",
    "\\'; SELECT pg_sleep(30); --",
    "wang\u0000' OR true --",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "ｗａｎｇ＇ ＯＲ １＝１",
)


@pytest.fixture
def browser(database_url: str) -> Iterator[Browser]:
    with a_browser(database_url) as browser:
        yield browser


# ---- forged requests


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/account/password", {"old": PASSWORD, "new": PASSWORD + "x"}),
        ("POST", "/account/tokens", {"label": "x", "scopes": ["cases:read"]}),
        ("DELETE", "/session", None),
    ],
)
def test_an_unsafe_request_needs_the_token_of_its_own_session(
    engine: Engine, browser: Browser, method: str, path: str, body: Any
) -> None:
    browser.log_in(official_in(engine))
    other = another(browser)
    other.log_in(official_in(engine, "li"))
    assert other.csrf_token is not None
    right = browser.csrf_token
    for wrong in (None, "", "0" * 64, other.csrf_token, "ü"):
        browser.csrf_token = None
        headers = {} if wrong is None else {"X-CSRF-Token": wrong.encode()}
        answer = browser.ask(method, path, json=body, headers=headers)  # type: ignore[arg-type] # bytes are sent as is
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), wrong
    browser.csrf_token = right
    assert browser.ask(method, path, json=body).is_success


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_from_another_sites_page_is_refused_even_to_log_in(
    engine: Engine, browser: Browser, site: str
) -> None:
    official = official_in(engine)
    credentials = {"login_name": "wang", "password": official.first_password}
    answer = browser.ask("POST", "/session", json=credentials, headers={"Sec-Fetch-Site": site})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")
    assert "set-cookie" not in answer.headers
    assert browser.ask("POST", "/session", json=credentials, headers={"Sec-Fetch-Site": "same-origin"}).is_success


def test_a_form_of_another_site_is_not_read_as_json(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    body = json.dumps({"login_name": "wang", "password": official.first_password})
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = browser.ask("POST", "/session", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 422


# ---- guessed tokens


def test_guessing_tokens_is_refused_and_slowed_down(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    wish = {"label": "地图", "scopes": ["cases:read"]}
    token = browser.ask("POST", "/account/tokens", json=wish).json()["token"]
    thief = another(browser, "203.0.113.9")
    thief.session_id = thief.csrf_token = None
    guesses = [f"hulan_{number:043}" for number in range(UNKNOWN_A_MINUTE + 10)] + [token[:-1]]
    codes = [thief.ask("GET", "/subjects", headers=bearer(guess)).status_code for guess in guesses]
    assert codes[:UNKNOWN_A_MINUTE] == [401] * UNKNOWN_A_MINUTE
    assert codes[-1] == 429
    assert another(browser).ask("GET", "/subjects", headers=bearer(token)).status_code == 200


def test_guessing_session_ids_is_refused_and_slowed_down(browser: Browser) -> None:
    codes = []
    for number in range(UNKNOWN_A_MINUTE + 10):
        browser.session_id = f"{number:043}"
        codes.append(browser.ask("GET", "/session/me").status_code)
    assert set(codes) == {401, 429}
    assert codes.count(429) >= 5


def test_a_token_does_only_what_its_scope_says(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    tokens = {
        scope: browser.ask("POST", "/account/tokens", json={"label": "x", "scopes": [scope]}).json()["token"]
        for scope in ("cases:read", "venues:read")
    }
    ask = another(browser).ask
    assert ask("GET", "/subjects", headers=bearer(tokens["cases:read"])).status_code == 200
    for path in ("/account/tokens", "/session/me", "/accounts"):
        assert ask("GET", path, headers=bearer(tokens["cases:read"])).json()["code"] == "not_allowed"
    assert ask("GET", "/subjects", headers=bearer(tokens["venues:read"])).json()["code"] == "not_allowed"


def test_nobody_gets_a_token_beyond_their_role(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine, "an", AccountRole.SECURITY_ADMINISTRATOR))
    for scope in ("cases:read", "venues:read"):
        answer = browser.ask("POST", "/account/tokens", json={"label": "x", "scopes": [scope]})
        assert (answer.status_code, answer.json()["code"]) == (422, "refused")
    assert browser.ask("POST", "/account/tokens", json={"label": "x", "scopes": ["accounts:read"]}).status_code == 201


def test_a_token_is_revoked_by_its_owner_only_and_runs_out(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    made = browser.ask("POST", "/account/tokens", json={"label": "x", "scopes": ["cases:read"], "days": 1}).json()
    second = browser.ask("POST", "/account/tokens", json={"label": "y", "scopes": ["cases:read"], "days": 1}).json()
    other = another(browser)
    other.log_in(official_in(engine, "li"))
    assert other.ask("DELETE", f"/account/tokens/{made['token_id']}").status_code == 404
    assert other.ask("GET", "/account/tokens").json() == {"tokens": []}
    assert browser.ask("DELETE", f"/account/tokens/{made['token_id']}").status_code == 204
    ask = another(browser, "198.51.100.7").ask
    assert ask("GET", "/subjects", headers=bearer(made["token"])).status_code == 401
    assert ask("GET", "/subjects", headers=bearer(second["token"])).status_code == 200
    browser.clock.current = browser.clock.current.replace(day=browser.clock.current.day + 2)
    assert ask("GET", "/subjects", headers=bearer(second["token"])).status_code == 401


def test_the_database_holds_no_token(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    token = browser.ask("POST", "/account/tokens", json={"label": "x", "scopes": ["cases:read"]}).json()["token"]
    assert "token" not in browser.ask("GET", "/account/tokens").json()["tokens"][0]
    with engine.connect() as connection:
        assert token not in str(connection.execute(text("SELECT api_token::text FROM api_token")).scalar_one())


# ---- malformed requests


@pytest.mark.parametrize("words", INJECTIONS)
def test_sql_in_any_field_is_a_word_like_any_other(engine: Engine, browser: Browser, words: str) -> None:
    official = official_in(engine)
    in_header = words.replace("\x00", "")  # no client sends that in a header
    browser.give_password(words, words)
    browser.log_in(official)
    answers = [
        browser.ask("POST", "/session/totp", json={"code": words[:6]}),
        browser.ask("POST", "/session/totp", json={"code": words}),
        browser.ask("POST", "/account/password", json={"old": words, "new": words * 3}),
        browser.ask("POST", "/account/tokens", json={"label": words, "scopes": [words]}),
        browser.ask("GET", f"/subjects/{words.replace(chr(0), '%00')}"),
        browser.ask("GET", "/subjects", params={"q": words}),
        browser.ask("DELETE", f"/account/tokens/{words.replace(chr(0), '%00')}"),
        another(browser).ask("GET", "/subjects", headers={"Authorization": f"Bearer {in_header}".encode()}),  # type: ignore[dict-item]
        another(browser).ask("GET", "/session/me", headers={"Cookie": f"{COOKIE}={in_header}".encode()}),  # type: ignore[dict-item]
    ]
    labelled = browser.ask("POST", "/account/tokens", json={"label": words, "scopes": ["cases:read"]})
    assert all(answer.status_code < 500 for answer in answers), [answer.status_code for answer in answers]
    assert [answer.status_code for answer in answers if answer.is_success] in ([], [200])  # the unknown parameter
    for answer in answers:
        assert "argon2" not in answer.text
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM account")).scalar_one() == 1
        labels = connection.execute(text("SELECT label FROM api_token")).scalars().all()
    assert labels == ([words] if labelled.is_success else [])
    assert labelled.is_success == ("\x00" not in words)


# ---- headers and logs


def test_every_answer_carries_the_security_headers(engine: Engine, browser: Browser) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
    browser.log_in(official_in(engine))
    answers = {
        "page": browser.ask("GET", "/session/me"),
        "schema": browser.ask("GET", "/openapi.json"),
        "health": browser.ask("GET", "/health"),
        "unknown page": browser.ask("GET", "/nothing"),
        "method": browser.ask("PUT", "/session"),
        "unreadable": browser.ask("POST", "/session", content="{"),
        "refused": another(browser).ask("GET", "/subjects"),
        "fix": post(browser.client, person.token, as_json(a_fix())),
        "too large": browser.ask("POST", "/session", content=b" " * 9_000_000),
    }
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE account_session RENAME TO gone"))
    answers["database error"] = browser.ask("GET", "/session/me")
    codes = {name: answer.status_code for name, answer in answers.items()}
    assert (codes["page"], codes["too large"], codes["database error"], codes["fix"]) == (200, 413, 503, 201)
    for name, answer in answers.items():
        assert_hardened(name, answer)


def assert_hardened(name: str, answer: httpx.Response) -> None:
    for header, value in SECURITY_HEADERS.items():
        assert answer.headers[header] == value, (name, header)
    assert "unsafe" not in answer.headers["content-security-policy"], name
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], name
    assert answer.headers["cache-control"] == "no-store", name


def test_no_name_password_code_or_token_reaches_the_log(engine: Engine, database_url: str, tmp_path: Path) -> None:
    official = official_in(engine, "wangxiaoming", now=datetime.now(UTC))
    with server_process(database_url, tmp_path) as server:
        ask = server.client.post
        ask("/session", json={"login_name": "wangxiaoming", "password": "guessed-password-1"})
        answer = ask("/session", json={"login_name": "wangxiaoming", "password": official.first_password})
        session_id, csrf_token = answer.cookies[COOKIE], answer.json()["csrf_token"]
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE account RENAME COLUMN totp_secret TO gone"))
        headers = {"Cookie": f"{COOKIE}={session_id}", "X-CSRF-Token": csrf_token}
        assert ask("/session/totp", json={"code": "918273"}, headers=headers).status_code == 503
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE login_failure RENAME TO gone"))
        failed = ask("/session", json={"login_name": "wangxiaoming", "password": "guessed-password-2"})
        assert failed.status_code == 503
    secrets = (
        "wangxiaoming", "guessed-password", official.first_password, session_id, csrf_token, "918273", "argon2",
    )  # fmt: skip
    log = server.log.read_text(encoding="utf-8")
    for secret in secrets:
        assert secret not in log
        assert secret not in failed.text
