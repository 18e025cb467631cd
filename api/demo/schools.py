"""Protected places of the synthetic city: school grounds in the middle of blocks, each with three gates."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from shapely.affinity import rotate, translate
from shapely.geometry import Point, Polygon

from api.demo.plane import Metres, Plane
from api.demo.streets import StreetNetwork
from geo.datum import Datum
from venues.category import SiteCategory
from venues.place import Site, SourceKey

SOURCE = "demo"
GateKind = Literal["student", "service", "closed"]

_GROUNDS: tuple[tuple[str, str, SiteCategory, int, int], ...] = (
    ("zhongxue-1", "云泽市第一中学", SiteCategory.SECONDARY_SCHOOL, 14, 8),
    ("zhongxue-3", "云泽市第三中学", SiteCategory.SECONDARY_SCHOOL, 4, 13),
    ("zhongxue-5", "云泽市第五中学（东校区）", SiteCategory.SECONDARY_SCHOOL, 12, 13),
    ("zhongxue-8", "云泽市第八中学", SiteCategory.SECONDARY_SCHOOL, 2, 5),
    ("zhizhong", "云泽市中等职业学校", SiteCategory.VOCATIONAL_SCHOOL, 16, 12),
    ("xiaoxue-1", "解放路小学", SiteCategory.PRIMARY_SCHOOL, 9, 10),
    ("xiaoxue-2", "文庙街小学", SiteCategory.PRIMARY_SCHOOL, 12, 7),
    ("xiaoxue-3", "槐荫街实验小学", SiteCategory.PRIMARY_SCHOOL, 5, 7),
    ("xiaoxue-4", "荷塘小学 & 荷塘小学分校", SiteCategory.PRIMARY_SCHOOL, 8, 13),
    ("xiaoxue-5", "东环路小学", SiteCategory.PRIMARY_SCHOOL, 16, 4),
    ("youeryuan-1", "“小太阳”幼儿园'A'区", SiteCategory.KINDERGARTEN, 11, 10),
    ("youeryuan-2", "金色摇篮幼儿园", SiteCategory.KINDERGARTEN, 3, 3),
    ("youeryuan-3", "永安街幼儿园", SiteCategory.KINDERGARTEN, 13, 2),
    ("youeryuan-4", "学苑路<春苗>幼儿园", SiteCategory.KINDERGARTEN, 17, 10),
)
"""Id, name, category, block column and row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate of a site. ``point`` is WGS-84."""

    key: SourceKey
    site_key: SourceKey
    kind: GateKind
    point: Point


def build_schools(
    network: StreetNetwork, plane: Plane, rng: np.random.Generator
) -> tuple[tuple[Site, ...], tuple[Gate, ...]]:
    """Ten schools and four kindergartens, the boundary in WGS-84, with a student, a service and a closed gate each."""
    sites: list[Site] = []
    gates: list[Gate] = []
    for source_id, name, category, column, row in _GROUNDS:
        key = SourceKey(source=SOURCE, source_id=f"site/{source_id}")
        ground_m = _ground(network.in_block(column, row), category, rng)
        boundary = plane.shape_to_wgs84(ground_m)
        sites.append(
            Site(
                key=key,
                name=name,
                category=category,
                geometry=boundary,
                raw_geometry=boundary,
                datum=Datum.WGS84,
            )
        )
        gates += _gates(key, ground_m, plane)
    return tuple(sites), tuple(gates)


def _ground(centre_m: Metres, category: SiteCategory, rng: np.random.Generator) -> Polygon:
    size_m = 30.0 if category is SiteCategory.KINDERGARTEN else 75.0
    wide_m, deep_m = rng.uniform(0.85, 1.25, 2) * size_m
    cut_m = size_m * 0.3
    outline = Polygon(
        [(-wide_m, -deep_m), (wide_m, -deep_m), (wide_m, deep_m - cut_m), (wide_m - cut_m, deep_m), (-wide_m, deep_m)]
    )
    return translate(rotate(outline, float(rng.uniform(-6.0, 6.0)), origin=(0, 0)), *centre_m)


def _gates(site_key: SourceKey, ground_m: Polygon, plane: Plane) -> list[Gate]:
    corners = list(ground_m.exterior.coords)
    sides: tuple[tuple[GateKind, int], ...] = (("student", 0), ("service", 1), ("closed", 4))
    gates: list[Gate] = []
    for kind, side in sides:
        (west, south), (east, north) = corners[side], corners[side + 1]
        gates.append(
            Gate(
                key=SourceKey(source=SOURCE, source_id=f"{site_key.source_id}/gate-{kind}"),
                site_key=site_key,
                kind=kind,
                point=plane.shape_to_wgs84(Point((west + east) / 2, (south + north) / 2)),
            )
        )
    return gates
