"""Which venue and campus are near each other: every door with the wall and with every gate, measured once. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.index import ZoneIndex
from geo.plane_distance import plane_distance_m
from geo.projection import FloatArray, IntArray, geodesic_m
from geo.shapes import Circle
from geo.walk import snapped_distances
from geo.walk_network import WalkNetwork
from geo.walk_snap import snap_to_edges
from venues.distance_columns import CampusColumns, Geometries, VenueColumns, campus_columns, venue_columns
from venues.distance_ends import DistancePolicy, PlacedVenue, ProtectedSite
from venues.distance_method import METHOD, DistanceMethod

Codes = NDArray[np.int8]
NO_NETWORK = 4
"""Follows the codes of ``geo.walk.WalkStatus``: no walk network was given."""
_GATE_M = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """Every door of a pair with every gate of it, sorted by gate: columns of shape [links]."""

    pair: IntArray
    door: IntArray
    gate: IntArray
    straight_m: FloatArray
    walk_m: FloatArray
    walk_status: Codes
    error_m: FloatArray


# No slots: links and walls are measured once for all readings.
@dataclass(frozen=True, kw_only=True, eq=False)
class DistancePairs:
    """Pairs of a venue and a campus near each other, sorted by both."""

    venue_row: IntArray
    campus_row: IntArray
    venues: VenueColumns
    campuses: CampusColumns
    policy: DistancePolicy
    method: DistanceMethod
    links: Links
    spoke_pair: IntArray
    """Every door of a pair with the campus: shape [spokes], sorted."""
    spoke_door: IntArray
    spoke_m: FloatArray
    """Metres from the door to the campus's geometry."""
    depth_m: FloatArray
    """How far inside the drawn boundary the door is, metres; 0 outside it and where nobody drew one, shape [spokes]."""
    footprint_m: FloatArray
    """From the venue's footprint to the campus's geometry, NaN without footprint, shape [pairs]."""


def near_pairs(
    venues: Sequence[PlacedVenue],
    sites: Sequence[ProtectedSite],
    *,
    network: WalkNetwork | None,
    reach_m: float,
    policy: DistancePolicy,
    method: DistanceMethod = METHOD,
) -> DistancePairs:
    """All pairs of which the distance may, with the errors of both ends, be below ``reach_m`` metres straight.

    ``policy.walk_limit_m`` bounds the search on foot. Raises ValueError for a site without campus, a place that is not
    on Earth, and a reach that is not above 0.
    """
    if not reach_m > 0:
        raise ValueError(f"reach_m is {reach_m}: give metres above 0")
    doors, campuses = venue_columns(venues, policy), campus_columns(sites, policy)
    venue_row, campus_row = _near(doors, campuses, reach_m, policy)
    pair, door = _expanded(doors.first, venue_row)
    points = np.asarray(shapely.points(doors.longitude[door], doors.latitude[door]))
    spoke_m = plane_distance_m(points, campuses.geometry[campus_row[pair]])
    footprint_m = np.full(venue_row.size, np.nan)
    drawn = np.flatnonzero(~shapely.is_missing(doors.footprint[venue_row]))
    footprint_m[drawn] = plane_distance_m(doors.footprint[venue_row[drawn]], campuses.geometry[campus_row[drawn]])
    return DistancePairs(
        venue_row=venue_row,
        campus_row=campus_row,
        venues=doors,
        campuses=campuses,
        policy=policy,
        method=method,
        links=_linked(doors, campuses, pair, door, campus_row, network, policy),
        spoke_pair=pair,
        spoke_door=door,
        spoke_m=spoke_m,
        depth_m=_depth_m(points, campuses, campus_row[pair], spoke_m),
        footprint_m=footprint_m,
    )


def _depth_m(points: Geometries, campuses: CampusColumns, campus: IntArray, spoke_m: FloatArray) -> FloatArray:
    depth_m = np.zeros(spoke_m.size)
    inside = np.flatnonzero((spoke_m == 0.0) & campuses.is_drawn[campus])
    walls = np.asarray(shapely.boundary(campuses.geometry[campus[inside]]))
    depth_m[inside] = plane_distance_m(points[inside], walls)
    return depth_m


def _near(
    doors: VenueColumns, campuses: CampusColumns, reach_m: float, policy: DistancePolicy
) -> tuple[IntArray, IntArray]:
    """Venue and campus rows, sorted. A gate may be mapped off the wall, so gates are looked for too.

    Where nobody drew the wall, it may go on beyond a gate as far as beyond the campus's point.
    """
    gates = campuses.gates
    campus_count = campuses.site_row.size
    campus_of_gate = np.repeat(np.arange(campus_count), np.diff(gates.first))
    around_m = np.maximum(campuses.extent_m[campus_of_gate], _GATE_M)
    places = (gates.longitude.tolist(), gates.latitude.tolist(), around_m.tolist())
    circles = [Circle(longitude=lon, latitude=lat, radius_m=radius_m)
               for lon, lat, radius_m in zip(*places, strict=True)]  # fmt: skip
    if campus_count == 0 or doors.venue_row.size == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    index = ZoneIndex.build([*campuses.shapes, *circles])
    error_m = np.maximum(doors.error_m, doors.footprint_error_m[doors.venue_row]) + policy.point_extent_m
    site_error_m = max(campuses.error_m.max(initial=0.0), gates.error_m.max(initial=0.0))
    found = index.match(
        longitude=doors.longitude,
        latitude=doors.latitude,
        reach_m=reach_m + error_m + doors.extent_m[doors.venue_row] + site_error_m + _GATE_M,
    )
    campus = np.concatenate([np.arange(campus_count), campus_of_gate])[found.zone_row]
    key = np.unique(doors.venue_row[found.fix_row] * campus_count + campus)
    venue_row, campus_row = np.divmod(key, campus_count)
    return venue_row, campus_row


def _linked(
    doors: VenueColumns,
    campuses: CampusColumns,
    spoke_pair: IntArray,
    spoke_door: IntArray,
    campus_row: IntArray,
    network: WalkNetwork | None,
    policy: DistancePolicy,
) -> Links:
    gates = campuses.gates
    spoke, gate = _expanded(gates.first, campus_row[spoke_pair])
    order = np.argsort(gate, kind="stable")
    spoke, gate = spoke[order], gate[order]
    pair, door = spoke_pair[spoke], spoke_door[spoke]
    straight_m = geodesic_m(gates.longitude[gate], gates.latitude[gate], doors.longitude[door], doors.latitude[door])
    walk_m, status = np.full(gate.size, np.nan), np.full(gate.size, NO_NETWORK, dtype=np.int8)
    if network is not None:
        from_gates = snap_to_edges(network, longitude=gates.longitude, latitude=gates.latitude)
        to_doors = snap_to_edges(network, longitude=doors.longitude, latitude=doors.latitude)
        walk_m, status = snapped_distances(network, from_gates, to_doors, gate, door, limit_m=policy.walk_limit_m)
    return Links(
        pair=pair,
        door=door,
        gate=gate,
        straight_m=straight_m,
        walk_m=walk_m,
        walk_status=status,
        error_m=gates.error_m[gate] + doors.error_m[door],
    )


def _expanded(first: IntArray, row: IntArray) -> tuple[IntArray, IntArray]:
    """For each entry of ``row`` its position, once per member ``first[row]`` to ``first[row + 1]``, and the member."""
    counts = first[row + 1] - first[row]
    position = np.repeat(np.arange(row.size), counts)
    start = np.cumsum(counts) - counts
    return position, np.arange(position.size) - start[position] + first[row[position]]
