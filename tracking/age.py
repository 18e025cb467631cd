"""Two ages that switch on different days (reference/domain.md 2.1, "Two ages").

Civil majority begins on the 18th birthday itself, at 00:00 in Asia/Shanghai: guardianship ends, and with it the reason
to tell a parent. Criminal-law 周岁 counts from the day after the birthday (最高法 2006
interpretation on juvenile cases, 2), and the juvenile procedure asks for the age at the time of the act (检察规则 489).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from tracking.calendar import local_day
from tracking.order import ADULT_AGE
from tracking.period import day_begins_at

JUVENILE_FROM_AGE = 14
"""The juvenile procedure covers acts done from this age on and before 18 (检察规则 489)."""


class FamilyRouting(StrEnum):
    """Whom of the family an alert may reach, before blocks and the order's own wording."""

    GUARDIAN = "guardian"  # 监护人：a minor's
    NOBODY = "nobody"  # 成年：no guardian any more; a guarantor only if the order says so (刑诉法 70)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSwitch:
    """Guardian routing stops at ``at`` (aware), and a person must decide who is told from then on."""

    at: datetime
    task_zh: str
    task_en: str
    article: str


def birthday(birth_date: date, years: int) -> date:
    """The day of the so-manieth birthday. Born on 29 February: 1 March of a common year."""
    year = birth_date.year + years
    try:
        return birth_date.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def majority_at(birth_date: date) -> datetime:
    """The first instant of civil majority: 00:00 of the 18th birthday in Asia/Shanghai, aware."""
    return day_begins_at(birthday(birth_date, ADULT_AGE))


def full_age_from(birth_date: date, years: int) -> date:
    """The first day on which somebody is so many years old in criminal law: the day after the birthday."""
    return birthday(birth_date, years) + timedelta(days=1)


def is_juvenile_case(birth_date: date, *, acted_on: date) -> bool:
    """Whether the juvenile procedure applies to an act: done at 14 to 17, counted as criminal law does (规则 489)."""
    return full_age_from(birth_date, JUVENILE_FROM_AGE) <= acted_on < full_age_from(birth_date, ADULT_AGE)


def family_routing(birth_date: date, at: datetime) -> FamilyRouting:
    """Whom of the family an alert may reach at an aware instant."""
    return FamilyRouting.GUARDIAN if at < majority_at(birth_date) else FamilyRouting.NOBODY


def routing_switch(birth_date: date, *, after: datetime, until: datetime) -> RoutingSwitch | None:
    """The end of guardian routing if it falls in ``after`` < t ≤ ``until`` (aware), else ``None``.

    Asked with the times of consecutive looks at the clock, each switch is found exactly once, however far apart.
    """
    at = majority_at(birth_date)
    if not after < at <= until:
        return None
    return RoutingSwitch(
        at=at,
        task_zh=f"本人于 {local_day(at).isoformat()} 年满 18 周岁：监护人通知已自动停止，请决定此后通知何人及其依据。",
        task_en=f"The subject came of age on {local_day(at).isoformat()}: guardian messages stopped by themselves; "
        "decide who is told from now on, and on what basis.",
        article="民法典 17、18；检察规则 489",
    )
