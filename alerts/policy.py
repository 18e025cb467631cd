"""The numbers of alerting, in one documented object."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPolicy:
    """Defaults of reference/domain.md 4.1."""

    version: str = "alerts-1"
    same_event: timedelta = timedelta(minutes=30)
    """Entries this close in time are one event, and so are departures: twenty bars in one mall, one alert."""
    maximum_age: timedelta = timedelta(minutes=30)
    """A guardian's message not handed over this long after the event is dead: there would be nothing left to do."""
    officer_maximum_age: timedelta = timedelta(hours=24)
    """An officer's work does not end with the event."""
    claim: timedelta = timedelta(seconds=60)
    """A worker that claimed notifications and says nothing for this long is taken for dead."""
    claim_count: int = 4
    """Claimed at a time: few enough to be sent one after another within ``claim``, even by a slow provider."""
    first_retry: timedelta = timedelta(seconds=5)
    """Doubled at every attempt."""
    longest_retry: timedelta = timedelta(seconds=60)
    """A provider that is back is found out within this time; only age ends the tries."""
