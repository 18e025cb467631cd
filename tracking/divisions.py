"""Which administrative divisions are one "city or county" (市、县), by their codes (GB/T 2260). Pure.

A code is province, city, county, two digits each. Counties numbered 01 to 20 are districts (市辖区) of their city, 21
to 80 counties and banners, 81 to 99 county-level cities. Those of city 90 answer to the province and are no districts;
those of city 01 of a municipality under the central government (直辖市) are all districts, whatever their number. A
city's districts together are an area of their own, not the prefecture, which holds counties too. Bail forbids leaving
所居住的市、县 (刑诉法 71(1)(1)); that moving between districts of one city is not leaving is the reading of
社区矫正法实施办法 (reference/domain.md 2.1, not verified), here by policy (``tracking.policy.AreaPolicy``).
"""

from collections.abc import Iterable, Mapping
from itertools import groupby

from shapely import MultiPolygon, Polygon, union_all

from geo.shapes import Area

_MUNICIPALITIES = frozenset({"11", "12", "31", "50"})
_DISTRICTS = range(1, 21)
_OF_THE_PROVINCE = "90"


def districts_of(code: str) -> str | None:
    """The id of the area of all districts of the city that a district belongs to; ``None`` for what is no district."""
    if len(code) != 6 or not (code.isascii() and code.isdigit()) or code.endswith("00"):
        return None
    province, city, county = code[:2], code[2:4], code[4:]
    is_municipal = province in _MUNICIPALITIES and city == "01"
    if city in ("00", _OF_THE_PROVINCE) or not (is_municipal or int(county) in _DISTRICTS):
        return None
    return f"{province}{city}00-districts"


def area_id(code: str, *, is_city_one_area: bool) -> str:
    """The id of the area that whoever lives in the division ``code`` must not leave."""
    return (districts_of(code) if is_city_one_area else None) or code


def city_areas(divisions: Mapping[str, Area]) -> dict[str, Area]:
    """The districts of each city joined into one area, by its id; other divisions have no part in it."""
    coded = sorted((city, code) for code in divisions if (city := districts_of(code)) is not None)
    return {
        city: _joined(divisions[code] for _, code in group) for city, group in groupby(coded, key=lambda pair: pair[0])
    }


def _joined(areas: Iterable[Area]) -> Area:
    whole = union_all([area.geometry for area in areas])
    assert isinstance(whole, Polygon | MultiPolygon)  # areas are polygons, and so is their union
    return Area(geometry=whole)
