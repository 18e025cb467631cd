"""What a file that is all of a register no longer has, whatever is in it."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.place import SourceKey
from venues.whole_register import is_older, missing_from

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
keys = st.builds(SourceKey, source=st.just("map"), source_id=st.sampled_from("abcdef"))
days = st.sampled_from([None, SEPTEMBER, OCTOBER])


@given(known=st.dictionaries(keys, days), sent=st.sets(keys), still_there=st.sets(st.sampled_from("abcdef")), on=days)
def test_all_that_is_missing_is_gone_or_has_a_reason_to_be_left(
    known: dict[SourceKey, date | None], sent: set[SourceKey], still_there: set[str], on: date | None
) -> None:
    found = missing_from(known, sent, still_there=still_there, data_on=on)
    assert sorted([*found.gone, *found.left], key=str) == sorted(known.keys() - sent, key=str)
    for key in found.gone:
        assert key.source_id not in still_there
        assert not is_older(on, than=known[key])
    for key in found.left:
        assert key.source_id in still_there or is_older(on, than=known[key])


@pytest.mark.parametrize(
    ("on", "than", "is_so"),
    [(SEPTEMBER, OCTOBER, True), (OCTOBER, OCTOBER, False), (OCTOBER, SEPTEMBER, False), (None, OCTOBER, False),
     (SEPTEMBER, None, False)],
)  # fmt: skip
def test_a_file_without_a_day_is_never_older(on: date | None, than: date | None, is_so: bool) -> None:
    assert is_older(on, than=than) is is_so
