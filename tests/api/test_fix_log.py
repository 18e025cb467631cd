"""The fix log is read exactly once, in whatever order its transactions begin, number their rows and commit."""

import random
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from api.fix_log import Drained, drain, save_cursor
from api.inbox import to_rows, write_rows
from geo.postgis import driver_connection
from tests.make import EVENING, Person, a_fix, a_person, a_visit, log_fixes

Key = tuple[int, int]
"""Subject and time of a fix: unique in these tests."""


def keys_of(drained: Drained) -> list[Key]:
    return list(zip(drained.fixes.subject_no.tolist(), drained.fixes.fixed_at.tolist(), strict=True))


def read(engine: Engine, most_rows: int, *, shards: list[int] | None = None) -> Drained:
    """One batch, its cursor committed."""
    wanted = list(range(64)) if shards is None else shards
    with engine.begin() as connection:
        drained = drain(connection, wanted, most_rows=most_rows)
        assert save_cursor(connection, drained, dict.fromkeys(wanted, 0), lease_seconds=1.0)
    return drained


def read_all(engine: Engine, most_rows: int) -> list[Key]:
    found: list[Key] = []
    for _ in range(1000):
        drained = read(engine, most_rows)
        found += keys_of(drained)
        if not drained.has_more:
            return found
    raise AssertionError("the log has no end")


def logged(engine: Engine) -> list[Key]:
    with engine.connect() as connection:
        query = "SELECT subject_no, (extract(epoch FROM fixed_at) * 1000000)::bigint FROM fix"
        return [(row[0], row[1]) for row in connection.execute(text(query))]


@dataclass(kw_only=True)
class Numbers:
    """Gives every fix of a test a time of its own."""

    next_one: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, count: int) -> range:
        with self.lock:
            self.next_one += count
            return range(self.next_one - count, self.next_one)


def write(connection: Connection, people: list[Person], numbers: range) -> None:
    """Fixes of several people in the caller's transaction, which is begun if need be."""
    if not connection.in_transaction():
        connection.begin()  # the driver's own statements do not
    rows: list[Any] = []
    for number in numbers:
        rows += to_rows(people[number % len(people)].sender, [a_fix(minutes=number / 600)], EVENING)
    write_rows(driver_connection(connection), rows)


@pytest.fixture
def people(engine: Engine) -> list[Person]:
    with engine.begin() as connection:
        return [a_person(connection) for _ in range(3)]


WRITERS = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("write"), WRITERS, st.integers(1, 5)),
    st.tuples(st.just("commit"), WRITERS, st.just(0)),
    st.tuples(st.just("read"), st.just(0), st.sampled_from([64, 128, 20_000])),
    st.tuples(st.sampled_from(["rollback", "read and fail"]), WRITERS, st.just(128)),
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=10, max_size=30))
def test_no_interleaving_loses_or_repeats_a_row(
    engine: Engine, people: list[Person], steps: list[tuple[str, int, int]]
) -> None:
    before = Counter(logged(engine))
    numbers = Numbers(next_one=sum(before.values()) * 50)
    found: list[Key] = []
    with ExitStack() as stack:
        writers = [stack.enter_context(engine.connect()) for _ in range(3)]
        for what, writer, amount in steps:
            match what:
                case "write":
                    write(writers[writer], people, numbers.take(amount))
                case "commit":
                    writers[writer].commit()
                case "rollback":
                    writers[writer].rollback()
                case "read":
                    found += keys_of(read(engine, amount))
                case "read and fail":
                    with engine.connect() as connection:
                        drained = drain(connection, range(64), most_rows=amount)
                        save_cursor(connection, drained, dict.fromkeys(range(64), 0), lease_seconds=1.0)
                        connection.rollback()
        for position, connection in enumerate(writers):
            connection.rollback() if position % 2 else connection.commit()
    found += read_all(engine, 64)
    assert Counter(found) == Counter(logged(engine)) - before
    assert set(Counter(found).values()) <= {1}


def test_writers_that_commit_in_any_order_lose_nothing_while_one_reads(engine: Engine, people: list[Person]) -> None:
    numbers = Numbers()
    writing = threading.Event()
    writing.set()

    def keep_writing(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            with engine.connect() as connection:
                write(connection, people, numbers.take(chance.randint(1, 8)))
                time.sleep(chance.random() * 0.02)  # others begin later and commit earlier
                if chance.random() < 0.1:
                    connection.rollback()
                else:
                    connection.commit()

    threads = [threading.Thread(target=keep_writing, args=[seed]) for seed in range(8)]
    for thread in threads:
        thread.start()
    found: list[Key] = []
    partial_count = 0
    while any(thread.is_alive() for thread in threads):
        drained = read(engine, 128)  # two rows of a shard at most: less than arrives meanwhile
        partial_count += drained.has_more
        found += keys_of(drained)
    found += read_all(engine, 128)
    assert partial_count > 20
    assert Counter(found) == Counter(logged(engine))
    assert set(Counter(found).values()) == {1}


def test_a_late_commit_is_read_although_newer_rows_were_read_before(engine: Engine, people: list[Person]) -> None:
    with engine.connect() as late:
        write(late, people, range(6))
        with engine.begin() as early:
            write(early, people, range(6, 12))
        assert len(read_all(engine, 20_000)) == 6
        late.commit()
    assert len(read_all(engine, 20_000)) == 6
    assert read_all(engine, 20_000) == []


def test_a_late_commit_during_a_partial_read_is_read_afterwards(engine: Engine, people: list[Person]) -> None:
    """The difference is larger than a batch; rows that sort before the cursor are committed in the middle of it."""
    person = [people[0]]
    with engine.connect() as late:
        write(late, person, range(5))
        with engine.begin() as early:
            write(early, person, range(5, 15))
        found = keys_of(read(engine, 64))
        late.commit()
        found += read_all(engine, 64)
    assert Counter(found) == Counter(logged(engine))
    assert len(found) == 15


def test_rows_of_one_subject_come_in_the_order_of_their_commit(engine: Engine, people: list[Person]) -> None:
    for start in range(0, 30, 5):
        with engine.begin() as connection:
            write(connection, people[:1], range(start, start + 5))
    found = read_all(engine, 64)
    assert found == sorted(found)


def test_a_batch_that_fails_is_read_again(engine: Engine, people: list[Person]) -> None:
    log_fixes(engine, people[0], a_visit())
    with engine.connect() as connection:
        first = drain(connection, range(64), most_rows=640)
        save_cursor(connection, first, dict.fromkeys(range(64), 0), lease_seconds=1.0)
        connection.rollback()
    assert keys_of(read(engine, 640)) == keys_of(first)


def test_a_cursor_moves_only_with_the_right_fencing_token(engine: Engine, people: list[Person]) -> None:
    log_fixes(engine, people[0], a_visit())
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET fence = 7 WHERE shard = :s"), {"s": people[0].sender.shard})
    with engine.connect() as connection:
        drained = drain(connection, range(64), most_rows=20_000)
        assert not save_cursor(connection, drained, dict.fromkeys(range(64), 0), lease_seconds=1.0)
        connection.rollback()
    fences = dict.fromkeys(range(64), 0) | {people[0].sender.shard: 7}
    with engine.connect() as connection:
        drained = drain(connection, range(64), most_rows=20_000)
        assert save_cursor(connection, drained, fences, lease_seconds=1.0)
        assert len(drained.fixes) == 40


def test_shards_are_read_apart(engine: Engine, people: list[Person]) -> None:
    shard = people[0].sender.shard
    others = sorted(set(range(64)) - {shard})
    log_fixes(engine, people[0], a_visit())
    assert len(read(engine, 20_000, shards=others).fixes) == 0
    assert len(read(engine, 20_000, shards=[shard]).fixes) == 40


def test_a_reader_takes_no_more_than_it_asked_for(engine: Engine, people: list[Person]) -> None:
    log_fixes(engine, people[0], a_visit())
    drained = read(engine, 640)
    assert (len(drained.fixes), drained.has_more) == (10, True)


def test_a_drained_log_has_no_more(engine: Engine, people: list[Person]) -> None:
    log_fixes(engine, people[0], a_visit()[:10])
    assert read(engine, 640).has_more  # ten of ten: it cannot know yet
    assert read(engine, 640).has_more  # none, yet others may have come after that difference was fixed
    assert not read(engine, 640).has_more
