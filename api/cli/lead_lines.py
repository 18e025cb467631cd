"""Leads and their figures in lines for the terminal, Chinese first."""

from collections.abc import Iterator

from api.cli.case_lines import Item, minute
from api.leads import GROUND_NAMES_ZH, names_of
from venues.lead import STATE_NAMES_ZH, STEP_NAMES_ZH, LeadStep
from venues.lead_figures import OUTCOME_NAMES_ZH, LeadFigures, LeadOutcome

_COLOUR_NAMES_ZH = {"green": "期限内", "yellow": "将到期", "red": "已超期"}


def lead_lines(item: Item) -> Iterator[str]:
    """One lead in a list."""
    sure = "" if item["is_sure"] else "（待现场确认）"
    yield f"{STATE_NAMES_ZH[item['state']]} {item['state']}  {GROUND_NAMES_ZH[item['ground']]}{sure}"
    yield f"  {item['venue_name']}  {item['venue_address']}  {names_of(item['categories'])}"
    yield f"  {item['regulator'] or '部门未明确：' + '、'.join(item['candidates'])}"
    if item["due_on"] is not None:
        yield f"  {_clock_line(item)}"
    for year in item["weekends_only_years"]:
        yield f"  {year} 年日历未导入 calendar of {year} not imported: weekends only"
    if item["recheck_on"] is not None:
        due = "（已到期 due）" if item["is_recheck_due"] else ""
        yield f"  应回访 look again on {item['recheck_on']}{due}"
    yield f"  id {item['lead_id']}"


def _clock_line(item: Item) -> str:
    due = f"{_COLOUR_NAMES_ZH[item['colour']]} {item['colour']}：应于 {item['due_on']} 前回复"
    if item["replied_on"] is not None:
        return f"{due}，{item['replied_on']} 已回复 answered"
    if item["waited_until"] is not None:
        return f"{due}，未回复；自 {item['waited_until']} 起不再等待 no longer waited for"
    return f"{due}，余 {item['days_left']} 日 days left"


def whole_lead_lines(item: Item) -> Iterator[str]:
    """One lead with all that is known."""
    yield from lead_lines(item)
    yield f"  {item['route_zh']} / {item['route_en']}"
    for fact in item["facts"]:
        yield f"  · {fact}"
    if item["has_changed"]:
        yield "  结论已变，现为 what is found has changed since; now:"
        for line in item["present"]:
            yield f"  · {line}"
    for event in item["events"]:
        day = "" if event["on"] is None else f"（{event['on']}）"
        told = "  ".join(text for text in (event["regulator"], event["document_number"], event["note"]) if text)
        who = event["by"] or "系统 the program"
        yield f"  {minute(event['at'])}  {STEP_NAMES_ZH[event['step']]}{_found(event)}{day}  {told}  {who}"
    steps = "、".join(f"{STEP_NAMES_ZH[step]} {step}" for step in item["next_steps"])
    yield f"  下一步 next: {steps or '–'}"


def figure_lines(figures: LeadFigures) -> Iterator[str]:
    """Counts and shares."""
    states = "  ".join(f"{STATE_NAMES_ZH[state]} {count}" for state, count in sorted(figures.by_state.items()))
    grounds = "  ".join(f"{GROUND_NAMES_ZH[ground]} {count}" for ground, count in sorted(figures.by_ground.items()))
    days = "–" if figures.median_reply_days is None else f"{figures.median_reply_days:.0f}"
    yield f"线索 leads {figures.lead_count}：{states}"
    yield f"情形 grounds：{grounds or '–'}"
    yield f"已核查 checked {figures.checked_count}，属实 found {_share(figures.found_share)}"
    yield (
        f"已送达 delivered {figures.delivered_count}，按期回复 in time {_share(figures.replied_in_time_share)}，"
        f"超期未复 overdue {figures.overdue_count}，回复用时中位数 median days {days}"
    )
    yield f"回访已整改 remedied {_share(figures.remedied_share)}"
    outcomes = "  ".join(f"{OUTCOME_NAMES_ZH[one]} {one} {figures.by_outcome.get(one, 0)}" for one in LeadOutcome)
    yield f"结果 outcomes：{outcomes}"


def month_rows(figures: LeadFigures) -> list[tuple[str, ...]]:
    """What was done in each month, with a heading."""
    rows: list[tuple[str, ...]] = [
        ("月份 month", "发现 opened", "核查 checked", "磋商 consulted", "建议 recommended", "回复 answered",
         "回访 rechecked", "办结 ended")
    ]  # fmt: skip
    return rows + [
        (month, *map(str, (held.opened_count, held.checked_count, held.consulted_count, held.recommended_count,
                           held.replied_count, held.rechecked_count, held.ended_count)))
        for month, held in figures.by_month.items()
    ]  # fmt: skip


def regulator_rows(figures: LeadFigures) -> list[tuple[str, ...]]:
    """What each agency was asked and how it kept time, with a heading."""
    rows: list[tuple[str, ...]] = [
        ("行政机关 agency", "磋商 consulted", "建议 recommended", "回复 answered", "按期 in time", "超期 overdue",
         "整改 remedied")
    ]  # fmt: skip
    return rows + [
        (name, *map(str, (held.consulted_count, held.recommended_count, held.replied_count, held.replied_in_time_count,
                          held.overdue_count, held.remedied_count)))
        for name, held in figures.by_regulator.items()
    ]  # fmt: skip


def _found(event: Item) -> str:
    if event["is_found"] is None:
        return ""
    if event["step"] is LeadStep.RECHECK:
        return "：已整改" if event["is_found"] else "：未整改"
    return "：属实" if event["is_found"] else "：未发现"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
