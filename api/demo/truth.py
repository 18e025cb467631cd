"""What really happened on the demo evening, and what a good system would say about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

VisitKind = Literal["exclusion", "stay_within_area"]
Expected = Literal["alert", "possible_only", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueVisit:
    """Something that happened, or nearly did, and what a good system says about it."""

    alias: str
    kind: VisitKind
    """``exclusion``: inside where one may not be. ``stay_within_area``: outside where one must be."""
    place_name: str
    place_source_id: str | None
    """The venue's id (source ``demo``), or ``None`` where the place is no venue."""
    entered_at: datetime
    """Aware, Asia/Shanghai; for ``stay_within_area`` the moment the boundary was crossed outward."""
    left_at: datetime
    expected: Expected
    """``alert``: a violation. ``possible_only``: too short to tell anyone. ``none``: there was nothing."""
    expect_guardian_sms: bool
    note: str
