"""Encodings are told apart, and a broken byte costs only its own row."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.files.text import detect_encoding, is_damaged, open_text, shown

CHINESE = "编号,名称\n1,春天网吧\n2,夜色酒吧\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_text_is_read_in_its_encoding(encoding: str) -> None:
    assert open_text(io.BytesIO(CHINESE.encode(encoding))).read() == CHINESE


def test_ascii_is_utf8() -> None:
    assert detect_encoding(io.BytesIO(b"a,b\n1,2\n")) == "utf-8"


def test_one_broken_byte_does_not_turn_utf8_into_gb18030() -> None:
    data = CHINESE.encode() + b"3,\xff\n"
    text = open_text(io.BytesIO(data)).read()
    assert text.startswith(CHINESE)
    assert is_damaged(text)
    assert shown("3,\udcff") == "3,\\xff"


def test_one_broken_byte_does_not_turn_gb18030_into_utf8() -> None:
    data = CHINESE.encode("gb18030") + b"3,\xff\n"
    assert open_text(io.BytesIO(data)).read().startswith(CHINESE)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff")))
def test_any_utf8_text_comes_back(text: str) -> None:
    assert open_text(io.BytesIO(text.encode())).read() == text


def test_a_long_value_is_cut_in_reports() -> None:
    assert shown("x" * 300) == "x" * 200 + "…"
