"""Commands for sealed records: seal one, destroy those whose time is up. Opening one needs two people, over the web."""

from typing import Annotated, Any

import typer
from sqlalchemy import text
from typer.core import TyperGroup

from api.access.accounts import AccountError, account_no_of
from api.cli.problems import FORESEEABLE
from api.cli.screen import out, plain_errors, say
from api.clock import SystemClock
from api.errors import NotThereError
from api.ids import subject_id_for
from api.logs import configure_logs
from api.personal.opening import open_keyring
from api.personal.sealing import SealError
from api.records.grounds import SealingGround
from api.records.sealing import Basis, seal_record
from api.records.shredding import due_count, shred_due
from api.session import open_database
from api.settings import Settings, read_settings
from tracking.local_time import LOCAL_TIME

PROBLEMS = (*FORESEEABLE, AccountError, SealError, LookupError)


class _OrRecord(TyperGroup):
    """``hulan seal A-1`` is ``hulan seal record A-1``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the command before what is not one."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["record", *args]
        return super().parse_args(ctx, args)


seal = typer.Typer(help="封存。Sealed records.", no_args_is_help=True, cls=_OrRecord)


@seal.command("record")
def record(
    reference: Annotated[str, typer.Argument(help="对象编号：案件编号或 id / reference or id of the subject")],
    ground: Annotated[SealingGround, typer.Option(help="封存事由 / ground")],
    document: Annotated[str, typer.Option(help="封存决定书文号 / number of the sealing decision")],
    by: Annotated[str, typer.Option(help="办案检察官或负责人的登录名 / log-in name of whoever decided it")],
    words: Annotated[str, typer.Option("--text", help="事由说明 / the ground in words")] = "",
) -> None:
    """封存一名对象的记录：立即从查询、地图、导出与接口中消失。Seal a record: the person is gone at once.

    例 / example:  hulan seal A-1 --ground non_prosecution --document 某检封〔2026〕3号 --by wang
    """
    with plain_errors(*PROBLEMS):
        settings = _settings()
        keyring = open_keyring(settings)
        with open_database(settings, say=say) as engine:
            with engine.connect() as connection:
                account_id = connection.execute(
                    text("SELECT account_id FROM account WHERE account_no = :no"),
                    {"no": account_no_of(connection, by)},
                ).scalar_one()
            try:
                done = seal_record(
                    engine,
                    keyring,
                    account_id=account_id,
                    subject_id=subject_id_for(reference),
                    basis=Basis(ground=ground, ground_text=words, document_number=document),
                    now=SystemClock().now(),
                )
            except NotThereError:
                raise LookupError(
                    "没有这名对象，或该账号不是其办案检察官或负责人"
                    " / no such subject, or the account is no prosecutor or leader with this case"
                ) from None
        until = done.keep_until.astimezone(LOCAL_TIME)
        out.print(f"已封存，保管至 / sealed, kept until: {until:%Y-%m-%d}", markup=False)


@seal.command("shred")
def shred(
    due: Annotated[bool, typer.Option("--due", help="销毁保管期满的 / destroy what is due; without it: count")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """销毁保管期满的封存记录：轨迹、字段与密钥，不可恢复。Destroy sealed records whose time is up, for good.

    例 / example:  hulan seal shred --due
    """
    with plain_errors(*PROBLEMS):
        settings = _settings()
        keyring = open_keyring(settings)
        now = SystemClock().now()
        with open_database(settings, say=say) as engine:
            with engine.connect() as connection:
                count = due_count(connection, now=now)
            out.print(f"保管期满 / due: {count}", markup=False)
            if not due:
                return
            if count and not yes:
                typer.confirm("将永久销毁，不可恢复。继续？/ They will be gone for good. Go on?", abort=True)
            done = shred_due(engine, keyring, now=now)
        out.print(f"已销毁 / destroyed: {done}", markup=False)


def _settings() -> Settings:
    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    configure_logs(settings.log_level)
    return settings
