"""Stretches of the fix log of many subjects at once, as far as each shard's cursor has read."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from psycopg import sql
from sqlalchemy import Connection, text

from geo.postgis import driver_connection
from tracking.fix import FixBatch

WAS_READ = (
    "(pg_visible_in_snapshot(f.written_by, s.seen) OR s.target IS NOT NULL"
    " AND pg_visible_in_snapshot(f.written_by, s.target)"
    " AND (f.written_by < s.after_xid OR f.written_by = s.after_xid AND f.seq <= s.after_seq))"
)
"""SQL: whether row ``f`` of the log is behind the cursor of its shard ``s`` (ADR 0003)."""

LOOK_BACK = (timedelta(hours=3), timedelta(days=1), timedelta(days=7))
"""How far back a silence is looked for, step by step; a longer stay without one is read from its beginning."""

BEGINNING = -(1 << 62)
"""Microseconds: before every fix."""

_STARTS = text(f"""
SELECT w.subject_no, (extract(epoch FROM max(g.fixed_at)) * 1000000)::bigint
FROM unnest(CAST(:subject_nos AS bigint[]), CAST(:instants AS bigint[])) AS w (subject_no, instant)
CROSS JOIN LATERAL (SELECT to_timestamp(0) + w.instant * interval '1 microsecond' AS late_at) AS at
CROSS JOIN LATERAL (
    SELECT h.fixed_at, h.fixed_at - lag(h.fixed_at) OVER (ORDER BY h.fixed_at) AS gap
    FROM (SELECT f.fixed_at FROM fix f JOIN shard s USING (shard)
          WHERE f.subject_no = w.subject_no AND f.fixed_at BETWEEN at.late_at - :back AND at.late_at AND {WAS_READ}
          UNION ALL SELECT at.late_at) AS h) AS g
WHERE g.gap > :silence
GROUP BY w.subject_no
""")

_COPY = f"""
COPY (SELECT f.subject_no, (extract(epoch FROM f.fixed_at) * 1000000)::bigint,
             (extract(epoch FROM f.received_at) * 1000000)::bigint, f.longitude, f.latitude, f.accuracy_m, f.fix_key
      FROM unnest({{}}::bigint[], {{}}::bigint[]) AS w (subject_no, since)
      JOIN fix f ON f.subject_no = w.subject_no
          AND f.fixed_at >= CASE WHEN w.since > {BEGINNING} THEN to_timestamp(0) + w.since * interval '1 microsecond'
                                 ELSE '-infinity' END
      JOIN shard s ON s.shard = f.shard
      LEFT JOIN fix_set_aside a ON a.subject_no = f.subject_no AND a.fixed_at = f.fixed_at AND a.fix_key = f.fix_key
      WHERE a.subject_no IS NULL AND {WAS_READ}) TO STDOUT (FORMAT binary)
"""

_HEADER = 19
_ROW = np.dtype([(f"{part}{field}", ">u2" if part == "c" else ">i4" if part == "l" else kind)
                 for part, field, kind in [("c", 0, ""), *((part, field, kind)
                 for field, kind in enumerate([">i8", ">i8", ">i8", ">f8", ">f8", ">f8", ">i8"])
                 for part in ("l", "v"))]])  # fmt: skip
"""A row of PostgreSQL's binary COPY: a field count, then each value after its length."""


def stretch_starts(connection: Connection, late: Mapping[int, int], *, silence_s: float) -> dict[int, int]:
    """For each subject the first fix after the last silence at or before an instant; all microseconds.

    A silence ends all presence: evaluation from there on gives what evaluation from the beginning would give.
    ``BEGINNING`` where there is no silence in the last of ``LOOK_BACK``.
    """
    starts: dict[int, int] = {}
    for back in LOOK_BACK:
        left = {subject_no: instant for subject_no, instant in late.items() if subject_no not in starts}
        if not left:
            break
        parameters = {
            "subject_nos": list(left),
            "instants": list(left.values()),
            "back": back,
            "silence": timedelta(seconds=silence_s),
        }
        starts |= {row[0]: row[1] for row in connection.execute(_STARTS, parameters)}
    return {subject_no: starts.get(subject_no, BEGINNING) for subject_no in late}


def read_histories(connection: Connection, starts: Mapping[int, int]) -> FixBatch:
    """All fixes of these subjects, each from an instant on (microseconds), that were read and not set aside."""
    statement = sql.SQL(_COPY).format(sql.Literal(list(starts)), sql.Literal(list(starts.values())))
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        content = b"".join(_blocks(copy))
    rows = np.frombuffer(content, dtype=_ROW, offset=_HEADER, count=(len(content) - _HEADER - 2) // _ROW.itemsize)
    names = ("subject_no", "fixed_at", "received_at", "longitude", "latitude", "accuracy_m", "fix_key")
    columns: dict[str, Any] = {
        name: rows[f"v{field}"].astype(rows.dtype[f"v{field}"].newbyteorder("=")) for field, name in enumerate(names)
    }
    return FixBatch(**columns)


def _blocks(copy: Any) -> Iterator[bytes]:
    for block in copy:
        yield bytes(block)


def concatenated(*batches: FixBatch) -> FixBatch:
    """Several batches as one."""
    names = FixBatch.__dataclass_fields__
    return FixBatch(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})
