"""kill -9 of the worker in mid-run, again and again: the findings and messages of an undisturbed run, exactly."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, make_url, text

from alerts.gateway_console import ConsoleGateway
from api.case_file import CaseIn
from api.cases import register_case
from api.cluster import running_cluster
from api.database import migrate, open_engine
from api.demo.stage import StageError, await_quiet
from api.devices import devices_of
from api.fsck import check
from api.inbox import Sender, to_rows, write_rows
from api.logins import Login
from api.worker import DATABASE_AWAY
from geo.postgis import driver_connection
from tests.api.faults import cut_others, wait_until
from tests.api.live_server import url_as
from tests.api.throwaway_cluster import open_folder, postmaster_of, silent
from tests.databases import drop_database
from tests.make import EVENING, KEYRING, KEYRING_PATH, SECRET, a_bar, a_fix, a_worker
from tracking.fix import Fix
from tracking.policy import PresencePolicy

PEOPLE = 16
WINDOW = 20
"""Minutes of everyone's evening that are logged at a time."""

_CHILDREN = {
    "episodes": "SELECT episode_id, subject_no, condition_no, zone_no, tier, started_at, ended_at, ended_by,"
    " last_inside_at, possible_at, decided_at, peak_probability, fix_count, is_entry, is_undecidable"
    " FROM episode WHERE superseded_at IS NULL ORDER BY 1",
    "violations": "SELECT * FROM violation ORDER BY violation_id",
    "alerts": "SELECT * FROM alert ORDER BY alert_id",
    "attachments": "SELECT alert_id, violation_id FROM alert_violation ORDER BY 1, 2",
    "notifications": "SELECT notification_id, alert_id, recipient_id, role, text, template, decided_at,"
    " known_at, state, sent_at FROM notification ORDER BY 1",
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
                    "measure": "bail", "location_basis": "order_item", "document_number": f"合成〔2026〕{number}号",
                    "deciding_organ": "合成", "executing_organ": "合成",
                    "valid_from": EVENING - timedelta(days=1), "valid_to": EVENING + timedelta(days=1),
                    "conditions": [{"kind": "excluded_categories", "categories": ["bar"]}],
                    "recipients": [{"role": "guardian", "name": "合成", "phone": f"138000001{number:02d}"}],
                }
            )  # fmt: skip
            registered = register_case(connection, case, keyring=KEYRING, secret=SECRET, at=EVENING)
            senders.append(devices_of(connection, [registered.subject_id])[registered.subject_id])
    return senders


def feed(engine: Engine, senders: list[Sender], *, pause_s: float, go_on: threading.Event | None = None) -> None:
    """Everyone's fixes, window by window; late ones come with the window after next. The second half when told to."""
    evenings = [an_evening(number) for number in range(PEOPLE)]
    for start in range(0, 280, WINDOW):
        if go_on is not None and start >= 140:
            go_on.wait(120)
        for sender, fixes in zip(senders, evenings, strict=True):
            arrived = [fix for fix in fixes if start <= _arrival_minute(fix) < start + WINDOW]
            if arrived:
                send(engine, sender, arrived)
        time.sleep(pause_s)


def send(engine: Engine, sender: Sender, fixes: list[Fix]) -> None:
    """Until it is stored, as a device does that hears no 201: the database may be away meanwhile."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with engine.begin() as connection:
                write_rows(driver_connection(connection), to_rows(sender, fixes, EVENING))
            return
        except DATABASE_AWAY:
            assert time.monotonic() < deadline
            time.sleep(0.2)


def _arrival_minute(fix: Fix) -> float:
    assert fix.received_at is not None
    return (fix.received_at - EVENING) / timedelta(minutes=1)


class Nursery:
    """Starts `hulan worker` processes without delay, by forking a process that has imported the program already."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HULAN_")}
        environment |= {
            "HULAN_DEMO": "true", "HULAN_CLOCK": "event", "HULAN_LEASE_SECONDS": "1", "HULAN_BATCH_SIZE": "64",
            "HULAN_KEYRING": str(KEYRING_PATH),
        }  # fmt: skip
        command = [sys.executable, "-c", _NURSERY]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.living: list[int] = []

    def start(self, url: str, data_dir: Path) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{url_as(url, Login.WORKER)}\t{data_dir}\n")
        self._process.stdin.flush()
        self.living.append(int(self._process.stdout.readline()))

    def kill(self, pid: int) -> None:
        self.living.remove(pid)
        os.kill(pid, signal.SIGKILL)

    def kill_all(self) -> None:
        for pid in list(self.living):
            self.kill(pid)

    def close(self) -> None:
        self.kill_all()
        self._process.communicate("", timeout=20)


_NURSERY = """
import os, signal, sys
import api.cli.main
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        os.environ["HULAN_WORKER_DATABASE_URL"], os.environ["HULAN_DATA_DIR"] = line.rstrip().split("\t")
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        os.dup2(os.open(os.environ["HULAN_DATA_DIR"] + "/worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        sys.argv = ["hulan", "worker"]
        try:
            api.cli.main.main()
        finally:
            os._exit(1)
    print(pid, flush=True)
"""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    opened = Nursery()
    yield opened
    opened.close()


def cursors(engine: Engine) -> list[Any]:
    """How far every shard is evaluated."""
    with engine.connect() as connection:
        query = "SELECT shard, seen::text, after_xid::text, after_seq FROM shard ORDER BY shard"
        return [tuple(row) for row in connection.execute(text(query))]


def wait_for_progress(engine: Engine) -> None:
    """Return once some worker committed a batch."""
    before = cursors(engine)
    wait_until(lambda: cursors(engine) != before, seconds=60)


def findings(engine: Engine, data_dir: Path) -> dict[str, Any]:
    with engine.connect() as connection:
        found: dict[str, Any] = {
            name: [tuple(row) for row in connection.execute(text(query))] for name, query in _CHILDREN.items()
        }
    found["messages"] = sorted((data_dir / "messages.jsonl").read_text(encoding="utf-8").splitlines())
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hulan-kill-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(cluster_url: str) -> Iterator[dict[str, Any]]:
    """What one worker finds that nothing happens to, in a database of its own."""
    admin = open_engine(make_url(cluster_url).set(database="postgres").render_as_string(False))
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE calm TEMPLATE hulan"))
    engine = open_engine(make_url(cluster_url).set(database="calm").render_as_string(False))
    folder = Path(tempfile.mkdtemp(prefix="hulan-kill-"))
    feed(engine, settle(engine), pause_s=0.0)
    a_worker(engine, ConsoleGateway(folder / "messages.jsonl", lambda _: None)).drain()
    yield findings(engine, folder)
    engine.dispose()
    shutil.rmtree(folder)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        drop_database(connection, "calm")
    admin.dispose()


@pytest.mark.slow
@pytest.mark.parametrize(("count", "cuts"), [(1, False), (2, False), (2, True)])
def test_workers_killed_in_mid_run_leave_what_an_undisturbed_run_leaves(
    database_url: str, folder: Path, nursery: Nursery, undisturbed: dict[str, Any], count: int, cuts: bool
) -> None:
    engine = open_engine(database_url)
    senders = settle(engine)
    chance = random.Random(count + cuts)
    feeder = threading.Thread(target=feed_apart, args=[database_url, senders])
    feeder.start()
    try:
        for _ in range(count):
            nursery.start(database_url, folder)
        faults = 0
        while feeder.is_alive() or faults < 6:
            wait_for_progress(engine)
            time.sleep(chance.uniform(0.0, 0.4))
            if cuts:
                faults += min(1, cut_others(engine, except_application="feeder"))
            else:
                for pid in chance.sample(nursery.living, chance.randint(1, count)):
                    nursery.kill(pid)
                    nursery.start(database_url, folder)
                faults += 1
        hurry(engine)
    finally:
        feeder.join()
        nursery.kill_all()
    found = findings(engine, folder)
    assert_log_gives_what_is_stored(engine)
    engine.dispose()
    assert len(undisturbed["alerts"]) == 12, "a second visit within the cool-down joins the alert of the first"
    assert len(undisturbed["attachments"]) > len(undisturbed["alerts"]), "one event should hold several violations"
    for name, expected in undisturbed.items():
        assert found[name] == expected, name


@pytest.mark.slow
def test_postgres_killed_too_leaves_what_an_undisturbed_run_leaves(
    folder: Path, nursery: Nursery, undisturbed: dict[str, Any]
) -> None:
    """Two workers, one killed again and again, and once the server itself: its postmaster, with -9, under load."""
    chance = random.Random(4)
    with ExitStack() as stack:
        data = stack.enter_context(contextmanager(open_folder)()) / "postgres"
        url = stack.enter_context(running_cluster(data, say=silent))  # durable: what was acknowledged must stay
        engine = open_engine(url)
        migrate(engine, keyring=KEYRING)
        senders = settle(engine)
        go_on = threading.Event()
        feeder = threading.Thread(target=feed_apart, args=[url, senders, 0.3, go_on])
        feeder.start()
        try:
            for _ in range(2):
                nursery.start(url, folder)
            for kill in range(6):
                wait_for_progress(engine)
                time.sleep(chance.uniform(0.0, 0.4))
                nursery.kill(chance.choice(nursery.living))
                if kill == 1:
                    engine.dispose()
                    go_on.set()
                    time.sleep(0.1)
                    assert feeder.is_alive(), "the server must be killed under load"
                    os.kill(postmaster_of(data), signal.SIGKILL)
                    stack.enter_context(running_cluster(data, say=silent))
                nursery.start(url, folder)
            hurry(engine, most_s=120)
        except ProcessLookupError:
            pytest.fail("a worker ended by itself:\n" + (folder / "worker.log").read_text()[-3000:])
        finally:
            go_on.set()
            feeder.join()
            nursery.kill_all()
        found = findings(engine, folder)
        assert_log_gives_what_is_stored(engine)
        engine.dispose()
    for name, expected in undisturbed.items():
        assert found[name] == expected, name


def assert_log_gives_what_is_stored(engine: Engine) -> None:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        checked = check(connection, policy=PresencePolicy(), now=EVENING + timedelta(days=1))
    assert (checked.fix_count, checked.subject_count) == (PEOPLE * 240, PEOPLE)
    assert (checked.differences, checked.unfinished_count) == ([], 0)


def feed_apart(url: str, senders: list[Sender], pause_s: float = 0.25, go_on: threading.Event | None = None) -> None:
    """Feed over connections that are not cut: what a device was told is stored is what counts here."""
    engine = open_engine(url + "&application_name=feeder")
    feed(engine, senders, pause_s=pause_s, go_on=go_on)
    engine.dispose()


def hurry(engine: Engine, *, most_s: float = 60) -> None:
    """Wait until all is evaluated and sent, with the claims of killed workers running out sooner than in a minute."""
    deadline = time.monotonic() + most_s
    while True:
        try:
            return await_quiet(engine, most_s=1.0)
        except StageError:
            assert time.monotonic() < deadline
            with engine.begin() as connection:
                connection.execute(text("UPDATE notification SET due_at = now() WHERE state = 'pending'"))
