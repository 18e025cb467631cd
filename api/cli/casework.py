"""Officers' work on cases, each command as one account: what it sees and may do is what the account may."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from sqlalchemy import Connection, text

from api.access.accounts import AccountError, account_no_of
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.casework.decisions import DecisionReason, Outcome, decide, departures_of, suspected_of
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
from api.casework.orders import end_order, orders_of, versions_of
from api.casework.tasks import finish_task, tasks_of
from api.cli.problems import FORESEEABLE
from api.cli.screen import out, plain_errors, say
from api.errors import NotAllowedError, NotThereError, RefusedInputError
from api.ids import subject_id_for
from api.logs import configure_logs
from api.looks import subject_no_of
from api.personal.opening import open_keyring
from api.session import open_database
from api.settings import Settings, read_settings
from tracking.leave import ExemptionKind
from tracking.order import LOCAL_TIME

order = typer.Typer(help="决定书。Orders.", no_args_is_help=True)
exemption = typer.Typer(help="豁免。Exemptions.", no_args_is_help=True)
leave = typer.Typer(help="外出。Leaves.", no_args_is_help=True)
suspected = typer.Typer(help="疑似违规的认定。Deciding what is suspected.", no_args_is_help=True)
task = typer.Typer(help="待办。Tasks.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="以谁的账号：登录名 / log-in name of whose account acts")]
Reference = Annotated[str, typer.Argument(help="对象编号：案件编号或 id / reference or id of the subject")]
Instant = typer.Option(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"], help="北京时间 local time")


@contextmanager
def _acting(login_name: str) -> Iterator[tuple[Connection, frozenset[AccountRole], Settings]]:
    """One transaction in which the database shows what the account may see; refusals in plain words."""
    with plain_errors(*FORESEEABLE, AccountError, LookupError):
        settings = read_settings()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        configure_logs(settings.log_level)
        with open_database(settings, say=say) as engine:
            with engine.connect() as connection:
                row = connection.execute(
                    text("SELECT account_id, array(SELECT role FROM account_role r WHERE r.account_no = a.account_no)"
                         " AS roles FROM account a WHERE account_no = :no"),
                    {"no": account_no_of(connection, login_name)},
                ).one()  # fmt: skip
            try:
                with as_account(engine, row.account_id) as connection:
                    yield connection, frozenset(AccountRole(role) for role in row.roles), settings
            except (NotThereError, NotAllowedError):
                raise LookupError(
                    "没有这一项，或该账号无权办理 / there is no such thing, or not for this account to do"
                ) from None
            except RefusedInputError as error:
                raise LookupError(f"内容不符合要求 / refused: {error}") from None


def _local(instant: datetime) -> datetime:
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=LOCAL_TIME)


def _show(items: list[dict[str, Any]]) -> None:
    """One JSON object a line: for people with ``jq``, and for programs."""
    for item in items:
        out.print(json.dumps(item, ensure_ascii=False, default=str), markup=False, soft_wrap=True)


def _subject(connection: Connection, reference: str) -> int:
    return subject_no_of(connection, subject_id_for(reference))


@order.command("list")
def list_orders(reference: Reference, by: By) -> None:
    """一名对象的决定书。The orders of a subject as they stand."""
    with _acting(by) as (connection, _, _):
        _show(orders_of(connection, _subject(connection, reference)))


@order.command("show")
def show_order(order_id: UUID, by: By) -> None:
    """一份决定书的各版本与条件。Every version of an order, its conditions in words."""
    with _acting(by) as (connection, _, _):
        for version in versions_of(connection, order_id):
            out.print(f"第 {version['version']} 版 version {version['version']}", markup=False)
            for name in ("measure_zh", "document_number", "valid_from", "valid_to", "governs_from", "governs_to",
                         "location_basis_zh", "lifted_at", "not_active_because"):  # fmt: skip
                out.print(f"  {name}: {version[name]}", markup=False, soft_wrap=True)
            for condition in version["conditions"]:
                out.print(f"  - {condition['zh']}", markup=False, soft_wrap=True)


@order.command("lift")
def lift(order_id: UUID, by: By, document: Annotated[str, typer.Option(help="解除决定书文号 / its number")]) -> None:
    """解除。Lift an order: its rules end now.

    例 / example:  hulan order lift 0190… --document 某检解〔2026〕3号 --by wang
    """
    with _acting(by) as (connection, _, _):
        lifted_at = end_order(connection, order_id, document=document)
    out.print(f"已解除 lifted: {lifted_at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}", markup=False)


@exemption.command("list")
def list_exemptions(reference: Reference, by: By) -> None:
    """一名对象的豁免。The exemptions of a subject."""
    with _acting(by) as (connection, _, _):
        _show(exemptions_of(connection, _subject(connection, reference)))


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
            kind=kind, reason=reason, valid_from=_local(since), valid_to=_local(until), zone_id=zone,
            longitude=longitude, latitude=latitude, radius_m=radius_m,
        )  # fmt: skip
        out.print(str(grant_exemption(connection, _subject(connection, reference), wish)), markup=False)


@exemption.command("revoke")
def revoke(exemption_id: UUID, by: By) -> None:
    """撤销豁免。Revoke one: from now on it lifts nothing."""
    with _acting(by) as (connection, _, _):
        revoke_exemption(connection, exemption_id)


@leave.command("list")
def list_leaves(
    by: By, reference: Annotated[str | None, typer.Argument(help="空：待答复的 / without: open")] = None
) -> None:
    """外出申请：一名对象的，或全部待答复的（紧急在前）。Leaves of a subject, or all that wait, urgent ones first."""
    with _acting(by) as (connection, _, _):
        _show(open_leaves(connection) if reference is None else leaves_of(connection, _subject(connection, reference)))


@leave.command("ask")
def ask(
    reference: Reference,
    by: By,
    order_id: Annotated[UUID, typer.Option("--order", help="决定书 id / id of the order")],
    reason: Annotated[str, typer.Option(help="事由")],
    destination: Annotated[str, typer.Option(help="目的地")],
    contact: Annotated[str, typer.Option(help="联系方式，加密保存 / stored sealed")],
    since: Annotated[datetime, Instant],
    until: Annotated[datetime, Instant],
    route: Annotated[str, typer.Option(help="路线")] = "",
    transport: Annotated[str, typer.Option(help="交通方式")] = "",
    urgent: Annotated[bool, typer.Option("--urgent", help="紧急：书面后补 / papers follow")] = False,
) -> None:
    """代被监管人申请外出。Ask for a leave in the subject's name."""
    with _acting(by) as (connection, _, settings):
        wish = LeaveWish(
            order_id=order_id, reason=reason, destination=destination, route=route, transport=transport,
            contact=contact, from_at=_local(since), to_at=_local(until), is_urgent=urgent,
        )  # fmt: skip
        subject_no = _subject(connection, reference)
        out.print(str(ask_leave(connection, open_keyring(settings), subject_no, wish)), markup=False)


@leave.command("answer")
def answer(
    leave_id: UUID,
    by: By,
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="同意或不同意")],
    remark: Annotated[str, typer.Option(help="意见")],
    court_document: Annotated[str | None, typer.Option(help="录入法院答复的文号 / number of a court's paper")] = None,
) -> None:
    """以本机关名义答复。Answer for one's organ; the role says which."""
    with _acting(by) as (connection, roles, _):
        organ = organ_for(roles, court_document=court_document)
        state = answer_leave(
            connection, leave_id, organ=organ, is_approved=approve, remark=remark, document_number=court_document
        )
    out.print(state, markup=False)


@leave.command("close")
def close(leave_id: UUID, how: Closing, by: By) -> None:
    """销假、取消或补交书面。The subject is back, will not go, or the papers came."""
    with _acting(by) as (connection, _, _):
        out.print(close_leave(connection, leave_id, how), markup=False)


@suspected.command("list")
def list_suspected(reference: Reference, by: By) -> None:
    """疑似违规与其他发现，及其认定。What was found about a subject, and how it was decided."""
    with _acting(by) as (connection, _, _):
        _show(suspected_of(connection, _subject(connection, reference)))


@suspected.command("decide")
def decide_one(
    by: By,
    outcome: Outcome,
    reason: Annotated[DecisionReason, typer.Option(help="理由 / from the list")],
    violation: Annotated[UUID | None, typer.Option(help="疑似违规 id")] = None,
    finding: Annotated[UUID | None, typer.Option(help="其他发现 id")] = None,
    remark: Annotated[str, typer.Option(help="说明")] = "",
) -> None:
    """认定或排除。Confirm or dismiss; a later decision supersedes."""
    with _acting(by) as (connection, _, _):
        if (violation is None) is (finding is None):
            raise LookupError("请给出 --violation 或 --finding 之一 / name one of the two")
        done = decide(
            connection, violation_id=violation, finding_id=finding, outcome=outcome, reason=reason, remark=remark
        )
    out.print(str(done), markup=False)


@suspected.command("departures")
def departures(reference: Reference, by: By) -> None:
    """已认定的擅自离开次数及依据。How many departures were confirmed, and on what basis."""
    with _acting(by) as (connection, _, _):
        _show(departures_of(connection, _subject(connection, reference)))


@task.command("list")
def list_tasks(
    by: By, with_done: Annotated[bool, typer.Option("--all", help="含已办 / done ones too")] = False
) -> None:
    """待办，先到期的在前。What is to be done, what is due first."""
    with _acting(by) as (connection, _, _):
        _show(tasks_of(connection, with_done=with_done))


@task.command("done")
def done(task_id: UUID, by: By, remark: Annotated[str | None, typer.Option(help="办理情况")] = None) -> None:
    """办结。It is done."""
    with _acting(by) as (connection, _, _):
        finish_task(connection, task_id, remark=remark)
