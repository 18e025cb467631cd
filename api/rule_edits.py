"""Edited rules: whose fixes were judged by what is no longer in force, and are to be judged again (ADR 0013)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from tracking.presence_rows import to_instant
from tracking.states import PresenceStates

MOST_SUBJECTS = 500
"""Judged again in one batch, beside those who have a fix in it: live fixes wait for it.

Whoever has a fix in the batch cannot wait. What is remembered of them goes by rules that no longer hold, and the next
fix, by those that do, would say that they came or went.
"""

log = structlog.get_logger()

_BOXES = text("""
SELECT array_agg(item_no) AS item_nos, (extract(epoch FROM since) * 1000000)::bigint AS since
FROM reevaluation WHERE shard = ANY(:shards) AND subject_no IS NULL GROUP BY 2, west, south, east, north ORDER BY 1
""")

_SPREAD = text("""
INSERT INTO reevaluation (shard, subject_no, since, reason, created_at)
SELECT r.shard, s.subject_no, r.since, r.reason, r.created_at
FROM reevaluation r JOIN subject s USING (shard)
JOIN unnest(CAST(:subject_nos AS bigint[]), CAST(:from_at AS timestamptz[])) AS p (number, from_at)
    ON p.number = s.subject_no
WHERE r.item_no = ANY(:item_nos)
  AND EXISTS (SELECT FROM fix f WHERE f.subject_no = s.subject_no AND f.fixed_at >= p.from_at
              AND f.longitude BETWEEN r.west AND r.east AND f.latitude BETWEEN r.south AND r.north)
""")

STAYED = timedelta(days=1)
"""So long before the last fix of a stay that is open a fix is looked for that lies near an edited zone."""

_TAKE = text("""
WITH chosen AS MATERIALIZED (
    SELECT subject_no FROM reevaluation WHERE shard = ANY(:shards) AND subject_no = ANY(:in_batch)
    UNION (SELECT DISTINCT subject_no FROM reevaluation
           WHERE shard = ANY(:shards) AND subject_no IS NOT NULL ORDER BY subject_no LIMIT :most)),
taken AS (
    DELETE FROM reevaluation r USING chosen c WHERE r.subject_no = c.subject_no AND r.shard = ANY(:shards)
    RETURNING r.subject_no, r.since)
SELECT subject_no, (extract(epoch FROM min(since)) * 1000000)::bigint FROM taken GROUP BY subject_no
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """``since``: subjects to be judged again, each from an instant on, microseconds. ``has_more``: beside these.

    ``was_waiting``: whether there was anything to take, if only to find that it concerns nobody.
    """

    since: dict[int, int]
    was_waiting: bool
    has_more: bool


def take_due_work(
    connection: Connection, shards: Collection[int], states: PresenceStates, *, in_batch: NDArray[np.int64]
) -> DueWork:
    """Take work of these shards in the caller's transaction, which must be that of their holder.

    ``states``: before the batch in hand, which is judged by the rules as they are now; ``in_batch``: who has a fix in
    it. An edited zone is work for the subjects that had a fix near it since; all of them are looked for first. Subjects
    with no fix evaluated since need nothing, except those whose stay no fix has ended: an edit may have ended it
    meanwhile, at an instant that no fix tells of, and this one may undo that.
    """
    is_waiting = "SELECT EXISTS (SELECT FROM reevaluation WHERE shard = ANY(:shards))"
    parameters = {"shards": sorted(shards)}
    if not connection.execute(text(is_waiting), parameters).scalar_one():
        return DueWork(since={}, was_waiting=False, has_more=False)
    staying = np.unique(states.open_rows["subject_no"])
    boxes = connection.execute(_BOXES, parameters).all()
    for box in boxes:
        near = _looked_for(states, staying, box.since)
        if near:
            connection.execute(
                _SPREAD,
                {"item_nos": box.item_nos, "subject_nos": list(near), "from_at": list(near.values())},
            )
    connection.execute(
        text("DELETE FROM reevaluation WHERE item_no = ANY(:item_nos)"),
        {"item_nos": [item_no for box in boxes for item_no in box.item_nos]},
    )
    asked = parameters | {"most": MOST_SUBJECTS, "in_batch": np.unique(in_batch).tolist()}
    taken = connection.execute(_TAKE, asked).all()
    since = {row[0]: row[1] for row in taken}
    last = states.last_for(np.array(list(since), dtype=np.int64)).tolist()
    stays = set(staying.tolist())
    judged_since = {
        number: min(at, seen)
        for (number, at), seen in zip(since.items(), last, strict=True)
        if seen >= at or number in stays
    }
    left = int(
        connection.execute(
            text("SELECT count(*) FROM reevaluation WHERE shard = ANY(:shards)"), parameters
        ).scalar_one()
    )
    if judged_since or left:
        log.info("rules_edited", subjects_judged_again=len(judged_since), items_left=left)
    return DueWork(since=judged_since, was_waiting=True, has_more=left > 0)


def _looked_for(states: PresenceStates, staying: NDArray[np.int64], since: int) -> dict[int, datetime]:
    """Whom an edit that reaches back to ``since`` (microseconds) may concern, and since when a fix of theirs counts."""
    number, seen = states.subject_rows["subject_no"], states.subject_rows["last_fixed_at"]
    concerned = (seen >= since) | np.isin(number, staying)
    stayed = STAYED // timedelta(microseconds=1)
    from_at = np.where(seen >= since, since, seen - stayed)
    return {
        subject: to_instant(at)
        for subject, at in zip(number[concerned].tolist(), from_at[concerned].tolist(), strict=True)
    }
