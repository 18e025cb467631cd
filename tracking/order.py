"""The legal side: a subject, an order, its conditions. Nothing is tracked without them (design.md, invariant 8)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from tracking.local_time import LOCAL_TIME
from tracking.timetable import Timetable
from tracking.windows import Windows
from venues.category import SiteCategory, VenueCategory

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


class Organ(StrEnum):
    """Who decides; each has its own stage of the case, in which the term of a measure is counted anew."""

    POLICE = "police"  # 公安机关：侦查
    PROCURATORATE = "procuratorate"  # 人民检察院：审查起诉
    COURT = "court"  # 人民法院：审判


ORGAN_NAMES_ZH: dict[Organ, str] = {
    Organ.POLICE: "公安机关",
    Organ.PROCURATORATE: "人民检察院",
    Organ.COURT: "人民法院",
}


class LocationBasis(StrEnum):
    """Why the person may be located at all. Without one an order is on file and nothing is tracked (invariant 8)."""

    STATUTE_78 = "statute_78"  # 刑诉法 78：监视居住可以采取电子监控
    CONSENT = "consent"  # 本人（未成年人及其监护人）书面同意
    ORDER_ITEM = "order_item"  # 决定书列明的项目


LOCATION_BASIS_NAMES_ZH: dict[LocationBasis, str] = {
    LocationBasis.STATUTE_78: "刑诉法 78（监视居住的电子监控）",
    LocationBasis.CONSENT: "书面同意",
    LocationBasis.ORDER_ITEM: "决定书列明",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A written consent to being located: when it was signed (aware), the paper, and as what: 本人, 监护人, both."""

    signed_at: datetime
    document: str
    by: str


class ConditionKind(StrEnum):
    """The kinds of condition that the engine enforces."""

    EXCLUSION_ZONE = "exclusion_zone"  # 禁入区域: a zone drawn for this order
    EXCLUDED_CATEGORIES = "excluded_categories"  # 禁入场所: every venue of these categories
    STAY_WITHIN_AREA = "stay_within_area"  # 不得离开: the city or county of residence
    STAY_AT_PLACE = "stay_at_place"  # 不得离开执行监视居住的处所 (刑诉法 77)
    CURFEW = "curfew"  # 夜间不得外出: at a place during the hours of a timetable
    CHECK_IN = "check_in"  # 定时打卡: in the windows of a timetable, at a place if one is named
    SPOT_CHECK = "spot_check"  # 不定期抽检 (刑诉法 78): at times that nobody can foresee
    REPORTING_INTERVAL = "reporting_interval"  # 定位上报间隔: a fix at least so often
    NO_CONTACT = "no_contact"  # 不得会见、通信 (刑诉法 71, 77): not within so many metres of another subject


CONDITION_NAMES_ZH: dict[ConditionKind, str] = {
    ConditionKind.EXCLUSION_ZONE: "不得进入指定区域",
    ConditionKind.EXCLUDED_CATEGORIES: "不得进入特定场所",
    ConditionKind.STAY_WITHIN_AREA: "不得离开规定区域",
    ConditionKind.STAY_AT_PLACE: "不得离开指定处所",
    ConditionKind.CURFEW: "规定时段不得外出",
    ConditionKind.CHECK_IN: "按时打卡",
    ConditionKind.SPOT_CHECK: "接受不定期抽检",
    ConditionKind.REPORTING_INTERVAL: "按间隔上报定位",
    ConditionKind.NO_CONTACT: "不得接触特定人员",
}

INCLUSION_KINDS = frozenset({ConditionKind.STAY_WITHIN_AREA, ConditionKind.STAY_AT_PLACE, ConditionKind.CURFEW})
"""Conditions of which being outside the zone is the breach."""

PLACE_KINDS = INCLUSION_KINDS | {ConditionKind.EXCLUSION_ZONE, ConditionKind.EXCLUDED_CATEGORIES}
"""Conditions that fixes breach by where they are; the others are for the clock and for other findings."""


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
    timetable: Timetable | None = None
    """When it binds, as the order says it; ``None``: always."""
    parameters: Mapping[str, object] = field(default_factory=dict, hash=False)
    """What only this kind has; ``api.condition_parameters`` says what."""
    reason_code: str | None = None
    is_protected: bool = False
    """Its zone is of a protected person: never told to the subject or the guardian."""
    windows: Windows | None = None
    """The timetable by the calendar (``tracking.activation``), within the order's validity; ``None``: always."""
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
    stage: Organ | None = None
    """The organ that decided, in whose stage of the case the term runs."""
    legal_basis: tuple[str, ...] = ()
    location_basis: LocationBasis | None = None
    consent: Consent | None = None
    review_at: datetime | None = None
    lifted_at: datetime | None = None
    lifting_document: str | None = None
    in_force_from: datetime | None = None
    in_force_to: datetime | None = None
    recorded_at: datetime | None = None

    def is_valid_at(self, instant: datetime) -> bool:
        """Whether the order is in force at an aware instant."""
        return self.valid_from <= instant < self.valid_to
