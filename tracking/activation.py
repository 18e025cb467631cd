"""From the hours that an order names to the spans in which its rules bind, by the calendar. Pure.

A day whose kind no calendar tells is never guessed: the order that needs it is left out, and told (design.md 6).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from tracking.calendar import CalendarMissingError, WorkCalendar, local_day
from tracking.order import Condition, SupervisionOrder
from tracking.timetable import Timetable
from tracking.windows import Windows

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedOrder:
    """An order version none of whose rules binds, and what is to be imported; ``subject_no``: whose it is."""

    order_no: int
    subject_no: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """``orders``: every condition with a timetable has its windows. ``blocked``: those that the calendar stops."""

    orders: tuple[SupervisionOrder, ...]
    blocked: tuple[BlockedOrder, ...]


def activate(orders: Sequence[SupervisionOrder], *, calendar: WorkCalendar) -> Activation:
    """Compile the timetables over each order's span; equal timetables over equal days are compiled once."""
    compiled: dict[tuple[Timetable, date, date], Windows] = {}
    active, blocked = [], []
    for order in orders:
        try:
            conditions = tuple(_with_windows(item, order, calendar, compiled) for item in order.conditions)
        except CalendarMissingError as error:
            blocked.append(BlockedOrder(order_no=order.order_no, subject_no=order.subject_no, reason=str(error)))
        else:
            active.append(replace(order, conditions=conditions))
    return Activation(orders=tuple(active), blocked=tuple(blocked))


def _with_windows(
    condition: Condition,
    order: SupervisionOrder,
    calendar: WorkCalendar,
    compiled: dict[tuple[Timetable, date, date], Windows],
) -> Condition:
    if condition.timetable is None:
        return condition
    key = (condition.timetable, local_day(order.valid_from), local_day(order.valid_to - _INSTANT))
    if key not in compiled:
        compiled[key] = condition.timetable.active_windows(first_day=key[1], last_day=key[2], calendar=calendar)
    return replace(condition, windows=compiled[key])
