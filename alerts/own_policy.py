"""The numbers of an office: read from TOML, each checked, what is left out stays as Hulan ships it. Pure.

``version = "yunlong-1"`` is required, as an alert's numbers must be told apart from those of another time. Lengths of
time are written ``"30 s"``, ``"10 min"``, ``"6 h"`` or ``"90 d"``; the others are whole numbers.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from alerts.policy import AlertPolicy

_UNITS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_TIME = re.compile(r"\s*(\d+)\s*(s|min|h|d)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number that an office may set, between ``least`` and ``most``, both allowed."""

    zh: str
    en: str
    least: int | timedelta
    most: int | timedelta


_SECOND, _MINUTE, _HOUR, _DAY = _UNITS["s"], _UNITS["min"], _UNITS["h"], _UNITS["d"]

NUMBERS: dict[str, Number] = {
    name: Number(zh=zh, en=en, least=least, most=most)
    for name, zh, en, least, most in (
        ("same_event", "相隔不超过此时间的算同一事件", "so close is one event", _MINUTE, 6 * _HOUR),
        ("cool_down", "同一人同一区域再次告知的间隔", "before the same place is told again", _MINUTE, 7 * _DAY),
        ("maximum_age", "事件后多久不再告知监护人", "guardians are told no later", 5 * _MINUTE, 6 * _HOUR),
        ("officer_maximum_age", "事件后多久不再短信告知办案人员", "officers get no message later", _HOUR, 7 * _DAY),
        ("quiet_after", "得知晚于此时间的，不告知机关以外的人", "late: only the office", 5 * _MINUTE, 6 * _HOUR),
        ("budget_per_day", "每个号码每天短信条数", "messages to a number in a day", 1, 50),
        ("budget_per_24_hours", "每个号码任意 24 小时短信条数", "the same in any 24 hours", 1, 50),
        ("acknowledge_within", "无人确认，多久通知下一人", "the next person is told after", _MINUTE, _DAY),
        ("voice_task_after", "多久列为电话待办", "a task to telephone after", _MINUTE, _DAY),
        ("duty_officer_after", "多久通知值班人员", "the duty officer is told after", _MINUTE, _DAY),
        ("leader_after", "多久通知领导", "the leader is told after", _MINUTE, _DAY),
        ("on_the_way_for", "答复“正在赶去”后等待多久", "正在赶去 is waited for", _MINUTE, 2 * _HOUR),
        (
            "still_there_after",
            "“已带离”或结案后多久仍在，再次告知",
            "still there: told again",
            _MINUTE,
            2 * _HOUR,
        ),
        ("task_within", "电话待办的时限", "a task to telephone is due in", _MINUTE, _DAY),
        ("repeat_count", "多少次确认的事件提请研究督促监护令", "confirmed events for a proposal", 2, 20),
        ("repeat_within", "上述次数的期间", "within", _DAY, 365 * _DAY),
    )
}
"""What an office may set; the rest of :class:`alerts.policy.AlertPolicy` is about machines."""

IN_ORDER = ("acknowledge_within", "voice_task_after", "duty_officer_after", "leader_after")
"""Steps of escalation come one after the other."""

SENDING = timedelta(minutes=30)
"""What is left to a message to an officer for its tries, before it is too old to leave."""


class OwnPolicyError(ValueError):
    """The file is not used. The message names every fault, Chinese first."""


def read_own_policy(text: str, *, base: AlertPolicy | None = None) -> AlertPolicy:
    """The numbers of ``text`` in place of those of ``base``. Raises OwnPolicyError with all that is wrong."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OwnPolicyError(f"不是 TOML 文件 / not a TOML file: {error}") from error
    faults: list[str] = []
    version = said.pop("version", None)
    if not isinstance(version, str) or not 1 <= len(version) <= 40:
        faults.append("version：须写明版本名，1 至 40 字 / name this version in 1 to 40 characters")
    values = {}
    for name, value in said.items():
        if name not in NUMBERS:
            faults.append(f"{name}：没有这一项 / no such number; known: {', '.join(NUMBERS)}")
        elif (read := _read(value, NUMBERS[name])) is None:
            least, most = as_written(NUMBERS[name].least), as_written(NUMBERS[name].most)
            faults.append(f"{name} = {value!r}：应为 {least} 至 {most} / must be {least} to {most}")
        else:
            values[name] = read
    policy = replace(base or AlertPolicy(), version=version or "", **values)
    steps = [getattr(policy, name) for name in IN_ORDER]
    if steps != sorted(steps):
        faults.append(f"{' ≤ '.join(IN_ORDER)}：须依次不减 / must not decrease")
    if policy.officer_maximum_age < (needed := last_message_after(policy) + SENDING):
        faults.append(
            f"officer_maximum_age = {as_written(policy.officer_maximum_age)}：领导最晚在 quiet_after + leader_after +"
            f" on_the_way_for 之后才收到通知，另须留出发送时间，至少应为 {as_written(needed)}"
            f" / too short for the last message, to the leader: at least {as_written(needed)}"
        )
    if faults:
        raise OwnPolicyError("；".join(faults))
    return policy


def last_message_after(policy: AlertPolicy) -> timedelta:
    """How long after the event the leader is told at the latest: known late, and the family said 正在赶去."""
    return policy.quiet_after + policy.leader_after + policy.on_the_way_for


def _read(value: Any, number: Number) -> Any:
    """``None`` for what is no such number, or out of bounds."""
    if isinstance(number.least, int):
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return value if is_number and number.least <= value <= number.most else None
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None or len(found[1]) > 6:
        return None
    time = int(found[1]) * _UNITS[found[2]]
    return time if number.least <= time <= number.most else None  # type: ignore[operator] # both times


def as_written(value: int | timedelta) -> str:
    """As it is written in the file."""
    if isinstance(value, int):
        return str(value)
    unit = next(name for name in ("d", "h", "min", "s") if value % _UNITS[name] == timedelta(0))
    return f"{value // _UNITS[unit]} {unit}"
