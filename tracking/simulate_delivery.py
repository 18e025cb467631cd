"""When a phone takes fixes, which of them are lost, and when each reaches the server, once or twice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geo.projection import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the network does to fixes. Rates are means per person-day; lengths are drawn evenly in the logarithm."""

    delay_s: tuple[float, float] = (0.5, 8.0)
    """From taking a fix to receiving it."""
    gaps_per_day: float = 0.0
    """Silences: no fix is taken."""
    gap_s: tuple[float, float] = (300.0, 3_600.0)
    held_per_day: float = 0.0
    """Times without network: fixes are taken, kept, and delivered in one burst at the end."""
    held_s: tuple[float, float] = (600.0, 10_800.0)
    duplicate_share: float = 0.0
    """Of fixes that are delivered a second time, 30 s later."""


PROMPT = Delivery()
ROUGH = Delivery(gaps_per_day=4.0, held_per_day=3.0, duplicate_share=0.03)
DELIVERIES: dict[str, Delivery] = {"prompt": PROMPT, "rough": ROUGH}


def fix_times(
    *, people: int, ends_s: float, interval_s: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], FloatArray]:
    """Person and second of every fix, by person and time: one per interval from a chance start, a tenth early or late.

    Whole milliseconds, no two of a person the same.
    """
    each = int(ends_s // interval_s)
    phase = rng.uniform(0.1, 0.9, people)
    shift = rng.uniform(-0.1, 0.1, (people, each))
    at_s = np.round((np.arange(each) + phase[:, None] + shift) * interval_s, 3)
    return np.repeat(np.arange(people, dtype=np.int64), each), at_s.ravel()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delivered:
    """Row of the fix and second of its arrival, ``[m]``, in order of arrival; a lost fix has no row, a repeated two."""

    row: NDArray[np.int64]
    received_s: FloatArray


def deliver(
    person: NDArray[np.int64], at_s: FloatArray, *, ends_s: float, delivery: Delivery, rng: np.random.Generator
) -> Delivered:
    """Which fixes arrive, and when. ``person`` and ``at_s`` ``[n]`` by person and time; the first person is 0."""
    people = int(person[-1]) + 1 if len(person) else 0
    lost = ~np.isnan(
        _window_ends(person, at_s, _windows(people, ends_s, delivery.gaps_per_day, delivery.gap_s, rng), ends_s)
    )
    held = _window_ends(person, at_s, _windows(people, ends_s, delivery.held_per_day, delivery.held_s, rng), ends_s)
    low_s, high_s = delivery.delay_s
    delay_s = low_s * (high_s / low_s) ** rng.random(len(at_s))
    received_s = np.where(np.isnan(held), at_s, held) + delay_s
    row = np.flatnonzero(~lost)
    again = row[rng.random(len(row)) < delivery.duplicate_share]
    rows = np.concatenate([row, again])
    arrived_s = np.concatenate([received_s[row], received_s[again] + 30.0])
    order = np.argsort(arrived_s, kind="stable")
    return Delivered(row=rows[order], received_s=arrived_s[order])


def _windows(
    people: int, ends_s: float, per_day: float, length_s: tuple[float, float], rng: np.random.Generator
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Person, start and end of chance windows."""
    counts = rng.poisson(per_day * ends_s / 86_400.0, people)
    person = np.repeat(np.arange(people, dtype=np.int64), counts)
    start_s = rng.uniform(0.0, ends_s, len(person))
    return person, start_s, start_s + length_s[0] * (length_s[1] / length_s[0]) ** rng.random(len(person))


def _window_ends(
    person: NDArray[np.int64],
    at_s: FloatArray,
    windows: tuple[NDArray[np.int64], FloatArray, FloatArray],
    ends_s: float,
) -> FloatArray:
    """The end (seconds) of the union of windows that covers each fix ``[n]``, NaN where none does."""
    whose, start_s, end_s = windows
    if len(whose) == 0:
        return np.full(len(at_s), np.nan)
    stride_s = 2.0 * ends_s + 86_400.0  # so far apart that no window reaches the next person
    start, end = start_s + whose * stride_s, end_s + whose * stride_s
    order = np.argsort(start)
    start, until = start[order], np.maximum.accumulate(end[order])
    is_new = np.append(True, start[1:] > until[:-1])
    first = np.flatnonzero(is_new)
    union_start, union_end = start[first], until[np.append(first[1:], len(start)) - 1]
    moment = at_s + person * stride_s
    window = np.searchsorted(union_start, moment, side="right") - 1
    covered = (window >= 0) & (moment < union_end[window])
    return np.where(covered, union_end[window] - person * stride_s, np.nan)
