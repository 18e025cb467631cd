"""Stretches of the fix log of many subjects at once, as far as each shard's cursor has read."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Connection, text

from api.fix_log import FIX_COLUMNS, WAS_READ
from geo.postgis import read_columns
from tracking.fix import FixBatch
from tracking.presence_rows import to_instant
from tracking.rules import to_microseconds

LOOK_BACK = (timedelta(hours=3), timedelta(days=1), timedelta(days=7))
"""How far back a silence is looked for, step by step; a longer stay without one is read from its beginning."""

BEGINNING = to_microseconds(datetime.min.replace(tzinfo=UTC))
"""Microseconds: before every fix."""

NOT_SET_ASIDE = """NOT EXISTS (SELECT FROM fix_set_aside a WHERE a.subject_no = f.subject_no
                      AND a.fixed_at = f.fixed_at AND a.fix_key = f.fix_key)"""

_STARTS = text(f"""
SELECT w.subject_no, (extract(epoch FROM max(g.fixed_at)) * 1000000)::bigint
FROM unnest(CAST(:subject_nos AS bigint[]), CAST(:instants AS timestamptz[])) AS w (subject_no, late_at)
CROSS JOIN LATERAL (
    SELECT h.fixed_at, h.fixed_at - lag(h.fixed_at) OVER (ORDER BY h.fixed_at) AS gap
    FROM (SELECT f.fixed_at FROM fix f JOIN shard s USING (shard)
          WHERE f.subject_no = w.subject_no AND f.fixed_at BETWEEN w.late_at - :back AND w.late_at AND {WAS_READ}
          UNION ALL SELECT w.late_at) AS h) AS g
WHERE g.gap > :silence
GROUP BY w.subject_no
""")

_NEWEST = text(f"""
SELECT w.subject_no, (extract(epoch FROM n.fixed_at) * 1000000)::bigint
FROM unnest(CAST(:subject_nos AS bigint[])) AS w (subject_no)
CROSS JOIN LATERAL (
    SELECT f.fixed_at FROM fix f JOIN shard s USING (shard)
    WHERE f.subject_no = w.subject_no AND {WAS_READ} AND {NOT_SET_ASIDE}
    ORDER BY f.fixed_at DESC LIMIT 1) AS n
""")

# OFFSET 0: subject by subject, each by the key of the log; never all of the log beside all of the subjects.
_READ = f"""
SELECT n.* FROM unnest(%(subject_nos)s::bigint[], %(starts)s::timestamptz[]) AS w (subject_no, since)
CROSS JOIN LATERAL (
    SELECT {", ".join(f"f.{name}" for name in FIX_COLUMNS)}
    FROM fix f JOIN shard s USING (shard)
    WHERE f.subject_no = w.subject_no AND f.fixed_at >= w.since AND {WAS_READ}
      AND {NOT_SET_ASIDE}
    OFFSET 0) AS n
"""


def stretch_starts(connection: Connection, late: Mapping[int, int], *, silence_s: float) -> dict[int, int]:
    """For each subject the first fix after the last silence at or before an instant; all microseconds.

    A silence ends all presence: evaluation from there on gives what evaluation from the beginning would give.
    ``BEGINNING`` where there is no silence in the last of ``LOOK_BACK``.
    """
    starts: dict[int, int] = {}
    for back in LOOK_BACK:
        left = {subject_no: to_instant(instant) for subject_no, instant in late.items() if subject_no not in starts}
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


def newest_evaluated(connection: Connection, subject_nos: Collection[int]) -> dict[int, int]:
    """The time of the newest fix of each subject that was read and not set aside, microseconds; none of some."""
    return {row[0]: row[1] for row in connection.execute(_NEWEST, {"subject_nos": list(subject_nos)})}


def read_histories(connection: Connection, starts: Mapping[int, int]) -> FixBatch:
    """All fixes of these subjects, each from an instant on (microseconds), that were read and not set aside."""
    asked = {"subject_nos": list(starts), "starts": [to_instant(start) for start in starts.values()]}
    return FixBatch(**read_columns(connection, _READ, asked, FIX_COLUMNS))


def concatenated(*batches: FixBatch) -> FixBatch:
    """Several batches as one."""
    names = FixBatch.__dataclass_fields__
    return FixBatch(**{name: np.concatenate([getattr(batch, name) for batch in batches]) for name in names})
