"""The hash chain, pure: how an entry is written as bytes, how it is linked, and what a broken chain says.

A record is its fields in the order of :func:`record_of`, each as four bytes of length (big-endian, signed; -1 for none)
and UTF-8. ``hash = H(previous hash ‖ record)``; the first entry of a chain follows 32 zero bytes. The database writes
the same bytes (migration 0006), so that neither its version nor Python's matters.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography.hazmat.primitives import hashes

ORIGIN = bytes(32)
"""What the first entry of every chain follows."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Algorithm(StrEnum):
    """Hash function; both give 32 bytes."""

    SHA256 = "sha256"
    SM3 = "sm3"


class FaultKind(StrEnum):
    """What is wrong with an entry, a row or a checkpoint."""

    ALTERED = "altered"
    MISSING = "missing"
    INSERTED = "inserted"
    SWAPPED = "swapped"
    UNGUARDED = "unguarded"
    SIGNATURE = "signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. ``position`` is the number that people use; ``at`` is aware; ``row_hash`` is of the row's content."""

    chain: int
    seq: int
    position: int
    at: datetime
    algorithm: Algorithm
    kind: str
    actor: str
    login: str
    purpose: str
    request_id: str
    subject_no: int | None
    table_name: str | None
    row_key: str | None
    columns: str | None
    row_hash: bytes | None
    detail: str
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One finding. ``where`` names an entry (``entry 12``), a row (``zone 7``) or a checkpoint; ``at`` is when it was
    written, as far as that is known; ``order`` sorts findings by the number of the entry concerned."""

    kind: FaultKind
    where: str
    detail: str
    order: int
    at: datetime | None = None


def digest(algorithm: Algorithm, content: bytes) -> bytes:
    """SHA-256 or SM3 of bytes: 32 bytes."""
    if algorithm is Algorithm.SHA256:
        return hashlib.sha256(content).digest()
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(content)
    return sm3.finalize()


def field(value: str | None) -> bytes:
    """One field with its length before it."""
    if value is None:
        return b"\xff\xff\xff\xff"
    content = value.encode()
    return len(content).to_bytes(4, "big") + content


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970 of an aware instant."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def record_of(entry: Entry) -> bytes:
    """Everything that an entry says, without its hashes."""
    values = (
        "hulan-audit-1", str(entry.chain), str(entry.seq), str(entry.position), str(microseconds(entry.at)),
        str(entry.algorithm), entry.kind, entry.actor, entry.login, entry.purpose, entry.request_id,
        None if entry.subject_no is None else str(entry.subject_no), entry.table_name, entry.row_key, entry.columns,
        None if entry.row_hash is None else entry.row_hash.hex(), entry.detail,
    )  # fmt: skip
    return b"".join(field(value) for value in values)


def hash_of(entry: Entry) -> bytes:
    """The hash that an entry should have."""
    return digest(entry.algorithm, entry.previous_hash + record_of(entry))


def linked(entry: Entry, after: Entry | None) -> Entry:
    """The entry as the next of its chain."""
    placed = replace(
        entry, seq=1 if after is None else after.seq + 1, previous_hash=ORIGIN if after is None else after.hash
    )
    return replace(placed, hash=hash_of(placed))


def find_faults(entries: Iterable[Entry], *, start_seq: int = 0, start_hash: bytes = ORIGIN) -> Iterator[Fault]:
    """What is wrong with one chain, in order of ``seq``; nothing for a sound one.

    ``start_seq`` and ``start_hash`` are those of the last entry that is trusted. After a fault the chain is followed
    from what is stored, so that one fault gives one finding. What was cut off the end shows only against a checkpoint.
    """
    forged: list[Entry] = []
    before: Entry | None = None
    seq, last_hash = start_seq, start_hash
    for entry, follower in _with_follower(entries):
        if entry.seq <= seq:
            yield _entry_fault(FaultKind.INSERTED, entry, f"chain {entry.chain} has two entries {entry.seq}")
            continue
        is_next = entry.seq == seq + 1
        if not is_next:
            yield _gap(seq, entry)
        seq = entry.seq
        if hash_of(entry) != entry.hash:
            forged.append(entry)
        elif is_next and entry.previous_hash != last_hash and (before is None or before not in forged[-1:]):
            if before is None or (follower is not None and follower.previous_hash == last_hash):
                yield _entry_fault(FaultKind.INSERTED, entry, "does not follow from the entry before it")
                continue
            yield _entry_fault(FaultKind.ALTERED, before, f"rewritten: entry {entry.position} does not follow from it")
        before, last_hash = entry, entry.hash
    yield from _name_forged(forged)


def _with_follower(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Entry | None]]:
    before: Entry | None = None
    for entry in entries:
        if before is not None:
            yield before, entry
        before = entry
    if before is not None:
        yield before, None


def _gap(seq: int, entry: Entry) -> Fault:
    first, last = seq + 1, entry.seq - 1
    span = f"{first}" if first == last else f"{first}-{last}"
    return Fault(
        kind=FaultKind.MISSING,
        where=f"chain {entry.chain} entry {span}",
        detail=f"before entry {entry.position} ({entry.kind})",
        order=entry.position - 1,
        at=entry.at,
    )


def _name_forged(forged: Sequence[Entry]) -> Iterator[Fault]:
    """Entries whose content does not match their hash: two that hold each other's content were swapped."""
    paired: set[int] = set()
    for number, one in enumerate(forged):
        for other_number in range(number + 1, min(len(forged), number + 1000)):
            other = forged[other_number]
            if not {number, other_number} & paired and _are_swapped(one, other):
                paired |= {number, other_number}
                yield _entry_fault(FaultKind.SWAPPED, one, f"with entry {other.position} ({other.kind})")
        if number not in paired:
            yield _entry_fault(FaultKind.ALTERED, one, "its content does not match its hash")


def _are_swapped(one: Entry, other: Entry) -> bool:
    """Whether each is genuine in the other's place, with the hashes moved along or left where they were."""
    both = ((one, other), (other, one))
    moved = [(replace(a, seq=b.seq), a.hash) for a, b in both]
    left = [(replace(b, seq=a.seq, previous_hash=a.previous_hash), a.hash) for a, b in both]
    numbered = [(replace(entry, position=a.position), a.hash) for (entry, _), (a, _) in zip(left, both, strict=True)]
    return any(all(hash_of(entry) == expected for entry, expected in pair) for pair in (moved, left, numbered))


def _entry_fault(kind: FaultKind, entry: Entry, detail: str) -> Fault:
    about = entry.kind if entry.table_name is None else f"{entry.kind} {entry.table_name} {entry.row_key}"
    return Fault(
        kind=kind, where=f"entry {entry.position}", detail=f"{about}: {detail}", order=entry.position, at=entry.at
    )
