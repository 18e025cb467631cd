"""The wordings of an office: read from TOML, checked as strictly as those that Hulan ships. Pure.

One table per wording, named by template id and language::

    [guardian_entry_suspected.zh]
    wording = "…"                      # left out: the wording that Hulan ships
    version = "yunlong-1"
    reviewed_by = "…"
    reviewed_at = 2026-03-01
    codes = {aliyun = "SMS_154950909", tencent = "1110"}
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from alerts.templates import BUILT_IN, Catalogue, Template
from alerts.text_lint import SIGNATURE_LENGTH, Problem, lint_template, problem_of
from alerts.text_rules import Rule

_KEYS = {"wording": str, "version": str, "reviewed_by": str, "reviewed_at": date, "codes": dict}


class OwnTextsError(ValueError):
    """A file that cannot be read as wordings at all. The message says what to do, Chinese first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTexts:
    """``catalogue``: what Hulan ships with the office's wordings in place; ``problems``: every reason not to use it."""

    catalogue: Catalogue
    templates: tuple[Template, ...]
    problems: tuple[Problem, ...]


def read_own_texts(text: str, *, base: Catalogue = BUILT_IN, signature_length: int = SIGNATURE_LENGTH) -> OwnTexts:
    """The wordings of ``text``, all checked. Raises OwnTextsError for what is not TOML of this form."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OwnTextsError(f"不是 TOML 文件 / not a TOML file: {error}") from error
    templates: list[Template] = []
    problems: list[Problem] = []
    for template_id, languages in tables.items():
        for language, table in _table(languages, template_id).items():
            where = f"{template_id}.{language}"
            shipped = base.templates.get((template_id, language))
            if shipped is None:
                problems.append(problem_of(where, template_id, Rule.TEMPLATE))
                continue
            own = _template(shipped, _table(table, where), where)
            templates.append(own)
            problems += _own_problems(own, shipped, where)
            problems += lint_template(own, signature_length=signature_length)
    return OwnTexts(catalogue=base.replaced_by(templates), templates=tuple(templates), problems=tuple(problems))


def _template(shipped: Template, table: Mapping[str, Any], where: str) -> Template:
    for key, value in table.items():
        if key not in _KEYS:
            raise OwnTextsError(f"[{where}] 没有 {key} 这一项；可用 / no such key; there are: {', '.join(_KEYS)}")
        if not isinstance(value, _KEYS[key]):
            raise OwnTextsError(f"[{where}] {key} 的写法不对，应为 / must be {_KEYS[key].__name__}")
    codes = tuple((provider, str(code)) for provider, code in table.get("codes", {}).items())
    given = {key: table[key] for key in ("wording", "version", "reviewed_by", "reviewed_at") if key in table}
    return replace(shipped, **{**given, "codes": codes})


def _own_problems(own: Template, shipped: Template, where: str) -> list[Problem]:
    found: list[Problem] = []
    if not own.reviewed_by or own.reviewed_at is None:
        found.append(problem_of(where, own.reviewed_by or "–", Rule.REVIEW))
    if own.wording != shipped.wording and own.version == shipped.version:
        found.append(problem_of(where, own.version, Rule.VERSION))
    lost = set(shipped.variables) ^ set(own.variables)
    found += [problem_of(where, f"{{{name}}}", Rule.VARIABLE_LOST) for name in sorted(lost)]
    return found


def _table(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise OwnTextsError(f"[{where}] 应为一节，如 [guardian_entry_suspected.zh] / must be a table like this one")
    return value
