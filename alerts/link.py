"""A guardian's way to the answer page: an eight-character code in a text message, a link in an e-mail. Pure (ADR 0028).

Both are made from the link's id and a key and are kept nowhere: a retry makes the same ones, and whoever reads the
database has neither. Of the code there is a keyed hash, by which it is found; a link's token carries its own proof.
"""

import base64
import binascii
import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from alerts.channel import Channel
from alerts.gateway import Message
from alerts.texts import CODE_ALPHABET
from tracking.episode import derived_id

NO_CODE = "00000000"
"""Stands in a stored text for the code, which has no 0: put in when the message leaves (:func:`with_code`)."""

CODE_LENGTH = 8
MOST_ROUNDS = 8
"""A code that another link has is made anew so often; that it is taken each time has a chance below 1 in 10**40."""

_PROOF_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPolicy:
    """How long a link lives, what its page may show, and how often somebody may be wrong."""

    lasts: timedelta = timedelta(hours=24)
    """From when the message first left."""
    correct_within: timedelta = timedelta(minutes=10)
    """So long an answer that ends the link may be changed."""
    shows_circle: bool = False
    """Whether the page draws the circle of about a kilometre in which it happened."""
    wrong_within: timedelta = timedelta(minutes=10)
    """The window in which wrong codes are counted."""
    wrong_of_address: int = 10
    """Wrong codes of one address in it; many telephones may share one."""
    wrong_of_all: int = 100
    """Wrong codes of all addresses in it. With 1,000 codes alive a guess is right once in 280 million."""


def link_key(secret: bytes) -> bytes:
    """The key of codes and links, from the secret of the installation."""
    return hmac.digest(secret, b"guardian link", "sha256")


def link_id_for(notification_id: UUID, *, key: bytes) -> UUID:
    """A message has one link, however often it is tried; under another key another one."""
    named = hmac.new(key, b"id" + notification_id.bytes, hashlib.sha256).hexdigest()
    return derived_id("guardian_link", (notification_id.int >> 80) * 1000, named)


def code_for(link_id: UUID, *, key: bytes, round_no: int = 0) -> str:
    """Eight characters of ``CODE_ALPHABET``. ``round_no``: counts on when another link has the code already."""
    number = int.from_bytes(hmac.digest(key, b"code" + link_id.bytes + bytes([round_no]), "sha256"), "big")
    letters = []
    for _ in range(CODE_LENGTH):
        number, place = divmod(number, len(CODE_ALPHABET))
        letters.append(CODE_ALPHABET[place])
    return "".join(letters)


def hash_of_code(code: str, *, key: bytes) -> bytes:
    """By which a code is found: 32 bytes, keyed."""
    return hmac.new(key, b"hash" + code.encode(), hashlib.sha256).digest()


def read_code(typed: str) -> str:
    """A code as somebody types it: small letters, spaces, hyphens and full width are forgiven. Empty if it is none."""
    plain = unicodedata.normalize("NFKC", typed).upper()
    code = "".join(letter for letter in plain if not letter.isspace() and letter not in "-‐–—.。")
    return code if len(code) == CODE_LENGTH and set(code) <= set(CODE_ALPHABET) else ""


def token_for(link_id: UUID, *, key: bytes) -> str:
    """What an e-mail's link ends with: the id and 128 bits that prove it, 43 characters."""
    return base64.urlsafe_b64encode(link_id.bytes + _proof(link_id, key)).decode().rstrip("=")


def read_token(token: str, *, key: bytes) -> UUID | None:
    """The link of a token that is ours."""
    try:
        content = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (UnicodeEncodeError, binascii.Error):
        return None
    if len(content) != 16 + _PROOF_BYTES:
        return None
    link_id = UUID(bytes=content[:16])
    return link_id if hmac.compare_digest(content[16:], _proof(link_id, key)) else None


def _proof(link_id: UUID, key: bytes) -> bytes:
    return hmac.digest(key, b"link" + link_id.bytes, "sha256")[:_PROOF_BYTES]


def wants_code(message: Message) -> bool:
    """Whether the code is still to be put in."""
    return ("code", NO_CODE) in message.variables


def with_code(message: Message, code: str, *, address: str | None = None) -> Message:
    """The message as it leaves. ``address``: of the page with this link, for an e-mail; no text message has a link."""
    text = message.text.replace(NO_CODE, code)
    if address is not None and message.channel is Channel.EMAIL:
        text += f"\n\n反馈网页 Answer page:\n{address}\n"
    variables = tuple((name, code if name == "code" else value) for name, value in message.variables)
    return replace(message, text=text, variables=variables)
