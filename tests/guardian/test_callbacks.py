"""Callbacks of providers over HTTP: who is let in, what is written, and what a worker makes of it."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from alerts.gateway_webhook import signature_headers
from api.access.gate import UNKNOWN_A_MINUTE
from api.clock import FixedClock
from api.outbox import DatabaseOutbox
from api.personal.fields import current_key
from tests.alerts.outbox_scene import MOTHER, POLICY, Taking, a_round, a_subject, an_alert, rows
from tests.api.live_server import NOW, running_server
from tests.make import EVENING, KEYRING

TOKEN, WEBHOOK = "the token of the tests", b"a secret of the tests, not of anyone"
ALIYUN = [{
    "phone_number": MOTHER, "send_time": "2026-03-20 22:00:00", "report_time": "2026-03-20 22:00:05", "success": True,
    "err_code": "DELIVERED", "biz_id": "9006^1",
}]  # fmt: skip
TENCENT_REPLY = {"mobile": MOTHER, "nationcode": "86", "text": "1", "time": int(NOW.timestamp())}


@pytest.fixture
def client(database_url: str, engine: Engine) -> Iterator[httpx.Client]:
    with engine.begin() as connection:
        current_key(connection, KEYRING)
    with running_server(database_url, callback_token=TOKEN, webhook_secret=WEBHOOK) as client:
        yield client


def hint(
    client: httpx.Client, path: str, body: Any, token: str = TOKEN, address: str = "203.0.113.1"
) -> httpx.Response:
    return client.post(f"/callbacks/{path}/{token}", json=body, headers={"X-Forwarded-For": address})


def signed(
    client: httpx.Client, body: Any, *, nonce: str = "0123456789abcdef", secret: bytes = WEBHOOK
) -> httpx.Response:
    content = json.dumps(body).encode()
    headers = signature_headers(secret, content, at=int(NOW.timestamp()), nonce=nonce)
    return client.post("/callbacks/webhook", content=content, headers=headers)


def test_a_hint_is_kept_and_changes_nothing(client: httpx.Client, engine: Engine) -> None:
    answer = hint(client, "aliyun/reports", ALIYUN)
    assert (answer.status_code, answer.json()["code"]) == (200, 0)
    assert hint(client, "aliyun/reports", ALIYUN).status_code == 200
    assert rows(engine, "SELECT provider, reference, is_delivered, is_proven FROM delivery_report") == [
        ("aliyun", "9006^1", True, False)
    ]


def test_a_reply_is_sealed_and_told_again_is_one(client: httpx.Client, engine: Engine) -> None:
    for _ in range(2):
        assert hint(client, "tencent/replies", TENCENT_REPLY).json()["result"] == 0
    ((sealed, index, is_proven),) = rows(engine, "SELECT text, phone_index, is_proven FROM reply")
    assert bytes(sealed) != b"1" and len(index) == 32 and not is_proven


def test_a_wrong_token_writes_nothing_and_is_throttled(client: httpx.Client, engine: Engine) -> None:
    found = Counter(
        hint(client, "aliyun/reports", ALIYUN, token=f"{n:022}").status_code for n in range(UNKNOWN_A_MINUTE + 20)
    )
    assert found[403] in range(UNKNOWN_A_MINUTE, UNKNOWN_A_MINUTE + 3) and found[429] >= 17
    assert rows(engine, "SELECT count(*) FROM delivery_report") == [(0,)]
    assert hint(client, "aliyun/reports", ALIYUN, address="203.0.113.2").status_code == 200


def test_a_providers_burst_is_not_throttled(client: httpx.Client) -> None:
    assert {hint(client, "aliyun/reports", ALIYUN).status_code for _ in range(150)} == {200}


@pytest.mark.parametrize("body", ["no list", [{}], {"a": 1}, [{"biz_id": 1, "success": True, "report_time": "never"}]])
def test_what_is_no_callback_is_refused(client: httpx.Client, body: Any) -> None:
    assert hint(client, "aliyun/reports", body).status_code == 422


def test_an_unknown_provider_has_no_page(client: httpx.Client) -> None:
    assert hint(client, "nobody/reports", []).status_code == 404


def test_without_secrets_nothing_is_let_in(database_url: str, engine: Engine) -> None:
    with running_server(database_url) as client:
        assert client.post("/callbacks/aliyun/reports/%20", json=ALIYUN).status_code == 403
        assert signed(client, {"reports": []}, secret=b"").status_code == 403


def test_a_reply_to_an_office_that_told_nobody_is_not_kept(database_url: str, engine: Engine) -> None:
    with running_server(database_url, callback_token=TOKEN) as client:
        assert hint(client, "tencent/replies", TENCENT_REPLY).status_code == 200
    assert rows(engine, "SELECT count(*) FROM reply") == [(0,)]


def test_a_signed_report_is_proven_and_a_worker_applies_it(client: httpx.Client, engine: Engine) -> None:
    person, (mother,) = a_subject(engine)
    key = an_alert(engine, person.subject_no, mother)
    clock = FixedClock(EVENING)
    a_round(engine, clock, Taking(provider="webhook", clock=clock))
    report = {"id": str(key), "is_delivered": True, "at": NOW.isoformat(), "reason": "OK"}
    assert signed(client, {"reports": [report]}).status_code == 200
    DatabaseOutbox(engine, POLICY, KEYRING).apply_news(clock)
    assert rows(engine, "SELECT state, delivered_at FROM notification") == [("delivered", NOW)]


def test_a_nonce_is_met_once(client: httpx.Client, engine: Engine) -> None:
    reply = {"address": MOTHER, "text": "1", "at": NOW.isoformat()}
    assert signed(client, {"replies": [reply]}).status_code == 200
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM reply"))
    assert signed(client, {"replies": [reply]}).status_code == 200
    assert rows(engine, "SELECT count(*) FROM reply") == [(0,)], "sent again later, it writes nothing"
    assert signed(client, {"replies": [reply]}, nonce="another-nonce-0123").status_code == 200
    assert rows(engine, "SELECT count(*) FROM reply") == [(1,)]


def test_a_wrong_signature_is_refused(client: httpx.Client, engine: Engine) -> None:
    assert signed(client, {"replies": []}, secret=b"another secret of nobody").status_code == 403
    assert rows(engine, "SELECT count(*) FROM callback_nonce") == [(0,)]
