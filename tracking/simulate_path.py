"""Where simulated people really were: corners joined by straight ways, and exactly when they were in which zone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo.projection import FloatArray, metres_per_degree

ORIGIN = (117.25, 34.25)
"""Longitude and latitude (WGS-84) of the point from which all metres are counted; a place near Xuzhou."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruePaths:
    """``c`` corners for each of ``p`` people, joined by straight ways at even speed.

    ``at_s``: seconds, float64 ``[p, c]``, never falling along a row, first 0. ``place_m``: metres east and north of
    :data:`ORIGIN`, float64 ``[p, c, 2]``. ``model_no``: int64 ``[p, c]``, the surrounding from that corner to the next;
    each corner begins a stay or way of its own. After the last corner everyone stays there until ``ends_s``.
    """

    at_s: FloatArray
    place_m: FloatArray
    model_no: NDArray[np.int64]
    ends_s: float

    def corner_at(self, person: NDArray[np.int64], at_s: FloatArray) -> NDArray[np.int64]:
        """Flat number of the corner (person * c + corner) from which each person ``[n]`` is coming at ``at_s``."""
        return np.searchsorted(self._in_a_line(self.at_s), self._moment(person, at_s), side="right") - 1

    def position_m(self, person: NDArray[np.int64], at_s: FloatArray) -> FloatArray:
        """Metres ``[n, 2]`` of people ``[n]`` at seconds ``[n]``."""
        clock = self._in_a_line(np.column_stack([self.at_s, np.full(len(self.at_s), self.ends_s)]))
        places = np.concatenate([self.place_m, self.place_m[:, -1:]], axis=1).reshape(-1, 2)
        moment = self._moment(person, at_s)
        return np.column_stack([np.interp(moment, clock, places[:, axis]) for axis in (0, 1)])

    def _in_a_line(self, at_s: FloatArray) -> FloatArray:
        """Times ``[p, k]`` on one time line for all people, one after the other."""
        return np.asarray(at_s + np.arange(len(at_s))[:, None] * self._stride_s(), dtype=np.float64).ravel()

    def _moment(self, person: NDArray[np.int64], at_s: FloatArray) -> FloatArray:
        return np.asarray(np.minimum(at_s, self.ends_s) + person * self._stride_s(), dtype=np.float64)

    def _stride_s(self) -> float:
        return self.ends_s + 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inside:
    """``m`` times in a zone, by person, zone and time: ``person``, ``zone`` int64, ``from_s``, ``until_s`` float64."""

    person: NDArray[np.int64]
    zone: NDArray[np.int64]
    from_s: FloatArray
    until_s: FloatArray


def times_inside(paths: TruePaths, centre_m: FloatArray, radius_m: FloatArray) -> Inside:
    """When each person is in each disc (``centre_m`` ``[z, 2]``, ``radius_m`` ``[z]``), to the microsecond."""
    people, corners = paths.at_s.shape
    begins = paths.at_s.ravel()
    ends = np.column_stack([paths.at_s[:, 1:], np.full(people, paths.ends_s)]).ravel()
    start_m = paths.place_m.reshape(-1, 2)
    along_m = np.concatenate([np.diff(paths.place_m, axis=1), np.zeros((people, 1, 2))], axis=1).reshape(-1, 2)
    found: list[tuple[FloatArray, ...]] = []
    for zone, (middle_m, reach_m) in enumerate(zip(centre_m, radius_m, strict=True)):
        enter, leave = _shares_inside(start_m - middle_m, along_m, float(reach_m))
        rows = np.flatnonzero((leave > enter) & (ends > begins))
        length = (ends - begins)[rows]
        found.append(
            (
                rows // corners,
                np.full(len(rows), zone),
                begins[rows] + enter[rows] * length,
                begins[rows] + leave[rows] * length,
            )
        )
    return _joined(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _shares_inside(from_m: FloatArray, along_m: FloatArray, radius_m: float) -> tuple[FloatArray, FloatArray]:
    """From and until which share of each way ``[w]`` it lies in a disc around 0; until <= from where it never does."""
    square = np.einsum("ij,ij->i", along_m, along_m)
    half = np.einsum("ij,ij->i", from_m, along_m)
    rest = np.einsum("ij,ij->i", from_m, from_m) - radius_m**2
    is_still = square == 0.0
    safe = np.where(is_still, 1.0, square)
    room = half**2 - safe * rest
    root = np.sqrt(np.maximum(room, 0.0))
    enter = np.where(is_still, 0.0, np.clip((-half - root) / safe, 0.0, 1.0))
    leave = np.where(is_still, np.where(rest < 0.0, 1.0, 0.0), np.clip((-half + root) / safe, 0.0, 1.0))
    return enter, np.where(room < 0.0, enter, leave)


def _joined(person: ArrayLike, zone: ArrayLike, from_s: ArrayLike, until_s: ArrayLike) -> Inside:
    """Pieces that touch are one time inside."""
    who, where = np.asarray(person, dtype=np.int64), np.asarray(zone, dtype=np.int64)
    begin, end = np.asarray(from_s, dtype=np.float64), np.asarray(until_s, dtype=np.float64)
    order = np.lexsort((begin, where, who))
    who, where, begin, end = who[order], where[order], begin[order], end[order]
    is_new = np.ones(len(who), dtype=bool)
    is_new[1:] = (who[1:] != who[:-1]) | (where[1:] != where[:-1]) | (begin[1:] > end[:-1] + 1e-6)
    is_last = np.ones(len(who), dtype=bool)
    is_last[:-1] = is_new[1:]
    return Inside(person=who[is_new], zone=where[is_new], from_s=begin[is_new], until_s=end[is_last])


def to_degrees(place_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Longitude and latitude (WGS-84) of places ``[n, 2]`` in metres; within 5 km lengths are right to 0.1 %."""
    east_m, north_m = metres_per_degree(ORIGIN[1])
    return ORIGIN[0] + place_m[:, 0] / east_m, ORIGIN[1] + place_m[:, 1] / north_m
