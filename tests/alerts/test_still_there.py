"""A stay that goes on after 已带离 or a closing opens its alert again, once for each settling. Pure."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.alert import AlertState, Case, Role
from alerts.escalation import due_steps
from alerts.history import HistoryKind
from tests.alerts.ledger import Ledger
from tests.alerts.make_alerts import GUARDIAN, POLICY, a_case, after
from tracking.order import ConditionKind

SETTLE: dict[str, Callable[[Ledger, float], None]] = {"taken away": Ledger.take_away, "closed": Ledger.close}
STAY = a_case(0)
"""Decided and told at minute 0."""


def gone_on(minutes: float, kind: ConditionKind = ConditionKind.EXCLUDED_CATEGORIES) -> Case:
    """The same fact, live so many minutes later, as ``api.lasting`` tells of a stay that went on."""
    return a_case(0, live_after=minutes, kind=kind)


@pytest.mark.parametrize("settle", SETTLE.values(), ids=SETTLE)
def test_it_is_opened_again_and_told_by_a_new_plan_once(settle: Callable[[Ledger, float], None]) -> None:
    ledger = Ledger()
    ledger.call(STAY)
    first = set(ledger.steps)
    settle(ledger, 5)
    for _ in range(3):
        ledger.call(lasting=[gone_on(15)])
    alert = ledger.only_alert()
    assert (alert.state, alert.settled_at, alert.last_event_at) == (AlertState.OPEN, None, after(15))
    assert ledger.happened(HistoryKind.REOPENED) == ["still_going_on"]
    assert ledger.told() == [Role.GUARDIAN] * 2 + [Role.PROSECUTOR] * 2
    new = [step for step in ledger.steps.values() if step.step_id not in first]
    assert {step.planned_at for step in new} == {after(15)}
    due = due_steps(
        alert, steps=list(ledger.steps.values()), history=list(ledger.history.values()), now=after(200), policy=POLICY
    )
    assert {step.planned_at for step in due.steps} == {after(15)}, "the plan of the first life stays called off"


@pytest.mark.parametrize("settle", SETTLE.values(), ids=SETTLE)
def test_what_was_so_before_the_settling_or_of_an_open_alert_changes_nothing(
    settle: Callable[[Ledger, float], None],
) -> None:
    ledger = Ledger()
    ledger.call(STAY)
    told = dict(ledger.notifications)
    ledger.call(lasting=[gone_on(4)])
    assert (ledger.only_alert().last_event_at, ledger.notifications) == (after(0), told)
    settle(ledger, 20)
    settled = ledger.only_alert()
    ledger.call(lasting=[gone_on(20)])
    assert (ledger.only_alert(), ledger.notifications) == (settled, told)


def test_each_settling_is_held_against_what_goes_on_after_it() -> None:
    ledger = Ledger()
    ledger.call(STAY)
    for settled_at in (5.0, 25.0):
        ledger.take_away(settled_at)
        ledger.call(lasting=[gone_on(settled_at + 10)])
    assert ledger.happened(HistoryKind.REOPENED) == ["still_going_on"] * 2
    assert ledger.told().count(Role.PROSECUTOR) == 3
    assert GUARDIAN.recipient_id in {item.recipient_id for item in ledger.notifications.values()}


def test_what_is_no_stay_is_not_opened_again() -> None:
    ledger = Ledger()
    ledger.call(a_case(0, kind=ConditionKind.NO_CONTACT))
    ledger.close(5)
    ledger.call(lasting=[gone_on(15, ConditionKind.NO_CONTACT)])
    assert ledger.only_alert().state is AlertState.CLOSED


@given(minutes=st.lists(st.integers(6, 60), max_size=6, unique=True), cuts=st.sets(st.integers(5, 60), max_size=4))
def test_batches_change_nothing(minutes: list[int], cuts: set[int]) -> None:
    """Other places while the stay goes on: with all in one call, or as time goes by."""
    others = [a_case(minute, zone_no=minute + 2) for minute in minutes]
    whole, parts = Ledger(), Ledger()
    for ledger in (whole, parts):
        ledger.call(STAY)
        ledger.take_away(5)
    whole.call(*others, lasting=[gone_on(15)])
    for since, until in itertools.pairwise([5, *sorted(cuts), 61]):
        now = [case for case in others if after(since) < case.fact.decided_at <= after(until)]
        parts.call(*now, lasting=[gone_on(15)] if until >= 15 else [])
    assert whole == parts
