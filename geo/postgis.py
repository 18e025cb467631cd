"""What every store shares: the metadata, geometry in and out as EPSG:4326, and one fast way to write many rows."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import psycopg
import shapely
from geoalchemy2 import Geometry, WKBElement
from geoalchemy2.shape import to_shape
from numpy.typing import NDArray
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


def to_ewkb(geometry: BaseGeometry, *, srid: int = SRID) -> bytes:
    """The geometry as an element of a ``geometry[]`` for :func:`insert_columns`."""
    return bytes(shapely.to_wkb(shapely.set_srid(geometry, srid), include_srid=True))


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
    noted_in: str = "",
) -> int:
    """Insert rows given as columns ``{name: (SQL type, values)}`` in one statement; returns the rows written.

    ``noted_in``: a table that takes what the statement returns.
    ``table``, names, types and ``on_conflict`` are constants of the program, never input.
    """
    names = ", ".join(columns)
    arrays = ", ".join(f"{'%b' if kind in _SENT_AS_IS else '%s'}::{kind}[]" for kind, _ in columns.values())
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {on_conflict}"
    if noted_in:
        statement = f"WITH written AS ({statement}) INSERT INTO {noted_in} SELECT * FROM written"
    values = [list(column) for _, column in columns.values()]
    if not values[0]:
        return 0
    return driver_connection(connection).execute(statement.encode(), values).rowcount


_SENT_AS_IS = {"bytea", "geometry", "jsonb"}
"""Sent in binary: to escape 77,000 of them as text took two seconds for each column."""

_POSTGRES_EPOCH_US = 946_684_800_000_000
"""2000-01-01 UTC, from where PostgreSQL counts, in microseconds since 1970."""

_TIMESTAMPTZ = 1184
_ELEMENTS: dict[int, str] = {20: ">i8", 21: ">i2", 23: ">i4", 701: ">f8", _TIMESTAMPTZ: ">i8", 5069: ">i8"}
"""Type number of PostgreSQL → how its binary form reads: int8, int2, int4, float8, timestamptz, xid8."""


def read_columns(
    connection: Connection, query: str, parameters: Mapping[str, Any], columns: Mapping[str, type[np.generic]]
) -> dict[str, NDArray[Any]]:
    """The named columns of a query as arrays of the dtypes given, shape ``[n]`` each, rows in the query's order.

    ``query``: a constant of the program with ``%(name)s`` parameters. No NULL; timestamptz gives microseconds since
    1970. The server gathers each column in one array: three times faster than COPY, which costs a call per row.
    """
    gathered = ", ".join(f"array_agg({name})" for name in columns)
    cursor = driver_connection(connection).cursor(binary=True)
    cursor.execute(f"SELECT {gathered} FROM ({query}) AS gathered".encode(), parameters)
    result = cursor.pgresult
    assert result is not None
    return {
        name: _decoded(result.get_value(0, position)).astype(dtype)
        for position, (name, dtype) in enumerate(columns.items())
    }


def _decoded(value: bytes | None) -> NDArray[Any]:
    """A binary array of PostgreSQL: five numbers of four bytes, then each element behind its length."""
    if value is None:
        return np.zeros(0)
    _, has_null, kind, count, _ = np.frombuffer(value, dtype=">i4", count=5).tolist()
    if has_null:
        raise ValueError("a column holds NULL: it cannot be read into an array of numbers")
    elements = np.frombuffer(value, dtype=[("length", ">i4"), ("value", _ELEMENTS[kind])], count=count, offset=20)
    found = elements["value"]
    return found + _POSTGRES_EPOCH_US if kind == _TIMESTAMPTZ else found


_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"


def copy_rows(connection: Connection, table: str, columns: Mapping[str, NDArray[Any]]) -> None:
    """COPY equally long arrays to the columns of their name: int64 → bigint, int32 → integer, int8/16 → smallint,
    float64 → double precision, and int64 ``[n, 2]`` (the halves of an id) → uuid. No NULL.

    ``table`` and the names are constants of the program, never input.
    """
    count = len(next(iter(columns.values())))
    forms = {name: _copy_form(values) for name, values in columns.items()}
    layout: list[Any] = [("fields", ">i2")]
    for name, form in forms.items():
        layout += [(f"{name}/length", ">i4"), (name, form)]
    rows = np.zeros(count, dtype=layout)
    rows["fields"] = len(columns)
    for name, values in columns.items():
        rows[f"{name}/length"] = rows.dtype[name].itemsize
        rows[name] = values
    names = ", ".join(columns)
    with (
        driver_connection(connection).cursor() as cursor,
        cursor.copy(f"COPY {table} ({names}) FROM STDIN (FORMAT binary)".encode()) as copy,
    ):
        copy.write(_COPY_HEADER + rows.tobytes() + _COPY_TRAILER)


def _copy_form(values: NDArray[Any]) -> Any:
    if values.ndim == 2:
        return (">i8", (2,))
    forms = {np.int8: ">i2", np.int16: ">i2", np.int32: ">i4", np.int64: ">i8", np.float64: ">f8"}
    return forms[values.dtype.type]
