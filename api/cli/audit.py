"""Commands of the audit: verify, checkpoint, show, notices."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from sqlalchemy import text

from api.audit import last_entries
from api.audit_chain import Algorithm, Fault, FaultKind
from api.audit_checkpoint import AuditKeys, make_checkpoint
from api.audit_verify import Report
from api.audit_verify import verify as verify_audit
from api.cli.prepared import prepared_settings
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, progress, say, show_table
from api.clock import SystemClock
from api.ids import subject_id_for
from api.notices import read_notices
from api.session import open_database
from api.settings import read_settings
from tracking.local_time import LOCAL_TIME

FOUND_FAULTS = 3
"""Exit code: the audit was read, and it is not whole. 1 is an error, 2 a wrong option."""

MOST_SHOWN = 50

KIND_NAMES = {
    FaultKind.ALTERED: "被改动 altered",
    FaultKind.MISSING: "缺失 missing",
    FaultKind.INSERTED: "多出 inserted",
    FaultKind.SWAPPED: "被对调 swapped",
    FaultKind.UNGUARDED: "保护被关闭 unguarded",
    FaultKind.SIGNATURE: "签名不符 signature",
}


def verify(
    since: Annotated[
        datetime | None, typer.Option(help="信任此日以前的检查点 / trust the last checkpoint before this local day")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
) -> None:
    """核对审计链：指出第一处改动、缺失或多出。Check the audit; names the first altered, missing or inserted row.

    退出码 exit code: 0 完好 whole, 3 有问题 faults. 例 / example:  hulan audit verify
    """
    with plain_errors(*PROBLEMS):
        settings = read_settings()
        instant = None if since is None else since.replace(tzinfo=since.tzinfo or LOCAL_TIME)
        with open_database(settings, say=say) as engine, progress("核对 verifying") as advance:
            report = verify_audit(engine, settings.data_dir, since=instant, progress=advance)
        if as_json:
            typer.echo(json.dumps(asdict(report), ensure_ascii=False, default=str))
        else:
            show_report(report)
    if report.faults:
        raise typer.Exit(FOUND_FAULTS)


def show_report(report: Report) -> None:
    """Counts, and the faults in order."""
    out.print(
        f"审计记录 entries: {report.entry_count}  受审计的行 rows: {report.row_count}"
        f"  检查点 checkpoints: {report.checkpoint_count}  尚未签名 not yet signed: {report.unsigned_count}",
        markup=False,
    )
    if not report.faults:
        out.print("审计完好 / the audit is whole", markup=False)
        return
    first = report.faults[0]
    out.print(
        f"第一处 first: {KIND_NAMES[first.kind]}  {first.where}  {_local(first)}  {first.detail}",
        markup=False,
        soft_wrap=True,
    )
    rows = [("问题 fault", "位置 where", "时间 written", "说明 detail")]
    rows += [(KIND_NAMES[item.kind], item.where, _local(item), item.detail) for item in report.faults[:MOST_SHOWN]]
    show_table(rows, title=f"共 {len(report.faults)} 处 faults")


def checkpoint() -> None:
    """签署检查点：固定各链的末尾。Sign where every chain ends now.

    例 / example:  hulan audit checkpoint
    """
    with plain_errors(*PROBLEMS):
        settings = prepared_settings()
        with open_database(settings, say=say) as engine:
            keys = AuditKeys.open(settings.data_dir)
            made = make_checkpoint(engine, keys, at=SystemClock().now(), algorithm=Algorithm(settings.audit_hash))
        if made is None:
            out.print("自上一检查点以来没有新记录 / nothing new since the last checkpoint", markup=False)
            return
        count = sum(seq for seq, _ in made.heads.values())
        out.print(f"检查点 checkpoint {made.number}  记录 entries: {count}", markup=False)
        out.print(f"摘要 digest: {made.digest.hex()}  公钥 public key: {keys.folder / keys.key_id}.pub", markup=False)


def show(
    subject: Annotated[str | None, typer.Option(help="对象编号 / reference of a subject, as in the case file")] = None,
    last: Annotated[int, typer.Option(help="条数 / how many", min=1)] = 50,
) -> None:
    """列出最近的审计记录：何时、何人、为何、何事。The last entries: when, who, what for, what.

    例 / example:  hulan audit show --subject A-1 --last 20
    """
    with plain_errors(*PROBLEMS):
        with open_database(read_settings(), say=say) as engine, engine.connect() as connection:
            subject_no = None
            if subject is not None:
                query = text("SELECT subject_no FROM open_subject WHERE subject_id = :id")
                subject_no = connection.execute(query, {"id": subject_id_for(subject)}).scalar_one_or_none()
                if subject_no is None:
                    raise LookupError(f"没有这个对象 / there is no subject {subject}")
            entries = last_entries(connection, subject_no=subject_no, most=last)
        rows = [("号 no.", "时间 time", "何人 who", "目的 purpose", "何事 what", "对象 subject")]
        rows += [
            (
                str(item.position),
                f"{item.at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}",
                item.actor,
                item.purpose,
                f"{item.kind} {item.what}".strip(),
                "" if item.subject_no is None else str(item.subject_no),
            )
            for item in entries
        ]
        show_table(rows)


def notices() -> None:
    """列出未复核的紧急查阅。Broken glass that the audit administrator has not reviewed yet.

    例 / example:  hulan audit notices
    """
    with plain_errors(*PROBLEMS):
        with open_database(read_settings(), say=say) as engine, engine.connect() as connection:
            found = read_notices(connection, is_open=True, most=MOST_SHOWN)
        if not found:
            out.print("没有待复核的紧急查阅 / no broken glass waits for a review", markup=False)
            return
        for item in found:  # a table would break the ids, which are there to be copied
            made_at = f"{item.made_at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}"
            out.print(
                f"{made_at}  通知 notice {item.notice_id}  账号 account {item.account_id}"
                f"  对象 subject {item.subject_no}  查阅 look {item.look_id}",
                markup=False,
                soft_wrap=True,
            )


def _local(item: Fault) -> str:
    return "–" if item.at is None else f"{item.at.astimezone(LOCAL_TIME):%Y-%m-%d %H:%M:%S}"
