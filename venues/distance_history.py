"""What the law of distance said of each pair and when: a list that only grows, and what a run changes in it. Pure.

An entry holds from a day of the law and is known since an instant. A new rule, a new measurement or a licence that ran
out adds an entry; it takes nothing away, so that what was lawful on a day can be told as it was known then.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from venues.category import VenueCategory
from venues.distance import DistanceFinding
from venues.distance_law import DistanceLaw
from venues.distance_rule import covers
from venues.distance_verdict import OF_PAPERS, Reason, Verdict
from venues.register_facts import RegisteredPlace, days_of_change

_SAME_M = 0.01
"""Distances nearer than this to each other are the same measurement."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PairKey:
    """A venue and a campus of a site."""

    venue_id: str
    site_id: str
    campus_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherVerdict:
    """What was said of categories of a venue that fare no worse than those that decide."""

    categories: frozenset[VenueCategory]
    verdict: Verdict
    reason: Reason
    rule_id: str
    rule_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVerdict:
    """What the winning rule said of a pair, with what it rested on."""

    key: PairKey
    division: str
    """Of the venue, six digits: whose rules bind it, and whose officers see what is said."""
    verdict: Verdict
    reason: Reason
    rule_id: str
    rule_version: str
    straight_m: float | None
    walking_m: float | None
    walk_status: int
    is_disputed: bool
    categories: frozenset[VenueCategory] = frozenset()
    """What the venue was judged as."""
    others: tuple[OtherVerdict, ...] = ()

    @property
    def bound_categories(self) -> frozenset[VenueCategory]:
        """Every category that a rule binds."""
        return self.categories.union(*(other.categories for other in self.others))


class Cause(StrEnum):
    """Why a verdict is another one than before."""

    FIRST = "first"  # 首次
    RULE = "rule"  # 规则变了
    DISTANCE = "distance"  # 位置、校门或路网变了，或其误差、齐全与否
    PAPERS = "papers"  # 许可、设立日期或到期
    DIVISION = "division"  # 所在区划
    CATEGORY = "category"  # 场所类别
    GONE = "gone"  # 不再受任何规则约束，或已不在附近
    MOVED = "moved"  # 已移至其他区划：原区划的人员不再看到以后的结论


SAYS_NOTHING = frozenset({Cause.GONE, Cause.MOVED})
"""Of entries that hold no verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictChange:
    """What a run changes about one pair."""

    key: PairKey
    cause: Cause
    before: RecordedVerdict | None
    after: RecordedVerdict | None

    @property
    def division(self) -> str:
        """Where the venue lies now, or lay when something was last said of it."""
        told = self.after or self.before
        assert told is not None
        return told.division


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """A verdict from a day on, as known since an instant; ``recorded`` is ``None`` where no rule binds the pair.

    Officers see the entries of their division. When the venue is found to lie in one that they do not see, an entry
    without a verdict says so in theirs (``MOVED``), right before the one that says what holds.
    """

    key: PairKey
    holds_from: date
    recorded_at: datetime
    """Aware."""
    cause: Cause
    division: str
    """Of the venue, six digits; where nothing is said any more, as it was last."""
    recorded: RecordedVerdict | None


def record_of(finding: DistanceFinding) -> RecordedVerdict:
    """What is kept of a finding."""
    return RecordedVerdict(
        key=PairKey(venue_id=finding.venue.venue_id, site_id=finding.site.site_id, campus_id=finding.campus.campus_id),
        division=finding.venue.division,
        verdict=finding.verdict,
        reason=finding.reason,
        rule_id=finding.rule.rule_id,
        rule_version=finding.rule.rule_version,
        straight_m=_known(finding.straight_m),
        walking_m=_known(finding.walking_m),
        walk_status=finding.walk_status,
        is_disputed=finding.is_disputed,
        categories=finding.categories,
        others=tuple(
            OtherVerdict(
                categories=part.categories,
                verdict=part.verdict,
                reason=part.reason,
                rule_id=part.rule.rule_id,
                rule_version=part.rule.rule_version,
            )
            for part in finding.others
        ),
    )


def changes_between(before: Iterable[RecordedVerdict], after: Iterable[RecordedVerdict]) -> tuple[VerdictChange, ...]:
    """What differs between two runs, by pair; pairs of which nothing changed are left out."""
    old, new = {one.key: one for one in before}, {one.key: one for one in after}
    changes = (_change(key, old.get(key), new.get(key)) for key in sorted(old.keys() | new.keys()))
    return tuple(change for change in changes if change is not None)


def entries_for(
    history: Sequence[HistoryEntry], after: Iterable[RecordedVerdict], *, on: date, recorded_at: datetime
) -> tuple[HistoryEntry, ...]:
    """The entries that a run for the law of the day ``on`` adds to ``history``; an unchanged pair adds none.

    Raises ValueError for an instant that is not aware.
    """
    if recorded_at.tzinfo is None:
        raise ValueError(f"recorded_at is {recorded_at}: give an aware instant")
    found: list[HistoryEntry] = []
    for change in changes_between(verdicts_on(history, on).values(), after):
        entry = HistoryEntry(
            key=change.key,
            holds_from=on,
            recorded_at=recorded_at,
            cause=change.cause,
            division=change.division,
            recorded=change.after,
        )
        if change.before is not None and not covers(change.before.division, entry.division):
            found.append(replace(entry, cause=Cause.MOVED, division=change.before.division, recorded=None))
        found.append(entry)
    return tuple(found)


def verdicts_on(
    history: Iterable[HistoryEntry], day: date, *, known_at: datetime | None = None
) -> Mapping[PairKey, RecordedVerdict]:
    """What held on ``day`` of every pair that a rule bound, as known at an instant, or as known now."""
    standing: dict[PairKey, HistoryEntry] = {}
    for entry in history:
        if entry.holds_from > day or (known_at is not None and entry.recorded_at > known_at):
            continue
        last = standing.get(entry.key)
        if last is None or (entry.holds_from, entry.recorded_at) >= (last.holds_from, last.recorded_at):
            standing[entry.key] = entry
    return {key: entry.recorded for key, entry in standing.items() if entry.recorded is not None}


def days_to_evaluate(
    law: DistanceLaw, places: Iterable[RegisteredPlace], *, since: date, until: date
) -> tuple[date, ...]:
    """The days after ``since`` on which law or register may change a verdict, and ``until``: one run for each."""
    days = {until, *law.days_of_change(since=since, until=until)}
    days.update(*(days_of_change(place, since=since, until=until) for place in places))
    return tuple(sorted(days))


def _change(key: PairKey, old: RecordedVerdict | None, new: RecordedVerdict | None) -> VerdictChange | None:
    cause = _cause(old, new)
    return None if cause is None else VerdictChange(key=key, cause=cause, before=old, after=new)


def _cause(old: RecordedVerdict | None, new: RecordedVerdict | None) -> Cause | None:
    if new is None:
        return Cause.GONE
    if old is None:
        return Cause.FIRST
    if old.bound_categories != new.bound_categories:
        return Cause.CATEGORY
    if _rules_of(old) != _rules_of(new) or old.is_disputed != new.is_disputed:
        return Cause.RULE
    near = _is_same(old.straight_m, new.straight_m) and _is_same(old.walking_m, new.walking_m)
    if not near or old.walk_status != new.walk_status:
        return Cause.DISTANCE
    return _cause_beside_distance(old, new)


def _cause_beside_distance(old: RecordedVerdict, new: RecordedVerdict) -> Cause | None:
    if _said_by(old) != _said_by(new):
        is_measured = (old.verdict, old.reason) != (new.verdict, new.reason) and not {
            old.reason,
            new.reason,
        } & OF_PAPERS
        return Cause.DISTANCE if is_measured else Cause.PAPERS
    return None if old.division == new.division else Cause.DIVISION


def _rules_of(one: RecordedVerdict) -> frozenset[tuple[VenueCategory | None, str, str]]:
    """By category, the rule that won."""
    own = ((category, one.rule_id, one.rule_version) for category in one.categories or (None,))
    others = ((category, other.rule_id, other.rule_version) for other in one.others for category in other.categories)
    return frozenset((*own, *others))


def _said_by(one: RecordedVerdict) -> tuple[object, ...]:
    return one.verdict, one.reason, one.categories, frozenset(one.others)


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _SAME_M


def _known(metres: float) -> float | None:
    return None if math.isnan(metres) else metres
