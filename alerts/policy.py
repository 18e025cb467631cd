"""The numbers of alerting, in one documented object."""

from dataclasses import dataclass
from datetime import timedelta

from alerts.channel import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """Defaults of reference/domain.md 3.5 and 4.1."""

    version: str = "alerts-2"
    same_event: timedelta = timedelta(minutes=30)
    """Entries this close in time are one event, and so are departures: twenty bars in one mall, one alert."""
    cool_down: timedelta = timedelta(hours=6)
    """Whoever was told of a person at a zone is not told of the same person at the same zone again before this."""
    maximum_age: timedelta = timedelta(minutes=30)
    """A guardian's message not handed over this long after the event is dead: there would be nothing left to do."""
    officer_maximum_age: timedelta = timedelta(hours=24)
    """An officer's work does not end with the event."""
    quiet_after: timedelta = timedelta(minutes=30)
    """What is known only this long after it happened is late: nobody outside the office hears of it, on no channel."""
    budgeted: frozenset[Channel] = frozenset({Channel.SMS})
    """Channels of which a number may be sent only so much."""
    budget_per_day: int = 2
    """Messages that providers took for one number within a calendar day, Asia/Shanghai: Tencent Cloud's default."""
    budget_per_24_hours: int = 2
    """The same within any 24 hours: as Aliyun counts, on submission, whether it is delivered or not."""
    claim: timedelta = timedelta(seconds=60)
    """A worker that claimed notifications and says nothing for this long is taken for dead."""
    claim_count: int = 4
    """Claimed at a time: few enough to be sent one after another within ``claim``, even by a slow provider."""
    first_retry: timedelta = timedelta(seconds=5)
    """The longest wait after the first failure; doubled at every attempt, and drawn evenly from nothing to that."""
    longest_retry: timedelta = timedelta(seconds=60)
    """A provider that is back is found out within this time; only age ends the tries."""
    breaker_failures: int = 5
    """So many failures of a provider in a row, in all workers together, and it is left alone for ``breaker_open``."""
    breaker_open: timedelta = timedelta(seconds=60)
    """After it one message is tried, and no other until that one is answered."""
    task_within: timedelta = timedelta(minutes=10)
    """When a task to telephone somebody is due, from when it is made."""
    acknowledge_within: timedelta = timedelta(minutes=10)
    """An alert that nobody acknowledged goes to the next recipient,"""
    voice_task_after: timedelta = timedelta(minutes=20)
    """then becomes a task to telephone,"""
    duty_officer_after: timedelta = timedelta(minutes=30)
    """then the duty officer is told,"""
    leader_after: timedelta = timedelta(minutes=60)
    """and at last the leader. All four are counted from when the alert opened."""
    on_the_way_for: timedelta = timedelta(minutes=30)
    """So long a guardian who answers 正在赶去 is waited for, once, before the next step."""
    still_there_after: timedelta = timedelta(minutes=10)
    """Seen in breach so long after a guardian's 已带离 or a closing, the person is told of again, by a new plan."""
    step_useful_for: timedelta = timedelta(minutes=30)
    """A call that nobody made so long after it was due is of no use any more."""
    repeat_count: int = 3
    """So many events of a minor that officers confirmed,"""
    repeat_within: timedelta = timedelta(days=90)
    """within this time, and a prosecutor is asked whether the guardians need an order (督促监护令)."""
