"""The end of a measure: announced before, reviewed on the way, and the office's own breach if nobody lifts it.

Sources (reference/domain.md 2.1; section 4, item 4): 刑诉法 79, 99, 283, 284; 检察规则 105, 115, 150, 154, 155, 477,
480, 567(5), 570(12), 620. All dates are days of Asia/Shanghai.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tracking.calendar import WorkCalendar, local_day
from tracking.order import MEASURE_NAMES_ZH, Measure, Organ
from tracking.period import day_begins_at, day_ends_at, months_end, moved_before_rest_days
from tracking.terms import MeasureTerm

_DAY = timedelta(days=1)
REMINDER_DAYS = (15, 7, 3, 1)
"""So many days before its last day an order's end is announced (reference/domain.md 4, item 4)."""
REVIEW_MONTHS = 3
"""Between reviews of whether monitoring is still needed: analogy to 社区矫正法 29 (reference/domain.md 4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """To be shown from 00:00 of ``shown_on``; ``days_left`` counts from there by the calendar to the last day."""

    days_before: int
    shown_on: date
    last_day: date

    @property
    def shown_at(self) -> datetime:
        """The aware instant."""
        return day_begins_at(self.shown_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueLifting:
    """An order that ended and was not lifted: a breach by the office (检察规则 567(5)), never one by the subject."""

    document_number: str
    since: datetime
    days_overdue: int
    text_zh: str
    text_en: str
    articles: str


def reminders(last_day: date, *, calendar: WorkCalendar | None = None) -> tuple[Reminder, ...]:
    """When to announce the end of a term, earliest first (检察规则 620: the office is to foresee it).

    With a calendar one that falls on a rest day is shown on the workday before, when somebody is there to see it;
    two may then fall on one day. Raises CalendarMissingError if the calendar lacks a year.
    """
    shown = []
    for days_before in REMINDER_DAYS:
        day = last_day - _DAY * days_before
        shown_on = day if calendar is None else moved_before_rest_days(day, calendar)
        shown.append(Reminder(days_before=days_before, shown_on=shown_on, last_day=last_day))
    return tuple(shown)


def review_days(started_on: date, last_day: date, *, every_months: int = REVIEW_MONTHS) -> tuple[date, ...]:
    """The days by which somebody must have decided that monitoring goes on. Raises ValueError below one month."""
    if every_months < 1:
        raise ValueError(f"every_months = {every_months}：不得小于 1 must be at least 1")
    days: list[date] = []
    while (day := months_end(started_on, every_months * (len(days) + 1))) < last_day:
        days.append(day)
    return tuple(days)


def find_overdue_lifting(
    term: MeasureTerm, *, now: datetime, lifted_at: datetime | None = None, replaced_at: datetime | None = None
) -> OverdueLifting | None:
    """The office's breach if a term is over and nothing ended it; ``None`` while it runs, or if something did in time.

    ``lifted_at``: the decision to lift (解除), or for conditional non-prosecution that on the case (规则 477, 480).
    ``replaced_at``: when another measure, or a court's decision, took its place, which ends it without a decision to
    lift (规则 154, 155). Either after the end leaves the finding in place, with the days that it took. All aware.
    """
    ended_at = day_ends_at(term.last_day)
    settled = min((at for at in (lifted_at, replaced_at) if at is not None and at <= now), default=None)
    until = now if settled is None else settled
    if now < ended_at or until <= ended_at:
        return None
    days = (local_day(until) - term.last_day).days
    is_probation = term.measure is Measure.CONDITIONAL_NON_PROSECUTION
    act_zh, act_en = ("作出处理决定", "decided") if is_probation else ("解除", "lifted")
    state_zh = f"至今未{act_zh}，已逾期" if settled is None else f"逾期{act_zh}，迟延"
    state_en = f"is not {act_en} yet, overdue by" if settled is None else f"was {act_en} late, by"
    return OverdueLifting(
        document_number=term.document_number,
        since=ended_at,
        days_overdue=days,
        text_zh=f"{MEASURE_NAMES_ZH[term.measure]}{'考验期' if is_probation else ''}"
        f"于 {term.last_day.isoformat()} 届满，{state_zh} {days} 天。这是办案机关的问题，不是被监管人违规。",
        text_en=f"The term ended on {term.last_day.isoformat()}; the measure {state_en} {days} day(s). "
        "A breach by the office, not by the subject.",
        articles=_lifting_articles(term.measure, term.organ),
    )


def _lifting_articles(measure: Measure, organ: Organ) -> str:
    if measure is Measure.CONDITIONAL_NON_PROSECUTION:
        return "刑诉法 283、284；检察规则 477、480"
    by_organ = {Organ.POLICE: "、567(5)", Organ.COURT: "、570(12)", Organ.PROCURATORATE: "、150、620"}
    return f"刑诉法 79、99；检察规则 {'105' if measure is Measure.BAIL else '115'}{by_organ[organ]}"
