"""What can be reached on foot from gates within a distance: the walked parts of the network's edges."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from shapely.geometry import LineString, MultiLineString

from geo.projection import FloatArray, IntArray
from geo.walk_network import WalkNetwork, edge_piece
from geo.walk_snap import SNAP_REACH_M, Snapped, checked_points, snap_to_edges
from geo.walk_spread import graph_of, spread

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reach:
    """The parts of edges within a walking distance of the nearest gate, accesses of the gates counted."""

    lines: MultiLineString
    """Parts of edges (degrees, WGS-84)."""
    accesses: MultiLineString
    """From each snapped gate to its place on the network, cut at the distance; of length 0 for a gate on a way."""
    length_m: float
    """Metres of ``lines`` together."""
    not_snapped: tuple[int, ...]
    """Rows of gates too far from every way: nothing is known of what is near them on foot."""


def reach_on_foot(
    network: WalkNetwork,
    *,
    longitude: FloatArray,
    latitude: FloatArray,
    distance_m: float,
    snap_reach_m: float = SNAP_REACH_M,
) -> Reach:
    """All places on ``network`` within ``distance_m`` metres on foot of any gate (degrees, WGS-84, shape [gates]).

    Raises ValueError for a gate that is not on Earth and a distance that is not above 0 and finite.
    """
    if not 0.0 < distance_m < np.inf:
        raise ValueError(f"distance_m is {distance_m}: give metres above 0")
    lon, lat = checked_points(longitude, latitude)
    gates = snap_to_edges(network, longitude=lon, latitude=lat, reach_m=snap_reach_m)
    parts = _walked_parts(network, gates, distance_m)
    lines = [LineString(edge_piece(network, edge, *part)) for edge, part in parts]
    return Reach(
        lines=MultiLineString(lines),
        accesses=_accesses(gates, lon, lat, distance_m),
        length_m=sum((high - low for _, (low, high) in parts), start=0.0),
        not_snapped=tuple(np.flatnonzero(~gates.is_snapped).tolist()),
    )


def _walked_parts(network: WalkNetwork, gates: Snapped, distance_m: float) -> list[tuple[int, Interval]]:
    """Edge and metres from its start of each part, sorted; parts of one edge do not touch."""
    rows = np.flatnonzero(gates.is_snapped)
    edge, along_m, access_m = gates.edge[rows], gates.along_m[rows], gates.access_m[rows]
    near_m = _node_distances(network, edge, along_m, access_m, distance_m)
    found: dict[int, list[Interval]] = defaultdict(list)
    left_m = distance_m - near_m
    for row in np.flatnonzero((left_m[network.nodes] > 0.0).any(axis=1)).tolist():
        length_m = float(network.length_m[row])
        from_start, from_end = left_m[network.nodes[row]].tolist()
        found[row] += [(0.0, min(from_start, length_m)), (max(length_m - from_end, 0.0), length_m)]
    for row, place_m, rest_m in zip(edge.tolist(), along_m.tolist(), (distance_m - access_m).tolist(), strict=True):
        found[row].append((max(place_m - rest_m, 0.0), min(place_m + rest_m, float(network.length_m[row]))))
    return [(row, part) for row in sorted(found) for part in _united(found[row])]


def _node_distances(
    network: WalkNetwork, edge: IntArray, along_m: FloatArray, access_m: FloatArray, bound_m: float
) -> FloatArray:
    """Metres from the nearest gate to each node, infinite beyond ``bound_m``."""
    distance_m = np.full(network.node_count, np.inf)
    came_by, touched = np.empty(network.node_count, dtype=np.int32), np.empty(network.node_count, dtype=np.int32)
    seed_m = np.concatenate([access_m + along_m, access_m + network.length_m[edge] - along_m])
    seed_node = np.concatenate([network.nodes[edge, 0], network.nodes[edge, 1]])
    spread(graph_of(network.adjacency), seed_node, seed_m, bound_m, distance_m, came_by, touched)
    return distance_m


def _united(parts: list[Interval]) -> list[Interval]:
    """The union of intervals of one edge; empty ones fall away."""
    united: list[Interval] = []
    for low, high in sorted(part for part in parts if part[1] > part[0]):
        if united and low <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], high))
        else:
            united.append((low, high))
    return united


def _accesses(gates: Snapped, lon: FloatArray, lat: FloatArray, distance_m: float) -> MultiLineString:
    rows = np.flatnonzero(gates.is_snapped)
    part = np.minimum(1.0, distance_m / np.maximum(gates.access_m[rows], 1e-9))
    to_lon = lon[rows] + part * (gates.longitude[rows] - lon[rows])
    to_lat = lat[rows] + part * (gates.latitude[rows] - lat[rows])
    ends = np.stack([np.column_stack([lon[rows], lat[rows]]), np.column_stack([to_lon, to_lat])], axis=1)
    return MultiLineString(list(ends))
