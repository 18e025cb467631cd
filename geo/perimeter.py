"""The area within so many metres of a boundary."""

import numpy as np
import pyproj
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

_QUARTER_SEGMENTS = 16


def perimeter(geometry: BaseGeometry, *, distance_m: float) -> Polygon | MultiPolygon:
    """The geometry (degrees, WGS-84) and everything within ``distance_m`` metres of it, straight line.

    Computed in an azimuthal equidistant plane about the geometry's centre: good to 0.1 % up to some 50 km across. Holes
    narrower than twice the distance close. Raises ``ValueError`` if ``distance_m`` is not above 0.
    """
    if not distance_m > 0:
        raise ValueError(f"distance_m must be above 0, got {distance_m}: give the width of the perimeter in metres")
    centre = geometry.centroid
    plane = pyproj.Proj(proj="aeqd", lat_0=centre.y, lon_0=centre.x, ellps="WGS84")

    def to_plane(points: np.ndarray) -> np.ndarray:
        return np.column_stack(plane(points[:, 0], points[:, 1]))

    def from_plane(points: np.ndarray) -> np.ndarray:
        return np.column_stack(plane(points[:, 0], points[:, 1], inverse=True))

    widened = shapely.transform(geometry, to_plane).buffer(distance_m, quad_segs=_QUARTER_SEGMENTS)
    result = shapely.transform(widened, from_plane)
    assert isinstance(result, Polygon | MultiPolygon)
    return result
