"""The webhook: a signed POST whose answer decides what is next, and signed callbacks."""

import hashlib
import hmac
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.gateway import BadCallbackError, BadSignatureError, GatewayError, Receipt
from alerts.gateway_webhook import WebhookGateway, read_callback, signature_headers
from tests.gateways.http_provider import Answer, Request, served
from tests.gateways.messages import KEY, NAME, PHONE, a_message, kind_of, refused

SECRET = b"a secret of the tests, not of anyone"
NOW = datetime(2026, 11, 22, 14, 13, tzinfo=UTC)


@dataclass
class Receiver:
    """What docs/decisions/0026 asks of a receiver: signature, time, nonce, and repeats dropped by key."""

    planned: list[Answer] = field(default_factory=list)
    taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        headers = request.headers
        at, nonce = headers["x-hulan-timestamp"], headers["x-hulan-nonce"]
        wanted = hmac.new(SECRET, f"{at}.{nonce}.".encode() + request.body, hashlib.sha256).hexdigest()
        is_old = abs(datetime.now(UTC).timestamp() - int(at)) > 300
        if headers["x-hulan-signature"] != f"sha256={wanted}" or is_old or nonce in self.nonces:
            return Answer(status=401)
        self.nonces.add(nonce)
        key = headers["idempotency-key"]
        self.keys.append(key)
        planned = self.planned.pop(0) if self.planned else Answer()
        if planned.status < 300:
            self.taken.setdefault(key, json.loads(request.body))
        return planned


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    with served(receiver.answer) as address:
        yield f"{address}/sms"


@contextmanager
def webhook(url: str, *, timeout_s: float = 5.0, secret: bytes = SECRET) -> Iterator[WebhookGateway]:
    with closing(WebhookGateway(url, secret, tls=ssl.create_default_context(), timeout_s=timeout_s)) as gateway:
        yield gateway


def fault_at(url: str, *, timeout_s: float = 5.0, secret: bytes = SECRET) -> GatewayError:
    with webhook(url, timeout_s=timeout_s, secret=secret) as gateway:
        return refused(gateway)


def test_a_message_is_posted_signed_under_its_key(url: str, receiver: Receiver) -> None:
    with webhook(url) as gateway:
        assert gateway.send(a_message()) == Receipt(provider="webhook", reference=str(KEY))
    message = a_message()
    assert receiver.taken == {
        str(KEY): {
            "id": str(KEY), "channel": "sms", "address": PHONE, "language": "zh", "template": message.template,
            "variables": {"name": NAME, "time": "22时13分"}, "text": message.text,
        }
    }  # fmt: skip


def test_the_providers_own_reference_is_kept_if_it_is_one(url: str, receiver: Receiver) -> None:
    receiver.planned = [
        Answer(status=202, headers={"X-Message-Id": "abc-1"}),
        Answer(headers={"X-Message-Id": "a b" * 99}),
    ]
    with webhook(url) as gateway:
        assert [gateway.send(a_message()).reference for _ in range(2)] == ["abc-1", str(KEY)]


def test_a_wrong_secret_is_refused(url: str, receiver: Receiver) -> None:
    assert kind_of(fault_at(url, secret=b"another secret of the tests")) == "down"
    assert receiver.taken == {}


def test_a_retry_has_the_same_key_and_another_nonce(url: str, receiver: Receiver) -> None:
    receiver.planned = [Answer(status=500), Answer(status=429)]
    with webhook(url) as gateway:
        for _ in range(2):
            with pytest.raises(GatewayError):
                gateway.send(a_message())
        gateway.send(a_message())
        gateway.send(a_message())
    assert receiver.keys == [str(KEY)] * 4
    assert (len(receiver.taken), len(receiver.nonces)) == (1, 4)


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ([408, 409, 425, 429, 301, 302], "again"),
        ([500, 502, 503, 504, 401, 403], "down"),
        ([400, 404, 410, 413, 422], "final"),
    ],
)
def test_the_status_decides_what_is_next(url: str, receiver: Receiver, statuses: list[int], kind: str) -> None:
    for status in statuses:
        receiver.planned = [Answer(status=status, headers={"Location": "/elsewhere"})]
        fault = fault_at(url)
        assert (kind_of(fault), str(status) in fault.reason) == (kind, True), status
        assert fault.is_taken_possible == (kind != "final" and status not in {401, 403, 425, 429}), status
    assert len(receiver.requests) == len(statuses), "no redirect is followed with a signature"


@pytest.mark.parametrize("lost", [Answer(delay_s=0.6), Answer(is_hung_up=True), Answer(body=b"12345", sent_length=2)])
def test_a_lost_answer_is_a_try_to_be_repeated(url: str, receiver: Receiver, lost: Answer) -> None:
    receiver.planned = [lost]
    assert kind_of(fault_at(url, timeout_s=0.3)) == "down"
    with webhook(url) as gateway:
        gateway.send(a_message())
    assert (receiver.keys, len(receiver.taken)) == ([str(KEY)] * 2, 1)


def test_a_receiver_that_is_not_there_is_down() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert kind_of(fault_at(f"http://127.0.0.1:{unused.getsockname()[1]}/sms")) == "down"


CALLBACK = {
    "reports": [{"id": str(KEY), "reference": "abc-1", "is_delivered": True, "at": "2026-11-22T22:13:00+08:00"}],
    "replies": [{"address": PHONE, "text": "1", "at": "2026-11-22T22:14:00+08:00"}],
}


def signed(
    body: bytes, *, at: datetime = NOW, nonce: str = "0123456789abcdef", secret: bytes = SECRET
) -> dict[str, str]:
    headers = signature_headers(secret, body, at=int(at.timestamp()), nonce=nonce)
    return {name.lower(): value for name, value in headers.items()}


def body_of(content: object) -> bytes:
    return json.dumps(content).encode()


def test_a_signed_callback_is_read() -> None:
    body = body_of(CALLBACK)
    callback = read_callback(signed(body), body, secret=SECRET, now=NOW)
    (report,) = callback.told.reports
    assert (report.reference, report.idempotency_key, report.is_delivered) == ("abc-1", KEY, True)
    assert (report.at, report.is_proven) == (NOW, True)
    (reply,) = callback.told.replies
    assert (reply.phone, reply.text, reply.at) == (PHONE, "1", NOW + timedelta(minutes=1))
    assert callback.nonce == "0123456789abcdef"


@given(at_s=st.integers(-900, 900))
def test_a_callback_of_another_time_is_refused(at_s: int) -> None:
    body = body_of(CALLBACK)
    headers = signed(body, at=NOW + timedelta(seconds=at_s))
    if abs(at_s) <= 300:
        read_callback(headers, body, secret=SECRET, now=NOW)
        return
    with pytest.raises(BadSignatureError):
        read_callback(headers, body, secret=SECRET, now=NOW)


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_callback_is_refused(place: int, flip: int) -> None:
    body = body_of(CALLBACK)
    headers = signed(body)
    changed = bytearray(body)
    changed[place % len(body)] ^= flip
    with pytest.raises(BadSignatureError):
        read_callback(headers, bytes(changed), secret=SECRET, now=NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"x-hulan-timestamp": str(int(NOW.timestamp()) + 1)},
        {"x-hulan-nonce": "another-nonce-0123"},
        {"x-hulan-nonce": "short"},
        {"x-hulan-nonce": "not one line 0123\n"},
        {"x-hulan-signature": ""},
        {"x-hulan-signature": "sha256=é"},
        {"x-hulan-timestamp": "now"},
        {"x-hulan-timestamp": "١٧٩٥٣٥٦٧٨٠"},
    ],
)
def test_a_callback_with_another_header_is_refused(change: dict[str, str]) -> None:
    body = body_of(CALLBACK)
    with pytest.raises(BadSignatureError):
        read_callback(signed(body) | change, body, secret=SECRET, now=NOW)
    for name in change:
        headers = signed(body)
        del headers[name]
        with pytest.raises(BadSignatureError):
            read_callback(headers, body, secret=SECRET, now=NOW)


def test_another_secret_is_refused() -> None:
    body = body_of(CALLBACK)
    with pytest.raises(BadSignatureError):
        read_callback(signed(body, secret=b"another secret of the tests"), body, secret=SECRET, now=NOW)


@pytest.mark.parametrize(
    "content",
    [
        None, [], {"reports": {}}, {"reports": [1]}, {"reports": [{"id": "1"}]}, {"replies": [{"text": "1"}]},
        {"reports": [{"id": "1", "is_delivered": True, "at": "yesterday"}]},
        {"reports": [{"id": "1", "is_delivered": True, "at": "2026-11-22T22:13:00"}]},
    ],
)  # fmt: skip
def test_a_signed_callback_of_another_form_is_refused(content: object) -> None:
    body = body_of(content)
    with pytest.raises(BadCallbackError) as raised:
        read_callback(signed(body), body, secret=SECRET, now=NOW)
    assert not isinstance(raised.value, BadSignatureError)
