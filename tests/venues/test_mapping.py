"""Which tags and codes become which category, and what a bad mapping file is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.category import SiteCategory, VenueCategory
from venues.mapping import CategoryMapping, MappingError, NotAPlace, parse_mapping

TAGS = parse_mapping(
    {
        "value_keys": ["amenity", "shop"],
        "rules": [
            {"category": "ignore", "when": {"disused": ["yes"]}},
            {"category": "primary_school", "when": {"amenity": ["school"], "name": {"matches": "小学"}}},
            {"category": "school", "when": {"amenity": ["school"]}},
            {"category": "bar", "when": {"amenity": ["bar", "pub"]}},
            {"category": "tobacco", "when": {"shop": ["tobacco"]}},
            {"category": "billiards", "when": {"leisure": ["*"], "sport": ["billiards"]}},
        ],
    },
    name="tags",
)
CODES = parse_mapping(
    {
        "code_match": "prefix",
        "code_pattern": "[0-9]{6}",
        "codes": {"1001": "hotel", "100105": "ignore", "080304": "bar", "141201": "ignore"},
    },
    name="codes",
)
WORDS = parse_mapping({"unlisted": "reject", "codes": {"网吧": "internet_cafe", "KTV": "ktv"}}, name="words")


def test_the_first_rule_that_holds_wins() -> None:
    assert TAGS.for_tags({"amenity": "school", "name": "实验小学"}) is SiteCategory.PRIMARY_SCHOOL
    assert TAGS.for_tags({"amenity": "school", "name": "实验学校"}) is SiteCategory.SCHOOL
    assert TAGS.for_tags({"amenity": "bar", "disused": "yes"}) is NotAPlace.IGNORED


def test_all_conditions_of_a_rule_must_hold() -> None:
    assert TAGS.for_tags({"leisure": "sports_centre", "sport": "billiards"}) is VenueCategory.BILLIARDS
    assert TAGS.for_tags({"sport": "billiards"}) is NotAPlace.IGNORED


def test_one_of_several_values_is_enough() -> None:
    assert TAGS.for_tags({"amenity": "restaurant; bar"}) is VenueCategory.BAR


def test_a_plain_value_is_tried_under_every_key_with_the_name() -> None:
    assert TAGS.for_value("pub") is VenueCategory.BAR
    assert TAGS.for_value("Tobacco") is VenueCategory.TOBACCO
    assert TAGS.for_value("school", name="第一小学") is SiteCategory.PRIMARY_SCHOOL
    assert TAGS.for_value("bank") is NotAPlace.IGNORED


def test_the_keys_to_look_for_in_a_large_file_are_all_there() -> None:
    assert TAGS.tag_keys == ("amenity", "disused", "leisure", "shop", "sport")


@pytest.mark.parametrize(
    ("code", "decision"),
    [
        ("100101", VenueCategory.HOTEL),
        ("100105", NotAPlace.IGNORED),  # the longer code wins
        ("141201", NotAPlace.IGNORED),
        ("141201|080304", VenueCategory.BAR),  # the first that is a place of ours
        ("080304|100101", VenueCategory.BAR),
        ("050000|060000", NotAPlace.IGNORED),  # well formed, not listed
        ("", NotAPlace.UNKNOWN),
        ("bar", NotAPlace.UNKNOWN),
        ("1001", NotAPlace.UNKNOWN),
        ("1001011", NotAPlace.UNKNOWN),
    ],
)
def test_codes_match_by_prefix(code: str, decision: object) -> None:
    assert CODES.for_value(code) == decision


def test_in_a_closed_vocabulary_an_unlisted_word_is_unknown() -> None:
    assert WORDS.for_value(" ktv ") is VenueCategory.KTV
    assert WORDS.for_value("网巴") is NotAPlace.UNKNOWN


@pytest.mark.parametrize("mapping", [TAGS, CODES, WORDS])
@given(value=st.text(max_size=20))
def test_any_value_gets_an_answer(mapping: CategoryMapping, value: str) -> None:
    assert mapping.for_value(value) is not None


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"rule": []}, "rule"),
        ({}, "rules"),
        ({"rules": "x"}, "rules"),
        ({"rules": ["x"]}, "rules[1]"),
        ({"rules": [{"category": "pubb", "when": {"amenity": ["pub"]}}]}, "rules[1].category"),
        ({"rules": [{"when": {"amenity": ["pub"]}}]}, "rules[1].category"),
        ({"rules": [{"category": "bar"}]}, "rules[1].when"),
        ({"rules": [{"category": "bar", "if": {}, "when": {"amenity": ["bar"]}}]}, "rules[1].if"),
        ({"rules": [{"category": "bar", "when": {"amenity": "bar"}}]}, "rules[1].when.amenity"),
        ({"rules": [{"category": "bar", "when": {"name": {"matches": "吧"}}}]}, "rules[1].when"),
        (
            {"rules": [{"category": "bar", "when": {"amenity": ["bar"], "name": {"matches": "("}}}]},
            "rules[1].when.name.matches",
        ),
        ({"codes": {"080304": "pub"}}, "codes.080304"),
        ({"codes": {" ": "bar"}}, "codes"),
        ({"codes": ["bar"]}, "codes"),
        ({"codes": {"1": "bar"}, "code_match": "fuzzy"}, "code_match"),
        ({"codes": {"1": "bar"}, "code_pattern": 6}, "code_pattern"),
        ({"codes": {"1": "bar"}, "unlisted": "maybe"}, "unlisted"),
        ({"codes": {"1": "bar"}, "value_keys": "amenity"}, "value_keys"),
        ({"codes": {"1": "bar"}, "rules": [{"category": "bar", "when": {"amenity": ["bar"]}}]}, "rules"),
    ],
)
def test_a_bad_mapping_is_told_which_key_is_wrong(data: dict[str, object], key: str) -> None:
    with pytest.raises(MappingError) as caught:
        parse_mapping(data, name="mine")
    assert caught.value.key == key
    assert "mine" in str(caught.value)
    assert key in str(caught.value)
