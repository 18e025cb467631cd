"""Hop 5 decides the same whatever batches its cases come in."""

import itertools
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import (
    Case,
    Finding,
    Role,
)
from alerts.decide import Decision
from alerts.event import HEARING_OF_EVENT, EventKind, Notice
from tests.alerts.ledger import Ledger
from tests.alerts.make_alerts import (
    ADULT,
    a_case,
    a_finding,
    after,
)
from tests.make import EVENING
from tracking.order import ConditionKind, Measure


def test_repeats_change_nothing() -> None:
    ledger = Ledger()
    cases = [
        a_case(0), a_case(10, zone_no=2), a_case(200), a_case(90, live_after=None), a_case(90, live_after=50),
        a_finding(EventKind.SILENCE, 20), a_finding(EventKind.MINOR_WITH_ADULT, 20),
    ]  # fmt: skip
    ledger.call(*cases)
    before = replace(ledger)
    for case in cases:
        ledger.call(case)
    ledger.call(*cases)
    assert vars_of(ledger) == vars_of(before)


def vars_of(ledger: Ledger) -> dict[str, object]:
    return {name: dict(getattr(ledger, name)) for name in ("alerts", "attached", "notifications", "steps", "history")}


def test_nothing_gives_nothing() -> None:
    assert Ledger().call() == Decision()


VIOLATIONS = st.builds(
    a_case,
    minutes=st.integers(0, 500),
    live_after=st.sampled_from([None, 0.0, 0.0, 5.0, 40.0, 90.0]),
    zone_no=st.integers(1, 3),
    subject_no=st.integers(1, 2),
    kind=st.sampled_from(ConditionKind),
    birth_date=st.sampled_from([date(2010, 1, 1), ADULT]),
    measure=st.sampled_from(Measure),
    is_protected=st.booleans(),
)
FINDINGS = st.builds(
    a_finding,
    event=st.sampled_from(EventKind),
    minutes=st.integers(0, 500),
    known_after=st.sampled_from([0.0, 0.0, 90.0]),
    subject_no=st.integers(1, 2),
    measure=st.sampled_from(Measure),
)
CASES = st.lists(VIOLATIONS | FINDINGS, max_size=12, unique_by=lambda case: case.fact_id)


@given(cases=CASES, seed=st.integers(0, 1000))
def test_the_order_of_cases_in_a_call_does_not_matter(cases: list[Case], seed: int) -> None:
    shuffled = list(cases)
    random.Random(seed).shuffle(shuffled)
    one, other = Ledger(), Ledger()
    one.call(*cases)
    other.call(*shuffled)
    assert one == other


@given(cases=CASES, cuts=st.sets(st.integers(0, 600), max_size=6))
def test_calls_as_time_goes_by_decide_what_one_call_decides(cases: list[Case], cuts: set[int]) -> None:
    whole, parts = Ledger(), Ledger()
    whole.call(*cases)
    edges = [datetime.min.replace(tzinfo=UTC), *(EVENING + timedelta(minutes=cut) for cut in sorted(cuts)), None]
    for since, until in itertools.pairwise(edges):
        parts.call(*[known for case in cases if (known := as_known(case, since, until)) is not None])
    assert vars_of(parts) == vars_of(whole)


def as_known(case: Case, since: datetime | None, until: datetime | None) -> Case | None:
    """What evaluation says of the case in the batch that covers this span of event time: nothing, or what it found."""
    assert since is not None
    fact = case.fact
    moments = [fact.decided_at] if fact.live_at is None else [fact.decided_at, fact.live_at]
    if not any(since < moment and (until is None or moment <= until) for moment in moments):
        return None
    if fact.live_at is not None and until is not None and fact.live_at > until:
        if isinstance(fact, Finding):
            return replace(case, fact=replace(fact, live_at=None))
        return replace(case, fact=replace(fact, live_at=None, live_known_at=None))
    return case


@given(cases=CASES, seed=st.integers(0, 1000))
def test_whatever_comes_when_each_fact_has_one_alert_and_nobody_is_told_twice_of_one(
    cases: list[Case], seed: int
) -> None:
    """One call each, in any order: the worst that a network can do."""
    shuffled = list(cases)
    random.Random(seed).shuffle(shuffled)
    ledger = Ledger()
    for case in shuffled:
        ledger.call(case)
    assert set(ledger.attached) == {case.fact_id for case in cases}
    told = [(item.alert_id, item.recipient_id) for item in ledger.notifications.values()]
    assert len(told) == len(set(told))


@given(cases=CASES)
def test_every_violation_has_an_alert_and_only_live_alerts_tell_once(cases: list[Case]) -> None:
    ledger = Ledger()
    ledger.call(*cases)
    assert set(ledger.attached) == {case.fact_id for case in cases}
    assert set(ledger.attached.values()) == set(ledger.alerts)
    assert {item.alert_id for item in ledger.notifications.values()} <= {
        alert.alert_id for alert in ledger.alerts.values() if not alert.is_late
    }
    for alert in ledger.alerts.values():
        told = [item.role for item in ledger.notifications.values() if item.alert_id == alert.alert_id]
        assert len(told) == len(set(told))
        is_told_to_officers = not alert.is_late and HEARING_OF_EVENT[alert.event].officers is Notice.AT_ONCE
        assert (Role.PROSECUTOR in told) == is_told_to_officers


@given(cases=CASES, minutes=st.integers(0, 600))
def test_an_alert_holds_one_group_of_one_person(cases: list[Case], minutes: int) -> None:
    ledger = Ledger()
    ledger.call(*[case for case in cases if case.fact.decided_at <= after(minutes)])
    ledger.close(minutes)
    ledger.call(*cases)
    for case in cases:
        alert = ledger.alerts[ledger.attached[case.fact_id]]
        assert (alert.subject_no, alert.group) == (case.subject.subject_no, case.group)
        assert case.fact_id in alert.fact_ids
