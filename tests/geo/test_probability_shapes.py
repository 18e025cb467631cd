"""P(inside) of any shape against counted errors, and what must hold for every shape."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr
from shapely.geometry import LineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from geo.local_shape import Rings
from geo.probability import SIGMA_PER_ACCURACY, ShapeProbability, centre_probability
from geo.projection import metres_per_degree
from geo.shapes import Area, Circle, Corridor, Shape, equivalent_radius_m, shape_to_geometry

FloatArray = NDArray[np.float64]
LONGITUDE, LATITUDE = 117.25, 34.25
SIZES_M = (10.0, 50.0, 150.0, 500.0)
ACCURACIES_M = (5.0, 20.0, 65.0, 200.0)
SAMPLES = 40_000
TOLERANCE = 0.02  # of which counting takes up to 0.0125, five standard errors of 40,000
VENUE_TABLE = {  # metres from the centre of a 20 m venue: probability at each accuracy (domain report, section 3.1)
    0: (0.99, 0.40, 0.10, 0.011, 0.002),
    30: (0.05, 0.16, 0.08, 0.011, 0.002),
    60: (0.0, 0.011, 0.041, 0.010, 0.002),
    100: (0.0, 0.0, 0.008, 0.009, 0.002),
}

steady = settings(deadline=None, max_examples=60)


def degrees(points_m: FloatArray, longitude: float = LONGITUDE, latitude: float = LATITUDE) -> FloatArray:
    """Metres east and north [n, 2] of a place as longitude and latitude."""
    return np.asarray(points_m / np.array(metres_per_degree(latitude)) + (longitude, latitude), dtype=np.float64)


def flat_shape(family: str, size_m: float) -> Polygon:
    """The shape in metres about (0, 0); its greatest side is ``size_m``."""
    s = size_m
    match family:
        case "circle":
            return Point(0, 0).buffer(s / 2, quad_segs=64)
        case "square":
            return shapely.box(-s / 2, -s / 2, s / 2, s / 2)
        case "L-shape":
            corners = [(0, 0), (s, 0), (s, 0.4 * s), (0.3 * s, 0.4 * s), (0.3 * s, s), (0, s)]
            return Polygon([(x - s / 2, y - s / 2) for x, y in corners])
        case "thin polygon":
            return shapely.box(-s / 2, -s / 80, s / 2, s / 80)
        case "corridor":
            return LineString([(-s / 2, 0), (0, s / 6), (s / 2, 0)]).buffer(max(s / 50, 1.0), quad_segs=16)
        case "ring":
            hole = Point(0, 0).buffer(0.35 * s, quad_segs=32)
            return Polygon(Point(0, 0).buffer(s / 2, quad_segs=32).exterior, [hole.exterior])
    raise AssertionError(family)


def on_earth(family: str, size_m: float, longitude: float = LONGITUDE, latitude: float = LATITUDE) -> Shape:
    if family == "circle":
        return Circle(longitude=longitude, latitude=latitude, radius_m=size_m / 2)
    if family == "corridor":
        line = np.array([(-size_m / 2, 0.0), (0.0, size_m / 6), (size_m / 2, 0.0)])
        return Corridor(line=LineString(degrees(line, longitude, latitude)), half_width_m=max(size_m / 50, 1.0))
    flat = flat_shape(family, size_m)
    return Area(geometry=shapely.transform(flat, lambda points: degrees(points, longitude, latitude)))


def signed_m(flat: Polygon, places_m: FloatArray) -> FloatArray:
    points = shapely.points(places_m)
    away = shapely.distance(flat.boundary, points)
    return np.where(shapely.contains(flat, points), -away, away)


def places_about(flat: Polygon, random: np.random.Generator, accuracy_m: float) -> FloatArray:
    """Centre, every eighth corner, and places scattered in and around the shape."""
    corners = shapely.get_coordinates(flat)
    west, south, east, north = flat.bounds
    spread = 1.5 * accuracy_m
    scattered = random.uniform((west - spread, south - spread), (east + spread, north + spread), (12, 2))
    return np.concatenate([[[0.0, 0.0]], corners[:: max(1, len(corners) // 8)], scattered])


def told(
    shape: Shape,
    places_m: FloatArray,
    accuracy_m: float | Sequence[float] | FloatArray,
    signed: FloatArray,
    latitude: float = LATITUDE,
) -> FloatArray:
    places = degrees(places_m, latitude=latitude)
    return ShapeProbability.build([shape]).inside(
        zone_row=np.zeros(len(places), dtype=np.int64),
        longitude=places[:, 0],
        latitude=places[:, 1],
        accuracy_m=accuracy_m,
        signed_distance_m=signed,
    )


def largest_error(family: str) -> float:
    random = np.random.default_rng(20261122)
    worst = 0.0
    for size_m in SIZES_M:
        flat, shape = flat_shape(family, size_m), on_earth(family, size_m)
        shapely.prepare(flat)
        for accuracy_m in ACCURACIES_M:
            places = places_about(flat, random, accuracy_m)
            got = told(shape, places, accuracy_m, signed_m(flat, places))
            error = random.normal(size=(SAMPLES, 2)) * accuracy_m * SIGMA_PER_ACCURACY
            for place, probability in zip(places, got.tolist(), strict=True):
                truth = float(shapely.contains_xy(flat, *(error + place).T).mean())
                worst = max(worst, abs(probability - truth))
    return worst


@pytest.mark.slow
@pytest.mark.parametrize("family", ["circle", "square", "L-shape", "thin polygon", "corridor", "ring"])
def test_every_family_agrees_with_counted_errors(family: str) -> None:
    assert largest_error(family) <= TOLERANCE


@steady
@given(
    st.floats(10.0, 500.0),
    st.floats(2.0, 500.0),
    st.floats(5.0, 200.0),
    st.floats(-2.0, 2.0),
    st.floats(-2.0, 2.0),
)
def test_a_rectangle_is_the_product_of_two_normal_intervals(
    width_m: float, height_m: float, accuracy_m: float, east: float, north: float
) -> None:
    flat = shapely.box(-width_m / 2, -height_m / 2, width_m / 2, height_m / 2)
    place, sigma = np.array([[east * width_m / 2, north * height_m / 2]]), accuracy_m * SIGMA_PER_ACCURACY
    half = np.array([width_m, height_m]) / 2
    wanted = float(np.prod(ndtr((half - place) / sigma) - ndtr((-half - place) / sigma)))
    shape = Area(geometry=shapely.transform(flat, degrees))
    assert told(shape, place, accuracy_m, signed_m(flat, place))[0] == pytest.approx(wanted, abs=2e-5)


@pytest.mark.parametrize("distance_m", VENUE_TABLE)
def test_venue_table_is_reproduced_for_the_circle_and_for_its_outline(distance_m: int) -> None:
    wanted = np.array(VENUE_TABLE[distance_m])
    accuracy_m = (10.0, 30.0, 65.0, 200.0, 500.0)
    place = np.tile([[float(distance_m), 0.0]], (5, 1))
    outline = shapely.transform(Point(0, 0).buffer(20.0, quad_segs=32), degrees)
    for shape in (Circle(longitude=LONGITUDE, latitude=LATITUDE, radius_m=20.0), Area(geometry=outline)):
        got = told(shape, place, accuracy_m, np.full(5, distance_m - 20.0))
        assert (np.abs(got - wanted) <= np.maximum(0.05 * wanted, 0.005)).all()


def test_a_passage_says_less_than_the_disc_of_its_area() -> None:
    passage = on_earth("thin polygon", 500.0)
    got = told(passage, np.zeros((1, 2)), 65.0, np.array([-6.25]))[0]
    assert got == pytest.approx(0.115, abs=0.005)
    assert float(centre_probability(accuracy_m=65.0, equivalent_radius_m=equivalent_radius_m(passage))) > 0.30


def test_a_ring_says_little_at_its_middle_and_parts_add_up() -> None:
    flat, ring = flat_shape("ring", 100.0), on_earth("ring", 100.0)
    middle = np.zeros((1, 2))
    assert told(ring, middle, 10.0, signed_m(flat, middle))[0] < 1e-4
    west, east = shapely.box(-60, -20, -10, 20), shapely.box(10, -20, 60, 20)
    both = shapely.transform(MultiPolygon([west, east]), degrees)
    one = [Area(geometry=shapely.transform(part, degrees)) for part in (west, east)]
    apart = sum(told(part, middle, 30.0, np.array([10.0]))[0] for part in one)
    assert told(Area(geometry=both), middle, 30.0, np.array([10.0]))[0] == pytest.approx(apart, abs=1e-6)


def test_rings_may_run_either_way_and_cross_the_antimeridian() -> None:
    flat = flat_shape("ring", 100.0)
    place = np.array([[42.0, 0.0]])
    wanted = told(on_earth("ring", 100.0), place, 30.0, signed_m(flat, place))[0]
    ring = on_earth("ring", 100.0)
    assert isinstance(ring, Area)
    turned = Area(geometry=shapely.orient_polygons(ring.geometry, exterior_cw=True))
    assert told(turned, place, 30.0, signed_m(flat, place))[0] == pytest.approx(wanted, abs=1e-9)
    whole = shapely.transform(flat, lambda points: degrees(points, longitude=180.0))
    west = whole.intersection(shapely.box(179.0, 34.0, 180.0, 35.0))
    east = shapely.transform(whole.intersection(shapely.box(180.0, 34.0, 181.0, 35.0)), lambda p: p - (360.0, 0.0))
    assert isinstance(west, Polygon)
    assert isinstance(east, Polygon)
    seam = ShapeProbability.build([Area(geometry=MultiPolygon([west, east]))])
    for longitude in (degrees(place, longitude=180.0)[0, 0] - 360.0, degrees(place, longitude=180.0)[0, 0]):
        got = seam.inside(
            zone_row=np.array([0]),
            longitude=[longitude],
            latitude=[LATITUDE],
            accuracy_m=[30.0],
            signed_distance_m=signed_m(flat, place),
        )
        assert got[0] == pytest.approx(wanted, abs=1e-6)


def test_a_signed_distance_with_the_wrong_sign_at_the_edge_does_no_harm() -> None:
    square = on_earth("square", 50.0)
    edge = np.array([[25.0, 3.0], [25.0, 3.0], [25.0, 25.0], [25.0, 25.0]])
    got = told(square, edge, 10.0, np.array([-0.002, 0.002, -0.002, 0.002]))
    assert got[:2].tolist() == pytest.approx([0.5, 0.5], abs=0.001)
    assert got[2:].tolist() == pytest.approx([0.25, 0.25], abs=0.001)


FAMILIES = st.sampled_from(["circle", "square", "L-shape", "thin polygon", "corridor", "ring"])
sizes_m, accuracies_m, offsets = st.floats(10.0, 500.0), st.floats(3.0, 300.0), st.floats(-1.0, 1.0)


@steady
@given(FAMILIES, sizes_m, accuracies_m, offsets, offsets, st.floats(-180.0, 180.0), st.floats(-60.0, 60.0))
def test_moving_zone_and_fix_together_changes_nothing(
    family: str, size_m: float, accuracy_m: float, east: float, north: float, longitude: float, latitude: float
) -> None:
    """Along a parallel: nothing. Along a meridian: metres are taken at the fix, but the shape was drawn with those of
    its middle, so that a place n metres off it in latitude is n tan(latitude) / R of its eastings away: then P moves
    no more than it would by a step of that length.
    """
    flat, place = flat_shape(family, size_m), np.array([[east, north]]) * size_m
    signed = signed_m(flat, place)
    here, along, across = (
        ShapeProbability.build([on_earth(family, size_m, *middle)]).inside(
            zone_row=np.array([0]),
            longitude=(degrees(place, *middle)[:, 0] + 180.0) % 360.0 - 180.0,
            latitude=degrees(place, *middle)[:, 1],
            accuracy_m=accuracy_m,
            signed_distance_m=signed,
        )
        for middle in ((LONGITUDE, LATITUDE), (longitude, LATITUDE), (longitude, latitude))
    )
    assert along == pytest.approx(here, abs=1e-5)
    step_m = 2.0 * size_m * abs(north) * size_m * math.tan(math.radians(60.0)) / 6_371_000.0
    steepest = 2.0 / (accuracy_m * SIGMA_PER_ACCURACY * math.sqrt(2.0 * math.pi))  # of two opposite edges
    assert across == pytest.approx(here, abs=1e-4 + 2.0 * step_m * steepest)


@steady
@given(FAMILIES, sizes_m, accuracies_m, offsets, offsets, st.floats(0.0, 2.0 * math.pi))
def test_a_metre_changes_no_more_than_a_metre_of_error_can(
    family: str, size_m: float, accuracy_m: float, east: float, north: float, heading: float
) -> None:
    """|grad P| <= 1 / (sigma sqrt(2 pi)) for any shape whatever."""
    flat = flat_shape(family, size_m)
    step_m = 0.05
    place = np.array([[east, north], [east, north]]) * size_m
    place[1] += step_m * np.array([math.cos(heading), math.sin(heading)])
    got = told(on_earth(family, size_m), place, accuracy_m, signed_m(flat, place))
    assert abs(got[1] - got[0]) <= step_m / (accuracy_m * SIGMA_PER_ACCURACY * math.sqrt(2.0 * math.pi)) + 1e-3


growing_m = st.lists(accuracies_m, min_size=2, max_size=12).map(sorted)


@steady
@given(FAMILIES, sizes_m, growing_m, offsets, offsets)
def test_worse_accuracy_never_makes_doubt_into_certainty(
    family: str, size_m: float, growing: list[float], east: float, north: float
) -> None:
    """The best never rises, and no fix says more than the best of its own accuracy, hence of any better one."""
    flat, place = flat_shape(family, size_m), np.array([[east, north]] * len(growing)) * size_m
    zone, row = ShapeProbability.build([on_earth(family, size_m)]), np.zeros(len(growing), dtype=np.int64)
    best = zone.best_probability(zone_row=row, accuracy_m=growing)
    assert (np.diff(best) <= 1e-12).all()
    said = told(on_earth(family, size_m), place, growing, signed_m(flat, place))
    assert (said <= best + (1e-12 if family == "circle" else 0.02)).all()


@pytest.mark.parametrize("quarter", [3, 8, 32])
def test_no_area_is_surer_than_the_disc_of_its_size(quarter: int) -> None:
    """Of all shapes of one size the disc is the surest; an area that is all but a disc may not pass it by rounding."""
    round_area = Area(geometry=shapely.transform(Point(0, 0).buffer(20.0, quad_segs=quarter), degrees))
    accuracy_m = np.geomspace(3.0, 2_000.0, 400)
    zone = ShapeProbability.build([round_area])
    centre = centre_probability(accuracy_m=accuracy_m, equivalent_radius_m=zone.equivalent_radius_m[0])
    said = told(round_area, np.zeros((400, 2)), accuracy_m, np.full(400, -19.0))
    assert (said <= centre).all()
    assert said == pytest.approx(centre, rel=0.02)
    assert (zone.best_probability(zone_row=np.zeros(400, dtype=np.int64), accuracy_m=accuracy_m) <= centre).all()


@steady
@given(st.sampled_from(["square", "thin polygon"]), sizes_m, growing_m, offsets, offsets)
def test_worse_accuracy_never_makes_a_fix_inside_a_convex_zone_more_certain(
    family: str, size_m: float, growing: list[float], east: float, north: float
) -> None:
    """A zone that is seen whole from the fix: each error, made longer, can leave it but never come back."""
    flat = flat_shape(family, size_m)
    place = np.array([[east * flat.bounds[2], north * flat.bounds[3]]] * len(growing)) * 0.999
    assert (np.diff(told(on_earth(family, size_m), place, growing, signed_m(flat, place))) <= 2e-5).all()


@pytest.mark.parametrize("family", ["circle", "square", "L-shape", "thin polygon", "corridor", "ring"])
@pytest.mark.parametrize("size_m", [20.0, 200.0])
def test_best_is_the_greatest_probability_over_a_fine_grid(family: str, size_m: float) -> None:
    flat, shape = flat_shape(family, size_m), on_earth(family, size_m)
    west, south, east, north = flat.bounds
    grid = np.stack(np.meshgrid(np.linspace(west, east, 61), np.linspace(south, north, 61)), axis=-1).reshape(-1, 2)
    zone = ShapeProbability.build([shape])
    for accuracy_m in (5.0, 20.0, 65.0, 200.0):
        greatest = told(shape, grid, accuracy_m, signed_m(flat, grid)).max()
        best = zone.best_probability(zone_row=np.array([0]), accuracy_m=accuracy_m)[0]
        assert best == pytest.approx(greatest, abs=0.02)


def test_threads_change_nothing() -> None:
    random = np.random.default_rng(3)
    zone = ShapeProbability.build([on_earth("square", 100.0), on_earth("ring", 200.0), on_earth("circle", 50.0)])
    places = degrees(random.uniform(-150, 150, (60_000, 2)))
    columns: dict[str, Any] = {
        "zone_row": random.integers(0, 3, 60_000),
        "longitude": places[:, 0],
        "latitude": places[:, 1],
        "accuracy_m": random.uniform(3, 100, 60_000),
        "signed_distance_m": random.uniform(-10, 30, 60_000),
    }
    assert np.array_equal(zone.inside(**columns), zone.inside(**columns, thread_count=3))


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("accuracy_m", 0.0, r"accuracy_m of pair 1 is 0\.0.*stated default"),
        ("accuracy_m", math.nan, "accuracy_m of pair 1"),
        ("signed_distance_m", math.nan, "signed_distance_m of pair 1"),
        ("signed_distance_m", math.inf, "signed_distance_m of pair 1"),
        ("longitude", math.nan, "longitude of pair 1"),
        ("latitude", 117.0, "latitude of pair 1"),
        ("zone_row", 1, "zone_row of pair 1 is 1.0: it must be 0 to 0"),
    ],
)
def test_impossible_input_is_refused_with_its_pair(column: str, value: float, words: str) -> None:
    columns: dict[str, Any] = {
        "zone_row": np.zeros(2, dtype=np.int64),
        "longitude": np.full(2, LONGITUDE),
        "latitude": np.full(2, LATITUDE),
        "accuracy_m": np.full(2, 10.0),
        "signed_distance_m": np.zeros(2),
    }
    columns[column][1] = value
    with pytest.raises(ValueError, match=words):
        ShapeProbability.build([on_earth("square", 50.0)]).inside(**columns)


def test_no_shapes_and_no_pairs_give_no_answers() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    for zone in (ShapeProbability.build([]), ShapeProbability.build([on_earth("ring", 50.0)])):
        assert zone.inside(zone_row=nothing, longitude=[], latitude=[], accuracy_m=[], signed_distance_m=[]).shape == (
            0,
        )
        assert zone.best_probability(zone_row=nothing, accuracy_m=[]).shape == (0,)
    assert len(Rings.of([]).x) == 0


# ---- the best place


def awkward_shape(family: str, size_m: float, width: float) -> Shape:
    """Shapes whose best place moves far as the error grows; ``width``: 0 to 1, of their thin parts."""
    s, w = size_m, size_m * (0.01 + 0.09 * width)
    flat: BaseGeometry = Polygon()
    match family:
        case "thin L":
            flat = Polygon([(0, 0), (s, 0), (s, w), (w, w), (w, s), (0, s)])
        case "comb":
            flat = shapely.union_all([shapely.box(s * k / 6, 0, s * k / 6 + w / 2, s) for k in range(6)])
            flat = flat.union(shapely.box(0, 0, s * 5 / 6, w / 2))
        case "dumbbell":
            ends = [Point(0, 0).buffer(0.12 * s), shapely.box(0.7 * s, -0.1 * s, s, 0.1 * s)]
            flat = shapely.union_all([*ends, shapely.box(0, -w / 4, s, w / 4)])
        case "ring":
            flat = Polygon(Point(0, 0).buffer(s / 2).exterior, [Point(0, 0).buffer(s / 2 - w).exterior])
        case "apart":
            flat = MultiPolygon([shapely.box(0, 0, 3 * w, 3 * w), shapely.box(s / 2, 0, s / 2 + w, s)])
    assert isinstance(flat, Polygon | MultiPolygon)
    return Area(geometry=shapely.transform(flat, degrees))


def bent_corridor(size_m: float, width: float, turns: Sequence[float]) -> Shape:
    heading = np.cumsum(turns)
    steps = np.column_stack([np.cos(heading), np.sin(heading)]) * size_m / len(turns)
    line = LineString(degrees(np.vstack([[0.0, 0.0], np.cumsum(steps, axis=0)])))
    return Corridor(line=line, half_width_m=max(1.0, size_m * (0.005 + 0.05 * width)))


def greatest_chance(shape: Shape, accuracy_m: float) -> float:
    """The greatest P over many places, the best of which climb in eight directions."""
    outline = shape_to_geometry(shape)
    assert isinstance(outline, Polygon | MultiPolygon)
    scale = np.array(metres_per_degree(LATITUDE))
    flat = shapely.transform(outline, lambda points: (points - (LONGITUDE, LATITUDE)) * scale)
    random, (west, south, east, north) = np.random.default_rng(11), flat.bounds
    places = random.uniform((west, south), (east, north), (6000, 2))
    places = np.concatenate([places[shapely.contains_xy(flat, *places.T)][:250], shapely.get_coordinates(flat)])
    along = shapely.line_interpolate_point(flat.boundary, np.linspace(0.0, 1.0, 200), normalized=True)
    scattered = random.uniform((west, south), (east, north), (150, 2))
    places = np.concatenate([places, shapely.get_coordinates(along), scattered])
    zone = ShapeProbability.build([shape])

    def chance(at: FloatArray) -> FloatArray:
        where = degrees(at)
        return zone.inside(
            zone_row=np.zeros(len(at), dtype=np.int64),
            longitude=where[:, 0],
            latitude=where[:, 1],
            accuracy_m=accuracy_m,
            signed_distance_m=np.where(shapely.contains_xy(flat, *at.T), -1e-9, 1e-9),
        )

    found = chance(places)
    order = np.argsort(-found)[:120]
    places, found = places[order], found[order]
    angle = np.arange(8) * math.pi / 4
    ways = np.column_stack([np.cos(angle), np.sin(angle)])
    for stride_m in accuracy_m * np.array([0.5, 0.5, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1]):
        near = (places[:, None] + ways * stride_m).reshape(-1, 2)
        chances = chance(near).reshape(-1, 8)
        best = chances.argmax(axis=1)
        higher = chances.max(axis=1) > found
        places[higher] = near.reshape(-1, 8, 2)[higher, best[higher]]
        found = np.maximum(found, chances.max(axis=1))
    return float(found.max())


BEST_ACCURACIES_M = (4.0, 10.0, 25.0, 65.0, 150.0)


def assert_best_is_the_greatest(shape: Shape) -> None:
    row = np.zeros(len(BEST_ACCURACIES_M), dtype=np.int64)
    best = ShapeProbability.build([shape]).best_probability(zone_row=row, accuracy_m=BEST_ACCURACIES_M)
    assert (np.diff(best) <= 1e-12).all()
    assert best == pytest.approx([greatest_chance(shape, accuracy_m) for accuracy_m in BEST_ACCURACIES_M], abs=0.02)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["thin L", "comb", "dumbbell", "ring", "apart"]), st.floats(20.0, 500.0), st.floats(0.0, 1.0))
def test_best_of_a_shape_of_parts_is_the_greatest_probability(family: str, size_m: float, width: float) -> None:
    assert_best_is_the_greatest(awkward_shape(family, size_m, width))


@settings(deadline=None, max_examples=25)
@given(st.floats(20.0, 500.0), st.floats(0.0, 1.0), st.lists(st.floats(-2.8, 2.8), min_size=2, max_size=6))
@example(160.0, 0.25, [0.0, 2.75])
def test_best_of_a_bent_corridor_is_the_greatest_probability(size_m: float, width: float, turns: list[float]) -> None:
    assert_best_is_the_greatest(bent_corridor(size_m, width, turns))


@settings(deadline=None, max_examples=25)
@given(st.floats(20.0, 500.0), st.floats(0.0, 1.0), st.lists(st.floats(-2.8, 2.8), min_size=2, max_size=6))
@example(252.54, 0.6474, [-0.6223, -2.5364, 0.1622, -2.4876, -1.9894, 1.4169])
def test_best_never_rises_however_small_the_step(size_m: float, width: float, turns: list[float]) -> None:
    zone, accuracy_m = ShapeProbability.build([bent_corridor(size_m, width, turns)]), np.geomspace(3.0, 2_000.0, 400)
    best = zone.best_probability(zone_row=np.zeros(400, dtype=np.int64), accuracy_m=accuracy_m)
    assert (np.diff(best) <= 1e-12).all()


def test_building_in_threads_changes_nothing() -> None:
    shapes = [bent_corridor(50.0 + number, 0.5, [0.0, 1.0, 2.0]) for number in range(450)]
    alone, shared = (ShapeProbability.build(shapes, thread_count=count) for count in (1, 2))
    assert np.array_equal(alone.best_curve, shared.best_curve)
