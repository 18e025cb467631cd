"""Walking distances on real maps, pair by pair beside pgRouting on the same graph.

pgRouting 3.4 silently drops points at the very ends of an edge (its issues #760, #2253, #2966), so both sides get
fractions of [1e-7, 1 - 1e-7].
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from api.cluster_settings import SUPERUSER
from api.files.walk_network import read_walk_network
from geo.walk import snapped_distances
from geo.walk_network import WalkNetwork
from geo.walk_snap import Snapped, snap_to_edges
from tests.files.shared_data import shared_file

LEAST_FRACTION = 1e-7
LIMIT_M = 400.0
AGREED_M = 1e-6

Connection = psycopg.Connection[tuple[Any, ...]]
Distances = dict[tuple[int, int], float]

MAPS = [
    ("helsinki_osm_2019/helsinki.osm.pbf", 60, 240),
    ("liechtenstein_osm/liechtenstein_2013.osm.pbf", 100, 400),
    ("beijing_osm_cau_2026/map.osm", 30, 120),
]


@pytest.fixture
def routing(cluster_url: str) -> Iterator[Connection]:
    """A database of its own with pgRouting, by the superuser: role hulan may not create extensions."""
    url = make_url(cluster_url)
    place = make_conninfo(host=str(url.query["host"]), port=str(url.query["port"]), user=SUPERUSER)
    name = sql.Identifier("walk_against_pgrouting")
    with psycopg.connect(place, dbname="postgres", autocommit=True) as admin:
        if not admin.execute("SELECT FROM pg_available_extensions WHERE name = 'pgrouting'").rowcount:
            pytest.skip("pgRouting is not installed beside this PostgreSQL (make prepare-tests installs it)")
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            with psycopg.connect(place, dbname="walk_against_pgrouting") as connection:
                connection.execute("CREATE EXTENSION pgrouting CASCADE")
                yield connection
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def copy_rows(connection: Connection, table: str, *columns: np.ndarray) -> None:
    with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
        for row in zip(*(column.tolist() for column in columns), strict=True):
            copy.write_row(row)


def distances_of_pgrouting(connection: Connection, network: WalkNetwork, gates: Snapped, venues: Snapped) -> Distances:
    """Metres from each gate to each venue within ``LIMIT_M``; gates are points 1 and up, venues follow them."""
    connection.execute("CREATE TABLE edges (id int, source int, target int, cost float8, reverse_cost float8)")
    rows = np.arange(network.edge_count)
    copy_rows(connection, "edges", rows, network.nodes[:, 0], network.nodes[:, 1], network.length_m, network.length_m)
    connection.execute("CREATE TABLE points (pid int, edge_id int, fraction float8, side text)")
    edge = np.concatenate([gates.edge, venues.edge])
    fraction = np.concatenate([gates.along_m, venues.along_m]) / network.length_m[edge]
    copy_rows(connection, "points", np.arange(1, edge.size + 1), edge, fraction, np.full(edge.size, "b"))
    count = gates.edge.size
    found = connection.execute(
        """
        SELECT start_vid, node, agg_cost FROM pgr_withPointsDD(
            'SELECT id, source, target, cost, reverse_cost FROM edges',
            'SELECT pid, edge_id, fraction, side::char FROM points',
            ARRAY(SELECT -generate_series(1, %s)), %s::float8,
            directed => false, driving_side => 'b', details => true)
        WHERE node < -%s
        """,
        [count, LIMIT_M, count],
    )
    network_m = {(-gate - 1, -venue - 1 - count): float(metres) for gate, venue, metres in found}
    return {
        (gate, venue): float(gates.access_m[gate] + metres + venues.access_m[venue])
        for (gate, venue), metres in network_m.items()
    }


def distances_of_hulan(network: WalkNetwork, gates: Snapped, venues: Snapped) -> Distances:
    gate_row, venue_row = np.divmod(np.arange(gates.edge.size * venues.edge.size), venues.edge.size)
    distance_m, _ = snapped_distances(network, gates, venues, gate_row, venue_row, limit_m=LIMIT_M)
    hit = np.flatnonzero(~np.isnan(distance_m))
    pairs = zip(gate_row[hit].tolist(), venue_row[hit].tolist(), strict=True)
    return dict(zip(pairs, distance_m[hit].tolist(), strict=True))


def points_on(network: WalkNetwork, count: int, random: np.random.Generator) -> Snapped:
    """Points near the ways, some at corners and many on one edge, moved off the ends of their edges."""
    vertex = random.integers(0, network.longitude.size, count)
    spread = np.where(random.random(count) < 0.3, 0.0, 2e-4)
    lon = network.longitude[vertex] + random.uniform(-1.0, 1.0, count) * spread
    lat = network.latitude[vertex] + random.uniform(-1.0, 1.0, count) * spread
    found = snap_to_edges(network, longitude=lon, latitude=lat)
    rows = np.flatnonzero(found.is_snapped)
    edge = found.edge[rows]
    length_m = network.length_m[edge]
    fraction = np.clip(found.along_m[rows] / length_m, LEAST_FRACTION, 1.0 - LEAST_FRACTION)
    return Snapped(
        edge=edge,
        along_m=fraction * length_m,
        access_m=found.access_m[rows],
        longitude=found.longitude[rows],
        latitude=found.latitude[rows],
    )


@pytest.mark.real
@pytest.mark.parametrize(("name", "gate_count", "venue_count"), MAPS, ids=[name.split("/")[0] for name, *_ in MAPS])
def test_distances_agree_with_pgrouting_and_no_pair_is_missing(
    routing: Connection, name: str, gate_count: int, venue_count: int
) -> None:
    network = read_walk_network(shared_file(name)).network
    random = np.random.default_rng(20261122)
    gates, venues = points_on(network, gate_count, random), points_on(network, venue_count, random)
    ours = distances_of_hulan(network, gates, venues)
    theirs = distances_of_pgrouting(routing, network, gates, venues)
    clear = {pair for pair, metres in (ours | theirs).items() if metres < LIMIT_M - AGREED_M}
    assert len(clear) > 100
    assert clear <= ours.keys()
    assert clear <= theirs.keys()
    assert max(abs(ours[pair] - theirs[pair]) for pair in clear) < AGREED_M
    assert all(theirs[pair] < LIMIT_M + AGREED_M for pair in ours)
    same_edge = [pair for pair in clear if gates.edge[pair[0]] == venues.edge[pair[1]]]
    assert same_edge, "the sample has no gate and venue on one edge"
