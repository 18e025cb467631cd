"""Who is told next, and how, when a message cannot reach somebody: provider, channel, person, or a task. Pure.

The last step is always there: work for a human who telephones, or who looks after it where nobody may be told.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from alerts.alert import FAMILY_ROLES, Recipient, Role, TaskKind
from alerts.channel import Channel


class Obstacle(StrEnum):
    """Why a notification does not go the way that it was meant to."""

    BUDGET = "budget"
    TOO_OLD = "too_old"
    LATE = "late"
    REFUSED = "refused"
    NOT_DELIVERED = "not_delivered"
    NO_PROVIDER = "no_provider"
    NO_ADDRESS = "no_address"
    UNREADABLE = "unreadable"
    BLOCKED = "blocked"
    ADULT = "adult"
    BROKEN = "broken"


WORDS: dict[Obstacle, tuple[str, str]] = {
    Obstacle.BUDGET: ("该号码今日短信已达上限", "this number has had as many messages as it may have"),
    Obstacle.TOO_OLD: ("事件已过去太久，短信已无用处", "the event is over: a message would be of no use"),
    Obstacle.LATE: ("事后才收到定位，不打扰", "known too late: nobody outside the office is disturbed"),
    Obstacle.REFUSED: ("服务商拒收", "the provider refused it for good"),
    Obstacle.NOT_DELIVERED: ("服务商回执：未送达", "the provider reports that it did not arrive"),
    Obstacle.NO_PROVIDER: ("该渠道没有服务商", "no provider is set for this channel"),
    Obstacle.NO_ADDRESS: ("没有该渠道的地址", "the recipient has no address for this channel"),
    Obstacle.UNREADABLE: (
        "联系方式无法解密，请从备份恢复该行",
        "the recipient's number cannot be opened: restore the row from a backup",
    ),
    Obstacle.BLOCKED: ("该联系人已停用", "the recipient is blocked"),
    Obstacle.BROKEN: (
        "程序出错，消息无法发出，请告知运维",
        "a fault of the program: it cannot be sent; tell the operators",
    ),
    Obstacle.ADULT: ("当事人已满十八周岁，不再通知监护人", "the subject is of age: guardians are told no more"),
}
"""What officers read: Chinese, English."""

_NOT_BY_MESSAGE = frozenset({Obstacle.TOO_OLD, Obstacle.LATE, Obstacle.ADULT})
"""What is true of every message about this event, whoever it is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What comes next. ``task``: for a channel without a gateway, what the human has to do."""

    recipient_id: UUID
    channel: Channel
    task: TaskKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The notification that goes no further. ``is_minor``: the subject, at the instant of deciding."""

    recipient_id: UUID
    role: Role
    obstacle: Obstacle
    is_minor: bool


def next_step(stopped: Stopped, *, recipients: Sequence[Recipient], tried: Collection[tuple[UUID, Channel]]) -> Step:
    """The same person on their next channel; then the next person of the same role; then a task for a human.

    ``recipients``: of the subject. ``tried``: every recipient and channel of the alert's notifications, the stopped one
    too: nobody is tried twice by one channel, so that every chain ends.
    """
    allowed = [person for person in _in_order(recipients, stopped.role) if _may_be_told(person, stopped)]
    if stopped.obstacle not in _NOT_BY_MESSAGE:
        told = {recipient_id for recipient_id, _ in tried}
        own = [person for person in allowed if person.recipient_id == stopped.recipient_id]
        for person in (*own, *(person for person in allowed if person.recipient_id not in told)):
            for channel in person.channels:
                if (person.recipient_id, channel) not in tried:
                    return _by(channel, person.recipient_id)
    if allowed and stopped.role in FAMILY_ROLES and stopped.obstacle is not Obstacle.LATE:
        return Step(recipient_id=allowed[0].recipient_id, channel=Channel.VOICE_TASK, task=TaskKind.VOICE_CALL)
    return Step(recipient_id=stopped.recipient_id, channel=Channel.VOICE_TASK, task=TaskKind.NOBODY_TO_TELL)


def _by(channel: Channel, recipient_id: UUID) -> Step:
    task = TaskKind.VOICE_CALL if channel is Channel.VOICE_TASK else None
    return Step(recipient_id=recipient_id, channel=channel, task=task)


def _in_order(recipients: Iterable[Recipient], role: Role) -> list[Recipient]:
    same = (person for person in recipients if person.role is role)
    return sorted(same, key=lambda person: (person.rank, str(person.recipient_id)))


def _may_be_told(person: Recipient, stopped: Stopped) -> bool:
    return not person.is_blocked and (stopped.is_minor or person.role is not Role.GUARDIAN)


def usable_providers(names: Sequence[str], *, unsure_of: str | None) -> list[str]:
    """Which providers of a channel may be handed a message, in order.

    ``unsure_of``: the one that may have taken it already, because nobody heard its answer: it alone knows the message
    again by its key, and another would send it a second time.
    """
    return [name for name in names if unsure_of in {None, name}]
