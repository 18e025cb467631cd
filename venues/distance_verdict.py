"""What a measured interval means under a rule: clear breach, survey on site, clear, or a place that may stay. Pure.

Clear breach only if the whole interval breaks the rule, clear only if none of it does; what lies between is measured
on site. Facts that only papers tell (dates of licences and schools, what exactly is sold) never make a breach by being
unknown: they send somebody to look.
"""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from geo.projection import FloatArray, IntArray
from venues.distance_pairs import Codes
from venues.distance_reading import Known
from venues.distance_rule import AppliesTo, DistanceRule, Grandfather

Flags = NDArray[np.bool_]
UNKNOWN_DAY = -1
"""In columns of days (``date.toordinal``): not known."""


class Verdict(IntEnum):
    """What is to be done about a venue near a site; a code, since it fills columns."""

    CLEAR = 0  # 不违反
    SURVEY = 1  # 需现场测量
    BREACH = 2  # 明显违反
    GRANDFATHERED = 3  # 既有场所，可保留


VERDICT_NAMES_ZH: dict[Verdict, str] = {
    Verdict.CLEAR: "不违反",
    Verdict.SURVEY: "需现场测量",
    Verdict.BREACH: "明显违反",
    Verdict.GRANDFATHERED: "既有场所可保留",
}


class Reason(IntEnum):
    """Why; a code."""

    DISTANCE = 0
    WITHIN_ERROR = 1
    UNREACHABLE = 2
    NOT_ON_NETWORK = 3
    NO_NETWORK = 4
    GATES_UNKNOWN = 5
    NO_OPEN_GATE = 6
    READINGS_DIFFER = 7
    RULE_DAY_UNKNOWN = 8
    LICENCE_UNKNOWN = 9
    SITE_DAY_UNKNOWN = 10
    SCOPE_UNKNOWN = 11
    BEFORE_RULE = 12
    LICENCE_RUNS = 13
    SITE_CAME_LATER = 14
    GATES_INCOMPLETE = 15
    INSIDE = 16
    PERHAPS_INSIDE = 17
    ENDED = 18


REASON_TEXTS: dict[Reason, tuple[str, str]] = {
    Reason.DISTANCE: ("计入误差后结论不变", "holds with the errors of both ends"),
    Reason.WITHIN_ERROR: ("距离与限值之差小于误差", "nearer to the threshold than the errors of both ends"),
    Reason.UNREACHABLE: ("路网上步行不可达，须实地查看", "the network shows no way on foot: look on site"),
    Reason.NOT_ON_NETWORK: ("一端离路网过远", "one end is too far from every mapped way"),
    Reason.NO_NETWORK: ("没有步行路网", "no walk network was given"),
    Reason.GATES_UNKNOWN: ("规则所指校门的位置未登记", "the gates that count are not mapped"),
    Reason.GATES_INCOMPLETE: (
        "校门是否已登记齐全未经确认，未登记的可能更近",
        "nobody said that all gates are registered: another one may be nearer",
    ),
    Reason.INSIDE: ("场所在校园内", "the venue is inside the campus"),
    Reason.PERHAPS_INSIDE: ("计入误差，场所可能在校园内", "with the errors of both the venue may be inside the campus"),
    Reason.NO_OPEN_GATE: ("登记的、规则所指的校门均已关闭", "every mapped gate that counts is closed"),
    Reason.READINGS_DIFFER: (
        "规则未写明量法，严宽两种读法结论不同",
        "the rule names no method, and its readings differ",
    ),
    Reason.RULE_DAY_UNKNOWN: ("规则施行日未核实", "the day the rule took effect is not verified"),
    Reason.LICENCE_UNKNOWN: ("场所设立或许可日期不明", "when the venue was set up or licensed is not known"),
    Reason.SITE_DAY_UNKNOWN: ("学校设立日期不明", "when the school opened is not known"),
    Reason.SCOPE_UNKNOWN: ("是否属于规则所指须核实", "whether the rule means this venue must be established"),
    Reason.BEFORE_RULE: ("设立在规则施行之前", "set up before the rule took effect"),
    Reason.LICENCE_RUNS: ("规则施行前的许可尚未到期", "licensed before the rule, and the licence still runs"),
    Reason.SITE_CAME_LATER: ("学校后建", "the school came later"),
    Reason.ENDED: (
        "登记或许可已终止或属前一经营者，是否仍在经营须现场核实",
        "registration or licence has ended, or is a former operator's: whether it still trades must be checked on site",
    ),
}
"""Chinese and English, as reports say them."""

OF_PAPERS = frozenset(
    {
        Reason.RULE_DAY_UNKNOWN, Reason.LICENCE_UNKNOWN, Reason.SITE_DAY_UNKNOWN, Reason.SCOPE_UNKNOWN,
        Reason.BEFORE_RULE, Reason.LICENCE_RUNS, Reason.SITE_CAME_LATER, Reason.ENDED,
    }
)  # fmt: skip
"""Reasons that dates and scope give; the others are of measuring."""

_OF_KNOWN = np.array(
    [
        Reason.WITHIN_ERROR if known in (Known.MEASURED, Known.BEYOND_LIMIT) else Reason[known.name]
        for known in Known
    ],
    dtype=np.int8,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """Columns of one shape."""

    verdict: Codes
    reason: Codes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Papers:
    """What papers say, columns of days (``date.toordinal``, ``UNKNOWN_DAY`` where nobody knows)."""

    established_on: IntArray
    licence_from: IntArray
    licence_to: IntArray
    site_opened_on: IntArray
    is_ended: Flags
    """That it trades as this, only papers say that have ended."""


def judge_interval(low_m: FloatArray, high_m: FloatArray, known: Codes, rule: DistanceRule) -> Judged:
    """By distance alone. ``low_m`` <= ``high_m``, metres; ``known`` holds ``Known`` codes."""
    breaks = high_m <= rule.threshold_m if rule.is_inclusive else high_m < rule.threshold_m
    keeps = low_m > rule.threshold_m if rule.is_inclusive else low_m >= rule.threshold_m
    verdict = np.where(breaks, Verdict.BREACH, np.where(keeps, Verdict.CLEAR, Verdict.SURVEY)).astype(np.int8)
    reason = np.where(breaks | keeps, np.int8(Reason.DISTANCE), _OF_KNOWN[known])
    reason[breaks & (known == Known.INSIDE)] = Reason.INSIDE
    return Judged(verdict=verdict, reason=reason)


def agreed(one: Judged, other: Judged) -> Judged:
    """What two readings of a rule that names no method agree on; else somebody must look."""
    same = one.verdict == other.verdict
    verdict = np.where(same, one.verdict, np.int8(Verdict.SURVEY))
    decided = (one.verdict != Verdict.SURVEY) & (other.verdict != Verdict.SURVEY)
    undecided = np.where(one.verdict == Verdict.SURVEY, one.reason, other.reason)
    reason = np.where(same, one.reason, np.where(decided, np.int8(Reason.READINGS_DIFFER), undecided))
    return Judged(verdict=verdict, reason=reason)


def with_papers(judged: Judged, papers: Papers, rule: DistanceRule, *, on: date) -> Judged:
    """What dates and scope change on the day ``on``; what is clear by distance stays so."""
    verdict, reason = judged.verdict.copy(), judged.reason.copy()
    near = verdict != Verdict.CLEAR

    def settle(rows: Flags, outcome: Verdict, why: Reason) -> None:
        hit = rows & near & (verdict != Verdict.GRANDFATHERED)
        if outcome is Verdict.SURVEY:
            hit &= verdict == Verdict.BREACH
        verdict[hit], reason[hit] = outcome, why

    if rule.is_later_site_exempt:
        unknown = (papers.established_on == UNKNOWN_DAY) | (papers.site_opened_on == UNKNOWN_DAY)
        settle(
            ~unknown & (papers.site_opened_on > papers.established_on), Verdict.GRANDFATHERED, Reason.SITE_CAME_LATER
        )
        settle(papers.established_on == UNKNOWN_DAY, Verdict.SURVEY, Reason.LICENCE_UNKNOWN)
        settle(papers.site_opened_on == UNKNOWN_DAY, Verdict.SURVEY, Reason.SITE_DAY_UNKNOWN)
    if rule.applies_to is AppliesTo.NEW:
        since, kept, why = _kept(papers, rule, on)
        first, last = (day.toordinal() for day in rule.first_days)
        older = (since != UNKNOWN_DAY) & (since < first)
        settle(older & (kept == 1), Verdict.GRANDFATHERED, why)
        settle((since == UNKNOWN_DAY) | (older & (kept == UNKNOWN_DAY)), Verdict.SURVEY, Reason.LICENCE_UNKNOWN)
        settle((first <= since) & (since < last) & (kept != 0), Verdict.SURVEY, Reason.RULE_DAY_UNKNOWN)
    if not rule.is_surely_begun(on):
        settle(np.ones_like(near), Verdict.SURVEY, Reason.RULE_DAY_UNKNOWN)
    if rule.scope_zh:
        settle(np.ones_like(near), Verdict.SURVEY, Reason.SCOPE_UNKNOWN)
    settle(papers.is_ended, Verdict.SURVEY, Reason.ENDED)
    return Judged(verdict=verdict, reason=reason)


def _kept(papers: Papers, rule: DistanceRule, on: date) -> tuple[IntArray, IntArray, Reason]:
    """Since when each venue has its place, whether it may keep it (1, 0, or not known), and why."""
    if rule.grandfather is Grandfather.UNTIL_EXPIRY:
        runs = np.where(papers.licence_to == UNKNOWN_DAY, UNKNOWN_DAY, papers.licence_to >= on.toordinal())
        return papers.licence_from, runs.astype(np.int64), Reason.LICENCE_RUNS
    return papers.established_on, np.ones_like(papers.established_on), Reason.BEFORE_RULE
