"""Doors of venues: read from files, found in a wall, used by the law of distance only while customers go through."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import osmium
import pytest
from openpyxl import Workbook
from shapely.geometry import Point, box
from sqlalchemy import Connection, Engine, text

from api.files.doors import read_doors
from api.files.errors import MissingColumn, UnknownDatum
from api.files.osm import read_osm_objects
from api.importing import import_venues
from geo.datum import Datum
from tests.files.shared_data import shared_file
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING
from tests.venues.register_scene import EAST, LATER, a_record, put
from venues.category import VenueCategory
from venues.distance_store import load_places
from venues.door_store import load_doors, save_doors
from venues.place import PlacesRead, SourceKey, Venue
from venues.register_facts import placed_venue
from venues.source_record import SourceKind
from venues.venue_door import DoorKind, VenueDoor, doors_of_law

ON = date(2026, 11, 22)


def a_door(number: int, *, east_m: float = 0.0, north_m: float = 0.0, **given: Any) -> VenueDoor:
    longitude, latitude = BAR_LONGITUDE + east_m * EAST, BAR_LATITUDE + north_m / 111_000.0
    given.setdefault("kind", DoorKind.CUSTOMERS)
    return VenueDoor(
        key=SourceKey(source="test", source_id=str(number)), longitude=longitude, latitude=latitude,
        raw=Point(longitude, latitude), datum=Datum.WGS84, **given,
    )  # fmt: skip


# ---- pure


def test_only_the_doors_that_customers_use_on_the_day_count() -> None:
    doors = [
        a_door(1, is_main=True),
        a_door(2, kind=DoorKind.SERVICE),
        a_door(3, kind=DoorKind.CLOSED),
        a_door(4, valid_from=date(2026, 11, 23)),
        a_door(5, valid_to=date(2026, 11, 21)),
        a_door(6, valid_from=ON, valid_to=ON, error_m=1.5),
    ]
    found = doors_of_law(doors, on=ON)
    assert [(door.door_id, door.is_main, door.error_m) for door in found] == [
        ("test/1", True, None),
        ("test/6", False, 1.5),
    ]


# ---- files

HEAD = "id,longitude,latitude,kind,venue_source,venue_source_id,is_main,valid_from,valid_to,error_m,datum\n"


def test_every_row_of_a_table_is_a_door_or_is_rejected_with_its_reason(tmp_path: Path) -> None:
    rows = [
        "1,117.2,34.26,customers,map,7,是,2020-01-02,,2.5,WGS84",
        "2,117.2,34.26,后勤,,,,,,,GCJ02",
        "3,117.2,34.26,,,,,,,,WGS84",
        "4,117.2,,customers,,,,,,,WGS84",
        "1,117.2,34.26,customers,,,,,,,WGS84",
        "5,117.2,34.26,customers,map,,,,,,WGS84",
        "6,117.2,34.26,customers,,,,2021-01-01,2020-01-01,,WGS84",
        "7,117.2,34.26,customers,,,,last year,,,WGS84",
        "8,117.2,34.26,customers,,,,,,-1,WGS84",
        "9,117.2,34.26,customers,,,perhaps,,,,WGS84",
        ",117.2,34.26,customers,,,,,,,WGS84",
        "10,34.26,117.2,customers,,,,,,,WGS84",
    ]
    file = tmp_path / "doors.csv"
    file.write_text(HEAD + "\n".join(rows), encoding="utf-8")
    read = read_doors(file, source="office")
    assert [(door.key.source_id, door.kind) for door in read.doors] == [
        ("1", DoorKind.CUSTOMERS),
        ("2", DoorKind.SERVICE),
    ]
    first = read.doors[0]
    assert (first.venue_key, first.is_main, first.error_m) == (SourceKey(source="map", source_id="7"), True, 2.5)
    assert (first.valid_from, first.valid_to) == (date(2020, 1, 2), None)
    assert read.doors[1].longitude != 117.2, "in WGS-84"
    assert [(row.line, row.field) for row in read.rejected] == [
        (4, "kind"), (5, "latitude"), (6, "id"), (7, "venue_source_id"), (8, "valid_to"), (9, "valid_from"),
        (10, "error_m"), (11, "is_main"), (12, "id"), (13, "latitude"),
    ]  # fmt: skip
    assert len(read.doors) + len(read.rejected) == len(rows)


def test_a_table_without_datum_or_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "doors.csv"
    file.write_text("id,longitude,latitude,kind\n1,117.2,34.26,customers\n", encoding="utf-8")
    with pytest.raises(UnknownDatum):
        read_doors(file, source="office")
    file.write_text("id,longitude,latitude,datum\n1,117.2,34.26,WGS84\n", encoding="utf-8")
    with pytest.raises(MissingColumn, match="kind"):
        read_doors(file, source="office")


def test_sheets_shapes_and_osm_give_doors_too(tmp_path: Path) -> None:
    book = Workbook()
    for row in (["编号", "经度", "纬度", "类型", "坐标系"], ["1", 117.2, 34.26, "顾客", "WGS84"]):
        book.active.append(row)  # type: ignore[union-attr] # a new book has a sheet
    book.save(tmp_path / "doors.xlsx")
    feature = {"type": "Feature", "id": "g1", "properties": {"kind": "closed"},
               "geometry": {"type": "Point", "coordinates": [117.2, 34.26]}}  # fmt: skip
    line = feature | {"id": "g2", "geometry": {"type": "LineString", "coordinates": [[117, 34], [118, 34]]}}
    (tmp_path / "doors.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature, line]}))
    (tmp_path / "doors.osm").write_text(
        '<osm version="0.6">'
        '<node id="1" lon="117.2" lat="34.26" version="1"><tag k="entrance" v="main"/></node>'
        '<node id="2" lon="117.2" lat="34.26" version="1"><tag k="entrance" v="emergency"/></node>'
        '<node id="3" lon="117.2" lat="34.26" version="1"><tag k="entrance" v="yes"/><tag k="access" v="no"/></node>'
        '<node id="4" lon="117.2" lat="34.26" version="1"><tag k="entrance" v="no"/></node>'
        '<node id="5" lon="117.2" lat="34.26" version="1"><tag k="barrier" v="gate"/></node></osm>'
    )
    sheet, shapes, osm = (read_doors(tmp_path / f"doors.{kind}", source="x") for kind in ("xlsx", "geojson", "osm"))
    assert [door.kind for door in sheet.doors] == [DoorKind.CUSTOMERS]
    assert [(door.key.source_id, door.kind) for door in shapes.doors] == [("g1", DoorKind.CLOSED)]
    assert [row.field for row in shapes.rejected] == ["geometry"]
    assert [(door.key.source_id, door.kind, door.is_main) for door in osm.doors] == [
        ("node/1", DoorKind.CUSTOMERS, True),
        ("node/2", DoorKind.SERVICE, False),
        ("node/3", DoorKind.CLOSED, False),
    ]


# ---- in the register


def with_outlines(connection: Connection) -> None:
    """A KTV of 40 by 20 metres, a shop in it known as a point, and a bar that shares its eastern wall."""
    side = 20.0 / 111_000.0
    shapes = {
        "1": box(BAR_LONGITUDE, BAR_LATITUDE, BAR_LONGITUDE + 40 * EAST, BAR_LATITUDE + side),
        "2": box(BAR_LONGITUDE + 40 * EAST, BAR_LATITUDE, BAR_LONGITUDE + 60 * EAST, BAR_LATITUDE + side),
    }
    put(connection, [
        a_record("map", 1, name="星光KTV"), a_record("map", 2, name="夜色酒吧", category=VenueCategory.BAR, at_m=50),
        a_record("map", 3, name="烟酒店", category=VenueCategory.TOBACCO, at_m=20),
    ])  # fmt: skip
    for source_id, shape in shapes.items():
        connection.execute(
            text("UPDATE venue SET geometry = ST_GeomFromText(:wkt, 4326) WHERE source_id = :id"),
            {"wkt": shape.wkt, "id": source_id},
        )


def names_of(connection: Connection) -> dict[str, str]:
    rows = connection.execute(text("SELECT venue_no, name FROM venue"))
    names = {row.venue_no: row.name for row in rows}
    return {door.key.source_id: names[number] for number, held in load_doors(connection).items() for door in held}


def test_a_door_belongs_to_the_wall_it_is_in_or_to_whom_its_row_names_and_in_doubt_to_nobody(engine: Engine) -> None:
    doors = [
        a_door(1, east_m=10.0, north_m=-1.0),
        a_door(2, east_m=40.0, north_m=10.0),
        a_door(3, east_m=20.0, north_m=10.0),
        a_door(4, east_m=10.0, north_m=-9.0),
        a_door(5, venue_key=SourceKey(source="map", source_id="3"), east_m=20.0),
        a_door(6, venue_key=SourceKey(source="map", source_id="99")),
        a_door(7, east_m=50.0, north_m=20.5),
    ]
    with engine.begin() as connection:
        with_outlines(connection)
        saved = save_doors(connection, doors, at=EVENING)
        assert saved.added_count == 7
        assert names_of(connection) == {"1": "星光KTV", "5": "烟酒店", "7": "夜色酒吧"}
        for number, held in load_doors(connection).items():
            assert load_doors(connection, of=[number]) == {number: held}
        assert load_doors(connection, of=[]) == {}
        assert {key.source_id for key in saved.placeless} == {"2", "3", "4", "6"}, "a shared wall is a guess"


def test_doors_come_in_twice_unchanged_and_what_a_whole_file_no_longer_has_is_gone(engine: Engine) -> None:
    key = SourceKey(source="map", source_id="1")
    doors = [a_door(1, venue_key=key), a_door(2, venue_key=key, kind=DoorKind.SERVICE)]
    with engine.begin() as connection:
        put(connection, [a_record("map", 1, name="星光KTV")])
        save_doors(connection, doors, at=EVENING, data_on=ON)
        older = save_doors(connection, [a_door(1, venue_key=key, east_m=9.0)], at=LATER, data_on=date(2026, 1, 1),
                           whole_source="test")  # fmt: skip
        assert ([each.source_id for each in older.outdated], len(older.withdrawn)) == (["1"], 0)
        again = save_doors(connection, doors, at=LATER)
        assert (again.added_count, again.changed_count, again.unchanged_count) == (0, 0, 2)
        moved = a_door(1, venue_key=key, east_m=1.0)
        unread = save_doors(connection, [moved], at=LATER, whole_source="test", still_there=["2"])
        assert (unread.changed_count, unread.withdrawn) == (1, ()), "a row that could not be read is not gone"
        less = save_doors(connection, [moved], at=LATER, whole_source="test")
        assert (less.changed_count, less.withdrawn) == (0, ("2",))
        assert names_of(connection) == {"1": "星光KTV"}
        back = save_doors(connection, doors, at=LATER, whole_source="test")
        assert (back.added_count, back.changed_count) == (0, 2), "one is back, the other where it was"
        assert names_of(connection) == {"1": "星光KTV", "2": "星光KTV"}


def test_the_law_of_distance_measures_from_the_customers_doors_of_the_place_and_the_day(engine: Engine) -> None:
    """The door is registered with one register's row, and counts for the place that the rows are together."""
    licence = a_record("police", 1, kind=SourceKind.POLICE, name="星光KTV", at_m=5)
    key = SourceKey(source="police", source_id="1")
    doors = [
        a_door(1, east_m=12.0, venue_key=key, is_main=True, valid_from=ON),
        a_door(2, venue_key=key, kind=DoorKind.SERVICE),
    ]
    with engine.begin() as connection:
        put(connection, [licence])
        save_doors(connection, doors, at=EVENING)
        (place,) = load_places(connection)
    venue, before = (placed_venue(place, division="320300", on=day) for day in (ON, date(2026, 11, 21)))
    assert venue is not None
    assert before is not None
    (door,) = venue.doors
    assert (door.door_id, door.is_main) == ("test/1", True)
    assert door.longitude == doors[0].longitude, "to the last bit: a measurement is made of it"
    assert before.doors == ()


@pytest.mark.real
def test_on_a_real_map_doors_are_those_of_the_walls_they_were_drawn_into(engine: Engine) -> None:
    """A campus in Beijing, every building taken for a venue: an entrance is a node of the way that it belongs to."""
    path = shared_file("beijing_osm_bupt_2025/map.osm")
    read = read_doors(path, source="osm")
    nodes, walls = set(), {}
    for found in osmium.FileProcessor(str(path)):
        if isinstance(found, osmium.osm.Node) and found.tags.get("entrance", "no") != "no":
            nodes.add(found.id)
        elif isinstance(found, osmium.osm.Way):
            walls[f"way/{found.id}"] = {node.ref for node in found.nodes}
    assert {door.key.source_id for door in read.doors} == {f"node/{number}" for number in nodes}
    buildings = [
        Venue(
            key=SourceKey(source="osm", source_id=found.reference), name="", category=VenueCategory.BAR,
            geometry=found.geometry, raw_geometry=found.geometry, datum=Datum.WGS84,
        )
        for found in read_osm_objects(path, tag_keys=("building",))
        if found.kind == "way" and found.geometry is not None
    ]  # fmt: skip
    with engine.begin() as connection:
        import_venues(connection, PlacesRead(venues=tuple(buildings)), at=EVENING)
        saved = save_doors(connection, read.doors, at=EVENING)
        venues = {row.venue_no: row.source_id for row in connection.execute(text("SELECT * FROM venue"))}
        held = load_doors(connection)
    placed = {door.key.source_id: venues[number] for number, doors in held.items() for door in doors}
    drawn = {f"node/{node}": {way for way in venues.values() if node in walls[way]} for node in nodes}
    of_one = {door: ways for door, ways in drawn.items() if len(ways) == 1}
    assert len(of_one) > 50, "hardly anything to compare: this test shows nothing"
    assert all(placed[door] in ways for door, ways in of_one.items() if door in placed), "no door of another wall"
    assert len(placed.keys() & of_one.keys()) >= 0.95 * len(of_one)
    assert not placed.keys() & {door for door, ways in drawn.items() if len(ways) > 1}, "a shared wall is a guess"
    assert len(saved.placeless) + len(placed) == len(nodes)
