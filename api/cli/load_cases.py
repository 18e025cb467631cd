"""``hulan import cases``: the good cases are kept; the others go to a file like the one that came, to be mended."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from api.case_file import CasesRead, case_items, check_cases
from api.case_import import register_cases
from api.cases import Change, Registered
from api.cli.load import RejectsOption
from api.cli.prepared import prepared_settings
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, progress, say
from api.clock import SystemClock
from api.files.case_rejects import write_case_rejects
from api.files.case_tables import CaseTable, cases_in, open_case_table, write_template
from api.files.rejects import rejects_path
from api.personal.opening import open_checked_keyring
from api.session import open_database
from api.settings import secret_of
from venues.place import Rejected

_REJECTS_SHOWN = 5


def cases(
    file: Annotated[
        Path | None,
        typer.Argument(help="JSON、CSV 或 Excel 文件 / the file to import", exists=True, dir_okay=False),
    ] = None,
    tokens: Annotated[
        Path, typer.Option(help="新设备令牌追加到此文件，仅此一次 / new device tokens are added here, once only")
    ] = Path("device-tokens.csv"),
    rejects: RejectsOption = None,
    template: Annotated[
        Path | None, typer.Option(help="写出空白表格（.xlsx 或 .csv）/ write an empty table and do nothing else")
    ] = None,
) -> None:
    """导入案件：对象、决定书、条件、联系人（JSON、CSV、Excel）。Import cases: subject, order, conditions, recipients.

    同一文件可重复导入：未变的不动，改过的成为新版本。拒收的案件连同原因写入另一文件，改好后直接导入那个文件。
    A file may come in again: what is the same stays, what differs is a variation. Mend the reject file and import it.

    例 / examples:

      hulan import cases --template cases.xlsx

      hulan import cases cases.xlsx --tokens tokens.csv

      hulan import cases cases.xlsx.rejects.xlsx
    """
    with plain_errors(*PROBLEMS):
        if template is not None:
            write_template(template)
            out.print(f"模板 template: {template}", markup=False)
            return
        if file is None:
            raise ValueError("请给出文件，或用 --template 写出模板 / name a file, or a --template to write")
        source, read = _read(file)
        done, refused = _register(read, tokens)
        for note in read.notes:
            say(note)
        for item in done:
            for doubt in item.doubts:
                say(f"请核对 please check {item.reference}：{doubt}")
        _tell(file, source, done, (*read.rejected, *refused), rejects)


def _read(file: Path) -> tuple[CaseTable | Sequence[Any], CasesRead]:
    if file.suffix.lower() == ".json":
        items = case_items(file)
        return items, check_cases(enumerate(items, start=1))
    table = open_case_table(file)
    return table, cases_in(table)


def _register(read: CasesRead, tokens: Path) -> tuple[list[Registered], list[Rejected]]:
    settings = prepared_settings()
    with open_database(settings, say=say) as engine, engine.begin() as connection:
        with progress("登记 registering", len(read.cases)) as advance:
            done, refused = register_cases(
                connection,
                read,
                keyring=open_checked_keyring(settings, engine),
                secret=secret_of(settings),
                at=SystemClock().now(),
                progress=advance,
            )
        fresh = [(item.reference, item.token) for item in done if item.token is not None]
        if fresh:  # before the commit: a token that cannot be kept must not be given out
            _write_tokens(tokens, fresh)
    return done, refused


def _tell(
    file: Path,
    source: CaseTable | Sequence[Any],
    done: Sequence[Registered],
    rejected: Sequence[Rejected],
    rejects: Path | None,
) -> None:
    counts = Counter(item.change for item in done)
    numbers = (
        ("新增 added", counts[Change.ADDED]),
        ("更新 updated", counts[Change.CHANGED]),
        ("未变 unchanged", counts[Change.UNCHANGED]),
        ("拒收 rejected", len({item.line for item in rejected})),
    )
    out.print("  ".join(f"{label}: {count}" for label, count in numbers), markup=False)
    for item in sorted(rejected, key=lambda item: item.line)[:_REJECTS_SHOWN]:
        where = f"第 {item.line} {'项' if isinstance(source, list) else '行'} {item.reference} {item.field}"
        say(f"拒收 rejected {where.rstrip()}：{item.reason}")
    if len(rejected) > _REJECTS_SHOWN:
        say(f"…… 另有 {len(rejected) - _REJECTS_SHOWN} 处 more")
    if rejected:
        path = rejects_path(file, rejects, ending=f".rejects{file.suffix}")
        write_case_rejects(path, source, rejected)
        out.print(
            f"拒收的案件及原因，改好后导入此文件 rejected cases with reasons, mend and import this file: {path}",
            markup=False,
        )
    if counts[Change.ADDED]:
        say(
            "新案件要分到区划和办案组后才能查看 / new cases are seen once they have a division and a team: "
            "hulan team join --help"
        )


def _write_tokens(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    """Append: the tokens of an earlier import are nowhere else."""
    is_new = not path.exists()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8") as file:
        if is_new:
            file.write("reference,token\n")
        file.writelines(f"{reference},{token}\n" for reference, token in rows)
        file.flush()
        os.fsync(file.fileno())
    out.print(f"设备令牌（请妥善保管）device tokens, keep them safe: {path}", markup=False)
