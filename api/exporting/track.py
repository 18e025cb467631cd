"""Rows of a person's track as they leave the system: canonical WGS-84, and beside it what the device sent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

_COLUMNS = (
    "fixed_at, received_at, sent_at, longitude, latitude, accuracy_m, is_accuracy_assumed, raw_longitude, raw_latitude,"
    " datum, source, speed_mps, altitude_m, battery_percent, is_mock, fix_key"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRow:
    """One fix. Times aware; degrees in WGS-84, ``raw_``: in ``datum`` as sent; ``accuracy_m``: 68 % radius."""

    fixed_at: datetime
    received_at: datetime
    sent_at: datetime | None
    longitude: float
    latitude: float
    accuracy_m: float
    is_accuracy_assumed: bool
    raw_longitude: float
    raw_latitude: float
    datum: str
    source: str
    speed_mps: float | None
    altitude_m: float | None
    battery_percent: float | None
    is_mock: bool
    fix_key: int


def read_track(
    connection: Connection, subject_no: int, *, from_at: datetime, to_at: datetime, most: int | None = None
) -> list[TrackRow]:
    """The fixes of a subject taken from ``from_at`` to ``to_at`` (aware, both included), in order of time."""
    rows = connection.execute(
        text(
            f"SELECT {_COLUMNS} FROM fix WHERE subject_no = :subject_no AND fixed_at BETWEEN :from_at AND :to_at"
            " ORDER BY fixed_at, fix_key LIMIT :most"
        ),
        {"subject_no": subject_no, "from_at": from_at, "to_at": to_at, "most": most},
    )
    return [TrackRow(**row._mapping) for row in rows]
