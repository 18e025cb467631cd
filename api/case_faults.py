"""What is wrong with a field of a case, in plain words: which field, which value, and what to do. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_FIELD = re.compile(r"location_basis|valid_to")
_PERSONAL = frozenset({"name", "id_number", "address", "phone", "email"})
"""Never quoted: a rejection may end on a screen or in a log."""

_REASONS = {
    "missing": "未填写 / is missing: fill it in",
    "string_too_short": "不能为空 / must not be empty",
    "string_too_long": "太长，最多 {max_length} 个字 / too long: {max_length} characters at most",
    "string_type": "应为文字 / must be text",
    "extra_forbidden": "没有这个字段，请核对拼写或删去 / there is no such field: check its spelling, or remove it",
    "timezone_aware": "缺少时区，应写 2026-03-01T00:00:00+08:00 / has no time zone: write 2026-03-01T00:00:00+08:00",
    "greater_than": "应大于 {gt} / must be greater than {gt}",
    "greater_than_equal": "应不小于 {ge} / must be {ge} or more",
    "less_than": "应小于 {lt} / must be less than {lt}",
    "less_than_equal": "应不大于 {le} / must be {le} or less",
    "too_short": "至少 {min_length} 项 / at least {min_length} of them",
    "literal_error": "无法识别，应为下列之一 / unknown, write one of: {expected}",
    "enum": "无法识别，应为下列之一 / unknown, write one of: {expected}",
}
_FAMILIES = (
    ("datetime", "不是时刻，应写 2026-03-01T00:00:00+08:00 / no instant: write 2026-03-01T00:00:00+08:00"),
    ("date", "不是日期，应写 2026-03-01 / no date: write 2026-03-01"),
    ("float", "应为数字 / must be a number"),
    ("int", "应为整数 / must be a whole number"),
    ("bool", "应填 是/否（true/false）/ write true or false"),
    ("uuid", "不是编号（UUID）/ no id (UUID)"),
)
_PATTERNS = {
    "phone": "应为 11 位大陆手机号，如 13800000101 / must be a mainland mobile number of 11 digits, such as"
    " 13800000101",
    "email": "应为邮箱地址 / must be an e-mail address",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """``field``: dotted, as in a case file, with the number of the item of a list. ``value``: empty if personal."""

    field: str
    value: str
    reason: str


def faults_of(error: ValidationError) -> tuple[Fault, ...]:
    """Every field that is wrong, in the order of the file."""
    faults: dict[str, Fault] = {}
    for item in error.errors(include_url=False):
        # Of a value that may be of two kinds each kind complains; the first stands for both.
        loc = [part for part in item["loc"] if isinstance(part, int) or str(part).isidentifier()]
        field = ".".join(map(str, loc)) or _field_in(item["msg"])
        faults.setdefault(field, Fault(field=field, value=_value(loc, item), reason=reason_of(item)))
    return tuple(faults.values())


def _field_in(message: str) -> str:
    """The field that a rule over the whole case names first."""
    found = _FIELD.search(message)
    return "" if found is None else found.group()


def reason_of(item: ErrorDetails) -> str:
    """Why pydantic refused a value, Chinese first."""
    kind, context = item["type"], item.get("ctx", {})
    field = str(item["loc"][-1]) if item["loc"] else ""
    if kind == "value_error":
        return item["msg"].removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(field, "格式不符 / not of the form that is needed")
    if kind in _REASONS:
        return _REASONS[kind].format_map(context)
    return next((words for start, words in _FAMILIES if kind.startswith(start)), f"内容不符 / {item['msg']}")


def _value(loc: Sequence[int | str], item: ErrorDetails) -> str:
    if _PERSONAL & set(map(str, loc)) or item["type"] == "missing":
        return ""
    found: Any = item["input"]
    return "" if isinstance(found, dict | list) else str(found)
