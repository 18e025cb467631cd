"""Figures about leads, without a name: how many stand where, what checking found, how agencies keep time. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from statistics import median

from venues.lead import IsRestDay, LeadEvent, LeadState, LeadStep, reply_clock, state_of
from venues.lead_pattern import LeadGround


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadLife:
    """A lead's ground and all that was done with it."""

    ground: LeadGround
    events: tuple[LeadEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadFigures:
    """Counts and shares on one day; a share is ``None`` where there is nothing to share."""

    lead_count: int
    by_state: Mapping[LeadState, int]
    by_ground: Mapping[LeadGround, int]
    by_regulator: Mapping[str, int]
    """Of recommendations and consultations."""
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
        by_state=Counter(state_of(lead.events) for lead in held),
        by_ground=Counter(lead.ground for lead in held),
        by_regulator=Counter(
            event.regulator
            for lead in held
            for event in lead.events
            if event.step in (LeadStep.CONSULT, LeadStep.RECOMMEND)
        ),
        checked_count=len(checks),
        found_share=_share(sum(checks), len(checks)),
        delivered_count=len(delivered),
        replied_in_time_share=_share(in_time, len(answered) + unanswered_late),
        overdue_count=sum(clock.is_overdue for clock in delivered),
        median_reply_days=float(median(days)) if days else None,
        remedied_share=_share(sum(rechecks), len(rechecks)),
    )


def _last(lead: LeadLife, step: LeadStep) -> bool | None:
    """What the last step of a kind found; ``None`` if it was never taken."""
    return next((bool(event.is_found) for event in reversed(lead.events) if event.step is step), None)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
