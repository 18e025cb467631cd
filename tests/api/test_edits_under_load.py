"""Orders and zones edited while fixes pour in: no false "enter", no false "leave" (issue 6, must-show 5)."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, text

import api.rule_edits
from api.fsck import check
from tests.make import EVENING, a_bar, a_fix, a_person, a_worker, log_fixes
from tracking.policy import PresencePolicy


def rows(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def minute(number: float) -> datetime:
    return EVENING + timedelta(minutes=number)


def assert_log_gives_what_is_stored(engine: Engine, *, now: datetime) -> None:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        checked = check(connection, policy=PresencePolicy(), now=now)
    assert (checked.differences, checked.unfinished_count) == ([], 0)


# ---- work that waits


@pytest.mark.parametrize(("edits_before", "most_subjects"), [(70, 500), (0, 1)])
def test_who_waits_to_be_judged_again_neither_enters_nor_leaves_meanwhile(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, edits_before: int, most_subjects: int
) -> None:
    """One stands in a bar that is drawn elsewhere, the other where it is drawn to, and both are judged already.

    More work waits than one batch takes. Their next fixes come before their turn.
    """
    monkeypatch.setattr(api.rule_edits, "MOST_SUBJECTS", most_subjects)
    with engine.begin() as connection:
        a_bar(connection)
        people = [a_person(connection, alias=f"合成{number}") for number in range(4)]
    worker = a_worker(engine)
    places = [500.0, 3.0, 500.0, 3.0]
    for person, east_m in zip(people, places, strict=True):
        log_fixes(engine, person, [a_fix(minutes=number, east_m=east_m) for number in np.arange(13.0)])
    worker.drain()
    with engine.begin() as connection:
        for number in range(edits_before):  # farther away than anything reaches
            a_bar(connection, name=f"远{number}", east_m=500_000.0 + number, at=minute(10.2))
        a_bar(connection, east_m=500.0, at=minute(10.5))
    for step in (13.0, 14.0, 15.0):
        for person, east_m in zip(people, places, strict=True):
            log_fixes(engine, person, [a_fix(minutes=step, east_m=east_m)])
        worker.step()
        assert rows(engine, "SELECT subject_no, started_at FROM episode WHERE is_entry OR ended_by = 'exit'") == []
    worker.drain()
    current = "SELECT started_at, ended_at, ended_by FROM episode WHERE superseded_at IS NULL ORDER BY 1, 3"
    assert rows(engine, current) == [
        (minute(0), minute(10), "rule"), (minute(0), minute(10), "rule"),
        (minute(11), None, None), (minute(11), None, None),
    ]  # fmt: skip
    assert_log_gives_what_is_stored(engine, now=minute(16))
