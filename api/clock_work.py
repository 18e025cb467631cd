"""One look at the clock of a worker's shards, in one transaction: edges, check-ins, contact, leaves, silence."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Connection

from api.alerting import Alerting, raise_alerts
from api.calendars import current_calendar
from api.check_in_places import judge_answers
from api.check_ins import plan_ahead, step_check_ins
from api.clock_book import ClockBook, load_clock_book
from api.clock_edges import pass_edges
from api.contact_watch import watch_contacts
from api.device_watch import watch_clock
from api.evaluator import Memory
from api.leases import hold_shards
from api.leave_watch import LeaveMemory, watch_leaves
from tracking.contact import ContactPolicy
from tracking.leave_way import LeaveWayPolicy
from tracking.policy import PresencePolicy
from tracking.silence import SilencePolicy

PLAN_EVERY = timedelta(hours=1)
"""Check-ins are planned again so often, and whenever a rule changed."""
CONTACTS_EVERY = timedelta(minutes=1)
"""Who may not meet, and who is on leave, is looked at so often: the shortest dwell is counted in minutes."""
CONTACT_POLICY = ContactPolicy()
LEAVE_WAY_POLICY = LeaveWayPolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMemory:
    """What a worker keeps between two looks. Thrown away with the memory of its shards."""

    book: ClockBook
    planned_at: datetime
    compared_at: datetime
    shards: frozenset[int]
    leaves: LeaveMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look gave: what is remembered, the watches after it, and how much was done."""

    memory: ClockMemory
    watches: NDArray[Any]
    edge_count: int
    check_in_count: int
    contact_count: int
    off_way_count: int
    notification_count: int


def look_at_clock(
    connection: Connection,
    memory: Memory,
    before: ClockMemory | None,
    *,
    presence: PresencePolicy,
    silence: SilencePolicy,
    alerting: Alerting,
    secret: bytes,
    now: datetime,
    is_read_to_end: bool,
) -> Looked:
    """Do what fell due by ``now`` within the caller's transaction, which the caller commits.

    ``is_read_to_end``: the log holds nothing unread; only then silence means that nothing came. Raises
    ``LeaseLostError`` if another worker holds a shard; the caller must then roll back and forget both memories.
    """
    assert memory.books is not None, "the clock is looked at after the first batch"
    shards = frozenset(memory.fences)
    known = before if before is not None and before.shards == shards else None
    if known is not None and known.book.books is memory.books:
        book = known.book
    else:
        book = load_clock_book(connection, memory.books, current_calendar(connection))
    is_news = known is None or book is not known.book
    edge_count = pass_edges(
        connection, book, fences=memory.fences, states=memory.states, policy=presence, now=now, is_news=is_news
    )
    is_planning = is_news or known is None or not timedelta(0) <= now - known.planned_at < PLAN_EVERY
    if is_planning:
        plan_ahead(connection, book, shards=shards, secret=secret, now=now)
    check_in_count = step_check_ins(connection, shards=shards, now=now)
    check_in_count += judge_answers(connection, book.books.zones, shards=shards, now=now)
    is_comparing = is_news or known is None or not timedelta(0) <= now - known.compared_at < CONTACTS_EVERY
    contact_count = off_way_count = 0
    leaves = LeaveMemory() if known is None else known.leaves
    if is_comparing:
        contact_count = watch_contacts(
            connection, book, fences=memory.fences, presence=presence, policy=CONTACT_POLICY, now=now
        )
        leaves, off_way_count = watch_leaves(
            connection, leaves, book, fences=memory.fences, presence=presence, policy=LEAVE_WAY_POLICY, now=now
        )
    watches = watch_clock(connection, memory.watches, now=now, policy=silence, is_read_to_end=is_read_to_end)
    raised = raise_alerts(connection, (), alerting)
    if raised.finding_count or edge_count or check_in_count or is_planning or watches is not memory.watches:
        hold_shards(connection, memory.fences)  # whoever took one over in the meantime has a newer state
    planned_at = now if is_planning or known is None else known.planned_at
    compared_at = now if is_comparing or known is None else known.compared_at
    return Looked(
        memory=ClockMemory(book=book, planned_at=planned_at, compared_at=compared_at, shards=shards, leaves=leaves),
        watches=watches,
        edge_count=edge_count,
        check_in_count=check_in_count,
        contact_count=contact_count,
        off_way_count=off_way_count,
        notification_count=raised.notification_count,
    )
