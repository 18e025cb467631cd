"""The single-precision distance of small zones against the double-precision one, and the masks of cells."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from geo.grid import part_mask
from geo.measure import signed_distance_m
from geo.near import CARD, FARTHEST_M, LINE, deal, near_signed_distance_m
from geo.outline import Forest, Outlines
from geo.shapes import Area, Circle, Corridor, Shape


def shape_at(kind: str, longitude: float, latitude: float, size_m: float, corners: int) -> Shape:
    """A circle, a ragged area or a bent corridor of about this size."""
    if kind == "circle":
        return Circle(longitude=longitude, latitude=latitude, radius_m=size_m)
    turn = np.linspace(0.0, 2.0 * np.pi, corners, endpoint=False)
    reach = size_m * (0.7 + 0.3 * np.cos(5.0 * turn))
    x = longitude + reach * np.cos(turn) / (111_320.0 * math.cos(math.radians(latitude)))
    y = latitude + reach * np.sin(turn) / 111_000.0
    points = np.column_stack([x, y])
    if kind == "corridor":
        return Corridor(line=shapely.LineString(points[: corners // 2 + 1]), half_width_m=10.0)
    return Area(geometry=shapely.Polygon(points))


def both(shape: Shape, longitude: float, latitude: float) -> tuple[float, float]:
    """Signed metres by single and by double precision."""
    outlines = Outlines.of([shape])
    forest = Forest.over(outlines, np.zeros(1, dtype=np.int64))
    deck, line = deal(outlines, forest)
    outline = (outlines.x, outlines.y, outlines.bounds, outlines.margin_m)
    trees = (forest.head, forest.box, forest.skip, forest.ends)
    single = near_signed_distance_m(deck.view(CARD)[line[0]], deck, (line[0] + 1) * LINE, longitude, latitude)
    return single, signed_distance_m(outline, trees, 0, (longitude, latitude, 10_000.0))


@settings(deadline=None, max_examples=300)
@given(
    kind=st.sampled_from(["circle", "area", "corridor"]),
    latitude=st.floats(-84.9, 84.9),
    size_m=st.floats(3.0, 700.0),
    corners=st.integers(4, 120),
    away=st.floats(0.0, 4.0),
    bearing=st.floats(0.0, 6.28),
)
def test_single_precision_differs_by_less_than_a_few_millimetres(
    kind: str, latitude: float, size_m: float, corners: int, away: float, bearing: float
) -> None:
    shape = shape_at(kind, 117.2, latitude, size_m, corners)
    east = away * size_m * math.sin(bearing) / (111_320.0 * math.cos(math.radians(latitude)))
    north = away * size_m * math.cos(bearing) / 111_000.0
    single, double = both(shape, 117.2 + east, latitude + north)
    outlines = Outlines.of([shape])
    assume(deal(outlines, Forest.over(outlines, np.zeros(1, dtype=np.int64)))[0].view(CARD)["edges"][0] >= 0)
    if math.isnan(single):
        assert abs(double) < 0.03 or abs(double) > FARTHEST_M - 800.0, "left to double precision without need"
    else:
        assert single == pytest.approx(double, abs=0.005)


@pytest.mark.parametrize("apart_m", [1e-4, 1e-3, 0.019])
def test_so_near_an_edge_double_precision_must_tell_the_side(apart_m: float) -> None:
    square = Area(geometry=shapely.box(117.0, 34.0, 117.001, 34.001))
    for side in (-1.0, 1.0):
        single, double = both(square, 117.0005, 34.0 - side * apart_m / 110_916.0)
        assert math.isnan(single)
        assert double == pytest.approx(side * apart_m, abs=1e-5)


@pytest.mark.parametrize(
    ("shape", "longitude"),
    [
        (shape_at("circle", 117.0, 34.0, 4_000.0, 0), 117.04),
        (shape_at("area", 117.0, 34.0, 30_000.0, 12), 117.0),
        (shape_at("area", 117.0, 85.5, 50.0, 12), 117.0),
        (shape_at("area", 179.9999, 34.0, 100.0, 12), -179.9999),
    ],
    ids=["far from the centre", "wide", "near the pole", "a turn away"],
)
def test_what_single_precision_may_not_do_is_left_alone(shape: Shape, longitude: float) -> None:
    assert math.isnan(both(shape, longitude, 34.0 if abs(longitude) < 180 else 0.0)[0])


def test_a_card_fills_one_cache_line_and_lies_in_it() -> None:
    outlines = Outlines.of([shape_at("circle", 117.0, 34.0, 5.0, 0)] * 3)
    deck, line = deal(outlines, Forest.over(outlines, np.arange(3)))
    assert CARD.itemsize == 64 == LINE * deck.itemsize
    assert deck.ctypes.data % 64 == 0
    assert deck.view(CARD)["row"][line].tolist() == [0, 1, 2]


@given(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)))
def test_the_mask_of_a_box_has_the_bits_of_its_parts(box: tuple[int, int, int, int]) -> None:
    (west, east), (south, north) = sorted(box[:2]), sorted(box[2:])
    parts = {4 * row + column for row in range(south, north + 1) for column in range(west, east + 1)}
    assert part_mask(west, south, east, north) == sum(1 << part for part in parts)
