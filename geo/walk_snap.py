"""Doors and gates on the walk network: each point goes to the nearest place on the nearest edge."""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.projection import FloatArray, IntArray, compiled, geodesic_m, metres_per_degree, reach_box
from geo.walk_network import WalkNetwork

SNAP_REACH_M = 60.0
"""A point farther than this from every edge is not on the network (issue 3)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapped:
    """Points on the network, columns of shape [points]; a point that is not snapped has edge -1 and NaN elsewhere."""

    edge: IntArray
    along_m: FloatArray
    """Metres from the start of the edge."""
    access_m: FloatArray
    """Geodesic metres from the point to its place on the edge; counted as walked."""
    longitude: FloatArray
    """Of the place on the edge (degrees, WGS-84)."""
    latitude: FloatArray

    @property
    def is_snapped(self) -> NDArray[np.bool_]:
        """Which points have a place on the network."""
        return np.asarray(self.edge >= 0)


def snap_to_edges(
    network: WalkNetwork, *, longitude: FloatArray, latitude: FloatArray, reach_m: float = SNAP_REACH_M
) -> Snapped:
    """The nearest place on ``network`` of each point (degrees, WGS-84, shape [points]) within ``reach_m`` metres.

    Of edges equally near, the first counts. Raises ValueError for unequal lengths or a point that is not on Earth.
    """
    lon, lat = checked_points(longitude, latitude)
    box = reach_box(lon, lat, lon, lat, np.full(lon.size, reach_m))
    point, edge = network.edge_tree.query(shapely.box(*box), predicate=None)
    order = np.lexsort((edge, point))
    point, edge = point[order], edge[order]
    first = np.searchsorted(point, np.arange(lon.size + 1))
    columns = network.start, network.longitude, network.latitude, network.along_m
    found, along_m, at_lon, at_lat = _nearest(lon, lat, first, edge, *columns)
    access_m = np.full(lon.size, np.nan)
    hit = found >= 0
    access_m[hit] = geodesic_m(lon[hit], lat[hit], at_lon[hit], at_lat[hit])
    far = ~(access_m <= reach_m)
    found[far] = -1
    for column in (along_m, access_m, at_lon, at_lat):
        column[far] = np.nan
    return Snapped(edge=found, along_m=along_m, access_m=access_m, longitude=at_lon, latitude=at_lat)


def checked_points(longitude: FloatArray, latitude: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both as float64 arrays of one shape [points]; raises ValueError for anything else or a point not on Earth."""
    lon, lat = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
    if lon.ndim != 1 or lon.shape != lat.shape:
        raise ValueError(f"longitude has shape {lon.shape} but latitude {lat.shape}: give two arrays of one length")
    for row in np.flatnonzero(~((np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)))[:1]:
        raise ValueError(f"point {row} is not on Earth: longitude {lon[row]}, latitude {lat[row]}; are they swapped?")
    return lon, lat


@compiled
def _nearest(
    lon: FloatArray,
    lat: FloatArray,
    first: IntArray,
    candidate: IntArray,
    start: IntArray,
    vertex_lon: FloatArray,
    vertex_lat: FloatArray,
    vertex_along_m: FloatArray,
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Edge, metres along it, longitude and latitude of the place nearest to each point, in the plane at the point."""
    found = np.full(lon.size, -1, dtype=np.int64)
    along_m, at_lon, at_lat = np.full(lon.size, np.nan), np.full(lon.size, np.nan), np.full(lon.size, np.nan)
    for row in range(lon.size):
        east_m, north_m = metres_per_degree(lat[row])
        best = math.inf
        for entry in range(first[row], first[row + 1]):
            edge = candidate[entry]
            for vertex in range(start[edge], start[edge + 1] - 1):
                ax, ay = (vertex_lon[vertex] - lon[row]) * east_m, (vertex_lat[vertex] - lat[row]) * north_m
                ux = (vertex_lon[vertex + 1] - vertex_lon[vertex]) * east_m
                uy = (vertex_lat[vertex + 1] - vertex_lat[vertex]) * north_m
                squared = ux * ux + uy * uy
                part = 0.0
                if squared > 0.0:
                    part = min(1.0, max(0.0, -(ax * ux + ay * uy) / squared))
                distance = (ax + part * ux) ** 2 + (ay + part * uy) ** 2
                if distance < best:
                    best = distance
                    found[row] = edge
                    step_m = vertex_along_m[vertex + 1] - vertex_along_m[vertex]
                    along_m[row] = vertex_along_m[vertex] + part * step_m
                    at_lon[row] = vertex_lon[vertex] + part * (vertex_lon[vertex + 1] - vertex_lon[vertex])
                    at_lat[row] = vertex_lat[vertex] + part * (vertex_lat[vertex + 1] - vertex_lat[vertex])
    return found, along_m, at_lon, at_lat
