"""``hulan fsck``: does evaluating the log from scratch give what is stored? Reads only, and never repairs.

The log is read up to each shard's cursor, in one snapshot, so that it may be run beside working evaluators.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text

from api.books import Books, load_books
from api.engine_state import load_states
from api.histories import BEGINNING, newest_evaluated, read_histories, stretch_starts
from api.ids import SHARD_COUNT
from api.reevaluation import evaluate_surely
from api.retention import Remains, remains_of_log
from tracking.episode import Ending, Episode, Tier, Violation
from tracking.evaluate import end_lapsed
from tracking.fix import FixBatch
from tracking.order import ConditionKind
from tracking.policy import PresencePolicy
from tracking.presence import OF_ONE_RUN, PRESENCE
from tracking.presence_rows import episodes_of, to_instant
from tracking.rules import to_microseconds
from tracking.states import PresenceStates

MOST_FIXES = 1_000_000
"""Evaluated together; a subject with more is taken alone."""

_EPISODE = tuple(item.name for item in fields(Episode))
_VIOLATION = tuple(item.name for item in fields(Violation) if not item.name.startswith("live_"))
_OF_DECISION = ("order_no", "condition_no", "zone_no", "started_at", "decided_at", "known_at", "probability")
"""What a violation keeps from when it was decided, though more was known later."""
_OF_ENGINE = ("engine_version", "policy_version")
_OF_THE_END = ("ended_at", "ended_by")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing stored otherwise than the log says. ``kind``: missing, extra or different."""

    what: str
    kind: str
    key: str
    subject_no: int
    field: str = ""
    stored: str = ""
    expected: str = ""


@dataclass(slots=True, kw_only=True)
class Checked:
    """What was compared, and what differs. ``kept_count``: violations that a later fix or edit undid."""

    subject_count: int = 0
    fix_count: int = 0
    episode_count: int = 0
    violation_count: int = 0
    kept_count: int = 0
    other_engine_count: int = 0
    unfinished_count: int = 0
    """Subjects left out because they wait to be judged again, after an edit or because their state was lost."""
    differences: list[Difference] = field(default_factory=list)


def check(
    connection: Connection,
    *,
    policy: PresencePolicy,
    now: datetime,
    subject_no: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    begin: Callable[[int], None] = lambda _: None,
    progress: Callable[[int], None] = lambda _: None,
) -> Checked:
    """Compare everything, or one subject, or the episodes that started within ``since`` ≤ t < ``until``, aware.

    ``connection`` must be in one REPEATABLE READ transaction. ``begin`` is told the fixes to come, ``progress`` each
    part done. What retention dropped or thinned can be said no more: episodes of that time are not compared.
    """
    remains = remains_of_log(connection)
    if remains.whole_from != BEGINNING:
        whole_from = to_instant(remains.whole_from)
        since = whole_from if since is None else max(since, whole_from)
    loaded = load_states(connection, range(SHARD_COUNT))
    states = loaded.states
    counts = _fix_counts(connection, subject_no)
    waiting = _waiting(connection, sorted(loaded.to_rebuild))
    checked = Checked(unfinished_count=len(waiting & counts.keys()))
    begin(sum(counts.values()))
    books = load_books(connection)
    for subjects in _parts({number: count for number, count in counts.items() if number not in waiting}):
        part = _Part(connection=connection, books=books, policy=policy, now=now, subjects=subjects, remains=remains)
        fixes = part.read(since)
        part.compare(fixes, states, checked, since=since, until=until)
        progress(sum(counts[number] for number in subjects))
    return checked


def subject_no_of(connection: Connection, subject_id: UUID) -> int:
    """The number of a subject; raises ``LookupError``."""
    query = text("SELECT subject_no FROM open_subject WHERE subject_id = :subject_id")
    found = connection.execute(query, {"subject_id": subject_id}).scalar_one_or_none()
    if found is None:
        raise LookupError(f"没有这名对象 / there is no subject {subject_id}")
    return int(found)


def _fix_counts(connection: Connection, subject_no: int | None) -> dict[int, int]:
    """How many fixes each subject has who is not sealed; a subject with findings and no fix counts too."""
    rows = connection.execute(
        text(
            "SELECT s.subject_no, (SELECT count(*) FROM fix f WHERE f.subject_no = s.subject_no) FROM open_subject s"
            " WHERE CAST(:subject_no AS bigint) IS NULL OR s.subject_no = :subject_no ORDER BY 1"
        ),
        {"subject_no": subject_no},
    )
    return {row[0]: row[1] for row in rows}


def _waiting(connection: Connection, to_rebuild: Sequence[int]) -> set[int]:
    query = (
        "SELECT s.subject_no FROM subject s JOIN reevaluation r ON r.subject_no = s.subject_no"
        " OR r.subject_no IS NULL AND r.shard = s.shard UNION SELECT subject_no FROM subject WHERE shard = ANY(:shards)"
    )
    return set(connection.execute(text(query), {"shards": list(to_rebuild)}).scalars())


def _parts(counts: Mapping[int, int]) -> Iterator[list[int]]:
    part: list[int] = []
    fix_count = 0
    for number, count in counts.items():
        if part and fix_count + count > MOST_FIXES:
            yield part
            part, fix_count = [], 0
        part.append(number)
        fix_count += count
    if part:
        yield part


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some subjects, evaluated together."""

    connection: Connection
    books: Books
    policy: PresencePolicy
    now: datetime
    subjects: Sequence[int]
    remains: Remains

    def read(self, since: datetime | None) -> FixBatch:
        starts = dict.fromkeys(self.subjects, BEGINNING)
        if since is not None:
            # Who was silent since then is read from the last silence before: their state is compared as well.
            late = dict.fromkeys(self.subjects, to_microseconds(since))
            newest = newest_evaluated(self.connection, self.subjects)
            late |= {number: min(late[number], fixed_at) for number, fixed_at in newest.items()}
            starts = stretch_starts(self.connection, late, silence_s=self.policy.silence_s)
        return read_histories(self.connection, starts)

    def compare(
        self,
        fixes: FixBatch,
        states: PresenceStates,
        checked: Checked,
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> None:
        found = evaluate_surely(PresenceStates.empty(), fixes, self.books, self.policy)

        def is_asked(item: Any) -> bool:
            return (since is None or item.started_at >= since) and (until is None or item.started_at < until)

        episodes = {item.episode_id: item for item in episodes_of(found.presence_rows) if is_asked(item)}
        violations = {item.violation_id: item for item in found.violations if is_asked(item)}
        stored = {row.episode_id: row for row in self._rows("episode", "superseded_at IS NULL") if is_asked(row)}
        decided = {row.violation_id: row for row in self._rows("violation", "true") if is_asked(row)}
        steady = self._steady(decided)
        kept = {
            key
            for key, row in decided.items()
            if key not in violations and (key not in steady or row.episode_id not in stored)
        }
        checked.subject_count += len(self.subjects)
        checked.fix_count += len(fixes)
        checked.episode_count += len(stored)
        checked.violation_count += len(decided)
        checked.kept_count += len(kept)
        checked.other_engine_count += sum(
            any(getattr(row, name) != getattr(violations[key], name) for name in _OF_ENGINE)
            for key, row in decided.items()
            if key in violations
        )
        checked.differences += self._episodes(stored, episodes, self._lapsed(found.states))
        compared = {key: decided[key] for key in decided.keys() - kept}
        checked.differences += self._violations(compared, violations, steady)
        checked.differences += self._unattached(decided)
        if until is None:
            # Of whom every fix was dropped, nothing can be said.
            known = states.last_for(self._numbers()) >= self.remains.begins_at
            told = self._numbers()[known]
            checked.differences += list(_states(states.of(told), found.states.of(told), told.tolist()))

    def _numbers(self) -> Any:
        return np.array(self.subjects, dtype=np.int64)

    def _rows(self, table: str, where: str) -> Sequence[Any]:
        query = f"SELECT * FROM {table} WHERE subject_no = ANY(:numbers) AND {where}"
        return self.connection.execute(text(query), {"numbers": list(self.subjects)}).all()

    def _lapsed(self, states: PresenceStates) -> dict[UUID, Episode]:
        """Presences whose rule ended: the evaluators store them as ended once they look, open before."""
        ended = end_lapsed(
            states=states,
            rules=self.books.rules,
            zones=self.books.zones,
            policy=self.policy,
            now=to_microseconds(self.now),
            after=0,
            subjects=self._numbers(),
        )
        return {item.episode_id: item for item in episodes_of(ended)}

    def _episodes(
        self, stored: Mapping[UUID, Any], expected: Mapping[UUID, Episode], lapsed: Mapping[UUID, Episode]
    ) -> Iterator[Difference]:
        yield from _sets("episode", stored, expected)
        for key in sorted(stored.keys() & expected.keys()):
            row = stored[key]
            item = lapsed[key] if key in lapsed and row.ended_at is not None else expected[key]
            yield from _fields("episode", key, row, item, _EPISODE)

    def _violations(
        self, stored: Mapping[UUID, Any], expected: Mapping[UUID, Violation], steady: set[UUID]
    ) -> Iterator[Difference]:
        yield from _sets("violation", stored, expected)
        for key in sorted(stored.keys() & expected.keys()):
            row, item = stored[key], expected[key]
            names = [name for name in _VIOLATION if name not in _OF_ENGINE]
            names = [name for name in names if key in steady or name not in _OF_DECISION]
            yield from _fields("violation", key, row, item, names)
            if self._about(row) != self._about(item):
                yield _difference("violation", key, row, "condition_no, zone_no", self._about(item))

    def _steady(self, decided: Mapping[UUID, Any]) -> set[UUID]:
        """Violations that must be as if decided today: the fixes came in order, and zone and order never changed.

        Any other was decided on what was known then, and its record is not taken back.
        """
        moved = self._out_of_order({row.subject_no for row in decided.values()})
        changed = self.books.rules.spans.changed_key, self.books.zones.spans.changed_key
        return {
            key
            for key, row in decided.items()
            if row.subject_no not in moved
            and not any(part in keys for part, keys in zip(self._about(row), changed, strict=True))
        }

    def _about(self, item: Any) -> tuple[int, int]:
        """The condition and the zone, whatever their versions."""
        rules, zones = self.books.rules, self.books.zones
        rule = np.flatnonzero(rules.condition_no == item.condition_no)
        zone = zones.row_of(item.zone_no)
        return (
            int(rules.condition_key[rule[0]]) if len(rule) else self._key_of_withdrawn(item.condition_no),
            int(zones.zone_key[zone]) if zone >= 0 else item.zone_no,
        )

    def _key_of_withdrawn(self, condition_no: int) -> int:
        """The key of a condition in a version that no longer governs at any time, and is in no book for that."""
        query = text(
            "SELECT min(v.condition_no) FROM condition c JOIN condition v USING (condition_id)"
            " WHERE c.condition_no = :condition_no"
        )
        found = self.connection.execute(query, {"condition_no": condition_no}).scalar_one_or_none()
        return condition_no if found is None else int(found)

    def _unattached(self, decided: Mapping[UUID, Any]) -> Iterator[Difference]:
        query = text("SELECT violation_id FROM alert_violation WHERE violation_id = ANY(:keys)")
        attached = set(self.connection.execute(query, {"keys": list(decided)}).scalars())
        for key in sorted(decided.keys() - attached):
            yield Difference(what="alert", kind="missing", key=str(key), subject_no=decided[key].subject_no)

    def _out_of_order(self, subjects: Iterable[int]) -> set[int]:
        query = text(
            "SELECT DISTINCT subject_no FROM (SELECT subject_no, fixed_at < max(fixed_at) OVER (PARTITION BY subject_no"
            " ORDER BY written_by, seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_late FROM fix"
            " WHERE subject_no = ANY(:numbers)) AS f WHERE is_late"
        )
        return set(self.connection.execute(query, {"numbers": list(subjects)}).scalars())


def _states(stored: PresenceStates, expected: PresenceStates, subjects: Sequence[int]) -> Iterator[Difference]:
    """What the evaluators remember: else the next fix would be judged by something that never was."""
    numbers = np.array(subjects, dtype=np.int64)
    remembered, derived = stored.rows_for(numbers), expected.rows_for(numbers)
    for name in ("last_fixed_at", "last_weighed_at"):
        for row in np.flatnonzero(remembered[name] != derived[name]).tolist():
            yield Difference(
                what="state", kind="different", key=str(subjects[row]), subject_no=subjects[row], field=name,
                stored=_shown(remembered[name][row]), expected=_shown(derived[name][row]),
            )  # fmt: skip
    names = [name for name in PRESENCE.names or () if name not in OF_ONE_RUN and name not in _OF_THE_END]
    rows = [
        {(int(row["subject_no"]), int(row["condition_no"]), int(row["zone_no"])): row for row in states.open_rows}
        for states in (stored, expected)
    ]
    for key in sorted(rows[0].keys() | rows[1].keys()):
        was_open, should_be = rows[0].get(key), rows[1].get(key)
        if was_open is None or should_be is None:
            kind = "missing" if was_open is None else "extra"
            yield Difference(what="presence", kind=kind, key="/".join(map(str, key)), subject_no=key[0])
            continue
        for name in names:
            if not _is_same(was_open[name].item(), should_be[name].item()):
                yield Difference(
                    what="presence", kind="different", key="/".join(map(str, key)), subject_no=key[0], field=name,
                    stored=_shown(was_open[name]), expected=_shown(should_be[name]),
                )  # fmt: skip


def _sets(what: str, stored: Mapping[UUID, Any], expected: Mapping[UUID, Any]) -> Iterator[Difference]:
    for kind, keys, items in (
        ("missing", expected.keys() - stored.keys(), expected),
        ("extra", stored.keys() - expected.keys(), stored),
    ):
        for key in sorted(keys):
            yield Difference(what=what, kind=kind, key=str(key), subject_no=items[key].subject_no)


def _fields(what: str, key: UUID, row: Any, item: Any, names: Iterable[str]) -> Iterator[Difference]:
    for name in names:
        if not _is_same(getattr(row, name), getattr(item, name)):
            yield _difference(what, key, row, name, getattr(item, name))


def _difference(what: str, key: UUID, row: Any, name: str, expected: Any) -> Difference:
    stored = ", ".join(_shown(getattr(row, part)) for part in name.split(", "))
    return Difference(
        what=what, kind="different", key=str(key), subject_no=row.subject_no, field=name, stored=stored,
        expected=_shown(expected),
    )  # fmt: skip


def _is_same(stored: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(stored, float):
        return math.isclose(stored, expected, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(expected, Tier | Ending | ConditionKind):
        return bool(stored == str(expected))
    return bool(stored == expected)


def _shown(value: Any) -> str:
    return "–" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
