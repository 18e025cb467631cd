"""What of a source record tells whether another one is about the same venue. Pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from venues.address import parse_address
from venues.licence import is_shared_line
from venues.names import parse_name
from venues.source_record import LICENCE_FIELDS, SourceRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """One record in the spelling in which it is compared; an empty text, ``None`` or no phone is: not known."""

    record_id: UUID
    source: str
    """Name of its register; two registers of one kind are two sources."""
    full_name: str
    core_name: str
    branch: str = ""
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
