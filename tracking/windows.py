"""Spans in which a rule binds or does not: the nights of a curfew, the days of a leave. Pure and columnar."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """``w`` spans ``start[i]`` ≤ t < ``end[i]``, int64 microseconds UTC: ascending, none empty, no two touching."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]

    @classmethod
    def build(cls, start: ArrayLike, end: ArrayLike) -> "Windows":
        """Spans in any order, shapes ``[n]``; empty ones are left out, those that overlap or touch become one."""
        starts, ends = np.asarray(start, dtype=np.int64).ravel(), np.asarray(end, dtype=np.int64).ravel()
        kept = starts < ends
        starts, ends = starts[kept], ends[kept]
        order = np.argsort(starts, kind="stable")
        starts, reached = starts[order], np.maximum.accumulate(ends[order])
        begins = np.append(True, starts[1:] > reached[:-1])[: len(starts)]
        is_last = np.append(begins[1:], True)[: len(starts)]
        return cls(start=starts[begins], end=reached[is_last])

    def __len__(self) -> int:
        return len(self.start)

    def clipped(self, start: int, end: int) -> "Windows":
        """The parts of them within one span."""
        return Windows.build(np.maximum(self.start, start), np.minimum(self.end, end))

    def without(self, others: Sequence["Windows"]) -> "Windows":
        """What is left of them when others are taken away."""
        out = Windows.build(
            np.concatenate([item.start for item in others] or [self.start[:0]]),
            np.concatenate([item.end for item in others] or [self.end[:0]]),
        )
        if len(out) == 0:
            return self
        cuts = np.concatenate([self.start, self.end, out.start, out.end])
        cuts = np.unique(cuts)
        start, end = cuts[:-1], cuts[1:]
        kept = self.holds(start) & ~out.holds(start)
        return Windows.build(start[kept], end[kept])

    def holds(self, instant: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each instant lies within one of them. Shape ``[k]``."""
        if len(self.start) == 0:
            return np.zeros(len(instant), dtype=bool)
        place = np.searchsorted(self.start, instant, "right") - 1
        return (place >= 0) & (instant < self.end[np.maximum(place, 0)])
