"""Files into the register: the good rows saved in one transaction, the rejected ones kept with their reasons."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from shapely import MultiPolygon, Point, Polygon
from sqlalchemy import Connection, select

from api.ids import new_id
from api.withdrawal import Withdrawn, check_withdrawal
from geo.perimeter import perimeter
from geo.postgis import from_element
from geo.shapes import Area, Circle, Shape, ShapeError, check_shape
from tracking.divisions import city_areas, districts_of
from tracking.local_time import LOCAL_TIME
from tracking.store import ZoneDraft, ZonesSaved, save_zones, zone_table
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import FOOTPRINT_MARGIN_M, POINT_FOOTPRINT_M
from venues.inside_store import Placeless, place_inside
from venues.place import PlacesRead, Rejected, Site, Venue
from venues.register import RegisterEntry, entry_of_venue
from venues.register_store import save_entries, settle_venues

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SITE_PERIMETER_M = 200.0
"""The zone of a school reaches this far beyond its boundary, straight line (reference/domain.md 2.3, national rule)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What an import did, in numbers that add up to the rows of the file."""

    added_count: int
    changed_count: int
    unchanged_count: int
    ignored_count: int
    rejected: tuple[Rejected, ...]
    withdrawn: tuple[tuple[str, str], ...] = ()
    """Id and name of each venue, school, door or gate that a register no longer has."""
    left_as_it_was_count: int = 0
    """Those whose rows are in the file of the whole register and were rejected or are none."""

    def lines(self) -> list[tuple[str, int]]:
        """Label and count, Chinese and English."""
        return [
            ("新增 added", self.added_count),
            ("更新 updated", self.changed_count),
            ("未变 unchanged", self.unchanged_count),
            *([("撤回 withdrawn", len(self.withdrawn))] if self.withdrawn else []),
            *([("行未收录，场所保留 kept as it was", self.left_as_it_was_count)] if self.left_as_it_was_count else []),
            ("无关 not ours", self.ignored_count),
            ("拒收 rejected", len(self.rejected)),
        ]


def import_venues(
    connection: Connection,
    read: PlacesRead,
    *,
    at: datetime,
    valid_from: datetime | None = None,
    whole_source: str | None = None,
    withdraw: int = 0,
    data_on: date | None = None,
) -> ImportReport:
    """Save the venues of a file and the zone around each; sites in it count as not ours."""
    return import_entries(
        connection,
        [entry_of_venue(venue) for venue in read.venues],
        rejected=read.rejected,
        ignored_count=read.ignored_count + len(read.sites),
        ignored_ids={*read.ignored_ids, *(site.key.source_id for site in read.sites)}
        - {venue.key.source_id for venue in read.venues},
        at=at,
        valid_from=valid_from,
        whole_source=whole_source,
        withdraw=withdraw,
        data_on=data_on,
    )


def import_entries(
    connection: Connection,
    entries: Sequence[RegisterEntry],
    *,
    rejected: Sequence[Rejected],
    ignored_count: int,
    at: datetime,
    by: str = "import",
    valid_from: datetime | None = None,
    whole_source: str | None = None,
    ignored_ids: Collection[str] = (),
    withdraw: int = 0,
    index_phone: Callable[[str], bytes] | None = None,
    data_on: date | None = None,
) -> ImportReport:
    """Save entries of the register, and the zone of each that has place and category and is not over.

    ``whole_source``: the register that the file is all of; what it no longer has is withdrawn, with its zone. Rows that
    were rejected are still there, and so are those that are no venue (any more, or by this mapping: ``ignored_ids``),
    unless ``withdraw`` says how many venues are to go. It must say so too where a rejected row has no id that the
    register knows, or much would go (:func:`api.withdrawal.check_withdrawal`); else WithdrawalRefusedError, and the
    caller rolls back. What a row no longer is beside its first category goes uncounted, in a file of a part too.
    ``index_phone``: what is kept of a telephone number (E.164); without it nothing is.
    ``data_on``: the day as of which the file speaks (Asia/Shanghai). A row that says something else than the register
    did on a later day is rejected. The zone of a venue inside another one is that one's outline.
    """
    still_there = {*(row.reference for row in rejected), *(() if withdraw else ignored_ids)}
    saved = save_entries(
        connection, entries, by=by, at=at, new_id=new_id, whole_source=whole_source, still_there=still_there,
        index_phone=index_phone, data_on=data_on,
    )  # fmt: skip
    check_withdrawal(
        saved.withdrawn, of=Withdrawn.VENUES, register_count=saved.register_count, known_ids=saved.known_ids,
        rejected=rejected, confirmed_count=withdraw,
    )  # fmt: skip
    written = [(venue_id, entry) for venue_id, entry in (*saved.added, *saved.changed) if not entry.record.host_key]
    today = at.astimezone(LOCAL_TIME).date()
    trading = [(venue_id, entry) for venue_id, entry in written if not entry.record.is_over(today)]
    own = [(venue_id, venue) for venue_id, entry in trading if (venue := entry.venue) is not None]
    drafts, refused = zones_of(own, ZoneOrigin.VENUE)
    save_zones(connection, drafts, at=at, new_from=valid_from, changed_from=valid_from)
    inside = place_inside(connection, saved.touched, at=at, governs_from=valid_from)
    settle_venues(connection, [*saved.touched, *inside.touched], at=at)
    return ImportReport(
        added_count=len(saved.added),
        changed_count=len(saved.changed),
        unchanged_count=saved.unchanged_count,
        withdrawn=tuple(sorted((*saved.withdrawn, *saved.dropped))),
        left_as_it_was_count=saved.left_as_it_was_count,
        ignored_count=ignored_count,
        rejected=(*rejected, *map(_outdated, saved.outdated), *refused, *map(_placeless, inside.placeless)),
    )


def _outdated(entry: RegisterEntry) -> Rejected:
    reason = "登记册中已有更晚的数据，此行未采用 / the register has later data of this venue: the row was not taken"
    return Rejected(line=0, reference=entry.record.key.source_id, field="data_date", value="", reason=reason)


def _placeless(venue: Placeless) -> Rejected:
    missing_zh, missing = (
        ("没有可用的位置：请导入其位置或轮廓", "has no usable place: import its position or outline")
        if venue.is_host_known
        else ("不在登记册中：请先导入该场所", "is not in the register: import that one")
    )
    reason = (
        f"已登记，但所在场所{missing_zh}，其区域随后自动生成"
        f" / registered, but the venue that it is inside of {missing}, and its zone follows"
    )
    return Rejected(line=0, reference=venue.key.source_id, field="host_id", value="", reason=reason)


def import_zones(
    connection: Connection,
    records: Iterable[Any],
    rejected: Sequence[Rejected],
    *,
    origin: ZoneOrigin,
    source: str,
    at: datetime,
    valid_from: datetime | None = None,
) -> ImportReport:
    """Save zones drawn by a supervisor, or administrative boundaries; ``source`` and the feature's id identify each.

    They govern fixes from ``at`` on, or ``valid_from`` if given. A new boundary always did: it binds only those whose
    order names it. Of administrative districts the area of all districts of their city is saved beside them.
    """
    drafts = [
        ZoneDraft(
            zone_id=new_id(),
            source=f"{origin}:{source}",
            source_id=record.zone_id,
            kind=ZoneKind(record.kind),
            origin=origin,
            name=record.name,
            shape=record.shape,
        )
        for record in records
    ]
    always = EPOCH if origin is ZoneOrigin.BOUNDARY else None
    saved: ZonesSaved = save_zones(connection, drafts, at=at, new_from=valid_from or always, changed_from=valid_from)
    if origin is ZoneOrigin.BOUNDARY:
        cities = _cities(connection, f"{origin}:{source}")
        save_zones(connection, cities, at=at, new_from=valid_from or always, changed_from=valid_from)
    return ImportReport(
        added_count=saved.added_count,
        changed_count=saved.changed_count,
        unchanged_count=saved.unchanged_count,
        ignored_count=0,
        rejected=tuple(rejected),
    )


def _cities(connection: Connection, source: str) -> list[ZoneDraft]:
    """All districts of each city as one area (``tracking.divisions``), of all that the source has, this file or not."""
    query = select(zone_table).where(zone_table.c.source == source, zone_table.c.superseded_at.is_(None))
    divisions = {row.source_id: row for row in connection.execute(query.order_by(zone_table.c.source_id))}
    names: dict[str | None, list[str]] = {}
    for code, row in divisions.items():
        names.setdefault(districts_of(code), []).append(row.name)
    shapes = {code: from_element(row.geometry) for code, row in divisions.items()}
    areas = city_areas({code: Area(geometry=s) for code, s in shapes.items() if isinstance(s, Polygon | MultiPolygon)})
    return [
        ZoneDraft(
            zone_id=new_id(),
            source=source,
            source_id=city,
            kind=ZoneKind.INCLUSION,
            origin=ZoneOrigin.BOUNDARY,
            name=f"同城市辖区 {len(names[city])} 个：{'、'.join(names[city])}",
            shape=area,
        )
        for city, area in areas.items()
    ]


def place_shape(place: Venue | Site) -> Shape:
    """The zone of a place: a site's perimeter; a venue's outline, or a disc for the likely footprint of its point."""
    if isinstance(place.geometry, Point):
        radius_m = SITE_PERIMETER_M if isinstance(place, Site) else POINT_FOOTPRINT_M + FOOTPRINT_MARGIN_M
        return Circle(longitude=place.geometry.x, latitude=place.geometry.y, radius_m=radius_m)
    if isinstance(place, Site):
        return Area(geometry=perimeter(place.geometry, distance_m=SITE_PERIMETER_M))
    assert isinstance(place.geometry, Polygon | MultiPolygon)  # the readers take no other geometry
    return Area(geometry=place.geometry)


def zones_of(places: Sequence[tuple[UUID, Venue | Site]], origin: ZoneOrigin) -> tuple[list[ZoneDraft], list[Rejected]]:
    """A place whose outline cannot be watched stays in the register, and is named in the reject file."""
    drafts: list[ZoneDraft] = []
    refused: list[Rejected] = []
    for place_id, place in places:
        shape = place_shape(place)
        try:
            check_shape(shape)
        except ShapeError as error:
            reason = f"已登记，但轮廓不能作为监管区域 / registered, but its outline cannot be watched: {error}"
            refused.append(Rejected(line=0, reference=place.key.source_id, field="geometry", value="", reason=reason))
            continue
        drafts.append(
            ZoneDraft(
                zone_id=place_id,
                source=f"{origin}:{place.key.source}",
                source_id=place.key.source_id,
                kind=ZoneKind.EXCLUSION,
                origin=origin,
                name=place.name,
                shape=shape,
                category=place.category,
            )
        )
    return drafts, refused
