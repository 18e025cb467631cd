"""The rules of others, on cases small enough to do by hand."""

import numpy as np
import pytest

from tests.tracking.scene import MINUTE, START, a_track, a_zone, joined
from tracking.point_rules import POINT_RULES, Findings, PointRule, find_by_rule
from tracking.rules import ZoneBook

RULES = {rule.name: rule for rule in POINT_RULES}
IN, OUT = 10.0, 80.0
"""Metres from the middle of a zone of 35 m."""


def found(east_m: list[float], rule: PointRule, *, accuracy_m: float = 10.0) -> list[tuple[int, int, int]]:
    """(begins, is found, was last seen) in minutes, one fix a minute."""
    fixes = a_track(range(len(east_m)), east_m, accuracy_m=accuracy_m)
    return minutes(find_by_rule(fixes, ZoneBook.build([a_zone(1)]), rule))


def minutes(findings: Findings) -> list[tuple[int, int, int]]:
    columns = (findings.started_at, findings.decided_at, findings.ended_at)
    return sorted(zip(*(((column - START) // MINUTE).tolist() for column in columns), strict=True))


def test_point_rule_finds_every_run_at_its_first_fix() -> None:
    assert found([OUT, IN, IN, OUT, IN, OUT], RULES["point"]) == [(1, 1, 2), (4, 4, 4)]


def test_three_in_a_row_finds_at_the_third_and_ends_after_three_outside() -> None:
    assert found([IN, IN, OUT, OUT, OUT, IN, IN, IN, OUT, OUT, IN, OUT, OUT, OUT, IN], RULES["three"]) == [(5, 7, 10)]


def test_a_pause_shorter_than_the_row_does_not_make_a_second_entry() -> None:
    assert found([IN, IN, IN, OUT, IN, IN, IN], RULES["three"]) == [(0, 2, 6)]
    assert found([IN, IN, IN, OUT, OUT, OUT, IN, IN, IN], RULES["three"]) == [(0, 2, 2), (6, 8, 8)]


def test_five_in_a_row_needs_five() -> None:
    assert found([IN] * 4 + [OUT] + [IN] * 5, RULES["five"]) == [(5, 9, 9)]
    assert found([IN] * 4 + [OUT], RULES["five"]) == []


def test_overlap_rule_takes_the_accuracy_for_presence() -> None:
    assert found([OUT, OUT], RULES["overlap"], accuracy_m=50.0) == [(0, 0, 1)]
    assert found([OUT, OUT], RULES["overlap"], accuracy_m=40.0) == []
    assert found([OUT, OUT], RULES["point"], accuracy_m=50.0) == []


def test_subjects_and_zones_are_kept_apart() -> None:
    zones = ZoneBook.build([a_zone(3), a_zone(8, east_m=30.0), a_zone(9, east_m=500.0)])
    one, other = a_track([0, 1, 2], [0.0, 0.0, 500.0]), a_track([0, 1, 2], [500.0, 0.0, 0.0], subject_no=2)
    findings = find_by_rule(joined(other, one), zones, RULES["point"])
    said = set(zip(findings.subject_no.tolist(), findings.zone_no.tolist(), strict=True))
    assert said == {(1, 3), (1, 8), (1, 9), (2, 3), (2, 8), (2, 9)}
    assert len(findings) == 6


@pytest.mark.parametrize("rule", POINT_RULES, ids=RULES)
def test_order_and_repeats_change_nothing(rule: PointRule) -> None:
    rng = np.random.default_rng(1)
    fixes = a_track(range(200), rng.uniform(0.0, 70.0, 200))
    zones = ZoneBook.build([a_zone(1)])
    shuffled = joined(fixes, fixes).take(rng.permutation(400))
    assert minutes(find_by_rule(shuffled, zones, rule)) == minutes(find_by_rule(fixes, zones, rule))


@pytest.mark.parametrize("rule", POINT_RULES, ids=RULES)
def test_who_is_far_away_is_found_nowhere(rule: PointRule) -> None:
    assert found([5_000.0] * 10, rule) == []


@pytest.mark.parametrize("rule", POINT_RULES, ids=RULES)
def test_runs_agree_with_counting_fix_by_fix(rule: PointRule) -> None:
    east_m = np.random.default_rng(2).uniform(0.0, 70.0, 500).tolist()
    inside = [abs(value) - 35.0 < rule.accuracy_share * 10.0 for value in east_m]
    entered: list[int] = []
    is_in, row, pause = False, 0, 0
    for minute, speaks in enumerate(inside):
        row, pause = (row + 1, 0) if speaks else (0, pause + 1)
        if is_in and pause >= rule.in_a_row:
            is_in = False
        elif not is_in and row >= rule.in_a_row:
            is_in = True
            entered.append(minute)
    assert [decided for _, decided, _ in found(east_m, rule)] == entered
