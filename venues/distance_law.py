"""The law of distance as a book of rules, read from TOML text in the form of ``venues/distance_law.toml``. Pure."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, TypeVar

from venues.calendar_day import day_after
from venues.category import SiteCategory, VenueCategory
from venues.distance_rule import (
    AppliesTo,
    DistanceRule,
    Grandfather,
    Metric,
    RuleStatus,
    SiteEnd,
    VenueEnd,
    Verification,
    by_precedence,
    covers,
)

UNSTATED = "unstated"
"""What a rule that does not say how to measure writes instead of a method."""

Choice = TypeVar("Choice", bound=StrEnum)

_KEYS = {
    "id", "jurisdiction", "venues", "sites", "threshold_m", "inclusive", "site_end", "venue_end", "metric", "from",
    "to", "applies_to", "grandfather", "later_site_exempt", "scope_zh", "status", "document", "text_zh", "source",
    "verification", "from_earliest", "from_latest",
}  # fmt: skip


class DistanceLawError(ValueError):
    """A file of rules that cannot be right. The message names the rule, the key and what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LawGap:
    """A place for which no rule is known, or only half of one: to be supplied by the office that uses Hulan."""

    jurisdiction: str
    note_zh: str
    note_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DistanceLaw:
    """Every rule known, also past ones and drafts, and what is known to be missing."""

    rules: tuple[DistanceRule, ...] = ()
    """By precedence: from the nation to the county, then by day."""
    gaps: tuple[LawGap, ...] = ()

    def in_force(self, day: date) -> tuple[DistanceRule, ...]:
        """The rules of a day, by precedence."""
        return tuple(rule for rule in self.rules if rule.is_in_force(day))

    def days_of_change(self, *, since: date, until: date) -> tuple[date, ...]:
        """The days after ``since``, up to ``until``, on which the rules in force are others than the day before."""
        days: set[date | None] = {day for rule in self.rules for day in rule.first_days}
        days |= {day_after(rule.effective_to) for rule in self.rules}
        return tuple(sorted(day for day in days if day is not None and since < day <= until))

    def gaps_of(self, division: str) -> tuple[LawGap, ...]:
        """What is missing for a place in ``division``."""
        return tuple(gap for gap in self.gaps if covers(gap.jurisdiction, division))

    def replaced_by(self, other: "DistanceLaw") -> "DistanceLaw":
        """This law with every rule of ``other`` added, or in the place of the one with its id; gaps are joined."""
        rules = {rule.rule_id: rule for rule in (*self.rules, *other.rules)}
        return DistanceLaw(rules=by_precedence(rules.values()), gaps=(*self.gaps, *other.gaps))


def read_distance_law(text: str) -> DistanceLaw:
    """The law that TOML text describes. Raises DistanceLawError, naming rule and key, for anything else."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DistanceLawError(f"规则文件不是 TOML / the file of rules is no TOML: {error}") from error
    for key in data.keys() - {"rule", "gap"}:
        raise DistanceLawError(f"{key}：不认识的段 unknown table; a file has [[rule]] and [[gap]]")
    rules = tuple(_rules(data.get("rule", [])))
    gaps = tuple(_gap(entry) for entry in data.get("gap", []))
    return DistanceLaw(rules=by_precedence(rules), gaps=gaps)


def _rules(entries: list[Mapping[str, Any]]) -> Iterator[DistanceRule]:
    seen: set[str] = set()
    for entry in entries:
        rule = _rule(entry)
        if rule.rule_id in seen:
            raise DistanceLawError(
                f"{rule.rule_id}：编号重复 the id is given twice; a change of law is a row of its own"
            )
        seen.add(rule.rule_id)
        yield rule


def _rule(entry: Mapping[str, Any]) -> DistanceRule:
    where = _words(entry, "id", "[[rule]]")
    for key in entry.keys() - _KEYS:
        raise DistanceLawError(f"{where}.{key}：不认识的键 unknown key; the keys are {', '.join(sorted(_KEYS))}")
    threshold = entry.get("threshold_m")
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 < threshold <= 5000:
        raise DistanceLawError(f"{where}.threshold_m：应为不超过 5000 的米数 give metres up to 5000, not {threshold!r}")
    rule = DistanceRule(
        rule_id=where,
        jurisdiction=_division(entry, where),
        venue_categories=_categories(VenueCategory, entry, "venues", where),
        site_categories=_categories(SiteCategory, entry, "sites", where),
        threshold_m=float(threshold),
        is_inclusive=_flag(entry, "inclusive", where),
        site_end=_method(SiteEnd, entry, "site_end", where),
        venue_end=_method(VenueEnd, entry, "venue_end", where),
        metric=_method(Metric, entry, "metric", where),
        effective_from=_a_date(entry, "from", where),
        effective_to=_a_date(entry, "to", where),
        applies_to=_choice(AppliesTo, entry, "applies_to", where),
        grandfather=_choice(Grandfather, entry, "grandfather", where) if "grandfather" in entry else None,
        is_later_site_exempt=_flag(entry, "later_site_exempt", where),
        scope_zh=str(entry.get("scope_zh", "")),
        status=_choice(RuleStatus, entry, "status", where),
        document=_words(entry, "document", where),
        text_zh=_words(entry, "text_zh", where),
        source=_words(entry, "source", where),
        verification=_choice(Verification, entry, "verification", where),
        from_earliest=_a_date(entry, "from_earliest", where),
        from_latest=_a_date(entry, "from_latest", where),
    )
    _check_days(rule)
    _check(rule)
    return rule


def _check_days(rule: DistanceRule) -> None:
    """Raises DistanceLawError for a law without a beginning, with two, or that ends before it began."""
    where, is_between = rule.rule_id, rule.from_earliest is not None or rule.from_latest is not None
    if rule.effective_from is not None and is_between:
        raise DistanceLawError(
            f"{where}.from：已写施行日，不应再写范围 the day is given: leave out from_earliest and from_latest"
        )
    if rule.effective_from is None and (rule.status is RuleStatus.IN_FORCE or is_between):
        if rule.from_earliest is None or rule.from_latest is None:
            raise DistanceLawError(
                f"{where}.from：须写施行日；未核实的写 from_earliest（不早于）和 from_latest（不晚于）"
                " / give the day it took effect, or, not verified, from_earliest and from_latest"
            )
        if rule.from_latest < rule.from_earliest:
            raise DistanceLawError(f"{where}.from_latest：{rule.from_latest} 早于 lies before {rule.from_earliest}")
    begins = rule.effective_from or rule.from_latest
    if begins and rule.effective_to and rule.effective_to < begins:
        raise DistanceLawError(f"{where}.to：{rule.effective_to} 早于 lies before {begins}")


def _check(rule: DistanceRule) -> None:
    """Raises DistanceLawError for columns that contradict each other."""
    where = rule.rule_id
    if (rule.applies_to is AppliesTo.NEW) != (rule.grandfather is not None):
        raise DistanceLawError(
            f'{where}.grandfather：applies_to = "new" 时须且只须写明 give it with applies_to = "new" and only then: '
            "how long do older ones keep their place?"
        )
    if rule.metric is Metric.WALKING and rule.site_end is SiteEnd.BOUNDARY:
        raise DistanceLawError(f"{where}.site_end：步行须从校门量起 on foot no way begins at a wall: name the gates")
    if rule.metric is Metric.WALKING and rule.venue_end is VenueEnd.FOOTPRINT:
        raise DistanceLawError(f"{where}.venue_end：步行须量到出入口 on foot no way ends at a wall: name the doors")


def _gap(entry: Mapping[str, Any]) -> LawGap:
    where = "[[gap]]"
    return LawGap(
        jurisdiction=_division(entry, where),
        note_zh=_words(entry, "note_zh", where),
        note_en=_words(entry, "note_en", where),
    )


def _division(entry: Mapping[str, Any], where: str) -> str:
    value = _words(entry, "jurisdiction", where)
    if len(value) != 6 or not (value.isascii() and value.isdigit()):
        raise DistanceLawError(f"{where}.jurisdiction：应为六位区划代码 a division code of six digits, not {value!r}")
    return value


def _categories(kind: type[Choice], entry: Mapping[str, Any], key: str, where: str) -> frozenset[Choice]:
    values = entry.get(key)
    if not isinstance(values, list) or not values:
        raise DistanceLawError(f"{where}.{key}：应列出类别 must list at least one category, not {values!r}")
    return frozenset(_member(kind, value, f"{where}.{key}") for value in values)


def _method(kind: type[Choice], entry: Mapping[str, Any], key: str, where: str) -> Choice | None:
    value = _words(entry, key, where)
    return None if value == UNSTATED else _member(kind, value, f"{where}.{key}", UNSTATED)


def _choice(kind: type[Choice], entry: Mapping[str, Any], key: str, where: str) -> Choice:
    return _member(kind, entry.get(key), f"{where}.{key}")


def _member(kind: type[Choice], value: object, where: str, *also: str) -> Choice:
    try:
        return kind(str(value))
    except ValueError:
        choices = ", ".join((*(member.value for member in kind), *also))
        raise DistanceLawError(f"{where}：{value!r} 不在可选值之内 is none of: {choices}") from None


def _flag(entry: Mapping[str, Any], key: str, where: str) -> bool:
    value = entry.get(key)
    if not isinstance(value, bool):
        raise DistanceLawError(f"{where}.{key}：应为 true 或 false must be true or false, not {value!r}")
    return value


def _a_date(entry: Mapping[str, Any], key: str, where: str) -> date | None:
    value = entry.get(key)
    if value is None:
        return None
    if not isinstance(value, date) or isinstance(value, datetime):
        raise DistanceLawError(f"{where}.{key}：应为日期 must be a date such as 2026-10-01, not {value!r}")
    return value


def _words(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not value.strip():
        raise DistanceLawError(f"{where}.{key}：缺少 missing")
    return value
