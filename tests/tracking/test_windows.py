"""Spans of time, cut and joined, against a count of every instant; and versions looked up by key and instant."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tracking.versions import ALWAYS, Spans
from tracking.windows import Windows

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)
EVERY = np.arange(-2, 44, dtype=np.int64)


def windows(pairs: list[tuple[int, int]]) -> Windows:
    return Windows.build([start for start, _ in pairs], [end for _, end in pairs])


def held(pairs: list[tuple[int, int]]) -> list[bool]:
    return [any(start <= instant < end for start, end in pairs) for instant in EVERY.tolist()]


@given(spans)
def test_windows_hold_what_their_spans_hold_and_are_apart(pairs: list[tuple[int, int]]) -> None:
    found = windows(pairs)
    assert found.holds(EVERY).tolist() == held(pairs)
    assert np.all(found.start < found.end)
    assert np.all(found.end[:-1] < found.start[1:])


@given(spans, spans, spans)
def test_what_is_taken_away_is_gone_and_nothing_else(
    pairs: list[tuple[int, int]], away: list[tuple[int, int]], more: list[tuple[int, int]]
) -> None:
    left = windows(pairs).without([windows(away), windows(more)])
    expected = [is_in and not is_out for is_in, is_out in zip(held(pairs), held(away + more), strict=True)]
    assert left.holds(EVERY).tolist() == expected
    assert np.all(left.end[:-1] < left.start[1:])


@given(spans, st.integers(0, 40), st.integers(0, 40))
def test_a_clip_is_what_lies_within(pairs: list[tuple[int, int]], start: int, end: int) -> None:
    clipped = windows(pairs).clipped(start, end)
    assert clipped.holds(EVERY).tolist() == [
        is_in and start <= at < end for is_in, at in zip(held(pairs), EVERY.tolist(), strict=True)
    ]


versions = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 30), st.integers(0, 12), st.sampled_from([ALWAYS, 50, 60])),
    min_size=1,
    max_size=12,
)


def some_spans(rows: list[tuple[int, int, int, int]]) -> Spans:
    key, start, length, known_at = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    return Spans.build(key=key, start=start, end=start + length, known_at=known_at, content=np.zeros_like(key))


def apart(rows: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """Only rows that overlap none before them of the same key."""
    kept: list[tuple[int, int, int, int]] = []
    for row in rows:
        if all(row[0] != old[0] or row[1] >= old[1] + old[2] or row[1] + row[2] <= old[1] for old in kept):
            kept.append(row)
    return kept


@given(versions, st.booleans())
def test_the_version_that_governs_is_found_among_many(rows: list[tuple[int, int, int, int]], is_apart: bool) -> None:
    rows = apart(rows) if is_apart else rows
    spans = some_spans(rows)
    key, instant = (grid.ravel() for grid in np.meshgrid(np.arange(0, 7), EVERY))
    found = spans.rows_at(key, instant)
    known = spans.known_since(key, instant)
    for place, (one_key, at) in enumerate(zip(key.tolist(), instant.tolist(), strict=True)):
        governing = [
            row for row, (k, start, length, _) in enumerate(rows) if k == one_key and start <= at < start + length
        ]
        own = [row for row, item in enumerate(rows) if item[0] == one_key]
        if governing:
            assert found[place] in governing
            assert known[place] == max(rows[row][3] for row in governing)
        else:
            assert (found[place] in own) if own else (found[place] == -1)
            assert known[place] == ALWAYS


def test_a_year_of_nights_is_looked_up_by_search() -> None:
    day = np.arange(365, dtype=np.int64) * 24
    nights = Spans.build(
        key=np.repeat([1, 2], 365),
        start=np.tile(day, 2),
        end=np.tile(day + 8, 2),
        known_at=np.full(730, ALWAYS),
        content=np.zeros(730, dtype=np.int64),
    )
    assert nights.are_apart
    assert nights.rows_at(np.array([1, 2, 2, 3]), np.array([24 * 300 + 7, 24 * 300, 24 * 300 + 8, 5])).tolist() == [
        300, 665, 729, -1,
    ]  # fmt: skip
