"""A Chinese street address taken apart: road, number, building, floor and unit. Pure.

In 云龙区和平路28-3号万达广场2号楼3层305室 floor and room tell two venues of one mall apart: they are never lost,
and what no rule knows stays in ``rest``. A Latin address (Avenue des Papalins 6) gives road and number.
"""

import re
from dataclasses import dataclass, fields

from venues.divisions import starts_with_division
from venues.names import normal_text

_NUMERALS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_NUMERAL = r"[0-9]+|[零〇一二两三四五六七八九十百]+"
_TOWN = re.compile(r"^[^\d路街巷道]{1,5}?(?:街道办事处|街道|镇|乡)(?=.)")
_ROAD = re.compile(
    r"^([^\d,，;；()号]{1,14}?(?:大道|大街|胡同|环路|公路|(?:路|街|巷)(?![路街巷道])|道(?=\d))"
    r"(?:[东南西北中一二三四五六七八九十]+段)?)"
)
_NUMBER = re.compile(
    rf"^第?({_NUMERAL})(?:[-—–之]({_NUMERAL}))?(?:弄(?:({_NUMERAL})号)?|号院?(?!楼)(?:附({_NUMERAL})号)?)"
)
_BUILDING = re.compile(rf"([A-Z]?(?:{_NUMERAL})|[A-Z甲乙丙丁东南西北])(?:号楼|幢|栋|座)")
_BASEMENT = re.compile(rf"(?:地下|负|B(?=\d))({_NUMERAL})?(?:层|楼|F)?")
_FLOOR = re.compile(rf"(?:第?({_NUMERAL})(?:层|楼(?!\w*号楼))|([0-9]+)F|F([0-9]+)|L([0-9]+))")
_UNIT = re.compile(rf"((?:{_NUMERAL})单元)?([A-Z]?[0-9]+(?:-[A-Z]?[0-9]+)*[A-Z]?)(?:号?(?:室|商铺|铺|房|摊位|柜台))")
_SHOP = re.compile(r"(?:商铺|门面|铺位|摊位|单元号)([A-Z]?[0-9]+(?:-[0-9]+)*[A-Z]?)号?")
_LATIN = re.compile(r"^(?:(?P<road>.*?[A-Z].*?)[ ,]+(?P<number>[0-9]+ ?(?:[A-Z]|BIS|TER)?)|"
                    r"(?P<first>[0-9]+ ?(?:[A-Z]|BIS|TER)?)[ ,]+(?P<then>.*[A-Z].*))$")  # fmt: skip
_BLANKS = re.compile(r"[\s,，、;；]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address; a part that it does not say is empty (``None`` for the floor)."""

    full: str
    """As sent, without blanks around it."""
    division: str = ""
    road: str = ""
    number: str = ""
    """With what it has after it: 28-3; 附 is written as ``-``."""
    building: str = ""
    floor: int | None = None
    """1 is the ground floor, -1 the first basement."""
    unit: str = ""
    """Room, shop or stall."""
    rest: str = ""
    """What no rule knows: the name of a mall, a landmark."""

    @property
    def is_located(self) -> bool:
        """Whether it has a road and a number."""
        return bool(self.road and self.number)


def parse_address(text: str) -> Address:
    """``text`` taken apart. Any text is an address; what cannot be read stays in ``rest``."""
    full, spelled = text.strip(), normal_text(text)
    if found := _LATIN.match(spelled):
        road, number = found["road"] or found["then"], found["number"] or found["first"]
        return Address(full=full, road=_squeezed(road), number=_squeezed(number))
    division, rest = _cut_division(_squeezed(spelled))
    rest, road, number = _take_street(rest)
    rest, building = _take(rest, _BUILDING)
    rest, unit = _take_unit(rest)
    rest, floor = _take_floor(rest)
    return Address(
        full=full, division=division, road=road, number=number, building=building, floor=floor, unit=unit, rest=rest
    )


def premises_key(address: Address) -> str:
    """The same for two addresses of the same premises, floor and unit included; empty without road and number."""
    if not address.is_located:
        return ""
    kept = [getattr(address, part.name) for part in fields(address) if part.name not in ("full", "rest", "division")]
    return "|".join("" if part is None else str(part) for part in kept)


def _squeezed(text: str) -> str:
    return _BLANKS.sub("", text)


def _cut_division(text: str) -> tuple[str, str]:
    division, rest = "", text
    while name := starts_with_division(rest):
        division, rest = division + name, rest[len(name) :]
    if town := _TOWN.match(rest):
        division, rest = division + town.group(), rest[town.end() :]
    return division, rest


def _take_street(text: str) -> tuple[str, str, str]:
    road = _ROAD.match(text)
    if road is None:
        return text, "", ""
    rest = text[road.end() :]
    number = _NUMBER.match(rest)
    if number is None:
        return rest, road.group(1), ""
    parts = [_arabic(part) for part in number.groups() if part]
    return rest[number.end() :], road.group(1), "-".join(parts)


def _take(text: str, pattern: re.Pattern[str]) -> tuple[str, str]:
    found = pattern.search(text)
    if found is None:
        return text, ""
    return text[: found.start()] + text[found.end() :], _arabic(found.group(1))


def _take_unit(text: str) -> tuple[str, str]:
    found = _UNIT.search(text)
    if found is not None:
        stair = _arabic(found.group(1).removesuffix("单元")) + "-" if found.group(1) else ""
        return text[: found.start()] + text[found.end() :], stair + found.group(2)
    return _take(text, _SHOP)


def _take_floor(text: str) -> tuple[str, int | None]:
    if found := _BASEMENT.search(text):
        depth = int(_arabic(found.group(1))) if found.group(1) else 1
        return text[: found.start()] + text[found.end() :], -depth
    if found := _FLOOR.search(text):
        height = int(_arabic(next(part for part in found.groups() if part)))
        return text[: found.start()] + text[found.end() :], height
    return text, None


def _arabic(text: str) -> str:
    """Chinese numerals up to 百 as digits; everything else as it is."""
    if not text or not set(text) <= {*_NUMERALS, "十", "百"}:
        return text
    if not set(text) & {"十", "百"}:
        return "".join(str(_NUMERALS[character]) for character in text)
    total, digit = 0, 0
    for character in text:
        if character in "十百":
            total += (digit or 1) * (10 if character == "十" else 100)
            digit = 0
        else:
            digit = _NUMERALS[character]
    return str(total + digit)
