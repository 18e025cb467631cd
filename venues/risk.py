"""Why a venue or an area is green, yellow, red or not known: a decayed score, legal triggers, and dated reasons.

Rule ``venue-risk/1``. Each incident weighs 1 (police call), 2 (penalty) or 4 (criminal case) on its day and half of
that after 180 days. Time decay is what makes such a ranking find the next incident (reference/venues-maps.md 1.2); the
weights and the cut-offs are a judgement that prosecutors can change in ``RiskPolicy``. A level is a reason to look,
never a verdict.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from venues.category import VenueCategory
from venues.place import IncidentKind, SourceKey, VenueIncident

SHANGHAI = ZoneInfo("Asia/Shanghai")
"""Days in reasons are days of this zone."""


class RiskLevel(StrEnum):
    """The colour of a venue or an area."""

    UNKNOWN = "unknown"  # 数据不足, grey: too little is known; it does not mean safe
    GREEN = "green"  # 绿
    YELLOW = "yellow"  # 黄
    RED = "red"  # 红

    @property
    def rank(self) -> int:
        """0 for unknown up to 3 for red: how much is known against the place."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(RiskLevel)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPolicy:
    """The numbers of the rule. Whoever changes one gives the policy another ``version``."""

    version: str = "venue-risk/1"
    half_life_days: float = 180.0
    """Days after which an incident weighs half. 180 d found most next incidents in the back-test (venues-maps 1.2)."""
    police_call_weight: float = 1.0
    penalty_weight: float = 2.0
    criminal_case_weight: float = 4.0
    yellow_score: float = 1.0
    """A penalty stays yellow for one half-life, and so do two police calls."""
    red_score: float = 4.0
    """The weight of a criminal case today: five police calls of the last eight weeks reach it."""
    trigger_months: int = 12
    """Calendar months within which a criminal case with a minor, or a second penalty, is red at once."""
    minimum_observed_days: int = 60
    """A venue observed for less is not called green."""
    area_yellow_per_km2: float = 10.0
    """Decayed score per km²: one venue at the yellow score, alone in an H3 cell of resolution 9 (about 0.1 km²)."""
    area_red_per_km2: float = 40.0
    """The same for one venue at the red score."""

    def __post_init__(self) -> None:
        """Refuse numbers with which the colours would make no sense."""
        if not 0 < self.half_life_days < math.inf:
            raise ValueError(f"half_life_days is {self.half_life_days}: give a positive number of days")
        if not 0 < self.yellow_score <= self.red_score:
            raise ValueError(
                f"yellow_score {self.yellow_score} must be positive and at most red_score {self.red_score}"
            )
        if not 0 < self.area_yellow_per_km2 <= self.area_red_per_km2:
            raise ValueError("area_yellow_per_km2 must be positive and at most area_red_per_km2")
        if min(self.police_call_weight, self.penalty_weight, self.criminal_case_weight) < 0:
            raise ValueError("weights must not be negative: an incident never makes a venue safer")

    @property
    def weights(self) -> dict[IncidentKind, float]:
        """What an incident of each kind weighs on its day."""
        return {
            IncidentKind.POLICE_CALL: self.police_call_weight,
            IncidentKind.PENALTY: self.penalty_weight,
            IncidentKind.CRIMINAL_CASE: self.criminal_case_weight,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueExposure:
    """A venue, its WGS-84 point and since when incidents there would have been recorded."""

    key: SourceKey
    name: str
    category: VenueCategory
    longitude: float
    latitude: float
    observed_from: date | None
    """``None``: nobody knows; the first recorded incident, if any, then stands for it."""

    def __post_init__(self) -> None:
        """Refuse a point that is not on earth: one such venue would blank the whole map."""
        if not (abs(self.longitude) <= 180 and abs(self.latitude) <= 90):
            raise ValueError(
                f"venue {self.key}: {self.longitude}, {self.latitude} is not longitude, latitude in degrees"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a level was given: the day of the fact, in Chinese and in English."""

    date: date
    text_zh: str
    text_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueRisk:
    """A venue with its level at ``as_of``, and everything needed to compute it again."""

    venue: VenueExposure
    level: RiskLevel
    score: float
    reasons: tuple[Reason, ...]
    """Never empty; the weightiest first."""
    incidents: tuple[VenueIncident, ...]
    """The incidents that were counted, oldest first."""
    as_of: datetime
    rule_version: str


def assess_venues(
    venues: Sequence[VenueExposure], incidents: Iterable[VenueIncident], *, as_of: datetime, policy: RiskPolicy
) -> tuple[VenueRisk, ...]:
    """The level of each venue, in the order of ``venues``, from what had happened by ``as_of``.

    Incidents after ``as_of`` and incidents of other venues are left out. The order of ``incidents`` does not matter,
    and the same incident given twice counts once. A case without a minor counts in the score but is no trigger.

    Raises:
        ValueError: ``as_of`` is naive, a venue key comes twice, or an incident key comes with two different contents.
    """
    if as_of.tzinfo is None:
        raise ValueError(f"as_of {as_of} has no time zone: give an aware datetime")
    history = _history_by_venue(incidents, as_of=as_of)
    if len({venue.key for venue in venues}) != len(venues):
        raise ValueError("a venue key comes twice: give each venue once")
    return tuple(_assess(venue, history.get(venue.key, []), as_of=as_of, policy=policy) for venue in venues)


def _history_by_venue(
    incidents: Iterable[VenueIncident], *, as_of: datetime
) -> Mapping[SourceKey, list[VenueIncident]]:
    """The incidents up to ``as_of`` by venue, each once."""
    unique: dict[SourceKey, VenueIncident] = {}
    for incident in incidents:
        if incident.occurred_at <= as_of and unique.setdefault(incident.key, incident) != incident:
            raise ValueError(f"incident {incident.key} comes with two different contents: import the right one again")
    history: dict[SourceKey, list[VenueIncident]] = {}
    for incident in unique.values():
        history.setdefault(incident.venue_key, []).append(incident)
    return history


def _assess(venue: VenueExposure, incidents: list[VenueIncident], *, as_of: datetime, policy: RiskPolicy) -> VenueRisk:
    """The level of one venue from its own incidents."""
    counted = sorted(incidents, key=lambda one: (one.occurred_at, one.key.source, one.key.source_id))
    score = _decayed_score(counted, as_of=as_of, policy=policy)
    reasons = _red_triggers(counted, as_of=as_of, policy=policy)
    if reasons or score >= policy.red_score:
        level = RiskLevel.RED
    elif score >= policy.yellow_score:
        level = RiskLevel.YELLOW
    else:
        thin = _thin_data(venue, counted, as_of=as_of, policy=policy)
        level = RiskLevel.UNKNOWN if thin else RiskLevel.GREEN
        reasons = [thin] if thin else []
    if counted or not reasons:
        reasons.append(_score_reason(counted, score, as_of=as_of, policy=policy))
    return VenueRisk(
        venue=venue,
        level=level,
        score=score,
        reasons=tuple(reasons),
        incidents=tuple(counted),
        as_of=as_of,
        rule_version=policy.version,
    )


def _decayed_score(incidents: Sequence[VenueIncident], *, as_of: datetime, policy: RiskPolicy) -> float:
    """Sum of weight x 0.5^(age / half-life); exactly rounded, so that no order of the terms changes it."""
    weights, half_life = policy.weights, timedelta(days=policy.half_life_days)
    return math.fsum(weights[one.kind] * 0.5 ** ((as_of - one.occurred_at) / half_life) for one in incidents)


def _red_triggers(incidents: Sequence[VenueIncident], *, as_of: datetime, policy: RiskPolicy) -> list[Reason]:
    """What makes the venue red whatever its score, latest first. ``incidents`` are sorted by time."""
    months = policy.trigger_months
    since = datetime.combine(_months_before(_day(as_of), months), time.min, SHANGHAI)
    recent = [one for one in incidents if one.occurred_at >= since]
    reasons = [
        Reason(
            date=_day(one.occurred_at),
            text_zh=f"{months}个月内发生涉未成年人刑事案件",
            text_en=f"Criminal case involving a minor within {months} months",
        )
        for one in reversed(recent)
        if one.kind is IncidentKind.CRIMINAL_CASE and one.involves_minor
    ]
    penalties = [_day(one.occurred_at) for one in recent if one.kind is IncidentKind.PENALTY]
    if len(penalties) >= 2:
        count, previous = len(penalties), penalties[-2]
        reasons.append(
            Reason(
                date=penalties[-1],
                text_zh=f"{months}个月内第{count}次行政处罚（上一次：{previous}）",
                text_en=f"Administrative penalty no. {count} within {months} months (the one before: {previous})",
            )
        )
    return reasons


def _thin_data(
    venue: VenueExposure, incidents: Sequence[VenueIncident], *, as_of: datetime, policy: RiskPolicy
) -> Reason | None:
    """Why too little is known to call the venue green, or ``None`` if enough is known."""
    today, least = _day(as_of), policy.minimum_observed_days
    observed_from = venue.observed_from or (_day(incidents[0].occurred_at) if incidents else None)
    if observed_from is None:
        return Reason(
            date=today,
            text_zh="没有观察起始日，也没有任何事件记录：数据不足，不表示安全",
            text_en="No date of first observation, no recorded incident: insufficient data, which does not mean safe",
        )
    days = max((today - observed_from).days, 0)
    if days >= least:
        return None
    return Reason(
        date=observed_from,
        text_zh=f"自该日起仅观察{days}天，不足{least}天：数据不足，不表示安全",
        text_en=f"Observed for {days} days since then, fewer than {least}: insufficient data, which does not mean safe",
    )


def _score_reason(incidents: Sequence[VenueIncident], score: float, *, as_of: datetime, policy: RiskPolicy) -> Reason:
    """The score beside the cut-offs, dated by the latest incident."""
    counts = Counter(one.kind for one in incidents)
    calls, penalties, cases = (counts[kind] for kind in IncidentKind)
    shown = math.floor(score * 100) / 100
    yellow, red = f"{policy.yellow_score:g}", f"{policy.red_score:g}"
    return Reason(
        date=_day(incidents[-1].occurred_at if incidents else as_of),
        text_zh=f"衰减得分{shown:.2f}（黄≥{yellow}，红≥{red}）：警情{calls}、行政处罚{penalties}、刑事案件{cases}",
        text_en=f"Decayed score {shown:.2f} (yellow from {yellow}, red from {red}): "
        f"police calls {calls}, penalties {penalties}, criminal cases {cases}",
    )


def _day(moment: datetime) -> date:
    """The day in China on which ``moment`` falls."""
    return moment.astimezone(SHANGHAI).date()


def _months_before(day: date, months: int) -> date:
    """The same day of the month ``months`` earlier, or that month's last day if it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    first_of_next = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    last = (first_of_next - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))
