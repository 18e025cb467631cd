"""H3 cells against the published cells of uber/h3, and coverings against plain geometry."""

from pathlib import Path

import h3.api.numpy_int as h3
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from geo.cells import cell_area_m2, cell_boundary, cell_of, covering, disk, disk_sum
from geo.shapes import Area, Circle, area_m2, shape_to_geometry

CENTRES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "h3_cells" / "rand09centers.txt"


@pytest.mark.real
@pytest.mark.skipif(not CENTRES.exists(), reason=f"needs {CENTRES}")
def test_published_centres_lie_in_their_cells() -> None:
    rows = [line.split() for line in CENTRES.read_text(encoding="utf-8").splitlines() if line.strip()]
    cells = np.array([int(cell, 16) for cell, _, _ in rows], dtype=np.uint64)
    latitude = np.array([float(row[1]) for row in rows])
    longitude = (np.array([float(row[2]) for row in rows]) + 180.0) % 360.0 - 180.0
    assert len(rows) == 5000
    assert np.array_equal(cell_of(longitude=longitude, latitude=latitude, resolution=9), cells)
    for cell, lon, lat in zip(cells[:500].tolist(), longitude, latitude, strict=False):
        outline = cell_boundary(cell)
        middle = outline.centroid
        turn = 360.0 * round((middle.x - lon) / 360.0)
        assert outline.contains(Point(lon + turn, lat))


@pytest.mark.parametrize(("resolution", "area"), [(8, 559_000), (9, 79_833), (10, 11_405), (11, 1_629)])
def test_cell_area_at_xuzhou_is_the_true_one(resolution: int, area: float) -> None:
    cells = cell_of(longitude=117.25, latitude=34.25, resolution=resolution)
    assert cells.dtype == np.uint64
    assert cell_area_m2(cells)[0] == pytest.approx(area, rel=1e-3)
    assert cell_area_m2(cells)[0] == pytest.approx(area_m2(Area(geometry=cell_boundary(int(cells[0])))), rel=5e-3)


def brute_force_covering(geometry: Polygon | MultiPolygon, resolution: int) -> set[int]:
    points = shapely.get_coordinates(shapely.segmentize(geometry, 0.0005))
    middle = geometry.representative_point()
    starts = {h3.latlng_to_cell(lat, lon, resolution) for lon, lat in [*points, (middle.x, middle.y)]}
    tried: set[int] = set()
    wanted: set[int] = set()
    waiting = {near for start in starts for near in h3.grid_disk(start, 1).tolist()}
    while waiting:
        cell = waiting.pop()
        tried.add(cell)
        if cell_boundary(cell).intersects(geometry):
            wanted.add(cell)
            waiting |= set(h3.grid_disk(cell, 1).tolist()) - tried
    return wanted


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 0.008), st.integers(3, 8))
def test_covering_is_every_cell_that_meets_the_polygon(seed: int, size_deg: float, corners: int) -> None:
    rng = np.random.default_rng(seed)
    angle = np.sort(rng.uniform(0.0, 2.0 * np.pi, corners))
    reach = rng.uniform(0.3, 1.0, corners) * size_deg
    centre = rng.uniform(75, 134), rng.uniform(18, 53)
    polygon = Polygon(np.column_stack([centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle)]))
    if not polygon.is_valid or polygon.area == 0.0:
        return
    assert set(covering(polygon, 9).tolist()) == brute_force_covering(polygon, 9)


def test_a_kiosk_smaller_than_a_cell_is_covered() -> None:
    kiosk = shape_to_geometry(Circle(longitude=117.25, latitude=34.25, radius_m=2.0))
    assert cell_of(longitude=117.25, latitude=34.25, resolution=8)[0] in covering(kiosk, 8)
    corner = Point(cell_boundary(int(cell_of(longitude=117.25, latitude=34.25, resolution=9)[0])).exterior.coords[0])
    assert len(covering(corner.buffer(1e-6), 9)) == 3


def test_covering_of_parts_and_holes_is_sorted_and_without_repeats() -> None:
    ring = box(117.2, 34.2, 117.3, 34.3).difference(box(117.22, 34.22, 117.28, 34.28))
    assert isinstance(ring, Polygon)
    cells = covering(MultiPolygon([ring, box(117.24, 34.24, 117.26, 34.26)]), 9)
    assert (np.diff(cells.astype(object)) > 0).all()
    assert set(cells.tolist()) == brute_force_covering(ring, 9) | brute_force_covering(
        box(117.24, 34.24, 117.26, 34.26), 9
    )


def test_disk_holds_its_neighbours_in_order() -> None:
    cell = int(cell_of(longitude=117.25, latitude=34.25, resolution=9)[0])
    assert disk(cell, 0).tolist() == [cell]
    around = disk(cell, 2)
    assert len(around) == 19
    assert around.tolist() == sorted(around.tolist())
    with pytest.raises(ValueError, match="must be 0 or more"):
        disk(cell, -1)


def test_a_cell_on_the_antimeridian_stays_in_one_piece() -> None:
    cell = int(cell_of(longitude=180.0, latitude=10.0, resolution=5)[0])
    west, _, east, _ = cell_boundary(cell).bounds
    assert east - west < 1.0


@pytest.mark.parametrize(("longitude", "latitude"), [(np.nan, 34.0), (34.0, 117.0), (np.inf, 0.0)])
def test_a_point_not_on_earth_is_refused(longitude: float, latitude: float) -> None:
    with pytest.raises(ValueError, match="point 0 is not on Earth"):
        cell_of(longitude=longitude, latitude=latitude, resolution=9)


def test_other_impossible_input_is_refused() -> None:
    with pytest.raises(ValueError, match="two arrays of one length"):
        cell_of(longitude=[1.0, 2.0], latitude=[1.0], resolution=9)
    with pytest.raises(ValueError, match="resolutions 0 to 15"):
        cell_of(longitude=1.0, latitude=1.0, resolution=16)
    with pytest.raises(ValueError, match="not an H3 cell"):
        cell_area_m2([12])
    with pytest.raises(ValueError, match="give a Polygon"):
        covering(LineString([(117, 34), (118, 34)]), 9)
    with pytest.raises(ValueError, match="not empty"):
        covering(Polygon(), 9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_disk_sum_is_the_sum_over_pairs_of_near_cells(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    middle = int(cell_of(longitude=117.25, latitude=34.25, resolution=9)[0])
    cells = rng.permutation(rng.choice(disk(middle, 5), 40, replace=False))
    values = rng.uniform(0.0, 10.0, cells.size)
    wanted = [
        sum(v for other, v in zip(cells.tolist(), values, strict=True) if h3.grid_distance(cell, other) <= k)
        for cell in cells.tolist()
    ]
    assert disk_sum(cells, values, k) == pytest.approx(wanted)


def test_an_isolated_cell_keeps_its_value() -> None:
    cells = cell_of(longitude=[117.25, 113.5], latitude=[34.25, 27.65], resolution=9)
    assert disk_sum(cells, [3.0, 4.0], 2).tolist() == [3.0, 4.0]
    assert disk_sum(np.zeros(0, dtype=np.uint64), [], 1).shape == (0,)


def test_disk_sum_refuses_what_it_would_count_wrongly() -> None:
    cells = cell_of(longitude=[117.25, 117.25], latitude=[34.25, 34.25], resolution=9)
    with pytest.raises(ValueError, match="given twice"):
        disk_sum(cells, [1.0, 2.0], 1)
    with pytest.raises(ValueError, match="one value for each cell"):
        disk_sum(cells, [1.0], 1)
    mixed = np.array([cells[0], cell_of(longitude=117.25, latitude=34.25, resolution=8)[0]])
    with pytest.raises(ValueError, match="different resolutions"):
        disk_sum(mixed, [1.0, 2.0], 1)
