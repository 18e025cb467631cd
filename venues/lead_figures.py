"""Figures about leads, without a name: how many stand where, how they ended, how agencies keep time, by month. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import median

from venues.lead import IsRestDay, LeadEvent, LeadState, LeadStep, ReplyClock, reply_clock, state_of
from venues.lead_pattern import LeadGround
from venues.risk import SHANGHAI


class LeadOutcome(StrEnum):
    """How a lead ended, or that it did not yet."""

    OPEN = "open"  # 在办
    NO_CASE = "no_case"  # 不立案
    REMEDIED = "remedied"  # 已整改
    NOT_REMEDIED = "not_remedied"  # 未整改
    CASE = "case"  # 立案


OUTCOME_NAMES_ZH: dict[LeadOutcome, str] = {
    LeadOutcome.OPEN: "在办",
    LeadOutcome.NO_CASE: "不立案",
    LeadOutcome.REMEDIED: "已整改",
    LeadOutcome.NOT_REMEDIED: "未整改",
    LeadOutcome.CASE: "立案",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadLife:
    """A lead's ground and all that was done with it."""

    ground: LeadGround
    events: tuple[LeadEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigures:
    """What was done in one month (Asia/Shanghai), by the day it happened; a lead counts once for each step."""

    opened_count: int = 0
    checked_count: int = 0
    consulted_count: int = 0
    recommended_count: int = 0
    replied_count: int = 0
    rechecked_count: int = 0
    ended_count: int = 0
    """Dismissed, or closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulatorFigures:
    """What one agency was asked, and how it kept the time of the last recommendation about each lead."""

    consulted_count: int
    recommended_count: int
    replied_count: int
    replied_in_time_count: int
    overdue_count: int
    """Not answered, and the time ran out."""
    remedied_count: int
    """Of leads whose last recommendation or consultation went to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFigures:
    """Counts and shares on one day; a share is ``None`` where there is nothing to share."""

    lead_count: int
    by_state: Mapping[LeadState, int]
    by_ground: Mapping[LeadGround, int]
    by_outcome: Mapping[LeadOutcome, int]
    by_month: Mapping[str, MonthFigures]
    """By month as ``2026-11``, in order; months without anything are left out."""
    by_regulator: Mapping[str, RegulatorFigures]
    checked_count: int
    found_share: float | None
    """Of leads checked on site, those where it was found: how good the machine's reasons are."""
    delivered_count: int
    replied_in_time_share: float | None
    """Of recommendations answered, or whose time ran out."""
    overdue_count: int
    """Still waited for after the time ran out; not those that were remedied, or became a case, without an answer."""
    median_reply_days: float | None
    remedied_share: float | None
    """Of leads looked at again, those remedied at last."""


def lead_figures(leads: Iterable[LeadLife], *, today: date, is_rest_day: IsRestDay | None = None) -> LeadFigures:
    """The figures of ``leads`` as of ``today`` (Asia/Shanghai)."""
    held = list(leads)
    clocks = [reply_clock(lead.events, today=today, is_rest_day=is_rest_day) for lead in held]
    delivered = [clock for clock in clocks if clock is not None]
    answered = [clock for clock in delivered if clock.replied_on is not None]
    unanswered_late = sum(clock.replied_on is None and clock.is_late for clock in delivered)
    checks = [found for lead in held if (found := _last(lead, LeadStep.CHECK)) is not None]
    rechecks = [found for lead in held if (found := _last(lead, LeadStep.RECHECK)) is not None]
    in_time = sum(not clock.is_late for clock in answered)
    days = [(clock.replied_on - clock.delivered_on).days for clock in answered if clock.replied_on is not None]
    return LeadFigures(
        lead_count=len(held),
        by_state=dict(Counter(state_of(lead.events) for lead in held)),
        by_ground=dict(Counter(lead.ground for lead in held)),
        by_outcome=dict(Counter(outcome_of(lead.events) for lead in held)),
        by_month=_by_month(held),
        by_regulator=_by_regulator(held, clocks),
        checked_count=len(checks),
        found_share=_share(sum(checks), len(checks)),
        delivered_count=len(delivered),
        replied_in_time_share=_share(in_time, len(answered) + unanswered_late),
        overdue_count=sum(clock.is_overdue for clock in delivered),
        median_reply_days=float(median(days)) if days else None,
        remedied_share=_share(sum(rechecks), len(rechecks)),
    )


def outcome_of(events: Sequence[LeadEvent]) -> LeadOutcome:
    """How a lead ended; one that was closed ended as it stood before."""
    state = state_of(events)
    while state is LeadState.CLOSED:
        events = events[:-1]
        state = state_of(events)
    return _OUTCOMES.get(state, LeadOutcome.OPEN)


_OUTCOMES = {LeadState.NO_CASE: LeadOutcome.NO_CASE, LeadState.REMEDIED: LeadOutcome.REMEDIED,
             LeadState.NOT_REMEDIED: LeadOutcome.NOT_REMEDIED, LeadState.CASE: LeadOutcome.CASE}  # fmt: skip

_COUNTED = {
    LeadStep.OPEN: "opened_count", LeadStep.CHECK: "checked_count", LeadStep.CONSULT: "consulted_count",
    LeadStep.RECOMMEND: "recommended_count", LeadStep.REPLY: "replied_count", LeadStep.RECHECK: "rechecked_count",
    LeadStep.DISMISS: "ended_count", LeadStep.CLOSE: "ended_count",
}  # fmt: skip
"""Step → the figure of its month."""


def _by_month(leads: Iterable[LeadLife]) -> dict[str, MonthFigures]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for lead in leads:
        steps = {
            (f"{_day(event):%Y-%m}", _COUNTED[event.step]) for event in lead.events if event.step in _COUNTED
        }  # a lead checked twice in a month was checked once
        for month, name in steps:
            counted[month][name] += 1
    return {month: MonthFigures(**counted[month]) for month in sorted(counted)}


def _by_regulator(leads: Sequence[LeadLife], clocks: Sequence[ReplyClock | None]) -> dict[str, RegulatorFigures]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for lead, clock in zip(leads, clocks, strict=True):
        asked = [event for event in lead.events if event.step in (LeadStep.CONSULT, LeadStep.RECOMMEND)]
        for event in asked:
            counted[event.regulator][_COUNTED[event.step]] += 1
        if asked:
            counted[asked[-1].regulator]["remedied_count"] += outcome_of(lead.events) is LeadOutcome.REMEDIED
        if clock is not None:
            letter = next(event for event in reversed(asked) if event.step is LeadStep.RECOMMEND)
            held = counted[letter.regulator]
            held["replied_count"] += clock.replied_on is not None
            held["replied_in_time_count"] += clock.replied_on is not None and not clock.is_late
            held["overdue_count"] += clock.is_overdue
    names = RegulatorFigures.__slots__
    return {
        regulator: RegulatorFigures(**{name: counted[regulator][name] for name in names})
        for regulator in sorted(counted)
    }


def _day(event: LeadEvent) -> date:
    """The day it happened, or was entered."""
    return event.on or event.at.astimezone(SHANGHAI).date()


def _last(lead: LeadLife, step: LeadStep) -> bool | None:
    """What the last step of a kind found; ``None`` if it was never taken."""
    return next((bool(event.is_found) for event in reversed(lead.events) if event.step is step), None)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
