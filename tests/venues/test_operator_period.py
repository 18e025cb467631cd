"""One address, successive businesses: an incident belongs to the one of its day."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.address import parse_address, premises_key
from venues.operator_period import OperatorPeriod, Tenure, operator_periods

DOOR = "和平路28号3层305室"
MALL = "和平路28号万达广场"


def tenure(number: int, began: date | None, ended: date | None = None, *, address: str = DOOR) -> Tenure:
    return Tenure(venue_id=UUID(int=number), address=parse_address(address), began=began, ended=ended)


def periods_at(*tenures: Tenure) -> list[tuple[int, date | None, date | None, bool]]:
    (found,) = operator_periods(tenures).values()
    return [(each.venue_id.int, each.began, each.ended, each.is_end_assumed) for each in found]


def there_on(periods: tuple[OperatorPeriod, ...], day: date) -> list[int]:
    return [
        each.venue_id.int
        for each in periods
        if (each.began is None or each.began <= day) and (each.ended is None or day <= each.ended)
    ]


def test_the_next_business_at_the_door_ends_the_former_ones_time() -> None:
    later, former = tenure(2, date(2023, 5, 1)), tenure(1, date(2019, 1, 1))
    assert periods_at(later, former) == [
        (1, date(2019, 1, 1), date(2023, 4, 30), True),
        (2, date(2023, 5, 1), None, False),
    ]


def test_an_end_that_a_register_told_is_kept() -> None:
    assert periods_at(tenure(1, date(2019, 1, 1), date(2022, 2, 2)), tenure(2, date(2023, 5, 1)))[0] == (
        1, date(2019, 1, 1), date(2022, 2, 2), False,
    )  # fmt: skip


def test_businesses_of_a_mall_stand_side_by_side() -> None:
    both = [tenure(1, date(2019, 1, 1), address=MALL), tenure(2, date(2023, 5, 1), address=MALL)]
    (periods,) = operator_periods(both).values()
    assert there_on(periods, date(2024, 1, 1)) == [1, 2]


def test_an_incident_belongs_to_the_business_of_its_day() -> None:
    (periods,) = operator_periods([tenure(1, date(2019, 1, 1)), tenure(2, date(2023, 5, 1))]).values()
    assert there_on(periods, date(2018, 12, 31)) == []
    assert there_on(periods, date(2023, 4, 30)) == [1]
    assert there_on(periods, date(2023, 5, 1)) == [2]


def test_a_business_without_an_address_is_at_none_and_a_reversed_time_is_refused() -> None:
    assert operator_periods([tenure(1, None, address="万达广场")]) == {}
    with pytest.raises(ValueError, match="倒置"):
        operator_periods([tenure(1, date(2023, 1, 1), date(2022, 1, 1))])


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=6, unique=True), st.integers(0, 2000))
def test_open_ended_businesses_at_one_door_never_overlap(starts: list[int], day: int) -> None:
    first = date(2018, 1, 1)
    tenures = [tenure(number, first + timedelta(days=start)) for number, start in enumerate(starts, start=1)]
    periods = operator_periods(tenures)[premises_key(parse_address(DOOR))]
    there = there_on(periods, first + timedelta(days=day))
    assert len(there) == (1 if day >= min(starts) else 0)
