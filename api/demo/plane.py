"""A flat sheet in metres on which the synthetic city is drawn, and its way to degrees and back."""

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

FloatArray = NDArray[np.float64]
Metres = tuple[float, float]
"""East and north of the sheet's origin, in metres."""

_SEMI_MAJOR_M = 6_378_137.0
_ECCENTRICITY_SQUARED = 0.006_694_379_990_14
_Shape = TypeVar("_Shape", bound=BaseGeometry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Tangent sheet at an origin in WGS-84 degrees.

    One scale per axis, taken at the origin: lengths are right to 0.1 % within 6 km. Plain arithmetic, so that the
    same seed gives the same degrees whatever projection library is installed.
    """

    longitude: float
    latitude: float

    def _metres_per_degree(self) -> Metres:
        phi = math.radians(self.latitude)
        bend = 1.0 - _ECCENTRICITY_SQUARED * math.sin(phi) ** 2
        meridian_m = _SEMI_MAJOR_M * (1.0 - _ECCENTRICITY_SQUARED) / bend**1.5
        parallel_m = _SEMI_MAJOR_M / math.sqrt(bend) * math.cos(phi)
        return math.radians(1.0) * parallel_m, math.radians(1.0) * meridian_m

    def to_wgs84(self, xy_m: FloatArray) -> FloatArray:
        """Longitude and latitude ``[n, 2]`` of points ``[n, 2]`` in metres."""
        return np.asarray(xy_m / np.array(self._metres_per_degree()) + np.array([self.longitude, self.latitude]))

    def to_metres(self, lonlat: FloatArray) -> FloatArray:
        """Metres ``[n, 2]`` of points ``[n, 2]`` in WGS-84 degrees."""
        return np.asarray((lonlat - np.array([self.longitude, self.latitude])) * np.array(self._metres_per_degree()))

    def shape_to_wgs84(self, shape_m: _Shape) -> _Shape:
        """The same shape with its metres turned to degrees."""
        return shapely.transform(shape_m, self.to_wgs84)

    def shape_to_metres(self, shape: _Shape) -> _Shape:
        """The same shape with its degrees turned to metres."""
        return shapely.transform(shape, self.to_metres)
