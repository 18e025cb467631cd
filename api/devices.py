"""Device tokens, and the orders that allow a device's fixes to be stored."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.errors import UnknownDeviceError
from api.ids import new_id
from api.inbox import Sender

CACHE_SECONDS = 10.0
"""A revoked token or an ended order is noticed at most this late by a process that already knew it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """A device with the spans of time in which its subject may be tracked: half open, aware."""

    sender: Sender
    spans: tuple[tuple[datetime, datetime], ...]

    def allows(self, instant: datetime) -> bool:
        """Whether an order is in force at an aware instant."""
        return any(start <= instant < end for start, end in self.spans)


def hash_token(token: str, secret: bytes) -> bytes:
    """What is stored of a token. Tokens are random, so a keyed hash needs no salt."""
    return hmac.new(secret, token.encode(), hashlib.sha256).digest()


def add_device(connection: Connection, subject_no: int, secret: bytes) -> str:
    """Register a device and return its token, which is shown once and never stored."""
    token = secrets.token_urlsafe(32)
    connection.execute(
        text("INSERT INTO device (device_id, subject_no, token_hash) VALUES (:device_id, :subject_no, :token_hash)"),
        {"device_id": new_id(), "subject_no": subject_no, "token_hash": hash_token(token, secret)},
    )
    return token


def revoke_devices(connection: Connection, subject_no: int, *, now: datetime) -> int:
    """Revoke every device of a subject; returns how many were in force."""
    done = connection.execute(
        text("UPDATE device SET revoked_at = :now WHERE subject_no = :subject_no AND revoked_at IS NULL"),
        {"now": now, "subject_no": subject_no},
    )
    return done.rowcount


def reissue_device(connection: Connection, subject_no: int, secret: bytes, *, now: datetime) -> str:
    """A device in place of those a subject had, for a lost or stolen telephone; returns its token, shown once."""
    revoke_devices(connection, subject_no, now=now)
    return add_device(connection, subject_no, secret)


def spans_of(connection: Connection, subject_no: int) -> tuple[tuple[datetime, datetime], ...]:
    """When the subject's orders are in force, whatever their version: a fix from before a variation is still wanted."""
    rows = connection.execute(
        text(
            "SELECT in_force_from, in_force_to FROM order_times"
            " WHERE subject_no = :subject_no AND in_force_from < in_force_to ORDER BY in_force_from"
        ),
        {"subject_no": subject_no},
    )
    return tuple((row.in_force_from, row.in_force_to) for row in rows)


class DeviceRegister:
    """Looks devices up, and remembers them for a few seconds."""

    def __init__(self, engine: Engine, secret: bytes) -> None:
        self._engine = engine
        self._secret = secret
        self._known: dict[bytes, tuple[float, Permit]] = {}

    def permit_for(self, authorization: str | None) -> Permit:
        """The permit of a request's ``Authorization`` header; raises :class:`UnknownDeviceError`."""
        token_hash = self._hashed(authorization)
        if token_hash is None:
            raise UnknownDeviceError
        cached = self._known.get(token_hash)
        if cached is not None and time.monotonic() - cached[0] < CACHE_SECONDS:
            return cached[1]
        permit = self._load(token_hash)
        self._known[token_hash] = (time.monotonic(), permit)
        return permit

    def has_met(self, authorization: str) -> bool:
        """Whether this process has admitted the device before."""
        return self._hashed(authorization) in self._known

    def _hashed(self, authorization: str | None) -> bytes | None:
        scheme, _, token = (authorization or "").partition(" ")
        return hash_token(token.strip(), self._secret) if scheme.lower() == "bearer" and token else None

    def _load(self, token_hash: bytes) -> Permit:
        with self._engine.connect() as connection:
            row = connection.execute(
                text(
                    "SELECT d.device_id, s.subject_no, s.shard FROM device d JOIN open_subject s USING (subject_no)"
                    " WHERE d.token_hash = :token_hash AND d.revoked_at IS NULL"
                ),
                {"token_hash": token_hash},
            ).one_or_none()
            if row is None:
                self._known.pop(token_hash, None)
                raise UnknownDeviceError
            sender = Sender(device_id=row.device_id, subject_no=row.subject_no, shard=row.shard)
            return Permit(sender=sender, spans=spans_of(connection, row.subject_no))


def devices_of(connection: Connection, subject_ids: Sequence[UUID]) -> dict[UUID, Sender]:
    """One device of each subject that has one: the sender of fixes imported from files."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT ON (s.subject_id) s.subject_id, d.device_id, s.subject_no, s.shard FROM open_subject s"
            " JOIN device d USING (subject_no) WHERE s.subject_id = ANY(:ids) AND d.revoked_at IS NULL"
            " ORDER BY s.subject_id, d.device_id"
        ),
        {"ids": list(subject_ids)},
    )
    return {row.subject_id: Sender(device_id=row.device_id, subject_no=row.subject_no, shard=row.shard) for row in rows}
