"""A register with one school, one shop and one street, for the tests of the law of distance in the database."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from shapely.geometry import Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, text

from api.clock import FixedClock
from api.distance import Evaluated, WalkedBy, evaluate_register
from api.ids import new_id
from api.importing import import_entries, import_venues
from geo.datum import Datum
from geo.walk_network import WalkNetwork
from tests.geo.walk_reference import at
from tests.venues.distance_scene import ON, ON_FOOT, RULE, YARD, divided_street, law
from venues.category import SiteCategory, VenueCategory
from venues.distance_ends import Gate, GateKind
from venues.distance_rule import DistanceRule
from venues.gate_store import save_gates
from venues.gateway_distance_law import load_lead_routes
from venues.link_store import load_links, save_merges
from venues.links import merge_events
from venues.place import PlacesRead, Site, SourceKey, Venue
from venues.register import entries_of_records
from venues.site_gates import RegisteredGate
from venues.source_record import SourceKind, SourceRecord, read_source_record
from venues.store import save_sites

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
DIVISION = "320312"
NETWORK_ON = date(2026, 8, 1)
STREET = divided_street()

BY_AIR = replace(RULE, threshold_m=70.0, text_zh="直线七十米")
"""The shop is 43 m from the wall, and breaks it by more than all errors."""
WALKED = replace(ON_FOOT, threshold_m=70.0, jurisdiction="320300", text_zh="步行七十米")
"""It is 110 m on foot from the gate, and keeps it."""


def put_scene(connection: Connection, *, shop_y: float = 43.0) -> UUID:
    """The school with its gate, and the shop across the street; the shop's id."""
    corners = Polygon([at(*corner) for corner in YARD])
    west, south = at(-1.0, shop_y - 1.0)
    east, north = at(1.0, shop_y + 1.0)
    save_sites(connection, [_school("育才小学", corners)], at=NOW, new_id=new_id)
    put_gate(connection)
    venue = Venue(
        key=SourceKey(source="licences", source_id="1"), name="路口烟店", category=VenueCategory.TOBACCO,
        geometry=box(west, south, east, north), raw_geometry=box(west, south, east, north), datum=Datum.WGS84,
        address="合成路 7 号",
    )  # fmt: skip
    import_venues(connection, PlacesRead(venues=(venue,)), at=NOW)
    shop: UUID = connection.execute(text("SELECT venue_id FROM venue")).scalar_one()
    return shop


def put_gate(
    connection: Connection, *, is_closed: bool = False, source_id: str = "north", y: float = 0.0, says_all: bool = True
) -> None:
    """A gate of the school, in its north wall unless said otherwise, said to be all; again, it is changed."""
    longitude, latitude = at(0.0, y)
    gate = Gate(
        gate_id=f"survey/{source_id}", longitude=longitude, latitude=latitude, kind=GateKind.STUDENT,
        is_closed=is_closed, error_m=1.0,
    )  # fmt: skip
    save_gates(
        connection,
        [RegisteredGate(key=SourceKey(source="survey", source_id=source_id), gate=gate, site_key=None,
                        raw=Point(longitude, latitude), datum=Datum.WGS84, says_all=says_all)],
        at=NOW,
        by="tests",
    )  # fmt: skip


def evaluated(
    connection: Connection,
    *rules: DistanceRule,
    on: date = ON,
    at: datetime = NOW,
    network: WalkNetwork | None = STREET,
) -> list[Evaluated]:
    """One evaluation of the register by these rules, straight and on foot unless others are named."""
    return evaluate_register(
        connection,
        law(*(rules or (BY_AIR, WALKED))),
        load_lead_routes(),
        on=on,
        clock=FixedClock(at),
        made_by="tests",
        division=DIVISION,
        walked=None if network is None else WalkedBy(network=network, network_on=NETWORK_ON),
    )


def _school(name: str, geometry: BaseGeometry) -> Site:
    return Site(
        key=SourceKey(source="osm", source_id="way/1"), name=name, category=SiteCategory.PRIMARY_SCHOOL,
        geometry=geometry, raw_geometry=geometry, datum=Datum.WGS84,
    )  # fmt: skip


LATER = NOW + timedelta(days=20)


def stored(connection: Connection, columns: str) -> list[tuple[object, ...]]:
    rows = connection.execute(text(f"SELECT {columns} FROM distance_finding ORDER BY finding_no"))
    return [tuple(row) for row in rows]


def a_record(kind: SourceKind, source_id: str, is_a: VenueCategory | None = None, **sent: str) -> SourceRecord:
    x, y = at(0.0, 43.0)
    cells = {"name": "路口烟店", "address": "合成路 7 号", "longitude": str(x), "latitude": str(y), "datum": "WGS84"}
    record, problems = read_source_record(
        cells | sent, key=SourceKey(source=str(kind), source_id=source_id), kind=kind, longitude=x, latitude=y,
        category=is_a,
    )  # fmt: skip
    assert problems == ()
    return record


def put_records(connection: Connection, *records: SourceRecord) -> None:
    import_entries(connection, entries_of_records(records), rejected=(), ignored_count=0, at=NOW)


REGISTRATION = {"uscc": "91320300MA1XK7QY0G", "category": "小吃服务"}
ANOTHER_USCC = "91320300MA1XK7QY1K"
LICENCE = {"tobacco_licence": "320303112345"}


def merge(connection: Connection, kept: SourceRecord, other: SourceRecord) -> None:
    merges = merge_events(
        [(kept.record_id, other.record_id, 0.999)], links=load_links(connection), new_id=new_id,
        decided_by="machine:test", at=NOW,
    )  # fmt: skip
    save_merges(connection, merges, at=NOW)
