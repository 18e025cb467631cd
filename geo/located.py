"""Points that know their datum, so that a point which was converted once cannot be converted again by mistake.

``SentPoints`` are what a device or a map gave, with the datum it named. ``Wgs84Points`` are canonical and keep what was
sent; only ``canonical`` makes them, and it takes ``SentPoints`` alone. Converting twice is a type error for mypy and a
TypeError at run time. WGS-84 and CGCS2000 pass through unchanged: the two frames differ by about 0.8 m in 2026, below
every accuracy in use, and pyproj's transformation between EPSG:4490 and EPSG:4326 is null. Hong Kong, Macau and
Taiwan: the tag decides, see ``geo.datum``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geo.datum import Datum, FloatArray, from_wgs84, to_wgs84

ROUND_TRIP_DEG = 1e-9  # 0.1 mm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SentPoints:
    """Degrees as sent, float64 of one shape, in ``datum``."""

    datum: Datum
    longitude: FloatArray
    latitude: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wgs84Points:
    """Canonical WGS-84 degrees, float64 of one shape, beside what was ``sent``."""

    longitude: FloatArray
    latitude: FloatArray
    sent: SentPoints


def sent_points(*, longitude: ArrayLike, latitude: ArrayLike, datum: Datum) -> SentPoints:
    """Points as sent. Copies its input. Raises ValueError as ``geo.datum.to_wgs84`` does when they become canonical."""
    lon, lat = np.array(longitude, dtype=np.float64), np.array(latitude, dtype=np.float64)
    return SentPoints(datum=Datum(datum), longitude=lon, latitude=lat)


def canonical(points: SentPoints) -> Wgs84Points:
    """``points`` in WGS-84. TypeError for anything but ``SentPoints``: a canonical point is never converted again."""
    if not isinstance(points, SentPoints):
        raise TypeError(
            f"canonical takes SentPoints, not {type(points).__name__}: a point that is WGS-84 already would be moved "
            "another 400-1,250 m; use it as it is, or its .sent to start again"
        )
    longitude, latitude = to_wgs84(longitude=points.longitude, latitude=points.latitude, datum=points.datum)
    return Wgs84Points(longitude=longitude, latitude=latitude, sent=points)


def disagreeing_rows(points: Wgs84Points) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Rows (flat) whose canonical point is not the one that its raw value gives: converted twice, never, or edited."""
    longitude, latitude = from_wgs84(longitude=points.longitude, latitude=points.latitude, datum=points.sent.datum)
    away = np.maximum(np.abs(longitude - points.sent.longitude), np.abs(latitude - points.sent.latitude))
    return np.flatnonzero(away > ROUND_TRIP_DEG)
