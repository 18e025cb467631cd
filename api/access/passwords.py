"""Passwords: argon2id, the same work for names that do not exist, and what a new one must be like."""

import secrets
import string
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from api.errors import RefusedInputError

SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
"""Characters."""

_AT_ONCE = threading.BoundedSemaphore(2)
"""Each hash takes 64 MiB for as long as it takes: a flood of log-ins waits instead of filling the memory."""


class WeakPasswordError(RefusedInputError):
    """A new password that is refused; the message says why, without the password."""


class Passwords:
    """Hashes and compares. Only tests hand in a hasher: no setting makes the work less."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        # RFC 9106, the second recommended choice: argon2id, 3 passes over 64 MiB, 4 lanes.
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)

    def hash(self, password: str) -> str:
        """What is stored: argon2id with its parameters and a salt of its own."""
        with _AT_ONCE:
            return self._hasher.hash(password)

    def is_right(self, password: str, stored: str | None) -> bool:
        """Whether it is the password. ``None`` (no such account) costs the same work and is always false."""
        if stored is None:
            self.hash(password)
            return False
        with _AT_ONCE:
            try:
                return self._hasher.verify(stored, password)
            except (VerificationError, InvalidHashError):
                return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether a stored hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)


PASSWORDS = Passwords()
"""Of the program."""


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
