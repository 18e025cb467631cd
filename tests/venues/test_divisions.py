"""Where a road is, by the names of divisions before it: what cannot be one county, and what is not known."""

import pytest

from venues.divisions import Division, division_codes, division_names, read_division


@pytest.mark.parametrize(
    ("text", "division"),
    [
        ("江苏省徐州市沛县安国镇", Division(code="320322", county="沛县", town="安国")),
        ("徐州市鼓楼区", Division(code="320302", county="鼓楼区")),
        ("鼓楼区", Division(county="鼓楼区")),
        ("云龙区彭城街道办事处", Division(code="320303", county="云龙区", town="彭城")),
        ("徐州市", Division(code="3203")),
        ("江苏省", Division(code="32")),
        ("北京市海淀区", Division(code="110108", county="海淀区")),
        ("重庆市", Division(code="50")),
        ("东莞市长安镇", Division(code="441900", county="东莞市", town="长安")),
        ("徐州市铜山县", Division(code="320323", county="铜山县")),
        ("", Division()),
    ],
)
def test_names_of_divisions_are_read_as_exactly_as_they_tell(text: str, division: Division) -> None:
    assert read_division(text) == division


@pytest.mark.parametrize(
    ("one", "other", "is_other"),
    [
        ("徐州市沛县", "徐州市睢宁县", True),
        ("徐州市鼓楼区", "南京市鼓楼区", True),
        ("鼓楼区", "云龙区", True),
        ("徐州市", "南京市鼓楼区", True),
        ("沛县", "江苏省徐州市沛县安国镇", False),
        ("鼓楼区", "南京市鼓楼区", False),
        ("徐州市", "徐州市鼓楼区", False),
        ("", "沛县", False),
    ],
)
def test_what_cannot_be_one_county(one: str, other: str, is_other: bool) -> None:
    for left, right in ((one, other), (other, one)):
        assert read_division(left).is_other_county(read_division(right)) is is_other


def test_every_division_is_of_its_own_county() -> None:
    for name in division_names():
        read = read_division(name)
        assert not read.is_other_county(read)
        assert not read.code or read.code.ljust(6, "0") in division_codes()
