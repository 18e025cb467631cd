"""One observation by a device, alone (:class:`Fix`) and in columns (:class:`FixBatch`)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from geo.datum import Datum


class FixSource(StrEnum):
    """What produced a fix; decides the stated default where accuracy is unknown."""

    GPS = "gps"  # satellite
    WIFI = "wifi"
    CELL = "cell"  # base station
    UNKNOWN = "unknown"


DEFAULT_ACCURACY_M: dict[FixSource, float] = {
    FixSource.GPS: 20.0,
    FixSource.WIFI: 50.0,
    FixSource.CELL: 500.0,
    FixSource.UNKNOWN: 100.0,
}
"""68 % radius in metres assumed when a device sends none (reference/domain.md 3.1, reference/peers.md 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One observation, as sent. Times are aware; ``longitude``/``latitude`` are degrees in ``datum``."""

    fixed_at: datetime
    longitude: float
    latitude: float
    datum: Datum
    accuracy_m: float | None = None
    """68 % radius in metres; ``None`` when the device does not say; below 0 when it calls the position invalid."""
    source: FixSource = FixSource.UNKNOWN
    sent_at: datetime | None = None
    received_at: datetime | None = None
    speed_mps: float | None = None
    altitude_m: float | None = None
    battery_percent: float | None = None
    is_mock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FixBatch:
    """``n`` fixes in columns, canonical WGS-84 (EPSG:4326), any order.

    ``subject_no``: int64 ``[n]``. ``fixed_at``, ``received_at``: int64 ``[n]``, microseconds since the Unix epoch, UTC.
    ``longitude``, ``latitude``: float64 ``[n]``, degrees. ``accuracy_m``: float64 ``[n]``, 68 % radius, never NaN.
    ``fix_key``: int64 ``[n]``, identity of the observation within its subject and time (resends are equal).
    ``flags``: int32 ``[n]``, bits of ``tracking.quality.FixFlag`` found at intake.
    """

    subject_no: NDArray[np.int64]
    fixed_at: NDArray[np.int64]
    received_at: NDArray[np.int64]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    accuracy_m: NDArray[np.float64]
    fix_key: NDArray[np.int64]
    flags: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.subject_no)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "FixBatch":
        """The named rows, in that order."""
        return FixBatch(
            subject_no=self.subject_no[rows],
            fixed_at=self.fixed_at[rows],
            received_at=self.received_at[rows],
            longitude=self.longitude[rows],
            latitude=self.latitude[rows],
            accuracy_m=self.accuracy_m[rows],
            fix_key=self.fix_key[rows],
            flags=self.flags[rows],
        )
