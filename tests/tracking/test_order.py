"""The legal side: who is a minor when, and when an order is in force."""

from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.scene import an_order
from tracking.local_time import LOCAL_TIME
from tracking.order import ADULT_AGE, CONDITION_NAMES_ZH, MEASURE_NAMES_ZH, ConditionKind, Measure, Subject


def born(day: date) -> Subject:
    return Subject(subject_no=1, subject_id=UUID(int=1), alias="小丽", birth_date=day)


def in_shanghai(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=LOCAL_TIME)  # type: ignore[arg-type,misc] # year, month, day, hour, …


def test_minority_ends_at_midnight_in_shanghai_as_the_birthday_begins() -> None:
    subject = born(date(2008, 3, 21))
    assert subject.is_minor_at(in_shanghai(2026, 3, 20, 23, 59, 59, 999_999))
    assert not subject.is_minor_at(in_shanghai(2026, 3, 21))


def test_the_calendar_is_that_of_shanghai_whatever_zone_the_instant_is_in() -> None:
    subject = born(date(2008, 3, 21))
    midnight = datetime(2026, 3, 20, 16, 0, tzinfo=UTC)
    assert subject.is_minor_at(midnight - timedelta(microseconds=1))
    assert not subject.is_minor_at(midnight)
    in_new_york = midnight.astimezone(timezone(timedelta(hours=-4)))
    assert in_new_york.day == 20
    assert not subject.is_minor_at(in_new_york)


def test_born_on_a_leap_day_is_a_minor_to_the_end_of_february() -> None:
    subject = born(date(2008, 2, 29))
    assert subject.is_minor_at(in_shanghai(2026, 2, 28, 23, 59, 59))
    assert not subject.is_minor_at(in_shanghai(2026, 3, 1))


@given(
    st.dates(date(1950, 1, 1), date(2030, 1, 1)),
    st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)),  # noqa: DTZ001 # Hypothesis wants naive bounds
)
def test_minority_ends_once_and_for_good(birth_date: date, local: datetime) -> None:
    is_leap_child = (birth_date.month, birth_date.day) == (2, 29)
    year = birth_date.year + ADULT_AGE
    # 18 years after a leap year is never one.
    majority = datetime(year, 3, 1) if is_leap_child else datetime(year, birth_date.month, birth_date.day)  # noqa: DTZ001
    assert born(birth_date).is_minor_at(local.replace(tzinfo=LOCAL_TIME)) is (local < majority)


def test_an_order_is_in_force_from_its_first_instant_to_before_its_last() -> None:
    start, end = in_shanghai(2026, 3, 1), in_shanghai(2026, 9, 1)
    order = an_order(valid_from=start, valid_to=end)
    tick = timedelta(microseconds=1)
    assert [order.is_valid_at(at) for at in (start - tick, start, end - tick, end)] == [False, True, True, False]


@pytest.mark.parametrize(("kinds", "names"), [(Measure, MEASURE_NAMES_ZH), (ConditionKind, CONDITION_NAMES_ZH)])
def test_every_kind_has_one_chinese_name(kinds: type[Measure | ConditionKind], names: dict[object, str]) -> None:
    assert set(names) == set(kinds)
    assert len(set(names.values())) == len(names)
    assert all(name.strip() for name in names.values())
