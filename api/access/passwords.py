"""Passwords: argon2id, the same work for names that do not exist, and what a new one must be like."""

import secrets
import string
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.errors import RefusedInputError

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
"""Characters."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB for as long as it takes: a flood of log-ins waits instead of filling the memory."""

_hasher = PasswordHasher()  # RFC 9106, the second recommended choice: 3 passes over 64 MiB
_NOBODYS = _hasher.hash(secrets.token_urlsafe(32))


class WeakPasswordError(RefusedInputError):
    """A new password that is refused; the message says why, without the password."""


def hash_password(password: str) -> str:
    """What is stored: argon2id with its parameters and a salt of its own."""
    with _AT_ONCE:
        return _hasher.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """Whether it is the password. ``None`` (no such account) costs the same time and is always false."""
    with _AT_ONCE:
        try:
            _hasher.verify(_NOBODYS if stored is None else stored, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


def needs_rehash(stored: str) -> bool:
    """Whether a stored hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def check_new_password(password: str, *, old: str, login_name: str) -> None:
    """Raise :class:`WeakPasswordError` for one that is too short, too uniform, the old one, or holds the name."""
    if password == old:
        raise WeakPasswordError("新密码不能与旧密码相同 / the new password must differ from the old one")
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise WeakPasswordError(
            f"密码须为 {SHORTEST_PASSWORD} 至 {LONGEST_PASSWORD} 个字符"
            f" / a password has {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
        )
    if len(set(password)) < 6:
        raise WeakPasswordError("密码的不同字符太少 / the password has too few different characters")
    if login_name.casefold() in password.casefold():
        raise WeakPasswordError("密码不能包含登录名 / the password must not hold the log-in name")


def make_password() -> str:
    """A first password: 20 characters that are not mistaken for each other."""
    letters = "".join(letter for letter in string.ascii_letters + string.digits if letter not in "0O1lI")
    return "".join(secrets.choice(letters) for _ in range(20))
