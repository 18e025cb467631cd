"""Proposals to look at guardians' orders (督促监护令): made by a worker from what officers confirmed, each once.

The keys of the tasks follow from the events (``alerts.guardianship``), so that any number of workers may ask at once.
"""

from collections import defaultdict
from datetime import date

from sqlalchemy import Connection, Engine, text

from alerts.decided_store import save_decided
from alerts.event import EVENT_OF_CONDITION, EventKind
from alerts.guardianship import ConfirmedEvent, counts_for_guardians, propose_orders
from alerts.policy import AlertPolicy
from tracking.order import ConditionKind

_CONFIRMED = """
SELECT a.subject_no, s.birth_date, a.alert_id, a.event, a.kind, a.opened_at,
    min(d.decided_at) AS confirmed_at, count(*) OVER (PARTITION BY a.subject_no) AS events
FROM decision d
    JOIN (SELECT alert_id, violation_id, NULL AS finding_id FROM alert_violation
        UNION ALL SELECT alert_id, NULL, finding_id FROM alert_finding) AS f
        ON f.violation_id = d.violation_id OR f.finding_id = d.finding_id
    JOIN alert a USING (alert_id) JOIN open_subject s ON s.subject_no = a.subject_no
WHERE d.outcome = 'confirmed' AND NOT EXISTS (SELECT FROM decision l WHERE l.supersedes = d.decision_id)
GROUP BY a.alert_id, s.subject_no, s.birth_date
"""


def propose_due(engine: Engine, policy: AlertPolicy) -> int:
    """Make the tasks that repeated events of minors give and that are not there yet; returns how many."""
    with engine.begin() as connection:
        birth_dates, confirmed = _confirmed(connection, policy.repeat_count)
        tasks = [
            task
            for subject_no, events in confirmed.items()
            for task in propose_orders(subject_no, birth_date=birth_dates[subject_no], confirmed=events, policy=policy)
        ]
        known = connection.execute(
            text("SELECT task_id FROM task WHERE task_id = ANY(:ids)"), {"ids": [task.task_id for task in tasks]}
        ).scalars()
        made = set(known)
        new = [task for task in tasks if task.task_id not in made]
        save_decided(connection, subject_of={}, tasks=new)
    return len(new)


def _confirmed(connection: Connection, least: int) -> tuple[dict[int, date], dict[int, list[ConfirmedEvent]]]:
    """By subject: the birth date, and the events that stand confirmed, of those who have so many at least."""
    birth_dates: dict[int, date] = {}
    confirmed: dict[int, list[ConfirmedEvent]] = defaultdict(list)
    for row in connection.execute(text(f"SELECT * FROM ({_CONFIRMED}) AS c WHERE events >= :least"), {"least": least}):
        kind = EVENT_OF_CONDITION[ConditionKind(row.kind)] if row.event is None else EventKind(row.event)
        if counts_for_guardians(kind):
            birth_dates[row.subject_no] = row.birth_date
            event = ConfirmedEvent(alert_id=row.alert_id, at=row.opened_at, confirmed_at=row.confirmed_at)
            confirmed[row.subject_no].append(event)
    return birth_dates, confirmed
