"""Labelled tracks: true paths of a scenario, seen through a phone's error and a network's faults.

Pure: one seeded generator in, arrays out. Seeds below :data:`TEST_SEEDS_FROM` are for tuning a policy, those from it on
for tests and for every figure that is told to anyone, so that no figure rests on what was tuned on.
"""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from geo.shapes import Circle
from tracking.fix import FixBatch
from tracking.simulate_delivery import PROMPT, Delivery, deliver, fix_times
from tracking.simulate_error import draw_noise
from tracking.simulate_ground import Ground
from tracking.simulate_path import Inside, times_inside, to_degrees
from tracking.simulate_scenario import SCENARIOS
from tracking.zone import Zone, ZoneKind, ZoneOrigin

STARTS_AT = 1_772_380_800_000_000
"""Monday 2026-03-02 00:00 in Shanghai, microseconds since the Unix epoch, UTC."""
TEST_SEEDS_FROM = 1_000
VISIT_S = 180.0
"""A true presence of at least this long is a visit that should be found; a shorter one is a passage."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """``m`` true presences, by subject, zone and time.

    ``subject_no``, ``zone_no``: int64. ``entered_at``, ``left_at``: int64, microseconds UTC, exact. ``is_visit``: bool,
    see :data:`VISIT_S`.
    """

    subject_no: NDArray[np.int64]
    zone_no: NDArray[np.int64]
    entered_at: NDArray[np.int64]
    left_at: NDArray[np.int64]
    is_visit: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.subject_no)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulation:
    """``fixes`` in order of arrival. Subjects are numbered from 0, zones from 0 in the order of ``zones``."""

    scenario: str
    people: int
    days: int
    zones: tuple[Zone, ...]
    fixes: FixBatch
    truth: Truth

    @property
    def person_days(self) -> int:
        """Days simulated, over all people."""
        return self.people * self.days


def simulate(scenario: str, *, people: int, days: int, seed: int, delivery: Delivery = PROMPT) -> Simulation:
    """Draw a scenario by its name. The same arguments give the same arrays.

    Raises ValueError for a name that is not in ``SCENARIOS``, for a number of people or days below 1, and for a seed
    below 0.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"没有场景 no scenario {scenario!r}；可选 there are: {', '.join(SCENARIOS)}")
    for name, value, least in (("people", people, 1), ("days", days, 1), ("seed", seed, 0)):
        if value < least:
            raise ValueError(f"{name} = {value}：不得小于 must be at least {least}")
    found = SCENARIOS[scenario]
    seeds = np.random.SeedSequence([seed, *scenario.encode()]).spawn(3)
    for_paths, for_errors, for_delivery = (np.random.default_rng(part) for part in seeds)
    ground = found.build(people, days, for_paths)
    fixes = _fixes(ground, found.interval_s, delivery, for_errors, for_delivery)
    inside = times_inside(ground.paths, ground.centre_m, ground.radius_m)
    return Simulation(
        scenario=scenario, people=people, days=days, zones=_zones(ground), fixes=fixes, truth=_truth(inside)
    )


def _fixes(
    ground: Ground, interval_s: float, delivery: Delivery, for_errors: np.random.Generator, rng: np.random.Generator
) -> FixBatch:
    paths = ground.paths
    person, at_s = fix_times(people=len(paths.at_s), ends_s=paths.ends_s, interval_s=interval_s, rng=for_errors)
    corner = paths.corner_at(person, at_s)
    noise = draw_noise(
        at_s=at_s,
        is_first=np.append(True, person[1:] != person[:-1]),
        stay=corner,
        models=ground.models,
        model_no=paths.model_no.ravel()[corner],
        rng=for_errors,
    )
    longitude, latitude = to_degrees(paths.position_m(person, at_s) + noise.error_m)
    arrived = deliver(person, at_s, ends_s=paths.ends_s, delivery=delivery, rng=rng)
    row = arrived.row
    return FixBatch(
        subject_no=person[row],
        fixed_at=_microseconds(at_s[row]),
        received_at=_microseconds(arrived.received_s),
        longitude=np.round(longitude[row], 7),
        latitude=np.round(latitude[row], 7),
        accuracy_m=np.maximum(np.round(noise.reported_m[row], 1), 1.0),
        fix_key=np.zeros(len(row), dtype=np.int64),
        flags=np.zeros(len(row), dtype=np.int32),
    )


def _zones(ground: Ground) -> tuple[Zone, ...]:
    longitude, latitude = to_degrees(ground.centre_m)
    return tuple(
        Zone(
            zone_no=number,
            zone_id=UUID(int=number),
            version=1,
            kind=ZoneKind.EXCLUSION,
            origin=ZoneOrigin.SUPERVISOR,
            name=f"合成区域{number + 1}",
            shape=Circle(
                longitude=float(longitude[number]), latitude=float(latitude[number]), radius_m=float(radius_m)
            ),
        )
        for number, radius_m in enumerate(ground.radius_m)
    )


def _truth(inside: Inside) -> Truth:
    return Truth(
        subject_no=inside.person,
        zone_no=inside.zone,
        entered_at=_microseconds(inside.from_s),
        left_at=_microseconds(inside.until_s),
        is_visit=inside.until_s - inside.from_s >= VISIT_S,
    )


def _microseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    return STARTS_AT + np.rint(seconds * 1e6).astype(np.int64)
