"""A finding and a measurement in words, Chinese first: what leads and the measurement report say. Pure."""

import math
from datetime import date

from geo.walk import WalkStatus
from venues.category import CATEGORY_NAMES_ZH
from venues.distance import DistanceFinding, counting_gates
from venues.distance_ends import Campus, Door, Gate, PlacedVenue, ProtectedSite
from venues.distance_pairs import NO_NETWORK
from venues.distance_reading import NO_OPEN_GATE
from venues.distance_rule import DistanceRule, Metric, SiteEnd, VenueEnd
from venues.distance_verdict import REASON_TEXTS, VERDICT_NAMES_ZH
from venues.measurement import Measurement

SITE_END_NAMES_ZH: dict[SiteEnd | None, str] = {
    SiteEnd.BOUNDARY: "围墙或校园边界",
    SiteEnd.ALL_GATES: "所有出入口",
    SiteEnd.STUDENT_GATES: "学生出入的校门",
    None: "（未写明）",
}
VENUE_END_NAMES_ZH: dict[VenueEnd | None, str] = {
    VenueEnd.DOOR: "主要出入口",
    VenueEnd.ANY_DOOR: "任一出入口",
    VenueEnd.FOOTPRINT: "场所边沿",
    None: "（未写明）",
}
METRIC_NAMES_ZH: dict[Metric | None, str] = {
    Metric.STRAIGHT: "直线",
    Metric.WALKING: "步行",
    None: "量法未写明",
}
_NOT_WALKED = {
    WalkStatus.BEYOND_LIMIT.value: "超出测量范围",
    WalkStatus.UNREACHABLE.value: "路网上不可达",
    WalkStatus.NOT_SNAPPED.value: "一端不在路网上",
    NO_NETWORK: "没有路网，未测",
}


def threshold_zh(rule: DistanceRule) -> str:
    """How far the rule asks and how it measures: ``100 米（含本数），步行，从……到……``."""
    counts = "含本数" if rule.is_inclusive else "不含本数"
    ends = f"从{SITE_END_NAMES_ZH[rule.site_end]}到{VENUE_END_NAMES_ZH[rule.venue_end]}"
    return f"{rule.threshold_m:g} 米（{counts}），{METRIC_NAMES_ZH[rule.metric]}，{ends}"


def straight_zh(finding: DistanceFinding) -> str:
    """``43 米 ± 2 米``; says so inside the wall, and where what the rule measures from is not registered."""
    inside = "（在校园内）" if finding.straight_m == 0.0 else ""
    return f"{_metres(finding.straight_m, finding.straight_error_m)}{inside or _instead_zh(finding)}"


def _instead_zh(finding: DistanceFinding) -> str:
    """To what it is measured where the end that the rule names is not registered."""
    site_end, campus = finding.rule.readings[0].site_end, finding.campus
    reached = "边界" if campus.boundary else "学校点位"
    if finding.straight_gate is not None:
        reached = f"校门 {finding.straight_gate.gate_id}"
    if site_end is SiteEnd.BOUNDARY:
        return "" if campus.boundary else f"（边界未登记，量至{reached}）"
    return "" if counting_gates(campus, site_end) else f"（{_gates_zh(site_end)}未登记，量至{reached}）"


def walking_zh(finding: DistanceFinding) -> str:
    """``110 米 ± 2 米``, with the gate where it is another one than the straight line's; or why there is none."""
    if not math.isnan(finding.walking_m):
        gate = finding.walk_gate
        of_gate = "" if gate is None or gate == finding.straight_gate else f"（自校门 {gate.gate_id}）"
        return f"{_metres(finding.walking_m, finding.walking_error_m)}{of_gate}"
    site_end = finding.rule.readings[-1].site_end
    if finding.walk_status == NO_OPEN_GATE and not _walked_from(finding.campus, site_end):
        return f"{_gates_zh(site_end)}未登记，未测"
    return walk_missing_zh(finding.walk_status, finding.rule)


def walk_missing_zh(walk_status: int, rule: DistanceRule) -> str:
    """Why a way on foot has no length: ``geo.walk.WalkStatus``, ``NO_NETWORK``, or ``NO_OPEN_GATE``."""
    return _NOT_WALKED.get(walk_status, f"没有开放的{_gates_zh(rule.readings[-1].site_end)}，未测")


def _walked_from(campus: Campus, site_end: SiteEnd) -> tuple[Gate, ...]:
    return campus.gates if site_end is SiteEnd.BOUNDARY else counting_gates(campus, site_end)


def _gates_zh(site_end: SiteEnd) -> str:
    return "学生校门" if site_end is SiteEnd.STUDENT_GATES else "校门"


def finding_line(finding: DistanceFinding) -> str:
    """One finding as a fact of a lead, in Chinese and English; of a venue of several categories it says as which."""
    reason_zh, reason_en = REASON_TEXTS[finding.reason]
    return (
        f"{_as_zh(finding)}距{finding.site.name}直线 {straight_zh(finding)}，步行 {walking_zh(finding)}，"
        f"限 {finding.rule.threshold_m:g} 米（{finding.rule.document}）：{VERDICT_NAMES_ZH[finding.verdict]}，"
        f"{reason_zh} / {finding.verdict.name.lower()} by rule {finding.rule.rule_id}: {reason_en}"
    )


def measurement_lines(made: Measurement) -> tuple[tuple[str, str], ...]:
    """What the report of a measurement says, as headings and texts in order; coordinates are WGS-84 degrees."""
    found, given = made.finding, made.given
    reason_zh, reason_en = REASON_TEXTS[found.reason]
    verdict_zh = f"{_as_zh(found)}{VERDICT_NAMES_ZH[found.verdict]}"
    lines = [
        ("场所 Venue", f"{found.venue.name}（{found.venue.venue_id}）"),
        ("学校 Site", f"{found.site.name}（{found.site.site_id}，校区 {found.campus.campus_id}）"),
        ("规则 Rule", f"{found.rule.document}（{found.rule.rule_id}，版本 {found.rule.rule_version}）"),
        ("原文要点 Text", found.rule.text_zh),
        ("距离要求 Threshold", threshold_zh(found.rule)),
        *([("适用范围 Scope", found.rule.scope_zh)] if found.rule.scope_zh else []),
        ("直线 Straight", f"{straight_zh(found)}{_straight_ends_zh(found)}"),
        ("步行 On foot", _walk_between_zh(found)),
        ("误差区间 Interval", interval_zh(found)),
        ("结论 Verdict", f"{verdict_zh}：{reason_zh} / {found.verdict.name.lower()}: {reason_en}"),
    ]
    lines += [
        (
            "其他类别 Other kind",
            f"{_as_zh(part)}{VERDICT_NAMES_ZH[part.verdict]}，{REASON_TEXTS[part.reason][0]}：{part.rule.document}"
            f"（{part.rule.rule_id}，版本 {part.rule.rule_version}；{_terms_zh(part.rule)}）",
        )
        for part in found.others
    ]
    lines += [
        (
            "另一规则 Another rule",
            f"{other.rule.document}：{VERDICT_NAMES_ZH[other.verdict]}（{_terms_zh(other.rule)}）",
        )
        for part in found.parts
        for other in part.beaten
    ]
    return (
        *lines,
        ("适用之日 Law of", given.on.isoformat()),
        (
            "数据日期 Data of",
            f"场所 {_described(found.venue)}，学校 {_described(found.site)}，路网 {_day(given.network_on)}",
        ),
        ("路网版本 Network", given.network_version or "无 none"),
        ("方法 Method", f"{given.method}，假设 {given.policy.version}"),
        ("校验值 SHA-256", made.hash),
    )


def interval_zh(finding: DistanceFinding) -> str:
    """Between what the distance that the rule means may be, with errors and all that is not registered."""
    low = f"{finding.low_m:.0f} 米"
    return f"{low}至 {finding.high_m:.0f} 米" if math.isfinite(finding.high_m) else f"至少 {low}"


def _straight_ends_zh(finding: DistanceFinding) -> str:
    """Between what the straight line runs."""
    if math.isnan(finding.straight_m):
        return ""
    if finding.straight_gate is not None:
        begins = _gate_zh(finding.straight_gate)
    elif finding.campus.boundary is not None:
        begins = "校园边界"
    else:
        begins = f"学校点位 {_place(finding.campus)}"
    return f"，自{begins}至{'场所边沿' if finding.is_to_edge else _door_zh(finding.venue, finding.straight_door)}"


def _walk_between_zh(finding: DistanceFinding) -> str:
    """The way on foot with both ends, or why there is none."""
    if finding.walk_gate is None:
        return walking_zh(finding)
    ends = f"自{_gate_zh(finding.walk_gate)}至{_door_zh(finding.venue, finding.walk_door)}"
    return f"{_metres(finding.walking_m, finding.walking_error_m)}，{ends}"


def _gate_zh(gate: Gate) -> str:
    closed = "，已封闭" if gate.is_closed else ""
    return f"校门 {gate.gate_id}（{_place(gate)}{closed}）"


def _door_zh(venue: PlacedVenue, door: Door | None) -> str:
    return f"场所点位 {_place(venue)}（出入口未登记）" if door is None else f"出入口 {_place(door)}"


def _terms_zh(rule: DistanceRule) -> str:
    """How far and how, and of what only."""
    return f"{threshold_zh(rule)}{'；' if rule.scope_zh else ''}{rule.scope_zh}"


def _as_zh(finding: DistanceFinding) -> str:
    """``作为网吧，`` of a venue that is something else too."""
    if len(finding.venue.categories) == 1:
        return ""
    return f"作为{'、'.join(CATEGORY_NAMES_ZH[category] for category in sorted(finding.categories))}，"


def _metres(metres: float, error_m: float) -> str:
    return "不详" if math.isnan(metres) else f"{metres:.0f} 米 ± {error_m:.0f} 米"


def _place(end: Campus | Gate | Door | PlacedVenue) -> str:
    return f"{end.longitude:.7f}, {end.latitude:.7f}"


def _described(end: PlacedVenue | ProtectedSite) -> str:
    """As of which day an end is described, and whether that is only when it was imported."""
    by_import = "（导入日，来源未注明数据日期 day of import, the source names none）" if end.is_dated_by_import else ""
    return f"{_day(end.data_on)}{by_import}"


def _day(day: date | None) -> str:
    return "不详" if day is None else day.isoformat()
