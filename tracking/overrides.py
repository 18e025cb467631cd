"""A policy with some of its numbers changed by name, for tuning and for trying."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from itertools import product
from typing import Any, TypeVar, cast

Policy = TypeVar("Policy")


def with_overrides(policy: Policy, values: Mapping[str, object]) -> Policy:
    """The policy (a dataclass, perhaps of further dataclasses) with the named fields changed.

    A name is a field, a path such as ``small.dwell_s`` (or a table of its own in TOML), or a field of the parts, which
    then changes in every part that has it. Raises ValueError for a name that is nowhere, a value of another kind.
    """
    for name, value in values.items():
        policy = _changed(policy, name, value)
    return policy


def sweep(policy: Policy, values: Mapping[str, Sequence[float]]) -> tuple[tuple[dict[str, float], Policy], ...]:
    """Every combination of the values with the policy that it makes, the last name changing fastest."""
    chosen = (dict(zip(values, combination, strict=True)) for combination in product(*values.values()))
    return tuple((combination, with_overrides(policy, combination)) for combination in chosen)


def names_of(policy: object, prefix: str = "") -> Iterator[str]:
    """Every name that can be changed, parts as paths."""
    for name, value in _fields(policy).items():
        if is_dataclass(value):
            yield from names_of(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _changed(policy: Policy, name: str, value: object) -> Policy:
    known = _fields(policy)
    head, _, rest = name.partition(".")
    if rest and is_dataclass(known.get(head)):
        return _replaced(policy, {head: with_overrides(known[head], {rest: value})})
    if name in known:
        if is_dataclass(known[name]) and isinstance(value, Mapping):
            return _replaced(policy, {name: with_overrides(known[name], value)})
        return _replaced(policy, {name: _of_kind(name, value, known[name])})
    having = {part: held for part, held in known.items() if is_dataclass(held) and name in _fields(held)}
    if not having:
        raise ValueError(f"策略没有参数 the policy has no {name!r}；可选 there are: {', '.join(names_of(policy))}")
    return _replaced(policy, {part: with_overrides(held, {name: value}) for part, held in having.items()})


def _fields(policy: Any) -> dict[str, Any]:
    return {field.name: getattr(policy, field.name) for field in fields(policy)}


def _replaced(policy: Policy, changes: Mapping[str, object]) -> Policy:
    return cast(Policy, replace(cast(Any, policy), **changes))


def _of_kind(name: str, value: object, present: object) -> object:
    if type(value) is type(present):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(present, float):
            return float(value)
        if type(present) is int and value == int(value):
            return int(value)
    raise ValueError(f"{name} = {value!r}：须为 must be of type {type(present).__name__}，例如 such as {present!r}")
