"""The law of distance in lines for the terminal, Chinese first."""

from collections.abc import Iterator, Sequence
from typing import Any

from api.cli.case_lines import Item, minute
from api.distance import Evaluated
from venues.category import CATEGORY_NAMES_ZH, VenueCategory
from venues.distance_verdict import VERDICT_NAMES_ZH, Verdict
from venues.site_gates import NAMED_GATE_REACH_M

_CAUSE_NAMES_ZH = {
    "first": "首次",
    "rule": "规则变了",
    "distance": "位置、校门或路网变了",
    "papers": "许可、日期或到期",
    "category": "场所类别变了",
    "division": "所在区划变了",
    "gone": "不再受规则约束",
    "moved": "已移至其他区划",
}

_MOST_NAMED = 20

_CAUSE_NAMES = {"moved": "now in another division"}
"""Where the word alone does not say it."""

_GATE_KIND_NAMES_ZH = {"student": "学生", "service": "后勤", "unknown": "不详"}


def evaluated_lines(one: Evaluated) -> Iterator[str]:
    """One day's run in numbers."""
    run = one.run
    yield (
        f"{run.on.isoformat()}  场所 venues {len(run.venues):,}  学校 sites {len(run.sites):,}  规则 rules"
        f" {len(run.rules)}  路网 network {(run.network_version or '无 none')[:16]}"
    )
    yield "  " + "  ".join(
        f"{VERDICT_NAMES_ZH[verdict]} {verdict.name.lower()}: {one.count(verdict):,}"
        for verdict in (Verdict.BREACH, Verdict.SURVEY, Verdict.GRANDFATHERED, Verdict.CLEAR)
    )
    yield f"  变化 changes: {one.change_count:,}  新线索 new leads: {one.lead_count:,}"
    if one.run_no is None:
        yield "  将来之日，仅预演：未保存，不列线索 / a day to come: told only, nothing is kept and no lead opened"


def outside_lines(count: int, division: str) -> Iterator[str]:
    """Who will not see venues that lie in no imported boundary."""
    if count and division.endswith("00"):
        yield (
            f"{count:,} 家场所不在已导入的区划边界内，按 {division} 计：区县人员看不到其结论与线索，请先导入区县边界"
            f" / {count:,} venues lie in no imported boundary and count as of {division}: its districts do not"
            " see what is found about them until the boundaries of districts are in (hulan import boundaries)"
        )


def uncounted_lines(gates: Sequence[str]) -> Iterator[str]:
    """Gates that were not counted, though their rows name a school."""
    if gates:
        some = "、".join(gates[:_MOST_NAMED]) + ("……" if len(gates) > _MOST_NAMED else "")
        yield (
            f"{len(gates):,} 个校门不计：所指学校未登记，或距其校园超过 {NAMED_GATE_REACH_M:g} 米，"
            f"请核对学校编号与坐标：{some}"
            f" / {len(gates):,} gates do not count: the school that they name is not registered, or is farther than"
            f" {NAMED_GATE_REACH_M:g} m: check its id and their coordinates"
        )


def later_lines(count: int) -> Iterator[str]:
    """Places that are not evaluated yet."""
    if count:
        yield (
            f"{count:,} 处场所登记的起始日期晚于评估之日，到期再评估；日期有误的请更正后重新导入"
            f" / {count:,} places begin after the day that was evaluated, by their registers: they are evaluated from"
            " then on; correct the day and import again where it is wrong"
        )


def finding_lines(item: Item) -> Iterator[str]:
    """A verdict of today."""
    as_zh = f"（作为{_kinds(item)}）" if item["others"] else ""
    yield (
        f"{_said(item['verdict'])}{as_zh}  {item['venue_name']} — {item['site_name']}  {item['venue_id']}"
        f"  编号 no. {item['finding_no']}"
    )
    yield f"  {_metres(item)}  限 {item['threshold_m']:g} 米  {item['document']}"
    yield f"  {item['reason_zh']}{'；各规则结论不一，须明确适用哪一条' if item['is_disputed'] else ''}"
    for other in item["others"]:
        words = ", ".join(other["categories"])
        yield f"  作为{_kinds(other)}（{words}）：{_said(other['verdict'])}  {other['rule_id']}"


def change_lines(item: Item) -> Iterator[str]:
    """What a run changed, and from what."""
    before = "" if item["verdict_before"] is None else f"{_said(item['verdict_before'])} → "
    after = "—" if item["verdict"] is None else _said(item["verdict"])
    yield f"{before}{after}  {item['venue_name']} — {item['site_name']}  {item['venue_id']}"
    yield f"  {_CAUSE_NAMES_ZH[item['cause']]} {item['cause']}，自 from {item['holds_from']}  {_metres(item)}"
    yield f"  原因 why：{item['why_zh']}"
    yield f"    {item['why_en']}"


def history_lines(item: Item) -> Iterator[str]:
    """An entry of a venue's history."""
    silent = f"{_CAUSE_NAMES_ZH[item['cause']]} {_CAUSE_NAMES.get(item['cause'], item['cause'])}"
    said = silent if item["verdict"] is None else f"{_said(item['verdict'])}：{item['reason_zh']}"
    yield f"自 from {item['holds_from']}  {item['site_name']}（{item['site_id']}）  {said}"
    if item["verdict"] is not None:
        yield f"  {_metres(item)}  {item['document']}（{item['rule_id']}，版本 {item['rule_version']}）"
    yield f"  {_CAUSE_NAMES_ZH[item['cause']]} {item['cause']}；记录于 recorded {minute(item['recorded_at'])}"


def gate_lines(item: Item) -> Iterator[str]:
    """One version of a gate."""
    until = "至今 until now" if item["superseded_at"] is None else f"至 until {minute(item['superseded_at'])}"
    yield f"{item['gate_id']}  自 from {minute(item['imported_at'])} {until}  {item['imported_by']}"
    state = "关闭 closed" if item["is_closed"] else "开放 open"
    kind = f"{_GATE_KIND_NAMES_ZH[item['kind']]} {item['kind']}"
    as_of = f"  数据截至 as of {item['data_on']}" if item["data_on"] else ""
    yield f"  {state}  {kind}  {item['longitude']:.7f}, {item['latitude']:.7f}{as_of}"
    if item["is_withdrawn"]:
        gone = f"（数据截至 as of {item['gone_on']}）" if item["gone_on"] else ""
        yield f"  已撤回：其后的登记中没有此校门 withdrawn: the register has it no longer{gone}"


def rule_lines(item: Item) -> Iterator[str]:
    """One version of a rule."""
    yield f"{item['rule_id']}  版本 {item['rule_version']}  {item['jurisdiction']}"
    yield f"  {item['document']}：{item['threshold_zh']}"
    between = f"{item['from_earliest']} 与 {item['from_latest']} 之间某日（未核实 not verified）"
    yield f"  {item['effective_from'] or between} – {item['effective_to'] or ''}"
    yield f"  来源 {item['source']}（{item['verification']}）"


def _kinds(item: Item) -> str:
    return "、".join(CATEGORY_NAMES_ZH[VenueCategory(category)] for category in item["categories"])


def _said(verdict: str) -> str:
    return f"{VERDICT_NAMES_ZH[Verdict[verdict.upper()]]} {verdict}"


def _metres(item: Item) -> str:
    return f"直线 straight {_one(item, 'straight')}  步行 on foot {_one(item, 'walking')}"


def _one(item: Any, which: str) -> str:
    metres, error_m = item[f"{which}_m"], item[f"{which}_error_m"]
    return "–" if metres is None else f"{metres:.0f} 米 ± {error_m or 0:.0f} 米"
