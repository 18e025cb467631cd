"""What is done about an alert that nobody acknowledges: next recipient, a call, the duty officer, the leader. Pure.

The plan and the history say what is due; nothing else is remembered. So any number of workers, any restart and any
clock that stood still come to the same steps, each under a key of its own, and each is done or recorded as left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from alerts.alert import Alert, AlertState, EscalationStep, StepKind
from alerts.answer import Answer
from alerts.history import HistoryEntry, HistoryKind
from alerts.policy import AlertPolicy
from alerts.reason import Because, Reason, because
from tracking.episode import derived_id
from tracking.rules import to_microseconds

HURRIES = frozenset(
    {Answer.CANNOT, Answer.NOT_MY_CHILD, Because.NOT_DELIVERED, Because.NOBODY_LEFT, Because.TOLD_ALREADY}
)
"""Codes of entries after which the next step is taken at once: somebody cannot help, or was not reached at all."""

WAITS = frozenset({Answer.ON_MY_WAY})
"""Codes of answers that put the next step off, once: somebody is on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A step that is left out, and why; recorded like one that is taken."""

    step: EscalationStep
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done now, in order; what is left out; when to look again, aware (``None``: nothing is left)."""

    steps: tuple[EscalationStep, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    next_at: datetime | None = None


def delays(policy: AlertPolicy) -> Mapping[StepKind, timedelta]:
    """How long after the alert was told each step is taken, in their order. Raises ValueError if that is none."""
    found = {
        StepKind.NEXT_RECIPIENT: policy.acknowledge_within,
        StepKind.VOICE_TASK: policy.voice_task_after,
        StepKind.DUTY_OFFICER: policy.duty_officer_after,
        StepKind.LEADER: policy.leader_after,
    }
    if list(found.values()) != sorted(found.values()) or policy.acknowledge_within <= timedelta(0):
        raise ValueError(f"升级时限须依次递增 the times of escalation must increase: {list(found.values())}")
    return found


def plan_steps(alert_id: UUID, *, told_at: datetime, policy: AlertPolicy) -> tuple[EscalationStep, ...]:
    """The steps of an alert told at ``told_at`` (aware: when what is told became known). Told again, planned again."""
    return tuple(
        EscalationStep(
            step_id=derived_id("escalation", to_microseconds(told_at), str(alert_id), kind),
            alert_id=alert_id,
            kind=kind,
            planned_at=told_at,
            due_at=told_at + delay,
        )
        for kind, delay in delays(policy).items()
    )


def due_steps(
    alert: Alert,
    *,
    steps: Sequence[EscalationStep],
    history: Sequence[HistoryEntry],
    now: datetime,
    policy: AlertPolicy,
) -> Due:
    """What of the plan is to be done by ``now`` (aware wall clock), after all that ``history`` says.

    ``history``: the entries of the alert in any order. Acknowledged or closed, nothing is due. When nobody looked in
    time, what is still of use is done and the rest is left out: a call is of no use once ``step_useful_for`` is over;
    officers are told however late, because the work does not end with the event.
    """
    if alert.state is not AlertState.OPEN:
        return Due()
    waiting = _waiting(steps, history, policy)
    due = [(at, step) for at, step in waiting if at <= now]
    skipped = tuple(
        Skipped(step=step, reason=because(Because.STEP_MISSED, minutes=_minutes(now - at)))
        for at, step in due
        if step.kind is StepKind.VOICE_TASK and now - at > policy.step_useful_for
    )
    left_out = {item.step.step_id for item in skipped}
    return Due(
        steps=tuple(step for _, step in due if step.step_id not in left_out),
        skipped=skipped,
        next_at=min((at for at, _ in waiting if at > now), default=None),
    )


def _waiting(
    steps: Sequence[EscalationStep], history: Sequence[HistoryEntry], policy: AlertPolicy
) -> list[tuple[datetime, EscalationStep]]:
    """The steps that are not done, left out or called off, with the instants that answers moved them to."""
    planned = sorted(steps, key=lambda step: (step.due_at, _ORDER.index(step.kind)))
    place = {step.step_id: number for number, step in enumerate(planned)}
    waiting = [(step.due_at, step) for step in planned]
    has_waited = False

    def in_turn(entry: HistoryEntry) -> tuple[datetime, int, str]:
        """Of one instant: what brought steps about, then these in their order, as they were taken."""
        return entry.at, -1 if entry.about is None else place.get(entry.about, -1), str(entry.entry_id)

    for entry in sorted(history, key=in_turn):
        if entry.kind in {HistoryKind.ACKNOWLEDGED, HistoryKind.CLOSED}:
            waiting = [(at, step) for at, step in waiting if step.planned_at > entry.at]
        elif entry.kind in {HistoryKind.ESCALATED, HistoryKind.SKIPPED}:
            waiting = [(at, step) for at, step in waiting if step.step_id != entry.about]
        if entry.kind in _MOVES and entry.reason.code in HURRIES:
            waiting = _moved(waiting, by=entry.at, to=entry.at, is_earlier=True)
        elif entry.kind in _MOVES and entry.reason.code in WAITS and not has_waited:
            has_waited = True
            waiting = _moved(waiting, by=entry.at, to=entry.at + policy.on_the_way_for, is_earlier=False)
    return waiting


_ORDER = list(StepKind)
_MOVES = frozenset({HistoryKind.ANSWERED, HistoryKind.NOT_TOLD, HistoryKind.SKIPPED})


def _moved(
    waiting: list[tuple[datetime, EscalationStep]], *, by: datetime, to: datetime, is_earlier: bool
) -> list[tuple[datetime, EscalationStep]]:
    """Those planned ``by`` then moved so that the first is due at ``to``, if that is earlier, or later, than it was.

    What happened before an alert was opened again says nothing about the plan made then.
    """
    first = next((at for at, step in waiting if step.planned_at <= by), None)
    if first is None or (first <= to if is_earlier else first >= to):
        return waiting
    moved = [(at + (to - first), step) if step.planned_at <= by else (at, step) for at, step in waiting]
    return sorted(moved, key=lambda item: item[0])


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds() // 60)
