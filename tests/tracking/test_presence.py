"""What a sequence of fixes proves, told as small timelines."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from geo.shapes import Circle
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
    joined,
)
from tracking.episode import Ending, Episode, Tier
from tracking.fix import FixBatch
from tracking.order import ConditionKind
from tracking.presence_rows import to_instant
from tracking.quality import FixFlag
from tracking.rules import to_microseconds

BAR = a_scene(a_zone(1))
"""One bar of 35 m radius that subject 1 may not enter."""

steady = settings(deadline=None)


def minute(number: float) -> object:
    return to_instant(START + round(number * MINUTE))


def only(found: Outcome) -> Episode:
    (episode,) = found.episodes
    return episode


def jittered(seed: int, minutes: ArrayLike, *, east_m: float, accuracy_m: float) -> FixBatch:
    """Fixes with independent circular normal errors whose 68 % radius is the accuracy that they claim."""
    rng = np.random.default_rng(seed)
    sigma = accuracy_m / np.sqrt(-2.0 * np.log(0.32))
    error = rng.normal(0.0, sigma, (2, np.size(minutes)))
    return a_track(minutes, east_m + error[0], error[1], accuracy_m=accuracy_m)


# ---- unknown, outside, inside


def test_first_fix_inside_is_presence_and_no_entry() -> None:
    assert only(BAR.run(a_track(np.arange(10.0), 0.0))).is_entry is False


def test_a_fix_outside_before_makes_it_an_entry() -> None:
    assert only(BAR.run(a_track(np.arange(10.0), [500.0] + [0.0] * 9))).is_entry is True


def test_after_a_silence_the_first_fix_inside_is_no_entry() -> None:
    found = BAR.run(a_track([0.0, 40.0, 41.0], [500.0, 0.0, 0.0]))
    assert only(found).is_entry is False


def test_entry_is_known_across_batches() -> None:
    found = BAR.run(a_track([0.0], 500.0), a_track([1.0], 0.0), a_track([2.0], 0.0))
    assert only(found).is_entry is True


def test_a_second_visit_is_a_second_episode_and_an_entry() -> None:
    east_m = [0.0] * 10 + [500.0] * 5 + [0.0] * 10
    found = BAR.run(a_track(np.arange(25.0), east_m))
    assert sorted((item.is_entry, item.tier) for item in found.episodes) == [
        (False, Tier.PROBABLE),
        (True, Tier.PROBABLE),
    ]
    assert len(found.violations) == 2


# ---- silence


def test_silence_ends_presence_where_it_was_last_seen_and_is_no_exit() -> None:
    found = BAR.run(a_track([*np.arange(10.0), 40.0], [0.0] * 10 + [500.0]))
    assert (only(found).ended_by, only(found).ended_at) == (Ending.SILENCE, minute(9))


def test_a_gap_as_long_as_the_limit_is_not_yet_a_silence() -> None:
    found = BAR.run(a_track([0.0, 30.0, 60.0], 0.0))
    assert (only(found).fix_count, only(found).ended_by) == (3, None)
    found = BAR.run(a_track([0.0, 30.001], 0.0))
    assert sorted(str(item.ended_by) for item in found.episodes) == ["None", "silence"]


def test_after_a_silence_the_same_place_is_a_new_episode() -> None:
    found = BAR.run(a_track([*np.arange(10.0), *np.arange(60.0, 70.0)], 0.0))
    assert [item.started_at for item in sorted(found.episodes, key=lambda item: item.started_at)] == [
        minute(0),
        minute(60),
    ]


@steady
@given(evenings())
def test_no_episode_spans_a_silence_and_each_ends_as_the_fixes_say(batch: FixBatch) -> None:
    limit = round(BAR.policy.silence_s * 1e6)
    for episode in everyone_barred().run(batch).episodes:
        if episode.is_crossing:
            assert episode.ended_at is not None, "a way through has both ends"
            continue
        times = sorted(batch.fixed_at[batch.subject_no == episode.subject_no].tolist())
        start, last = to_microseconds(episode.started_at), to_microseconds(episode.last_inside_at)
        inside = [time for time in times if start <= time <= last]
        assert all(later - earlier <= limit for earlier, later in pairwise(inside))
        after = [time for time in times if time >= last]
        followed = next((n for n, (earlier, later) in enumerate(pairwise(after)) if later - earlier > limit), None)
        if episode.ended_by is Ending.EXIT:
            assert followed is None or followed >= BAR.policy.small.exit_fix_count, (
                "too few fixes outside before the silence"
            )
        elif episode.ended_by is Ending.SILENCE:
            assert followed is not None
        else:
            assert followed is None


TWO_BARS = [a_zone(1), a_zone(2, east_m=180.0, radius_m=60.0)]
ORDERS = [an_order(a_condition(subject), subject_no=subject) for subject in (1, 2, 3)]


def everyone_barred() -> Scene:
    return a_scene(*TWO_BARS, orders=ORDERS)


# ---- exit


def test_one_fix_outside_ends_nothing() -> None:
    found = BAR.run(a_track(np.arange(20.0), [0.0] * 10 + [500.0] + [0.0] * 9))
    assert (only(found).ended_by, only(found).fix_count) == (None, 19)


def test_two_fixes_outside_with_one_inside_between_end_nothing() -> None:
    found = BAR.run(a_track(np.arange(10.0), [0.0] * 4 + [500.0, 0.0, 500.0] + [0.0] * 3))
    assert (only(found).ended_by, only(found).fix_count) == (None, 8)


def test_two_fixes_outside_in_a_row_end_it() -> None:
    found = BAR.run(a_track(np.arange(12.0), [0.0] * 10 + [500.0] * 2))
    assert (only(found).ended_by, only(found).ended_at) == (Ending.EXIT, minute(9))


def test_a_fix_that_tells_nothing_between_two_outside_changes_nothing() -> None:
    east_m = [0.0] * 10 + [500.0, 200.0, 500.0]
    found = BAR.run(a_track(np.arange(13.0), east_m, accuracy_m=[10.0] * 11 + [300.0, 10.0]))
    assert (only(found).ended_by, only(found).ended_at, only(found).fix_count) == (Ending.EXIT, minute(9), 10)


# ---- how much it takes


@pytest.mark.parametrize("accuracy_m", [3.0, 10.0, 30.0])
def test_one_fix_is_never_probable(accuracy_m: float) -> None:
    found = BAR.run(a_track([0.0, 1.0], [500.0, 0.0], accuracy_m=accuracy_m))
    assert only(found).tier is Tier.POSSIBLE
    assert found.violations == ()


def test_two_fixes_are_never_probable_however_far_apart() -> None:
    found = BAR.run(a_track([0.0, 29.0], 0.0))
    assert (only(found).tier, only(found).fix_count) == (Tier.POSSIBLE, 2)


def test_walking_past_stays_possible() -> None:
    minutes = np.arange(0.0, 10.0, 1.0 / 6.0)
    past = a_track(minutes, (minutes - 5.0) * 72.0)  # 1.2 m/s through the middle of the bar
    found = BAR.run(past)
    assert only(found).tier is Tier.POSSIBLE
    assert found.violations == ()


def test_probable_is_reached_when_the_dwell_is_over_and_not_before() -> None:
    found = BAR.run(a_track(np.arange(0.0, 10.0, 0.5), 0.0))
    assert only(found).decided_at == minute(4)
    assert [item.decided_at for item in found.violations] == [minute(4)]


def test_the_first_fix_after_a_loss_of_signal_counts_for_little() -> None:
    """Coming back into reception, a phone jumps once: the visit is still decided by the fix after that."""
    east_m = [0.0, 0.0, 0.0, 500.0, 0.0]
    after_loss, unbroken = [0.0, 1.0, 2.0, 12.0, 12.5], [0.0, 1.0, 4.0, 8.9, 9.4]
    assert only(BAR.run(a_track(after_loss, east_m))).decided_at == minute(12.5)
    assert only(BAR.run(a_track([*unbroken[:2], 2.0, 6.9, 7.4], east_m))).decided_at is None


def test_probable_stays_probable() -> None:
    found = BAR.run(a_track(np.arange(20.0), [0.0] * 10 + [500.0] * 10))
    assert only(found).tier is Tier.PROBABLE


@steady
@given(evenings())
def test_probable_always_rests_on_enough_fixes_over_enough_time(batch: FixBatch) -> None:
    policy = BAR.policy.small
    for episode in everyone_barred().run(batch).episodes:
        assert (episode.tier is Tier.PROBABLE) == (episode.decided_at is not None)
        if episode.decided_at is not None:
            assert (episode.decided_at - episode.started_at).total_seconds() >= policy.dwell_s
            assert episode.fix_count >= policy.minimum_fix_count
            assert episode.peak_probability >= policy.probable_probability
            assert not episode.is_undecidable


# ---- accuracy


def test_fixes_too_bad_to_decide_are_said_to_be_so() -> None:
    small = a_scene(a_zone(1, radius_m=25.0))
    found = small.run(a_track(np.arange(60.0), 0.0, accuracy_m=35.0))
    assert (only(found).tier, only(found).is_undecidable) == (Tier.POSSIBLE, True)
    assert found.violations == ()


def test_one_good_fix_makes_it_decidable() -> None:
    small = a_scene(a_zone(1, radius_m=25.0))
    found = small.run(a_track(np.arange(10.0), 0.0, accuracy_m=[35.0] * 5 + [10.0] + [35.0] * 4))
    assert only(found).is_undecidable is False


@pytest.mark.parametrize("accuracy_m", [100.0, 300.0, 1_000.0, 5_000.0])
def test_bad_accuracy_never_becomes_certainty(accuracy_m: float) -> None:
    found = BAR.run(a_track(np.arange(0.0, 1_440.0, 5.0), 0.0, accuracy_m=accuracy_m))
    assert found.violations == ()
    assert not [item for item in found.episodes if item.tier is Tier.PROBABLE]


@pytest.mark.parametrize("seed", range(10))
def test_resident_near_a_bar_is_not_suspected(seed: int) -> None:
    """60 m from a 20 m bar, 65 m accuracy, a fix every five minutes for a day (design.md, section 8)."""
    day = a_scene(a_zone(1, radius_m=20.0)).run(jittered(seed, np.arange(288) * 5.0, east_m=60.0, accuracy_m=65.0))
    assert day.violations == ()


@pytest.mark.parametrize("accuracy_m", [10.0, 20.0, 30.0, 50.0])
def test_neighbour_of_a_zone_is_suspected_once_in_ten_days_at_most(accuracy_m: float) -> None:
    """30 m outside a 50 m zone, a fix every five minutes; a hundred days at once, as a hundred subjects."""
    days = 100
    orders = [an_order(a_condition(day), subject_no=day) for day in range(1, days + 1)]
    near = jittered(0, np.tile(np.arange(288) * 5.0, days), east_m=80.0, accuracy_m=accuracy_m)
    found = a_scene(a_zone(1, radius_m=50.0), orders=orders).run(
        replace(near, subject_no=np.repeat(np.arange(1, days + 1), 288))
    )
    assert len(found.violations) <= 0.1 * days


@pytest.mark.parametrize("seed", range(20))
def test_true_visit_gives_exactly_one_violation(seed: int) -> None:
    """Twenty minutes at 10 m accuracy, an evening at home before and after."""
    minutes = np.arange(0.0, 140.0)
    home, bar = (
        jittered(seed, minutes, east_m=400.0, accuracy_m=10.0),
        jittered(seed, minutes, east_m=0.0, accuracy_m=10.0),
    )
    evening = joined(home.take(minutes < 60), bar.take((minutes >= 60) & (minutes < 80)), home.take(minutes >= 80))
    found = BAR.run(evening)
    assert len(found.violations) == 1
    assert only(found).ended_by is Ending.EXIT
    assert only(found).is_entry


@pytest.mark.parametrize("accuracy_m", [200.0, 1_000.0, 5_000.0])
def test_fixes_that_prove_nothing_do_not_end_a_visit(accuracy_m: float) -> None:
    """Indoors the phone falls back on base stations for a while."""
    accuracies = [10.0] * 10 + [accuracy_m] * 3 + [10.0] * 10
    found = BAR.run(a_track(np.arange(23.0), 0.0, accuracy_m=accuracies))
    assert len(found.episodes) == 1
    assert only(found).ended_by is None


@steady
@given(st.sampled_from([0.0, 10.0, 25.0, 33.0, 45.0]), st.sampled_from([3.0, 10.0, 20.0, 30.0]), st.floats(1.0, 5.0))
def test_worse_accuracy_never_adds_certainty(east_m: float, accuracy_m: float, worse: float) -> None:
    good, bad = (BAR.run(a_track(np.arange(15.0), east_m, accuracy_m=accuracy_m * factor)) for factor in (1.0, worse))
    decided_good, decided_bad = ([item for item in found.episodes if item.decided_at] for found in (good, bad))
    assert len(decided_bad) <= len(decided_good)


@steady
@given(evenings())
def test_no_episode_without_a_fix_near(batch: FixBatch) -> None:
    zones = everyone_barred().zones
    for episode in everyone_barred().run(batch).episodes:
        if episode.is_crossing:
            continue
        at = (batch.subject_no == episode.subject_no) & (batch.fixed_at == to_microseconds(episode.started_at))
        near = zones.index.match(
            longitude=batch.longitude[at], latitude=batch.latitude[at], reach_m=6.0 * batch.accuracy_m[at] + 50.0
        )
        assert episode.zone_no in zones.zone_no[near.zone_row]


@steady
@given(evenings(), st.sampled_from([-100.0, 3.0, 57.3]))
def test_zone_and_fixes_moved_together_change_nothing(batch: FixBatch, degrees: float) -> None:
    def told(found: Outcome) -> list[tuple[object, ...]]:
        return sorted(
            (item.subject_no, item.zone_no, item.started_at, str(item.tier), item.fix_count) for item in found.episodes
        )

    moved = [
        replace(zone, shape=replace(zone.shape, longitude=zone.shape.longitude + degrees))
        for zone in TWO_BARS
        if isinstance(zone.shape, Circle)
    ]
    there = a_scene(*moved, orders=ORDERS).run(replace(batch, longitude=batch.longitude + degrees))
    assert told(there) == told(everyone_barred().run(batch))


def test_a_presence_that_no_fix_can_decide_asks_for_a_check_in_when_the_dwell_is_over() -> None:
    small = a_scene(a_zone(1, radius_m=25.0))
    first = small.evaluate(a_track(np.arange(4.0), 0.0, accuracy_m=40.0))
    assert first.check_ins == ()
    then = small.evaluate(a_track(np.arange(4.0, 10.0), 0.0, accuracy_m=40.0), first.states)
    (asked,) = then.check_ins
    assert (asked.is_undecidable, asked.undecidable_at, asked.decided_at) == (True, minute(4), None)
    assert then.violations == ()
    assert small.evaluate(a_track([10.0], 0.0, accuracy_m=40.0), then.states).check_ins == ()


def test_a_mocked_position_proves_nothing_and_does_not_put_off_silence() -> None:
    mocked = a_track(np.arange(5.0, 50.0, 5.0), 0.0, flags=int(FixFlag.MOCK))
    found = BAR.run(joined(a_track(np.arange(5.0), 0.0), mocked, a_track([50.0], 0.0)))
    assert sorted((item.fix_count, str(item.ended_by)) for item in found.episodes) == [(1, "None"), (5, "silence")]


# ---- areas: being outside is the breach


def area(radius_m: float = 2_000.0, tolerance_m: float = 0.0) -> Scene:
    condition = a_condition(1, ConditionKind.STAY_WITHIN_AREA, zone_no=3, tolerance_m=tolerance_m)
    return a_scene(an_area(3, radius_m=radius_m), orders=[an_order(condition)])


def test_leaving_an_area_is_found_and_coming_back_ends_it() -> None:
    found = area().run(a_track(np.arange(30.0), [0.0] * 10 + [2_500.0] * 10 + [0.0] * 10))
    assert (only(found).is_entry, only(found).tier, only(found).ended_by) == (True, Tier.PROBABLE, Ending.EXIT)
    (violation,) = found.violations
    assert (violation.kind, violation.started_at) == (ConditionKind.STAY_WITHIN_AREA, minute(10))


def test_far_from_an_area_is_outside_it_too() -> None:
    assert len(area().run(a_track(np.arange(10.0), 500_000.0)).violations) == 1


@pytest.mark.parametrize("seed", range(10))
def test_jitter_on_the_border_within_the_tolerance_is_no_departure(seed: int) -> None:
    on_border = jittered(seed, np.arange(288) * 5.0, east_m=2_000.0, accuracy_m=20.0)
    assert area(tolerance_m=100.0).run(on_border).episodes == ()
    assert area(tolerance_m=0.0).run(on_border).episodes, "it would be found without: else this test shows nothing"


def test_beyond_the_tolerance_is_a_departure() -> None:
    outside = a_track(np.arange(10.0), 2_150.0)
    assert len(area(tolerance_m=100.0).run(outside).violations) == 1
    assert area(tolerance_m=200.0).run(outside).episodes == ()


@pytest.mark.parametrize("accuracy_m", [20.0, 200.0, 500.0])
def test_being_well_inside_a_wide_area_is_never_a_departure(accuracy_m: float) -> None:
    assert area().run(a_track(np.arange(0.0, 600.0, 5.0), 0.0, accuracy_m=accuracy_m)).episodes == ()


@pytest.mark.parametrize("accuracy_m", [100.0, 500.0, 2_000.0])
def test_bad_accuracy_at_the_centre_of_a_small_area_is_no_departure(accuracy_m: float) -> None:
    """At home, seen by a base station only."""
    found = area(radius_m=50.0).run(a_track(np.arange(0.0, 60.0, 5.0), 0.0, accuracy_m=accuracy_m))
    assert found.violations == ()


# ---- rules that change meanwhile


def test_an_order_that_is_replaced_in_mid_visit_is_no_exit() -> None:
    before = a_scene(a_zone(1), orders=[an_order(a_condition(1))])
    after = a_scene(a_zone(1), orders=[an_order(a_condition(2))])
    states = before.run(a_track(np.arange(10.0), 0.0)).states
    found = after.evaluate(a_track(np.arange(10.0, 20.0), 0.0), states)
    endings = {item.condition_no: (item.ended_by, item.ended_at) for item in found.episodes}
    assert endings == {1: (Ending.RULE, minute(9)), 2: (None, None)}


def test_a_zone_that_is_withdrawn_in_mid_visit_is_no_exit() -> None:
    before, after = a_scene(a_zone(1), a_zone(2)), a_scene(a_zone(2))
    states = before.run(a_track(np.arange(10.0), 0.0)).states
    found = after.evaluate(a_track([10.0], 0.0), states)
    assert {item.zone_no: item.ended_by for item in found.episodes} == {1: Ending.RULE, 2: None}


def test_a_new_version_of_zone_and_order_names_the_same_episode() -> None:
    """Results are found again with the versions of another day: the stay is the same stay."""
    visit = a_track(np.arange(10.0), 0.0)
    first = only(a_scene(a_zone(1)).run(visit))
    zone, condition = replace(a_zone(1), zone_no=5, version=2), replace(a_condition(1), condition_no=7)
    later = only(a_scene(zone, orders=[an_order(condition)]).run(visit))
    assert (later.zone_no, later.condition_no) == (5, 7)
    assert later.episode_id == first.episode_id


# ---- live: someone can still act on it


def test_a_finding_known_in_time_is_live_from_its_decision() -> None:
    (violation,) = BAR.run(a_track(np.arange(10.0), 0.0, late_minutes=30.0)).violations
    assert (violation.live_at, violation.live_known_at) == (minute(4), minute(34))


def test_a_finding_known_too_late_is_not_live() -> None:
    (violation,) = BAR.run(a_track(np.arange(10.0), 0.0, late_minutes=30.1)).violations
    assert (violation.live_at, violation.live_known_at) == (None, None)


def test_a_stay_known_late_is_told_again_when_a_fix_of_it_comes_in_time() -> None:
    kept, live = a_track(np.arange(10.0), 0.0, late_minutes=60.0), a_track([10.0, 11.0], 0.0)
    first, second = BAR.run(kept, live).violations
    assert first.violation_id == second.violation_id
    assert [item.live_at for item in (first, second)] == [None, minute(10)]


def test_a_stay_known_late_is_not_made_live_by_a_fix_outside() -> None:
    kept, gone = a_track(np.arange(10.0), 0.0, late_minutes=60.0), a_track([10.0, 11.0], 500.0)
    assert [item.live_at for item in BAR.run(kept, gone).violations] == [None]
