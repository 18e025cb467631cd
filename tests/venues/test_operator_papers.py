"""Whose papers count at an address that changed hands: those of the operator who is there now, and no older one's."""

from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from venues.operator_papers import OperatorPapers, operator_papers
from venues.place import SourceKey
from venues.source_record import SourceKind, SourceRecord

OLD, NEW = "91320300MA1XK7QY0G", "91320300MA1XK7QY1A"
REGISTRATION, TOBACCO, POLICE = SourceKind.BUSINESS_REGISTRATION, SourceKind.TOBACCO_LICENCE, SourceKind.POLICE


LATE = date(2030, 1, 1)
"""All records have begun."""


def papers_of(records: list[SourceRecord], on: date = LATE) -> OperatorPapers:
    return operator_papers(records, on=on)


def a_record(kind: SourceKind, since: int | None, until: int | None = None, **given: Any) -> SourceRecord:
    return SourceRecord(
        key=SourceKey(source=str(kind), source_id="1"), kind=kind, sent=(), name="合成店",
        valid_from=None if since is None else date(since, 6, 1), valid_to=None if until is None else date(until, 5, 31),
        **given,
    )  # fmt: skip


def years(papers: OperatorPapers) -> tuple[int | None, ...]:
    last = papers.licences[-1] if papers.licences else None
    days = (papers.established_on, last.valid_from if last else None, last.valid_to if last else None)
    return tuple(None if day is None else day.year for day in days)


OLD_SHOP = a_record(REGISTRATION, 2015, uscc=OLD)
NEW_SHOP = a_record(REGISTRATION, 2024, uscc=NEW)
OLD_LICENCE = a_record(TOBACCO, 2018, 2028, uscc=OLD)


def test_one_operator_keeps_what_the_papers_say() -> None:
    assert years(papers_of([OLD_SHOP, OLD_LICENCE])) == (2015, 2018, 2028)
    assert years(papers_of([OLD_SHOP, a_record(TOBACCO, 2018, 2028), a_record(POLICE, None)])) == (
        2015,
        2018,
        2028,
    )


def test_a_takeover_ends_with_the_licence_of_the_operator_before() -> None:
    assert years(papers_of([OLD_SHOP, OLD_LICENCE, NEW_SHOP])) == (2024, None, None)


def test_a_later_operator_that_is_over_leaves_the_place_to_the_one_before() -> None:
    gone = a_record(REGISTRATION, 2020, 2022, uscc=NEW, ended_on=date(2022, 1, 1))
    assert years(papers_of([OLD_SHOP, OLD_LICENCE, gone])) == (2015, 2018, 2028)
    assert years(papers_of([OLD_SHOP, OLD_LICENCE, gone], on=date(2021, 1, 1))) == (2020, None, None)


def test_the_licence_of_the_new_operator_governs() -> None:
    for code in (NEW, ""):
        granted = a_record(TOBACCO, 2024, 2029, uscc=code)
        assert years(papers_of([OLD_SHOP, OLD_LICENCE, NEW_SHOP, granted])) == (2024, 2024, 2029)


def test_a_licence_that_names_nobody_and_is_older_than_the_operator_is_not_theirs() -> None:
    assert years(papers_of([NEW_SHOP, a_record(TOBACCO, 2018, 2028)])) == (2024, None, None)


def test_a_renewal_by_the_old_operator_does_not_make_them_the_present_one() -> None:
    assert years(papers_of([OLD_SHOP, a_record(TOBACCO, 2025, 2030, uscc=OLD), NEW_SHOP])) == (2024, None, None)


def test_of_two_operators_one_without_a_day_leaves_everything_open() -> None:
    assert papers_of([OLD_SHOP, OLD_LICENCE, a_record(REGISTRATION, None, uscc=NEW)]) == OperatorPapers()


def test_a_new_operator_known_by_licence_alone_was_set_up_nobody_knows_when() -> None:
    assert years(papers_of([OLD_SHOP, a_record(TOBACCO, 2024, 2029, uscc=NEW)])) == (None, 2024, 2029)


def test_without_codes_the_earliest_day_and_the_last_licence_count() -> None:
    found = papers_of([a_record(POLICE, 2012), a_record(TOBACCO, 2018, 2023), a_record(TOBACCO, 2023, 2028)])
    assert years(found) == (2012, 2023, 2028)
    alone = [a_record(POLICE, 2012), a_record(TOBACCO, 2023, 2028, uscc=OLD)]
    assert years(papers_of(alone)) == (2012, 2023, 2028)
    assert papers_of([]) == OperatorPapers()


def test_who_comes_later_says_nothing_of_the_day_before() -> None:
    held = [OLD_SHOP, OLD_LICENCE, NEW_SHOP]
    assert years(papers_of(held, on=date(2024, 5, 31))) == (2015, 2018, 2028)
    assert years(papers_of(held, on=date(2024, 6, 1))) == (2024, None, None)
    assert years(papers_of(held, on=date(2018, 5, 31))) == (2015, None, None)
    assert papers_of(held, on=date(2015, 5, 31)) == OperatorPapers()


records = st.lists(
    st.builds(
        lambda kind, since, code: a_record(kind, since, uscc=code),
        st.sampled_from([REGISTRATION, TOBACCO, POLICE]),
        st.one_of(st.none(), st.integers(2010, 2026)),
        st.sampled_from(["", OLD, NEW]),
    ),
    max_size=5,
)


@given(records, st.integers(0, 9))
def test_nobody_gains_older_papers_by_a_predecessor_and_order_does_not_matter(
    held: list[SourceRecord], turn: int
) -> None:
    """Records of an operator who is older than all others change nothing but to leave it open."""
    own = [
        record for record in held if record.uscc != OLD and (record.valid_from is None or record.valid_from.year > 2009)
    ]
    before = a_record(REGISTRATION, 2001, uscc=OLD), a_record(TOBACCO, 2002, 2040, uscc=OLD)
    papers = papers_of([*own, *before])
    if any(record.uscc == NEW for record in own):
        assert all(one.valid_from.year > 2009 for one in papers.licences)
        assert papers.established_on is None or papers.established_on.year > 2009
    for year in (2005, 2015, 2026):
        on = date(year, 12, 31)
        begun = [record for record in held if record.valid_from is None or record.valid_from <= on]
        assert papers_of(held, on=on) == papers_of(begun, on=on)
    shift = turn % (len(held) + 1)
    assert papers_of(held) == papers_of([*held[shift:], *held[:shift]])
