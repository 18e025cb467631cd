"""Shards are leased: one worker at a time, for a while, with a fencing token that every commit checks."""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from api.ids import SHARD_COUNT


class RestoredDatabaseError(RuntimeError):
    """The log's cursors come from another cluster: reading on would skip fixes in silence (ADR 0003)."""


class LeaseLostError(RuntimeError):
    """Another worker holds the shard now: this one's work on it must not be saved."""


def fair_share(connection: Connection, owner: str, *, lease_seconds: float) -> int:
    """Say that this worker lives, and learn how many shards are its due: all of them, divided by the living workers."""
    connection.execute(
        text(
            "INSERT INTO worker (owner, alive_until) VALUES (:owner, now() + make_interval(secs => :lease_seconds))"
            " ON CONFLICT (owner) DO UPDATE SET alive_until = excluded.alive_until"
        ),
        {"owner": owner, "lease_seconds": lease_seconds},
    )
    living = connection.execute(text("SELECT count(*) FROM worker WHERE alive_until > now()")).scalar_one()
    return -(-SHARD_COUNT // int(living))


def forget_worker(connection: Connection, owner: str) -> None:
    """It works no more: the others may take its share at once. Forgets those that were not heard of for a day, too."""
    connection.execute(
        text("DELETE FROM worker WHERE owner = :owner OR alive_until < now() - interval '1 day'"), {"owner": owner}
    )


def lease_shards(
    connection: Connection, owner: str, *, lease_seconds: float, most: int = SHARD_COUNT
) -> dict[int, int]:
    """Take up to ``most`` shards that nobody holds; returns their fencing tokens. The database's clock decides.

    Raises :class:`RestoredDatabaseError` if the cursors are ahead of this cluster's transactions.
    """
    ahead = connection.execute(
        text("SELECT count(*) FROM shard WHERE pg_snapshot_xmax(seen) > pg_snapshot_xmax(pg_current_snapshot())")
    ).scalar_one()
    if ahead:
        raise RestoredDatabaseError(
            "数据库是从转储恢复的，读取位置属于原来的集群：请先运行 hulan migrate --restored"
            " / this database was restored from a dump and its cursors belong to another cluster:"
            " run `hulan migrate --restored` first"
        )
    rows = connection.execute(
        text(
            "UPDATE shard SET lease_owner = :owner, fence = fence + 1,"
            " lease_until = now() + make_interval(secs => :lease_seconds)"
            " WHERE shard IN (SELECT shard FROM shard WHERE lease_until < now() ORDER BY shard LIMIT :most"
            " FOR UPDATE SKIP LOCKED) RETURNING shard, fence"
        ),
        {"owner": owner, "lease_seconds": lease_seconds, "most": most},
    )
    return {row.shard: row.fence for row in rows}


def renew_leases(connection: Connection, fences: dict[int, int], *, lease_seconds: float) -> bool:
    """Hold them longer; False if one was lost."""
    updated = connection.execute(
        text(
            "UPDATE shard s SET lease_until = now() + make_interval(secs => :lease_seconds)"
            " FROM unnest(CAST(:shards AS smallint[]), CAST(:fences AS bigint[])) AS c (shard, fence)"
            " WHERE s.shard = c.shard AND s.fence = c.fence"
        ),
        {"shards": list(fences), "fences": list(fences.values()), "lease_seconds": lease_seconds},
    ).rowcount
    return updated == len(fences)


def check_leases(connection: Connection, fences: Mapping[int, int]) -> None:
    """Raise ``LeaseLostError`` unless all of them are still held, as the caller's transaction sees it."""
    _check_held(connection, fences, "")


def hold_shards(connection: Connection, fences: Mapping[int, int]) -> None:
    """Keep the shards from being taken over until COMMIT. Raises ``LeaseLostError`` if one was."""
    _check_held(connection, fences, " ORDER BY s.shard FOR UPDATE OF s")


def _check_held(connection: Connection, fences: Mapping[int, int], lock: str) -> None:
    held = connection.execute(
        text(
            "SELECT s.shard FROM shard s JOIN unnest(CAST(:shards AS smallint[]), CAST(:fences AS bigint[]))"
            " AS c (shard, fence) ON s.shard = c.shard AND s.fence = c.fence" + lock
        ),
        {"shards": list(fences), "fences": list(fences.values())},
    ).all()
    if len(held) != len(fences):
        raise LeaseLostError(f"the lease of one of {len(fences)} shards was taken over by another worker")


def release_leases(connection: Connection, fences: dict[int, int]) -> None:
    """Give them back, so that the next worker need not wait."""
    connection.execute(
        text(
            "UPDATE shard s SET lease_until = '-infinity', lease_owner = NULL"
            " FROM unnest(CAST(:shards AS smallint[]), CAST(:fences AS bigint[])) AS c (shard, fence)"
            " WHERE s.shard = c.shard AND s.fence = c.fence"
        ),
        {"shards": list(fences), "fences": list(fences.values())},
    )
