"""Rest days, make-up workdays, statutory days and school days; what is not known is refused."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.school_terms import SCHOOL
from tracking.calendar import (
    DAY_KIND_NAMES_ZH,
    CalendarDataError,
    CalendarMissingError,
    CalendarYear,
    DayKind,
    WorkCalendar,
    local_day,
    read_calendar,
)
from tracking.gateway_calendar import SHIPPED, load_calendar

CALENDAR = load_calendar()
MAY_DAY = "[[year]]\nyear = 2027\ndocument = 'x'\nperiod = [{ from = 2027-05-01, to = 2027-05-01"
WITH_SCHOOL = CALENDAR.replaced_by(read_calendar(SCHOOL))
known_days = st.dates(date(2024, 1, 1), date(2026, 12, 31))


def days_of(year: int) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=step) for step in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)]


@pytest.mark.parametrize(
    ("year", "statutory", "off_weekdays", "workdays"),
    [
        (2024, 11, 19, 8),
        (2025, 13, 18, 5),
        (2026, 13, 19, 6),
    ],
)
def test_year_has_the_days_of_its_notice(year: int, statutory: int, off_weekdays: int, workdays: int) -> None:
    days = days_of(year)
    assert sum(CALENDAR.is_statutory_day(day) for day in days) == statutory
    assert sum(CALENDAR.is_rest_day(day) for day in days if day.weekday() < 5) == off_weekdays
    assert sum(CALENDAR.is_workday(day) for day in days if day.weekday() >= 5) == workdays
    assert off_weekdays - workdays in {11, 13}, (
        "every make-up workday pays for one weekday, the statutory days are free"
    )


def test_every_shipped_year_names_the_document_it_follows() -> None:
    assert sorted(CALENDAR.years) == [2024, 2025, 2026]
    for year, entry in CALENDAR.years.items():
        assert f"国务院办公厅关于{year}年部分节假日安排的通知，国办发明电〔{year - 1}〕" in entry.document


@pytest.mark.parametrize(
    ("day", "rests", "is_statutory"),
    [
        (
            date(2026, 2, 14),
            False,
            False,
        ),  # a working Saturday: script venues may not admit minors (domain.md 4, item 21)
        (date(2026, 2, 15), True, False),  # off, and no statutory day
        (date(2026, 2, 16), True, True),  # New Year's Eve, statutory since 2025
        (date(2025, 5, 2), True, True),
        (date(2024, 5, 2), True, False),
        (date(2026, 4, 5), True, True),
        (date(2026, 4, 6), True, False),
        (date(2026, 11, 22), True, False),
        (date(2026, 11, 23), False, False),
    ],
)
def test_day_is_what_the_notice_says(day: date, rests: bool, is_statutory: bool) -> None:
    assert (CALENDAR.is_rest_day(day), CALENDAR.is_statutory_day(day)) == (rests, is_statutory)
    assert CALENDAR.is_workday(day) is not rests


@pytest.mark.parametrize("day", [date(2027, 1, 1), date(2023, 12, 31), date(2030, 6, 6)])
@pytest.mark.parametrize("kind", [DayKind.REST_DAY, DayKind.WORKDAY, DayKind.STATUTORY])
def test_year_without_data_blocks_and_says_what_to_import(day: date, kind: DayKind) -> None:
    with pytest.raises(CalendarMissingError, match=rf"国务院办公厅关于{day.year}年.*import that year's notice"):
        CALENDAR.is_of_kind(day, kind)


def test_school_days_are_workdays_outside_vacation_and_make_up_workdays_too() -> None:
    school = {day: WITH_SCHOOL.is_school_day(day, region="320300") for day in days_of(2026)[:243]}
    assert not school[date(2026, 2, 14)], "make-up work in the winter vacation"
    assert school[date(2026, 5, 9)], "a make-up Saturday in term"
    assert not school[date(2026, 5, 4)]
    assert not school[date(2026, 7, 6)]
    assert WITH_SCHOOL.is_of_kind(date(2026, 5, 5), DayKind.SCHOOL_EVE, region="320300"), "last day of the holiday"
    assert not WITH_SCHOOL.is_of_kind(date(2026, 4, 30), DayKind.SCHOOL_EVE, region="320300")


@pytest.mark.parametrize(("region", "day"), [("320301", date(2026, 3, 2)), ("320300", date(2026, 9, 1))])
def test_school_calendar_that_is_not_known_blocks(region: str, day: date) -> None:
    with pytest.raises(CalendarMissingError, match=f"{region}.*校历"):
        WITH_SCHOOL.is_school_day(day, region=region)


def test_school_kinds_need_a_region() -> None:
    with pytest.raises(CalendarMissingError, match="地区"):
        WITH_SCHOOL.is_of_kind(date(2026, 3, 2), DayKind.SCHOOL_DAY)


@given(known_days)
def test_day_is_either_worked_or_free_and_statutory_days_are_free(day: date) -> None:
    assert CALENDAR.is_workday(day) is not CALENDAR.is_rest_day(day)
    assert CALENDAR.is_rest_day(day) or not CALENDAR.is_statutory_day(day)


def test_days_are_those_of_shanghai() -> None:
    assert local_day(datetime(2026, 2, 13, 16, 0, tzinfo=UTC)) == date(2026, 2, 14)
    assert local_day(datetime(2026, 2, 13, 15, 59, 59, tzinfo=UTC)) == date(2026, 2, 13)


def test_a_later_notice_decides_the_december_before_it() -> None:
    later = WorkCalendar(years={**CALENDAR.years, 2027: a_2027_with_december()})
    assert CALENDAR.is_workday(date(2026, 12, 31))
    assert later.is_rest_day(date(2026, 12, 31))


def a_2027_with_december() -> CalendarYear:
    text = """
    [[year]]
    year = 2027
    document = "合成通知"
    period = [
      { name = "元旦", from = 2026-12-31, to = 2027-01-02, statutory = [2027-01-01], workdays = [2026-12-27] },
      { name = "其余", from = 2027-05-01, to = 2027-05-12, workdays = [], statutory = [
        2027-05-01, 2027-05-02, 2027-05-03, 2027-05-04, 2027-05-05, 2027-05-06,
        2027-05-07, 2027-05-08, 2027-05-09, 2027-05-10, 2027-05-11, 2027-05-12] },
    ]
    """
    return read_calendar(text).years[2027]


def test_an_offices_file_replaces_years_and_regions_whole(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(SCHOOL, encoding="utf-8")
    assert load_calendar(own) == WITH_SCHOOL


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("year = ", "TOML"),
        ("[[year]]\nyear = '2027'", "整数"),
        ("[[year]]\nyear = 2027", "document"),
        ("[[year]]\nyear = 2027\ndocument = 'x'", "13 天"),
        ("[[year]]\nyear = 2027\ndocument = 'x'\nperiod = [{ from = 2027-05-02, to = 2027-05-01 }]", "晚于"),
        ("[[year]]\nyear = 2027\ndocument = 'x'\nperiod = [{ from = 2026-05-01, to = 2026-05-01 }]", "不在当年"),
        ("[[year]]\nyear = 2027\ndocument = 'x'\nperiod = [{ from = '1', to = 2027-05-01 }]", "日期"),
        (f"{MAY_DAY}, workdays = [2027-05-05] }}]", "周末"),
        (f"{MAY_DAY}, statutory = [2027-05-03] }}]", "时段内"),
        (f"{MAY_DAY}, workdays = [2027-05-01] }}]", "既放假又上班"),
        ("[[school]]\nregion = '1'\nfrom = 2026-01-01\nto = 2026-02-01", "name"),
    ],
)
def test_file_that_cannot_be_right_is_refused_with_its_fault(text: str, fault: str) -> None:
    with pytest.raises(CalendarDataError, match=fault):
        read_calendar(text)


def test_a_year_given_twice_is_refused() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    with pytest.raises(CalendarDataError, match="重复"):
        read_calendar(text + text[text.rindex("[[year]]") :])


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CalendarDataError, match=r"absent\.toml"):
        load_calendar(tmp_path / "absent.toml")


def test_every_kind_of_day_has_a_chinese_name() -> None:
    assert set(DAY_KIND_NAMES_ZH) == set(DayKind)
