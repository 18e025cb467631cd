"""Asleep at home under a curfew: hardly a false alarm, and a real leaving found within minutes. On test seeds."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from geo.shapes import Circle
from tests.tracking.scene import Scene, a_scene, a_zone, an_order
from tracking.fix import FixBatch
from tracking.home_place import HomePlacePolicy, too_small
from tracking.order import Condition, ConditionKind
from tracking.presence import PROBABLE
from tracking.presence_rows import to_instant
from tracking.simulate import STARTS_AT, TEST_SEEDS_FROM
from tracking.simulate_error import INDOOR, URBAN, ErrorModel, draw_noise
from tracking.simulate_path import ORIGIN, to_degrees
from tracking.windows import Windows
from tracking.zone import ZoneKind

HOUR_S, DAYS = 3_600.0, 7
URBAN_20 = replace(URBAN, radius_m=20.0)
LASTING = replace(INDOOR, bias_share=0.3)
AWAY_M, SPEED_MPS = 1_200.0, 1.3


def a_week(people: int, model: ErrorModel, *, goes: bool, seed: int) -> tuple[FixBatch, NDArray[np.float64]]:
    """Fixes of a week, one a minute, and the hours ``[people, days]`` at which those who go leave the door at night."""
    rng = np.random.default_rng([TEST_SEEDS_FROM, seed])
    at_s = np.tile(np.arange(0.0, DAYS * 24 * HOUR_S, 60.0), people) + rng.uniform(0.0, 5.0, people * DAYS * 1_440)
    person = np.repeat(np.arange(people), DAYS * 1_440)
    day = (at_s // (24 * HOUR_S)).astype(np.int64).clip(0, DAYS - 1)
    leaves_h = rng.uniform(0.5, 3.5, (people, DAYS))
    bearing = rng.uniform(0.0, 2.0 * np.pi, (people, DAYS))[person, day]
    gone_s = at_s - day * 24 * HOUR_S - leaves_h[person, day] * HOUR_S
    back_s = 2 * AWAY_M / SPEED_MPS + HOUR_S - gone_s
    way_m = np.clip(np.minimum(gone_s, back_s) * SPEED_MPS, 0.0, AWAY_M) * goes
    noise = draw_noise(
        at_s=at_s,
        is_first=np.append(True, person[1:] != person[:-1]),
        stay=(person * DAYS + day) * 2 + ((gone_s > 0) & goes),
        models=[model, URBAN],
        model_no=(way_m > 0.0).astype(np.int64),
        rng=rng,
    )
    longitude, latitude = to_degrees(way_m[:, None] * np.stack([np.sin(bearing), np.cos(bearing)], 1) + noise.error_m)
    fixed_at = STARTS_AT + np.rint(at_s * 1e6).astype(np.int64)
    zeros = np.zeros(len(person), dtype=np.int64)
    return FixBatch(
        subject_no=person, fixed_at=fixed_at, received_at=fixed_at, longitude=longitude, latitude=latitude,
        accuracy_m=noise.reported_m, fix_key=zeros, flags=zeros.astype(np.int32),
    ), leaves_h  # fmt: skip


def at_home(people: int, radius_m: float, tolerance_m: float) -> Scene:
    """Everybody has to be home from 22:00 to 06:00."""
    nights = STARTS_AT + np.rint((np.arange(-1, DAYS) * 24 + 22) * HOUR_S * 1e6).astype(np.int64)
    windows = Windows.build(nights, nights + round(8 * HOUR_S * 1e6))
    shape = Circle(longitude=ORIGIN[0], latitude=ORIGIN[1], radius_m=radius_m)
    home = replace(a_zone(1, category=None, kind=ZoneKind.INCLUSION), shape=shape)
    start = to_instant(STARTS_AT)
    orders = [
        an_order(
            Condition(
                condition_no=person + 1, condition_id=UUID(int=person + 1), kind=ConditionKind.CURFEW, zone_no=1,
                tolerance_m=tolerance_m, windows=windows,
            ),
            subject_no=person, valid_from=start - timedelta(days=1), valid_to=start + timedelta(days=30),
        )
        for person in range(people)
    ]  # fmt: skip
    return a_scene(home, orders=orders)


def false_a_week(model: ErrorModel, radius_m: float, tolerance_m: float = 0.0, *, people: int = 40) -> float:
    """Decided departures a week of somebody who sleeps."""
    fixes, _ = a_week(people, model, goes=False, seed=1)
    rows = at_home(people, radius_m, tolerance_m).evaluate(fixes).presence_rows
    return np.count_nonzero(rows["tier"] == PROBABLE) / people


def minutes_to_find(model: ErrorModel, radius_m: float, *, people: int = 10) -> NDArray[np.float64]:
    """From leaving the door to the decision, ``[people, days]``; infinite where it is not found within 2 hours."""
    fixes, leaves_h = a_week(people, model, goes=True, seed=2)
    rows = at_home(people, radius_m, 0.0).evaluate(fixes).presence_rows
    left_at = STARTS_AT + (np.arange(DAYS) * 24 + leaves_h) * HOUR_S * 1e6
    rows = rows[rows["tier"] == PROBABLE]
    later_min = (rows["decided_at"] - left_at[rows["subject_no"]].T) / 6e7  # [days, rows]
    found = np.full((people, DAYS), np.inf)
    for number, subject in enumerate(rows["subject_no"].tolist()):
        late = np.where((later_min[:, number] < 0) | (later_min[:, number] > 120), np.inf, later_min[:, number])
        found[subject] = np.minimum(found[subject], late)
    return found


@pytest.mark.parametrize("model", [INDOOR, LASTING, URBAN_20])
def test_asleep_in_a_place_that_is_large_enough_is_hardly_ever_a_departure(model: ErrorModel) -> None:
    assert false_a_week(model, HomePlacePolicy().least_reach_m) <= 0.1
    assert false_a_week(model, 70.0, 30.0) <= 0.1


def test_a_place_of_50_m_indoors_is_too_small_and_that_is_why() -> None:
    assert false_a_week(LASTING, 50.0) >= 0.3


@pytest.mark.parametrize(("model", "radius_m"), [(INDOOR, 100.0), (LASTING, 100.0), (INDOOR, 200.0)])
def test_a_real_leaving_at_night_is_found_within_minutes(model: ErrorModel, radius_m: float) -> None:
    minutes = minutes_to_find(model, radius_m)
    assert np.mean(np.isfinite(minutes)) >= 0.98
    assert np.median(minutes) <= 8.5


@pytest.mark.parametrize(
    ("kind", "radius_m", "tolerance_m", "reach_m"),
    [
        (ConditionKind.CURFEW, 50.0, 30.0, 80.0),
        (ConditionKind.STAY_AT_PLACE, 99.0, 0.0, 99.0),
        (ConditionKind.CURFEW, 70.0, 30.0, None),
        (ConditionKind.EXCLUSION_ZONE, 20.0, 0.0, None),
    ],
)
def test_a_place_too_small_for_its_duty_is_told(
    kind: ConditionKind, radius_m: float, tolerance_m: float, reach_m: float | None
) -> None:
    shape = Circle(longitude=117.2, latitude=34.26, radius_m=radius_m)
    assert too_small(kind, shape, tolerance_m, HomePlacePolicy()) == reach_m
