"""``hulan fsck``: finds each way in which what is stored can differ from what the log says, and nothing else."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from api.cli.whole import app
from api.fsck import Checked, check
from tests.make import EVENING, Person, a_bar, a_fix, a_person, a_visit, a_worker, log_fixes
from tracking.policy import PresencePolicy


def checked(engine: Engine, **options: Any) -> Checked:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        return check(connection, policy=PresencePolicy(), now=EVENING + timedelta(days=1), **options)


@pytest.fixture
def person(engine: Engine) -> Person:
    """Somebody who was in a bar, left it, and is in it again; another one who was there once."""
    with engine.begin() as connection:
        a_bar(connection)
        someone, other = a_person(connection), a_person(connection, alias="小明")
    visit = a_visit()
    log_fixes(engine, someone, [*visit, *[a_fix(minutes=minute, east_m=3) for minute in range(40, 55)]])
    log_fixes(engine, other, visit)
    a_worker(engine).drain()
    return someone


def test_what_the_evaluator_stored_is_what_the_log_says(engine: Engine, person: Person) -> None:
    found = checked(engine)
    assert (found.subject_count, found.fix_count, found.episode_count, found.violation_count) == (2, 95, 3, 3)
    assert found.differences == []


FIRST = "(SELECT episode_id FROM episode ORDER BY started_at, episode_id LIMIT 1)"
FAULTS = {
    "an episode is gone": (
        f"DELETE FROM alert_violation; DELETE FROM violation WHERE episode_id = {FIRST};"
        f" DELETE FROM episode WHERE episode_id = {FIRST}",
        {("episode", "missing", ""), ("violation", "missing", ""), ("alert", "missing", "")},
    ),
    "an episode is marked superseded": (
        f"UPDATE episode SET superseded_at = now() WHERE episode_id = {FIRST}",
        {("episode", "missing", "")},
    ),
    "an episode nobody found": (
        "INSERT INTO episode SELECT gen_random_uuid(), subject_no, condition_no, zone_no, tier, started_at, ended_at,"
        " ended_by, last_inside_at, possible_at, decided_at, peak_probability, fix_count, is_entry, is_undecidable,"
        f" NULL, is_crossing, undecidable_at FROM episode WHERE episode_id = {FIRST}",
        {("episode", "extra", "")},
    ),
    "a violation is gone": (
        "DELETE FROM alert_violation; DELETE FROM violation",
        {("violation", "missing", "")},
    ),
    "a violation nobody found": (
        "INSERT INTO violation SELECT gen_random_uuid(), episode_id, subject_no, order_no, condition_no, zone_no, kind,"
        " state, started_at, decided_at, known_at, probability, engine_version, policy_version FROM violation LIMIT 1",
        {("violation", "extra", ""), ("alert", "missing", "")},
    ),
    "a violation without an alert": ("DELETE FROM alert_violation", {("alert", "missing", "")}),
}
ALTERED = {
    "episode": {
        "tier": "'possible'", "started_at": "started_at + interval '1 s'", "ended_at": "ended_at + interval '1 s'",
        "ended_by": "'silence'", "last_inside_at": "last_inside_at + interval '1 s'",
        "possible_at": "possible_at + interval '1 s'", "decided_at": "decided_at + interval '1 s'",
        "peak_probability": "peak_probability - 0.001", "fix_count": "fix_count + 1", "is_entry": "NOT is_entry",
        "is_undecidable": "NOT is_undecidable", "is_crossing": "NOT is_crossing", "undecidable_at": "started_at",
    },
    "violation": {
        "started_at": "started_at + interval '1 s'", "decided_at": "decided_at + interval '1 s'",
        "known_at": "known_at + interval '1 s'", "probability": "probability - 0.001", "kind": "'stay_within_area'",
    },
}  # fmt: skip
FAULTS |= {
    f"{table}.{name} is altered": (
        f"UPDATE {table} SET {name} = {value} WHERE episode_id = {FIRST}",
        {(table, "different", name)},
    )
    for table, values in ALTERED.items()
    for name, value in values.items()
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_way_to_break_a_stored_row_is_found(engine: Engine, person: Person, fault: str) -> None:
    statement, expected = FAULTS[fault]
    with engine.begin() as connection:
        for part in statement.split(";"):
            connection.execute(text(part))
    found = checked(engine).differences
    assert expected <= {(item.what, item.kind, item.field) for item in found}
    assert {item.what for item in found} <= {what for what, _, _ in expected} | {"alert"}


def test_one_subject_and_a_span_of_time_can_be_asked_for(engine: Engine, person: Person) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE episode SET fix_count = 99 WHERE ended_at IS NULL"))
    assert [item.field for item in checked(engine, subject_no=person.subject_no).differences] == ["fix_count"]
    assert checked(engine, subject_no=person.subject_no + 1).differences == []
    assert checked(engine, since=EVENING + timedelta(minutes=39)).episode_count == 1
    assert len(checked(engine, since=EVENING + timedelta(minutes=39)).differences) == 1
    assert checked(engine, until=EVENING + timedelta(minutes=39)).differences == []


def test_fixes_that_no_evaluator_read_yet_are_no_difference(engine: Engine, person: Person) -> None:
    log_fixes(engine, person, [a_fix(minutes=minute, east_m=500) for minute in range(55, 65)])
    assert (checked(engine).fix_count, checked(engine).differences) == (95, [])


def test_subjects_that_wait_to_be_judged_again_are_counted_and_not_compared(engine: Engine, person: Person) -> None:
    with engine.begin() as connection:
        a_bar(connection, radius_m=5.0, at=EVENING + timedelta(hours=2), valid_from=EVENING)
    assert checked(engine).unfinished_count == 2
    a_worker(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE shard SET lease_until = '-infinity'"))
        connection.execute(text("DELETE FROM worker"))
    a_worker(engine).drain()
    assert (checked(engine).unfinished_count, checked(engine).differences) == (0, [])


def test_the_command_tells_both_values_and_its_exit_code_says_it_too(
    engine: Engine, database_url: str, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HULAN_DATABASE_URL", database_url)
    monkeypatch.setenv("HULAN_SECRET_KEY", "a secret only of this test")
    done = CliRunner().invoke(app, ["fsck", "--json"])
    assert done.exception is None, done.output
    assert (done.exit_code, json.loads(done.stdout.splitlines()[-1])["differences"]) == (0, [])
    with engine.begin() as connection:
        connection.execute(text("UPDATE episode SET fix_count = 99 WHERE ended_at IS NULL"))
    done = CliRunner().invoke(app, ["fsck", "--json"])
    (difference,) = json.loads(done.stdout.splitlines()[-1])["differences"]
    assert done.exit_code == 1
    assert (difference["field"], difference["stored"], difference["expected"]) == ("fix_count", "99", "15")
