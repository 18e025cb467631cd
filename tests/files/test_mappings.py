"""The built-in mappings say what the domain report says, and a user's own file can be given."""

from pathlib import Path

import pytest

from api.files.errors import UnreadableFile
from api.files.mappings import built_in_mappings, load_mapping
from venues.category import SiteCategory, VenueCategory
from venues.mapping import MappingError, NotAPlace


def test_the_built_in_mappings_are_known_by_name() -> None:
    assert built_in_mappings() == ("amap", "hulan", "osm")


@pytest.mark.parametrize(
    ("tags", "category"),
    [
        ({"amenity": "bar"}, "bar"),
        ({"amenity": "pub"}, "bar"),
        ({"amenity": "nightclub"}, "nightclub"),
        ({"amenity": "karaoke_box"}, "ktv"),
        ({"amenity": "internet_cafe"}, "internet_cafe"),
        ({"leisure": "adult_gaming_centre"}, "arcade"),
        ({"leisure": "amusement_arcade"}, "arcade"),
        ({"tourism": "hotel"}, "hotel"),
        ({"tourism": "motel"}, "hotel"),
        ({"tourism": "hostel"}, "hotel"),
        ({"tourism": "guest_house"}, "hotel"),
        ({"shop": "tobacco"}, "tobacco"),
        ({"shop": "e-cigarette"}, "tobacco"),
        ({"shop": "alcohol"}, "alcohol"),
        ({"shop": "wine"}, "alcohol"),
        ({"shop": "lottery"}, "lottery"),
        ({"amenity": "casino"}, "casino"),
        ({"amenity": "kindergarten"}, "kindergarten"),
        ({"amenity": "school"}, "school"),
        ({"amenity": "school", "name": "合成区实验小学"}, "primary_school"),
        ({"amenity": "school", "name": "合成大学附属中学"}, "secondary_school"),
        ({"amenity": "school", "name": "合成市第四中"}, "secondary_school"),
        ({"amenity": "school", "name": "合成市中小学"}, "school"),
        ({"amenity": "school", "name": "合成职业学校"}, "vocational_school"),
        ({"amenity": "college", "name": "合成市职业高中"}, "vocational_school"),
        ({"amenity": "school", "name": "合成区培智学校"}, "special_school"),
        ({"amenity": "school", "name": "合成幼儿园"}, "kindergarten"),
        ({"amenity": "school", "isced:level": "1"}, "primary_school"),
        ({"amenity": "school", "isced:level": "2;3"}, "secondary_school"),
        ({"amenity": "school", "isced:level": "1;2"}, "school"),
        ({"amenity": "school", "school": "primary"}, "primary_school"),
    ],
)
def test_osm_tags(tags: dict[str, str], category: str) -> None:
    assert load_mapping("osm").for_tags(tags) == category


@pytest.mark.parametrize(
    "tags",
    [
        {"amenity": "university"},
        {"amenity": "college", "name": "合成职业技术学院"},
        {"amenity": "school", "name": "合成大学"},
        {"amenity": "school", "name": "合成音乐学院（北门）"},
        {"amenity": "school", "name": "合成驾校"},
        {"amenity": "bank"},
        {"amenity": "bar", "disused": "yes"},
        {"disused:amenity": "bar"},
        {},
    ],
)
def test_universities_and_other_things_are_no_sites(tags: dict[str, str]) -> None:
    assert load_mapping("osm").for_tags(tags) is NotAPlace.IGNORED


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("080302", VenueCategory.KTV),
        ("080304", VenueCategory.BAR),
        ("080301", VenueCategory.NIGHTCLUB),
        ("080303", VenueCategory.NIGHTCLUB),
        ("080305", VenueCategory.ARCADE),
        ("080306", VenueCategory.MAHJONG),
        ("080308", VenueCategory.INTERNET_CAFE),
        ("080113", VenueCategory.BILLIARDS),
        ("071400", VenueCategory.BATH),
        ("100102", VenueCategory.HOTEL),
        ("100201", VenueCategory.HOTEL),
        ("061210", VenueCategory.TOBACCO),
        ("071800", VenueCategory.LOTTERY),
        ("141202", SiteCategory.SECONDARY_SCHOOL),
        ("141203", SiteCategory.PRIMARY_SCHOOL),
        ("141204", SiteCategory.KINDERGARTEN),
        ("141206", SiteCategory.VOCATIONAL_SCHOOL),
        ("141201", NotAPlace.IGNORED),
        ("100100|080304", VenueCategory.HOTEL),
        ("141201|071400", VenueCategory.BATH),
    ],
)
def test_amap_codes(code: str, category: object) -> None:
    assert load_mapping("amap").for_value(code) == category


def test_every_category_has_its_own_word_in_the_house_vocabulary() -> None:
    mapping = load_mapping("hulan")
    assert {mapping.for_value(category.value) for category in VenueCategory} == set(VenueCategory)
    assert {mapping.for_value(category.value) for category in SiteCategory} == set(SiteCategory)
    assert mapping.for_value("网吧") is VenueCategory.INTERNET_CAFE


def test_a_mapping_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('unlisted = "reject"\n[codes]\n"歌舞娱乐" = "ktv"\n', "utf-8")
    assert load_mapping(path).for_value("歌舞娱乐") is VenueCategory.KTV


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnreadableFile, match="amap, hulan, osm"):
        load_mapping("google")


def test_bad_toml_and_bad_content_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("codes = ", "utf-8")
    with pytest.raises(UnreadableFile, match="not valid TOML"):
        load_mapping(path)
    path.write_text('[codes]\n"1" = "pub"\n', "utf-8")
    with pytest.raises(MappingError, match=r"mapping mine, codes\.1: 'pub'"):
        load_mapping(path)
