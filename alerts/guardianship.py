"""When a prosecutor is asked whether a minor's guardians need an order (督促监护令). Pure.

The law speaks of guardians who do not fulfil their duties (预防未成年人犯罪法 61; 未保法 118). That is a judgement on
people, so that only events count which a named officer confirmed; the machine proposes to look, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from alerts.alert import Task, TaskKind
from alerts.event import EventKind
from alerts.policy import AlertPolicy
from alerts.reason import Because, because
from tracking.age import majority_at
from tracking.episode import derived_id
from tracking.rules import to_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedEvent:
    """An alert of which an officer confirmed a fact: one event, however many places it had. ``at``: event time, aware.

    ``confirmed_at``: when the officer said so.
    """

    alert_id: UUID
    at: datetime
    confirmed_at: datetime


NOT_OF_GUARDIANS = frozenset({EventKind.CONTACT, EventKind.MINOR_WITH_ADULT, EventKind.ORDER_NOT_LIFTED})
"""What guardians are never told of, confirmed or not: harm to the child, whom it met, what the office failed to do."""


def counts_for_guardians(event: EventKind) -> bool:
    """Whether an event says anything about how guardians fulfil their duties."""
    return event not in NOT_OF_GUARDIANS


def propose_orders(
    subject_no: int, *, birth_date: date, confirmed: Sequence[ConfirmedEvent], policy: AlertPolicy
) -> tuple[Task, ...]:
    """The proposals that the events of a minor give, oldest first; the same each time it is asked.

    Each ``repeat_count`` events within ``repeat_within`` give one; an event counts once. A confirmation that is taken
    back is not among ``confirmed`` any more, and takes a proposal with it that was not made yet.
    """
    majority = majority_at(birth_date)
    tasks: list[Task] = []
    run: list[ConfirmedEvent] = []
    for event in sorted({item.alert_id: item for item in confirmed}.values(), key=_in_order):
        if event.at >= majority:
            break
        run = [item for item in run if event.at - item.at <= policy.repeat_within] + [event]
        if len(run) == policy.repeat_count:
            tasks.append(_proposal(subject_no, run, policy))
            run = []
    return tuple(tasks)


def _in_order(event: ConfirmedEvent) -> tuple[datetime, str]:
    return event.at, str(event.alert_id)


def _proposal(subject_no: int, run: Sequence[ConfirmedEvent], policy: AlertPolicy) -> Task:
    last = run[-1]
    return Task(
        task_id=derived_id(
            "task", to_microseconds(last.at), TaskKind.GUARDIANSHIP_ORDER, subject_no, str(last.alert_id)
        ),
        kind=TaskKind.GUARDIANSHIP_ORDER,
        subject_no=subject_no,
        alert_id=last.alert_id,
        due_at=max(item.confirmed_at for item in run),
        reason=because(Because.REPEATED, days=policy.repeat_within.days, count=len(run)),
    )
