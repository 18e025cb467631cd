"""Categories of venues and sites, and the footprint that a venue known only as a point is given."""

from enum import StrEnum


class VenueCategory(StrEnum):
    """What a venue is; the values are stored and appear in files."""

    BAR = "bar"  # 酒吧 (pubs and 小酒馆 observed as bars too)
    NIGHTCLUB = "nightclub"  # 夜总会、迪厅
    KTV = "ktv"  # 歌厅
    INTERNET_CAFE = "internet_cafe"  # 网吧
    ARCADE = "arcade"  # 电子游戏厅
    BILLIARDS = "billiards"  # 台球厅
    MAHJONG = "mahjong"  # 棋牌室
    SCRIPT_VENUE = "script_venue"  # 剧本杀、密室
    HOTEL = "hotel"  # 宾馆、旅馆、酒店
    BATH = "bath"  # 洗浴、足浴
    TOBACCO = "tobacco"  # 烟草、电子烟零售
    ALCOHOL = "alcohol"  # 酒类零售
    LOTTERY = "lottery"  # 彩票销售点
    CASINO = "casino"  # 赌场 (abroad; none is lawful in mainland China)


class SiteCategory(StrEnum):
    """A protected place. Universities are not schools in the sense of 未成年人保护法 130(2)."""

    PRIMARY_SCHOOL = "primary_school"  # 小学
    SECONDARY_SCHOOL = "secondary_school"  # 中学
    VOCATIONAL_SCHOOL = "vocational_school"  # 中等职业学校
    SPECIAL_SCHOOL = "special_school"  # 特殊教育、专门学校
    SCHOOL = "school"  # 学校, level not known
    KINDERGARTEN = "kindergarten"  # 幼儿园


CATEGORY_NAMES_ZH: dict[VenueCategory | SiteCategory, str] = {
    VenueCategory.BAR: "酒吧",
    VenueCategory.NIGHTCLUB: "夜总会",
    VenueCategory.KTV: "KTV",
    VenueCategory.INTERNET_CAFE: "网吧",
    VenueCategory.ARCADE: "电子游戏厅",
    VenueCategory.BILLIARDS: "台球厅",
    VenueCategory.MAHJONG: "棋牌室",
    VenueCategory.SCRIPT_VENUE: "剧本娱乐",
    VenueCategory.HOTEL: "宾馆酒店",
    VenueCategory.BATH: "洗浴足浴",
    VenueCategory.TOBACCO: "烟草零售",
    VenueCategory.ALCOHOL: "酒类零售",
    VenueCategory.LOTTERY: "彩票",
    VenueCategory.CASINO: "赌场",
    SiteCategory.PRIMARY_SCHOOL: "小学",
    SiteCategory.SECONDARY_SCHOOL: "中学",
    SiteCategory.VOCATIONAL_SCHOOL: "职业学校",
    SiteCategory.SPECIAL_SCHOOL: "特殊教育学校",
    SiteCategory.SCHOOL: "学校",
    SiteCategory.KINDERGARTEN: "幼儿园",
}
"""The Chinese word for each category on maps, reports and the command line."""

POINT_FOOTPRINT_M = 20.0
"""Radius in metres assumed for a venue known only as a point (reference/domain.md 3.1: the 20 m bar)."""

FOOTPRINT_MARGIN_M = 15.0
"""Added around a venue's footprint for the error of its own coordinates (reference/domain.md 4.1)."""
