"""True paths among round zones, of the kinds that scenarios are made of. No error yet: see :mod:`tracking.simulate`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from geo.projection import FloatArray
from tracking.simulate_error import INDOOR, URBAN, ErrorModel
from tracking.simulate_path import TruePaths

DAY_S = 86_400.0
WALKING_MPS = 1.3
E_BIKE_MPS = 5.5
AWAY_M = 800.0
"""How far from the zone people are who are not at it."""
PASSES_PER_DAY = 8
_STAY_S = 21_600.0
INDOOR_AT_HOME = replace(INDOOR, name="home", radius_m=30.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ground:
    """True paths among round zones: ``centre_m`` ``[z, 2]`` and ``radius_m`` ``[z]`` in metres."""

    paths: TruePaths
    models: tuple[ErrorModel, ...]
    """What ``paths.model_no`` counts."""
    centre_m: FloatArray
    radius_m: FloatArray


Builder = Callable[[int, int, np.random.Generator], Ground]
"""Draws a ground for so many people and days."""


def standing(*, radius_m: float, from_centre_m: float, model: ErrorModel) -> Builder:
    """Day and night at one place; surroundings (and with them the size of the error) change every six hours."""

    def build(people: int, days: int, rng: np.random.Generator) -> Ground:
        at_s = np.arange(0.0, days * DAY_S, _STAY_S)
        place_m = _around(np.full(people, from_centre_m), rng)
        return _ground(
            at_s=np.tile(at_s, (people, 1)),
            place_m=np.repeat(place_m[:, None], len(at_s), axis=1),
            model_no=np.zeros((people, len(at_s)), dtype=np.int64),
            days=days,
            models=[model],
            radius_m=radius_m,
        )

    return build


def visiting(
    *, radius_m: float, inside_s: float, at_zone: ErrorModel, on_the_way: ErrorModel, elsewhere: ErrorModel
) -> Builder:
    """Once a day, between 9:00 and 21:00, on foot from 800 m away to a point of the zone and off in another direction.

    From edge to edge the visit lasts ``inside_s`` exactly.
    """

    def build(people: int, days: int, rng: np.random.Generator) -> Ground:
        homes = _around(np.full(people * (days + 1), AWAY_M), rng).reshape(people, days + 1, 2)
        spots = _around(0.7 * radius_m * np.sqrt(rng.random(people * days)), rng).reshape(people, days, 2)
        leaves_s = np.arange(days) * DAY_S + rng.uniform(9.0, 21.0, (people, days)) * 3_600.0
        to_m, from_m = np.linalg.norm(spots - homes[:, :-1], axis=2), np.linalg.norm(spots - homes[:, 1:], axis=2)
        within_m = _to_edge_m(spots, homes[:, :-1], radius_m) + _to_edge_m(spots, homes[:, 1:], radius_m)
        arrives_s = leaves_s + to_m / WALKING_MPS
        departs_s = arrives_s + inside_s - within_m / WALKING_MPS
        back_s = departs_s + from_m / WALKING_MPS
        at_s = np.stack([leaves_s, arrives_s, departs_s, back_s], axis=2).reshape(people, -1)
        place_m = np.stack([homes[:, :-1], spots, spots, homes[:, 1:]], axis=2).reshape(people, -1, 2)
        return _ground(
            at_s=np.column_stack([np.zeros(people), at_s]),
            place_m=np.concatenate([homes[:, :1], place_m], axis=1),
            model_no=np.tile(np.append(2, np.tile([1, 0, 1, 2], days)), (people, 1)),
            days=days,
            models=[at_zone, on_the_way, elsewhere],
            radius_m=radius_m,
        )

    return build


def passing(
    *, radius_m: float, aside_m: tuple[float, float], speed_mps: tuple[float, float], model: ErrorModel
) -> Builder:
    """:data:`PASSES_PER_DAY` straight ways past the zone a day, ``aside_m`` from its centre, standing between them."""

    def build(people: int, days: int, rng: np.random.Generator) -> Ground:
        ways = days * PASSES_PER_DAY
        aside = rng.uniform(*aside_m, (people, ways)) * rng.choice([-1.0, 1.0], (people, ways))
        leaves_s = (np.arange(ways) + rng.uniform(0.1, 0.6, (people, ways))) * DAY_S / PASSES_PER_DAY
        arrives_s = leaves_s + 2 * AWAY_M / rng.uniform(*speed_mps, (people, ways))
        side = AWAY_M * np.where(np.arange(ways) % 2 == 0, -1.0, 1.0) * np.ones((people, 1))
        at_s = np.stack([leaves_s, arrives_s], axis=2).reshape(people, -1)
        ends = np.stack([np.stack([side, aside], axis=2), np.stack([-side, aside], axis=2)], axis=2)
        place_m = _turned(ends.reshape(people, -1, 2), rng)
        return _ground(
            at_s=np.column_stack([np.zeros(people), at_s]),
            place_m=np.concatenate([place_m[:, :1], place_m], axis=1),
            model_no=np.zeros((people, 2 * ways + 1), dtype=np.int64),
            days=days,
            models=[model],
            radius_m=radius_m,
        )

    return build


def ordinary_week(people: int, days: int, rng: np.random.Generator) -> Ground:
    """Home, work or school, a shop, some evenings a stay in one of 150 zones of a town of 3 × 3 km; straight ways.

    Homes, work places and shops stand at least 30 m from every zone. The truth holds the zones on the way too.
    """
    centre_m, radius_m = rng.uniform(-1_500.0, 1_500.0, (150, 2)), rng.uniform(15.0, 60.0, 150)
    home, work = (np.repeat(_clear_of(centre_m, radius_m, (people, 1), rng), days, axis=1) for _ in range(2))
    shop = _clear_of(centre_m, radius_m, (people, days), rng)
    goes_out = rng.random((people, days)) < 0.25
    chosen = rng.integers(0, 150, (people, days))
    spot_m = _around(0.6 * radius_m[chosen].ravel() * np.sqrt(rng.random(people * days)), rng)
    venue = np.where(goes_out[..., None], centre_m[chosen] + spot_m.reshape(people, days, 2), shop)
    day_s = np.arange(days) * DAY_S
    works = ((day_s // DAY_S) % 7 < 5)[None, :, None]
    at_s, place_m = _trips(
        leaves_s=day_s + rng.uniform(7.2, 8.0, (people, days)) * 3_600.0,
        stops=[home, np.where(works, work, home), shop, venue, home],
        stays_s=[
            rng.uniform(8.0, 9.5, (people, days)) * 3_600.0,
            rng.uniform(0.25, 0.7, (people, days)) * 3_600.0,
            np.where(goes_out, rng.uniform(0.35, 1.5, (people, days)) * 3_600.0, 1.0),
        ],
    )
    way, stay = 1, 0
    return Ground(
        paths=TruePaths(
            at_s=np.column_stack([np.zeros(people), at_s]),
            place_m=np.concatenate([home[:, :1], place_m], axis=1),
            model_no=np.tile(np.append(stay, np.tile([way, stay] * 4, days)), (people, 1)),
            ends_s=days * DAY_S,
        ),
        models=(INDOOR_AT_HOME, URBAN),
        centre_m=centre_m,
        radius_m=radius_m,
    )


def _trips(
    *, leaves_s: FloatArray, stops: Sequence[FloatArray], stays_s: Sequence[FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Seconds ``[p, c]`` and places ``[p, c, 2]`` of each day's trips from stop to stop: on foot, if far by e-bike."""
    corners_s, corners_m = [], []
    for number, (place, following) in enumerate(pairwise(stops)):
        far_m = np.linalg.norm(following - place, axis=2)
        arrives_s = leaves_s + far_m / np.where(far_m < 1_200.0, WALKING_MPS, E_BIKE_MPS)
        corners_s += [leaves_s, arrives_s]
        corners_m += [place, following]
        if number < len(stays_s):
            leaves_s = arrives_s + stays_s[number]
    people = len(leaves_s)
    return np.stack(corners_s, axis=2).reshape(people, -1), np.stack(corners_m, axis=2).reshape(people, -1, 2)


def _ground(
    *,
    at_s: FloatArray,
    place_m: FloatArray,
    model_no: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    days: int,
    models: Sequence[ErrorModel],
    radius_m: float,
) -> Ground:
    """One zone at the origin."""
    return Ground(
        paths=TruePaths(at_s=at_s, place_m=place_m, model_no=model_no, ends_s=days * DAY_S),
        models=tuple(models),
        centre_m=np.zeros((1, 2)),
        radius_m=np.array([radius_m]),
    )


def _around(far_m: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Points ``[n, 2]`` so far from the origin, each in a direction of its own."""
    bearing = rng.uniform(0.0, 2 * np.pi, len(far_m))
    return np.asarray(far_m[:, None] * np.column_stack([np.sin(bearing), np.cos(bearing)]))


def _turned(place_m: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Each person's places ``[p, c, 2]`` turned about the origin by an angle of their own."""
    turn = rng.uniform(0.0, 2 * np.pi, len(place_m))
    cosine, sine = np.cos(turn)[:, None], np.sin(turn)[:, None]
    east, north = place_m[..., 0], place_m[..., 1]
    return np.stack([cosine * east - sine * north, sine * east + cosine * north], axis=2)


def _to_edge_m(spot_m: FloatArray, goal_m: FloatArray, radius_m: float) -> FloatArray:
    """Metres from points in the disc around the origin to its edge, on the straight way to a goal outside."""
    along = goal_m - spot_m
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    half = np.einsum("...i,...i->...", spot_m, along)
    return np.asarray(-half + np.sqrt(half**2 - np.einsum("...i,...i->...", spot_m, spot_m) + radius_m**2))


def _clear_of(
    centre_m: FloatArray, radius_m: FloatArray, shape: tuple[int, ...], rng: np.random.Generator
) -> FloatArray:
    """Places ``[*shape, 2]`` of the town at least 30 m outside every zone."""
    place_m = rng.uniform(-1_500.0, 1_500.0, (int(np.prod(shape)), 2))
    while True:
        gap_m = (np.linalg.norm(place_m[:, None] - centre_m[None], axis=2) - radius_m).min(axis=1)
        taken = np.flatnonzero(gap_m < 30.0)
        if len(taken) == 0:
            return place_m.reshape(*shape, 2)
        place_m[taken] = rng.uniform(-1_500.0, 1_500.0, (len(taken), 2))
