"""When a rule binds: hours of a curfew, days of a leave, an exempt door. No false "enter", no false "exit"."""

from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracking.scene import (
    MINUTE,
    START,
    Outcome,
    Scene,
    a_condition,
    a_scene,
    a_track,
    a_zone,
    an_area,
    an_order,
    evenings,
    minutes_of_the_evening,
    parts,
)
from tracking.allowances import Absence, Allowances, ExemptZone
from tracking.episode import Ending, Tier
from tracking.fix import FixBatch
from tracking.order import ConditionKind
from tracking.presence_rows import to_instant
from tracking.rules import to_microseconds
from tracking.windows import Windows

HOME = 3
CURFEW = minutes_of_the_evening((0.0, 60.0), (180.0, 300.0))


def at_minute(minute: float) -> int:
    return START + round(minute * MINUTE)


def a_home(
    windows: Windows | None = CURFEW,
    *,
    kind: ConditionKind = ConditionKind.CURFEW,
    allowances: Allowances | None = None,
) -> Scene:
    """Subject 1 has to be within 150 m of a door during these hours."""
    order = an_order(a_condition(1, kind, zone_no=HOME, tolerance_m=30.0, windows=windows))
    return a_scene(an_area(HOME, radius_m=150.0), orders=[order], allowances=allowances)


def leaves(*spans: tuple[float, float]) -> Allowances:
    return Allowances(
        absences=tuple(Absence(subject_no=1, start=at_minute(start), end=at_minute(end)) for start, end in spans)
    )


def exempt(*spans: tuple[float, float], zone_key: int = 1, subject_no: int = 1) -> Allowances:
    return Allowances(
        exempt_zones=tuple(
            ExemptZone(subject_no=subject_no, zone_key=zone_key, start=at_minute(start), end=at_minute(end))
            for start, end in spans
        )
    )


def away(first: float, last: float, *, east_m: float = 900.0, step: float = 2.0) -> FixBatch:
    """So far from the door, a fix every two minutes."""
    return a_track(np.arange(first, last, step), east_m)


def probable(outcome: Outcome) -> list[tuple[float, float | None, Ending | None, bool]]:
    """Minutes of start and end, and what ended it, of every PROBABLE episode."""
    found = [item for item in outcome.episodes if item.tier is Tier.PROBABLE]
    start = to_instant(START)
    return sorted(
        (
            (item.started_at - start) / timedelta(minutes=1),
            None if item.ended_at is None else (item.ended_at - start) / timedelta(minutes=1),
            item.ended_by,
            item.is_entry,
        )
        for item in found
    )


# ---- hours


def test_being_out_is_a_breach_in_the_hours_only_and_no_departure_when_they_begin() -> None:
    outcome = a_home().run(away(-40.0, 100.0))
    ((start, end, ended_by, is_entry),) = probable(outcome)
    assert 0.0 <= start <= 2.0
    assert (end, ended_by, is_entry) == (60.0, Ending.RULE, False)
    assert [item.kind for item in outcome.violations] == [ConditionKind.CURFEW]
    assert all(
        0.0 <= (item.started_at - to_instant(START)) / timedelta(minutes=1) < 60.0 for item in outcome.violations
    )


def test_each_night_is_an_episode_of_its_own() -> None:
    outcome = a_home().run(away(-40.0, 400.0))
    assert [(end, ended_by) for _, end, ended_by, _ in probable(outcome)] == [(60.0, Ending.RULE), (300.0, Ending.RULE)]
    assert len(outcome.violations) == 2


def test_leaving_home_in_the_hours_is_a_departure() -> None:
    home = a_track(np.arange(-40.0, 20.0, 2.0), 0.0)
    outcome = a_home().run(home, away(20.0, 58.0))
    ((start, _, _, is_entry),) = probable(outcome)
    assert 20.0 <= start <= 24.0
    assert is_entry


def test_being_home_in_the_hours_and_out_between_them_is_nothing() -> None:
    home = a_track(np.arange(-10.0, 62.0, 2.0), 0.0)
    again = a_track(np.arange(175.0, 300.0, 2.0), 0.0)
    assert probable(a_home().run(home, away(62.0, 170.0), again)) == []


def test_without_hours_the_place_binds_always() -> None:
    outcome = a_home(None, kind=ConditionKind.STAY_AT_PLACE).run(away(-40.0, 100.0))
    ((_, end, _, _),) = probable(outcome)
    assert end is None
    assert outcome.violations[0].kind is ConditionKind.STAY_AT_PLACE


def test_hours_beyond_the_order_bind_nobody() -> None:
    late = minutes_of_the_evening((60.0 * 24 * 29, 60.0 * 24 * 40))
    scene = a_home(late)
    assert scene.rules.valid_to.tolist() == [START + 30 * 24 * 60 * MINUTE]
    never = a_home(minutes_of_the_evening((60.0 * 24 * 50, 60.0 * 24 * 51)))
    assert never.run(away(-40.0, 100.0)).episodes == ()


# ---- leave


def test_an_approved_leave_frees_from_the_duty_to_stay_and_an_overstay_counts_from_its_end() -> None:
    outcome = a_home(None, kind=ConditionKind.STAY_AT_PLACE, allowances=leaves((0.0, 90.0))).run(away(4.0, 140.0))
    ((start, end, _, is_entry),) = probable(outcome)
    assert 90.0 <= start <= 94.0
    assert end is None
    assert not is_entry, "being away when the leave ends is no departure at that moment"


def test_a_leave_ends_a_departure_under_way_as_a_rule_ends() -> None:
    outcome = a_home(None, kind=ConditionKind.STAY_WITHIN_AREA, allowances=leaves((60.0, 90.0))).run(away(0.0, 80.0))
    ((_, end, ended_by, _),) = probable(outcome)
    assert (end, ended_by) == (60.0, Ending.RULE)


def test_a_leave_opens_no_forbidden_door() -> None:
    order = an_order(a_condition(1), a_condition(2, ConditionKind.EXCLUSION_ZONE, zone_no=1))
    scene = a_scene(a_zone(1), orders=[order], allowances=leaves((-60.0, 600.0)))
    outcome = scene.run(a_track(np.arange(0.0, 20.0), 0.0))
    assert {item.condition_no for item in outcome.violations} == {1, 2}


def test_a_leave_of_another_frees_nobody() -> None:
    other = Allowances(absences=(Absence(subject_no=2, start=at_minute(-60.0), end=at_minute(600.0)),))
    assert probable(a_home(None, kind=ConditionKind.STAY_AT_PLACE, allowances=other).run(away(0.0, 40.0)))


# ---- exemption


def bar_visit(first: float, last: float) -> FixBatch:
    return a_track(np.arange(first, last, 1.0), 0.0)


def test_an_exemption_holds_at_its_door_for_its_time_and_its_person() -> None:
    visit = bar_visit(0.0, 20.0)
    assert a_scene(a_zone(1), allowances=exempt((-10.0, 60.0))).run(visit).episodes == ()
    for other in (exempt((-10.0, 60.0), zone_key=2), exempt((-10.0, 60.0), subject_no=2), exempt((30.0, 60.0))):
        assert len(probable(a_scene(a_zone(1), allowances=other).run(visit))) == 1


def test_a_zone_that_the_order_names_yields_to_no_exemption() -> None:
    order = an_order(a_condition(2, ConditionKind.EXCLUSION_ZONE, zone_no=1))
    scene = a_scene(a_zone(1), orders=[order], allowances=exempt((-10.0, 60.0)))
    assert len(probable(scene.run(bar_visit(0.0, 20.0)))) == 1


def test_an_exemption_that_runs_out_makes_a_presence_and_no_entry() -> None:
    outcome = a_scene(a_zone(1), allowances=exempt((-10.0, 30.0))).run(bar_visit(0.0, 60.0))
    ((start, _, _, is_entry),) = probable(outcome)
    assert 30.0 <= start <= 32.0
    assert not is_entry


def test_an_exemption_that_begins_ends_a_presence_without_an_exit() -> None:
    outcome = a_scene(a_zone(1), allowances=exempt((30.0, 200.0))).run(bar_visit(0.0, 60.0))
    ((_, end, ended_by, _),) = probable(outcome)
    assert (end, ended_by) == (30.0, Ending.RULE)


# ---- whatever the batches

edges = st.lists(st.floats(-30.0, 400.0), min_size=2, max_size=6).map(sorted)
SCENES = st.builds(
    lambda hours, leave, door: a_scene(
        a_zone(1),
        an_area(HOME, radius_m=150.0),
        orders=[
            an_order(
                a_condition(10 * subject_no),
                a_condition(
                    10 * subject_no + 1,
                    ConditionKind.CURFEW,
                    zone_no=HOME,
                    tolerance_m=30.0,
                    windows=minutes_of_the_evening(*zip(hours[::2], hours[1::2], strict=False)),
                ),
                subject_no=subject_no,
            )
            for subject_no in (1, 2)
        ],
        allowances=Allowances(
            absences=leaves((leave[0], leave[-1])).absences, exempt_zones=exempt((door[0], door[-1])).exempt_zones
        ),
    ),
    edges,
    edges,
    edges,
)


@settings(deadline=None, max_examples=40)
@given(SCENES, evenings(), st.lists(st.integers(0, 10_000), min_size=1, max_size=6))
def test_the_answer_is_the_same_for_any_batches(scene: Scene, batch: FixBatch, cuts: list[int]) -> None:
    whole, cut = scene.run(batch), scene.run(*parts(batch, cuts))
    assert whole.episodes == cut.episodes
    assert {item.violation_id for item in whole.violations} == {item.violation_id for item in cut.violations}


@settings(deadline=None, max_examples=40)
@given(SCENES, evenings())
def test_no_breach_is_found_while_no_rule_binds(scene: Scene, batch: FixBatch) -> None:
    outcome = scene.run(batch)
    spans = scene.rules.spans
    for item in outcome.episodes:
        row = spans.rows_at(np.array([item.condition_no]), np.array([to_microseconds(item.started_at)]))
        assert spans.hold(row, np.array([to_microseconds(item.started_at)]))[0]
