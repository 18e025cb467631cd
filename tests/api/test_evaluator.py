"""Hop 3 on a real database: from the log to alerts, exactly once."""

from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from alerts.gateway import FakeGateway
from api.inbox import to_rows, write_rows
from geo.postgis import driver_connection
from tests.make import EVENING, Person, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        a_bar(connection)
        return a_person(connection)


def test_a_visit_to_a_bar_becomes_one_alert_and_one_sms(engine: Engine, person: Person) -> None:
    gateway = FakeGateway()
    log_fixes(engine, person, a_visit())
    a_worker(engine, gateway).drain()
    assert [message.text for message in gateway.sent] == [
        "您的孩子小丽于22时10分疑似进入未成年人禁入区域，请尽快核实并带离。"
    ]
    assert rows(engine, "SELECT tier, ended_by, is_entry FROM episode") == [("probable", "exit", True)]
    assert rows(engine, "SELECT state FROM violation") == [("suspected",)]
    assert rows(engine, "SELECT state, provider FROM notification") == [("sent", "fake")]


def test_batch_boundaries_do_not_matter(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, a_visit())
    a_worker(engine, batch_size=64).drain()  # one fix per shard and batch
    assert rows(engine, "SELECT tier, ended_by FROM episode") == [("probable", "exit")]
    assert rows(engine, "SELECT count(*) FROM notification") == [(1,)]


def test_transactions_that_commit_out_of_order_lose_nothing(engine: Engine, person: Person) -> None:
    visit = a_visit()
    slow = engine.connect()
    transaction = slow.begin()
    write_rows(driver_connection(slow), to_rows(person.sender, visit[:20], EVENING))
    log_fixes(engine, person, visit[20:])  # begun later, with higher sequence numbers, committed first
    worker = a_worker(engine)
    worker.drain()
    assert rows(engine, "SELECT max(fix_count) FROM episode") == [(10,)]
    transaction.commit()
    slow.close()
    worker.drain()
    assert rows(engine, "SELECT fix_count, tier FROM episode WHERE superseded_at IS NULL") == [(20, "probable")]


def test_late_fixes_give_the_episode_that_order_would_have_given(engine: Engine, person: Person) -> None:
    visit = a_visit()
    worker = a_worker(engine)
    for part in (visit[25:], visit[:5], visit[5:25]):
        log_fixes(engine, person, part)
        worker.drain()
    current = "SELECT started_at, ended_at, fix_count, decided_at FROM episode WHERE superseded_at IS NULL"
    shuffled = rows(engine, current)
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE episode, violation, alert, alert_violation, notification"))
        connection.execute(text("TRUNCATE presence, subject_state"))
        connection.execute(text("UPDATE shard SET seen = '1:1:', target = NULL"))
    a_worker(engine)  # a fresh one reads everything in order
    other = a_worker(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
    other.drain()
    assert rows(engine, current) == shuffled


def test_a_finding_that_is_known_late_is_recorded_and_tells_nobody(engine: Engine, person: Person) -> None:
    gateway = FakeGateway()
    late = [a_fix(minutes=minute, east_m=3, late_minutes=480) for minute in range(20)]
    log_fixes(engine, person, late)
    a_worker(engine, gateway).drain()
    assert rows(engine, "SELECT is_late FROM alert") == [(True,)]
    assert gateway.sent == []


def test_a_poison_fix_is_set_aside_and_the_rest_go_on(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, a_visit())
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE fix SET longitude = 'NaN' WHERE fixed_at = :at"), {"at": a_fix(minutes=15).fixed_at}
        )
    a_worker(engine).drain()
    assert rows(engine, "SELECT count(*) FROM fix_set_aside") == [(1,)]
    assert rows(engine, "SELECT tier, fix_count FROM episode") == [("probable", 19)]


def test_a_fix_sent_twice_is_stored_once(engine: Engine, person: Person) -> None:
    for _ in range(2):
        log_fixes(engine, person, a_visit())
    assert rows(engine, "SELECT count(*) FROM fix") == [(40,)]


def test_first_fix_inside_is_presence_but_not_an_entry(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=3) for minute in np.arange(20.0)])
    a_worker(engine).drain()
    assert rows(engine, "SELECT is_entry FROM episode") == [(False,)]


def test_a_lost_lease_saves_nothing(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    worker.drain()
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET fence = fence + 1"))
    log_fixes(engine, person, a_visit())
    with pytest.raises(Exception, match="lease"):
        worker.step()
    assert rows(engine, "SELECT count(*) FROM episode") == [(0,)]
