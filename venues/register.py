"""Source records as rows of the register: where each is, and how a row becomes its record again. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import shapely
from shapely import Point
from shapely.geometry import GeometryCollection
from shapely.geometry.base import BaseGeometry

from geo.datum import Datum, geometry_to_wgs84
from venues.address import parse_address, premises_key
from venues.category import VenueCategory
from venues.place import SourceKey, Venue
from venues.row_id import row_id
from venues.source_record import SourceKind, SourceRecord, host_of, read_source_record

_OUTLINES = ("Point", "Polygon", "MultiPolygon")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterEntry:
    """A record with its place: as sent in ``datum``, and in WGS-84 (EPSG:4326); ``None`` where it has none."""

    record: SourceRecord
    geometry: BaseGeometry | None = None
    raw_geometry: BaseGeometry | None = None
    datum: Datum | None = None

    @property
    def premises(self) -> str:
        """The same for two records of one address, floor and unit included; empty if that is not known."""
        return premises_key(parse_address(self.record.address))

    @property
    def venue(self) -> Venue | None:
        """The venue that a zone is drawn around; ``None`` without place or category."""
        if self.geometry is None or self.raw_geometry is None or self.datum is None or self.record.category is None:
            return None
        return Venue(
            key=self.record.key,
            name=self.record.name,
            category=self.record.category,
            geometry=self.geometry,
            raw_geometry=self.raw_geometry,
            datum=self.datum,
            address=self.record.address,
        )


def entry_of_venue(venue: Venue) -> RegisterEntry:
    """A venue of a file of places as an entry. It may have no name: a bar without a sign is a bar.

    What a row is beside its first category is inside that.
    """
    sent = {
        "name": venue.name, "address": venue.address, "category": str(venue.category), "datum": str(venue.datum),
        "geometry": venue.raw_geometry.wkt, "host_id": row_id(venue.key.source_id),
    }  # fmt: skip
    if sent["host_id"] == venue.key.source_id:
        del sent["host_id"]
    middle = venue.geometry.representative_point()
    record = record_of_content(
        {field: value for field, value in sent.items() if value or field == "name"},
        key=venue.key,
        kind=SourceKind.POI,
        longitude=middle.x,
        latitude=middle.y,
        category=venue.category,
    )
    return RegisterEntry(record=record, geometry=venue.geometry, raw_geometry=venue.raw_geometry, datum=venue.datum)


def entries_of_records(records: Sequence[SourceRecord]) -> list[RegisterEntry]:
    """Records of a register's file as entries, in their order.

    The outline is kept where it is a valid point or area; of anything else the record's point stands for it.
    """
    said = [_sent_place(record) for record in records]
    entries = [RegisterEntry(record=record) for record in records]
    for datum in Datum:
        rows = [(row, place[0]) for row, place in enumerate(said) if place is not None and place[1] is datum]
        if rows:
            raw = GeometryCollection([geometry for _, geometry in rows])
            for (row, as_sent), geometry in zip(rows, shapely.get_parts(geometry_to_wgs84(raw, datum)), strict=True):
                entries[row] = RegisterEntry(
                    record=records[row], geometry=_outline(geometry, records[row]), raw_geometry=as_sent, datum=datum
                )
    return entries


def record_of_content(
    sent: Mapping[str, str],
    *,
    key: SourceKey,
    kind: SourceKind,
    longitude: float | None,
    latitude: float | None,
    category: VenueCategory | None,
    is_other_trade: bool = False,
    kept_phones: tuple[str, ...] = (),
) -> SourceRecord:
    """The record whose ``sent`` the register keeps; the same content gives the same id. Degrees are WGS-84.

    Raises LicenceError for content that never was a record.
    """
    if not sent["name"].strip():
        return SourceRecord(
            key=key,
            kind=kind,
            sent=tuple(sorted(sent.items())),
            name="",
            address=sent.get("address", ""),
            longitude=longitude,
            latitude=latitude,
            category=category,
            category_text=sent.get("category", ""),
            host_key=host_of(sent, key),
        )
    record, _ = read_source_record(
        sent, key=key, kind=kind, longitude=longitude, latitude=latitude, category=category,
        is_other_trade=is_other_trade, kept_phones=kept_phones,
    )  # fmt: skip
    return record


def _sent_place(record: SourceRecord) -> tuple[BaseGeometry, Datum] | None:
    sent = dict(record.sent)
    if "datum" not in sent or record.longitude is None:
        return None
    if "geometry" in sent:
        return shapely.force_2d(shapely.from_wkt(sent["geometry"])), Datum(sent["datum"])
    return Point(float(sent["longitude"]), float(sent["latitude"])), Datum(sent["datum"])


def _outline(geometry: BaseGeometry, record: SourceRecord) -> BaseGeometry:
    if geometry.geom_type in _OUTLINES and geometry.is_valid and not geometry.is_empty:
        return geometry
    assert record.longitude is not None and record.latitude is not None
    return Point(record.longitude, record.latitude)
