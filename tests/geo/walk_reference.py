"""Small walk networks, and shortest ways found another way: points become nodes of a split graph, in plain Python."""

import heapq
import itertools
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pyproj
import shapely
from shapely.geometry import LineString

from geo.walk_network import WalkLines, WalkNetwork, build_walk_network
from geo.walk_snap import Snapped

GEOD = pyproj.Geod(ellps="WGS84")
LONGITUDE, LATITUDE = 117.2, 34.26
EAST_M, NORTH_M = 92_104.0, 110_935.0
"""Roughly the metres per degree at (LONGITUDE, LATITUDE)."""

Place = tuple[float, float]


def at(x_m: float, y_m: float) -> Place:
    """Longitude and latitude about ``x_m`` east and ``y_m`` north of the origin of the tests."""
    return LONGITUDE + x_m / EAST_M, LATITUDE + y_m / NORTH_M


def lines_of(ways: Sequence[Sequence[int]], places: dict[int, Place]) -> WalkLines:
    """Ways given as keys of ``places`` (metres east and north of the origin)."""
    keys = [key for way in ways for key in way]
    points = np.array([at(*places[key]) for key in keys]).reshape(-1, 2)
    return WalkLines(
        start=np.concatenate([[0], np.cumsum([len(way) for way in ways])]).astype(np.int64),
        vertex_key=np.array(keys, dtype=np.int64),
        longitude=points[:, 0].copy(),
        latitude=points[:, 1].copy(),
    )


def network_of(ways: Sequence[Sequence[int]], places: dict[int, Place]) -> WalkNetwork:
    return build_walk_network(lines_of(ways, places))


def degrees(points: Sequence[Place]) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes and latitudes of points in metres from the origin."""
    placed = np.array([at(*point) for point in points]).reshape(-1, 2)
    return placed[:, 0].copy(), placed[:, 1].copy()


def length_of(line: LineString) -> float:
    """Geodesic metres along a line."""
    return float(GEOD.line_length(*np.asarray(shapely.get_coordinates(line)).T))


def brute_force_m(network: WalkNetwork, gates: Snapped, venues: Snapped) -> np.ndarray:
    """Metres on foot, shape [gates, venues], infinite without a way."""
    neighbours: dict[object, list[tuple[object, float]]] = defaultdict(list)
    on_edge: dict[int, list[tuple[float, object]]] = defaultdict(list)
    for kind, points in (("gate", gates), ("venue", venues)):
        for row in np.flatnonzero(points.edge >= 0).tolist():
            on_edge[int(points.edge[row])].append((float(points.along_m[row]), (kind, row)))
    for edge in range(network.edge_count):
        first, last = (int(node) for node in network.nodes[edge])
        inner = sorted(on_edge[edge], key=lambda place: place[0])
        chain: list[tuple[float, object]] = [(0.0, first), *inner, (float(network.length_m[edge]), last)]
        for (from_m, one), (to_m, other) in itertools.pairwise(chain):
            neighbours[one].append((other, to_m - from_m))
            neighbours[other].append((one, to_m - from_m))
    answer = np.full((gates.edge.size, venues.edge.size), np.inf)
    for gate in np.flatnonzero(gates.edge >= 0).tolist():
        reached = _dijkstra(neighbours, ("gate", gate))
        for venue in np.flatnonzero(venues.edge >= 0).tolist():
            if ("venue", venue) in reached:
                access_m = gates.access_m[gate] + venues.access_m[venue]
                answer[gate, venue] = reached["venue", venue] + access_m
    return answer


def _dijkstra(neighbours: dict[object, list[tuple[object, float]]], source: object) -> dict[object, float]:
    reached: dict[object, float] = {}
    heap: list[tuple[float, int, object]] = [(0.0, 0, source)]
    pushes = 0
    while heap:
        distance_m, _, node = heapq.heappop(heap)
        if node in reached:
            continue
        reached[node] = distance_m
        for other, length_m in neighbours[node]:
            pushes += 1
            heapq.heappush(heap, (distance_m + length_m, pushes, other))
    return reached
