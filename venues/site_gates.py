"""Gates as registered, each at the school that its row names, or in whose wall it is. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from shapely.geometry import Point

from geo.datum import Datum
from geo.plane_distance import plane_distance_m
from venues.distance_ends import Campus, Gate, ProtectedSite
from venues.place import DataDay, SourceKey
from venues.school_site import JoinedSite, gates_by_ground, least_sure_day, protected_site

NAMED_GATE_REACH_M = 500.0
"""A gate farther than this from all that is known of the school that its row names is none of its gates.

No school is so wide, and parts of one that are drawn lie no farther apart (``CAMPUS_REACH_M``): the row names another
school, or its coordinates are wrong. What is nearer is believed, since a school known as a point may be a large one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredGate:
    """One gate in the register."""

    key: SourceKey
    gate: Gate
    """WGS-84; its ``gate_id`` is the key in one word."""
    site_key: SourceKey | None
    """The record of a school that its row names; ``None`` leaves it to the walls."""
    raw: Point
    """As sent, in ``datum``."""
    datum: Datum
    says_all: bool = False
    """Its row says that with it all gates of its campus are registered."""
    described: DataDay | None = field(default=None, compare=False)
    """Of one in the register."""


def sites_with_gates(joined: Sequence[JoinedSite], gates: Sequence[RegisteredGate]) -> tuple[ProtectedSite, ...]:
    """Each school with its gates, as of the day of whichever of them says least of its day.

    A gate that names a record of no school here is left out, as is one farther than ``NAMED_GATE_REACH_M`` from the
    school that it names (:func:`uncounted_gates`), and one that names none and is in nobody's wall.
    """
    described = {held.gate.gate_id: held.described for held in gates}
    named: dict[SourceKey, list[Gate]] = {}
    for held in gates:
        if held.site_key is not None:
            named.setdefault(held.site_key, []).append(held.gate)
    complete = frozenset(held.gate.gate_id for held in gates if held.says_all)
    grounds = [ground for site in joined for ground in site.grounds]
    free = [held.gate for held in gates if held.site_key is None]
    by_ground = iter(gates_by_ground(grounds, free))
    sites = []
    for site in joined:
        in_wall = [gate for _ in site.grounds for gate in next(by_ground)]
        own = [gate for key in site.keys for gate in named.get(key, ())]
        found = protected_site(site, [*in_wall, *own])
        campuses = _with_all_said(_with_named(found.campuses, own), complete)
        held_by = [gate.gate_id for campus in campuses for gate in campus.gates]
        day = least_sure_day([site.described, *(described[gate_id] for gate_id in held_by)])
        sites.append(
            replace(
                found,
                campuses=campuses,
                data_on=None if day is None else day.on,
                is_dated_by_import=day is not None and day.is_by_import,
            )
        )
    return tuple(sites)


def uncounted_gates(sites: Iterable[ProtectedSite], gates: Iterable[RegisteredGate]) -> tuple[str, ...]:
    """The ids of gates that name a school and are at none of ``sites``, in order: somebody must mend their rows."""
    counted = {gate.gate_id for site in sites for campus in site.campuses for gate in campus.gates}
    return tuple(held.gate.gate_id for held in gates if held.site_key is not None and held.gate.gate_id not in counted)


def _with_all_said(campuses: Iterable[Campus], complete: frozenset[str]) -> tuple[Campus, ...]:
    """A campus has all its gates if the row of any of them says so."""
    return tuple(
        replace(campus, has_all_gates=any(gate.gate_id in complete for gate in campus.gates)) for campus in campuses
    )


def _with_named(campuses: Sequence[Campus], own: Sequence[Gate]) -> tuple[Campus, ...]:
    """A gate that names its school belongs to it, also where no wall is drawn beside it: at the nearest campus.

    Unless it is too far from every one (``NAMED_GATE_REACH_M``).
    """
    placed = {gate.gate_id for campus in campuses for gate in campus.gates}
    grounds = np.array([campus.boundary or Point(campus.longitude, campus.latitude) for campus in campuses], object)
    added: list[list[Gate]] = [[] for _ in campuses]
    for gate in own:
        if gate.gate_id not in placed:
            away_m = plane_distance_m(np.full(grounds.size, Point(gate.longitude, gate.latitude)), grounds)
            nearest = int(np.argmin(away_m))
            if away_m[nearest] <= NAMED_GATE_REACH_M:
                added[nearest].append(gate)
    return tuple(replace(campus, gates=(*campus.gates, *more)) for campus, more in zip(campuses, added, strict=True))
