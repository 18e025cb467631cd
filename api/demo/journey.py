"""Where a person really was: stops joined by the shortest way along the streets, exact to the second."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from api.demo.plane import FloatArray, Metres
from api.demo.streets import StreetNetwork

WALKING_MPS = 1.3
E_BIKE_MPS = 5.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stay at a place. Of each stop's ``leaves_at`` and the next one's ``arrives_at`` exactly one is given."""

    place_m: Metres
    arrives_at: datetime | None = None
    """Aware."""
    leaves_at: datetime | None = None
    """Aware."""
    speed_mps: float = WALKING_MPS
    """On the way to this stop."""
    is_indoors: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruePath:
    """Corners of the path: seconds after ``starts_at`` ``[k]`` and metres on the plane ``[k, 2]``."""

    starts_at: datetime
    corner_s: FloatArray
    corner_m: FloatArray
    indoors_s: FloatArray
    """From and until ``[n, 2]`` of each stay under a roof, in seconds after ``starts_at``."""

    def position_m(self, at_s: FloatArray) -> FloatArray:
        """Metres ``[n, 2]`` at seconds ``[n]``."""
        axes = [np.interp(at_s, self.corner_s, self.corner_m[:, axis]) for axis in (0, 1)]
        return np.column_stack(axes)

    def speed_mps(self, at_s: FloatArray) -> FloatArray:
        """Metres per second ``[n]`` over the second around each time."""
        moved = self.position_m(at_s + 0.5) - self.position_m(at_s - 0.5)
        return np.asarray(np.hypot(moved[:, 0], moved[:, 1]), dtype=np.float64)

    def is_indoors(self, at_s: FloatArray) -> NDArray[np.bool_]:
        """Whether each time ``[n]`` falls in a stay under a roof."""
        after = at_s[:, None] >= self.indoors_s[None, :, 0]
        before = at_s[:, None] < self.indoors_s[None, :, 1]
        return np.asarray((after & before).any(axis=1))


def plan_path(stops: Sequence[Stop], network: StreetNetwork, *, starts_at: datetime, ends_at: datetime) -> TruePath:
    """Walk the stops in order; the first begins at ``starts_at``, the last lasts until ``ends_at`` (both aware).

    Raises ValueError when a stop would have to be left before it is reached.
    """
    corner_s: list[float] = []
    corner_m: list[Metres] = []
    indoors: list[tuple[float, float]] = []
    arrived_s = 0.0
    for stop, following in pairwise(stops):
        way = network.route(stop.place_m, following.place_m)
        travel_s = _passed_s(way, following.speed_mps)
        left_s = _leaving_s(stop, following, starts_at, float(travel_s[-1]))
        if left_s < arrived_s:
            raise ValueError(f"stop at {stop.place_m} is left {arrived_s - left_s:.0f} s before it is reached")
        corner_s += [arrived_s, *(left_s + travel_s[:-1]).tolist()]
        corner_m += [stop.place_m, *((float(east_m), float(north_m)) for east_m, north_m in way[:-1])]
        indoors += [(arrived_s, left_s)] if stop.is_indoors else []
        arrived_s = left_s + float(travel_s[-1])
    end_s = (ends_at - starts_at).total_seconds()
    if arrived_s > end_s:
        raise ValueError(f"the last stop is reached {arrived_s - end_s:.0f} s after the end")
    indoors += [(arrived_s, end_s)] if stops[-1].is_indoors else []
    return TruePath(
        starts_at=starts_at,
        corner_s=np.array([*corner_s, arrived_s, end_s]),
        corner_m=np.array([*corner_m, stops[-1].place_m, stops[-1].place_m]),
        indoors_s=np.array(indoors, dtype=np.float64).reshape(-1, 2),
    )


def _passed_s(way_m: FloatArray, speed_mps: float) -> FloatArray:
    steps_m = np.hypot(*np.diff(way_m, axis=0).T)
    return np.concatenate([[0.0], np.cumsum(steps_m) / speed_mps])


def _leaving_s(stop: Stop, following: Stop, starts_at: datetime, travel_s: float) -> float:
    if (stop.leaves_at is None) == (following.arrives_at is None):
        raise ValueError(f"give when {stop.place_m} is left or when the next stop is reached, and not both")
    if stop.leaves_at is not None:
        return (stop.leaves_at - starts_at).total_seconds()
    assert following.arrives_at is not None
    return (following.arrives_at - starts_at).total_seconds() - travel_s
