"""From "this person is told" to the message, the entries of the history and the work that follows. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from alerts.alert import Alert, Case, Notification, Task, TaskKind
from alerts.history import MACHINE, HistoryEntry, HistoryKind
from alerts.life import history_entry
from alerts.link import NO_CODE
from alerts.reason import Because, Reason, because
from alerts.routing import Choice
from alerts.templates import BUILT_IN, Catalogue, Reader
from alerts.texts import NoTemplateError, Rendered, TextRefusedError, notice_for, render, template_for
from tracking.episode import derived_id
from tracking.rules import to_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How an alert is told: at which step (0: at once) and when (aware), and by which notice.

    ``notice``: of ``alerts.texts.notice_for``; ``None``: what happened. ``minutes``: without an acknowledgement.
    """

    at: datetime
    step: int = 0
    notice: str | None = None
    minutes: int | None = None
    catalogue: Catalogue = BUILT_IN
    with_code: bool = False
    """Whether a guardian's text ends with the code of the answer page: the office has opened it to guardians."""

    @property
    def key(self) -> str:
        """Part of the key of the message."""
        return f"{self.step} {self.notice or ''}"


def notification_for(
    alert: Alert, case: Case, choice: Choice, *, decided_at: datetime, known_at: datetime, telling: Telling
) -> Notification:
    """The message to one person. Its key is that of alert, person, step and moment: decided again, it is the same one.

    ``decided_at``: event time of what makes it worth sending; ``known_at``: when that was received; both aware.
    """
    event_at = case.fact.started_at
    said = _said(alert, case, choice, telling, at=event_at)
    return _notification(
        alert, said, choice, event_at=event_at, decided_at=decided_at, known_at=known_at, telling=telling
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """A message, or none if no text at all may be said; and the work that its text makes."""

    notification: Notification | None
    task: Task | None = None


NEUTRAL_NOTICES = {
    Reader.GUARDIAN: "reminder",
    Reader.OFFICER: "unacknowledged",
    Reader.DUTY: "unacknowledged",
    Reader.LEADER: "unacknowledged",
}
"""What is said if what happened cannot be: that there is something to look after. A guarantor has none."""


def worded_for(
    alert: Alert, case: Case, choice: Choice, *, decided_at: datetime, known_at: datetime, telling: Telling
) -> Worded:
    """As :func:`notification_for`; a text that is refused or lacking is replaced by a neutral one, and is work."""
    told, rules = None, list[str]()
    neutral = replace(telling, notice=NEUTRAL_NOTICES.get(choice.reader, ""), minutes=telling.minutes or 0)
    for event_at, now in ((case.fact.started_at, telling), (decided_at, neutral)):
        try:
            said = _said(alert, case, choice, now, at=event_at)
        except TextRefusedError as error:
            rules += [str(item.rule) for item in error.problems]
        except NoTemplateError:
            rules.append("template")
        else:
            rules += [str(item.rule) for item in said.withheld]
            told = _notification(
                alert, said, choice, event_at=event_at, decided_at=decided_at, known_at=known_at, telling=telling
            )
            break
    if not rules:
        return Worded(notification=told)
    reason = because(Because.TEXT_WITHHELD, rules="、".join(sorted(set(rules))))
    task = task_for(alert, TaskKind.TEXT_WITHHELD, at=alert.opened_at, reason=reason, due_at=telling.at)
    return Worded(notification=told, task=task)


def untold_entry(alert: Alert, choice: Choice, *, at: datetime) -> HistoryEntry:
    """No text may be said to this person: the next step is taken at once."""
    return history_entry(
        alert,
        HistoryKind.NOT_TOLD,
        at=at,
        actor=MACHINE,
        reason=because(Because.NOT_DELIVERED, why="用词未通过检查 no text may be said"),
        about=choice.recipient.recipient_id,
    )


def _said(alert: Alert, case: Case, choice: Choice, telling: Telling, *, at: datetime) -> Rendered:
    """``at``: what is told as the time of the event. The code is put in as it leaves."""
    catalogue, with_code = telling.catalogue, telling.with_code and choice.reader is Reader.GUARDIAN
    if telling.notice is None:
        template = template_for(choice.reader, case.event, with_code=with_code, catalogue=catalogue)
    else:
        template = notice_for(choice.reader, telling.notice, with_code=with_code, catalogue=catalogue)
    return render(
        template,
        language=choice.recipient.language,
        name=case.subject.alias,
        at=at,
        now=telling.at,
        reference=short_reference(alert),
        code=NO_CODE if with_code else "",
        minutes=telling.minutes,
        catalogue=catalogue,
    )


def _notification(
    alert: Alert,
    said: Rendered,
    choice: Choice,
    *,
    event_at: datetime,
    decided_at: datetime,
    known_at: datetime,
    telling: Telling,
) -> Notification:
    recipient = choice.recipient
    return Notification(
        notification_id=derived_id(
            "notification", to_microseconds(decided_at), str(alert.alert_id), str(recipient.recipient_id), telling.key
        ),
        alert_id=alert.alert_id,
        recipient_id=recipient.recipient_id,
        role=recipient.role,
        template=said.template,
        text=said.text,
        event_at=event_at,
        decided_at=decided_at,
        known_at=known_at,
        channel=recipient.channels[0],
        language=said.language,
        variables=said.variables,
        step=telling.step,
        tell_until=choice.tell_until,
    )


def told_entry(alert: Alert, choice: Choice, *, at: datetime) -> HistoryEntry:
    """This person is told, and why."""
    return history_entry(
        alert, HistoryKind.TOLD, at=at, actor=MACHINE, reason=choice.reason, about=choice.recipient.recipient_id
    )


def task_for(
    alert: Alert, kind: TaskKind, *, at: datetime, reason: Reason, about: UUID | None = None, due_at: datetime
) -> Task:
    """Work for an officer, once for an alert, a kind, an instant and what it is about."""
    return Task(
        task_id=derived_id("task", to_microseconds(at), kind, str(alert.alert_id), str(about)),
        kind=kind,
        subject_no=alert.subject_no,
        alert_id=alert.alert_id,
        due_at=due_at,
        reason=reason,
        recipient_id=about,
    )


def short_reference(alert: Alert) -> str:
    """Eight characters by which an officer finds the alert."""
    return alert.alert_id.hex[-8:].upper()
