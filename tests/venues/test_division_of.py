"""Which division a place lies in: the most local one, the deeper of two that overlap, or none."""

from shapely.geometry import Polygon, box

from geo.shapes import Area
from tests.geo.walk_reference import at
from venues.division_of import divisions_of


def area(west: float, south: float, east: float, north: float) -> Area:
    polygon = box(*at(west, south), *at(east, north))
    assert isinstance(polygon, Polygon)
    return Area(geometry=polygon)


AREAS = {
    "320000": area(-9000, -9000, 9000, 9000),
    "320300": area(-5000, -5000, 5000, 5000),
    "320312": area(0, 0, 2000, 2000),
    "320303": area(-2000, 0, 100, 2000),
}


def test_the_most_local_division_is_told_and_the_deeper_of_two() -> None:
    places = [at(1000, 1000), at(-1000, 1000), at(20, 1000), at(-3000, -3000), at(7000, 0), at(20_000, 0)]
    found = divisions_of(longitude=[x for x, _ in places], latitude=[y for _, y in places], areas=AREAS)
    assert found == ("320312", "320303", "320303", "320300", "320000", None)
    assert divisions_of(longitude=[], latitude=[], areas=AREAS) == ()
    assert divisions_of(longitude=[117.2], latitude=[34.26], areas={}) == (None,)
