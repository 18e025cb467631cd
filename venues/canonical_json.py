"""Values as text that is the same on every machine, to be hashed, archived and read back. Pure.

Degrees become whole 1e-9 degrees (0.1 mm), metres whole millimetres, so that no spelling of a float decides a hash.
Keys are sorted, sets too. What is read back is the value so rounded, and gives the same text. Nothing is left out but
fields that came later than archives (``CAME_LATER``) and have their default, so that those keep their text and hash.
"""

import hashlib
import json
import math
from dataclasses import fields, is_dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType, NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from shapely.geometry import MultiPolygon, Polygon

Value = TypeVar("Value")
_DEGREES = frozenset({"longitude", "latitude"})
_PER_DEGREE = 1e9
_PER_METRE = 1e3
CAME_LATER = MappingProxyType({"came_later": True})
"""Metadata of a field with a default that says what was so of every value before there was the field."""


def canonical_text(value: object) -> str:
    """JSON of ``value``: dataclasses, dicts, tuples, sets, enums, dates, polygons, words, numbers and ``None``.

    Raises TypeError for anything else, and for a float whose field is neither metres (``…_m``) nor degrees.
    """
    return json.dumps(_plain(value, ""), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def content_hash(value: object) -> str:
    """SHA-256 (hex) of the canonical text in UTF-8."""
    return hashlib.sha256(canonical_text(value).encode()).hexdigest()


def parsed(kind: type[Value], data: object) -> Value:
    """The dataclass ``kind`` from what ``json.loads`` made of its canonical text.

    Raises ValueError naming the field for anything that is not there, too much, or of another type.
    """
    found: Value = _parsed(kind, data, kind.__name__)
    return found


def _plain(value: object, name: str) -> object:  # noqa: PLR0911 - one line per type
    match value:
        case None | bool():
            return value
        case StrEnum():
            return value.value
        case str():
            return value
        case int() | float():
            return _whole(value, name)
        case date():
            return value.isoformat()
        case dict():
            return {str(key): _plain(item, str(key)) for key, item in value.items()}
        case frozenset():
            return sorted(str(_plain(item, name)) for item in value)
        case tuple():
            return [_plain(item, name) for item in value]
        case Polygon():
            return [_rings(value)]
        case MultiPolygon():
            return [_rings(part) for part in value.geoms]
    if is_dataclass(value):
        held = ((field, getattr(value, field.name)) for field in fields(value))
        return {
            field.name: _plain(item, field.name)
            for field, item in held
            if "came_later" not in field.metadata or item != field.default
        }
    raise TypeError(f"{name}: {type(value).__name__} has no canonical text")


def _whole(value: float, name: str) -> int | None:
    if name in _DEGREES:
        return round(value * _PER_DEGREE)
    if isinstance(value, int) and not name.endswith("_m"):
        return value
    if not name.endswith("_m"):
        raise TypeError(f"{name}: a float must be metres (…_m) or degrees to have one text")
    return round(value * _PER_METRE) if math.isfinite(value) else None


def _rings(polygon: Polygon) -> list[list[list[int]]]:
    return [[[round(x * _PER_DEGREE), round(y * _PER_DEGREE)] for x, y, *_ in ring.coords]
            for ring in (polygon.exterior, *polygon.interiors)]  # fmt: skip


def _parsed(kind: Any, data: Any, name: str) -> Any:  # noqa: PLR0911 - one line per type
    if isinstance(kind, UnionType):
        choices = get_args(kind)
        if NoneType in choices and data is None:
            return None
        if Polygon in choices:
            return _polygons(data, name)
        return _parsed(next(choice for choice in choices if choice is not NoneType), data, name)
    if get_origin(kind) is tuple:
        return tuple(_parsed(get_args(kind)[0], item, name) for item in _of(list, data, name))
    if get_origin(kind) is frozenset:
        return frozenset(_parsed(get_args(kind)[0], item, name) for item in _of(list, data, name))
    if is_dataclass(kind):
        return _dataclass(kind, _of(dict, data, name), name)
    if kind is float:
        return _of(int, data, name) / (_PER_DEGREE if name.rpartition(".")[2] in _DEGREES else _PER_METRE)
    if kind is date:
        return date.fromisoformat(_of(str, data, name))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(_of(str, data, name))
    return _of(kind, data, name)


def _dataclass(kind: Any, data: dict[str, Any], name: str) -> Any:
    hints = get_type_hints(kind)
    wanted = {field.name for field in fields(kind) if "came_later" not in field.metadata or field.name in data}
    for key in wanted ^ data.keys():
        raise ValueError(f"{name}.{key}：缺少或多余 is missing, or nobody knows it: the archive is of another format")
    return kind(**{key: _parsed(hints[key], data[key], f"{name}.{key}") for key in wanted})


def _polygons(data: Any, name: str) -> Polygon | MultiPolygon:
    parts = [
        Polygon(*_split([[(x / _PER_DEGREE, y / _PER_DEGREE) for x, y in ring] for ring in part]))
        for part in _of(list, data, name)
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _split(rings: list[list[tuple[float, float]]]) -> tuple[list[tuple[float, float]], list[list[tuple[float, float]]]]:
    return rings[0], rings[1:]


def _of(kind: type[Value], data: object, name: str) -> Value:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise ValueError(f"{name}：应为 {kind.__name__} is needed, not {data!r:.80}")
    return data
