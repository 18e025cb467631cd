"""The fix log in weeks: made when a fix of a new week comes, dropped when the age that is kept is over.

A week begins on Monday 00:00 UTC. There is no partition for "the rest": a fix of a week that is not there makes it, in
a transaction of its own, before it is written, so that nothing lies where retention would not find it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text

WEEK = timedelta(days=7)
_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One week of the log, ``[from_at, to_at)``."""

    name: str
    from_at: datetime
    to_at: datetime


def partition_of(instant: datetime) -> Partition:
    """The week of an aware instant."""
    from_at = _MONDAY + (instant - _MONDAY) // WEEK * WEEK
    return Partition(name=f"fix_{from_at:%Y%m%d}", from_at=from_at, to_at=from_at + WEEK)


def make_room(connection: psycopg.Connection[Any], instants: Iterable[datetime]) -> int:
    """See that the weeks of these instants are there; returns how many were made.

    The database makes them with its owner's rights (``make_fix_week``), over a connection of its own that commits at
    once: other writers need not wait for the caller's COMMIT. The caller must not have changed ``subject`` in its
    transaction, which the new partition's foreign key would wait for.
    """
    weeks = {partition.name: partition for partition in map(partition_of, instants)}
    if not weeks:
        return 0
    query = "SELECT name FROM unnest(%s::text[]) AS wanted (name) WHERE to_regclass(name) IS NULL ORDER BY name"
    missing = [weeks[row[0]] for row in connection.execute(query, [list(weeks)]).fetchall()]
    if not missing:
        return 0
    info = connection.info
    place = make_conninfo(info.dsn, **({"password": info.password} if info.password else {}))
    with psycopg.connect(place, autocommit=True) as own:
        made = [own.execute("SELECT make_fix_week(%s)", [partition.from_at]).fetchone() for partition in missing]
    return sum(row is not None and row[0] for row in made)


def partitions(connection: Connection) -> list[Partition]:
    """Every week that is there, the oldest first."""
    names = connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'fix'::regclass ORDER BY 1")
    ).scalars()
    return [partition_of(datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC)) for name in names]
