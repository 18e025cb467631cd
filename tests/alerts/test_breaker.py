"""A provider that fails is left alone, then tried with one message."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.breaker import Breaker, BreakerState, ask, failed, succeeded
from alerts.policy import AlertPolicy
from tests.make import EVENING

POLICY = AlertPolicy()
SECOND = timedelta(seconds=1)


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(POLICY.breaker_failures):
        assert ask(breaker, now=EVENING, policy=POLICY).is_allowed
        breaker = failed(breaker, now=EVENING, policy=POLICY)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    assert opened().state is BreakerState.OPEN
    assert not ask(opened(), now=EVENING + POLICY.breaker_open - SECOND, policy=POLICY).is_allowed


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = Breaker()
    for _ in range(POLICY.breaker_failures - 1):
        breaker = failed(breaker, now=EVENING, policy=POLICY)
    assert breaker.state is BreakerState.CLOSED
    assert failed(succeeded(), now=EVENING, policy=POLICY).failures == 1


def test_after_the_pause_one_message_is_tried_and_no_other() -> None:
    later = EVENING + POLICY.breaker_open
    first = ask(opened(), now=later, policy=POLICY)
    assert first.is_allowed
    assert first.breaker.state is BreakerState.HALF_OPEN
    assert not ask(first.breaker, now=later, policy=POLICY).is_allowed
    assert ask(succeeded(), now=later, policy=POLICY).is_allowed
    again = failed(first.breaker, now=later, policy=POLICY)
    assert (again.state, again.since) == (BreakerState.OPEN, later)


def test_a_probe_that_was_lost_with_its_worker_is_sent_again() -> None:
    later = EVENING + POLICY.breaker_open
    probing = ask(opened(), now=later, policy=POLICY).breaker
    assert not ask(probing, now=later + POLICY.claim - SECOND, policy=POLICY).is_allowed
    assert ask(probing, now=later + POLICY.claim, policy=POLICY).is_allowed


def test_a_late_failure_does_not_prolong_the_pause() -> None:
    assert failed(opened(), now=EVENING + 30 * SECOND, policy=POLICY) == opened()


@given(steps=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["ok", "fail", "lost"])), max_size=80))
def test_a_provider_is_never_given_up_for_good_and_never_flooded_while_it_fails(steps: list[tuple[int, str]]) -> None:
    breaker, now, failures, since_last_probe = Breaker(), EVENING, 0, None
    for seconds, outcome in steps:
        now += seconds * SECOND
        asked = ask(breaker, now=now, policy=POLICY)
        breaker = asked.breaker
        if not asked.is_allowed:
            continue
        if failures >= POLICY.breaker_failures:
            assert since_last_probe is None or now - since_last_probe >= POLICY.breaker_open
            since_last_probe = now
        if outcome == "ok":
            breaker, failures, since_last_probe = succeeded(), 0, None
        elif outcome == "fail":
            breaker, failures = failed(breaker, now=now, policy=POLICY), failures + 1
            if failures == POLICY.breaker_failures:
                since_last_probe = now
    assert ask(breaker, now=now + POLICY.breaker_open + POLICY.claim, policy=POLICY).is_allowed
