"""Names of China's administrative divisions (GB/T 2260, all that ever were), as python-stdnum ships them. Pure.

The table has provinces, prefectures and counties; towns and streets are not in it.
"""

import re
from functools import cache

from stdnum import numdb

_VALID_THEN = re.compile(r"\[[^\]]*\]")
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


def starts_with_division(text: str) -> str:
    """The longest division name that ``text`` begins with; empty if none."""
    return _longest_start(text, division_names())


def starts_with_short_division(text: str) -> str:
    """The longest province or city without its ending that ``text`` begins with; empty if none."""
    return _longest_start(text, short_division_names())


def _longest_start(text: str, names: frozenset[str]) -> str:
    return next((text[:size] for size in range(min(_LONGEST, len(text)), 1, -1) if text[:size] in names), "")
