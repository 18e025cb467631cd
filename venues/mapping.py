"""Which category a source's tags or codes mean: rules as data, read from TOML by ``api.files.mappings``.

A mapping holds tag rules (OSM: the first rule whose conditions all hold wins) or codes (AMap typecodes: of the codes
that begin a value the longest wins, and of several values joined by ``|`` each is what the place is, the first that is
a place of ours before the others). A target
is a category or the word ``ignore``. What a mapping does not name is ``unlisted``: ignored in an open vocabulary
such as OSM, an error in a closed one, where it is a slip of the pen.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from venues.category import SiteCategory, VenueCategory


class NotAPlace(StrEnum):
    """Why a row has no category of ours."""

    IGNORED = "ignored"  # the source says what it is, and it is nothing to Hulan (a bank, a university)
    UNKNOWN = "unknown"  # the source does not say, or says something outside its own vocabulary


_CATEGORIES = {category.value: category for group in (VenueCategory, SiteCategory) for category in group}
Decision = VenueCategory | SiteCategory | NotAPlace
_IGNORE = "ignore"


class MappingError(ValueError):
    """A mapping file that cannot be used; ``key`` is the offending key, for example ``rules[3].category``."""

    def __init__(self, *, mapping: str, key: str, problem_zh: str, problem: str) -> None:
        self.mapping = mapping
        self.key = key
        super().__init__(f"映射 {mapping} 的 {key}：{problem_zh} / mapping {mapping}, {key}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TagCondition:
    """One tag must be present and fit: be one of ``values`` (a ``;`` list fits by any member) or match ``pattern``."""

    key: str
    values: frozenset[str]
    pattern: re.Pattern[str] | None = None

    def holds(self, tags: Mapping[str, str]) -> bool:
        """True if ``tags`` has the key and its value fits."""
        value = tags.get(self.key)
        if value is None or not value.strip():
            return False
        if self.pattern is not None:
            return self.pattern.search(value) is not None
        return "*" in self.values or any(part.strip().casefold() in self.values for part in value.split(";"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TagRule:
    """All ``conditions`` together mean ``target``."""

    conditions: tuple[TagCondition, ...]
    target: Decision

    def holds(self, tags: Mapping[str, str]) -> bool:
        """True if every condition holds for ``tags``."""
        return all(condition.holds(tags) for condition in self.conditions)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryMapping:
    """The vocabulary of one source. Immutable; make it with :func:`parse_mapping`."""

    name: str
    rules: tuple[TagRule, ...] = ()
    value_keys: tuple[str, ...] = ()
    """Tag keys that a plain value without a key may belong to, for files that keep only ``bar`` of ``amenity=bar``."""
    codes: Mapping[str, Decision]
    is_prefix_match: bool = False
    code_pattern: re.Pattern[str] | None = None
    """What a well-formed code looks like; anything else is unknown, not merely unlisted."""
    unlisted: NotAPlace = NotAPlace.IGNORED

    @property
    def tag_keys(self) -> tuple[str, ...]:
        """Every tag key that the rules look at with exact values: an object without any of them is no place of ours."""
        keys = {condition.key for rule in self.rules for condition in rule.conditions if condition.pattern is None}
        return tuple(sorted(keys))

    def for_tags(self, tags: Mapping[str, str]) -> Decision:
        """The category that ``tags`` mean; the first rule that holds wins."""
        for rule in self.rules:
            if rule.holds(tags):
                return rule.target
        return self.unlisted

    def for_value(self, value: str, *, name: str = "") -> Decision:
        """The category of a plain ``value``: a code, several codes joined by ``|``, or a tag value without its key.

        ``name`` is the place's name, for rules that read it (a school whose name says 小学).
        """
        text = value.strip().casefold()
        if not text:
            return NotAPlace.UNKNOWN
        return self._for_codes(text) if self.codes else self._for_plain_value(text, name=name)

    def every_category(self, value: str) -> tuple[VenueCategory | SiteCategory, ...]:
        """All that the codes of ``value`` mean, each once, in their order; nothing of a value that is no code."""
        found = [self._for_code(part) for part in _parts(value.strip().casefold())] if self.codes else []
        return tuple(dict.fromkeys(each for each in found if isinstance(each, VenueCategory | SiteCategory)))

    def _for_codes(self, text: str) -> Decision:
        parts = _parts(text)
        for part in parts:
            target = self._for_code(part)
            if target is not None and not isinstance(target, NotAPlace):
                return target
        if self.code_pattern is not None and not all(self.code_pattern.fullmatch(part) for part in parts):
            return NotAPlace.UNKNOWN
        return NotAPlace.IGNORED if any(self._for_code(part) is not None for part in parts) else self.unlisted

    def _for_code(self, code: str) -> Decision | None:
        if not self.is_prefix_match:
            return self.codes.get(code)
        if self.code_pattern is not None and not self.code_pattern.fullmatch(code):
            return None
        return next((self.codes[code[:size]] for size in range(len(code), 0, -1) if code[:size] in self.codes), None)

    def _for_plain_value(self, text: str, *, name: str) -> Decision:
        candidates = [{key: text, "name": name} for key in self.value_keys]
        for rule in self.rules:
            if any(rule.holds(tags) for tags in candidates):
                return rule.target
        return self.unlisted


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split("|") if part.strip()]


def parse_mapping(data: Mapping[str, object], *, name: str) -> CategoryMapping:
    """The mapping that ``data`` (a parsed TOML document) describes; ``name`` is its file's name, for messages.

    Keys: ``unlisted`` (``ignore`` or ``reject``), ``rules`` (tables with ``category`` and ``when``), ``value_keys``,
    ``codes`` (code = category), ``code_match`` (``exact`` or ``prefix``), ``code_pattern`` (a regular expression).
    Raises MappingError, which names the offending key, for anything else.
    """
    known = {"unlisted", "rules", "value_keys", "codes", "code_match", "code_pattern"}
    for key in data:
        if key not in known:
            raise _error(name, key, "不认识的键", f"unknown key; the keys are {', '.join(sorted(known))}")
    rules = tuple(_rules(name, data.get("rules", [])))
    codes = dict(_codes(name, data.get("codes", {})))
    if bool(rules) == bool(codes):
        raise _error(name, "rules", "rules 与 codes 须且只须有一项", "give either rules or codes, and not both")
    value_keys = data.get("value_keys", [])
    if not isinstance(value_keys, list) or not all(isinstance(key, str) for key in value_keys):
        raise _error(name, "value_keys", "应为字符串列表", f"must be a list of strings, not {value_keys!r}")
    pattern = data.get("code_pattern")
    return CategoryMapping(
        name=name,
        rules=rules,
        value_keys=tuple(value_keys),
        codes=codes,
        is_prefix_match=_choice(name, data, "code_match", ("exact", "prefix")) == "prefix",
        code_pattern=None if pattern is None else _pattern(name, "code_pattern", pattern),
        unlisted=NotAPlace.UNKNOWN
        if _choice(name, data, "unlisted", ("ignore", "reject")) == "reject"
        else NotAPlace.IGNORED,
    )


def _rules(mapping: str, rules: object) -> Iterator[TagRule]:
    if not isinstance(rules, list):
        raise _error(mapping, "rules", "应为表的列表", "must be a list of tables: write [[rules]]")
    for number, rule in enumerate(rules, start=1):
        key = f"rules[{number}]"
        if not isinstance(rule, dict):
            raise _error(mapping, key, "应为表", f"must be a table, not {rule!r}")
        for field in rule.keys() - {"category", "when"}:
            raise _error(mapping, f"{key}.{field}", "不认识的键", "unknown key; a rule has category and when")
        when = rule.get("when")
        if not isinstance(when, dict) or not when:
            raise _error(
                mapping, f"{key}.when", "缺少条件", "must name at least one tag, for example amenity = ['bar']"
            )
        conditions = tuple(_condition(mapping, f"{key}.when.{tag}", tag, wanted) for tag, wanted in when.items())
        if all(condition.pattern is not None for condition in conditions):
            raise _error(
                mapping,
                f"{key}.when",
                "至少一个标签须列出取值",
                "at least one tag must list its values: not by pattern alone",
            )
        yield TagRule(conditions=conditions, target=_target(mapping, f"{key}.category", rule.get("category")))


def _condition(mapping: str, key: str, tag: str, wanted: object) -> TagCondition:
    if isinstance(wanted, dict) and set(wanted) == {"matches"}:
        return TagCondition(key=tag, values=frozenset(), pattern=_pattern(mapping, f"{key}.matches", wanted["matches"]))
    if isinstance(wanted, list) and wanted and all(isinstance(value, str) and value for value in wanted):
        return TagCondition(key=tag, values=frozenset(value.casefold() for value in wanted))
    raise _error(
        mapping, key, "应为取值列表或 { matches = … }", f"must be a list of values or {{ matches = … }}, not {wanted!r}"
    )


def _codes(mapping: str, codes: object) -> Iterator[tuple[str, Decision]]:
    if not isinstance(codes, dict):
        raise _error(mapping, "codes", "应为表", "must be a table of code = category: write [codes]")
    for code, target in codes.items():
        if not str(code).strip():
            raise _error(mapping, "codes", "编码为空", "has an empty code")
        yield str(code).strip().casefold(), _target(mapping, f"codes.{code}", target)


def _target(mapping: str, key: str, target: object) -> Decision:
    if target == _IGNORE:
        return NotAPlace.IGNORED
    if isinstance(target, str) and target in _CATEGORIES:
        return _CATEGORIES[target]
    names = ", ".join([*_CATEGORIES, _IGNORE])
    raise _error(mapping, key, f"“{target}”不是类别", f"{target!r} is not a category; use one of {names}")


def _pattern(mapping: str, key: str, text: object) -> re.Pattern[str]:
    if not isinstance(text, str) or not text:
        raise _error(mapping, key, "应为正则表达式", f"must be a regular expression, not {text!r}")
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise _error(mapping, key, "正则表达式有误", f"bad regular expression {text!r}: {error}") from error


def _choice(mapping: str, data: Mapping[str, object], key: str, choices: tuple[str, ...]) -> str:
    value = data.get(key, choices[0])
    if value not in choices:
        raise _error(mapping, key, f"“{value}”无效", f"{value!r} must be one of {', '.join(choices)}")
    return str(value)


def _error(mapping: str, key: str, problem_zh: str, problem: str) -> MappingError:
    return MappingError(mapping=mapping, key=key, problem_zh=problem_zh, problem=problem)
