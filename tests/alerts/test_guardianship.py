"""When a prosecutor is asked about an order to the guardians (督促监护令)."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import Task, TaskKind
from alerts.guardianship import ConfirmedEvent, Proposal, propose_orders
from tests.alerts.make_alerts import MINOR, POLICY
from tests.make import EVENING


def confirmed(*days: int) -> list[ConfirmedEvent]:
    """Events on so many days after the first, each confirmed two days later."""
    return [
        ConfirmedEvent(
            alert_id=UUID(int=day + 1000),
            at=EVENING + timedelta(days=day),
            confirmed_at=EVENING + timedelta(days=day + 2),
        )
        for day in days
    ]


def proposed(events: list[ConfirmedEvent], birth_date: date = MINOR) -> tuple[Task, ...]:
    return propose_orders(1, birth_date=birth_date, confirmed=events, policy=POLICY)


@pytest.mark.parametrize(
    ("what", "days", "count"),
    [
        ("一次", (0,), 0),
        ("两次", (0, 10), 0),
        ("九十日内三次", (0, 10, 90), 1),
        ("三次跨九十一日", (0, 10, 91), 0),
        ("跨过九十日，但后三次在内", (0, 50, 91, 130), 1),
        ("六次：两次提请", (0, 1, 2, 3, 4, 5), 2),
        ("五次：仍一次", (0, 1, 2, 3, 4), 1),
    ],
)
def test_three_confirmed_events_within_ninety_days_are_a_reason_to_look(
    what: str, days: tuple[int, ...], count: int
) -> None:
    assert len(proposed(confirmed(*days))) == count, what


def looked_at_as_confirmed(events: list[ConfirmedEvent]) -> list[Task]:
    """What is proposed in all if somebody looks after each confirmation, in the order in which they came."""
    made: list[Task] = []
    for count in range(1, len(events) + 1):
        known = [replace(item, confirmed_at=EVENING + timedelta(days=500 + n)) for n, item in enumerate(events[:count])]
        at = {item.alert_id: item.at for item in known}
        proposals = [
            Proposal(alert_id=task.alert_id, at=at[task.alert_id], proposed_at=task.due_at)
            for task in made
            if task.alert_id is not None
        ]
        made += propose_orders(1, birth_date=MINOR, confirmed=known, made=proposals, policy=POLICY)
    return made


def test_an_event_confirmed_late_does_not_count_the_others_twice() -> None:
    first, second, third, late, other, last = confirmed(0, 20, 30, 10, 40, 50)
    assert len(looked_at_as_confirmed([first, second, third, late])) == 1
    assert len(looked_at_as_confirmed([first, second, third, late, other])) == 1
    assert len(looked_at_as_confirmed([first, second, third, late, other, last])) == 2, "late, other and last"


@given(days=st.lists(st.integers(0, 400), unique=True, max_size=9), order=st.randoms(use_true_random=False))
def test_confirmed_in_any_order_no_event_counts_twice(days: list[int], order: object) -> None:
    events = confirmed(*days)
    order.shuffle(events)  # type: ignore[attr-defined]
    made = looked_at_as_confirmed(events)
    assert len(made) <= len(days) // POLICY.repeat_count
    assert len({task.task_id for task in made}) == len(made)


def test_a_member_that_was_taken_back_frees_no_other() -> None:
    first, second, third, other = confirmed(0, 20, 30, 40)
    (task,) = proposed([first, second, third])
    assert task.alert_id is not None
    made = [Proposal(alert_id=task.alert_id, at=third.at, proposed_at=task.due_at)]
    again = propose_orders(1, birth_date=MINOR, confirmed=[first, second, other], made=made, policy=POLICY)
    assert again == ()


def test_it_is_work_for_a_person_with_the_law_in_it() -> None:
    (task,) = proposed(confirmed(0, 1, 2))
    assert task.kind is TaskKind.GUARDIANSHIP_ORDER
    assert task.due_at == EVENING + timedelta(days=4)
    assert "预防未成年人犯罪法 61；未保法 118" in task.reason.zh
    assert "经办案人员确认 3 次" in task.reason.zh


def test_one_event_with_many_confirmed_places_counts_once() -> None:
    assert proposed(confirmed(0) * 5) == ()


def test_events_after_the_eighteenth_birthday_do_not_count() -> None:
    birth_date = date(2008, 3, 22)  # of age on the second day
    assert proposed(confirmed(0, 1, 2), birth_date) == ()
    assert proposed(confirmed(-2, -1, 0), birth_date) != ()


@given(days=st.lists(st.integers(0, 400), unique=True, max_size=12), order=st.randoms(use_true_random=False))
def test_asked_again_it_says_the_same_and_no_event_counts_twice(days: list[int], order: object) -> None:
    events = confirmed(*days)
    tasks = proposed(events)
    order.shuffle(events)  # type: ignore[attr-defined]
    assert proposed(events) == tasks
    assert len(tasks) <= len(days) // POLICY.repeat_count
    assert len({task.task_id for task in tasks}) == len(tasks)


@given(days=st.lists(st.integers(0, 400), unique=True, min_size=1, max_size=12))
def test_what_was_proposed_stays_so_when_later_events_are_confirmed(days: list[int]) -> None:
    ordered = sorted(days)
    before, whole = proposed(confirmed(*ordered[:-1])), proposed(confirmed(*ordered))
    assert whole[: len(before)] == before
