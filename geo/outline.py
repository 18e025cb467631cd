"""Outlines of zones as flat arrays: what the matching kernel measures against.

Vertices of all rings and lines lie one after another. A zone is of one of three kinds: a CIRCLE is its centre, a PATH
is one ring or line of few short edges, and a TREE is anything else, with a hierarchy of boxes over runs of 16
consecutive edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self, assert_never

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.projection import FloatArray, IntArray, compiled
from geo.shapes import Area, Circle, Corridor, Shape, continuous

CIRCLE, PATH, TREE = 0, 1, 2
MOST_PATH_EDGES = 128
_LONGEST_BOW = 4e-6  # degrees squared, of dx * dy of an edge: its bow in the curved plane stays below 1 mm
_EDGES_PER_RUN = 16
_CHILDREN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """The outlines of ``m`` zones in degrees WGS-84; longitudes of one zone are continuous and may pass ±180."""

    x: FloatArray  # [vertices] longitude
    y: FloatArray  # [vertices] latitude
    path_start: IntArray  # [paths + 1] first vertex of each ring or line
    zone_path: IntArray  # [m + 1] first path of each zone; a circle has none
    bounds: FloatArray  # [m, 4] west, south, east, north of centre, polygon or line, without the margin
    margin_m: FloatArray  # [m] radius of a circle, half width of a corridor, 0 for an area
    closed: NDArray[np.bool_]  # [m] an area, which has an inside of its own

    @classmethod
    def of(cls, shapes: Sequence[Shape]) -> Self:
        """The outlines of checked shapes. ValueError for what cannot be measured: empty, not finite, no radius."""
        outline = np.array([_outline_of(shape) for shape in shapes], dtype=object)
        margin_m = np.array([_margin_of(shape) for shape in shapes], dtype=np.float64)
        closed = np.array([isinstance(shape, Area) for shape in shapes], dtype=np.bool_)
        bounds = shapely.bounds(outline).reshape(-1, 4)
        _refuse_unmeasurable(bounds, margin_m, closed)
        parts, part_zone = shapely.get_parts(outline, return_index=True)
        rings, ring_part = shapely.get_rings(parts, return_index=True)
        is_line = shapely.get_type_id(parts) == shapely.GeometryType.LINESTRING
        paths = np.concatenate([rings, parts[is_line]])
        path_zone = np.concatenate([part_zone[ring_part], part_zone[is_line]])
        order = np.argsort(path_zone, kind="stable")
        paths, path_zone = paths[order], path_zone[order]
        points, path = shapely.get_coordinates(paths, return_index=True)
        return cls(
            x=np.ascontiguousarray(points[:, 0]),
            y=np.ascontiguousarray(points[:, 1]),
            path_start=np.searchsorted(path, np.arange(paths.size + 1)).astype(np.int64),
            zone_path=np.searchsorted(path_zone, np.arange(len(shapes) + 1)).astype(np.int64),
            bounds=bounds,
            margin_m=margin_m,
            closed=closed,
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The zones of all ``parts``, in their order."""
        columns = {field.name: [getattr(part, field.name) for part in parts] for field in fields(cls)}
        merged = {name: np.concatenate(arrays) for name, arrays in columns.items()}
        for name in ("path_start", "zone_path"):
            offsets = np.cumsum([0, *(array[-1] for array in columns[name])])
            moved = [array[:-1] + offset for array, offset in zip(columns[name], offsets[:-1], strict=True)]
            merged[name] = np.concatenate([*moved, offsets[-1:]]).astype(np.int64)
        return cls(**merged)

    def taken(self, zones: IntArray) -> Self:
        """Only the zones at these positions, in this order."""
        paths, zone_path = _ranges(self.zone_path, zones)
        vertices, path_start = _ranges(self.path_start, paths)
        return type(self)(
            x=self.x[vertices],
            y=self.y[vertices],
            path_start=path_start,
            zone_path=zone_path,
            bounds=self.bounds[zones],
            margin_m=self.margin_m[zones],
            closed=self.closed[zones],
        )

    def __len__(self) -> int:
        return self.margin_m.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Box hierarchies of the zones of kind TREE, each in preorder: ``skip[i]`` is the next node outside node i."""

    # [m, 4] kind | closed << 2, public row, then first and last vertex of a PATH or first and end node of a TREE
    head: IntArray
    box: FloatArray  # [nodes, 4] west, south, east, north
    skip: IntArray  # [nodes]
    ends: IntArray  # [nodes, 2] first and last vertex; first is -1 where the node holds more than one path

    @classmethod
    def over(cls, outlines: Outlines, row: IntArray) -> Self:
        """Sort the zones of ``outlines``, whose public rows are ``row``, into kinds and grow the trees."""
        head = _heads(outlines.x, outlines.y, outlines.path_start, outlines.zone_path)
        trees = np.flatnonzero(head[:, 0] == TREE)
        head[:, 0] |= outlines.closed.astype(np.int64) << 2
        head[:, 1] = row
        edges = np.diff(outlines.path_start[outlines.zone_path])[trees] if trees.size else np.zeros(0, dtype=np.int64)
        paths = np.diff(outlines.zone_path)[trees]
        most_nodes = int((2 * (edges // _EDGES_PER_RUN + paths) + 2).sum())
        box, skip = np.empty((most_nodes, 4)), np.empty(most_nodes, dtype=np.int64)
        ends = np.empty((most_nodes, 2), dtype=np.int64)
        count = 0
        for zone in trees.tolist():
            runs = _runs(outlines.path_start, outlines.zone_path[zone], outlines.zone_path[zone + 1])
            end = _grow(outlines.x, outlines.y, runs, count, (box, skip, ends))
            head[zone, 2:] = count, end
            count = end
        return cls(head=head, box=box[:count].copy(), skip=skip[:count].copy(), ends=ends[:count].copy())


def _outline_of(shape: Shape) -> shapely.Geometry:
    match shape:
        case Circle():
            return shapely.Point(shape.longitude, shape.latitude)
        case Area():
            return continuous(shape.geometry)
        case Corridor():
            return continuous(shape.line)
    assert_never(shape)


def _margin_of(shape: Shape) -> float:
    match shape:
        case Circle():
            return shape.radius_m
        case Area():
            return 0.0
        case Corridor():
            return shape.half_width_m
    assert_never(shape)


def _refuse_unmeasurable(bounds: FloatArray, margin_m: FloatArray, closed: NDArray[np.bool_]) -> None:
    good = np.isfinite(bounds).all(axis=1) & np.isfinite(margin_m) & ((margin_m > 0.0) | closed)
    for row in np.flatnonzero(~good)[:1]:
        raise ValueError(
            f"zone {row} cannot be measured: bounds {bounds[row].tolist()}, radius or half width {margin_m[row]} m; "
            "check it with geo.shapes.check_shape first"
        )


def _ranges(start: IntArray, chosen: IntArray) -> tuple[IntArray, IntArray]:
    """Members of the chosen ranges ``start[i]..start[i+1]``, one after another, and where each range now starts."""
    lengths = start[chosen + 1] - start[chosen]
    moved = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return np.arange(moved[-1]) + np.repeat(start[chosen] - moved[:-1], lengths), moved


@compiled
def _heads(x: FloatArray, y: FloatArray, path_start: IntArray, zone_path: IntArray) -> IntArray:
    """Kind and place of each zone; the rest is filled in later."""
    zones = zone_path.size - 1
    head = np.zeros((zones, 4), dtype=np.int64)
    for zone in range(zones):
        paths = zone_path[zone + 1] - zone_path[zone]
        if paths == 0:
            continue
        first, last = path_start[zone_path[zone]], path_start[zone_path[zone] + 1] - 1
        short = paths == 1 and last - first <= MOST_PATH_EDGES
        if short:
            for vertex in range(first, last):
                dx, dy = abs(x[vertex + 1] - x[vertex]), abs(y[vertex + 1] - y[vertex])
                short = short and dx * dy <= _LONGEST_BOW and dy <= 0.01
        head[zone, 0] = PATH if short else TREE
        head[zone, 2], head[zone, 3] = first, last
    return head


@compiled
def _runs(path_start: IntArray, first_path: int, end_path: int) -> IntArray:
    """Runs [n, 3] of one zone: path, first vertex, last vertex."""
    count = 0
    for path in range(first_path, end_path):
        count += max((path_start[path + 1] - 2 - path_start[path]) // _EDGES_PER_RUN + 1, 0)
    runs = np.empty((count, 3), dtype=np.int64)
    count = 0
    for path in range(first_path, end_path):
        last = path_start[path + 1] - 1
        for vertex in range(path_start[path], last, _EDGES_PER_RUN):
            runs[count, 0], runs[count, 1], runs[count, 2] = path, vertex, min(vertex + _EDGES_PER_RUN, last)
            count += 1
    return runs


@compiled
def _grow(
    x: FloatArray, y: FloatArray, runs: IntArray, first_node: int, out: tuple[FloatArray, IntArray, IntArray]
) -> int:
    """Write the tree over ``runs`` in preorder from ``first_node`` on; the answer is the node after its last."""
    box, skip, ends = out
    stack = np.empty((64 * _CHILDREN, 3), dtype=np.int64)  # first run, end run, parent node
    parent = np.empty(2 * runs.shape[0] + 2, dtype=np.int64)
    stack[0] = np.array([0, runs.shape[0], -1])
    depth, node = 1, first_node
    while depth > 0:
        depth -= 1
        low, high, above = stack[depth]
        parent[node - first_node] = above
        box[node] = np.array([np.inf, np.inf, -np.inf, -np.inf])
        ends[node, 0] = runs[low, 1] if runs[low, 0] == runs[high - 1, 0] else -1
        ends[node, 1] = runs[high - 1, 2]
        if high - low == 1:
            for vertex in range(runs[low, 1], runs[low, 2] + 1):
                box[node, 0], box[node, 1] = min(box[node, 0], x[vertex]), min(box[node, 1], y[vertex])
                box[node, 2], box[node, 3] = max(box[node, 2], x[vertex]), max(box[node, 3], y[vertex])
        else:
            groups = min(_CHILDREN, high - low)
            for group in range(groups - 1, -1, -1):
                stack[depth, 0] = low + (high - low) * group // groups
                stack[depth, 1] = low + (high - low) * (group + 1) // groups
                stack[depth, 2] = node
                depth += 1
        node += 1
    skip[first_node:node] = 1
    for child in range(node - 1, first_node, -1):
        above = parent[child - first_node]
        skip[above] += skip[child]
        box[above, 0], box[above, 1] = min(box[above, 0], box[child, 0]), min(box[above, 1], box[child, 1])
        box[above, 2], box[above, 3] = max(box[above, 2], box[child, 2]), max(box[above, 3], box[child, 3])
    for child in range(first_node, node):
        skip[child] += child
    return node
