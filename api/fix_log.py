"""Reading the fix log in an order that skips nothing: by snapshots, not by sequence numbers (ADR 0003).

A row is visible or not in a snapshot for good. A shard remembers the snapshot ``seen`` up to which it has read. The
rows to read next are those visible now and not visible then: a transaction that commits late is simply in the next
difference, whatever its sequence numbers. A difference too large for one batch is walked in (written_by, seq) order
with ``target`` held still.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from tracking.fix import FixBatch

_LOOK = text("""
SELECT pg_current_snapshot()::text,
       EXISTS (SELECT FROM shard WHERE shard = ANY(:shards) AND target IS NOT NULL)
""")

_FETCH = text("""
SELECT f.subject_no, (extract(epoch FROM f.fixed_at) * 1000000)::bigint,
       (extract(epoch FROM f.received_at) * 1000000)::bigint, f.longitude, f.latitude, f.accuracy_m, f.fix_key,
       f.flags, f.shard, f.written_by::text, f.seq
FROM shard s
CROSS JOIN LATERAL (
    SELECT * FROM fix f
    WHERE f.shard = s.shard
      AND f.written_by >= pg_snapshot_xmin(s.seen)
      AND NOT pg_visible_in_snapshot(f.written_by, s.seen)
      AND pg_visible_in_snapshot(f.written_by, coalesce(s.target, CAST(:now_snapshot AS pg_snapshot)))
      AND (f.written_by > s.after_xid OR (f.written_by = s.after_xid AND f.seq > s.after_seq))
    ORDER BY f.written_by, f.seq LIMIT :per_shard
) f
WHERE s.shard = ANY(:shards)
""")

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
    snapshot, is_catching_up = connection.execute(_LOOK, {"shards": list(shards)}).one()
    per_shard = max(1, most_rows // max(1, len(shards)))
    rows = connection.execute(_FETCH, {"shards": list(shards), "now_snapshot": snapshot, "per_shard": per_shard}).all()
    counts = dict.fromkeys(shards, 0)
    after: dict[int, tuple[str, int]] = {}
    for row in rows:
        counts[row[8]] += 1
        after[row[8]] = max(after.get(row[8], ("0", 0)), (row[9], row[10]), key=lambda at: (int(at[0]), at[1]))
    return Drained(
        fixes=to_batch(rows),
        snapshot=snapshot,
        is_shard_drained={shard: count < per_shard for shard, count in counts.items()},
        after=after,
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


def history(connection: Connection, subject_no: int, *, since: datetime) -> FixBatch:
    """All fixes of a subject from an aware instant on, in time order."""
    rows = connection.execute(
        text(
            "SELECT subject_no, (extract(epoch FROM fixed_at) * 1000000)::bigint,"
            " (extract(epoch FROM received_at) * 1000000)::bigint, longitude, latitude, accuracy_m, fix_key, flags"
            " FROM fix WHERE subject_no = :subject_no AND fixed_at >= :since ORDER BY fixed_at, fix_key"
        ),
        {"subject_no": subject_no, "since": since},
    ).all()
    return to_batch(rows)


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
        text("""
            WITH rebased AS (
                UPDATE fix f SET written_by = CASE WHEN pg_visible_in_snapshot(f.written_by, s.seen)
                    OR s.target IS NOT NULL AND pg_visible_in_snapshot(f.written_by, s.target)
                        AND (f.written_by < s.after_xid OR f.written_by = s.after_xid AND f.seq <= s.after_seq)
                    THEN '3'::xid8 ELSE pg_current_xact_id() END
                FROM shard s WHERE s.shard = f.shard
                RETURNING f.written_by = pg_current_xact_id() AS is_unread)
            SELECT count(*) FILTER (WHERE is_unread) FROM rebased
        """)
    ).scalar_one()
    connection.execute(
        # Not the current snapshot: a transaction's own snapshot may call its own id visible.
        text("UPDATE shard SET seen = '4:4:', target = NULL, after_xid = '0', after_seq = 0")
    )
    return int(unread)
