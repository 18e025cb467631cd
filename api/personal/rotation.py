"""Key rotation: a new key becomes current, then every row is sealed anew, some at a time, while work goes on.

It can be broken off and started again at any moment: what is left to do is what the rows say. Rows that another
transaction holds are passed over and come up again, so that rotation never waits while it holds a row.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from api.personal.fields import SEALED_TABLES, SealedTable, check_keys, key_uses, open_field, seal_row
from api.personal.keyring import Keyring, KeyringError
from api.personal.sealing import CipherName, Key, SealError

ROWS_AT_A_TIME = 200
_BUSY_WAIT_S = 0.2
_ROTATION_LOCK = 0x48554C4B  # "HULK": one rotation at a time
_LOCK_TIMEOUT = "55P03"

_OTHERS = "key_id <> :key_id AND key_id NOT IN (SELECT key_id FROM personal_key WHERE subject_no IS NOT NULL)"
"""Rows of other keys. A sealed record stays under the key of its own, with which it is destroyed."""


class BusyError(RuntimeError):
    """Another rotation is running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What a rotation did."""

    key_id: str
    row_count: int


def rotate(
    engine: Engine,
    keyring: Keyring,
    *,
    cipher: CipherName,
    at: datetime,
    progress: Callable[[int], None] = lambda _: None,
) -> Rotated:
    """Go over to a new key, or finish a rotation that was broken off.

    ``progress`` hears how many more rows are done. A key of the keyring that was never used is taken before one is
    made. Raises ``KeyringError``, ``BusyError``, and, when all other rows are done, ``SealError`` for those that cannot
    be opened: they stay as they are, and so does their key.
    """
    refused: list[SealError] = []
    with _alone(engine):
        key = _begin(engine, keyring, cipher=cipher, at=at)
        count = sum(_reseal_table(engine, keyring, key, table, progress, refused) for table in SEALED_TABLES)
    if refused:
        raise refused[0]
    return Rotated(key_id=key.key_id, row_count=count)


def retire(engine: Engine, keyring: Keyring, key_id: str) -> None:
    """Destroy a key that no row needs. Raises ``KeyringError`` while one does, or if it is the current key.

    The key of a sealed record is refused: it goes with the record (``api.records.shredding.shred_due``).

    The row of the key goes first, and the rows sealed with it refer to that row: no transaction can be sealing with it.
    """
    keyring.key(key_id)
    if any(item.key.key_id == key_id for item in keyring.person_keys):
        raise KeyringError(
            f"密钥 {key_id} 属于封存的记录，保管期满后由 hulan seal shred 销毁"
            f" / key {key_id} belongs to a sealed record: `hulan seal shred` destroys it when its time has come"
        )
    with _alone(engine), engine.begin() as connection:
        use = next((use for use in key_uses(connection) if use.key_id == key_id), None)
        if use is not None and (use.is_current or use.row_count):
            raise KeyringError(
                f"密钥 {key_id} 仍在使用（{use.row_count} 行），不能销毁；请先运行 hulan keys rotate"
                f" / key {key_id} is in use ({use.row_count} rows) and stays: run `hulan keys rotate` first"
            )
        connection.execute(text("DELETE FROM personal_key WHERE key_id = :key_id"), {"key_id": key_id})
    keyring.destroy(key_id)


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """One at a time; the lock goes with its connection, however this process ends."""
    with engine.connect() as guard:
        if not guard.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ROTATION_LOCK}).scalar_one():
            raise BusyError("另一个轮换正在进行 / another rotation is running")
        guard.commit()
        try:
            yield
        finally:
            guard.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _ROTATION_LOCK})
            guard.commit()


def _begin(engine: Engine, keyring: Keyring, *, cipher: CipherName, at: datetime) -> Key:
    with engine.connect() as connection:
        check_keys(connection, keyring)
        uses = key_uses(connection)
    is_unfinished = any(use.row_count for use in uses if not use.is_current)
    current = next((use for use in uses if use.is_current), None)
    if current is not None and is_unfinished:
        return keyring.key(current.key_id)
    used = {use.key_id for use in uses}
    newest = keyring.keys[-1]
    is_new = newest.key_id not in used and newest.cipher is cipher
    key = newest if is_new else keyring.add(cipher, at=at)
    try:
        with engine.begin() as connection:
            # Waits for transactions that are sealing: none goes on with the old key once this is committed.
            connection.execute(text("UPDATE personal_key SET is_current = false WHERE is_current"))
            connection.execute(
                text("INSERT INTO personal_key (key_id, cipher, is_current) VALUES (:key_id, :cipher, true)"),
                {"key_id": key.key_id, "cipher": str(key.cipher)},
            )
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_TIMEOUT:
            raise
        raise BusyError("导入正在进行，请稍后再试 / an import is under way: try again when it is done") from error
    return key


def _reseal_table(
    engine: Engine,
    keyring: Keyring,
    key: Key,
    table: SealedTable,
    progress: Callable[[int], None],
    refused: list[SealError],
) -> int:
    total = 0
    unreadable: set[UUID] = set()
    while True:
        with engine.begin() as connection:
            found, done = _reseal_some(connection, keyring, key, table, unreadable, refused)
        total += done
        progress(done)
        if found == 0:
            if not _has_others(engine, key, table, unreadable):
                return total
            time.sleep(_BUSY_WAIT_S)


def _has_others(engine: Engine, key: Key, table: SealedTable, unreadable: set[UUID]) -> bool:
    query = text(f"SELECT EXISTS (SELECT FROM {table.table} WHERE {_OTHERS} AND {table.row_id} <> ALL(:unreadable))")
    with engine.connect() as connection:
        return bool(connection.execute(query, {"key_id": key.key_id, "unreadable": list(unreadable)}).scalar_one())


def _reseal_some(
    connection: Connection,
    keyring: Keyring,
    key: Key,
    table: SealedTable,
    unreadable: set[UUID],
    refused: list[SealError],
) -> tuple[int, int]:
    """Some rows of other keys that nobody holds; returns how many were found and how many are done."""
    rows = connection.execute(
        text(
            f"SELECT {table.row_id} AS row_id, key_id, {', '.join(table.columns)} FROM {table.table}"
            f" WHERE {_OTHERS} AND {table.row_id} <> ALL(:unreadable)"
            " LIMIT :most FOR NO KEY UPDATE SKIP LOCKED"
        ),
        {"key_id": key.key_id, "most": ROWS_AT_A_TIME, "unreadable": list(unreadable)},
    ).all()
    changed = []
    for row in rows:
        try:
            texts = {
                column: open_field(
                    keyring, sealed, key_id=row.key_id, table=table.table, column=column, row_id=row.row_id
                )
                for column in table.columns
                if (sealed := getattr(row, column)) is not None
            }
        except SealError as error:
            unreadable.add(row.row_id)
            refused.append(error)
            continue
        sealed_now = seal_row(key, table=table.table, row_id=row.row_id, values=texts)
        changed.append({column: sealed_now.get(column) for column in table.columns} | {"row_id": row.row_id})
    if changed:
        assignments = ", ".join(f"{column} = :{column}" for column in table.columns)
        connection.execute(
            text(f"UPDATE {table.table} SET {assignments}, key_id = :key_id WHERE {table.row_id} = :row_id"),
            [{**row, "key_id": key.key_id} for row in changed],
        )
    return len(rows), len(changed)
