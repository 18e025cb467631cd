"""A link as the page needs it, and an answer with all that follows from it: through two functions of the database."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from alerts.alert import Alert, AlertState, Recipient, Role
from alerts.answer import Answer
from alerts.correction import Corrected, Earlier, change_answer
from alerts.event import EventKind
from alerts.link import LinkPolicy
from alerts.policy import AlertPolicy
from api.ids import new_id

NOT_FINAL = frozenset({Answer.ON_MY_WAY})
"""Who is on the way answers again on arrival; every other answer ends the link after the time for changing it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """About where it happened: the middle rounded to 0.01°, WGS-84 degrees, so that it is no place's own."""

    longitude: float
    latitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLink:
    """What a good link is about. ``change_until``: aware; ``None`` while no answer has ended the link."""

    link_id: UUID
    alert: Alert
    recipient: Recipient
    alias: str
    earlier: Earlier | None
    change_until: datetime | None
    circle: Circle | None


def hold_link(
    connection: Connection, *, now: datetime, policy: LinkPolicy, token_hash: bytes | None = None, link_id: UUID | None
) -> OpenedLink | None:
    """The link while it is good at ``now`` (aware), held until the transaction ends.

    ``None`` for one that is unknown, over, used, taken back, of a sealed record or of somebody who may not be told: who
    asks cannot tell which.
    """
    row = connection.execute(
        text("SELECT * FROM hold_link(:hash, :link_id, :now, :correct_within, :with_circle)"),
        {
            "hash": token_hash,
            "link_id": link_id,
            "now": now,
            "correct_within": policy.correct_within,
            "with_circle": policy.shows_circle,
        },
    ).one_or_none()
    return None if row is None else _opened(row, policy)


def _opened(row: Row[Any], policy: LinkPolicy) -> OpenedLink:
    earlier = None
    if row.answer is not None:
        earlier = Earlier(
            answer=Answer(row.answer),
            at=row.answered_at,
            is_acknowledging=row.is_by_family and row.acknowledged_at == row.answered_at,
            is_settling=row.settled_at == row.answered_at,
        )
    return OpenedLink(
        link_id=row.link_id,
        alert=Alert(
            alert_id=row.alert_id,
            subject_no=row.subject_no,
            event=EventKind(row.event),
            opened_at=row.opened_at,
            last_event_at=row.last_event_at,
            is_late=row.is_late,
            state=AlertState(row.state),
            settled_at=row.settled_at,
        ),
        recipient=Recipient(recipient_id=row.recipient_id, subject_no=row.subject_no, role=Role(row.role)),
        alias=row.alias,
        earlier=earlier,
        change_until=None if row.final_at is None else row.final_at + policy.correct_within,
        circle=None if row.longitude is None else Circle(longitude=row.longitude, latitude=row.latitude),
    )


def answer(
    connection: Connection, link: OpenedLink, answer: Answer, *, now: datetime, policy: AlertPolicy
) -> Corrected | None:
    """Take an answer at ``now`` (aware); the same as the one that stands changes nothing and is ``None``.

    Raises ``IllegalTurnError`` for a closed alert.
    """
    if link.earlier is not None and link.earlier.answer is answer and link.alert.state is not AlertState.CLOSED:
        return None
    done = change_answer(link.alert, earlier=link.earlier, answer=answer, by=link.recipient, at=now, policy=policy)
    _save(connection, link, answer, done, now)
    return done


def _save(connection: Connection, link: OpenedLink, answer: Answer, done: Corrected, now: datetime) -> None:
    answered = done.answered
    is_taken = connection.execute(
        text(
            "SELECT answer_link(ROW(:answer_id, :link_id, NULL, NULL, :answer, :now)::guardian_answer,"
            " jsonb_populate_record(NULL::alert, :turned), :is_final, :block, :lifts_block, :entries, :tasks, :steps)"
        ),
        {
            "answer_id": new_id(),
            "link_id": link.link_id,
            "answer": str(answer),
            "now": now,
            "turned": json.dumps(
                {
                    "state": str(answered.alert.state),
                    "settled_at": None if (at := answered.alert.settled_at) is None else at.isoformat(),
                }
            ),
            "is_final": answer not in NOT_FINAL,
            "block": None if answered.block is None else str(answered.block),
            "lifts_block": done.lifts_block,
            "entries": _rows(
                {"entry_id": item.entry_id, "kind": item.kind, **_reason(item.reason)} for item in answered.history
            ),
            "tasks": _rows(
                {"task_id": item.task_id, "due_at": item.due_at.isoformat(), **_reason(item.reason)}
                for item in answered.tasks
            ),
            "steps": _rows(
                {"step_id": item.step_id, "kind": item.kind, "due_at": item.due_at.isoformat()} for item in done.steps
            ),
        },
    ).scalar_one()
    assert is_taken, "held since it was judged"


def _reason(reason: Any) -> dict[str, str]:
    return {"reason_code": str(reason.code), "reason_zh": reason.zh, "reason_en": reason.en}


def _rows(items: Any) -> str:
    return json.dumps([{name: str(value) for name, value in item.items()} for item in items], ensure_ascii=False)
