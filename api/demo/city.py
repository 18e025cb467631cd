"""云泽市（合成）, a city that does not exist: streets, venues, schools, incidents and boundaries from one seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from shapely.geometry import LineString, MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from api.demo.incidents import build_incidents
from api.demo.plane import Metres, Plane
from api.demo.schools import Gate, build_schools
from api.demo.shops import Spot, bar_lane_mouth, build_venues
from api.demo.streets import COLUMN_NAMES, ROW_NAMES, StreetNetwork, build_network
from venues.category import VenueCategory
from venues.place import Site, Venue, VenueIncident

CITY_NAME = "云泽市（合成）"
SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING_STARTS_AT = datetime(2026, 3, 20, 18, tzinfo=SHANGHAI)
"""Friday 18:00, the first minute of the demo; nothing in the city's record is later."""
_Place = TypeVar("_Place")
ORIGIN = Plane(longitude=117.2, latitude=34.26)
BUS_STOP = "解放路酒坊巷口公交站"
OUT_OF_TOWN = "临湖镇（合成）"
RESIDENCE = "锦湖小区"
HOME_BY_BAR = "枫林苑"
_IN_BLOCK: dict[str, tuple[int, int]] = {
    "春晖里": (13, 10),
    "师苑小区": (10, 4),
    "锦绣苑": (15, 5),
    HOME_BY_BAR: (4, 9),
    "永安新村": (11, 2),
    "东风小区": (15, 8),
    "湖滨花园": (4, 4),
    RESIDENCE: (14, 12),
    "北园里": (2, 11),
    "矿务局宿舍": (5, 4),
    "文庙公园": (10, 12),
    "云泽超市": (13, 11),
    "学友书店": (14, 4),
    "朝阳街面馆": (6, 2),
    "滨河广场": (6, 10),
}
"""Homes and other harmless places, each in the southern half of a block (column, row)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """A harmless place where people of the demo stay; ``point_m`` is metres on the city's plane."""

    name: str
    point_m: Metres


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """One unbroken piece of a street or a bridge; ``line`` is WGS-84."""

    street_id: str
    name: str
    kind: str
    """``main_road``, ``branch_road`` or ``bridge``."""
    line: LineString


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class City:
    """All that exists. Geometry is WGS-84 but for ``network`` and ``landmarks``, which are metres on ``plane``."""

    name: str
    plane: Plane
    network: StreetNetwork
    streets: tuple[Street, ...]
    river: Polygon
    venues: tuple[Venue, ...]
    sites: tuple[Site, ...]
    gates: tuple[Gate, ...]
    incidents: tuple[VenueIncident, ...]
    landmarks: tuple[Landmark, ...]
    city_boundary: Polygon
    district_boundary: Polygon
    residence_boundary: Polygon
    """The housing estate in which one person must stay under residential surveillance."""

    def venue(self, source_id: str) -> Venue:
        """The venue with that id, or ``KeyError``."""
        return _one(source_id, [venue for venue in self.venues if venue.key.source_id == source_id])

    def site(self, source_id: str) -> Site:
        """The school or kindergarten with that id, or ``KeyError``."""
        return _one(source_id, [site for site in self.sites if site.key.source_id == source_id])

    def gate(self, source_id: str) -> Gate:
        """The gate with that id, or ``KeyError``."""
        return _one(source_id, [gate for gate in self.gates if gate.key.source_id == source_id])

    def landmark(self, name: str) -> Landmark:
        """The landmark of that name, or ``KeyError``."""
        return _one(name, [landmark for landmark in self.landmarks if landmark.name == name])

    def metres(self, shape: BaseGeometry) -> Metres:
        """The middle of a WGS-84 shape, in metres on the plane."""
        middle = self.plane.shape_to_metres(shape.centroid)
        return middle.x, middle.y


def build_city(seed: int = 7) -> City:
    """Draw the whole city. The same seed gives the same city; ids of the places the evening needs never change."""
    network = build_network(np.random.default_rng([seed, 1]))
    sites, gates = build_schools(network, ORIGIN, np.random.default_rng([seed, 2]))
    landmarks = _landmarks(network)
    fixed = _fixed_spots(network)
    clear_m = [landmark.point_m for landmark in landmarks] + [spot.point_m for spot in fixed]
    grounds_m = [ORIGIN.shape_to_metres(site.geometry) for site in sites if isinstance(site.geometry, Polygon)]
    venues = build_venues(network, ORIGIN, fixed, clear_m, grounds_m, np.random.default_rng([seed, 3]))
    boundary_m = _city_boundary(np.random.default_rng([seed, 4]))
    (estate,) = (landmark for landmark in landmarks if landmark.name == RESIDENCE)
    return City(
        name=CITY_NAME,
        plane=ORIGIN,
        network=network,
        streets=_streets(network),
        river=ORIGIN.shape_to_wgs84(network.river_m),
        venues=venues,
        sites=sites,
        gates=gates,
        incidents=build_incidents(venues, EVENING_STARTS_AT, np.random.default_rng([seed, 5])),
        landmarks=landmarks,
        city_boundary=ORIGIN.shape_to_wgs84(boundary_m),
        district_boundary=ORIGIN.shape_to_wgs84(_east_of(network.river_m, boundary_m)),
        residence_boundary=ORIGIN.shape_to_wgs84(_estate(estate.point_m)),
    )


def _one(reference: str, found: list[_Place]) -> _Place:
    if len(found) != 1:
        raise KeyError(f"{reference!r} names {len(found)} places of the city, not one")
    return found[0]


def _landmarks(network: StreetNetwork) -> tuple[Landmark, ...]:
    mouth_east_m, mouth_north_m = bar_lane_mouth(network)
    road_end_east_m, road_end_north_m = (float(value) for value in network.nodes_m[-1])
    placed = [
        Landmark(name=name, point_m=network.in_block(column, row, 0.5, 0.27))
        for name, (column, row) in _IN_BLOCK.items()
    ]
    return (
        *placed,
        Landmark(name=BUS_STOP, point_m=(mouth_east_m - 14.0, mouth_north_m - 6.0)),
        Landmark(name=OUT_OF_TOWN, point_m=(road_end_east_m, road_end_north_m + 25.0)),
    )


def _fixed_spots(network: StreetNetwork) -> tuple[Spot, ...]:
    """Venues that the evening needs, and a few that stand too near to a school."""
    home_east_m, home_north_m = network.in_block(*_IN_BLOCK[HOME_BY_BAR], 0.5, 0.27)
    by_street = (
        ("venue/bar-harbour", "老码头酒吧", VenueCategory.BAR, 5, 6),
        ("venue/cafe-station", "极光网吧（车站店）", VenueCategory.INTERNET_CAFE, 5, 2),
        ("venue/cafe-corner", "飞鱼网咖（中枢街店）", VenueCategory.INTERNET_CAFE, 12, 4),
        ("venue/by-school-1", "零点网吧（职校店）", VenueCategory.INTERNET_CAFE, 16, 12),
        ("venue/by-school-2", "顺达烟酒店", VenueCategory.TOBACCO, 14, 8),
        ("venue/by-school-3", "学府电子烟专卖", VenueCategory.TOBACCO, 9, 10),
        ("venue/by-school-4", "聚缘烟酒商行", VenueCategory.TOBACCO, 2, 5),
        ("venue/by-school-5", "同乐台球厅", VenueCategory.BILLIARDS, 12, 13),
        ("venue/by-school-6", "童梦烟酒超市", VenueCategory.TOBACCO, 11, 10),
    )
    bar_by_home = Spot(
        source_id="venue/bar-maple",
        name="枫桥小酒馆",
        category=VenueCategory.BAR,
        point_m=(home_east_m + 60.0, home_north_m),
        street=ROW_NAMES[9],
    )
    return (
        bar_by_home,
        *(
            Spot(
                source_id=source_id,
                name=name,
                category=category,
                point_m=network.in_block(column, row, 0.5, 0.05),
                street=ROW_NAMES[row],
            )
            for source_id, name, category, column, row in by_street
        ),
    )


def _streets(network: StreetNetwork) -> tuple[Street, ...]:
    branches = set(COLUMN_NAMES[1::2]) | set(ROW_NAMES[1::2])
    pieces = [(name, "branch_road" if name in branches else "main_road", line) for name, line in network.lines_m()]
    pieces += [(name, "bridge", line) for name, line in network.bridges_m()]
    return tuple(
        Street(street_id=f"street/{number:03d}", name=name, kind=kind, line=ORIGIN.shape_to_wgs84(line))
        for number, (name, kind, line) in enumerate(pieces)
    )


def _city_boundary(rng: np.random.Generator) -> Polygon:
    """A rounded rectangle of about 8.6 × 7.6 km with a ragged edge, in metres."""
    corners: list[Metres] = []
    for turn, ragged_m in zip(np.linspace(0.0, math.tau, 48, endpoint=False), rng.uniform(-60, 60, 48), strict=True):
        east, north = math.cos(turn), math.sin(turn)
        reach_m = (abs(east / 4_300.0) ** 6 + abs(north / 3_800.0) ** 6) ** (-1 / 6) + float(ragged_m)
        corners.append((reach_m * east, reach_m * north))
    return Polygon(corners)


def _east_of(river_m: Polygon, boundary_m: Polygon) -> Polygon:
    banks = boundary_m.difference(river_m)
    parts: Sequence[BaseGeometry] = list(banks.geoms) if isinstance(banks, MultiPolygon) else [banks]
    east = max(parts, key=lambda part: part.centroid.x)
    if not isinstance(east, Polygon):
        raise ValueError("the river does not divide the city; make it longer than the boundary")
    return east


def _estate(centre_m: Metres) -> Polygon:
    east_m, north_m = centre_m
    return box(east_m - 150.0, north_m - 95.0, east_m + 150.0, north_m + 165.0)
