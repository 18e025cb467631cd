"""The second factor: time-based one-time codes (RFC 6238), each usable once; secrets encrypted at rest."""

import base64
from datetime import datetime

import pyotp
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyotp.utils import strings_equal
from sqlalchemy import Connection, text

STEP_SECONDS = 30
TOLERATED_STEPS = (0, -1, 1)
"""The code of now, of the last half minute and of the next: clocks of phones differ."""


class SecretUnreadableError(RuntimeError):
    """A stored secret was sealed with another ``HULAN_SECRET_KEY``."""


def start_enrolment(connection: Connection, account_no: int, *, login_name: str, secret: bytes) -> str:
    """Store a new unconfirmed secret and return its ``otpauth://`` address, which is shown once."""
    code_secret = pyotp.random_base32()
    connection.execute(
        text(
            "UPDATE account SET totp_secret = :sealed, totp_confirmed_at = NULL, totp_last_step = 0"
            " WHERE account_no = :account_no AND totp_confirmed_at IS NULL"
        ),
        {"sealed": _fernet(secret).encrypt(code_secret.encode()), "account_no": account_no},
    )
    return pyotp.TOTP(code_secret).provisioning_uri(name=login_name, issuer_name="Hulan")


def use_code(connection: Connection, account_no: int, code: str, *, secret: bytes, now: datetime) -> bool:
    """Whether a code is right and newer than the last one used. Uses it up, and confirms a new secret."""
    row = connection.execute(
        text("SELECT totp_secret FROM account WHERE account_no = :account_no FOR UPDATE"), {"account_no": account_no}
    ).one()
    step = None if row.totp_secret is None else _step_of(code, _opened(bytes(row.totp_secret), secret), now)
    if step is None:
        return False
    used = connection.execute(
        text(
            "UPDATE account SET totp_last_step = :step, totp_confirmed_at = coalesce(totp_confirmed_at, :now)"
            " WHERE account_no = :account_no AND totp_last_step < :step"
        ),
        {"step": step, "now": now, "account_no": account_no},
    )
    return bool(used.rowcount)


def forget_secret(connection: Connection, account_no: int) -> None:
    """The next log-in enrols anew: the telephone was lost."""
    connection.execute(
        text("UPDATE account SET totp_secret = NULL, totp_confirmed_at = NULL WHERE account_no = :account_no"),
        {"account_no": account_no},
    )


def _step_of(code: str, code_secret: str, now: datetime) -> int | None:
    totp = pyotp.TOTP(code_secret, interval=STEP_SECONDS)
    found = [offset for offset in TOLERATED_STEPS if strings_equal(code, totp.at(now, counter_offset=offset))]
    return int(now.timestamp()) // STEP_SECONDS + found[0] if found else None


def _opened(sealed: bytes, secret: bytes) -> str:
    try:
        return _fernet(secret).decrypt(sealed).decode()
    except InvalidToken as error:
        raise SecretUnreadableError("HULAN_SECRET_KEY is not the one the second factor was stored with") from error


def _fernet(secret: bytes) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hulan second factor").derive(secret)
    return Fernet(base64.urlsafe_b64encode(key))
