"""Numbers of licences and telephones: right ones in one spelling, wrong ones refused with what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from venues.licence import (
    USCC_ALPHABET,
    LicenceError,
    check_culture_licence,
    check_phone,
    check_tobacco_licence,
    check_uscc,
    doubts_about_tobacco_licence,
    is_shared_line,
)

WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def check_character(body: str) -> str:
    """GB 32100-2015 from its text: 31 minus the weighted sum modulo 31, and 31 is written as 0."""
    total = sum(USCC_ALPHABET.index(character) * weight for character, weight in zip(body, WEIGHTS, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]


bodies = st.tuples(
    st.sampled_from(["91", "92", "12", "52"]),
    st.from_regex("[0-9]{6}", fullmatch=True),
    st.text(st.sampled_from(USCC_ALPHABET), min_size=9, max_size=9),
).map("".join)


@given(bodies)
def test_every_code_made_by_the_standard_is_taken(body: str) -> None:
    code = body + check_character(body)
    assert check_uscc(code) == code
    assert check_uscc(f" {code[:8].lower()} {code[8:]}") == code


@given(bodies, st.integers(0, 17), st.sampled_from(USCC_ALPHABET))
def test_one_wrong_character_is_noticed(body: str, place: int, character: str) -> None:
    code = body + check_character(body)
    wrong = code[:place] + character + code[place + 1 :]
    if wrong != code:
        with pytest.raises(LicenceError) as refusal:
            check_uscc(wrong)
        assert refusal.value.field == "uscc"


def test_the_example_of_the_register_is_taken() -> None:
    assert check_uscc("91350100M000100Y43") == "91350100M000100Y43"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("320300000012345", "旧注册号"),
        ("91350100M000100Y4", "17 位"),
        ("9135O100M000100Y43", "含 O"),
        ("91350100M000100Y44", "校验位"),
        ("91ABCD00M000100Y43", "区划"),
    ],
)
def test_a_wrong_code_says_what_is_wrong_and_what_to_do(text: str, words: str) -> None:
    with pytest.raises(LicenceError, match=words) as refusal:
        check_uscc(text)
    assert " / " in str(refusal.value)
    row = refusal.value.rejected(line=7, reference="x")
    assert (row.line, row.field, row.value) == (7, "uscc", text)


def test_a_tobacco_licence_has_twelve_digits() -> None:
    assert check_tobacco_licence("3203 0310 0123") == "320303100123"
    with pytest.raises(LicenceError, match="12"):
        check_tobacco_licence("32030310012")
    with pytest.raises(LicenceError, match="12"):
        check_tobacco_licence("32030310012A")


def test_an_unknown_division_is_a_doubt_and_no_refusal() -> None:
    assert doubts_about_tobacco_licence(check_tobacco_licence("320303100123")) == []
    division, trader = doubts_about_tobacco_licence(check_tobacco_licence("999999900123"))
    assert (division.field, division.value) == ("tobacco_licence", "999999900123")
    assert "前六位 999999 不是已知区划" in division.reason
    assert "第七位 9" in trader.reason


def test_a_culture_licence_keeps_its_characters() -> None:
    assert check_culture_licence("苏网文〔2021〕1234-567号") == check_culture_licence("蘇網文 2021 1234567 號")
    with pytest.raises(LicenceError, match="没有数字"):
        check_culture_licence("无")


@pytest.mark.parametrize(
    "text", ["13800000101", "138 0000 0101", "+86 13800000101", "０１３８０００００１０１"[1:], "008613800000101"]
)
def test_a_mobile_has_one_spelling(text: str) -> None:
    assert check_phone(text) == "+8613800000101"


@pytest.mark.parametrize("text", ["12309", "95588", "0733-28888888", "1380000010", "见门口", ""])
def test_what_cannot_be_dialled_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(LicenceError) as refusal:
        check_phone(text)
    assert not text or text not in str(refusal.value).replace("0733 改 0731", "").replace("0733 is 0731", "")
    assert refusal.value.value == text


def test_a_switchboard_of_a_chain_is_told_from_a_shop() -> None:
    assert is_shared_line(check_phone("400-812-3456"))
    assert not is_shared_line(check_phone("0516-83888888"))
    assert not is_shared_line(check_phone("13800000101"))
