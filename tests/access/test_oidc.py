"""Single sign-on against a real provider: who gets in, with which proofs; and what forged and replayed answers meet."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from sqlalchemy import Engine, text

from api.access.accounts import AccountError, disable_account
from api.access.gate import COOKIE, OPEN_POSTS_A_MINUTE
from api.access.linking import link_identity
from api.access.oidc import CALLBACK, PENDING_SECONDS
from api.access.roles import AccountRole
from api.routes.oidc import PENDING_COOKIE
from tests.access.people import Browser, a_browser, another, official_in
from tests.access.single_sign_on import PUBLIC_URL, Provider, Visitor, a_visitor, linked, running_provider
from tests.access.test_cli import secret_in
from tests.api.live_server import NOW
from tests.api.test_cli import hulan

FAULTS = (
    "none", "stripped", "hs256", "altered", "foreign_key", "foreign_key_as_own", "embedded_key", "issuer", "audience",
    "two_audiences", "authorized_party", "expired", "from_the_future", "not_yet", "no_end", "nonce", "no_nonce",
    "no_subject", "empty_subject", "nul_subject", "list_subject", "other_access_token", "no_token", "no_words",
)  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    """With nothing wrong, and Wang before the screen."""
    running.order("fault")
    running.order("person", sub="wang-sub")
    return running


@pytest.fixture
def visitor(database_url: str, provider: Provider) -> Iterator[Visitor]:
    with a_visitor(database_url, provider) as visitor:
        yield visitor


def assert_refused(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (401, "oidc_refused"), answer.text
    assert COOKIE not in answer.cookies


def second_visitor(visitor: Visitor) -> Visitor:
    return Visitor(browser=another(visitor.browser), provider=visitor.provider)


# ---- the way in


def test_the_provider_names_the_person_and_hulan_asks_for_its_code(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    answer = visitor.log_in()
    assert answer.status_code == 200
    browser = visitor.browser
    me = browser.ask("GET", "/session/me").json()
    assert (me["next"], me["login_name"], me["roles"]) == ("totp_secret", "wang", [])
    browser.csrf_token = me["csrf_token"]
    assert browser.ask("GET", "/subjects").json()["code"] == "code_missing"
    browser.enrol()
    assert browser.give_code().json()["next"] is None
    assert browser.ask("GET", "/subjects").json() == {"subjects": []}
    assert visitor.log_in().status_code == 200
    assert browser.ask("GET", "/session/me").json()["next"] == "totp", "the second factor was asked for once only"


@pytest.mark.parametrize(
    ("person", "accepted", "next_step"),
    [
        ({"amr": "pwd,otp"}, ("otp", "two-factors"), None),
        ({"acr": "two-factors"}, ("otp", "two-factors"), None),
        ({"amr": "pwd"}, ("otp", "two-factors"), "totp_secret"),
        ({"amr": "pwd,otp"}, (), "totp_secret"),
        ({}, ("otp",), "totp_secret"),
    ],
)
def test_the_providers_second_factor_counts_where_the_policy_says_so(
    engine: Engine,
    database_url: str,
    provider: Provider,
    person: dict[str, str],
    accepted: tuple[str, ...],
    next_step: str | None,
) -> None:
    linked(engine, provider)
    provider.order("person", sub="wang-sub", **person)
    with a_visitor(database_url, provider, *accepted) as visitor:
        assert visitor.log_in().status_code == 200
        assert visitor.browser.ask("GET", "/session/me").json()["next"] == next_step
        is_in = visitor.browser.ask("GET", "/subjects").status_code == 200
        assert is_in == (next_step is None)


def test_an_administrator_gives_the_code_whatever_the_provider_says(
    engine: Engine, database_url: str, provider: Provider
) -> None:
    linked(engine, provider, "an", AccountRole.SECURITY_ADMINISTRATOR)
    provider.order("person", sub="an-sub", amr="otp")
    with a_visitor(database_url, provider, "otp") as visitor:
        visitor.log_in()
        assert visitor.browser.ask("GET", "/session/me").json()["next"] == "totp_secret"
        assert visitor.browser.ask("GET", "/accounts").json()["code"] == "code_missing"


def test_without_an_issuer_there_is_no_single_sign_on(database_url: str) -> None:
    with a_browser(database_url) as browser:
        for path in ("/session/oidc", f"{CALLBACK}?code=x&state=y"):
            assert browser.ask("GET", path).status_code == 404


def test_a_log_in_and_a_refusal_are_in_the_audit_without_a_name(
    engine: Engine, database_url: str, provider: Provider
) -> None:
    official = linked(engine, provider)
    provider.order("person", sub="wang-sub", amr="otp")
    with a_visitor(database_url, provider, "otp") as visitor:
        visitor.log_in()
        provider.order("person", sub="zhao-sub")
        assert_refused(visitor.log_in())
        provider.order("fault", name="altered")
        assert_refused(visitor.log_in())
    with engine.connect() as connection:
        entries = connection.execute(
            text("SELECT kind, actor, detail FROM audit_entry WHERE kind LIKE 'log_in%' ORDER BY position")
        ).all()
    refused = ("log_in_refused", "anonymous", "single sign-on")
    assert entries == [("log_in", f"account:{official.account_id}", "single sign-on"), refused, refused]


# ---- accounts


def test_a_token_makes_no_account_and_opens_none_that_is_not_linked(engine: Engine, visitor: Visitor) -> None:
    official_in(engine)  # of the same name as the provider's person, which must mean nothing
    visitor.provider.order("person", sub="wang")
    assert_refused(visitor.log_in())
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM account")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM account_session")).scalar_one() == 0


def test_the_same_subject_of_another_issuer_is_somebody_else(engine: Engine, visitor: Visitor) -> None:
    official = official_in(engine)
    with engine.begin() as connection:
        link_identity(connection, official.account_no, issuer="https://other.example", subject="wang-sub", now=NOW)
    assert_refused(visitor.log_in())


def test_a_disabled_account_stays_out(engine: Engine, visitor: Visitor) -> None:
    official = linked(engine, visitor.provider)
    with engine.begin() as connection:
        disable_account(connection, official.account_no, now=visitor.browser.clock.now())
    assert_refused(visitor.log_in())


def test_no_password_opens_a_linked_account(engine: Engine, visitor: Visitor) -> None:
    official = linked(engine, visitor.provider)
    answer = visitor.browser.give_password("wang", official.first_password)
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")


def test_one_identity_one_account(engine: Engine, provider: Provider) -> None:
    linked(engine, provider)
    other = official_in(engine, "li")
    with engine.begin() as connection:
        with pytest.raises(AccountError, match="linked already"):
            link_identity(connection, other.account_no, issuer=provider.url, subject="wang-sub", now=NOW)
        link_identity(connection, other.account_no, issuer=provider.url, subject="li-sub", now=NOW)
        with pytest.raises(AccountError, match="linked already"):
            link_identity(connection, other.account_no, issuer=provider.url, subject="li-sub-2", now=NOW)


@pytest.mark.slow
def test_an_administrator_links_and_unlinks_on_the_command_line(
    engine: Engine, visitor: Visitor, database_url: str, tmp_path: Path
) -> None:
    official_in(engine)
    words = ("account", "link-oidc", "wang", "--issuer", visitor.provider.url, "--subject", "wang-sub")
    assert hulan(*words, data_dir=tmp_path, database_url=database_url).returncode == 0
    assert visitor.log_in().status_code == 200
    done = hulan("account", "unlink-oidc", "wang", data_dir=tmp_path, database_url=database_url)
    assert visitor.browser.ask("GET", "/session/me").status_code == 401, "its sessions go on"
    assert_refused(visitor.log_in())
    assert visitor.browser.give_password("wang", secret_in(done.stdout)).status_code == 200


# ---- what the provider's answer is worth


def test_every_fault_of_the_provider_is_tried(provider: Provider) -> None:
    assert set(FAULTS) == set(provider.faults)


def test_a_token_with_anything_wrong_is_refused(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    for fault in FAULTS:
        visitor.browser.address = f"198.51.100.{FAULTS.index(fault) + 10}"
        visitor.provider.order("fault", name=fault)
        where = visitor.give_consent(visitor.begin())
        answer = visitor.come_back(where)
        assert (fault, answer.status_code, COOKIE in answer.cookies) == (fault, 401, False)
        visitor.provider.order("fault")
        assert visitor.log_in().status_code == 200, f"after {fault}: a sound one is refused too"


def test_a_provider_under_another_name_or_with_an_address_in_clear_is_not_used(
    database_url: str, provider: Provider
) -> None:
    for fault in ("described_as_another", "described_in_clear"):
        provider.order("fault", name=fault)
        with a_visitor(database_url, provider) as visitor:
            answer = visitor.browser.ask("GET", "/session/oidc")
            assert (answer.status_code, answer.json()["code"]) == (503, "oidc_unavailable"), fault
            provider.order("fault")
            visitor.begin()


def test_an_unreachable_provider_is_told_as_such_and_passwords_go_on(engine: Engine, database_url: str) -> None:
    gone = Provider(url="http://127.0.0.1:9", faults=())
    official = official_in(engine)
    with a_browser(database_url, oidc=gone.plan()) as browser:
        assert browser.ask("GET", "/session/oidc").json()["code"] == "oidc_unavailable"
        assert browser.give_password("wang", official.first_password).status_code == 200


def test_another_clients_id_or_secret_gets_no_token(engine: Engine, database_url: str, provider: Provider) -> None:
    linked(engine, provider)
    wrong = provider.plan()
    with a_visitor(
        database_url,
        provider,
        plan=type(wrong)(
            issuer=wrong.issuer,
            client_id="hulan",
            client_secret="guessed",
            name="x",
            public_url=PUBLIC_URL,
        ),
    ) as visitor:
        answer = visitor.log_in()
        assert (answer.status_code, answer.json()["code"]) == (503, "oidc_unavailable")
        assert "guessed" not in answer.text


# ---- replays


def test_an_answer_is_taken_once(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    where = visitor.give_consent(visitor.begin())
    assert visitor.come_back(where).status_code == 200
    assert_refused(visitor.come_back(where))
    fresh = visitor.give_consent(visitor.begin())
    state = parse_qs(urlsplit(fresh).query)["state"][0]
    old_code = parse_qs(urlsplit(where).query) | {"state": [state]}
    assert_refused(visitor.come_back(f"{CALLBACK}?{urlencode(old_code, doseq=True)}"))
    assert_refused(visitor.come_back(fresh))  # the log-in was used up by the replayed code


def test_an_answer_for_another_browser_is_refused(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    victim = second_visitor(visitor)
    attackers = visitor.give_consent(visitor.begin())
    assert_refused(victim.come_back(attackers))  # no log-in of this browser: log-in CSRF
    victims = victim.give_consent(victim.begin())
    assert_refused(victim.come_back(attackers))  # the state is of another browser
    query = parse_qs(urlsplit(victims).query)
    injected = query | {"code": parse_qs(urlsplit(attackers).query)["code"]}
    assert_refused(victim.come_back(f"{CALLBACK}?{urlencode(injected, doseq=True)}"))  # PKCE: the code is of another
    assert visitor.come_back(attackers).status_code == 200, "nothing but the browser was wrong"


@pytest.mark.parametrize("given", ["", "x", "0" * 43, "ü", "\x00"])
def test_a_made_up_state_is_refused(engine: Engine, visitor: Visitor, given: str) -> None:
    linked(engine, visitor.provider)
    query = parse_qs(urlsplit(visitor.give_consent(visitor.begin())).query)
    assert_refused(visitor.come_back(f"{CALLBACK}?{urlencode(query | {'state': [given]}, doseq=True)}"))
    del query["state"]
    assert_refused(visitor.come_back(f"{CALLBACK}?{urlencode(query, doseq=True)}"))


def test_an_altered_and_an_old_cookie_are_refused(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    where = visitor.give_consent(visitor.begin())
    assert visitor.pending is not None
    right = visitor.pending
    for wrong in ("", "x", right[:-8] + "AAAAAAA=", right[: len(right) // 2]):
        visitor.pending = wrong
        assert_refused(visitor.come_back(where))
    visitor.pending = right
    visitor.browser.clock.current += timedelta(seconds=PENDING_SECONDS + 1)
    assert_refused(visitor.come_back(where))


def test_an_answer_that_names_another_issuer_or_none_is_refused(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    changes: tuple[dict[str, list[str]], ...] = ({"iss": ["https://evil.example"]}, {"iss": []})
    for change in changes:
        query = parse_qs(urlsplit(visitor.give_consent(visitor.begin())).query)
        assert query["iss"] == [visitor.provider.url]
        assert_refused(visitor.come_back(f"{CALLBACK}?{urlencode(query | change, doseq=True)}"))


def test_an_error_of_the_provider_is_a_refusal_without_its_words(engine: Engine, visitor: Visitor) -> None:
    visitor.begin()
    answer = visitor.come_back(f"{CALLBACK}?error=access_denied&error_description=%3Cscript%3E&state=x")
    assert_refused(answer)
    assert "script" not in answer.text


# ---- the browser


def test_the_session_id_is_new_and_the_old_session_ends(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    browser = visitor.browser
    browser.session_id = "chosen-by-the-attacker"
    visitor.log_in()
    first = browser.session_id
    where = visitor.give_consent(visitor.begin())
    cookies = f"{COOKIE}={first}; {PENDING_COOKIE}={visitor.pending}"  # a browser that sends the strict one as well
    assert browser.ask("GET", where, headers={"Cookie": cookies}).status_code == 200
    assert browser.session_id not in {first, "chosen-by-the-attacker"}
    for old in (first, "chosen-by-the-attacker"):
        assert browser.client.get("/session/me", headers={"Cookie": f"{COOKIE}={old}"}).status_code == 401


def test_cookies_are_strict_for_the_session_and_lax_and_short_for_the_way_there(
    engine: Engine, visitor: Visitor
) -> None:
    linked(engine, visitor.provider)
    begun = visitor.browser.ask("GET", "/session/oidc")
    parts = flags_of(begun.headers["set-cookie"])
    assert {"httponly", "secure", "samesite=lax", "path=/", f"max-age={PENDING_SECONDS}"} <= parts
    visitor.pending = begun.cookies[PENDING_COOKIE]
    answer = visitor.come_back(visitor.give_consent(begun.headers["location"]))
    of_session, of_way = answer.headers.get_list("set-cookie")
    assert of_session.startswith(f"{COOKIE}=")
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= flags_of(of_session)
    assert of_way.startswith(f'{PENDING_COOKIE}="";')
    assert "max-age=0" in flags_of(of_way)


def flags_of(cookie: str) -> set[str]:
    return {part.strip().lower() for part in cookie.split(";")[1:]}


def test_there_is_no_way_to_be_sent_elsewhere(engine: Engine, visitor: Visitor) -> None:
    linked(engine, visitor.provider)
    evil = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    extra = "next=https://evil.example&redirect_uri=https://evil.example"
    begun = visitor.browser.ask("GET", f"/session/oidc?{extra}", headers=evil)
    query = parse_qs(urlsplit(begun.headers["location"]).query)
    assert query["redirect_uri"] == [PUBLIC_URL + CALLBACK]
    assert (query["code_challenge_method"], query["response_type"]) == (["S256"], ["code"])
    assert "evil" not in begun.headers["location"]
    visitor.pending = begun.cookies[PENDING_COOKIE]
    answer = visitor.come_back(visitor.give_consent(begun.headers["location"]) + "&" + extra)
    assert answer.status_code == 200
    assert "evil" not in answer.text
    assert "location" not in answer.headers
    assert 'content="0;url=/"' in answer.text


def test_nothing_of_a_log_in_is_readable_on_the_way(visitor: Visitor) -> None:
    query = parse_qs(urlsplit(visitor.begin()).query)
    assert visitor.pending is not None
    for name in ("state", "nonce", "code_challenge"):
        assert query[name][0] not in visitor.pending
        assert len(query[name][0]) >= 43, name


def test_safe_requests_that_cost_work_are_counted(visitor: Visitor) -> None:
    browser: Browser = another(visitor.browser, "203.0.113.77")
    codes = [browser.ask("GET", "/session/oidc").status_code for _ in range(OPEN_POSTS_A_MINUTE + 10)]
    assert set(codes) == {303, 429}
    assert codes.count(429) >= 5
    assert browser.ask("GET", CALLBACK).status_code == 429
    assert another(browser, "203.0.113.78").ask("GET", "/session/oidc").status_code == 303
