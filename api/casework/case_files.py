"""Case files of officers over the web: checked as they come in, filed sealed, and what became of each case.

The connection is one of ``as_account``: the account files in its own name and reads its own files. A worker registers
(``api.case_intake``).
"""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zipfile import BadZipFile, ZipFile

from sqlalchemy import Connection, text

from api.case_file import CaseIn, CasesRead, cases_in_json, check_cases
from api.case_import import REFUSALS, refuse_minor_without_guardian, rejection_of
from api.case_intake import TABLE, CaseOutcome, outcome_of, told
from api.cases import order_id_for, refuse_broken_terms
from api.errors import NotAllowedError, NotThereError
from api.files.case_tables import case_table_in, cases_in
from api.files.errors import UnreadableFile
from api.ids import new_id, subject_id_for
from api.personal.fields import open_field, seal_row
from api.personal.keyring import Keyring
from api.personal.sealing import Key
from tracking.zone import ZoneOrigin
from venues.place import Rejected

MOST_CASES = 500
"""In one file, good and bad."""
MOST_UNPACKED_BYTES = 20_000_000
"""In a workbook, which is packed: a small file may hold far more than memory does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A file that was taken: how many of its cases wait for a worker, and what is wrong with the others."""

    intake_id: UUID
    waiting_count: int
    rejected: Sequence[dict[str, Any]]


def read_case_file(content: bytes, *, is_json: bool) -> CasesRead:
    """Cases of JSON, CSV or a workbook. Raises ``ValueError`` (``FileError``) for what is none of them, or too much."""
    if is_json:
        read = check_cases(enumerate(cases_in_json(content, name="JSON"), start=1))
    else:
        if content.startswith(b"PK"):
            _refuse_large_book(content)
        read = cases_in(case_table_in(content, name="表格 table"))
    if len({*read.lines, *(item.line for item in read.rejected)}) > MOST_CASES:
        raise UnreadableFile(
            f"一次最多 {MOST_CASES} 份，请分开提交 / {MOST_CASES} cases at most at a time: file the rest on their own"
        )
    return read


def _refuse_large_book(content: bytes) -> None:
    try:
        with ZipFile(io.BytesIO(content)) as book:
            size = sum(item.file_size for item in book.infolist())
    except BadZipFile as error:
        raise UnreadableFile("不是 Excel 工作簿（.xlsx）/ is no Excel workbook (.xlsx)") from error
    if size > MOST_UNPACKED_BYTES:
        raise UnreadableFile("工作簿太大，请分开提交 / the workbook is too large: split it")


def file_cases(connection: Connection, keyring: Keyring, read: CasesRead, *, at: datetime) -> Filed:
    """File the good cases, sealed, with the reasons of the others beside them.

    Without a good case nothing is kept. Raises ``NotAllowedError`` for an account that belongs to no division.
    """
    good, refused = _checked(connection, read, at)
    rejected = sorted((*read.rejected, *refused), key=lambda item: item.line)
    shown = [{"line": item.line, "reference": _plain(item.reference), **told(item)} for item in rejected]
    intake_id = new_id()
    if good:
        key = _sealing_key(connection, keyring)
        rows = [
            _row(key, line, CaseOutcome(reference=case.reference), case.model_dump_json()) for line, case in good
        ] + [_row(key, line, outcome, None) for line, outcome in _outcomes(rejected)]
        filed = connection.execute(
            text("SELECT file_cases(:intake_id, CAST(:items AS jsonb))"),
            {"intake_id": intake_id, "items": json.dumps(rows)},
        ).scalar_one()
        if filed != len(rows):
            raise NotAllowedError
    return Filed(intake_id=intake_id, waiting_count=len(good), rejected=shown)


def case_file_of(connection: Connection, keyring: Keyring, intake_id: UUID) -> dict[str, Any]:
    """What became of a file of the account. Raises ``NotThereError``."""
    rows = connection.execute(
        text("SELECT item_id, line, asked_at, result, token IS NOT NULL AS has_token, key_id, done_at FROM case_intake"
             " WHERE intake_id = :id ORDER BY line, item_id"),
        {"id": intake_id},
    ).all()  # fmt: skip
    if not rows:
        raise NotThereError
    return {
        "case_file_id": intake_id,
        "state": "done" if all(row.done_at is not None for row in rows) else "waiting",
        "asked_at": rows[0].asked_at,
        "cases": [_told(keyring, row) for row in rows],
    }


def take_tokens(connection: Connection, keyring: Keyring, intake_id: UUID) -> list[dict[str, str]]:
    """The tokens of new devices, which are erased by this. Raises ``NotThereError`` if there are none (any more)."""
    rows = connection.execute(text("SELECT * FROM take_case_tokens(:id)"), {"id": intake_id}).all()
    if not rows:
        raise NotThereError
    return [
        {"reference": _outcome(keyring, row).reference, "token": _opened(keyring, row, "token", row.token)}
        for row in rows
    ]


def _checked(connection: Connection, read: CasesRead, at: datetime) -> tuple[list[tuple[int, CaseIn]], list[Rejected]]:
    good: list[tuple[int, CaseIn]] = []
    refused: list[Rejected] = []
    for line, case in zip(read.lines, read.cases, strict=True):
        try:
            _refuse_zones_of_others(case)
            refuse_minor_without_guardian(case, at)
            refuse_broken_terms(
                connection, case, subject_no=_number_of(connection, case), order_id=order_id_for(case)
            )  # fmt: skip
            good.append((line, case))
        except REFUSALS as error:
            refused.append(rejection_of(error, case, line=line))
    return good, refused


def _refuse_zones_of_others(case: CaseIn) -> None:
    """Zones that another order drew, of which a stranger would learn that they exist."""
    if any(str(item.zone_source).startswith(f"{ZoneOrigin.CONDITION}:") for item in case.conditions):
        raise LookupError("不能引用其他决定书的区域，请写明位置 / a zone of another order cannot be named: draw it")


def _number_of(connection: Connection, case: CaseIn) -> int:
    """Of a person whom the account may see; else 0, which is nobody's."""
    query = text("SELECT subject_no FROM subject WHERE subject_id = :id")
    found = connection.execute(query, {"id": subject_id_for(case.reference)}).scalar()
    return int(found or 0)


def _outcomes(rejected: Iterable[Rejected]) -> list[tuple[int, CaseOutcome]]:
    """What is wrong with each case, as one outcome."""
    by_line: dict[int, list[Rejected]] = {}
    for item in rejected:
        by_line.setdefault(item.line, []).append(item)
    return [
        (line, CaseOutcome(reference=_plain(items[0].reference), rejected=[told(item) for item in items]))
        for line, items in by_line.items()
    ]


def _sealing_key(connection: Connection, keyring: Keyring) -> Key:
    """The key that seals now; the keyring's newest where nothing was sealed yet."""
    newest = keyring.keys[-1]
    key_id = connection.execute(
        text("SELECT coalesce(sealing_key_id(), start_sealing(:key_id, :cipher))"),
        {"key_id": newest.key_id, "cipher": str(newest.cipher)},
    ).scalar_one()
    if key_id is None:
        raise NotAllowedError
    return keyring.key(key_id)


def _row(key: Key, line: int, outcome: CaseOutcome, content: str | None) -> dict[str, Any]:
    item_id = new_id()
    texts = {"result": outcome.written()} | ({} if content is None else {"content": content})
    sealed = seal_row(key, table=TABLE, row_id=item_id, values=texts)
    return {
        "item_id": str(item_id), "line": line, "key_id": key.key_id,
        **{column: rf"\x{value.hex()}" for column, value in sealed.items()},
    }  # fmt: skip


def _told(keyring: Keyring, row: Any) -> dict[str, Any]:
    outcome = _outcome(keyring, row)
    state = "waiting" if row.done_at is None else "rejected" if outcome.rejected else outcome.change
    return {
        "line": row.line, "reference": outcome.reference, "state": state, "doubts": outcome.doubts,
        "rejected": outcome.rejected, "has_token": row.has_token,
    }  # fmt: skip


def _outcome(keyring: Keyring, row: Any) -> CaseOutcome:
    return outcome_of(_opened(keyring, row, "result", row.result))


def _opened(keyring: Keyring, row: Any, column: str, sealed: bytes) -> str:
    return open_field(keyring, sealed, key_id=row.key_id, table=TABLE, column=column, row_id=row.item_id)


def _plain(words: str) -> str:
    return words.encode(errors="replace").decode()
