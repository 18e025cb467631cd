"""What the engine remembers: written by change, loaded whole, never misread, derived from the log when it must be."""

from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

import api.engine_state
from alerts.gateway import FakeGateway
from api.engine_state import Loaded, load_states
from tests.make import Person, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def loaded(engine: Engine) -> Loaded:
    with engine.connect() as connection:
        return load_states(connection, range(64))


def free_shards(engine: Engine) -> None:
    """As if every worker had been gone for long."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
        connection.execute(text("DELETE FROM worker"))


@pytest.fixture
def people(engine: Engine) -> list[Person]:
    with engine.begin() as connection:
        a_bar(connection)
        return [a_person(connection, alias=alias) for alias in ("小丽", "小明", "小刚")]


def test_a_batch_writes_the_state_of_those_it_touched_and_of_nobody_else(engine: Engine, people: list[Person]) -> None:
    worker = a_worker(engine)
    for person in people:
        log_fixes(engine, person, a_visit()[:15])
    worker.drain()
    before = rows(engine, "SELECT coalesce(max(change_no), 0) FROM engine_state")[0][0]
    log_fixes(engine, people[1], a_visit()[15:18])
    worker.drain()
    written = rows(engine, f"SELECT shard, subject_count, is_whole FROM engine_state WHERE change_no > {before}")
    assert written == [(people[1].sender.shard, 1, False)]


def test_an_idle_worker_writes_nothing(engine: Engine, people: list[Person]) -> None:
    worker = a_worker(engine)
    log_fixes(engine, people[0], a_visit())
    worker.drain()
    before = rows(engine, "SELECT shard, xmin::text FROM shard ORDER BY shard")
    assert not worker.step()
    assert rows(engine, "SELECT shard, xmin::text FROM shard ORDER BY shard") == before


@pytest.mark.parametrize("most_changes", [1, 3, 200])
def test_states_come_back_whatever_was_written_whole(
    engine: Engine, people: list[Person], monkeypatch: pytest.MonkeyPatch, most_changes: int
) -> None:
    monkeypatch.setattr(api.engine_state, "MOST_CHANGES", most_changes)
    worker = a_worker(engine, batch_size=64)
    for minute in range(16):
        for person in people:
            log_fixes(engine, person, [a_visit()[minute]])
        worker.drain()
    held = worker._memory
    assert held is not None
    found = loaded(engine)
    assert len(found.states.open_rows) == len(people)
    assert found.states.subject_rows.tolist() == held.states.subject_rows.tolist()
    assert found.states.open_rows.tolist() == held.states.open_rows.tolist()
    assert found.written == held.written
    stored = rows(engine, "SELECT count(*) FROM engine_state")[0][0]
    assert stored <= 3 * (most_changes + 1)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE engine_layout SET layout = 'of another engine'",
        "DELETE FROM engine_state",
    ],
    ids=["another engine", "lost"],
)
def test_a_state_that_cannot_be_read_is_derived_from_the_log(engine: Engine, people: list[Person], change: str) -> None:
    gateway = FakeGateway()
    for person in people:
        log_fixes(engine, person, a_visit()[:20])
    a_worker(engine, gateway).drain()
    before = loaded(engine).states
    with engine.begin() as connection:
        connection.execute(text(change))
    free_shards(engine)
    assert {person.sender.shard for person in people} <= loaded(engine).to_rebuild
    log_fixes(engine, people[0], a_visit()[20:])
    worker = a_worker(engine, gateway)
    worker.drain()
    after = loaded(engine)
    assert after.to_rebuild == frozenset()
    others = np.array([person.subject_no for person in people[1:]])
    assert after.states.of(others).open_rows["mean"].tolist() == before.of(others).open_rows["mean"].tolist()
    for person in people[1:]:
        log_fixes(engine, person, a_visit()[20:])
    worker.drain()
    current = "SELECT tier, fix_count, ended_by, is_entry FROM episode WHERE superseded_at IS NULL"
    assert rows(engine, current) == [("probable", 20, "exit", True)] * 3
    # The three share a telephone: its third message of the day is a call.
    told = rows(engine, "SELECT count(*) FROM notification WHERE failover_from IS NULL")
    assert (told, len(gateway.sent)) == ([(3,)], 2)


def test_a_second_worker_gets_its_share_within_a_lease(engine: Engine, people: list[Person]) -> None:
    first, second = a_worker(engine), a_worker(engine)
    shares = []
    for fix in a_visit():
        for person in people:
            log_fixes(engine, person, [fix])
        for worker in (first, second):
            worker._look_at = 0.0  # a third of the lease is over
            worker.step()
        shares.append([len(worker._memory.fences) if worker._memory else 0 for worker in (first, second)])
    assert shares[:2] == [[64, 0], [32, 32]]
    assert shares[-1] == [32, 32]
    assert rows(engine, "SELECT count(DISTINCT lease_owner) FROM shard") == [(2,)]
    for worker in (first, second):
        worker.drain()
    found = rows(engine, "SELECT tier, fix_count, ended_by FROM episode WHERE superseded_at IS NULL")
    assert found == [("probable", 20, "exit")] * 3
    assert rows(engine, "SELECT count(*) FROM alert") == [(3,)]


def test_a_worker_gives_up_no_more_than_its_surplus(engine: Engine, people: list[Person]) -> None:
    worker = a_worker(engine)
    worker.lease_seconds = 0.001
    log_fixes(engine, people[0], [a_fix()])
    worker.drain()
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO worker VALUES ('b', now() + interval '1 hour')"))
        connection.execute(text("INSERT INTO worker VALUES ('c', now() + interval '1 hour')"))
    worker.lease_seconds = 60.0
    worker.step()
    held = worker._memory
    assert held is not None
    assert len(held.fences) == 22
    assert set(held.written) == set(held.fences)
    assert rows(engine, "SELECT count(*) FROM shard WHERE lease_owner IS NULL") == [(42,)]
