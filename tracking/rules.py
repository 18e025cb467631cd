"""Orders and zones compiled into columns: which rule applies to which subject at which zone and time.

Every version of a zone and of an order is here with the span of event time that it governs, half open, so that a fix is
judged by the versions in force when it was taken, whenever it arrives (ADR 0013). What a subject's presence is known by
is not a version: ``zone_key`` and ``condition_key`` are the same for all versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geo.index import ZoneIndex, ZonePairs
from geo.probability import ShapeProbability
from geo.shape_change import widened
from tracking.allowances import YIELDING_TO_LEAVE, Absence, Allowances, Exemptions, absences_by_subject
from tracking.order import INCLUSION_KINDS, PLACE_KINDS, Condition, ConditionKind, SupervisionOrder
from tracking.versions import ALWAYS, NEVER, Ends, Spans
from tracking.windows import Windows
from tracking.zone import Zone, ZoneKind, ZoneOrigin
from venues.category import SiteCategory, VenueCategory

CATEGORY_BITS: dict[str, int] = {
    str(category): 1 << position for position, category in enumerate([*VenueCategory, *SiteCategory])
}
"""One bit per category, so that "may not enter bars and KTV" is one mask."""

UNCATEGORISED_BIT = 1 << 62
"""The bit of an exclusion zone that is no venue and no site."""

EVERY_BIT = -1
"""The mask of a rule that forbids every exclusion zone."""

_DUTY = 1 << 61
"""Stands for the mask of a rule that says where to be."""

EXCLUSION, INCLUSION = 0, 1
"""Values of ``RuleBook.breach``: being inside, or being outside, is the breach."""


def to_microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since the Unix epoch, UTC."""
    seconds = int(instant.replace(microsecond=0).timestamp())
    return seconds * 1_000_000 + instant.microsecond


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneBook:
    """``m`` versions of zones with their index. Row ``i`` of every array is ``zones[i]`` and row ``i`` of ``index``.

    ``shapes``: the same versions compiled for P(inside). ``category_bit``: int64 ``[m]``, 0 for an inclusion zone.
    ``zone_key``: int64 ``[m]``, the number that all versions of a zone share; ``spans``: by it, when each governs.
    """

    zones: tuple[Zone, ...]
    index: ZoneIndex
    zone_no: NDArray[np.int64]
    zone_key: NDArray[np.int64]
    shapes: ShapeProbability
    category_bit: NDArray[np.int64]
    spans: Spans

    @classmethod
    def build(cls, zones: Sequence[Zone]) -> "ZoneBook":
        """Compile zones once; ``zone_no`` ascending, so that it can be searched."""
        ordered = tuple(sorted(zones, key=lambda zone: zone.zone_no))
        keys = np.array([zone.key for zone in ordered], dtype=np.int64)
        bits = np.array([_category_bit(zone) for zone in ordered], dtype=np.int64)
        return cls(
            zones=ordered,
            index=ZoneIndex.build([zone.shape for zone in ordered]),
            zone_no=np.array([zone.zone_no for zone in ordered], dtype=np.int64),
            zone_key=keys,
            shapes=ShapeProbability.build([zone.shape for zone in ordered]),
            category_bit=bits,
            spans=Spans.build(
                key=keys,
                start=np.array([_start(zone.in_force_from) for zone in ordered], dtype=np.int64),
                end=np.array([_end(zone.in_force_to) for zone in ordered], dtype=np.int64),
                known_at=np.array([_known(zone.in_force_from, zone.recorded_at) for zone in ordered], dtype=np.int64),
                content=bits,
            ),
        )

    def row_of(self, zone_no: int) -> int:
        """The row of a zone number, or -1 if the book does not hold it."""
        row = int(np.searchsorted(self.zone_no, zone_no))
        return row if row < len(self.zones) and self.zone_no[row] == zone_no else -1

    def match(
        self, *, longitude: ArrayLike, latitude: ArrayLike, reach_m: ArrayLike, fixed_at: NDArray[np.int64]
    ) -> ZonePairs:
        """Pairs of fixes and zone versions near each other (see ``geo.index.ZoneIndex.match``), each at its time."""
        pairs = self.index.match(longitude=longitude, latitude=latitude, reach_m=reach_m)
        if self.spans.are_endless:
            return pairs
        kept = self.spans.hold(pairs.zone_row, fixed_at[pairs.fix_row])
        return ZonePairs(
            fix_row=pairs.fix_row[kept],
            zone_row=pairs.zone_row[kept],
            signed_distance_m=pairs.signed_distance_m[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """``r`` rules in columns, sorted by (``subject_no``, ``condition_no``); ``conditions[i]`` made rule ``i``.

    A condition with a zone is one rule for each version of that zone, and one with a timetable, or from which a leave
    frees at times, one for each span in which it binds. ``valid_from``, ``valid_to``: int64 microseconds
    UTC, half open. ``breach``: ``EXCLUSION`` or ``INCLUSION``. ``zone_row``: row in the zone book, or -1 for a rule by
    category. ``category_mask``: int64 bits. ``wide_row``: row in ``wide`` of the area widened by the rule's tolerance,
    or -1 where there is nothing to widen. ``condition_key``: int64 ``[r]``, the number that all versions of a condition
    share; ``spans``: by it, the same times; ``ends``: by subject. ``exemptions``: from rules of which
    ``yields_to_exemption`` bool ``[r]`` is true.
    """

    orders: tuple[SupervisionOrder, ...]
    conditions: tuple[Condition, ...]
    subject_no: NDArray[np.int64]
    condition_no: NDArray[np.int64]
    condition_key: NDArray[np.int64]
    valid_from: NDArray[np.int64]
    valid_to: NDArray[np.int64]
    breach: NDArray[np.int8]
    zone_row: NDArray[np.int64]
    category_mask: NDArray[np.int64]
    tolerance_m: NDArray[np.float64]
    wide_row: NDArray[np.int64]
    wide: ShapeProbability
    spans: Spans
    ends: Ends
    yields_to_exemption: NDArray[np.bool_]
    exemptions: Exemptions

    @classmethod
    def build(
        cls, orders: Sequence[SupervisionOrder], zones: ZoneBook, allowances: Allowances | None = None
    ) -> "RuleBook":
        """Compile the conditions of all orders that are about places.

        A condition whose zone is missing, or whose timetable was not compiled (``tracking.activation``), raises
        ``ValueError``.
        """
        allowed = allowances or Allowances()
        rules = [
            (order, condition, zone_row)
            for order in orders
            for condition in order.conditions
            if condition.kind in PLACE_KINDS
            for zone_row in _zone_rows(condition, zones)
        ]
        rules.sort(key=lambda rule: (rule[0].subject_no, rule[1].condition_no, rule[2]))
        wide_row, wide = _widened_areas(rules, zones)
        source, valid_from, valid_to = _binding(rules, *_validity(rules, zones), allowed.absences)
        rules = [rules[row] for row in source.tolist()]
        masks = np.array([category_mask(condition.categories) for _, condition, _ in rules], dtype=np.int64)
        keys = np.array([condition.key for _, condition, _ in rules], dtype=np.int64)
        breach = np.array([_breach(condition.kind) for _, condition, _ in rules], dtype=np.int8)
        known_at = [_known(order.in_force_from, order.recorded_at) for order, _, _ in rules]
        subjects = np.array([order.subject_no for order, _, _ in rules], dtype=np.int64)
        spans = Spans.build(
            key=keys,
            start=valid_from,
            end=valid_to,
            known_at=np.array(known_at, dtype=np.int64),
            content=np.where(breach == INCLUSION, _DUTY, masks),
        )
        exemptions = Exemptions.build(allowed.exempt_zones)
        return cls(
            orders=tuple(order for order, _, _ in rules),
            conditions=tuple(condition for _, condition, _ in rules),
            subject_no=subjects,
            condition_no=np.array([condition.condition_no for _, condition, _ in rules], dtype=np.int64),
            condition_key=keys,
            valid_from=valid_from,
            valid_to=valid_to,
            breach=breach,
            zone_row=np.array([zone_row for _, _, zone_row in rules], dtype=np.int64),
            category_mask=masks,
            tolerance_m=np.array([condition.tolerance_m for _, condition, _ in rules], dtype=np.float64),
            wide_row=wide_row[source],
            wide=wide,
            spans=spans,
            ends=Ends.build(
                np.append(subjects[spans.is_last], exemptions.subject_no),
                np.append(valid_to[spans.is_last], exemptions.start),
            ),
            yields_to_exemption=np.array(
                [_yields_to_exemption(item.kind, zone_row, zones) for _, item, zone_row in rules], dtype=np.bool_
            ),
            exemptions=exemptions,
        )

    def __len__(self) -> int:
        return len(self.conditions)


def category_mask(categories: frozenset[VenueCategory | SiteCategory]) -> int:
    """The bits of a set of categories."""
    mask = 0
    for category in categories:
        mask |= CATEGORY_BITS[category]
    return mask


def _yields_to_exemption(kind: ConditionKind, zone_row: int, zones: ZoneBook) -> bool:
    """What is forbidden by category does, and a zone that a supervisor drew; never one that the order itself drew."""
    if kind is ConditionKind.EXCLUDED_CATEGORIES:
        return True
    return kind is ConditionKind.EXCLUSION_ZONE and zones.zones[zone_row].origin is ZoneOrigin.SUPERVISOR


def _widened_areas(
    rules: Sequence[tuple[SupervisionOrder, Condition, int]], zones: ZoneBook
) -> tuple[NDArray[np.int64], ShapeProbability]:
    """The row of each rule among the widened areas, and those areas: one per version of a zone and tolerance."""
    keys = [
        (zone_row, item.tolerance_m) if _breach(item.kind) == INCLUSION and item.tolerance_m > 0 else None
        for _, item, zone_row in rules
    ]
    place = {key: number for number, key in enumerate(dict.fromkeys(key for key in keys if key is not None))}
    shapes = [widened(zones.zones[row].shape, tolerance_m) for row, tolerance_m in place]
    row = np.array([-1 if key is None else place[key] for key in keys], dtype=np.int64)
    return row, ShapeProbability.build(shapes)


def _start(instant: datetime | None) -> int:
    return ALWAYS if instant is None else to_microseconds(instant)


def _end(instant: datetime | None) -> int:
    return NEVER if instant is None else to_microseconds(instant)


def _known(in_force_from: datetime | None, recorded_at: datetime | None) -> int:
    """When a version that reaches back became known; one that was known when it took effect needs no mention."""
    if recorded_at is None or (in_force_from is not None and recorded_at <= in_force_from):
        return ALWAYS
    return to_microseconds(recorded_at)


def _category_bit(zone: Zone) -> int:
    if zone.kind is ZoneKind.INCLUSION:
        return 0
    return UNCATEGORISED_BIT if zone.category is None else CATEGORY_BITS[zone.category]


def _breach(kind: ConditionKind) -> int:
    return INCLUSION if kind in INCLUSION_KINDS else EXCLUSION


def _zone_rows(condition: Condition, zones: ZoneBook) -> list[int]:
    """Every version of the condition's zone."""
    if condition.timetable is not None and condition.windows is None:
        raise ValueError(f"the timetable of condition {condition.condition_id} was not compiled: activate the order")
    if condition.kind is ConditionKind.EXCLUDED_CATEGORIES:
        return [-1]
    row = -1 if condition.zone_no is None else zones.row_of(condition.zone_no)
    if row < 0:
        raise ValueError(
            f"condition {condition.condition_id} of kind {condition.kind} names zone_no {condition.zone_no}, "
            "which is not among the zones: import or draw the zone before the order is activated"
        )
    return [int(version) for version in zones.spans.rows_of(int(zones.zone_key[row]))]


def _validity(
    rules: Sequence[tuple[SupervisionOrder, Condition, int]], zones: ZoneBook
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When each rule governs: its order is valid, this version of it holds, and so does this version of the zone."""
    valid_from, valid_to = [], []
    for order, _, row in rules:
        starts = [to_microseconds(order.valid_from), _start(order.in_force_from)]
        ends = [to_microseconds(order.valid_to), _end(order.in_force_to)]
        if row >= 0:
            starts.append(int(zones.spans.start[row]))
            ends.append(int(zones.spans.end[row]))
        valid_from.append(max(starts))
        valid_to.append(max(*starts, min(ends)))
    return np.array(valid_from, dtype=np.int64), np.array(valid_to, dtype=np.int64)


def _binding(
    rules: Sequence[tuple[SupervisionOrder, Condition, int]],
    valid_from: NDArray[np.int64],
    valid_to: NDArray[np.int64],
    absences: Sequence[Absence],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rules cut to the spans in which they bind: the row that each comes from, its start and its end.

    A rule that never binds keeps one empty span, so that a presence under it is known to have ended.
    """
    away = absences_by_subject(absences)
    source, starts, ends = [], [], []
    for row, (order, condition, _) in enumerate(rules):
        start, end = int(valid_from[row]), int(valid_to[row])
        leave = away.get(order.subject_no) if condition.kind in YIELDING_TO_LEAVE else None
        if condition.windows is None and leave is None:
            source.append(row)
            starts.append(valid_from[row : row + 1])
            ends.append(valid_to[row : row + 1])
            continue
        whole = Windows.build([start], [end]) if condition.windows is None else condition.windows.clipped(start, end)
        parts = whole if leave is None else whole.without([leave])
        source.extend([row] * max(len(parts), 1))
        starts.append(parts.start if len(parts) else valid_from[row : row + 1])
        ends.append(parts.end if len(parts) else valid_from[row : row + 1])
    none = np.zeros(0, dtype=np.int64)
    return np.array(source, dtype=np.int64), np.concatenate([none, *starts]), np.concatenate([none, *ends])
