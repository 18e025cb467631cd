"""How long a measure may last, counted over all decisions in a case. All dates are days of Asia/Shanghai.

Sources (reference/domain.md 2.1; section 4, item 4): 刑诉法 79, 105, 283; 检察规则 100(3), 100(4), 102, 103, 112, 113,
473.

Where the law is read in two ways both are kept: a term is *too long* only under the more generous reading, and *to be
checked* where only the stricter one forbids it. See :func:`latest_last_day` and :func:`cautious_last_day`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from tracking.calendar import local_day
from tracking.order import MEASURE_NAMES_ZH, ORGAN_NAMES_ZH, Measure, Organ, SupervisionOrder
from tracking.period import months_end
from venues.months import same_day_after

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class TermLimit:
    """Least and greatest number of months of a measure, and the articles that say so."""

    most_months: int
    least_months: int
    articles: str


TERM_LIMITS: dict[Measure, TermLimit] = {
    Measure.BAIL: TermLimit(most_months=12, least_months=0, articles="刑诉法 79；检察规则 102、103"),
    Measure.RESIDENTIAL_SURVEILLANCE: TermLimit(most_months=6, least_months=0, articles="刑诉法 79；检察规则 112、113"),
    Measure.CONDITIONAL_NON_PROSECUTION: TermLimit(
        most_months=12, least_months=6, articles="刑诉法 283；检察规则 473"
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTerm:
    """One decision's span: from ``started_on`` to the end of ``last_day``."""

    measure: Measure
    organ: Organ
    document_number: str
    started_on: date
    last_day: date


class TermProblem(StrEnum):
    """What is wrong with a term."""

    REVERSED = "reversed"  # 终止早于开始
    TOO_LONG = "too_long"  # 超过法定最长期限
    TO_CHECK = "to_check"  # 仅按较宽算法不超期
    TOO_SHORT = "too_short"  # 考验期不足
    WRONG_ORGAN = "wrong_organ"  # 决定机关不符


@dataclass(frozen=True, slots=True, kw_only=True)
class TermFinding:
    """One thing wrong with one decision, in plain words. ``is_breach``: it may not stand; else somebody must look."""

    problem: TermProblem
    is_breach: bool
    document_number: str
    text_zh: str
    text_en: str
    articles: str


def term_of(order: SupervisionOrder, *, organ: Organ) -> MeasureTerm:
    """The term of an order as recorded; its last day is the one that holds the last instant before ``valid_to``."""
    return MeasureTerm(
        measure=order.measure,
        organ=organ,
        document_number=order.document_number,
        started_on=local_day(order.valid_from),
        last_day=local_day(order.valid_to - timedelta(microseconds=1)),
    )


def latest_last_day(measure: Measure, started_on: date) -> date:
    """The last day that any reading allows: the day of beginning is not counted (刑诉法 105(2), 解释 202)."""
    return months_end(started_on, TERM_LIMITS[measure].most_months)


def cautious_last_day(measure: Measure, started_on: date) -> date:
    """The last day if the day of beginning counts, as decisions are often written ("自 3 月 10 日至次年 3 月 9 日")."""
    return same_day_after(started_on, TERM_LIMITS[measure].most_months) - _DAY


def check_terms(terms: Iterable[MeasureTerm]) -> tuple[TermFinding, ...]:
    """What is wrong with the decisions about one person in one case, by beginning.

    Decisions of one organ on the same measure share one maximum, however often renewed or varied (规则 100(3):
    累计计算), also when the case comes back to it from another; days between them on which none of them ran do not
    count. Another organ's decision, or another measure, is counted anew (规则 100(4), 103, 113).
    """
    findings: list[TermFinding] = []
    running: dict[tuple[Measure, Organ], list[MeasureTerm]] = {}
    for term in sorted(terms, key=lambda one: (one.started_on, one.last_day, one.document_number)):
        findings += _check_decision(term)
        if term.last_day < term.started_on:
            continue
        before = running.setdefault((term.measure, term.organ), [])
        before.append(term)
        findings += _check_length(before)
    return tuple(findings)


def remaining_last_day(terms: Sequence[MeasureTerm]) -> date:
    """The last day that the terms of one organ and one measure, by beginning, may still reach: see :func:`check_terms`.

    Raises IndexError without a term.
    """
    return latest_last_day(terms[0].measure, terms[0].started_on) + _DAY * _idle_days(terms)


def _check_decision(term: MeasureTerm) -> list[TermFinding]:
    name, limit = MEASURE_NAMES_ZH[term.measure], TERM_LIMITS[term.measure]
    found = []
    if term.last_day < term.started_on:
        found.append(
            _finding(
                TermProblem.REVERSED,
                term,
                f"{name}的终止日 {term.last_day.isoformat()} 早于开始日 {term.started_on.isoformat()}。",
                f"Its last day {term.last_day.isoformat()} lies before its first {term.started_on.isoformat()}.",
            )
        )
    elif term.last_day < (least := same_day_after(term.started_on, limit.least_months) - _DAY):
        found.append(
            _finding(
                TermProblem.TOO_SHORT,
                term,
                f"{name}考验期不足 {limit.least_months} 个月：至少应到 {least.isoformat()}。",
                f"Shorter than {limit.least_months} months: it must reach {least.isoformat()} at least.",
            )
        )
    if term.measure is Measure.CONDITIONAL_NON_PROSECUTION and term.organ is not Organ.PROCURATORATE:
        found.append(
            _finding(
                TermProblem.WRONG_ORGAN,
                term,
                f"附条件不起诉只能由人民检察院决定，登记的是{ORGAN_NAMES_ZH[term.organ]}。",
                f"Only a procuratorate can decide conditional non-prosecution; recorded is: {term.organ.value}.",
            )
        )
    return found


def _check_length(terms: Sequence[MeasureTerm]) -> list[TermFinding]:
    """About the last of the terms of one organ and measure."""
    term, idle = terms[-1], _DAY * _idle_days(terms)
    limit, name = TERM_LIMITS[term.measure], MEASURE_NAMES_ZH[term.measure]
    latest = latest_last_day(term.measure, terms[0].started_on) + idle
    cautious = cautious_last_day(term.measure, terms[0].started_on) + idle
    whole_zh = "" if len(terms) == 1 else f"同一机关 {len(terms)} 次决定累计，"
    whole_en = "" if len(terms) == 1 else f"{len(terms)} decisions of one organ counted together: "
    last_day = term.last_day.isoformat()
    if term.last_day > latest:
        over = (term.last_day - latest).days
        return [
            _finding(
                TermProblem.TOO_LONG,
                term,
                f"{name}：{whole_zh}到 {last_day} 超过 {limit.most_months} 个月，"
                f"最迟 {latest.isoformat()}，超出 {over} 天。",
                f"{whole_en}until {last_day} is longer than {limit.most_months} months: {latest.isoformat()} at the "
                f"latest, {over} day(s) too long.",
            )
        ]
    if term.last_day > cautious:
        return [
            _finding(
                TermProblem.TO_CHECK,
                term,
                f"{name}：{whole_zh}到 {last_day} 仅按较宽的算法（开始之日不计入）不超期；"
                f"按较严的算法应到 {cautious.isoformat()}，请核对。",
                f"{whole_en}until {last_day} is in time only by the more generous reading (first day not "
                f"counted); by the stricter one {cautious.isoformat()} is the last day. Please check.",
                is_breach=False,
            )
        ]
    return []


def _idle_days(terms: Sequence[MeasureTerm]) -> int:
    """Whole days between the terms on which none of them ran."""
    idle, reached = 0, terms[0].last_day
    for term in terms[1:]:
        idle += max((term.started_on - reached).days - 1, 0)
        reached = max(reached, term.last_day)
    return idle


def _finding(
    problem: TermProblem, term: MeasureTerm, text_zh: str, text_en: str, *, is_breach: bool = True
) -> TermFinding:
    return TermFinding(
        problem=problem,
        is_breach=is_breach,
        document_number=term.document_number,
        text_zh=text_zh,
        text_en=text_en,
        articles=f"{TERM_LIMITS[term.measure].articles}；刑诉法 105",
    )
