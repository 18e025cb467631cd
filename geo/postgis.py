"""What every store shares: the metadata, and geometry in and out of PostGIS as EPSG:4326."""

from typing import Any

import shapely
from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import MetaData

SRID = 4326
"""Every stored geometry is WGS-84 longitude, latitude."""

metadata = MetaData()
"""The tables of all stores; the schema itself is made by the migrations in ``api/migrations``."""


def geometry_column() -> Geometry:
    """A column type for any WGS-84 geometry with a GiST index."""
    return Geometry(geometry_type="GEOMETRY", srid=SRID, spatial_index=True)


def to_ewkb(geometry: BaseGeometry) -> bytes:
    """The geometry as EWKB with its SRID, as PostGIS reads it in parameters and COPY."""
    wkb: bytes = shapely.to_wkb(shapely.set_srid(geometry, SRID), include_srid=True)
    return wkb


def to_element(geometry: BaseGeometry) -> WKBElement:
    """The geometry as a bound parameter for a geometry column."""
    return WKBElement(to_ewkb(geometry), srid=SRID, extended=True)


def from_element(element: Any) -> BaseGeometry:
    """The Shapely geometry of a value read from a geometry column (Any: GeoAlchemy2 is untyped)."""
    return to_shape(element)
