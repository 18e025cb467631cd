"""What the register knows of a place, as the law of distance and the patterns of leads see it. Pure.

Each register's row says one thing: a business registration what the place is registered as and since when, licences
what it may sell and until when, police and POI providers what it is seen to be. An officer who was there knows better
than these last two.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from venues.category import VenueCategory
from venues.distance_ends import PlacedVenue
from venues.lead_pattern import VenueStanding
from venues.operator_papers import (
    LICENCES,
    OF_CULTURE,
    PresentOperator,
    licensed_categories,
    operator_papers,
    over_since,
    present_operator,
)
from venues.source_record import SourceKind, SourceRecord
from venues.venue_door import VenueDoor, doors_of_law

BEST_PLACE = (
    SourceKind.POLICE, SourceKind.POI, SourceKind.CULTURE_LICENCE, SourceKind.TOBACCO_LICENCE,
    SourceKind.BUSINESS_REGISTRATION,
)  # fmt: skip
"""Whose position is taken first, where none has an outline: as zones are chosen."""

OBSERVED = frozenset({SourceKind.POLICE, SourceKind.POI})
"""Registers of what somebody saw; the others have what a business said that it would be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRow:
    """One register's row of a place. ``imported_on``: a day of Asia/Shanghai; the geometry is WGS-84."""

    record: SourceRecord
    geometry: BaseGeometry | None
    imported_on: date
    data_on: date | None = None
    """As of which the register is known to say this."""

    @property
    def described_on(self) -> date:
        """The day as of which the row describes the place, at the latest."""
        return self.data_on or self.imported_on


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenOnSite:
    """What an officer found on a visit; ``on``: a day of Asia/Shanghai."""

    category: VenueCategory | None
    """``None``: nothing else than the place is registered as."""
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredPlace:
    """The rows that are one place now, and the id of the one that stands for it."""

    venue_id: str
    name: str
    address: str
    rows: tuple[RegisterRow, ...]
    doors: tuple[VenueDoor, ...] = ()
    seen: SeenOnSite | None = None
    """By the last officer who was there."""

    @property
    def categories(self) -> frozenset[VenueCategory]:
        """Registered and observed, all of them."""
        registered = (row.record for row in self.rows if row.record.kind not in OBSERVED)
        return categories_of(registered) | self.observed_as

    @property
    def observed_as(self) -> frozenset[VenueCategory]:
        """What the last officer on site found; before there was one, what police and POI records say."""
        if self.seen is not None:
            return frozenset() if self.seen.category is None else frozenset({self.seen.category})
        return categories_of(row.record for row in self.rows if row.record.kind in OBSERVED)

    @property
    def outline(self) -> BaseGeometry | None:
        """The best position: an outline rather than a point, then by register."""
        placed = [row for row in self.rows if row.geometry is not None]
        return min(placed, key=_rank).geometry if placed else None

    @property
    def point(self) -> Point | None:
        """A point of :attr:`outline`."""
        outline = self.outline
        return outline if outline is None or isinstance(outline, Point) else outline.representative_point()


def categories_of(records: Iterable[SourceRecord]) -> frozenset[VenueCategory]:
    """Every category that one of the records has."""
    return frozenset(record.category for record in records if record.category is not None)


def placed_venue(place: RegisteredPlace, *, division: str, on: date) -> PlacedVenue | None:
    """The venue as the law of distance sees it on the day ``on``; ``None`` for a place without position or category.

    It is measured from the doors that customers use that day. Whose papers count where operators followed one another:
    ``venues.operator_papers``.
    """
    outline, point = place.outline, place.point
    if outline is None or point is None or not place.categories:
        return None
    papers = operator_papers([row.record for row in place.rows])
    return PlacedVenue(
        venue_id=place.venue_id,
        name=place.name,
        categories=place.categories,
        division=division,
        longitude=point.x,
        latitude=point.y,
        doors=doors_of_law(place.doors, on=on),
        footprint=outline if isinstance(outline, Polygon | MultiPolygon) else None,
        established_on=papers.established_on,
        licences=papers.licences,
        data_on=max(row.described_on for row in place.rows),
        is_dated_by_import=max(place.rows, key=lambda row: row.described_on).data_on is None,
        ended_categories=ended_categories(place, on=on),
    )


def ended_categories(place: RegisteredPlace, *, on: date) -> frozenset[VenueCategory]:
    """Those of the place's categories of which nobody says that it still trades as these on the day ``on``.

    Registrations and licences that give them were revoked or deregistered or ran out, or are of a business that is over
    or of a former operator; no police or map record has them, and no visit since the last of these ends saw them. A
    visit that found nothing else than is registered bears out what the present operator is registered as.
    """
    records = [row.record for row in place.rows]
    present = present_operator(records, on=on)
    papers = [(one, _end(one, records, present, on)) for one in records if one.kind not in OBSERVED]
    ended = place.categories - categories_of(one for one, end in papers if end is None)
    seen = place.seen
    by_others = categories_of(one for one in records if one.kind in OBSERVED and not one.is_over(on))
    if seen is None:
        return ended - by_others
    if seen.category is None:
        told = categories_of(one for one, _ in papers if one in present.records)
    else:
        told = frozenset({seen.category})
        by_others &= told
    later = categories_of(one for one, end in papers if end is not None and end > seen.on)
    return ended - by_others - (told - later)


def _end(record: SourceRecord, records: Sequence[SourceRecord], present: PresentOperator, on: date) -> date | None:
    """The day by which what a record says was no longer so; ``None`` if it is so on the day ``on``."""
    days = [
        record.valid_to if record.valid_to is not None and record.valid_to < on else None,
        over_since(records, record.uscc, on=on),
        None if record in present.records else present.since or on,
    ]
    return min((day for day in days if day is not None), default=None)


def standing_of(place: RegisteredPlace, *, on: date) -> VenueStanding:
    """What registers and observers say the place is on the day ``on``, by the papers of its present operator.

    Licences are those that run; what a former operator was registered as or licensed for says nothing of this one.
    """
    present = present_operator([row.record for row in place.rows], on=on).records
    registrations = [one for one in present if one.kind is SourceKind.BUSINESS_REGISTRATION]
    worded = [one for one in registrations if one.category_text]
    is_read = all(one.category is not None or one.is_other_trade for one in worded)
    return VenueStanding(
        venue_id=place.venue_id,
        name=place.name,
        registered_as=categories_of(registrations),
        registered_zh="、".join(dict.fromkeys(one.category_text for one in worded)) if is_read else "",
        observed_as=place.observed_as - ended_categories(place, on=on),
        licensed_for=frozenset().union(
            *(licensed_categories(one) for one in present if one.kind in LICENCES and _runs(one, on))
        ),
    )


def licences_on_file(places: Iterable[RegisteredPlace]) -> frozenset[VenueCategory]:
    """The categories whose licences the register holds at all: of others a missing licence says nothing."""
    kinds = {row.record.kind for place in places for row in place.rows}
    found: frozenset[VenueCategory] = frozenset()
    if SourceKind.TOBACCO_LICENCE in kinds:
        found |= {VenueCategory.TOBACCO}
    if SourceKind.CULTURE_LICENCE in kinds:
        found |= OF_CULTURE
    return found


def _runs(record: SourceRecord, on: date) -> bool:
    begun = record.valid_from is None or record.valid_from <= on
    return begun and (record.valid_to is None or on <= record.valid_to)


def _rank(row: RegisterRow) -> tuple[bool, int, str, str]:
    key = row.record.key
    return isinstance(row.geometry, Point), BEST_PLACE.index(row.record.kind), key.source, key.source_id
