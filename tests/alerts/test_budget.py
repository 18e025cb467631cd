"""How many messages a number may be sent: by the calendar of Asia/Shanghai, and within any 24 hours."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.budget import counted_since, is_within_budget, midnight_before
from alerts.policy import AlertPolicy

POLICY = AlertPolicy()
NOON = datetime(2026, 3, 20, 4, 0, tzinfo=UTC)
"""12:00 in Asia/Shanghai."""
HOUR = timedelta(hours=1)


def test_two_a_day_and_the_third_has_no_place() -> None:
    assert is_within_budget([], now=NOON, policy=POLICY)
    assert is_within_budget([NOON - HOUR], now=NOON, policy=POLICY)
    assert not is_within_budget([NOON - HOUR, NOON - 2 * HOUR], now=NOON, policy=POLICY)


def test_midnight_in_shanghai_does_not_free_what_the_last_24_hours_hold() -> None:
    late = [NOON + 11 * HOUR, NOON + 11.5 * HOUR]  # 23:00, 23:30
    assert not is_within_budget(late, now=NOON + 12.5 * HOUR, policy=POLICY)
    assert is_within_budget(late, now=NOON + 35 * HOUR, policy=POLICY)


def test_the_calendar_day_holds_even_where_24_hours_would_allow_more() -> None:
    policy = AlertPolicy(budget_per_day=2, budget_per_24_hours=5)
    morning = [NOON - 3 * HOUR, NOON - 2 * HOUR]
    assert not is_within_budget(morning, now=NOON, policy=policy)
    assert is_within_budget([NOON - 13 * HOUR, NOON - 12.5 * HOUR], now=NOON, policy=policy)  # yesterday's


def test_what_a_faster_clock_counted_counts() -> None:
    assert not is_within_budget([NOON + HOUR, NOON + HOUR], now=NOON, policy=POLICY)


def test_midnight_is_that_of_shanghai() -> None:
    assert midnight_before(NOON) == datetime(2026, 3, 19, 16, 0, tzinfo=UTC)
    assert midnight_before(datetime(2026, 3, 19, 16, 0, tzinfo=UTC)) == datetime(2026, 3, 19, 16, 0, tzinfo=UTC)


INSTANTS = st.integers(0, 7 * 24 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes))


@given(asked=st.lists(INSTANTS, max_size=60), per_day=st.integers(1, 3), per_24_hours=st.integers(1, 4))
def test_no_day_and_no_24_hours_ever_hold_more(asked: list[datetime], per_day: int, per_24_hours: int) -> None:
    policy = AlertPolicy(budget_per_day=per_day, budget_per_24_hours=per_24_hours)
    taken: list[datetime] = []
    for now in asked:  # in any order, as clocks that differ would ask
        seen = [at for at in taken if at > counted_since(now)]
        if is_within_budget(seen, now=now, policy=policy):
            taken.append(now)
    for at in taken:
        assert sum(at - timedelta(hours=24) < other <= at for other in taken) <= per_24_hours
        assert sum(midnight_before(other) == midnight_before(at) for other in taken) <= per_day
