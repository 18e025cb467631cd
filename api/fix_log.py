"""Reading the fix log in an order that skips nothing: by snapshots, not by sequence numbers (ADR 0003).

A row is visible or not in a snapshot for good. A shard remembers the snapshot ``seen`` up to which it has read. The
rows to read next are those visible now and not visible then: a transaction that commits late is simply in the next
difference, whatever its sequence numbers. A difference too large for one batch is walked in (written_by, seq) order
with ``target`` held still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from geo.postgis import read_columns
from tracking.fix import FixBatch

_LOOK = text("""
SELECT pg_current_snapshot()::text,
       EXISTS (SELECT FROM shard WHERE shard = ANY(:shards) AND target IS NOT NULL), min(w.oldest), max(w.newest)
FROM fix_written w
WHERE w.written_by >= (SELECT min(pg_snapshot_xmin(seen)) FROM shard WHERE shard = ANY(:shards))
  AND EXISTS (SELECT FROM shard s WHERE s.shard = ANY(:shards) AND NOT pg_visible_in_snapshot(w.written_by, s.seen))
""")

DEVICE_NO = "uuid_hash_extended(device_id, 0) & 9223372036854775807"
"""SQL: a number that tells the device of a row from another; devices have ids only."""

# The times are there for the planner: it leaves out the weeks that hold no news.
_FETCH = f"""
SELECT f.*
FROM shard s
CROSS JOIN LATERAL (
    SELECT f.subject_no, f.fixed_at, f.received_at, f.longitude, f.latitude, f.accuracy_m, f.fix_key, f.flags,
           f.shard, f.written_by, f.seq,
           coalesce(f.battery_percent, 'NaN') AS battery_percent, {DEVICE_NO} AS device_no
    FROM fix f
    WHERE f.shard = s.shard
      AND f.fixed_at BETWEEN %(oldest)s AND %(newest)s
      AND f.written_by >= pg_snapshot_xmin(s.seen)
      AND NOT pg_visible_in_snapshot(f.written_by, s.seen)
      AND pg_visible_in_snapshot(f.written_by, coalesce(s.target, CAST(%(now_snapshot)s AS pg_snapshot)))
      AND (f.written_by, f.seq) > (s.after_xid, s.after_seq)
    ORDER BY f.written_by, f.seq LIMIT %(per_shard)s
) f
WHERE s.shard = ANY(%(shards)s)
"""

# Only the index gives the next rows of a shard in their order. The planner would rather fetch a whole backlog and sort
# it, for every batch.
_BY_INDEX = text("SELECT set_config(name, :to, true) FROM unnest(ARRAY['enable_bitmapscan', 'enable_sort']) AS name")

WAS_READ = (
    "(pg_visible_in_snapshot(f.written_by, s.seen) OR s.target IS NOT NULL"
    " AND pg_visible_in_snapshot(f.written_by, s.target)"
    " AND (f.written_by < s.after_xid OR f.written_by = s.after_xid AND f.seq <= s.after_seq))"
)
"""SQL: whether row ``f`` of the log is behind the cursor of its shard ``s``."""

FIX_COLUMNS: dict[str, type[np.generic]] = {
    "subject_no": np.int64, "fixed_at": np.int64, "received_at": np.int64, "longitude": np.float64,
    "latitude": np.float64, "accuracy_m": np.float64, "fix_key": np.int64, "flags": np.int32,
}  # fmt: skip
_PLACE: dict[str, type[np.generic]] = {"shard": np.int16, "written_by": np.int64, "seq": np.int64}
_DEVICE: dict[str, type[np.generic]] = {"battery_percent": np.float64, "device_no": np.int64}

_ADVANCE = text("""
UPDATE shard s SET
    seen = CASE WHEN c.is_drained THEN coalesce(s.target, CAST(:now_snapshot AS pg_snapshot)) ELSE s.seen END,
    target = CASE WHEN c.is_drained THEN NULL ELSE coalesce(s.target, CAST(:now_snapshot AS pg_snapshot)) END,
    after_xid = CASE WHEN c.is_drained THEN '0'::xid8 ELSE c.after_xid::xid8 END,
    after_seq = CASE WHEN c.is_drained THEN 0 ELSE c.after_seq END,
    lease_until = now() + make_interval(secs => :lease_seconds)
FROM unnest(CAST(:shards AS smallint[]), CAST(:fences AS bigint[]), CAST(:drained AS boolean[]),
            CAST(:after_xids AS text[]), CAST(:after_seqs AS bigint[]))
     AS c (shard, fence, is_drained, after_xid, after_seq)
WHERE s.shard = c.shard AND s.fence = c.fence
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """A batch of the log and where it leaves each shard."""

    fixes: FixBatch
    shard: NDArray[np.int16]
    """The shard of each fix."""
    battery_percent: NDArray[np.float64]
    """NaN where it was not told."""
    device_no: NDArray[np.int64]
    snapshot: str
    is_shard_drained: dict[int, bool]
    after: dict[int, tuple[str, int]]
    is_catching_up: bool
    """Whether the batch went on with a difference that an earlier one began: newer rows were left out of it."""

    @property
    def has_more(self) -> bool:
        """Whether some shard may have rows left that were there when the batch was read."""
        return self.is_catching_up or not all(self.is_shard_drained.values())


def drain(connection: Connection, shards: Sequence[int], *, most_rows: int) -> Drained:
    """The next rows of these shards, at most about ``most_rows`` in all."""
    snapshot, is_catching_up, oldest, newest = connection.execute(_LOOK, {"shards": list(shards)}).one()
    per_shard = max(1, most_rows // max(1, len(shards)))
    wanted = FIX_COLUMNS | _PLACE | _DEVICE
    columns = {name: np.zeros(0, dtype=kind) for name, kind in wanted.items()}
    if oldest is not None:
        asked = {"shards": list(shards), "now_snapshot": snapshot, "per_shard": per_shard}
        connection.execute(_BY_INDEX, {"to": "off"})
        columns = read_columns(connection, _FETCH, asked | {"oldest": oldest, "newest": newest}, wanted)
        connection.execute(_BY_INDEX, {"to": "on"})
    shard, written_by, seq = (columns.pop(name) for name in _PLACE)
    device = {name: columns.pop(name) for name in _DEVICE}
    # Rows of a shard come together, in the order of the log.
    last = np.flatnonzero(np.append(shard[1:] != shard[:-1], True)) if len(shard) else np.zeros(0, dtype=np.int64)
    counts = dict(zip(shard[last].tolist(), np.diff(last, prepend=-1).tolist(), strict=True))
    assert len(counts) == len(last), "the rows of a shard came apart: its cursor would be wrong"
    return Drained(
        fixes=FixBatch(**columns),
        shard=shard,
        battery_percent=device["battery_percent"],
        device_no=device["device_no"],
        snapshot=snapshot,
        is_shard_drained={number: counts.get(number, 0) < per_shard for number in shards},
        after={int(shard[row]): (str(written_by[row]), int(seq[row])) for row in last},
        is_catching_up=is_catching_up,
    )


def save_cursor(connection: Connection, drained: Drained, fences: dict[int, int], *, lease_seconds: float) -> bool:
    """Move the cursors in the caller's transaction and renew the lease; False if the lease was lost meanwhile."""
    shards = sorted(fences)
    updated = connection.execute(
        _ADVANCE,
        {
            "now_snapshot": drained.snapshot,
            "lease_seconds": lease_seconds,
            "shards": shards,
            "fences": [fences[shard] for shard in shards],
            "drained": [drained.is_shard_drained[shard] for shard in shards],
            "after_xids": [drained.after.get(shard, ("0", 0))[0] for shard in shards],
            "after_seqs": [drained.after.get(shard, ("0", 0))[1] for shard in shards],
        },
    ).rowcount
    return updated == len(shards)


def newest_read(connection: Connection, shards: Sequence[int]) -> FixBatch:
    """Of every subject of these shards the newest fix that the cursors are past, one row each."""
    query = f"""
        SELECT n.* FROM shard s JOIN subject u USING (shard) CROSS JOIN LATERAL (
            SELECT {", ".join(FIX_COLUMNS)} FROM fix f
            WHERE f.subject_no = u.subject_no AND {WAS_READ}
            ORDER BY f.fixed_at DESC, f.fix_key DESC LIMIT 1
        ) n
        WHERE s.shard = ANY(%(shards)s)
    """
    return FixBatch(**read_columns(connection, query, {"shards": list(shards)}, FIX_COLUMNS))


def to_batch(rows: Sequence[Any]) -> FixBatch:
    """Rows (subject_no, fixed_at, received_at, longitude, latitude, accuracy_m, fix_key, flags, …) as columns."""
    columns: Any = list(zip(*rows, strict=True)) or [()] * 8
    return FixBatch(
        subject_no=np.array(columns[0], dtype=np.int64),
        fixed_at=np.array(columns[1], dtype=np.int64),
        received_at=np.array(columns[2], dtype=np.int64),
        longitude=np.array(columns[3], dtype=np.float64),
        latitude=np.array(columns[4], dtype=np.float64),
        accuracy_m=np.array(columns[5], dtype=np.float64),
        fix_key=np.array(columns[6], dtype=np.int64),
        flags=np.array(columns[7], dtype=np.int32),
    )


def rebase(connection: Connection) -> int:
    """Make the cursors fit this cluster after a logical restore, in the caller's transaction; returns the rows unread.

    Transaction ids begin anew in another cluster. What was read gets a settled id, what was not the id of this
    transaction, and everything but the settled id counts as not seen. Run it before anything else writes.
    """
    unread = connection.execute(
        text(f"""
            WITH rebased AS (
                UPDATE fix f SET written_by = CASE WHEN {WAS_READ}
                    THEN '3'::xid8 ELSE pg_current_xact_id() END
                FROM shard s WHERE s.shard = f.shard
                RETURNING f.written_by = pg_current_xact_id() AS is_unread)
            SELECT count(*) FILTER (WHERE is_unread) FROM rebased
        """)
    ).scalar_one()
    connection.execute(text("DELETE FROM fix_written"))
    connection.execute(
        text(
            "INSERT INTO fix_written (oldest, newest) SELECT min(fixed_at), max(fixed_at) FROM fix"
            " WHERE written_by = pg_current_xact_id() HAVING count(*) > 0"
        )
    )
    connection.execute(
        # Not the current snapshot: a transaction's own snapshot may call its own id visible.
        text("UPDATE shard SET seen = '4:4:', target = NULL, after_xid = '0', after_seq = 0")
    )
    # What was compared before is told from what was not by the same ids: all of the last days is looked at again.
    connection.execute(text("UPDATE contact_watch SET seen = '3:3:'"))
    return int(unread)
