"""Commands of the outbox: list, show, retry. No number, no name and no text of a message is shown."""

from collections.abc import Iterator, Sequence
from typing import Annotated
from uuid import UUID

import typer

from alerts.alert import Role
from alerts.channel import Channel
from alerts.failover_store import redrive
from api.audit import name_actor
from api.casework.names import CHANNEL_NAMES_ZH, ROLE_NAMES_ZH, TASK_NAMES_ZH
from api.cli.case_lines import joined, minute
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, say
from api.dead_letters import Letter, chain_of, dead_letters, pending_count
from api.session import open_database
from api.settings import read_settings

outbox = typer.Typer(help="发不出或未送达的消息。Messages that could not be sent.", no_args_is_help=True)

Number = Annotated[UUID, typer.Argument(help="消息编号 / id of the message")]

STATES = {
    "pending": "待发 pending",
    "sent": "已交服务商 sent",
    "delivered": "已送达 delivered",
    "failed": "未送达 failed",
    "dead": "未发出 dead",
}


@outbox.command("list")
def list_letters(
    most: Annotated[int, typer.Option(min=1, max=500, help="最多几条 / how many at most")] = 50,
) -> None:
    """列出未发出、未送达的消息，及之后通知了谁。List what was not sent or did not arrive, and what came instead.

    例 / example:  hulan outbox list
    """
    with plain_errors(*PROBLEMS), open_database(read_settings(), say=say) as engine, engine.connect() as connection:
        waiting, letters = pending_count(connection), dead_letters(connection, most=most)
    out.print(f"待发 waiting: {waiting}", markup=False)
    if letters:
        _show(letters)
    else:
        out.print("没有发不出的消息 / nothing is dead", markup=False)


@outbox.command("show")
def show_letter(number: Number) -> None:
    """显示同一警报的全部通知，按先后。Show every message of the same alert, one after the other.

    例 / example:  hulan outbox show 019b0c5e-8f2e-7a41-b6b0-2c1d3e4f5a6b
    """
    with plain_errors(*PROBLEMS, LookupError), open_database(read_settings(), say=say) as engine:
        with engine.connect() as connection:
            letters = chain_of(connection, number)
        if not letters:
            raise LookupError("没有这条消息 / there is no such message")
        _show(letters)


@outbox.command("retry")
def retry_letter(number: Number) -> None:
    """再试一次：仍受时限、每日条数约束，之后通知的人不撤回。Try again; age and budget still hold.

    例 / example:  hulan outbox retry 019b0c5e-8f2e-7a41-b6b0-2c1d3e4f5a6b
    """
    with plain_errors(*PROBLEMS, LookupError), open_database(read_settings(), say=say) as engine:
        with engine.begin() as connection:
            name_actor(connection, actor="cli:outbox", purpose="人工重发 / another try by hand")
            is_back = redrive(connection, number)
        if not is_back:
            raise LookupError(
                "该消息不在“未发出”之列，或其警报已结、记录已封存"
                " / this message is not dead, or its alert is closed or its record sealed"
            )
    out.print("已放回待发 / back in the outbox", markup=False)


def _show(letters: Sequence[Letter]) -> None:
    for line in joined(map(_lines, letters)):
        out.print(line, markup=False, soft_wrap=True)


def _lines(letter: Letter) -> Iterator[str]:
    """An id stands on one line, to be copied."""
    role = f"{ROLE_NAMES_ZH[Role(letter.role)]} {letter.role}"
    way = TASK_NAMES_ZH.get(letter.task, letter.task) if letter.task else CHANNEL_NAMES_ZH[Channel(letter.channel)]
    yield f"{minute(letter.event_at)}  {role}  {way} {letter.task or letter.channel}  {STATES[letter.state]}"
    if letter.last_error:
        yield f"  {letter.last_error}"
    yield f"  id {letter.notification_id}"
    if letter.successor_id is not None:
        yield f"  之后 then {letter.successor_id}"
