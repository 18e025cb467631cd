"""A synthetic city of venues as five registers have them, with the truth: for ``bench.identity`` and for tests.

Nothing here is real: names are put together from syllables, numbers are computed. What makes matching hard in practice
is in it: trade names that are nothing like the registered ones, chains, malls with several venues behind one number,
businesses that followed one another at one door, trades registered as others, licence numbers that a source lacks or
has wrong, traditional characters, slips of the pen, namesakes at the same road and number of another county, and
coordinates that are 10 to 60 m off, some of them 600 m.
"""

from dataclasses import dataclass, replace

import numpy as np
from stdnum.cn import uscc

from geo.projection import metres_per_degree
from venues.category import VenueCategory
from venues.place import SourceKey
from venues.source_record import SourceKind, SourceRecord, read_source_record

LONGITUDE, LATITUDE = 117.18, 34.26
CITY_M = 24_000.0
"""Half the side of the city."""

_SYLLABLES = (
    "星光河海金银豪乐天地人和兴盛福禄安康龙凤祥瑞东西南北中大华新世纪阳月明珠翠玉宝马蓝红绿紫云霞梦幻缘友爱家园春夏秋冬"
    "鑫鼎泰恒隆昌顺达通宏伟业成功美佳好味香醉仙客来迎宾悦雅静逸清风林江湖山石松竹梅兰菊莲百千万年代时光印象"
)
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙马朱胡郭何高林罗"
_ROADS = (
    "和平",
    "解放",
    "建国",
    "中山",
    "淮海",
    "民主",
    "复兴",
    "彭城",
    "泰山",
    "黄河",
    "青年",
    "人民",
    "新城",
    "文化",
)
_ROAD_ENDS = ("路", "东路", "西路", "南路", "北路", "街", "大道", "巷")
_DISTRICTS = ("云龙区", "鼓楼区", "泉山区", "铜山区", "贾汪区")
_COUNTIES = {"沛县": (-25_000.0, 55_000.0), "睢宁县": (70_000.0, -40_000.0)}
"""Each with where it lies from the city, in metres."""
_TRADITIONAL = str.maketrans("龙华东马宝万云梦宾湖兰时红绿银", "龍華東馬寶萬雲夢賓湖蘭時紅綠銀")
_TRADES: dict[VenueCategory, tuple[float, tuple[str, ...], str]] = {
    VenueCategory.TOBACCO: (0.40, ("烟酒店", "超市", "便利店", "烟酒商行", "商店"), "副食品店"),
    VenueCategory.HOTEL: (0.14, ("宾馆", "酒店", "快捷酒店", "旅馆"), "酒店管理有限公司"),
    VenueCategory.INTERNET_CAFE: (0.10, ("网吧", "网咖", "电竞馆"), "上网服务有限公司"),
    VenueCategory.KTV: (0.08, ("KTV", "量贩KTV", "音乐会所"), "娱乐有限公司"),
    VenueCategory.BAR: (0.08, ("酒吧", "小酒馆", "清吧", "BAR"), "餐饮服务有限公司"),
    VenueCategory.BATH: (0.08, ("足浴", "洗浴中心", "养生馆"), "休闲服务有限公司"),
    VenueCategory.MAHJONG: (0.06, ("棋牌室", "茶楼"), "棋牌室"),
    VenueCategory.BILLIARDS: (0.06, ("台球厅", "台球俱乐部"), "文化娱乐有限公司"),
}
_KIND_OF_SOURCE = {
    "registration": SourceKind.BUSINESS_REGISTRATION,
    "tobacco": SourceKind.TOBACCO_LICENCE,
    "culture": SourceKind.CULTURE_LICENCE,
    "police": SourceKind.POLICE,
    "map": SourceKind.POI,
}
DUPLICATE_FREE = ("registration", "tobacco", "culture")
"""Of these registers no two records are one venue; the map and the police have places twice."""

_LICENSED = {
    VenueCategory.INTERNET_CAFE, VenueCategory.KTV, VenueCategory.BILLIARDS, VenueCategory.BATH,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueVenue:
    """What a venue is, before any register writes it down."""

    number: int
    trade_name: str
    registered_name: str
    branch: str
    category: VenueCategory
    x_m: float
    y_m: float
    division: str
    address: str
    unit: str
    uscc: str
    phone: str
    began: str
    ended: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Records and, for each, the number of the venue that it is about."""

    records: tuple[SourceRecord, ...]
    venue: tuple[int, ...]


def synthetic_scene(venue_count: int, random: np.random.Generator) -> Scene:
    """``venue_count`` venues and some 2.6 records of each."""
    records: list[SourceRecord] = []
    owners: list[int] = []
    for venue in _venues(venue_count, random):
        for source, times in _sources(venue, random):
            for time in range(times):
                sent, x_m, y_m = _as_sent(venue, source, random)
                records.append(_record(sent, source, f"{venue.number}-{time}", x_m, y_m))
                owners.append(venue.number)
    order = random.permutation(len(records)).tolist()
    return Scene(records=tuple(records[row] for row in order), venue=tuple(owners[row] for row in order))


def _venues(count: int, random: np.random.Generator) -> list[TrueVenue]:
    """Half in clusters (streets of bars, malls), a tenth in chains, a twentieth where another was, some namesakes."""
    centres = random.normal(0.0, CITY_M / 2.5, (max(count // 120, 1), 2))
    chains = [_word(random) for _ in range(max(count // 400, 2))]
    trades = list(_TRADES)
    weights = np.array([_TRADES[trade][0] for trade in trades])
    venues: list[TrueVenue] = []
    for number in range(count):
        category = trades[random.choice(len(trades), p=weights / weights.sum())]
        chain = chains[random.integers(len(chains))] if random.random() < 0.1 else ""
        if venues and random.random() < 0.05:
            place = int(random.integers(len(venues)))
            former = venues[place]
            venues[place] = replace(former, ended="2025-12-31" if random.random() < 0.5 else "")
            venues.append(_successor(former, number, category, random))
            continue
        if venues and random.random() < 0.02:
            venues.append(_namesake(venues[int(random.integers(len(venues)))], number, random))
            continue
        if random.random() < 0.5:
            x_m, y_m = centres[random.integers(len(centres))] + random.normal(0.0, 120.0, 2)
        else:
            x_m, y_m = random.uniform(-CITY_M, CITY_M, 2)
        venues.append(_venue(number, category, chain, (float(x_m), float(y_m)), _address(x_m, y_m, random), random))
    return venues


def _district(x_m: float) -> str:
    return _DISTRICTS[int((x_m + CITY_M) // (2.0 * CITY_M / len(_DISTRICTS))) % len(_DISTRICTS)]


def _address(x_m: float, y_m: float, random: np.random.Generator) -> tuple[str, str]:
    """A road by the place, a number by the distance along it; a fifth have a floor and a unit."""
    row, column = int(y_m // 400.0), int(x_m // 2500.0)
    road = _ROADS[(row * 7 + column) % len(_ROADS)] + _ROAD_ENDS[(row + column * 3) % len(_ROAD_ENDS)]
    number = int((x_m % 2500.0) // 25.0) + 1
    unit = f"{random.integers(1, 6)}层{random.integers(1, 40):02d}室" if random.random() < 0.2 else ""
    return f"{road}{number}号", unit


def _venue(
    number: int,
    category: VenueCategory,
    chain: str,
    place: tuple[float, float],
    address: tuple[str, str],
    random: np.random.Generator,
) -> TrueVenue:
    division = _district(place[0])
    name = chain or _word(random)
    words, registered = _TRADES[category][1:]
    own = name if random.random() < 0.75 else f"{_SURNAMES[random.integers(len(_SURNAMES))]}{_word(random)}"
    branch = f"{address[0].split('路')[0].split('街')[0]}店" if chain else ""
    return TrueVenue(
        number=number,
        trade_name=name + words[random.integers(len(words))],
        registered_name=f"徐州市{division}{own}{registered}",
        branch=branch,
        category=category,
        x_m=place[0],
        y_m=place[1],
        division=division,
        address=address[0],
        unit=address[1],
        uscc=_uscc(random),
        phone=f"1380000{random.integers(10_000):04d}" if random.random() < 0.02 else f"139{random.integers(10**8):08d}",
        began=f"20{random.integers(10, 26)}-0{random.integers(1, 10)}-15",
        ended="",
    )


def _successor(former: TrueVenue, number: int, category: VenueCategory, random: np.random.Generator) -> TrueVenue:
    """Another business at the same door; of half of the former ones the records say that they ended."""
    place = (former.x_m + float(random.normal(0, 5)), former.y_m + float(random.normal(0, 5)))
    return replace(_venue(number, category, "", place, (former.address, former.unit), random), began="2026-01-15")


def _namesake(venue: TrueVenue, number: int, random: np.random.Generator) -> TrueVenue:
    """Another business of the same name, trade, road and number in another county."""
    county = list(_COUNTIES)[random.integers(len(_COUNTIES))]
    away_m = _COUNTIES[county]
    return replace(
        venue,
        number=number,
        registered_name=venue.registered_name.replace(venue.division, county),
        x_m=venue.x_m + away_m[0],
        y_m=venue.y_m + away_m[1],
        division=county,
        uscc=_uscc(random),
        phone=f"139{random.integers(10**8):08d}",
        ended="",
    )


def _sources(venue: TrueVenue, random: np.random.Generator) -> list[tuple[str, int]]:
    """Which registers have the venue, and how often: a tenth of what is on the map is there twice."""
    found = [("registration", 1)] if random.random() < 0.8 else []
    if venue.category is VenueCategory.TOBACCO and random.random() < 0.85:
        found.append(("tobacco", 1))
    if venue.category in _LICENSED and random.random() < 0.8:
        found.append(("culture", 1))
    if random.random() < 0.45:
        found.append(("police", 1))
    if random.random() < 0.75:
        found.append(("map", 2 if random.random() < 0.1 else 1))
    return found


_ERROR_M = {"registration": 60.0, "tobacco": 40.0, "culture": 60.0, "police": 30.0, "map": 12.0}
_HAS_USCC = {"registration": 1.0, "tobacco": 0.7, "culture": 0.8, "police": 0.4, "map": 0.0}
_HAS_PHONE = {"registration": 0.5, "tobacco": 0.8, "culture": 0.4, "police": 0.6, "map": 0.6}


def _as_sent(venue: TrueVenue, source: str, random: np.random.Generator) -> tuple[dict[str, str], float, float]:
    """What a register writes down about the venue."""
    is_formal = source in DUPLICATE_FREE
    name = venue.registered_name if is_formal or random.random() < 0.15 else venue.trade_name
    if not is_formal and venue.branch and random.random() < 0.8:
        name = f"{venue.trade_name}({venue.branch})"
    is_other = is_formal and random.random() < 0.08
    category = list(_TRADES)[random.integers(len(_TRADES))] if is_other else venue.category
    sent = {"name": _slip(name, random), "category": str(category)}
    if random.random() < (0.97 if is_formal else 0.7):
        with_unit = venue.unit and random.random() < 0.6
        sent["address"] = f"江苏省徐州市{venue.division}{venue.address}{venue.unit if with_unit else ''}"
    if random.random() < _HAS_USCC[source]:
        sent["uscc"] = venue.uscc if random.random() < 0.97 else _uscc(random)
    if source == "tobacco":
        sent["tobacco_licence"] = f"3203021{venue.number % 100_000:05d}"
    if source == "culture":
        sent["culture_licence"] = f"苏网文{venue.number:06d}号"
    if random.random() < _HAS_PHONE[source]:
        sent["phone"] = venue.phone if random.random() < 0.9 else f"139{random.integers(10**8):08d}"
    if is_formal:
        sent |= {"valid_from": venue.began, "valid_to": venue.ended}
    error_m = _ERROR_M[source] if random.random() < 0.97 else 600.0
    shift = random.normal(0.0, error_m / np.sqrt(2.0), 2)
    return sent, venue.x_m + float(shift[0]), venue.y_m + float(shift[1])


def _record(sent: dict[str, str], source: str, source_id: str, x_m: float, y_m: float) -> SourceRecord:
    east_m, north_m = metres_per_degree(LATITUDE)
    record, _ = read_source_record(
        sent,
        key=SourceKey(source=source, source_id=source_id),
        kind=_KIND_OF_SOURCE[source],
        longitude=LONGITUDE + x_m / east_m,
        latitude=LATITUDE + y_m / north_m,
        category=VenueCategory(sent["category"]),
    )
    return record


def _slip(name: str, random: np.random.Generator) -> str:
    """The name with what people and machines do to it: another script, width, blanks, one character wrong."""
    chance = random.random()
    if chance < 0.05:
        return name.translate(_TRADITIONAL)
    if chance < 0.1:
        return name.replace("(", "（").replace(")", "）").replace("K", "Ｋ")
    if chance < 0.13:
        return f" {name[:2]} {name[2:]}"
    if chance < 0.18:
        at = int(random.integers(len(name)))
        return name[:at] + _SYLLABLES[random.integers(len(_SYLLABLES))] + name[at + 1 :]
    return name


def _word(random: np.random.Generator) -> str:
    size = 2 if random.random() < 0.6 else 3
    return "".join(_SYLLABLES[row] for row in random.integers(len(_SYLLABLES), size=size))


def _uscc(random: np.random.Generator) -> str:
    body = "92320302" + "".join("0123456789ABCDEFGHJKLMNPQRTUWXY"[row] for row in random.integers(31, size=9))
    return body + uscc.calc_check_digit(body)
