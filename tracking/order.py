"""The legal side: a subject, an order, its conditions. Nothing is tracked without them (design.md, invariant 8)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from tracking.windows import Windows
from venues.category import SiteCategory, VenueCategory

LOCAL_TIME = ZoneInfo("Asia/Shanghai")
"""The time zone of every date and clock time that people read, and of birthdays."""

ADULT_AGE = 18
"""Civil majority, reached on the birthday itself (reference/domain.md 2.1, "Two ages")."""


class Measure(StrEnum):
    """The judicial measure that an order imposes."""

    BAIL = "bail"  # 取保候审
    RESIDENTIAL_SURVEILLANCE = "residential_surveillance"  # 监视居住
    CONDITIONAL_NON_PROSECUTION = "conditional_non_prosecution"  # 附条件不起诉


MEASURE_NAMES_ZH: dict[Measure, str] = {
    Measure.BAIL: "取保候审",
    Measure.RESIDENTIAL_SURVEILLANCE: "监视居住",
    Measure.CONDITIONAL_NON_PROSECUTION: "附条件不起诉",
}


class ConditionKind(StrEnum):
    """The kinds of condition that the engine enforces."""

    EXCLUSION_ZONE = "exclusion_zone"  # 禁入区域: a zone drawn for this order
    EXCLUDED_CATEGORIES = "excluded_categories"  # 禁入场所: every venue of these categories
    STAY_WITHIN_AREA = "stay_within_area"  # 不得离开: the city or county of residence
    STAY_AT_PLACE = "stay_at_place"  # 不得离开执行监视居住的处所 (刑诉法 77)
    CURFEW = "curfew"  # 夜间不得外出: at a place during the hours of a timetable


CONDITION_NAMES_ZH: dict[ConditionKind, str] = {
    ConditionKind.EXCLUSION_ZONE: "不得进入指定区域",
    ConditionKind.EXCLUDED_CATEGORIES: "不得进入特定场所",
    ConditionKind.STAY_WITHIN_AREA: "不得离开规定区域",
    ConditionKind.STAY_AT_PLACE: "不得离开指定处所",
    ConditionKind.CURFEW: "规定时段不得外出",
}

INCLUSION_KINDS = frozenset({ConditionKind.STAY_WITHIN_AREA, ConditionKind.STAY_AT_PLACE, ConditionKind.CURFEW})
"""Conditions of which being outside the zone is the breach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person under supervision. ``alias`` is what an SMS may carry: never the full name."""

    subject_no: int
    subject_id: UUID
    alias: str
    birth_date: date

    def is_minor_at(self, instant: datetime) -> bool:
        """Whether the subject is under 18 at an aware instant, by the calendar of Asia/Shanghai."""
        today = instant.astimezone(LOCAL_TIME).date()
        had_birthday = (today.month, today.day) >= (self.birth_date.month, self.birth_date.day)
        return today.year - self.birth_date.year - (0 if had_birthday else 1) < ADULT_AGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One item of an order.

    ``zone_no`` names the zone of an exclusion zone or area by any of its versions, and means all of them, each at its
    time; ``categories`` those of ``EXCLUDED_CATEGORIES``.
    ``tolerance_m`` widens an area by the error of its boundary before leaving it counts.
    """

    condition_no: int
    condition_id: UUID
    kind: ConditionKind
    zone_no: int | None = None
    categories: frozenset[VenueCategory | SiteCategory] = frozenset()
    tolerance_m: float = 0.0
    windows: Windows | None = None
    """When the condition binds, within the order's validity; ``None``: always."""
    first_no: int | None = None
    """``condition_no`` of the first version of this ``condition_id``; ``None`` if this is it."""

    @property
    def key(self) -> int:
        """The number that all versions of the condition share."""
        return self.condition_no if self.first_no is None else self.first_no


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisionOrder:
    """One version of the decision that allows tracking. ``valid_from`` ≤ t < ``valid_to``, aware.

    This version governs fixes taken from ``in_force_from`` to before ``in_force_to`` (event time), which lie within its
    validity: a variation (变更) governs from when it takes effect, and the version before it until then (ADR 0013).
    ``None``: as long as the order is valid. ``recorded_at``: when a variation became known; ``None`` for the first.
    Source: 刑诉法 71, 77, 283; reference/domain.md 2.1.
    """

    order_no: int
    order_id: UUID
    version: int
    subject_no: int
    measure: Measure
    document_number: str
    deciding_organ: str
    executing_organ: str
    valid_from: datetime
    valid_to: datetime
    conditions: tuple[Condition, ...] = ()
    in_force_from: datetime | None = None
    in_force_to: datetime | None = None
    recorded_at: datetime | None = None

    def is_valid_at(self, instant: datetime) -> bool:
        """Whether the order is in force at an aware instant."""
        return self.valid_from <= instant < self.valid_to
