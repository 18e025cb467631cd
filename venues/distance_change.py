"""Why a verdict is another one than before, in plain words: rule, gate, place, papers, division. Pure.

The history keeps what each run said; what differs between two entries is told with both values, and what stayed the
same is told too, so that nobody must guess whether a closed gate also moved the straight line.
"""

from dataclasses import dataclass

from venues.category import CATEGORY_NAMES_ZH, VenueCategory
from venues.distance_history import Cause
from venues.distance_rule import DistanceRule
from venues.distance_verdict import REASON_TEXTS, Reason
from venues.distance_words import threshold_zh, walk_missing_zh

_SAME_M = 0.05
"""As exact as metres are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One entry of the history of a pair, as far as it explains the next one."""

    rule: DistanceRule
    reason: Reason
    division: str
    straight_m: float | None
    walking_m: float | None
    walk_status: int
    gate_id: str | None
    """Where the way on foot begins."""
    is_disputed: bool
    categories: frozenset[VenueCategory] = frozenset()
    """What the venue was judged as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """One sentence or two, without names of people."""

    zh: str
    en: str


def why_changed(
    cause: Cause, before: Said | None, after: Said | None, *, is_known: bool, is_gate_closed: bool | None = None
) -> Why:
    """What differs. ``is_known``: whether anything that the reader sees was ever said of the pair.

    ``is_gate_closed``: of the gate walked from before, as registered now; ``None`` if it is not registered.
    """
    if cause is Cause.MOVED:
        return Why(
            zh="已移至其他区划，此后的结论由该区划的人员办理",
            en="now in another division: its officers see what is found from then on",
        )
    if after is None:
        return Why(
            zh="已不在附近、已撤出登记册，或不再受任何规则约束",
            en="no longer near, no longer registered, or bound by no rule",
        )
    if before is None and is_known:
        return Why(zh="又在附近，或再次受规则约束", en="near again, or bound by a rule again")
    if before is None and cause is not Cause.FIRST:
        return Why(zh="此前在其他区划", en="in another division before")
    if before is None:
        return Why(zh="首次测量", en="measured for the first time")
    told = {Cause.RULE: _rule, Cause.PAPERS: _papers, Cause.DIVISION: _division, Cause.CATEGORY: _category}.get(cause)
    parts = [
        _measured(before, after) if cause is Cause.DISTANCE else None,
        None if told is None else told(before, after),
        _gate(before, after, is_gate_closed=is_gate_closed),
        _straight(before, after),
        _walking(before, after),
    ]
    found = [part for part in parts if part is not None]
    return Why(zh="；".join(part.zh for part in found), en="; ".join(part.en for part in found))


def _rule(before: Said, after: Said) -> Why:
    if before.rule == after.rule and before.is_disputed == after.is_disputed:
        return Why(zh="适用于场所其他类别的规则变了", en="another rule binds another kind of the venue")
    if before.rule == after.rule:
        disputed = "另有规则结论不同，须明确适用哪一条" if after.is_disputed else "其他规则不再有不同结论"
        return Why(
            zh=disputed, en="another rule now says otherwise" if after.is_disputed else "no other rule differs now"
        )
    return Why(
        zh=f"规则由{_named_zh(before.rule)}改为{_named_zh(after.rule)}",
        en=f"the rule changed from {_named_en(before.rule)} to {_named_en(after.rule)}",
    )


def _measured(before: Said, after: Said) -> Why | None:
    """What is known of the ends, if nothing else differs: whether all gates are registered, how wrong a place is."""
    if before.reason is after.reason or (before.gate_id, before.straight_m, before.walking_m) != (
        after.gate_id, after.straight_m, after.walking_m
    ):  # fmt: skip
        return None
    (was_zh, was_en), (is_zh, is_en) = REASON_TEXTS[before.reason], REASON_TEXTS[after.reason]
    return Why(zh=f"原为“{was_zh}”，现为“{is_zh}”", en=f"it was '{was_en}', it is '{is_en}'")


def _papers(before: Said, after: Said) -> Why:
    if before.reason is after.reason:
        return Why(zh="对场所其他类别的结论变了", en="what is said of another kind of the venue changed")
    (was_zh, was_en), (is_zh, is_en) = REASON_TEXTS[before.reason], REASON_TEXTS[after.reason]
    return Why(
        zh=f"许可或日期变了：原为“{was_zh}”，现为“{is_zh}”",
        en=f"papers or days changed: it was '{was_en}', it is '{is_en}'",
    )


def _division(before: Said, after: Said) -> Why:
    return Why(
        zh=f"所在区划由 {before.division} 改为 {after.division}",
        en=f"the venue counts in division {after.division} instead of {before.division}",
    )


def _category(before: Said, after: Said) -> Why:
    return Why(
        zh=f"登记或查见的场所类别变了：原按{_kinds_zh(before)}，现按{_kinds_zh(after)}",
        en=f"it is another kind of venue: judged as {_kinds_en(before)} before, as {_kinds_en(after)} now",
    )


def _gate(before: Said, after: Said, *, is_gate_closed: bool | None) -> Why | None:
    """What became of the gate that counted, if another one counts now, or none can be walked through."""
    if before.gate_id in {None, after.gate_id}:
        return None
    if is_gate_closed:
        then = "" if after.gate_id is None else f"，改自校门 {after.gate_id} 步行"
        now = "" if not then else f", walked from gate {after.gate_id}"
        return Why(
            zh=f"校门 {before.gate_id} 已登记为关闭{then}", en=f"gate {before.gate_id} is registered as closed{now}"
        )
    return Why(
        zh=f"步行起点由校门 {before.gate_id} 改为 {after.gate_id or '（无）'}",
        en=f"walked from gate {after.gate_id or '(none)'} instead of {before.gate_id}",
    )


def _straight(before: Said, after: Said) -> Why:
    was, now = before.straight_m, after.straight_m
    if was is not None and now is not None and abs(was - now) < _SAME_M:
        return Why(zh=f"直线未变（{now:.1f} 米）", en=f"the straight line is the same ({now:.1f} m)")
    return Why(zh=f"直线由{_m(was)}变为{_m(now)}", en=f"straight {_m_en(was)} before, {_m_en(now)} now")


def _walking(before: Said, after: Said) -> Why:
    was, now = before.walking_m, after.walking_m
    if was is not None and now is not None and abs(was - now) < _SAME_M:
        return Why(zh=f"步行未变（{now:.1f} 米）", en=f"the way on foot is the same ({now:.1f} m)")
    was_zh, now_zh = (_walked_zh(said) for said in (before, after))
    if was is now is None and was_zh == now_zh:
        return Why(zh=f"步行仍为“{now_zh}”", en="there is still no way on foot that was measured")
    return Why(zh=f"步行由 {was_zh} 变为 {now_zh}", en=f"on foot {_m_en(was)} before, {_m_en(now)} now")


def _walked_zh(said: Said) -> str:
    return walk_missing_zh(said.walk_status, said.rule) if said.walking_m is None else f"{said.walking_m:.1f} 米"


def _kinds_zh(said: Said) -> str:
    return "、".join(CATEGORY_NAMES_ZH[category] for category in sorted(said.categories))


def _kinds_en(said: Said) -> str:
    return ", ".join(sorted(said.categories))


def _m(metres: float | None) -> str:
    return "不详" if metres is None else f" {metres:.1f} 米"


def _m_en(metres: float | None) -> str:
    return "not measured" if metres is None else f"{metres:.1f} m"


def _named_zh(rule: DistanceRule) -> str:
    return f"《{rule.document}》（限 {threshold_zh(rule)}，版本 {rule.rule_version}）"


def _named_en(rule: DistanceRule) -> str:
    metric = "by a method not said" if rule.metric is None else rule.metric.value
    return f"{rule.rule_id} ({rule.threshold_m:g} m {metric}, version {rule.rule_version})"
