"""Retention: whole weeks of fixes are dropped when they are older than the age that is kept. What went is recorded."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from api.partitions import Partition, partitions
from api.settings import SHORTEST_KEEP_DAYS

_RETENTION_LOCK = 0x4855_4C52  # "HULR": one at a time, however many workers run


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A week that was dropped, or would be."""

    partition: Partition
    fix_count: int


def dropped_before(connection: Connection, *, keep_days: int, at: datetime) -> list[Partition]:
    """The weeks that ended more than ``keep_days`` before ``at``, and that no worker has yet to read or may read again.

    A week stays, whatever its age, while an unread fix is of it, or an open presence began in it or before: its
    evidence is needed whole when a late fix comes.
    """
    if keep_days < SHORTEST_KEEP_DAYS:
        raise ValueError(f"keep_days is {keep_days}: {SHORTEST_KEEP_DAYS} or more")
    limit = at - timedelta(days=keep_days)
    needed = connection.execute(
        text(
            "SELECT least((SELECT min(started_at) FROM episode WHERE ended_at IS NULL AND superseded_at IS NULL),"
            " (SELECT min(oldest) FROM fix_written w WHERE EXISTS"
            " (SELECT FROM shard s WHERE NOT pg_visible_in_snapshot(w.written_by, s.seen))))"
        )
    ).scalar_one()
    if needed is not None:
        limit = min(limit, needed)
    return [partition for partition in partitions(connection) if partition.to_at <= limit]


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


def dropped_until(connection: Connection) -> datetime | None:
    """Up to when the log is not whole any more; ``None`` if nothing was ever dropped."""
    found: datetime | None = connection.execute(text("SELECT max(to_at) FROM retention_run")).scalar_one()
    return found


def forget_read(connection: Connection) -> int:
    """Delete the notes of transactions that every shard has read; returns how many."""
    return connection.execute(
        text("DELETE FROM fix_written WHERE written_by < (SELECT min(pg_snapshot_xmin(seen)) FROM shard)")
    ).rowcount
