"""Whether two numbers can be a position at all, in any datum: off the Earth, swapped, or the 0,0 of "no position"."""

from dataclasses import dataclass

NULL_ISLAND_DEG = 0.01
"""About a kilometre round 0,0, where no supervised person and no venue is."""

_ARCTIC_DEG = 73.4  # the west end of China as a longitude; nobody lives so far north between the two below
_SWAPPED_LATITUDES = (18.0, 53.6)  # of China, found in the longitude; Svalbard (10-17 E) stays out of it


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionFault:
    """Why two numbers are no position. ``field`` is ``longitude`` or ``latitude``; ``reason`` has no number in it."""

    field: str
    reason: str


SWAPPED = PositionFault(
    field="latitude",
    reason="经纬度疑似颠倒，请互换 / longitude and latitude look swapped: exchange the two",
)
_OUT_OF_RANGE = "坐标超出范围 / out of range: degrees are needed, longitude within ±180, latitude within ±90"
LONGITUDE_OFF_EARTH = PositionFault(field="longitude", reason=_OUT_OF_RANGE)
LATITUDE_OFF_EARTH = PositionFault(field="latitude", reason=_OUT_OF_RANGE)
NULL_ISLAND = PositionFault(
    field="longitude",
    reason="坐标为 0,0，即无定位 / the position is 0,0, which means no position: leave it out",
)


def find_position_fault(*, longitude: float, latitude: float) -> PositionFault | None:
    """What is wrong with a position (degrees, any datum), or ``None``. NaN is off the Earth.

    Swapped: impossible as it stands and possible the other way round, or in the empty Arctic and, exchanged, in China.
    """
    on_earth = abs(longitude) <= 180.0 and abs(latitude) <= 90.0
    low, high = _SWAPPED_LATITUDES
    if (not on_earth and abs(longitude) <= 90.0 and abs(latitude) <= 180.0) or (
        on_earth and latitude >= _ARCTIC_DEG and low <= longitude <= high
    ):
        return SWAPPED
    if not on_earth:
        return LATITUDE_OFF_EARTH if abs(longitude) <= 180.0 else LONGITUDE_OFF_EARTH
    if abs(longitude) < NULL_ISLAND_DEG and abs(latitude) < NULL_ISLAND_DEG:
        return NULL_ISLAND
    return None
