"""The perimeter of a school: every point at the right distance, measured on the ellipsoid."""

import pyproj
import pytest
from shapely.geometry import LineString, Point, box

from geo.perimeter import perimeter

GEOD = pyproj.Geod(ellps="WGS84")


@pytest.mark.parametrize("latitude", [0.5, 34.26, 53.0])
def test_edge_of_a_point_perimeter_is_200_m_away(latitude: float) -> None:
    ring = perimeter(Point(117.2, latitude), distance_m=200.0).exterior  # type: ignore[union-attr] # one polygon
    distances = [GEOD.inv(117.2, latitude, lon, lat)[2] for lon, lat in ring.coords]
    assert min(distances) == pytest.approx(200.0, abs=0.1)
    assert max(distances) == pytest.approx(200.0, abs=0.1)


def test_perimeter_of_a_campus_reaches_200_m_beyond_each_side() -> None:
    campus = box(117.2, 34.26, 117.204, 34.263)
    west, south, east, north = perimeter(campus, distance_m=200.0).bounds
    assert GEOD.inv(west, 34.2615, 117.2, 34.2615)[2] == pytest.approx(200.0, abs=0.5)
    assert GEOD.inv(117.202, south, 117.202, 34.26)[2] == pytest.approx(200.0, abs=0.5)
    assert east > 117.204
    assert north > 34.263


def test_width_must_be_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0"):
        perimeter(LineString([(117.2, 34.2), (117.3, 34.2)]), distance_m=0.0)
