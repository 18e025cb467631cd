"""What officers reported becomes alerts: each finding once, in a transaction of its own, by any number of workers."""

from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, Engine, text

from alerts.alert import Task
from api.alerting import Alerting, raise_alerts
from api.clock_edges import NEW_FINDINGS
from api.poison import concerns_all, fault_task, leave_to_people
from tracking.rules import to_microseconds

_LOCK = 0x7265706F7274
"""Of whoever makes these alerts: of two workers one comes first, and the other comes again in seconds."""

_UNTOLD = """
FROM finding f JOIN open_subject USING (subject_no)
WHERE kind = 'minor_with_adult' AND NOT EXISTS (SELECT FROM alert_finding a WHERE a.finding_id = f.finding_id)
"""
_WAITING = f"SELECT finding_id {_UNTOLD} ORDER BY finding_id"
_TAKE = f"INSERT INTO new_finding SELECT finding_id {_UNTOLD} AND finding_id = :finding_id"


def raise_reported(engine: Engine, alerting: Alerting, *, now: datetime) -> int:
    """Alerts of what was reported and has none; returns how many findings were taken.

    One of which no alert can be made is a task from ``now`` on (aware), and the rest go on.
    """
    with engine.connect() as connection:
        waiting = connection.execute(text(_WAITING)).scalars().all()
    count = 0
    for finding_id in waiting:
        try:
            with engine.begin() as connection:
                if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _LOCK}).scalar_one():
                    return count
                connection.execute(text(NEW_FINDINGS))
                if connection.execute(text(_TAKE), {"finding_id": finding_id}).rowcount == 0:
                    continue
                raise_alerts(connection, [], alerting)
            count += 1
        except Exception as error:  # the others must be heard of
            if concerns_all(error):
                raise
            task_of = partial(_task_of, finding_id=finding_id, now=now)
            leave_to_people(engine, task_of, error, event="report_not_told", about=finding_id)
    return count


def _task_of(connection: Connection, finding_id: UUID, *, now: datetime) -> Task | None:
    """One for a report; the alert is made all the same when the fault is mended."""
    found = connection.execute(
        text(f"SELECT f.subject_no, f.decided_at {_UNTOLD} AND finding_id = :finding_id"), {"finding_id": finding_id}
    ).one_or_none()
    if found is None:
        return None
    key = (to_microseconds(found.decided_at), "our_fault", str(finding_id))
    return fault_task(key, subject_no=found.subject_no, now=now)
