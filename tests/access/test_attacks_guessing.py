"""Guessing by the thousand: passwords over many names and addresses, tokens of every kind; and made-up addresses."""

import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from api.access.gate import COOKIE, OPEN_POSTS_A_MINUTE, UNKNOWN_A_MINUTE
from api.access.throttle import FREE_FAILURES
from api.app import create_app
from api.cli.run import make_server
from api.clock import FixedClock
from api.database import open_engine
from api.settings import read_settings
from tests.access.people import Browser, a_browser, another, official_in
from tests.api.live_server import CHEAP, NOW, as_json, bearer, post, served
from tests.make import KEYRING, SECRET, a_fix, a_person

TRIES = 10_000


@pytest.fixture
def browser(database_url: str) -> Iterator[Browser]:
    with a_browser(database_url) as browser:
        yield browser


# ---- passwords


def test_spraying_from_many_addresses_gets_five_tries_of_each_name(engine: Engine, browser: Browser) -> None:
    official_in(engine, "name3")
    answers: Counter[tuple[str, int]] = Counter()
    for address in range(12):
        for name in (f"name{number}" for number in range(6)):  # one of them exists
            sprayer = another(browser, f"203.0.113.{address}")
            answers[name, sprayer.give_password(name, f"Spring{address}!").status_code] += 1
    for number in range(6):
        assert answers[f"name{number}", 401] == FREE_FAILURES["account"]
        assert answers[f"name{number}", 429] == 12 - FREE_FAILURES["account"]


def test_a_password_that_is_hit_by_spraying_shows_nothing(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.log_in(official, password := "Spring 2026 in Xuzhou!")
    hits = []
    for number, name in enumerate(("li", "zhao", "wang", "qian")):
        sprayer = another(browser, f"203.0.113.{number}")
        if sprayer.give_password(name, password).status_code == 200:
            hits.append(name)
            assert sprayer.ask("GET", "/subjects").json()["code"] == "code_missing"
            codes = [sprayer.ask("POST", "/session/totp", json={"code": f"{code:06}"}) for code in range(10)]
            assert {answer.status_code for answer in codes} == {401, 429}
            assert sprayer.ask("POST", "/session/totp/secret").status_code == 403
    assert hits == ["wang"]


# ---- tokens


def statuses(browser: Browser, method: str, path: str, headers: Iterator[dict[str, str]]) -> Counter[int]:
    """The answers to many requests over one connection, which is the fastest that a guesser can do."""
    url = browser.client.base_url
    connection = http.client.HTTPConnection(url.host, url.port or 80)
    found: Counter[int] = Counter()
    for header in headers:
        connection.request(method, path, headers={"X-Forwarded-For": "203.0.113.9"} | header)
        answer = connection.getresponse()
        answer.read()
        found[answer.status] += 1
    connection.close()
    return found


GUESSES: dict[str, tuple[str, str, Callable[[int], dict[str, str]]]] = {
    "api token": ("GET", "/subjects", lambda number: bearer(f"hulan_{number:043}")),
    "session": ("GET", "/session/me", lambda number: {"Cookie": f"{COOKIE}={number:043}"}),
    "device": ("POST", "/positions", lambda number: bearer(f"{number:043}")),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", GUESSES)
def test_ten_thousand_guesses_are_sixty_a_minute(engine: Engine, browser: Browser, kind: str) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
    browser.log_in(official_in(engine))
    neighbour = another(browser, "203.0.113.9")  # a telephone behind the guesser's own address
    assert post_from(neighbour, person.token) == 201
    method, path, header = GUESSES[kind]
    began = time.perf_counter()
    found = statuses(browser, method, path, (header(number) for number in range(TRIES)))
    seconds = time.perf_counter() - began
    assert set(found) == {401, 429}
    assert UNKNOWN_A_MINUTE <= found[401] <= UNKNOWN_A_MINUTE * (1 + seconds / 60) + 1, (found, seconds)
    assert browser.ask("GET", "/session/me").status_code == 200, "another address is locked out"
    assert post_from(neighbour, person.token) == 201, "a known telephone of the same network is locked out"
    print(f"{kind}: {found[401]} of {TRIES} looked at in {seconds:.1f} s")  # noqa: T201


def post_from(browser: Browser, token: str) -> int:
    headers = bearer(token) | {"X-Forwarded-For": browser.address}
    return browser.client.post("/positions", json=as_json(a_fix()), headers=headers).status_code


def test_a_request_that_is_turned_away_does_not_reach_the_database(engine: Engine, browser: Browser) -> None:
    stranger = another(browser, "203.0.113.9")
    for number in range(UNKNOWN_A_MINUTE + 5):
        stranger.ask("POST", "/positions", json=as_json(a_fix()), headers=bearer(f"{number:043}"))
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE device RENAME TO gone"))
        connection.execute(text("ALTER TABLE api_token RENAME TO gone_too"))
    for path in ("/positions", "/account/tokens"):
        assert stranger.ask("POST", path, json={}, headers=bearer("x" * 43)).status_code == 429
    assert post(browser.client, "x" * 43, as_json(a_fix())).status_code == 503, "it is not the database that is asked"


def test_a_token_cut_short_or_grown_is_another_token(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    token = browser.ask("POST", "/account/tokens", json={"label": "x", "scopes": ["cases:read"]}).json()["token"]
    session = browser.session_id or ""
    stranger = another(browser, "203.0.113.9")
    for wrong in (token[:-1], token + "a", token.upper(), token[6:], token.replace("hulan_", "HULAN_")):
        assert stranger.ask("GET", "/subjects", headers=bearer(wrong)).status_code == 401
    for scheme in ("Basic", "Token", "bearer,"):
        assert stranger.ask("GET", "/subjects", headers={"Authorization": f"{scheme} {token}"}).status_code == 401
    for wrong in (session[:-1], session + "a", token):
        assert stranger.ask("GET", "/session/me", headers={"Cookie": f"{COOKIE}={wrong}"}).status_code == 401
    assert stranger.ask("GET", "/subjects", headers=bearer(session)).status_code == 401, "a session is no token"


# ---- addresses


def log_in_from(client_header: str) -> dict[str, str]:
    return {"X-Forwarded-For": client_header}


@pytest.mark.parametrize(
    ("trusted", "forwarded", "is_one_address"),
    [
        ("10.9.9.9", "203.0.113.{n}", True),  # the peer is no proxy of ours: what it says is made up
        ("127.0.0.1", "203.0.113.{n}", False),
        ("127.0.0.1", "203.0.113.{n}, 198.51.100.7", True),  # the proxy appends the true one
        ("127.0.0.1,10.0.0.0/8", "203.0.113.{n}, 198.51.100.7, 10.0.0.3", True),  # two proxies of ours
    ],
)
def test_an_address_is_believed_from_a_trusted_proxy_only(
    database_url: str, trusted: str, forwarded: str, is_one_address: bool
) -> None:
    engine = open_engine(database_url)
    app = create_app(engine=engine, secret=SECRET, keyring=KEYRING, clock=FixedClock(NOW), passwords=CHEAP)
    with served(app, trusted_proxies=trusted) as client:
        codes = [
            client.get(
                "/session/me", headers=log_in_from(forwarded.format(n=n)) | {"Cookie": f"{COOKIE}={n:043}"}
            ).status_code
            for n in range(UNKNOWN_A_MINUTE + 10)
        ]
    engine.dispose()
    assert (429 in codes) == is_one_address, Counter(codes)


def test_the_program_passes_its_trusted_proxies_on(engine: Engine) -> None:
    settings = read_settings(trusted_proxies="10.1.2.3,192.0.2.0/24", secret_key="0123456789abcdef")
    assert make_server(settings, engine).config.forwarded_allow_ips == "10.1.2.3,192.0.2.0/24"


def test_posts_of_anyone_are_counted_by_address_whatever_they_say(browser: Browser) -> None:
    stranger = another(browser, "203.0.113.9")
    codes = [stranger.ask("POST", "/session", json={"x": n}).status_code for n in range(OPEN_POSTS_A_MINUTE + 10)]
    assert set(codes) == {422, 429}
    assert codes.count(429) >= 5
    assert another(browser).ask("POST", "/session", json={}).status_code == 422
    assert stranger.ask("GET", "/health").status_code == 200
