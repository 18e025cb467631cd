"""A generic webhook: POST one JSON message, signed with HMAC-SHA256; receipts come back signed the same way.

The signature covers time and nonce, so that a request cannot be changed, or sent again later: whoever receives one
refuses a time more than five minutes off, and a nonce met before within them.
"""

import hashlib
import hmac
import json
import re
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from alerts.fault import plain_code
from alerts.gateway import (
    CONNECT_TIMEOUT_S,
    TIMEOUT_S,
    BadCallbackError,
    BadSignatureError,
    DeliveryReport,
    GatewayError,
    Message,
    Polled,
    Receipt,
    Reply,
)
from alerts.provider import key_of, plain_reference, plausible, read_json, read_list

PROVIDER = "webhook"

OLDEST_REQUEST = timedelta(minutes=5)
"""By the clock of whoever receives it, either way. A nonce must be kept for twice as long."""

_AGAIN = frozenset({408, 409, 425, 429})
"""Client errors that may pass."""
_REFUSED_UNREAD = frozenset({401, 403, 425, 429})
"""Nothing was taken with these, now or later: another provider may be handed the message."""


class WebhookGateway:
    """POSTs ``{"id","channel","address","language","template","variables","text"}`` to ``url``.

    Headers: ``Idempotency-Key``, the same for every try of a message, by which the receiver drops repeats, and those of
    `signature_headers`. Any 2xx is taken; 4xx other than 408, 409, 425 and 429 is final; 401, 403, 5xx and silence mean
    that the receiver takes nothing now.
    """

    provider = PROVIDER

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        tls: ssl.SSLContext | bool = True,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._url = url
        self._secret = secret
        self._client = httpx.Client(timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s), verify=tls)

    def close(self) -> None:
        """Let go of the connections it keeps."""
        self._client.close()

    def send(self, message: Message) -> Receipt:
        """Hand one message over; see the class for which answers are final."""
        key = str(message.idempotency_key)
        body = json.dumps(
            {
                "id": key,
                "channel": message.channel,
                "address": message.address,
                "language": message.language,
                "template": message.template,
                "variables": dict(message.variables),
                "text": message.text,
            },
            ensure_ascii=False,
        ).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": key,
            **signature_headers(self._secret, body, at=int(time.time()), nonce=secrets.token_hex(16)),
        }
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            reason = f"短信通道无法连接 / gateway not reached: {type(error).__name__}"
            was_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            raise GatewayError(reason, is_provider_down=True, is_taken_possible=was_sent) from None
        if answer.is_success:
            return Receipt(provider=PROVIDER, reference=plain_reference(answer.headers.get("X-Message-Id")) or key)
        raise _refusal(answer.status_code)


def _refusal(status: int) -> GatewayError:
    is_down = status >= 500 or status in {401, 403}
    is_final = 400 <= status < 500 and not is_down and status not in _AGAIN
    reason = f"短信通道应答 / gateway answered {status}"
    is_taken_possible = not is_final and status not in _REFUSED_UNREAD
    return GatewayError(reason, is_final=is_final, is_provider_down=is_down, is_taken_possible=is_taken_possible)


def signature_headers(secret: bytes, body: bytes, *, at: int, nonce: str) -> dict[str, str]:
    """``X-Hulan-Signature: sha256=HEX`` over ``"{at}.{nonce}." + body``, with both; ``at`` in seconds of Unix time."""
    signed = f"{at}.{nonce}.".encode() + body
    signature = hmac.new(secret, signed, hashlib.sha256).hexdigest()
    return {"X-Hulan-Timestamp": str(at), "X-Hulan-Nonce": nonce, "X-Hulan-Signature": f"sha256={signature}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a signed callback tells. Whoever reads it keeps ``nonce`` for ten minutes and refuses it a second time."""

    nonce: str
    told: Polled


def read_callback(headers: Mapping[str, str], body: bytes, *, secret: bytes, now: datetime) -> Callback:
    """``{"reports": [{"id","reference","is_delivered","at","reason"}], "replies": [{"address","text","at"}]}``.

    ``headers`` by lower-case name, as of `signature_headers`; times ISO 8601 with zone. Raises
    :class:`BadSignatureError`, before anything of the body is looked at, or :class:`BadCallbackError`.
    """
    nonce = _check_signature(headers, body, secret=secret, now=now)
    content = read_json(body)
    if not isinstance(content, dict):
        raise BadCallbackError("回调内容应为对象 / not an object")
    reports = read_list(content.get("reports", []), ("id", "is_delivered", "at"))
    replies = read_list(content.get("replies", []), ("address", "text", "at"))
    told = Polled(
        reports=tuple(_as_report(item) for item in reports),
        replies=tuple(
            Reply(provider=PROVIDER, phone=str(item["address"]), text=str(item["text"]), at=_instant(item["at"]))
            for item in replies
        ),
    )
    return Callback(nonce=nonce, told=told)


def _check_signature(headers: Mapping[str, str], body: bytes, *, secret: bytes, now: datetime) -> str:
    at = headers.get("x-hulan-timestamp", "")
    nonce = headers.get("x-hulan-nonce", "")
    given = headers.get("x-hulan-signature", "")
    if not re.fullmatch(r"\d{1,12}", at, re.ASCII) or not re.fullmatch(r"[\w-]{16,64}", nonce, re.ASCII):
        raise BadSignatureError("回调缺少签名 / a callback without signature")
    wanted = signature_headers(secret, body, at=int(at), nonce=nonce)["X-Hulan-Signature"]
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise BadSignatureError("回调签名不正确 / wrong signature of a callback")
    if abs(now.timestamp() - int(at)) > OLDEST_REQUEST.total_seconds():
        raise BadSignatureError("回调时间相差过大，请核对双方时钟 / a callback of another time: compare both clocks")
    return nonce


def _as_report(item: Mapping[str, Any]) -> DeliveryReport:
    return DeliveryReport(
        provider=PROVIDER,
        reference=plain_reference(item.get("reference") or item["id"]),
        idempotency_key=key_of(item["id"]),
        is_delivered=item["is_delivered"] is True,
        at=_instant(item["at"]),
        reason=plain_code(item.get("reason") or "?"),
    )


def _instant(text: object) -> datetime:
    try:
        at = plausible(datetime.fromisoformat(str(text)))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BadCallbackError("时间应为带时区的 ISO 8601 / not a time with zone")
    return at
