"""What officers saw a venue to be on site: the last visit counts, and nobody changes an earlier one."""

from datetime import date
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.errors import FutureDayError, NotThereError
from api.ids import new_id
from api.venue_desk import observe_venue, split_venue
from api.venue_listing import VenueFilter, venue_of_register, venues_of_register
from tests.access.people import Official, an_official
from tests.make import BAR_LATITUDE, BAR_LONGITUDE
from tests.venues.register_scene import a_record, merged_by_machine, put
from venues.category import VenueCategory
from venues.distance_store import load_places
from venues.lead_pattern import mis_registered_leads
from venues.link_store import load_links
from venues.place import SourceKey
from venues.register_facts import placed_venue, standing_of
from venues.source_record import SourceKind, read_source_record

TODAY = date(2026, 11, 22)
LICENCE = "91350100M000100Y43"


@pytest.fixture
def official(engine: Engine) -> Official:
    """A restaurant by its registration, of which a map says that it is a KTV."""
    with engine.begin() as connection:
        restaurant = a_record(
            "register", 1, kind=SourceKind.BUSINESS_REGISTRATION, name="夜色餐饮有限公司", uscc=LICENCE, category=None
        )
        seen = a_record("map", 1, name="夜色", at_m=10)
        put(connection, [restaurant, seen])
        merged_by_machine(connection, (restaurant, seen))
        return an_official(connection, "wang", AccountRole.PROSECUTOR)


def place_id(engine: Engine) -> UUID:
    with engine.connect() as connection:
        (place,) = load_places(connection)
    return UUID(place.venue_id)


def observe(engine: Engine, who: Official, category: VenueCategory | None, *, on: date | None = None) -> UUID:
    venue_id = place_id(engine)
    with as_account(engine, who.account_id) as connection:
        return observe_venue(
            connection, venue_id, category=category, remark="深夜以酒水为主", observed_on=on, today=TODAY
        )


def told(engine: Engine) -> tuple[frozenset[VenueCategory], int]:
    """The categories that the law of distance sees, and how many venues are registered as something else."""
    with engine.connect() as connection:
        (place,) = load_places(connection)
    venue = placed_venue(place, division="320300", on=TODAY)
    standing = standing_of(place, on=TODAY)
    assert standing.observed_as == place.observed_as
    return frozenset() if venue is None else venue.categories, len(mis_registered_leads([standing]))


def test_the_last_visit_counts_for_the_law_and_for_what_is_registered_wrongly(
    engine: Engine, official: Official
) -> None:
    assert told(engine) == (frozenset({VenueCategory.KTV}), 0), "a registration without words says nothing"
    observe(engine, official, VenueCategory.BAR)
    assert told(engine)[0] == {VenueCategory.BAR}, "who was there knows better than a map"
    observe(engine, official, None)
    assert told(engine)[0] == frozenset(), "taken back by a later visit"
    observe(engine, official, VenueCategory.NIGHTCLUB, on=date(2026, 11, 1))
    assert told(engine)[0] == frozenset(), "entered later, seen before"
    observe(engine, official, VenueCategory.BAR)
    assert told(engine)[0] == {VenueCategory.BAR}


def test_a_restaurant_seen_to_be_a_bar_is_a_lead(engine: Engine) -> None:
    words = {"name": "夜色餐饮有限公司", "uscc": LICENCE, "category": "餐饮服务", "datum": "WGS84",
             "longitude": repr(BAR_LONGITUDE), "latitude": repr(BAR_LATITUDE)}  # fmt: skip
    key = SourceKey(source="r", source_id="1")
    record, _ = read_source_record(
        words,
        key=key,
        kind=SourceKind.BUSINESS_REGISTRATION,
        longitude=BAR_LONGITUDE,
        latitude=BAR_LATITUDE,
        is_other_trade=True,
    )
    with engine.begin() as connection:
        put(connection, [record])
        police = an_official(connection, "wang", AccountRole.POLICE)
    assert told(engine) == (frozenset(), 0)
    observe(engine, police, VenueCategory.BAR)
    assert told(engine) == (frozenset({VenueCategory.BAR}), 1)
    observe(engine, police, None)
    assert told(engine) == (frozenset(), 0)


def test_it_is_shown_beside_what_registers_say_and_found_by(engine: Engine, official: Official) -> None:
    observe(engine, official, VenueCategory.BAR)
    with as_account(engine, official.account_id) as connection:
        (found,) = venues_of_register(connection, VenueFilter(category=VenueCategory.BAR))
        assert found["observed_categories"] == {"bar": "酒吧"}
        assert found["registered_categories"] == {}
        whole = venue_of_register(connection, found["venue_id"])
    (visit,) = whole["observations"]
    assert (visit["category_zh"], visit["remark"], visit["observed_on"]) == ("酒吧", "深夜以酒水为主", TODAY)
    assert visit["observed_by"] == f"account:{official.account_id}"


def test_an_observation_goes_with_the_row_that_was_named_when_a_merge_is_split(
    engine: Engine, official: Official
) -> None:
    observe(engine, official, VenueCategory.BAR)
    with engine.begin() as connection:
        police = an_official(connection, "zhao", AccountRole.POLICE)
        (merge,) = load_links(connection).merged.values()
    with as_account(engine, police.account_id) as connection:
        apart = split_venue(connection, merge.kept, merge_id=merge.merge_id, by=police.account_id, reason="两家")
        kept, other = (venue_of_register(connection, venue_id) for venue_id in (merge.kept, apart))
    assert [len(each["observations"]) for each in (kept, other)] == [1, 0]


def test_only_officers_see_what_there_is_today_or_before(engine: Engine, official: Official) -> None:
    with engine.begin() as connection:
        keeper = an_official(connection, "sun", AccountRole.SYSTEM_ADMINISTRATOR)
    for who, venue_id in ((keeper, place_id(engine)), (official, new_id())):
        with pytest.raises(NotThereError), as_account(engine, who.account_id) as connection:
            observe_venue(
                connection, venue_id, category=VenueCategory.BAR, remark="所见", observed_on=None, today=TODAY
            )
    with pytest.raises(FutureDayError):
        observe(engine, official, VenueCategory.BAR, on=date(2026, 11, 23))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM venue_observation")).scalar_one() == 0


@pytest.mark.parametrize("statement", ["UPDATE {} SET remark = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_not_even_the_owner_changes_an_observation(engine: Engine, official: Official, statement: str) -> None:
    observe(engine, official, VenueCategory.BAR)
    with engine.connect() as connection, pytest.raises(ProgrammingError, match=r"only added to|refused"):
        connection.execute(text(statement.format("venue_observation")))
    with engine.connect() as connection:
        kinds = connection.execute(
            text("SELECT kind FROM audit_entry WHERE table_name = 'venue_observation'")
        ).scalars()
        assert list(kinds) == ["row_inserted"]
