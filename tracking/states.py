"""All that the engine remembers between batches: one row per subject, and one per open presence."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracking.position import POSITION_FIELDS
from tracking.presence import PRESENCE
from tracking.quality_sequence import QUALITY_STATE

QUALITY_FIELDS = tuple(name for name in QUALITY_STATE.names or () if name != "subject_no")
"""What the flags of the next fix depend on (``tracking.quality_sequence``), here each with the prefix ``quality_``."""

SUBJECT_STATE = np.dtype(
    [
        ("subject_no", np.int64),
        ("last_fixed_at", np.int64),
        ("last_weighed_at", np.int64),
        *((name, np.float64) for name in POSITION_FIELDS),
        *((f"quality_{name}", QUALITY_STATE[name]) for name in QUALITY_FIELDS),
    ]
)
"""What is known of one subject: the time of the last fix that was evaluated, and of the last that decides, microseconds
UTC, 0 = none; the filter over its position (``tracking.position``); and what the flags of its fixes depend on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceStates:
    """``subject_rows``: ``SUBJECT_STATE`` ``[s]``, ascending; ``open_rows``: ``PRESENCE`` ``[k]``, sorted by subject.

    A subject that is absent is UNKNOWN.
    """

    subject_rows: NDArray[Any]
    open_rows: NDArray[Any]

    @classmethod
    def empty(cls) -> "PresenceStates":
        """Nothing is known about anyone."""
        return cls(subject_rows=np.zeros(0, dtype=SUBJECT_STATE), open_rows=np.zeros(0, dtype=PRESENCE))

    def rows_for(self, subjects: NDArray[np.int64]) -> NDArray[Any]:
        """``SUBJECT_STATE`` of each subject given; all 0 but its number where nothing is known."""
        known = self.subject_rows["subject_no"]
        found = np.zeros(len(subjects), dtype=SUBJECT_STATE)
        if len(known) > 0:
            place = np.minimum(np.searchsorted(known, subjects), len(known) - 1)
            held = known[place] == subjects
            found[held] = self.subject_rows[place[held]]
        found["subject_no"] = subjects
        return found

    def last_for(self, subjects: NDArray[np.int64]) -> NDArray[np.int64]:
        """Time of the last fix of each subject, 0 where unknown."""
        known = self.subject_rows["subject_no"]
        if len(known) == 0:
            return np.zeros(len(subjects), dtype=np.int64)
        rows = np.minimum(np.searchsorted(known, subjects), len(known) - 1)
        return np.where(known[rows] == subjects, self.subject_rows["last_fixed_at"][rows], 0)

    def of(self, subjects: NDArray[np.int64]) -> "PresenceStates":
        """What is known of these subjects alone."""
        return self._kept(subjects, invert=False)

    def without(self, subjects: NDArray[np.int64]) -> "PresenceStates":
        """The same with these subjects forgotten: UNKNOWN again."""
        return self._kept(subjects, invert=True)

    def replaced(self, *, subject_rows: NDArray[Any], open_rows: NDArray[Any]) -> "PresenceStates":
        """The same with all that is known of the subjects of ``subject_rows`` replaced by the rows given."""
        rest = self.without(subject_rows["subject_no"])
        presences = np.concatenate([rest.open_rows, open_rows])
        return PresenceStates(
            subject_rows=_merged(rest.subject_rows, subject_rows),
            open_rows=presences[np.argsort(presences["subject_no"], kind="stable")],
        )

    def _kept(self, subjects: NDArray[np.int64], *, invert: bool) -> "PresenceStates":
        return PresenceStates(
            subject_rows=self.subject_rows[np.isin(self.subject_rows["subject_no"], subjects, invert=invert)],
            open_rows=self.open_rows[np.isin(self.open_rows["subject_no"], subjects, invert=invert)],
        )


def _merged(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    if len(first) == 0:
        return second
    rows = np.concatenate([first, second])
    return rows[np.argsort(rows["subject_no"], kind="stable")]
