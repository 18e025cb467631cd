"""Orders and zones compiled into columns: which rule applies to which subject at which zone and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from geo.index import ZoneIndex
from geo.probability import ShapeProbability
from geo.shape_change import widened
from tracking.order import Condition, ConditionKind, SupervisionOrder
from tracking.zone import Zone, ZoneKind
from venues.category import SiteCategory, VenueCategory

CATEGORY_BITS: dict[str, int] = {
    str(category): 1 << position for position, category in enumerate([*VenueCategory, *SiteCategory])
}
"""One bit per category, so that "may not enter bars and KTV" is one mask."""

UNCATEGORISED_BIT = 1 << 62
"""The bit of an exclusion zone that is no venue and no site."""

EVERY_BIT = -1
"""The mask of a rule that forbids every exclusion zone."""

EXCLUSION, INCLUSION = 0, 1
"""Values of ``RuleBook.breach``: being inside, or being outside, is the breach."""


def to_microseconds(instant: datetime) -> int:
    """An aware instant as microseconds since the Unix epoch, UTC."""
    seconds = int(instant.replace(microsecond=0).timestamp())
    return seconds * 1_000_000 + instant.microsecond


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneBook:
    """``m`` zones with their index. Row ``i`` of every array is ``zones[i]`` and zone row ``i`` of ``index``.

    ``shapes``: the same zones compiled for P(inside). ``category_bit``: int64 ``[m]``, 0 for an inclusion zone.
    """

    zones: tuple[Zone, ...]
    index: ZoneIndex
    zone_no: NDArray[np.int64]
    shapes: ShapeProbability
    category_bit: NDArray[np.int64]

    @classmethod
    def build(cls, zones: Sequence[Zone]) -> "ZoneBook":
        """Compile zones once; ``zone_no`` ascending, so that it can be searched."""
        ordered = tuple(sorted(zones, key=lambda zone: zone.zone_no))
        return cls(
            zones=ordered,
            index=ZoneIndex.build([zone.shape for zone in ordered]),
            zone_no=np.array([zone.zone_no for zone in ordered], dtype=np.int64),
            shapes=ShapeProbability.build([zone.shape for zone in ordered]),
            category_bit=np.array([_category_bit(zone) for zone in ordered], dtype=np.int64),
        )

    def row_of(self, zone_no: int) -> int:
        """The row of a zone number, or -1 if the book does not hold it."""
        row = int(np.searchsorted(self.zone_no, zone_no))
        return row if row < len(self.zones) and self.zone_no[row] == zone_no else -1


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """``r`` rules in columns, sorted by (``subject_no``, ``condition_no``); ``conditions[i]`` made rule ``i``.

    ``valid_from``, ``valid_to``: int64 microseconds UTC, half open. ``breach``: ``EXCLUSION`` or ``INCLUSION``.
    ``zone_row``: row in the zone book, or -1 for a rule by category. ``category_mask``: int64 bits.
    ``wide_row``: row in ``wide`` of the area widened by the rule's tolerance, or -1 where there is nothing to widen.
    """

    orders: tuple[SupervisionOrder, ...]
    conditions: tuple[Condition, ...]
    subject_no: NDArray[np.int64]
    condition_no: NDArray[np.int64]
    valid_from: NDArray[np.int64]
    valid_to: NDArray[np.int64]
    breach: NDArray[np.int8]
    zone_row: NDArray[np.int64]
    category_mask: NDArray[np.int64]
    tolerance_m: NDArray[np.float64]
    wide_row: NDArray[np.int64]
    wide: ShapeProbability

    @classmethod
    def build(cls, orders: Sequence[SupervisionOrder], zones: ZoneBook) -> "RuleBook":
        """Compile the conditions of all orders. A zone condition whose zone is missing raises ``ValueError``."""
        rules = sorted(
            ((order, condition) for order in orders for condition in order.conditions),
            key=lambda rule: (rule[0].subject_no, rule[1].condition_no),
        )
        wide_row, wide = _widened_areas([condition for _, condition in rules], zones)
        return cls(
            orders=tuple(order for order, _ in rules),
            conditions=tuple(condition for _, condition in rules),
            subject_no=np.array([order.subject_no for order, _ in rules], dtype=np.int64),
            condition_no=np.array([condition.condition_no for _, condition in rules], dtype=np.int64),
            valid_from=np.array([to_microseconds(order.valid_from) for order, _ in rules], dtype=np.int64),
            valid_to=np.array([to_microseconds(order.valid_to) for order, _ in rules], dtype=np.int64),
            breach=np.array([_breach(condition.kind) for _, condition in rules], dtype=np.int8),
            zone_row=np.array([_zone_row(condition, zones) for _, condition in rules], dtype=np.int64),
            category_mask=np.array([category_mask(condition.categories) for _, condition in rules], dtype=np.int64),
            tolerance_m=np.array([condition.tolerance_m for _, condition in rules], dtype=np.float64),
            wide_row=wide_row,
            wide=wide,
        )

    def __len__(self) -> int:
        return len(self.conditions)

    def rows_of(self, condition_nos: NDArray[np.int64]) -> NDArray[np.intp]:
        """The first row of each condition number ``[k]``; raises ``LookupError`` if the book does not hold one."""
        known, first = np.unique(self.condition_no, return_index=True)
        place = np.minimum(np.searchsorted(known, condition_nos), max(len(known) - 1, 0))
        missing = condition_nos != known[place] if len(known) else np.ones(len(condition_nos), dtype=np.bool_)
        for condition_no in condition_nos[missing][:1].tolist():
            raise LookupError(f"condition_no {condition_no} is in no order in force")
        return first[place]


def category_mask(categories: frozenset[VenueCategory | SiteCategory]) -> int:
    """The bits of a set of categories."""
    mask = 0
    for category in categories:
        mask |= CATEGORY_BITS[category]
    return mask


def _widened_areas(conditions: Sequence[Condition], zones: ZoneBook) -> tuple[NDArray[np.int64], ShapeProbability]:
    """The row of each condition among the widened areas, and those areas: one per zone and tolerance."""
    keys = [
        (_zone_row(item, zones), item.tolerance_m) if _breach(item.kind) == INCLUSION and item.tolerance_m > 0 else None
        for item in conditions
    ]
    place = {key: number for number, key in enumerate(dict.fromkeys(key for key in keys if key is not None))}
    shapes = [widened(zones.zones[row].shape, tolerance_m) for row, tolerance_m in place]
    row = np.array([-1 if key is None else place[key] for key in keys], dtype=np.int64)
    return row, ShapeProbability.build(shapes)


def _category_bit(zone: Zone) -> int:
    if zone.kind is ZoneKind.INCLUSION:
        return 0
    return UNCATEGORISED_BIT if zone.category is None else CATEGORY_BITS[zone.category]


def _breach(kind: ConditionKind) -> int:
    return INCLUSION if kind is ConditionKind.STAY_WITHIN_AREA else EXCLUSION


def _zone_row(condition: Condition, zones: ZoneBook) -> int:
    if condition.kind is ConditionKind.EXCLUDED_CATEGORIES:
        return -1
    row = -1 if condition.zone_no is None else zones.row_of(condition.zone_no)
    if row < 0:
        raise ValueError(
            f"condition {condition.condition_id} of kind {condition.kind} names zone_no {condition.zone_no}, "
            "which is not among the zones: import or draw the zone before the order is activated"
        )
    return row
