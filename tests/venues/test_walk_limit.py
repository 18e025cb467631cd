"""How far ways on foot are followed: beyond the widest rule, whatever an office writes into its law."""

from dataclasses import replace
from datetime import date

import pytest

from geo.walk import WalkStatus
from tests.geo.walk_reference import network_of
from tests.venues.distance_scene import ON, ON_FOOT, POLICY, STUDENTS, YARD, gate, law, school, shop
from venues.distance import evaluate_distances, policy_for
from venues.distance_verdict import Reason, Verdict


@pytest.mark.parametrize(
    ("threshold_m", "limit_m"), [(100.0, 600.0), (201.0, 601.0), (1000.0, 1400.0), (5000.0, 5400.0)]
)
def test_ways_are_followed_beyond_the_widest_rule_of_the_day(threshold_m: float, limit_m: float) -> None:
    """A shop 900 m down a street breaks a rule of 1,000 m; rules that are over count no more."""
    rule = replace(ON_FOOT, threshold_m=threshold_m)
    over = replace(rule, rule_id="over", threshold_m=9000.0, effective_to=date(2026, 11, 21))
    policy = policy_for(law(rule, over), ON)
    assert policy == replace(POLICY, walk_limit_m=limit_m)
    street = network_of([[1, 2]], {1: (-10.0, 1.0), 2: (2000.0, 1.0)})
    site = school(gate(0.0, 0.0, kind=STUDENTS), wall=YARD)
    run = evaluate_distances([shop(900.0, 2.0)], [site], law(rule), on=ON, network=street, policy=policy)
    found = {one.rule.threshold_m: one.verdict for one in run.findings()}
    assert found == ({threshold_m: Verdict.BREACH} if threshold_m >= 1000.0 else {})


def test_a_shop_beyond_a_wide_rule_by_more_than_all_errors_is_clear() -> None:
    rule = replace(ON_FOOT, threshold_m=800.0)
    street = network_of([[1, 2, 3]], {1: (-10.0, 1.0), 2: (700.0, 1.0), 3: (700.0, 501.0)})
    site = school(gate(0.0, 0.0, kind=STUDENTS), wall=YARD)
    run = evaluate_distances(
        [shop(700.0, 130.0)], [site], law(rule), on=ON, network=street, policy=policy_for(law(rule), ON)
    )
    (found,) = run.findings()
    assert (found.verdict, found.reason, found.walk_status) == (Verdict.CLEAR, Reason.DISTANCE, WalkStatus.REACHED)
