"""Retention: old weeks of fixes are thinned, and dropped when they are too old. What went is recorded."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, text

from api.histories import BEGINNING
from api.partitions import Partition, partitions
from api.settings import SHORTEST_KEEP_DAYS, SHORTEST_THIN_DAYS
from tracking.rules import to_microseconds

_RETENTION_LOCK = 0x4855_4C52  # "HULR": one at a time, however many workers run


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A week that was dropped or thinned, or would be; ``fix_count``: the fixes that go."""

    partition: Partition
    fix_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinning:
    """A policy: of weeks that ended ``after_days`` ago, one fix per ``minutes`` stays of what proves nothing."""

    after_days: int
    minutes: int

    def __post_init__(self) -> None:
        if self.after_days < SHORTEST_THIN_DAYS:
            raise ValueError(f"after_days is {self.after_days}: {SHORTEST_THIN_DAYS} or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What retention left of the log, microseconds.

    No fix is from before ``begins_at``; from ``whole_from`` on every fix is there, and between them some.
    """

    begins_at: int = BEGINNING
    whole_from: int = BEGINNING


def dropped_before(connection: Connection, *, keep_days: int, at: datetime) -> list[Partition]:
    """The weeks that ended more than ``keep_days`` before ``at``, and that no worker has yet to read or may read again.

    A week stays, whatever its age, while an unread fix is of it, or an open presence began in it or before: its
    evidence is needed whole when a late fix comes.
    """
    if keep_days < SHORTEST_KEEP_DAYS:
        raise ValueError(f"keep_days is {keep_days}: {SHORTEST_KEEP_DAYS} or more")
    limit = _spared_from(connection, at - timedelta(days=keep_days))
    return [partition for partition in partitions(connection) if partition.to_at <= limit]


def _spared_from(connection: Connection, limit: datetime) -> datetime:
    """``limit``, or an earlier instant from which on a worker has yet to read, or may read again."""
    needed: datetime | None = connection.execute(
        text(
            "SELECT least((SELECT min(started_at) FROM episode WHERE ended_at IS NULL AND superseded_at IS NULL),"
            " (SELECT min(oldest) FROM fix_written w WHERE EXISTS"
            " (SELECT FROM shard s WHERE NOT pg_visible_in_snapshot(w.written_by, s.seen))))"
        )
    ).scalar_one()
    return limit if needed is None else min(limit, needed)


def drop_weeks(connection: Connection, *, keep_days: int, at: datetime, is_rehearsal: bool = False) -> list[Dropped]:
    """Drop what :func:`dropped_before` names, in the caller's transaction, and record it in ``retention_run``.

    Nothing happens while another process does the same. A reader of the log makes it wait, and it makes readers and
    writers wait, for the moment of the drop: ``lock_timeout`` of the session bounds both.
    """
    if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _RETENTION_LOCK}).scalar_one():
        return []
    dropped = []
    for partition in dropped_before(connection, keep_days=keep_days, at=at):
        name = connection.dialect.identifier_preparer.quote_identifier(partition.name)
        # The database drops and records with its owner's rights: whoever may only do that need not own the log.
        query = f"SELECT count(*) FROM {name}" if is_rehearsal else "SELECT drop_fix_week(:name, :keep_days)"
        values = {} if is_rehearsal else {"name": partition.name, "keep_days": keep_days}
        fix_count = int(connection.execute(text(query), values).scalar_one())
        dropped.append(Dropped(partition=partition, fix_count=fix_count))
    return dropped


def thinned_before(connection: Connection, policy: Thinning, *, at: datetime) -> list[Partition]:
    """The weeks that the policy thins and that were not thinned so far or farther.

    A week stays whole while an unread fix or an edited rule that waits is of it, or an open presence began before.
    """
    limit = _spared_from(connection, at - timedelta(days=policy.after_days))
    edited = connection.execute(text("SELECT min(since) FROM reevaluation")).scalar_one()
    limit = limit if edited is None else min(limit, edited)
    query = "SELECT partition_name FROM thinning_run WHERE minutes >= :minutes"
    done = set(connection.execute(text(query), {"minutes": policy.minutes}).scalars())
    return [item for item in partitions(connection) if item.to_at <= limit and item.name not in done]


def thin_weeks(engine: Engine, policy: Thinning, *, at: datetime) -> list[Dropped]:
    """Thin what :func:`thinned_before` names, the oldest week first, each in a transaction that also records it.

    Ends while another process drops or thins. Readers and writers of the log go on. Each subject's first sure fix per
    so many minutes stays, and both ends of each longer gap: silences are where they were, and no other.
    """
    thinned = []
    with engine.connect() as connection:
        due = thinned_before(connection, policy, at=at)
    for partition in due:
        with engine.begin() as connection:
            key = {"key": _RETENTION_LOCK}
            if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), key).scalar_one():
                break
            if partition not in thinned_before(connection, policy, at=at):
                continue
            # The database thins and records with its owner's rights, and spares itself what a finding rests on.
            values = {"name": partition.name, "minutes": policy.minutes}
            count = connection.execute(text("SELECT thin_fix_week(:name, :minutes)"), values).scalar_one()
        thinned.append(Dropped(partition=partition, fix_count=int(count)))
    return thinned


def rehearse_thinning(connection: Connection, policy: Thinning, *, at: datetime) -> list[Dropped]:
    """What :func:`thin_weeks` would do; for the owner of the tables only."""
    query = text("SELECT count(*) FROM fixes_to_thin(:name, :minutes)")
    return [
        Dropped(
            partition=partition,
            fix_count=connection.execute(query, {"name": partition.name, "minutes": policy.minutes}).scalar_one(),
        )
        for partition in thinned_before(connection, policy, at=at)
    ]


def remains_of_log(connection: Connection) -> Remains:
    """What dropping and thinning left, as of the connection's snapshot."""
    query = "SELECT (SELECT max(to_at) FROM retention_run), (SELECT max(to_at) FROM thinning_run)"
    dropped, thinned = (
        BEGINNING if instant is None else to_microseconds(instant) for instant in connection.execute(text(query)).one()
    )
    return Remains(begins_at=dropped, whole_from=max(dropped, thinned))


def forget_read(connection: Connection) -> int:
    """Delete the notes of transactions that every shard has read; returns how many."""
    return connection.execute(
        text("DELETE FROM fix_written WHERE written_by < (SELECT min(pg_snapshot_xmin(seen)) FROM shard)")
    ).rowcount
