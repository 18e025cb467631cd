"""The register through the database: five synthetic registers imported and resolved: ``python -m bench.register``.

Prints what each step took, on the wall's clock and of the processors (this process and the database's): import with
zones and audit, the same files once more, scoring and saving of the merges, that once more, what officers wait for.
Checks that no category of a place lost its zone.

77,396 records on 2 cores with a load of 5 to 6 by others: import 24 s of the processors (59 s on the clock), resolving
42 s (102 s), once more 23 s (41 s). With a load of 2 to 3, earlier on the same day: import 31 s and resolving 45 s on
the clock. So 60 s for resolving are kept where the two cores are free. Of the 42 s some 17 are the database's, the half
of them the audit's entries of 82,600 rows; 11 are Splink's and DuckDB's.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from sqlalchemy import Engine, text

from api.cluster import running_cluster
from api.database import migrate, open_engine
from api.importing import import_entries
from api.personal.blind_index import venue_phone_index
from api.register import resolve
from api.venue_listing import VenueFilter, open_reviews, venues_of_register
from bench.identity_scene import synthetic_scene
from bench.report import peak_memory_mib, print_json, print_table
from tests.make import KEYRING
from venues.register import RegisterEntry, entries_of_records
from venues.source_record import SourceRecord

AT = datetime(2026, 11, 22, tzinfo=UTC)

LOST = """
SELECT count(*) FROM venue v WHERE v.category IS NOT NULL AND NOT EXISTS (SELECT FROM venue w JOIN zone z
    ON z.zone_id = w.venue_id AND z.superseded_at IS NULL WHERE w.current_no = v.current_no AND w.category = v.category)
"""


def main() -> None:
    """Import, import again, resolve, read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venues", type=int, default=29_000, help="venues; each has some 2.6 records")
    parser.add_argument("--seed", type=int, default=20261122)
    options = parser.parse_args()
    scene = synthetic_scene(options.venues, np.random.default_rng(options.seed))
    entries = entries_of_records([placed(record) for record in scene.records])
    folder = Path(tempfile.mkdtemp(prefix="hulan-bench-"))
    folder.chmod(0o755)
    try:
        with running_cluster(folder / "data", say=lambda _: None) as url:
            engine = open_engine(url)
            migrate(engine, keyring=KEYRING)
            measure(engine, entries)
            engine.dispose()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def measure(engine: Engine, entries: Sequence[RegisterEntry]) -> None:
    """Two tables and a line."""
    taken: dict[str, tuple[float, float]] = {}
    for number, step in enumerate(("import", "import of the same")):
        with timed(engine, taken, step), engine.begin() as connection:
            at = AT + timedelta(hours=number)
            index_phone = partial(venue_phone_index, KEYRING.index_key)
            report = import_entries(connection, entries, rejected=(), ignored_count=0, at=at, index_phone=index_phone)
    assert report.unchanged_count == len(entries)
    with timed(engine, taken, "resolve"):
        done = resolve(engine, at=AT + timedelta(hours=2), progress=lambda part, parts: print(f"  {part} of {parts}"))
    with timed(engine, taken, "resolve once more"):
        again = resolve(engine, at=AT + timedelta(hours=3))
    with engine.connect() as connection:
        assert connection.execute(text(LOST)).scalar_one() == 0, "a category of a place lost its zone"
    with timed(engine, taken, "200 questions"), engine.connect() as connection:
        open_reviews(connection)
    with timed(engine, taken, "200 venues"), engine.connect() as connection:
        venues_of_register(connection, VenueFilter())
    print_table(["step", "s", "processor s"], [(step, *times) for step, times in taken.items()])
    figures = {"records": done.record_count, "venues": done.venue_count, "merged": done.merged_count,
               "asked": done.asked_count, "merged only by the second": again.merged_count}  # fmt: skip
    print_table(list(figures), [list(figures.values())])
    walls = {f"{step}_s": round(wall, 2) for step, (wall, _) in taken.items()}
    processors = {f"{step}_processor_s": round(processor, 2) for step, (_, processor) in taken.items()}
    all_figures = {**figures, **walls, **processors, "peak_memory_mib": round(peak_memory_mib())}
    print_json("register", figures=all_figures, ratios={})


@contextmanager
def timed(engine: Engine, taken: dict[str, tuple[float, float]], step: str) -> Iterator[None]:
    """Note how long the block took by the clock, and of the processors: what others on the machine do not change."""
    began, worked = time.perf_counter(), _processor_s(engine)
    yield
    taken[step] = time.perf_counter() - began, _processor_s(engine) - worked


def _processor_s(engine: Engine) -> float:
    """Of this process and of the database's one that serves the pool's only connection; of this alone beside Linux."""
    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    status = Path(f"/proc/{pid}/stat")
    ticks = status.read_text().rpartition(")")[2].split()[11:13] if status.exists() else ()
    return time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def placed(record: SourceRecord) -> SourceRecord:
    """As a file would have said it: with its position among what was sent."""
    if record.longitude is None:
        return record
    place = {"longitude": repr(record.longitude), "latitude": repr(record.latitude), "datum": "WGS84"}
    return replace(record, sent=tuple(sorted((dict(record.sent) | place).items())))


if __name__ == "__main__":
    main()
