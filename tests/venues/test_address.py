"""Addresses taken apart; floor and unit are kept, and nothing is invented."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.address import Address, parse_address, premises_key


def parts(address: Address) -> tuple[str, str, str, int | None, str]:
    return address.road, address.number, address.building, address.floor, address.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("江苏省徐州市云龙区和平路28-3号万达广场2号楼3层305室", ("和平路", "28-3", "2", 3, "305")),
        ("和平路２８号附3号", ("和平路", "28-3", "", None, "")),
        ("中山北路一百二十号负一层", ("中山北路", "120", "", -1, "")),
        ("淮海东路十二号", ("淮海东路", "12", "", None, "")),
        ("朝阳区三里屯路19号院", ("三里屯路", "19", "", None, "")),
        ("人民路88弄12号", ("人民路", "88-12", "", None, "")),
        ("中关村大街27号A座5F", ("中关村大街", "27", "A", 5, "")),
        ("和平路28号2单元301室", ("和平路", "28", "", None, "2-301")),
        ("彭城路1号苏宁广场L3-302铺", ("彭城路", "1", "", None, "L3-302")),
        ("大彭镇解放路5号", ("解放路", "5", "", None, "")),
        ("云龙万达广场B1层12号商铺", ("", "", "", -1, "12")),
        ("Avenue des Papalins 6", ("AVENUEDESPAPALINS", "6", "", None, "")),
        ("4 Rue Suffren Reymond", ("RUESUFFRENREYMOND", "4", "", None, "")),
        ("", ("", "", "", None, "")),
    ],
)
def test_an_address_is_taken_apart(text: str, expected: tuple[str, str, str, int | None, str]) -> None:
    assert parts(parse_address(text)) == expected


def test_what_no_rule_knows_stays() -> None:
    assert parse_address("和平路28号万达广场东门").rest == "万达广场东门"


def test_two_floors_of_one_house_are_two_premises() -> None:
    keys = {premises_key(parse_address(f"和平路28号{floor}")) for floor in ("1层", "2层", "负一层", "")}
    assert len(keys) == 4


def test_the_same_door_written_otherwise_is_the_same_premises() -> None:
    one, other = parse_address("徐州市雲龍區和平路二十八號3樓305室"), parse_address("和平路28号三层305室")
    assert premises_key(one) == premises_key(other) != ""


def test_without_a_number_there_are_no_premises() -> None:
    assert premises_key(parse_address("和平路")) == ""
    assert premises_key(parse_address("万达广场3层")) == ""


@given(st.text("云龙区和平路街0123456789一二十百号楼层室负附-（）ABF ,", max_size=24))
def test_any_text_is_an_address_and_nothing_is_invented(text: str) -> None:
    address = parse_address(text)
    assert address.full == text.strip()
    assert set(address.road) <= set(unicodedata.normalize("NFKC", text))
