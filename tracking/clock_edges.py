"""What falls due by the clock alone: curfews that begin, orders that end, leaves that are over. Pure.

An edge is found in the span ``after`` < t ≤ ``until`` that holds its ``at``; spans that touch find each edge once,
however they are cut. Its id comes from what it is about and the instant that law or plan names (``due_at``), so that
one that is found again, since a clock went back or an order was recorded anew, is the same edge, and a table that holds
the ids of those done absorbs it. Instants are int64 microseconds, UTC; dates are days of Asia/Shanghai.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from tracking.age import majority_at
from tracking.calendar import CalendarMissingError, WorkCalendar, local_day
from tracking.episode import derived_id
from tracking.order import ConditionKind, Subject, SupervisionOrder
from tracking.period import day_begins_at, day_ends_at
from tracking.rules import INCLUSION, RuleBook, to_microseconds
from tracking.term_end import reminders, review_days
from tracking.versions import ALWAYS

LOOK_BACK_US = 86_400_000_000
"""So far before the mark a plan begins anew when rules changed: no transaction that recorded one took longer."""
SETTLE_US = 30_000_000
"""A duty to be somewhere is asked about so long after it begins: the telephone's own fix may answer first."""
LIFTING_DUE = timedelta(days=1)
"""The decision to lift must be there at the end of the day after the last (检察规则 105, 115: 及时); the number of days
is an assumption, the law names none."""


class EdgeKind(StrEnum):
    """What falls due. The words are stored."""

    CURFEW_START = "curfew_start"  # 宵禁开始
    ZONE_START = "zone_start"  # 处所、区域规则开始
    ORDER_END = "order_end"  # 期限届满
    LIFTING_OVERDUE = "lifting_overdue"  # 逾期未解除
    LEAVE_OVER = "leave_over"  # 请假到期
    REMINDER = "reminder"  # 到期提醒
    REVIEW_DUE = "review_due"  # 应复查
    MAJORITY = "majority"  # 年满十八


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockEdge:
    """One instant at which something falls due: ``due_at`` by law or plan, found at ``at``, never before it is known.

    ``about``: the order, condition, leave or subject. ``order_no``, ``condition_no``: -1 where there is none.
    ``step``: which of several at one instant; for a reminder the days that are left.
    """

    kind: EdgeKind
    subject_no: int
    about: UUID
    due_at: int
    at: int
    order_no: int = -1
    condition_no: int = -1
    step: int = 0

    @property
    def edge_id(self) -> UUID:
        """The same for the same thing due at the same instant."""
        return derived_id("clock_edge", self.due_at, self.kind, str(self.about), self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """``after`` < t ≤ ``until`` is to be planned now, empty if they are the wrong way round; ``mark``: how far then."""

    after: int
    until: int
    mark: int


def span_to_plan(*, mark: int | None, now: int, is_news: bool) -> Span:
    """What is due for planning at ``now`` when the last plan went to ``mark`` (``None``: there was none).

    The mark follows the clock, backwards too: what was done stays done by its id, and what is recorded after a clock
    was set right is found though the wrong clock had passed it. ``is_news``: rules changed since that plan.
    """
    if mark is None:
        return Span(after=ALWAYS, until=now, mark=now)
    return Span(after=min(mark, now) - LOOK_BACK_US if is_news else mark, until=now, mark=now)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EdgeBook:
    """Edges known in advance, by ``at`` int64 ``[n]``."""

    edges: tuple[ClockEdge, ...]
    at: NDArray[np.int64]

    @classmethod
    def build(cls, edges: Iterable[ClockEdge]) -> "EdgeBook":
        """In any order."""
        ordered = tuple(sorted(edges, key=_in_order))
        return cls(edges=ordered, at=np.array([edge.at for edge in ordered], dtype=np.int64))

    def between(self, after: int, until: int) -> tuple[ClockEdge, ...]:
        """Those with ``after`` < ``at`` ≤ ``until``, in order."""
        first, last = np.searchsorted(self.at, [after, until], side="right").tolist()
        return self.edges[first:last]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderClock:
    """What an order's clock depends on. ``known_at``: when this version was recorded; ``lifted_at``: ended before."""

    order: SupervisionOrder
    known_at: datetime
    lifted_at: datetime | None = None
    review_at: datetime | None = None
    """A review that the order itself sets, beside those of every three months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveClock:
    """What a leave's clock depends on: approved, and not reported as over."""

    leave_id: UUID
    subject_no: int
    order_no: int
    ends_at: datetime
    known_at: datetime


def order_edges(clock: OrderClock, *, calendar: WorkCalendar | None = None) -> Iterator[ClockEdge]:
    """End, overdue lifting, reminders, reviews. With a calendar, reminders fall on workdays; a year that it lacks is
    not guessed: they stay on their own day.
    """
    order = clock.order
    known, lifted = to_microseconds(clock.known_at), clock.lifted_at
    ends_at = order.valid_to if lifted is None else min(lifted, order.valid_to)
    last_day = local_day(order.valid_to - timedelta(microseconds=1))

    def edge(kind: EdgeKind, due: datetime, step: int = 0, at: datetime | None = None) -> ClockEdge:
        return ClockEdge(
            kind=kind, subject_no=order.subject_no, about=order.order_id, order_no=order.order_no, step=step,
            due_at=to_microseconds(due), at=max(to_microseconds(at or due), known),
        )  # fmt: skip

    yield edge(EdgeKind.ORDER_END, ends_at)
    if lifted is not None and lifted <= order.valid_to:
        return
    yield edge(EdgeKind.LIFTING_OVERDUE, lifting_due_at(order))
    for days_before, shown_at in _shown(last_day, calendar):
        yield edge(EdgeKind.REMINDER, day_begins_at(last_day), step=days_before, at=shown_at)
    for day in review_days(local_day(order.valid_from), last_day):
        yield edge(EdgeKind.REVIEW_DUE, day_begins_at(day))
    if clock.review_at is not None and clock.review_at < order.valid_to:
        yield edge(EdgeKind.REVIEW_DUE, clock.review_at)


def lifting_due_at(order: SupervisionOrder) -> datetime:
    """By when an order that ran its term must have been lifted."""
    return day_ends_at(local_day(order.valid_to - timedelta(microseconds=1))) + LIFTING_DUE


def subject_edges(subject: Subject) -> Iterator[ClockEdge]:
    """00:00 of the 18th birthday."""
    at = to_microseconds(majority_at(subject.birth_date))
    yield ClockEdge(
        kind=EdgeKind.MAJORITY, subject_no=subject.subject_no, about=subject.subject_id, due_at=at, at=at
    )  # fmt: skip


def leave_edges(leave: LeaveClock) -> Iterator[ClockEdge]:
    """The end of an approved leave."""
    due_at = to_microseconds(leave.ends_at)
    yield ClockEdge(
        kind=EdgeKind.LEAVE_OVER, subject_no=leave.subject_no, about=leave.leave_id, order_no=leave.order_no,
        due_at=due_at, at=max(due_at, to_microseconds(leave.known_at)),
    )  # fmt: skip


def binding_edges(
    rules: RuleBook, *, known_at: NDArray[np.int64], after: int, until: int
) -> tuple[tuple[ClockEdge, int], ...]:
    """Duties to be somewhere that begin to bind, ``SETTLE_US`` after they do, each with its row in ``rules``.

    ``known_at``: int64 ``[r]``, when the order of each rule was recorded. A span that goes on where another of the same
    condition ended (a new version of order or zone) begins nothing.
    """
    at = np.maximum(rules.valid_from, known_at) + SETTLE_US
    rows = np.flatnonzero((at > after) & (at <= until) & (rules.breach == INCLUSION) & (rules.valid_to > known_at))
    keys, before = rules.condition_key[rows], rules.valid_from[rows] - 1
    governing = rules.spans.rows_at(keys, before)
    rows = rows[~rules.spans.hold(governing, before)]
    found: dict[UUID, tuple[ClockEdge, int]] = {}
    for row in rows.tolist():
        condition = rules.conditions[row]
        kind = EdgeKind.CURFEW_START if condition.kind is ConditionKind.CURFEW else EdgeKind.ZONE_START
        edge = ClockEdge(
            kind=kind,
            subject_no=int(rules.subject_no[row]),
            about=condition.condition_id,
            order_no=rules.orders[row].order_no,
            condition_no=condition.condition_no,
            due_at=int(rules.valid_from[row]),
            at=int(at[row]),
        )
        found.setdefault(edge.edge_id, (edge, row))
    return tuple(sorted(found.values(), key=lambda pair: _in_order(pair[0])))


def _shown(last_day: date, calendar: WorkCalendar | None) -> list[tuple[int, datetime]]:
    try:
        planned = reminders(last_day, calendar=calendar)
    except CalendarMissingError:
        planned = reminders(last_day)
    return [(reminder.days_before, reminder.shown_at) for reminder in planned]


def _in_order(edge: ClockEdge) -> tuple[int, UUID]:
    return edge.at, edge.edge_id
