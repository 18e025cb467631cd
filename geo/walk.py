"""Walking distance from gates to doors: the shortest way over the walk network, with its line.

A distance is what a person walks: from the gate to the nearest place on the network, along the shortest way, and from
the network to the door. Where no way exists the answer says so; it is never a large number.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from shapely.geometry import LineString

from geo.projection import ECCENTRICITY_SQUARED, EQUATOR_RADIUS_M, FloatArray, IntArray, compiled, geodesic_m
from geo.walk_network import NodeArray, WalkNetwork, edge_piece
from geo.walk_snap import SNAP_REACH_M, Snapped, checked_points, snap_to_edges
from geo.walk_spread import Graph, forget, graph_of, spread

DEFAULT_LIMIT_M = 400.0
_CANDIDATE_SLACK_M = 0.01  # no way is shorter than the straight line by more than this: rounding on long edges


class WalkStatus(IntEnum):
    """What is known of one gate and one venue; a code, since it fills columns."""

    REACHED = 0  # there is a way within the limit
    BEYOND_LIMIT = 1  # there is a way, and it is longer than the limit
    UNREACHABLE = 2  # both are on the network, and no way joins them
    NOT_SNAPPED = 3  # one of them is too far from every way to be on the network


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WalkPairs:
    """One row per gate and venue, sorted by gate and venue, columns of shape [pairs]."""

    gate_row: IntArray
    venue_row: IntArray
    distance_m: FloatArray
    """Metres on foot, accesses included; NaN unless the status is REACHED."""
    straight_m: FloatArray
    """Geodesic metres."""
    status: NDArray[np.int8]
    """``WalkStatus`` codes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WalkPath:
    """The shortest way from one point to another; without a way, ``line`` is ``None`` and ``distance_m`` NaN."""

    status: WalkStatus
    distance_m: float
    straight_m: float
    line: LineString | None
    """From point to point (degrees, WGS-84), accesses included."""
    edges: tuple[int, ...]
    """Rows of the network's edges in the order walked."""


def walking_distances(
    network: WalkNetwork,
    *,
    gate_longitude: FloatArray,
    gate_latitude: FloatArray,
    venue_longitude: FloatArray,
    venue_latitude: FloatArray,
    limit_m: float = DEFAULT_LIMIT_M,
    snap_reach_m: float = SNAP_REACH_M,
) -> WalkPairs:
    """What is known of every gate and venue (degrees, WGS-84, shape [n]) within ``limit_m`` metres in a straight line.

    No walk is shorter than the straight line, so these are all pairs that can be within the limit on foot. Raises
    ValueError for unequal lengths, a point that is not on Earth and a limit that is not above 0 and finite.
    """
    gate_lon, gate_lat = checked_points(gate_longitude, gate_latitude)
    venue_lon, venue_lat = checked_points(venue_longitude, venue_latitude)
    if not 0.0 < limit_m < np.inf:
        raise ValueError(f"limit_m is {limit_m}: give metres above 0")
    gate_row, venue_row, straight_m = _near_pairs(gate_lon, gate_lat, venue_lon, venue_lat, limit_m)
    gates = snap_to_edges(network, longitude=gate_lon, latitude=gate_lat, reach_m=snap_reach_m)
    venues = snap_to_edges(network, longitude=venue_lon, latitude=venue_lat, reach_m=snap_reach_m)
    distance_m, status = snapped_distances(network, gates, venues, gate_row, venue_row, limit_m=limit_m)
    keep = (straight_m <= limit_m) | (status == WalkStatus.REACHED)
    return WalkPairs(
        gate_row=gate_row[keep],
        venue_row=venue_row[keep],
        distance_m=distance_m[keep],
        straight_m=straight_m[keep],
        status=status[keep],
    )


def snapped_distances(
    network: WalkNetwork, gates: Snapped, venues: Snapped, gate_row: IntArray, venue_row: IntArray, *, limit_m: float
) -> tuple[FloatArray, NDArray[np.int8]]:
    """Metres on foot (NaN beyond ``limit_m``) and ``WalkStatus`` of each pair of rows; ``gate_row`` must be sorted."""
    first = np.searchsorted(gate_row, np.arange(gates.edge.size + 1))
    distance_m = _distances(
        graph_of(network.adjacency),
        network.nodes,
        network.length_m,
        (gates.edge, gates.along_m, gates.access_m),
        (venues.edge, venues.along_m, venues.access_m),
        first.astype(np.int64),
        venue_row,
        limit_m,
        network.node_count,
    )
    gate_edge, venue_edge = gates.edge[gate_row], venues.edge[venue_row]
    part = network.component[network.nodes[:, 0]]
    status = np.full(gate_row.size, WalkStatus.REACHED, dtype=np.int8)
    status[np.isnan(distance_m)] = WalkStatus.BEYOND_LIMIT
    status[part[gate_edge] != part[venue_edge]] = WalkStatus.UNREACHABLE
    status[(gate_edge < 0) | (venue_edge < 0)] = WalkStatus.NOT_SNAPPED
    return distance_m, status


def walking_path(
    network: WalkNetwork,
    *,
    longitude: float,
    latitude: float,
    to_longitude: float,
    to_latitude: float,
    limit_m: float = np.inf,
    snap_reach_m: float = SNAP_REACH_M,
) -> WalkPath:
    """The shortest way between two points (degrees, WGS-84). Raises ValueError for a point that is not on Earth."""
    lon, lat = np.array([longitude, to_longitude]), np.array([latitude, to_latitude])
    ends = snap_to_edges(network, longitude=lon, latitude=lat, reach_m=snap_reach_m)
    straight_m = float(geodesic_m(lon[:1], lat[:1], lon[1:], lat[1:])[0])

    def without_way(status: WalkStatus) -> WalkPath:
        return WalkPath(status=status, distance_m=np.nan, straight_m=straight_m, line=None, edges=())

    if not ends.is_snapped.all():
        return without_way(WalkStatus.NOT_SNAPPED)
    if np.unique(network.component[network.nodes[ends.edge, 0]]).size > 1:
        return without_way(WalkStatus.UNREACHABLE)
    distance_m, edges, pieces = _way_between(network, ends, limit_m)
    if not distance_m <= limit_m:
        return without_way(WalkStatus.BEYOND_LIMIT)
    points = np.concatenate([[(longitude, latitude)], *pieces, [(to_longitude, to_latitude)]])
    fresh = np.concatenate([[True], (np.diff(points, axis=0) != 0.0).any(axis=1)])
    line = LineString(points[fresh] if fresh.sum() > 1 else points[[0, -1]])
    return WalkPath(status=WalkStatus.REACHED, distance_m=distance_m, straight_m=straight_m, line=line, edges=edges)


def _near_pairs(
    gate_lon: FloatArray, gate_lat: FloatArray, venue_lon: FloatArray, venue_lat: FloatArray, limit_m: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs within ``limit_m`` metres and the slack, sorted; a chord through the Earth is never longer than the way."""
    reach_m = limit_m + _CANDIDATE_SLACK_M
    gates, venues = cKDTree(_on_ellipsoid(gate_lon, gate_lat)), cKDTree(_on_ellipsoid(venue_lon, venue_lat))
    found = gates.sparse_distance_matrix(venues, reach_m, output_type="ndarray")
    gate_row, venue_row = found["i"].astype(np.int64), found["j"].astype(np.int64)
    order = np.lexsort((venue_row, gate_row))
    gate_row, venue_row = gate_row[order], venue_row[order]
    straight_m = geodesic_m(gate_lon[gate_row], gate_lat[gate_row], venue_lon[venue_row], venue_lat[venue_row])
    keep = straight_m <= reach_m
    return gate_row[keep], venue_row[keep], straight_m[keep]


def _on_ellipsoid(lon: FloatArray, lat: FloatArray) -> FloatArray:
    """Earth-centred metres (WGS-84), shape [n, 3]."""
    phi, lam = np.radians(lat), np.radians(lon)
    prime_vertical_m = EQUATOR_RADIUS_M / np.sqrt(1.0 - ECCENTRICITY_SQUARED * np.sin(phi) ** 2)
    flat_m = prime_vertical_m * np.cos(phi)
    up_m = prime_vertical_m * (1.0 - ECCENTRICITY_SQUARED) * np.sin(phi)
    return np.column_stack([flat_m * np.cos(lam), flat_m * np.sin(lam), up_m])


@compiled
def _distances(
    graph: Graph,
    nodes: NodeArray,
    length_m: FloatArray,
    gates: tuple[IntArray, FloatArray, FloatArray],
    venues: tuple[IntArray, FloatArray, FloatArray],
    first: IntArray,
    venue_row: IntArray,
    limit_m: float,
    node_count: int,
) -> FloatArray:
    """Metres on foot of each pair, NaN beyond the limit: one bounded search per gate that has a candidate."""
    gate_edge, gate_along_m, gate_access_m = gates
    venue_edge, venue_along_m, venue_access_m = venues
    result = np.full(venue_row.size, np.nan)
    distance_m = np.full(node_count, np.inf)
    came_by, touched = np.empty(node_count, dtype=np.int32), np.empty(node_count, dtype=np.int32)
    seed_m = np.empty(2)
    for gate in range(gate_edge.size):
        edge, along_m = gate_edge[gate], gate_along_m[gate]
        if edge < 0 or first[gate] == first[gate + 1]:
            continue
        seed_m[0], seed_m[1] = along_m, length_m[edge] - along_m
        bound_m = limit_m - gate_access_m[gate]
        count = spread(graph, nodes[edge], seed_m, bound_m, distance_m, came_by, touched)
        for pair in range(first[gate], first[gate + 1]):
            venue = venue_row[pair]
            other = venue_edge[venue]
            if other < 0:
                continue
            to_m = venue_along_m[venue]
            best_m = min(distance_m[nodes[other, 0]] + to_m, distance_m[nodes[other, 1]] + length_m[other] - to_m)
            if other == edge:
                best_m = min(best_m, abs(to_m - along_m))
            total_m = gate_access_m[gate] + best_m + venue_access_m[venue]
            if total_m <= limit_m:
                result[pair] = total_m
        forget(distance_m, touched, count)
    return result


def _way_between(
    network: WalkNetwork, ends: Snapped, limit_m: float
) -> tuple[float, tuple[int, ...], list[FloatArray]]:
    """Metres, edges and pieces of line of the shortest way between two places on the network."""
    (edge, other), (along_m, to_m) = ends.edge.tolist(), ends.along_m.tolist()
    seed_m = np.array([along_m, network.length_m[edge] - along_m])
    distance_m = np.full(network.node_count, np.inf)
    came_by, touched = np.empty(network.node_count, dtype=np.int32), np.empty(network.node_count, dtype=np.int32)
    graph = graph_of(network.adjacency)
    spread(graph, np.asarray(network.nodes[edge]), seed_m, limit_m, distance_m, came_by, touched)
    left_m = np.array([to_m, network.length_m[other] - to_m])
    by_end_m = distance_m[network.nodes[other]] + left_m
    end = int(np.argmin(by_end_m))
    access_m = float(ends.access_m.sum())
    if edge == other and abs(to_m - along_m) <= by_end_m[end]:
        return abs(to_m - along_m) + access_m, (edge,), [edge_piece(network, edge, along_m, to_m)]
    if not np.isfinite(by_end_m[end]):
        return np.inf, (), []
    node = int(network.nodes[other, end])
    edges, pieces = [other], [edge_piece(network, other, 0.0 if end == 0 else float(network.length_m[other]), to_m)]
    while came_by[node] >= 0:
        row = int(came_by[node])
        is_forward = int(network.nodes[row, 1]) == node
        whole_m = float(network.length_m[row])
        edges.append(row)
        pieces.append(edge_piece(network, row, *((0.0, whole_m) if is_forward else (whole_m, 0.0))))
        node = int(network.nodes[row, 0 if is_forward else 1])
    matching = np.where(network.nodes[edge] == node, seed_m, np.inf)
    edges.append(edge)
    pieces.append(edge_piece(network, edge, along_m, 0.0 if np.argmin(matching) == 0 else float(seed_m.sum())))
    return float(by_end_m[end]) + access_m, tuple(reversed(edges)), list(reversed(pieces))
