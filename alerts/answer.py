"""What a guardian answers by the link, and what each answer does to the alert. Pure (ADR 0025).

An answer is the family's word, and no finding: nobody but an officer closes an alert.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from alerts.alert import Alert, AlertState, Block, Recipient, Role, Task, TaskKind
from alerts.history import Actor, ActorKind, HistoryEntry, HistoryKind
from alerts.life import IllegalTurnError, acknowledge, history_entry
from alerts.reason import Because, Reason, because
from alerts.telling import task_for


class Answer(StrEnum):
    """The buttons of the page."""

    TAKEN_AWAY = "taken_away"  # 已带离
    ON_MY_WAY = "on_my_way"  # 正在赶去
    CANNOT = "cannot"  # 无法处理
    NOT_MY_CHILD = "not_my_child"  # 不是我的孩子


ANSWERS: dict[Answer, Reason] = {
    kind: Reason(code=kind, zh=zh, en=en)
    for kind, zh, en in (
        (Answer.TAKEN_AWAY, "已带离", "taken away"),
        (Answer.ON_MY_WAY, "正在赶去", "on my way"),
        (Answer.CANNOT, "无法处理", "cannot"),
        (Answer.NOT_MY_CHILD, "不是我的孩子", "not my child"),
    )
}
"""Words of each, as on the button."""


OF_FAMILY = frozenset({ActorKind.GUARDIAN, ActorKind.GUARANTOR})
"""Who answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What an answer did. ``block``: the recipient is told nothing from now on, and why."""

    alert: Alert
    history: tuple[HistoryEntry, ...]
    tasks: tuple[Task, ...] = ()
    block: Block | None = None
    time_to_rescue: timedelta | None = None
    """From the event to 已带离."""


def take_answer(alert: Alert, *, answer: Answer, by: Recipient, at: datetime) -> Answered:
    """The alert after an answer at ``at`` (aware). Raises :class:`IllegalTurnError` for a closed one.

    已带离: acknowledged, and what happens later is another event. 正在赶去: the next step waits, once. 无法处理: the
    next step is taken at once. 不是我的孩子: the same, and the recipient is blocked until an officer put the record
    right.
    The same answer of the same person again at another time is another entry and changes nothing more.
    """
    if by.role not in {Role.GUARDIAN, Role.GUARANTOR}:
        raise IllegalTurnError("只有家属以此方式答复。", f"Only the family answers this way, not the {by.role}.")
    if alert.state is AlertState.CLOSED:
        raise IllegalTurnError("此事已处理完毕，如有变化请致电办案单位。", "This is closed: please telephone.")
    actor = Actor(kind=ActorKind(by.role), actor_id=by.recipient_id)
    entry = history_entry(
        alert, HistoryKind.ANSWERED, at=at, actor=actor, reason=ANSWERS[answer], about=by.recipient_id
    )
    if answer is Answer.TAKEN_AWAY:
        return _taken_away(alert, entry, actor, at)
    if answer is Answer.NOT_MY_CHILD:
        reason = because(Because.WRONG_PERSON)
        about = by.recipient_id
        task = task_for(alert, TaskKind.WRONG_RECIPIENT, at=alert.opened_at, reason=reason, about=about, due_at=at)
        return Answered(alert=alert, history=(entry,), tasks=(task,), block=Block.NOT_THE_CHILD)
    return Answered(alert=alert, history=(entry,))


def heard_since(history: Sequence[HistoryEntry], since: datetime) -> frozenset[UUID]:
    """Who of the family answered at ``since`` (aware) or after: they know of it, and are told no more."""
    return frozenset(
        entry.about
        for entry in history
        if entry.kind is HistoryKind.ANSWERED and entry.about is not None and entry.at >= since
    )


def unable_to_help(history: Sequence[HistoryEntry]) -> frozenset[UUID]:
    """Whose last answer is 无法处理, since the alert was opened again by somebody else than the family.

    ``history``: in the order in which it was written.
    """
    last: dict[UUID, str] = {}
    for entry in history:
        if entry.kind is HistoryKind.REOPENED and entry.actor.kind not in OF_FAMILY:
            last = {}
        elif entry.kind is HistoryKind.ANSWERED and entry.about is not None:
            last[entry.about] = entry.reason.code
    return frozenset(recipient_id for recipient_id, code in last.items() if code == Answer.CANNOT)


def _taken_away(alert: Alert, entry: HistoryEntry, actor: Actor, at: datetime) -> Answered:
    history = [entry]
    if alert.state is AlertState.OPEN:
        turned = acknowledge(alert, by=actor, at=at, reason=entry.reason)
        alert = turned.alert
        history.append(turned.entry)
    settled_at = at if alert.settled_at is None else alert.settled_at
    return Answered(
        alert=replace(alert, settled_at=settled_at),
        history=tuple(history),
        time_to_rescue=max(settled_at - alert.opened_at, timedelta(0)),
    )
