"""The numbers of alerting, in one documented object."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """Defaults of reference/domain.md 4.1."""

    version: str = "alerts-1"
    same_event: timedelta = timedelta(minutes=30)
    """Violations of one kind within this time of each other are one event: twenty bars in one mall, one alert."""
    late_after: timedelta = timedelta(minutes=30)
    """A finding known later than this is marked late and tells nobody: no SMS at breakfast about last night."""
    maximum_age: timedelta = timedelta(minutes=30)
    """A notification not yet handed over this long after the event is dead: it would inform nobody of anything now."""
    claim: timedelta = timedelta(seconds=60)
    """A worker that claimed a notification and says nothing for this long is taken for dead."""
    maximum_attempts: int = 8
    first_retry: timedelta = timedelta(seconds=5)
    """Doubled at every attempt."""
