"""How a notification ends that does not arrive: together with what comes in its place, in one transaction."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from alerts.alert import Recipient, Role, TaskKind
from alerts.channel import Channel
from alerts.decided_store import load_roster
from alerts.failover import WORDS, Obstacle, Step, Stopped, next_step
from alerts.history import MACHINE, HistoryEntry, HistoryKind
from alerts.history_store import append_history
from alerts.policy import AlertPolicy
from alerts.reason import Because, Reason
from alerts.roster import in_place_of
from alerts.store import OFFICE, recipients_by_duty, recipients_of
from tracking.episode import derived_id
from tracking.order import Subject
from tracking.rules import to_microseconds

_STOPPED = """
SELECT n.*, a.subject_no, s.subject_id, s.alias, s.birth_date, o.subject_no IS NULL AS is_sealed
FROM notification n JOIN alert a USING (alert_id) JOIN subject s USING (subject_no)
    LEFT JOIN open_subject o USING (subject_no)
WHERE n.notification_id = :id FOR UPDATE OF n
"""

_SUCCESSOR = """
INSERT INTO notification (notification_id, alert_id, recipient_id, role, template, text, variables, language,
    event_at, decided_at, known_at, tell_until, channel, step, failover_from, state, sent_at, provider,
    provider_reference)
SELECT :successor, alert_id, :recipient_id, role, template, text, variables, language,
    event_at, decided_at, known_at, tell_until, :channel, step + 1, notification_id, :state, :sent_at, :provider,
    :reference
FROM notification WHERE notification_id = :id
ON CONFLICT (notification_id) DO NOTHING
"""

_TASK = """
INSERT INTO task (task_id, kind, subject_no, due_at, opened_at, alert_id, recipient_id, reason_code, reason_zh,
    reason_en)
VALUES (:successor, :kind, :subject_no, :due_at, :at, :alert_id, :recipient_id, :code, :zh, :en)
ON CONFLICT (task_id) DO NOTHING
"""

_ENDED = """
UPDATE notification SET state = :state, obstacle = :obstacle, last_error = :words, successor_id = :successor,
    counted_at = CASE WHEN unsure_of IS NULL AND sent_at IS NULL THEN NULL ELSE counted_at END
WHERE notification_id = :id
"""


def end_dead(
    connection: Connection, notification_id: UUID, obstacle: Obstacle, detail: str, *, attempt: int, at: datetime,
    policy: AlertPolicy,
) -> UUID | None:  # fmt: skip
    """It will not be sent; returns what comes in its place. Nothing changes if a later attempt is under way."""
    row = connection.execute(text(_STOPPED), {"id": notification_id}).one()
    if row.state != "pending" or row.attempt != attempt:
        return None
    return _end(connection, row, "dead", obstacle, detail, at=at, policy=policy)


def end_failed(
    connection: Connection, notification_id: UUID, detail: str, *, at: datetime, policy: AlertPolicy
) -> UUID | None:
    """The provider took it and reports that it did not arrive; returns what comes in its place."""
    row = connection.execute(text(_STOPPED), {"id": notification_id}).one()
    if row.state not in {"sent", "pending"}:
        return None
    return _end(connection, row, "failed", Obstacle.NOT_DELIVERED, detail, at=at, policy=policy)


def _end(
    connection: Connection,
    row: Row[Any],
    state: str,
    obstacle: Obstacle,
    detail: str,
    *,
    at: datetime,
    policy: AlertPolicy,
) -> UUID | None:
    successor: UUID | None = None
    reason = reason_of(obstacle, detail)
    if not row.is_sealed:
        step = _step_after(connection, row, obstacle, at)
        successor = _put_in_its_place(connection, row, step, reason, at=at, policy=policy)
        entry = _entry(row, reason, step, at)
        append_history(connection, [entry], subject_no=row.subject_no)
    connection.execute(
        text(_ENDED),
        {
            "id": row.notification_id,
            "state": state,
            "obstacle": str(obstacle),
            "words": "sealed" if row.is_sealed else f"{reason.zh} / {reason.en}",
            "successor": successor,
        },
    )
    return successor


def reason_of(obstacle: Obstacle, detail: str) -> Reason:
    """In words, with what the provider said, which names nobody."""
    zh, en = WORDS[obstacle]
    return Reason(code=obstacle, zh=f"{zh}：{detail}" if detail else zh, en=f"{en}: {detail}" if detail else en)


def _step_after(connection: Connection, row: Row[Any], obstacle: Obstacle, at: datetime) -> Step:
    subject = Subject(subject_no=row.subject_no, subject_id=row.subject_id, alias=row.alias, birth_date=row.birth_date)
    tried = connection.execute(
        text("SELECT recipient_id, channel FROM notification WHERE alert_id = :alert_id"), {"alert_id": row.alert_id}
    )
    stopped = Stopped(
        recipient_id=row.recipient_id, role=Role(row.role), obstacle=obstacle, is_minor=subject.is_minor_at(at)
    )
    of_subject = recipients_of(connection, [row.subject_no]).get(row.subject_no, [])
    return next_step(
        stopped,
        recipients=[*of_subject, *_by_duty(connection, row.recipient_id, at)],
        tried={(item.recipient_id, Channel(item.channel)) for item in tried},
    )


def _by_duty(connection: Connection, recipient_id: UUID, at: datetime) -> tuple[Recipient, ...]:
    """Who is told in the place of somebody told by duty; nobody in that of anybody else."""
    person = next((item for item in recipients_by_duty(connection) if item.recipient_id == recipient_id), None)
    return () if person is None else in_place_of(load_roster(connection, since=at, until=at), person, at=at)


def _put_in_its_place(
    connection: Connection, row: Row[Any], step: Step, reason: Reason, *, at: datetime, policy: AlertPolicy
) -> UUID:
    """The key says for whom and how, so that two chains of one alert that come to the same step share it."""
    successor = derived_id(
        "failover", to_microseconds(row.decided_at), str(row.alert_id), str(step.recipient_id), str(step.channel)
    )
    is_task = step.task is not None
    connection.execute(
        text(_SUCCESSOR),
        {
            "id": row.notification_id,
            "successor": successor,
            "recipient_id": step.recipient_id,
            "channel": str(step.channel),
            "state": "sent" if is_task else "pending",
            "sent_at": at if is_task else None,
            "provider": OFFICE if is_task else None,
            "reference": str(successor) if is_task else None,
        },
    )
    if step.task is not None:
        connection.execute(
            text(_TASK),
            {
                "successor": successor,
                "kind": str(step.task),
                "subject_no": row.subject_no,
                "due_at": at + policy.task_within,
                "at": at,
                "alert_id": row.alert_id,
                "recipient_id": step.recipient_id,
                "code": reason.code,
                "zh": reason.zh,
                "en": reason.en,
            },
        )
    return successor


def _entry(row: Row[Any], reason: Reason, step: Step, at: datetime) -> HistoryEntry:
    """Somebody was not told. Where nobody is left to tell, the code is the one by which escalation hurries on."""
    is_hurry = step.task is TaskKind.NOBODY_TO_TELL
    return HistoryEntry(
        entry_id=derived_id("not_told", to_microseconds(at), str(row.notification_id), reason.code),
        alert_id=row.alert_id,
        kind=HistoryKind.NOT_TOLD,
        at=at,
        actor=MACHINE,
        reason=Reason(code=Because.NOT_DELIVERED, zh=reason.zh, en=reason.en) if is_hurry else reason,
        about=row.recipient_id,
    )


def redrive(connection: Connection, notification_id: UUID) -> bool:
    """Put a dead notification back in the outbox, due at once; false if it is not dead or its record is sealed.

    Whoever claims it counts and ages it anew. What came in its place stays: somebody has it already.
    """
    done = connection.execute(
        text(
            "UPDATE notification SET state = 'pending', obstacle = NULL, last_error = NULL, due_at = now()"
            " WHERE notification_id = :id AND state = 'dead' AND channel <> 'voice_task'"
            " AND last_error IS DISTINCT FROM 'sealed' AND alert_id IN (SELECT alert_id FROM alert"
            " JOIN open_subject USING (subject_no) WHERE state <> 'closed')"
        ),
        {"id": notification_id},
    )
    return done.rowcount == 1
