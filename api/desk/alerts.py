"""Alerts as officers work on them: listed, shown with all that became of them, taken up, closed, opened again.

The connection is one of ``as_account``: PostgreSQL decides what the account sees and may do.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from alerts.alert import Alert, AlertState
from alerts.escalation import plan_steps
from alerts.event import EVENT_OF_CONDITION, EventKind
from alerts.history import Actor, ActorKind
from alerts.life import REOPENINGS, Closing, Reopening, Turned, acknowledge, close, reopen
from alerts.policy import AlertPolicy
from api.errors import NotThereError
from tracking.order import ConditionKind

MOST_SHOWN = 200

EVENT = "coalesce(a.event, CASE a.kind {} END)".format(
    " ".join(f"WHEN '{kind}' THEN '{event}'" for kind, event in EVENT_OF_CONDITION.items())
)
"""The event of an alert; of one made before migration 0020, the event of its condition."""

_TIME_TO_RESCUE_S = (
    "(SELECT greatest(extract(epoch FROM a.settled_at - a.opened_at), 0)::double precision WHERE EXISTS (SELECT FROM"
    " guardian_answer g WHERE g.alert_id = a.alert_id AND g.answer = 'taken_away' AND g.answered_at = a.settled_at))"
)
"""From the event to 已带离, if that answer stands: an officer's closing, or opening again, is no rescue."""

LISTED = (
    f"a.alert_id, s.subject_id, {EVENT} AS event, a.state, a.opened_at, a.last_event_at, a.is_late, a.settled_at,"
    f" a.acknowledged_at, a.closed_at, a.closed_reason, {_TIME_TO_RESCUE_S} AS time_to_rescue_s"
)
"""What the list tells of an alert, and the stream no more."""

_LIST = f"""
SELECT {LISTED} FROM alert a JOIN subject s USING (subject_no)
WHERE (CAST(:state AS text) IS NULL OR a.state = :state) AND (CAST(:event AS text) IS NULL OR {EVENT} = :event)
    AND (CAST(:subject_id AS uuid) IS NULL OR s.subject_id = :subject_id)
    AND (CAST(:before AS timestamptz) IS NULL OR a.opened_at < :before)
ORDER BY a.opened_at DESC, a.alert_id LIMIT :most
"""

_HISTORY = """
SELECT h.entry_no, h.kind, h.at, h.actor_kind, h.actor_id, h.reason_code, h.reason_zh, h.reason_en, h.about,
    r.role AS about_role, h.remark
FROM alert_history h LEFT JOIN recipient r ON r.recipient_id = h.about WHERE h.alert_id = :id ORDER BY h.entry_no
"""

# Four stamps: when it happened, was received, was decided to be told, and arrived.
MESSAGE = """
n.notification_id, n.role, n.channel, n.language, n.step, n.state, n.template, n.decided_at AS fixed_at,
n.known_at AS received_at, n.made_at AS decided_at, n.sent_at, n.delivered_at, n.attempt, n.provider, n.obstacle,
n.last_error, n.successor_id
"""

_MESSAGES = f"SELECT {MESSAGE} FROM notification n WHERE n.alert_id = :id ORDER BY n.step, n.made_at, n.notification_id"
_STEPS = "SELECT kind, planned_at, due_at, done_at, outcome FROM escalation_step WHERE alert_id = :id ORDER BY due_at"
_TASKS = """
SELECT task_id, kind, due_at, opened_at, done_at, reason_zh, reason_en FROM task WHERE alert_id = :id ORDER BY due_at
"""
_ANSWERS = "SELECT answer, answered_at FROM guardian_answer WHERE alert_id = :id ORDER BY answered_at"
_FACTS = """
SELECT v.violation_id, NULL::uuid AS finding_id, v.kind, v.started_at FROM alert_violation JOIN violation v
    USING (violation_id) WHERE alert_id = :id
UNION ALL SELECT NULL, f.finding_id, f.kind, f.started_at FROM alert_finding JOIN finding f USING (finding_id)
    WHERE alert_id = :id ORDER BY started_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are wanted; ``None``: any. ``before``: opened before it, aware, for the next page."""

    state: AlertState | None = None
    event: EventKind | None = None
    subject_id: UUID | None = None
    before: datetime | None = None


def alerts_of_account(
    connection: Connection, wanted: AlertFilter = AlertFilter(), *, most: int = MOST_SHOWN
) -> list[dict[str, Any]]:
    """Alerts of the account's cases, the latest event first."""
    values = {
        "state": None if wanted.state is None else str(wanted.state),
        "event": None if wanted.event is None else str(wanted.event),
        "subject_id": wanted.subject_id, "before": wanted.before, "most": most,
    }  # fmt: skip
    return [dict(row._mapping) for row in connection.execute(text(_LIST), values)]


def alert_shown(connection: Connection, alert_id: UUID) -> dict[str, Any]:
    """One alert: facts, who was told how and when, what is planned, and all that became of it. ``NotThereError``."""
    query = f"SELECT {LISTED}, a.closed_remark FROM alert a JOIN subject s USING (subject_no) WHERE a.alert_id = :id"
    row = connection.execute(text(query), {"id": alert_id}).one_or_none()
    if row is None:
        raise NotThereError

    def rows_of(of_alert: str) -> list[dict[str, Any]]:
        return [dict(found._mapping) for found in connection.execute(text(of_alert), {"id": alert_id})]

    history = rows_of(_HISTORY)
    names = _names_of(connection, [entry["actor_id"] for entry in history if entry["actor_kind"] == "officer"])
    for entry in history:
        entry["actor"] = names.get(entry.pop("actor_id"))
    return {
        **row._mapping, "facts": rows_of(_FACTS), "messages": rows_of(_MESSAGES), "steps": rows_of(_STEPS),
        "tasks": rows_of(_TASKS), "answers": rows_of(_ANSWERS), "history": history,
    }  # fmt: skip


def _names_of(connection: Connection, account_ids: Sequence[UUID]) -> dict[UUID, str]:
    rows = connection.execute(text("SELECT * FROM people_of_alerts(:ids)"), {"ids": sorted(set(account_ids))})
    return {row.account_id: row.display_name for row in rows}


# ---- turns


def acknowledge_alert(connection: Connection, alert_id: UUID, *, by: UUID) -> str:
    """Take it up: nobody further is told. Returns the state. Raises ``IllegalTurnError``, ``NotThereError``."""
    return _turn(connection, alert_id, lambda alert, at: acknowledge(alert, by=_officer(by), at=at))


def close_alert(connection: Connection, alert_id: UUID, *, by: UUID, closing: Closing, remark: str = "") -> str:
    """End the work, with a reason from the list. Returns the state. Raises ``IllegalTurnError``, ``NotThereError``."""
    return _turn(
        connection, alert_id, lambda alert, at: close(alert, by=_officer(by), at=at, closing=closing, remark=remark)
    )


def reopen_alert(
    connection: Connection,
    alert_id: UUID,
    *,
    by: UUID,
    reason: Reopening,
    remark: str = "",
) -> str:
    """Open it again, with its escalation from now. Returns the state. ``IllegalTurnError``, ``NotThereError``."""
    return _turn(
        connection,
        alert_id,
        lambda alert, at: reopen(alert, by=_officer(by), at=at, reason=REOPENINGS[reason], remark=remark),
        policy=AlertPolicy(),
    )


def _officer(account_id: UUID) -> Actor:
    return Actor(kind=ActorKind.OFFICER, actor_id=account_id)


def _turn(
    connection: Connection,
    alert_id: UUID,
    turn: Callable[[Alert, datetime], Turned],
    policy: AlertPolicy | None = None,
) -> str:
    """One turn; of two at once the second finds another state and is refused."""
    row = connection.execute(
        text("SELECT a.*, now() AS at FROM alert a WHERE alert_id = :id"), {"id": alert_id}
    ).one_or_none()
    if row is None or row.closed_reason == "sealed":
        raise NotThereError
    turned = turn(_alert(row), row.at)
    steps = () if policy is None else plan_steps(alert_id, told_at=row.at, policy=policy)
    entry = turned.entry
    values = {
        "alert": {"alert_id": str(alert_id), "state": turned.alert.state},
        "entry": {
            "entry_id": str(entry.entry_id), "reason_code": str(entry.reason.code), "reason_zh": entry.reason.zh,
            "reason_en": entry.reason.en, "remark": entry.remark,
        },
        "steps": [
            {"step_id": str(step.step_id), "kind": step.kind, "planned_at": step.planned_at.isoformat(),
             "due_at": step.due_at.isoformat()}
            for step in steps
        ],
    }  # fmt: skip
    query = (
        "SELECT (turn_alert(jsonb_populate_record(NULL::alert, CAST(:alert AS jsonb)), :seen,"
        " jsonb_populate_record(NULL::alert_history, CAST(:entry AS jsonb)), CAST(:steps AS jsonb))).state"
    )
    written = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    found: str | None = connection.execute(text(query), written | {"seen": row.state}).scalar_one()
    if found is None:
        raise NotThereError
    return found


def _alert(row: Row[Any]) -> Alert:
    return Alert(
        alert_id=row.alert_id,
        subject_no=row.subject_no,
        event=EVENT_OF_CONDITION[ConditionKind(row.kind)] if row.event is None else EventKind(row.event),
        opened_at=row.opened_at,
        last_event_at=row.last_event_at,
        is_late=row.is_late,
        state=AlertState(row.state),
        settled_at=row.settled_at,
    )
