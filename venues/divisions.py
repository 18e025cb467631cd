"""Names of China's administrative divisions (GB/T 2260, all that ever were), as python-stdnum ships them. Pure.

The table has provinces, prefectures and counties; towns and streets are not in it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from stdnum import numdb

_VALID_THEN = re.compile(r"\[[^\]]*\]")
_ENDED = re.compile(r"\[\d*-\d+\]")
_TOWN_ENDING = re.compile(r"(?:街道办事处|街道|镇|乡)$")
_NO_NAMES = {"市辖区", "县", "郊区", "矿区", "城区", "省直辖县级行政区划", "自治区直辖县级行政区划"}
_LONGEST = 15


@cache
def division_names() -> frozenset[str]:
    """Every name with its ending: 江苏省, 徐州市, 云龙区. Without the ones that many cities share, such as 市辖区."""
    names: set[str] = set()
    for _, _, _, province, below in numdb.get("cn/loc").prefixes:
        names.add(province.get("province", ""))
        for _, _, _, county, _ in below:
            names.update(_VALID_THEN.sub("", county.get("county", "")).split(","))
    return frozenset(name for name in names if len(name) > 1 and name not in _NO_NAMES)


@cache
def division_codes() -> frozenset[str]:
    """The six-digit codes of every county, prefecture and province that ever was."""
    codes: set[str] = set()
    for _, low, high, _, below in numdb.get("cn/loc").prefixes:
        assert low == high  # provinces are listed one by one
        codes.update(f"{low}{county}" for _, county, last, _, _ in below if county == last)
    return frozenset(codes)


@cache
def short_division_names() -> frozenset[str]:
    """Provinces and cities without their ending, as in company names: 江苏, 徐州."""
    return frozenset(name[:-1] for name in division_names() if name[-1] in "省市" and len(name) > 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """Where a road is, as exactly as an address tells it: there is a 人民路 in every county. Empty: not known."""

    code: str = ""
    """GB/T 2260 without the zeros at its end: 32 a province, 3203 a city, 320322 a county. Empty if several bear the
    name, as 鼓楼区 without its city."""
    county: str = ""
    """The county's name with its ending."""
    town: str = ""
    """Without its ending: a town that became a street office is the same."""

    @property
    def is_county(self) -> bool:
        """Whether the county is told, and told apart from its namesakes."""
        return len(self.code) == _COUNTY_DIGITS

    def is_other_county(self, other: "Division") -> bool:
        """Whether the two cannot be of one county, as far as both tell. An abolished name is another."""
        if self.county and other.county and self.county != other.county:
            return True
        return not (self.code.startswith(other.code) or other.code.startswith(self.code))


UNTOLD = Division()


@lru_cache(maxsize=65536)
def read_division(text: str) -> Division:
    """Names of divisions one after the other, the largest first, and perhaps a town: 江苏省徐州市沛县安国镇."""
    codes: frozenset[str] = frozenset()
    name, rest = "", text
    while found := starts_with_division(rest):
        name, rest = found, rest[len(found) :]
        known = _codes_of_names()[name]
        codes = frozenset(code for code in known if any(_holds(above, code) for above in codes)) or known
    is_county = bool(codes) and all(_is_county(code) for code in codes)
    return Division(
        code=_trimmed(next(iter(codes))) if len(codes) == 1 else "",
        county=name if is_county else "",
        town=_TOWN_ENDING.sub("", rest),
    )


def division_of_code(code: str) -> Division:
    """The division of a six-digit code: the one whose boundary lies around a place."""
    return Division(code=_trimmed(code))


def starts_with_division(text: str) -> str:
    """The longest division name that ``text`` begins with; empty if none."""
    return _longest_start(text, division_names())


def starts_with_short_division(text: str) -> str:
    """The longest province or city without its ending that ``text`` begins with; empty if none."""
    return _longest_start(text, short_division_names())


@cache
def _codes_of_names() -> dict[str, frozenset[str]]:
    """Six-digit codes of each name: of those in use if there are any, else of those that were."""
    now: dict[str, set[str]] = {}
    once: dict[str, set[str]] = {}
    for name, code, is_ended in _names_and_codes():
        (once if is_ended else now).setdefault(name, set()).add(code)
    return {name: frozenset(now.get(name) or once[name]) for name in now.keys() | once.keys()}


def _names_and_codes() -> Iterator[tuple[str, str, bool]]:
    for _, low, _, province, below in numdb.get("cn/loc").prefixes:
        yield province.get("province", ""), f"{low}0000", False
        for _, county, _, names, _ in below:
            for said in names.get("county", "").split(","):
                yield _VALID_THEN.sub("", said), f"{low}{county}", _ENDED.search(said) is not None


@cache
def _cities_with_counties() -> frozenset[str]:
    return frozenset(code[:4] for code in division_codes() if code[4:] != "00")


def _is_county(code: str) -> bool:
    """Cities such as 东莞 have no counties, and count as one."""
    return code[4:] != "00" or (code[2:4] != "00" and code[:4] not in _cities_with_counties())


def _holds(above: str, code: str) -> bool:
    return code != above and code.startswith(above.removesuffix("00").removesuffix("00"))


def _trimmed(code: str) -> str:
    return code if _is_county(code) else code.removesuffix("00").removesuffix("00")


_COUNTY_DIGITS = 6


def _longest_start(text: str, names: frozenset[str]) -> str:
    return next((text[:size] for size in range(min(_LONGEST, len(text)), 1, -1) if text[:size] in names), "")
