"""The only clocks. Everything below takes time as an argument."""

from datetime import UTC, datetime


class SystemClock:
    """The wall clock."""

    def now(self) -> datetime:
        """The present instant, UTC."""
        return datetime.now(UTC)

    def now_for(self, known_at: datetime) -> datetime:  # noqa: ARG002 # the wall clock is the same for all work
        """The present instant, whatever the work."""
        return self.now()


class EventClock(SystemClock):
    """For the demo and replays of history: every piece of work is done the moment it became known."""

    def now_for(self, known_at: datetime) -> datetime:
        """When the work became known."""
        return known_at


class FixedClock(SystemClock):
    """A clock for tests that moves only when told."""

    def __init__(self, now: datetime) -> None:
        self.current = now

    def now(self) -> datetime:
        """The instant it was set to."""
        return self.current
