"""What the register's rows of one place come to: position, categories, since when, licences that run."""

from dataclasses import replace
from datetime import date
from typing import Any

from shapely.geometry import Point, box

from geo.datum import Datum
from tests.venues.distance_scene import licence
from venues.category import VenueCategory
from venues.lead_pattern import mis_registered_leads
from venues.place import SourceKey
from venues.register_facts import (
    RegisteredPlace,
    RegisterRow,
    SeenOnSite,
    days_of_change,
    licences_on_file,
    placed_venue,
    standing_of,
)
from venues.source_record import SourceKind, SourceRecord
from venues.venue_door import DoorKind, VenueDoor

ON = date(2026, 11, 22)
HERE, NEAR = Point(117.2, 34.26), Point(117.201, 34.26)


def row(kind: SourceKind, category: VenueCategory | None = None, **given: Any) -> RegisterRow:
    geometry = given.pop("geometry", HERE)
    record = SourceRecord(
        key=SourceKey(source=str(kind), source_id="1"), kind=kind, sent=(), name="合成店", category=category, **given
    )
    return RegisterRow(record=record, geometry=geometry, imported_on=date(2026, 10, 1))


def place(*rows: RegisterRow) -> RegisteredPlace:
    return RegisteredPlace(venue_id="v", name="合成店", address="合成路 7 号", rows=rows)


RESTAURANT = row(
    SourceKind.BUSINESS_REGISTRATION,
    category_text="小吃服务",
    is_other_trade=True,
    valid_from=date(2018, 5, 1),
    geometry=None,
)
SEEN_AS_BAR = row(SourceKind.POI, VenueCategory.BAR)
TOBACCO = row(SourceKind.TOBACCO_LICENCE, VenueCategory.TOBACCO, geometry=NEAR, valid_from=date(2022, 1, 1),
              valid_to=date(2026, 11, 22))  # fmt: skip


def test_a_venue_has_the_categories_of_all_and_the_days_of_its_papers() -> None:
    found = placed_venue(place(RESTAURANT, SEEN_AS_BAR, TOBACCO), division="320312", on=ON)
    assert found is not None
    assert found.categories == {VenueCategory.BAR, VenueCategory.TOBACCO}
    assert found.established_on == date(2018, 5, 1)
    assert found.licences == (licence(date(2022, 1, 1), date(2026, 11, 22)),)
    assert (found.longitude, found.latitude) == (HERE.x, HERE.y)
    renewed = row(SourceKind.TOBACCO_LICENCE, VenueCategory.TOBACCO, valid_from=date(2026, 11, 23))
    assert placed_venue(place(renewed), division="320312", on=ON) is None
    for on, runs in ((ON, licence(date(2022, 1, 1), ON)), (date(2026, 11, 23), licence(date(2026, 11, 23)))):
        again = placed_venue(place(TOBACCO, renewed), division="320312", on=on)
        assert again is not None
        assert again.licence_for(VenueCategory.TOBACCO, on=on) == runs


def test_an_outline_is_taken_before_any_point_and_a_place_without_position_is_none() -> None:
    outline = box(117.1999, 34.2599, 117.2001, 34.2601)
    drawn = replace(TOBACCO, geometry=outline)
    found = placed_venue(place(SEEN_AS_BAR, drawn), division="320312", on=ON)
    assert found is not None
    assert found.footprint == outline
    assert placed_venue(place(RESTAURANT), division="320312", on=ON) is None
    assert placed_venue(place(row(SourceKind.POI)), division="320312", on=ON) is None


def test_a_licence_counts_to_its_last_day_and_what_is_registered_is_told_in_its_words() -> None:
    standing = standing_of(place(RESTAURANT, SEEN_AS_BAR, TOBACCO), on=ON)
    assert standing.observed_as == {VenueCategory.BAR}
    assert standing.registered_as == frozenset()
    assert standing.registered_zh == "小吃服务"
    assert standing.licensed_for == {VenueCategory.TOBACCO}
    assert standing_of(place(TOBACCO), on=date(2026, 11, 23)).licensed_for == frozenset()
    assert standing_of(place(TOBACCO), on=date(2021, 12, 31)).licensed_for == frozenset()


def test_what_nobody_read_in_a_register_is_not_held_against_the_venue() -> None:
    unread = row(SourceKind.BUSINESS_REGISTRATION, category_text="酒吧服务")
    assert not mis_registered_leads([standing_of(place(unread, SEEN_AS_BAR), on=ON)])
    assert not mis_registered_leads([standing_of(place(RESTAURANT, unread, SEEN_AS_BAR), on=ON)])
    (lead,) = mis_registered_leads([standing_of(place(RESTAURANT, SEEN_AS_BAR), on=ON)])
    assert "登记为小吃服务，实为酒吧" in lead.facts[0]


def test_without_a_register_of_licences_none_is_missing() -> None:
    here = {"v": "320312"}
    assert licences_on_file([place(SEEN_AS_BAR, RESTAURANT)], here) == {}
    assert licences_on_file([place(SEEN_AS_BAR), place(TOBACCO)], here) == {"3203": {VenueCategory.TOBACCO}}
    culture = row(SourceKind.CULTURE_LICENCE)
    assert VenueCategory.KTV in licences_on_file([place(culture)], here)["3203"]
    assert VenueCategory.KTV in standing_of(place(culture), on=ON).licensed_for


def test_a_register_of_licences_counts_in_the_city_where_its_licences_lie() -> None:
    divisions = {"a": "320312", "b": "320303", "c": "320102"}
    held = (("a", TOBACCO), ("b", SEEN_AS_BAR), ("c", SEEN_AS_BAR), ("d", TOBACCO))
    places = [replace(place(one), venue_id=venue_id) for venue_id, one in held]
    assert licences_on_file(places, divisions) == {"3203": {VenueCategory.TOBACCO}}
    assert licences_on_file(places, divisions | {"d": "320115"}).keys() == {"3203", "3201"}


def test_what_begins_later_says_nothing_of_the_day_before() -> None:
    registered = row(SourceKind.BUSINESS_REGISTRATION, VenueCategory.KTV, valid_from=date(2026, 11, 20))
    visits = (SeenOnSite(category=VenueCategory.BAR, on=date(2026, 11, 20)),
              SeenOnSite(category=VenueCategory.NIGHTCLUB, on=date(2026, 11, 5)))  # fmt: skip
    later = replace(place(registered, row(SourceKind.POI, VenueCategory.ARCADE)), visits=visits)
    found = {
        day: venue.categories
        for day in (4, 5, 19, 20)
        if (venue := placed_venue(later, division="320312", on=date(2026, 11, day))) is not None
    }
    assert found == {
        4: {VenueCategory.ARCADE}, 5: {VenueCategory.NIGHTCLUB}, 19: {VenueCategory.NIGHTCLUB},
        20: {VenueCategory.BAR, VenueCategory.KTV},
    }  # fmt: skip
    assert placed_venue(place(registered), division="320312", on=date(2026, 11, 19)) is None
    assert later.by(date(2026, 11, 20)) is later


CODE = "91320300MA1XK7QY0G"
REVOKED = row(SourceKind.BUSINESS_REGISTRATION, VenueCategory.INTERNET_CAFE, uscc=CODE, valid_from=date(2010, 1, 1),
              valid_to=date(2024, 12, 31), ended_on=date(2026, 11, 20))  # fmt: skip
"""Its term ran out long before it was revoked."""
NET_CAFE = row(SourceKind.CULTURE_LICENCE, VenueCategory.INTERNET_CAFE, uscc=CODE, valid_from=date(2020, 1, 1),
               valid_to=date(2030, 1, 1))  # fmt: skip
NOVEMBER = {"since": date(2026, 11, 1), "until": date(2026, 11, 30)}


def test_days_of_change_are_those_on_which_the_law_may_say_otherwise() -> None:
    """Rows, doors and visits begin and end; what changes nothing, or lies outside, is no day."""
    door = VenueDoor(key=SourceKey(source="d", source_id="1"), kind=DoorKind.CUSTOMERS, longitude=HERE.x,
                     latitude=HERE.y, raw=HERE, datum=Datum.WGS84, valid_from=date(2026, 11, 3),
                     valid_to=date(2026, 11, 9))  # fmt: skip
    for changed, days in (
        (place(TOBACCO), {23}),
        (place(row(SourceKind.TOBACCO_LICENCE, VenueCategory.TOBACCO, valid_to=date.max)), set()),
        (place(row(SourceKind.TOBACCO_LICENCE, VenueCategory.TOBACCO, valid_from=date(2026, 11, 1))), set()),
        (place(row(SourceKind.TOBACCO_LICENCE, VenueCategory.TOBACCO, valid_from=date(2026, 11, 30))), {30}),
        (place(REVOKED, NET_CAFE), {21}),
        (place(row(SourceKind.POI, VenueCategory.BAR, valid_to=date(2026, 11, 7))), set()),
        (place(row(SourceKind.BUSINESS_REGISTRATION, VenueCategory.BAR, valid_from=date(2026, 11, 20))), {20}),
        (replace(place(SEEN_AS_BAR), doors=(door,)), {3, 10}),
        (replace(place(SEEN_AS_BAR), doors=(replace(door, valid_to=date.max),)), {3}),
        (replace(place(SEEN_AS_BAR), doors=(replace(door, kind=DoorKind.SERVICE),)), set()),
        (replace(place(SEEN_AS_BAR), visits=(SeenOnSite(category=VenueCategory.KTV, on=date(2026, 11, 8)),)), {8}),
        (replace(place(SEEN_AS_BAR), visits=(SeenOnSite(category=VenueCategory.BAR, on=date(2026, 11, 8)),)), set()),
    ):
        assert days_of_change(changed, **NOVEMBER) == {date(2026, 11, day) for day in days}


def test_data_are_of_the_day_that_the_newest_register_names_and_say_so_where_none_does() -> None:
    named = replace(SEEN_AS_BAR, data_on=date(2026, 9, 15))
    for rows, expected in (
        ([SEEN_AS_BAR], (date(2026, 10, 1), True)),
        ([named], (date(2026, 9, 15), False)),
        ([named, TOBACCO], (date(2026, 10, 1), True)),
        ([replace(TOBACCO, data_on=date(2026, 10, 5)), SEEN_AS_BAR], (date(2026, 10, 5), False)),
    ):
        found = placed_venue(place(*rows), division="320312", on=ON)
        assert found is not None
        assert (found.data_on, found.is_dated_by_import) == expected


def test_each_licence_is_for_what_it_names() -> None:
    cafe = row(SourceKind.CULTURE_LICENCE, VenueCategory.INTERNET_CAFE, valid_from=date(2024, 5, 1),
               valid_to=date(2025, 5, 1))  # fmt: skip
    found = placed_venue(place(SEEN_AS_BAR, cafe, TOBACCO), division="320312", on=ON)
    assert found is not None
    assert found.licence_for(VenueCategory.TOBACCO, on=ON) == licence(date(2022, 1, 1), date(2026, 11, 22))
    assert found.licence_for(VenueCategory.INTERNET_CAFE, on=ON) == licence(
        date(2024, 5, 1), date(2025, 5, 1), VenueCategory.INTERNET_CAFE
    )
    assert found.licence_for(VenueCategory.BAR, on=ON) is None
    unnamed = placed_venue(
        place(SEEN_AS_BAR, replace(cafe, record=replace(cafe.record, category=None))), division="320312", on=ON
    )
    assert unnamed is not None
    assert unnamed.licence_for(VenueCategory.KTV, on=ON) is not None
    assert unnamed.licence_for(VenueCategory.TOBACCO, on=ON) is None
