"""Wrong codes are counted by address and in all, in the database: every process knows, and a restart forgets nothing.

A try is counted before it is looked at and taken back when it was right. A token is proven and cannot be guessed, so
that guessers who close the page for codes do not close it for links.
"""

import hashlib
import hmac
import ipaddress
from datetime import datetime

from sqlalchemy import Connection, text

from alerts.link import LinkPolicy
from api.errors import TooManyAttemptsError

_OF_ALL = "all"


def count_try(
    connection: Connection, address: str, *, is_code: bool, key: bytes, now: datetime, policy: LinkPolicy
) -> None:
    """Count a try at ``now`` (aware). Raises :class:`TooManyAttemptsError`; the caller commits in either case.

    ``is_code``: it has the form of one. What has not is counted for its address only, as it could never be right.
    """
    old = now - policy.wrong_within
    connection.execute(text(_TIDY), {"old": old})
    limits = [(_network_of(address), policy.wrong_of_address), (_OF_ALL, policy.wrong_of_all)]
    for name, most in limits if is_code else limits[:1]:
        row = connection.execute(text(_COUNT), {"key": _key(name, key), "now": now, "old": old}).one()
        if row.guesses > most:
            raise TooManyAttemptsError(wait=row.from_at + policy.wrong_within - now)


def take_back_try(connection: Connection, address: str, *, key: bytes) -> None:
    """It was right; earlier ones stay counted."""
    for name in (_network_of(address), _OF_ALL):
        connection.execute(
            text("UPDATE link_guess SET guesses = greatest(guesses - 1, 0) WHERE key_hash = :key"),
            {"key": _key(name, key)},
        )


_TIDY = """
DELETE FROM link_guess WHERE key_hash IN (
    SELECT key_hash FROM link_guess WHERE from_at <= :old FOR UPDATE SKIP LOCKED)
"""

_COUNT = """
INSERT INTO link_guess AS known (key_hash, from_at, guesses) VALUES (:key, :now, 1)
ON CONFLICT (key_hash) DO UPDATE SET
    guesses = CASE WHEN known.from_at <= :old THEN 1 ELSE known.guesses + 1 END,
    from_at = CASE WHEN known.from_at <= :old THEN :now ELSE known.from_at END
RETURNING from_at, guesses
"""


def _network_of(address: str) -> str:
    """Who has one IPv6 address has 2**64 of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def _key(name: str, key: bytes) -> bytes:
    """Keyed: no address is stored."""
    return hmac.new(key, f"wrong code {name}".encode(), hashlib.sha256).digest()
