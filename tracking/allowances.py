"""What is allowed although a rule forbids it: an approved leave, a personal exemption. Pure (ADR 0022)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tracking.order import ConditionKind
from tracking.versions import ALWAYS
from tracking.windows import Windows

YIELDING_TO_LEAVE = frozenset({ConditionKind.STAY_WITHIN_AREA, ConditionKind.STAY_AT_PLACE, ConditionKind.CURFEW})
"""Duties to be somewhere, which approval lifts (刑诉法 71, 77, 283: 未经批准). A ban on places stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """An approved leave as rules see it: ``start`` ≤ t < ``end``, microseconds UTC."""

    subject_no: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExemptZone:
    """A subject may be at a zone, named by the key of all its versions: ``start`` ≤ t < ``end``, microseconds UTC.

    It lifts what is forbidden by category or drawn by a supervisor, never a zone that the order itself drew.
    """

    subject_no: int
    zone_key: int
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exemptions:
    """``x`` spans of exemption, int64 ``[x]`` each, sorted by (``subject_no``, ``zone_key``, ``start``).

    Those of one subject at one zone neither overlap nor touch; ``most`` is the greatest number of them.
    """

    subject_no: NDArray[np.int64]
    zone_key: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    most: int

    @classmethod
    def build(cls, items: Sequence[ExemptZone]) -> "Exemptions":
        """Several exemptions of one subject at one zone add up."""
        spans: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for item in items:
            spans.setdefault((item.subject_no, item.zone_key), []).append((item.start, item.end))
        rows: list[tuple[int, int, int, int]] = []
        most = 0
        for (subject_no, zone_key), own in sorted(spans.items()):
            joined = Windows.build([start for start, _ in own], [end for _, end in own])
            rows += [
                (subject_no, zone_key, *span) for span in zip(joined.start.tolist(), joined.end.tolist(), strict=True)
            ]
            most = max(most, len(joined))
        columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        return cls(subject_no=columns[0], zone_key=columns[1], start=columns[2], end=columns[3], most=most)

    def __len__(self) -> int:
        return len(self.start)

    def cover(
        self, subject_no: NDArray[np.int64], zone_key: NDArray[np.int64], instant: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Whether each subject is exempt at each zone and instant. Shapes ``[k]``."""
        return np.asarray(self.last_end(subject_no, zone_key, instant) > instant, dtype=np.bool_)

    def last_end(
        self, subject_no: NDArray[np.int64], zone_key: NDArray[np.int64], instant: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The end of the latest exemption of each subject at each zone that began by each instant; else ``ALWAYS``."""
        ends = np.full(len(subject_no), ALWAYS)
        concerned = np.flatnonzero(np.isin(subject_no, self.subject_no))
        if len(concerned) == 0:
            return ends
        first = self._first(subject_no[concerned], zone_key[concerned])
        for position in range(self.most):
            row = np.minimum(first + position, len(self) - 1)
            is_own = (self.subject_no[row] == subject_no[concerned]) & (self.zone_key[row] == zone_key[concerned])
            is_own &= (first + position < len(self)) & (self.start[row] <= instant[concerned])
            ends[concerned] = np.where(is_own, self.end[row], ends[concerned])
        return ends

    def _first(self, subject_no: NDArray[np.int64], zone_key: NDArray[np.int64]) -> NDArray[np.intp]:
        """Where the spans of each pair begin, or would."""
        subjects, zones = np.unique(self.subject_no), np.unique(self.zone_key)
        width = len(zones) + 1
        own = np.searchsorted(subjects, self.subject_no) * width + np.searchsorted(zones, self.zone_key)
        return np.searchsorted(own, np.searchsorted(subjects, subject_no) * width + np.searchsorted(zones, zone_key))

    def of(self, subject_no: int, zone_key: int) -> Windows:
        """When a subject is exempt at a zone."""
        found = (self.subject_no == subject_no) & (self.zone_key == zone_key)
        return Windows.build(self.start[found], self.end[found])


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowances:
    """Every leave and exemption that was ever approved, for all subjects."""

    absences: tuple[Absence, ...] = ()
    exempt_zones: tuple[ExemptZone, ...] = ()


def absences_by_subject(items: Sequence[Absence]) -> dict[int, Windows]:
    """The windows of each subject's leaves."""
    by_subject: dict[int, list[Absence]] = {}
    for item in items:
        by_subject.setdefault(item.subject_no, []).append(item)
    return {
        subject_no: Windows.build([item.start for item in own], [item.end for item in own])
        for subject_no, own in by_subject.items()
    }
