"""A street in the register: records, what is put in, and all that the tables then say."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from api.ids import new_id
from api.importing import ImportReport, import_entries
from api.personal.blind_index import venue_phone_index
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING, KEYRING
from venues.category import VenueCategory
from venues.link_store import OPEN_REVIEWS, load_links, save_merges
from venues.links import follow, merge_events
from venues.place import Rejected, SourceKey
from venues.register import entries_of_records
from venues.source_record import SourceKind, SourceRecord, read_source_record

EAST = 1.0 / 92_000.0
LATER = EVENING + timedelta(hours=1)


def a_record(
    source: str,
    number: int,
    *,
    kind: SourceKind = SourceKind.POI,
    category: VenueCategory | None = VenueCategory.KTV,
    at_m: float | None = 0.0,
    **cells: str,
) -> SourceRecord:
    """A record at so many metres east of the bar; without position for ``None``."""
    place: dict[str, Any] = {}
    if at_m is not None:
        longitude, latitude = BAR_LONGITUDE + at_m * EAST, BAR_LATITUDE
        place = {"longitude": longitude, "latitude": latitude}
        cells |= {"longitude": repr(longitude), "latitude": repr(latitude), "datum": "WGS84"}
    key = SourceKey(source=source, source_id=str(number))
    record, problems = read_source_record(cells, key=key, kind=kind, category=category, **place)
    assert not problems
    return record


def a_street() -> list[SourceRecord]:
    """One KTV as three registers have it, its neighbours, and a bar whose map entry has a name quite like it."""
    register = SourceKind.BUSINESS_REGISTRATION
    home, code = "徐州市云龙区和平路28号", "91350100M000100Y43"
    return [
        a_record("register", 1, kind=register, name="徐州市云龙区星光娱乐有限公司", uscc=code, address=home, at_m=None),
        a_record("map", 1, at_m=30, name="星光ＫＴＶ", address="和平路28号3层", phone="13800000101"),
        a_record("police", 1, kind=SourceKind.POLICE, at_m=55, name="星光量贩KTV", uscc=code, phone="138 0000 0101"),
        a_record("map", 2, at_m=25, name="老王烟酒店", address="和平路28号1层", category=VenueCategory.TOBACCO),
        a_record("map", 3, at_m=40, name="夜色酒吧", address="和平路30号", category=VenueCategory.BAR),
    ]


def put(
    connection: Connection, records: Sequence[SourceRecord], *, at: datetime = EVENING, **more: Any
) -> ImportReport:
    options: dict[str, Any] = {"rejected": (), "index_phone": index_phone} | more
    return import_entries(connection, entries_of_records(records), ignored_count=0, at=at, **options)


def index_phone(phone: str) -> bytes:
    return venue_phone_index(KEYRING.index_key, phone)


def unread(source_id: str) -> Rejected:
    return Rejected(line=3, reference=source_id, field="longitude", value="东边", reason="")


VENUES = (
    "SELECT venue_id, source_id, name, category, address, premises, ST_AsText(geometry), ST_AsText(raw_geometry),"
    " datum, imported_at, record_no, current_no, merge_no, is_watched, withdrawn_at FROM venue ORDER BY venue_no"
)
ZONES = (
    "SELECT zone_id, kind, origin, source, source_id, name, category, ST_AsText(geometry), radius_m FROM zone"
    " WHERE superseded_at IS NULL ORDER BY zone_id"
)


def state(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All that decisions move: venues, zones in force, open questions, and what the links come to."""
    said = {name: [tuple(row) for row in connection.execute(text(query))] for name, query in
            {"venues": VENUES, "zones": ZONES}.items()}  # fmt: skip
    said["questions"] = sorted(
        tuple(row) for row in connection.execute(text(f"SELECT review_id FROM ({OPEN_REVIEWS}) q"))
    )
    return said


def merged_by_machine(connection: Connection, *pairs: tuple[SourceRecord, SourceRecord], at: datetime = LATER) -> None:
    links = load_links(connection)
    proposed = [(one.record_id, other.record_id, 0.995) for one, other in pairs]
    events = merge_events(proposed, links=links, new_id=new_id, decided_by="machine:1", at=at)
    follow(events, after=links)
    save_merges(connection, events, at=at)


def zone_names(connection: Connection) -> set[str]:
    return {row[5] for row in connection.execute(text(ZONES))}
