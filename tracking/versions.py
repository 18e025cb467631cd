"""When each version of a thing governs: spans of event time by the key that all versions share. Pure and columnar."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ALWAYS, NEVER = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
"""The first and the last instant there is: a span from ``ALWAYS`` to ``NEVER`` has neither start nor end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Instants at which something of an owner ends, int64 microseconds, looked up by owner and time.

    ``instants``: all of them, ascending, none twice. ``owners``: ascending. The rest: their order by (owner, instant).
    """

    instants: NDArray[np.int64]
    owners: NDArray[np.int64]
    _place: NDArray[np.int64]
    _end: NDArray[np.int64]

    @classmethod
    def build(cls, owner: NDArray[np.int64], end: NDArray[np.int64]) -> "Ends":
        """Ends given one by one, shapes ``[n]``."""
        instants, rank = np.unique(end, return_inverse=True)
        owners, position = np.unique(owner, return_inverse=True)
        place = position * (len(instants) + 1) + rank
        order = np.argsort(place, kind="stable")
        return cls(
            instants=instants,
            owners=owners,
            _place=np.append(place[order], np.iinfo(np.int64).max),
            _end=np.append(end[order], NEVER),
        )

    def next_after(self, owner: NDArray[np.int64], instant: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first end of each owner after each instant, ``NEVER`` if there is none. Shapes ``[k]``."""
        if len(self.owners) == 0:
            return np.full(len(owner), NEVER)
        position = np.minimum(np.searchsorted(self.owners, owner), len(self.owners) - 1)
        width = len(self.instants) + 1
        found = np.searchsorted(self._place, position * width + np.searchsorted(self.instants, instant, "right"))
        is_own = (self.owners[position] == owner) & (self._place[found] < (position + 1) * width)
        return np.where(is_own, self._end[found], NEVER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """``n`` spans: row ``i`` governs ``start[i]`` ≤ t < ``end[i]``, int64 microseconds UTC. Empty if they are equal.

    ``key``: int64 ``[n]``, what row ``i`` is a version of. ``known_at``: int64 ``[n]``, when a version that reaches
    back became known, ``ALWAYS`` for any other. ``content``: int64 ``[n]``, what else must stay the same for a key to
    be governed without a break. ``order``: rows by key and start. ``changed_key``: keys of several versions, ascending.
    ``is_last``: rows after whose end the key is not governed on, or not in the same way; ``ends``: those, by key.
    """

    key: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    known_at: NDArray[np.int64]
    content: NDArray[np.int64]
    order: NDArray[np.intp]
    sorted_key: NDArray[np.int64]
    changed_key: NDArray[np.int64]
    is_last: NDArray[np.intp]
    ends: Ends
    most_versions: int
    are_apart: bool
    """Whether no two versions of one key govern at once."""
    are_endless: bool
    """Whether every span is all time."""
    reach_back: bool
    """Whether some version became known after it took effect."""
    _keys: NDArray[np.int64]
    _starts: NDArray[np.int64]
    _place: NDArray[np.int64]

    @classmethod
    def build(
        cls,
        *,
        key: NDArray[np.int64],
        start: NDArray[np.int64],
        end: NDArray[np.int64],
        known_at: NDArray[np.int64],
        content: NDArray[np.int64],
    ) -> "Spans":
        """Sort once for all questions."""
        end = np.maximum(start, end)
        order = np.lexsort((end, start, key))
        last = order[_is_last(key[order], start[order], end[order], content[order])]
        keys, counts = np.unique(key, return_counts=True)
        starts = np.unique(start)
        follows = (key[order][1:] == key[order][:-1]) & (start[order][1:] < end[order][:-1])
        return cls(
            key=key,
            start=start,
            end=end,
            known_at=known_at,
            content=content,
            order=order,
            sorted_key=key[order],
            changed_key=keys[counts > 1],
            is_last=last,
            ends=Ends.build(key[last], end[last]),
            most_versions=int(counts.max(initial=0)),
            are_apart=not np.any(follows),
            _keys=keys,
            _starts=starts,
            _place=_places(keys, starts, key[order], start[order], side="left"),
            reach_back=bool(np.any(known_at != ALWAYS)),
            are_endless=bool(np.all((start == ALWAYS) & (end == NEVER))),
        )

    def hold(self, row: NDArray[np.int64], instant: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each row governs at its instant."""
        return (self.start[row] <= instant) & (instant < self.end[row])

    def rows_of(self, key: int) -> NDArray[np.intp]:
        """The rows of all versions of a key, by start."""
        first, last = np.searchsorted(self.sorted_key, [key, key + 1])
        return self.order[first:last]

    def rows_at(self, key: NDArray[np.int64], instant: NDArray[np.int64]) -> NDArray[np.intp]:
        """The row of each key that governs at each instant, shapes ``[k]``: of several the first, of none the last.

        -1 where there is no row of the key at all.
        """
        if len(self.order) == 0:
            return np.full(len(key), -1)
        first = np.searchsorted(self.sorted_key, key)
        after = np.searchsorted(self.sorted_key, key, "right")
        last = first if self.are_endless else after - 1
        found = np.where(first < after, self.order[np.maximum(last, 0) % len(self.order)], -1)
        if self.are_endless:
            return found
        if self.are_apart:
            row = self.order[self._begun(key, instant)]
            return np.where((self.key[row] == key) & self.hold(row, instant), row, found)
        for position in range(int((after - first).max(initial=0)) - 1, -1, -1):
            row = self.order[np.minimum(first + position, len(self.order) - 1)]
            found = np.where((first + position < after) & self.hold(row, instant), row, found)
        return found

    def _begun(self, key: NDArray[np.int64], instant: NDArray[np.int64]) -> NDArray[np.intp]:
        """The place in ``order`` of the last row of each key, or of a key before it, that began by each instant."""
        place = _places(self._keys, self._starts, key, instant, side="right")
        return np.maximum(np.searchsorted(self._place, place) - 1, 0)

    def known_since(self, key: NDArray[np.int64], instant: NDArray[np.int64]) -> NDArray[np.int64]:
        """When the version of each key that governs at each instant became known, if it reaches back; else ``ALWAYS``.

        Shapes ``[k]``. Several rows of one key may govern at once (a condition with several zones): the latest counts.
        """
        known = np.full(len(key), ALWAYS, dtype=np.int64)
        if not self.reach_back:
            return known
        if self.are_apart:
            found = self.rows_at(key, instant)
            governs = (found >= 0) & self.hold(found, instant)
            return np.where(governs, self.known_at[found], ALWAYS)
        first = np.searchsorted(self.sorted_key, key)
        for position in range(self.most_versions):
            place = np.minimum(first + position, len(self.order) - 1)
            row = self.order[place]
            governs = (self.key[row] == key) & (first + position < len(self.order)) & self.hold(row, instant)
            known = np.where(governs, np.maximum(known, self.known_at[row]), known)
        return known

    def last_ends(self, key: NDArray[np.int64]) -> NDArray[np.int64]:
        """When the last version of each key ends, ``ALWAYS`` if there is none. Shapes ``[k]``."""
        if len(self.order) == 0:
            return np.full(len(key), ALWAYS)
        row = self.order[np.searchsorted(self.sorted_key, key, "right") - 1]
        return np.where(self.key[row] == key, self.end[row], ALWAYS)

    def holds_key(self, key: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether there is any version of each key. Shape ``[k]``."""
        held = np.zeros(len(key), dtype=bool)
        if len(self.sorted_key):
            place = np.minimum(np.searchsorted(self.sorted_key, key), len(self.sorted_key) - 1)
            held[:] = self.sorted_key[place] == key
        return held


def _is_last(
    key: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64], content: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Of rows by (key, start): whether the next one does not go on where this one ends."""
    follows = np.zeros(len(key), dtype=bool)
    follows[:-1] = (key[1:] == key[:-1]) & (start[1:] == end[:-1]) & (content[1:] == content[:-1])
    last: NDArray[np.bool_] = ~follows & (end != NEVER)
    return last


def _places(
    keys: NDArray[np.int64],
    starts: NDArray[np.int64],
    key: NDArray[np.int64],
    instant: NDArray[np.int64],
    *,
    side: Literal["left", "right"],
) -> NDArray[np.int64]:
    """One number for each (key, instant) that sorts like the pair: by the rank of both among those known."""
    return np.searchsorted(keys, key) * (len(starts) + 1) + np.searchsorted(starts, instant, side)
