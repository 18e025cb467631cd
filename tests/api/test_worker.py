"""The worker as it runs: woken, interrupted, slowed, stopped, and next to another one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Error as DriverError
from sqlalchemy import Engine, text

from alerts.gateway import FakeGateway, GatewayError, Message, Receipt
from alerts.policy import AlertPolicy
from api.alerting import Alerting
from api.clock import EventClock
from api.evaluator import Advanced, Policies
from api.leases import LeaseLostError
from api.worker import Worker
from tests.api.faults import (
    cut_blocked,
    cut_others,
    database_away,
    failing_inserts,
    lost_reply,
    wait_for_blocked,
    wait_until,
)
from tests.make import Person, a_bar, a_person, a_visit, a_worker, log_fixes
from tracking.policy import PresencePolicy


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def count(engine: Engine, table: str) -> int:
    return int(rows(engine, f"SELECT count(*) FROM {table}")[0][0])


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        a_bar(connection)
        return a_person(connection)


@dataclass(kw_only=True)
class Running:
    """A worker in a thread, and what its ``run`` raised."""

    worker: Worker
    failures: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        try:
            self.worker.run()
        except BaseException as error:
            self.failures.append(error)


@contextmanager
def running(worker: Worker) -> Iterator[Running]:
    """The worker at work; afterwards it must end by itself, without an error that the test did not take."""
    run = Running(worker=worker)
    thread = threading.Thread(target=run.run, name="worker")
    thread.start()
    try:
        yield run
    finally:
        worker.stop()
        thread.join(timeout=20)
    assert not thread.is_alive()
    assert run.failures == []


def wait_for_leases(engine: Engine) -> None:
    wait_until(lambda: rows(engine, "SELECT count(*) FROM shard WHERE lease_until > now()") == [(64,)])


def test_a_worker_takes_what_comes_while_it_runs(engine: Engine, person: Person) -> None:
    gateway = FakeGateway()
    with running(a_worker(engine, gateway)):
        for fix in a_visit():
            log_fixes(engine, person, [fix])
        wait_until(lambda: len(gateway.sent) == 1)
    assert rows(engine, "SELECT tier, fix_count FROM episode") == [("probable", 20)]
    assert rows(engine, "SELECT state FROM notification") == [("sent",)]


def test_new_fixes_wake_an_idle_worker(engine: Engine, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.worker.IDLE_WAIT_S", 3600.0)
    batches: list[Advanced] = []
    worker = a_worker(engine)
    worker.lease_seconds = 36_000.0  # no look at the leases either
    worker.on_batch = batches.append
    with running(worker):
        wait_for_leases(engine)
        wait_until(lambda: rows(engine, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'") == [(1,)])
        log_fixes(engine, person, a_visit())
        wait_until(lambda: sum(batch.fix_count for batch in batches) == 40)


def test_a_stopped_worker_gives_its_shards_back_at_once(engine: Engine, person: Person) -> None:
    with running(a_worker(engine)):
        wait_for_leases(engine)
    assert rows(engine, "SELECT count(*) FROM shard WHERE lease_owner IS NULL AND lease_until < now()") == [(64,)]
    other = a_worker(engine)
    log_fixes(engine, person, a_visit())
    other.drain()
    assert count(engine, "alert") == 1


def test_two_workers_do_not_hold_the_same_shards(engine: Engine, person: Person) -> None:
    first, second = a_worker(engine), a_worker(engine)
    first.step()
    log_fixes(engine, person, a_visit())
    assert not second.step()
    assert count(engine, "episode") == 0
    first.drain()
    assert count(engine, "episode") == 1


def test_a_worker_taken_over_in_mid_stay_loses_nothing_and_repeats_nothing(engine: Engine, person: Person) -> None:
    gateway = FakeGateway()
    slow, quick = a_worker(engine, gateway), a_worker(engine, gateway)
    log_fixes(engine, person, a_visit()[:20])
    slow.drain()
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = now() - interval '1 second'"))
        connection.execute(text("UPDATE worker SET alive_until = now() - interval '1 second'"))
    log_fixes(engine, person, a_visit()[20:30])
    quick.drain()
    with pytest.raises(LeaseLostError):
        slow.step()
    assert not slow.step()  # it holds nothing now
    log_fixes(engine, person, a_visit()[30:])
    quick.drain()
    assert rows(engine, "SELECT tier, fix_count, ended_by, is_entry FROM episode") == [("probable", 20, "exit", True)]
    assert len(gateway.sent) == 1


def test_a_lease_that_ran_out_unnoticed_by_others_is_held_on(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    worker.step()
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = now() - interval '1 hour'"))
    log_fixes(engine, person, a_visit())
    worker.drain()
    assert count(engine, "alert") == 1
    wait_for_leases(engine)


def test_a_connection_cut_in_mid_batch_costs_nothing(engine: Engine, database_url: str, person: Person) -> None:
    """The batch waits for a lock within an array insert, which the driver runs itself."""
    gateway = FakeGateway()
    with running(a_worker(engine, gateway)):
        wait_for_leases(engine)
        with engine.connect() as blocker:
            blocker.execute(text("LOCK TABLE episode IN SHARE MODE"))
            log_fixes(engine, person, a_visit())
            wait_for_blocked(engine)
            assert cut_blocked(engine) == 1
            blocker.rollback()
        wait_until(lambda: len(gateway.sent) == 1)
    assert rows(engine, "SELECT tier, fix_count FROM episode") == [("probable", 20)]
    assert count(engine, "alert") == 1


def test_every_connection_cut_again_and_again_costs_nothing(
    engine: Engine, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.worker.IDLE_WAIT_S", 0.02)
    gateway = FakeGateway()
    with running(a_worker(engine, gateway, batch_size=64)):
        for fix in a_visit():
            log_fixes(engine, person, [fix])
            cut_others(engine, except_application="nobody")
        wait_until(lambda: len(gateway.sent) == 1 and rows(engine, "SELECT ended_by FROM episode") == [("exit",)])
    assert rows(engine, "SELECT tier, fix_count, is_entry FROM episode") == [("probable", 20, True)]
    assert count(engine, "violation") == 1


def test_a_database_that_goes_away_is_waited_for(
    engine: Engine, database_url: str, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.worker.IDLE_WAIT_S", 0.1)
    gateway = FakeGateway()
    log_fixes(engine, person, a_visit()[:25])
    with running(a_worker(engine, gateway)) as run:
        wait_until(lambda: len(gateway.sent) == 1)
        with database_away(database_url):
            assert not threading.Event().wait(0.5)
            assert run.failures == []
        wait_until(lambda: is_reachable(engine))
        log_fixes(engine, person, a_visit()[25:])
        wait_until(lambda: rows(engine, "SELECT ended_by FROM episode") == [("exit",)])
    assert count(engine, "alert") == 1


@pytest.mark.parametrize("sqlstate", ["53100", "55P03", "40P01"], ids=["disk full", "lock timeout", "deadlock"])
def test_an_error_that_may_pass_is_waited_out(
    engine: Engine, person: Person, monkeypatch: pytest.MonkeyPatch, sqlstate: str
) -> None:
    monkeypatch.setattr("api.worker.IDLE_WAIT_S", 0.05)
    gateway = FakeGateway()
    with running(a_worker(engine, gateway)) as run:
        with failing_inserts(engine, "episode", sqlstate=sqlstate):
            log_fixes(engine, person, a_visit())
            assert not threading.Event().wait(0.3)
            assert run.failures == []
        wait_until(lambda: len(gateway.sent) == 1)


@pytest.mark.parametrize("commit_no", [1, 2], ids=["of the lease", "of the batch"])
def test_a_commit_whose_reply_is_lost_is_not_done_again(engine: Engine, person: Person, commit_no: int) -> None:
    gateway = FakeGateway()
    worker = a_worker(engine, gateway)
    worker.lease_seconds = 0.001  # so that every step sees to its leases
    log_fixes(engine, person, a_visit()[:5])
    worker.drain()
    log_fixes(engine, person, a_visit()[5:20])
    with lost_reply(engine, commit_no=commit_no), pytest.raises(DriverError):
        worker.step()
    log_fixes(engine, person, a_visit()[20:])
    worker.drain()
    assert rows(engine, "SELECT tier, fix_count, is_entry FROM episode") == [("probable", 20, True)]
    assert len(gateway.sent) == 1


def is_reachable(engine: Engine) -> bool:
    try:
        return bool(rows(engine, "SELECT true"))
    except Exception:
        return False


def test_a_slow_provider_does_not_hold_up_evaluation(engine: Engine, person: Person) -> None:
    gateway = Blocked()
    with engine.begin() as connection:
        other = a_person(connection, alias="小明")
    with running(a_worker(engine, gateway)):
        log_fixes(engine, person, a_visit())
        assert gateway.is_sending.wait(20)
        log_fixes(engine, other, a_visit())
        wait_until(lambda: count(engine, "alert") == 2)
        assert rows(engine, "SELECT DISTINCT state FROM notification") == [("pending",)]
        gateway.may_go_on.set()
        wait_until(lambda: rows(engine, "SELECT DISTINCT state FROM notification") == [("sent",)])


class Blocked(FakeGateway):
    """A provider that answers only when told."""

    def __init__(self) -> None:
        super().__init__()
        self.is_sending = threading.Event()
        self.may_go_on = threading.Event()

    def send(self, message: Message) -> Receipt:
        self.is_sending.set()
        assert self.may_go_on.wait(20)
        return super().send(message)


def test_a_message_comes_due_again_without_any_fix_arriving(engine: Engine, person: Person) -> None:
    gateway = FakeGateway()
    gateway.failures = [GatewayError("gateway answered 500"), GatewayError("gateway answered 500")]
    worker = a_worker(engine, gateway)
    worker.policies = Policies(
        presence=PresencePolicy(), alerting=Alerting(policy=AlertPolicy(first_retry=timedelta(seconds=0.05)))
    )
    with running(worker):
        log_fixes(engine, person, a_visit())
        wait_until(lambda: len(gateway.sent) == 1)
        wait_until(lambda: rows(engine, "SELECT state, attempt FROM notification") == [("sent", 3)])


def test_a_message_left_over_by_another_worker_is_sent_on_start(engine: Engine, person: Person) -> None:
    gateway = FakeGateway()
    log_fixes(engine, person, a_visit())
    first = a_worker(engine)
    first.step()
    assert rows(engine, "SELECT state FROM notification") == [("pending",)]
    with running(a_worker(engine, gateway)):
        wait_until(lambda: len(gateway.sent) == 1)


def test_a_bug_stops_the_worker_and_frees_its_shards(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    worker.on_batch = explode
    with running(worker) as run:
        log_fixes(engine, person, a_visit())
        wait_until(lambda: bool(run.failures))
        assert isinstance(run.failures.pop(), ZeroDivisionError)
    assert rows(engine, "SELECT count(*) FROM shard WHERE lease_owner IS NULL") == [(64,)]
    assert count(engine, "alert") == 1


def explode(_: Advanced) -> None:
    raise ZeroDivisionError


def test_a_worker_that_cannot_deliver_does_not_go_on_as_if_it_could(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    worker.clock = BrokenClock()
    with running(worker) as run:
        log_fixes(engine, person, a_visit())
        wait_until(lambda: bool(run.failures))
        assert isinstance(run.failures.pop(), RuntimeError)
    assert rows(engine, "SELECT state FROM notification") == [("pending",)]


class BrokenClock(EventClock):
    def now_for(self, known_at: datetime) -> datetime:
        if threading.current_thread().name == "delivery":
            raise ZeroDivisionError
        return known_at


def test_a_batch_that_fails_is_forgotten_and_done_again(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    log_fixes(engine, person, a_visit()[:20])
    worker.drain()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE episode ADD CONSTRAINT refused CHECK (fix_count < 15)"))
    log_fixes(engine, person, a_visit()[20:])
    with pytest.raises(DriverError, match="refused"):
        worker.step()
    assert rows(engine, "SELECT fix_count FROM episode") == [(10,)]
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE episode DROP CONSTRAINT refused"))
    worker.drain()
    assert rows(engine, "SELECT tier, fix_count, ended_by FROM episode") == [("probable", 20, "exit")]
    assert count(engine, "violation") == 1
