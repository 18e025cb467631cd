"""One compiled, immutable part of a zone index: outlines, trees and grid of some zones, with their public rows."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from geo.grid import Grid
from geo.kernel import BLOCK_FIXES, DONE, MORE_CANDIDATES, PROBE_ROOM, Fixes, Pairs, match_fixes
from geo.near import CARD, Deck, deal
from geo.outline import Forest, Outlines
from geo.projection import FloatArray, IntArray

_FIRST_ROOM = 4096

AnyArray = NDArray[Any]  # of float64, float32, int64 or bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """``row[i]`` is the public row of local zone i; rows ascend."""

    row: IntArray
    outlines: Outlines
    forest: Forest
    grid: Grid
    deck: Deck

    @classmethod
    def over(cls, outlines: Outlines, row: IntArray) -> Self:
        """Compile ``outlines``; their order is that of ``row``, which must ascend."""
        forest = Forest.over(outlines, row)
        deck, card = deal(outlines, forest)
        return cls(row=row, outlines=outlines, forest=forest, grid=Grid.over(outlines, card), deck=deck)._sealed()

    @classmethod
    def merged(cls, segments: list[Self], alive: NDArray[np.bool_]) -> Self:
        """One segment of the living zones of ``segments``; rows must ascend from one to the next."""
        row = np.concatenate([segment.row for segment in segments])
        outlines = Outlines.joined([segment.outlines for segment in segments])
        kept = np.flatnonzero(alive[row])
        return cls.over(outlines if kept.size == row.size else outlines.taken(kept), row[kept])

    def __len__(self) -> int:
        return self.row.size

    def match(self, fixes: Fixes, alive: NDArray[np.bool_], start: int, stop: int) -> Pairs:
        """Pairs of the fixes ``start..stop``: fix row, public zone row, signed metres; sorted.

        ``alive`` by public row; empty when no zone was removed.
        """
        cells = tuple(getattr(self.grid, part.name) for part in fields(self.grid))
        outline, trees = self.kernel_outline(), self.kernel_trees()
        near = (self.deck.view(CARD), self.deck)
        boxes = np.empty((BLOCK_FIXES, 4), dtype=np.int64)
        probes = np.empty((PROBE_ROOM, 5), dtype=np.int64)
        found = np.empty(_FIRST_ROOM, dtype=np.int64)
        out = _room_for_pairs(max(_FIRST_ROOM, stop - start))
        fix, count, status = start, 0, -1
        while status != DONE:
            span, scratch = (fix, stop, count), (boxes, probes, found)
            fix, count, status = match_fixes(cells, outline, trees, near, alive, fixes, span, scratch, out)
            if status == MORE_CANDIDATES:
                found = np.empty(2 * found.size, dtype=np.int64)
            elif status != DONE:
                larger = _room_for_pairs(2 * out[0].size)
                for old, new in zip(out, larger, strict=True):
                    new[:count] = old[:count]
                out = larger
        return out[0][:count], out[1][:count], out[2][:count]

    def kernel_outline(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """What compiled functions want of the outlines."""
        return self.outlines.x, self.outlines.y, self.outlines.bounds, self.outlines.margin_m

    def kernel_trees(self) -> tuple[IntArray, FloatArray, IntArray, IntArray]:
        """What compiled functions want of the forest."""
        return self.forest.head, self.forest.box, self.forest.skip, self.forest.ends

    def to_arrays(self) -> dict[str, AnyArray]:
        """Every array by a name of its own, for ``from_arrays``."""
        parts = (self.outlines, self.forest, self.grid)
        named = {f.name if part is not self.forest else f"tree_{f.name}": getattr(part, f.name)
                 for part in parts for f in fields(part)}  # fmt: skip
        return {"row": self.row, "deck": self.deck, **named}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, AnyArray]) -> Self:
        """The segment that ``to_arrays`` took apart. Arrays are used as they are, memory maps too."""
        return cls(
            row=np.asarray(arrays["row"], dtype=np.int64),
            outlines=Outlines(**{f.name: _plain(arrays[f.name]) for f in fields(Outlines)}),
            forest=Forest(**{f.name: _plain(arrays[f"tree_{f.name}"]) for f in fields(Forest)}),
            grid=Grid(**{f.name: _plain(arrays[f.name]) for f in fields(Grid)}),
            deck=_plain(arrays["deck"]),
        )._sealed()

    def _sealed(self) -> Self:
        for array in self.to_arrays().values():
            array.setflags(write=False)
        return self


def _room_for_pairs(size: int) -> Pairs:
    return np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64), np.empty(size)


def _plain(array: AnyArray) -> AnyArray:
    """A memory map as the plain array that it also is: the compiled kernel knows no other."""
    return array.view(np.ndarray)
