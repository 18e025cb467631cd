"""Logging in over real HTTP: password, code, session; and what an attacker meets."""

import inspect
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from argon2 import Parameters, Type, extract_parameters
from sqlalchemy import Engine, text

from api.access.accounts import change_password, create_account, disable_account
from api.access.gate import COOKIE
from api.access.log_in import LogIn
from api.access.passwords import PASSWORDS
from api.access.roles import AccountRole
from api.access.throttle import FREE_FAILURES
from api.app import create_app
from api.errors import PROBLEMS, WrongCredentialsError
from tests.access.people import PASSWORD, Browser, a_browser, another, official_in
from tests.api.live_server import CHEAP, NOW


@pytest.fixture
def browser(database_url: str) -> Iterator[Browser]:
    with a_browser(database_url) as browser:
        yield browser


def assert_wrong(answer: httpx.Response) -> None:
    problem = PROBLEMS[WrongCredentialsError]
    assert (answer.status_code, answer.json()) == (401, {"code": problem.code, "message": problem.message})


# ---- the way in


def test_password_then_code_then_a_password_of_ones_own(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    answer = browser.give_password("Wang", official.first_password)
    assert (answer.status_code, answer.json()["next"], answer.json()["roles"]) == (200, "totp_secret", [])
    assert browser.ask("GET", "/subjects").json()["code"] == "code_missing"
    browser.enrol()
    assert browser.give_code().json()["next"] == "password"
    assert browser.ask("GET", "/subjects").json()["code"] == "first_password"
    weak = {"old": official.first_password, "new": "wang123"}
    assert browser.ask("POST", "/account/password", json=weak).json()["code"] == "refused"
    change = {"old": official.first_password, "new": PASSWORD}
    assert browser.ask("POST", "/account/password", json=change).status_code == 200
    me = browser.ask("GET", "/session/me").json()
    assert (me["next"], me["login_name"], me["roles"]) == (None, "wang", ["prosecutor"])
    assert browser.ask("GET", "/subjects").json() == {"subjects": []}
    assert browser.ask("DELETE", "/session").status_code == 204
    assert browser.ask("GET", "/session/me").status_code == 401


def test_a_later_log_in_needs_both_factors(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.log_in(official)
    later = another(browser)
    assert later.give_password("wang", PASSWORD).json()["next"] == "totp"
    assert later.ask("POST", "/session/totp/secret").status_code == 403, "a stolen password could enrol a new telephone"
    later.totp = browser.totp
    assert later.give_code().status_code == 200


def test_a_code_is_used_once(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.log_in(official)
    assert browser.totp is not None
    code = browser.totp.at(browser.clock.now())
    later = another(browser)
    later.give_password("wang", PASSWORD)
    assert_wrong(later.ask("POST", "/session/totp", json={"code": code}))


def test_a_code_of_two_minutes_ago_is_too_old_and_one_of_half_a_minute_is_not(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    assert browser.totp is not None
    browser.clock.current += timedelta(minutes=5)
    now = browser.clock.now()
    later = another(browser)
    later.give_password("wang", PASSWORD)
    assert_wrong(later.ask("POST", "/session/totp", json={"code": browser.totp.at(now - timedelta(minutes=2))}))
    answer = later.ask("POST", "/session/totp", json={"code": browser.totp.at(now - timedelta(seconds=30))})
    assert answer.status_code == 200


def test_the_second_factor_is_not_in_clear_in_the_database(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    assert browser.totp is not None
    with engine.connect() as connection:
        row = connection.execute(text("SELECT totp_secret, password_hash FROM account")).one()
    assert browser.totp.secret.encode() not in bytes(row.totp_secret)
    assert row.password_hash.startswith("$argon2id$")


# ---- the same answer for every reason


def test_wrong_unknown_disabled_and_expired_are_told_alike(engine: Engine, browser: Browser) -> None:
    known = official_in(engine)
    disabled = official_in(engine, "li")
    expired = official_in(engine, "zhao", expires_at=NOW)
    with engine.begin() as connection:
        disable_account(connection, disabled.account_no, now=NOW)
    assert_wrong(browser.give_password(known.login_name, "not the password"))
    assert_wrong(browser.give_password("nobody", "not the password"))
    assert_wrong(browser.give_password("li", disabled.first_password))
    assert_wrong(browser.give_password("zhao", expired.first_password))


def test_a_first_password_runs_out(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.clock.current += timedelta(hours=72)
    assert_wrong(browser.give_password("wang", official.first_password))


def test_production_hashes_as_rfc_9106_recommends() -> None:
    assert extract_parameters(PASSWORDS.hash("x")) == Parameters(
        type=Type.ID, version=19, salt_len=16, hash_len=32, time_cost=3, memory_cost=64 * 1024, parallelism=4
    )
    assert PASSWORDS.needs_rehash(CHEAP.hash("x"))
    for made in (LogIn, create_account, change_password, create_app):
        assert inspect.signature(made).parameters["passwords"].default is PASSWORDS, made


def test_a_hash_with_less_work_is_replaced_at_the_next_log_in(engine: Engine, database_url: str) -> None:
    official = official_in(engine)
    with a_browser(database_url, passwords=PASSWORDS) as browser:
        assert browser.give_password("wang", official.first_password).status_code == 200
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT password_hash FROM account")).scalar_one()
    assert not PASSWORDS.needs_rehash(stored)
    assert PASSWORDS.is_right(official.first_password, stored)


def test_an_unknown_name_takes_as_long_as_a_known_one(engine: Engine, database_url: str) -> None:
    official = official_in(engine)
    with a_browser(database_url, passwords=PASSWORDS) as browser:
        browser.give_password("wang", official.first_password)  # from here on its hash is one of production
        _assert_same_time(engine, browser)


def _assert_same_time(engine: Engine, browser: Browser) -> None:
    took: dict[str, list[float]] = {"wang": [], "nobody": []}
    for _ in range(8):
        for name, times in took.items():
            with engine.begin() as connection:
                connection.execute(text("DELETE FROM login_failure"))
            start = time.perf_counter()
            assert_wrong(browser.give_password(name, "not the password"))
            times.append(time.perf_counter() - start)
    known, unknown = (statistics.median(times) for times in took.values())
    assert known > 0.02, "nothing was hashed: this test shows nothing"
    assert 0.5 < unknown / known < 2.0, f"known {known:.3f} s, unknown {unknown:.3f} s"


# ---- guessing


def test_a_locked_account_refuses_the_right_password_until_the_delay_is_over(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    for _ in range(FREE_FAILURES["account"]):
        assert_wrong(browser.give_password("wang", "not the password"))
    locked = another(browser).give_password("wang", official.first_password)
    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_attempts")
    assert locked.headers["retry-after"] == "60"
    browser.clock.current += timedelta(seconds=60)
    assert_wrong(browser.give_password("wang", "not the password"))
    assert browser.give_password("wang", official.first_password).headers["retry-after"] == "120", "the delay grows"
    browser.clock.current += timedelta(seconds=120)
    assert browser.give_password("wang", official.first_password).status_code == 200


def test_a_name_that_does_not_exist_is_locked_too(browser: Browser) -> None:
    answers = [browser.give_password("nobody", "not the password") for _ in range(FREE_FAILURES["account"] + 1)]
    assert [answer.status_code for answer in answers] == [401] * FREE_FAILURES["account"] + [429]


def test_the_right_password_does_not_clear_wrong_codes(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.log_in(official)
    thief = another(browser)
    codes = 0
    while thief.give_password("wang", PASSWORD).status_code == 200 and codes < 20:
        codes += 1
        thief.ask("POST", "/session/totp", json={"code": "000000"})
    assert codes == FREE_FAILURES["account"]


def test_attempts_at_the_same_moment_do_not_slip_through(engine: Engine, browser: Browser) -> None:
    official_in(engine)
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(another(browser).give_password, "wang", "not the password") for _ in range(12)]
        codes = sorted(answer.result(60).status_code for answer in tries)
    assert codes == [401] * FREE_FAILURES["account"] + [429] * (12 - FREE_FAILURES["account"])


def test_spraying_one_password_over_many_accounts_is_stopped_by_address(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    codes = [browser.give_password(f"officer{number}", "Spring2026!").status_code for number in range(25)]
    assert codes == [401] * FREE_FAILURES["address"] + [429] * 5
    assert browser.give_password("wang", official.first_password).status_code == 429
    assert another(browser).give_password("wang", official.first_password).status_code == 200, "others are locked out"


def test_the_security_administrator_unlocks_and_nobody_else(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    keeper = another(browser, "198.51.100.3")
    keeper.log_in(official_in(engine, "an", AccountRole.SECURITY_ADMINISTRATOR))
    other = another(browser, "198.51.100.4")
    other.log_in(official_in(engine, "xi", AccountRole.SYSTEM_ADMINISTRATOR))
    for _ in range(FREE_FAILURES["account"]):
        browser.give_password("wang", "not the password")
    path = f"/accounts/{official.account_id}/unlock"
    assert other.ask("POST", path).json()["code"] == "not_allowed"
    assert another(browser).give_password("wang", official.first_password).status_code == 429
    assert keeper.ask("POST", path).status_code == 204
    assert browser.give_password("wang", official.first_password).status_code == 200


# ---- sessions


def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    answer = browser.give_password("wang", official.first_password)
    cookie = answer.headers["set-cookie"]
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)
    assert cookie.startswith("__Host-")


def test_a_session_id_chosen_by_an_attacker_is_not_taken_up(engine: Engine, browser: Browser) -> None:
    browser.session_id = "chosen-by-the-attacker"
    browser.log_in(official_in(engine))
    assert "chosen-by-the-attacker" not in browser.seen
    assert len(set(browser.seen)) == 3, "password, code, new password: a new id at each step"
    for old in (*browser.seen[:-1], "chosen-by-the-attacker"):
        assert browser.client.get("/session/me", headers={"Cookie": f"{COOKIE}={old}"}).status_code == 401
    assert browser.ask("GET", "/session/me").status_code == 200


def test_the_database_holds_no_session_id(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    assert browser.session_id is not None
    with engine.connect() as connection:
        hashes = connection.execute(text("SELECT session_hash FROM account_session")).scalars().all()
    assert browser.session_id.encode() not in [bytes(value) for value in hashes]


def test_a_session_ends_when_idle_and_at_its_absolute_end(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    browser.clock.current += timedelta(minutes=29)
    assert browser.ask("GET", "/session/me").status_code == 200
    browser.clock.current += timedelta(minutes=30)
    assert browser.ask("GET", "/session/me").status_code == 401
    browser.give_password("wang", PASSWORD)
    browser.give_code()
    for _ in range(12 * 60 // 20 - 1):
        browser.clock.current += timedelta(minutes=20)
        assert browser.ask("GET", "/session/me").status_code == 200
    browser.clock.current += timedelta(minutes=20)
    assert browser.ask("GET", "/session/me").status_code == 401


def test_a_new_password_ends_the_other_sessions(engine: Engine, browser: Browser) -> None:
    browser.log_in(official_in(engine))
    second = another(browser)
    second.totp = browser.totp
    second.give_password("wang", PASSWORD)
    second.give_code()
    change = {"old": PASSWORD, "new": PASSWORD + "!"}
    assert browser.ask("POST", "/account/password", json=change).status_code == 200
    assert second.ask("GET", "/session/me").status_code == 401
    assert browser.ask("GET", "/session/me").status_code == 200


def test_a_disabled_account_is_out_at_once(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.log_in(official)
    token = browser.ask("POST", "/account/tokens", json={"label": "x", "scopes": ["cases:read"]}).json()["token"]
    with engine.begin() as connection:
        disable_account(connection, official.account_no, now=NOW)
    assert browser.ask("GET", "/session/me").status_code == 401
    assert browser.client.get("/subjects", headers={"Authorization": f"Bearer {token}"}).status_code == 401
