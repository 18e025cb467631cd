"""What every store shares: the metadata, geometry in and out as EPSG:4326, and one fast way to write many rows."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import psycopg
import shapely
from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Connection, MetaData

SRID = 4326
"""Every stored geometry is WGS-84 longitude, latitude."""

metadata = MetaData()
"""The tables of all stores; the schema itself is made by the migrations in ``api/migrations``."""


def geometry_column() -> Geometry:
    """A column type for any WGS-84 geometry."""
    return Geometry(geometry_type="GEOMETRY", srid=SRID, spatial_index=False)


def raw_geometry_column() -> Geometry:
    """A column type for a geometry kept as it was sent, in the datum named beside it."""
    return Geometry(geometry_type="GEOMETRY", srid=-1, spatial_index=False)


def to_element(geometry: BaseGeometry, *, srid: int = SRID) -> WKBElement:
    """The geometry as a bound parameter for a geometry column."""
    return WKBElement(shapely.to_wkb(geometry), srid=srid)


def from_element(element: Any) -> BaseGeometry:
    """The Shapely geometry of a value read from a geometry column (Any: GeoAlchemy2 is untyped)."""
    return to_shape(element)


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection beneath, in the same transaction: for COPY and NOTIFY."""
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)


def insert_columns(
    connection: Connection,
    table: str,
    columns: Mapping[str, tuple[str, Sequence[Any]]],
    *,
    on_conflict: str = "",
) -> int:
    """Insert rows given as columns ``{name: (SQL type, values)}`` in one statement; returns the rows written.

    ``table``, names, types and ``on_conflict`` are constants of the program, never input.
    """
    names = ", ".join(columns)
    arrays = ", ".join(f"%s::{kind}[]" for kind, _ in columns.values())
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {on_conflict}"
    values = [list(column) for _, column in columns.values()]
    if not values[0]:
        return 0
    return driver_connection(connection).execute(statement.encode(), values).rowcount
