"""Coordinate datums of China: one canonical frame (WGS-84) and exact ways in and out of the shifted ones.

GCJ-02 and BD-09 move a point 400-1,250 m, so a missed or doubled conversion puts a person in another street.
The formulas are the ones in public use (Krasovsky 1940 figure; the variant with the WGS-84 radius differs by ~1 cm).
The inverse has no closed form: it is found by fixed-point iteration on the forward formula, to below 1e-6 m.

Where the shift applies. Maps of China shift points inside China and leave others alone; the public formulas decide
that with a rectangle (``CHINA_BOX``), and so does Hulan. The rectangle also holds Hong Kong, Macau, Taiwan, the Koreas,
Mongolia and parts of other neighbours. Policy: **the tag of the coordinate decides.** A point inside the rectangle that
says it is GCJ-02 or BD-09 is converted, wherever in the rectangle it lies. Some providers send unshifted coordinates in
Taiwan or Hong Kong; a feed from such a provider must be tagged WGS84 where it is read, because nothing in the number
itself can tell.
"""

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

FloatArray = NDArray[np.float64]
Shift = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


class Datum(StrEnum):
    """The frame in which a coordinate was sent."""

    WGS84 = "WGS84"  # GPS
    GCJ02 = "GCJ02"  # AMap, Tencent, WeChat
    BD09 = "BD09"  # Baidu
    CGCS2000 = "CGCS2000"  # official Chinese surveys; equal to WGS-84 here


CHINA_BOX = (72.004, 0.8293, 137.8347, 55.8271)  # west, south, east, north in WGS-84 degrees: where shifts apply
_BOX_MARGIN_DEG = 0.05  # far more than the largest shift: a shifted point of China lies inside the box widened by this
_BOX_ROUNDING_DEG = 1e-10  # a point on the edge of the box must not fall out by rounding on its way back

_KRASOVSKY_RADIUS_M = 6378245.0
_KRASOVSKY_ECCENTRICITY_SQUARED = 0.00669342162296594323
_BAIDU_WAVE = np.pi * 3000.0 / 180.0

_INVERSE_TOLERANCE_DEG = 2e-13  # 2e-8 m; double precision itself ends near 3e-14 degree at longitude 137
_INVERSE_MAXIMUM_STEPS = 30  # GCJ-02 needs about 4, BD-09 about 8

_SPELLINGS = {
    "WGS84": Datum.WGS84,
    "EPSG4326": Datum.WGS84,
    "GPS": Datum.WGS84,
    "GCJ02": Datum.GCJ02,
    "GCJ02LL": Datum.GCJ02,
    "AMAP": Datum.GCJ02,
    "BD09": Datum.BD09,
    "BD09LL": Datum.BD09,
    "CGCS2000": Datum.CGCS2000,
    "EPSG4490": Datum.CGCS2000,
}


def parse_datum(text: str) -> Datum:
    """The datum named by ``text``, such as ``gcj-02`` or ``EPSG:4490``; only letters and digits count, in any case.

    Raises ValueError for anything else, an empty text included: an untagged coordinate is never guessed.
    BD-09 in metres (``bd09mc``) is refused too: it is not a longitude and latitude.
    """
    key = "".join(character for character in text.upper() if character.isalnum())
    if key in _SPELLINGS:
        return _SPELLINGS[key]
    raise ValueError(
        f"unknown datum {text!r}: send one of WGS84, GCJ02, BD09, CGCS2000 "
        f"(坐标系“{text}”无法识别，请使用 WGS84、GCJ02、BD09 或 CGCS2000)"
    )


def to_wgs84(*, longitude: ArrayLike, latitude: ArrayLike, datum: Datum) -> tuple[FloatArray, FloatArray]:
    """Bring points from ``datum`` to WGS-84.

    ``longitude`` and ``latitude`` are degrees, scalars or arrays of one shape; the answer is two new float64 arrays of
    that shape. Points whose WGS-84 place lies outside ``CHINA_BOX`` come back unchanged. Error below 1e-6 m against the
    public formula. Raises ValueError for different shapes and for values that are not finite or not on Earth.
    """
    lon, lat = _checked_points(longitude, latitude)
    shift = _shift_of(datum)
    if shift is None:
        return lon, lat
    near = _inside(lon, lat, _widened(_BOX_MARGIN_DEG))
    solved_lon, solved_lat = _solve(shift, lon[near], lat[near])
    keep = _inside(solved_lon, solved_lat, _widened(_BOX_ROUNDING_DEG))
    lon[near] = np.where(keep, solved_lon, lon[near])
    lat[near] = np.where(keep, solved_lat, lat[near])
    return lon, lat


def from_wgs84(*, longitude: ArrayLike, latitude: ArrayLike, datum: Datum) -> tuple[FloatArray, FloatArray]:
    """Bring WGS-84 points to ``datum``, for example to draw them on a Chinese base map.

    Shapes, units and errors as in ``to_wgs84``. Points outside ``CHINA_BOX`` come back unchanged.
    """
    lon, lat = _checked_points(longitude, latitude)
    shift = _shift_of(datum)
    if shift is None:
        return lon, lat
    inside = _inside(lon, lat, CHINA_BOX)
    lon[inside], lat[inside] = shift(lon[inside], lat[inside])
    return lon, lat


def geometry_to_wgs84(geometry: BaseGeometry, datum: Datum) -> BaseGeometry:
    """``geometry`` (longitude, latitude in ``datum``) with every vertex brought to WGS-84; heights are dropped.

    Edges stay straight between the moved vertices: within a city the shift is smooth, and what this leaves out is
    centimetres per kilometre of edge. Raises ValueError as ``to_wgs84`` does.
    """

    def moved(points: FloatArray) -> FloatArray:
        lon, lat = to_wgs84(longitude=points[:, 0], latitude=points[:, 1], datum=datum)
        return np.column_stack([lon, lat])

    return shapely.transform(geometry, moved)


def _checked_points(longitude: ArrayLike, latitude: ArrayLike) -> tuple[FloatArray, FloatArray]:
    lon = np.array(longitude, dtype=np.float64)
    lat = np.array(latitude, dtype=np.float64)
    if lon.shape != lat.shape:
        raise ValueError(
            f"longitude has shape {lon.shape} but latitude {lat.shape}: give one latitude for each longitude"
        )
    wrong = np.flatnonzero(~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)).ravel())
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(
            f"point {row} is not on Earth: longitude {lon.flat[row]}, latitude {lat.flat[row]}; "
            "longitude must be within ±180 and latitude within ±90 degrees (are they swapped?)"
        )
    return lon, lat


def _widened(margin_deg: float) -> tuple[float, float, float, float]:
    west, south, east, north = CHINA_BOX
    return west - margin_deg, south - margin_deg, east + margin_deg, north + margin_deg


def _inside(lon: FloatArray, lat: FloatArray, box: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    west, south, east, north = box
    return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)


def _shift_of(datum: Datum) -> Shift | None:
    match datum:
        case Datum.WGS84 | Datum.CGCS2000:
            return None
        case Datum.GCJ02:
            return _gcj02_of
        case Datum.BD09:
            return _bd09_of


def _solve(shift: Shift, lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The points that ``shift`` moves onto (lon, lat). Each step shrinks the error at least tenfold."""
    solved_lon, solved_lat = lon.copy(), lat.copy()
    for _ in range(_INVERSE_MAXIMUM_STEPS):
        reached_lon, reached_lat = shift(solved_lon, solved_lat)
        error_lon, error_lat = reached_lon - lon, reached_lat - lat
        solved_lon -= error_lon
        solved_lat -= error_lat
        worst = max(np.abs(error_lon).max(initial=0.0), np.abs(error_lat).max(initial=0.0))
        if worst <= _INVERSE_TOLERANCE_DEG:
            return solved_lon, solved_lat
    raise ArithmeticError(
        f"datum inverse did not settle: {worst} degrees are left after {_INVERSE_MAXIMUM_STEPS} steps"
    )


def _gcj02_of(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """WGS-84 to GCJ-02 by the public formula, without asking whether the point is in China."""
    x, y = lon - 105.0, lat - 35.0
    root = np.sqrt(np.abs(x))
    fine = 20.0 * np.sin(6.0 * np.pi * x) + 20.0 * np.sin(2.0 * np.pi * x)
    east_m = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + fine * 2.0 / 3.0
    east_m += (20.0 * np.sin(np.pi * x) + 40.0 * np.sin(np.pi * x / 3.0)) * 2.0 / 3.0
    east_m += (150.0 * np.sin(np.pi * x / 12.0) + 300.0 * np.sin(np.pi * x / 30.0)) * 2.0 / 3.0
    north_m = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + fine * 2.0 / 3.0
    north_m += (20.0 * np.sin(np.pi * y) + 40.0 * np.sin(np.pi * y / 3.0)) * 2.0 / 3.0
    north_m += (160.0 * np.sin(np.pi * y / 12.0) + 320.0 * np.sin(np.pi * y / 30.0)) * 2.0 / 3.0

    phi = np.radians(lat)
    w_squared = 1.0 - _KRASOVSKY_ECCENTRICITY_SQUARED * np.sin(phi) ** 2
    prime_vertical_m = _KRASOVSKY_RADIUS_M / np.sqrt(w_squared)
    meridian_m = prime_vertical_m * (1.0 - _KRASOVSKY_ECCENTRICITY_SQUARED) / w_squared
    return lon + np.degrees(east_m / (prime_vertical_m * np.cos(phi))), lat + np.degrees(north_m / meridian_m)


def _bd09_of(lon: FloatArray, lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """WGS-84 to BD-09: the GCJ-02 point, turned and stretched about the origin, then moved."""
    x, y = _gcj02_of(lon, lat)
    reach = np.hypot(x, y) + 0.00002 * np.sin(y * _BAIDU_WAVE)
    angle = np.arctan2(y, x) + 0.000003 * np.cos(x * _BAIDU_WAVE)
    return reach * np.cos(angle) + 0.0065, reach * np.sin(angle) + 0.006
