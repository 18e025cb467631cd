"""Which venue and campus are near each other, and what is known of the distance between them by every way to measure.

What is known is an interval: the true distance lies between ``low_m`` and ``high_m``. Errors of both ends widen it; a
gate nobody mapped, a way that the network does not show or a wall nobody drew opens it. A verdict never rests on the
middle of the interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.index import ZoneIndex
from geo.plane_distance import plane_distance_m
from geo.projection import FloatArray, IntArray, geodesic_m
from geo.shapes import Circle
from geo.walk import WalkStatus, snapped_distances
from geo.walk_network import WalkNetwork
from geo.walk_snap import snap_to_edges
from venues.distance_columns import CampusColumns, Flags, VenueColumns, campus_columns, venue_columns
from venues.distance_ends import DistancePolicy, PlacedVenue, ProtectedSite
from venues.distance_rule import Metric, Reading, SiteEnd, VenueEnd

Codes = NDArray[np.int8]
NO_NETWORK = 4
"""Follows the codes of ``geo.walk.WalkStatus``: no walk network was given."""
_GATE_M = 1.0


class Known(IntEnum):
    """Why an interval is as wide as it is; a code, since it fills columns."""

    MEASURED = 0  # both ends are known and, on foot, a way between them
    BEYOND_LIMIT = 1  # the way is longer than what is measured
    UNREACHABLE = 2  # no way on the network joins the two
    NOT_ON_NETWORK = 3  # one end is too far from every way
    NO_NETWORK = 4  # no walk network was given
    GATES_UNKNOWN = 5  # nobody mapped the gates that count
    NO_OPEN_GATE = 6  # all of them are closed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What one reading says of every pair, columns of shape [pairs]."""

    low_m: FloatArray
    high_m: FloatArray
    """Infinite where nothing bounds the distance."""
    nominal_m: FloatArray
    """The distance between the ends as mapped; to the wall if no gate is, and NaN where there is no way on foot."""
    error_m: FloatArray
    """By how much both ends of ``nominal_m`` may be off together; NaN without it."""
    known: Codes
    """``Known`` of whatever makes ``low_m`` as low as it is."""
    door_row: IntArray
    """Of ``nominal_m``; -1 without one."""
    gate_row: IntArray
    """Of ``nominal_m``; -1 if it is not measured from a gate."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Links:
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
    links: _Links
    spoke_pair: IntArray
    """Every door of a pair with the campus: shape [spokes], sorted."""
    spoke_door: IntArray
    spoke_m: FloatArray
    """Metres from the door to the campus's geometry."""
    footprint_m: FloatArray
    """From the venue's footprint to the campus's geometry, NaN without footprint, shape [pairs]."""

    def measured(self, reading: Reading) -> Measured:
        """What ``reading`` says of every pair."""
        if reading.metric is Metric.WALKING:
            return self._on_foot(reading)
        return self._to_wall(reading) if reading.site_end is SiteEnd.BOUNDARY else self._to_gates(reading)

    def _to_wall(self, reading: Reading) -> Measured:
        """Straight to the boundary; where nobody drew it, its known gates are on it all the same."""
        count, campus = self.venue_row.size, self.campus_row
        doors = self._doors_of(reading.venue_end, self.spoke_door)
        pair, door, metres = self.spoke_pair[doors], self.spoke_door[doors], self.spoke_m[doors]
        site_error_m, extent_m = self.campuses.error_m[campus], self.campuses.extent_m[campus]
        error_m = self.venues.error_m[door] + site_error_m[pair]
        slack_m = extent_m[pair] + self._wall_slack_m(reading.venue_end, door)
        first = _first_by(pair, metres, count)
        answer = _empty(count)
        answer.nominal_m[:], answer.error_m[:], answer.door_row[:] = metres[first], error_m[first], door[first]
        np.minimum.at(answer.low_m, pair, metres - error_m - slack_m)
        np.minimum.at(answer.high_m, pair, metres + error_m)
        if reading.venue_end is VenueEnd.FOOTPRINT:
            drawn = np.flatnonzero(~np.isnan(self.footprint_m))
            error_m = self.venues.footprint_error_m[self.venue_row[drawn]] + site_error_m[drawn]
            answer.low_m[drawn] = self.footprint_m[drawn] - error_m - extent_m[drawn]
            answer.high_m[drawn] = self.footprint_m[drawn] + error_m
            answer.nominal_m[drawn], answer.error_m[drawn] = self.footprint_m[drawn], error_m
        undrawn = np.flatnonzero(self.campuses.extent_m[campus[self.links.pair]] > 0.0)
        by_gate_m = self.links.straight_m[undrawn] + self.links.error_m[undrawn]
        np.minimum.at(answer.high_m, self.links.pair[undrawn], by_gate_m)
        return _clipped(answer)

    def _to_gates(self, reading: Reading) -> Measured:
        """Straight to the gates, closed ones too."""
        count, links = self.venue_row.size, self.links
        metres = links.straight_m
        rows = self._doors_of(reading.venue_end, links.door)
        slack_m = self._wall_slack_m(reading.venue_end, links.door)
        certain, possible = self._gates_of(reading.site_end)
        answer = _empty(count)
        sure, perhaps = np.flatnonzero(rows & certain), np.flatnonzero(rows & possible)
        for rows_of in (perhaps, sure):
            _set_nominal(answer, links, rows_of, metres)
        np.minimum.at(answer.low_m, links.pair[perhaps], (metres - links.error_m - slack_m)[perhaps])
        np.minimum.at(answer.high_m, links.pair[sure], (metres + links.error_m)[sure])
        self._open_where_gates_unknown(answer, links.pair[perhaps], links.pair[sure], reading)
        return _clipped(answer)

    def _on_foot(self, reading: Reading) -> Measured:
        """Along the network between open gates and doors; never less than straight."""
        count, links = self.venue_row.size, self.links
        straight = self._to_gates(
            Reading(site_end=reading.site_end, venue_end=reading.venue_end, metric=Metric.STRAIGHT)
        )
        rows = self._doors_of(reading.venue_end, links.door) & self.campuses.gates.is_open[links.gate]
        certain, possible = self._gates_of(reading.site_end)
        sure, perhaps = np.flatnonzero(rows & certain), np.flatnonzero(rows & possible)
        reached = links.walk_status == WalkStatus.REACHED
        beyond = links.walk_status == WalkStatus.BEYOND_LIMIT
        least_m = np.where(reached, links.walk_m, np.where(beyond, self.policy.walk_limit_m, links.straight_m))
        low_m = least_m - links.error_m
        answer = _empty(count)
        lowest = _first_by(links.pair[perhaps], low_m[perhaps], count)
        has_any = lowest >= 0
        at = perhaps[lowest[has_any]] if perhaps.size else perhaps
        answer.low_m[has_any], answer.known[has_any] = low_m[at], links.walk_status[at]
        for rows_of in (perhaps, sure):
            _set_nominal(answer, links, rows_of[reached[rows_of]], links.walk_m)
        high_m = np.where(reached, links.walk_m + links.error_m, np.inf)
        np.minimum.at(answer.high_m, links.pair[sure], high_m[sure])
        self._open_where_gates_unknown(answer, links.pair[perhaps], links.pair[sure], reading)
        answer.known[~has_any & self._has_gate(reading.site_end)] = Known.NO_OPEN_GATE
        np.maximum(answer.low_m, straight.low_m, out=answer.low_m)
        answer.low_m[~has_any] = straight.low_m[~has_any]
        return _clipped(answer)

    def walk_status(self, reading: Reading) -> Codes:
        """The best ``WalkStatus`` (or ``NO_NETWORK``) of each pair over open gates that may count; -1 without any."""
        rows = self._doors_of(reading.venue_end, self.links.door) & self.campuses.gates.is_open[self.links.gate]
        rows &= self._gates_of(reading.site_end)[1]
        best = np.full(self.venue_row.size, 127, dtype=np.int8)
        np.minimum.at(best, self.links.pair[rows], self.links.walk_status[rows])
        best[best == 127] = -1
        return best

    def _open_where_gates_unknown(self, answer: Measured, perhaps: IntArray, sure: IntArray, reading: Reading) -> None:
        """Without a gate that may count only the wall bounds the distance; without one that does, nothing above it."""
        has_perhaps, has_sure = np.zeros((2, answer.low_m.size), dtype=np.bool_)
        has_perhaps[perhaps], has_sure[sure] = True, True
        unmapped = ~self._has_gate(reading.site_end)
        if unmapped.any():
            wall = self._to_wall(
                Reading(site_end=SiteEnd.BOUNDARY, venue_end=reading.venue_end, metric=Metric.STRAIGHT)
            )
            answer.low_m[unmapped] = wall.low_m[unmapped]
            if reading.metric is Metric.STRAIGHT:
                answer.nominal_m[unmapped], answer.error_m[unmapped] = wall.nominal_m[unmapped], wall.error_m[unmapped]
                answer.door_row[unmapped] = wall.door_row[unmapped]
        unknown = unmapped | (has_perhaps & ~has_sure)
        answer.high_m[unknown], answer.known[unknown] = np.inf, Known.GATES_UNKNOWN

    def _has_gate(self, site_end: SiteEnd) -> Flags:
        """Whether a pair's campus has a gate, open or closed, that may count."""
        has = np.zeros(self.venue_row.size, dtype=np.bool_)
        has[self.links.pair[self._gates_of(site_end)[1]]] = True
        return has

    def _gates_of(self, site_end: SiteEnd) -> tuple[Flags, Flags]:
        """Which links have a gate that counts, and which one that may."""
        gates = self.campuses.gates
        if site_end is SiteEnd.STUDENT_GATES:
            return gates.is_student[self.links.gate], gates.is_perhaps_student[self.links.gate]
        every = np.ones(self.links.gate.size, dtype=np.bool_)
        return every, every

    def _doors_of(self, venue_end: VenueEnd, door: IntArray) -> Flags:
        if venue_end is VenueEnd.DOOR:
            return self.venues.is_main[door]
        return np.ones(door.size, dtype=np.bool_)

    def _wall_slack_m(self, venue_end: VenueEnd, door: IntArray) -> FloatArray:
        """How much nearer than a known door the venue's wall may be; an assumed door's error holds it already."""
        if venue_end is not VenueEnd.FOOTPRINT:
            return np.zeros(door.size)
        reach_m = np.maximum(self.venues.extent_m[self.venues.venue_row[door]], self.policy.point_extent_m)
        return np.where(self.venues.is_assumed[door], 0.0, reach_m)


def near_pairs(
    venues: Sequence[PlacedVenue],
    sites: Sequence[ProtectedSite],
    *,
    network: WalkNetwork | None,
    reach_m: float,
    policy: DistancePolicy,
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
        links=_links(doors, campuses, pair, door, campus_row, network, policy),
        spoke_pair=pair,
        spoke_door=door,
        spoke_m=spoke_m,
        footprint_m=footprint_m,
    )


def _near(
    doors: VenueColumns, campuses: CampusColumns, reach_m: float, policy: DistancePolicy
) -> tuple[IntArray, IntArray]:
    """Venue and campus rows, sorted. A gate may be mapped off the wall, so gates are looked for too."""
    gates = campuses.gates
    circles = [Circle(longitude=lon, latitude=lat, radius_m=_GATE_M)
               for lon, lat in zip(gates.longitude.tolist(), gates.latitude.tolist(), strict=True)]  # fmt: skip
    campus_count = campuses.site_row.size
    campus_of_gate = np.repeat(np.arange(campus_count), np.diff(gates.first))
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


def _links(
    doors: VenueColumns,
    campuses: CampusColumns,
    spoke_pair: IntArray,
    spoke_door: IntArray,
    campus_row: IntArray,
    network: WalkNetwork | None,
    policy: DistancePolicy,
) -> _Links:
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
    return _Links(
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


def _first_by(group: IntArray, value: FloatArray, count: int) -> IntArray:
    """For each group the place of its least value, the earliest of several; -1 for a group without any."""
    order = np.lexsort((value, group))
    present, start = np.unique(group[order], return_index=True)
    place = np.full(count, -1, dtype=np.int64)
    place[present] = order[start]
    return place


def _set_nominal(answer: Measured, links: _Links, rows: IntArray, metres: FloatArray) -> None:
    """The least ``metres`` of each pair over the links ``rows``, with its door and gate."""
    place = _first_by(links.pair[rows], metres[rows], answer.nominal_m.size)
    has = place >= 0
    link = rows[place[has]] if rows.size else rows
    answer.nominal_m[has], answer.error_m[has] = metres[link], links.error_m[link]
    answer.door_row[has], answer.gate_row[has] = links.door[link], links.gate[link]


def _empty(count: int) -> Measured:
    return Measured(
        low_m=np.full(count, np.inf),
        high_m=np.full(count, np.inf),
        nominal_m=np.full(count, np.nan),
        error_m=np.full(count, np.nan),
        known=np.zeros(count, dtype=np.int8),
        door_row=np.full(count, -1, dtype=np.int64),
        gate_row=np.full(count, -1, dtype=np.int64),
    )


def _clipped(answer: Measured) -> Measured:
    np.maximum(answer.low_m, 0.0, out=answer.low_m)
    return answer
