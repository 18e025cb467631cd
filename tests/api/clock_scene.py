"""An order with conditions by the clock, a clock that runs faster, and what is stored of the work on it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from alerts.gateway import FakeGateway
from api.clock import FixedClock, SystemClock
from api.ids import new_id
from api.worker import Worker
from geo.shapes import Circle
from tests.make import BAR_LATITUDE, BAR_LONGITUDE, Person, a_worker
from tracking.order import Condition, ConditionKind
from tracking.order_store import add_order, load_orders
from tracking.store import ZoneDraft, save_zones
from tracking.timetable import Timetable
from tracking.zone import ZoneKind, ZoneOrigin


class FastClock(SystemClock):
    """Goes from an instant on, so many times as fast as time does."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start, self._speed, self._begun = start, speed, time.monotonic()

    def now(self) -> datetime:
        """The instant it is by now."""
        return self._start + timedelta(seconds=(time.monotonic() - self._begun) * self._speed)


def a_duty(
    connection: Connection,
    person: Person,
    kind: ConditionKind,
    *,
    at: datetime,
    timetable: Timetable | None = None,
    parameters: Mapping[str, Any] | None = None,
    radius_m: float | None = None,
) -> UUID:
    """Add a condition to the person's order, as its next version, in force from ``at``; its id.

    ``radius_m``: at a place, the bar's door, where somebody lives.
    """
    zone_id = None if radius_m is None else _a_place(connection, person, radius_m, at)
    number = connection.execute(
        text("SELECT order_no FROM supervision_order WHERE subject_no = :no AND superseded_at IS NULL"),
        {"no": person.subject_no},
    ).scalar_one()
    (order,) = load_orders(connection, [number])
    condition = Condition(
        condition_no=0, condition_id=new_id(), kind=kind, timetable=timetable, parameters=dict(parameters or {}),
        tolerance_m=30.0 if zone_id else 0.0,
    )  # fmt: skip
    kept = tuple(item for item in order.conditions if item.zone_no is None)
    varied = replace(order, conditions=(*kept, condition))
    add_order(
        connection, order=varied, zone_id_of=lambda item: zone_id if item is condition else None, at=at
    )  # fmt: skip
    return condition.condition_id


def _a_place(connection: Connection, person: Person, radius_m: float, at: datetime) -> UUID:
    draft = ZoneDraft(
        zone_id=new_id(),
        source="condition:test",
        source_id=str(person.subject_no),
        kind=ZoneKind.INCLUSION,
        origin=ZoneOrigin.CONDITION,
        name="合成住处",
        shape=Circle(longitude=BAR_LONGITUDE, latitude=BAR_LATITUDE, radius_m=radius_m),
    )
    save_zones(connection, [draft], at=at, new_from=at - timedelta(days=30))
    return draft.zone_id


def a_clocked_worker(engine: Engine, now: datetime, gateway: FakeGateway | None = None) -> tuple[Worker, FixedClock]:
    """A worker by a clock that moves only when told, and that clock."""
    worker, clock = a_worker(engine, gateway), FixedClock(now)
    worker.clock = clock
    return worker, clock


def look(worker: Worker, clock: FixedClock, *instants: datetime) -> None:
    """Have the worker look at the clock at each of these instants."""
    for instant in instants:
        clock.current = instant
        worker.drain()


def rows(engine: Engine, query: str, **parameters: object) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), parameters)]


def findings(engine: Engine, *kinds: str) -> list[Any]:
    """Kind, start, probability and detail, of these kinds or all."""
    return rows(
        engine,
        "SELECT kind, started_at, probability, detail FROM finding WHERE kind = ANY(:kinds) OR :all ORDER BY"
        " decided_at, kind",
        kinds=list(kinds), all=not kinds,
    )  # fmt: skip


def tasks(engine: Engine) -> list[Any]:
    return rows(
        engine, "SELECT kind, due_at, opened_at FROM task WHERE alert_id IS NULL ORDER BY opened_at, kind, due_at"
    )


def states_of(engine: Engine, kind: str) -> Sequence[str]:
    return [
        row[0] for row in rows(engine, "SELECT state FROM check_in WHERE kind = :kind ORDER BY opens_at", kind=kind)
    ]
