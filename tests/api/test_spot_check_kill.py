"""Spot checks with two workers, one killed -9 again and again: each planned time once, by real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Engine

from api.logins import Login
from tests.api.clock_scene import a_duty, rows
from tests.api.faults import wait_until
from tests.api.live_server import url_as
from tests.make import EVENING, KEYRING_PATH, SECRET, a_person
from tracking.calendar import WorkCalendar
from tracking.check_plan import CheckCondition, plan_spots
from tracking.order import ConditionKind
from tracking.rules import to_microseconds
from tracking.spot_check import SpotCheckPolicy, planning_rng
from tracking.timetable import Timetable, Window
from tracking.windows import Windows

PEOPLE = 150
SPEED = 60.0
"""A minute a second: the lease of a killed worker is three minutes, much less than the quarter of an hour in which a
spot check may still be shown."""
ALL_DAY = Timetable(windows=(Window(starts=clock_time(0), ends=clock_time(0)),))
PARAMETERS = {"per_week": 70.0, "spacing_minutes": 0.0, "answer_minutes": 5.0}
MINUTE = timedelta(minutes=1)

_WORKER = """
import sys, time
from datetime import datetime, timedelta
import api.worker
from alerts.gateway import FakeGateway
from api.clock import SystemClock
from api.database import open_engine
from api.logs import configure_logs
from api.personal.keyring import Keyring
from pathlib import Path
from tests.make import a_worker

class Fast(SystemClock):
    def now(self):
        elapsed = time.time() - float(sys.argv[3])
        return datetime.fromisoformat(sys.argv[2]) + timedelta(seconds=elapsed * float(sys.argv[4]))

configure_logs("warning")
api.worker.CLOCK_EVERY_S, api.worker.IDLE_WAIT_S = 0.1, 0.05
worker = a_worker(open_engine(sys.argv[1]), keyring=Keyring(Path(sys.argv[5])))
worker.clock, worker.lease_seconds = Fast(), 3.0
worker.run()
"""


@contextmanager
def workers(url: str, begun: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Worker processes on one clock; a killed one is replaced by the test."""
    living: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(2):
            living.append(a_process(url, begun))
        yield living
    finally:
        for process in living:
            process.kill()
            process.wait()


def a_process(url: str, begun: float) -> subprocess.Popen[bytes]:
    arguments = [url_as(url, Login.WORKER), EVENING.isoformat(), str(begun), str(SPEED), str(KEYRING_PATH)]
    return subprocess.Popen([sys.executable, "-c", _WORKER, *arguments])


def planned_by(condition_id: UUID, until: datetime) -> list[datetime]:
    """What the condition's plan says, made here and not by a worker."""
    condition = CheckCondition(
        condition_id=condition_id, condition_no=0, subject_no=0, timetable=ALL_DAY,
        binds=Windows.build([to_microseconds(EVENING)], [to_microseconds(until)]),
    )  # fmt: skip

    def rng_for(of: UUID, planned_from: int) -> np.random.Generator:
        return planning_rng(SECRET, condition_id=of, planned_from=planned_from)

    checks = plan_spots(
        condition, weeks=[date(2026, 3, 16)], calendar=WorkCalendar(), rng_for=rng_for,
        policy=SpotCheckPolicy(per_week=70.0, spacing_s=0.0, answer_s=300.0),
    )  # fmt: skip
    return [EVENING + timedelta(microseconds=check.opens_at - to_microseconds(EVENING)) for check in checks]


@pytest.mark.slow
def test_each_spot_check_is_asked_once_with_two_workers_one_of_them_killed(engine: Engine, database_url: str) -> None:
    with engine.begin() as connection:
        ids = [
            a_duty(
                connection, a_person(connection, alias=f"合成{number}"), ConditionKind.SPOT_CHECK, at=EVENING,
                timetable=ALL_DAY, parameters=PARAMETERS,
            )
            for number in range(PEOPLE)
        ]  # fmt: skip
    begun = time.time()
    with workers(database_url, begun) as living:
        wait_until(lambda: rows(engine, "SELECT count(*) > 0 FROM check_in") == [(True,)], seconds=60)
        # What is planned is what comes later than the first plan.
        (first,) = rows(engine, "SELECT min(clock_at) FROM shard")[0]
        for kill in range(4):
            time.sleep(10)
            victim = living.pop(kill % 2)
            os.kill(victim.pid, signal.SIGKILL)
            victim.wait()
            living.append(a_process(database_url, begun))
        time.sleep(5)
        until = EVENING + timedelta(seconds=(time.time() - begun) * SPEED) - 15 * MINUTE
    asked = rows(
        engine,
        "SELECT c.opens_at, c.shown_at, c.state FROM check_in c WHERE c.kind = 'spot' AND c.opens_at < :until"
        " ORDER BY c.opens_at",
        until=until,
    )  # fmt: skip
    expected = sorted(at for condition_id in ids for at in planned_by(condition_id, until + timedelta(days=1)))
    expected = [at for at in expected if first + MINUTE < at < until]
    asked = [row for row in asked if row[0] > first + MINUTE]
    assert len(expected) >= 20
    assert [opens_at for opens_at, _, _ in asked] == expected
    assert {state for _, _, state in asked} == {"missed"}
    assert all(timedelta(0) <= shown_at - opens_at <= 15 * MINUTE for opens_at, shown_at, _ in asked)
    found = rows(engine, "SELECT count(*), count(DISTINCT detail ->> 'check_in_id') FROM finding"
                 " WHERE kind = 'spot_check_missed' AND started_at > :first AND started_at < :until",
                 first=first + MINUTE, until=until)  # fmt: skip
    assert found == [(len(expected), len(expected))]
