"""Ten people whose orders are lawful, whose numbers are nobody's, and who differ where the rules do."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from api.demo import people as cast
from api.demo.city import EVENING_STARTS_AT, City, build_city
from api.demo.people import DemoPerson, build_people
from api.demo.scenes import EVENING_ENDS_AT
from tracking.order import ConditionKind, Measure, Subject
from venues.category import VenueCategory

LONGEST = {
    Measure.BAIL: timedelta(days=366),
    Measure.RESIDENTIAL_SURVEILLANCE: timedelta(days=184),
    Measure.CONDITIONAL_NON_PROSECUTION: timedelta(days=366),
}


@pytest.fixture(scope="module")
def city() -> City:
    return build_city()


@pytest.fixture(scope="module")
def people(city: City) -> dict[str, DemoPerson]:
    return {person.alias: person for person in build_people(city)}


def is_minor(person: DemoPerson, at: datetime) -> bool:
    subject = Subject(subject_no=1, subject_id=UUID(int=1), alias=person.alias, birth_date=person.birth_date)
    return subject.is_minor_at(at)


def test_there_are_ten_in_the_mix_that_the_demo_needs(people: dict[str, DemoPerson]) -> None:
    minors = [person for person in people.values() if is_minor(person, EVENING_STARTS_AT)]
    assert len(people) == 10
    assert Counter(person.measure for person in minors) == {Measure.CONDITIONAL_NON_PROSECUTION: 5, Measure.BAIL: 1}
    adults = [person for person in people.values() if person not in minors]
    assert Counter(person.measure for person in adults) == {
        Measure.BAIL: 2,
        Measure.RESIDENTIAL_SURVEILLANCE: 1,
        Measure.CONDITIONAL_NON_PROSECUTION: 1,
    }


def test_every_order_is_in_force_all_evening_and_no_longer_than_the_law_allows(people: dict[str, DemoPerson]) -> None:
    for person in people.values():
        assert person.order_starts_at <= EVENING_STARTS_AT < EVENING_ENDS_AT < person.order_ends_at
        assert person.order_ends_at - person.order_starts_at <= LONGEST[person.measure]
        assert person.document_number
        assert person.conditions
    assert len({person.document_number for person in people.values()}) == 10


def test_conditional_non_prosecution_is_executed_by_the_procuratorate_and_the_rest_by_the_police(
    people: dict[str, DemoPerson],
) -> None:
    for person in people.values():
        is_conditional = person.measure is Measure.CONDITIONAL_NON_PROSECUTION
        assert ("检察院" in person.executing_organ) == is_conditional


def test_one_came_of_age_a_week_ago_and_still_has_a_parent_on_file(people: dict[str, DemoPerson]) -> None:
    person = people[cast.EIGHTEEN_LAST_WEEK]
    assert not is_minor(person, EVENING_STARTS_AT)
    assert is_minor(person, EVENING_STARTS_AT - timedelta(days=8))
    assert person.guardians


def test_minors_have_a_guardian_who_may_be_told_and_adults_of_long_standing_none(people: dict[str, DemoPerson]) -> None:
    for person in people.values():
        if is_minor(person, EVENING_STARTS_AT):
            assert any(not guardian.is_blocked for guardian in person.guardians)
        elif person.alias != cast.EIGHTEEN_LAST_WEEK:
            assert person.guardians == ()
    assert [guardian.is_blocked for guardian in people[cast.FIRST_GUARDIAN_BLOCKED].guardians] == [True, False]


def test_all_telephone_numbers_are_of_the_fake_range_and_all_names_say_synthetic(people: dict[str, DemoPerson]) -> None:
    guardians = [(one.name, one.phone) for person in people.values() for one in person.guardians]
    officers = [(person.officer.name, person.officer.phone) for person in people.values()]
    for name, phone in guardians + officers:
        assert re.fullmatch(r"138000001\d\d", phone)
        assert "合成" in name
    assert len({phone for _, phone in guardians}) == len(guardians)


def test_conditions_carry_what_their_kind_needs(people: dict[str, DemoPerson], city: City) -> None:
    for person in people.values():
        for condition in person.conditions:
            is_by_category = condition.kind is ConditionKind.EXCLUDED_CATEGORIES
            assert bool(condition.categories) == is_by_category
            assert (condition.geometry is None) == is_by_category
    assert people[cast.HOME_BESIDE_A_BAR].conditions[1].categories == (VenueCategory.BAR,)
    assert people[cast.OUT_OF_THE_CITY].conditions[0].geometry == city.city_boundary
    assert people[cast.AT_HOME_UNDER_SURVEILLANCE].conditions[0].geometry == city.residence_boundary


def test_only_the_drawn_zone_is_of_a_protected_person(people: dict[str, DemoPerson]) -> None:
    protected = [
        (person.alias, condition.kind, condition.radius_m)
        for person in people.values()
        for condition in person.conditions
        if condition.is_protected
    ]
    assert protected == [(cast.IN_THE_DRAWN_ZONE, ConditionKind.EXCLUSION_ZONE, 120.0)]


def test_times_are_aware(people: dict[str, DemoPerson]) -> None:
    instant = datetime(2026, 3, 20, 10, tzinfo=UTC)
    assert all(person.order_starts_at < instant < person.order_ends_at for person in people.values())
