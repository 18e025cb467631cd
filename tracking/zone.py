"""A zone: a shape that a condition, a venue, a site or a supervisor gives a meaning to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from geo.shapes import Shape
from venues.category import SiteCategory, VenueCategory


class ZoneKind(StrEnum):
    """Whether being inside or being outside is the breach."""

    EXCLUSION = "exclusion"
    INCLUSION = "inclusion"


class ZoneOrigin(StrEnum):
    """What made the zone; orders the rules where several apply to one place."""

    CONDITION = "condition"  # drawn for one order
    SUPERVISOR = "supervisor"
    BOUNDARY = "boundary"  # an administrative division
    SITE = "site"
    VENUE = "venue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One version of a zone. A changed shape is a new ``zone_no`` with the next ``version`` of the same ``zone_id``.

    It governs fixes taken from ``in_force_from`` to before ``in_force_to``: aware, event time, ``None`` without end.
    """

    zone_no: int
    zone_id: UUID
    version: int
    kind: ZoneKind
    origin: ZoneOrigin
    name: str
    shape: Shape
    category: VenueCategory | SiteCategory | None = None
    first_no: int | None = None
    """``zone_no`` of the first version of this ``zone_id``; ``None`` if this is it."""
    in_force_from: datetime | None = None
    in_force_to: datetime | None = None
    recorded_at: datetime | None = None
    """When this version became known to the system: a finding by it cannot have been known earlier."""

    @property
    def key(self) -> int:
        """The number that all versions of the zone share."""
        return self.zone_no if self.first_no is None else self.first_no
