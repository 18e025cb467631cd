"""Hop 2, the inbox: group commit, each request hearing its own fate, and only after COMMIT."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from psycopg import Error as DriverError
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from api.inbox import Appended, Inbox, Sender, fix_key, to_rows
from geo.datum import Datum, from_wgs84
from tests.api.faults import (
    blocked_inserts,
    cut_blocked,
    held_commits,
    lost_reply,
    refuse_commits,
    wait_for_blocked,
)
from tests.make import EVENING, METRES_PER_DEGREE, Person, a_fix, a_person, a_visit
from tracking.fix import Fix, FixSource


def count(engine: Engine, what: str = "*") -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count({what}) FROM fix")).scalar_one())


def send(inbox: Inbox, person: Person, fixes: list[Fix]) -> "Future[Appended]":
    return inbox.append(person.sender, fixes, received_at=EVENING)


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        return a_person(connection)


@pytest.fixture
def inbox(engine: Engine) -> Iterator[Inbox]:
    with Inbox(engine) as inbox:
        yield inbox


def test_a_request_is_answered_only_after_its_commit(engine: Engine, inbox: Inbox, person: Person) -> None:
    with held_commits(engine):
        answer = send(inbox, person, [a_fix()])
        wait_for_blocked(engine)  # every statement is done, COMMIT is not
        assert not answer.done()
        assert count(engine) == 0
    assert answer.result(10) == Appended(fix_count=1)
    assert count(engine) == 1


def test_a_commit_that_fails_is_told_to_the_request(engine: Engine, inbox: Inbox, person: Person) -> None:
    refuse_commits(engine)
    with pytest.raises(SQLAlchemyError):
        send(inbox, person, [a_fix()]).result(10)
    assert count(engine) == 0


def test_requests_that_arrive_during_a_commit_share_the_next(engine: Engine, inbox: Inbox, person: Person) -> None:
    with blocked_inserts(engine):
        answers = [send(inbox, person, [a_fix()])]
        wait_for_blocked(engine)
        answers += [send(inbox, person, [a_fix(minutes=minute)]) for minute in range(1, 50)]
    assert [answer.result(10).fix_count for answer in answers] == [1] * 50
    assert count(engine, "DISTINCT written_by") == 2


def test_a_group_is_no_larger_than_it_may_be(engine: Engine, person: Person) -> None:
    with Inbox(engine, most_rows=10) as inbox:
        with blocked_inserts(engine):
            answers = [send(inbox, person, [a_fix()])]
            wait_for_blocked(engine)
            answers += [send(inbox, person, [a_fix(minutes=minute)]) for minute in range(1, 41)]
        assert [answer.result(10).fix_count for answer in answers] == [1] * 41
    assert count(engine, "DISTINCT written_by") == 5


def test_a_bad_request_does_not_fail_its_neighbours(engine: Engine, inbox: Inbox, person: Person) -> None:
    refuse_commits(engine, only_if="NEW.battery_percent = 13")
    with blocked_inserts(engine):
        first = send(inbox, person, [a_fix()])
        wait_for_blocked(engine)
        good = send(inbox, person, [a_fix(minutes=1)])
        bad = send(inbox, person, [replace(a_fix(minutes=2), battery_percent=13.0)])
        nobody = inbox.append(replace(person.sender, subject_no=404), [a_fix(minutes=3)], received_at=EVENING)
        also_good = send(inbox, person, [a_fix(minutes=4)])
    assert [first.result(10).fix_count, good.result(10).fix_count, also_good.result(10).fix_count] == [1, 1, 1]
    assert isinstance(bad.exception(10), SQLAlchemyError)
    assert isinstance(nobody.exception(10), DriverError | SQLAlchemyError)
    assert count(engine) == 3


def test_a_request_given_up_by_its_client_does_not_stop_the_inbox(engine: Engine, inbox: Inbox, person: Person) -> None:
    with blocked_inserts(engine):
        under_way = send(inbox, person, [a_fix()])
        wait_for_blocked(engine)
        under_way.cancel()
        waiting = send(inbox, person, [a_fix(minutes=1)])
        waiting.cancel()
        other = send(inbox, person, [a_fix(minutes=2)])
    assert other.result(10).fix_count == 1
    assert send(inbox, person, [a_fix(minutes=3)]).result(10).fix_count == 1


def test_a_connection_cut_by_the_server_fails_the_request_and_not_the_next(
    engine: Engine, inbox: Inbox, person: Person
) -> None:
    with blocked_inserts(engine):
        answer = send(inbox, person, [a_fix()])
        wait_for_blocked(engine)
        assert cut_blocked(engine) == 1
        assert isinstance(answer.exception(10), DriverError | SQLAlchemyError)
    assert count(engine) == 0
    assert send(inbox, person, [a_fix()]).result(10).fix_count == 1
    assert count(engine) == 1


def test_a_commit_whose_reply_is_lost_is_no_201_and_the_resend_is_a_no_op(
    engine: Engine, inbox: Inbox, person: Person
) -> None:
    with lost_reply(engine):
        assert isinstance(send(inbox, person, [a_fix()]).exception(10), DriverError)
    assert count(engine) == 1
    assert send(inbox, person, [a_fix()]).result(10).fix_count == 1
    assert count(engine) == 1


def test_a_group_whose_connection_is_cut_is_written_after_all(engine: Engine, inbox: Inbox, person: Person) -> None:
    with blocked_inserts(engine):
        send(inbox, person, [a_fix()])
        wait_for_blocked(engine)
        answers = [send(inbox, person, [a_fix(minutes=minute)]) for minute in range(1, 4)]
        cut_blocked(engine)
        wait_for_blocked(engine)
        cut_blocked(engine)
    assert [answer.result(10).fix_count for answer in answers] == [1, 1, 1]
    assert count(engine) == 3


def test_closing_writes_what_waits(engine: Engine, person: Person) -> None:
    with Inbox(engine) as inbox:
        answers = [send(inbox, person, [a_fix(minutes=minute)]) for minute in range(20)]
    assert all(answer.done() for answer in answers)
    assert count(engine) == 20


def test_a_closed_inbox_refuses_instead_of_keeping_the_request_waiting(engine: Engine, person: Person) -> None:
    with Inbox(engine) as inbox:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        send(inbox, person, [a_fix()])


def test_a_resent_fix_is_a_no_op(engine: Engine, inbox: Inbox, person: Person) -> None:
    visit = a_visit()
    assert [
        send(inbox, person, visit + visit).result(10).fix_count,
        send(inbox, person, visit).result(10).fix_count,
    ] == [
        2 * len(visit),
        len(visit),
    ]
    assert count(engine) == len(visit)


def test_two_writers_of_the_same_fixes_in_opposite_order_both_succeed(engine: Engine, person: Person) -> None:
    fixes = [a_fix(minutes=minute / 10) for minute in range(2000)]
    with Inbox(engine) as first, Inbox(engine) as second:
        for round_no in range(3):
            at = timedelta(minutes=round_no * 300)
            moved = [replace(fix, fixed_at=fix.fixed_at + at) for fix in fixes]
            answers = [send(first, person, moved), send(second, person, moved[::-1])]
            assert [answer.result(20).fix_count for answer in answers] == [2000, 2000]
    assert count(engine) == 6000


@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09, Datum.CGCS2000])
def test_any_datum_is_stored_canonical_beside_what_was_sent(datum: Datum) -> None:
    here = a_fix(east_m=77, north_m=-20)
    longitude, latitude = from_wgs84(longitude=here.longitude, latitude=here.latitude, datum=datum)
    sent = replace(here, longitude=float(longitude), latitude=float(latitude), datum=datum)
    rows = to_rows(_SENDER, [here, sent, here], EVENING)
    _, stored, _ = (dict(zip(_NAMES, row, strict=True)) for row in rows)
    north_m = (stored["latitude"] - here.latitude) * METRES_PER_DEGREE
    east_m = (stored["longitude"] - here.longitude) * METRES_PER_DEGREE * np.cos(np.radians(here.latitude))
    assert np.hypot(north_m, east_m) < 0.01
    assert (stored["raw_longitude"], stored["raw_latitude"], stored["datum"]) == (
        sent.longitude,
        sent.latitude,
        str(datum),
    )


@pytest.mark.parametrize(("source", "assumed_m"), [(FixSource.GPS, 20.0), (FixSource.CELL, 500.0)])
def test_an_unknown_accuracy_is_assumed_by_source_and_marked(source: FixSource, assumed_m: float) -> None:
    silent = replace(a_fix(accuracy_m=None), source=source)
    rows = [dict(zip(_NAMES, row, strict=True)) for row in to_rows(_SENDER, [silent, a_fix(accuracy_m=7.0)], EVENING)]
    assert [(row["accuracy_m"], row["is_accuracy_assumed"]) for row in rows] == [(assumed_m, True), (7.0, False)]


def test_observations_that_differ_in_anything_sent_have_different_keys() -> None:
    fix = a_fix()
    others: list[dict[str, Any]] = [
        {"longitude": fix.longitude + 1e-9},
        {"latitude": fix.latitude + 1e-9},
        {"accuracy_m": 11.0},
        {"accuracy_m": None},
        {"datum": Datum.GCJ02},
        {"source": FixSource.WIFI},
    ]
    keys = {fix_key(replace(fix, **changes)) for changes in others}
    assert len(keys | {fix_key(fix)}) == len(others) + 1
    assert fix_key(replace(fix, battery_percent=3.0, received_at=None)) == fix_key(fix)


_SENDER = Sender(device_id=UUID(int=1), subject_no=1, shard=1)
_NAMES = (
    "subject_no", "fixed_at", "fix_key", "shard", "received_at", "sent_at", "longitude", "latitude", "accuracy_m",
    "is_accuracy_assumed", "raw_longitude", "raw_latitude", "datum", "source", "speed_mps", "altitude_m",
    "battery_percent", "is_mock", "device_id", "flags", "cell",
)  # fmt: skip
