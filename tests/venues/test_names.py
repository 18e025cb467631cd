"""Chinese business names: one spelling, and what tells two of them apart is kept."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.divisions import division_codes, division_names
from venues.name_words import LEGAL_FORMS, ORDINAL_BRANCHES, TYPE_WORDS
from venues.names import _without_accents, normal_text, parse_name

PIECES = [
    "徐州市",
    "云龙区",
    "徐州",
    "星光",
    "王芳",
    "大彭镇",
    "南京路店",
    "（万达店）",
    "(个体工商户)",
    "第二分店",
    "原",
    " ",
    "·",
]
names = st.lists(
    st.sampled_from([*PIECES, *LEGAL_FORMS, *TYPE_WORDS, *ORDINAL_BRANCHES]) | st.text(max_size=4), max_size=6
).map("".join)


@pytest.mark.parametrize(
    ("text", "core", "branch", "division"),
    [
        ("徐州市云龙区星光娱乐有限公司", "星光", "", "徐州市云龙区"),
        ("徐州星光娱乐有限公司", "星光", "", "徐州"),
        ("某某（北京）有限公司", "某某", "", ""),
        ("江苏省徐州市铜山区大彭镇王芳餐饮店", "王芳", "", "江苏省徐州市铜山区大彭镇"),
        ("星光KTV（万达店）", "星光", "万达店", ""),
        ("星光ＫＴＶ(万达店)", "星光", "万达店", ""),
        ("星光网吧南京路店", "星光", "南京路店", ""),
        ("王婆大虾南京路店", "王婆大虾", "南京路店", ""),
        ("芙蓉兴盛便利店第二分店", "芙蓉兴盛", "第二分店", ""),
        ("徐州星光娱乐有限公司云龙分公司", "星光", "云龙分公司", "徐州"),
        ("星光娱乐（个体工商户）", "星光", "", ""),
        ("金色年华量贩式KTV", "金色年华", "", ""),
        ("老王烟酒店", "老王", "", ""),
        ("徐州饭店", "徐州", "", ""),
        ("網吧", "网吧", "", ""),
        ("上海市酒吧", "酒吧", "", "上海市"),
        ("星際網咖", "星际", "", ""),
        ("The Blue Bar", "THEBLUE", "", ""),
        ("Sidebar", "SIDEBAR", "", ""),
        ("Hôtel Ambassador", "HOTELAMBASSADOR", "", ""),
    ],
)
def test_a_name_is_taken_apart(text: str, core: str, branch: str, division: str) -> None:
    name = parse_name(text)
    assert (name.core, name.branch, name.division) == (core, branch, division)
    assert name.full == text


def test_two_branches_of_a_chain_have_one_core_and_two_branches() -> None:
    one, other = parse_name("网鱼网咖(人民广场店)"), parse_name("网鱼网咖(云龙万达店)")
    assert one.core == other.core == "网鱼"
    assert one.branch != other.branch


def test_traditional_full_width_and_accents_are_one_spelling() -> None:
    assert normal_text("星際網咖臺灣路") == normal_text("星际网咖台湾路")
    assert normal_text("ＫＴＶ１０１") == "KTV101"
    assert normal_text("Le Café") == normal_text("LE CAFE")


def test_only_characters_that_are_looked_up_lose_an_accent() -> None:
    """The short way of ``normal_text`` skips the others, Chinese ones above all."""
    accented = {
        chr(code) for code in range(0x80, sys.maxunicode + 1) if unicodedata.normalize("NFD", chr(code))[0].isascii()
    }
    assert len(accented) > 400
    assert max(accented) < "\u2e80"
    for character in accented:
        assert _without_accents(f"星{character}光") == f"星{unicodedata.normalize('NFD', character)[0]}光"


@given(names)
def test_a_name_keeps_a_core_and_never_loses_its_branch(text: str) -> None:
    name = parse_name(text)
    assert name.full == text.strip()
    assert bool(name.core) == bool(name.normal)
    assert all(character in name.normal for character in name.branch)
    assert all(character in name.normal for character in name.core)


@given(names)
def test_one_spelling_is_reached_at_once(text: str) -> None:
    assert normal_text(normal_text(text)) == normal_text(text)
    assert parse_name(text.replace("（", "(").replace("）", ")")).core == parse_name(text).core


def test_the_table_of_divisions_has_old_and_new_ones() -> None:
    assert {"江苏省", "徐州市", "云龙区", "铜山县", "铜山区"} <= division_names()
    assert not division_names() & {"市辖区", "县"}
    assert {"320303", "430221", "430212"} <= division_codes()
