"""What of a source record tells whether another one is about the same venue. Pure."""

from dataclasses import dataclass
from datetime import date
from math import cos, hypot, radians
from uuid import UUID

from venues.address import parse_address
from venues.divisions import UNTOLD, Division, read_division
from venues.licence import is_shared_line
from venues.names import parse_name
from venues.source_record import LICENCE_FIELDS, SourceRecord

NEAR_M = 1000.0
"""Two records of one venue are no farther apart than this; geocoded addresses are off by some 600 m at times."""

_METRES_PER_DEGREE = 111_195.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One record in the spelling in which it is compared; an empty text, ``None`` or no phone is: not known."""

    record_id: UUID
    source: str
    """Name of its register; two registers of one kind are two sources."""
    full_name: str
    core_name: str
    branch: str = ""
    division: Division = UNTOLD
    road: str = ""
    number: str = ""
    building: str = ""
    floor: int | None = None
    unit: str = ""
    longitude: float | None = None
    latitude: float | None = None
    """WGS-84 degrees."""
    category: str = ""
    uscc: str = ""
    tobacco_licence: str = ""
    culture_licence: str = ""
    phones: tuple[str, ...] = ()
    """Without the switchboards of chains."""
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def licences(self) -> tuple[tuple[str, str], ...]:
        """Field and value of each licence that it has."""
        return tuple((field, getattr(self, field)) for field in LICENCE_FIELDS if getattr(self, field))


def traits_of(record: SourceRecord) -> Traits:
    """The record's traits."""
    name, address = parse_name(record.name), parse_address(record.address)
    return Traits(
        record_id=record.record_id,
        source=record.key.source,
        full_name=name.normal,
        core_name=name.core,
        branch=name.branch,
        division=read_division(address.division),
        road=address.road if address.is_located else "",
        number=address.number if address.is_located else "",
        building=address.building,
        floor=address.floor,
        unit=address.unit,
        longitude=record.longitude,
        latitude=record.latitude,
        category=record.category or record.category_text,
        uscc=record.uscc,
        tobacco_licence=record.tobacco_licence,
        culture_licence=record.culture_licence,
        phones=tuple(phone for phone in record.phones if not is_shared_line(phone)),
        valid_from=record.valid_from,
        valid_to=record.valid_to,
    )


def are_near(one: Traits, other: Traits) -> bool | None:
    """Whether two records can be about one place: by their positions, else by their counties; ``None``: not known."""
    distance_m = _distance_m(one, other)
    if distance_m is not None:
        return distance_m <= NEAR_M
    if one.division.is_other_county(other.division):
        return False
    return True if one.division.is_county and other.division.is_county else None


def _distance_m(one: Traits, other: Traits) -> float | None:
    """As ``venues.identity_model.DISTANCE_M`` has it."""
    if one.longitude is None or one.latitude is None or other.longitude is None or other.latitude is None:
        return None
    shrunk = cos(radians((one.latitude + other.latitude) / 2.0))
    return _METRES_PER_DEGREE * hypot((one.longitude - other.longitude) * shrunk, one.latitude - other.latitude)
