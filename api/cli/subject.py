"""Commands for the people under supervision themselves: what is stored about them."""

import getpass
import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import Connection

from api.audit import LookKind, record_look
from api.cli.problems import FORESEEABLE
from api.cli.screen import out, plain_errors, say, show_table
from api.ids import subject_id_for
from api.personal.opening import open_keyring
from api.personal.sealing import SealError
from api.session import open_database
from api.settings import read_settings
from api.subject_view import IdentityCheckError, SubjectView, find_subject, view_subject
from tracking.local_time import LOCAL_TIME

subject = typer.Typer(help="监管对象。People under supervision.", no_args_is_help=True)

PROBLEMS = (*FORESEEABLE, LookupError, ValueError, SealError)

MOST_LOOKS = 200


@subject.callback()
def _group() -> None:
    """People under supervision: a group, though it has one command yet."""


@subject.command("view")
def view(
    reference: Annotated[str, typer.Argument(help="对象编号：案件编号或 id / reference or id of the subject")],
    purpose: Annotated[str | None, typer.Option(help="查阅目的，记入审计 / what for; goes into the audit")] = None,
    check_id: Annotated[
        bool,
        typer.Option("--check-id", help="核对身份证后显示本人信息 / ask for the ID card, then show their own name"),
    ] = False,
    words: Annotated[
        bool, typer.Option("--words", help="显示查阅目的原文，先核对其中有无他人 / purposes as typed: read them first")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / as JSON")] = False,
) -> None:
    """打印本人可知的全部信息，供当面交付。What is stored about a person, as that person may see it.

    例 / example:  hulan subject view A-1 --purpose 本人查阅 --check-id
    """
    with plain_errors(*PROBLEMS):
        settings = read_settings()
        keyring = open_keyring(settings)
        typed = typer.prompt("身份证号 ID number", hide_input=True, err=True) if check_id else None
        with open_database(settings, say=say) as engine:
            try:
                with engine.begin() as connection:
                    number = find_subject(connection, subject_id_for(reference))
                    shown = view_subject(
                        connection,
                        keyring,
                        number,
                        id_number=typed,
                        keep_days=settings.keep_days,
                        with_words=words,
                        most_looks=MOST_LOOKS,
                    )
                    _note(connection, number, purpose, "own view, ID checked" if check_id else "own view")
            except IdentityCheckError:
                with engine.begin() as connection:
                    _note(connection, number, purpose, "own view refused: ID number")
                raise
        if as_json:
            typer.echo(json.dumps(asdict(shown), ensure_ascii=False, default=_plain))
        else:
            show_view(shown)


def _note(connection: Connection, subject_no: int, purpose: str | None, detail: str) -> None:
    actor = f"cli:{getpass.getuser()}"
    record_look(connection, LookKind.PERSON, actor=actor, purpose=purpose, subject_no=subject_no, detail=detail)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def show_view(shown: SubjectView) -> None:
    """Print it, one table for each question that a person may ask."""
    facts = [
        ("项目 item", "内容 content"),
        ("编号 id", str(shown.subject_id)),
        ("代号 alias", shown.alias),
        ("出生日期 date of birth", str(shown.birth_date)),
        ("姓名 name", shown.name or "未登记 not on file"),
        ("身份证号 ID number", shown.id_number or "未登记 not on file"),
        ("在用设备 devices in use", str(shown.device_count)),
    ]
    show_table(facts, title="一、您是谁 who you are")
    for order in shown.orders:
        facts = [
            ("项目 item", "内容 content"),
            ("措施 measure", order.measure),
            ("文号 document", f"{order.document_number}  第 {order.version} 版 version {order.version}"),
            ("决定/执行机关 organs", f"{order.deciding_organ} / {order.executing_organ}"),
            ("有效期 validity", f"{_local(order.valid_from)} – {_local(order.valid_to)}"),
            *(("规定 rule", condition) for condition in order.conditions),
        ]
        show_table(facts, title="二、决定书与规定 the decision and your rules")
    told = {True: "是 yes", False: "否 no"}
    contacts = [(item.role, item.name, item.phone, told[item.is_told]) for item in shown.contacts]
    show_table([("身份 role", "姓名 name", "号码 number", "会被通知 told"), *contacts], title="三、通知谁 who is told")
    weeks = [(str(item.begins_on), str(item.fix_count), str(item.goes_on or "未设定 not set")) for item in shown.weeks]
    show_table([("周一 week of", "定位数 fixes", "最迟删除 deleted by"), *weeks], title="四、定位 where you were")
    alerts = [(_local(item.opened_at), item.kind, item.state, str(item.message_count)) for item in shown.alerts]
    show_table(
        [("时间 time", "事由 about", "状态 state", "短信 messages"), *alerts],
        title="五、警报（疑似，待确认） alerts: suspected, to be confirmed",
    )
    looks = [(_local(item.at), item.actor, item.kind, item.purpose) for item in shown.looks]
    show_table(
        [("时间 time", "何人 who", "查阅 what", "目的 purpose"), *looks],
        title=f"六、谁看过您的数据：共 {shown.look_count} 次 who looked at your data: {shown.look_count} times",
    )
    out.print(
        "禁入区域及与之有关的警报由办案人员当面说明。您有权查阅、复制、更正、补充、要求删除和解释（个保法第四十四至五十条）。",
        markup=False,
    )
    out.print(
        "Zones that you may not enter, and alerts about them, are told by the officer. You may see, copy, correct,"
        " ask to delete and ask to explain (PIPL 44–50).",
        markup=False,
    )


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M}"
