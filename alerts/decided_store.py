"""What hop 5 and escalation decided, in PostGIS: written whole in the caller's transaction, read for the next step."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from alerts.alert import EscalationStep, Notification, Recipient, Role, StepKind, Task, TaskKind
from alerts.channel import Channel
from alerts.escalation import HURRIES
from alerts.history import HistoryEntry
from alerts.history_store import append_history
from alerts.passing_on import ANSWER_NOTICES
from alerts.reason import Because, because
from alerts.roster import Away, Duty, Roster
from alerts.store import recipients_by_duty, save_notifications
from geo.postgis import insert_columns
from tracking.episode import derived_id
from tracking.rules import to_microseconds


def save_decided(
    connection: Connection,
    *,
    subject_of: Mapping[UUID, int],
    notifications: Sequence[Notification] = (),
    steps: Sequence[EscalationStep] = (),
    tasks: Sequence[Task] = (),
    history: Sequence[HistoryEntry] = (),
    asked_since: datetime | None = None,
) -> int:
    """Write what follows from alerts that are stored already; returns how many messages are new.

    ``subject_of``: by alert. Everything has a key of its own: written again, nothing changes. Who is telephoned before
    anything else gets a task, and the message stands as the office's. ``asked_since``: a call that was asked for before
    this aware instant, when a later plan was made, does not stand for one that is asked for now.
    """
    sent = save_notifications(connection, notifications)
    save_steps(connection, steps, subject_of)
    _save_tasks(connection, [*tasks, *_calls(notifications, subject_of)], asked_since=asked_since)
    by_subject: dict[int, list[HistoryEntry]] = {}
    for entry in history:
        by_subject.setdefault(subject_of[entry.alert_id], []).append(entry)
    for subject_no, entries in by_subject.items():
        append_history(connection, entries, subject_no=subject_no)
    return sent


def _calls(notifications: Sequence[Notification], subject_of: Mapping[UUID, int]) -> list[Task]:
    return [
        Task(
            task_id=derived_id("task", to_microseconds(item.decided_at), "call", str(item.notification_id)),
            kind=TaskKind.VOICE_CALL,
            subject_no=subject_of[item.alert_id],
            alert_id=item.alert_id,
            due_at=item.known_at,
            reason=because(Because.CALL_BY_TELEPHONE),
            recipient_id=item.recipient_id,
        )
        for item in notifications
        if item.channel is Channel.VOICE_TASK
    ]


def save_steps(connection: Connection, steps: Sequence[EscalationStep], subject_of: Mapping[UUID, int]) -> None:
    insert_columns(
        connection,
        "escalation_step",
        {
            "step_id": ("uuid", [item.step_id for item in steps]),
            "alert_id": ("uuid", [item.alert_id for item in steps]),
            "subject_no": ("bigint", [subject_of[item.alert_id] for item in steps]),
            "kind": ("text", [str(item.kind) for item in steps]),
            "planned_at": ("timestamptz", [item.planned_at for item in steps]),
            "due_at": ("timestamptz", [item.due_at for item in steps]),
        },
        on_conflict="ON CONFLICT (step_id) DO NOTHING",
    )


def _not_asked_yet(connection: Connection, tasks: Sequence[Task], since: datetime | None) -> list[Task]:
    """Without calls that somebody is asked to make already: the outbox asks too, when no message can be sent."""
    calls = {(item.alert_id, item.recipient_id) for item in tasks if item.kind is TaskKind.VOICE_CALL}
    if not calls:
        return list(tasks)
    rows = connection.execute(
        text(
            "SELECT alert_id, recipient_id, task_id FROM task WHERE alert_id = ANY(:alerts) AND kind = 'voice_call'"
            " AND done_at IS NULL AND opened_at >= coalesce(cast(:since AS timestamptz), '-infinity')"
        ),
        {"alerts": [alert_id for alert_id, _ in calls], "since": since},
    )
    asked = {(row.alert_id, row.recipient_id) for row in rows}
    return [
        item
        for item in tasks
        if item.kind is not TaskKind.VOICE_CALL or (item.alert_id, item.recipient_id) not in asked
    ]


def _save_tasks(connection: Connection, wanted: Sequence[Task], *, asked_since: datetime | None) -> None:
    tasks = _not_asked_yet(connection, wanted, asked_since)
    insert_columns(
        connection,
        "task",
        {
            "task_id": ("uuid", [item.task_id for item in tasks]),
            "kind": ("text", [str(item.kind) for item in tasks]),
            "subject_no": ("bigint", [item.subject_no for item in tasks]),
            "due_at": ("timestamptz", [item.due_at for item in tasks]),
            "opened_at": ("timestamptz", [item.due_at for item in tasks]),
            "alert_id": ("uuid", [item.alert_id for item in tasks]),
            "recipient_id": ("uuid", [item.recipient_id for item in tasks]),
            "reason_code": ("text", [str(item.reason.code) for item in tasks]),
            "reason_zh": ("text", [item.reason.zh for item in tasks]),
            "reason_en": ("text", [item.reason.en for item in tasks]),
        },
        on_conflict="ON CONFLICT (task_id) DO NOTHING",
    )


def load_roster(connection: Connection, *, since: datetime, until: datetime) -> Roster:
    """The turns of duty and absences that touch ``since`` ≤ t ≤ ``until`` (aware), and who leads each unit."""
    people = {person.recipient_id: person for person in recipients_by_duty(connection)}
    span = {"since": since, "until": until}
    where = "revoked_at IS NULL AND from_at <= :until AND to_at > :since"
    duties = connection.execute(
        text(f"SELECT unit, from_at, to_at, recipient_ids FROM duty_roster WHERE {where} ORDER BY from_at, roster_id"),
        span,
    )
    away = connection.execute(
        text(f"SELECT recipient_id, from_at, to_at FROM duty_absence WHERE {where} ORDER BY from_at, absence_id"), span
    )
    leaders: dict[str, Recipient] = {}
    for person in people.values():
        if person.role is Role.LEADER and person.unit is not None and not person.is_blocked:
            leaders.setdefault(person.unit, person)
    return Roster(
        duties=tuple(
            Duty(unit=row.unit, from_at=row.from_at, to_at=row.to_at, people=on_turn)
            for row in duties
            if (on_turn := tuple(people[item] for item in row.recipient_ids if item in people))
        ),
        away=tuple(
            Away(recipient=people[row.recipient_id], from_at=row.from_at, to_at=row.to_at)
            for row in away
            if row.recipient_id in people
        ),
        leaders=leaders,
    )


def alerts_to_escalate(connection: Connection, *, now: datetime) -> list[UUID]:
    """Open alerts of which a step may be due by ``now`` (aware): its time came, or somebody could not be told or help;
    and those that an officer opened again, which have no plan yet.
    """
    return list(
        connection.execute(
            text(
                "SELECT s.alert_id FROM escalation_step s JOIN alert a USING (alert_id)"
                " WHERE s.done_at IS NULL AND a.state = 'open' AND (s.due_at <= :now OR EXISTS"
                " (SELECT FROM alert_history h WHERE h.alert_id = s.alert_id AND h.at <= :now"
                " AND h.kind IN ('answered', 'not_told', 'skipped') AND h.reason_code = ANY(:hurries)))"
                " UNION SELECT h.alert_id FROM alert a JOIN alert_history h USING (alert_id)"
                " WHERE a.state = 'open' AND h.kind = 'reopened' AND h.actor_kind = 'officer' AND NOT EXISTS"
                " (SELECT FROM escalation_step s WHERE s.alert_id = h.alert_id AND s.planned_at >= h.at)"
            ),
            {"now": now, "hurries": [str(code) for code in HURRIES]},
        ).scalars()
    )


def alerts_with_answers(connection: Connection, *, now: datetime) -> list[UUID]:
    """Alerts in any state of which the office has not heard by ``now`` (aware) what the family answered."""
    return list(
        connection.execute(
            text(
                "SELECT DISTINCT h.alert_id FROM alert_history h JOIN open_subject USING (subject_no)"
                " JOIN alert a USING (alert_id) WHERE h.kind = 'answered' AND h.reason_code = ANY(:told)"
                " AND h.at <= :now AND a.closed_reason IS DISTINCT FROM 'sealed'"
                " AND NOT EXISTS (SELECT FROM alert_history done WHERE done.alert_id = h.alert_id"
                " AND done.about = h.entry_id)"
            ),
            {"now": now, "told": [str(code) for code in ANSWER_NOTICES]},
        ).scalars()
    )


def steps_of(connection: Connection, alert_id: UUID) -> list[EscalationStep]:
    """The plan of an alert, what was done of it too."""
    rows = connection.execute(
        text("SELECT * FROM escalation_step WHERE alert_id = :alert_id ORDER BY due_at, step_id"),
        {"alert_id": alert_id},
    )
    return [
        EscalationStep(
            step_id=row.step_id,
            alert_id=row.alert_id,
            kind=StepKind(row.kind),
            planned_at=row.planned_at,
            due_at=row.due_at,
        )
        for row in rows
    ]


def mark_done(connection: Connection, step_ids: Collection[UUID], *, outcome: str, at: datetime) -> None:
    """These steps need no second look."""
    connection.execute(
        text(
            "UPDATE escalation_step SET done_at = :at, outcome = :outcome WHERE step_id = ANY(:ids) AND done_at IS NULL"
        ),
        {"at": at, "outcome": outcome, "ids": list(step_ids)},
    )


def told_of(connection: Connection, alert_id: UUID, *, since: datetime) -> frozenset[UUID]:
    """Everybody to whom a message about the alert was made, or a call, for what became known at ``since`` or after.

    ``since``: when the plan was made (aware), which is what its messages carry: those of an earlier plan do not count.
    """
    rows = connection.execute(
        text("SELECT DISTINCT recipient_id FROM notification WHERE alert_id = :alert_id AND known_at >= :since"),
        {"alert_id": alert_id, "since": since},
    )
    return frozenset(rows.scalars())
