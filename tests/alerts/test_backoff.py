"""Waits grow, stay below their limit, and are spread out."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.backoff import draw_wait, longest_wait

FIRST, LONGEST = timedelta(seconds=5), timedelta(seconds=60)


def test_the_longest_wait_doubles_up_to_its_limit() -> None:
    waits = [longest_wait(failures, first=FIRST, longest=LONGEST).total_seconds() for failures in (1, 2, 3, 4, 5, 99)]
    assert waits == [5, 10, 20, 40, 60, 60]


def test_before_any_failure_there_is_no_wait() -> None:
    with pytest.raises(ValueError, match="failures is 0"):
        longest_wait(0, first=FIRST, longest=LONGEST)


@given(failures=st.integers(1, 10_000), seed=st.integers(0, 2**32))
def test_a_wait_lies_between_nothing_and_the_longest(failures: int, seed: int) -> None:
    wait = draw_wait(failures, first=FIRST, longest=LONGEST, rng=np.random.default_rng(seed))
    assert timedelta(0) <= wait <= longest_wait(failures, first=FIRST, longest=LONGEST)


def test_messages_that_failed_together_come_back_spread_over_the_whole_wait() -> None:
    rng = np.random.default_rng(1)
    waits = sorted(draw_wait(3, first=FIRST, longest=LONGEST, rng=rng).total_seconds() for _ in range(1000))
    assert waits[100] < 4
    assert 8 < waits[500] < 12
    assert waits[900] > 16
