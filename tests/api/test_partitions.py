"""The log in weeks: made as needed by any number of writers, asked only where there is news, dropped when too old."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine, text

from alerts.gateway import FakeGateway
from api.database import migrate
from api.fix_log import drain
from api.inbox import CELL_RESOLUTION, to_rows, write_rows
from api.partitions import WEEK, partition_of
from api.retention import drop_weeks, dropped_before, forget_read
from geo.cells import cell_of
from geo.postgis import driver_connection
from tests.api.test_schema import alembic_config
from tests.make import EVENING, KEYRING, Person, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes

DAY = 1440.0
"""Minutes."""


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def weeks(engine: Engine) -> list[str]:
    found = rows(
        engine, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'fix'::regclass ORDER BY 1"
    )
    return [row[0] for row in found]


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        a_bar(connection, valid_from=EVENING - timedelta(days=900))
        return a_person(connection, valid_from=EVENING - timedelta(days=900), valid_to=EVENING + timedelta(days=900))


@pytest.mark.parametrize(
    ("instant", "name"),
    [
        (datetime(2026, 3, 16, tzinfo=UTC), "fix_20260316"),
        (datetime(2026, 3, 22, 23, 59, 59, 999_999, tzinfo=UTC), "fix_20260316"),
        (datetime(2026, 3, 23, tzinfo=UTC), "fix_20260323"),
        (datetime(1999, 12, 31, tzinfo=UTC), "fix_19991227"),
    ],
)
def test_a_week_begins_on_monday(instant: datetime, name: str) -> None:
    partition = partition_of(instant)
    assert partition.name == name
    assert partition.from_at <= instant < partition.to_at == partition.from_at + WEEK
    assert partition.from_at.weekday() == 0


def test_fixes_of_any_week_are_stored_and_evaluated(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, [a_fix(minutes=days * DAY) for days in (-700, -30, 0, 1, 500)])
    assert len(weeks(engine)) == 4
    batch = a_worker(engine)
    batch.drain()
    assert rows(engine, "SELECT count(*) FROM fix") == [(5,)]
    assert rows(engine, "SELECT count(*) FROM episode") == [(5,)]


def test_many_writers_make_the_same_week_once(engine: Engine, person: Person) -> None:
    def write(number: int) -> None:
        log_fixes(engine, person, [a_fix(minutes=number), a_fix(minutes=7 * DAY + number)])

    threads = [threading.Thread(target=write, args=[number]) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert weeks(engine) == ["fix_20260316", "fix_20260323"]
    assert rows(engine, "SELECT count(*) FROM fix") == [(10,)]


def test_an_open_writer_of_a_new_week_holds_up_no_other(engine: Engine, person: Person) -> None:
    with engine.connect() as slow, slow.begin() as transaction:
        write_rows(driver_connection(slow), to_rows(person.sender, [a_fix()], EVENING))
        log_fixes(engine, person, [a_fix(minutes=1), a_fix(minutes=7 * DAY)])
        assert rows(engine, "SELECT count(*) FROM fix") == [(2,)]
        transaction.commit()
    assert rows(engine, "SELECT count(*) FROM fix") == [(3,)]


def test_a_fix_has_the_cell_of_its_canonical_place(engine: Engine, person: Person) -> None:
    fix = a_fix(east_m=500)
    log_fixes(engine, person, [fix])
    expected = int(cell_of(longitude=fix.longitude, latitude=fix.latitude, resolution=CELL_RESOLUTION)[0])
    assert rows(engine, "SELECT cell FROM fix") == [(expected,)]


def test_a_look_at_the_log_asks_only_the_weeks_that_hold_news(engine: Engine, person: Person) -> None:
    for week in range(-20, 0):
        log_fixes(engine, person, [a_fix(minutes=week * 7 * DAY)])
    a_worker(engine).drain()
    with engine.begin() as connection:
        forget_read(connection)
    log_fixes(engine, person, [a_fix(minutes=5)])
    before = scans(engine)
    with engine.connect() as connection:
        assert len(drain(connection, range(64), most_rows=20_000).fixes) == 1
    assert {name for name, count in scans(engine).items() if count > before[name]} == {"fix_20260316"}


def scans(engine: Engine) -> dict[str, int]:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    found = rows(engine, "SELECT relname, coalesce(idx_scan, 0) + seq_scan FROM pg_stat_user_tables"
                         " WHERE relname LIKE 'fix\\_2%'")  # fmt: skip
    return dict(found)


def test_retention_drops_whole_old_weeks_and_says_so(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, [a_fix(minutes=days * DAY, east_m=500) for days in (-70, -63, -14, 0)])
    a_worker(engine).drain()
    with engine.begin() as connection:
        rehearsed = drop_weeks(connection, keep_days=30, at=EVENING, is_rehearsal=True)
    assert [item.fix_count for item in rehearsed] == [1, 1]
    assert len(weeks(engine)) == 4
    with engine.begin() as connection:
        assert drop_weeks(connection, keep_days=30, at=EVENING) == rehearsed
    assert len(weeks(engine)) == 2
    assert rows(engine, "SELECT partition_name, fix_count, keep_days FROM retention_run ORDER BY 1") == [
        (item.partition.name, 1, 30) for item in rehearsed
    ]


def test_retention_spares_what_was_not_read_and_what_an_open_stay_rests_on(engine: Engine, person: Person) -> None:
    inside = [a_fix(minutes=-70 * DAY + minute, east_m=3) for minute in range(20)]
    log_fixes(engine, person, inside)
    with engine.connect() as connection:
        assert dropped_before(connection, keep_days=30, at=EVENING) == []  # not read yet
    a_worker(engine).drain()
    with engine.connect() as connection:
        assert dropped_before(connection, keep_days=30, at=EVENING) == []  # the stay is open
    with engine.begin() as connection:
        connection.execute(text("UPDATE episode SET ended_at = last_inside_at, ended_by = 'exit'"))
        assert len(dropped_before(connection, keep_days=30, at=EVENING)) == 1


def test_retention_shorter_than_what_late_fixes_need_is_refused(engine: Engine) -> None:
    with engine.connect() as connection, pytest.raises(ValueError, match="14"):
        dropped_before(connection, keep_days=13, at=EVENING)


def test_a_late_fix_of_a_dropped_week_unsays_nothing(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, [a_fix(minutes=-70 * DAY + minute, east_m=3) for minute in range(20)])
    log_fixes(engine, person, a_visit())
    worker = a_worker(engine)
    worker.drain()
    before = rows(engine, "SELECT * FROM episode ORDER BY episode_id")
    with engine.begin() as connection:
        assert len(drop_weeks(connection, keep_days=30, at=EVENING)) == 1
    log_fixes(engine, person, [a_fix(minutes=-70 * DAY + 5.5, east_m=700)])
    worker.drain()
    assert rows(engine, "SELECT * FROM episode ORDER BY episode_id") == before
    assert [reason for (reason,) in rows(engine, "SELECT reason FROM fix_set_aside")] == [
        "late by so much that the log of its time was dropped or thinned by retention"
    ]


def test_a_log_of_one_piece_is_cut_into_weeks_and_work_goes_on(engine: Engine, person: Person) -> None:
    """From the schema before, in mid-stay: the rows move, their cells are found, the engine's state is derived anew."""
    gateway = FakeGateway()
    worker = a_worker(engine, gateway)
    log_fixes(engine, person, [a_fix(minutes=-20 * DAY, east_m=500), *a_visit()[:15]])
    worker.drain()
    log_fixes(engine, person, a_visit()[15:20])  # read by nobody yet
    before = rows(engine, "SELECT * FROM fix ORDER BY fixed_at")
    with engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
    assert weeks(engine) == []
    assert rows(engine, "SELECT count(*) FROM fix") == [(21,)]
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
    migrate(engine, keyring=KEYRING)
    assert rows(engine, "SELECT * FROM fix ORDER BY fixed_at") == before
    assert weeks(engine) == ["fix_20260223", "fix_20260316"]
    with engine.begin() as connection:  # which the schema before did not ask for
        connection.execute(text("UPDATE supervision_order SET location_basis = 'order_item'"))
    worker = a_worker(engine, gateway)
    worker.drain()
    log_fixes(engine, person, a_visit()[20:])
    worker.drain()
    current = "SELECT tier, fix_count, ended_by, is_entry FROM episode WHERE superseded_at IS NULL"
    assert rows(engine, current) == [("probable", 20, "exit", True)]
    assert len(gateway.sent) == 1
