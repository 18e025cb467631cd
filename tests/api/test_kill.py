"""kill -9 of the worker in mid-run, again and again: the findings and messages of an undisturbed run, exactly."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text

from api.cases import CaseIn, register_case
from api.database import open_engine
from api.demo.stage import await_quiet
from api.devices import devices_of
from api.inbox import Sender, to_rows, write_rows
from geo.postgis import driver_connection
from tests.make import EVENING, SECRET, a_bar, a_fix
from tracking.fix import Fix

PEOPLE = 16
WINDOW = 20
"""Minutes of everyone's evening that are logged at a time."""

_CHILDREN = {
    "episodes": "SELECT episode_id, subject_no, zone_no, tier, started_at, ended_at, ended_by, possible_at, decided_at,"
    " peak_probability, fix_count, is_entry FROM episode WHERE superseded_at IS NULL ORDER BY 1",
    "violations": "SELECT violation_id, episode_id, decided_at, known_at, probability FROM violation ORDER BY 1",
    "alerts": "SELECT alert_id, kind, opened_at, last_event_at, is_late FROM alert ORDER BY 1",
    "attachments": "SELECT alert_id, violation_id FROM alert_violation ORDER BY 1, 2",
    "notifications": "SELECT notification_id, text, phone, state FROM notification ORDER BY 1",
}


def an_evening(number: int) -> list[Fix]:
    """Two visits to the bars on most evenings, a fix a minute, some of them late by half an hour."""
    noise = random.Random(number)
    visits = [] if number % 4 == 0 else [(40 + number, 25), (150 + number, 20)]
    fixes = []
    for minute in range(240):
        is_inside = any(start <= minute < start + length for start, length in visits)
        east_m = (noise.uniform(-5, 15) if is_inside else 500.0) + noise.gauss(0, 4)
        late = 31.0 if number % 5 == 1 and 90 <= minute < 95 else 0.0
        fixes.append(a_fix(minutes=minute, east_m=east_m, accuracy_m=12.0, late_minutes=late))
    return fixes


def settle(engine: Engine) -> list[Sender]:
    """Two bars side by side and everyone's case, with the same numbers and ids in every database."""
    senders: list[Sender] = []
    with engine.begin() as connection:
        a_bar(connection, name="甲")
        a_bar(connection, name="乙", east_m=20.0)
        connection.execute(
            text("UPDATE zone SET zone_id = ('00000000-0000-7000-8000-0000000000' || 10 + zone_no)::uuid")
        )
        for number in range(PEOPLE):
            case = CaseIn.model_validate(
                {
                    "reference": f"K-{number}", "alias": f"合成{number}", "birth_date": "2010-01-01",
                    "measure": "conditional_non_prosecution", "document_number": f"合成〔2026〕{number}号",
                    "deciding_organ": "合成", "executing_organ": "合成",
                    "valid_from": EVENING - timedelta(days=1), "valid_to": EVENING + timedelta(days=1),
                    "conditions": [{"kind": "excluded_categories", "categories": ["bar"]}],
                    "recipients": [{"role": "guardian", "name": "合成", "phone": f"138000001{number:02d}"}],
                }
            )  # fmt: skip
            registered = register_case(connection, case, secret=SECRET, at=EVENING)
            senders.append(devices_of(connection, [registered.subject_id])[registered.subject_id])
    return senders


def feed(engine: Engine, senders: list[Sender], *, pause_s: float) -> None:
    """Everyone's fixes, window by window; late ones come with the window after next."""
    evenings = [an_evening(number) for number in range(PEOPLE)]
    for start in range(0, 280, WINDOW):
        for sender, fixes in zip(senders, evenings, strict=True):
            arrived = [fix for fix in fixes if start <= _arrival_minute(fix) < start + WINDOW]
            if arrived:
                with engine.begin() as connection:
                    write_rows(driver_connection(connection), to_rows(sender, arrived, EVENING))
        time.sleep(pause_s)


def _arrival_minute(fix: Fix) -> float:
    assert fix.received_at is not None
    return (fix.received_at - EVENING) / timedelta(minutes=1)


@contextmanager
def workers(url: str, data_dir: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    running = [start_worker(url, data_dir) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def start_worker(url: str, data_dir: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HULAN_")}
    environment |= {
        "HULAN_DATABASE_URL": url, "HULAN_DATA_DIR": str(data_dir), "HULAN_DEMO": "true", "HULAN_CLOCK": "event",
        "HULAN_LEASE_SECONDS": "1", "HULAN_BATCH_SIZE": "128",
    }  # fmt: skip
    with (data_dir / "worker.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", "worker"], env=environment, stdout=subprocess.DEVNULL, stderr=log
        )


def findings(engine: Engine, data_dir: Path) -> dict[str, Any]:
    with engine.connect() as connection:
        found: dict[str, Any] = {
            name: [tuple(row) for row in connection.execute(text(query))] for name, query in _CHILDREN.items()
        }
    found["messages"] = sorted((data_dir / "messages.jsonl").read_text(encoding="utf-8").splitlines())
    return found


@pytest.fixture
def folders() -> Iterator[tuple[Path, Path]]:
    top = Path(tempfile.mkdtemp(prefix="hulan-kill-"))
    (top / "calm").mkdir()
    (top / "wild").mkdir()
    yield top / "calm", top / "wild"
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def second_url(cluster_url: str) -> Iterator[str]:
    admin = open_engine(make_url(cluster_url).set(database="postgres").render_as_string(False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE calm TEMPLATE hulan"))
    yield make_url(cluster_url).set(database="calm").render_as_string(False)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE calm WITH (FORCE)"))
    admin.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_workers_killed_in_mid_run_leave_what_an_undisturbed_run_leaves(
    database_url: str, second_url: str, folders: tuple[Path, Path], count: int
) -> None:
    calm_dir, wild_dir = folders
    calm, wild = open_engine(second_url), open_engine(database_url)
    calm_senders, wild_senders = settle(calm), settle(wild)
    assert [sender.subject_no for sender in calm_senders] == [sender.subject_no for sender in wild_senders]
    with workers(second_url, calm_dir, 1):
        feed(calm, calm_senders, pause_s=0.0)
        await_quiet(calm)
    kills = 0
    with workers(database_url, wild_dir, count) as running:
        chance = random.Random(count)
        feeder = subprocess.Popen([sys.executable, "-c", _FEED, database_url])
        while feeder.poll() is None or kills < 5:
            time.sleep(chance.uniform(0.8, 2.8))
            victim = chance.randrange(count)
            running[victim].send_signal(signal.SIGKILL)
            running[victim].wait()
            kills += 1
            if chance.random() < 0.4:
                terminate_backends(wild)
            running[victim] = start_worker(database_url, wild_dir)
        await_quiet(wild)
    expected, found = findings(calm, calm_dir), findings(wild, wild_dir)
    assert len(expected["alerts"]) >= 20
    assert len(expected["attachments"]) > len(expected["alerts"]), "one event should hold several violations"
    assert found == expected
    calm.dispose()
    wild.dispose()


_FEED = """
import sys
from sqlalchemy import text
from api.database import open_engine
from api.inbox import Sender
from tests.api.test_kill import feed
engine = open_engine(sys.argv[1] + "&application_name=feeder")
with engine.connect() as connection:
    rows = connection.execute(text(
        "SELECT device_id, subject_no, shard FROM device JOIN subject USING (subject_no) ORDER BY subject_no"))
    senders = [Sender(device_id=row.device_id, subject_no=row.subject_no, shard=row.shard) for row in rows]
feed(engine, senders, pause_s=0.8)
"""


def terminate_backends(engine: Engine) -> None:
    """Cut every other connection to this database, in whatever it is doing."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name <> 'feeder'"
            )
        )
