"""Real tracks delivered out of order, in batches, and twice: the episodes of delivery in order, to the last bit."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from api.files.tracks import read_tracks
from api.fsck import check
from api.inbox import to_rows, write_rows
from geo.postgis import driver_connection
from geo.shapes import Circle
from tests.make import Person, a_person, a_worker, empty
from tracking.fix import Fix
from tracking.policy import PresencePolicy
from tracking.store import ZoneDraft, save_zones
from tracking.zone import ZoneKind, ZoneOrigin
from venues.category import VenueCategory

ARCHIVE = "geolife_trackintel_plt/plt_users_000_002-004_006-010.tar.gz"
EPISODES = (
    "SELECT subject_no, condition_no, zone_no, tier, started_at, ended_at, ended_by, last_inside_at, possible_at,"
    " decided_at, peak_probability, fix_count, is_entry, is_undecidable FROM episode WHERE superseded_at IS NULL"
    " ORDER BY subject_no, started_at, zone_no"
)


@pytest.mark.real
@pytest.mark.slow
def test_geolife_shuffled_batched_and_doubled_gives_the_episodes_of_delivery_in_order(
    engine: Engine, real_data: Callable[[str], Path]
) -> None:
    tracks: dict[str, list[Fix]] = {}
    for track in read_tracks(real_data(ARCHIVE)):
        tracks.setdefault(track.subject_ref, []).extend(track.fixes)
    people = laid_out(engine, tracks)
    for reference, fixes in tracks.items():
        deliver(engine, people[reference], sorted(fixes, key=lambda fix: fix.fixed_at))
    a_worker(engine).drain()
    in_order = episodes(engine)
    assert len(in_order) >= 100, "without episodes this test shows nothing"

    people = laid_out(engine, tracks)
    chance = np.random.default_rng(8)
    batches = [batch for reference, fixes in tracks.items() for batch in cut_up(reference, fixes, chance)]
    worker = a_worker(engine)
    for number, place in enumerate(chance.permutation(len(batches)).tolist()):
        reference, fixes = batches[place]
        deliver(engine, people[reference], fixes)
        if number % 40 == 39:
            worker.drain()
    worker.drain()
    assert episodes(engine) == in_order
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        checked = check(connection, policy=PresencePolicy(), now=datetime.now().astimezone())
    assert (checked.differences, checked.unfinished_count) == ([], 0)
    assert checked.fix_count > 100_000


def cut_up(reference: str, fixes: list[Fix], chance: np.random.Generator) -> list[tuple[str, list[Fix]]]:
    """In pieces as a telephone keeps them, some fixes moved to another piece, one piece in ten sent twice."""
    ordered = sorted(fixes, key=lambda fix: fix.fixed_at)
    moved = np.arange(len(ordered)) + np.where(chance.random(len(ordered)) < 0.02, chance.integers(-3000, 3000), 0)
    ordered = [ordered[row] for row in np.argsort(moved, kind="stable")]
    edges = [0, *np.cumsum(chance.integers(50, 1500, len(ordered) // 700 + 2)).tolist()]
    pieces = [ordered[start:end] for start, end in zip(edges, [*edges[1:], len(ordered)], strict=True)]
    again = [piece for piece in pieces if chance.random() < 0.1]
    return [(reference, piece) for piece in [*pieces, *again] if piece]


def laid_out(engine: Engine, tracks: dict[str, list[Fix]]) -> dict[str, Person]:
    """An empty database with a person for each track, and bars of 60 m at places that the tracks pass or stay at."""
    every = [fix for fixes in tracks.values() for fix in fixes]
    first, last = min(fix.fixed_at for fix in every), max(fix.fixed_at for fix in every)
    with engine.begin() as connection:
        empty(connection)
        draw_bars(connection, every, at=first)
        return {
            reference: a_person(connection, alias=reference[:10], valid_from=first, valid_to=last + timedelta(days=1))
            for reference in tracks
        }


def draw_bars(connection: Connection, every: list[Fix], *, at: datetime) -> None:
    chance = np.random.default_rng(1)
    save_zones(
        connection,
        [
            ZoneDraft(
                zone_id=UUID(int=number + 1), source="venue:test", source_id=str(number), kind=ZoneKind.EXCLUSION,
                origin=ZoneOrigin.VENUE, name=f"合成{number}", category=VenueCategory.BAR,
                shape=Circle(longitude=fix.longitude, latitude=fix.latitude, radius_m=60.0),
            )
            for number, fix in enumerate(every[row] for row in chance.integers(0, len(every), 200).tolist())
        ],
        at=at,
    )  # fmt: skip


def deliver(engine: Engine, person: Person, fixes: list[Fix]) -> None:
    with engine.begin() as connection:
        write_rows(driver_connection(connection), to_rows(person.sender, fixes, fixes[-1].fixed_at))


def episodes(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(EPISODES))]
