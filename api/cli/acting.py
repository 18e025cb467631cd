"""Commands that act as one account, and what they all take and show."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from sqlalchemy import Connection, text

from api.access.accounts import AccountError, account_no_of
from api.access.caller import as_account
from api.access.roles import AccountRole
from api.cli.case_lines import Item, joined
from api.cli.prepared import prepared_settings
from api.cli.problems import FORESEEABLE
from api.cli.screen import out, plain_errors, say
from api.errors import NotAllowedError, NotThereError, RefusedInputError
from api.logs import configure_logs
from api.session import open_database
from api.settings import Settings
from tracking.local_time import LOCAL_TIME

By = Annotated[str, typer.Option("--by", help="以谁的账号：登录名 / log-in name of whose account acts")]
AsJson = Annotated[bool, typer.Option("--json", help="每行一个 JSON，供程序使用 / one JSON object a line")]
Instant = typer.Option(formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"], help="北京时间 local time")


def _six_digits(code: str | None) -> str | None:
    if code is not None and not (len(code) == 6 and code.isascii() and code.isdigit()):
        raise typer.BadParameter(f"应为六位区划代码 must be a division code of six digits: {code}")
    return code


DivisionOption = Annotated[
    str | None,
    typer.Option("--division", callback=_six_digits, help="只列此区划及以下，六位 / of this division and those below"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """One transaction as an account."""

    connection: Connection
    account_id: UUID
    roles: frozenset[AccountRole]
    settings: Settings


@contextmanager
def acting(login_name: str) -> Iterator[Acting]:
    """One transaction in which the database shows what the account may see; refusals in plain words."""
    with plain_errors(*FORESEEABLE, AccountError, LookupError):
        settings = prepared_settings()
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
                    roles = frozenset(AccountRole(role) for role in row.roles)
                    yield Acting(connection=connection, account_id=row.account_id, roles=roles, settings=settings)
            except (NotThereError, NotAllowedError):
                raise LookupError(
                    "没有这一项，或该账号无权办理 / there is no such thing, or not for this account to do"
                ) from None
            except RefusedInputError as error:
                raise LookupError(f"内容不符合要求 / refused: {error}") from None


def local(instant: datetime) -> datetime:
    """An instant as typed: without a zone it is of Asia/Shanghai."""
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=LOCAL_TIME)


def show(items: Sequence[Item], lines: Callable[[Item], Iterable[str]], *, none: str, as_json: bool) -> None:
    """For people, an item after the other; or one JSON object a line, for programs."""
    if as_json:
        for item in items:
            out.print(json.dumps(item, ensure_ascii=False, default=str), markup=False, soft_wrap=True)
        return
    for line in joined(map(lines, items)):
        out.print(line, markup=False, soft_wrap=True)
    if not items:
        out.print(none, markup=False, soft_wrap=True)
