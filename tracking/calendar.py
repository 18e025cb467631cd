"""Days of Asia/Shanghai: statutory holidays, rest days with make-up workdays, school days. Pure: data comes as text.

Sources: 全国年节及纪念日放假办法 (2024-11-10) 2 and 6; each year's notice of the General Office of the State Council.
未保法 58 and the script-venue rules of 2022 tell statutory days, rest days and school vacations apart
(reference/domain.md 2.2, section 4 item 21). A day that the data does not cover raises; nothing is ever guessed from
the day of the week.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from tracking.local_time import LOCAL_TIME

_DAY = timedelta(days=1)
_SATURDAY = 5


class CalendarMissingError(LookupError):
    """The calendar does not cover a day. The message says what to import."""


class CalendarDataError(ValueError):
    """A calendar file cannot be right. The message names the entry and what to mend."""


class DayKind(StrEnum):
    """What a rule can ask of a day. Most days are of several kinds."""

    WORKDAY = "workday"  # 工作日，含调休上班日
    REST_DAY = "rest_day"  # 休息日，含节假日
    STATUTORY = "statutory"  # 法定节假日：未保法 58 lets arcades admit minors on these only
    SCHOOL_DAY = "school_day"  # 上学日
    SCHOOL_EVE = "school_eve"  # 次日上学：the nights that curfews of minors mean
    VACATION = "vacation"  # 学校假期


DAY_KIND_NAMES_ZH: dict[DayKind, str] = {
    DayKind.WORKDAY: "工作日",
    DayKind.REST_DAY: "休息日",
    DayKind.STATUTORY: "法定节假日",
    DayKind.SCHOOL_DAY: "上学日",
    DayKind.SCHOOL_EVE: "次日上学",
    DayKind.VACATION: "学校假期",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarYear:
    """What one year's notice says. ``days_off`` holds the whole holiday periods, ``statutory`` only days of the law."""

    year: int
    document: str
    days_off: frozenset[date]
    statutory: frozenset[date]
    workdays: frozenset[date]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolCalendar:
    """Vacations of a region's schools (inclusive dates), known from ``first_day`` to ``last_day`` and nowhere else."""

    region: str
    name: str
    document: str
    first_day: date
    last_day: date
    vacations: tuple[tuple[date, date], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCalendar:
    """Years by number, school calendars by region (adcode)."""

    years: Mapping[int, CalendarYear] = field(default_factory=dict)
    schools: Mapping[str, tuple[SchoolCalendar, ...]] = field(default_factory=dict)

    def is_rest_day(self, day: date) -> bool:
        """Whether nobody works: a weekend without make-up work, or a day of a holiday period.

        A notice may name days of the December before its year; while it is not imported those are told by the year
        that they lie in. Raises CalendarMissingError for a day of a year without data.
        """
        known = self._years_for(day)
        if any(day in year.workdays for year in known):
            return False
        return any(day in year.days_off for year in known) or day.weekday() >= _SATURDAY

    def is_workday(self, day: date) -> bool:
        """Whether people work, on a make-up workday too. Raises as :meth:`is_rest_day`."""
        return not self.is_rest_day(day)

    def is_statutory_day(self, day: date) -> bool:
        """Whether the day itself is one of the 13 (until 2024: 11) of the law. Raises as :meth:`is_rest_day`."""
        return any(day in year.statutory for year in self._years_for(day))

    def is_vacation(self, day: date, *, region: str) -> bool:
        """Whether the region's schools have vacation. Raises CalendarMissingError where their calendar is unknown."""
        covering = [school for school in self.schools.get(region, ()) if school.first_day <= day <= school.last_day]
        if not covering:
            raise CalendarMissingError(
                f"没有地区 {region} 在 {day.isoformat()} 的校历：请用 hulan calendar import 导入当地教育部门"
                f"公布的校历 / no school calendar of {region} covers {day.isoformat()}: import the one that its "
                "education authority published with hulan calendar import ([[school]])"
            )
        return any(first <= day <= last for school in covering for first, last in school.vacations)

    def is_school_day(self, day: date, *, region: str) -> bool:
        """Whether pupils go to school: a workday (make-up workdays too) outside vacation. Raises as both."""
        return not self.is_vacation(day, region=region) and self.is_workday(day)

    def is_of_kind(self, day: date, kind: DayKind, *, region: str | None = None) -> bool:
        """Whether a day is of a kind. Raises CalendarMissingError without data, or for school kinds a region."""
        match kind:
            case DayKind.WORKDAY:
                return self.is_workday(day)
            case DayKind.REST_DAY:
                return self.is_rest_day(day)
            case DayKind.STATUTORY:
                return self.is_statutory_day(day)
            case DayKind.SCHOOL_DAY:
                return self.is_school_day(day, region=_needed(region, kind))
            case DayKind.SCHOOL_EVE:
                return self.is_school_day(day + _DAY, region=_needed(region, kind))
            case DayKind.VACATION:
                return self.is_vacation(day, region=_needed(region, kind))

    def replaced_by(self, other: "WorkCalendar") -> "WorkCalendar":
        """This calendar with every year and every region that ``other`` holds taken from there, whole."""
        return WorkCalendar(years={**self.years, **other.years}, schools={**self.schools, **other.schools})

    def _years_for(self, day: date) -> tuple[CalendarYear, ...]:
        own, following = self.years.get(day.year), self.years.get(day.year + 1)
        if own is None:
            raise CalendarMissingError(
                f"没有 {day.year} 年的节假日安排：请用 hulan calendar import 导入国务院办公厅关于{day.year}年"
                f"部分节假日安排的通知 / no calendar for {day.year}: import that year's notice of the General Office"
                " of the State Council with hulan calendar import ([[year]])"
            )
        return (own,) if following is None else (own, following)


def local_day(instant: datetime) -> date:
    """The day in Asia/Shanghai of an aware instant."""
    return instant.astimezone(LOCAL_TIME).date()


def read_calendar(text: str) -> WorkCalendar:
    """A calendar from TOML in the form of ``tracking/calendar_days.toml``.

    Raises CalendarDataError for a file that is no TOML or cannot be right: days outside the year, make-up work on a
    working weekday, statutory days that are not off, a year twice, a wrong number of statutory days.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CalendarDataError(f"日历文件不是 TOML / the calendar file is no TOML: {error}") from error
    years: dict[int, CalendarYear] = {}
    for entry in data.get("year", []):
        year = _read_year(entry)
        if year.year in years:
            raise CalendarDataError(f"[[year]] {year.year}：重复 given twice")
        years[year.year] = year
    schools: dict[str, tuple[SchoolCalendar, ...]] = {}
    for entry in data.get("school", []):
        school = _read_school(entry)
        schools[school.region] = (*schools.get(school.region, ()), school)
    return WorkCalendar(years=years, schools=schools)


def _read_year(entry: Mapping[str, Any]) -> CalendarYear:
    number = entry.get("year")
    if not isinstance(number, int):
        raise CalendarDataError(f"[[year]]：年份应为整数 year must be a whole number, not {number!r}")
    where = f"[[year]] {number}"
    days_off, statutory, workdays = set[date](), set[date](), set[date]()
    for period in entry.get("period", []):
        first, last = _span(period, where)
        days_off |= {first + _DAY * step for step in range((last - first).days + 1)}
        statutory |= {_a_date(day, where) for day in period.get("statutory", [])}
        workdays |= {_a_date(day, where) for day in period.get("workdays", [])}
    year = CalendarYear(
        year=number,
        document=_words(entry, "document", where),
        days_off=frozenset(days_off),
        statutory=frozenset(statutory),
        workdays=frozenset(workdays),
    )
    _check_year(year, where)
    return year


def _check_year(year: CalendarYear, where: str) -> None:
    strays = [
        day for day in year.days_off | year.workdays if not date(year.year - 1, 12, 1) <= day <= date(year.year, 12, 31)
    ]
    expected = 13 if year.year >= 2025 else 11
    for days, fault in (
        (strays, "不在当年 lies outside the year"),
        (year.workdays & year.days_off, "既放假又上班 both off and a make-up workday"),
        ([day for day in year.workdays if day.weekday() < _SATURDAY], "调休上班日应为周末 make-up work is on weekends"),
        (year.statutory - year.days_off, "法定节假日应在放假时段内 a statutory day must lie in its period"),
    ):
        if days:
            raise CalendarDataError(f"{where} {min(days).isoformat()}：{fault}")
    if year.year >= 2014 and len(year.statutory) != expected:
        raise CalendarDataError(
            f"{where}：法定节假日 {len(year.statutory)} 天，应为 {expected} 天 / {len(year.statutory)} statutory days, "
            f"must be {expected} (全国年节及纪念日放假办法 2)"
        )


def _read_school(entry: Mapping[str, Any]) -> SchoolCalendar:
    where = f"[[school]] {entry.get('region')}"
    first, last = _span(entry, where)
    return SchoolCalendar(
        region=_words(entry, "region", where),
        name=_words(entry, "name", where),
        document=_words(entry, "document", where),
        first_day=first,
        last_day=last,
        vacations=tuple(_span(vacation, where) for vacation in entry.get("vacation", [])),
    )


def _span(entry: Mapping[str, Any], where: str) -> tuple[date, date]:
    first, last = _a_date(entry.get("from"), where), _a_date(entry.get("to"), where)
    if last < first:
        raise CalendarDataError(f"{where}：{first.isoformat()} 晚于 is after {last.isoformat()}")
    return first, last


def _a_date(value: object, where: str) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise CalendarDataError(f"{where}：应为日期 must be a date such as 2026-10-01, not {value!r}")
    return value


def _words(entry: Mapping[str, Any], name: str, where: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CalendarDataError(f"{where}：缺少 missing: {name}（来源、文号 the source and its number）")
    return value


def _needed(region: str | None, kind: DayKind) -> str:
    if region is None:
        raise CalendarMissingError(
            f"“{DAY_KIND_NAMES_ZH[kind]}”需要指定校历地区 / {kind}: name the region whose school calendar applies"
        )
    return region
