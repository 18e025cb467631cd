"""What is done to accounts and by logging in, as the audit tells it: who, by what request, no typed name in clear."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, text

from api.access.roles import AccountRole
from api.access.throttle import FREE_FAILURES
from api.request_ids import REQUEST_ID_HEADER
from tests.access.people import PASSWORD, Browser, a_browser, another, official_in


@pytest.fixture
def browser(database_url: str) -> Iterator[Browser]:
    with a_browser(database_url) as browser:
        yield browser


def events(engine: Engine, *kinds: str) -> list[Any]:
    query = text("SELECT * FROM audit_entry WHERE table_name IS NULL AND kind = ANY(:kinds) ORDER BY position")
    with engine.connect() as connection:
        return list(connection.execute(query, {"kinds": list(kinds)}))


def test_every_request_has_a_number_of_ours(browser: Browser) -> None:
    answers = [browser.ask("GET", path, headers={REQUEST_ID_HEADER: "of the client"}) for path in ("/health", "/none")]
    numbers = {answer.headers[REQUEST_ID_HEADER] for answer in answers}
    assert len(numbers) == 2
    assert "of the client" not in numbers


def test_logging_in_and_out_is_noted_with_the_account_and_the_request(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    actor = f"account:{official.account_id}"
    browser.log_in(official)
    out = browser.ask("DELETE", "/session")
    assert out.status_code == 204
    found = events(engine, "second_factor", "log_in", "password_changed", "log_out")
    assert [entry.kind for entry in found] == ["second_factor", "log_in", "password_changed", "log_out"]
    assert {entry.actor for entry in found} == {actor}
    assert {entry.detail for entry in found} == {f"account {official.account_id}"}
    assert found[-1].request_id == out.headers[REQUEST_ID_HEADER]
    assert len({entry.request_id for entry in found}) == 4
    with engine.connect() as connection:
        changes = connection.execute(
            text("SELECT DISTINCT actor FROM audit_entry WHERE table_name = 'account' AND kind = 'row_updated'")
        )
        assert changes.scalars().all() == [actor]


def test_refusals_and_lockouts_are_noted_without_what_was_typed(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    for name in ("wang", "typed-by-mistake"):
        for _ in range(FREE_FAILURES["account"]):
            assert browser.give_password(name, "wrong").status_code == 401
        assert browser.give_password(name, "wrong").status_code == 429
    refused, locked = events(engine, "log_in_refused"), events(engine, "locked_out")
    assert (len(refused), len(locked)) == (2 * FREE_FAILURES["account"], 2)
    assert {entry.actor for entry in refused} == {"anonymous"}
    assert {entry.detail.split(" from ")[0] for entry in refused[:5]} == {f"account {official.account_id}"}
    assert len({entry.detail for entry in refused[5:]}) == 1
    with engine.connect() as connection:
        everything = connection.execute(text("SELECT string_agg(e::text, ' ') FROM audit_entry e")).scalar_one()
    for clear in ("typed-by-mistake", "wang", browser.address, official.first_password):
        assert clear not in everything


def test_a_wrong_code_and_a_wrong_old_password_are_noted(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.log_in(official)
    change = {"old": "not the old one at all", "new": "another long password 8"}
    assert browser.ask("POST", "/account/password", json=change).status_code == 401
    later = another(browser)
    later.totp = browser.totp
    later.give_password("wang", PASSWORD)
    assert later.give_code("000000").status_code == 401
    found = events(engine, "log_in_refused")
    assert {entry.actor for entry in found} == {f"account:{official.account_id}"}
    assert len(found) == 2
    assert len(events(engine, "password_changed")) == 1


def test_tokens_and_other_accounts_are_changed_by_somebody(engine: Engine, browser: Browser) -> None:
    official = official_in(engine)
    browser.log_in(official)
    made = browser.ask("POST", "/account/tokens", json={"label": "合成", "scopes": ["cases:read"]}).json()
    assert browser.ask("DELETE", f"/account/tokens/{made['token_id']}").status_code == 204
    keeper, keeping = official_in(engine, "keeper", AccountRole.SECURITY_ADMINISTRATOR), another(browser)
    keeping.log_in(keeper)
    for act in ("unlock", "disable"):
        assert keeping.ask("POST", f"/accounts/{official.account_id}/{act}").status_code == 204
    found = events(engine, "token_made", "token_revoked", "unlocked")
    assert [(entry.kind, entry.actor) for entry in found] == [
        ("token_made", f"account:{official.account_id}"),
        ("token_revoked", f"account:{official.account_id}"),
        ("unlocked", f"account:{keeper.account_id}"),
    ]
    with engine.connect() as connection:
        last = connection.execute(
            text("SELECT actor FROM audit_entry WHERE table_name = 'account' AND row_key = :no ORDER BY position DESC"),
            {"no": str(official.account_no)},
        ).scalars().first()  # fmt: skip
    assert last == f"account:{keeper.account_id}", "disabling"
