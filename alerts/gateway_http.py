"""A generic HTTP gateway: POST one JSON message, signed with HMAC-SHA256."""

import hashlib
import hmac
import json

import httpx

from alerts.gateway import GatewayError, Message, Receipt

CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 10.0
"""An answer takes at most both together: all that is claimed at a time must fit ``AlertPolicy.claim``."""


class HttpGateway:
    """POSTs ``{"id","phone","template","text"}`` to ``url``.

    Headers: ``Idempotency-Key`` and ``X-Hulan-Signature: sha256=HEX`` over the body. Any 2xx is taken; 4xx other than
    408, 409, 425 and 429 is final; the rest is tried again.
    """

    provider = "http"

    def __init__(self, url: str, secret: bytes, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._secret = secret
        self._client = httpx.Client(timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S))

    def close(self) -> None:
        """Let go of the connections it keeps."""
        self._client.close()

    def send(self, message: Message) -> Receipt:
        """Hand one message over; see the class for which answers are final."""
        key = str(message.idempotency_key)
        body = json.dumps(
            {"id": key, "phone": message.address, "template": message.template, "text": message.text},
            ensure_ascii=False,
        ).encode()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Idempotency-Key": key,
            "X-Hulan-Signature": "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest(),
        }
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise GatewayError(f"gateway not reached: {type(error).__name__}") from error
        if answer.is_success:
            return Receipt(provider=self.provider, reference=answer.headers.get("X-Message-Id", key))
        is_final = 400 <= answer.status_code < 500 and answer.status_code not in {408, 409, 425, 429}
        raise GatewayError(f"gateway answered {answer.status_code}", is_final=is_final)
