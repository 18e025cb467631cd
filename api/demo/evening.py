"""One Friday evening in the synthetic city: what ten people really did, and what their phones reported of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from api.demo.city import EVENING_STARTS_AT, City
from api.demo.journey import TruePath, plan_path
from api.demo.people import DemoPerson
from api.demo.phone import observe_path
from api.demo.scenes import EVENING_ENDS_AT, SCENES
from api.demo.truth import TrueVisit
from tracking.fix import Fix

EVENING_SEED = 21
"""Of seeds 1 to 60 the most ordinary: each visit's share of fixes in the footprint is nearest to the mean of all 60."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evening:
    """Per alias the fixes in order of arrival and the true path; and all visits, by alias and time."""

    starts_at: datetime
    ends_at: datetime
    tracks: Mapping[str, list[Fix]]
    true_paths: Mapping[str, TruePath]
    truth: tuple[TrueVisit, ...]


def simulate_evening(city: City, people: Sequence[DemoPerson], seed: int = EVENING_SEED) -> Evening:
    """The whole evening. Each person's noise depends on ``seed`` and alias only, not on who else is simulated.

    Raises ValueError for an alias without a scene.
    """
    tracks: dict[str, list[Fix]] = {}
    paths: dict[str, TruePath] = {}
    truth: list[TrueVisit] = []
    for person in people:
        if person.alias not in SCENES:
            raise ValueError(f"no scene for {person.alias!r}; there are scenes for {', '.join(SCENES)}")
        scene = SCENES[person.alias](city)
        rng = np.random.default_rng([seed, list(SCENES).index(person.alias)])
        path = plan_path(scene.stops, city.network, starts_at=EVENING_STARTS_AT, ends_at=EVENING_ENDS_AT)
        paths[person.alias] = path
        tracks[person.alias] = observe_path(path, EVENING_ENDS_AT, city.plane, scene.habit, rng)
        truth += scene.truth
    return Evening(
        starts_at=EVENING_STARTS_AT,
        ends_at=EVENING_ENDS_AT,
        tracks=tracks,
        true_paths=paths,
        truth=tuple(sorted(truth, key=lambda visit: (visit.alias, visit.entered_at))),
    )
