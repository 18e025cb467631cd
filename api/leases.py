"""Shards are leased: one worker at a time, for a while, with a fencing token that every commit checks."""

from sqlalchemy import Connection, text


class RestoredDatabaseError(RuntimeError):
    """The log's cursors come from another cluster: reading on would skip fixes in silence (ADR 0003)."""


class LeaseLostError(RuntimeError):
    """Another worker holds the shard now: this one's work on it must not be saved."""


def lease_shards(connection: Connection, owner: str, *, lease_seconds: float, most: int = 64) -> dict[int, int]:
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
