"""Telephone and ID numbers: one spelling, one index; what is refused, what is only doubted, what is shown."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2

from api.personal.blind_index import HashName, IndexKey, id_number_index, normal_phone, phone_index
from api.personal.masking import masked_id_number, masked_name, masked_phone
from api.personal.resident_id import check_resident_id, doubts_about

KEYS = [IndexKey(hash_name=name, secret=bytes(range(32))) for name in HashName]
BEFORE = date(2026, 3, 20)
MOBILES = st.from_regex(r"1([3-689][0-9]|7[0-8])[0-9]{8}", fullmatch=True)
"""179 begins no mobile number: 17900 to 17999 choose a carrier, and the library takes them for that."""


def an_id_number(division: str, born: str, order: str = "002") -> str:
    """A made-up number with the right check digit."""
    return mod_11_2.calc_check_digit(division + born + order).join([division + born + order, ""])


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.hash_name)
@given(MOBILES, MOBILES)
def test_equal_numbers_have_equal_indexes_and_others_have_not(key: IndexKey, one: str, other: str) -> None:
    assert (
        phone_index(key, one)
        == phone_index(key, f"+86 {one[:3]}-{one[3:7]} {one[7:]}")
        == phone_index(key, f"0086{one}")
    )
    assert (phone_index(key, one) == phone_index(key, other)) == (one == other)
    assert len(phone_index(key, one)) == 32


def test_an_index_needs_its_key_and_its_kind() -> None:
    indexes = {phone_index(key, "13800000101") for key in KEYS}
    indexes |= {phone_index(IndexKey(hash_name=key.hash_name, secret=bytes(32)), "13800000101") for key in KEYS}
    indexes |= {id_number_index(key, "13800000101") for key in KEYS}
    assert len(indexes) == 6


def test_the_index_is_the_hmac_of_the_standard_library() -> None:
    import hashlib
    import hmac

    assert phone_index(KEYS[0], "13800000101") == hmac.digest(bytes(range(32)), b"phone\x0013800000101", hashlib.sha256)


def test_numbers_from_abroad_are_e164_and_what_is_no_number_is_refused_without_being_quoted() -> None:
    assert normal_phone("+1 415 555 2671") == "+14155552671"
    for wrong in ("", "小丽", "no number"):
        with pytest.raises(ValueError, match="not a telephone number") as refused:
            normal_phone(wrong)
        assert not wrong or wrong not in str(refused.value)


def test_an_id_number_is_found_however_it_is_written() -> None:
    assert id_number_index(KEYS[0], "11010519491231002x") == id_number_index(KEYS[0], " 110105 19491231 002X")


@pytest.mark.parametrize(
    "number",
    [
        "11010519491231002X",  # the standard's example
        "440524188001010014",  # the standard's other example: the division did not exist then
        an_id_number("320312", "20080101"),  # 铜山区, made in 2010; the child was registered later
        an_id_number("320311", "19780101"),
        an_id_number("430281", "19780101"),
        an_id_number("430224", "19780101"),
    ],
)
def test_real_people_are_not_refused_for_their_division(number: str) -> None:
    assert check_resident_id(number.lower(), not_after=BEFORE) == number
    born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    assert doubts_about(number, birth_date=born) == []


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.integers(0, 999), st.data())
def test_any_one_wrong_digit_is_found(born: date, order: int, data: st.DataObject) -> None:
    number = an_id_number("320312", f"{born:%Y%m%d}", f"{order:03}")
    assert check_resident_id(number, not_after=BEFORE) == number
    position = data.draw(st.integers(0, 16))
    digit = data.draw(st.sampled_from("0123456789").filter(lambda found: found != number[position]))
    with pytest.raises(ValueError, match="ID number") as refused:
        check_resident_id(number[:position] + digit + number[position + 1 :], not_after=BEFORE)
    assert number[:6] not in str(refused.value)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("320312080101002", "18 digits"),
        ("32031220080101002?", "18 digits"),
        ("３２０３１２２００８０１０１００２６", "18 digits"),
        (an_id_number("320312", "20080230"), "date of birth"),
        (an_id_number("320312", "20260321"), "date of birth"),
        (an_id_number("320312", "17991231"), "date of birth"),
    ],
)
def test_what_cannot_be_one_is_refused_with_the_reason(number: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_resident_id(number, not_after=BEFORE)


def test_an_unknown_division_and_another_birthday_are_doubts() -> None:
    number = an_id_number("999999", "20080101")
    assert check_resident_id(number, not_after=BEFORE) == number
    doubts = doubts_about(number, birth_date=date(2008, 1, 2))
    assert len(doubts) == 2
    assert "行政区划" in doubts[0]
    assert "出生日期" in doubts[1]


def test_masks_show_what_they_may_and_nothing_else() -> None:
    assert masked_name("王小丽") == masked_name("王丽") == "王**"
    assert masked_name("") == "**"
    assert masked_phone("13800000101") == "138****0101"
    assert masked_phone("12309") == "****"
    assert masked_id_number("32031220080101001X") == "320*************1X"
    assert masked_id_number("320312") == "****"


@given(st.text(min_size=11, max_size=18))
def test_a_masked_number_never_holds_the_middle(text: str) -> None:
    assert len(masked_phone(text).replace("*", "")) <= 7
    assert len(masked_id_number(text).replace("*", "")) <= 5
