"""What a phone reports of a true path: correlated error, honest accuracy, outliers, and the ways a network fails."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from api.demo.journey import TruePath
from api.demo.plane import FloatArray, Plane
from geo.datum import Datum, from_wgs84
from tracking.fix import Fix, FixSource
from tracking.simulate_error import ErrorModel, correlated, report

LATE_BY = timedelta(minutes=20)
"""How long after its last fix a burst that was held back is delivered."""
_OUTDOORS_M = (8.0, 25.0)
_PHONE = ErrorModel(
    name="phone",
    source=FixSource.UNKNOWN,
    radius_m=25.0,
    correlation_s=(120.0, 120.0),
    accuracy_scatter=0.10,
    outlier_share=0.012,
    outlier_m=(120.0, 300.0),
    outlier_tail=None,
    outlier_admits=0.4,
)
"""Milder than the simulator's defaults, for an evening that shows what it is meant to show. Radii: :func:`_radii`."""

Window = tuple[datetime, datetime]
"""From (inclusive) and until (exclusive), aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneHabit:
    """How one person's phone behaves through the evening."""

    indoors_m: tuple[float, float] = (30.0, 45.0)
    """Range of the 68 % radius under a roof, in metres."""
    interval_s: tuple[float, float] = (60.0, 120.0)
    gcj02: Window | None = None
    """While its application runs in the background it sends GCJ-02, else WGS-84."""
    silent: Window | None = None
    """No fixes at all."""
    held_back: Window | None = None
    """Fixes of this window are all delivered together, :data:`LATE_BY` after the last of them."""
    resent_at: datetime | None = None
    """The first fix from here on is sent twice."""


def observe_path(
    path: TruePath, ends_at: datetime, plane: Plane, habit: PhoneHabit, rng: np.random.Generator
) -> list[Fix]:
    """The fixes of one phone in the order of their arrival (``received_at``), times in UTC.

    The error keeps its direction for minutes (AR(1), 120 s) and has the reported 68 % radius, but for about one fix
    in a hundred that jumps 120-300 m and says so only in part. ``ends_at`` is aware.
    """
    at_s = _fix_times(path, ends_at, habit, rng)
    indoors = path.is_indoors(at_s)
    radius_m = _radii(indoors, habit, rng)
    noise = report(
        error=correlated(at_s=at_s, is_first=np.arange(len(at_s)) == 0, correlation_s=_PHONE.correlation_s[0], rng=rng),
        radius_m=radius_m,
        models=[_PHONE],
        model_no=np.zeros(len(at_s), dtype=np.int64),
        rng=rng,
    )
    lonlat = plane.to_wgs84(path.position_m(at_s) + noise.error_m)
    gcj02 = np.column_stack(from_wgs84(longitude=lonlat[:, 0], latitude=lonlat[:, 1], datum=Datum.GCJ02))
    speed_mps = np.abs(path.speed_mps(at_s) + rng.normal(0.0, 0.15, len(at_s)))
    fixes: list[Fix] = []
    for row, seconds in enumerate(at_s):
        fixed_at = (path.starts_at + timedelta(seconds=float(seconds))).astimezone(UTC)
        is_shifted = _within(fixed_at, habit.gcj02)
        longitude, latitude = gcj02[row] if is_shifted else lonlat[row]
        fixes.append(
            Fix(
                fixed_at=fixed_at,
                longitude=round(float(longitude), 7),
                latitude=round(float(latitude), 7),
                datum=Datum.GCJ02 if is_shifted else Datum.WGS84,
                accuracy_m=round(float(noise.reported_m[row]), 1),
                source=FixSource.WIFI if indoors[row] else FixSource.GPS,
                speed_mps=round(float(speed_mps[row]), 1),
                battery_percent=round(92.0 - float(seconds) / 600.0),
            )
        )
    return _delivered(fixes, habit, rng)


def _fix_times(path: TruePath, ends_at: datetime, habit: PhoneHabit, rng: np.random.Generator) -> FloatArray:
    """Whole seconds after the start of the path, without those of the silent window."""
    duration_s = (ends_at - path.starts_at).total_seconds()
    steps_s = np.round(rng.uniform(*habit.interval_s, int(duration_s / habit.interval_s[0]) + 2))
    at_s = np.cumsum(steps_s) - steps_s[0] + np.round(rng.uniform(2.0, 50.0))
    is_kept = at_s < duration_s
    if habit.silent is not None:
        from_s, until_s = ((edge - path.starts_at).total_seconds() for edge in habit.silent)
        is_kept &= (at_s < from_s) | (at_s >= until_s)
    return np.asarray(at_s[is_kept], dtype=np.float64)


def _radii(indoors: NDArray[np.bool_], habit: PhoneHabit, rng: np.random.Generator) -> FloatArray:
    """68 % radius of each fix in metres: one level per stay or way, with some change from fix to fix."""
    piece = np.concatenate([[0], np.cumsum(np.diff(indoors.astype(np.int64)) != 0)])
    level = rng.uniform(0.2, 0.8, int(piece[-1]) + 1)[piece]
    share = np.clip(level + rng.uniform(-0.2, 0.2, len(indoors)), 0.0, 1.0)
    inside_m = habit.indoors_m[0] + share * (habit.indoors_m[1] - habit.indoors_m[0])
    outside_m = _OUTDOORS_M[0] + share * (_OUTDOORS_M[1] - _OUTDOORS_M[0])
    return np.asarray(np.where(indoors, inside_m, outside_m), dtype=np.float64)


def _delivered(fixes: list[Fix], habit: PhoneHabit, rng: np.random.Generator) -> list[Fix]:
    held_back = [fix.fixed_at for fix in fixes if _within(fix.fixed_at, habit.held_back)]
    sent: list[Fix] = []
    for fix in fixes:
        on_its_way_s, on_the_wire_s = (float(value) for value in rng.uniform((0.5, 0.1), (2.0, 0.8)))
        base = held_back[-1] + LATE_BY if fix.fixed_at in held_back else fix.fixed_at
        sent_at = base + timedelta(seconds=round(on_its_way_s, 3))
        sent.append(replace(fix, sent_at=sent_at, received_at=sent_at + timedelta(seconds=round(on_the_wire_s, 3))))
    if habit.resent_at is not None:
        again = next(fix for fix in sent if fix.fixed_at >= habit.resent_at)
        assert again.sent_at is not None and again.received_at is not None
        pause = timedelta(seconds=30)
        sent.append(replace(again, sent_at=again.sent_at + pause, received_at=again.received_at + pause))
    return sorted(sent, key=_arrival)


def _arrival(fix: Fix) -> datetime:
    return fix.received_at or fix.fixed_at


def _within(at: datetime, window: Window | None) -> bool:
    return window is not None and window[0] <= at < window[1]
