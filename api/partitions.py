"""The fix log in weeks: made when a fix of a new week comes, dropped when the age that is kept is over.

A week begins on Monday 00:00 UTC. There is no partition for "the rest": a fix of a week that is not there makes it, in
a transaction of its own, before it is written, so that nothing lies where retention would not find it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text

WEEK = timedelta(days=7)
_MONDAY = datetime(2001, 1, 1, tzinfo=UTC)
_ROOM_LOCK = 0x4855_4C57  # "HULW": two processes that miss the same week make it once


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

    They are made and committed over a connection of its own: other writers need not wait for the caller's COMMIT. The
    caller must not have changed ``subject`` in its transaction, which the new partition's foreign key would wait for.
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
        return sum(_make(own, partition) for partition in missing)


def _make(connection: psycopg.Connection[Any], partition: Partition) -> bool:
    name = sql.Identifier(partition.name)
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '10s'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_ROOM_LOCK])
        known = connection.execute("SELECT to_regclass(%s)", [partition.name]).fetchone()
        if known is not None and known[0] is not None:
            return False
        # ATTACH lets readers and writers of the log go on; CREATE TABLE ... PARTITION OF would lock them out.
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE fix INCLUDING DEFAULTS INCLUDING STORAGE)").format(name))
        connection.execute(
            sql.SQL("ALTER TABLE fix ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                name, sql.Literal(partition.from_at), sql.Literal(partition.to_at)
            )
        )
    return True


def partitions(connection: Connection) -> list[Partition]:
    """Every week that is there, the oldest first."""
    names = connection.execute(
        text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'fix'::regclass ORDER BY 1")
    ).scalars()
    return [partition_of(datetime.strptime(name[-8:], "%Y%m%d").replace(tzinfo=UTC)) for name in names]
