"""Venues and sites as columns: every door, every gate and every campus a row, each with how wrong its place may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.projection import FloatArray, IntArray, geodesic_m
from geo.shapes import Area, Circle, Shape
from venues.distance_ends import Campus, DistancePolicy, Gate, GateKind, PlacedVenue, ProtectedSite

Flags = NDArray[np.bool_]
Geometries = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VenueColumns:
    """Columns of shape [doors], sorted by venue; of shape [venues] where it says so."""

    venue_row: IntArray
    longitude: FloatArray
    latitude: FloatArray
    error_m: FloatArray
    is_main: Flags
    """At least one door of every venue."""
    is_assumed: Flags
    """The venue's doors are not known: its point stands for one, and may be wrong by the venue's extent too."""
    first: IntArray
    """Door rows of venue ``v``: ``first[v]`` to ``first[v + 1]``, shape [venues + 1]."""
    footprint: Geometries
    """Polygons or ``None``, shape [venues]."""
    footprint_error_m: FloatArray
    """Shape [venues]."""
    extent_m: FloatArray
    """From the first door to the farthest door or corner, shape [venues]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateColumns:
    """Columns of shape [gates], sorted by campus."""

    longitude: FloatArray
    latitude: FloatArray
    error_m: FloatArray
    is_student: Flags
    is_perhaps_student: Flags
    """For students, or not known for whom."""
    is_open: Flags
    first: IntArray
    """Gate rows of campus ``c``: ``first[c]`` to ``first[c + 1]``, shape [campuses + 1]."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CampusColumns:
    """Columns of shape [campuses], in the order of the sites."""

    site_row: IntArray
    geometry: Geometries
    """The boundary or, where nobody drew it, a point."""
    error_m: FloatArray
    extent_m: FloatArray
    """How much nearer than ``geometry``, or than a gate, the wall may be: 0 where it was drawn."""
    is_drawn: Flags
    """Whether ``geometry`` is the boundary."""
    has_all_gates: Flags
    shapes: tuple[Shape, ...]
    """To find what is near: the boundary, or the circle in which it must lie."""
    gates: GateColumns


def venue_columns(venues: Sequence[PlacedVenue], policy: DistancePolicy) -> VenueColumns:
    """The doors of ``venues``; a venue without doors is given one at its point.

    Raises ValueError naming the venue for a place that is not on Earth.
    """
    rows = [row for number, venue in enumerate(venues) for row in _doors(number, venue, policy)]
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    venue_row = table[:, 0].astype(np.int64)
    errors = [policy.venue_error_m if venue.error_m is None else venue.error_m for venue in venues]
    first = np.searchsorted(venue_row, np.arange(len(venues) + 1)).astype(np.int64)
    footprint = np.empty(len(venues), dtype=object)
    for number, venue in enumerate(venues):
        footprint[number] = venue.footprint
    longitude, latitude = table[:, 1].copy(), table[:, 2].copy()
    _check_positions(longitude, latitude, [f"venue {venues[row].venue_id}" for row in venue_row.tolist()])
    return VenueColumns(
        venue_row=venue_row,
        longitude=longitude,
        latitude=latitude,
        error_m=table[:, 3].copy(),
        is_main=table[:, 4] > 0.0,
        is_assumed=table[:, 5] > 0.0,
        first=first,
        footprint=footprint,
        footprint_error_m=np.array(errors, dtype=np.float64),
        extent_m=_extents(venue_row, longitude, latitude, first, footprint),
    )


def _doors(
    number: int, venue: PlacedVenue, policy: DistancePolicy
) -> list[tuple[float, float, float, float, bool, bool]]:
    if not venue.doors:
        error_m = policy.venue_error_m if venue.error_m is None else venue.error_m
        point = np.array([venue.longitude]), np.array([venue.latitude])
        extent_m = policy.point_extent_m if venue.footprint is None else _farthest_m(*point, venue.footprint)
        return [(number, venue.longitude, venue.latitude, error_m + extent_m, True, True)]
    has_main = any(door.is_main for door in venue.doors)
    return [
        (
            number,
            door.longitude,
            door.latitude,
            policy.door_error_m if door.error_m is None else door.error_m,
            door.is_main or not has_main,
            False,
        )
        for door in venue.doors
    ]


def _farthest_m(longitude: FloatArray, latitude: FloatArray, geometry: Any) -> float:
    corners = shapely.get_coordinates(geometry)
    one = np.repeat(longitude, corners.shape[0]), np.repeat(latitude, corners.shape[0])
    return float(geodesic_m(*one, corners[:, 0].copy(), corners[:, 1].copy()).max())


def _extents(
    venue_row: IntArray, longitude: FloatArray, latitude: FloatArray, first: IntArray, footprint: Geometries
) -> FloatArray:
    start = first[:-1][venue_row]
    away_m = geodesic_m(longitude[start], latitude[start], longitude, latitude)
    extent_m = np.zeros(first.size - 1)
    np.maximum.at(extent_m, venue_row, away_m)
    drawn = np.flatnonzero(np.array([geometry is not None for geometry in footprint], dtype=np.bool_))
    corners, row = shapely.get_coordinates(footprint[drawn], return_index=True)
    venue = drawn[row]
    start = first[:-1][venue]
    away_m = geodesic_m(longitude[start], latitude[start], corners[:, 0].copy(), corners[:, 1].copy())
    np.maximum.at(extent_m, venue, away_m)
    return extent_m


def campus_columns(sites: Sequence[ProtectedSite], policy: DistancePolicy) -> CampusColumns:
    """The campuses of ``sites`` and their gates.

    Raises ValueError naming the site if it has no campus, or a place of it is not on Earth.
    """
    for site in sites:
        if not site.campuses:
            raise ValueError(f"site {site.site_id} has no campus: give at least one, with a point of it")
    campuses = [(number, campus) for number, site in enumerate(sites) for campus in site.campuses]
    for kind, places in (
        ("campus", [(number, campus.longitude, campus.latitude) for number, campus in campuses]),
        ("gate", [(number, gate.longitude, gate.latitude) for number, campus in campuses for gate in campus.gates]),
    ):
        table = np.array(places, dtype=np.float64).reshape(-1, 3)
        _check_positions(table[:, 1], table[:, 2], [f"{kind} of site {sites[number].site_id}" for number, *_ in places])
    geometry = np.empty(len(campuses), dtype=object)
    for row, (_, campus) in enumerate(campuses):
        geometry[row] = campus.boundary or shapely.Point(campus.longitude, campus.latitude)
    is_drawn = np.array([campus.boundary is not None for _, campus in campuses], dtype=np.bool_)
    assumed = [policy.boundary_error_m if campus.boundary else policy.site_point_error_m for _, campus in campuses]
    return CampusColumns(
        site_row=np.array([number for number, _ in campuses], dtype=np.int64),
        geometry=geometry,
        error_m=_errors([campus.error_m for _, campus in campuses], assumed),
        extent_m=np.where(is_drawn, 0.0, policy.campus_extent_m),
        is_drawn=is_drawn,
        has_all_gates=np.array([campus.has_all_gates for _, campus in campuses], dtype=np.bool_),
        shapes=tuple(_shape(campus, policy) for _, campus in campuses),
        gates=_gate_columns([campus.gates for _, campus in campuses], policy),
    )


def _shape(campus: Campus, policy: DistancePolicy) -> Shape:
    if campus.boundary is not None:
        return Area(geometry=campus.boundary)
    return Circle(longitude=campus.longitude, latitude=campus.latitude, radius_m=policy.campus_extent_m)


def _gate_columns(by_campus: Sequence[tuple[Gate, ...]], policy: DistancePolicy) -> GateColumns:
    gates = [gate for group in by_campus for gate in group]
    return GateColumns(
        longitude=np.array([gate.longitude for gate in gates], dtype=np.float64),
        latitude=np.array([gate.latitude for gate in gates], dtype=np.float64),
        error_m=_errors([gate.error_m for gate in gates], [policy.gate_error_m] * len(gates)),
        is_student=np.array([gate.kind is GateKind.STUDENT for gate in gates], dtype=np.bool_),
        is_perhaps_student=np.array([gate.kind is not GateKind.SERVICE for gate in gates], dtype=np.bool_),
        is_open=np.array([not gate.is_closed for gate in gates], dtype=np.bool_),
        first=np.concatenate([[0], np.cumsum([len(group) for group in by_campus])]).astype(np.int64),
    )


def _check_positions(longitude: FloatArray, latitude: FloatArray, owners: Sequence[str]) -> None:
    for row in np.flatnonzero(~((np.abs(longitude) <= 180.0) & (np.abs(latitude) <= 90.0)))[:1].tolist():
        raise ValueError(
            f"{owners[row]} is not on Earth: longitude {longitude[row]}, latitude {latitude[row]}; are they swapped?"
        )


def _errors(given: Sequence[float | None], assumed: Sequence[float]) -> FloatArray:
    return np.array(
        [default if value is None else value for value, default in zip(given, assumed, strict=True)], dtype=np.float64
    )
