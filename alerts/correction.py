"""A guardian who changes an answer: what the earlier one did is taken back, then the new one is taken. Pure (ADR 0028).

Nothing is deleted: the history holds both answers. What officers did in between stays as it is.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from alerts.alert import Alert, AlertState, EscalationStep, Recipient
from alerts.answer import Answer, Answered, take_answer
from alerts.escalation import plan_steps
from alerts.history import Actor, ActorKind, HistoryKind
from alerts.life import history_entry
from alerts.policy import AlertPolicy
from alerts.reason import Reason

CORRECTED = Reason(code="answer_corrected", zh="家属更正了答复", en="the family corrected its answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """The answer that stands. ``is_acknowledging``, ``is_settling``: the alert is as it is because of it."""

    answer: Answer
    at: datetime
    is_acknowledging: bool = False
    is_settling: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """What a change of answer did. ``steps``: the plan of an alert that nobody has taken on any more."""

    answered: Answered
    lifts_block: bool = False
    steps: tuple[EscalationStep, ...] = ()


def change_answer(
    alert: Alert, *, earlier: Earlier | None, answer: Answer, by: Recipient, at: datetime, policy: AlertPolicy
) -> Corrected:
    """The alert after an answer at ``at`` (aware) in place of ``earlier``. Raises ``IllegalTurnError`` if it is closed.

    From 已带离 to another: nobody has taken the alert on any more, unless an officer did, and the plan starts anew.
    From 不是我的孩子: the recipient is told again; the task for an officer stays.
    """
    if earlier is None or earlier.answer is answer:
        return Corrected(answered=take_answer(alert, answer=answer, by=by, at=at))
    lifts_block = earlier.answer is Answer.NOT_MY_CHILD
    if earlier.answer is not Answer.TAKEN_AWAY or alert.state is AlertState.CLOSED:
        return Corrected(answered=take_answer(alert, answer=answer, by=by, at=at), lifts_block=lifts_block)
    entry = history_entry(
        alert,
        HistoryKind.REOPENED,
        at=at,
        actor=Actor(kind=ActorKind(by.role), actor_id=by.recipient_id),
        reason=CORRECTED,
    )
    if earlier.is_settling:
        alert = replace(alert, settled_at=None)
    if not (earlier.is_acknowledging and alert.state is AlertState.ACKNOWLEDGED):
        return Corrected(answered=take_answer(alert, answer=answer, by=by, at=at))
    answered = take_answer(replace(alert, state=AlertState.OPEN), answer=answer, by=by, at=at)
    return Corrected(
        answered=replace(answered, history=(entry, *answered.history)),
        steps=plan_steps(alert.alert_id, told_at=at, policy=policy),
    )
