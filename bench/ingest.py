"""From the log to committed episodes beside a bare COPY of the same rows, and from HTTP to the log.

``python -m bench.ingest --subjects 100000 --zones 20000 --fixes 1000000``. In a private cluster of its own with durable
settings: (A) a binary COPY of the rows into the log as it is, partitioned and indexed; (B) a worker process drains
them: episodes, violations, alerts, states and cursor committed. Both in each run; the best of each counts, and no ratio
is printed unless every run found the same. The worker has compiled its rules before; what that takes is printed too.
Peak memory is that of the worker process. Then a real server takes posts of one fix and of many over open connections.
"""

import argparse
import cProfile
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from alerts.channel import Channel
from alerts.gateway import FakeGateway
from api.clock import SystemClock
from api.cluster import running_cluster
from api.database import migrate, open_engine
from api.evaluator import Policies
from api.logs import configure_logs
from api.personal.keyring import Keyring, make_keyring
from api.personal.opening import KEYRING_FILE
from api.personal.sealing import CipherName
from api.worker import Worker
from bench.ingest_http import measure_posts
from bench.ingest_scene import Size, settle, write_afternoon
from bench.report import peak_memory_mib, print_json, print_table
from geo.postgis import driver_connection
from tracking.policy import PresencePolicy

COLUMNS = (
    "subject_no, fixed_at, fix_key, shard, received_at, sent_at, longitude, latitude, accuracy_m, is_accuracy_assumed,"
    " raw_longitude, raw_latitude, datum, source, speed_mps, altitude_m, battery_percent, is_mock, device_id, cell"
)
FOUND = ("episode", "violation", "alert", "notification")


def main() -> None:
    """Run, print, end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=100_000)
    parser.add_argument("--zones", type=int, default=20_000)
    parser.add_argument("--fixes", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=None, help="most fixes of one transaction; none: the default")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--late-percent", type=float, default=0.0, help="of the fixes: half an hour late, out of order")
    parser.add_argument("--http-seconds", type=float, default=10.0, help="per kind of post; 0 for none")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.batch)
        return
    size = Size(subjects=options.subjects, zones=options.zones, fixes=options.fixes, late_percent=options.late_percent)
    with throwaway_database() as (url, folder):
        engine = open_engine(url)
        runs = compare(engine, url, folder, size, options)
        posts = measure_posts(engine, url, seconds=options.http_seconds) if options.http_seconds else {}
        engine.dispose()
    report(size, runs, posts)


@contextmanager
def throwaway_database() -> Iterator[tuple[str, Path]]:
    """A migrated database in a durable cluster, and a folder; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="hulan-bench-"))
    folder.chmod(0o755)
    try:
        with running_cluster(folder / "data", say=lambda _: None) as url:
            engine = open_engine(url)
            migrate(engine, keyring=make_keyring(folder / KEYRING_FILE, CipherName.AES_256_GCM, at=SystemClock().now()))
            os.environ["HULAN_KEYRING"] = str(folder / KEYRING_FILE)  # for the worker's process
            engine.dispose()
            yield url, folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compare(engine: Engine, url: str, folder: Path, size: Size, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Each run: an empty log and no findings, a worker that waits, the COPY, the drain. SystemExit if runs differ."""
    zones_m = settle(engine, size, options.seed, Keyring(folder / KEYRING_FILE))
    write_afternoon(engine, size, zones_m, options.seed)
    file = folder / "afternoon.copy"
    with engine.begin() as connection, file.open("wb") as out:
        query = f"COPY (SELECT {COLUMNS} FROM fix ORDER BY seq) TO STDOUT (FORMAT binary)"  # noqa: S608 # constant
        with driver_connection(connection).cursor() as cursor, cursor.copy(query.encode()) as copy:
            for part in copy:
                out.write(part)
    runs = []
    for _ in range(options.runs):
        reset(engine)
        with waiting_worker(url, options.batch) as worker:
            copy_s = copy_in(engine, file)
            note(engine)
            answer = ask(worker, "go")
        runs.append({"copy_s": copy_s, **answer, **found(engine)})
    if any(run[name] != runs[0][name] for run in runs for name in (*FOUND, "fixes")):
        raise SystemExit(f"the runs found different things: {runs}")
    if runs[0]["fixes"] != size.fixes or 0 in [runs[0][name] for name in FOUND]:
        raise SystemExit(f"not all was evaluated, or nothing was found: {runs[0]}")
    return runs


def reset(engine: Engine) -> None:
    """As it was before the first fix."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "TRUNCATE fix, fix_written, engine_state, worker, episode, violation, alert, alert_violation,"
                " notification"
            )
        )
        connection.execute(text("UPDATE shard SET seen = '1:1:', target = NULL, lease_until = '-infinity'"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM"))


def copy_in(engine: Engine, file: Path) -> float:
    """Contestant A: seconds from the first byte until COMMIT returned."""
    started = time.perf_counter()
    with engine.begin() as connection, file.open("rb") as rows:
        query = f"COPY fix ({COLUMNS}) FROM STDIN (FORMAT binary)"
        with driver_connection(connection).cursor() as cursor, cursor.copy(query.encode()) as copy:
            while part := rows.read(1 << 20):
                copy.write(part)
    return time.perf_counter() - started


def note(engine: Engine) -> None:
    """What ``api.inbox.write_rows`` does besides, so that readers find the rows."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO fix_written (written_by, oldest, newest)"
                " SELECT written_by, min(fixed_at), max(fixed_at) FROM fix GROUP BY 1"
            )
        )


@contextmanager
def waiting_worker(url: str, batch: int | None) -> Iterator["subprocess.Popen[str]"]:
    """A worker process that has leased all shards and compiled the rules, and waits for a word."""
    command = [sys.executable, "-m", "bench.ingest", "--worker", url] + (
        [] if batch is None else ["--batch", str(batch)]
    )
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the worker did not start")
        yield process
    finally:
        process.communicate()


def ask(process: "subprocess.Popen[str]", word: str) -> dict[str, Any]:
    """Say a word to the worker; what it answers."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def found(engine: Engine) -> dict[str, int]:
    """How many rows of each kind of finding there are."""
    with engine.connect() as connection:
        counts = {name: text(f"SELECT count(*) FROM {name}") for name in FOUND}  # noqa: S608 # constants
        return {name: int(connection.execute(count).scalar_one()) for name, count in counts.items()}


def work(url: str, batch: int | None) -> None:
    """Contestant B, in a process of its own."""
    configure_logs("warning")
    started = time.perf_counter()
    engine = open_engine(url)
    worker = Worker(
        engine=engine,
        gateways={Channel.SMS: (FakeGateway(),)},
        clock=SystemClock(),
        policies=Policies(presence=PresencePolicy()),
        keyring=Keyring(Path(os.environ["HULAN_KEYRING"])),
        lease_seconds=120.0,
        secret=bytes(32),
    )
    worker.batch_size = batch or worker.batch_size
    batches = []
    worker.on_batch = lambda advanced: batches.append(advanced.fix_count)
    worker.step()
    ready_s, ready_mib = time.perf_counter() - started, peak_memory_mib()
    print("ready", flush=True)
    sys.stdin.readline()
    profile = cProfile.Profile() if "BENCH_PROFILE" in os.environ else None
    if profile:
        profile.enable()
    started = time.perf_counter()
    while worker.step():
        pass
    seconds = time.perf_counter() - started
    if profile:
        profile.disable()
        profile.dump_stats(os.environ["BENCH_PROFILE"])
    answer = {"drain_s": seconds, "fixes": sum(batches), "batches": len(batches), "ready_s": ready_s,
              "ready_mib": ready_mib, "peak_mib": peak_memory_mib()}  # fmt: skip
    print(json.dumps(answer), flush=True)


def report(size: Size, runs: list[dict[str, Any]], posts: dict[str, dict[str, float]]) -> None:
    """The table and the JSON line."""
    copy_s, drain_s = (min(run[name] for run in runs) for name in ("copy_s", "drain_s"))
    first = runs[0]
    peak_mib = max(run["peak_mib"] for run in runs)
    print(
        f"{size.subjects:,} subjects, {size.zones:,} zones, {size.fixes:,} fixes; each of {len(runs)} runs found"
        f" {first['episode']:,} episodes, {first['violation']:,} violations, {first['alert']:,} alerts"
    )
    print_table(
        ["contestant", "s", "fixes/s", "times COPY"],
        [
            ["bare COPY into the log", copy_s, size.fixes / copy_s, 1.0],
            ["log → committed episodes", drain_s, size.fixes / drain_s, copy_s / drain_s],
        ],
    )
    print(f"worker: rules ready in {first['ready_s']:.1f} s, peak memory {peak_mib:,.0f} MiB")
    if posts:
        print_table(
            ["post", "fixes/s", "p50 ms", "p99 ms"],
            [[name, row["fixes_per_s"], row["p50_ms"], row["p99_ms"]] for name, row in posts.items()],
        )
    figures: dict[str, object] = {
        "subjects": size.subjects, "zones": size.zones, "runs": runs, "posts": posts, "peak_memory_mib": peak_mib,
        "drain_fixes_per_s": size.fixes / drain_s, "copy_fixes_per_s": size.fixes / copy_s,
    }  # fmt: skip
    print_json("ingest", figures=figures, ratios={"drain_over_copy": copy_s / drain_s})


if __name__ == "__main__":
    main()
