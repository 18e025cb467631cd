"""One school, once: the node and the area that a map has of it, its campuses, and the gates in their walls. Pure.

Sources name a school several times: a node of the label, an area of the ground, a second area across the road. What is
joined is decided by category, name and place alone, so that the same records give the same sites in any order.
Kindergartens stay apart from schools, also inside one wall (未成年人保护法 130(2)); universities never get here, since
no mapping makes a site of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from geo.plane_distance import plane_distance_m
from geo.projection import reach_box
from venues.category import SiteCategory
from venues.distance_ends import Campus, Gate, ProtectedSite
from venues.names import parse_name
from venues.place import DataDay, Site, SourceKey

LABEL_REACH_M = 30.0
"""A node so near an area may be its label: mappers put it at the gate."""
CAMPUS_REACH_M = 500.0
"""Areas of exactly one name so near each other are campuses of one school; farther they are namesakes."""
GATE_REACH_M = 15.0
"""A gate so near a wall is a gate in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolName:
    """A name in one spelling: 徐州市云龙区育才小學 and 育才小学（新校区） are both about 育才小学."""

    letters: str
    """Letters, digits and characters (``venues.names``), without the divisions that it begins with."""
    division: str

    def is_like(self, other: "SchoolName") -> bool:
        """Whether one may be short for the other; a name that is missing may be any."""
        shorter, longer = sorted((self.letters, other.letters), key=len)
        return not shorter or (shorter in longer and self._is_near(other))

    def is_same(self, other: "SchoolName") -> bool:
        """Whether both say the same, where they say anything."""
        return bool(self.letters) and self.letters == other.letters and self._is_near(other)

    def _is_near(self, other: "SchoolName") -> bool:
        """海淀区实验小学 is not 西城区实验小学, but 北京市海淀区实验小学 and 实验小学 may be it."""
        shorter, longer = sorted((self.division, other.division), key=len)
        return shorter in longer


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedSite:
    """The records that are one school, with what they say together."""

    keys: tuple[SourceKey, ...]
    """Of every record, sorted; the first one with an area, or else the first, names the site."""
    name: str
    category: SiteCategory
    grounds: tuple[BaseGeometry, ...]
    """Polygons or MultiPolygons, one per campus; a Point where nobody drew any. WGS-84."""
    opened_on: date | None = None
    """The earliest day that a record names: a venue may stay only if it was there before every one of them."""
    described: DataDay | None = None
    """Of the record that says least of its day (:func:`least_sure_day`)."""

    @property
    def site_id(self) -> str:
        """The first key, in one word."""
        return f"{self.keys[0].source}/{self.keys[0].source_id}"


def join_sites(sites: Iterable[Site]) -> tuple[JoinedSite, ...]:
    """Each school once, by its first key. Records must have distinct keys."""
    ordered = sorted(sites, key=lambda site: (isinstance(site.geometry, Point), *_key(site)))
    group = list(range(len(ordered)))
    levels = [frozenset({site.category}) for site in ordered]

    def root(row: int) -> int:
        while group[row] != row:
            row = group[row]
        return row

    for one, other in _same_pairs(ordered):
        first, second = sorted((root(one), root(other)))
        if first != second and _is_one_level(levels[first] | levels[second]):
            group[second] = first
            levels[first] = levels[first] | levels[second]
    members: dict[int, list[Site]] = {}
    for row, site in enumerate(ordered):
        members.setdefault(root(row), []).append(site)
    return tuple(sorted((_joined(held) for held in members.values()), key=lambda site: site.site_id))


def protected_site(joined: JoinedSite, gates: Sequence[Gate] = ()) -> ProtectedSite:
    """The site as the law of distance sees it, each of ``gates`` on the campus in whose wall it is, or on none."""
    by_ground = gates_by_ground(joined.grounds, gates)
    campuses = []
    for number, (ground, held) in enumerate(zip(joined.grounds, by_ground, strict=True), start=1):
        middle = ground.representative_point()
        boundary = ground if isinstance(ground, Polygon | MultiPolygon) else None
        campuses.append(
            Campus(campus_id=str(number), longitude=middle.x, latitude=middle.y, boundary=boundary, gates=tuple(held))
        )
    return ProtectedSite(
        site_id=joined.site_id, name=joined.name, category=joined.category, campuses=tuple(campuses),
        opened_on=joined.opened_on,
    )  # fmt: skip


def gates_by_ground(
    grounds: Sequence[BaseGeometry], gates: Sequence[Gate], *, reach_m: float = GATE_REACH_M
) -> tuple[tuple[Gate, ...], ...]:
    """For each ground, of one school or of many, the gates whose nearest wall it is, within ``reach_m`` metres.

    A ground known as a point has no wall and gets none. A gate on a wall that a school and a kindergarten share goes to
    the one that comes first: an office says otherwise by entering it twice.
    """
    held: list[list[Gate]] = [[] for _ in grounds]
    rows = [row for row, ground in enumerate(grounds) if isinstance(ground, Polygon | MultiPolygon)]
    walls = np.array([grounds[row].boundary for row in rows], dtype=object)
    points = np.array([Point(gate.longitude, gate.latitude) for gate in gates], dtype=object)
    pair = _within(points, walls, reach_m)
    if pair.size:
        metres = plane_distance_m(points[pair[0]], walls[pair[1]])
        order = np.lexsort((pair[1], metres, pair[0]))
        gate_row, first = np.unique(pair[0][order], return_index=True)
        for number, place in zip(gate_row.tolist(), order[first].tolist(), strict=True):
            if metres[place] <= reach_m:
                held[rows[int(pair[1][place])]].append(gates[number])
    return tuple(tuple(found) for found in held)


def least_sure_day(days: Iterable[DataDay | None]) -> DataDay | None:
    """Of what rests on all of these: the oldest day that is only one of an import, else the oldest."""
    told = [day for day in days if day is not None]
    return min(told, key=lambda day: (not day.is_by_import, day.on), default=None)


def school_name(text: str) -> SchoolName:
    """The name taken apart; of an empty one both parts are empty."""
    name = parse_name(text)
    rest = name.normal.removeprefix(name.division)
    return SchoolName(letters="".join(sign for sign in rest if sign.isalnum()), division=name.division)


def _same_pairs(sites: Sequence[Site]) -> list[tuple[int, int]]:
    """Rows of records that are one school, the nearest first."""
    geometries = np.array([site.geometry for site in sites], dtype=object)
    names = [school_name(site.name) for site in sites]
    pair = _within(geometries, geometries, CAMPUS_REACH_M)
    pair = pair[:, pair[0] < pair[1]] if pair.size else pair
    if not pair.size:
        return []
    metres = plane_distance_m(geometries[pair[0]], geometries[pair[1]])
    same = [
        (float(away_m), one, other)
        for away_m, one, other in zip(metres.tolist(), pair[0].tolist(), pair[1].tolist(), strict=True)
        if _is_same(names[one], names[other], geometries[one], geometries[other], away_m)
    ]
    return [(one, other) for _, one, other in sorted(same)]


def _is_same(name: SchoolName, other_name: SchoolName, one: BaseGeometry, other: BaseGeometry, away_m: float) -> bool:
    """Whether two records at this distance are one school, if their levels do not tell them apart."""
    is_equal, is_similar = name.is_same(other_name), name.is_like(other_name)
    has_label = isinstance(one, Point) != isinstance(other, Point)
    if has_label:
        return is_similar and away_m <= (LABEL_REACH_M if name.letters and other_name.letters else 0.0)
    if isinstance(one, Point):
        return is_equal and away_m <= LABEL_REACH_M
    overlap = one.intersection(other).area > 0.5 * min(one.area, other.area)
    return (is_equal and away_m <= CAMPUS_REACH_M) or (overlap and is_similar)


def _within(one: np.ndarray, other: np.ndarray, reach_m: float) -> np.ndarray:
    """Rows of both whose boxes are within ``reach_m`` metres, shape [2, pairs]."""
    if not one.size or not other.size:
        return np.zeros((2, 0), dtype=np.int64)
    west, south, east, north = shapely.bounds(one).T
    boxes = shapely.box(*reach_box(west, south, east, north, np.full(one.size, reach_m)))
    return np.asarray(shapely.STRtree(other).query(boxes))


def _joined(sites: Sequence[Site]) -> JoinedSite:
    """The records of one school, areas first."""
    areas = [site.geometry for site in sites if not isinstance(site.geometry, Point)]
    name = next((site.name for site in sites if site.name.strip()), "")
    specific = {site.category for site in sites} - {SiteCategory.SCHOOL}
    return JoinedSite(
        keys=tuple(site.key for site in sites),
        name=name,
        category=specific.pop() if specific else SiteCategory.SCHOOL,
        grounds=_merged(areas) or (sites[0].geometry,),
        opened_on=min((site.opened_on for site in sites if site.opened_on is not None), default=None),
        described=least_sure_day(site.described for site in sites),
    )


def _merged(areas: Sequence[BaseGeometry]) -> tuple[BaseGeometry, ...]:
    """Areas that overlap as one, the others beside it, in order."""
    grounds: list[BaseGeometry] = []
    for area in areas:
        touched = [ground for ground in grounds if ground.intersects(area)]
        grounds = [ground for ground in grounds if not ground.intersects(area)]
        grounds.append(shapely.union_all([area, *touched]) if touched else area)
    return tuple(grounds)


def _is_one_level(levels: frozenset[SiteCategory]) -> bool:
    """Whether one school may be all of these: a school whose level is not known may be any, but no kindergarten."""
    return len(levels) == 1 or (len(levels) == 2 and SiteCategory.SCHOOL in levels
                                and SiteCategory.KINDERGARTEN not in levels)  # fmt: skip


def _key(site: Site) -> tuple[str, str]:
    return site.key.source, site.key.source_id
