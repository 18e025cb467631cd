"""Venues of the synthetic city: a bar lane, a mall, a few fixed places for the evening, and the rest at random."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from shapely.geometry import Point, Polygon, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from api.demo.plane import Metres, Plane
from api.demo.schools import SOURCE
from api.demo.streets import (
    BAR_LANE_COLUMN,
    BAR_LANE_NAME,
    BAR_LANE_ROW,
    ROAD_OUT_NAME,
    StreetNetwork,
)
from geo.datum import Datum
from venues.category import VenueCategory
from venues.place import SourceKey, Venue

SENSITIVE = frozenset({VenueCategory.BAR, VenueCategory.NIGHTCLUB, VenueCategory.KTV, VenueCategory.INTERNET_CAFE})
"""Categories that the orders of the demo name; none is put at random near a home or a place the evening uses."""
CLEAR_M = 160.0
"""How far, in metres, random sensitive venues stay from the places that must be clear of them."""
MALL_NAME = "万汇广场"
MALL_BLOCK = (13, 6)

_BAR_WORDS = "拾光 蓝调 木吉他 旧码头 月下 醉清风 半山 麦田 老友 七号 左岸 微醺 南巷 归途 白夜 浮岛"
_NET_WORDS = "极光 星际 零点 蓝鲸 新视界 飞鱼 雷霆 龙腾 云端 战旗"
_SONG_WORDS = "金嗓子 好声音 欢唱 星光 麦霸 银河 纯歌 皇冠"
_SHOP_WORDS = "鑫源 福满 顺达 聚缘 兴旺 佳佳 同乐 万家 老街 永盛 吉祥 华联"
_STAY_WORDS = "如意 云来 锦江湾 龙泉 顺风 月季 汉风 东湖 明珠 青松 悦客 驿家"
_WORDING: dict[VenueCategory, tuple[int, str, list[str]]] = {
    VenueCategory.BAR: (20, _BAR_WORDS, ["酒吧", "小酒馆", "精酿酒吧", "音乐酒吧", "清吧"]),
    VenueCategory.NIGHTCLUB: (3, _SONG_WORDS, ["夜总会", "迪吧"]),
    VenueCategory.KTV: (12, _SONG_WORDS, ["KTV", "量贩KTV", "歌厅"]),
    VenueCategory.INTERNET_CAFE: (20, _NET_WORDS, ["网吧", "网咖", "电竞网咖", "网络会所"]),
    VenueCategory.ARCADE: (4, _SHOP_WORDS, ["电玩城", "游艺厅"]),
    VenueCategory.BILLIARDS: (9, _SHOP_WORDS, ["台球俱乐部", "台球厅"]),
    VenueCategory.MAHJONG: (7, _SHOP_WORDS, ["棋牌室", "茶馆棋牌"]),
    VenueCategory.SCRIPT_VENUE: (5, _BAR_WORDS, ["剧本推理馆", "密室逃脱"]),
    VenueCategory.HOTEL: (40, _STAY_WORDS, ["宾馆", "快捷酒店", "商务酒店", "旅馆", "民宿", "电竞酒店"]),
    VenueCategory.BATH: (7, _STAY_WORDS, ["洗浴中心", "足浴"]),
    VenueCategory.TOBACCO: (62, _SHOP_WORDS, ["烟酒店", "烟酒商行", "烟酒超市", "电子烟专卖"]),
    VenueCategory.LOTTERY: (8, _SHOP_WORDS, ["体育彩票", "福利彩票"]),
}
"""How many venues of each category are scattered over the town, and the words their names are made of."""

_BAR_LANE = (
    "夜航船酒吧 南巷小酒馆 蓝调音乐酒吧 木吉他清吧 旧码头精酿 月下小酒馆 醉清风酒吧 半山酒吧 麦田酒吧 "
    "左岸音乐酒吧 微醺小酒馆 七号酒吧 归途清吧 白夜酒吧"
)
_MALL: tuple[tuple[str, VenueCategory], ...] = (
    ("欢唱量贩KTV（万汇广场店）", VenueCategory.KTV),
    ("纯歌KTV（万汇店）", VenueCategory.KTV),
    ("浮岛酒吧（万汇广场3层）", VenueCategory.BAR),
    ("拾光小酒馆（万汇广场1层）", VenueCategory.BAR),
    ("战旗电竞网咖（万汇店）", VenueCategory.INTERNET_CAFE),
    ("大玩家电玩城（万汇店）", VenueCategory.ARCADE),
    ("佳佳游艺厅", VenueCategory.ARCADE),
    ("八号台球俱乐部", VenueCategory.BILLIARDS),
    ("迷雾剧本推理馆", VenueCategory.SCRIPT_VENUE),
    ("悦客商务酒店（万汇广场店）", VenueCategory.HOTEL),
    ("雾屿电子烟专卖", VenueCategory.TOBACCO),
    ("万家烟酒超市（万汇店）", VenueCategory.TOBACCO),
    ("云水足浴（万汇店）", VenueCategory.BATH),
)
_BAD_NAMES: tuple[tuple[str, VenueCategory], ...] = (
    ('<b>老地方</b>酒吧（"总店"）', VenueCategory.BAR),
    ("${shop_name}烟酒商行", VenueCategory.TOBACCO),
    ("`极光`网吧\\二店", VenueCategory.INTERNET_CAFE),
    ("O'Neil's 宾馆 & Café", VenueCategory.HOTEL),
)
"""Names as a careless export leaves them: mark-up, an unfilled template, a back-tick, quotes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A venue to be: metres on the plane, with the id it will have."""

    source_id: str
    name: str
    category: VenueCategory
    point_m: Metres
    street: str


def build_venues(
    network: StreetNetwork,
    plane: Plane,
    fixed: Sequence[Spot],
    clear_m: Sequence[Metres],
    grounds_m: Sequence[Polygon],
    rng: np.random.Generator,
) -> tuple[Venue, ...]:
    """All venues in WGS-84. ``clear_m``: places that random sensitive venues keep away from; ``fixed``: as given."""
    spots = [*fixed, *_bar_lane_spots(network), *_mall_spots(network)]
    no_shop_m = unary_union([*(ground_m.buffer(15.0) for ground_m in grounds_m), network.river_m])
    wanted = [(name, category) for name, category in _BAD_NAMES]
    for category, (count, words, endings) in _WORDING.items():
        wanted += [(f"{rng.choice(words.split())}{rng.choice(endings)}", category) for _ in range(count)]
    for number, (name, category) in enumerate(wanted):
        point_m, street = _free_place(network, category, [spot.point_m for spot in spots], clear_m, no_shop_m, rng)
        full_name = name if number < len(_BAD_NAMES) else f"{name}（{street}店）"
        spots.append(
            Spot(
                source_id=f"venue/town-{number:03d}",
                name=full_name,
                category=category,
                point_m=point_m,
                street=street,
            )
        )
    return tuple(_venue(spot, number, plane) for number, spot in enumerate(spots))


def _bar_lane_spots(network: StreetNetwork) -> list[Spot]:
    """Bars on both sides of the lane, the first 62 m from its mouth, then one every 26 m."""
    edge = network.names.index(BAR_LANE_NAME)
    length_m = math.dist(*(network.nodes_m[node].tolist() for node in network.ends[edge]))
    spots: list[Spot] = []
    for number, name in enumerate(_BAR_LANE.split()):
        fraction = (62.0 + 26.0 * (number // 2)) / length_m
        spots.append(
            Spot(
                source_id=f"venue/bar-lane-{number + 1:02d}",
                name=name,
                category=VenueCategory.BAR,
                point_m=network.beside(edge, fraction, 9.0 if number % 2 else -9.0),
                street=BAR_LANE_NAME,
            )
        )
    return spots


def _mall_spots(network: StreetNetwork) -> list[Spot]:
    east_m, north_m = network.in_block(*MALL_BLOCK, 0.4, 0.3)
    spots: list[Spot] = []
    for number, (name, category) in enumerate(_MALL):
        row, column = divmod(number, 4)
        spots.append(
            Spot(
                source_id=f"venue/mall-{number + 1:02d}",
                name=name,
                category=category,
                point_m=(east_m + 24.0 * column, north_m + 22.0 * row + 5.0 * (column % 2)),
                street=MALL_NAME,
            )
        )
    return spots


def _free_place(
    network: StreetNetwork,
    category: VenueCategory,
    taken_m: Sequence[Metres],
    clear_m: Sequence[Metres],
    no_shop_m: BaseGeometry,
    rng: np.random.Generator,
) -> tuple[Metres, str]:
    """A random place 12–22 m off a street of the grid: more often near the centre, never on top of another."""
    while True:
        edge = int(rng.integers(len(network.ends)))
        point_m = network.beside(edge, float(rng.uniform(0.05, 0.95)), float(rng.choice([-1, 1]) * rng.uniform(12, 22)))
        street = network.names[edge]
        if street in (BAR_LANE_NAME, ROAD_OUT_NAME) or rng.random() > math.exp(-math.hypot(*point_m) / 2_600.0):
            continue
        if category in SENSITIVE and any(math.dist(point_m, place_m) < CLEAR_M for place_m in clear_m):
            continue
        if any(math.dist(point_m, place_m) < 22.0 for place_m in taken_m) or no_shop_m.contains(Point(point_m)):
            continue
        return point_m, street


def _venue(spot: Spot, number: int, plane: Plane) -> Venue:
    """Most venues are points; every fourth hotel is known by its building."""
    east_m, north_m = spot.point_m
    middle_m = Point(east_m, north_m)
    is_building = spot.category is VenueCategory.HOTEL and number % 4 == 0
    walls_m = box(east_m - 16.0, north_m - 11.0, east_m + 16.0, north_m + 11.0)
    geometry = plane.shape_to_wgs84(walls_m if is_building else middle_m)
    return Venue(
        key=SourceKey(source=SOURCE, source_id=spot.source_id),
        name=spot.name,
        category=spot.category,
        geometry=geometry,
        raw_geometry=geometry,
        datum=Datum.WGS84,
        address=f"云泽市（合成）{spot.street}{number + 1}号",
    )


def bar_lane_mouth(network: StreetNetwork) -> Metres:
    """Where the bar lane leaves its street, in metres; the nearest bar is 60 m away."""
    (west_m, south_m), (east_m, north_m) = (
        network.crossing(BAR_LANE_COLUMN, BAR_LANE_ROW),
        network.crossing(BAR_LANE_COLUMN, BAR_LANE_ROW + 1),
    )
    return (west_m + east_m) / 2, (south_m + north_m) / 2
