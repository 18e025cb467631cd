"""Proposals to look at guardians' orders (督促监护令): made by a worker from what officers confirmed, each once.

The keys of the tasks follow from the events (``alerts.guardianship``); events of a task that is there count no more.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, Engine, text

from alerts.decided_store import save_decided
from alerts.event import EVENT_OF_CONDITION, EventKind
from alerts.guardianship import ConfirmedEvent, Proposal, counts_for_guardians, propose_orders
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


_LOCK = 0x48554C47  # "HULG"


def propose_due(engine: Engine, policy: AlertPolicy) -> int:
    """Make the tasks that repeated events of minors give beside those that are there; returns how many.

    One worker looks at a time: what another counts at this moment is not counted a second time.
    """
    with engine.begin() as connection:
        if not connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar_one():
            return 0
        birth_dates, confirmed = _confirmed(connection, policy.repeat_count)
        made = _made(connection, list(confirmed))
        tasks = [
            task
            for subject_no, events in confirmed.items()
            for task in propose_orders(
                subject_no,
                birth_date=birth_dates[subject_no],
                confirmed=events,
                made=made.get(subject_no, ()),
                policy=policy,
            )
        ]
        save_decided(connection, subject_of={}, tasks=tasks)
    return len(tasks)


def _made(connection: Connection, subject_nos: Sequence[int]) -> dict[int, list[Proposal]]:
    """By subject, those that were made, done or not."""
    found: dict[int, list[Proposal]] = defaultdict(list)
    rows = connection.execute(
        text(
            "SELECT t.subject_no, t.alert_id, a.opened_at AS at, t.opened_at AS proposed_at"
            " FROM task t JOIN alert a USING (alert_id)"
            " WHERE t.kind = 'guardianship_order' AND t.subject_no = ANY(:subject_nos)"
        ),
        {"subject_nos": list(subject_nos)},
    )
    for row in rows:
        found[row.subject_no].append(Proposal(alert_id=row.alert_id, at=row.at, proposed_at=row.proposed_at))
    return found


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
