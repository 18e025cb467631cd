"""What was found, as it is stored: episodes, and the violations among them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from geo.postgis import copy_rows, driver_connection
from tracking.episode import Ending, Episode, Tier, Violation, joined_id
from tracking.presence import ENDED_BY_EXIT, ENDED_BY_RULE, ENDED_BY_SILENCE, PROBABLE


def _instant(microseconds: str) -> str:
    """The SQL of an instant, from that of its microseconds since 1970; exact, as ``to_timestamp`` is not."""
    return f"timestamptz '1970-01-01 00:00:00+00' + {microseconds} * interval '1 microsecond'"


_EPISODE_COLUMNS = [name for name in Episode.__slots__ if name != "episode_id"]

_STAGE_EPISODES = """
CREATE TEMP TABLE IF NOT EXISTS episode_stage (
    episode_id uuid, subject_no bigint, condition_no bigint, zone_no bigint, started_at bigint, ended_at bigint,
    last_inside_at bigint, possible_at bigint, decided_at bigint, peak double precision, fix_count integer,
    tier smallint, ended_by smallint, is_entry smallint, undecidable smallint,
    is_crossing smallint, undecidable_at bigint
) ON COMMIT DELETE ROWS
"""

_MERGE_EPISODES = f"""
INSERT INTO episode AS e (episode_id, subject_no, condition_no, zone_no, tier, started_at, ended_at, ended_by,
    last_inside_at, possible_at, decided_at, peak_probability, fix_count, is_entry, is_undecidable,
    is_crossing, undecidable_at)
SELECT episode_id, subject_no, condition_no, zone_no,
    CASE tier WHEN {PROBABLE} THEN '{Tier.PROBABLE}' ELSE '{Tier.POSSIBLE}' END,
    {_instant("started_at")}, {_instant("nullif(ended_at, 0)")},
    CASE WHEN ended_at <> 0 THEN CASE ended_by WHEN {ENDED_BY_EXIT} THEN '{Ending.EXIT}'
        WHEN {ENDED_BY_SILENCE} THEN '{Ending.SILENCE}' WHEN {ENDED_BY_RULE} THEN '{Ending.RULE}' END END,
    {_instant("last_inside_at")}, {_instant("possible_at")}, {_instant("nullif(decided_at, 0)")},
    peak, fix_count, is_entry <> 0, undecidable <> 0,
    is_crossing <> 0, {_instant("nullif(undecidable_at, 0)")}
FROM episode_stage
ON CONFLICT (episode_id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _EPISODE_COLUMNS)},
    superseded_at = NULL
WHERE (e.superseded_at, {", ".join(f"e.{name}" for name in _EPISODE_COLUMNS)})
    IS DISTINCT FROM (CAST(NULL AS timestamptz), {", ".join(f"excluded.{name}" for name in _EPISODE_COLUMNS)})
"""


def save_episodes(connection: Connection, presence_rows: NDArray[Any]) -> int:
    """Add the episodes of ``PRESENCE`` rows, or carry known ones on; returns the rows written.

    Zone and condition are those in force when it started. A repeat of the same episode changes nothing and writes
    nothing. No two rows may be of one episode.
    """
    if len(presence_rows) == 0:
        return 0
    rows = presence_rows
    names = ("subject_no", "condition_no", "zone_no", "started_at", "ended_at", "last_inside_at", "possible_at",
             "decided_at", "peak", "fix_count", "tier", "ended_by", "is_entry", "undecidable", "is_crossing",
             "undecidable_at")  # fmt: skip
    columns = {name: rows[name] for name in names}
    columns |= {"condition_no": rows["start_condition_no"], "zone_no": rows["start_zone_no"]}
    driver = driver_connection(connection)
    driver.execute(_STAGE_EPISODES)
    ids = np.stack([rows["episode_high"], rows["episode_low"]], axis=1)
    copy_rows(connection, "episode_stage", {"episode_id": ids} | columns)
    return driver.execute(_MERGE_EPISODES.encode()).rowcount


def supersede_episodes(
    connection: Connection, since: Mapping[int, datetime], *, kept: NDArray[Any], at: datetime
) -> int:
    """Mark episodes of each subject, from an instant on, that a new evaluation no longer finds. None is deleted.

    ``kept``: ``PRESENCE`` rows of what it does find.
    """
    halves = zip(kept["episode_high"].tolist(), kept["episode_low"].tolist(), strict=True)
    kept_ids = [joined_id(high, low) for high, low in halves]
    return connection.execute(
        text(
            "UPDATE episode e SET superseded_at = :at"
            " FROM unnest(CAST(:subject_nos AS bigint[]), CAST(:starts AS timestamptz[])) AS w (subject_no, since)"
            " WHERE e.subject_no = w.subject_no AND e.started_at >= w.since"
            " AND e.superseded_at IS NULL AND NOT e.episode_id = ANY(:kept)"
        ),
        {"subject_nos": list(since), "starts": list(since.values()), "kept": kept_ids, "at": at},
    ).rowcount


_VIOLATION_COLUMNS = {
    "violation_id": "uuid", "episode_id": "uuid", "subject_no": "bigint", "order_no": "bigint",
    "condition_no": "bigint", "zone_no": "bigint", "kind": "text", "started_at": "timestamptz",
    "decided_at": "timestamptz", "known_at": "timestamptz", "probability": "double precision",
    "engine_version": "text", "policy_version": "text",
}  # fmt: skip


def save_violations(connection: Connection, violations: Sequence[Violation]) -> set[UUID]:
    """Add violations; returns the ids of those that were not known before."""
    if not violations:
        return set()
    arrays = ", ".join(f"%s::{kind}[]" for kind in _VIOLATION_COLUMNS.values())
    statement = (
        f"INSERT INTO violation ({', '.join(_VIOLATION_COLUMNS)}) SELECT * FROM unnest({arrays})"
        " ON CONFLICT (violation_id) DO NOTHING RETURNING violation_id"
    )
    values = [[getattr(item, name) for item in violations] for name in _VIOLATION_COLUMNS]
    return {row[0] for row in driver_connection(connection).execute(statement.encode(), values)}
