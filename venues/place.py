"""A venue, a protected site and an incident at a venue, as values."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from shapely.geometry.base import BaseGeometry

from geo.datum import Datum
from venues.category import SiteCategory, VenueCategory


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceKey:
    """Where a record came from: re-import of the same key updates and never duplicates."""

    source: str
    """Name of the register or file, e.g. ``osm`` or ``amap``."""
    source_id: str
    """The record's own id there, e.g. ``node/32850098``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDay:
    """As of which day (Asia/Shanghai) a source describes something."""

    on: date
    is_by_import: bool = False
    """The source names none: it is the day of the import, and what is said may be older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A place of a category, as imported. Geometry is WGS-84 (EPSG:4326): Point, Polygon or MultiPolygon."""

    key: SourceKey
    name: str
    category: VenueCategory
    geometry: BaseGeometry
    raw_geometry: BaseGeometry
    """As sent, in ``datum``."""
    datum: Datum
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A protected place. Geometry is WGS-84 (EPSG:4326): boundary polygon where known, else a point."""

    key: SourceKey
    name: str
    category: SiteCategory
    geometry: BaseGeometry
    raw_geometry: BaseGeometry
    datum: Datum
    opened_on: date | None = None
    """First day of teaching there, as far as its source says."""
    described: DataDay | None = field(default=None, compare=False)
    """Of one in the register."""


class IncidentKind(StrEnum):
    """What happened at a venue (reference/domain.md 1.2: 涉未警情、行政处罚、刑事犯罪)."""

    POLICE_CALL = "police_call"  # 警情
    PENALTY = "penalty"  # 行政处罚
    CRIMINAL_CASE = "criminal_case"  # 刑事案件


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueIncident:
    """One police call, penalty or criminal case at a venue."""

    key: SourceKey
    venue_key: SourceKey
    kind: IncidentKind
    occurred_at: datetime
    """Aware."""
    involves_minor: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A source row that could not be taken, and what to do about it."""

    line: int
    """1-based line or record number in the source."""
    reference: str
    """The row's own id if it has one, else an empty string."""
    field: str
    value: str
    reason: str
    """In plain words: what is wrong and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesRead:
    """What a file of places gave: the good rows, the rejected ones, and the ones that are not places of ours."""

    venues: tuple[Venue, ...] = ()
    sites: tuple[Site, ...] = ()
    rejected: tuple[Rejected, ...] = field(default=())
    set_aside: tuple[Rejected, ...] = ()
    """Days that are none: the row was taken without them."""
    ignored_count: int = 0
    """Rows whose tag or code the mapping does not name (a bank, a bench): neither an error nor a place of ours."""
    ignored_ids: frozenset[str] = frozenset()
    """Their ids, as far as they have one: they are in the file all the same."""
