"""Numbers, codes and tokens as all providers' forms have them."""

from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.fault import BUDGET, UNKNOWN, Blame, Fault, error_of, find_fault, plain_code
from alerts.gateway import BadCallbackError, BadSignatureError, GatewayError
from alerts.provider import beijing_time, check_callback_token, e164, plain_reference, unix_time
from tests.gateways.messages import kind_of


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13800000101", "+8613800000101"),
        ("8613800000101", "+8613800000101"),
        ("008613800000101", "+8613800000101"),
        ("+86 138-0000-0101", "+8613800000101"),
        ("+85291230001", "+85291230001"),
    ],
)
def test_a_number_has_one_form(written: str, number: str) -> None:
    assert e164(written) == number
    assert e164(number) == number


@given(text=st.text())
def test_whatever_else_is_a_final_error_without_the_number(text: str) -> None:
    try:
        number = e164(text)
    except GatewayError as error:
        assert error.is_final
        assert len(text) < 5 or text not in error.reason
    else:
        assert number[0] == "+"
        assert number[1:].isascii()
        assert number[1:].isdigit()


@given(text=st.text(), number=st.from_regex(r"(\+?86)?1[0-9]{10}", fullmatch=True))
def test_what_is_told_of_a_code_is_a_code(text: str, number: str) -> None:
    told = plain_code(text)
    assert told == "?" or (told == text and text.isascii() and " " not in text)
    assert plain_code(number) == "?"


def test_a_code_is_found_by_itself_then_by_its_beginning() -> None:
    lasting = Fault(Blame.PROVIDER, "甲 / a")
    faults = {"A.B": BUDGET, "A": lasting, "": UNKNOWN}
    assert [find_fault(code, faults) for code in ("A.B", "A.C", "A", "AB", "")] == [
        BUDGET, lasting, lasting, UNKNOWN, UNKNOWN,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("blame", "kind"),
    [(Blame.MESSAGE, "final"), (Blame.BUDGET, "budget"), (Blame.PROVIDER, "down"), (Blame.MOMENT, "again")],
)
def test_every_blame_is_told_apart(blame: Blame, kind: str) -> None:
    error = error_of(Fault(blame, "甲 / a"), "isv.CODE")
    assert (kind_of(error), error.reason) == (kind, "甲 / a (isv.CODE)")


def test_a_reference_is_printable_or_none() -> None:
    assert [plain_reference(text) for text in ("900^0", "", None, "a b", "一", "x" * 201, "x" * 200)] == [
        "900^0", "", "", "", "", "", "x" * 200,
    ]  # fmt: skip


@pytest.mark.parametrize("given_token", ["", "wrong", "the token of the test", "令牌"])
def test_a_callback_needs_the_token_of_its_address(given_token: str) -> None:
    check_callback_token("the token of the tests", "the token of the tests")
    with pytest.raises(BadSignatureError):
        check_callback_token(given_token, "the token of the tests")


def test_without_a_token_no_callback_is_let_in() -> None:
    with pytest.raises(BadSignatureError):
        check_callback_token("", "")


@pytest.mark.parametrize(
    "read", [lambda: unix_time(253402300799), lambda: unix_time(0), lambda: beijing_time("0001-01-01 00:00:00")]
)
def test_a_time_that_no_provider_means_is_refused(read: Callable[[], datetime]) -> None:
    with pytest.raises(BadCallbackError):
        read()
