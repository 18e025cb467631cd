"""What falls due by the clock: each edge once, however time is cut, and whatever a clock does."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.scene import MINUTE, START, Scene, a_condition, a_scene, an_area, an_order, minutes_of_the_evening
from tests.tracking.test_order import in_shanghai
from tracking.calendar import CalendarYear, WorkCalendar
from tracking.clock_edges import (
    LOOK_BACK_US,
    SETTLE_US,
    ClockEdge,
    EdgeBook,
    EdgeKind,
    LeaveClock,
    OrderClock,
    binding_edges,
    leave_edges,
    order_edges,
    span_to_plan,
    subject_edges,
)
from tracking.order import ConditionKind, Subject
from tracking.rules import to_microseconds
from tracking.versions import ALWAYS

FROM, TO = in_shanghai(2026, 3, 10), in_shanghai(2026, 9, 10)
"""Half a year; its last day is 9 September, a Wednesday."""


def clock_of(
    *, known_at: datetime = FROM, lifted_at: datetime | None = None, review_at: datetime | None = None
) -> OrderClock:
    order = an_order(a_condition(1), valid_from=FROM, valid_to=TO)
    return OrderClock(order=order, known_at=known_at, lifted_at=lifted_at, review_at=review_at)


def told(edges: list[ClockEdge]) -> list[tuple[str, int, str]]:
    """Kind, step, and when it is found, on the clock of Shanghai."""
    found = []
    for edge in EdgeBook.build(edges).edges:
        at = in_shanghai(1970, 1, 1, 8) + timedelta(microseconds=edge.at)
        found.append((str(edge.kind), edge.step, at.strftime("%m-%d %H:%M")))
    return found


def test_an_order_is_announced_reviewed_ends_and_is_overdue_a_day_later() -> None:
    assert told(list(order_edges(clock_of()))) == [
        ("review_due", 0, "06-10 00:00"),
        ("reminder", 15, "08-25 00:00"),
        ("reminder", 7, "09-02 00:00"),
        ("reminder", 3, "09-06 00:00"),
        ("reminder", 1, "09-08 00:00"),
        ("order_end", 0, "09-10 00:00"),
        ("lifting_overdue", 0, "09-11 00:00"),
    ]


def test_a_reminder_on_a_sunday_is_shown_on_the_friday_before_and_an_unknown_year_is_not_guessed() -> None:
    year = CalendarYear(
        year=2026, document="合成", days_off=frozenset(), statutory=frozenset(), workdays=frozenset()
    )  # fmt: skip
    calendar = WorkCalendar(years={2026: year})
    shown = told(list(order_edges(clock_of(), calendar=calendar)))
    assert ("reminder", 3, "09-04 00:00") in shown
    assert ("reminder", 3, "09-06 00:00") in told(list(order_edges(clock_of(), calendar=WorkCalendar())))


def test_an_order_lifted_before_its_end_ends_then_and_is_nobodys_breach() -> None:
    lifted = told(list(order_edges(clock_of(lifted_at=in_shanghai(2026, 5, 1, 9)))))
    assert lifted == [("order_end", 0, "05-01 09:00")]


def test_what_was_due_before_an_order_was_recorded_is_found_when_it_is() -> None:
    late = list(order_edges(clock_of(known_at=in_shanghai(2026, 9, 7, 10))))
    assert {at for _, _, at in told(late)[:4]} == {"09-07 10:00"}
    assert [step for _, step, at in told(late) if at > "09-07 10:00"] == [1, 0, 0]
    ids = {edge.edge_id for edge in late}
    assert ids == {edge.edge_id for edge in order_edges(clock_of())}, "recorded again it is the same edge"


def test_the_review_that_an_order_sets_is_due_beside_the_others() -> None:
    at = in_shanghai(2026, 4, 1, 9)
    assert ("review_due", 0, "04-01 09:00") in told(list(order_edges(clock_of(review_at=at))))
    assert len(list(order_edges(clock_of(review_at=TO)))) == len(list(order_edges(clock_of())))


def test_majority_is_midnight_of_the_eighteenth_birthday() -> None:
    subject = Subject(subject_no=1, subject_id=UUID(int=1), alias="合成", birth_date=date(2008, 3, 21))
    assert [edge.at for edge in subject_edges(subject)] == [to_microseconds(in_shanghai(2026, 3, 21))]


def test_a_leave_is_over_at_its_end_or_when_it_is_known() -> None:
    leave = LeaveClock(leave_id=UUID(int=1), subject_no=1, order_no=1, ends_at=TO, known_at=FROM)
    assert [edge.at for edge in leave_edges(leave)] == [to_microseconds(TO)]


def a_home(kind: ConditionKind = ConditionKind.CURFEW) -> Scene:
    """Two nights of an hour, 24 hours apart."""
    windows = minutes_of_the_evening((0, 60), (1440, 1500))
    return a_scene(an_area(7), orders=[an_order(a_condition(1, kind, zone_no=7, windows=windows))])


def starts(scene: Scene, after: int, until: int, known_at: int = ALWAYS) -> list[tuple[EdgeKind, int]]:
    known = np.full(len(scene.rules), max(known_at, 0), dtype=np.int64)
    found = binding_edges(scene.rules, known_at=known, after=after, until=until)
    assert all(scene.rules.conditions[row].condition_no == edge.condition_no for edge, row in found)
    return [(edge.kind, (edge.at - SETTLE_US - START) // MINUTE) for edge, _ in found]


def test_a_curfew_begins_each_night_and_a_duty_to_stay_when_it_binds() -> None:
    wide = (START - MINUTE, START + 3 * 1440 * MINUTE)
    assert starts(a_home(), *wide) == [(EdgeKind.CURFEW_START, 0), (EdgeKind.CURFEW_START, 1440)]
    assert starts(a_home(ConditionKind.STAY_AT_PLACE), *wide)[0] == (EdgeKind.ZONE_START, 0)


def test_an_exclusion_begins_nothing_that_the_clock_could_ask_about() -> None:
    scene = a_scene(orders=[an_order(a_condition(1))])
    assert starts(scene, ALWAYS, START * 2) == []


def test_a_curfew_recorded_in_its_hours_is_asked_about_then_and_one_that_was_over_is_not() -> None:
    known = START + 20 * MINUTE
    assert starts(a_home(), START, START + 3 * 1440 * MINUTE, known)[0] == (EdgeKind.CURFEW_START, 20)
    late = START + 61 * MINUTE
    assert starts(a_home(), START, START + 1400 * MINUTE, late) == []


def test_a_new_version_of_a_zone_in_mid_curfew_begins_nothing() -> None:
    first = an_area(7)
    cut = in_shanghai(1970, 1, 1, 8) + timedelta(microseconds=START + 30 * MINUTE)
    zones = [
        replace(first, in_force_to=cut),
        replace(first, zone_no=8, version=2, first_no=7, in_force_from=cut),
    ]
    order = an_order(a_condition(1, ConditionKind.CURFEW, zone_no=7, windows=minutes_of_the_evening((0, 60))))
    scene = a_scene(*zones, orders=[order])
    assert len(scene.rules) == 2
    assert starts(scene, START - MINUTE, START + 100 * MINUTE) == [(EdgeKind.CURFEW_START, 0)]


def edges_at(instants: list[int]) -> EdgeBook:
    return EdgeBook.build(
        ClockEdge(kind=EdgeKind.ORDER_END, subject_no=1, about=UUID(int=number), due_at=at, at=at)
        for number, at in enumerate(instants)
    )


@given(
    instants=st.lists(st.integers(0, 1_000), max_size=30),
    cuts=st.lists(st.integers(0, 1_000), max_size=20),
)
def test_consecutive_looks_find_each_edge_once_whatever_the_cuts(instants: list[int], cuts: list[int]) -> None:
    book, mark, found = edges_at(instants), None, list[ClockEdge]()
    for now in [*sorted(cuts), 1_000]:
        span = span_to_plan(mark=mark, now=now, is_news=False)
        found += book.between(span.after, span.until)
        mark = span.mark
    assert found == list(book.edges)


@given(
    instants=st.lists(st.integers(0, 1_000), max_size=30),
    looks=st.lists(st.tuples(st.integers(0, 1_000), st.booleans()), max_size=20),
)
def test_a_clock_that_jumps_skips_nothing_and_what_is_done_is_not_done_again(
    instants: list[int], looks: list[tuple[int, bool]]
) -> None:
    """Looks at any times in any order, some of them after news; at last the clock is right and goes on to the end."""
    book, mark, done = edges_at(instants), None, list[UUID]()
    for now, is_news in [*looks, (1_000, False)]:
        span = span_to_plan(mark=mark, now=now, is_news=is_news)
        done += [edge.edge_id for edge in book.between(span.after, span.until) if edge.edge_id not in done]
        assert all(edge.at <= now for edge in book.between(span.after, span.until)), "never before its time"
        mark = span.mark
    assert sorted(done) == sorted(edge.edge_id for edge in book.edges)


def test_an_order_recorded_after_the_clock_was_set_right_is_found_though_the_wrong_clock_had_passed_it() -> None:
    year = 365 * LOOK_BACK_US
    ahead = span_to_plan(mark=1_000, now=year, is_news=False)
    back = span_to_plan(mark=ahead.mark, now=2_000, is_news=False)
    assert edges_at([1_500]).between(back.after, back.until) == (), "done by the wrong clock already"
    late = edges_at([3_000])
    span = span_to_plan(mark=back.mark, now=3_500, is_news=False)
    assert late.between(span.after, span.until) == late.edges


def test_news_is_looked_for_a_day_back() -> None:
    span = span_to_plan(mark=5 * LOOK_BACK_US, now=5 * LOOK_BACK_US + 10, is_news=True)
    assert (span.after, span.until) == (4 * LOOK_BACK_US, 5 * LOOK_BACK_US + 10)
