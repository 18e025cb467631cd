"""Repeated events that officers confirmed are a task for the prosecutor, once (督促监护令)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from alerts.alert import TaskKind
from alerts.event import EventKind
from alerts.guardianship import counts_for_guardians
from alerts.policy import AlertPolicy
from api.casework.decisions import DecisionReason, Outcome, decide
from api.casework.names import TASK_NAMES_ZH
from api.casework.tasks import tasks_of
from api.database import open_engine
from api.devices import devices_of
from api.logins import Login
from api.proposing import propose_due
from tests.alerts.outbox_scene import rows
from tests.api.casework_scene import MARCH, Office, a_case
from tests.api.live_server import url_as
from tests.make import Person, a_fix, a_worker, log_fixes

A_DAY = 24 * 60
POLICY = AlertPolicy()
PROPOSED = "SELECT count(*) FROM task WHERE kind = 'guardianship_order'"


@pytest.fixture
def worker_engine(engine: Engine, database_url: str) -> Iterator[Engine]:
    """With the rights of the worker's login."""
    own = open_engine(url_as(database_url, Login.WORKER))
    yield own
    own.dispose()


def three_departures(engine: Engine, **changes: Any) -> Office:
    """An hour out of the area on each of three evenings; its three alerts."""
    office = Office(engine, a_case(**MARCH | changes))
    with engine.connect() as connection:
        sender = devices_of(connection, [office.done.subject_id])[office.done.subject_id]
    person = Person(subject_id=office.done.subject_id, subject_no=office.no, token="", sender=sender)
    for day in range(3):
        evening = [
            a_fix(minutes=day * A_DAY + minute, east_m=9000.0 if 20 <= minute < 60 else 10.0) for minute in range(100)
        ]
        log_fixes(engine, person, evening)
    a_worker(engine).drain()
    return office


def found_by_evening(engine: Engine) -> list[UUID]:
    return [row[0] for row in rows(engine, "SELECT violation_id FROM violation ORDER BY started_at")]


def decided(office: Office, violation_id: UUID, outcome: Outcome = Outcome.CONFIRMED) -> None:
    is_confirmed = outcome is Outcome.CONFIRMED
    reason = DecisionReason.SUBJECT_ADMITTED if is_confirmed else DecisionReason.EMERGENCY
    with office.as_("prosecutor") as connection:
        decide(connection, violation_id=violation_id, outcome=outcome, reason=reason, remark="合成")


def test_the_third_confirmed_event_is_a_task_for_the_prosecutor_once(engine: Engine, worker_engine: Engine) -> None:
    office = three_departures(engine)
    found = found_by_evening(engine)
    assert len(found) == 3
    for violation_id in found[:2]:
        decided(office, violation_id)
    assert propose_due(worker_engine, POLICY) == 0
    decided(office, found[2])
    assert [propose_due(worker_engine, POLICY) for _ in range(3)] == [1, 0, 0]
    a_worker(engine).drain()
    assert rows(engine, PROPOSED) == [(1,)]
    with office.as_("prosecutor") as connection:
        (task,) = [item for item in tasks_of(connection, with_done=False) if item["kind"] == "guardianship_order"]
    assert "督促监护令" in task["reason_zh"] and "经办案人员确认 3 次" in task["reason_zh"]
    assert task["alert_id"] is not None
    with office.as_("stranger") as connection:
        assert tasks_of(connection, with_done=False) == []


def test_suspicions_and_what_was_dismissed_propose_nothing(engine: Engine, worker_engine: Engine) -> None:
    office = three_departures(engine)
    found = found_by_evening(engine)
    assert propose_due(worker_engine, POLICY) == 0, "nothing is confirmed"
    for violation_id in found:
        decided(office, violation_id)
    decided(office, found[0], Outcome.DISMISSED)
    assert propose_due(worker_engine, POLICY) == 0, "one was taken back before anybody looked"


def test_the_worker_looks_by_itself(engine: Engine) -> None:
    office = three_departures(engine)
    for violation_id in found_by_evening(engine):
        decided(office, violation_id)
    a_worker(engine).drain()
    assert rows(engine, PROPOSED) == [(1,)]


def test_what_guardians_are_never_told_of_is_no_fault_of_theirs() -> None:
    not_theirs = {kind for kind in EventKind if not counts_for_guardians(kind)}
    assert not_theirs == {EventKind.CONTACT, EventKind.MINOR_WITH_ADULT, EventKind.ORDER_NOT_LIFTED}


def test_every_task_of_an_alert_has_a_name() -> None:
    assert {str(kind) for kind in TaskKind} <= set(TASK_NAMES_ZH)
