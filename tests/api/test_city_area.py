"""An order that names a district binds to its city, unless the order says otherwise."""

from typing import Any

from shapely import box
from sqlalchemy import Engine, text

from api.files.zones import ZoneRecord
from api.importing import import_zones
from geo.shapes import Area
from tests.api.casework_scene import a_case, register
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, EVENING
from tracking.zone import ZoneOrigin


def a_division(code: str, name: str, *, west: float) -> ZoneRecord:
    """A square of a tenth of a degree."""
    x, y = BAR_LONGITUDE + west, BAR_LATITUDE
    return ZoneRecord(
        zone_id=code, kind="inclusion", name=name, shape=Area(geometry=box(x, y, x + 0.1, y + 0.1)), schedule=None
    )


def named(engine: Engine, **changes: Any) -> str:
    """The id, in its source, of the zone that a condition about district 320303 is bound to."""
    condition = {"kind": "stay_within_area", "zone_source": "boundary:county", "zone": "320303", **changes}
    with engine.begin() as connection:
        register(connection, a_case(conditions=[condition]))
        return str(
            connection.execute(
                text("SELECT source_id FROM condition JOIN zone USING (zone_id) ORDER BY condition_no DESC LIMIT 1")
            ).scalar_one()
        )


def test_a_district_stands_for_its_city_unless_the_order_means_it_alone(engine: Engine) -> None:
    yunlong = a_division("320303", "云龙区", west=0.0)
    others = [a_division("320311", "泉山区", west=0.1), a_division("320322", "沛县", west=0.2)]
    with engine.begin() as connection:
        for records in ([yunlong, *others], [yunlong]):  # a file of one district takes nothing from the city
            report = import_zones(
                connection, records, [], origin=ZoneOrigin.BOUNDARY, source="county", at=EVENING
            )  # fmt: skip
            assert report.added_count + report.unchanged_count == len(records)
        (city,) = connection.execute(
            text("SELECT name, ST_XMax(geometry) - ST_XMin(geometry) AS width FROM zone WHERE source_id LIKE '3203%-%'")
        ).all()
    assert (city.name, round(city.width, 6)) == ("同城市辖区 2 个：云龙区、泉山区", 0.2)
    assert named(engine) == "320300-districts"
    assert named(engine, parameters={"is_city_one_area": False}) == "320303"
    assert named(engine, zone="320322") == "320322"
