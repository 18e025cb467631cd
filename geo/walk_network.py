"""The network of ways open to people on foot: columns of edges between nodes, lengths in geodesic metres.

Two ways are joined where they share a vertex with the same key (an OSM node, or one position in other files), never
where they merely cross in the plane: a bridge is not connected with the road below it. All coordinates are WGS-84
degrees. A network must not cross the antimeridian.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from geo.projection import FloatArray, IntArray, geodesic_m

NodeArray = NDArray[np.int32]
Column = TypeVar("Column", bound=NDArray[np.generic])


FRAGMENT_M = 500.0
"""Connected parts with fewer metres are taken for gaps in the map; see ADR 0008 for what that does on real maps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WalkLines:
    """Lines as read from a file: line ``i`` has the vertices ``start[i]`` to ``start[i + 1]`` (exclusive)."""

    start: IntArray
    """Shape [lines + 1]."""
    vertex_key: IntArray
    """Equal keys are the same place in the network, shape [vertices]."""
    longitude: FloatArray
    latitude: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adjacency:
    """Neighbours of node ``n``: entries ``start[n]`` to ``start[n + 1]`` of the three other columns."""

    start: IntArray
    neighbour: NodeArray
    edge: NodeArray
    length_m: FloatArray


# No slots: what is derived from the columns is kept with them once it was asked for.
@dataclass(frozen=True, kw_only=True, eq=False)
class WalkNetwork:
    """Edges between nodes. Edge ``e`` runs along the vertices ``start[e]`` to ``start[e + 1]`` (exclusive)."""

    nodes: NodeArray
    """First and last node of each edge, int32, shape [edges, 2]."""
    start: IntArray
    """Shape [edges + 1]."""
    longitude: FloatArray
    """Of each vertex (degrees, WGS-84), shape [vertices]."""
    latitude: FloatArray
    along_m: FloatArray
    """Geodesic metres from the start of its edge to each vertex, shape [vertices]."""
    length_m: FloatArray
    """Geodesic metres of each edge, shape [edges]."""

    @property
    def edge_count(self) -> int:
        """Number of edges."""
        return int(self.nodes.shape[0])

    @cached_property
    def node_count(self) -> int:
        """Number of nodes."""
        return int(self.nodes.max(initial=-1)) + 1

    @cached_property
    def network_version(self) -> str:
        """SHA-256 (hex) of all columns: what a measurement report cites."""
        digest = hashlib.sha256()
        for name, column in self.columns().items():
            little = np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("<"))
            digest.update(f"{name} {little.dtype.str} {little.shape}\n".encode())
            digest.update(little.tobytes())
        return digest.hexdigest()

    @cached_property
    def component(self) -> NodeArray:
        """The connected part to which each node belongs, int32, shape [nodes]."""
        ones = np.ones(self.edge_count, dtype=np.int8)
        joined = coo_array((ones, (self.nodes[:, 0], self.nodes[:, 1])), shape=(self.node_count, self.node_count))
        return np.asarray(connected_components(joined, directed=False)[1], dtype=np.int32)

    @cached_property
    def adjacency(self) -> Adjacency:
        """Both directions of every edge, by node; edges that return to their own node are left out."""
        proper = np.flatnonzero(self.nodes[:, 0] != self.nodes[:, 1]).astype(np.int32)
        edge = np.concatenate([proper, proper])
        origin = np.concatenate([self.nodes[proper, 0], self.nodes[proper, 1]])
        neighbour = np.concatenate([self.nodes[proper, 1], self.nodes[proper, 0]])
        order = np.argsort(origin, kind="stable")
        counts = np.bincount(origin, minlength=self.node_count)
        edge = edge[order]
        return Adjacency(
            start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            neighbour=neighbour[order],
            edge=edge,
            length_m=self.length_m[edge],
        )

    @cached_property
    def edge_tree(self) -> shapely.STRtree:
        """The boxes of the edges (degrees), in their order."""
        first = self.start[:-1]
        west, east = np.minimum.reduceat(self.longitude, first), np.maximum.reduceat(self.longitude, first)
        south, north = np.minimum.reduceat(self.latitude, first), np.maximum.reduceat(self.latitude, first)
        return shapely.STRtree(shapely.box(west, south, east, north))

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """The columns by name, in the order in which they are hashed."""
        return {
            "nodes": self.nodes,
            "start": self.start,
            "longitude": self.longitude,
            "latitude": self.latitude,
            "along_m": self.along_m,
            "length_m": self.length_m,
        }


def build_walk_network(lines: WalkLines) -> WalkNetwork:
    """Split ``lines`` into edges wherever a vertex is shared or a line ends.

    Vertices that repeat the one before are dropped, and lines left with one vertex. Raises ValueError if nothing is
    left, or a coordinate is not finite, not on Earth, or on the other side of the antimeridian.
    """
    _check_positions(lines)
    line = np.repeat(np.arange(lines.start.size - 1), np.diff(lines.start))
    repeats = np.zeros(line.size, dtype=np.bool_)
    repeats[1:] = (line[1:] == line[:-1]) & (lines.vertex_key[1:] == lines.vertex_key[:-1])
    keep = ~repeats
    keep &= (np.bincount(line[keep], minlength=lines.start.size)[line]) > 1
    line, key, lon, lat = line[keep], lines.vertex_key[keep], lines.longitude[keep], lines.latitude[keep]
    if line.size == 0:
        raise ValueError("the walk network has no edge: no line with two different vertices was given")
    place, uses = np.unique(key, return_inverse=True, return_counts=True)[1:]
    is_first, is_last = np.ones(line.size, dtype=np.bool_), np.ones(line.size, dtype=np.bool_)
    is_first[1:] = is_last[:-1] = line[1:] != line[:-1]
    is_node = is_first | is_last | (uses[place] > 1)
    node_of_place = np.cumsum(np.bincount(place, weights=is_node) > 0, dtype=np.int64) - 1
    opens, closes = np.flatnonzero(is_node & ~is_last), np.flatnonzero(is_node & ~is_first)
    nodes = np.column_stack([node_of_place[place[opens]], node_of_place[place[closes]]])
    start = np.concatenate([[0], np.cumsum(closes - opens + 1)]).astype(np.int64)
    vertex = np.arange(start[-1]) - np.repeat(start[:-1] - opens, np.diff(start))
    return _measured(nodes.astype(np.int32), start, lon[vertex], lat[vertex])


def without_edges(network: WalkNetwork, edges: IntArray) -> WalkNetwork:
    """The network with the edges in these rows closed, for example at a building site; other edges keep their order.

    Nodes keep their numbers. Raises ValueError if no edge is left.
    """
    keep = np.ones(network.edge_count, dtype=np.bool_)
    keep[edges] = False
    if not keep.any():
        raise ValueError("every edge of the walk network would be closed: leave at least one")
    counts = np.diff(network.start)
    vertex = np.repeat(keep, counts)
    return WalkNetwork(
        nodes=_frozen(network.nodes[keep]),
        start=_frozen(np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64)),
        longitude=_frozen(network.longitude[vertex]),
        latitude=_frozen(network.latitude[vertex]),
        along_m=_frozen(network.along_m[vertex]),
        length_m=_frozen(network.length_m[keep]),
    )


def without_fragments(network: WalkNetwork, *, least_m: float = FRAGMENT_M) -> WalkNetwork:
    """The network without connected parts whose edges are shorter than ``least_m`` metres together.

    Maps hold many: courts, unconnected squares, stubs at the edge of an extract. A gate beside one would snap to it and
    reach nothing, although the street is a few metres on. Raises ValueError if no part is long enough.
    """
    part = network.component[network.nodes[:, 0]]
    part_m = np.bincount(part, weights=network.length_m)
    return without_edges(network, np.flatnonzero(part_m[part] < least_m))


def edge_piece(network: WalkNetwork, edge: int, from_m: float, to_m: float) -> FloatArray:
    """The line along ``edge`` between two places, given in metres from its start: longitude and latitude, shape [n, 2].

    At least two points; runs backwards when ``from_m`` > ``to_m``.
    """
    rows = slice(int(network.start[edge]), int(network.start[edge + 1]))
    along, lon, lat = network.along_m[rows], network.longitude[rows], network.latitude[rows]
    low, high = min(from_m, to_m), max(from_m, to_m)
    places = np.concatenate([[low], along[(along > low) & (along < high)], [high]])
    piece = np.column_stack([np.interp(places, along, lon), np.interp(places, along, lat)])
    return piece if from_m <= to_m else piece[::-1]


def _check_positions(lines: WalkLines) -> None:
    lon, lat = lines.longitude, lines.latitude
    for row in np.flatnonzero(~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)))[:1]:
        raise ValueError(f"vertex {row} is not on Earth: longitude {lon[row]}, latitude {lat[row]}; are they swapped?")
    inside = np.ones(max(lon.size - 1, 0), dtype=np.bool_)
    inside[lines.start[1:-1][(lines.start[1:-1] > 0) & (lines.start[1:-1] < lon.size)] - 1] = False
    for row in np.flatnonzero(inside & (np.abs(np.diff(lon)) > 180.0))[:1]:
        raise ValueError(f"the line at vertex {row} crosses the antimeridian: split the network there")


def _measured(nodes: NodeArray, start: IntArray, lon: FloatArray, lat: FloatArray) -> WalkNetwork:
    step_m = np.zeros(lon.size)
    step_m[1:] = geodesic_m(lon[:-1], lat[:-1], lon[1:], lat[1:])
    step_m[start[:-1]] = 0.0
    total_m = np.cumsum(step_m)
    along_m = total_m - np.repeat(total_m[start[:-1]], np.diff(start))
    return WalkNetwork(
        nodes=_frozen(nodes),
        start=_frozen(start),
        longitude=_frozen(lon),
        latitude=_frozen(lat),
        along_m=_frozen(along_m),
        length_m=_frozen(along_m[start[1:] - 1]),
    )


def _frozen(column: Column) -> Column:
    column.flags.writeable = False
    return column
