"""The streets of the synthetic city: an irregular grid, a river that only some streets cross, a lane, a road out."""

import heapq
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import line_merge
from shapely.geometry import LineString, MultiLineString, Polygon

from api.demo.plane import FloatArray, Metres

_COLUMNS = (
    "西关路 望湖路 文昌路 新华路 建设路 工农路 光明路 滨河西路 滨河东路 青年路 解放路 民主路 健康路 复兴路 "
    "和平路 友谊路 东环路 学苑路 云东路"
)
_ROWS = (
    "南环街 纺织街 朝阳街 永安街 中枢街 迎宾街 淮海路 槐荫街 人民路 文庙街 中山路 矿务街 黄河路 荷塘街 "
    "泉山街 北园街 北环街"
)
COLUMN_NAMES, ROW_NAMES = _COLUMNS.split(), _ROWS.split()
"""Streets from west to east, and from south to north."""
BAR_LANE_NAME = "酒坊巷"
ROAD_OUT_NAME = "云临公路"
BAR_LANE_COLUMN, BAR_LANE_ROW = 10, 8
"""The lane leaves street ``BAR_LANE_COLUMN`` eastward, half-way between rows 8 and 9."""
BAR_LANE_LENGTH_M = 250.0
RIVER_AFTER_COLUMN = 7
_BLOCK_M = 405.0
_RIVER_BLOCK_M = 560.0
_BRIDGE_ROWS = (2, 6, 8, 12, 14)
_RIVER_HALF_WIDTH_M = 45.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Foot:
    """The nearest point of the network to a place: ``fraction`` of the way along ``edge``."""

    edge: int
    fraction: float
    point_m: Metres


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StreetNetwork:
    """Nodes in metres ``[k, 2]`` and edges as node pairs ``[e, 2]``, each edge with its street's name.

    Node ``column * len(ROW_NAMES) + row`` is that crossing of the grid; further nodes follow.
    """

    nodes_m: FloatArray
    ends: NDArray[np.int64]
    names: tuple[str, ...]
    river_m: Polygon

    def crossing(self, column: int, row: int) -> Metres:
        """Where two streets of the grid cross, in metres."""
        east_m, north_m = self.nodes_m[column * len(ROW_NAMES) + row]
        return float(east_m), float(north_m)

    def in_block(self, column: int, row: int, across: float = 0.5, up: float = 0.5) -> Metres:
        """A point of the block north-east of a crossing; ``across`` and ``up`` run from 0 to 1 over the block."""
        south_west, south_east = (np.array(self.crossing(column + step, row)) for step in (0, 1))
        north_west, north_east = (np.array(self.crossing(column + step, row + 1)) for step in (0, 1))
        south = south_west * (1 - across) + south_east * across
        north = north_west * (1 - across) + north_east * across
        east_m, north_m = south * (1 - up) + north * up
        return float(east_m), float(north_m)

    def beside(self, edge: int, fraction: float, offset_m: float) -> Metres:
        """A point ``offset_m`` to the left (negative: right) of an edge, ``fraction`` of the way along it."""
        start, end = self.nodes_m[self.ends[edge, 0]], self.nodes_m[self.ends[edge, 1]]
        along = (end - start) / np.hypot(*(end - start))
        east_m, north_m = start + (end - start) * fraction + offset_m * np.array([-along[1], along[0]])
        return float(east_m), float(north_m)

    def foot(self, place_m: Metres) -> Foot:
        """The nearest point of any street to a place."""
        starts, ends = self.nodes_m[self.ends[:, 0]], self.nodes_m[self.ends[:, 1]]
        along = ends - starts
        reach = np.einsum("ij,ij->i", np.array(place_m) - starts, along) / np.einsum("ij,ij->i", along, along)
        fraction = np.clip(reach, 0.0, 1.0)
        points = starts + along * fraction[:, None]
        edge = int(np.argmin(np.hypot(points[:, 0] - place_m[0], points[:, 1] - place_m[1])))
        return Foot(edge=edge, fraction=float(fraction[edge]), point_m=(float(points[edge, 0]), float(points[edge, 1])))

    def route(self, start_m: Metres, goal_m: Metres) -> FloatArray:
        """Corners ``[n, 2]`` in metres of the shortest way along streets, both places included."""
        start, goal = self.foot(start_m), self.foot(goal_m)
        between = [] if start.edge == goal.edge else self._nodes_between(start, goal)
        corners = [start_m, start.point_m, *(tuple(self.nodes_m[node]) for node in between), goal.point_m, goal_m]
        return np.array(corners, dtype=np.float64)

    def _nodes_between(self, start: Foot, goal: Foot) -> list[int]:
        neighbours: dict[int, list[tuple[int, float]]] = {}
        for (one, other), length_m in zip(self.ends.tolist(), self._lengths_m().tolist(), strict=True):
            neighbours.setdefault(one, []).append((other, length_m))
            neighbours.setdefault(other, []).append((one, length_m))
        tail = dict(self._ways_off(goal))
        queue: list[tuple[float, int, tuple[int, ...]]] = [(far, node, (node,)) for node, far in self._ways_off(start)]
        heapq.heapify(queue)
        done: set[int] = set()
        while queue:
            gone_m, node, trail = heapq.heappop(queue)
            if node == -1:
                return list(trail)
            if node in done:
                continue
            done.add(node)
            if node in tail:
                heapq.heappush(queue, (gone_m + tail[node], -1, trail))
            for other, length_m in neighbours[node]:
                heapq.heappush(queue, (gone_m + length_m, other, (*trail, other)))
        raise ValueError(f"no way along the streets from edge {start.edge} to edge {goal.edge}")

    def _lengths_m(self) -> FloatArray:
        along = self.nodes_m[self.ends[:, 1]] - self.nodes_m[self.ends[:, 0]]
        return np.asarray(np.hypot(along[:, 0], along[:, 1]), dtype=np.float64)

    def _ways_off(self, foot: Foot) -> list[tuple[int, float]]:
        return [
            (int(node), math.dist(foot.point_m, (float(self.nodes_m[node, 0]), float(self.nodes_m[node, 1]))))
            for node in self.ends[foot.edge]
        ]

    def lines_m(self) -> list[tuple[str, LineString]]:
        """Each street's name with its unbroken pieces, in metres."""
        pieces: dict[str, list[FloatArray]] = {}
        for name, pair in zip(self.names, self.ends, strict=True):
            pieces.setdefault(name, []).append(self.nodes_m[pair])
        found: list[tuple[str, LineString]] = []
        for name, parts in pieces.items():
            merged = line_merge(MultiLineString([part.tolist() for part in parts]))
            found += [(name, line) for line in getattr(merged, "geoms", [merged]) if isinstance(line, LineString)]
        return found

    def bridges_m(self) -> list[tuple[str, LineString]]:
        """Each bridge over the river: its name and its line, in metres."""
        bridges: list[tuple[str, LineString]] = []
        for name, pair in zip(self.names, self.ends, strict=True):
            over = LineString(self.nodes_m[pair].tolist()).intersection(self.river_m)
            if isinstance(over, LineString) and not over.is_empty:
                bridges.append((f"{name.removesuffix('路').removesuffix('街')}大桥", over))
        return bridges


def build_network(rng: np.random.Generator) -> StreetNetwork:
    """Draw the grid (even streets unbroken, odd ones with stretches missing), the river, the lane and the road out."""
    nodes, river = _grid_nodes(rng)
    edges = _kept_edges(_grid_edges(), rng)
    middle = len(nodes)
    below = BAR_LANE_COLUMN * len(ROW_NAMES) + BAR_LANE_ROW
    mouth = (nodes[below] + nodes[below + 1]) / 2
    lane_end = mouth + np.array([BAR_LANE_LENGTH_M, 4.0])
    gate = (len(COLUMN_NAMES) - 1) * len(ROW_NAMES) + 8
    road = [nodes[gate] + np.array([far, north]) for far, north in ((600.0, 30.0), (1_250.0, -20.0), (2_000.0, 60.0))]
    split = (below, below + 1, COLUMN_NAMES[BAR_LANE_COLUMN])
    edges.remove(split)
    edges += [(below, middle, split[2]), (middle, below + 1, split[2]), (middle, middle + 1, BAR_LANE_NAME)]
    edges += [(gate, middle + 2, ROAD_OUT_NAME)]
    edges += [(middle + 2 + step, middle + 3 + step, ROAD_OUT_NAME) for step in range(2)]
    return StreetNetwork(
        nodes_m=np.vstack([nodes, mouth, lane_end, *road]),
        ends=np.array([edge[:2] for edge in edges], dtype=np.int64),
        names=tuple(edge[2] for edge in edges),
        river_m=river,
    )


def _grid_nodes(rng: np.random.Generator) -> tuple[FloatArray, Polygon]:
    columns, rows = len(COLUMN_NAMES), len(ROW_NAMES)
    gaps = np.full(columns - 1, _BLOCK_M) + rng.uniform(-35.0, 35.0, columns - 1)
    gaps[RIVER_AFTER_COLUMN] = _RIVER_BLOCK_M
    east = np.concatenate([[0.0], np.cumsum(gaps)])
    east -= east[-1] / 2
    north = np.concatenate([[0.0], np.cumsum(_BLOCK_M + rng.uniform(-35.0, 35.0, rows - 1))])
    north -= north[-1] / 2
    grid = np.stack(np.meshgrid(east, north, indexing="ij"), axis=-1).reshape(-1, 2)
    bank = (east[RIVER_AFTER_COLUMN] + east[RIVER_AFTER_COLUMN + 1]) / 2
    along = np.linspace(-4_600.0, 4_600.0, 60)
    middle = np.column_stack([bank + 70.0 * np.sin(along / 900.0), along])
    return grid + rng.uniform(-30.0, 30.0, grid.shape), LineString(middle.tolist()).buffer(_RIVER_HALF_WIDTH_M)


def _grid_edges() -> list[tuple[int, int, str]]:
    rows = len(ROW_NAMES)
    edges = [
        (column * rows + row, column * rows + row + 1, COLUMN_NAMES[column])
        for column in range(len(COLUMN_NAMES))
        for row in range(rows - 1)
    ]
    edges += [
        (column * rows + row, (column + 1) * rows + row, ROW_NAMES[row])
        for row in range(rows)
        for column in range(len(COLUMN_NAMES) - 1)
        if column != RIVER_AFTER_COLUMN or row in _BRIDGE_ROWS
    ]
    return edges


def _kept_edges(edges: list[tuple[int, int, str]], rng: np.random.Generator) -> list[tuple[int, int, str]]:
    """Drop a fifth of the stretches of odd streets, but never so that a crossing keeps fewer than two."""
    branches = set(COLUMN_NAMES[1::2]) | set(ROW_NAMES[1::2])
    degree: dict[int, int] = {}
    for one, other, _ in edges:
        degree[one] = degree.get(one, 0) + 1
        degree[other] = degree.get(other, 0) + 1
    kept: list[tuple[int, int, str]] = []
    for (one, other, name), draw in zip(edges, rng.random(len(edges)), strict=True):
        if name in branches and draw < 0.2 and min(degree[one], degree[other]) > 2:
            degree[one] -= 1
            degree[other] -= 1
        else:
            kept.append((one, other, name))
    return kept
