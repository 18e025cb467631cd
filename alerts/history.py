"""What happened to an alert, by whom, when and why: entries that are only ever added."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts.reason import Reason


class ActorKind(StrEnum):
    """Who did something to an alert."""

    MACHINE = "machine"
    OFFICER = "officer"
    GUARDIAN = "guardian"
    GUARANTOR = "guarantor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did something. ``actor_id``: the account of an officer, the recipient of a family; ``None``: the machine."""

    kind: ActorKind
    actor_id: UUID | None = None

    def __post_init__(self) -> None:
        if (self.kind is ActorKind.MACHINE) != (self.actor_id is None):
            raise ValueError(
                f"{self.kind}：系统没有编号，其他人必须有 the machine has no id, and everybody else has one"
            )


MACHINE = Actor(kind=ActorKind.MACHINE)


class HistoryKind(StrEnum):
    """What can happen to an alert."""

    OPENED = "opened"
    ATTACHED = "attached"  # 并入同一事件
    ATTACHED_AFTER_CLOSING = "attached_after_closing"  # 结案后才知道的同一事件
    BECAME_LIVE = "became_live"  # 此前只有迟到的证据，现在仍可处置
    TOLD = "told"
    NOT_TOLD = "not_told"  # 某人不予通知
    NOBODY_TO_TELL = "nobody_to_tell"
    ANSWERED = "answered"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"
    REOPENED = "reopened"
    ESCALATED = "escalated"
    SKIPPED = "skipped"  # 升级步骤未执行


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """What happened to an alert: never changed, never deleted.

    ``at``: aware. ``about``: the fact, recipient or step that it concerns.
    """

    entry_id: UUID
    alert_id: UUID
    kind: HistoryKind
    at: datetime
    actor: Actor
    reason: Reason
    about: UUID | None = None
    remark: str = ""
