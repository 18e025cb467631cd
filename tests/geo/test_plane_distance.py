"""Distances between geometries in a plane of their own: what the zone index and the geodesic say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Point, Polygon, box

from geo.index import ZoneIndex
from geo.plane_distance import plane_distance_m
from geo.projection import geodesic_m
from geo.shapes import Area
from tests.geo.walk_reference import at

metres = st.floats(-900.0, 900.0)
YARD = Polygon([at(-60.0, -80.0), at(50.0, -90.0), at(70.0, 20.0), at(-40.0, 10.0)])


def distance_m(one: object, other: object) -> float:
    pair = np.empty((2, 1), dtype=object)
    pair[0, 0], pair[1, 0] = one, other
    return float(plane_distance_m(pair[0], pair[1])[0])


@settings(deadline=None)
@given(metres, metres)
def test_a_point_is_as_far_from_a_wall_as_the_zone_index_says(x: float, y: float) -> None:
    longitude, latitude = at(x, y)
    pairs = ZoneIndex.build([Area(geometry=YARD)]).match(longitude=[longitude], latitude=[latitude], reach_m=3000.0)
    expected_m = max(float(pairs.signed_distance_m[0]), 0.0)
    assert abs(distance_m(Point(longitude, latitude), YARD) - expected_m) < 0.01


@settings(deadline=None)
@given(metres, metres, metres, metres)
def test_two_points_are_a_geodesic_apart(x: float, y: float, to_x: float, to_y: float) -> None:
    one, other = at(x, y), at(to_x, to_y)
    columns = [np.array([value]) for value in (*one, *other)]
    assert abs(distance_m(Point(one), Point(other)) - float(geodesic_m(*columns)[0])) < 0.02


def test_polygons_that_cross_without_a_corner_inside_touch() -> None:
    tall, wide = box(*at(-5.0, -50.0), *at(5.0, 50.0)), box(*at(-50.0, -5.0), *at(50.0, 5.0))
    assert distance_m(tall, wide) == 0.0
    assert abs(distance_m(tall, box(*at(25.0, -50.0), *at(30.0, 50.0))) - 20.0) < 0.05


def test_lines_are_measured_too_and_nothing_is_measured_in_vain() -> None:
    assert abs(distance_m(LineString([at(0.0, 30.0), at(400.0, 30.0)]), YARD) - 11.0) < 2.0
    assert plane_distance_m(np.zeros(0, dtype=object), np.zeros(0, dtype=object)).size == 0
    for nothing in (Point(), None):
        with pytest.raises(ValueError, match="geometry 0 of one side is empty or missing"):
            distance_m(nothing, YARD)
