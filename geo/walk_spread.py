"""Shortest distances outward from places on the network, up to a bound: Dijkstra's algorithm, compiled.

Distances are exact sums of edge lengths. Parallel edges stay apart in the adjacency, so the shorter one counts.
"""

import math
from heapq import heappop, heappush

import numpy as np

from geo.projection import FloatArray, IntArray, compiled
from geo.walk_network import Adjacency, NodeArray

Graph = tuple[IntArray, NodeArray, NodeArray, FloatArray]


def graph_of(adjacency: Adjacency) -> Graph:
    """The columns of ``adjacency`` as the compiled loops take them."""
    return adjacency.start, adjacency.neighbour, adjacency.edge, adjacency.length_m


@compiled
def spread(
    graph: Graph,
    seed_node: NodeArray,
    seed_m: FloatArray,
    bound_m: float,
    distance_m: FloatArray,
    came_by: NodeArray,
    touched: NodeArray,
) -> int:
    """Write the distance of every node within ``bound_m`` metres of the seeds; returns how many there are.

    Of shape [nodes]: ``distance_m``, infinite on entry, as ``forget`` leaves it; ``came_by``, the last edge of the
    shortest way, -1 at a seed; ``touched``, the nodes reached.
    """
    start, neighbour, edge, length_m = graph
    heap = [(0.0, np.int64(0)) for _ in range(0)]
    count = 0
    for seed in range(seed_node.size):
        node = np.int64(seed_node[seed])
        if seed_m[seed] <= bound_m and seed_m[seed] < distance_m[node]:
            if distance_m[node] == math.inf:
                touched[count] = node
                count += 1
            distance_m[node] = seed_m[seed]
            came_by[node] = -1
            heappush(heap, (seed_m[seed], node))
    while len(heap) > 0:
        reached_m, node = heappop(heap)
        if reached_m > distance_m[node]:
            continue
        for entry in range(start[node], start[node + 1]):
            total_m, other = reached_m + length_m[entry], np.int64(neighbour[entry])
            if total_m <= bound_m and total_m < distance_m[other]:
                if distance_m[other] == math.inf:
                    touched[count] = other
                    count += 1
                distance_m[other] = total_m
                came_by[other] = edge[entry]
                heappush(heap, (total_m, other))
    return count


@compiled
def forget(distance_m: FloatArray, touched: NodeArray, count: int) -> None:
    """Set the first ``count`` nodes of ``touched`` back to infinity."""
    for row in range(count):
        distance_m[touched[row]] = math.inf
