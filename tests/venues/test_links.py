"""Decisions about which records are one venue: only ever added, and undone to the letter."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.links import (
    Confirmed,
    Found,
    LinkError,
    LinkEvent,
    Links,
    Merged,
    Refused,
    Split,
    follow,
    merge_events,
    take_apart,
)

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
OFFICER = "officer 7"


def record(number: int) -> UUID:
    return UUID(int=number)


def venue(number: int) -> UUID:
    return UUID(int=1000 + number)


def found(*numbers: int) -> list[LinkEvent]:
    return [Found(record_id=record(n), venue_id=venue(n), decided_by="import", at=START) for n in numbers]


def ids(start: int = 5000) -> "Ids":
    return Ids(start)


class Ids:
    """Ids one after the other."""

    def __init__(self, start: int) -> None:
        self.number = start

    def __call__(self) -> UUID:
        self.number += 1
        return UUID(int=self.number)


def merge(links: Links, *pairs: tuple[int, int], by: str = "machine:1", start: int = 5000) -> list[Merged]:
    likely = [(record(one), record(other), 0.995) for one, other in pairs]
    return merge_events(likely, links=links, new_id=ids(start), decided_by=by, at=START + timedelta(hours=1))


def split(merged: Merged) -> Split:
    return Split(merge_id=merged.merge_id, decided_by=OFFICER, at=START + timedelta(days=1), reason="两家店")


def test_a_merge_and_its_split_restore_the_former_state_exactly() -> None:
    before = follow(found(1, 2, 3))
    (merged,) = merge(before, (1, 2))
    after = follow([merged], after=before)
    assert after.venue_of(record(2)) == after.venue_of(record(1)) == venue(1)
    assert follow([split(merged)], after=after) == before
    assert before == follow(found(1, 2, 3)), "what was before is left as it was"


def apart(merged: Merged, links: Links, *, is_refused: bool = True) -> list[Split | Refused | Merged | Confirmed]:
    return take_apart(
        merged, links=links, new_id=ids(8000), decided_by=OFFICER, at=START + timedelta(days=1), reason="两家店",
        is_refused=is_refused,
    )  # fmt: skip


def test_what_came_because_of_the_record_that_leaves_leaves_too() -> None:
    """3 is one with 2, and only because 2 was held to be 1 did it come to 1."""
    links = follow(found(1, 2, 3, 4))
    events = merge(links, (1, 2), (2, 3), (1, 4))
    links = follow(events, after=links)
    decided = apart(events[0], links)
    assert [type(event) for event in decided] == [Split, Split, Refused]
    links = follow(decided, after=links)
    assert links.venues() == {
        venue(1): frozenset({record(1), record(4)}),
        venue(2): frozenset({record(2)}),
        venue(3): frozenset({record(3)}),
    }
    assert set(links.refused) == {frozenset({record(1), record(2)})}, "nobody said that 2 and 3 are two"
    links = follow(merge(links, (2, 3), start=6000), after=links)
    assert links.venue_of(record(3)) == links.venue_of(record(2)) != links.venue_of(record(1))


def test_what_a_person_decided_of_other_records_is_made_again_at_once() -> None:
    links = follow(found(1, 2, 3))
    (first,) = merge(links, (1, 2))
    links = follow([first], after=links)
    (second,) = merge(links, (2, 3), by="officer 8", start=6000)
    links = follow([second, Confirmed(records=second.records, decided_by="officer 8", at=START)], after=links)
    links = follow(apart(first, links, is_refused=False), after=links)
    assert links.venues() == {
        venue(1): frozenset({record(1)}),
        venue(2): frozenset({record(2), record(3)}),
    }
    assert (set(links.confirmed), links.refused) == ({frozenset(second.records)}, {})


def test_a_newer_version_goes_where_the_older_one_goes() -> None:
    links = follow(found(1, 2))
    (merged,) = merge(links, (1, 2))
    newer = Found(record_id=record(9), venue_id=venue(2), decided_by="import", at=START + timedelta(days=2))
    links = follow([merged, newer], after=links)
    assert links.venue_of(record(9)) == venue(1)
    assert follow([split(merged)], after=links).venue_of(record(9)) == venue(2)


def test_taking_apart_is_remembered_against_the_machine() -> None:
    links = follow(found(1, 2))
    (merged,) = merge(links, (1, 2))
    links = follow([merged], after=links)
    links = follow(apart(merged, links), after=links)
    assert frozenset({record(1), record(2)}) in links.refused
    with pytest.raises(LinkError, match="两处"):
        follow(merge(links, (1, 2), start=6000), after=links)
    assert follow(merge(links, (1, 2), by=OFFICER, start=6000), after=links).venue_of(record(2)) == venue(1)


def test_a_merge_undone_is_no_longer_confirmed() -> None:
    links = follow(found(1, 2, 3))
    first, second = merge(links, (1, 2), (2, 3))
    confirmed = [Confirmed(records=pair, decided_by=OFFICER, at=START) for pair in (first.records, second.records)]
    links = follow([first, second, *confirmed, split(first)], after=links)
    assert set(links.confirmed) == {frozenset(second.records)}


def test_only_a_named_officer_splits_confirms_and_refuses() -> None:
    links = follow(found(1, 2))
    (merged,) = merge(links, (1, 2))
    links = follow([merged], after=links)
    pair = record(1), record(2)
    for event in (
        Split(merge_id=merged.merge_id, decided_by="machine:1", at=START, reason=""),
        Confirmed(records=pair, decided_by=" ", at=START),
        Refused(records=pair, decided_by="machine:1", at=START, reason=""),
    ):
        with pytest.raises(LinkError, match="具名"):
            follow([event], after=links)


def test_decisions_that_cannot_be_are_refused() -> None:
    links = follow(found(1, 2, 3))
    merged, later = merge(links, (1, 2), (2, 3))
    pair = record(1), record(2)
    impossible: list[list[LinkEvent]] = [
        found(1),
        [Confirmed(records=pair, decided_by=OFFICER, at=START)],
        [merged, Refused(records=pair, decided_by=OFFICER, at=START, reason="")],
        [split(merged)],
        [merged, split(merged), split(merged)],
        [merged, merged],
        [merged, later, merge(links, (3, 2), start=7000)[0]],
    ]
    for events in impossible:
        with pytest.raises(LinkError):
            follow(events, after=links)
    with pytest.raises(LinkError, match="未登记"):
        links.venue_of(record(99))


def test_the_larger_venue_keeps_its_id() -> None:
    links = follow(found(1, 2, 3))
    links = follow(merge(links, (2, 3)), after=links)
    links = follow(merge(links, (1, 3), start=6000), after=links)
    assert links.venue_of(record(1)) == venue(2)


a_pair = st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] != pair[1])
pairs = st.lists(a_pair, max_size=12)


@given(pairs)
def test_merges_undone_backwards_pass_through_every_state_on_the_way(chosen: list[tuple[int, int]]) -> None:
    states, events = [follow(found(*range(8)))], []
    for place, pair in enumerate(chosen):
        for merged in merge(states[-1], pair, start=5000 + 10 * place):
            events.append(merged)
            states.append(follow([merged], after=states[-1]))
    links = states.pop()
    while events:
        links = follow([split(events.pop())], after=links)
        assert links == states.pop()


@given(pairs, st.randoms(use_true_random=False))
def test_merges_undone_in_any_order_leave_what_was_before_them(chosen: list[tuple[int, int]], random: object) -> None:
    before = follow(found(*range(8)))
    events = merge(before, *chosen)
    links = follow(events, after=before)
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for number, merged in enumerate(shuffled):
        links = follow([split(merged)], after=links)
        left = {each.absorbed for each in shuffled[number + 1 :]}
        assert set(links.merged) == left
    assert links == before


@given(pairs, pairs, st.data())
def test_merges_before_are_untouched_by_merges_undone_after(
    first: list[tuple[int, int]], then: list[tuple[int, int]], data: st.DataObject
) -> None:
    start = follow(found(*range(8)))
    former = follow(merge(start, *first), after=start)
    events = merge(former, *then, start=7000)
    links = follow(events, after=former)
    for merged in data.draw(st.permutations(events)):
        links = follow([split(merged)], after=links)
    assert links == former


@given(st.lists(st.tuples(a_pair, st.booleans()), min_size=1, max_size=12), st.data())
def test_taking_a_merge_apart_gives_what_would_have_been_without_it(
    chosen: list[tuple[tuple[int, int], bool]], data: st.DataObject
) -> None:
    """Once the machine has looked again; and before that nothing is together that no other pair holds together."""
    before = links = follow(found(*range(8)))
    for place, (pair, is_machine) in enumerate(chosen):
        by = "machine:1" if is_machine else OFFICER
        links = follow(merge(links, pair, by=by, start=5000 + 10 * place), after=links)
    wrong = data.draw(st.sampled_from(list(links.merged.values())))
    held = [each for each in links.merged.values() if each is not wrong]
    links = follow(apart(wrong, links), after=links)
    assert together(links) == together(
        follow(again([each.records for each in links.merged.values()], before), after=before)
    )
    for each in held:
        assert each.is_by_machine or links.venue_of(each.records[0]) == links.venue_of(each.records[1])
    left = [
        (record(one), record(other)) for (one, other), _ in chosen if {record(one), record(other)} != {*wrong.records}
    ]
    assert together(follow(again(left, links), after=links)) == together(follow(again(left, before), after=before))


def again(left: list[tuple[UUID, UUID]], links: Links) -> list[Merged]:
    likely = [(one, other, 0.995) for one, other in left]
    return merge_events(likely, links=links, new_id=ids(9000), decided_by="machine:1", at=START)


def together(links: Links) -> set[frozenset[UUID]]:
    return set(links.venues().values())


@given(pairs)
def test_every_record_is_of_one_venue_that_has_it(chosen: list[tuple[int, int]]) -> None:
    links = follow(found(*range(8)))
    links = follow(merge(links, *chosen), after=links)
    members = links.venues()
    assert sorted(record for records in members.values() for record in records) == [record(n) for n in range(8)]
    for one, other in chosen:
        assert links.venue_of(record(one)) == links.venue_of(record(other))
    for each in links.found:
        assert each in members[links.venue_of(each)]
