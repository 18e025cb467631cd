"""Cells as values: what is taken, and what is refused with which reason."""

import math
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.files.cells import (
    CellError,
    check_position,
    parse_datum_cell,
    parse_epoch_seconds,
    parse_flag,
    parse_instant,
    parse_number,
    parse_optional_number,
)
from geo.datum import Datum

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize("text", ["", " ", "nan", "NaN", "inf", "-inf", "116,4", "1_000", "abc", "1e999", "null"])
def test_what_is_no_finite_number_is_refused(text: str) -> None:
    with pytest.raises(CellError) as caught:
        parse_number(text, field="longitude")
    assert caught.value.field == "longitude"
    assert caught.value.value == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_finite_number_comes_back(number: float) -> None:
    assert parse_number(repr(number), field="x") == number


def test_an_absent_number_may_be_allowed() -> None:
    assert parse_optional_number("NaN", field="x") is None


@pytest.mark.parametrize(
    ("longitude", "latitude", "reason"),
    [
        (39.9, 116.4, "swapped"),
        (43.8, 87.6, "swapped"),  # Urumqi: both numbers would pass as degrees
        (200.0, 30.0, "out of range"),
        (100.0, 95.0, "out of range"),
        (0.0, 0.0, "0,0"),
        (0.0001, -0.0001, "0,0"),
    ],
)
def test_impossible_positions_are_refused(longitude: float, latitude: float, reason: str) -> None:
    with pytest.raises(CellError, match=reason):
        check_position(longitude=longitude, latitude=latitude)


@pytest.mark.parametrize(
    ("longitude", "latitude"), [(116.4, 39.9), (15.6, 78.2), (-22.0, -43.0), (0.0, 51.5), (180.0, -90.0)]
)
def test_real_positions_pass(longitude: float, latitude: float) -> None:
    check_position(longitude=longitude, latitude=latitude)


@given(st.floats(73.6, 134.7), st.floats(18.2, 53.5))
def test_a_swapped_position_of_china_is_always_seen(longitude: float, latitude: float) -> None:
    check_position(longitude=longitude, latitude=latitude)
    with pytest.raises(CellError, match="swapped"):
        check_position(longitude=latitude, latitude=longitude)


@given(st.builds(datetime.fromtimestamp, st.floats(1e5, 4e9), OFFSETS))
def test_an_instant_with_an_offset_comes_back_in_utc(instant: datetime) -> None:
    parsed = parse_instant(instant.isoformat(), field="fixed_at", timezone=None)
    assert parsed == instant
    assert parsed.tzinfo is UTC


def test_fractions_of_a_microsecond_are_cut() -> None:
    parsed = parse_instant("2019-01-25 20:00:16.178999901", field="t", timezone=UTC)
    assert parsed == datetime(2019, 1, 25, 20, 0, 16, 178999, tzinfo=UTC)


def test_a_naive_time_is_refused_with_what_to_do_and_read_in_a_given_zone() -> None:
    with pytest.raises(CellError, match="--timezone"):
        parse_instant("2024-05-01T08:30:00", field="t", timezone=None)
    parsed = parse_instant("2024-05-01T08:30:00", field="t", timezone=ZoneInfo("Asia/Shanghai"))
    assert parsed == datetime(2024, 5, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2024-03-31T02:30:00", "2024-10-27T02:30:00"])
def test_a_local_time_that_is_twice_or_never_is_refused(text: str) -> None:
    with pytest.raises(CellError, match="clocks changed"):
        parse_instant(text, field="t", timezone=ZoneInfo("Europe/Zurich"))


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01T00:00:00Z", "2024-05-01", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        parse_instant(text, field="t", timezone=None)


def test_a_date_may_be_enough() -> None:
    parsed = parse_instant("2024-05-01", field="t", timezone=ZoneInfo("Asia/Shanghai"), is_date_enough=True)
    assert parsed == datetime(2024, 4, 30, 16, tzinfo=UTC)


def test_epoch_seconds_beyond_the_calendar_are_refused() -> None:
    assert parse_epoch_seconds(0.0, field="tst") == datetime(1970, 1, 1, tzinfo=UTC)
    with pytest.raises(CellError):
        parse_epoch_seconds(1e18, field="tst")
    with pytest.raises(CellError):
        parse_epoch_seconds(math.inf, field="tst")


@pytest.mark.parametrize(("text", "flag"), [("是", True), ("TRUE", True), ("1", True), ("否", False), ("no", False)])
def test_flags(text: str, flag: bool) -> None:
    assert parse_flag(text, field="x") is flag


def test_a_blank_flag_is_refused() -> None:
    with pytest.raises(CellError):
        parse_flag("", field="x")


def test_the_datum_of_a_row_wins_over_the_default() -> None:
    assert parse_datum_cell("gcj-02", field="datum", default=Datum.WGS84) is Datum.GCJ02
    assert parse_datum_cell("", field="datum", default=Datum.WGS84) is Datum.WGS84
    for text in ("", "火星"):
        with pytest.raises(CellError):
            parse_datum_cell(text, field="datum", default=None)
