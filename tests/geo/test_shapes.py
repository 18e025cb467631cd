"""Shapes: what is accepted, what is refused with which words, and how big it is."""

import math

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, LineString, MultiLineString, MultiPolygon, Point, Polygon, box

from geo.geojson import shape_from_geojson
from geo.shape_change import repaired, widened
from geo.shapes import (
    Area,
    Circle,
    Corridor,
    Shape,
    ShapeError,
    area_m2,
    check_shape,
    equivalent_radius_m,
    shape_bounds,
    shape_to_geometry,
)

GEOD = pyproj.Geod(ellps="WGS84")
SQUARE = box(117.0, 34.0, 117.01, 34.01)
ROUTE = LineString([(117.0, 34.0), (117.02, 34.01)])


@pytest.mark.parametrize(
    "shape",
    [
        Circle(longitude=117.25, latitude=34.25, radius_m=5.0),
        Circle(longitude=179.999, latitude=34.25, radius_m=5000.0),
        Area(geometry=SQUARE),
        Area(geometry=MultiPolygon([SQUARE, box(118.0, 34.0, 118.01, 34.01)])),
        Area(geometry=MultiPolygon([box(179.0, 10.0, 180.0, 11.0), box(-180.0, 10.0, -179.0, 11.0)])),
        Corridor(line=ROUTE, half_width_m=50.0),
        Corridor(line=MultiLineString([ROUTE, LineString([(117.1, 34.0), (117.2, 34.0)])]), half_width_m=50.0),
    ],
)
def test_sound_shapes_are_accepted(shape: Shape) -> None:
    check_shape(shape)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (
            Area(geometry=Polygon([(117, 34), (117.2, 34.2), (117.2, 34), (117, 34.2)])),
            "Self-intersection at longitude",
        ),
        (Area(geometry=Polygon([(117, 34), (117.1, 34.1), (117.2, 34.2)])), "area 0"),
        (Area(geometry=Polygon([(34, 117), (34, 117.1), (34.1, 117)])), "look swapped"),
        (Area(geometry=Polygon([(200, 34), (200, 34.1), (200.1, 34)])), "out of range"),
        (Area(geometry=Polygon([(117, 34), (math.inf, 34.1), (117.1, 34)])), "not a number"),
        (Area(geometry=Polygon()), "no points"),
        (Area(geometry=box(73, 20, 134, 50)), "spans 61.00 by 30.00 degrees"),
        (
            Area(geometry=ROUTE),  # type: ignore[arg-type]
            "needs a Polygon or MultiPolygon, not a LineString",
        ),
        (Area(geometry=MultiPolygon([SQUARE, SQUARE])), "not valid"),
        (Circle(longitude=34.25, latitude=117.25, radius_m=50.0), "look swapped"),
        (Circle(longitude=math.inf, latitude=34.25, radius_m=50.0), "not a number"),
        (Circle(longitude=117.25, latitude=34.25, radius_m=0.0), "radius is 0.0 m"),
        (Circle(longitude=117.25, latitude=34.25, radius_m=-3.0), "more than 0"),
        (Circle(longitude=117.25, latitude=34.25, radius_m=math.nan), "radius is nan m"),
        (Circle(longitude=117.25, latitude=34.25, radius_m=600_000.0), "at most 500000 m"),
        (Circle(longitude=17.25, latitude=84.9, radius_m=50_000.0), "beyond ±85 degrees"),
        (Corridor(line=ROUTE, half_width_m=0.0), "half width is 0.0 m"),
        (Corridor(line=LineString([(117, 34), (117, 34)]), half_width_m=5.0), "length 0"),
        (
            Corridor(line=SQUARE, half_width_m=5.0),  # type: ignore[arg-type]
            "needs a LineString",
        ),
    ],
)
def test_unsound_shapes_are_refused_in_plain_words(shape: Shape, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        check_shape(shape)


def test_a_self_intersection_says_where() -> None:
    with pytest.raises(ShapeError) as caught:
        check_shape(Area(geometry=Polygon([(117, 34), (117.2, 34.2), (117.2, 34), (117, 34.2)])))
    assert caught.value.longitude == pytest.approx(117.1)
    assert caught.value.latitude == pytest.approx(34.1)


@pytest.mark.parametrize(
    ("points", "place"),
    [
        ([(117.0, 34.0), (117.1, 34.0), (34.1, 117.1)], (34.1, 117.1)),
        ([(117.0, 34.0), (117.1, 34.0), (217.1, 34.1)], (217.1, 34.1)),
        ([(117.0, 34.0), (117.1, 34.0), (11.71, 34.1), (117.0, 34.1)], (11.71, 34.1)),
        ([(117.0, 34.0), (117.1, 34.1), (117.2, 34.2)], (117.0, 34.0)),
    ],
    ids=["swapped", "out of range", "a digit lost", "area 0"],
)
def test_one_wrong_point_is_named(points: list[tuple[float, float]], place: tuple[float, float]) -> None:
    with pytest.raises(ShapeError) as caught:
        check_shape(Area(geometry=Polygon(points)))
    assert (caught.value.longitude, caught.value.latitude) == place


def test_geojson_becomes_the_shape_it_means() -> None:
    ring = [[117.0, 34.0], [117.01, 34.0, 55.0], [117.01, 34.01], [117.0, 34.0]]
    hole = [[117.008, 34.002], [117.009, 34.002], [117.009, 34.003], [117.008, 34.002]]
    assert shape_from_geojson({"type": "Point", "coordinates": [117.25, 34.25]}, radius_m=50) == Circle(
        longitude=117.25, latitude=34.25, radius_m=50
    )
    line = shape_from_geojson({"type": "LineString", "coordinates": ring[:2]}, radius_m=30.0)
    assert line == Corridor(line=LineString([(117.0, 34.0), (117.01, 34.0)]), half_width_m=30.0)
    lines = shape_from_geojson({"type": "MultiLineString", "coordinates": [ring[:2], ring[1:3]]}, radius_m=30.0)
    assert isinstance(lines, Corridor)
    area = shape_from_geojson({"type": "Polygon", "coordinates": [ring, hole]}, radius_m=None)
    assert isinstance(area, Area)
    assert isinstance(area.geometry, Polygon)
    assert len(area.geometry.interiors) == 1
    parts = shape_from_geojson({"type": "MultiPolygon", "coordinates": [[ring]]}, radius_m=None)
    assert isinstance(parts, Area)
    assert parts.geometry.geom_type == "MultiPolygon"


OPEN_RING = [[117.0, 34.0], [117.01, 34.0], [117.01, 34.01], [117.0, 34.01]]


@pytest.mark.parametrize(
    ("geometry", "radius_m", "words"),
    [
        ({"type": "Point", "coordinates": [117.0, 34.0]}, None, "Point needs radius_m, its radius"),
        ({"type": "LineString", "coordinates": OPEN_RING}, None, "half width"),
        ({"type": "LineString", "coordinates": OPEN_RING[:1]}, 5.0, "at least 2"),
        ({"type": "Polygon", "coordinates": [OPEN_RING]}, None, "ring 0 of the Polygon is not closed"),
        ({"type": "Polygon", "coordinates": [[[1, 1], [2, 2], [1, 1]]]}, None, "at least 4"),
        ({"type": "Polygon", "coordinates": [[*OPEN_RING, OPEN_RING[0]]]}, 5.0, "leave it out"),
        ({"type": "Point", "coordinates": [117.0, 34.0]}, "50", "radius_m of the Point is '50': give its radius"),
        ({"type": "Point", "coordinates": [117.0, 34.0]}, True, "radius_m of the Point is True"),
        ({"type": "LineString", "coordinates": OPEN_RING}, [50.0], "give its half width as a number of metres"),
        ({"type": "Polygon", "coordinates": [[*OPEN_RING, OPEN_RING[0]]]}, "5", "leave it out"),
        ({"type": "Polygon", "coordinates": []}, None, "not empty"),
        ({"type": "Polygon", "coordinates": OPEN_RING}, None, "must be a list"),
        ({"type": "Point", "coordinates": ["117", 34.0]}, 5.0, "as numbers"),
        ({"type": "Point", "coordinates": [117.0]}, 5.0, "as numbers"),
        ({"type": "Point", "coordinates": [117.0, True]}, 5.0, "as numbers"),
        ({"type": "Point", "coordinates": [10**400, 34.0]}, 5.0, "as numbers"),
        ({"type": "Point", "coordinates": [34.0, 117.0]}, 5.0, "look swapped"),
        ({"type": "Feature", "geometry": {}}, None, "'Feature' cannot be a zone"),
        ({}, None, "None cannot be a zone"),
    ],
)
def test_geojson_that_is_not_a_zone_is_refused(geometry: dict[str, object], radius_m: object, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        shape_from_geojson(geometry, radius_m=radius_m)  # type: ignore[arg-type] # files and requests give anything


@given(st.floats(-179, 179), st.floats(-80, 80), st.floats(1, 200_000))
def test_circle_outline_lies_at_its_radius_and_inside_its_bounds(
    longitude: float, latitude: float, radius_m: float
) -> None:
    circle = Circle(longitude=longitude, latitude=latitude, radius_m=radius_m)
    outline = shape_to_geometry(circle)
    assert isinstance(outline, Polygon)
    points = np.array(outline.exterior.coords)
    assert len(points) == 65
    assert outline.exterior.is_ccw
    start = np.full(65, longitude), np.full(65, latitude)
    assert np.abs(GEOD.inv(*start, points[:, 0], points[:, 1])[2] - radius_m).max() < 1e-6
    west, south, east, north = shape_bounds(circle)
    turns = np.rint((points[:, 0] - longitude) / 360.0) * 360.0
    assert west <= (points[:, 0] - turns).min()
    assert east >= (points[:, 0] - turns).max()
    assert south <= points[:, 1].min()
    assert north >= points[:, 1].max()


def test_corridor_outline_is_as_wide_as_it_says() -> None:
    outline = shape_to_geometry(Corridor(line=ROUTE, half_width_m=50.0))
    length_m = GEOD.geometry_length(ROUTE)
    assert area_m2(Corridor(line=ROUTE, half_width_m=50.0)) == pytest.approx(100 * length_m + math.pi * 50**2, rel=1e-3)
    assert outline.contains(ROUTE)
    assert shape_bounds(Corridor(line=ROUTE, half_width_m=50.0)) == pytest.approx(outline.bounds, abs=1e-5)


def test_area_leaves_out_holes_whatever_their_direction() -> None:
    hole = [(117.002, 34.002), (117.004, 34.002), (117.004, 34.004), (117.002, 34.004)]
    whole, cut = area_m2(Area(geometry=SQUARE)), area_m2(Area(geometry=Polygon(hole)))
    for ring in (hole, hole[::-1]):
        assert area_m2(Area(geometry=Polygon(SQUARE.exterior, [ring]))) == pytest.approx(whole - cut)
    assert whole == pytest.approx(923.4 * 1109.3, rel=1e-3)
    assert area_m2(Area(geometry=MultiPolygon([SQUARE, Polygon(hole)]))) == pytest.approx(whole + cut)


def test_equivalent_radius_of_a_circle_is_its_radius() -> None:
    circle = Circle(longitude=117.0, latitude=34.0, radius_m=20.0)
    assert equivalent_radius_m(circle) == pytest.approx(20.0)
    outline = shape_to_geometry(circle)
    assert isinstance(outline, Polygon)
    assert equivalent_radius_m(Area(geometry=outline)) == pytest.approx(20.0, rel=2e-3)


def test_bounds_of_an_area_are_tight_and_continuous_across_the_antimeridian() -> None:
    assert shape_bounds(Area(geometry=SQUARE)) == SQUARE.bounds
    split = MultiPolygon([box(179.0, 10.0, 180.0, 11.0), box(-180.0, 10.0, -179.0, 11.0)])
    assert shape_bounds(Area(geometry=split)) == (179.0, 10.0, 181.0, 11.0)


def test_other_geometry_types_are_no_area() -> None:
    for geometry in (Point(117, 34), GeometryCollection([SQUARE])):
        with pytest.raises(ShapeError, match="needs a Polygon"):
            check_shape(Area(geometry=geometry))  # type: ignore[arg-type]


BOW_TIE = Area(geometry=Polygon([(117, 34), (117.2, 34.2), (117.2, 34), (117, 34.2)]))


def test_a_bow_tie_is_repaired_only_on_request_into_its_two_parts() -> None:
    with pytest.raises(ShapeError, match="Self-intersection"):
        check_shape(BOW_TIE)
    mended = repaired(BOW_TIE)
    check_shape(mended)
    assert isinstance(mended, Area)
    assert isinstance(mended.geometry, MultiPolygon)
    assert mended.geometry.area == pytest.approx(0.02)
    sound = Area(geometry=SQUARE)
    assert repaired(sound) is sound


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (Area(geometry=Polygon([(34, 117), (34, 117.1), (34.1, 117)])), "look swapped"),
        (Area(geometry=Polygon([(117, 34), (117.1, 34.1), (117.2, 34.2)])), "area 0"),
        (Area(geometry=box(73, 20, 134, 50)), "spans 61.00 by 30.00"),
        (Circle(longitude=117.25, latitude=34.25, radius_m=-3.0), "more than 0"),
    ],
)
def test_what_has_no_sound_shape_near_it_is_not_repaired(shape: Shape, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        repaired(shape)


def test_a_bad_part_refuses_the_whole_multipolygon() -> None:
    sound = [[[117.0, 34.0], [117.1, 34.0], [117.1, 34.1], [117.0, 34.0]]]
    crossed = [[[118, 34], [118.2, 34.2], [118.2, 34], [118, 34.2], [118, 34]]]
    with pytest.raises(ShapeError, match=r"Self-intersection at longitude 118\.1") as caught:
        shape_from_geojson({"type": "MultiPolygon", "coordinates": [sound, crossed]}, radius_m=None)
    assert (caught.value.longitude, caught.value.latitude) == pytest.approx((118.1, 34.1))


def test_widening_adds_the_margin_on_every_side() -> None:
    wide = widened(Area(geometry=SQUARE), 50.0)
    assert isinstance(wide, Area)
    west, south, east, north = wide.geometry.bounds
    assert GEOD.inv(west, 34.005, 117.0, 34.005)[2] == pytest.approx(50.0, abs=0.2)
    assert GEOD.inv(117.005, north, 117.005, 34.01)[2] == pytest.approx(50.0, abs=0.2)
    assert south < 34.0
    assert east > 117.01
    circle = widened(Circle(longitude=117.25, latitude=34.25, radius_m=20.0), 5.0)
    assert circle == Circle(longitude=117.25, latitude=34.25, radius_m=25.0)
    assert widened(Corridor(line=ROUTE, half_width_m=50.0), 5.0) == Corridor(line=ROUTE, half_width_m=55.0)
    with pytest.raises(ValueError, match="margin_m is -1"):
        widened(circle, -1.0)
