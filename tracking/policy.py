"""The numbers of the presence filter, in one documented and versioned object."""

from dataclasses import dataclass

ENGINE_VERSION = "2026.11-1"
"""Stored with every decision (design.md, invariant 9). Changed whenever the same fixes could give another answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresencePolicy:
    """When evidence becomes POSSIBLE, PROBABLE, or ends. Defaults follow reference/domain.md 4.1."""

    version: str = "presence-1"
    possible_probability: float = 0.30
    """A fix at least this likely to be in breach opens an episode, or carries it on."""
    probable_probability: float = 0.50
    """The time-weighted mean must reach this before anyone is told."""
    exit_probability: float = 0.10
    """A fix less likely than this speaks for having left."""
    exit_fix_count: int = 2
    """So many such fixes in a row end the episode."""
    dwell_s: float = 240.0
    """The breach must be seen over at least this time; walking past stays POSSIBLE."""
    minimum_fix_count: int = 3
    correlation_s: float = 60.0
    """Errors of fixes this close in time are largely the same error, and add little."""
    signal_loss_s: float = 300.0
    after_loss_weight: float = 0.4
    """The first fix after a loss of signal is often the worst one: it counts for no more than this."""
    silence_s: float = 1800.0
    """After this long without any fix presence is UNKNOWN: open episodes end, and nothing is inferred."""
    live_within_s: float = 1800.0
    """A fix received within this time of being taken tells of the present: someone can still act on it."""
    reach_limit_m: float = 2000.0
    """Zones farther than this from a fix are never weighed, however bad its accuracy."""
