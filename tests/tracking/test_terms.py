"""The length of measures over all decisions of a case, their end, and what the office owes then."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden_files import assert_golden
from tests.tracking.scene import an_order
from tests.tracking.test_order import in_shanghai
from tracking.calendar import CalendarMissingError
from tracking.gateway_calendar import load_calendar
from tracking.order import ORGAN_NAMES_ZH, Measure, Organ
from tracking.period import day_ends_at
from tracking.term_end import REMINDER_DAYS, find_overdue_lifting, reminders, review_days
from tracking.terms import (
    TERM_LIMITS,
    MeasureTerm,
    TermProblem,
    cautious_last_day,
    check_terms,
    latest_last_day,
    remaining_last_day,
    term_of,
)

BAIL, AT_HOME, CNP = Measure.BAIL, Measure.RESIDENTIAL_SURVEILLANCE, Measure.CONDITIONAL_NON_PROSECUTION
POLICE, PROCURATORATE, COURT = Organ.POLICE, Organ.PROCURATORATE, Organ.COURT
LONG, CHECK, SHORT = TermProblem.TOO_LONG, TermProblem.TO_CHECK, TermProblem.TOO_SHORT
CALENDAR = load_calendar()
Row = tuple[Measure, Organ, str, str]

SITUATIONS: list[tuple[str, list[Row], list[TermProblem]]] = [
    ("取保候审十二个月，按文书习惯少一日", [(BAIL, POLICE, "2026-03-10", "2027-03-09")], []),
    ("取保候审到次年同日：开始之日不计入时合法，应核对", [(BAIL, POLICE, "2026-03-10", "2027-03-10")], [CHECK]),
    ("取保候审超过一日", [(BAIL, POLICE, "2026-03-10", "2027-03-11")], [LONG]),
    ("届满日逢国庆不顺延", [(BAIL, POLICE, "2025-10-02", "2026-10-08")], [LONG]),
    ("监视居住六个月", [(AT_HOME, POLICE, "2026-01-15", "2026-07-14")], []),
    ("监视居住超过", [(AT_HOME, POLICE, "2026-01-15", "2026-07-16")], [LONG]),
    ("监视居住自八月三十一日起：二月最后一日", [(AT_HOME, POLICE, "2026-08-31", "2027-02-28")], [CHECK]),
    ("监视居住自二月最后一日起：八月最后一日为最宽算法", [(AT_HOME, POLICE, "2026-02-28", "2026-08-31")], [CHECK]),
    ("附条件不起诉六个月", [(CNP, PROCURATORATE, "2026-03-01", "2026-09-01")], []),
    ("附条件不起诉六个月，按文书习惯少一日", [(CNP, PROCURATORATE, "2026-03-01", "2026-08-31")], []),
    ("附条件不起诉不足六个月", [(CNP, PROCURATORATE, "2026-03-01", "2026-08-30")], [SHORT]),
    ("附条件不起诉超过一年", [(CNP, PROCURATORATE, "2026-03-01", "2027-03-02")], [LONG]),
    ("附条件不起诉由公安机关决定", [(CNP, POLICE, "2026-03-01", "2026-12-01")], [TermProblem.WRONG_ORGAN]),
    ("终止早于开始", [(BAIL, POLICE, "2026-03-10", "2026-03-09")], [TermProblem.REVERSED]),
    (
        "移送审查起诉后检察院重新决定：重新计算（规则 103）",
        [(BAIL, POLICE, "2026-01-01", "2026-12-31"), (BAIL, PROCURATORATE, "2026-12-31", "2027-12-30")],
        [],
    ),
    (
        "三机关各十二个月",
        [
            (BAIL, POLICE, "2024-01-01", "2024-12-31"),
            (BAIL, PROCURATORATE, "2024-12-31", "2025-12-30"),
            (BAIL, COURT, "2025-12-30", "2026-12-29"),
        ],
        [],
    ),
    (
        "同一机关续保累计计算（规则 100(3)）",
        [(BAIL, POLICE, "2026-01-01", "2026-08-31"), (BAIL, POLICE, "2026-08-31", "2027-03-01")],
        [LONG],
    ),
    (
        "同一机关变更决定，累计未超",
        [(BAIL, POLICE, "2026-01-01", "2026-08-31"), (BAIL, POLICE, "2026-06-01", "2026-12-31")],
        [],
    ),
    (
        "同一机关中断三十日后再取保：中断不计",
        [(BAIL, POLICE, "2026-01-01", "2026-06-30"), (BAIL, POLICE, "2026-07-31", "2027-01-30")],
        [],
    ),
    (
        "同上，多一日则应核对，多两日则超期",
        [(BAIL, POLICE, "2026-01-01", "2026-06-30"), (BAIL, POLICE, "2026-07-31", "2027-02-01")],
        [LONG],
    ),
    (
        "退回补充侦查：公安机关前后累计，检察院另计",
        [
            (BAIL, POLICE, "2026-01-01", "2026-10-31"),
            (BAIL, PROCURATORATE, "2026-11-01", "2027-01-31"),
            (BAIL, POLICE, "2027-02-01", "2027-06-30"),
        ],
        [LONG],
    ),
    (
        "取保候审变更为监视居住：自执行之日起另计（规则 100(4)）",
        [(BAIL, POLICE, "2026-01-01", "2026-12-31"), (AT_HOME, POLICE, "2026-12-01", "2027-05-31")],
        [],
    ),
]


def terms_of(rows: list[Row]) -> list[MeasureTerm]:
    return [
        MeasureTerm(
            measure=measure,
            organ=organ,
            document_number=f"合成〔2026〕{number}号",
            started_on=date.fromisoformat(first),
            last_day=date.fromisoformat(last),
        )
        for number, (measure, organ, first, last) in enumerate(rows, start=1)
    ]


@pytest.mark.parametrize(("name", "rows", "problems"), SITUATIONS, ids=[name for name, _, _ in SITUATIONS])
def test_situation_gives_the_findings_of_the_law(name: str, rows: list[Row], problems: list[TermProblem]) -> None:
    assert [finding.problem for finding in check_terms(terms_of(rows))] == problems


@pytest.mark.golden
def test_findings_read_as_recorded() -> None:
    lines = []
    for name, rows, _ in SITUATIONS:
        lines.append(f"# {name}")
        for finding in check_terms(terms_of(rows)):
            mark = "×" if finding.is_breach else "？"
            lines.append(
                f"{mark} {finding.document_number} {finding.text_zh}\n  {finding.text_en}〔{finding.articles}〕"
            )
    ended = terms_of([(BAIL, POLICE, "2026-01-01", "2026-06-30"), (CNP, PROCURATORATE, "2026-01-01", "2026-06-30")])
    for term in ended:
        for lifted_at in (None, in_shanghai(2026, 7, 3, 9)):
            overdue = find_overdue_lifting(term, now=in_shanghai(2026, 7, 11, 12), lifted_at=lifted_at)
            assert overdue is not None
            lines.append(f"! {overdue.text_zh}\n  {overdue.text_en}〔{overdue.articles}〕")
    assert_golden("terms.txt", "\n".join(lines) + "\n")


any_day = st.dates(date(2020, 1, 1), date(2040, 1, 1))


@given(st.sampled_from(list(Measure)), any_day, st.integers(0, 500))
def test_one_decision_is_a_breach_exactly_beyond_the_latest_day(measure: Measure, first: date, length: int) -> None:
    last = first + timedelta(days=length)
    organ = PROCURATORATE if measure is CNP else POLICE
    term = MeasureTerm(measure=measure, organ=organ, document_number="1", started_on=first, last_day=last)
    problems = {finding.problem for finding in check_terms([term])}
    assert (LONG in problems) is (last > latest_last_day(measure, first))
    assert (CHECK in problems) is (cautious_last_day(measure, first) < last <= latest_last_day(measure, first))


@given(any_day, st.lists(st.integers(1, 90), min_size=1, max_size=6))
def test_cutting_a_term_into_renewals_gains_no_day(first: date, lengths: list[int]) -> None:
    terms, begins = [], first
    for number, length in enumerate(lengths):
        ends = begins + timedelta(days=length)
        terms.append(
            MeasureTerm(measure=BAIL, organ=POLICE, document_number=str(number), started_on=begins, last_day=ends)
        )
        begins = ends + timedelta(days=number % 2)  # begun on the last day, or on the day after
    whole = MeasureTerm(
        measure=BAIL, organ=POLICE, document_number="w", started_on=first, last_day=terms[-1].last_day
    )  # fmt: skip
    assert remaining_last_day(terms) == remaining_last_day([whole])
    assert {f.problem for f in check_terms([whole])} <= {f.problem for f in check_terms(reversed(terms))}


def test_term_of_an_order_ends_with_its_last_whole_day() -> None:
    order = an_order(valid_from=in_shanghai(2026, 3, 10, 15), valid_to=in_shanghai(2027, 3, 10))
    term = term_of(order, organ=POLICE)
    assert (term.started_on, term.last_day) == (date(2026, 3, 10), date(2027, 3, 9))
    assert day_ends_at(term.last_day) == order.valid_to


def test_every_measure_has_its_limit_and_every_organ_its_name() -> None:
    assert set(TERM_LIMITS) == set(Measure)
    assert set(ORGAN_NAMES_ZH) == set(Organ)
    assert {m: limit.most_months for m, limit in TERM_LIMITS.items()} == {BAIL: 12, AT_HOME: 6, CNP: 12}


# ---- the end


def test_end_is_announced_15_7_3_and_1_days_before() -> None:
    shown = reminders(date(2026, 3, 20))
    assert [one.shown_on.isoformat() for one in shown] == ["2026-03-05", "2026-03-13", "2026-03-17", "2026-03-19"]
    assert tuple(one.days_before for one in shown) == REMINDER_DAYS
    assert shown[0].shown_at == datetime(2026, 3, 4, 16, 0, tzinfo=UTC)


def test_reminders_in_a_holiday_are_shown_on_the_workday_before() -> None:
    shown = reminders(date(2026, 10, 8), calendar=CALENDAR)
    assert [one.shown_on.isoformat() for one in shown] == ["2026-09-23", "2026-09-30", "2026-09-30", "2026-09-30"]
    with pytest.raises(CalendarMissingError):
        reminders(date(2027, 6, 1), calendar=CALENDAR)


def test_monitoring_is_reviewed_every_three_months_before_the_end() -> None:
    assert [day.isoformat() for day in review_days(date(2026, 1, 31), date(2027, 1, 30))] == [
        "2026-04-30",
        "2026-07-31",
        "2026-10-31",
    ]
    assert review_days(date(2026, 1, 31), date(2026, 4, 30)) == ()
    with pytest.raises(ValueError, match="0"):
        review_days(date(2026, 1, 31), date(2026, 4, 30), every_months=0)


(ENDED,) = terms_of([(BAIL, POLICE, "2026-01-01", "2026-06-30")])
END = in_shanghai(2026, 7, 1)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("now", "lifted_at", "replaced_at", "days_overdue"),
    [
        (END - TICK, None, None, None),
        (END, None, None, None),
        (END + TICK, None, None, 1),
        (in_shanghai(2026, 7, 10, 23), None, None, 10),
        (in_shanghai(2026, 7, 10), in_shanghai(2026, 6, 30, 17), None, None),
        (in_shanghai(2026, 7, 10), None, in_shanghai(2026, 5, 1), None),
        (in_shanghai(2026, 7, 10), in_shanghai(2026, 7, 3), None, 3),
        (in_shanghai(2026, 7, 2), in_shanghai(2026, 7, 3), None, 2),
        (in_shanghai(2026, 7, 10), in_shanghai(2026, 7, 3), in_shanghai(2026, 6, 1), None),
    ],
)
def test_order_not_lifted_in_time_is_the_offices_breach(
    now: datetime, lifted_at: datetime | None, replaced_at: datetime | None, days_overdue: int | None
) -> None:
    overdue = find_overdue_lifting(ENDED, now=now, lifted_at=lifted_at, replaced_at=replaced_at)
    assert (None if overdue is None else overdue.days_overdue) == days_overdue
    assert overdue is None or overdue.since == END
