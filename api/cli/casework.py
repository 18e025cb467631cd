"""Officers' work on cases, each command as one account: what it sees and may do is what the account may."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import Connection

from alerts.alert import Block
from api.access.roles import AccountRole
from api.calendars import calendar_reminder
from api.casework.care import Sighting, report_minor_with_adult
from api.casework.decisions import REASON_NAMES_ZH, DecisionReason, Outcome, decide, departures_of, suspected_of
from api.casework.exemptions import ExemptionWish, exemptions_of, grant_exemption, revoke_exemption
from api.casework.leaves import (
    Closing,
    LeaveWish,
    answer_leave,
    ask_leave,
    close_leave,
    leaves_of,
    open_leaves,
    organ_for,
)
from api.casework.names import LEAVE_STATE_NAMES_ZH, OUTCOME_NAMES_ZH
from api.casework.orders import end_order, orders_of, versions_of
from api.casework.recipients import block_recipient, tell_recipient
from api.casework.tasks import finish_task, tasks_of
from api.cli.acting import AsJson, By, Instant, acting, local, show
from api.cli.case_lines import (
    departures_lines,
    exemption_lines,
    leave_lines,
    order_lines,
    suspected_lines,
    task_lines,
    version_lines,
)
from api.cli.screen import out, say
from api.clock import SystemClock
from api.ids import subject_id_for
from api.looks import subject_no_of
from api.personal.opening import open_keyring
from api.settings import Settings
from tracking.calendar import local_day
from tracking.leave import ExemptionKind
from tracking.local_time import LOCAL_TIME

order = typer.Typer(help="决定书。Orders.", no_args_is_help=True)
exemption = typer.Typer(help="豁免。Exemptions.", no_args_is_help=True)
leave = typer.Typer(help="外出。Leaves.", no_args_is_help=True)
suspected = typer.Typer(help="疑似违规的认定。Deciding what is suspected.", no_args_is_help=True)
task = typer.Typer(help="待办。Tasks.", no_args_is_help=True)
recipient = typer.Typer(help="通知对象。Who is told.", no_args_is_help=True)

OrderId = Annotated[UUID, typer.Argument(help="决定书 id（见 hulan order list）/ id of the order")]
Reference = Annotated[str, typer.Argument(help="对象编号：案件编号或 id / reference or id of the subject")]


@contextmanager
def _acting(login_name: str) -> Iterator[tuple[Connection, frozenset[AccountRole], Settings]]:
    with acting(login_name) as who:
        yield who.connection, who.roles, who.settings


def _subject(connection: Connection, reference: str) -> int:
    return subject_no_of(connection, subject_id_for(reference))


@order.command("list")
def list_orders(reference: Reference, by: By, as_json: AsJson = False) -> None:
    """一名对象的决定书：期限、条件、是否启用。The orders of a subject as they stand.

    例 / example:  hulan order list A-1 --by wang
    """
    with _acting(by) as (connection, _, _):
        found = orders_of(connection, _subject(connection, reference))
    show(
        found, partial(order_lines, now=SystemClock().now()), as_json=as_json,
        none="没有决定书，请用 hulan import cases 登记 / no order: enter one with hulan import cases",
    )  # fmt: skip


@order.command("show")
def show_order(order_id: OrderId, by: By, as_json: AsJson = False) -> None:
    """一份决定书的各版本与条件，最新的在前。Every version of an order, its conditions in words, the last first.

    例 / example:  hulan order show 0190f3a2-… --by wang
    """
    with _acting(by) as (connection, _, _):
        found = versions_of(connection, order_id)
    show(found, version_lines, none="", as_json=as_json)


@order.command("lift")
def lift(order_id: OrderId, by: By, document: Annotated[str, typer.Option(help="解除决定书文号 / its number")]) -> None:
    """解除。Lift an order: its rules end now.

    例 / example:  hulan order lift 0190… --document 某检解〔2026〕3号 --by wang
    """
    with _acting(by) as (connection, _, _):
        lifted_at = end_order(connection, order_id, document=document)
    out.print(f"已解除 lifted: {lifted_at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}", markup=False)


@exemption.command("list")
def list_exemptions(reference: Reference, by: By, as_json: AsJson = False) -> None:
    """一名对象的豁免，含已撤销、已到期的。The exemptions of a subject, revoked and past ones too."""
    with _acting(by) as (connection, _, _):
        found = exemptions_of(connection, _subject(connection, reference))
    show(found, exemption_lines, none="没有豁免 no exemptions", as_json=as_json)


@exemption.command("grant")
def grant(
    reference: Reference,
    by: By,
    kind: Annotated[ExemptionKind, typer.Option(help="为何 / why somebody may be there")],
    reason: Annotated[str, typer.Option(help="理由 / the reason in words")],
    since: Annotated[datetime, Instant],
    until: Annotated[datetime, Instant],
    zone: Annotated[UUID | None, typer.Option(help="场所的区域 / zone of a venue")] = None,
    longitude: Annotated[float | None, typer.Option(min=-180, max=180)] = None,
    latitude: Annotated[float | None, typer.Option(min=-90, max=90)] = None,
    radius_m: Annotated[float | None, typer.Option("--radius-m", min=1, max=2000)] = None,
) -> None:
    """准予豁免：该处不算违规。Grant one: at a venue's zone, or at every venue within a circle.

    例 / example:  hulan exemption grant A-1 --kind home --reason 住在楼上 --since 2026-03-01 --until 2026-09-01
    --by wang --longitude 117.2 --latitude 34.26 --radius-m 30
    """
    with _acting(by) as (connection, _, _):
        if (zone is None) is any(value is None for value in (longitude, latitude, radius_m)):
            raise LookupError("请给出 --zone，或经纬度与半径 / a --zone, or a point with a radius")
        wish = ExemptionWish(
            kind=kind, reason=reason, valid_from=local(since), valid_to=local(until), zone_id=zone,
            longitude=longitude, latitude=latitude, radius_m=radius_m,
        )  # fmt: skip
        out.print(str(grant_exemption(connection, _subject(connection, reference), wish)), markup=False)


@exemption.command("revoke")
def revoke(exemption_id: UUID, by: By) -> None:
    """撤销豁免，自现在起不再适用。Revoke one: from now on it lifts nothing."""
    with _acting(by) as (connection, _, _):
        revoke_exemption(connection, exemption_id)
    say("已撤销 revoked")


@leave.command("list")
def list_leaves(
    by: By,
    reference: Annotated[
        str | None, typer.Argument(help="对象编号；不填：全部待答复的 / without: all that wait")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """外出申请：一名对象的，或全部待答复的（紧急在前）。Leaves of a subject, or all that wait, urgent ones first.

    例 / examples:  hulan leave list --by wang    hulan leave list A-1 --by wang
    """
    with _acting(by) as (connection, _, _):
        is_all = reference is None
        found = open_leaves(connection) if reference is None else leaves_of(connection, _subject(connection, reference))
    none = "没有待答复的外出申请 no leave waits" if is_all else "没有外出申请 no leaves"
    show(found, leave_lines, none=none, as_json=as_json)


@leave.command("ask")
def ask(
    reference: Reference,
    by: By,
    order_id: Annotated[UUID, typer.Option("--order", help="决定书 id / id of the order")],
    reason: Annotated[str, typer.Option(help="事由 / why")],
    destination: Annotated[str, typer.Option(help="目的地 / where to")],
    contact: Annotated[str, typer.Option(help="联系方式，加密保存 / stored sealed")],
    since: Annotated[datetime, Instant],
    until: Annotated[datetime, Instant],
    route: Annotated[str, typer.Option(help="路线 / the way")] = "",
    transport: Annotated[str, typer.Option(help="交通方式 / means of transport")] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help="紧急：书面后补 / papers follow")] = False,
) -> None:
    """代被监管人申请外出。Ask for a leave in the subject's name.

    例 / example:  hulan leave ask A-1 --order 0190f3a2-… --reason 就医 --destination 某市 --contact 13800000101
    --since 2026-03-02T08:00 --until 2026-03-03T20:00 --route 高铁 --transport 火车 --by wang
    """
    with _acting(by) as (connection, _, settings):
        wish = LeaveWish(
            order_id=order_id, reason=reason, destination=destination, route=route, transport=transport,
            contact=contact, from_at=local(since), to_at=local(until), is_urgent=urgent,
        )  # fmt: skip
        subject_no = _subject(connection, reference)
        out.print(str(ask_leave(connection, open_keyring(settings), subject_no, wish)), markup=False)


@leave.command("answer")
def answer(
    leave_id: UUID,
    by: By,
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="同意或不同意 / agreed or not")],
    remark: Annotated[str, typer.Option(help="意见 / the organ's opinion")],
    court_document: Annotated[str | None, typer.Option(help="录入法院答复的文号 / number of a court's paper")] = None,
) -> None:
    """以本机关名义答复；须同意的机关都同意后才生效。Answer for one's organ; the role says which.

    例 / example:  hulan leave answer 0190f3a2-… --approve --remark 同意 --by li
    """
    with _acting(by) as (connection, roles, _):
        organ = organ_for(roles, court_document=court_document)
        state = answer_leave(
            connection, leave_id, organ=organ, is_approved=approve, remark=remark, document_number=court_document
        )
    _tell_state(state)


@leave.command("close")
def close(leave_id: UUID, how: Closing, by: By) -> None:
    """returned 销假、cancelled 取消、papers 补交书面。The subject is back, will not go, or the papers came."""
    with _acting(by) as (connection, _, _):
        state = close_leave(connection, leave_id, how)
    _tell_state(state)


def _tell_state(state: str) -> None:
    """What became of a leave: in words for people, the word that is stored for programs."""
    say(f"{LEAVE_STATE_NAMES_ZH[state]}")
    out.print(state, markup=False)


@suspected.command("list")
def list_suspected(reference: Reference, by: By, as_json: AsJson = False) -> None:
    """疑似违规与其他发现，及其认定，最近的在前。What was found about a subject, and how it was decided.

    例 / example:  hulan suspected list A-1 --by wang
    """
    with _acting(by) as (connection, _, _):
        found = suspected_of(connection, _subject(connection, reference))
    show(found, suspected_lines, none="没有疑似违规，也没有其他发现 nothing is suspected", as_json=as_json)


@suspected.command("decide")
def decide_one(
    by: By,
    outcome: Outcome,
    reason: Annotated[DecisionReason, typer.Option(help="理由 / from the list")],
    violation: Annotated[UUID | None, typer.Option(help="疑似违规 id / id of a suspected violation")] = None,
    finding: Annotated[UUID | None, typer.Option(help="其他发现 id / id of another finding")] = None,
    remark: Annotated[str, typer.Option(help="说明 / in words")] = "",
) -> None:
    """认定或排除；认定错了可再作一次，后一次为准，前一次留存。Confirm or dismiss; a later decision supersedes.

    认定 confirmed：subject_admitted 本人承认、seen_on_site 现场核实、other_evidence 其他证据印证。
    排除 dismissed：position_error 定位误差、device_fault 设备故障、device_apart 人机分离、emergency 紧急情形、
    permitted 事先获准、wrong_rule 规则登记有误。

    例 / example:  hulan suspected decide confirmed --violation 0190f3a2-… --reason seen_on_site --by wang
    """
    with _acting(by) as (connection, _, _):
        if (violation is None) is (finding is None):
            raise LookupError("请给出 --violation 或 --finding 之一 / name one of the two")
        done = decide(
            connection, violation_id=violation, finding_id=finding, outcome=outcome, reason=reason, remark=remark
        )
    say(f"{OUTCOME_NAMES_ZH[outcome]}：{REASON_NAMES_ZH[reason]} decided {outcome}")
    out.print(str(done), markup=False)


@suspected.command("report")
def report(
    reference: Reference,
    by: By,
    seen_at: Annotated[datetime, Instant],
    place: Annotated[str, typer.Option(help="旅馆名称 / the hotel")],
    adult_unknown: Annotated[
        bool, typer.Option("--adult-unknown", help="成年人身份不明 / nobody knows the adult")
    ] = False,
    zone: Annotated[UUID | None, typer.Option(help="旅馆的区域 id / id of its zone")] = None,
    remark: Annotated[str, typer.Option(help="说明，不写姓名 / in words, no names")] = "",
) -> None:
    """民警登记：不满十四周岁者与身份不明的成年人同住旅馆；立即通知公安，不通知监护人。Under 14 with an unknown adult.

    例 / example:  hulan suspected report A-1 --seen-at 2026-03-02T22:00 --place 某旅馆 --adult-unknown --by wang
    """
    sighting = Sighting(
        seen_at=local(seen_at), place=place, is_adult_unknown=adult_unknown, zone_id=zone, remark=remark
    )
    with _acting(by) as (connection, _, _):
        number = _subject(connection, reference)
        found = report_minor_with_adult(connection, number, sighting, now=SystemClock().now())
    out.print(str(found), markup=False)


@suspected.command("departures")
def departures(reference: Reference, by: By, as_json: AsJson = False) -> None:
    """已认定的擅自离开次数及依据；未经认定的不计。How many departures were confirmed, and on what basis."""
    with _acting(by) as (connection, _, _):
        found = departures_of(connection, _subject(connection, reference))
    show(found, departures_lines, none="没有决定书 no order", as_json=as_json)


RecipientId = Annotated[UUID, typer.Argument(help="通知对象 id（见 hulan task list --json）/ id of the recipient")]


@recipient.command("tell")
def tell(recipient_id: RecipientId, by: By) -> None:
    """经核实确是该通知的人：自现在起通知，即使其答复过“不是我的孩子”。The right person: told from now on.

    例 / example:  hulan recipient tell 0190f3a2-… --by wang
    """
    with _acting(by) as (connection, _, _):
        tell_recipient(connection, recipient_id)
    say("自现在起通知 told from now on")


@recipient.command("block")
def block(recipient_id: RecipientId, reason: Block, by: By) -> None:
    """自现在起不再通知：suspect 涉嫌侵害或同案、abuser 曾经侵害、other 其他。Tell them nothing from now on.

    例 / example:  hulan recipient block 0190f3a2-… suspect --by wang
    """
    with _acting(by) as (connection, _, _):
        block_recipient(connection, recipient_id, reason=reason)
    say("不再通知 told nothing")


@task.command("list")
def list_tasks(
    by: By,
    with_done: Annotated[bool, typer.Option("--all", help="含已办 / done ones too")] = False,
    as_json: AsJson = False,
) -> None:
    """待办：将届满、应复查、应解除、已成年，先到期的在前。What is to be done, what is due first.

    例 / example:  hulan task list --by wang
    """
    now = SystemClock().now()
    with _acting(by) as (connection, _, _):
        found = tasks_of(connection, with_done=with_done)
        reminder = calendar_reminder(connection, today=local_day(now))
    if reminder is not None:
        say(reminder)
    show(found, partial(task_lines, now=now), none="没有待办 nothing to be done", as_json=as_json)


@task.command("done")
def done(
    task_id: Annotated[UUID, typer.Argument(help="待办 id（见 hulan task list）/ id of the task")],
    by: By,
    remark: Annotated[str | None, typer.Option(help="办理情况 / what was done")] = None,
) -> None:
    """办结。It is done.

    例 / example:  hulan task done 0190f3a2-… --remark 已办理解除手续 --by wang
    """
    with _acting(by) as (connection, _, _):
        finish_task(connection, task_id, remark=remark)
    say("已办结 done")
