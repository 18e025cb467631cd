"""Thinning: what goes and what stays, and that nothing which was said is said otherwise afterwards."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from api.database import open_engine
from api.evidence.case import read_case
from api.evidence.files import alert_json, fixes_csv, fixes_geojson
from api.explaining import explain_alert
from api.fsck import check
from api.histories import LOOK_BACK, stretch_starts
from api.logins import Login
from api.partitions import partition_of
from api.retention import Thinning, rehearse_thinning, remains_of_log, thin_weeks, thinned_before
from api.settings import MOST_THIN_MINUTES, SHORTEST_THIN_DAYS
from tests.api.live_server import url_as
from tests.evidence.scene import STAMP
from tests.make import EVENING, KEYRING, Person, a_bar, a_fix, a_person, a_visit, a_worker, empty, log_fixes
from tracking.fix import Fix
from tracking.policy import PresencePolicy
from tracking.quality import DOES_NOT_DECIDE
from tracking.rules import to_microseconds

LONG_AGO = EVENING - timedelta(days=70)
"""A Friday, in a week that ended on Monday, 68 days before the evening of the tests."""

POLICY = Thinning(after_days=30, minutes=10)
MINUTE = timedelta(minutes=1)
DAY = 1440.0
"""Minutes."""


def rows(engine: Engine, query: str, **values: Any) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]


def times(engine: Engine, where: str = "true") -> list[datetime]:
    return [row[0] for row in rows(engine, f"SELECT fixed_at FROM fix WHERE {where} ORDER BY fixed_at, fix_key")]


def away(first: float, last: float, step: float = 1.0) -> list[Fix]:
    """Far from the bar and on the move, so many minutes after the old Friday evening."""
    return [
        ago(a_fix(minutes=minute, east_m=900 + 60 * np.sin(minute / 20))) for minute in np.arange(first, last, step)
    ]


def ago(fix: Fix) -> Fix:
    at = fix.fixed_at - timedelta(days=70)
    return replace(fix, fixed_at=at, received_at=at)


def thin(engine: Engine, policy: Thinning = POLICY, *, at: datetime = EVENING) -> dict[str, int]:
    return {item.partition.name: item.fix_count for item in thin_weeks(engine, policy, at=at)}


def assert_clean(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        found = check(connection, policy=PresencePolicy(), now=EVENING + timedelta(days=60))
    assert (found.differences, found.unfinished_count) == ([], 0)


@pytest.fixture
def person(engine: Engine) -> Person:
    with engine.begin() as connection:
        a_bar(connection, valid_from=EVENING - timedelta(days=900))
        return a_person(connection, valid_from=EVENING - timedelta(days=900), valid_to=EVENING + timedelta(days=900))


# ---- what goes and what stays


def test_one_fix_per_ten_minutes_stays_and_the_last_twelve_hours(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, away(0, DAY))
    a_worker(engine).drain()
    before = times(engine)
    with engine.connect() as connection:
        rehearsed = rehearse_thinning(connection, POLICY, at=EVENING)
    assert thin(engine) == {item.partition.name: item.fix_count for item in rehearsed} == {"fix_20260105": 647}
    after = times(engine)
    assert len(before) - len(after) == 647
    assert after == [
        instant for instant in before if instant.minute % 10 == 0 or instant >= before[-1] - timedelta(hours=12)
    ]  # fmt: skip
    assert rows(engine, "SELECT partition_name, minutes, removed_count, kept_count FROM thinning_run") == [
        ("fix_20260105", 10, 647, len(after))
    ]
    assert_clean(engine)


def test_a_visit_that_was_reported_stays_whole_from_the_silence_before_it(engine: Engine, person: Person) -> None:
    morning, day = away(-600, -300), away(-240, 0)
    log_fixes(engine, person, [*morning, *day, *map(ago, a_visit()), *away(40, 2000)])
    a_worker(engine).drain()
    assert rows(engine, "SELECT count(*) FROM violation") == [(1,)]
    proof = (day[0].fixed_at, LONG_AGO + 90 * MINUTE)  # an hour after the visit
    before = [instant for instant in times(engine) if proof[0] <= instant <= proof[1]]
    assert sum(thin(engine).values()) > 1_000
    assert [instant for instant in times(engine) if proof[0] <= instant <= proof[1]] == before
    assert len([instant for instant in times(engine) if instant < proof[0]]) == 31  # of 300, and the last of them
    assert_clean(engine)


@pytest.fixture(scope="module")
def weeks() -> Any:
    return count(12)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    gaps=st.lists(
        st.sampled_from([0.5, 1.0, 3.0, 9.5, 10.0, 10.5, 19.0, 29.5, 30.0, 30.5, 45.0, 300.0]), min_size=1, max_size=120
    ),
    minutes=st.integers(1, MOST_THIN_MINUTES),
    mocked=st.sets(st.integers(0, 120), max_size=20),
)
def test_silences_stay_where_they_were_and_every_ten_minutes_are_told_of(
    engine: Engine, weeks: Any, gaps: list[float], minutes: int, mocked: set[int]
) -> None:
    with engine.begin() as connection:
        empty(connection)
        person = a_person(connection)
    monday = partition_of(EVENING - timedelta(days=7 * next(weeks))).from_at
    offsets = np.cumsum([20.0, *gaps])
    offsets = offsets[offsets < 7 * DAY]
    fixes = [replace(a_fix(minutes=offset, east_m=900), fixed_at=monday + offset * MINUTE) for offset in offsets]
    fixes = [replace(fix, is_mock=row in mocked) for row, fix in enumerate(fixes)]
    log_fixes(engine, person, fixes)
    a_worker(engine).drain()
    whole = rows(engine, "SELECT fixed_at, flags FROM fix ORDER BY fixed_at")
    silences = silences_of(engine, person, whole)
    thin(engine, Thinning(after_days=30, minutes=minutes))
    left = rows(engine, "SELECT fixed_at, flags FROM fix ORDER BY fixed_at")
    assert set(left) <= set(whole)
    assert silences_of(engine, person, whole) == silences
    bucket = timedelta(minutes=minutes)
    first: dict[int, tuple[bool, datetime]] = {}
    for at, flags in whole:
        doubtful = flags & DOES_NOT_DECIDE != 0, at
        first[(at - monday) // bucket] = min(first.get((at - monday) // bucket, doubtful), doubtful)
    ends = {whole[0][0], whole[-1][0]} | {
        end for a, b in pairwise(at for at, _ in whole) if b - a > bucket for end in (a, b)
    }
    sure = [at for at, flags in whole if flags & DOES_NOT_DECIDE == 0]
    recent = {at for at, _ in whole if not sure or at >= sure[-1] - timedelta(hours=12)}
    assert {at for at, _ in left} == {at for _, at in first.values()} | ends | recent


def silences_of(engine: Engine, person: Person, whole: Sequence[Any]) -> list[int]:
    """From where each fix of the whole log would be judged again."""
    with engine.connect() as connection:
        return [
            stretch_starts(connection, {person.subject_no: to_microseconds(at)}, silence_s=PresencePolicy().silence_s)[
                person.subject_no
            ]
            for at, _ in whole[:: max(1, len(whole) // 25)]
        ]


def test_what_was_set_aside_stays_and_no_flag_is_left_without_its_fix(engine: Engine, person: Person) -> None:
    track = away(0, DAY)
    far = [replace(fix, longitude=fix.longitude + 8) for fix in track[200:260:7]]  # 700 km away for a minute
    log_fixes(engine, person, [*track[:200], *(fix for fix in track[200:260] if fix not in track[200:260:7]), *far,
                               *track[260:]])  # fmt: skip
    a_worker(engine).drain()
    assert rows(engine, "SELECT count(*) > 3 FROM fix_flag") == [(True,)]
    aside = track[101].fixed_at
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO fix_set_aside SELECT subject_no, fixed_at, fix_key, 'a test', now() FROM fix"
                 " WHERE fixed_at = :at"), {"at": aside},
        )  # fmt: skip
    thin(engine)
    assert aside in times(engine)
    keys = "SELECT subject_no, fixed_at, fix_key FROM {} EXCEPT SELECT subject_no, fixed_at, fix_key FROM fix"
    for table in ("fix_flag", "fix_set_aside"):
        assert rows(engine, keys.format(table)) == []


def test_what_nobody_read_stays(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, away(0, DAY))
    with engine.connect() as connection:
        assert thinned_before(connection, POLICY, at=EVENING) == []
        assert connection.execute(text("SELECT count(*) FROM fixes_to_thin('fix_20260105', 10)")).scalar_one() == 0
    a_worker(engine).drain()
    with engine.connect() as connection:
        assert len(thinned_before(connection, POLICY, at=EVENING)) == 1


# ---- nothing is said otherwise


def told(engine: Engine) -> list[Any]:
    """Every alert explained, and the files of its evidence pack."""
    found: list[Any] = []
    with engine.connect() as connection:
        for alert_id in connection.execute(text("SELECT alert_id::text FROM alert ORDER BY 1")).scalars().all():
            case = read_case(connection, alert_id, keyring=KEYRING, is_synthetic=True)
            found.append(repr(explain_alert(connection, alert_id, keyring=KEYRING)).encode())
            found += [fixes_csv(case, STAMP), fixes_geojson(case, STAMP), alert_json(case, STAMP)]
    return found


@pytest.mark.parametrize(
    "starts_at", [-600.0, -2 * DAY, -12 * DAY], ids=["a morning", "two days", "no silence in weeks"]
)
@pytest.mark.parametrize("moved_days", [0, 3], ids=["within a week", "over its beginning"])
def test_explanation_and_evidence_are_the_same_bytes(
    engine: Engine, person: Person, starts_at: float, moved_days: int
) -> None:
    moved = timedelta(days=moved_days)
    track = [*away(starts_at, 0, 4.0), *map(ago, a_visit()), *away(40, 3 * DAY, 4.0)]
    track = [
        replace(fix, fixed_at=fix.fixed_at + moved, received_at=(fix.received_at or fix.fixed_at) + moved)
        for fix in track
    ]
    log_fixes(engine, person, track)
    a_worker(engine).drain()
    before = told(engine)
    assert len(before) == 4
    assert sum(thin(engine).values()) > 200
    assert told(engine) == before
    assert_clean(engine)


def episodes(engine: Engine) -> list[Any]:
    found = rows(engine, "SELECT * FROM episode ORDER BY episode_id")
    return found + rows(engine, "SELECT * FROM violation ORDER BY violation_id")


def test_a_late_fix_of_a_thinned_week_unsays_nothing(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, [*away(-300, 0), *map(ago, a_visit()), *away(40, DAY), *a_visit()])
    worker = a_worker(engine)
    worker.drain()
    before = episodes(engine)
    thin(engine)
    log_fixes(engine, person, [ago(a_fix(minutes=15.5, east_m=700))])
    worker.drain()
    assert episodes(engine) == before
    assert [reason for (reason,) in rows(engine, "SELECT reason FROM fix_set_aside")] == [
        "late by so much that the log of its time was dropped or thinned by retention"
    ]
    assert_clean(engine)


def test_an_edited_rule_reaches_back_to_where_the_log_is_whole(engine: Engine, person: Person) -> None:
    long_ago = EVENING - timedelta(days=900)
    log_fixes(engine, person, [*away(-300, 0), *map(ago, a_visit()), *away(40, DAY), *a_visit()])
    worker = a_worker(engine)
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, east_m=5_000.0, at=EVENING + timedelta(hours=8), valid_from=long_ago)
        assert thinned_before(connection, POLICY, at=EVENING) == []  # the edit waits, and reaches into that week
    worker.drain()
    with engine.begin() as connection:
        a_bar(connection, at=EVENING + timedelta(hours=9), valid_from=long_ago)
    worker.drain()
    current = "SELECT started_at FROM episode WHERE superseded_at IS NULL ORDER BY 1"
    assert rows(engine, current) == [(LONG_AGO + 10 * MINUTE,), (EVENING + 10 * MINUTE,)]
    thin(engine)
    with engine.begin() as connection:
        a_bar(connection, east_m=5_000.0, at=EVENING + timedelta(hours=10), valid_from=long_ago)
    worker.drain()
    assert rows(engine, current) == [(LONG_AGO + 10 * MINUTE,)]
    assert_clean(engine)


def test_a_stay_over_the_end_of_a_thinned_week_is_not_told_twice(engine: Engine, person: Person) -> None:
    """A late fix just after it, and the stretch that it belongs to began before: the log left gives the same stay."""
    monday = partition_of(LONG_AGO).to_at
    shift = monday - LONG_AGO - 20 * MINUTE
    visit = [replace(fix, fixed_at=fix.fixed_at + shift) for fix in map(ago, a_visit())]
    track = [replace(fix, fixed_at=fix.fixed_at + shift) for fix in [*away(-1200, 0), *away(40, 900)]]
    log_fixes(engine, person, [*visit, *track, *away(35 * DAY, 35 * DAY + 30)])
    worker = a_worker(engine)
    worker.drain()
    before = episodes(engine)
    assert rows(engine, "SELECT started_at, ended_at FROM episode") == [(monday - 10 * MINUTE, monday + 9 * MINUTE)]
    assert thin(engine, Thinning(after_days=62, minutes=10)) != {}
    with engine.connect() as connection:
        assert remains_of_log(connection).whole_from == to_microseconds(monday)
    assert_clean(engine)
    log_fixes(engine, person, [replace(a_fix(east_m=950), fixed_at=monday + 15.5 * MINUTE)])
    worker.drain()
    assert episodes(engine) == before
    assert rows(engine, "SELECT count(*) FROM fix_set_aside") == [(0,)]
    assert_clean(engine)


def test_nothing_new_is_said_of_a_thinned_week(engine: Engine, person: Person) -> None:
    """A place where somebody had been is drawn as a bar afterwards, from before; they never fell silent since."""
    monday = partition_of(LONG_AGO).to_at
    there = [ago(a_fix(minutes=minute, east_m=3_000)) for minute in np.arange(0.0, 120.0)]
    log_fixes(engine, person, [*away(-100, 0), *there, *away(120, (monday - LONG_AGO) / MINUTE + 300, 2.0), *a_visit()])
    worker = a_worker(engine)
    worker.drain()
    before = episodes(engine)
    assert thin(engine, Thinning(after_days=62, minutes=10)) != {}
    with engine.begin() as connection:
        long_ago = EVENING - timedelta(days=900)
        a_bar(connection, east_m=3_000, name="合成酒吧二", at=EVENING + timedelta(hours=8), valid_from=long_ago)
    log_fixes(engine, person, [replace(a_fix(east_m=950), fixed_at=monday + 15.5 * MINUTE)])
    worker.drain()
    assert episodes(engine) == before
    assert rows(engine, "SELECT count(*) FROM fix_set_aside") == [(0,)]
    assert_clean(engine)


def test_state_is_derived_again_for_whoever_was_last_seen_in_a_thinned_week(engine: Engine, person: Person) -> None:
    with engine.begin() as connection:
        other = a_person(connection, alias="小明", valid_from=EVENING - timedelta(days=900))
    log_fixes(engine, person, [*away(-2 * DAY, 0), *map(ago, a_visit())])
    log_fixes(engine, other, a_visit())
    a_worker(engine).drain()
    before = episodes(engine)
    thin(engine)
    assert_clean(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM engine_state"))
        connection.execute(text("DELETE FROM worker"))
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
    worker = a_worker(engine)
    worker.drain()
    assert episodes(engine) == before
    assert rows(engine, "SELECT count(*) FROM fix_set_aside") == [(0,)]
    assert_clean(engine)
    log_fixes(engine, person, [ago(a_fix(minutes=15.5, east_m=700))])  # late, as it would have been before
    worker.drain()
    assert episodes(engine) == before
    assert rows(engine, "SELECT count(*) FROM fix_set_aside") == [(1,)]


# ---- once, by whom, and when


def test_a_week_is_thinned_once_and_again_only_to_fewer(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, away(0, 2 * DAY))
    a_worker(engine).drain()
    first = thin(engine)
    left = times(engine)
    assert sum(first.values()) > 0
    assert thin(engine) == thin(engine, Thinning(after_days=30, minutes=5)) == {}
    assert times(engine) == left
    again = thin(engine, Thinning(after_days=30, minutes=15))
    assert 0 < sum(again.values()) < sum(first.values())
    assert rows(engine, "SELECT minutes, removed_count, kept_count FROM thinning_run ORDER BY 1") == [
        (15, sum(first.values()) + sum(again.values()), len(times(engine)))
    ]


def test_a_thinning_that_did_not_end_leaves_the_week_whole(engine: Engine, person: Person, database_url: str) -> None:
    log_fixes(engine, person, away(0, DAY))
    a_worker(engine).drain()
    victim = open_engine(database_url)
    with pytest.raises(DBAPIError), victim.begin() as connection:
        connection.execute(text("SELECT thin_fix_week('fix_20260105', 10)"))
        number = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with engine.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})
        connection.execute(text("SELECT 1"))
    victim.dispose()
    assert len(times(engine)) == DAY
    assert rows(engine, "SELECT count(*) FROM thinning_run") == [(0,)]
    assert thin(engine) == {"fix_20260105": 647}


def test_two_workers_at_once_thin_each_week_once(engine: Engine, person: Person) -> None:
    for week in range(5):
        log_fixes(engine, person, away(-7 * DAY * week, -7 * DAY * week + 800))
    a_worker(engine).drain()
    done: list[dict[str, int]] = []
    workers = [threading.Thread(target=lambda: done.append(thin(engine))) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done.append(thin(engine))  # what is left if one gave way to another
    names = [name for part in done for name in part]
    assert len(names) == len(set(names)) == 5
    assert rows(engine, "SELECT sum(removed_count) FROM thinning_run") == [(sum(sum(part.values()) for part in done),)]


def test_the_worker_thins_by_the_function_only_and_only_what_is_old(
    engine: Engine, person: Person, database_url: str
) -> None:
    log_fixes(engine, person, [*away(0, DAY), *a_visit()])
    a_worker(engine).drain()
    recent = partition_of(datetime.now(EVENING.tzinfo) - timedelta(days=30))
    with engine.begin() as connection:
        connection.execute(text("SELECT make_fix_week(:week)"), {"week": recent.from_at})
    service = open_engine(url_as(database_url, Login.WORKER))
    try:
        for statement in ("DELETE FROM fix", "DELETE FROM fix_20260105", "SELECT fixes_to_thin('fix_20260105', 10)",
                          "INSERT INTO thinning_run (minutes) VALUES (1)", "DELETE FROM thinning_run"):  # fmt: skip
            with service.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(text(statement))
        for name, minutes, fault in (
            (recent.name, 10, "30 days old"), ("subject", 10, "no week"), ("fix_flag", 10, "no week"),
            ("fix_20260105", 0, "1 to 15"), ("fix_20260105", 16, "1 to 15"), ("fix_20260105", None, "1 to 15"),
        ):  # fmt: skip
            with service.connect() as connection, pytest.raises(DBAPIError, match=fault):
                connection.execute(text("SELECT thin_fix_week(:name, :minutes)"), {"name": name, "minutes": minutes})
        worker = a_worker(service)
        worker.thinning = POLICY
        worker.tidy()
        worker.tidy()
    finally:
        service.dispose()
    assert rows(engine, "SELECT partition_name, removed_count FROM thinning_run ORDER BY 1") == [
        ("fix_20260105", 647),
        ("fix_20260316", 0),
    ]
    assert rows(engine, "SELECT DISTINCT login FROM audit_entry WHERE table_name = 'thinning_run'") == [(Login.WORKER,)]


def test_the_database_goes_by_the_numbers_of_the_program(engine: Engine) -> None:
    """They stand in a migration: whoever changes them here has to write another."""
    query = "SELECT string_agg(prosrc, ' ') FROM pg_proc WHERE proname IN ('week_to_thin', 'fixes_to_thin')"
    (source,) = rows(engine, query)[0]
    assert PresencePolicy().silence_s == 30 * 60 >= 2 * MOST_THIN_MINUTES * 60
    assert "gap > interval '30 minutes'" in source
    assert f"BETWEEN 1 AND {MOST_THIN_MINUTES}" in source
    assert f"interval '{SHORTEST_THIN_DAYS} days'" in source
    assert f"started_at - interval '{LOOK_BACK[-1].days} days'" in source
    assert f"& {DOES_NOT_DECIDE} <> 0" in source


def test_a_policy_that_takes_what_the_engine_may_read_is_refused() -> None:
    with pytest.raises(ValueError, match="30 or more"):
        Thinning(after_days=29, minutes=10)
