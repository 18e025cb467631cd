"""A text sealed for one place in the database: it can be opened there, with its key, unaltered, and nowhere else.

The ciphers are those of ``cryptography``: AES-256-GCM (NIST SP 800-38D) or SM4-GCM (GB/T 32907, RFC 8998). Pure.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as _Cipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes

NONCE_BYTES = 12
"""Random. NIST SP 800-38D 8.3: a key seals at most 2**32 texts."""

_TAG_BYTES = 16
_LAYOUT = b"\x01"
"""First byte of what is stored: layout byte, nonce, ciphertext, tag."""


class SealError(RuntimeError):
    """What is stored cannot be opened here: altered, moved from elsewhere, or sealed with another key."""


class CipherName(StrEnum):
    """How a key seals."""

    AES_256_GCM = "aes-256-gcm"
    SM4_GCM = "sm4-gcm"

    @property
    def key_bytes(self) -> int:
        """Length of a key."""
        return 32 if self is CipherName.AES_256_GCM else 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A sealing key. Its id may be shown, its secret never."""

    key_id: str
    cipher: CipherName
    made_at: datetime
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a sealed text belongs: part of what the seal proves."""

    table: str
    column: str
    row_id: str

    def bound_to(self, key: Key) -> bytes:
        """What is authenticated beside the text; JSON, so that no two places read the same."""
        return json.dumps(["hulan", self.table, self.column, self.row_id, key.key_id], ensure_ascii=True).encode()


def seal(plain: str, *, key: Key, place: Place, nonce: bytes) -> bytes:
    """Seal ``plain`` for ``place``. ``nonce``: 12 random bytes, never used twice with one key."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    encryptor = _Cipher(_algorithm(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(place.bound_to(key))
    content = encryptor.update(plain.encode()) + encryptor.finalize()
    return _LAYOUT + nonce + content + encryptor.tag


def open_sealed(sealed: bytes, *, key: Key, place: Place) -> str:
    """The text. Raises ``SealError`` if one byte differs, or if it was sealed for another place or with another key."""
    head, tag = len(_LAYOUT) + NONCE_BYTES, sealed[-_TAG_BYTES:]
    if len(sealed) < head + _TAG_BYTES or not sealed.startswith(_LAYOUT):
        raise _refused(key, place)
    decryptor = _Cipher(_algorithm(key), modes.GCM(sealed[len(_LAYOUT) : head], tag)).decryptor()
    decryptor.authenticate_additional_data(place.bound_to(key))
    try:
        return (decryptor.update(sealed[head:-_TAG_BYTES]) + decryptor.finalize()).decode()
    except InvalidTag:
        raise _refused(key, place) from None


def _algorithm(key: Key) -> algorithms.AES256 | algorithms.SM4:
    return algorithms.AES256(key.secret) if key.cipher is CipherName.AES_256_GCM else algorithms.SM4(key.secret)


def _refused(key: Key, place: Place) -> SealError:
    where = f"{place.table}.{place.column} {place.row_id}"
    return SealError(
        f"{where} 的密文打不开：内容被改动，或从别处移来（密钥 {key.key_id}）。请从备份恢复该行"
        f" / {where} cannot be opened with key {key.key_id}: it was altered, or moved here from another row or column."
        " Restore this row from a backup"
    )
