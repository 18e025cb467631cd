"""Who is inside when a place begins to be forbidden: only who stayed there, only once, only what is new."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.make import EVENING
from tests.tracking.scene import MINUTE, START, Scene, a_condition, a_scene, a_track, a_zone, an_order
from tests.tracking.scene import minutes_of_the_evening as minutes
from tracking.clock_edges import SETTLE_US
from tracking.inside_edges import InsideEdge, inside_when_bound
from tracking.order import ConditionKind
from tracking.states import PresenceStates
from tracking.versions import ALWAYS
from tracking.zone import Zone

BAR = 7


def told(
    scene: Scene, states: PresenceStates, *, after: float = 0.0, until: float, known_at: int = 0
) -> tuple[InsideEdge, ...]:
    """Asked in this span of minutes."""
    known: NDArray[np.int64] = np.full(len(scene.rules), known_at, dtype=np.int64)
    return inside_when_bound(
        states.subject_rows, scene.rules, scene.zones, known_at=known,
        after=START + round(after * MINUTE), until=START + round(until * MINUTE), policy=scene.policy,
    )  # fmt: skip


def stayed(scene: Scene, east_m: float, until: int = 61) -> PresenceStates:
    return scene.run(a_track(np.arange(float(until)), east_m)).states


def at_night() -> Scene:
    """Bars are forbidden from minute 62 to 600."""
    return a_scene(a_zone(BAR), orders=[an_order(a_condition(1, windows=minutes((62, 600))))])


def zone_version(number: int, version: int, minute: float | None, end: float | None, radius_m: float) -> Zone:
    zone = a_zone(number, radius_m=radius_m)
    begins, ends = (None if at is None else EVENING + timedelta(minutes=at) for at in (minute, end))
    return replace(
        zone, zone_id=a_zone(BAR).zone_id, version=version, in_force_from=begins, in_force_to=ends, recorded_at=begins,
        first_no=BAR,
    )  # fmt: skip


def test_who_stays_in_a_bar_when_the_night_begins_is_inside_and_asked_about_after_it_settled() -> None:
    scene = at_night()
    states = stayed(scene, 2.0)
    (found,) = told(scene, states, until=63.0)
    assert (found.edge.due_at, found.edge.at) == (START + 62 * MINUTE, START + 62 * MINUTE + SETTLE_US)
    assert (found.zone_no, found.edge.condition_no) == (BAR, 1)
    assert 0.5 < found.inside < 1.0
    assert found.age_s == pytest.approx(180.0)
    assert told(scene, states, until=62.4) == ()
    assert told(scene, states, after=62.6, until=64.0) == (), "spans that touch find it once"


@pytest.mark.parametrize(
    ("east_m", "fixes_until", "asked_at"),
    [(300.0, 61, 63.0), (2.0, 64, 63.0), (2.0, 30, 63.0)],
    ids=["elsewhere", "a fix has told since", "not heard of for half an hour"],
)
def test_who_is_elsewhere_told_by_a_fix_or_not_known_is_not_found(
    east_m: float, fixes_until: int, asked_at: float
) -> None:
    scene = at_night()
    assert told(scene, stayed(scene, east_m, fixes_until), until=asked_at) == ()


def test_who_was_on_the_way_is_unknown_and_not_found() -> None:
    scene = at_night()
    minute = np.arange(61.0)
    states = scene.run(a_track(minute, (60.0 - minute) * 80.0)).states
    assert told(scene, states, until=63.0) == ()


def test_a_zone_that_is_new_is_asked_about_and_one_that_is_drawn_anew_around_who_was_inside_is_not() -> None:
    order = an_order(a_condition(1))
    new = a_scene(zone_version(BAR, 1, 62, None, 35.0), orders=[order])
    assert len(told(new, stayed(new, 2.0), until=63.0)) == 1
    anew = a_scene(zone_version(BAR, 1, None, 62, 35.0), zone_version(9, 2, 62, None, 60.0), orders=[order])
    assert told(anew, stayed(anew, 2.0), until=63.0) == ()
    larger = a_scene(zone_version(BAR, 1, None, 62, 35.0), zone_version(9, 2, 62, None, 90.0), orders=[order])
    (found,) = told(larger, stayed(larger, 60.0), until=63.0)
    assert (found.zone_key, found.zone_no) == (BAR, 9)


def test_a_named_zone_with_hours_and_an_order_that_goes_on_in_its_next_version() -> None:
    named = a_condition(3, ConditionKind.EXCLUSION_ZONE, zone_no=BAR, windows=minutes((62, 600)))
    scene = a_scene(a_zone(BAR, category=None), orders=[an_order(named)])
    assert [one.edge.condition_no for one in told(scene, stayed(scene, 2.0), until=63.0)] == [3]
    first = replace(an_order(a_condition(1)), in_force_to=EVENING + timedelta(minutes=62))
    second = replace(
        an_order(replace(a_condition(2), condition_id=a_condition(1).condition_id, first_no=1)),
        order_no=2, version=2, in_force_from=EVENING + timedelta(minutes=62),
    )  # fmt: skip
    varied = a_scene(a_zone(BAR), orders=[first, second])
    assert told(varied, stayed(varied, 2.0), until=63.0, known_at=START + 62 * MINUTE) == ()


def test_nothing_overflows_at_the_beginning_of_time() -> None:
    scene = a_scene(a_zone(BAR))
    known = np.zeros(len(scene.rules), dtype=np.int64)
    found = inside_when_bound(
        stayed(scene, 2.0).subject_rows, scene.rules, scene.zones, known_at=known, after=ALWAYS,
        until=START + 61 * MINUTE, policy=scene.policy,
    )  # fmt: skip
    assert found == ()
