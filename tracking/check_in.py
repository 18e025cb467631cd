"""What becomes of a check-in by the clock and by its answer: one way for every kind. Pure.

A window of the timetable (打卡) has a grace and may be made up (补打); the limit of a spot check, or of one that is
asked for, is the limit. Reference/domain.md 2.5 (Jindong: a late check-in was reminded, made up, and stayed green) and
section 4, item 25. Instants are int64 microseconds, UTC. Whether it was given at its place is another question:
``tracking.check_place``.
"""

from dataclasses import dataclass
from enum import StrEnum


class CheckInState(StrEnum):
    """What became of it. The words are stored."""

    PLANNED = "planned"  # 未到时间
    OPEN = "open"  # 可以打卡
    ANSWERED = "answered"  # 已按时打卡
    LATE = "late"  # 宽限期内打卡，或已补打
    MISSED = "missed"  # 未打卡，仍可补打
    ABSENT = "absent"  # 未打卡，补打期已过
    WITHDRAWN = "withdrawn"  # 已撤回


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInPolicy:
    """How long after its end a window may still be served."""

    grace_s: float = 900.0
    """Late, but no finding: a phone that was in a lift."""
    make_up_s: float = 86_400.0
    """An answer within so long after the end of the window mends the miss, which stays on record."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.grace_s <= self.make_up_s:
            raise ValueError(
                f"grace_s {self.grace_s}、make_up_s {self.make_up_s}：须 0 ≤ 宽限 ≤ 补打 / must be 0 ≤ grace ≤ make-up"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInTimes:
    """Of one check-in. An answer at ``due_at`` is still in time, one at ``grace_until`` late and no miss.

    ``make_up_until``: until when a miss may be made up, ``None`` where it may not.
    """

    opens_at: int
    due_at: int
    grace_until: int
    make_up_until: int | None = None

    def is_missed(self, *, answered_at: int | None, now: int) -> bool:
        """Whether it was missed by ``now``, made up later or not."""
        return self.grace_until < now and (answered_at is None or answered_at > self.grace_until)

    def may_be_answered(self, now: int) -> bool:
        """From its opening until the miss is final."""
        return self.opens_at <= now <= max(self.grace_until, self.make_up_until or 0)


def settle_check_in(times: CheckInTimes, *, answered_at: int | None, now: int) -> CheckInState:
    """What a check-in is by ``now``, by its times alone, whatever it was taken for before: a clock may have been wrong.

    An answer after ``now`` does not count yet. As ``now`` goes on, one that is answered stays as it was answered.
    """
    if answered_at is not None and answered_at <= now:
        return CheckInState.ANSWERED if answered_at <= times.due_at else CheckInState.LATE
    if now < times.opens_at:
        return CheckInState.PLANNED
    if now <= times.grace_until:
        return CheckInState.OPEN
    if times.make_up_until is not None and times.make_up_until < now:
        return CheckInState.ABSENT
    return CheckInState.MISSED
