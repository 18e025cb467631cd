"""The score: right, missed, false, twice, late, told and not told."""

from dataclasses import replace
from datetime import timedelta

import pytest

from api.demo.city import EVENING_STARTS_AT
from api.demo.score import FoundViolation, score, score_table, visit_table
from api.demo.truth import TrueVisit

TOLERANCE = timedelta(minutes=5)


def minute(number: float) -> timedelta:
    return timedelta(minutes=number)


def visit(alias: str = "甲", start: float = 60, end: float = 100, **changes: object) -> TrueVisit:
    plain = TrueVisit(
        alias=alias,
        kind="exclusion",
        place_name="夜航船酒吧",
        place_source_id="venue/1",
        entered_at=EVENING_STARTS_AT + minute(start),
        left_at=EVENING_STARTS_AT + minute(end),
        expected="alert",
        expect_guardian_sms=True,
        note="",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def finding(alias: str = "甲", start: float = 62, end: float | None = 101, **changes: object) -> FoundViolation:
    plain = FoundViolation(
        alias=alias,
        kind="exclusion",
        started_at=EVENING_STARTS_AT + minute(start),
        ended_at=None if end is None else EVENING_STARTS_AT + minute(end),
        decided_at=EVENING_STARTS_AT + minute(start + 4),
        guardian_sms_sent=True,
        place_name="夜航船酒吧",
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_found_visit_is_right_and_its_delay_runs_from_entering() -> None:
    result = score([visit()], [finding()], tolerance=TOLERANCE)
    assert (result.recall, result.precision) == (1.0, 1.0)
    assert result.median_delay == minute(6)
    assert (result.missed, result.false, result.duplicate_count) == ((), (), 0)
    assert (result.sms_expected, result.sms_sent, result.sms_missing, result.sms_unexpected) == (1, 1, (), 0)
    assert result.place_right_count == 1


def test_nothing_found_is_all_missed_and_has_no_precision() -> None:
    truth = [visit(), visit("乙", expected="none", expect_guardian_sms=False)]
    result = score(truth, [], tolerance=TOLERANCE)
    assert (result.recall, result.precision, result.median_delay) == (0.0, None, None)
    assert result.missed == (truth[0],)
    assert result.sms_missing == (truth[0],)


def test_no_truth_and_nothing_found_has_neither_recall_nor_precision() -> None:
    result = score([], [], tolerance=TOLERANCE)
    assert (result.recall, result.precision, result.sms_expected) == (None, None, 0)


def test_everything_found_twice_is_right_with_duplicates_and_the_second_sms_is_unexpected() -> None:
    truth = [visit(), visit("乙")]
    found = [finding(), finding(), finding("乙"), finding("乙", start=70)]
    result = score(truth, found, tolerance=TOLERANCE)
    assert (result.recall, result.precision, result.duplicate_count) == (1.0, 1.0, 2)
    assert (result.sms_sent, result.sms_unexpected, result.sms_missing) == (4, 2, ())
    assert result.median_delay == minute(6)


def test_finding_where_nothing_happened_is_false() -> None:
    stray = finding("丙")
    result = score([visit()], [finding(), stray], tolerance=TOLERANCE)
    assert result.false == (stray,)
    assert result.precision == 0.5
    assert result.sms_unexpected == 1


@pytest.mark.parametrize("expected", ["none", "possible_only"])
def test_finding_at_a_visit_that_should_not_alert_is_false(expected: str) -> None:
    result = score(
        [visit(expected=expected, expect_guardian_sms=False)], [finding(guardian_sms_sent=False)], tolerance=TOLERANCE
    )
    assert len(result.false) == 1
    assert (result.recall, result.precision) == (None, 0.0)
    assert not result.outcomes[0].is_as_expected


@pytest.mark.parametrize(
    ("change", "is_found"),
    [
        ({"alias": "乙"}, False),
        ({"kind": "stay_within_area"}, False),
        ({"start": 105, "end": 120}, True),
        ({"start": 105.1, "end": 120}, False),
        ({"start": 40, "end": 55}, True),
        ({"start": 40, "end": 54.9}, False),
        ({"start": 40, "end": None}, True),
        ({"start": 110, "end": None}, False),
    ],
)
def test_finding_belongs_by_alias_kind_and_overlap_within_the_tolerance(
    change: dict[str, object], is_found: bool
) -> None:
    result = score([visit()], [finding(**change)], tolerance=TOLERANCE)  # type: ignore[arg-type]
    assert (result.recall == 1.0) == is_found
    assert len(result.false) == (0 if is_found else 1)


def test_finding_belongs_to_the_visit_that_it_overlaps_longest() -> None:
    truth = [visit(start=60, end=70), visit(start=80, end=120)]
    result = score(truth, [finding(start=66, end=118)], tolerance=TOLERANCE)
    assert result.missed == (truth[0],)


def test_of_equal_overlaps_the_visit_that_should_alert_is_preferred() -> None:
    quiet = visit(start=0, end=360, expected="none", expect_guardian_sms=False)
    result = score([quiet, visit()], [finding(start=62, end=90)], tolerance=TOLERANCE)
    assert result.recall == 1.0
    assert result.false == ()


def test_delay_counts_the_first_decision_and_its_median_is_over_visits() -> None:
    truth = [visit(), visit("乙"), visit("丙")]
    found = [finding(start=70), finding(start=61), finding("乙", start=64), finding("丙", start=80)]
    assert score(truth, found, tolerance=TOLERANCE).median_delay == minute(8)


def test_sms_about_an_adult_is_unexpected_and_silence_about_a_child_is_missing() -> None:
    truth = [visit(expect_guardian_sms=False), visit("乙")]
    result = score(truth, [finding(), finding("乙", guardian_sms_sent=False)], tolerance=TOLERANCE)
    assert (result.sms_expected, result.sms_sent, result.sms_unexpected) == (1, 1, 1)
    assert result.sms_missing == (truth[1],)


def test_neighbouring_venue_is_found_but_not_rightly_named() -> None:
    result = score([visit()], [finding(place_name="南巷小酒馆")], tolerance=TOLERANCE)
    assert (result.recall, result.place_right_count) == (1.0, 0)


def test_order_of_findings_does_not_matter() -> None:
    truth = [visit(), visit("乙")]
    found = [finding(), finding(start=80), finding("乙"), finding("丙")]
    assert score(truth, found, tolerance=TOLERANCE) == score(truth, found[::-1], tolerance=TOLERANCE)


def test_table_reads_in_chinese_and_english() -> None:
    truth = [visit(), visit("乙")]
    table = score_table(score(truth, [finding(), finding("丙")], tolerance=TOLERANCE))
    assert all(len(row) == 2 for row in table)
    assert ("漏报 missed", "1（乙）") in table
    assert ("误报 false", "1（丙）") in table
    assert ("召回率 recall", "50%") in table
    assert ("中位延迟 median delay", "6.0 min") in table
    assert ("漏发短信 SMS missing", "1（乙）") in table


def test_table_of_nothing_has_dashes_and_zeros() -> None:
    table = score_table(score([], [], tolerance=TOLERANCE))
    assert ("召回率 recall", "–") in table
    assert ("漏报 missed", "0") in table


def test_visit_table_shows_local_times_and_what_fits() -> None:
    rows = visit_table(score([visit(), visit("乙")], [finding()], tolerance=TOLERANCE))
    assert len({len(row) for row in rows}) == 1
    assert rows[1] == ("甲", "19:00–19:40", "夜航船酒吧", "应报警", "1", "6.0 min", "1/1", "是 yes")
    assert rows[2][4:] == ("0", "–", "0/1", "否 no")
