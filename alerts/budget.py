"""How many messages a number may be sent. Pure.

A provider counts what it took, on submission, whether it is delivered or not (reference/domain.md 3.5). A number is
known by its keyed index, so that two people's guardians with one number share what may be sent to it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.policy import AlertPolicy
from tracking.local_time import LOCAL_TIME

ROLLING = timedelta(hours=24)


def is_within_budget(taken_at: Sequence[datetime], *, now: datetime, policy: AlertPolicy) -> bool:
    """Whether one more message may leave at ``now`` (aware) for a number.

    ``taken_at``: aware instants at which the others were taken, or by which those under way will have been; what lies
    after ``now`` counts as well, so that workers whose clocks differ never send more.
    """
    in_window = sum(at > now - ROLLING for at in taken_at)
    since_midnight = sum(at >= midnight_before(now) for at in taken_at)
    return in_window < policy.budget_per_24_hours and since_midnight < policy.budget_per_day


def counted_since(now: datetime) -> datetime:
    """Messages taken at or before this instant count no more. The longer of both windows: a day has 24 hours."""
    return min(now - ROLLING, midnight_before(now) - timedelta(microseconds=1))


def midnight_before(now: datetime) -> datetime:
    """The beginning of the calendar day in Asia/Shanghai that holds an aware instant."""
    return now.astimezone(LOCAL_TIME).replace(hour=0, minute=0, second=0, microsecond=0)
