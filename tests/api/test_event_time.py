"""Rules and fixes in event time: whatever the order in which fixes and edits arrive, the same final episodes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from alerts.gateway import FakeGateway
from api.clock import FixedClock
from api.fsck import check
from api.retention import drop_weeks
from api.worker import Worker
from tests.make import EVENING, Person, a_bar, a_fix, a_person, a_visit, a_worker, empty, log_fixes
from tracking.fix import Fix
from tracking.order_store import add_order, lift_order, load_orders
from tracking.policy import PresencePolicy


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def minute(number: float) -> datetime:
    return EVENING + timedelta(minutes=number)


def inside(start: float, end: float, *, late_minutes: float = 0.0) -> list[Fix]:
    return [a_fix(minutes=number, east_m=3, late_minutes=late_minutes) for number in np.arange(float(start), end)]


def assert_clean(engine: Engine, *, now: datetime = EVENING + timedelta(days=60)) -> None:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = check(connection, policy=PresencePolicy(), now=now)
    assert (found.differences, found.unfinished_count) == ([], 0)


CURRENT = "SELECT started_at, ended_at, ended_by, tier, is_entry, fix_count FROM episode WHERE superseded_at IS NULL"


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        a_bar(connection)
        return a_person(connection)


# ---- zones


def test_a_zone_drawn_around_somebody_who_stands_there_is_presence_and_no_entry(engine: Engine) -> None:
    with engine.begin() as connection:
        person = a_person(connection)
    worker = a_worker(engine)
    log_fixes(engine, person, inside(0, 20))
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, at=minute(19.5))
    log_fixes(engine, person, inside(20, 40))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(20), None, None, "probable", False, 20)]
    assert_clean(engine)


def test_a_zone_redrawn_around_somebody_who_stood_outside_is_no_entry(engine: Engine) -> None:
    with engine.begin() as connection:
        a_bar(connection, east_m=300.0)
        person = a_person(connection)
    worker = a_worker(engine)
    log_fixes(engine, person, inside(0, 20))
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, at=minute(19.5))
    log_fixes(engine, person, inside(20, 40))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(20), None, None, "probable", False, 20)]
    assert_clean(engine)


def test_a_zone_redrawn_away_from_somebody_who_stands_still_ends_the_stay_by_rule(
    engine: Engine, person: Person
) -> None:
    gateway = FakeGateway()
    worker = a_worker(engine, gateway)
    log_fixes(engine, person, [a_fix(minutes=0, east_m=500), *inside(1, 20)])
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, east_m=500.0, at=minute(19.5))
    log_fixes(engine, person, inside(20, 40))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(1), minute(19), "rule", "probable", True, 19)]
    assert rows(engine, "SELECT count(*) FROM alert") == [(1,)]
    assert len(gateway.sent) == 1
    assert_clean(engine)


def test_late_fixes_are_judged_by_the_zone_of_their_time(engine: Engine, person: Person) -> None:
    """The bar moved away at minute 60. What the telephone sends late tells of minutes 10 to 30."""
    worker = a_worker(engine)
    log_fixes(engine, person, [*a_visit()[:10], a_fix(minutes=100, east_m=500)])
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, east_m=500.0, at=minute(60))
    log_fixes(engine, person, [*inside(10, 30, late_minutes=90), a_fix(minutes=31, east_m=200, late_minutes=70)])
    log_fixes(engine, person, [a_fix(minutes=32, east_m=200, late_minutes=70)])
    worker.drain()
    assert rows(engine, CURRENT + " AND tier = 'probable'") == [(minute(10), minute(29), "exit", "probable", True, 20)]
    versions = "SELECT z.version FROM violation v JOIN zone z USING (zone_no)"
    assert rows(engine, versions) == [(1,)]
    assert_clean(engine)


def test_a_zone_that_reaches_back_is_found_late_and_tells_nobody(engine: Engine) -> None:
    gateway = FakeGateway()
    with engine.begin() as connection:
        person = a_person(connection)
    worker = a_worker(engine, gateway)
    log_fixes(engine, person, a_visit())
    worker.drain()
    assert rows(engine, CURRENT) == []
    with engine.begin() as connection:
        a_bar(connection, at=minute(480), valid_from=EVENING - timedelta(hours=1))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(10), minute(29), "exit", "probable", True, 20)]
    assert rows(engine, "SELECT is_late FROM alert") == [(True,)]
    assert gateway.sent == []
    assert_clean(engine)


def test_a_zone_that_reaches_back_over_a_stay_that_goes_on_is_told_once_and_at_once(engine: Engine) -> None:
    gateway = FakeGateway()
    with engine.begin() as connection:
        person = a_person(connection)
    worker = a_worker(engine, gateway)
    log_fixes(engine, person, inside(0, 50))
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, at=minute(49.5), valid_from=EVENING - timedelta(hours=1))
    worker.drain()
    assert len(gateway.sent) == 1
    log_fixes(engine, person, inside(50, 55))
    worker.drain()
    assert len(gateway.sent) == 1
    assert rows(engine, CURRENT) == [(minute(0), None, None, "probable", False, 55)]
    assert_clean(engine)


def test_a_correction_that_undoes_a_finding_keeps_its_record(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    log_fixes(engine, person, a_visit())
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, east_m=5_000.0, at=minute(480), valid_from=EVENING - timedelta(hours=1))
    worker.drain()
    assert rows(engine, CURRENT) == []
    assert rows(
        engine, "SELECT count(*) FROM violation JOIN episode USING (episode_id) WHERE superseded_at > '2026-01-01'"
    ) == [(1,)]  # one query
    assert rows(engine, "SELECT state FROM alert") == [("open",)]
    assert_clean(engine)


def test_many_subjects_of_an_edit_are_judged_again_in_several_batches(engine: Engine) -> None:
    with engine.begin() as connection:
        people = [a_person(connection, alias=f"合成{number}") for number in range(6)]
    worker = a_worker(engine)
    for someone in people:
        log_fixes(engine, someone, a_visit())
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, at=minute(480), valid_from=EVENING)
    assert rows(engine, "SELECT count(*) FROM reevaluation") != [(0,)]
    worker.drain()
    assert rows(engine, "SELECT count(*) FROM reevaluation") == [(0,)]
    assert rows(engine, "SELECT count(*) FROM episode WHERE superseded_at IS NULL") == [(6,)]
    assert_clean(engine)


# ---- orders


def test_the_end_of_an_order_ends_a_stay_at_that_instant_though_no_fix_comes(engine: Engine) -> None:
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(connection, valid_to=minute(20))
    worker = a_worker(engine)
    log_fixes(engine, person, inside(0, 20))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(0), None, None, "probable", False, 20)]
    with engine.begin() as connection:  # somebody else's fix shows that it is later now
        other = a_person(connection, alias="小明")
    log_fixes(engine, other, [a_fix(minutes=21, east_m=900)])
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(0), minute(20), "rule", "probable", False, 20)]
    assert_clean(engine)


def test_the_end_of_an_order_is_found_once_though_nobody_sends_anything(engine: Engine) -> None:
    with engine.begin() as connection:
        a_bar(connection)
        person = a_person(connection, valid_to=minute(20))
    worker, clock = a_worker(engine), FixedClock(minute(19.5))
    worker.clock, worker.lease_seconds = clock, 600.0
    log_fixes(engine, person, inside(0, 20))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(0), None, None, "probable", False, 20)]
    clock.current = minute(21)
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(0), minute(20), "rule", "probable", False, 20)]
    written = rows(engine, "SELECT shard, xmin::text FROM shard ORDER BY 1")
    clock.current = minute(22)
    worker.drain()
    assert rows(engine, "SELECT shard, xmin::text FROM shard ORDER BY 1") == written, "an idle look writes nothing"
    assert_clean(engine)


def test_a_correction_past_the_weeks_that_were_dropped_leaves_what_they_said(engine: Engine) -> None:
    long_ago = EVENING - timedelta(days=100)
    with engine.begin() as connection:
        a_bar(connection, valid_from=long_ago)
        person = a_person(connection, valid_from=long_ago)
    worker = a_worker(engine)
    old = [replace(fix, fixed_at=fix.fixed_at - timedelta(days=70)) for fix in a_visit()]
    log_fixes(engine, person, [*old, *a_visit()])
    worker.drain()
    with engine.begin() as connection:
        assert len(drop_weeks(connection, keep_days=30, at=EVENING)) == 1
        a_bar(connection, east_m=5_000.0, at=minute(480), valid_from=long_ago)
    worker.drain()
    assert rows(engine, CURRENT) == [
        (minute(10) - timedelta(days=70), minute(29) - timedelta(days=70), "exit", "probable", True, 20)
    ]
    assert_clean(engine)


def test_a_late_fix_from_before_the_end_of_an_order_carries_on_the_same_stay(engine: Engine) -> None:
    with engine.begin() as connection:
        a_bar(connection)
        person, other = a_person(connection, valid_to=minute(20)), a_person(connection, alias="小明")
    worker = a_worker(engine)
    log_fixes(engine, person, inside(0, 15))
    log_fixes(engine, other, [a_fix(minutes=25, east_m=900)])
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(0), minute(20), "rule", "probable", False, 15)]
    log_fixes(engine, person, inside(15, 20, late_minutes=30))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(0), minute(20), "rule", "probable", False, 20)]
    assert_clean(engine)


def test_a_variation_binds_from_when_it_is_made_and_not_before(engine: Engine, person: Person) -> None:
    """Whoever was in a bar before bars were forbidden did nothing wrong, however late the fixes arrive."""
    worker = a_worker(engine)
    with engine.begin() as connection:
        (order,) = load_orders(connection)
        free = replace(order, conditions=())
        add_order(connection, order=free, zone_id_of=lambda _: None, at=minute(-60))
        add_order(connection, order=order, zone_id_of=lambda _: None, at=minute(35))
    log_fixes(engine, person, [a_fix(minutes=50, east_m=500)])
    worker.drain()
    log_fixes(engine, person, a_visit()[:36])
    log_fixes(engine, person, inside(36, 48, late_minutes=10))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(36), None, None, "probable", True, 12)]
    assert rows(engine, "SELECT o.version FROM violation JOIN supervision_order o USING (order_no)") == [(3,)]
    assert_clean(engine)


def test_a_lifted_order_ends_the_stay_and_nothing_later_counts(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    log_fixes(engine, person, a_visit())
    worker.drain()
    with engine.begin() as connection:
        (order,) = load_orders(connection)
        assert lift_order(connection, order.order_id, lifted_at=minute(20), at=minute(120))
        assert not lift_order(connection, order.order_id, lifted_at=minute(21), at=minute(121))
    worker.drain()
    assert rows(engine, CURRENT) == [(minute(10), minute(20), "rule", "probable", True, 10)]
    assert_clean(engine)


# ---- any interleaving


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """The bar is redrawn so far away, from a minute on, or the order varied."""

    east_m: float
    from_minute: float
    is_order: bool


def test_a_stay_that_an_edit_ended_with_no_fix_goes_on_when_the_next_edit_undoes_that(
    engine: Engine, person: Person
) -> None:
    """The rule was to end an hour after the last fix; then it is said that it did not."""
    worker = a_worker(engine)
    log_fixes(engine, person, inside(0, 20, late_minutes=300))
    worker.drain()
    stay = rows(engine, WITH_VERSIONS)
    for number, from_minute in enumerate((107.5, 107.5, 57.5), start=1):
        apply(engine, Edit(east_m=0.0, from_minute=from_minute, is_order=True), number)
        worker.drain()
        (ended,) = rows(engine, "SELECT ended_by FROM episode WHERE superseded_at IS NULL")
        assert ended == (("silence",) if number != 2 else (None,))
    apply(engine, Edit(east_m=0.0, from_minute=57.5, is_order=True), 4)
    worker.drain()
    assert rows(engine, WITH_VERSIONS) == stay
    assert_clean(engine)


edits = st.builds(
    Edit,
    east_m=st.sampled_from([0.0, 15.0, 60.0, 400.0]),
    from_minute=st.integers(0, 200).map(lambda number: number + 0.5),
    is_order=st.booleans(),
)


@st.composite
def tracks(draw: st.DrawFn) -> list[Fix]:
    """Stays at places around the bar, some with a silence between them."""
    at, fixes = 0.0, list[Fix]()
    for _ in range(draw(st.integers(2, 6))):
        place = draw(st.sampled_from([0.0, 0.0, 20.0, 60.0, 400.0]))
        for _ in range(draw(st.integers(3, 25))):
            at += draw(st.sampled_from([0.5, 1.0, 1.0, 3.0]))
            east_m = place + draw(st.floats(-12.0, 12.0))
            fixes.append(a_fix(minutes=at, east_m=east_m, accuracy_m=12.0, late_minutes=300.0))
        at += draw(st.sampled_from([0.0, 0.0, 20.0, 40.0]))
    return fixes


def apply(engine: Engine, edit: Edit, number: int) -> None:
    with engine.begin() as connection:
        known_at = minute(300 + number)
        if edit.is_order:
            order = max(load_orders(connection), key=lambda item: item.version)
            kept = () if number % 2 else replace_categories(connection)
            varied = replace(order, conditions=kept, valid_to=order.valid_to + timedelta(days=1))
            add_order(
                connection, order=varied, zone_id_of=lambda _: None, at=known_at,
                effective_from=minute(edit.from_minute),
            )  # fmt: skip
        else:
            a_bar(connection, east_m=edit.east_m, at=known_at, valid_from=minute(edit.from_minute))


def replace_categories(connection: Any) -> Any:
    return min(load_orders(connection), key=lambda item: item.version).conditions


def emptied(engine: Engine) -> Person:
    with engine.begin() as connection:
        empty(connection)
        a_bar(connection, at=EVENING - timedelta(days=1))
        return a_person(connection)


WITH_VERSIONS = (
    "SELECT condition_no, zone_no, tier, started_at, ended_at, ended_by, last_inside_at, possible_at, decided_at,"
    " peak_probability, fix_count, is_entry, is_undecidable FROM episode WHERE superseded_at IS NULL ORDER BY 4, 1, 2"
)


NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each example takes a database some tenths of a second."""


def step_all(worker: Worker) -> None:
    while worker.step():
        pass


@pytest.mark.slow
@settings(max_examples=12, deadline=None, phases=NO_SHRINK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tracks(), st.lists(edits, max_size=3), st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_any_interleaving_of_fixes_and_edits_ends_in_the_same_episodes(
    engine: Engine, track: list[Fix], edited: Sequence[Edit], seed: int, part_count: int
) -> None:
    chance = np.random.default_rng(seed)
    person = emptied(engine)
    for number, edit in enumerate(edited):
        apply(engine, edit, number)
    log_fixes(engine, person, track)
    step_all(a_worker(engine))
    in_order = rows(engine, WITH_VERSIONS)
    person = emptied(engine)
    worker = a_worker(engine, batch_size=64 * int(chance.integers(1, 20)))
    shuffled = chance.permutation(len(track))
    acts: list[Any] = [[track[row] for row in part] for part in np.array_split(shuffled, part_count)]
    acts += [acts[number] for number in chance.integers(0, part_count, 2)]  # sent again
    places = sorted(chance.integers(0, len(acts) + 1, len(edited)).tolist(), reverse=True)
    for place, number in zip(places, range(len(edited) - 1, -1, -1), strict=True):
        acts.insert(place, number)
    for act in acts:
        if isinstance(act, int):
            apply(engine, edited[act], act)
        else:
            log_fixes(engine, person, act)
        if chance.random() < 0.7:
            step_all(worker)
    step_all(worker)
    assert rows(engine, WITH_VERSIONS) == in_order
    assert_clean(engine)


def test_a_finding_under_a_variation_that_was_overtaken_keeps_its_record(engine: Engine) -> None:
    """The version that it was decided by governs at no time any more, and is in no book."""
    person = emptied(engine)
    worker = a_worker(engine)
    apply(engine, Edit(east_m=0.0, from_minute=72.5, is_order=True), 0)
    log_fixes(engine, person, inside(120.0, 140.0))
    step_all(worker)
    (before,) = rows(engine, "SELECT order_no, condition_no FROM violation")
    for number, from_minute in ((1, 32.5), (2, 103.5)):
        apply(engine, Edit(east_m=0.0, from_minute=from_minute, is_order=True), number)
        step_all(worker)
    assert rows(engine, "SELECT order_no, condition_no FROM violation") == [before]
    assert_clean(engine)
