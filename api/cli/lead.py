"""Leads on the command line, each command as one account: what is open, the next step, papers, figures."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from api.cli.acting import AsJson, By, DivisionOption, acting, show
from api.cli.lead_lines import figure_lines, lead_lines, month_rows, regulator_rows, whole_lead_lines
from api.cli.screen import out, plain_errors, show_table
from api.clock import SystemClock
from api.lead_opening import open_by_hand
from api.leads import (
    LeadFilter,
    event_by,
    figures_of_leads,
    lead_shown,
    leads_shown,
    take_lead_step,
)
from api.papers.desk import PaperDesk, PaperKind
from api.papers.recommendation import TemplateError, load_template
from tracking.local_time import LOCAL_TIME
from venues.gateway_distance_law import load_lead_routes
from venues.lead import STATE_NAMES_ZH, LeadError, LeadState, LeadStep
from venues.lead_pattern import LeadGround

lead = typer.Typer(
    help="""检察监督线索。Leads about venues.

    例 / example:  hulan lead list --by wang，hulan lead check 0190f3a2-… --on 2026-11-25 --found --by wang，
    hulan lead recommendation 0190f3a2-… --procuratorate 合成检察院 --out draft.docx --by wang
    """,
    no_args_is_help=True,
)

LeadId = Annotated[UUID, typer.Argument(help="线索 id（见 hulan lead list）/ id of the lead")]
OnDay = Annotated[datetime, typer.Option("--on", formats=["%Y-%m-%d"], help="发生在哪一天 / on which day")]
Note = Annotated[str, typer.Option(help="说明 / in words")]
Number = Annotated[str, typer.Option("--number", help="文号 / number of the document")]
Regulator = Annotated[str, typer.Option(help="行政机关 / the agency")]


@lead.command("list")
def list_leads(
    by: By,
    state: Annotated[LeadState | None, typer.Option(help="状态 / only of this state")] = None,
    ground: Annotated[LeadGround | None, typer.Option(help="情形 / only of this ground")] = None,
    overdue: Annotated[bool, typer.Option(help="只列回复超期的 / only those not answered in time")] = False,
    division: DivisionOption = None,
    after: Annotated[UUID | None, typer.Option(help="从此线索之后 / after this lead")] = None,
    as_json: AsJson = False,
) -> None:
    """线索，每次 200 条：先超期未复的，再到期应回访的，再最近的。Leads: overdue first, then due looks, the newest.

    例 / example:  hulan lead list --by wang --overdue
    """
    wanted = LeadFilter(
        state=state, ground=ground, is_overdue=True if overdue else None, division=division, after=after
    )
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


@lead.command("open")
def open_lead(
    venue_id: Annotated[UUID, typer.Argument(help="场所 id（见 hulan venue list）/ id of the venue")],
    by: By,
    ground: Annotated[LeadGround, typer.Option(help="情形 / on which ground")],
    note: Note,
    on: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="哪一天所见 / seen on which day; default: today"),
    ] = None,
) -> None:
    """登记检察官发现的线索，按移送表定部门。A lead by hand, about a place that one oversees.

    例 / example:  hulan lead open 0190f3a2-… --ground admits_minors --note 周六夜间有学生在内饮酒 --by wang
    """
    with acting(by) as who:
        try:
            opened = open_by_hand(
                who.connection, load_lead_routes(who.settings.lead_routes_file), venue_id=venue_id, ground=ground,
                note=note, on=None if on is None else on.date(), by=who.account_id, at=SystemClock().now(),
            )  # fmt: skip
        except LeadError as error:
            raise LookupError(str(error)) from None
    out.print(f"id {opened}", markup=False)


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
    """不立案，须写明理由。No case; say why.

    例 / example:  hulan lead dismiss 0190f3a2-… --note 店铺已搬离 --by wang
    """
    _step(lead_id, by, LeadStep.DISMISS, note=note)


@lead.command("consult")
def consult(lead_id: LeadId, by: By, regulator: Regulator, note: Note = "") -> None:
    """与行政机关磋商。Consult the agency.

    例 / example:  hulan lead consult 0190f3a2-… --regulator 合成市市场监督管理局 --by wang
    """
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
    """登记送达：回复期限自此起算。The recommendation was delivered: the clock runs from that day.

    例 / example:  hulan lead deliver 0190f3a2-… --on 2026-12-01 --urgent --by wang
    """
    _step(lead_id, by, LeadStep.DELIVER, on=on.date(), is_urgent=urgent)


@lead.command("reply")
def reply(lead_id: LeadId, by: By, on: OnDay, number: Number = "", note: Note = "") -> None:
    """登记行政机关的回复。The agency answered.

    例 / example:  hulan lead reply 0190f3a2-… --on 2027-01-15 --number 合成烟函〔2027〕3号 --by wang
    """
    _step(lead_id, by, LeadStep.REPLY, on=on.date(), document_number=number, note=note)


@lead.command("recheck")
def recheck(
    lead_id: LeadId,
    by: By,
    on: OnDay,
    remedied: Annotated[bool, typer.Option("--remedied/--not-remedied", help="是否整改 / whether it was remedied")],
    note: Note = "",
) -> None:
    """登记回访。Somebody looked again.

    例 / example:  hulan lead recheck 0190f3a2-… --on 2027-02-14 --remedied --note 已迁址 --by wang
    """
    _step(lead_id, by, LeadStep.RECHECK, on=on.date(), is_found=remedied, note=note)


@lead.command("open-case")
def open_case(lead_id: LeadId, by: By, number: Number, note: Note = "") -> None:
    """立案。A case is opened.

    例 / example:  hulan lead open-case 0190f3a2-… --number 合成检行公立〔2026〕1号 --by wang
    """
    _step(lead_id, by, LeadStep.OPEN_CASE, document_number=number, note=note)


@lead.command("close")
def close(lead_id: LeadId, by: By, note: Note = "") -> None:
    """办结。It is done.

    例 / example:  hulan lead close 0190f3a2-… --by wang
    """
    _step(lead_id, by, LeadStep.CLOSE, note=note)


@lead.command("reopen")
def reopen(lead_id: LeadId, by: By, note: Note) -> None:
    """重新打开已结的线索，须写明理由。Open a closed lead again; say why.

    例 / example:  hulan lead reopen 0190f3a2-… --note 再次接到举报 --by wang
    """
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
    # The reading is on record before anything leaves.
    with plain_errors(OSError), file.open("xb") as stream:
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
    for rows in (month_rows(figures), regulator_rows(figures)):
        if len(rows) > 1:
            show_table(rows)


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
