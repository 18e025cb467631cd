"""From a file's CRS to degrees in a datum that Hulan knows. Refuses what it cannot transform exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry.base import BaseGeometry

from api.files.errors import UnreadableFile
from geo.datum import Datum

_WGS84 = pyproj.CRS.from_epsg(4326)
_EXACT_M = 2.0  # ETRS89 is within 1 m; Beijing 1954 and Xian 1980 are not, and need the survey's own parameters
_CGCS2000 = pyproj.CRS.from_epsg(4490)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """How coordinates of one CRS become longitude and latitude in ``datum``. ``None`` means that they already are."""

    datum: Datum
    unprojected: pyproj.Transformer | None
    """To the degrees of the CRS's own geographic frame."""
    shifted: pyproj.Transformer | None
    """From there to WGS-84, where the frame is neither WGS-84 nor CGCS2000."""

    def to_degrees(self, geometry: BaseGeometry, *, is_datum_given: bool) -> tuple[BaseGeometry | None, str]:
        """``geometry`` in degrees, or ``None`` and the problem. A datum given by the caller replaces the shift."""
        for transformer in (self.unprojected, None if is_datum_given else self.shifted):
            if transformer is not None:
                geometry = shapely.transform(geometry, _step(transformer))
        if not np.isfinite(shapely.get_coordinates(geometry)).all():
            return None, "坐标不是有限数 / a coordinate is missing, or lies outside the CRS: mend it and import again"
        return geometry, ""


def frame_of(crs_text: str, *, file: str) -> Frame:
    """The frame of a CRS given as WKT, an authority code or a URN.

    Raises UnreadableFile if PROJ does not know it or cannot bring it to WGS-84 within 2 m.
    """
    try:
        crs = pyproj.CRS.from_user_input(crs_text)
        geographic = crs.geodetic_crs
        if geographic is None:
            raise CRSError(f"{crs.name} has no geographic frame")
        unprojected = pyproj.Transformer.from_crs(crs, geographic, always_xy=True) if crs.is_projected else None
        for known, datum in ((_WGS84, Datum.WGS84), (_CGCS2000, Datum.CGCS2000)):
            if geographic.equals(known, ignore_axis_order=True) or geographic.to_2d().to_epsg() == known.to_epsg():
                return Frame(datum=datum, unprojected=unprojected, shifted=None)
        shifted = pyproj.Transformer.from_crs(geographic, _WGS84, always_xy=True, allow_ballpark=False)
        if not 0.0 <= shifted.accuracy <= _EXACT_M:  # -1 where PROJ would choose among several by place
            raise CRSError(f"{geographic.name} has no single transformation within {_EXACT_M:g} m")
        return Frame(datum=Datum.WGS84, unprojected=unprojected, shifted=shifted)
    except (CRSError, ProjError) as error:
        raise UnreadableFile(
            f"{file}：坐标系无法准确转换到 WGS-84 / its CRS cannot be brought to WGS-84 exactly: reproject the file to "
            f"EPSG:4326 or EPSG:4490 ({error})"
        ) from error


def _step(transformer: pyproj.Transformer) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        longitude, latitude = transformer.transform(points[:, 0], points[:, 1])
        return np.column_stack([longitude, latitude])

    return moved
