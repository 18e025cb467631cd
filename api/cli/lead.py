"""Leads on the command line, each command as one account: what is open, the next step, papers, figures."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from api.cli.acting import AsJson, By, acting, show
from api.cli.case_lines import Item, minute
from api.cli.screen import out, show_table
from api.clock import SystemClock
from api.leads import (
    GROUND_NAMES_ZH,
    STATE_NAMES_ZH,
    STEP_NAMES_ZH,
    LeadFilter,
    event_by,
    figures_of_leads,
    lead_shown,
    leads_shown,
    names_of,
    take_lead_step,
)
from api.papers.desk import PaperDesk, PaperKind
from api.papers.recommendation import TemplateError, load_template
from tracking.local_time import LOCAL_TIME
from venues.lead import LeadError, LeadState, LeadStep
from venues.lead_figures import LeadFigures
from venues.lead_pattern import LeadGround

lead = typer.Typer(help="检察监督线索。Leads about venues.", no_args_is_help=True)

LeadId = Annotated[UUID, typer.Argument(help="线索 id（见 hulan lead list）/ id of the lead")]
OnDay = Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="发生在哪一天 / on which day")]
Note = Annotated[str, typer.Option(help="说明 / in words")]
Number = Annotated[str, typer.Option("--number", help="文号 / number of the document")]
Regulator = Annotated[str, typer.Option(help="行政机关 / the agency")]

_COLOUR_NAMES_ZH = {"green": "期限内", "yellow": "将到期", "red": "已超期"}


@lead.command("list")
def list_leads(
    by: By,
    state: Annotated[LeadState | None, typer.Option(help="状态 / only of this state")] = None,
    ground: Annotated[LeadGround | None, typer.Option(help="情形 / only of this ground")] = None,
    overdue: Annotated[bool, typer.Option(help="只列回复超期的 / only those not answered in time")] = False,
    as_json: AsJson = False,
) -> None:
    """线索，最近的在前。Leads, the newest first.

    例 / example:  hulan lead list --by wang --overdue
    """
    wanted = LeadFilter(state=state, ground=ground, is_overdue=True if overdue else None)
    with acting(by) as who:
        found = leads_shown(who.connection, wanted, today=_today())
    show(found, lead_lines, none="没有线索 no leads", as_json=as_json)


@lead.command("show")
def show_lead(lead_id: LeadId, by: By, as_json: AsJson = False) -> None:
    """一条线索：事实、移送部门、期限、经过、下一步。One lead: facts, regulator, due day, events, what comes next.

    例 / example:  hulan lead show 0190f3a2-… --by wang
    """
    with acting(by) as who:
        found = lead_shown(who.connection, lead_id, today=_today())
    show([found], whole_lead_lines, none="", as_json=as_json)


@lead.command("check")
def check(
    lead_id: LeadId,
    by: By,
    on: OnDay,
    found: Annotated[bool, typer.Option("--found/--not-found", help="是否属实 / whether it was found")],
    note: Note = "",
) -> None:
    """登记现场核查：此前不得作任何处理。Somebody was there; nothing may follow before.

    例 / example:  hulan lead check 0190f3a2-… --on 2026-11-25 --found --note 柜台有卷烟 --by wang
    """
    _step(lead_id, by, LeadStep.CHECK, on=on.date(), is_found=found, note=note)


@lead.command("dismiss")
def dismiss(lead_id: LeadId, by: By, note: Note) -> None:
    """不立案，须写明理由。No case; say why."""
    _step(lead_id, by, LeadStep.DISMISS, note=note)


@lead.command("consult")
def consult(lead_id: LeadId, by: By, regulator: Regulator, note: Note = "") -> None:
    """与行政机关磋商。Consult the agency."""
    _step(lead_id, by, LeadStep.CONSULT, regulator=regulator, note=note)


@lead.command("recommend")
def recommend(lead_id: LeadId, by: By, regulator: Regulator, number: Number, note: Note = "") -> None:
    """制发检察建议。A recommendation to the agency.

    例 / example:  hulan lead recommend 0190f3a2-… --regulator 合成市烟草专卖局 --number 合成检建〔2026〕1号 --by wang
    """
    _step(lead_id, by, LeadStep.RECOMMEND, regulator=regulator, document_number=number, note=note)


@lead.command("deliver")
def deliver(
    lead_id: LeadId,
    by: By,
    on: OnDay,
    urgent: Annotated[bool, typer.Option(help="紧急情形，15 日 / 15 days instead of two months")] = False,
) -> None:
    """登记送达：回复期限自此起算。The recommendation was delivered: the clock runs from that day."""
    _step(lead_id, by, LeadStep.DELIVER, on=on.date(), is_urgent=urgent)


@lead.command("reply")
def reply(lead_id: LeadId, by: By, on: OnDay, number: Number = "", note: Note = "") -> None:
    """登记行政机关的回复。The agency answered."""
    _step(lead_id, by, LeadStep.REPLY, on=on.date(), document_number=number, note=note)


@lead.command("recheck")
def recheck(
    lead_id: LeadId,
    by: By,
    on: OnDay,
    remedied: Annotated[bool, typer.Option("--remedied/--not-remedied", help="是否整改 / whether it was remedied")],
    note: Note = "",
) -> None:
    """登记回访。Somebody looked again."""
    _step(lead_id, by, LeadStep.RECHECK, on=on.date(), is_found=remedied, note=note)


@lead.command("open-case")
def open_case(lead_id: LeadId, by: By, number: Number, note: Note = "") -> None:
    """立案。A case is opened."""
    _step(lead_id, by, LeadStep.OPEN_CASE, document_number=number, note=note)


@lead.command("close")
def close(lead_id: LeadId, by: By, note: Note = "") -> None:
    """办结。It is done."""
    _step(lead_id, by, LeadStep.CLOSE, note=note)


@lead.command("reopen")
def reopen(lead_id: LeadId, by: By, note: Note) -> None:
    """重新打开已结的线索，须写明理由。Open a closed lead again; say why."""
    _step(lead_id, by, LeadStep.REOPEN, note=note)


@lead.command("recommendation")
def recommendation(
    lead_id: LeadId,
    by: By,
    procuratorate: Annotated[str, typer.Option(help="本院名称 / name of the office")],
    file: Annotated[Path, typer.Option("--out", help="写入 .docx 或 .pdf / a .docx or .pdf to write")],
    urgent: Annotated[bool, typer.Option(help="十五日内回复 / an answer within 15 days")] = False,
    number: Number = "",
    template: Annotated[Path | None, typer.Option(help="本院的模板（TOML）/ the office's own template")] = None,
) -> None:
    """检察建议书草稿。A draft of the recommendation, for a prosecutor to finish.

    例 / example:  hulan lead recommendation 0190f3a2-… --procuratorate 合成检察院 --out draft.docx --by wang
    """
    with acting(by) as who:
        if file.suffix.casefold() not in {".docx", ".pdf"} or file.exists():
            raise LookupError(f"须为尚不存在的 .docx 或 .pdf / a .docx or .pdf that is not there yet: {file}")
        try:
            held = load_template(template)
        except TemplateError as error:
            raise LookupError(str(error)) from None
        kind = PaperKind(file.suffix.casefold().removeprefix("."))
        content = PaperDesk(assets_dir=who.settings.assets_dir).recommendation(
            who.connection, lead_id, kind, procuratorate=procuratorate, on=_today(), is_urgent=urgent,
            document_number=number, template=held,
        )  # fmt: skip
        with file.open("xb") as stream:
            stream.write(content)
    out.print(f"草稿 draft: {file}", markup=False, soft_wrap=True)


@lead.command("statistics")
def statistics(by: By) -> None:
    """线索统计，不涉及个人。Figures of all leads.

    例 / example:  hulan lead statistics --by wang
    """
    with acting(by) as who:
        figures = figures_of_leads(who.connection, today=_today())
    for line in figure_lines(figures):
        out.print(line, markup=False, soft_wrap=True)
    if figures.by_regulator:
        rows = [("行政机关 agency", "磋商与建议 consultations and recommendations")]
        rows += [(name, str(count)) for name, count in sorted(figures.by_regulator.items())]
        show_table(rows)


def lead_lines(item: Item) -> Iterator[str]:
    """One lead in a list."""
    sure = "" if item["is_sure"] else "（待现场确认）"
    yield f"{STATE_NAMES_ZH[item['state']]} {item['state']}  {GROUND_NAMES_ZH[item['ground']]}{sure}"
    yield f"  {item['venue_name']}  {item['venue_address']}  {names_of(item['categories'])}"
    yield f"  {item['regulator'] or '部门未明确：' + '、'.join(item['candidates'])}"
    if item["due_on"] is not None:
        yield f"  {_clock_line(item)}"
    if item["recheck_on"] is not None:
        yield f"  应回访 look again on {item['recheck_on']}"
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


def _found(event: Item) -> str:
    if event["is_found"] is None:
        return ""
    if event["step"] is LeadStep.RECHECK:
        return "：已整改" if event["is_found"] else "：未整改"
    return "：属实" if event["is_found"] else "：未发现"


def _share(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _step(lead_id: UUID, by: str, step: LeadStep, **given: Any) -> None:
    with acting(by) as who:
        event = event_by(step, account_id=who.account_id, at=SystemClock().now(), **given)
        try:
            state = take_lead_step(who.connection, lead_id, event)
        except LeadError as error:
            raise LookupError(str(error)) from None
    out.print(f"{STATE_NAMES_ZH[state]} {state}", markup=False)


def _today() -> date:
    return SystemClock().now().astimezone(LOCAL_TIME).date()
