"""Guessing is made slow: failed log-ins counted per name and per address in the database, other requests in memory.

An attempt is counted before its password is looked at and taken back when it was right, so that attempts made at the
same moment cannot all slip through. Counters in memory are per process: with several processes the limit is a multiple.
"""

import hashlib
import hmac
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from api.errors import TooManyAttemptsError

FIRST_DELAY = timedelta(minutes=1)
LONGEST_DELAY = timedelta(hours=24)
FORGOTTEN_AFTER = timedelta(hours=48)
FREE_FAILURES = {"account": 5, "address": 20}
"""Failures until the first delay; every further one doubles it. An office may share one address."""

_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Whose name and which address an attempt to log in counts for."""

    account_key: bytes
    address_key: bytes

    @classmethod
    def of(cls, *, login_name: str, address: str, secret: bytes) -> "Attempt":
        """Keyed hashes: neither what was typed (people type passwords there) nor the address is stored."""
        return cls(account_key=_key("account", login_name, secret), address_key=_key("address", address, secret))

    def keys(self) -> tuple[tuple[str, bytes], ...]:
        """In the one order in which they are locked."""
        return (("account", self.account_key), ("address", self.address_key))


def delay_after(failures: int, *, free: int) -> timedelta | None:
    """How long nothing is tried after so many failures; ``None`` while they are few."""
    if failures < free:
        return None
    return min(FIRST_DELAY * (1 << min(failures - free, 20)), LONGEST_DELAY)


def begin_attempt(connection: Connection, attempt: Attempt, *, now: datetime) -> bool:
    """Count an attempt; whether the next one has to wait if this one fails.

    Raises :class:`TooManyAttemptsError` while the name or the address has to wait.

    The caller commits before it looks at the password.
    """
    connection.execute(text("DELETE FROM login_failure WHERE last_at < :old"), {"old": now - FORGOTTEN_AFTER})
    rows = [_locked(connection, kind, key, now) for kind, key in attempt.keys()]  # noqa: SIM118 # not a mapping
    waits = [row.blocked_until - now for row in rows if row.blocked_until is not None and row.blocked_until > now]
    if waits:
        raise TooManyAttemptsError(wait=max(waits))
    is_last = False
    for row in rows:
        failures = row.failures + 1
        delay = delay_after(failures, free=FREE_FAILURES[row.kind])
        _save(connection, row, failures=failures, blocked_until=None if delay is None else now + delay)
        is_last |= delay is not None
    return is_last


def withdraw_attempt(connection: Connection, attempt: Attempt, *, now: datetime) -> None:
    """Take an attempt back that was right; earlier failures stay counted."""
    for kind, key in attempt.keys():  # noqa: SIM118 # not a mapping
        row = _locked(connection, kind, key, now)
        _save(connection, row, failures=max(row.failures - 1, 0), blocked_until=None)


def clear_account(connection: Connection, account_key: bytes) -> bool:
    """Forget the failures of a name: after a complete log-in, or by a security administrator."""
    done = connection.execute(
        text("DELETE FROM login_failure WHERE kind = 'account' AND key_hash = :key"), {"key": account_key}
    )
    return bool(done.rowcount)


def _key(kind: str, value: str, secret: bytes) -> bytes:
    return hmac.new(secret, f"{kind}:{value}".encode(), hashlib.sha256).digest()


def _locked(connection: Connection, kind: str, key: bytes, now: datetime) -> Any:
    values = {"kind": kind, "key": key, "now": now}
    connection.execute(
        text(
            "INSERT INTO login_failure (kind, key_hash, failures, last_at) VALUES (:kind, :key, 0, :now)"
            " ON CONFLICT (kind, key_hash) DO UPDATE SET last_at = :now"
        ),
        values,
    )
    return connection.execute(
        text("SELECT * FROM login_failure WHERE kind = :kind AND key_hash = :key FOR UPDATE"), values
    ).one()


def _save(connection: Connection, row: Any, *, failures: int, blocked_until: datetime | None) -> None:
    connection.execute(
        text(
            "UPDATE login_failure SET failures = :failures, blocked_until = :blocked_until"
            " WHERE kind = :kind AND key_hash = :key"
        ),
        {"kind": row.kind, "key": row.key_hash, "failures": failures, "blocked_until": blocked_until},
    )


class RequestLimiter:
    """So many requests a minute for each key, in the memory of this process."""

    def __init__(self, most_a_minute: int) -> None:
        self._most = most_a_minute
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> None:
        """Use one up; raises :class:`TooManyAttemptsError` if none is left."""
        if not self._refilled(key, cost=1.0):
            raise TooManyAttemptsError(wait=timedelta(minutes=1))

    def check(self, key: str) -> None:
        """Raise :class:`TooManyAttemptsError` if none is left, and use none up."""
        if not self._refilled(key, cost=0.0):
            raise TooManyAttemptsError(wait=timedelta(minutes=1))

    def _refilled(self, key: str, *, cost: float) -> bool:
        now = time.monotonic()
        with self._lock:
            if len(self._left) >= _MOST_KEYS:
                self._left = {known: entry for known, entry in self._left.items() if now - entry[0] < 60.0}
            at, left = self._left.get(key, (now, float(self._most)))
            left = min(float(self._most), left + (now - at) * self._most / 60.0)
            is_allowed = left >= 1.0
            self._left[key] = (now, left - cost if is_allowed else left)
            return is_allowed
