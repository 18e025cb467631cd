"""A row that is a tobacco shop and an internet café: one place by law, with one set of papers."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from api.distance_shown import FindingFilter, findings_shown
from tests.api.distance_register import (
    ANOTHER_USCC,
    BY_AIR,
    DIVISION,
    LICENCE,
    NOW,
    REGISTRATION,
    a_record,
    evaluated,
    merge,
    put_records,
    put_scene,
    stored,
)
from tests.venues.distance_scene import ON
from venues.category import VenueCategory
from venues.distance_store import load_places
from venues.observation_store import load_visits
from venues.place import SourceKey
from venues.register_facts import RegisteredPlace, placed_venue
from venues.row_places import standing_rows
from venues.source_record import SourceKind, SourceRecord

CAFE, TOBACCO = VenueCategory.INTERNET_CAFE, VenueCategory.TOBACCO
LATER = NOW + timedelta(hours=1)
AS_SHOP = replace(BY_AIR, threshold_m=90.0)
AS_CAFE = replace(AS_SHOP, rule_id="cafe", venue_categories=frozenset({CAFE}))
USCC = REGISTRATION["uscc"]
MAIN = a_record(SourceKind.POI, "X", TOBACCO)


def further() -> SourceRecord:
    found = a_record(SourceKind.POI, "X#internet_cafe", CAFE, host_id="X")
    assert found.host_key == MAIN.key == SourceKey(source="poi", source_id="X")
    return found


def put_shop(connection: Connection) -> dict[str, UUID]:
    """The row with its registration, its café's and its shop's licence; ids by id in the register."""
    put_scene(connection)
    connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
    registered = a_record(SourceKind.BUSINESS_REGISTRATION, "R", None, uscc=USCC, valid_from="2001-05-01")
    begun = {"uscc": USCC, "valid_from": "2001-06-01"}
    cafe = a_record(SourceKind.CULTURE_LICENCE, "L", CAFE, culture_licence="苏网文 1号", **begun)
    shop = a_record(SourceKind.TOBACCO_LICENCE, "T", TOBACCO, **begun, **LICENCE)
    put_records(connection, MAIN, further(), registered, cafe, shop)
    for one in (registered, cafe, shop):
        merge(connection, MAIN, one)
    rows = connection.execute(text("SELECT source_id, venue_id FROM venue WHERE withdrawn_at IS NULL"))
    return {row.source_id: row.venue_id for row in rows}


def leads(connection: Connection) -> list[tuple[str, UUID, list[str]]]:
    query = "SELECT ground, venue_id, categories FROM lead ORDER BY ground, lead_no"
    return [(row.ground, row.venue_id, row.categories) for row in connection.execute(text(query))]


def test_a_row_of_two_kinds_is_one_place_with_one_set_of_papers(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = put_shop(connection)
        (place,) = load_places(connection)
        top = connection.execute(
            text("SELECT t.venue_id FROM venue v JOIN venue t ON t.venue_no = v.current_no WHERE v.source_id = 'X'")
        ).scalar_one()
        assert (place.venue_id, place.further_ids) == (str(top), frozenset({str(ids["X#internet_cafe"])}))
        assert place.categories == {TOBACCO, CAFE}
        assert {row.record.key.source_id for row in place.rows} == {"X", "X#internet_cafe", "R", "L", "T"}
        for one in ids.values():
            assert load_places(connection, venue_id=one) == (place,)
        law_sees = placed_venue(place, division=DIVISION, on=ON)
        assert law_sees is not None
        assert law_sees.established_on == date(2001, 5, 1)
        assert {category for one in law_sees.licences for category in one.categories} == {TOBACCO, CAFE}
        with connection.begin_nested() as asunder:
            apart(connection)
            evaluated(connection, AS_SHOP, AS_CAFE)
            assert ("unlicensed", ids["X#internet_cafe"], ["internet_cafe"]) in leads(connection)
            asunder.rollback()
        evaluated(connection, AS_SHOP, AS_CAFE)
        assert {row[0] for row in stored(connection, "venue_id")} == {top}
        assert {lead[:2] for lead in leads(connection)} == {("distance", top)}, "it is licensed"
        findings = findings_shown(connection, FindingFilter(venue_id=top))
        assert findings
        assert findings_shown(connection, FindingFilter(venue_id=ids["X#internet_cafe"])) == findings
        zones = connection.execute(text("SELECT count(*) FROM zone WHERE withdrawn_at IS NULL AND zone_id = :id"),
                                   {"id": ids["X#internet_cafe"]}).scalar_one()  # fmt: skip
        assert zones == 1, "people are watched in each"


def test_visits_of_both_are_of_the_place_the_last_first(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = put_shop(connection)
        for number, (source_id, day) in enumerate([("X", "2026-11-03"), ("X#internet_cafe", "2026-11-04")]):
            connection.execute(
                text("INSERT INTO venue_observation (observation_id, venue_no, category, remark, observed_on,"
                     " observed_by, at) SELECT gen_random_uuid(), venue_no, NULL, '看过', CAST(:day AS date), 'x', :at"
                     " FROM venue WHERE venue_id = :id"),
                {"day": day, "at": NOW + timedelta(seconds=number), "id": ids[source_id]},
            )  # fmt: skip
        (place,) = load_places(connection)
        assert [visit.on for visit in place.visits] == [date(2026, 11, 4), date(2026, 11, 3)]
        assert len(load_visits(connection)) == 2, "each is of the venue that was named"


def test_what_was_told_of_the_further_one_by_itself_ends_and_is_not_told_again(engine: Engine) -> None:
    with engine.begin() as connection:
        put_scene(connection)
        connection.execute(text("UPDATE venue SET withdrawn_at = now()"))
        put_records(connection, MAIN, further())
        ids = {place.rows[0].record.key.source_id: UUID(place.venue_id) for place in apart(connection)}
        old = ids["X#internet_cafe"]
        evaluated(connection, AS_SHOP, AS_CAFE)
        before = leads(connection)
        assert [lead[1:] for lead in before if lead[0] == "distance"] == [
            (ids["X"], ["tobacco"]),
            (old, ["internet_cafe"]),
        ]
        together(connection)
        evaluated(connection, AS_SHOP, AS_CAFE, at=LATER)
        assert leads(connection) == before
        assert (old, "gone") in stored(connection, "venue_id, cause")
        (shown,) = findings_shown(connection, FindingFilter(venue_id=old))
        assert shown["venue_id"] == ids["X"]


def apart(connection: Connection) -> tuple[RegisteredPlace, ...]:
    """As it was when the law took a further category for a place of its own."""
    connection.execute(text("UPDATE venue SET host_source_id = '?' WHERE source_id = 'X#internet_cafe'"))
    return load_places(connection)


def together(connection: Connection) -> None:
    connection.execute(text("UPDATE venue SET host_source_id = 'X' WHERE source_id = 'X#internet_cafe'"))


def test_a_bar_that_somebody_else_runs_keeps_its_own_papers(engine: Engine) -> None:
    with engine.begin() as connection:
        put_shop(connection)
        other = a_record(SourceKind.BUSINESS_REGISTRATION, "R2", None, uscc=ANOTHER_USCC, valid_from="2020-05-01")
        put_records(connection, other)
        merge(connection, further(), other)
        places = load_places(connection)
        assert sorted(len(place.rows) for place in places) == [2, 4]
        for place in places:
            assert load_places(connection, venue_id=UUID(place.venue_id)) == (place,)


def test_places_stand_for_one_another_however_rows_are_linked() -> None:
    assert standing_rows([]) == {}
    assert standing_rows([(2, 1), (3, 1)]) == {1: 1, 2: 1, 3: 1}
    assert standing_rows([(2, 1), (3, 2)]) == {1: 1, 2: 1, 3: 1}, "a row that was linked to another's further one"
    assert len(set(standing_rows([(2, 1), (1, 2)]).values())) == 1
    assert standing_rows([(2, 1)], {1: {"a"}, 2: {"b"}}) == {}
    assert standing_rows([(2, 1)], {1: {"a"}, 2: {"b", "a"}}) == {1: 1, 2: 1}
    assert standing_rows([(2, 1), (3, 1)], {1: {"a"}, 2: {"b"}}) == {1: 1, 3: 1}
