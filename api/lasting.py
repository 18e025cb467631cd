"""Stays that go on though a guardian said, or an officer held, that they are over: found as fixes are evaluated."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Connection, text

from alerts.life import SAYS_IT_IS_OVER
from alerts.policy import AlertPolicy
from api.alert_cases import load_violation
from tracking.episode import Violation, joined_id
from tracking.presence import PROBABLE
from tracking.presence_rows import to_instant

_LASTING = """
SELECT v.violation_id, settled.told_at AS live_at, heard.received_at AS live_known_at
FROM unnest(CAST(:subject_nos AS bigint[]), CAST(:episode_ids AS uuid[]), CAST(:last_inside AS timestamptz[]))
        AS e (subject_no, episode_id, last_inside_at)
    JOIN violation v ON v.subject_no = e.subject_no AND v.episode_id = e.episode_id
    JOIN alert_violation USING (violation_id)
    JOIN alert a USING (alert_id)
    CROSS JOIN LATERAL (SELECT greatest(a.settled_at, a.closed_at) + :still_there_after AS told_at) settled
    CROSS JOIN LATERAL (SELECT received_at FROM fix f
        WHERE f.subject_no = e.subject_no AND f.fixed_at > settled.told_at AND f.fixed_at <= e.last_inside_at
            AND f.received_at - f.fixed_at <= :quiet_after
        ORDER BY f.fixed_at, f.fix_key LIMIT 1) heard
WHERE a.settled_at IS NOT NULL AND (a.state <> 'closed' OR a.closed_reason = ANY(:closings))
    AND settled.told_at > :since
    AND NOT EXISTS (SELECT FROM decision d WHERE d.violation_id = v.violation_id AND d.outcome = 'dismissed'
        AND NOT EXISTS (SELECT FROM decision later WHERE later.supersedes = d.decision_id))
ORDER BY v.violation_id
"""
"""What was settled over ``officer_maximum_age`` ago is told to nobody: an old stay judged again opens nothing."""


def find_lasting(
    connection: Connection, presence_rows: NDArray[Any], policy: AlertPolicy, *, now: datetime
) -> list[Violation]:
    """Violations of ``PRESENCE`` ``[k]`` rows that went on for longer than ``still_there_after`` past the settling.

    ``now``: aware. Each is live from that instant (event time), known when the first fix after it was received that
    came in time to act on; so that batches and looks change neither. A stay that has ended since counts too.
    """
    rows = presence_rows[presence_rows["tier"] == PROBABLE]
    if not len(rows):
        return []
    halves = zip(rows["episode_high"].tolist(), rows["episode_low"].tolist(), strict=True)
    found = connection.execute(
        text(_LASTING),
        {
            "subject_nos": rows["subject_no"].tolist(),
            "episode_ids": [joined_id(high, low) for high, low in halves],
            "last_inside": [to_instant(at) for at in rows["last_inside_at"].tolist()],
            "still_there_after": policy.still_there_after,
            "quiet_after": policy.quiet_after,
            "closings": [str(closing) for closing in SAYS_IT_IS_OVER],
            "since": now - policy.officer_maximum_age,
        },
    ).all()
    return [
        replace(violation, live_at=row.live_at, live_known_at=row.live_known_at)
        for row in found
        if (violation := load_violation(connection, row.violation_id)) is not None
    ]
