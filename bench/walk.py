"""Walking distances from every gate to every venue near it, on a synthetic city: ``python -m bench.walk``.

The city is an irregular grid: junctions moved at random, an eighth of the ways left out, every way bent. The peer is
SciPy's Dijkstra over the same graph with every gate and venue as a node of its own; both must give the same pairs.
"""

import argparse
import json
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from geo.projection import FloatArray, metres_per_degree
from geo.walk import WalkPairs, WalkStatus, walking_distances
from geo.walk_network import WalkLines, WalkNetwork, build_walk_network
from geo.walk_snap import Snapped, snap_to_edges

LONGITUDE, LATITUDE = 117.0, 34.0
SPACING_M = 120.0
LEFT_OUT = 0.125
TARGET_S = 30.0
CHUNK = 200

Answer = TypeVar("Answer")
Points = tuple[FloatArray, FloatArray]


def main() -> None:
    """Build the city, measure, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=400, help="junctions along one side of the city")
    parser.add_argument("--gates", type=int, default=5_000)
    parser.add_argument("--venues", type=int, default=20_000)
    parser.add_argument("--limit-m", type=float, default=400.0)
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    lines = city_lines(options.side, random)
    warm_up(lines)
    seconds: dict[str, float] = {}
    network = timed(seconds, "network from lines", lambda: build_walk_network(lines))
    gates, venues = points_near(network, options.gates, random), points_near(network, options.venues, random)
    timed(seconds, "index of edges, adjacency, parts", lambda: prepare(network))
    pairs = timed(seconds, "Hulan: all pairs", lambda: distances(network, gates, venues, options.limit_m))
    theirs = timed(seconds, "SciPy: all pairs", lambda: scipy_distances(network, gates, venues, options.limit_m))
    difference_m = largest_difference_m(pairs, theirs)
    report(network, pairs, seconds, difference_m, options)


def timed(seconds: dict[str, float], name: str, action: Callable[[], Answer]) -> Answer:
    """The answer of ``action``; how long it took goes into ``seconds``."""
    began = time.perf_counter()
    answer = action()
    seconds[name] = time.perf_counter() - began
    return answer


def city_lines(side: int, random: np.random.Generator) -> WalkLines:
    """Ways of three points between neighbouring junctions of a ``side`` by ``side`` grid."""
    east_m, north_m = metres_per_degree(LATITUDE)
    row, column = np.divmod(np.arange(side * side), side)
    shift = random.uniform(-0.3, 0.3, (2, side * side))
    x_m, y_m = (column + shift[0]) * SPACING_M, (row + shift[1]) * SPACING_M
    one = np.concatenate([np.flatnonzero(column < side - 1), np.flatnonzero(row < side - 1)])
    step = np.repeat([1, side], [side * (side - 1)] * 2)
    keep = random.random(one.size) >= LEFT_OUT
    one, other = one[keep], (one + step)[keep]
    bend = random.uniform(-0.15, 0.15, (2, one.size)) * SPACING_M
    x = np.stack([x_m[one], (x_m[one] + x_m[other]) / 2 + bend[0], x_m[other]], axis=1).ravel()
    y = np.stack([y_m[one], (y_m[one] + y_m[other]) / 2 + bend[1], y_m[other]], axis=1).ravel()
    key = np.stack([one, side * side + np.arange(one.size), other], axis=1).ravel()
    return WalkLines(
        start=np.arange(one.size + 1) * 3,
        vertex_key=key,
        longitude=LONGITUDE + x / east_m,
        latitude=LATITUDE + y / north_m,
    )


def points_near(network: WalkNetwork, count: int, random: np.random.Generator) -> Points:
    """Points up to some 40 m from vertices of the network."""
    vertex = random.integers(0, network.longitude.size, count)
    moved = random.uniform(-3e-4, 3e-4, (2, count))
    return network.longitude[vertex] + moved[0], network.latitude[vertex] + moved[1]


def prepare(network: WalkNetwork) -> None:
    """Ask for everything that is made once per network."""
    for made in (network.edge_tree, network.adjacency, network.component):
        assert made is not None


def distances(network: WalkNetwork, gates: Points, venues: Points, limit_m: float) -> WalkPairs:
    """Hulan's answer."""
    return walking_distances(
        network,
        gate_longitude=gates[0],
        gate_latitude=gates[1],
        venue_longitude=venues[0],
        venue_latitude=venues[1],
        limit_m=limit_m,
    )


def warm_up(lines: WalkLines) -> None:
    """Compile, or load what was compiled before, on the columns of a small network."""
    few = slice(0, 30)
    network = build_walk_network(
        WalkLines(
            start=lines.start[:11],
            vertex_key=lines.vertex_key[few],
            longitude=lines.longitude[few],
            latitude=lines.latitude[few],
        )
    )
    points = lines.longitude[few], lines.latitude[few]
    distances(network, points, points, 400.0)


def scipy_distances(
    network: WalkNetwork, gates: Points, venues: Points, limit_m: float
) -> dict[tuple[int, int], float]:
    """The same pairs from a graph in which every point is a node, linked along its edge; gates in chunks."""
    from_gates, from_venues = (snap_to_edges(network, longitude=lon, latitude=lat) for lon, lat in (gates, venues))
    graph = split_graph(network, from_gates, from_venues)
    first_venue = network.node_count + from_gates.edge.size
    found: dict[tuple[int, int], float] = {}
    snapped = np.flatnonzero(from_gates.is_snapped)
    for at in range(0, snapped.size, CHUNK):
        rows = snapped[at : at + CHUNK]
        reached_m = dijkstra(graph, directed=False, indices=network.node_count + rows, limit=limit_m)
        total_m = reached_m[:, first_venue:] + from_gates.access_m[rows, None] + from_venues.access_m[None, :]
        gate, venue = np.nonzero(total_m <= limit_m)
        found.update(
            zip(zip(rows[gate].tolist(), venue.tolist(), strict=True), total_m[gate, venue].tolist(), strict=True)
        )
    return found


def split_graph(network: WalkNetwork, gates: Snapped, venues: Snapped) -> csr_array:
    """Links between neighbours along each edge: its two nodes and the points on it, in order."""
    edge = np.concatenate([gates.edge, venues.edge])
    along_m = np.concatenate([gates.along_m, venues.along_m])
    point = np.flatnonzero(edge >= 0)
    rows = np.arange(network.edge_count)
    on = np.concatenate([rows, edge[point], rows])
    place_m = np.concatenate([np.full(rows.size, -1e-12), along_m[point], network.length_m + 1e-12])
    node = np.concatenate([network.nodes[:, 0], network.node_count + point, network.nodes[:, 1]])
    order = np.lexsort((place_m, on))
    on, place_m, node = on[order], place_m[order], node[order]
    linked = np.flatnonzero(on[1:] == on[:-1])
    weight = np.maximum(place_m[linked + 1] - place_m[linked], 1e-12)  # SciPy takes 0 for no link
    size = network.node_count + edge.size
    return csr_array((weight, (node[linked], node[linked + 1])), shape=(size, size))


def largest_difference_m(pairs: WalkPairs, theirs: dict[tuple[int, int], float]) -> float:
    """Ends the program if a pair is missing on either side."""
    hit = pairs.status == WalkStatus.REACHED
    rows = zip(pairs.gate_row[hit].tolist(), pairs.venue_row[hit].tolist(), strict=True)
    ours: dict[tuple[int, int], float] = dict(zip(rows, pairs.distance_m[hit].tolist(), strict=True))
    missing = ours.keys() ^ theirs.keys()
    if missing:
        raise SystemExit(f"{len(missing)} pairs are on one side only, for example {min(missing)}: no ratio to report")
    return max((abs(metres - theirs[pair]) for pair, metres in ours.items()), default=0.0)


def report(
    network: WalkNetwork,
    pairs: WalkPairs,
    seconds: dict[str, float],
    difference_m: float,
    options: argparse.Namespace,
) -> None:
    """The table, and one line of JSON."""
    counts = {status.name.lower(): int((pairs.status == status).sum()) for status in WalkStatus}
    print(f"{network.node_count:,} nodes, {network.edge_count:,} edges")
    print(f"{options.gates:,} gates, {options.venues:,} venues")
    for name, taken in seconds.items():
        print(f"{name:<36} {taken:8.2f} s")
    print(
        f"pairs within {options.limit_m:g} m straight: {pairs.status.size:,}; "
        + ", ".join(f"{n} {c:,}" for n, c in counts.items())
    )
    print(f"largest difference between the two: {difference_m:.1e} m")
    ours_s = seconds["network from lines"] + seconds["index of edges, adjacency, parts"] + seconds["Hulan: all pairs"]
    figures = {
        "name": "walk",
        "nodes": network.node_count,
        "edges": network.edge_count,
        "gates": options.gates,
        "venues": options.venues,
        "limit_m": options.limit_m,
        "pairs": counts,
        "build_s": round(seconds["network from lines"], 3),
        "index_s": round(seconds["index of edges, adjacency, parts"], 3),
        "pairs_s": round(seconds["Hulan: all pairs"], 3),
        "total_s": round(ours_s, 3),
        "target_s": TARGET_S,
        "scipy_s": round(seconds["SciPy: all pairs"], 3),
        "ratio_to_scipy": round(seconds["SciPy: all pairs"] / seconds["Hulan: all pairs"], 1),
        "largest_difference_m": difference_m,
        "network_version": network.network_version,
    }
    print(json.dumps(figures))
    if ours_s > TARGET_S:
        raise SystemExit(f"{ours_s:.1f} s is over the target of {TARGET_S:g} s")


if __name__ == "__main__":
    main()
