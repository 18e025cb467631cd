"""A step of escalation carried out: whom it tells, what work it makes, and what the history says of it. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from alerts.alert import (
    FAMILY_ROLES,
    Alert,
    Case,
    EscalationStep,
    Notification,
    Recipient,
    Role,
    StepKind,
    Task,
    TaskKind,
)
from alerts.answer import Answer
from alerts.escalation import Skipped
from alerts.event import EventKind
from alerts.history import MACHINE, HistoryEntry, HistoryKind
from alerts.life import history_entry
from alerts.policy import AlertPolicy
from alerts.reason import Because, Reason, because
from alerts.roster import Roster, leader_of
from alerts.routing import Choice, on_duty_for, route, units_in_order
from alerts.telling import Telling, notification_for, task_for, told_entry, untold_entry, worded_for
from alerts.templates import BUILT_IN, Catalogue, Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTaken:
    """What a step brought about. An entry of it is never missing: taken, or left out with the reason."""

    notifications: tuple[Notification, ...] = ()
    tasks: tuple[Task, ...] = ()
    history: tuple[HistoryEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that a step needs to know. ``case``: the fact that the alert was told by. ``told``: who was told of it.

    ``event_at``: event time at which it was told; ``now``: aware wall clock.
    """

    alert: Alert
    case: Case
    recipients: Sequence[Recipient]
    roster: Roster
    told: Collection[UUID]
    event_at: datetime
    now: datetime
    policy: AlertPolicy
    catalogue: Catalogue = BUILT_IN
    with_code: bool = False
    """As in :class:`alerts.telling.Telling`."""


@dataclass(slots=True, kw_only=True)
class _Doing:
    scene: Scene
    step: EscalationStep
    number: int
    notifications: list[Notification] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    history: list[HistoryEntry] = field(default_factory=list)

    @property
    def minutes(self) -> int:
        """Since the alert was told."""
        return int((self.scene.now - self.step.planned_at).total_seconds() // 60)

    def note(self, kind: HistoryKind, reason: Reason, about: UUID) -> None:
        entry = history_entry(self.scene.alert, kind, at=self.scene.now, actor=MACHINE, reason=reason, about=about)
        self.history.append(entry)

    def tell(self, choice: Choice) -> None:
        """The family what happened; the office that nobody took it on."""
        scene = self.scene
        notice = None if choice.recipient.role in FAMILY_ROLES else "unacknowledged"
        telling = Telling(
            at=scene.now,
            step=self.number,
            notice=notice,
            minutes=self.minutes,
            catalogue=scene.catalogue,
            with_code=scene.with_code,
        )
        worded = worded_for(
            scene.alert,
            scene.case,
            choice,
            decided_at=scene.event_at,
            known_at=self.step.planned_at,
            telling=telling,
        )
        if worded.task is not None:
            self.tasks.append(worded.task)
        if worded.notification is not None:
            self.notifications.append(worded.notification)
        entry = untold_entry if worded.notification is None else told_entry
        self.history.append(entry(scene.alert, choice, at=scene.now))

    def make_task(self, kind: TaskKind, reason: Reason, about: UUID | None = None) -> None:
        scene, at = self.scene, self.step.planned_at
        self.tasks.append(task_for(scene.alert, kind, at=at, reason=reason, about=about, due_at=scene.now))

    def taken(self) -> StepTaken:
        return StepTaken(notifications=tuple(self.notifications), tasks=tuple(self.tasks), history=tuple(self.history))


def take_step(step: EscalationStep, scene: Scene) -> StepTaken:
    """Carry out one step of an alert that nobody acknowledged. The same step again gives the same keys."""
    work = _Doing(scene=scene, step=step, number=list(StepKind).index(step.kind) + 1)
    match step.kind:
        case StepKind.NEXT_RECIPIENT:
            left_out = _tell_next(work)
        case StepKind.VOICE_TASK:
            left_out = _ask_to_telephone(work)
        case StepKind.DUTY_OFFICER:
            left_out = _tell_duty_officer(work)
        case StepKind.LEADER:
            left_out = _tell_leader(work)
    if left_out is None:
        work.note(HistoryKind.ESCALATED, because(Because.NOT_ACKNOWLEDGED, minutes=work.minutes), step.step_id)
    else:
        work.note(HistoryKind.SKIPPED, left_out, step.step_id)
    return work.taken()


def tell_office_of_answer(scene: Scene, answer: Answer) -> StepTaken:
    """The first officer is told that the family cannot help, or that the message went to a wrong person.

    Beside the next step, which an answer of this kind brings about at once (``alerts.escalation.HURRIES``).
    """
    notice = ANSWER_NOTICES.get(answer)
    found = route(scene.case, at=scene.now, recipients=scene.recipients, roster=scene.roster)
    if notice is None or not found.office:
        return StepTaken()
    choice = found.office[0]
    telling = Telling(at=scene.now, notice=notice, catalogue=scene.catalogue)
    message = notification_for(
        scene.alert, scene.case, choice, decided_at=scene.event_at, known_at=scene.now, telling=telling
    )
    return StepTaken(notifications=(message,), history=(told_entry(scene.alert, choice, at=scene.now),))


ANSWER_NOTICES = {Answer.CANNOT: "guardian_cannot", Answer.NOT_MY_CHILD: "guardian_denies"}
"""Answers that the office hears of at once, and by which notice."""


def leave_out(skipped: Skipped, alert: Alert, *, now: datetime) -> HistoryEntry:
    """The entry of a step that is of no use any more."""
    return history_entry(
        alert, HistoryKind.SKIPPED, at=now, actor=MACHINE, reason=skipped.reason, about=skipped.step.step_id
    )


def _tell_next(work: _Doing) -> Reason | None:
    """The next of each line who was not told. The family only as long as it can still do something."""
    scene = work.scene
    found = route(scene.case, at=scene.now, recipients=scene.recipients, roster=scene.roster)
    is_too_old = scene.now - scene.event_at > scene.policy.maximum_age
    for line in (found.office, found.family):
        choice = next((item for item in line if item.recipient.recipient_id not in scene.told), None)
        if choice is None:
            continue
        if is_too_old and choice.recipient.role in FAMILY_ROLES:
            minutes = int(scene.policy.maximum_age.total_seconds() // 60)
            work.note(HistoryKind.NOT_TOLD, because(Because.TOO_OLD, minutes=minutes), choice.recipient.recipient_id)
        else:
            work.tell(choice)
    return None if work.notifications else because(Because.NOBODY_LEFT)


def _ask_to_telephone(work: _Doing) -> Reason | None:
    """A task for a person to telephone the first of the family who may be told, else the first officer."""
    scene = work.scene
    found = route(scene.case, at=scene.now, recipients=scene.recipients, roster=scene.roster)
    choice = next(iter(found.family + found.office), None)
    if choice is None:
        return because(Because.NOBODY_LEFT)
    work.make_task(TaskKind.VOICE_CALL, because(Because.CALL_BY_TELEPHONE), choice.recipient.recipient_id)
    return None


def _tell_duty_officer(work: _Doing) -> Reason | None:
    scene = work.scene
    if scene.case.event is EventKind.CONTACT:
        return because(Because.PROSECUTOR_ONLY)
    duty = on_duty_for(scene.case, scene.roster, at=scene.now)
    if duty.gap is not None:
        work.make_task(TaskKind.ROSTER_GAP, duty.gap)
    reader = Reader.LEADER if duty.recipient is not None and duty.recipient.role is Role.LEADER else Reader.DUTY
    return _tell_by_duty(work, duty.recipient, duty.reason, reader)


def _tell_leader(work: _Doing) -> Reason | None:
    scene = work.scene
    for unit in units_in_order(scene.case):
        leader = leader_of(scene.roster, unit=unit)
        if leader is not None:
            return _tell_by_duty(work, leader, because(Because.LEADER_OF_UNIT, unit=unit), Reader.LEADER)
    return _tell_by_duty(work, None, because(Because.NOBODY_LEFT), Reader.LEADER)


def _tell_by_duty(work: _Doing, person: Recipient | None, reason: Reason, reader: Reader) -> Reason | None:
    """Tell somebody of the office. Nobody there is never silence: it is said, and it is work."""
    if person is None:
        nobody = because(Because.NOBODY_LEFT)
        work.make_task(TaskKind.NOBODY_TO_TELL, nobody)
        work.note(HistoryKind.NOBODY_TO_TELL, nobody, work.step.step_id)
        return nobody
    if person.recipient_id in work.scene.told:
        return because(Because.TOLD_ALREADY)
    work.tell(Choice(recipient=person, reader=reader, reason=reason))
    return None
