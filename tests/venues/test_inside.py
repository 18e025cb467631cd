"""A hotel's bar or KTV: a venue of its own category, whose zone is the hotel's outline; and the days of the data."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

from shapely.geometry import box
from sqlalchemy import Connection, Engine, text

from api.access.caller import as_account
from api.access.roles import AccountRole
from api.register import resolve
from api.venue_desk import merge_venues, undo_link
from api.venue_listing import records_of_venue, venue_of_register
from tests.access.people import an_official
from tests.make import BAR_LATITUDE, BAR_LONGITUDE
from tests.venues.register_scene import EAST, LATER, a_record, merged_by_machine, put, state
from venues.category import VenueCategory
from venues.distance_store import load_places
from venues.place import SourceKey
from venues.source_record import SourceKind, SourceRecord, read_source_record

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


def hotel(*, width_m: float = 40.0) -> SourceRecord:
    shape = box(BAR_LONGITUDE, BAR_LATITUDE, BAR_LONGITUDE + width_m * EAST, BAR_LATITUDE + 20.0 / 111_000.0)
    record, problems = read_source_record(
        {"name": "合成大酒店", "geometry": shape.wkt, "datum": "WGS84", "address": "和平路28号"},
        key=SourceKey(source="map", source_id="H"), kind=SourceKind.POI, longitude=shape.centroid.x,
        latitude=shape.centroid.y, category=VenueCategory.HOTEL,
    )  # fmt: skip
    assert not problems
    return record


def ktv(*, host_id: str = "H") -> SourceRecord:
    kind, name, address = SourceKind.POLICE, "合成大酒店KTV", "和平路28号5层"
    return a_record("police", 1, kind=kind, at_m=None, name=name, address=address, host_source="map", host_id=host_id)


def zones(connection: Connection) -> dict[str, tuple[str, float]]:
    """Category and area in square metres of the zone in force of each venue, by its id in the register."""
    query = "SELECT source_id, category, ST_Area(geometry::geography) AS area FROM zone WHERE superseded_at IS NULL"
    return {row.source_id: (row.category, round(row.area)) for row in connection.execute(text(query))}


def test_a_venue_inside_a_hotel_has_the_hotels_outline_and_a_category_of_its_own(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [hotel(), ktv()])
        found = zones(connection)
        assert found["H"][0] == "hotel"
        assert found["1"] == ("ktv", found["H"][1])
        assert found["1"][1] > 700
    assert resolve(engine, at=LATER).merged_count == 0, "a hotel and what is in it are two places"
    with engine.connect() as connection:
        places = {place.name: place for place in load_places(connection)}
        assert places["合成大酒店KTV"].outline == places["合成大酒店"].outline
        assert places["合成大酒店"].categories == {VenueCategory.HOTEL}, "a floor that is banned does not ban the hotel"
        inner, outer = (venue_id_of(connection, source_id) for source_id in ("1", "H"))
        shown = venue_of_register(connection, inner)
    assert shown["inside"] == {"venue_id": outer, "name": "合成大酒店"}
    assert (shown["floor"], shown["categories"]) == (5, {"ktv": "KTV"})


def test_a_bar_that_is_over_has_no_zone_in_the_hotel_and_is_not_told_as_placeless(engine: Engine) -> None:
    record, _ = read_source_record(
        dict(ktv().sent) | {"deregistered_on": "2019-05-01"}, key=ktv().key, kind=SourceKind.POLICE,
        category=VenueCategory.KTV,
    )  # fmt: skip
    with engine.begin() as connection:
        report = put(connection, [hotel(), record], valid_from=LATER - timedelta(days=30))
        assert report.rejected == ()
        drawn = connection.execute(text("SELECT source_id FROM zone ORDER BY source_id")).scalars().all()
        assert drawn == ["H"], "no fix of the past is weighed against it"


def test_the_outline_follows_the_hotel_whichever_comes_first(engine: Engine) -> None:
    with engine.begin() as connection:
        report = put(connection, [ktv()])
        assert [(row.reference, row.field) for row in report.rejected] == [("1", "host_id")]
        assert report.added_count == 1
        assert zones(connection) == {}, "nobody knows where it is"
        assert put(connection, [hotel()]).rejected == ()
        small = zones(connection)["1"][1]
        put(connection, [hotel(width_m=80.0)], at=LATER)
        assert zones(connection)["1"][1] > 1.9 * small
        versions = connection.execute(text("SELECT count(*) FROM zone WHERE source_id = '1'")).scalar_one()
        assert versions == 2
        before = zones(connection)
        assert put(connection, [hotel(width_m=80.0), ktv()], at=LATER).unchanged_count == 2
        assert zones(connection) == before


def test_a_place_of_its_own_counts_where_the_hotel_is_only_a_point(engine: Engine) -> None:
    point = a_record("map", 7, name="合成大酒店", category=VenueCategory.HOTEL, at_m=30)
    with engine.begin() as connection:
        put(connection, [point, a_record("police", 1, name="合成KTV", at_m=10, host_source="map", host_id="7")])
        own = connection.execute(text("SELECT ST_X(geometry) FROM venue WHERE source_id = '1'")).scalar_one()
        assert own == BAR_LONGITUDE + 10 * EAST
        put(connection, [ktv(host_id="7")], at=LATER)
        placed = connection.execute(text("SELECT ST_X(geometry) FROM venue WHERE source_id = '1'")).scalar_one()
        assert placed == BAR_LONGITUDE + 30 * EAST, "without one it is where the hotel is"


def test_its_zone_is_as_wide_as_that_of_any_venue_of_which_only_a_point_is_known(engine: Engine) -> None:
    point = a_record("map", 7, name="合成大酒店", category=VenueCategory.HOTEL)
    with engine.begin() as connection:
        put(connection, [point, ktv(host_id="7")])
        query = text("SELECT radius_m, category FROM zone WHERE superseded_at IS NULL ORDER BY category")
        assert [tuple(row) for row in connection.execute(query)] == [(35.0, "hotel"), (35.0, "ktv")]


def in_police(
    number: int,
    name: str,
    *,
    inside: int | None = None,
    at_m: float | None = None,
    category: VenueCategory | None = None,
) -> SourceRecord:
    host = {} if inside is None else {"host_source": "police", "host_id": str(inside)}
    kind = SourceKind.POLICE
    return a_record("police", number, kind=kind, at_m=at_m, name=name, category=category, address="和平路28号", **host)


def officer(engine: Engine) -> UUID:
    with engine.begin() as connection:
        return an_official(connection, "wang", AccountRole.POLICE).account_id


def test_the_hotels_outline_counts_whichever_register_it_is_from_and_goes_with_the_split(engine: Engine) -> None:
    """The police know the hotel and its KTV without a position; the map has the outline, of a hotel of its own."""
    known = [in_police(1, "合成大酒店", category=VenueCategory.HOTEL), in_police(2, "合成KTV", inside=1,
             category=VenueCategory.KTV)]  # fmt: skip
    with engine.begin() as connection:
        report = put(connection, [*known, hotel()])
        assert [(row.reference, row.field) for row in report.rejected] == [("2", "host_id")]
        assert "位置" in report.rejected[0].reason
        ids = tuple(venue_id_of(connection, source_id) for source_id in ("1", "H"))
        before = state(connection)
        assert set(zones(connection)) == {"H"}
    by = officer(engine)
    with as_account(engine, by) as connection:
        merge_id = merge_venues(connection, *ids, by=by, reason="同一家酒店")
    with engine.begin() as connection:
        found = zones(connection)
        assert found["2"] == ("ktv", found["H"][1])
        assert put(connection, known, at=LATER).rejected == ()
    with as_account(engine, by) as connection:
        undo_link(connection, merge_id, by=by)
    with engine.connect() as connection:
        assert state(connection) == before


def test_resolving_places_what_its_merges_tell_and_names_what_has_no_place(engine: Engine) -> None:
    at_police, on_map = in_police(1, "合成大酒店", category=VenueCategory.HOTEL), hotel()
    lost = in_police(3, "无处酒吧", inside=4, category=VenueCategory.BAR)
    other = in_police(4, "无处大酒店", category=VenueCategory.HOTEL)
    with engine.begin() as connection:
        put(connection, [at_police, in_police(2, "合成KTV", inside=1, category=VenueCategory.KTV), lost, other, on_map])
        merged_by_machine(connection, (at_police, on_map))
        assert set(zones(connection)) == {"H"}
    done = resolve(engine, at=LATER)
    with engine.connect() as connection:
        assert set(zones(connection)) == {"H", "2"}
    assert [(each.key.source_id, each.name, each.is_host_known) for each in done.placeless] == [("3", "无处酒吧", True)]


def test_a_bar_in_a_sauna_in_a_hotel_is_where_the_hotel_is_and_a_circle_is_nowhere(engine: Engine) -> None:
    sauna = a_record("police", 1, kind=SourceKind.POLICE, at_m=None, name="合成浴室", host_source="map", host_id="H",
                     category=VenueCategory.BATH)  # fmt: skip
    bar = in_police(2, "合成酒吧", inside=1, category=VenueCategory.BAR)
    circle = [in_police(number, f"合成{number}", inside=19 - number, category=VenueCategory.KTV) for number in (9, 10)]
    with engine.begin() as connection:
        assert {row.reference for row in put(connection, [bar, sauna, *circle]).rejected} == {"1", "2", "9", "10"}
        assert put(connection, [hotel()], at=LATER).rejected == ()
        found = zones(connection)
    area = found.pop("H")[1]
    assert found == {"1": ("bath", area), "2": ("bar", area)}


def test_where_the_hotel_is_no_longer_outlined_its_own_place_counts_again(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [hotel(), a_record("police", 1, name="合成KTV", at_m=10, host_source="map", host_id="H")])
        own = "SELECT ST_AsText(geometry), ST_AsText(raw_geometry), datum FROM venue WHERE source_id = '1'"
        outlined = connection.execute(text(own)).one()
        assert outlined[0].startswith("POLYGON")
        put(connection, [replace_place(hotel())], at=LATER)
        assert connection.execute(text(own)).one()[0].startswith("POINT")
        assert zones(connection)["1"][1] == 0


def replace_place(record: SourceRecord) -> SourceRecord:
    """The same row without its outline."""
    sent = dict(record.sent) | {"longitude": repr(record.longitude), "latitude": repr(record.latitude)}
    sent.pop("geometry")
    bare, problems = read_source_record(
        sent, key=record.key, kind=record.kind, longitude=record.longitude, latitude=record.latitude,
        category=record.category,
    )  # fmt: skip
    assert not problems
    return bare


def venue_id_of(connection: Connection, source_id: str) -> Any:
    query = "SELECT venue_id FROM venue WHERE source_id = :id"
    return connection.execute(text(query), {"id": source_id}).scalar_one()


# ---- the days of the data


def test_every_record_has_the_day_of_its_data_and_an_older_file_changes_nothing(engine: Engine) -> None:
    one, renamed = (a_record("map", 1, name=name) for name in ("星光KTV", "新星光KTV"))
    other = a_record("map", 2, name="月光KTV", at_m=300)
    with engine.begin() as connection:
        put(connection, [one, other], data_on=OCTOBER)
        report = put(connection, [renamed, other], at=LATER, data_on=NOVEMBER)
        assert (report.changed_count, report.unchanged_count) == (1, 1)
        late = put(connection, [one, other], at=LATER, data_on=OCTOBER)
        assert [(row.reference, row.field) for row in late.rejected] == [("1", "data_date")]
        assert (late.changed_count, late.unchanged_count) == (0, 1)
        described = {place.name: place.rows[0].data_on for place in load_places(connection)}
        assert described == {"新星光KTV": NOVEMBER, "月光KTV": NOVEMBER}
        shown = records_of_venue(connection, venue_id_of(connection, "1"))
        assert [(row["content"]["name"], row["data_on"], row["is_current"]) for row in shown] == [
            ("新星光KTV", NOVEMBER, True),
            ("星光KTV", OCTOBER, False),
        ]
        whole = put(connection, [other], at=LATER, data_on=OCTOBER, whole_source="map")
        assert len(whole.withdrawn) == 0, "what came later is not missed in an older file"
        put(connection, [a_record("map", 2, name="月亮KTV", at_m=300)], at=LATER)
        assert {place.rows[0].data_on for place in load_places(connection)} == {NOVEMBER, None}, "no day was said"


def test_without_a_day_of_its_data_the_import_stands_for_it(engine: Engine) -> None:
    with engine.begin() as connection:
        put(connection, [a_record("map", 1, name="星光KTV")])
        (place,) = load_places(connection)
    row = place.rows[0]
    assert (row.data_on, row.described_on) == (None, row.imported_on)
