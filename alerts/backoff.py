"""How long to wait before the next try: exponential, with full jitter. Pure."""

from datetime import timedelta

import numpy as np

_MOST_DOUBLINGS = 16
"""Beyond it every limit in use is reached, and the power would outgrow a timedelta."""


def longest_wait(failures: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """``first``, doubled with each failure after the first, at most ``longest``. Raises ``ValueError`` below 1."""
    if failures < 1:
        raise ValueError(f"a wait follows a failure: failures is {failures}, and must be 1 or more")
    doubled: timedelta = first * 2 ** min(failures - 1, _MOST_DOUBLINGS)
    return min(doubled, longest)


def draw_wait(failures: int, *, first: timedelta, longest: timedelta, rng: np.random.Generator) -> timedelta:
    """Evenly from nothing to :func:`longest_wait`: messages that failed together do not come back together.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog 2015, full jitter.
    """
    return longest_wait(failures, first=first, longest=longest) * float(rng.uniform())
