"""Scores by hand, the reference table, and policies changed by name."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from tracking.alert_quality import Score, find_by_policy, missed_targets, score
from tracking.overrides import names_of, sweep, with_overrides
from tracking.point_rules import POINT_RULES, Findings, find_by_rule
from tracking.policy import PresencePolicy
from tracking.rules import ZoneBook
from tracking.simulate import TEST_SEEDS_FROM, Truth, simulate
from tracking.simulate_scenario import Target

MINUTE = 60_000_000


def truth_of(*presences: tuple[int, int, int, int, bool]) -> Truth:
    """(subject, zone, entered, left, is a visit), times in minutes."""
    columns = np.array([row[:4] for row in presences], dtype=np.int64).reshape(-1, 4).T
    return Truth(
        subject_no=columns[0],
        zone_no=columns[1],
        entered_at=columns[2] * MINUTE,
        left_at=columns[3] * MINUTE,
        is_visit=np.array([row[4] for row in presences], dtype=bool),
    )


def findings_of(*found: tuple[int, int, int, int, int, bool]) -> Findings:
    """(subject, zone, started, ended, decided or 0, is undecidable), times in minutes; possible when started."""
    columns = np.array([row[:5] for row in found], dtype=np.int64).reshape(-1, 5).T
    return Findings(
        subject_no=columns[0],
        zone_no=columns[1],
        started_at=columns[2] * MINUTE,
        ended_at=columns[3] * MINUTE,
        possible_at=columns[2] * MINUTE,
        decided_at=columns[4] * MINUTE,
        is_undecidable=np.array([row[5] for row in found], dtype=bool),
    )


def test_a_visit_found_twice_is_found_once_and_repeated_once() -> None:
    truth = truth_of((1, 0, 10, 30, True), (2, 0, 10, 30, True))
    findings = findings_of((1, 0, 12, 18, 16, False), (1, 0, 24, 35, 28, False), (2, 0, 40, 50, 45, False))
    found = score(findings, truth, person_days=2)
    assert found.visit_count == 2
    assert found.possible_recall == found.probable_recall == 0.5
    assert found.repeats_per_visit == 0.5
    assert found.false_probable_per_day == found.false_possible_per_day == 0.5
    assert (found.possible_delay_s, found.probable_delay_s) == (120.0, 360.0)


@pytest.mark.parametrize(("subject", "zone"), [(2, 0), (1, 1)])
def test_a_finding_of_another_subject_or_zone_is_false(subject: int, zone: int) -> None:
    found = score(findings_of((subject, zone, 10, 30, 15, False)), truth_of((1, 0, 10, 30, True)), person_days=1)
    assert (found.possible_recall, found.false_probable_per_day) == (0.0, 1.0)
    assert found.possible_delay_s is None


def test_a_passage_is_no_visit_and_a_finding_there_is_false() -> None:
    found = score(findings_of((1, 0, 10, 12, 11, False)), truth_of((1, 0, 10, 12, False)), person_days=4)
    assert (found.visit_count, found.false_probable_per_day) == (0, 0.25)
    assert found.possible_recall is None


def test_possible_is_neither_probable_nor_a_false_alarm() -> None:
    truth = truth_of((1, 0, 10, 30, True))
    found = score(findings_of((1, 0, 12, 20, 0, True), (1, 0, 50, 51, 0, False)), truth, person_days=1)
    assert (found.possible_recall, found.probable_recall, found.undecidable_share) == (1.0, 0.0, 1.0)
    assert (found.false_possible_per_day, found.false_probable_per_day) == (1.0, 0.0)


def test_what_was_decided_is_not_undecidable() -> None:
    truth = truth_of((1, 0, 10, 30, True))
    found = score(findings_of((1, 0, 12, 20, 0, True), (1, 0, 22, 30, 28, False)), truth, person_days=1)
    assert (found.undecidable_share, found.probable_recall) == (0.0, 1.0)


def test_who_finds_nothing_has_no_delay() -> None:
    found = score(findings_of(), truth_of((1, 0, 10, 30, True)), person_days=1)
    assert (found.possible_recall, found.false_possible_per_day, found.possible_delay_s) == (0.0, 0.0, None)


def test_targets_missed_are_named() -> None:
    truth = truth_of((1, 0, 10, 30, True))
    found = score(findings_of((1, 0, 15, 20, 0, False), (1, 0, 90, 99, 95, False)), truth, person_days=1)
    asked = Target(most_false_per_day=0.1, least_possible=0.99, least_probable=0.94, most_delay_s=120.0)
    assert missed_targets(found, asked) == ("most_false_per_day", "most_delay_s", "least_probable")
    assert missed_targets(found, Target()) == ()


# ---- the error model against the reference


def by_rules(scenario: str) -> dict[str, Score]:
    found = simulate(scenario, people=60, days=2, seed=TEST_SEEDS_FROM)
    zones = ZoneBook.build(found.zones)
    return {
        rule.name: score(find_by_rule(found.fixes, zones, rule), found.truth, person_days=found.person_days)
        for rule in POINT_RULES
    }


def test_point_rules_give_false_alarms_of_the_order_of_the_reference() -> None:
    """reference/peers.md 3.1, R = 50 m, gap 30 m, urban: 16, 2.2, 0.5 and 169 a day."""
    scores = by_rules("neighbour")
    reference = {"point": 16.0, "three": 2.2, "five": 0.5, "overlap": 169.0}
    for name, per_day in reference.items():
        assert per_day / 2.0 < scores[name].false_probable_per_day < per_day * 2.0, name


def test_the_more_fixes_in_a_row_the_fewer_false_alarms_and_visits_found() -> None:
    scores = by_rules("visit_indoor_30")
    recalls = [scores[name].probable_recall or 0.0 for name in ("point", "three", "five")]
    assert recalls[0] > recalls[1] > recalls[2]


def test_policy_finds_accurate_visits_once_each() -> None:
    found = simulate("visit_20_accurate", people=20, days=2, seed=TEST_SEEDS_FROM)
    findings = find_by_policy(found, ZoneBook.build(found.zones), PresencePolicy())
    scored = score(findings, found.truth, person_days=found.person_days)
    assert (scored.probable_recall, scored.repeats_per_visit) == (1.0, 0.0)


# ---- policies changed by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    dwell_s: float = 240.0
    fix_count: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    version: str = "1"
    small: Part = field(default_factory=Part)
    large: Part = field(default_factory=Part)
    silence_s: float = 1_800.0


def test_a_field_a_path_and_a_field_of_the_parts_can_be_changed() -> None:
    assert with_overrides(Whole(), {"silence_s": 60}) == Whole(silence_s=60.0)
    assert with_overrides(Whole(), {"small.dwell_s": 1.0}) == Whole(small=Part(dwell_s=1.0))
    assert with_overrides(Whole(), {"large": {"fix_count": 5}}) == Whole(large=Part(fix_count=5))
    assert with_overrides(Whole(), {"dwell_s": 9}) == Whole(small=Part(dwell_s=9.0), large=Part(dwell_s=9.0))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"dwel_s": 1.0}, "small.dwell_s"),
        ({"small.dwel_s": 1.0}, "fix_count"),
        ({"silence_s": "long"}, "float"),
        ({"silence_s": True}, "float"),
        ({"fix_count": 2.5}, "int"),
        ({"version": 3}, "str"),
        ({"small": 3}, "Part"),
    ],
)
def test_what_the_policy_does_not_have_is_refused_with_what_it_has(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        with_overrides(Whole(), values)


def test_sweep_makes_every_combination_the_last_changing_fastest() -> None:
    made = sweep(Whole(), {"silence_s": [1.0, 2.0], "dwell_s": [3.0, 4.0]})
    assert [tuple(values.values()) for values, _ in made] == [(1.0, 3.0), (1.0, 4.0), (2.0, 3.0), (2.0, 4.0)]
    assert made[1][1] == Whole(silence_s=1.0, small=Part(dwell_s=4.0), large=Part(dwell_s=4.0))


def test_every_name_of_the_policy_in_force_can_be_changed_to_what_it_is() -> None:
    policy = PresencePolicy()
    names = list(names_of(policy))
    assert "probable_probability" in {name.rpartition(".")[2] for name in names}
    for name in names:
        value: object = policy
        for part in name.split("."):
            value = getattr(value, part)
        assert with_overrides(policy, {name: value}) == policy
