"""What the engine remembers, as a log of changes per shard: writing costs what changed, loading one pass over it.

A row of ``engine_state`` is either whole (all subjects of the shard) or holds the subjects that one batch touched, with
everything known of them. The state is the last whole row with the later ones laid over it. It is derived from the fix
log: if it was written by another engine or in another layout, or is not there, the shard is named for rebuilding, and
never misread.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from geo.postgis import driver_connection, read_columns
from tracking.policy import ENGINE_VERSION
from tracking.presence import PRESENCE
from tracking.states import SUBJECT_STATE, PresenceStates

MOST_CHANGES = 200
"""Changes of a shard after which its state is written whole, however small they are."""

LEAST_BYTES = 64 * 1024
"""Changes of fewer bytes in all are never a reason to write the state whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """How much of a shard's state is stored: its last whole row and the changes after it."""

    whole_bytes: int = 0
    change_bytes: int = 0
    change_count: int = 0

    @property
    def is_due(self) -> bool:
        """Whether the changes are more than the state itself: writing it whole halves what there is to load."""
        return self.change_count >= MOST_CHANGES or self.change_bytes > max(self.whole_bytes, LEAST_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardOf:
    """The shard of every known subject. ``subject_no``: int64 ``[s]``, ascending; ``shard``: int16 ``[s]``."""

    subject_no: NDArray[np.int64]
    shard: NDArray[np.int16]

    @classmethod
    def of(cls, subject_no: NDArray[np.int64], shard: NDArray[np.int16]) -> "ShardOf":
        """From pairs in any order, repeats allowed."""
        unique, first = np.unique(subject_no, return_index=True)
        return cls(subject_no=unique, shard=shard[first])

    def joined(self, subject_no: NDArray[np.int64], shard: NDArray[np.int16]) -> "ShardOf":
        """The same with more pairs."""
        if len(self.subject_no) and (self.subject_no[self._rows(subject_no)] == subject_no).all():
            return self
        return ShardOf.of(np.concatenate([self.subject_no, subject_no]), np.concatenate([self.shard, shard]))

    def __call__(self, subject_no: NDArray[np.int64]) -> NDArray[np.int16]:
        """The shard of each of these, all of them known."""
        return self.shard[self._rows(subject_no)]

    def _rows(self, subject_no: NDArray[np.int64]) -> NDArray[np.intp]:
        return np.minimum(np.searchsorted(self.subject_no, subject_no), max(len(self.subject_no) - 1, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The state of some shards, and those of which it must be derived from the log."""

    states: PresenceStates
    shard_of: ShardOf
    written: dict[int, Written]
    to_rebuild: frozenset[int]


def layout() -> str:
    """What the bytes mean: the engine's version and every field with its type."""
    return json.dumps([ENGINE_VERSION, _fields(SUBJECT_STATE), _fields(PRESENCE)])


def load_states(connection: Connection, shards: Collection[int]) -> Loaded:
    """The engine's memory of all subjects of these shards.

    Conditions and zones go by the number of their first version: editing either is no exit and no entry.
    """
    rows = connection.execute(
        text(
            "SELECT e.shard, l.layout, e.is_whole, e.subject_count, e.content FROM engine_state e"
            " JOIN engine_layout l USING (layout_no) WHERE e.shard = ANY(:shards)"
            " AND e.change_no >= coalesce((SELECT max(w.change_no) FROM engine_state w"
            " WHERE w.shard = e.shard AND w.is_whole), 0) ORDER BY e.shard, e.change_no"
        ),
        {"shards": list(shards)},
    ).all()
    mine = layout()
    strange = {row.shard for row in rows if row.layout != mine}
    to_rebuild = strange | (_begun(connection, shards) - {row.shard for row in rows})
    usable = [row for row in rows if row.shard not in strange]
    found = [_decoded(row.content, row.subject_count) for row in usable]
    states = _laid_over(found)
    shard_of = ShardOf.of(
        np.concatenate([np.zeros(0, dtype=np.int64), *(part.subject_rows["subject_no"] for part in found)]),
        np.repeat(
            np.array([row.shard for row in usable], dtype=np.int16),
            np.array([row.subject_count for row in usable], dtype=np.int64),
        ),
    )
    written = {shard: _written(row for row in usable if row.shard == shard) for shard in shards}
    return Loaded(
        states=states,
        shard_of=shard_of,
        written=written,
        to_rebuild=frozenset(to_rebuild),
    )


def save_states(
    connection: Connection,
    states: PresenceStates,
    *,
    touched: NDArray[np.int64],
    shard_of: ShardOf,
    written: Mapping[int, Written],
    whole: Collection[int] = (),
) -> dict[int, Written]:
    """Write what changed of ``touched`` subjects, and of nobody else; returns what is stored now.

    Shards whose changes have grown past their state, and those named in ``whole``, are written whole instead, and what
    they had before is deleted.
    """
    changed = np.unique(shard_of(touched)).tolist() if len(touched) else []
    due = sorted({shard for shard in changed if written.get(shard, Written()).is_due} | set(whole))
    contents = {shard: (True, part) for shard, part in _by_shard(states, shard_of, due).items()}
    small = sorted(set(changed) - set(due))
    changes = states.of(touched)
    contents |= {shard: (False, part) for shard, part in _by_shard(changes, shard_of, small).items()}
    _write(connection, contents)
    if due:
        connection.execute(
            text(
                "DELETE FROM engine_state e WHERE e.shard = ANY(:due) AND e.change_no <"
                " (SELECT max(w.change_no) FROM engine_state w WHERE w.shard = e.shard AND w.is_whole)"
            ),
            {"due": due},
        )
    stored = dict(written)
    for shard, (is_whole, part) in contents.items():
        before = written.get(shard, Written())
        size = part.subject_rows.nbytes + part.open_rows.nbytes
        stored[shard] = (
            Written(whole_bytes=size)
            if is_whole
            else Written(
                whole_bytes=before.whole_bytes,
                change_bytes=before.change_bytes + size,
                change_count=before.change_count + 1,
            )
        )
    return stored


def shards_of_subjects(connection: Connection, shards: Sequence[int]) -> ShardOf:
    """Every subject of these shards."""
    columns: dict[str, type[np.generic]] = {"subject_no": np.int64, "shard": np.int16}
    query = "SELECT subject_no, shard FROM subject WHERE shard = ANY(%(shards)s)"
    found = read_columns(connection, query, {"shards": list(shards)}, columns)
    return ShardOf.of(found["subject_no"], found["shard"])


def _begun(connection: Connection, shards: Collection[int]) -> set[int]:
    """The shards of which something was read."""
    query = text("SELECT shard FROM shard WHERE shard = ANY(:shards) AND (seen::text <> '1:1:' OR target IS NOT NULL)")
    return set(connection.execute(query, {"shards": list(shards)}).scalars())


def _by_shard(states: PresenceStates, shard_of: ShardOf, shards: Sequence[int]) -> dict[int, PresenceStates]:
    """The states of each of these shards, each in the order of its subjects."""
    parts: list[dict[int, NDArray[Any]]] = []
    for rows in (states.subject_rows, states.open_rows):
        shard = shard_of(rows["subject_no"]) if len(rows) else np.zeros(0, dtype=np.int16)
        order = np.argsort(shard, kind="stable")
        bounds = np.searchsorted(shard[order], np.array([(number, number + 1) for number in shards]).reshape(-1, 2))
        parts.append({number: rows[order[a:b]] for number, (a, b) in zip(shards, bounds.tolist(), strict=True)})
    subjects, presences = parts
    return {number: PresenceStates(subject_rows=subjects[number], open_rows=presences[number]) for number in shards}


def _write(connection: Connection, contents: Mapping[int, tuple[bool, PresenceStates]]) -> None:
    if not contents:
        return
    query = "SELECT layout_no FROM engine_layout WHERE layout = :layout"
    number = connection.execute(text(query), {"layout": layout()}).scalar_one_or_none()
    if number is None:
        number = connection.execute(
            text(
                "INSERT INTO engine_layout (layout) VALUES (:layout)"
                " ON CONFLICT (layout) DO UPDATE SET layout = excluded.layout RETURNING layout_no"
            ),
            {"layout": layout()},
        ).scalar_one()
    # Binary: as an array of text these bytes took longer than all the rest of a batch.
    query = "COPY engine_state (shard, layout_no, is_whole, subject_count, content) FROM STDIN (FORMAT binary)"
    with driver_connection(connection).cursor() as cursor, cursor.copy(query) as copy:
        copy.set_types(["int2", "int4", "bool", "int4", "bytea"])
        for shard, (is_whole, part) in contents.items():
            content = part.subject_rows.tobytes() + part.open_rows.tobytes()
            copy.write_row((shard, number, is_whole, len(part.subject_rows), content))


def _decoded(content: bytes, subject_count: int) -> PresenceStates:
    return PresenceStates(
        subject_rows=np.frombuffer(content, dtype=SUBJECT_STATE, count=subject_count),
        open_rows=np.frombuffer(content, dtype=PRESENCE, offset=subject_count * SUBJECT_STATE.itemsize),
    )


def _laid_over(parts: Sequence[PresenceStates]) -> PresenceStates:
    """The parts laid over each other: of every subject what the last part that names it says."""
    if not parts:
        return PresenceStates.empty()
    subjects = np.concatenate([part.subject_rows for part in parts])
    age = np.repeat(np.arange(len(parts)), [len(part.subject_rows) for part in parts])
    order = np.lexsort((age, subjects["subject_no"]))
    numbers = subjects["subject_no"][order]
    last = order[np.append(numbers[1:] != numbers[:-1], True)] if len(order) else order
    presences = np.concatenate([part.open_rows for part in parts])
    presence_age = np.repeat(np.arange(len(parts)), [len(part.open_rows) for part in parts])
    at = np.searchsorted(subjects["subject_no"][last], presences["subject_no"])
    kept = presences[age[last][at] == presence_age] if len(presences) else presences
    return PresenceStates(subject_rows=subjects[last], open_rows=kept[np.argsort(kept["subject_no"], kind="stable")])


def _written(rows: Iterable[Any]) -> Written:
    sizes = [(row.is_whole, len(row.content)) for row in rows]
    changes = [size for is_whole, size in sizes if not is_whole]
    return Written(
        whole_bytes=sum(size for is_whole, size in sizes if is_whole),
        change_bytes=sum(changes),
        change_count=len(changes),
    )


def _fields(dtype: np.dtype[Any]) -> list[list[str]]:
    return [[name, dtype[name].str] for name in dtype.names or ()]
