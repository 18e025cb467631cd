"""One row of the law of distance: who, how far from whom, how both ends are measured, since when, and on whose word.

Local rules differ in every column (reference/domain.md 2.3: six methods), so they are data: the rows that Hulan ships
are in ``venues/distance_law.toml``, read by ``venues.distance_law.read_distance_law``. A rule is never edited: a change
of law ends one row and begins another, so that what was lawful before stays documented.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from venues.canonical_json import content_hash
from venues.category import SiteCategory, VenueCategory

NATION = "000000"


class SiteEnd(StrEnum):
    """Where a measurement begins at the protected place."""

    BOUNDARY = "boundary"  # 围墙或校园边界任意一点
    ALL_GATES = "all_gates"  # 所有出入口
    STUDENT_GATES = "student_gates"  # 学生出入的校门


class VenueEnd(StrEnum):
    """Where it ends at the venue."""

    DOOR = "door"  # 主要出入口
    ANY_DOOR = "any_door"  # 任何一个出入口
    FOOTPRINT = "footprint"  # 经营场所边沿


class Metric(StrEnum):
    """How the way between the two is measured."""

    STRAIGHT = "straight"  # 直线
    WALKING = "walking"  # 步行、交通行走


class AppliesTo(StrEnum):
    """Whom a new rule binds."""

    ALL = "all"
    NEW = "new"  # 新设、新办


class Grandfather(StrEnum):
    """How long those from before a rule keep their place."""

    FOR_GOOD = "for_good"  # 此前设立的不适用
    UNTIL_EXPIRY = "until_expiry"  # 许可证到期不予延续


class RuleStatus(StrEnum):
    """Whether a row is law."""

    IN_FORCE = "in_force"
    DRAFT = "draft"  # 征求意见稿: known, listed, never applied


class Verification(StrEnum):
    """On whose word a row stands."""

    LAW_TEXT = "L"  # the article was read in a law collection
    WEB_PAGE = "U"  # a web page quotes it: a pointer to the official text
    OFFICE = "office"  # entered by the office that uses Hulan, from the document named


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One way to measure. On foot there are only gates and doors: a wall and a wall have no way between them."""

    site_end: SiteEnd
    venue_end: VenueEnd
    metric: Metric


STRICTEST = Reading(site_end=SiteEnd.BOUNDARY, venue_end=VenueEnd.FOOTPRINT, metric=Metric.STRAIGHT)
"""Gives the shortest distance of all readings, as gates lie on the boundary and doors in the footprint."""
MOST_LENIENT = Reading(site_end=SiteEnd.STUDENT_GATES, venue_end=VenueEnd.DOOR, metric=Metric.WALKING)
"""Gives the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceRule:
    """A venue of ``venue_categories`` may not be within ``threshold_m`` metres of a site of ``site_categories``."""

    rule_id: str
    jurisdiction: str
    """Division code (GB/T 2260) of six digits: ``000000`` the nation, ``440000`` a province, ``321300`` a city."""
    venue_categories: frozenset[VenueCategory]
    site_categories: frozenset[SiteCategory]
    threshold_m: float
    is_inclusive: bool
    """True if exactly the threshold is too near (含本数); False if it is far enough (不得少于)."""
    site_end: SiteEnd | None
    """``None``: the text does not say. Then only what every reading agrees on is clear."""
    venue_end: VenueEnd | None
    metric: Metric | None
    effective_from: date | None
    """``None`` where nobody verified the day: then it lies between :attr:`from_earliest` and :attr:`from_latest`."""
    effective_to: date | None
    """Last day in force; ``None`` while it is."""
    applies_to: AppliesTo
    grandfather: Grandfather | None
    """Given exactly if the rule applies to new ones only."""
    is_later_site_exempt: bool
    """True if a school that came after the venue does not count."""
    scope_zh: str
    """What else must hold that no register tells, for example 仅电子烟: an officer must establish it. Else empty."""
    status: RuleStatus
    document: str
    """Instrument, number and article."""
    text_zh: str
    """What it says about the distance."""
    source: str
    """Where that was read."""
    verification: Verification
    from_earliest: date | None = None
    """Before this day the rule binds nobody: of a law of some year its first day."""
    from_latest: date | None = None
    """From this day on it is surely law: a source that says so is of that day. Between the two somebody must ask."""

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The ways to measure that the text allows: one if it says all, else the strictest and the most lenient."""
        strict, lenient = (self._reading(extreme) for extreme in (STRICTEST, MOST_LENIENT))
        return (strict,) if strict == lenient else (strict, lenient)

    @property
    def rule_version(self) -> str:
        """SHA-256 (hex, 16 digits) of every column: two rules of one version say the same."""
        return _version_of(self)

    @property
    def locality(self) -> int:
        """How local the rule is: 0 the nation, 1 a province, 2 a city, 3 a county or district."""
        return locality(self.jurisdiction)

    def is_in_force(self, day: date) -> bool:
        """Whether the rule is law on a day (Asia/Shanghai), or may be; a draft never is."""
        first, _ = self.first_days
        is_begun = self.status is RuleStatus.IN_FORCE and first <= day
        return is_begun and (self.effective_to is None or day <= self.effective_to)

    def is_surely_begun(self, day: date) -> bool:
        """Whether nobody need ask if the rule was law on a day (Asia/Shanghai)."""
        return self.first_days[1] <= day

    @property
    def first_days(self) -> tuple[date, date]:
        """The first and the last day on which it may have begun; the same one where it is verified.

        A rule of which nothing is known began on no day.
        """
        if self.effective_from is not None:
            return self.effective_from, self.effective_from
        return self.from_earliest or date.max, self.from_latest or date.max

    def _reading(self, extreme: Reading) -> Reading:
        metric = self.metric or extreme.metric
        site_end, venue_end = self.site_end or extreme.site_end, self.venue_end or extreme.venue_end
        if metric is Metric.WALKING:
            site_end = SiteEnd.ALL_GATES if site_end is SiteEnd.BOUNDARY else site_end
            venue_end = VenueEnd.ANY_DOOR if venue_end is VenueEnd.FOOTPRINT else venue_end
        return Reading(site_end=site_end, venue_end=venue_end, metric=metric)


@lru_cache(maxsize=1024)
def _version_of(rule: DistanceRule) -> str:
    # Asked of every finding: hashed anew each time it took a fifth of a day's run.
    return content_hash(rule)[:16]


def locality(jurisdiction: str) -> int:
    """0 the nation, 1 a province, 2 a city, 3 a county or district."""
    if jurisdiction == NATION:
        return 0
    if jurisdiction.endswith("0000"):
        return 1
    return 2 if jurisdiction.endswith("00") else 3


def covers(jurisdiction: str, division: str) -> bool:
    """Whether a place in ``division`` (a code of six digits, as exact as it is known) lies in the jurisdiction."""
    return division.startswith(jurisdiction[: 2 * locality(jurisdiction)])


def within(jurisdiction: str) -> str:
    """What the codes of its divisions are LIKE, in SQL."""
    return f"{jurisdiction[: 2 * locality(jurisdiction)]}%"


def by_precedence(rules: Iterable[DistanceRule]) -> tuple[DistanceRule, ...]:
    """From the nation to the county, then from the earlier to the later, then by id so that it is fixed."""
    return tuple(sorted(rules, key=lambda rule: (rule.locality, *rule.first_days, rule.rule_id)))
