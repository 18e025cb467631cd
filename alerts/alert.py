"""An alert, what it is about, who may be told of it, and what hop 5 decides, as values."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts.channel import Channel
from alerts.event import EVENT_OF_CONDITION, GROUP_OF_EVENT, EventGroup, EventKind
from alerts.reason import Reason
from tracking.episode import Violation
from tracking.order import ConditionKind, Measure, Subject


class AlertState(StrEnum):
    """The life of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Role(StrEnum):
    """Who a recipient is to the subject, or in the office."""

    GUARDIAN = "guardian"
    PROSECUTOR = "prosecutor"
    POLICE = "police"
    GUARANTOR = "guarantor"
    DUTY_OFFICER = "duty_officer"
    LEADER = "leader"


FAMILY_ROLES = frozenset({Role.GUARDIAN, Role.GUARANTOR})
"""Who is told as one close to the person; the others are told as the office."""


class NotificationState(StrEnum):
    """The life of a notification. Only ``DELIVERED`` means that the provider says it arrived."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    DEAD = "dead"


class Block(StrEnum):
    """Why a recipient is told nothing."""

    SUSPECT = "suspect"  # 涉嫌侵害该未成年人，或为同案人
    ABUSER = "abuser"  # 曾经侵害
    NOT_THE_CHILD = "not_the_child"  # 本人答复“不是我的孩子”
    NO_LONGER_NAMED = "no_longer_named"  # 案件不再列明


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One person who may be told about a subject. ``rank`` orders those of a role; a blocked one is never told.

    ``channels``: in order of preference. ``language``: zh or en. ``subject_no``: ``None`` for one who is told by duty.
    """

    recipient_id: UUID
    subject_no: int | None
    role: Role
    rank: int = 1
    is_blocked: bool = False
    language: str = "zh"
    channels: tuple[Channel, ...] = (Channel.SMS,)
    unit: str | None = None
    """The office to which an officer belongs."""
    blocked_for: Block | None = None
    """Why, where it is on record; never said to anybody outside the office."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedContact:
    """A recipient's name and number as the database keeps them: sealed, the number also as a keyed index."""

    name: bytes
    phone: bytes
    phone_index: bytes
    key_id: str
    email: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Work for a person. One event is one alert: what falls close in time in one group shares it."""

    alert_id: UUID
    subject_no: int
    event: EventKind
    """Of its first fact."""
    kind: ConditionKind | None = None
    """The condition of its first fact; ``None`` if that was a finding."""
    opened_at: datetime
    """Event time of its first fact, aware."""
    last_event_at: datetime
    """Event time of its last one that was close to the one before, aware."""
    is_late: bool
    """True while all that is known of it was received too late for anyone to act on: nobody was told."""
    state: AlertState = AlertState.OPEN
    fact_ids: frozenset[UUID] = frozenset()
    """The violations and findings that it holds. Each stays with its alert for good."""
    places: frozenset[str] = frozenset()
    """:attr:`Case.place` of each."""
    is_protected: bool = False
    """It is about protected persons' places, and holds nothing else: officers only."""
    settled_at: datetime | None = None
    """When it was closed, or a guardian said that it is over; what happens later is another event."""

    @property
    def group(self) -> tuple[EventGroup, bool]:
        """Which facts it can hold: who is told of the one would be told of the other."""
        return GROUP_OF_EVENT[self.event], self.is_protected


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is found and is no presence at a zone (table ``finding``). Times are aware, event time but for ``known_at``.

    ``live_at``: from when someone could act on it (``alerts.event.live_at_of_finding``). ``ends``: the finding whose
    end this is; an end opens no alert and tells nobody.
    """

    finding_id: UUID
    subject_no: int
    event: EventKind
    started_at: datetime
    decided_at: datetime
    known_at: datetime
    live_at: datetime | None
    ends: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Jurisdiction:
    """The units in charge of a subject; ``None`` where the case does not say."""

    police: str | None = None
    procuratorate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A violation or a finding, together with what decides who is told of it."""

    fact: Violation | Finding
    subject: Subject
    measure: Measure
    is_protected: bool = False
    """It is about the place of a protected person: officers only."""
    names_guarantor: bool = False
    """The order has a guarantor who must supervise and report (刑诉法 70)."""
    jurisdiction: Jurisdiction = field(default_factory=Jurisdiction)

    @property
    def fact_id(self) -> UUID:
        """Of the violation or the finding."""
        return self.fact.finding_id if isinstance(self.fact, Finding) else self.fact.violation_id

    @property
    def kind(self) -> ConditionKind | None:
        """The condition that was breached; ``None`` for a finding."""
        return None if isinstance(self.fact, Finding) else self.fact.kind

    @property
    def event(self) -> EventKind:
        """What happened."""
        return self.fact.event if isinstance(self.fact, Finding) else EVENT_OF_CONDITION[self.fact.kind]

    @property
    def group(self) -> tuple[EventGroup, bool]:
        """As :attr:`Alert.group`."""
        return GROUP_OF_EVENT[self.event], self.is_protected

    @property
    def place(self) -> str:
        """Where it happened, for the cool-down: the zone; for a finding, which has none, its kind."""
        return str(self.fact.event) if isinstance(self.fact, Finding) else zone_place(self.fact.zone_no)

    @property
    def live_known_at(self) -> datetime:
        """When it became known that someone can act on it, aware; when it became known at all, if nobody can."""
        if isinstance(self.fact, Finding):
            return self.fact.known_at
        return self.fact.live_known_at or self.fact.known_at


def zone_place(zone_no: int) -> str:
    """:attr:`Case.place` of a violation."""
    return f"zone {zone_no}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A violation or a finding belongs to an alert."""

    alert_id: UUID
    fact_id: UUID
    is_finding: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message to one recipient on one channel. Its id is the idempotency key towards the provider.

    The number is the recipient's, which never changes, and is opened only when the message leaves.
    """

    notification_id: UUID
    alert_id: UUID
    recipient_id: UUID
    role: Role
    template: str
    text: str
    decided_at: datetime
    """Event time of the fix that makes it worth sending, aware."""
    known_at: datetime
    """When that fix was received, aware."""
    event_at: datetime | None = None
    """What the text says as the time of the event, aware; ``None``: it is not known, and the text stays as it is."""
    channel: Channel = Channel.SMS
    language: str = "zh"
    variables: tuple[tuple[str, str], ...] = ()
    """Name and value, in the order of the template."""
    step: int = 0
    """How many people and channels were tried before it."""
    tell_until: datetime | None = None
    """From this aware instant on the recipient may not be told: for a guardian the 18th birthday. ``None``: no end."""


class TaskKind(StrEnum):
    """Work that an alert makes for an officer, as in ``task.kind``."""

    VOICE_CALL = "voice_call"  # 电话通知
    NOBODY_TO_TELL = "nobody_to_tell"  # 无人可通知
    ROSTER_GAP = "roster_gap"  # 值班表空缺
    WRONG_RECIPIENT = "wrong_recipient"  # 通知对象答复有误：核对联系人
    LATE_EVIDENCE = "late_evidence"  # 已结警报有迟到的证据
    TEXT_WITHHELD = "text_withheld"  # 消息用词未通过检查：请更正
    GUARDIANSHIP_ORDER = "guardianship_order"  # 是否制发督促监护令


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Work for an officer, with the reason. Its id depends on what it is about only, so that it is made once."""

    task_id: UUID
    kind: TaskKind
    subject_no: int
    alert_id: UUID | None
    due_at: datetime
    reason: Reason
    recipient_id: UUID | None = None
    """Whom to telephone, or whose record to put right."""


class StepKind(StrEnum):
    """What is done about an alert that nobody acknowledges, in this order."""

    NEXT_RECIPIENT = "next_recipient"
    VOICE_TASK = "voice_task"
    DUTY_OFFICER = "duty_officer"
    LEADER = "leader"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """One step of the plan of an alert. ``planned_at``: when the alert was told; both aware."""

    step_id: UUID
    alert_id: UUID
    kind: StepKind
    planned_at: datetime
    due_at: datetime
