"""The law of distance as a page that a lawyer reads and corrects. Chinese first."""

from collections.abc import Iterable

from venues.category import CATEGORY_NAMES_ZH, SiteCategory, VenueCategory
from venues.distance_law import DistanceLaw
from venues.distance_rule import (
    AppliesTo,
    DistanceRule,
    Grandfather,
    RuleStatus,
    Verification,
)
from venues.distance_words import threshold_zh

_KEPT = {Grandfather.FOR_GOOD: "此前设立的不适用", Grandfather.UNTIL_EXPIRY: "此前许可的，到期为止"}
_WORDS = {
    Verification.LAW_TEXT: "已读条文",
    Verification.WEB_PAGE: "网页转述，待核对",
    Verification.OFFICE: "本单位核对",
}
_SCHOOLS = frozenset(SiteCategory) - {SiteCategory.KINDERGARTEN}


def law_page(law: DistanceLaw) -> str:
    """Markdown: one chapter per rule, the winning ones of a place last, and what is missing."""
    lines = [
        "# 距离规则 The law of distance",
        "",
        "由 `venues/distance_law.toml` 生成（`make record`），请勿手改。同一类场所有几条规则的，越具体的地方越优先，",
        "其次是后施行的；未写明量法的，让位于写明量法且距离不小于它的。请法律人员逐条核对，尤其是“待核对”的。",
        "Made from the shipped rules. Of several about one kind of venue the most local wins, then the later; one",
        "without a method yields to one that has it, for as many metres or more. Lawyers are asked to check each.",
        "",
    ]
    for rule in law.rules:
        lines += _chapter(rule)
    lines += ["## 未找到的规则 What is missing", ""]
    lines += [f"- {gap.jurisdiction}：{gap.note_zh}。 / {gap.note_en}." for gap in law.gaps]
    return "\n".join(lines) + "\n"


def _chapter(rule: DistanceRule) -> list[str]:
    since = _since(rule)
    until = f"，至 {rule.effective_to.isoformat()}" if rule.effective_to else ""
    draft = "（征求意见稿，不适用）" if rule.status is RuleStatus.DRAFT else ""
    whom = "既有与新设" if rule.applies_to is AppliesTo.ALL else "新设、新办"
    kept = f"；{_KEPT[rule.grandfather]}" if rule.grandfather else ""
    later = "；学校后建的不算" if rule.is_later_site_exempt else ""
    scope = f"；{rule.scope_zh}" if rule.scope_zh else ""
    return [
        f"## {rule.rule_id}{draft}",
        "",
        f"- 地区：{rule.jurisdiction}；{since}{until}",
        f"- 场所：{_names(rule.venue_categories)}；学校：{_sites(rule.site_categories)}",
        f"- 距离：{threshold_zh(rule)}",
        f"- 适用：{whom}{kept}{later}{scope}",
        f"- 依据：{rule.document}",
        f"- 要点：{rule.text_zh}",
        f"- 来源：{rule.source}（{_WORDS[rule.verification]}）",
        "",
    ]


def _since(rule: DistanceRule) -> str:
    if rule.effective_from is not None:
        return rule.effective_from.isoformat()
    if rule.from_earliest is None or rule.from_latest is None:
        return "施行日未核实"
    return f"施行日未核实，在 {rule.from_earliest.isoformat()} 与 {rule.from_latest.isoformat()} 之间"


def _sites(categories: frozenset[SiteCategory]) -> str:
    words = ["学校（普通中小学、中职、特殊教育、专门学校）"] if categories >= _SCHOOLS else [
        _names(categories - {SiteCategory.KINDERGARTEN})]  # fmt: skip
    if SiteCategory.KINDERGARTEN in categories:
        words.append("幼儿园")
    return "、".join(word for word in words if word)


def _names(categories: Iterable[VenueCategory | SiteCategory]) -> str:
    return "、".join(CATEGORY_NAMES_ZH[category] for category in sorted(categories))
