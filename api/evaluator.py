"""Hop 3: drain the log in commit order, call hops 4 and 5, save everything with the cursor — one transaction."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine

from api.alerting import Alerting, raise_alerts
from api.asking import AskPolicy, Undecidable, ask_check_ins
from api.books import Books, load_books
from api.device_watch import DUTIES_FOR, follow_duties, load_duties, load_watches, watch_batch
from api.engine_state import ShardOf, Written, load_states, save_states, shards_of_subjects
from api.findings import save_episodes
from api.fix_flags import save_fix_flags
from api.fix_log import Drained, drain, newest_read, save_cursor
from api.histories import concatenated
from api.lasting import find_lasting
from api.leases import LeaseLostError, check_leases
from api.reevaluation import Findings, evaluate_surely, reevaluate, save_set_aside, set_aside
from api.retention import remains_of_log
from api.rule_edits import DueWork, take_due_work
from tracking.evaluate import end_lapsed
from tracking.fix import FixBatch
from tracking.policy import PresencePolicy
from tracking.presence_rows import newest_of_each, to_instant
from tracking.rules import to_microseconds
from tracking.silence import SilencePolicy
from tracking.silence_kernel import WATCH
from tracking.states import PresenceStates

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a worker keeps between batches of the shards it holds. Thrown away whenever a commit fails."""

    fences: dict[int, int]
    states: PresenceStates
    shard_of: ShardOf
    written: dict[int, Written]
    to_rebuild: frozenset[int]
    """Shards whose stored state was of another engine, or lost: the next batch derives it from the log."""
    books: Books | None = None
    swept_to: int = 0
    """Until when open presences were ended with their rules, microseconds."""
    watches: NDArray[Any] = field(default_factory=lambda: np.zeros(0, dtype=WATCH))
    """``WATCH``: what is remembered of the devices of these shards, by subject (``api.device_watch``)."""
    duties_until: int = 0
    """Until when it is known who is to be heard of, microseconds."""

    def only(self, shards: Collection[int]) -> "Memory":
        """The same without the shards that are not named; the caller sees to the watches."""
        kept = self.shard_of.subject_no[np.isin(self.shard_of.shard, sorted(shards))]
        return replace(
            self,
            fences={shard: fence for shard, fence in self.fences.items() if shard in shards},
            states=self.states.of(kept),
            written={shard: written for shard, written in self.written.items() if shard in shards},
            to_rebuild=self.to_rebuild & frozenset(shards),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What one batch did."""

    memory: Memory
    fix_count: int
    episode_count: int
    violation_count: int
    notification_count: int
    set_aside_count: int
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """The numbers that evaluation and alerting go by."""

    presence: PresencePolicy
    alerting: Alerting = field(default_factory=Alerting)
    silence: SilencePolicy = field(default_factory=SilencePolicy)
    asking: AskPolicy = field(default_factory=AskPolicy)


def load_memory(engine: Engine, fences: dict[int, int], books: Books | None) -> Memory:
    """The committed state of freshly leased shards. ``books``: those known so far; the next batch sees to their age."""
    with engine.connect() as connection:
        loaded = load_states(connection, list(fences))
        watches = load_watches(connection, list(fences))
    return Memory(
        fences=fences,
        states=loaded.states,
        shard_of=loaded.shard_of,
        written=loaded.written,
        to_rebuild=loaded.to_rebuild,
        books=books,
        watches=watches,
    )


def advance(
    connection: Connection,
    memory: Memory,
    *,
    policies: Policies,
    at: datetime,
    most_rows: int,
    lease_seconds: float,
    now_for: Callable[[datetime], datetime],
) -> Advanced:
    """Evaluate the next batch inside the caller's transaction, which the caller commits.

    ``at``: the wall clock, only stored as the time of writing. ``now_for``: the present, given when the batch became
    known; rules that ended by then end the presences under them. Raises :class:`LeaseLostError` if another worker took
    a shard over; the caller must then roll back and forget ``memory``.
    """
    books = load_books(connection, memory.books)
    drained = drain(connection, sorted(memory.fences), most_rows=most_rows)
    # A shard to be derived from the log is judged by the rules as they are now: its work waits for the next batch.
    ready = memory.fences.keys() - memory.to_rebuild
    due = take_due_work(connection, ready, memory.states, in_batch=drained.fixes.subject_no)
    present = now_for(to_instant(int(drained.fixes.received_at.max(initial=0))))
    swept_to = max(memory.swept_to, to_microseconds(present))
    after = _with_duties(connection, replace(memory, books=books, swept_to=swept_to), memory, policies.silence)
    has_news = len(drained.fixes) or drained.is_catching_up or memory.to_rebuild or due.was_waiting
    if not has_news and not len(_lapsed(memory.states, memory, after, policies.presence)):
        return _nothing_new(connection, after)
    findings, shard_of = _evaluate(connection, memory, drained, due, books, policies.presence, at=at)
    touched = np.union1d(drained.fixes.subject_no, np.array(list(due.since), dtype=np.int64))
    lapsed = _lapsed(findings.states, memory, after, policies.presence, touched)
    findings = replace(findings, presence_rows=newest_of_each(np.concatenate([findings.presence_rows, lapsed])))
    _save(connection, findings, at=at)
    ask_check_ins(connection, _undecidable(findings), policy=policies.asking, now=present)
    watches = watch_batch(connection, after.watches, drained, now=present, policy=policies.silence)
    lasting = find_lasting(connection, findings.presence_rows, policies.alerting.policy, now=present)
    raised = raise_alerts(connection, findings.violations, policies.alerting, lasting=lasting)
    written = save_states(
        connection,
        findings.states,
        touched=touched,
        shard_of=shard_of,
        written=memory.written,
        whole=memory.to_rebuild,
    )
    if not save_cursor(connection, drained, memory.fences, lease_seconds=lease_seconds):
        raise LeaseLostError(f"the lease of one of {len(memory.fences)} shards was taken over by another worker")
    return Advanced(
        memory=replace(
            after,
            states=findings.states,
            shard_of=shard_of,
            written=written,
            to_rebuild=frozenset(),
            watches=watches,
        ),
        fix_count=len(drained.fixes),
        episode_count=len(findings.presence_rows),
        violation_count=raised.violation_count,
        notification_count=raised.notification_count,
        set_aside_count=len(findings.set_aside),
        has_more=drained.has_more or due.has_more or bool(memory.to_rebuild),
    )


def _with_duties(connection: Connection, memory: Memory, before: Memory, policy: SilencePolicy) -> Memory:
    """The same with watches over all who are to be heard of, if rules changed or time went on."""
    if memory.books is before.books and memory.swept_to < memory.duties_until:
        return memory
    now = to_instant(memory.swept_to)
    duties = load_duties(connection, sorted(memory.fences), now=now, until=now + DUTIES_FOR)
    return replace(
        memory,
        watches=follow_duties(memory.watches, duties, memory.states, policy, now=now),
        duties_until=to_microseconds(now + DUTIES_FOR),
    )


def _evaluate(
    connection: Connection,
    memory: Memory,
    drained: Drained,
    due: DueWork,
    books: Books,
    policy: PresencePolicy,
    *,
    at: datetime,
) -> tuple[Findings, ShardOf]:
    """What the batch gave with all that is to be judged again, and the shards of everyone in it."""
    shard_of = memory.shard_of.joined(drained.fixes.subject_no, drained.shard)
    findings = evaluate_surely(memory.states, _in_turn(drained, memory), books, policy)
    newest: dict[int, int] = {}
    if memory.to_rebuild:
        shards = sorted(memory.to_rebuild)
        again, read = drained.fixes.take(np.isin(drained.shard, shards)), newest_read(connection, shards)
        findings = replace(findings, late=concatenated(findings.late, again))
        newest = dict(zip(read.subject_no.tolist(), read.fixed_at.tolist(), strict=True))
        log.info("state_rebuilt", shard_count=len(memory.to_rebuild), fix_count=len(again) + len(newest))
        known = shards_of_subjects(connection, sorted(memory.to_rebuild))
        shard_of = shard_of.joined(known.subject_no, known.shard)
    if not (len(findings.late) or due.since or newest):
        return findings, shard_of
    remains = remains_of_log(connection)
    findings, fixes = _without_too_late(findings, drained.fixes, remains.whole_from)
    since = newest | _since_whole(due.since, memory.states, remains.whole_from)
    return reevaluate(connection, findings, since, fixes, books, policy, at=at, remains=remains), shard_of


def _since_whole(since: dict[int, int], states: PresenceStates, whole_from: int) -> dict[int, int]:
    """Edits reach back no farther than the log is whole. Who was seen only before that, is not judged again."""
    last = states.last_for(np.array(list(since), dtype=np.int64)).tolist()
    return {
        number: max(instant, whole_from)
        for (number, instant), seen in zip(since.items(), last, strict=True)
        if seen >= whole_from
    }


def _undecidable(findings: Findings) -> list[Undecidable]:
    """Presences that no fix of their accuracy can decide, found so in this batch."""
    rows = findings.presence_rows[findings.presence_rows["undecidable_now"] == 1]
    return [
        Undecidable(
            subject_no=int(row["subject_no"]),
            condition_no=int(row["condition_no"]),
            zone_no=int(row["zone_no"]),
            at=int(row["undecidable_at"]),
        )
        for row in rows
    ]


def _lapsed(
    states: PresenceStates,
    before: Memory,
    after: Memory,
    policy: PresencePolicy,
    touched: NDArray[np.int64] | None = None,
) -> NDArray[Any]:
    """``PRESENCE`` ``[k]``: open presences whose rule ended since the batch before, and all such of ``touched``."""
    assert after.books is not None
    return end_lapsed(
        states=states,
        rules=after.books.rules,
        zones=after.books.zones,
        policy=policy,
        now=after.swept_to,
        after=before.swept_to if after.books is before.books else 0,
        subjects=np.zeros(0, dtype=np.int64) if touched is None else touched,
    )


def _save(connection: Connection, findings: Findings, *, at: datetime) -> None:
    """Everything but violations, the state and the cursor."""
    save_set_aside(connection, findings.set_aside, at=at)
    if findings.set_aside:
        log.warning("fixes_set_aside", count=len(findings.set_aside))
    save_fix_flags(connection, findings.flagged, findings.flagged.flags)
    save_episodes(connection, findings.presence_rows)


def _without_too_late(findings: Findings, fixes: FixBatch, whole_from: int) -> tuple[Findings, FixBatch]:
    """Late fixes of weeks that retention dropped or thinned are set aside: they would unsay what the whole said."""
    is_too_late = findings.late.fixed_at < whole_from
    if not np.any(is_too_late):
        return findings, fixes
    reason = "late by so much that the log of its time was dropped or thinned by retention"
    aside = [set_aside(findings.late, int(row), reason) for row in np.flatnonzero(is_too_late)]
    of_those = (fixes.fixed_at < whole_from) & np.isin(fixes.subject_no, findings.late.subject_no[is_too_late])
    kept = replace(
        findings,
        late=findings.late.take(np.flatnonzero(~is_too_late)),
        set_aside=(*findings.set_aside, *aside),
    )
    return kept, fixes.take(np.flatnonzero(~of_those))


def _nothing_new(connection: Connection, memory: Memory) -> Advanced:
    """An idle look writes nothing; a lease that was lost meanwhile is noticed all the same."""
    check_leases(connection, memory.fences)
    return Advanced(
        memory=memory,
        fix_count=0,
        episode_count=0,
        violation_count=0,
        notification_count=0,
        set_aside_count=0,
        has_more=False,
    )


def _in_turn(drained: Drained, memory: Memory) -> FixBatch:
    """The fixes of the batch whose subjects' state is known."""
    return drained.fixes.take(~np.isin(drained.shard, sorted(memory.to_rebuild)))
