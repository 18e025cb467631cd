"""Looks at a person's data, pure: kinds, purposes and how long a look lives. Who must approve is decided in PostgreSQL.

The rules that ask for a leader's approval are rows of the table ``look_rule`` (migration 0009), each with its dates.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from api.errors import RefusedInputError

LOOK_LIFE = timedelta(minutes=60)
"""Of a look that opens something; counted from the approval where one is needed."""

BREAK_GLASS_LIFE = timedelta(minutes=30)

WAIT_FOR_DECISION = timedelta(hours=24)
"""After that a look that nobody decided is gone."""

SHORTEST_REASON = 10
"""Characters that somebody who breaks the glass must write."""

LONGEST_PURPOSE = 500


class SightKind(StrEnum):
    """What a look is at."""

    TRACK = "track"
    PERSON = "person"
    EXPORT = "export"
    EVIDENCE = "evidence"


class Purpose(StrEnum):
    """What a look is for."""

    REVIEW_ALERT = "review_alert"
    VERIFY_VIOLATION = "verify_violation"
    ASSESSMENT = "assessment"
    EMERGENCY = "emergency"
    ANSWER_GUARDIAN = "answer_guardian"
    INSPECTION = "inspection"
    OTHER = "other"


PURPOSE_NAMES: dict[Purpose, str] = {
    Purpose.REVIEW_ALERT: "复核警报 review of an alert",
    Purpose.VERIFY_VIOLATION: "核查违规 check of a violation",
    Purpose.ASSESSMENT: "考察评估 assessment of the subject",
    Purpose.EMERGENCY: "处置紧急情况 emergency",
    Purpose.ANSWER_GUARDIAN: "回应监护人 answer to a guardian",
    Purpose.INSPECTION: "监督检查 inspection",
    Purpose.OTHER: "其他 other, in words",
}


class LookRefusedError(RefusedInputError):
    """A look was asked for in a way that no policy allows: without words where they are needed, or without a span."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookWish:
    """A look as somebody asks for it. ``from_at`` and ``to_at`` (aware): the span of event time, for a track always.

    ``row_count``: rows of an export, as far as they were counted; unknown counts as too many.
    """

    kind: SightKind
    purpose_code: Purpose
    purpose: str = ""
    from_at: datetime | None = None
    to_at: datetime | None = None
    row_count: int | None = None
    is_break_glass: bool = False

    @property
    def life(self) -> timedelta:
        """How long the look lives once it opens something."""
        return BREAK_GLASS_LIFE if self.is_break_glass else LOOK_LIFE

    def check(self) -> None:
        """Raises :class:`LookRefusedError`; what the database checks again, it checks in the same way."""
        words = self.purpose.strip()
        if self.is_break_glass and len(words) < SHORTEST_REASON:
            raise LookRefusedError(f"a reason of {SHORTEST_REASON} characters is needed to break the glass")
        if self.purpose_code is Purpose.OTHER and len(words) < 2:
            raise LookRefusedError("another purpose needs words")
        if len(words) > LONGEST_PURPOSE:
            raise LookRefusedError("the purpose is too long")
        if (self.from_at is None) != (self.to_at is None):
            raise LookRefusedError("a span has two ends")
        if self.from_at is not None and self.to_at is not None and self.from_at >= self.to_at:
            raise LookRefusedError("a span begins before it ends")
        if self.kind is SightKind.TRACK and self.from_at is None:
            raise LookRefusedError("a look at a track needs a span")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A look as it is kept; instants aware. ``is_approved`` is ``None`` while nobody decided."""

    look_id: UUID
    account_no: int
    subject_no: int
    kind: SightKind
    purpose_code: Purpose
    purpose: str
    asked_at: datetime
    from_at: datetime | None
    to_at: datetime | None
    row_count: int | None
    needs_approval: bool
    is_approved: bool | None
    decided_by: int | None
    decided_at: datetime | None
    is_break_glass: bool
    ends_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether it opens something until it ends."""
        return self.is_break_glass or not self.needs_approval or self.is_approved is True

    @property
    def is_waiting(self) -> bool:
        """Whether a leader has still to decide."""
        return self.needs_approval and not self.is_break_glass and self.is_approved is None
