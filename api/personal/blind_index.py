"""Look-up without reading: a keyed hash of a normalised telephone or ID number. Equal numbers, equal index. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum

import phonenumbers
from cryptography.hazmat.primitives import hashes, hmac

_CHINA = 86


class HashName(StrEnum):
    """How the index is made: HMAC (RFC 2104) with SHA-256 or SM3."""

    SHA256 = "hmac-sha256"
    SM3 = "hmac-sm3"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexKey:
    """Another key than those that seal. It is never rotated: ids of recipients derive from the index."""

    hash_name: HashName
    secret: bytes = field(repr=False)


def normal_phone(text: str) -> str:
    """A number in one spelling: eleven digits for mainland mobiles, E.164 for others. Raises ``ValueError``."""
    try:
        number = phonenumbers.parse(text, "CN")
    except phonenumbers.NumberParseException:
        raise ValueError("不是电话号码 / not a telephone number") from None
    if number.country_code == _CHINA:
        return str(number.national_number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normal_id_number(text: str) -> str:
    """A resident ID number in one spelling: no blanks, upper-case X."""
    return "".join(text.split()).upper()


def phone_index(key: IndexKey, phone: str) -> bytes:
    """32 bytes by which a telephone number is found. Raises ``ValueError`` for what is no number."""
    return _index(key, "phone", normal_phone(phone))


def venue_phone_index(key: IndexKey, phone: str) -> bytes:
    """32 bytes by which two records of one venue's number (E.164) are found. Not those of a person with that number."""
    return _index(key, "venue_phone", phone)


def id_number_index(key: IndexKey, id_number: str) -> bytes:
    """32 bytes by which a resident ID number is found."""
    return _index(key, "id_number", normal_id_number(id_number))


def _index(key: IndexKey, kind: str, normal: str) -> bytes:
    algorithm = hashes.SM3() if key.hash_name is HashName.SM3 else hashes.SHA256()
    code = hmac.HMAC(key.secret, algorithm)
    code.update(f"{kind}\0{normal}".encode())
    return code.finalize()
