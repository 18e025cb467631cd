"""Metres around a point: the WGS-84 ellipsoid seen as a local plane, and distances to edges in it.

Edges of zones are straight in longitude and latitude, as RFC 7946 says. A plane whose axes are longitude and latitude,
each with its own scale, keeps such edges straight, so inside and outside are found exactly in it. Lengths use the radii
of curvature at the mid latitude (Gauss): against the geodesic the error is below 1 mm at 1 km and ~2 cm at 20 km at the
latitudes of China; beyond ``EXACT_BEYOND_M`` the true geodesic to the nearest point replaces it.

The loops are compiled with numba, allocate nothing and release the GIL.
"""

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import pyproj
from numba import njit
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Plane = tuple[float, float, float, float, float, float]
Function = TypeVar("Function", bound=Callable[..., object])

EQUATOR_RADIUS_M = 6378137.0
ECCENTRICITY_SQUARED = 0.0066943799901413165
EXACT_BEYOND_M = 20_000.0

_RADIANS = math.pi / 180.0
_LEAST_NORTH_M = 110_574.0  # metres per degree of latitude, never less anywhere
_LEAST_EAST_M = 111_319.0  # metres per degree of longitude divided by cos(latitude), never less anywhere
_POLE_GUARD_DEG = 89.0  # nearer to a pole a box in longitude means nothing: take every longitude

_GEOD = pyproj.Geod(ellps="WGS84")


def compiled(function: Function) -> Function:
    """``function`` compiled on first use, cached on disk, free of the GIL."""
    decorate = njit(cache=True, nogil=True, error_model="numpy")
    return cast(Function, decorate(function))


@compiled
def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Metres per degree of longitude and per degree of latitude at ``latitude`` (degrees), WGS-84."""
    sine = math.sin(latitude * _RADIANS)
    w_squared = 1.0 - ECCENTRICITY_SQUARED * sine * sine
    prime_vertical_m = EQUATOR_RADIUS_M / math.sqrt(w_squared)
    meridian_m = prime_vertical_m * (1.0 - ECCENTRICITY_SQUARED) / w_squared
    return _RADIANS * prime_vertical_m * math.cos(latitude * _RADIANS), _RADIANS * meridian_m


@compiled
def near_distance_m(longitude: float, latitude: float, to_longitude: float, to_latitude: float) -> float:
    """Metres between two points that are near each other; longitudes must not differ by a turn."""
    east_m, north_m = metres_per_degree(0.5 * (latitude + to_latitude))
    return math.hypot((to_longitude - longitude) * east_m, (to_latitude - latitude) * north_m)


def geodesic_m(lon: FloatArray, lat: FloatArray, to_lon: FloatArray, to_lat: FloatArray) -> FloatArray:
    """True geodesic metres between points (degrees, one shape) on WGS-84 at any distance: Karney, by pyproj."""
    return np.asarray(_GEOD.inv(lon, lat, to_lon, to_lat)[2], dtype=np.float64)


def reach_box(
    west: FloatArray, south: FloatArray, east: FloatArray, north: FloatArray, reach_m: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Boxes (degrees) widened so that no point within ``reach_m`` metres of the old box lies outside the new one.

    Near a pole, and for reaches beyond it, the box takes every longitude. West may go below -180 and east above 180.
    """
    rise = reach_m / _LEAST_NORTH_M
    highest = np.maximum(np.abs(south - rise), np.abs(north + rise))
    polar = highest >= _POLE_GUARD_DEG
    widening = reach_m / (_LEAST_EAST_M * np.cos(np.radians(np.minimum(highest, _POLE_GUARD_DEG))))
    widening = np.where(polar, 360.0, np.minimum(widening, 360.0))
    return west - widening, south - rise, east + widening, north + rise


@compiled
def plane_at(latitude: float) -> Plane:
    """Scales (metres per degree) at ``latitude`` and their change, by a parabola through three latitudes.

    Inside the edge loop the scale is wanted at many mid latitudes; a parabola costs no trigonometry.
    """
    east, north = metres_per_degree(latitude)
    east_below, north_below = metres_per_degree(latitude - 1.0)
    east_above, north_above = metres_per_degree(latitude + 1.0)
    return (
        east,
        0.5 * (east_above - east_below),
        0.5 * (east_above + east_below) - east,
        north,
        0.5 * (north_above - north_below),
        0.5 * (north_above + north_below) - north,
    )


@compiled
def _nearest_along(ax: float, ay: float, bx: float, by: float, east: float, north: float) -> float:
    """Where on the edge a→b (degrees from the fix) the fix is nearest: 0 at a, 1 at b."""
    ux, uy = (bx - ax) * east, (by - ay) * north
    length_squared = ux * ux + uy * uy
    if length_squared == 0.0:
        return 0.0
    along = -(ax * east * ux + ay * north * uy) / length_squared
    return min(1.0, max(0.0, along))


@compiled
def nearest_on_run(
    x: FloatArray, y: FloatArray, first: int, last: int, lon: float, lat: float, plane: Plane, best: float
) -> tuple[float, float, float]:
    """Nearest point to the fix on the path of vertices ``first..last``: squared metres, longitude, latitude.

    Only a distance below ``best`` (squared metres) counts; without one the answer is ``best`` and two NaN.
    The scale is taken first at the fix, then at the latitude midway to the point that this finds.
    """
    found_lon, found_lat = math.nan, math.nan
    for vertex in range(first, last):
        ax, ay = x[vertex] - lon, y[vertex] - lat
        bx, by = x[vertex + 1] - lon, y[vertex + 1] - lat
        along = _nearest_along(ax, ay, bx, by, plane[0], plane[3])
        half = 0.5 * (ay + along * (by - ay))
        east = plane[0] + half * (plane[1] + half * plane[2])
        north = plane[3] + half * (plane[4] + half * plane[5])
        along = _nearest_along(ax, ay, bx, by, east, north)
        qx, qy = ax + along * (bx - ax), ay + along * (by - ay)
        squared = (qx * east) ** 2 + (qy * north) ** 2
        if squared < best:
            best, found_lon, found_lat = squared, lon + qx, lat + qy
    return best, found_lon, found_lat


@compiled
def crosses_odd(x: FloatArray, y: FloatArray, first: int, last: int, lon: float, lat: float) -> bool:
    """Whether the ray from the fix to the east crosses the path of vertices ``first..last`` an odd number of times."""
    odd = False
    for vertex in range(first, last):
        ay, by = y[vertex] - lat, y[vertex + 1] - lat
        if (ay > 0.0) != (by > 0.0):
            ax, bx = x[vertex] - lon, x[vertex + 1] - lon
            if ax - ay * (bx - ax) / (by - ay) > 0.0:
                odd = not odd
    return odd


@compiled
def box_distance_squared(
    west: float, south: float, east: float, north: float, lon: float, lat: float, least_east_m: float
) -> float:
    """A lower bound of the squared metres from the fix to the box; no east scale in use is below ``least_east_m``."""
    dx = max(west - lon, lon - east, 0.0) * least_east_m
    dy = max(south - lat, lat - north, 0.0) * _LEAST_NORTH_M
    return dx * dx + dy * dy
