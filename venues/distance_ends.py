"""What a distance is measured between: campuses with their boundary and gates, venues with their doors. Pure values.

All coordinates are WGS-84 degrees. Each end says how wrong its place may be (``error_m``), and where that is not known
the policy's assumption for its kind counts; a finding is only as sure as both ends together.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from shapely.geometry import MultiPolygon, Polygon

from venues.canonical_json import CAME_LATER
from venues.category import FOOTPRINT_MARGIN_M, POINT_FOOTPRINT_M, SiteCategory, VenueCategory


class GateKind(StrEnum):
    """Whom a gate is for."""

    STUDENT = "student"  # 学生出入
    SERVICE = "service"  # 后勤、车辆
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate of a campus. Closing it changes ways on foot only: the opening in the wall is where it was."""

    gate_id: str
    longitude: float
    latitude: float
    kind: GateKind = GateKind.UNKNOWN
    is_closed: bool = False
    """Locked for good or for now: nobody walks through it."""
    error_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Campus:
    """One piece of a school's ground."""

    campus_id: str
    longitude: float
    latitude: float
    """A point of the campus; all that is known of one that nobody drew."""
    boundary: Polygon | MultiPolygon | None = None
    gates: tuple[Gate, ...] = ()
    has_all_gates: bool = False
    """An office said that these are all; else another one may be anywhere in the wall."""
    error_m: float | None = None
    """Of the boundary or, without one, of the point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedSite:
    """A school or kindergarten with its campuses, at least one."""

    site_id: str
    name: str
    category: SiteCategory
    campuses: tuple[Campus, ...]
    opened_on: date | None = None
    data_on: date | None = None
    """As of which day its records and gates describe it: of those that say least of their day."""
    is_dated_by_import: bool = False
    """No source named that day: ``data_on`` is the day of the import, and what it says may be older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One entrance of a venue that guests use."""

    door_id: str
    longitude: float
    latitude: float
    is_main: bool = True
    error_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Licence:
    """A licence of the operator: what it is for, and its days."""

    categories: frozenset[VenueCategory]
    valid_from: date
    """When it was granted; a renewal counts as a grant."""
    valid_to: date | None = None
    """Its last day; ``None`` if nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedVenue:
    """A venue as the law of distance sees it."""

    venue_id: str
    name: str
    categories: frozenset[VenueCategory]
    """Registered and observed: a restaurant seen to be a bar is bound by the rules on bars."""
    division: str
    """Code (GB/T 2260) of six digits of the place: whose rules bind it."""
    longitude: float
    latitude: float
    doors: tuple[Door, ...] = ()
    footprint: Polygon | MultiPolygon | None = None
    error_m: float | None = None
    """Of the footprint or, without one, of the point (geocoding)."""
    established_on: date | None = None
    """Since when this operator is at this place."""
    licences: tuple[Licence, ...] = ()
    """Of this operator: what a licence for one category lets stay says nothing of another."""
    data_on: date | None = None
    """The day as of which the registers describe it, the newest of them."""
    is_dated_by_import: bool = False
    """As of a site."""
    ended_categories: frozenset[VenueCategory] = field(default=frozenset(), metadata=CAME_LATER)
    """Those of :attr:`categories` that only papers tell which have ended: whether it still trades as these, nobody
    said since."""

    def licence_for(self, category: VenueCategory, *, on: date) -> Licence | None:
        """The licence for a category that was granted last by the day ``on``, or else the next one."""
        held = [licence for licence in self.licences if category in licence.categories]
        granted = [licence for licence in held if licence.valid_from <= on]
        return max(granted, key=_days_of) if granted else min(held, key=_days_of, default=None)


def _days_of(licence: Licence) -> tuple[date, date]:
    return licence.valid_from, licence.valid_to or date.min


@dataclass(frozen=True, slots=True, kw_only=True)
class DistancePolicy:
    """Assumptions where a record says nothing, and how far to look. Part of every measurement."""

    version: str = "2026-11"
    door_error_m: float = 5.0
    """Of a door marked on a map."""
    venue_error_m: float = FOOTPRINT_MARGIN_M
    """Of a venue's footprint or point."""
    gate_error_m: float = 5.0
    boundary_error_m: float = 5.0
    site_point_error_m: float = 15.0
    point_extent_m: float = POINT_FOOTPRINT_M
    """How far the wall or door of a venue may be from its only point."""
    campus_extent_m: float = 150.0
    """How far the wall of a school may be from its only point."""
    walk_limit_m: float = 600.0
    """Ways longer than this are not measured, and said to be longer."""
