"""Who is on duty for a unit at an instant: rosters with substitutes, absences and gaps. Pure.

A gap is never silence: the leader of the unit is told, and the gap becomes a task.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from alerts.alert import Recipient, Role
from alerts.reason import Because, Reason, because


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """One turn of duty: ``from_at`` ≤ t < ``to_at``, aware. ``people``: who is on duty, then substitutes in order."""

    unit: str
    from_at: datetime
    to_at: datetime
    people: tuple[Recipient, ...]

    def __post_init__(self) -> None:
        if not self.from_at < self.to_at:
            raise ValueError(f"值班须先起后止 a turn of duty must end after it begins: {self.from_at} – {self.to_at}")
        if not self.people:
            raise ValueError("值班须有人 a turn of duty needs somebody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Somebody is away: ``from_at`` ≤ t < ``to_at``, aware."""

    recipient: Recipient
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """The turns of duty of all units, who is away, and who leads each unit."""

    duties: tuple[Duty, ...] = ()
    away: tuple[Away, ...] = ()
    leaders: Mapping[str, Recipient] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDuty:
    """Who is told by duty (``None``: nobody at all), why, and the gap in the roster that this made visible."""

    recipient: Recipient | None
    reason: Reason
    gap: Reason | None = None


def on_duty(roster: Roster, *, unit: str | None, at: datetime) -> OnDuty:
    """Who answers for a unit at an aware instant: on duty, else the first substitute who is there, else the leader.

    Of turns that overlap the one that began last counts: a change of duty is entered over the plan.
    """
    if unit is None:
        no_unit = because(Because.NO_UNIT)
        return OnDuty(recipient=None, reason=no_unit, gap=no_unit)
    for duty in _turns(roster, unit=unit, at=at):
        for number, person in enumerate(duty.people):
            if not person.is_blocked and not is_away(roster, person, at=at):
                code = Because.ON_DUTY if number == 0 else Because.SUBSTITUTE_ON_DUTY
                return OnDuty(recipient=person, reason=because(code, unit=unit))
    gap = because(Because.ROSTER_GAP, unit=unit)
    leader = leader_of(roster, unit=unit)
    if leader is None:
        return OnDuty(recipient=None, reason=gap, gap=gap)
    return OnDuty(recipient=leader, reason=because(Because.LEADER_FOR_GAP, unit=unit), gap=gap)


def leader_of(roster: Roster, *, unit: str | None) -> Recipient | None:
    """Who leads a unit, away or not: the last to be told is told in any case."""
    leader = None if unit is None else roster.leaders.get(unit)
    if leader is None or leader.is_blocked:
        return None
    assert leader.role is Role.LEADER, "a leader is told as the leader"
    return leader


def in_place_of(roster: Roster, person: Recipient, *, at: datetime) -> tuple[Recipient, ...]:
    """Who may be told when somebody told by duty cannot be reached: the person, then who is there of the unit's turns.

    Ranks are those of the turn. Nobody stands in for a leader.
    """
    found = {person.recipient_id: person}
    if person.role is Role.DUTY_OFFICER:
        for duty in _turns(roster, unit=person.unit, at=at):
            for other in duty.people:
                if not other.is_blocked and not is_away(roster, other, at=at):
                    found.setdefault(other.recipient_id, other)
    return tuple(replace(item, rank=number) for number, item in enumerate(found.values(), start=1))


def is_away(roster: Roster, person: Recipient, *, at: datetime) -> bool:
    """Whether somebody is away at an aware instant."""
    return any(
        item.recipient.recipient_id == person.recipient_id and item.from_at <= at < item.to_at for item in roster.away
    )


def _turns(roster: Roster, *, unit: str | None, at: datetime) -> list[Duty]:
    turns = [duty for duty in roster.duties if duty.unit == unit and duty.from_at <= at < duty.to_at]
    return sorted(turns, key=_newest_first)


def _newest_first(duty: Duty) -> tuple[float, str]:
    return -duty.from_at.timestamp(), str(duty.people[0].recipient_id)
