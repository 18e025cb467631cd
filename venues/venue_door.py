"""Doors of venues as registered: for whom each is, and since when it is known to be there. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shapely.geometry import Point

from geo.datum import Datum
from venues.distance_ends import Door
from venues.place import SourceKey


class DoorKind(StrEnum):
    """Whom a door is for; the values are stored."""

    CUSTOMERS = "customers"  # 顾客出入
    SERVICE = "service"  # 员工、后勤、货物、紧急出口
    CLOSED = "closed"  # 封闭


DOOR_KIND_NAMES_ZH: dict[DoorKind, str] = {
    DoorKind.CUSTOMERS: "顾客",
    DoorKind.SERVICE: "后勤",
    DoorKind.CLOSED: "封闭",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueDoor:
    """One door in the register; longitude and latitude are WGS-84 degrees, days are calendar days in China."""

    key: SourceKey
    kind: DoorKind
    longitude: float
    latitude: float
    raw: Point
    """As sent, in ``datum``."""
    datum: Datum
    venue_key: SourceKey | None = None
    """The record of a venue that its row names; ``None`` leaves it to the outlines."""
    is_main: bool = False
    error_m: float | None = None
    valid_from: date | None = None
    """Known to be there from this day; ``None``: not known since when."""
    valid_to: date | None = None
    """Its last day; ``None`` if it goes on."""

    def is_used(self, on: date) -> bool:
        """Whether customers go through it on the day ``on``, as far as is known."""
        begun = self.valid_from is None or self.valid_from <= on
        return self.kind is DoorKind.CUSTOMERS and begun and (self.valid_to is None or on <= self.valid_to)


def doors_of_law(doors: Iterable[VenueDoor], *, on: date) -> tuple[Door, ...]:
    """The doors that distances are measured from on the day ``on``: those that customers use."""
    return tuple(
        Door(
            door_id=f"{door.key.source}/{door.key.source_id}",
            longitude=door.longitude,
            latitude=door.latitude,
            is_main=door.is_main,
            error_m=door.error_m,
        )
        for door in doors
        if door.is_used(on)
    )
