"""``hulan audit verify``: chains, checkpoints, rows and triggers, in one snapshot and by this program alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from api.audit import AUDITED_TABLES
from api.audit_chain import ORIGIN, Algorithm, Entry, Fault, FaultKind, find_faults
from api.audit_checkpoint import (
    Checkpoint,
    find_checkpoint_faults,
    load_checkpoints,
    noted_checkpoints,
    public_keys,
)
from api.audit_rows import find_row_faults, find_unguarded

_ENTRY_COLUMNS = ", ".join(f'"{item.name}"' for item in fields(Entry))
_ROWS_AT_A_TIME = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was looked at, and every fault, the one with the lowest entry number first."""

    entry_count: int
    row_count: int
    checkpoint_count: int
    unsigned_count: int
    """Entries after the last checkpoint: cut off the end, they would not be missed."""
    faults: tuple[Fault, ...]


@dataclass(slots=True, kw_only=True)
class _Progress:
    """Counts, and passes the count on."""

    tell: Callable[[int], None]
    count: int = 0

    def __call__(self, more: int) -> None:
        self.count += more
        if self.count % 1000 == 0:
            self.tell(1000)


def verify(
    engine: Engine, data_dir: Path, *, since: datetime | None = None, progress: Callable[[int], None] = lambda _: None
) -> Report:
    """Check everything; with ``since`` (aware), entries before the last checkpoint made until then are trusted."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        checkpoints = load_checkpoints(connection)
        faults = list(find_checkpoint_faults(checkpoints, public_keys(data_dir), noted_checkpoints(data_dir)))
        start = {} if faults or since is None else _trusted(checkpoints, since)
        entries, rows = _Progress(tell=progress), _Progress(tell=progress)
        unsigned = 0
        for chain in _chains(connection, checkpoints):
            found = _check_chain(connection, chain, checkpoints, start, entries)
            faults += found.faults
            unsigned += found.unsigned_count
        for table in AUDITED_TABLES:
            faults += find_row_faults(connection, table, progress=rows)
        faults += find_unguarded(connection, AUDITED_TABLES)
    return Report(
        entry_count=entries.count,
        row_count=rows.count,
        checkpoint_count=len(checkpoints),
        unsigned_count=unsigned,
        faults=tuple(sorted(faults, key=lambda item: (item.order == 0, item.order))),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    faults: Sequence[Fault]
    unsigned_count: int


def _trusted(checkpoints: Sequence[Checkpoint], since: datetime) -> Mapping[int, tuple[int, bytes]]:
    earlier = [item for item in checkpoints if item.made_at <= since]
    return earlier[-1].heads if earlier else {}


def _chains(connection: Connection, checkpoints: Sequence[Checkpoint]) -> list[int]:
    stored = connection.execute(text("SELECT DISTINCT chain FROM audit_entry")).scalars()
    return sorted(set(stored) | {chain for item in checkpoints for chain in item.heads})


def _check_chain(
    connection: Connection,
    chain: int,
    checkpoints: Sequence[Checkpoint],
    start: Mapping[int, tuple[int, bytes]],
    progress: Callable[[int], None],
) -> _Checked:
    start_seq, start_hash = start.get(chain, (0, ORIGIN))
    signed = {item.heads[chain][0]: item for item in checkpoints if chain in item.heads}
    last_signed = max(signed, default=0)
    seen: dict[int, Entry] = {}  # the entries that a checkpoint names, and the last of all
    unsigned = 0

    def entries() -> Iterator[Entry]:
        nonlocal unsigned
        last = None
        for last in _entries(connection, chain, start_seq):
            progress(1)
            unsigned += last.seq > last_signed
            if last.seq in signed:
                seen[last.seq] = last
            yield last
        if last is not None:
            seen[last.seq] = last

    faults = list(find_faults(entries(), start_seq=start_seq, start_hash=start_hash))
    end = max(seen, default=start_seq)
    against = _against_checkpoints(chain, {seq: item for seq, item in signed.items() if seq > start_seq}, seen, end)
    if against is not None and (against.kind is FaultKind.MISSING or not faults):
        faults.append(against)
    return _Checked(faults=faults, unsigned_count=unsigned)


def _against_checkpoints(
    chain: int, signed: Mapping[int, Checkpoint], seen: Mapping[int, Entry], end: int
) -> Fault | None:
    """The first checkpoint that remembers another end of the chain."""
    sound = 0
    for seq, item in sorted(signed.items()):
        if seq > end:
            return Fault(
                kind=FaultKind.MISSING,
                where=f"chain {chain} entry {end + 1}" + (f"-{seq}" if seq > end + 1 else ""),
                detail=f"cut off the end: checkpoint {item.number} signed entry {seq} of the chain",
                order=seen[end].position + 1 if end in seen else 1,
                at=item.made_at,
            )
        if seq in seen and seen[seq].hash != item.heads[chain][1]:
            return Fault(
                kind=FaultKind.ALTERED,
                where=f"chain {chain} entry {sound + 1}" + (f"-{seq}" if seq > sound + 1 else ""),
                detail=f"rewritten with new hashes: checkpoint {item.number} signed entry {seq} with another hash",
                order=seen[seq].position,
                at=seen[seq].at,
            )
        sound = seq
    return None


def _entries(connection: Connection, chain: int, after_seq: int) -> Iterator[Entry]:
    query = text(f"SELECT {_ENTRY_COLUMNS} FROM audit_entry WHERE chain = :chain AND seq > :after_seq ORDER BY seq")
    rows = connection.execute(
        query.execution_options(stream_results=True, max_row_buffer=_ROWS_AT_A_TIME),
        {"chain": chain, "after_seq": after_seq},
    )
    for row in rows:
        values: dict[str, Any] = dict(row._mapping)
        values["algorithm"] = Algorithm(values["algorithm"])
        yield Entry(**values)
