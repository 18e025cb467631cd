"""Memory for large arrays that are read at random: few large pages instead of many small ones.

A look at a random place of 200 MB costs more for finding the page than for the data. Linux gives large pages to whom
asks; elsewhere, and for what is small, nothing changes.
"""

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORTHWHILE_BYTES = 1 << 21


def in_large_pages(array: NDArray[Any]) -> NDArray[Any]:
    """A contiguous array of the same content that begins at a page; ``array`` itself where pages do not matter."""
    if array.nbytes < _WORTHWHILE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return array
    memory = mmap.mmap(-1, array.nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    placed = np.frombuffer(memory, dtype=array.dtype).reshape(array.shape)
    placed[...] = array
    return placed
