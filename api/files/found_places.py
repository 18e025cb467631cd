"""Records that say what and where they are, checked one against the others and brought to WGS-84."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry import GeometryCollection
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from api.files.cells import CellError, check_position, check_storable, parse_optional_day
from api.files.tables import Progress, counted
from geo.datum import Datum, geometry_to_wgs84
from venues.category import SiteCategory, VenueCategory
from venues.mapping import Decision, NotAPlace
from venues.place import PlacesRead, Rejected, Site, SourceKey, Venue
from venues.row_id import further_id

NO_CATEGORY = "类别为空或无法识别 / no category, or one that the mapping does not know: mend it, or the mapping"
_PLACE_GEOMETRIES = ("Point", "Polygon", "MultiPolygon")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlace:
    """One record as its file has it. ``geometry`` is longitude, latitude in degrees of ``datum``."""

    line: int
    source_id: str
    name: str
    address: str
    decision: Decision
    category_text: str
    """What the file wrote as its category, for the report."""
    geometry: BaseGeometry
    datum: Datum
    opened_on: str = ""
    further: tuple[Decision, ...] = ()
    """What its codes say it is beside ``decision``."""

    @property
    def kinds(self) -> tuple[tuple[str, VenueCategory | SiteCategory], ...]:
        """Id and category of each place that it is: the first venue and the only site have the record's own id."""
        said = (self.decision, *self.further)
        venues = [each for each in said if isinstance(each, VenueCategory)]
        sites = [each for each in said if isinstance(each, SiteCategory)]
        own: list[VenueCategory | SiteCategory] = [*venues[:1], *sites[:1]]
        return (
            *((self.source_id, each) for each in own),
            *((further_id(self.source_id, each), each) for each in venues[1:]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """One record that is no place of ours."""

    source_id: str


Taken = FoundPlace | Rejected | Ignored


def gather_places(taken: Iterable[Taken], *, source: str, progress: Progress | None) -> PlacesRead:
    """Every record of one file, checked in order; ``source`` is the register's name. The first of an id is kept."""
    good: dict[str, FoundPlace] = {}
    rejected: list[Rejected] = []
    ignored: list[str] = []
    for record in counted(taken, progress):
        if isinstance(record, Ignored):
            ignored.append(record.source_id)
        elif isinstance(record, Rejected):
            rejected.append(record)
        else:
            try:
                _check(record, good)
                good |= {source_id: record for source_id, _ in record.kinds}
            except CellError as error:
                rejected.append(error.rejected(line=record.line, reference=record.source_id))
    records = [record for source_id, record in good.items() if source_id == record.source_id]
    places = _places(records, source=source)
    set_aside = [problem for record in records if (problem := _wrong_day(record)) is not None]
    return PlacesRead(
        venues=tuple(place for place in places if isinstance(place, Venue)),
        sites=tuple(place for place in places if isinstance(place, Site)),
        rejected=tuple(rejected),
        set_aside=tuple(set_aside),
        ignored_count=len(ignored),
        ignored_ids=frozenset(ignored) - {""},
    )


def check_place_geometry(geometry: BaseGeometry) -> None:
    """Raises CellError unless ``geometry`` (degrees) is a valid Point, Polygon or MultiPolygon on Earth, not at 0,0."""
    if geometry.geom_type not in _PLACE_GEOMETRIES:
        reason = "几何类型不是点或面 / not a point or an area: a place is a Point, Polygon or MultiPolygon"
        raise CellError(field="geometry", value=geometry.geom_type, reason=reason)
    if geometry.is_empty:
        reason = "几何为空 / empty geometry: draw it or leave it out"
        raise CellError(field="geometry", value=geometry.geom_type, reason=reason)
    west, south, east, north = geometry.bounds
    check_position(longitude=west, latitude=south)
    check_position(longitude=east, latitude=north)
    if not geometry.is_valid:
        reason = "几何无效 / invalid geometry: mend it in a GIS (make valid) and import again"
        raise CellError(field="geometry", value=explain_validity(geometry), reason=reason)


def _check(record: FoundPlace, good: Mapping[str, FoundPlace]) -> None:
    """Raises CellError with the first thing that is wrong with ``record``."""
    if not record.source_id:
        raise CellError(field="id", value="", reason="编号为空 / empty id: without it a re-import would make a double")
    check_storable({"id": record.source_id, "name": record.name, "address": record.address})
    if isinstance(record.decision, NotAPlace):
        raise CellError(field="category", value=record.category_text, reason=NO_CATEGORY)
    if (twice := next((source_id for source_id, _ in record.kinds if source_id in good), None)) is not None:
        line = good[twice].line
        reason = f"编号重复，已保留第 {line} 行 / duplicate id: line {line} was kept"
        raise CellError(field="id", value=twice, reason=reason)
    check_place_geometry(record.geometry)


def _places(records: Sequence[FoundPlace], *, source: str) -> list[Venue | Site]:
    """The records as places, in their order. One call per datum: one per place costs 14 times more."""
    places: dict[str, list[Venue | Site]] = {}
    for datum in dict.fromkeys(record.datum for record in records):
        group = [record for record in records if record.datum is datum]
        raw = [shapely.force_2d(record.geometry) for record in group]
        moved = shapely.get_parts(geometry_to_wgs84(GeometryCollection(raw), datum))
        for record, as_sent, geometry in zip(group, raw, moved, strict=True):
            places[record.source_id] = [
                _place(
                    record,
                    key=SourceKey(source=source, source_id=source_id),
                    category=category,
                    raw=as_sent,
                    geometry=geometry,
                )
                for source_id, category in record.kinds
            ]
    return [place for record in records for place in places[record.source_id]]


def _place(
    record: FoundPlace,
    *,
    key: SourceKey,
    category: VenueCategory | SiteCategory,
    raw: BaseGeometry,
    geometry: BaseGeometry,
) -> Venue | Site:
    if isinstance(category, VenueCategory):
        return Venue(
            key=key,
            name=record.name,
            category=category,
            geometry=geometry,
            raw_geometry=raw,
            datum=record.datum,
            address=record.address,
        )
    return Site(
        key=key,
        name=record.name,
        category=category,
        geometry=geometry,
        raw_geometry=raw,
        datum=record.datum,
        opened_on=None if _wrong_day(record) else parse_optional_day(record.opened_on, field="opened_on"),
    )


def _wrong_day(record: FoundPlace) -> Rejected | None:
    """A school is a school without the day on which it opened."""
    if any(isinstance(category, SiteCategory) for _, category in record.kinds):
        try:
            parse_optional_day(record.opened_on, field="opened_on")
        except CellError as error:
            return error.rejected(line=record.line, reference=record.source_id)
    return None
