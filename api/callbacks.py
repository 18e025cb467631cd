"""What providers call back with: read by the gateway's own parser, written down, applied by a worker (ADR 0026).

A signed callback is proven; its nonce is met once within ten minutes. One that comes by a secret address is a hint.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, text

from alerts import gateway_aliyun, gateway_tencent, gateway_webhook
from alerts.gateway import BadSignatureError, Polled, Reply
from alerts.provider import check_callback_token
from alerts.report_store import SealedReply, save_replies, save_reports
from api.personal.blind_index import phone_index
from api.personal.fields import seal_row
from api.personal.keyring import Keyring
from api.personal.sealing import Key
from tracking.episode import derived_id
from tracking.rules import to_microseconds

NONCE_KEPT = 2 * gateway_webhook.OLDEST_REQUEST

HINTS: dict[tuple[str, str], Callable[[bytes], Polled]] = {
    ("aliyun", "reports"): gateway_aliyun.read_reports,
    ("aliyun", "replies"): gateway_aliyun.read_replies,
    ("tencent", "reports"): gateway_tencent.read_reports,
    ("tencent", "replies"): gateway_tencent.read_replies,
}
"""Provider and kind, as in the address of the callback → how its body is read. None of them is signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackDesk:
    """One per process. A secret that is empty lets nothing in."""

    engine: Engine
    keyring: Keyring
    token: str = ""
    webhook_secret: bytes = b""

    def take_hint(self, provider: str, kind: str, token: str, body: bytes) -> int:
        """Keep what an unsigned callback tells; returns how much. Raises `BadCallbackError`, `LookupError`."""
        check_callback_token(token, self.token)
        told = HINTS[provider, kind](body)
        with self.engine.begin() as connection:
            return keep_told(connection, told, self.keyring)

    def take_signed(self, headers: Mapping[str, str], body: bytes, *, now: datetime) -> int:
        """Keep what a signed callback tells at ``now`` (aware): nothing, if the same one came before.

        Raises `BadCallbackError`.
        """
        if not self.webhook_secret:
            raise BadSignatureError("未设置通道密钥 / no secret of the webhook is set")
        callback = gateway_webhook.read_callback(headers, body, secret=self.webhook_secret, now=now)
        with self.engine.begin() as connection:
            if not self._is_new(connection, callback.nonce, now):
                return 0
            return keep_told(connection, callback.told, self.keyring)

    def _is_new(self, connection: Connection, nonce: str, now: datetime) -> bool:
        connection.execute(text("DELETE FROM callback_nonce WHERE met_at < :old"), {"old": now - NONCE_KEPT})
        done = connection.execute(
            text("INSERT INTO callback_nonce (nonce_hash, met_at) VALUES (:hash, :now) ON CONFLICT DO NOTHING"),
            {"hash": hmac.new(self.webhook_secret, nonce.encode(), hashlib.sha256).digest(), "now": now},
        )
        return bool(done.rowcount)


def keep_told(connection: Connection, told: Polled, keyring: Keyring) -> int:
    """Write down what a provider told, for a worker to apply; returns how much, repeats too."""
    if told.reports:
        save_reports(connection, told.reports)
    if told.replies:
        key_id = connection.execute(text("SELECT reply_key_id()")).scalar_one()
        if key_id is None:  # no number was ever stored: nobody was told anything, and this answers nothing
            return len(told.reports)
        key = keyring.key(key_id)
        save_replies(connection, [_sealed(reply, key, keyring) for reply in told.replies])
    return len(told.reports) + len(told.replies)


def _sealed(reply: Reply, key: Key, keyring: Keyring) -> SealedReply:
    """Under an id that a repeat has too; who has no key of the keyring cannot try numbers against it."""
    index = _phone_index(reply.phone, keyring)
    said = hmac.new(index or reply.phone.encode(), reply.text.encode(), hashlib.sha256).hexdigest()
    reply_id = derived_id("reply", to_microseconds(reply.at), reply.provider, said, str(reply.is_proven))
    return SealedReply(
        reply_id=reply_id,
        provider=reply.provider,
        phone_index=index,
        text=seal_row(key, table="reply", row_id=reply_id, values={"text": reply.text})["text"],
        key_id=key.key_id,
        at=reply.at,
        is_proven=reply.is_proven,
    )


def _phone_index(phone: str, keyring: Keyring) -> bytes | None:
    try:
        return phone_index(keyring.index_key, phone)
    except ValueError:
        return None
