"""Where somebody may be of whom nothing is heard: shares that add up, and never "outside" for want of knowing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracking.scene import MINUTE, START, Scene, a_condition, a_scene, a_track, an_area, an_order
from tests.tracking.scene import minutes_of_the_evening as minutes
from tracking.order import ConditionKind
from tracking.states import PresenceStates
from tracking.whereabouts import Whereabouts, whereabouts

HOME = 7


def a_home(radius_m: float = 60.0) -> Scene:
    condition = a_condition(
        1, ConditionKind.CURFEW, zone_no=HOME, tolerance_m=30.0, windows=minutes((0, 600))
    )  # fmt: skip
    return a_scene(an_area(HOME, radius_m=radius_m), orders=[an_order(condition)])


def after_minutes(scene: Scene, states: PresenceStates, minute: float) -> Whereabouts:
    return whereabouts(
        states.rows_for(np.array([1], dtype=np.int64)),
        rule_row=np.array([0], dtype=np.int64),
        at=START + round(minute * MINUTE),
        rules=scene.rules,
        zones=scene.zones,
        policy=scene.policy,
    )


def seen_at(east_m: float) -> tuple[Scene, PresenceStates]:
    """An hour of fixes at one place, a minute apart, so many metres from the door; the last in minute 60."""
    scene = a_home()
    return scene, scene.run(a_track(np.arange(0.0, 61.0), east_m)).states


def test_who_was_at_home_a_minute_ago_is_at_home_and_grows_unknown_with_time() -> None:
    scene, states = seen_at(0.0)
    shares = [after_minutes(scene, states, 60.0 + age) for age in (1.0, 10.0, 25.0)]
    inside = [float(one.inside[0]) for one in shares]
    assert inside[0] > 0.95
    assert inside[0] > inside[1] > inside[2] > 0.5
    assert all(float(one.outside[0]) < 0.02 for one in shares), "who left home may have come back: that is unknown"


def test_who_was_far_away_a_minute_ago_is_outside() -> None:
    scene, states = seen_at(5_000.0)
    for age in (0.5, 5.0):
        assert float(after_minutes(scene, states, 60.0 + age).outside[0]) > 0.98


def test_who_was_near_may_have_come_home_in_the_meantime() -> None:
    scene, states = seen_at(900.0)
    soon, later = after_minutes(scene, states, 60.5), after_minutes(scene, states, 80.0)
    assert float(soon.outside[0]) > 0.95
    assert float(later.unknown[0]) > 0.2
    assert float(later.inside[0]) < 0.01


def test_of_whom_nothing_was_heard_for_long_or_ever_nobody_can_say() -> None:
    for scene, states in (seen_at(5_000.0), (a_home(), PresenceStates.empty())):
        one = after_minutes(scene, states, 120.0)
        assert (one.inside[0], one.outside[0], one.unknown[0]) == (0.0, 0.0, 1.0)
    assert one.age_s[0] == np.inf


def test_a_rule_that_does_not_bind_is_refused() -> None:
    scene, states = seen_at(0.0)
    with pytest.raises(ValueError, match="does not bind"):
        after_minutes(scene, states, 700.0)


@given(east_m=st.floats(0, 20_000), age=st.floats(0, 60), accuracy_m=st.floats(3, 300))
@settings(deadline=None)  # the first call compiles
def test_the_shares_are_shares_and_add_up(east_m: float, age: float, accuracy_m: float) -> None:
    scene = a_home()
    states = scene.run(a_track(np.arange(0.0, 21.0, 2.0), east_m, accuracy_m=accuracy_m)).states
    one = after_minutes(scene, states, 20.0 + age)
    shares = np.array([one.inside[0], one.outside[0], one.unknown[0]])
    assert shares.sum() == pytest.approx(1.0)
    assert ((shares >= 0.0) & (shares <= 1.0)).all()
