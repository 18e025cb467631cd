"""What the register knows of a place, as the law of distance and the patterns of leads see it. Pure.

Each register's row says one thing: a business registration what the place is registered as and since when, licences
what it may sell and until when, police and POI providers what it is seen to be. An officer who was there knows better
than these last two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from venues.calendar_day import day_after
from venues.category import VenueCategory
from venues.distance_ends import PlacedVenue
from venues.lead_pattern import VenueStanding
from venues.operator_papers import (
    LICENCES,
    OF_CULTURE,
    PresentOperator,
    is_begun,
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

_ON_FILE = {SourceKind.TOBACCO_LICENCE: frozenset({VenueCategory.TOBACCO}), SourceKind.CULTURE_LICENCE: OF_CULTURE}
"""What a register of licences has all of."""

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
    visits: tuple[SeenOnSite, ...] = ()
    """Of officers, the one that counts first, which is the last."""
    further_ids: frozenset[str] = frozenset()
    """Ids of what its rows are beside their first category: venues and zones of their own, and this place by law."""

    @property
    def seen(self) -> SeenOnSite | None:
        """By the last officer who was there."""
        return self.visits[0] if self.visits else None

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

    def by(self, day: date) -> "RegisteredPlace":
        """The place without the rows that begin, and the visits that were made, after a day."""
        rows = tuple(row for row in self.rows if is_begun(row.record, day))
        visits = tuple(visit for visit in self.visits if visit.on <= day)
        return self if (rows, visits) == (self.rows, self.visits) else replace(self, rows=rows, visits=visits)

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

    What began after the day is left out, but for the position, which a place has always had. It is measured from the
    doors that customers use that day. Whose papers count where operators followed one another:
    ``venues.operator_papers``.
    """
    outline, point, then = place.outline, place.point, place.by(on)
    if outline is None or point is None or not then.categories:
        return None
    papers = operator_papers([row.record for row in then.rows], on=on)
    return PlacedVenue(
        venue_id=place.venue_id,
        name=place.name,
        categories=then.categories,
        division=division,
        longitude=point.x,
        latitude=point.y,
        doors=doors_of_law(place.doors, on=on),
        footprint=outline if isinstance(outline, Polygon | MultiPolygon) else None,
        established_on=papers.established_on,
        licences=papers.licences,
        data_on=max(row.described_on for row in place.rows),
        is_dated_by_import=max(place.rows, key=lambda row: row.described_on).data_on is None,
        ended_categories=ended_categories(then, on=on),
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


def days_of_change(place: RegisteredPlace, *, since: date, until: date) -> frozenset[date]:
    """The days after ``since``, up to ``until``, on which the law may say otherwise of the place than the day before.

    Rows, doors and visits begin or have ended, and of it something differs, or a licence has run out.
    """
    spans = [(row.record.valid_from, row.record.valid_to) for row in place.rows]
    spans += [(None, row.record.ended_on) for row in place.rows]
    spans += [(door.valid_from, door.valid_to) for door in place.doors]
    days = {first for first, _ in spans} | {day_after(last) for _, last in spans} | {one.on for one in place.visits}
    found = {day for day in days if day is not None and since < day <= until}
    return frozenset(day for day in found if _is_changed(place, day))


def _is_changed(place: RegisteredPlace, day: date) -> bool:
    eve = day - timedelta(days=1)
    before, after = (placed_venue(place, division="", on=each) for each in (eve, day))
    has_run_out = before is not None and any(licence.valid_to == eve for licence in before.licences)
    return has_run_out or before != after


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


def licences_on_file(
    places: Iterable[RegisteredPlace], divisions: Mapping[str, str]
) -> Mapping[str, frozenset[VenueCategory]]:
    """By city, the categories whose licences the register holds there: elsewhere a missing licence says nothing.

    ``divisions``: by id of the venue its division, six digits; a place without one lies in no city. A city is named by
    :func:`city_of`, and one of which the register holds no licence is left out.
    """
    found: dict[str, frozenset[VenueCategory]] = {}
    for place in places:
        if (division := divisions.get(place.venue_id)) is not None:
            for kind in {row.record.kind for row in place.rows} & _ON_FILE.keys():
                found[city_of(division)] = found.get(city_of(division), frozenset()) | _ON_FILE[kind]
    return found


def city_of(division: str) -> str:
    """The first four digits of a division's code (GB/T 2260): a city imports its registers by itself."""
    return division[:4]


def _runs(record: SourceRecord, on: date) -> bool:
    return is_begun(record, on) and (record.valid_to is None or on <= record.valid_to)


def _rank(row: RegisterRow) -> tuple[bool, int, str, str]:
    key = row.record.key
    return isinstance(row.geometry, Point), BEST_PLACE.index(row.record.kind), key.source, key.source_id
