"""What the clock goes by: orders, subjects, leaves and check-ins as they are recorded, compiled for the planner."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from api.books import Books
from api.condition_parameters import NoContactParameters
from tracking.activation import activate
from tracking.calendar import WorkCalendar
from tracking.check_plan import CheckCondition
from tracking.clock_edges import ClockEdge, EdgeBook, LeaveClock, OrderClock, leave_edges, order_edges, subject_edges
from tracking.contact import Pair
from tracking.order import ConditionKind, Subject
from tracking.order_store import load_orders
from tracking.rules import to_microseconds
from tracking.timetable_json import timetable_from_json
from tracking.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRule:
    """A condition that asks for check-ins, with what its kind alone has."""

    condition: CheckCondition
    kind: ConditionKind
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactVersion:
    """One version of a condition between two subjects. ``binds``: when, by its order and its timetable."""

    condition_no: int
    order_no: int
    pair: Pair
    binds: Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactRule:
    """A condition that two may not meet, in all its versions, oldest first; it binds ``subject_no``."""

    condition_id: UUID
    subject_no: int
    versions: tuple[ContactVersion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockBook:
    """Of one version of the rule tables, for every subject whose record is open.

    ``rule_known_at``: int64 ``[r]``, when the order of each rule of the books was recorded. ``shard_of``: by subject.
    """

    books: Books
    edges: EdgeBook
    rule_known_at: NDArray[np.int64]
    checks: tuple[CheckRule, ...]
    contacts: tuple[ContactRule, ...]
    shard_of: Mapping[int, int]
    calendar: WorkCalendar


def load_clock_book(
    connection: Connection, books: Books, calendar: WorkCalendar, current: ClockBook | None = None
) -> ClockBook:
    """The clock of these books; ``current`` itself if they are the same."""
    if current is not None and current.books is books:
        return current
    shard_of = {
        row.subject_no: row.shard for row in connection.execute(text("SELECT subject_no, shard FROM open_subject"))
    }
    edges: list[ClockEdge] = []
    for clock in _orders(connection):
        edges += order_edges(clock, calendar=calendar)
    for subject in _subjects_that_come_of_age(connection):
        edges += subject_edges(subject)
    for leave in _leaves(connection):
        edges += leave_edges(leave)
    recorded = {
        row.order_no: to_microseconds(row.recorded_at)
        for row in connection.execute(text("SELECT order_no, recorded_at FROM supervision_order"))
    }
    known = [recorded[order.order_no] for order in books.rules.orders]
    return ClockBook(
        books=books,
        edges=EdgeBook.build(edge for edge in edges if edge.subject_no in shard_of),
        rule_known_at=np.array(known, dtype=np.int64),
        checks=tuple(_checks(connection, shard_of)),
        contacts=tuple(_contacts(connection, shard_of, calendar)),
        shard_of=shard_of,
        calendar=calendar,
    )


def _orders(connection: Connection) -> list[OrderClock]:
    """The newest version of each order: an end that was varied is due when the newest says."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT ON (order_id) order_no, recorded_at, review_at, coalesce(lifted_at, superseded_at)"
            " AS lifted_at FROM supervision_order ORDER BY order_id, version DESC"
        )
    ).all()
    orders = {order.order_no: order for order in load_orders(connection, [row.order_no for row in rows])}
    return [
        OrderClock(
            order=orders[row.order_no], known_at=row.recorded_at, lifted_at=row.lifted_at, review_at=row.review_at
        )
        for row in rows
    ]  # fmt: skip


def _subjects_that_come_of_age(connection: Connection) -> list[Subject]:
    """Those who were minors when their first order began: who came of age before is nobody's news."""
    rows = connection.execute(
        text(
            "SELECT s.subject_no, s.subject_id, s.alias, s.birth_date FROM open_subject s JOIN (SELECT subject_no,"
            " min(valid_from) AS begun FROM supervision_order GROUP BY subject_no) o USING (subject_no)"
            " WHERE (o.begun AT TIME ZONE 'Asia/Shanghai')::date < (s.birth_date + interval '18 years')"
        )
    )
    return [
        Subject(subject_no=row.subject_no, subject_id=row.subject_id, alias=row.alias, birth_date=row.birth_date)
        for row in rows
    ]


def _leaves(connection: Connection) -> list[LeaveClock]:
    """Those approved whose end nobody has been told of yet."""
    rows = connection.execute(
        text("SELECT leave_id, subject_no, order_no, to_at, approved_at FROM leave WHERE state = 'approved'")
    )
    return [
        LeaveClock(
            leave_id=row.leave_id, subject_no=row.subject_no, order_no=row.order_no, ends_at=row.to_at,
            known_at=row.approved_at,
        )
        for row in rows
    ]  # fmt: skip


def _checks(connection: Connection, shard_of: Mapping[int, int]) -> list[CheckRule]:
    """One for each condition that asks for check-ins, whatever its versions: the newest says how."""
    away = _absences(connection)
    spans: dict[UUID, list[tuple[datetime, datetime]]] = {}
    newest: dict[UUID, Any] = {}
    for row in connection.execute(
        text(
            "SELECT c.condition_id, c.condition_no, c.kind, c.timetable, c.parameters, o.subject_no,"
            " greatest(f.in_force_from, o.recorded_at) AS binds_from, f.in_force_to AS binds_to FROM condition c"
            " JOIN supervision_order o USING (order_no) JOIN order_in_force f USING (order_no)"
            " WHERE c.kind IN ('check_in', 'spot_check') ORDER BY c.condition_no"
        )
    ):
        if row.subject_no in shard_of:
            newest[row.condition_id] = row
            spans.setdefault(row.condition_id, []).append((row.binds_from, row.binds_to))
    return [
        CheckRule(
            condition=CheckCondition(
                condition_id=condition_id,
                condition_no=row.condition_no,
                subject_no=row.subject_no,
                timetable=None if row.timetable is None else timetable_from_json(row.timetable),
                binds=_windows(spans[condition_id]).without(
                    [away[row.subject_no]] if row.subject_no in away else []
                ),
            ),
            kind=ConditionKind(row.kind),
            parameters=row.parameters,
        )
        for condition_id, row in newest.items()
    ]  # fmt: skip


def _contacts(connection: Connection, shard_of: Mapping[int, int], calendar: WorkCalendar) -> list[ContactRule]:
    """Those of which both subjects are known. An order whose days no calendar tells is left out, as with all rules."""
    numbers = connection.execute(text("SELECT DISTINCT order_no FROM condition WHERE kind = 'no_contact'")).scalars()
    orders = load_orders(connection, numbers.all())
    if not orders:
        return []
    subjects = connection.execute(text("SELECT subject_id, subject_no FROM open_subject"))
    named = {str(row.subject_id): row.subject_no for row in subjects}
    versions: dict[UUID, list[ContactVersion]] = {}
    bound: dict[UUID, int] = {}
    for order in activate(orders, calendar=calendar).orders:
        start = to_microseconds(max(order.valid_from, order.in_force_from or order.valid_from))
        end = to_microseconds(min(order.valid_to, order.in_force_to or order.valid_to))
        for condition in order.conditions:
            other_no = named.get(str(condition.parameters.get("other_subject_id")))
            is_pair = condition.kind is ConditionKind.NO_CONTACT and order.subject_no in shard_of
            if not is_pair or other_no is None or other_no == order.subject_no:
                continue
            asked = NoContactParameters.model_validate(condition.parameters)
            pair = Pair(
                first_no=order.subject_no, second_no=other_no, within_m=asked.within_m, dwell_s=60.0 * asked.for_minutes
            )
            whole = Windows.build([start], [end]) if condition.windows is None else condition.windows
            bound[condition.condition_id] = order.subject_no
            versions.setdefault(condition.condition_id, []).append(
                ContactVersion(
                    condition_no=condition.condition_no, order_no=order.order_no, pair=pair,
                    binds=whole.clipped(start, end),
                )
            )  # fmt: skip
    return [
        ContactRule(
            condition_id=condition_id,
            subject_no=bound[condition_id],
            versions=tuple(sorted(found, key=lambda version: version.condition_no)),
        )
        for condition_id, found in versions.items()
    ]


def _absences(connection: Connection) -> dict[int, Windows]:
    """When each subject is on leave: nobody who is away with permission is asked to come to a place."""
    spans: dict[int, list[tuple[datetime, datetime]]] = {}
    for row in connection.execute(
        text(
            "SELECT subject_no, greatest(from_at, approved_at) AS away_from, least(to_at, returned_at) AS away_to"
            " FROM leave WHERE approved_at IS NOT NULL AND state IN ('approved', 'overstayed', 'returned')"
        )
    ):
        spans.setdefault(row.subject_no, []).append((row.away_from, row.away_to))
    return {subject_no: _windows(own) for subject_no, own in spans.items()}


def _windows(spans: list[tuple[datetime, datetime]]) -> Windows:
    return Windows.build(
        [to_microseconds(start) for start, _ in spans], [to_microseconds(end) for _, end in spans]
    )  # fmt: skip
