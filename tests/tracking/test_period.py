"""Periods of 刑诉法 105 in days and months, and the two ages."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.test_order import born
from tracking.age import (
    FamilyRouting,
    birthday,
    family_routing,
    full_age_from,
    is_juvenile_case,
    majority_at,
    routing_switch,
)
from tracking.calendar import CalendarMissingError, local_day
from tracking.gateway_calendar import load_calendar
from tracking.period import (
    day_begins_at,
    day_ends_at,
    days_end,
    months_end,
    moved_before_rest_days,
    moved_past_rest_days,
)
from venues.months import same_day_after

CALENDAR = load_calendar()
TICK = timedelta(microseconds=1)
days = st.dates(date(1990, 1, 1), date(2080, 1, 1))
instants = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("begins_on", "months", "last_day"),
    [
        (date(2026, 3, 10), 12, date(2027, 3, 10)),  # 自本月某日至下月同日
        (date(2026, 8, 31), 6, date(2027, 2, 28)),  # 下月同日不存在的，至最后一日
        (date(2027, 8, 30), 6, date(2028, 2, 29)),
        (date(2026, 2, 28), 6, date(2026, 8, 31)),  # 起算日为本月最后一日的，至最后一日
        (date(2028, 2, 28), 6, date(2028, 8, 28)),  # a leap year: the 28th is not the last day
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2027, 2, 28), 12, date(2028, 2, 29)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
        (date(2026, 5, 5), 0, date(2026, 5, 5)),
    ],
)
def test_period_of_months_ends_as_the_court_counts(begins_on: date, months: int, last_day: date) -> None:
    assert months_end(begins_on, months) == last_day


def test_a_measures_end_on_a_holiday_is_not_moved_while_an_offices_deadline_is() -> None:
    end = months_end(date(2025, 10, 2), 12)
    assert end == date(2026, 10, 2), "in the national holiday, and there it stays"
    assert moved_past_rest_days(end, CALENDAR) == date(2026, 10, 8)
    assert moved_before_rest_days(end, CALENDAR) == date(2026, 9, 30)


def test_make_up_workday_is_no_rest_day_for_a_deadline() -> None:
    assert days_end(date(2026, 2, 9), 5) == date(2026, 2, 14)
    assert moved_past_rest_days(date(2026, 2, 14), CALENDAR) == date(2026, 2, 14)
    assert moved_past_rest_days(date(2026, 2, 15), CALENDAR) == date(2026, 2, 24)


def test_deadline_past_the_known_calendar_is_refused() -> None:
    with pytest.raises(CalendarMissingError, match="2027"):
        moved_past_rest_days(date(2027, 1, 3), CALENDAR)


@pytest.mark.parametrize("count", [days_end, months_end, same_day_after])
def test_negative_periods_are_refused(count: object) -> None:
    with pytest.raises(ValueError, match="-1"):
        count(date(2026, 1, 1), -1)  # type: ignore[operator]


@given(days, st.integers(0, 60))
def test_period_of_months_lies_in_its_month_and_never_shrinks_as_it_begins_later(begins_on: date, months: int) -> None:
    end, of_next = months_end(begins_on, months), months_end(begins_on + timedelta(days=1), months)
    assert (end.year * 12 + end.month) - (begins_on.year * 12 + begins_on.month) == months
    assert end <= of_next
    assert same_day_after(begins_on, months) <= end


@given(days)
def test_day_holds_its_instants_and_no_other(day: date) -> None:
    assert local_day(day_begins_at(day)) == day == local_day(day_ends_at(day) - TICK)
    assert local_day(day_begins_at(day) - TICK) < day < local_day(day_ends_at(day))


# ---- two ages


def test_majority_and_criminal_age_switch_on_different_days() -> None:
    birth = date(2008, 3, 21)
    assert majority_at(birth) == datetime(2026, 3, 20, 16, 0, tzinfo=UTC)
    assert full_age_from(birth, 18) == date(2026, 3, 22)
    assert is_juvenile_case(birth, acted_on=date(2026, 3, 21)), "on the birthday itself still 17 in criminal law"
    assert not is_juvenile_case(birth, acted_on=date(2026, 3, 22))
    assert not is_juvenile_case(birth, acted_on=date(2022, 3, 21)), "on the 14th birthday still 13"
    assert is_juvenile_case(birth, acted_on=date(2022, 3, 22))


def test_born_on_a_leap_day_comes_of_age_on_the_first_of_march() -> None:
    assert birthday(date(2008, 2, 29), 18) == date(2026, 3, 1)
    assert full_age_from(date(2008, 2, 29), 16) == date(2024, 3, 1), "2024 has a 29 February"


@given(days, instants)
def test_routing_follows_minority_of_the_subject(birth_date: date, at: datetime) -> None:
    is_minor = born(birth_date).is_minor_at(at)
    assert family_routing(birth_date, at) is (FamilyRouting.GUARDIAN if is_minor else FamilyRouting.NOBODY)


@given(st.dates(date(2000, 1, 1), date(2015, 1, 1)), st.lists(instants, min_size=2, max_size=8, unique=True))
def test_guardian_routing_ends_once_however_often_the_clock_is_looked_at(
    birth_date: date, looks: list[datetime]
) -> None:
    looks.sort()
    found = [routing_switch(birth_date, after=one, until=two) for one, two in pairwise(looks)]
    is_between = looks[0] < majority_at(birth_date) <= looks[-1]
    assert sum(switch is not None for switch in found) == is_between
    for switch in found:
        assert switch is None or (switch.at == majority_at(birth_date) and "18" in switch.task_zh)


def test_routing_switches_at_the_first_instant_of_the_birthday_and_is_not_found_again() -> None:
    birth = date(2008, 3, 21)
    at = majority_at(birth)
    found = routing_switch(birth, after=at - TICK, until=at)
    assert found is not None and found.at == at and found.article
    assert routing_switch(birth, after=at, until=at + TICK) is None
    assert routing_switch(birth, after=at - 2 * TICK, until=at - TICK) is None
