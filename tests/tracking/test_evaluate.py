"""Hop 4 as a whole: the answer depends on the fixes, and not on batches, repeats, order or neighbours."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from tests.tracking.scene import (
    START,
    Outcome,
    a_condition,
    a_scene,
    a_track,
    a_zone,
    an_area,
    an_order,
    evenings,
    joined,
    parts,
)
from tracking.episode import Ending, Tier, Violation, derived_id, joined_id, split_id
from tracking.fix import FixBatch
from tracking.order import ConditionKind
from tracking.policy import ENGINE_VERSION
from tracking.presence import OF_ONE_RUN
from tracking.presence_rows import to_instant
from tracking.rules import to_microseconds
from tracking.states import PresenceStates

SCENE = a_scene(
    a_zone(1),
    a_zone(2, east_m=180.0, radius_m=60.0),
    an_area(3),
    orders=[
        an_order(
            a_condition(subject * 10),
            a_condition(subject * 10 + 1, ConditionKind.EXCLUSION_ZONE, zone_no=2),
            a_condition(subject * 10 + 2, ConditionKind.STAY_WITHIN_AREA, zone_no=3, tolerance_m=30.0),
            subject_no=subject,
        )
        for subject in (1, 2, 3)
    ],
)
"""Two bars in an area; every subject may enter neither bar, one of them by name too, and may not leave the area."""

cuts = st.lists(st.integers(0, 10_000), min_size=1, max_size=8)
seeds = st.integers(0, 2**32 - 1)
steady = settings(deadline=None)
"""The first example pays for compiling the filter."""


def shuffled(batch: FixBatch, seed: int) -> FixBatch:
    return batch.take(np.random.default_rng(seed).permutation(len(batch)))


def findings(outcome: Outcome) -> tuple[object, ...]:
    """All that is told and remembered, to the last bit. ``decided_now`` and ``live_now`` are about one run only.

    A violation may be told twice: when it is decided, and when a fix of it is live.
    """
    open_rows = outcome.states.open_rows.copy()
    for name in OF_ONE_RUN:
        open_rows[name] = 0
    violations = {item.violation_id: item for item in outcome.violations}
    last = dict(
        zip(
            outcome.states.subject_rows["subject_no"].tolist(),
            outcome.states.subject_rows["last_fixed_at"].tolist(),
            strict=True,
        )
    )
    return outcome.episodes, sorted(violations.items()), last, sorted(open_rows.tolist())


# ---- the property tests below are worth something only if the random evenings hold events


@pytest.mark.parametrize(
    ("event", "holds"),
    [
        ("a violation", lambda found: bool(found.violations)),
        ("two violations", lambda found: len(found.violations) >= 2),
        ("a violation that is over", lambda found: any(e.decided_at and e.ended_at for e in found.episodes)),
        ("an exit", lambda found: any(e.ended_by is Ending.EXIT for e in found.episodes)),
        ("a silence", lambda found: any(e.ended_by is Ending.SILENCE for e in found.episodes)),
        ("an open end", lambda found: any(e.ended_at is None for e in found.episodes)),
        ("a departure", lambda found: any(v.kind is ConditionKind.STAY_WITHIN_AREA for v in found.violations)),
        ("an undecidable one", lambda found: any(e.is_undecidable for e in found.episodes)),
        ("no entry", lambda found: any(not e.is_entry for e in found.episodes)),
        ("a live one", lambda found: any(v.live_at == v.decided_at for v in found.violations)),
        ("one live later", lambda found: any(v.live_at and v.live_at > v.decided_at for v in found.violations)),
        ("one never live", lambda found: any(v.live_at is None for v in found.violations)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_random_evenings_hold_every_kind_of_event(event: str, holds: Callable[[Outcome], bool]) -> None:
    find(
        evenings(),
        lambda batch: holds(SCENE.run(batch)),
        settings=settings(steady, max_examples=2_000, derandomize=True),
    )


# ---- batches, repeats, order


@steady
@given(evenings(), cuts)
def test_batch_boundaries_change_nothing(batch: FixBatch, where: list[int]) -> None:
    assert findings(SCENE.run(*parts(batch, where))) == findings(SCENE.run(batch))


@settings(steady, max_examples=30)
@given(evenings())
def test_one_fix_at_a_time_finds_the_same(batch: FixBatch) -> None:
    assert findings(SCENE.run(*parts(batch, range(len(batch))))) == findings(SCENE.run(batch))


@steady
@given(evenings(), seeds)
def test_order_inside_a_batch_does_not_matter(batch: FixBatch, seed: int) -> None:
    assert findings(SCENE.run(shuffled(batch, seed))) == findings(SCENE.run(batch))


@steady
@given(evenings(), st.lists(st.integers(0, 10_000), min_size=1, max_size=30), seeds)
def test_a_fix_repeated_in_its_batch_changes_nothing(batch: FixBatch, again: list[int], seed: int) -> None:
    repeats = batch.take(np.array(again) % len(batch))
    assert findings(SCENE.run(shuffled(joined(batch, repeats), seed))) == findings(SCENE.run(batch))


@steady
@given(evenings(), cuts)
def test_a_fix_repeated_in_a_later_batch_changes_nothing_and_is_named(batch: FixBatch, where: list[int]) -> None:
    first, *rest = parts(batch, where)
    found = SCENE.run(first, *[joined(first, part) for part in rest])
    assert findings(found) == findings(SCENE.run(batch))
    assert found.late_count == len(first) * len(rest)


@steady
@given(evenings(subject_count=3))
def test_neighbours_in_a_batch_do_not_matter(batch: FixBatch) -> None:
    alone = [SCENE.run(batch.take(batch.subject_no == subject)) for subject in np.unique(batch.subject_no)]
    together = SCENE.run(batch)
    assert set(together.episodes) == {episode for found in alone for episode in found.episodes}
    assert set(together.violations) == {violation for found in alone for violation in found.violations}


@steady
@given(evenings(), cuts)
def test_each_breach_is_told_when_it_is_decided_and_once_more_when_it_is_live(
    batch: FixBatch, where: list[int]
) -> None:
    found = SCENE.run(*parts(batch, where))
    decided = {episode.episode_id for episode in found.episodes if episode.tier is Tier.PROBABLE}
    told: dict[UUID, list[Violation]] = {}
    for violation in found.violations:
        told.setdefault(violation.violation_id, []).append(violation)
    assert {violations[0].episode_id for violations in told.values()} == decided
    assert len(told) == len(decided)
    for violations in told.values():
        assert len(violations) == 1 or {item.live_at is None for item in violations[:2]} == {True, False}
        assert len(violations) <= 2
        assert len({replace(item, live_at=None, live_known_at=None) for item in violations}) == 1


@steady
@given(evenings())
def test_a_breach_is_live_by_a_fix_that_came_in_time(batch: FixBatch) -> None:
    for violation in SCENE.run(batch).violations:
        if violation.live_at is None:
            assert violation.live_known_at is None
            continue
        assert violation.live_known_at is not None
        assert violation.live_at >= violation.decided_at
        assert (violation.live_known_at - violation.live_at).total_seconds() <= SCENE.policy.live_within_s
        at = batch.fixed_at == to_microseconds(violation.live_at)
        assert np.any(at & (batch.subject_no == violation.subject_no))


def test_an_empty_batch_changes_nothing() -> None:
    before = SCENE.run(a_track(np.arange(10.0), 0.0)).states
    found = SCENE.evaluate(a_track([], []), before)
    assert (found.episodes, found.violations, len(found.late_rows), found.set_aside) == ((), (), 0, ())
    assert found.states is before


# ---- late rows


def test_older_fixes_are_named_and_not_evaluated() -> None:
    known = SCENE.evaluate(a_track([10.0, 11.0], 500.0))
    found = SCENE.evaluate(a_track([12.0, 5.0, 11.0, 6.0], 0.0, subject_no=[1, 1, 1, 2]), known.states)
    assert sorted(found.late_rows.tolist()) == [1, 2]
    assert {episode.subject_no: episode.fix_count for episode in found.episodes} == {1: 1, 2: 1}


def test_what_was_forgotten_is_unknown_again() -> None:
    both = SCENE.run(a_track([1.0, 1.0], 0.0, subject_no=[1, 2])).states
    left = both.without(np.array([1]))
    assert left.subject_rows["subject_no"].tolist() == left.open_rows["subject_no"].tolist() == [2]
    assert left.last_for(np.array([1, 2, 3])).tolist() == [0, START + 60_000_000, 0]
    assert PresenceStates.empty().last_for(np.array([1])).tolist() == [0]


# ---- poison


POISON = [
    {"longitude": np.nan},
    {"longitude": np.inf},
    {"longitude": 180.001},
    {"latitude": np.nan},
    {"latitude": -90.001},
    {"accuracy_m": 0.0},
    {"accuracy_m": -1.0},
    {"accuracy_m": np.nan},
    {"accuracy_m": np.inf},
]


@pytest.mark.parametrize("fault", POISON, ids=str)
def test_a_poison_row_is_set_aside_by_its_row_and_the_rest_go_on(fault: dict[str, float]) -> None:
    visit = joined(a_track([0.0], 500.0), a_track(np.arange(1.0, 20.0), 0.0), a_track([20.0, 21.0], 500.0))
    (column, value), row = next(iter(fault.items())), 7
    broken = getattr(visit, column).copy()
    broken[row] = value
    found = SCENE.evaluate(replace(visit, **{column: broken}))
    assert [item.row for item in found.set_aside] == [row]
    assert found.set_aside[0].reason
    clean = SCENE.evaluate(visit.take(np.delete(np.arange(len(visit)), row)))
    assert found.episodes == clean.episodes
    assert found.violations == clean.violations
    assert len(found.violations) == 1


def test_a_poison_row_leaves_no_trace_in_the_state() -> None:
    before = SCENE.run(a_track(np.arange(10.0), 0.0)).states
    found = SCENE.evaluate(a_track([40.0], np.nan, subject_no=[1]), before)
    assert len(found.set_aside) == 1
    assert found.states.subject_rows["last_fixed_at"].tolist() == before.subject_rows["last_fixed_at"].tolist()
    assert found.states.open_rows.tolist() == before.open_rows.tolist()
    assert (found.episodes, found.violations) == ((), ())


@steady
@given(evenings(), st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from(POISON)), max_size=5))
def test_poison_anywhere_changes_nothing_else(batch: FixBatch, faults: list[tuple[int, dict[str, float]]]) -> None:
    columns = {name: getattr(batch, name).copy() for name in ("longitude", "latitude", "accuracy_m")}
    rows = set()
    for number, fault in faults:
        row = number % len(batch)
        rows.add(row)
        for name, value in fault.items():
            columns[name][row] = value
    found = SCENE.evaluate(replace(batch, **columns))
    assert {item.row for item in found.set_aside} == rows
    clean = SCENE.evaluate(batch.take(np.setdiff1d(np.arange(len(batch)), sorted(rows))))
    assert (found.episodes, found.violations) == (clean.episodes, clean.violations)


# ---- what a finding says


def test_a_violation_says_by_what_and_when_it_was_found() -> None:
    found = SCENE.run(joined(a_track([0.0], 500.0), a_track(np.arange(1.0, 20.0), 0.0)))
    violation = next(item for item in found.violations if item.kind is ConditionKind.EXCLUDED_CATEGORIES)
    episode = next(item for item in found.episodes if item.episode_id == violation.episode_id)
    assert (violation.subject_no, violation.order_no, violation.condition_no, violation.zone_no) == (1, 1, 10, 1)
    assert violation.started_at == episode.started_at == to_instant(START + 60_000_000)
    assert violation.decided_at == episode.decided_at
    assert violation.known_at == violation.decided_at + timedelta(seconds=1)
    assert violation.engine_version == ENGINE_VERSION
    assert violation.policy_version == SCENE.policy.version
    assert 0.5 <= violation.probability <= 1.0


def test_a_violation_is_known_when_the_last_fix_it_needed_was_received() -> None:
    visit = a_track(np.arange(0.0, 10.0), 0.0)
    received = visit.received_at.copy()
    received[2] = START + 480 * 60_000_000
    found = SCENE.run(replace(visit, received_at=received))
    assert {item.known_at for item in found.violations} == {to_instant(received[2])}


def test_times_of_an_episode_are_in_order() -> None:
    found = SCENE.run(
        a_track([0.0, *np.arange(1.0, 20.0), 20.0, 21.0, 22.0], [500.0, *[0.0] * 19, 500.0, 500.0, 500.0])
    )
    for episode in found.episodes:
        assert episode.ended_at is not None
        assert episode.decided_at is not None
        assert episode.started_at <= episode.possible_at <= episode.decided_at <= episode.ended_at
        assert episode.ended_at == episode.last_inside_at == to_instant(START + 19 * 60_000_000)


@given(st.integers(-(2**40), 2**50), st.integers(0, 2**31), st.text(max_size=5))
def test_derived_ids_are_uuid7_of_their_arguments_alone(at: int, number: int, word: str) -> None:
    made = derived_id("episode", at, number, word)
    assert made == derived_id("episode", at, number, word)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == (max(at, 0) // 1000) & ((1 << 48) - 1)
    assert made != derived_id("violation", at, number, word)
    assert made != derived_id("episode", at, number + 1, word)


def test_derived_ids_sort_by_time() -> None:
    made = [derived_id("episode", START + number * 1_000_000, 1) for number in range(100)]
    assert made == sorted(made)


@given(st.uuids())
def test_an_id_goes_through_two_signed_columns_unchanged(value: UUID) -> None:
    halves = split_id(value)
    assert all(-(2**63) <= half < 2**63 for half in halves)
    assert joined_id(*halves) == value


def test_a_way_that_began_in_the_batch_before_is_judged_by_the_rules_of_whoever_took_it() -> None:
    """Of two subjects in a batch, the second one's way began where the first one's fixes end."""
    both = [1, 2]
    minutes, east_m = [0.0, 0.1, 0.2, 0.3, 0.4], [500.0, 0.0, 0.0, 0.0, 0.0]
    earlier = joined(*[a_track(minutes, east_m, accuracy_m=5.0, subject_no=number) for number in both])
    later = joined(*[a_track([1.4, 1.5], [500.0, 0.0], accuracy_m=5.0, subject_no=number) for number in both])
    crossed = [item for item in SCENE.run(earlier, later).episodes if item.is_crossing]
    assert {item.subject_no for item in crossed} == {1, 2}
    assert all(item.condition_no // 10 == item.subject_no for item in crossed)
