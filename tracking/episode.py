"""Episodes and violations: what evaluation gives, with everything needed to say why."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tracking.order import ConditionKind


class Tier(StrEnum):
    """How strong the evidence is. POSSIBLE is never told to a guardian."""

    POSSIBLE = "possible"
    PROBABLE = "probable"


class Ending(StrEnum):
    """How an episode ended."""

    EXIT = "exit"  # the subject was seen to have left
    SILENCE = "silence"  # no fix came: where the subject went is unknown
    RULE = "rule"  # the condition or the zone is no longer in force


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One continuous presence of a subject in breach of a condition at a zone. Times are aware, UTC, event time."""

    episode_id: UUID
    subject_no: int
    condition_no: int
    zone_no: int
    tier: Tier
    started_at: datetime
    ended_at: datetime | None
    ended_by: Ending | None
    last_inside_at: datetime
    possible_at: datetime
    decided_at: datetime | None
    """Event time at which PROBABLE was reached."""
    peak_probability: float
    fix_count: int
    is_entry: bool
    """False when nothing was known before: presence, but not an "enter" (design.md, invariant 4)."""
    is_undecidable: bool
    """True when no fix was good enough to decide: ask for a check-in."""
    is_crossing: bool = False
    """True when no fix lay inside, but the way between two of them did: never PROBABLE."""
    undecidable_at: datetime | None = None
    """Event time at which the dwell was over and no fix could decide: from then on a check-in should be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A suspected breach. Only a named officer confirms or dismisses it (design.md, invariant 9)."""

    violation_id: UUID
    episode_id: UUID
    subject_no: int
    order_no: int
    condition_no: int
    zone_no: int
    kind: ConditionKind
    started_at: datetime
    """The first fix by which the breach was likely: what is told. The episode began when it was first possible."""
    decided_at: datetime
    known_at: datetime
    """When the last fix needed for the decision was received: much later than ``decided_at`` for late data."""
    probability: float
    engine_version: str
    policy_version: str
    live_at: datetime | None = None
    """The first fix in breach, from the decision on, that was received while someone could still act on it."""
    live_known_at: datetime | None = None
    """When that one was received."""


def derived_id(kind: str, at_microseconds: int, *parts: int | str) -> UUID:
    """A UUIDv7 that depends only on its arguments: the same finding has the same id on every run (RFC 9562, 5.7).

    ``at_microseconds``: time part, microseconds since the Unix epoch. Negative times are taken as 0.
    """
    text = "/".join([kind, str(at_microseconds), *map(str, parts)])
    digest = hashlib.sha256(text.encode()).digest()
    milliseconds = max(at_microseconds, 0) // 1000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(digest[:10], "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def split_id(value: UUID) -> tuple[int, int]:
    """The two halves of an id as signed 64-bit numbers, for columns."""
    high, low = value.int >> 64, value.int & ((1 << 64) - 1)
    return high - (high >> 63 << 64), low - (low >> 63 << 64)


def joined_id(high: int, low: int) -> UUID:
    """The id of two halves."""
    return UUID(int=(high & ((1 << 64) - 1)) << 64 | (low & ((1 << 64) - 1)))
