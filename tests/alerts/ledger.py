"""What the database would hold after calls of hop 5, for tests of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from alerts.alert import (
    Alert,
    Case,
    EscalationStep,
    Finding,
    Notification,
    Recipient,
    Role,
    Task,
)
from alerts.answer import Answer, take_answer
from alerts.decide import Decision, decide
from alerts.history import Actor, ActorKind, HistoryEntry, HistoryKind
from alerts.life import Closing, close
from alerts.roster import Roster
from tests.alerts.make_alerts import (
    GUARDIAN,
    POLICY,
    PROSECUTOR,
    after,
)
from tests.make import EVENING

OFFICER = Actor(kind=ActorKind.OFFICER, actor_id=UUID(int=99))


@dataclass(kw_only=True)
class Ledger:
    """What the database would hold after some calls: rows by their keys, a row that is there already stays."""

    recipients: Sequence[Recipient] = (GUARDIAN, PROSECUTOR)
    roster: Roster = field(default_factory=Roster)
    alerts: dict[UUID, Alert] = field(default_factory=dict)
    attached: dict[UUID, UUID] = field(default_factory=dict)
    notifications: dict[UUID, Notification] = field(default_factory=dict)
    steps: dict[UUID, EscalationStep] = field(default_factory=dict)
    tasks: dict[UUID, Task] = field(default_factory=dict)
    history: dict[UUID, HistoryEntry] = field(default_factory=dict)

    def call(self, *cases: Case, lasting: Sequence[Case] = ()) -> Decision:
        since = min((case.fact.decided_at for case in cases), default=EVENING) - POLICY.cool_down
        ids = {case.fact_id for case in (*cases, *lasting)} | {
            ends for case in cases if (ends := ends_of(case)) is not None
        }
        decision = decide(
            cases=cases,
            alerts=[item for item in self.alerts.values() if item.last_event_at >= since or item.fact_ids & ids],
            recipients=dict.fromkeys(range(1, 5), self.recipients),
            roster=self.roster,
            policy=POLICY,
            lasting=lasting,
        )
        self.alerts |= {alert.alert_id: alert for alert in decision.alerts}
        for item in decision.attachments:
            assert self.attached.setdefault(item.fact_id, item.alert_id) == item.alert_id, "a fact moved"
        for told in decision.notifications:
            self.notifications.setdefault(told.notification_id, told)
        for step in decision.steps:
            self.steps.setdefault(step.step_id, step)
        for task in decision.tasks:
            self.tasks.setdefault(task.task_id, task)
        for entry in decision.history:
            self.history.setdefault(entry.entry_id, entry)
        return decision

    def told(self) -> list[Role]:
        return sorted(item.role for item in self.notifications.values())

    def only_alert(self) -> Alert:
        (alert,) = self.alerts.values()
        return alert

    def close(self, minutes: float) -> None:
        """An officer closes every alert, so many minutes into the evening."""
        for alert in list(self.alerts.values()):
            turned = close(alert, by=OFFICER, at=after(minutes), closing=Closing.FALSE_ALARM)
            self.alerts[alert.alert_id] = turned.alert
            self.history[turned.entry.entry_id] = turned.entry

    def take_away(self, minutes: float) -> None:
        """A guardian says of the only alert that it is over."""
        answered = take_answer(self.only_alert(), answer=Answer.TAKEN_AWAY, by=GUARDIAN, at=after(minutes))
        self.alerts[answered.alert.alert_id] = answered.alert
        self.history |= {entry.entry_id: entry for entry in answered.history}

    def happened(self, kind: HistoryKind) -> list[str]:
        """The reasons of the entries of a kind."""
        return [entry.reason.code for entry in self.history.values() if entry.kind is kind]


def ends_of(case: Case) -> UUID | None:
    return case.fact.ends if isinstance(case.fact, Finding) else None
