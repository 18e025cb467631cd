"""Hop 3 on a real database: from the log to alerts, exactly once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

from alerts.gateway import FakeGateway
from api.engine_state import load_states
from api.fix_log import rebase
from api.inbox import to_rows, write_rows
from api.leases import RestoredDatabaseError
from geo.postgis import driver_connection
from tests.make import EVENING, Person, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes, unaudited
from tracking.order_store import add_order, lift_order, load_orders
from tracking.rules import to_microseconds


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
    with engine.begin() as connection, unaudited(connection):
        connection.execute(
            text("TRUNCATE episode, violation, decision, alert, alert_violation, notification, export_run CASCADE")
        )
        connection.execute(text("TRUNCATE engine_state"))
        connection.execute(text("UPDATE shard SET seen = '1:1:', target = NULL"))
    a_worker(engine)  # a fresh one reads everything in order
    other = a_worker(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
        connection.execute(text("DELETE FROM worker"))
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


def test_a_late_fix_beside_live_ones_stops_nobody(engine: Engine) -> None:
    """The first pass finds a violation of an episode that the second, with the late fix, starts earlier."""
    with engine.begin() as connection:
        a_bar(connection)
        late, other = a_person(connection), a_person(connection, alias="小明")
    worker = a_worker(engine)
    log_fixes(engine, late, [a_fix(minutes=0, east_m=500), a_fix(minutes=1, east_m=30, accuracy_m=40)])
    worker.drain()
    log_fixes(engine, late, [a_fix(minutes=0.5, east_m=3), *(a_fix(minutes=m, east_m=3) for m in range(2, 12))])
    log_fixes(engine, other, a_visit())
    worker.drain()
    assert rows(engine, "SELECT count(DISTINCT subject_no) FROM alert") == [(2,)]
    assert rows(
        engine, "SELECT count(*) FROM violation v JOIN episode e USING (episode_id) WHERE e.superseded_at IS NULL"
    )


def test_late_fixes_that_prove_absence_raise_no_alert(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    log_fixes(engine, person, [a_fix(minutes=20)])
    worker.drain()
    away = [a_fix(minutes=minute + 0.5, east_m=500) for minute in range(20)]
    seeming = [a_fix(minutes=21 + minute, east_m=3) for minute in range(3)]
    log_fixes(engine, person, [*away, *seeming])
    worker.drain()
    assert rows(engine, "SELECT count(*) FROM violation") == [(0,)]


@pytest.mark.parametrize("batch_size", [64, 20_000])
def test_a_stay_that_is_known_late_and_goes_on_is_told_once(engine: Engine, person: Person, batch_size: int) -> None:
    """A phone without network for 50 minutes uploads what it kept; the child is still there."""
    gateway = FakeGateway()
    kept = [a_fix(minutes=minute, east_m=3, late_minutes=50 - minute) for minute in range(15)]
    live = [a_fix(minutes=minute, east_m=3) for minute in range(15, 25)]
    worker = a_worker(engine, gateway, batch_size=batch_size)
    log_fixes(engine, person, kept)
    worker.drain()
    assert rows(engine, "SELECT is_late FROM alert") == [(True,)]
    assert gateway.sent == []
    log_fixes(engine, person, live)
    worker.drain()
    assert rows(engine, "SELECT is_late FROM alert") == [(False,)]
    assert [message.text for message in gateway.sent] == [
        "您的孩子小丽于22时01分疑似进入未成年人禁入区域，请尽快核实并带离。"
    ]


def test_an_edited_zone_or_order_in_mid_stay_is_no_exit_and_no_second_alert(engine: Engine, person: Person) -> None:
    gateway = FakeGateway()
    worker = a_worker(engine, gateway)
    log_fixes(engine, person, a_visit()[:20])
    worker.drain()
    edited_at = a_fix(minutes=19.5).fixed_at
    with engine.begin() as connection:
        a_bar(connection, radius_m=36.0, at=edited_at)  # its outline was corrected by a metre
        (order,) = load_orders(connection)
        changed = replace(order, valid_to=order.valid_to + timedelta(days=1))
        add_order(connection, order=changed, zone_id_of=lambda _: None, at=edited_at)
    log_fixes(engine, person, a_visit()[20:])
    worker.drain()
    assert rows(engine, "SELECT tier, ended_by, fix_count FROM episode") == [("probable", "exit", 20)]
    assert rows(engine, "SELECT count(*) FROM alert") == [(1,)]
    assert len(gateway.sent) == 1


def test_a_condition_that_is_lifted_ends_the_stay_without_an_exit(engine: Engine, person: Person) -> None:
    worker = a_worker(engine)
    log_fixes(engine, person, a_visit()[:20])
    worker.drain()
    with engine.begin() as connection:
        (order,) = load_orders(connection)
        lifted_at = a_fix(minutes=19.5).fixed_at
        assert lift_order(connection, order.order_id, lifted_at=lifted_at, at=lifted_at)
    log_fixes(engine, person, a_visit()[20:])
    worker.drain()
    assert rows(engine, "SELECT tier, ended_by, ended_at FROM episode") == [("probable", "rule", lifted_at)]


def test_a_database_restored_from_a_dump_is_refused_and_not_skipped(engine: Engine, person: Person) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET seen = '99999999:99999999:' WHERE shard = 3"))
    with pytest.raises(RestoredDatabaseError, match="--restored"):
        a_worker(engine).step()


def test_a_failure_of_the_program_sets_nothing_aside(engine: Engine, person: Person) -> None:
    with engine.begin() as connection:
        other = a_person(connection, alias="小明")
        connection.execute(text("UPDATE zone SET radius_m = NULL"))  # no zone can be loaded
    for someone in (person, other):
        log_fixes(engine, someone, a_visit())
    with pytest.raises(AssertionError):
        a_worker(engine).step()
    assert rows(engine, "SELECT count(*) FROM fix_set_aside") == [(0,)]
    assert rows(engine, "SELECT count(*) FROM shard WHERE seen::text <> '1:1:'") == [(0,)]


def test_cursors_rebased_after_a_restore_skip_nothing_and_repeat_nothing(engine: Engine, person: Person) -> None:
    visit = a_visit()
    log_fixes(engine, person, visit[:20])
    a_worker(engine).drain()
    log_fixes(engine, person, visit[20:])
    with engine.begin() as connection:  # as in a cluster whose transaction ids began anew
        connection.execute(text("UPDATE fix SET written_by = (written_by::text::bigint + 90000000)::text::xid8"))
        connection.execute(
            text(
                "UPDATE shard SET lease_until = '-infinity', seen = format('%s:%s:',"
                " pg_snapshot_xmax(seen)::text::bigint + 90000000, pg_snapshot_xmax(seen)::text::bigint + 90000000)"
                "::pg_snapshot"
            )
        )
        connection.execute(text("DELETE FROM worker"))
        assert rebase(connection) == 20
    worker = a_worker(engine)
    worker.drain()
    assert rows(engine, "SELECT fix_count, ended_by FROM episode WHERE superseded_at IS NULL") == [(20, "exit")]
    assert rows(engine, "SELECT count(*) FROM alert") == [(1,)]
    log_fixes(engine, person, [a_fix(minutes=60, east_m=500)])
    worker.drain()
    with engine.connect() as connection:
        states = load_states(connection, range(64)).states
    newest = rows(engine, "SELECT max(fixed_at) FROM fix")[0][0]
    assert states.subject_rows["last_fixed_at"].tolist() == [to_microseconds(newest)]
