"""Hop 5: (violations and findings, alerts, recipients, rosters) → alerts, who is told, and what comes next. Pure.

One event is one alert (ADR 0025). Decided in event time, each moment after the ones before it, so that the same facts
in any batches and any order within them give the same alerts; every key depends on what it stands for only.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from alerts.alert import (
    Alert,
    AlertState,
    Attachment,
    Case,
    EscalationStep,
    Finding,
    Notification,
    Recipient,
    Task,
    TaskKind,
)
from alerts.escalation import plan_steps
from alerts.event import EventGroup
from alerts.history import MACHINE, HistoryEntry, HistoryKind
from alerts.life import history_entry, reopen
from alerts.policy import AlertPolicy
from alerts.reason import Because, Reason, because
from alerts.roster import Roster
from alerts.routing import Route, route
from alerts.telling import Telling, task_for, told_entry, untold_entry, worded_for
from alerts.templates import BUILT_IN, Catalogue
from tracking.episode import derived_id
from tracking.rules import to_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What hop 5 decided: alerts opened or carried on, what they hold, who is told, what is done if nobody answers."""

    alerts: tuple[Alert, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    notifications: tuple[Notification, ...] = ()
    steps: tuple[EscalationStep, ...] = ()
    tasks: tuple[Task, ...] = ()
    history: tuple[HistoryEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """A moment at which a fact becomes known, or becomes something that someone can still act on."""

    at: datetime
    is_live: bool
    case: Case


@dataclass(slots=True, kw_only=True)
class _Deciding:
    """What is decided so far; every part by its key, so that a repeat is one."""

    recipients: Mapping[int, Sequence[Recipient]]
    roster: Roster
    policy: AlertPolicy
    catalogue: Catalogue
    with_code: bool
    known: dict[tuple[int, tuple[EventGroup, bool]], dict[UUID, Alert]] = field(default_factory=dict)
    changed: dict[UUID, Alert] = field(default_factory=dict)
    attachments: dict[UUID, Attachment] = field(default_factory=dict)
    notifications: dict[UUID, Notification] = field(default_factory=dict)
    steps: dict[UUID, EscalationStep] = field(default_factory=dict)
    tasks: dict[UUID, Task] = field(default_factory=dict)
    history: dict[UUID, HistoryEntry] = field(default_factory=dict)

    def note(self, alert: Alert, kind: HistoryKind, moment: _Moment, reason: Reason, about: UUID | None = None) -> None:
        """Add an entry, once."""
        entry = history_entry(alert, kind, at=moment.at, actor=MACHINE, reason=reason, about=about)
        self.history.setdefault(entry.entry_id, entry)


def decide(
    *,
    cases: Sequence[Case],
    alerts: Sequence[Alert],
    recipients: Mapping[int, Sequence[Recipient]],
    roster: Roster,
    policy: AlertPolicy,
    catalogue: Catalogue = BUILT_IN,
    with_code: bool = False,
) -> Decision:
    """Group facts into events and say who is told of a new one, and what is done if nobody answers.

    ``alerts``: those of the subjects concerned whose last event is less than the cool-down before the first of
    ``cases``, and those that hold one of them, closed ones too. ``recipients``: by ``subject_no``. ``with_code``: as in
    :class:`alerts.telling.Telling`.

    A fact of an event that has an alert is attached to it and tells nobody again; so is one at the same place within
    the cool-down. One that is known too late tells nobody; a live one of the same event does, because nobody was told
    yet. A closed alert takes what happened before its closing and tells nobody; it is opened again, and told, only if
    what it holds is found to go on after the closing.
    """
    work = _Deciding(recipients=recipients, roster=roster, policy=policy, catalogue=catalogue, with_code=with_code)
    for alert in alerts:
        work.known.setdefault((alert.subject_no, alert.group), {})[alert.alert_id] = alert
    for moment in sorted(_moments(cases), key=_in_order):
        _take(work, moment)
    return Decision(
        alerts=tuple(work.changed.values()),
        attachments=tuple(work.attachments.values()),
        notifications=tuple(work.notifications.values()),
        steps=tuple(work.steps.values()),
        tasks=tuple(work.tasks.values()),
        history=tuple(work.history.values()),
    )


def _moments(cases: Sequence[Case]) -> list[_Moment]:
    moments: list[_Moment] = []
    for case in cases:
        decided_at, live_at = case.fact.decided_at, case.fact.live_at
        if _end_of(case) is not None:
            live_at = None
        moments.append(_Moment(at=decided_at, is_live=live_at == decided_at, case=case))
        if live_at is not None and live_at != decided_at:
            moments.append(_Moment(at=live_at, is_live=True, case=case))
    return moments


def _in_order(moment: _Moment) -> tuple[datetime, bool, str]:
    """An end after the beginning of the same instant."""
    return moment.at, _end_of(moment.case) is not None, str(moment.case.fact_id)


def _end_of(case: Case) -> UUID | None:
    return case.fact.ends if isinstance(case.fact, Finding) else None


def _take(work: _Deciding, moment: _Moment) -> None:
    """One moment, after all that came before it."""
    case = moment.case
    known = work.known.setdefault((case.subject.subject_no, case.group), {})
    same, ends = None, _end_of(case)
    if ends is None:
        same = _alert_of(moment, known.values(), work.policy)
        alert, is_news = (_opened(work, moment), True) if same is None else _carried_on(work, same, moment)
        if is_news and moment.is_live:
            _tell(work, alert, moment)
    else:
        same = next((alert for alert in known.values() if ends in alert.fact_ids), None)
        if same is None:  # what ends has no alert
            return
        alert = _with_end(work, same, moment)
    if alert != same:
        work.changed[alert.alert_id] = alert
    known[alert.alert_id] = alert
    work.attachments.setdefault(
        case.fact_id,
        Attachment(alert_id=alert.alert_id, fact_id=case.fact_id, is_finding=isinstance(case.fact, Finding)),
    )


def _alert_of(moment: _Moment, known: Iterable[Alert], policy: AlertPolicy) -> Alert | None:
    """The alert that holds the fact already; else the oldest one of the same event."""
    alerts = sorted(known, key=lambda alert: (alert.opened_at, str(alert.alert_id)))
    holding = (alert for alert in alerts if moment.case.fact_id in alert.fact_ids)
    same = (alert for alert in alerts if _same_event(alert, moment, policy) is not None)
    return next(holding, None) or next(same, None)


def _same_event(alert: Alert, moment: _Moment, policy: AlertPolicy) -> Because | None:
    """Why a moment belongs to an alert; ``None`` if it does not."""
    if alert.settled_at is not None and moment.at > alert.settled_at:
        return None
    if alert.state is AlertState.CLOSED and alert.settled_at is None:
        return None
    if alert.opened_at - policy.same_event <= moment.at <= alert.last_event_at + policy.same_event:
        return Because.SAME_EVENT
    was_told_of = not alert.is_late and moment.case.place in alert.places
    is_cooling = was_told_of and alert.opened_at <= moment.at < alert.opened_at + policy.cool_down
    return Because.COOLING_DOWN if is_cooling else None


def _opened(work: _Deciding, moment: _Moment) -> Alert:
    case = moment.case
    alert = Alert(
        alert_id=derived_id("alert", to_microseconds(case.fact.decided_at), str(case.fact_id)),
        subject_no=case.subject.subject_no,
        event=case.event,
        kind=case.kind,
        is_protected=case.is_protected,
        opened_at=case.fact.decided_at,
        last_event_at=moment.at,
        is_late=not moment.is_live,
        fact_ids=frozenset({case.fact_id}),
        places=frozenset({case.place}),
    )
    reason = because(Because.NEW_EVENT if moment.is_live else Because.LATE_ONLY)
    work.note(alert, HistoryKind.OPENED, moment, reason, about=case.fact_id)
    return alert


def _carried_on(work: _Deciding, alert: Alert, moment: _Moment) -> tuple[Alert, bool]:
    """The alert with one more moment of its event, and whether that is news to tell. A repeat changes nothing."""
    is_held = moment.case.fact_id in alert.fact_ids
    if alert.state is AlertState.CLOSED:
        if not is_held:
            return _added_to_closed(work, alert, moment), False
        is_over = alert.settled_at is not None and moment.at <= alert.settled_at
        if is_over:
            return alert, False
        turned = reopen(alert, by=MACHINE, at=moment.at, reason=because(Because.STILL_GOING_ON))
        work.history.setdefault(turned.entry.entry_id, turned.entry)
        return replace(_stretched(turned.alert, moment), is_late=False), True
    if not is_held:
        why = _same_event(alert, moment, work.policy) or Because.SAME_EVENT
        reason = because(why, hours=round(work.policy.cool_down.total_seconds() / 3600))
        work.note(alert, HistoryKind.ATTACHED, moment, reason, about=moment.case.fact_id)
    is_news = alert.is_late and moment.is_live
    if is_news:
        work.note(alert, HistoryKind.BECAME_LIVE, moment, because(Because.NOW_LIVE), about=moment.case.fact_id)
    goes_on = is_held and moment.at != moment.case.fact.decided_at
    # Repeats within the cool-down do not draw the event out: another place after them is another event.
    is_close = goes_on or _same_event(alert, moment, work.policy) is Because.SAME_EVENT
    carried = _stretched(alert, moment) if is_close else alert
    return _holding(replace(carried, is_late=alert.is_late and not moment.is_live), moment.case), is_news


def _added_to_closed(work: _Deciding, alert: Alert, moment: _Moment) -> Alert:
    """It happened before the closing and became known after it: kept with the alert, and told to who looks at it."""
    reason = because(Because.HAPPENED_BEFORE_CLOSING)
    work.note(alert, HistoryKind.ATTACHED_AFTER_CLOSING, moment, reason, about=moment.case.fact_id)
    assert alert.settled_at is not None, "a closed alert says when it was closed"
    task = task_for(alert, TaskKind.LATE_EVIDENCE, at=alert.settled_at, reason=reason, due_at=moment.case.fact.known_at)
    work.tasks.setdefault(task.task_id, task)
    return _holding(alert, moment.case)


def _with_end(work: _Deciding, alert: Alert, moment: _Moment) -> Alert:
    if moment.case.fact_id not in alert.fact_ids:
        reason = because(Because.EVENT_OVER)
        work.note(alert, HistoryKind.ATTACHED, moment, reason, about=moment.case.fact_id)
    return replace(alert, fact_ids=alert.fact_ids | {moment.case.fact_id})


def _stretched(alert: Alert, moment: _Moment) -> Alert:
    return replace(alert, last_event_at=max(alert.last_event_at, moment.at))


def _holding(alert: Alert, case: Case) -> Alert:
    return replace(alert, fact_ids=alert.fact_ids | {case.fact_id}, places=alert.places | {case.place})


def _tell(work: _Deciding, alert: Alert, moment: _Moment) -> None:
    """Tell the first of each line; plan what is done if nobody answers; say who is not told, and what is wanting."""
    case = moment.case
    found = route(case, at=moment.at, recipients=work.recipients.get(alert.subject_no, ()), roster=work.roster)
    known_at = case.live_known_at
    for choice in found.at_once:
        telling = Telling(at=known_at, catalogue=work.catalogue, with_code=work.with_code)
        worded = worded_for(alert, case, choice, decided_at=moment.at, known_at=known_at, telling=telling)
        if worded.task is not None:
            work.tasks.setdefault(worded.task.task_id, worded.task)
        told = worded.notification
        if told is not None:
            work.notifications.setdefault(told.notification_id, told)
        entry = (untold_entry if told is None else told_entry)(alert, choice, at=moment.at)
        work.history.setdefault(entry.entry_id, entry)
    for person in found.passed_over:
        work.note(alert, HistoryKind.NOT_TOLD, moment, person.reason, about=person.recipient.recipient_id)
    for later in found.office[1:] + found.family[1:]:
        reason = because(Because.AFTER_FIRST)
        work.note(alert, HistoryKind.NOT_TOLD, moment, reason, about=later.recipient.recipient_id)
    _say_what_is_wanting(work, alert, moment, found)
    if found.queue_only is None:
        for step in plan_steps(alert.alert_id, told_at=known_at, policy=work.policy):
            work.steps.setdefault(step.step_id, step)


def _say_what_is_wanting(work: _Deciding, alert: Alert, moment: _Moment, found: Route) -> None:
    for item in found.wanting:
        task = task_for(alert, item.kind, at=moment.at, reason=item.reason, due_at=moment.case.live_known_at)
        work.tasks.setdefault(task.task_id, task)
        if item.kind is TaskKind.NOBODY_TO_TELL:
            work.note(alert, HistoryKind.NOBODY_TO_TELL, moment, item.reason)
    if found.queue_only is not None:
        work.note(alert, HistoryKind.NOT_TOLD, moment, found.queue_only)
