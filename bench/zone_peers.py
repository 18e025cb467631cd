"""Engines that a user of Hulan could pick instead, each asked its best way which fixes lie in which zones.

Every peer gets polygons and points loaded beforehand, its index built, and two threads where it can use them. Each is
timed from points to the pairs of rows in memory; the answer is an array of ``fix * zones + zone``, sorted.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import psycopg
import shapely
from numpy.typing import NDArray
from sqlalchemy import make_url

from api.cluster import running_cluster
from geo.projection import FloatArray, IntArray

THREADS = 2

Answers = Callable[[], tuple[Any, Any]]
"""Asks once: fix rows and zone rows of all hits, in any order."""


@contextmanager
def open_peers(zones: NDArray[np.object_], lon: FloatArray, lat: FloatArray) -> Iterator[dict[str, Answers]]:
    """Every peer, loaded and ready, by name."""
    with ExitStack() as stack:
        yield {
            "PostGIS": stack.enter_context(_postgis(zones, lon, lat)),
            "GeoPandas sjoin": _geopandas(zones, lon, lat),
            "shapely STRtree": _shapely(zones, lon, lat),
            "DuckDB spatial": _duckdb(zones, lon, lat),
            "SedonaDB": _sedonadb(zones, lon, lat),
        }


def hits(pairs: tuple[Any, Any], zone_count: int) -> IntArray:
    """The pairs in one order, to compare answers."""
    fix, zone = (np.asarray(column, dtype=np.int64) for column in pairs)
    return np.sort(fix * zone_count + zone)


def _geopandas(zones: NDArray[np.object_], lon: FloatArray, lat: FloatArray) -> Answers:
    areas = geopandas.GeoDataFrame(geometry=zones, crs="EPSG:4326")
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(lon, lat, crs="EPSG:4326"))
    areas.sindex  # noqa: B018 # built before the clock starts

    def ask() -> tuple[Any, Any]:
        joined = points.sjoin(areas, predicate="within")
        return joined.index.to_numpy(), joined["index_right"].to_numpy()

    return ask


def _shapely(zones: NDArray[np.object_], lon: FloatArray, lat: FloatArray) -> Answers:
    tree, points = shapely.STRtree(zones), shapely.points(lon, lat)

    def ask() -> tuple[Any, Any]:
        fix, zone = tree.query(points, predicate="within")
        return fix, zone

    return ask


def _duckdb(zones: NDArray[np.object_], lon: FloatArray, lat: FloatArray) -> Answers:
    import duckdb  # noqa: PLC0415 # of the optional group `bench`

    spec = find_spec("duckdb_extension_spatial")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("duckdb-extension-spatial is missing: run `uv sync --group bench`")
    extension = next(Path(spec.submodule_search_locations[0]).rglob("spatial.duckdb_extension"))
    connection = duckdb.connect(config={"threads": THREADS})
    connection.execute(f"LOAD '{extension}'")
    frame = pd.DataFrame({"zone": np.arange(zones.size), "wkb": shapely.to_wkb(zones)})
    points = pd.DataFrame({"fix": np.arange(lon.size), "lon": lon, "lat": lat})
    connection.register("zone_frame", frame)
    connection.register("fix_frame", points)
    connection.execute("CREATE TABLE zone AS SELECT zone, ST_GeomFromWKB(wkb) AS shape FROM zone_frame")
    connection.execute("CREATE TABLE fix AS SELECT fix, ST_Point(lon, lat) AS place FROM fix_frame")

    def ask() -> tuple[Any, Any]:
        query = "SELECT fix.fix, zone.zone FROM fix JOIN zone ON ST_Within(fix.place, zone.shape)"
        columns = connection.execute(query).fetchnumpy()
        return columns["fix"], columns["zone"]

    return ask


def _sedonadb(zones: NDArray[np.object_], lon: FloatArray, lat: FloatArray) -> Answers:
    import sedonadb  # noqa: PLC0415 # of the optional group `bench`

    context = sedonadb.connect()
    context.sql(f"SET datafusion.execution.target_partitions = {THREADS}").execute()
    areas = geopandas.GeoDataFrame({"zone": np.arange(zones.size)}, geometry=zones)
    points = geopandas.GeoDataFrame({"fix": np.arange(lon.size)}, geometry=shapely.points(lon, lat))
    context.create_data_frame(areas).to_memtable().to_view("zone")
    context.create_data_frame(points).to_memtable().to_view("fix")

    def ask() -> tuple[Any, Any]:
        query = "SELECT fix.fix, zone.zone FROM fix JOIN zone ON ST_Within(fix.geometry, zone.geometry)"
        table = context.sql(query).to_arrow_table()
        return table["fix"].to_numpy(), table["zone"].to_numpy()

    return ask


@contextmanager
def _postgis(zones: NDArray[np.object_], lon: FloatArray, lat: FloatArray) -> Iterator[Answers]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        folder.chmod(0o711)  # the server runs as another user when this process is root
        url = stack.enter_context(running_cluster(folder, durable=False, say=lambda _: None))
        place = make_url(url)
        connection = psycopg.connect(
            host=str(place.query["host"]), port=str(place.query["port"]), user=place.username, dbname=place.database,
            autocommit=True,
        )  # fmt: skip
        with connection:
            connection.execute("CREATE TABLE zone (zone int, shape geometry)")
            connection.execute("CREATE TABLE fix (fix int, place geometry)")
            _copy(connection, "zone", shapely.to_wkb(zones, hex=True))
            _copy(connection, "fix", shapely.to_wkb(shapely.points(lon, lat), hex=True))
            connection.execute("CREATE INDEX ON zone USING gist (shape)")
            connection.execute("VACUUM ANALYZE zone, fix")
            connection.execute(f"SET max_parallel_workers_per_gather = {THREADS - 1}")
            connection.execute("SET min_parallel_table_scan_size = 0")
            connection.execute("SET parallel_setup_cost = 0")
            connection.execute("SET parallel_tuple_cost = 0")
            connection.execute("SET work_mem = '256MB'")
            yield lambda: _ask_postgis(connection)


def _ask_postgis(connection: psycopg.Connection[tuple[Any, ...]]) -> tuple[Any, Any]:
    """The pairs as two arrays of 4-byte numbers made by the server: the quickest way out of it."""
    query = (
        "COPY (SELECT fix.fix, zone.zone FROM fix JOIN zone ON ST_Intersects(zone.shape, fix.place)) "
        "TO STDOUT (FORMAT binary)"
    )
    with connection.cursor().copy(query) as copy:
        data = b"".join(bytes(block) for block in copy)
    row = np.dtype([("columns", ">i2"), ("size_a", ">i4"), ("fix", ">i4"), ("size_b", ">i4"), ("zone", ">i4")])
    pairs = np.frombuffer(data, dtype=row, offset=19, count=(len(data) - 21) // row.itemsize)
    return pairs["fix"], pairs["zone"]


def _copy(connection: psycopg.Connection[tuple[Any, ...]], table: str, geometries: Any) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        copy.write("".join(f"{row}\t{geometry}\n" for row, geometry in enumerate(geometries.tolist())))
