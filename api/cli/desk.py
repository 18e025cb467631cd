"""The desk on the command line, each command as one account: alerts and their turns, figures, rosters."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer

from alerts.alert import AlertState, Role
from alerts.channel import Channel
from alerts.event import EventKind
from alerts.life import CLOSINGS, Closing, IllegalTurnError, Reopening
from api.access.roles import AccountRole
from api.casework.names import CHANNEL_NAMES_ZH
from api.cli.acting import AsJson, By, Instant, acting, local, show
from api.cli.alert_lines import alert_lines, roster_lines, spoken, state_name, whole_alert_lines
from api.cli.screen import out, say, show_table
from api.clock import SystemClock
from api.desk.alerts import (
    AlertFilter,
    acknowledge_alert,
    alert_shown,
    alerts_of_account,
    close_alert,
    reopen_alert,
)
from api.desk.figures import Figures, figures_between
from api.desk.rosters import DutyPerson, enter_absence, enter_duty, enter_person, revoke, rosters_of_account
from api.errors import RefusedInputError
from api.ids import subject_id_for
from api.personal.opening import open_keyring

alert = typer.Typer(help="警报。Alerts.", no_args_is_help=True)
roster = typer.Typer(help="值班表。Rosters.", no_args_is_help=True)

AlertId = Annotated[UUID, typer.Argument(help="警报 id（见 hulan alert list）/ id of the alert")]
Remark = Annotated[str, typer.Option(help="说明 / in words")]
Unit = Annotated[str, typer.Option(help="机关名称，与决定书一致 / the organ as orders name it")]


@alert.command("list")
def list_alerts(
    by: By,
    state: Annotated[AlertState | None, typer.Option(help="状态 / only of this state")] = None,
    event: Annotated[EventKind | None, typer.Option(help="事件 / only of this event")] = None,
    subject: Annotated[str | None, typer.Option(help="对象编号 / only of this subject")] = None,
    as_json: AsJson = False,
) -> None:
    """警报，最近的在前。Alerts of the account's cases, the latest event first.

    例 / example:  hulan alert list --by wang --state open
    """
    wanted = AlertFilter(state=state, event=event, subject_id=None if subject is None else subject_id_for(subject))
    with acting(by) as who:
        found = alerts_of_account(who.connection, wanted)
    show(found, alert_lines, none="没有警报 no alerts", as_json=as_json)


@alert.command("show")
def show_alert(alert_id: AlertId, by: By, as_json: AsJson = False) -> None:
    """一条警报：事实、通知了谁及四个时刻、计划、经过。One alert: facts, who was told and when, plans, history.

    例 / example:  hulan alert show 0190f3a2-… --by wang
    """
    with acting(by) as who:
        found = alert_shown(who.connection, alert_id)
    show([found], whole_alert_lines, none="", as_json=as_json)


@alert.command("ack")
def ack(alert_id: AlertId, by: By) -> None:
    """确认收到并处理：不再通知下一人。Take it up: nobody further is told.

    例 / example:  hulan alert ack 0190f3a2-… --by wang
    """
    with acting(by) as who:
        state = _turned(lambda: acknowledge_alert(who.connection, alert_id, by=who.account_id))
    _tell(state)


@alert.command("close")
def close(alert_id: AlertId, closing: Closing, by: By, remark: Remark = "") -> None:
    """结案，须选理由；部分理由须写明情况。The work is done, for a reason; some reasons need a remark.

    例 / example:  hulan alert close 0190f3a2-… handled --remark 已到现场劝离 --by wang
    """
    with acting(by) as who:
        state = _turned(
            lambda: close_alert(who.connection, alert_id, by=who.account_id, closing=closing, remark=remark)
        )
    out.print(f"{CLOSINGS[closing].zh} {CLOSINGS[closing].en}", markup=False)
    _tell(state)


@alert.command("reopen")
def reopen(alert_id: AlertId, reason: Reopening, by: By, remark: Remark = "") -> None:
    """重新打开已结的警报，自现在起重新逐级通知。Open a closed one again; it is escalated from now.

    例 / example:  hulan alert reopen 0190f3a2-… closed_in_error --by wang
    """
    with acting(by) as who:
        state = _turned(lambda: reopen_alert(who.connection, alert_id, by=who.account_id, reason=reason, remark=remark))
    _tell(state)


@alert.command("metrics")
def metrics(
    by: By, days: Annotated[int, typer.Option(min=1, max=3660, help="最近几天 / of how many days")] = 28
) -> None:
    """时效、准确率、每人每周警报数；给领导与系统管理员，不涉及个人。How quick, how right, how many; nobody is named.

    例 / example:  hulan alert metrics --by admin --days 28
    """
    now = SystemClock().now()
    with acting(by) as who:
        if not who.roles & {AccountRole.LEADER, AccountRole.SYSTEM_ADMINISTRATOR}:
            raise LookupError("只给领导与系统管理员 / for leaders and the system administrator only")
        figures = figures_between(who.connection, now - timedelta(days=days), now)
    _show_figures(figures)


def _turned(turn: Any) -> str:
    try:
        return str(turn())
    except IllegalTurnError as error:
        raise RefusedInputError(str(error)) from None


def _tell(state: str) -> None:
    out.print(state_name(state), markup=False)


STAGES = {
    "fixed_to_received": "定位到收到",
    "received_to_decided": "收到到决定",
    "decided_to_sent": "决定到交出",
    "decided_to_delivered": "决定到送达",
    "fixed_to_delivered": "定位到送达",
}


def _show_figures(figures: Figures) -> None:
    rows = [("渠道 channel", "时段 between", "条数 n", "p50 s", "p95 s", "p99 s")]
    rows += [
        (
            CHANNEL_NAMES_ZH[Channel(item.channel)],
            f"{STAGES[item.stage]} {item.stage}",
            str(item.messages),
            *(f"{value:.1f}" for value in item.quantiles),
        )  # type: ignore[misc] # three of them
        for item in figures.times
    ]
    if figures.times:
        show_table(rows, title="时效，秒 seconds between the four stamps")
    else:
        out.print("没有通知 / no messages", markup=False)
    kinds = [("规则 rule", "类别 category", "区域 zone", "认定 confirmed", "排除 dismissed", "准确率 precision")]
    kinds += [
        (
            item.rule, item.category, "" if item.zone_id is None else str(item.zone_id), str(item.confirmed),
            str(item.dismissed), f"{item.share:.2f}",
        )
        for item in figures.precision
    ]  # fmt: skip
    if figures.precision:
        show_table(kinds, title="准确率：认定占认定与排除之和 precision")
    else:
        out.print("尚无认定或排除 / nothing was confirmed or dismissed", markup=False)
    if figures.rescues.quantiles is not None:
        median, slow = (spoken(timedelta(seconds=value)) for value in figures.rescues.quantiles)
        out.print(
            f"家属称已带离 {figures.rescues.count} 次，距事发 p50 {median}、p95 {slow}"
            f" time to rescue, {figures.rescues.count} alerts", markup=False, soft_wrap=True,
        )  # fmt: skip
    rate = figures.per_person_week
    total = sum(count for count, _ in figures.alerts.values())
    out.print(
        f"警报 alerts {total}；人·周 person-weeks {figures.person_weeks:.1f}；"
        f"每人每周 per person-week {'–' if rate is None else f'{rate:.2f}'}",
        markup=False, soft_wrap=True,
    )  # fmt: skip


# ---- rosters


@roster.command("add")
def add(
    by: By,
    unit: Unit,
    people: Annotated[
        list[UUID] | None, typer.Option("--on-duty", help="值班人员 id，按次序 / who is on duty, then substitutes")
    ] = None,
    since: Annotated[datetime | None, Instant] = None,
    until: Annotated[datetime | None, Instant] = None,
    name: Annotated[str | None, typer.Option(help="登记人员：姓名 / a person: the name")] = None,
    phone: Annotated[str | None, typer.Option(help="手机号，加密保存 / stored sealed")] = None,
    role: Annotated[Role, typer.Option(help="duty_officer 值班、leader 领导")] = Role.DUTY_OFFICER,
) -> None:
    """登记值班人员，或排一班。Enter a person who is told by duty, or a turn of duty.

    例 / examples:  hulan roster add --unit 合成派出所 --name 合成值班 --phone 13800000101 --by li
    hulan roster add --unit 合成派出所 --on-duty 0190… --since 2026-03-02T18:00 --until 2026-03-03T08:00 --by li
    """
    is_person = name is not None and phone is not None and not people
    is_turn = bool(people) and since is not None and until is not None and name is None
    with acting(by) as who:
        if is_person:
            person = DutyPerson(unit=unit, role=role, name=name or "", phone=phone or "", channels=(Channel.SMS,))
            number = enter_person(who.connection, open_keyring(who.settings), person)
        elif is_turn and since is not None and until is not None:
            number = enter_duty(
                who.connection, unit=unit, people=people or [], from_at=local(since), to_at=local(until)
            )
        else:
            raise LookupError(
                "请给出 --name 与 --phone，或 --on-duty、--since、--until"
                " / a --name and --phone, or --on-duty with --since and --until"
            )
    out.print(str(number), markup=False)


@roster.command("list")
def list_roster(by: By) -> None:
    """本人案件所涉机关的值班人员、班次、请假。Rosters of the organs of the account's cases.

    例 / example:  hulan roster list --by li
    """
    with acting(by) as who:
        found = rosters_of_account(who.connection, open_keyring(who.settings), since=SystemClock().now())
    for line in roster_lines(found):
        out.print(line, markup=False, soft_wrap=True)
    if not any(found.values()):
        out.print("没有值班表；登记：hulan roster add --help / no roster", markup=False)


@roster.command("absence")
def absence(
    by: By,
    person: Annotated[UUID, typer.Argument(help="值班人员 id / id of the person")],
    since: Annotated[datetime, Instant],
    until: Annotated[datetime, Instant],
) -> None:
    """请假：由同班下一人或领导接到通知。Somebody is away: the next of the turn is told, or the leader.

    例 / example:  hulan roster absence 0190… --since 2026-03-02T18:00 --until 2026-03-03T08:00 --by li
    """
    with acting(by) as who:
        number = enter_absence(who.connection, person, from_at=local(since), to_at=local(until))
    out.print(str(number), markup=False)


@roster.command("revoke")
def revoke_entry(
    entry: Annotated[UUID, typer.Argument(help="班次、请假或人员的 id / id of a turn, an absence or a person")], by: By
) -> None:
    """自现在起不再适用，记录留存。From now on it counts no longer; it stays on record."""
    with acting(by) as who:
        revoke(who.connection, entry)
    say("已撤销 revoked")
