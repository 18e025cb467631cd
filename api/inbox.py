"""Hop 2: the fix log with group commit. ``append`` returns only when the fixes are on disk."""

import queue
import struct
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Self
from uuid import UUID

import numpy as np
from psycopg import sql
from sqlalchemy import Engine

from api.errors import UnknownDeviceError
from api.partitions import make_room
from geo.cells import cell_of
from geo.datum import Datum, to_wgs84
from geo.postgis import driver_connection
from tracking.fix import DEFAULT_ACCURACY_M, Fix
from tracking.quality import FixFlag, QualityPolicy, find_flags

QUALITY = QualityPolicy()
"""By which every fix is flagged or refused, whatever way it comes in."""

WAKE_CHANNEL = "hulan_fix"
"""LISTEN here to be woken when fixes were committed."""

_COLUMNS = {
    "subject_no": "bigint", "fixed_at": "timestamptz", "fix_key": "bigint", "shard": "smallint",
    "received_at": "timestamptz", "sent_at": "timestamptz", "longitude": "double precision",
    "latitude": "double precision", "accuracy_m": "double precision", "is_accuracy_assumed": "boolean",
    "raw_longitude": "double precision", "raw_latitude": "double precision", "datum": "text", "source": "text",
    "speed_mps": "double precision", "altitude_m": "double precision", "battery_percent": "double precision",
    "is_mock": "boolean", "device_id": "uuid", "flags": "integer", "cell": "bigint",
}  # fmt: skip
_ACCURACY_ASSUMED, _ALTITUDE_UNKNOWN = FixFlag.ACCURACY_ASSUMED.value, FixFlag.ALTITUDE_UNKNOWN.value
_NAMES = ", ".join(_COLUMNS)
# The types are written out: the web process may add to the log and not read it, not even its columns.
_STAGE = (
    f"CREATE TEMP TABLE IF NOT EXISTS fix_stage ({', '.join(f'{name} {kind}' for name, kind in _COLUMNS.items())})"
    " ON COMMIT DELETE ROWS"
)
_COPY = f"COPY fix_stage ({_NAMES}) FROM STDIN"
# In the order of the key: two writers of the same fixes would else each wait for the other, until one fails.
_MERGE = (
    f"INSERT INTO fix ({_NAMES}) SELECT {_NAMES} FROM fix_stage ORDER BY subject_no, fixed_at, fix_key"
    " ON CONFLICT DO NOTHING"
)
# Of all that was sent, new or not: a note too many costs a look, a note too few would cost a fix.
_NOTE = "INSERT INTO fix_written (oldest, newest) VALUES (%s, %s)"

# After the rows, whose foreign key holds the subject until COMMIT: whoever seals waits for that, or was first.
_SEALED = "SELECT FROM subject WHERE subject_no = ANY(%s) AND sealed_at IS NOT NULL LIMIT 1"

CELL_RESOLUTION = 9
"""H3 resolution of ``fix.cell``: hexagons of some 0.1 km², 200 m from centre to corner. "Who was near here" asks for a
cell and its neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The authenticated device behind a request."""

    device_id: UUID
    subject_no: int
    shard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What became of one request: fixes on disk because of it, or there before it."""

    fix_count: int


class Inbox:
    """Collects the fixes of many requests and writes them with one COPY and one COMMIT.

    One thread writes. While a commit is under way the next requests gather, so the batch grows with the load.
    """

    def __init__(self, engine: Engine, *, most_rows: int = 20_000) -> None:
        self._engine = engine
        self._most_rows = most_rows
        self._waiting: queue.Queue[tuple[list[tuple[Any, ...]], Future[Appended]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._closing = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what waits, then stop."""
        with self._closing:
            self._is_closed = True
            self._waiting.put(None)
        self._thread.join()

    def append(self, sender: Sender, fixes: Sequence[Fix], *, received_at: datetime) -> "Future[Appended]":
        """Queue fixes; the future resolves after COMMIT, or raises what the database said. A fix sent twice is one fix.

        ``received_at``: aware, used for fixes that carry none of their own. Raises ``RuntimeError`` once closed.
        """
        future: Future[Appended] = Future()
        rows = to_rows(sender, fixes, received_at)
        with self._closing:
            if self._is_closed:
                raise RuntimeError("the inbox is closed: nothing was stored, send it again")
            self._waiting.put((rows, future))
        return future

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            group, is_last = self._gather(first)
            try:
                self._write([row for rows, _ in group for row in rows])
            except Exception as error:  # the error belongs to the requests that wait, not to this thread
                self._settle_one_by_one(group, error)
            else:
                for rows, future in group:
                    future.set_result(Appended(fix_count=len(rows)))
            if is_last:
                return

    def _gather(self, first: Any) -> tuple[list[Any], bool]:
        group, count, item = [], 0, first
        while item is not None:
            # From here on its client cannot cancel it. One given up before that is not written: it heard no 201.
            if item[1].set_running_or_notify_cancel():
                group.append(item)
                count += len(item[0])
            if count >= self._most_rows:
                return group, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _settle_one_by_one(self, group: list[Any], error: Exception) -> None:
        """One bad request must not fail its neighbours: each is written alone and hears its own error."""
        if len(group) == 1:
            group[0][1].set_exception(error)
            return
        for rows, future in group:
            try:
                self._write(rows)
            except Exception as own_error:
                future.set_exception(own_error)
            else:
                future.set_result(Appended(fix_count=len(rows)))

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        with self._engine.begin() as connection:
            write_rows(driver_connection(connection), rows)


def write_rows(connection: Any, rows: list[tuple[Any, ...]]) -> int:
    """COPY rows to the log inside the caller's transaction and wake the evaluators; returns how many are new.

    The only way into the log: it also notes what time the rows are of, without which no reader would look for them. The
    caller must not have changed ``subject`` before in its transaction (:func:`api.partitions.make_room`). Raises
    ``UnknownDeviceError`` if the record of one of the subjects is sealed: a process may remember a device that was
    revoked a moment ago.
    """
    times = [row[1] for row in rows]
    make_room(connection, times)
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)
        written: int = cursor.execute(_MERGE).rowcount
        if cursor.execute(_SEALED, [list({row[0] for row in rows})]).rowcount:
            raise UnknownDeviceError
        if written:
            cursor.execute(_NOTE, [min(times), max(times)])
            cursor.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(WAKE_CHANNEL)))
    return written


def to_rows(sender: Sender, fixes: Sequence[Fix], received_at: datetime | None) -> list[tuple[Any, ...]]:
    """Log rows: canonical WGS-84 beside the coordinate as sent, and flags for what is doubtful or assumed.

    ``received_at``: aware, for fixes that carry none of their own; ``None``: those were received when they were taken.
    """
    canonical = _canonical(fixes)
    cells = _cells(*canonical)
    rows = []
    for position, fix in enumerate(fixes):
        received = fix.received_at or received_at or fix.fixed_at
        flags = find_flags(fix, received_at=received, policy=QUALITY)
        is_accuracy_assumed = flags & _ACCURACY_ASSUMED != 0
        rows.append(
            (
                sender.subject_no,
                fix.fixed_at,
                fix_key(fix),
                sender.shard,
                received,
                fix.sent_at,
                float(canonical[0][position]),
                float(canonical[1][position]),
                DEFAULT_ACCURACY_M[fix.source] if is_accuracy_assumed else fix.accuracy_m,
                is_accuracy_assumed,
                fix.longitude,
                fix.latitude,
                str(fix.datum),
                str(fix.source),
                fix.speed_mps,
                None if flags & _ALTITUDE_UNKNOWN else fix.altitude_m,
                fix.battery_percent,
                fix.is_mock,
                sender.device_id,
                flags,
                cells[position],
            )
        )
    return rows


def _cells(longitude: Any, latitude: Any) -> list[int]:
    """The H3 cell of each canonical coordinate; 0 where it is not on Earth, which evaluation sets aside."""
    with np.errstate(invalid="ignore"):
        is_placed = (np.abs(longitude) <= 180.0) & (np.abs(latitude) <= 90.0)
    cells = np.zeros(len(longitude), dtype=np.uint64)
    cells[is_placed] = cell_of(longitude=longitude[is_placed], latitude=latitude[is_placed], resolution=CELL_RESOLUTION)
    return cells.tolist()


def _canonical(fixes: Sequence[Fix]) -> tuple[Any, Any]:
    longitude = np.array([fix.longitude for fix in fixes], dtype=np.float64)
    latitude = np.array([fix.latitude for fix in fixes], dtype=np.float64)
    for datum in {fix.datum for fix in fixes} - {Datum.WGS84}:
        rows = np.array([fix.datum is datum for fix in fixes])
        longitude[rows], latitude[rows] = to_wgs84(longitude=longitude[rows], latitude=latitude[rows], datum=datum)
    return longitude, latitude


def fix_key(fix: Fix) -> int:
    """64 bits that are equal for a resent observation: same coordinate as sent, datum, accuracy and source."""
    accuracy_m = -1.0 if fix.accuracy_m is None else fix.accuracy_m
    content = struct.pack("<ddd", fix.longitude, fix.latitude, accuracy_m) + f"{fix.datum}/{fix.source}".encode()
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)
