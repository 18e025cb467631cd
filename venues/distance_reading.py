"""What is known of the distance of every pair by one way to measure.

What is known is an interval: the true distance lies between ``low_m`` and ``high_m``. Errors of both ends widen it; a
gate nobody mapped, a way that the network does not show or a wall nobody drew opens it: unless an office said that the
gates of a campus are all registered, another one may be anywhere in its wall. Whoever is inside the wall is at no
distance from the school, whatever is measured from. A verdict never rests on the middle of the interval.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from geo.projection import FloatArray, IntArray
from geo.walk import WalkStatus
from venues.distance_columns import Flags
from venues.distance_method import DistanceMethod
from venues.distance_pairs import Codes, DistancePairs, Links
from venues.distance_rule import Metric, Reading, SiteEnd, VenueEnd

NO_OPEN_GATE = -1
"""Beside the codes of ``geo.walk.WalkStatus``: no gate is open that may count."""


class Known(IntEnum):
    """Why an interval is as wide as it is; a code, since it fills columns."""

    MEASURED = 0  # both ends are known and, on foot, a way between them
    BEYOND_LIMIT = 1  # the way is longer than what is measured
    UNREACHABLE = 2  # no way on the network joins the two
    NOT_ON_NETWORK = 3  # one end is too far from every way
    NO_NETWORK = 4  # no walk network was given
    GATES_UNKNOWN = 5  # nobody mapped the gates that count
    NO_OPEN_GATE = 6  # all of them are closed
    GATES_INCOMPLETE = 7  # some are mapped, and nobody said that these are all
    INSIDE = 8  # the venue is inside the wall, by more than the errors of both
    PERHAPS_INSIDE = 9  # it may be, with these errors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """What one reading says of every pair, columns of shape [pairs].

    ``low_m`` <= ``high_m``, and ``nominal_m`` lies between them, but for a way on foot to whoever is inside the wall.
    """

    low_m: FloatArray
    high_m: FloatArray
    """Infinite where nothing bounds the distance."""
    nominal_m: FloatArray
    """The distance between the ends as mapped; to the wall if no gate is, and NaN where there is no way on foot.

    Where nobody drew the wall it is to whichever is nearer of the campus's point and its gates.
    """
    error_m: FloatArray
    """By how much both ends of ``nominal_m`` may be off together; NaN without it."""
    known: Codes
    """``Known`` of whatever makes ``low_m`` as low as it is."""
    door_row: IntArray
    """Of ``nominal_m``; -1 if it is measured to the venue's footprint, or there is no distance."""
    gate_row: IntArray
    """Of ``nominal_m``; -1 if it is not measured from a gate."""


def measured_by(pairs: DistancePairs, reading: Reading) -> Measured:
    """What ``reading`` says of every pair."""
    if reading.metric is Metric.WALKING:
        answer = _on_foot(pairs, reading)
    else:
        answer = _to_wall(pairs, reading) if reading.site_end is SiteEnd.BOUNDARY else _to_gates(pairs, reading)
    if pairs.method is not DistanceMethod.GATES_ABOVE_ONLY:  # Its intervals could be inverted.
        _check_order(answer, reading)
    return answer


def _check_order(answer: Measured, reading: Reading) -> None:
    held = np.isnan(answer.nominal_m)
    if reading.metric is Metric.WALKING:
        held |= answer.known == Known.INSIDE
    held |= (answer.low_m <= answer.nominal_m) & (answer.nominal_m <= answer.high_m)
    wrong = np.flatnonzero(~held | ~(answer.low_m <= answer.high_m))
    assert not wrong.size, f"pair {wrong[0]}: {answer.low_m[wrong[0]]} to {answer.high_m[wrong[0]]} m is no interval"


def _to_wall(pairs: DistancePairs, reading: Reading) -> Measured:
    """Straight to the boundary; where nobody drew it, its known gates are in it all the same."""
    count, campus = pairs.venue_row.size, pairs.campus_row
    doors = _doors_of(pairs, reading.venue_end, pairs.spoke_door)
    pair, door, metres = pairs.spoke_pair[doors], pairs.spoke_door[doors], pairs.spoke_m[doors]
    site_error_m, extent_m = pairs.campuses.error_m[campus], pairs.campuses.extent_m[campus]
    error_m = pairs.venues.error_m[door] + site_error_m[pair]
    slack_m = extent_m[pair] + _wall_slack_m(pairs, reading.venue_end, door)
    first = _first_by(pair, metres, count)
    answer = _empty(count)
    answer.nominal_m[:], answer.error_m[:], answer.door_row[:] = metres[first], error_m[first], door[first]
    np.minimum.at(answer.low_m, pair, metres - error_m - slack_m)
    np.minimum.at(answer.high_m, pair, metres + error_m)
    if reading.venue_end is VenueEnd.FOOTPRINT:
        drawn = np.flatnonzero(~np.isnan(pairs.footprint_m))
        error_m = pairs.venues.footprint_error_m[pairs.venue_row[drawn]] + site_error_m[drawn]
        answer.low_m[drawn] = pairs.footprint_m[drawn] - error_m - extent_m[drawn]
        answer.high_m[drawn] = pairs.footprint_m[drawn] + error_m
        answer.nominal_m[drawn], answer.error_m[drawn] = pairs.footprint_m[drawn], error_m
        if pairs.method is not DistanceMethod.GATES_ABOVE_ONLY:
            answer.door_row[drawn] = -1
    _bound_by_gates(pairs, answer, reading)
    _none_inside(pairs, answer, reading)
    return _clipped(answer)


def _bound_by_gates(pairs: DistancePairs, answer: Measured, reading: Reading) -> None:
    """A gate is in the wall that nobody drew, which may go on beyond it as far as beyond the campus's point.

    A gate may be farther from that point than the wall was taken to be: then it tells where the wall is.
    """
    links = pairs.links
    campus = pairs.campus_row[links.pair]
    rows = np.flatnonzero(~pairs.campuses.is_drawn[campus] & _doors_of(pairs, reading.venue_end, links.door))
    pair, metres, error_m = links.pair[rows], links.straight_m[rows], links.error_m[rows]
    np.minimum.at(answer.high_m, pair, metres + error_m)
    if pairs.method is DistanceMethod.GATES_ABOVE_ONLY:
        return
    slack_m = pairs.campuses.extent_m[campus[rows]] + _wall_slack_m(pairs, reading.venue_end, links.door[rows])
    np.minimum.at(answer.low_m, pair, metres - error_m - slack_m)
    _set_nominal(answer, links, rows[metres < answer.nominal_m[pair]], links.straight_m)


def _to_gates(pairs: DistancePairs, reading: Reading) -> Measured:
    """Straight to the gates, closed ones too."""
    count, links = pairs.venue_row.size, pairs.links
    metres = links.straight_m
    rows = _doors_of(pairs, reading.venue_end, links.door)
    slack_m = _wall_slack_m(pairs, reading.venue_end, links.door)
    certain, possible = _gates_of(pairs, reading.site_end)
    answer = _empty(count)
    sure, perhaps = np.flatnonzero(rows & certain), np.flatnonzero(rows & possible)
    _set_nominal(answer, links, _counting(pairs, reading.site_end, perhaps), metres)
    np.minimum.at(answer.low_m, links.pair[perhaps], (metres - links.error_m - slack_m)[perhaps])
    np.minimum.at(answer.high_m, links.pair[sure], (metres + links.error_m)[sure])
    _open_where_gates_unknown(pairs, answer, links.pair[perhaps], links.pair[sure], reading)
    _bound_by_wall(pairs, answer, reading)
    return _clipped(answer)


def _on_foot(pairs: DistancePairs, reading: Reading) -> Measured:
    """Along the network between open gates and doors; never less than straight."""
    count, links = pairs.venue_row.size, pairs.links
    straight = _to_gates(pairs, Reading(site_end=reading.site_end, venue_end=reading.venue_end, metric=Metric.STRAIGHT))
    rows = _doors_of(pairs, reading.venue_end, links.door) & pairs.campuses.gates.is_open[links.gate]
    certain, possible = _gates_of(pairs, reading.site_end)
    sure, perhaps = np.flatnonzero(rows & certain), np.flatnonzero(rows & possible)
    reached = links.walk_status == WalkStatus.REACHED
    beyond = links.walk_status == WalkStatus.BEYOND_LIMIT
    least_m = np.where(reached, links.walk_m, np.where(beyond, pairs.policy.walk_limit_m, links.straight_m))
    low_m = least_m - links.error_m
    answer = _empty(count)
    lowest = _first_by(links.pair[perhaps], low_m[perhaps], count)
    has_any = lowest >= 0
    at = perhaps[lowest[has_any]] if perhaps.size else perhaps
    answer.low_m[has_any], answer.known[has_any] = low_m[at], links.walk_status[at]
    _set_nominal(answer, links, _counting(pairs, reading.site_end, perhaps[reached[perhaps]]), links.walk_m)
    high_m = np.where(reached, links.walk_m + links.error_m, np.inf)
    np.minimum.at(answer.high_m, links.pair[sure], high_m[sure])
    _open_where_gates_unknown(pairs, answer, links.pair[perhaps], links.pair[sure], reading)
    answer.known[~has_any & _has_gate(pairs, reading.site_end)] = Known.NO_OPEN_GATE
    answer.low_m[~has_any] = straight.low_m[~has_any]
    _bound_by_wall(pairs, answer, reading)
    return _clipped(answer)


def walk_status_by(pairs: DistancePairs, reading: Reading) -> Codes:
    """The best ``WalkStatus`` (or ``NO_NETWORK``) of each pair over open gates that may count, or ``NO_OPEN_GATE``."""
    rows = _doors_of(pairs, reading.venue_end, pairs.links.door) & pairs.campuses.gates.is_open[pairs.links.gate]
    rows &= _gates_of(pairs, reading.site_end)[1]
    best = np.full(pairs.venue_row.size, 127, dtype=np.int8)
    np.minimum.at(best, pairs.links.pair[rows], pairs.links.walk_status[rows])
    best[best == 127] = NO_OPEN_GATE
    return best


def _open_where_gates_unknown(
    pairs: DistancePairs, answer: Measured, perhaps: IntArray, sure: IntArray, reading: Reading
) -> None:
    """Without a gate that may count only the wall bounds the distance; without one that does, nothing above does."""
    has_perhaps, has_sure = np.zeros((2, answer.low_m.size), dtype=np.bool_)
    has_perhaps[perhaps], has_sure[sure] = True, True
    unmapped = ~_has_gate(pairs, reading.site_end)
    if unmapped.any():
        wall = _to_wall(pairs, Reading(site_end=SiteEnd.BOUNDARY, venue_end=reading.venue_end, metric=Metric.STRAIGHT))
        answer.low_m[unmapped] = wall.low_m[unmapped]
        if reading.metric is Metric.STRAIGHT:
            answer.nominal_m[unmapped], answer.error_m[unmapped] = wall.nominal_m[unmapped], wall.error_m[unmapped]
            answer.door_row[unmapped], answer.gate_row[unmapped] = wall.door_row[unmapped], wall.gate_row[unmapped]
    unknown = unmapped | (has_perhaps & ~has_sure)
    answer.known[unknown] = Known.GATES_UNKNOWN


def _bound_by_wall(pairs: DistancePairs, answer: Measured, reading: Reading) -> None:
    """A gate that nobody registered may be anywhere in the wall; whoever may be inside it may be at no distance."""
    wall = _to_wall(pairs, Reading(site_end=SiteEnd.BOUNDARY, venue_end=reading.venue_end, metric=Metric.STRAIGHT))
    lower = ~pairs.campuses.has_all_gates[pairs.campus_row] & (wall.low_m < answer.low_m)
    answer.low_m[lower] = wall.low_m[lower]
    answer.known[lower & ~np.isin(answer.known, (Known.GATES_UNKNOWN, Known.NO_OPEN_GATE))] = Known.GATES_INCOMPLETE
    perhaps = pairs.campuses.is_drawn[pairs.campus_row] & (wall.low_m <= 0.0) & (answer.low_m > 0.0)
    answer.low_m[perhaps], answer.known[perhaps] = 0.0, Known.PERHAPS_INSIDE
    _none_inside(pairs, answer, reading)


def _none_inside(pairs: DistancePairs, answer: Measured, reading: Reading) -> None:
    """No distance at all where a door that counts is inside the wall by more than both errors."""
    counts = _doors_of(pairs, reading.venue_end, pairs.spoke_door)
    error_m = pairs.venues.error_m[pairs.spoke_door] + pairs.campuses.error_m[pairs.campus_row[pairs.spoke_pair]]
    spoke = np.flatnonzero(counts & (pairs.depth_m > error_m))
    inside = pairs.spoke_pair[spoke]
    answer.low_m[inside], answer.high_m[inside], answer.known[inside] = 0.0, 0.0, Known.INSIDE
    if reading.metric is Metric.STRAIGHT:
        answer.nominal_m[inside], answer.error_m[inside] = 0.0, error_m[spoke]
        answer.door_row[inside], answer.gate_row[inside] = pairs.spoke_door[spoke], -1


def _has_gate(pairs: DistancePairs, site_end: SiteEnd) -> Flags:
    """Whether a pair's campus has a gate, open or closed, that may count."""
    has = np.zeros(pairs.venue_row.size, dtype=np.bool_)
    has[pairs.links.pair[_gates_of(pairs, site_end)[1]]] = True
    return has


def _counting(pairs: DistancePairs, site_end: SiteEnd, perhaps: IntArray) -> IntArray:
    """Of links with gates that may count those that do, and of a campus without such a gate, open or closed, all."""
    certain = _gates_of(pairs, site_end)[0]
    has_certain = np.zeros(pairs.venue_row.size, dtype=np.bool_)
    has_certain[pairs.links.pair[certain]] = True
    return perhaps[certain[perhaps] | ~has_certain[pairs.links.pair[perhaps]]]


def _gates_of(pairs: DistancePairs, site_end: SiteEnd) -> tuple[Flags, Flags]:
    """Which links have a gate that counts, and which one that may."""
    gates = pairs.campuses.gates
    if site_end is SiteEnd.STUDENT_GATES:
        return gates.is_student[pairs.links.gate], gates.is_perhaps_student[pairs.links.gate]
    every = np.ones(pairs.links.gate.size, dtype=np.bool_)
    return every, every


def _doors_of(pairs: DistancePairs, venue_end: VenueEnd, door: IntArray) -> Flags:
    if venue_end is VenueEnd.DOOR:
        return pairs.venues.is_main[door]
    return np.ones(door.size, dtype=np.bool_)


def _wall_slack_m(pairs: DistancePairs, venue_end: VenueEnd, door: IntArray) -> FloatArray:
    """How much nearer than a known door the venue's wall may be; an assumed door's error holds it already."""
    if venue_end is not VenueEnd.FOOTPRINT:
        return np.zeros(door.size)
    reach_m = np.maximum(pairs.venues.extent_m[pairs.venues.venue_row[door]], pairs.policy.point_extent_m)
    return np.where(pairs.venues.is_assumed[door], 0.0, reach_m)


def _first_by(group: IntArray, value: FloatArray, count: int) -> IntArray:
    """For each group the place of its least value, the earliest of several; -1 for a group without any."""
    order = np.lexsort((value, group))
    present, start = np.unique(group[order], return_index=True)
    place = np.full(count, -1, dtype=np.int64)
    place[present] = order[start]
    return place


def _set_nominal(answer: Measured, links: Links, rows: IntArray, metres: FloatArray) -> None:
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
