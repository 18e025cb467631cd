"""Which divisions are one city: by code, and on real boundaries of 2,901 counties."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from api.condition_parameters import checked_parameters
from api.files.zones import read_boundaries
from geo.shapes import Area, check_shape
from tests.tracking.scene import START, Outcome, a_condition, a_scene, an_order
from tracking.divisions import area_id, city_areas, districts_of
from tracking.fix import FixBatch
from tracking.order import ConditionKind
from tracking.policy import AreaPolicy
from tracking.zone import Zone, ZoneKind, ZoneOrigin

XUZHOU, YUNLONG, QUANSHAN, PEIXIAN, XINYI = "320300-districts", "320303", "320311", "320322", "320381"


@pytest.mark.parametrize(
    ("code", "city"),
    [
        (YUNLONG, XUZHOU),
        (QUANSHAN, XUZHOU),
        (PEIXIAN, None),  # 沛县: a county
        (XINYI, None),  # 新沂市: a county-level city
        ("320300", None),  # the prefecture itself
        ("110108", "110100-districts"),
        ("500156", "500100-districts"),  # 武隆区: a district above 20, of a municipality
        ("500230", None),  # 丰都县
        ("429004", None),  # 仙桃市 answers to the province
        ("469001", None),  # 五指山市 too
        ("32030", None),
        ("ABCDEF", None),
        ("３２０３０３", None),
    ],
)
def test_districts_of_one_city_are_told_by_their_code(code: str, city: str | None) -> None:
    assert districts_of(code) == city
    assert area_id(code, is_city_one_area=False) == code


def test_the_switch_stands_in_the_order_and_its_default_in_the_policy() -> None:
    default = checked_parameters(ConditionKind.STAY_WITHIN_AREA, {})
    assert default == {"is_city_one_area": AreaPolicy().is_city_one_area} == {"is_city_one_area": True}
    assert checked_parameters(ConditionKind.STAY_WITHIN_AREA, {"is_city_one_area": False}) != default


@cache
def counties(path: Path) -> dict[str, Area]:
    read = read_boundaries(path, code_column="Code_County", name_column="Name_County", repair=True)
    return {record.zone_id: record.shape for record in read.zones if isinstance(record.shape, Area)}


def walk(inside: Sequence[BaseGeometry], areas: dict[str, Area], area: str) -> Outcome:
    """An hour in the middle of each place, under an order that must not leave ``area``."""
    zone = Zone(
        zone_no=1, zone_id=UUID(int=1), version=1, kind=ZoneKind.INCLUSION, origin=ZoneOrigin.BOUNDARY, name=area,
        shape=areas[area],
    )  # fmt: skip
    order = an_order(a_condition(1, ConditionKind.STAY_WITHIN_AREA, zone_no=1, tolerance_m=200.0))
    points = [geometry.representative_point() for geometry in inside]
    minutes = np.arange(0.0, 60.0 * len(points), 2.0)
    place = (minutes // 60).astype(int)
    tremble = (np.arange(len(minutes)) % 17) * 1e-8
    count = len(minutes)
    fixes = FixBatch(
        subject_no=np.ones(count, dtype=np.int64),
        fixed_at=START + (minutes * 6e7).astype(np.int64),
        received_at=START + (minutes * 6e7).astype(np.int64),
        longitude=np.array([points[row].x for row in place]),
        latitude=np.array([points[row].y for row in place]) + tremble,
        accuracy_m=np.full(count, 10.0),
        fix_key=np.zeros(count, dtype=np.int64),
        flags=np.zeros(count, dtype=np.int32),
    )
    return a_scene(zone, orders=[order]).run(fixes)


def test_moving_from_yunlong_to_quanshan_is_no_departure_by_default_and_one_by_the_stricter_switch(
    real_data: Callable[[str], Path],
) -> None:
    divisions = counties(real_data("china_county_osm_mapchina/china_county.gpkg"))
    areas = divisions | city_areas(divisions)
    places = [divisions[code].geometry for code in (YUNLONG, QUANSHAN, YUNLONG)]
    assert walk(places, areas, area_id(YUNLONG, is_city_one_area=AreaPolicy().is_city_one_area)).violations == ()
    (left,) = walk(places, areas, area_id(YUNLONG, is_city_one_area=False)).violations
    assert left.kind is ConditionKind.STAY_WITHIN_AREA
    to_the_county = [divisions[code].geometry for code in (YUNLONG, PEIXIAN)]
    assert len(walk(to_the_county, areas, XUZHOU).violations) == 1, "a county of the same prefecture is another 县"


def test_every_citys_districts_join_into_an_area_that_holds_each_of_them(real_data: Callable[[str], Path]) -> None:
    divisions = counties(real_data("china_county_osm_mapchina/china_county.gpkg"))
    joined = city_areas(divisions)
    assert len(joined) > 300
    for city, area in joined.items():
        check_shape(area)
        own = [divisions[code].geometry for code in divisions if districts_of(code) == city]
        assert area.geometry.area == pytest.approx(shapely.union_all(own).area)
        assert max(geometry.area for geometry in own) <= area.geometry.area * (1 + 1e-12)
