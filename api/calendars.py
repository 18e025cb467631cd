"""The calendar that rules go by: the one that Hulan ships, and what an office imported into the database."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, text

from tracking.activation import activate
from tracking.calendar import CalendarYear, SchoolCalendar, WorkCalendar
from tracking.gateway_calendar import load_calendar
from tracking.order_store import load_orders

NATION = ""
"""``calendar_year.region`` of the State Council's notice."""
REMINDED_FROM_MONTH = 12
"""The notice comes out in October or November."""


def current_calendar(connection: Connection) -> WorkCalendar:
    """The shipped calendar, each year and each region that is in the database taken from there."""
    rows = connection.execute(text("SELECT year, region, content FROM calendar_year ORDER BY region, year")).all()
    years: dict[int, CalendarYear] = {}
    schools: dict[str, tuple[SchoolCalendar, ...]] = {}
    for row in rows:
        if row.region == NATION:
            years[row.year] = _year(row.year, row.content)
        else:
            found = tuple(_school(row.region, item) for item in row.content["calendars"])
            schools[row.region] = (*schools.get(row.region, ()), *found)
    return load_calendar().replaced_by(WorkCalendar(years=years, schools=schools))


def imported_years(connection: Connection) -> set[tuple[int, str]]:
    """Year and region of all that an office imported."""
    return {(row.year, row.region) for row in connection.execute(text("SELECT year, region FROM calendar_year"))}


def blocked_by_calendar(connection: Connection) -> list[str]:
    """For every order that governs or will, and that the calendar stops: why."""
    return [item.reason for item in activate(load_orders(connection), calendar=current_calendar(connection)).blocked]


def calendar_reminder(connection: Connection, *, today: date) -> str | None:
    """In December, that next year's notice is not in yet: without it timetables of work and rest days stop."""
    following = today.year + 1
    if today.month < REMINDED_FROM_MONTH or following in current_calendar(connection).years:
        return None
    return (
        f"还没有 {following} 年的节假日安排：请导入国务院办公厅通知（hulan calendar import），"
        "否则该年按工作日、休息日的规则不启用"
        f" / the calendar of {following} is not in yet: import the notice (hulan calendar import),"
        " or rules by workdays and rest days stop with the year"
    )


def save_calendar(connection: Connection, calendar: WorkCalendar, *, at: datetime) -> int:
    """Store every year and school year of a calendar, each in the place of the one before; returns how many.

    Orders with timetables that run in one of these years are judged again from its beginning.
    """
    rows = [(year.year, NATION, _year_content(year), year.document) for year in calendar.years.values()]
    for region, found in calendar.schools.items():
        for number in sorted({item.first_day.year for item in found}):
            of_year = [item for item in found if item.first_day.year == number]
            content = {"calendars": [_school_content(item) for item in of_year]}
            rows.append((number, region, content, "；".join(item.document for item in of_year)))
    for number, region, content, source in rows:
        connection.execute(
            text(
                "INSERT INTO calendar_year (year, region, content, source, imported_at) VALUES"
                " (:year, :region, CAST(:content AS jsonb), :source, :at) ON CONFLICT (year, region) DO UPDATE"
                " SET content = excluded.content, source = excluded.source, imported_at = excluded.imported_at"
            ),
            {
                "year": number,
                "region": region,
                "content": json.dumps(content, ensure_ascii=False),
                "source": source,
                "at": at,
            },
        )
    _judge_again(connection, {row[0] for row in rows}, at=at)
    return len(rows)


def _judge_again(connection: Connection, years: Iterable[int], *, at: datetime) -> None:
    connection.execute(
        text(
            "INSERT INTO reevaluation (shard, subject_no, since, reason, created_at)"
            " SELECT s.shard, o.subject_no, min(greatest(o.valid_from, y.begins)), 'calendar', :at"
            " FROM supervision_order o JOIN subject s USING (subject_no)"
            " JOIN (SELECT make_timestamptz(year, 1, 1, 0, 0, 0, 'Asia/Shanghai') - interval '1 day' AS begins,"
            "              make_timestamptz(year + 1, 1, 1, 0, 0, 0, 'Asia/Shanghai') AS ends"
            "       FROM unnest(CAST(:years AS integer[])) AS year) y"
            " ON o.valid_from < y.ends AND o.valid_to > y.begins"
            " WHERE EXISTS (SELECT FROM condition c WHERE c.order_no = o.order_no AND c.timetable IS NOT NULL)"
            " GROUP BY s.shard, o.subject_no"
        ),
        {"years": sorted(years), "at": at},
    )


def _year_content(year: CalendarYear) -> dict[str, Any]:
    return {
        "days_off": sorted(day.isoformat() for day in year.days_off),
        "statutory": sorted(day.isoformat() for day in year.statutory),
        "workdays": sorted(day.isoformat() for day in year.workdays),
        "document": year.document,
    }


def _year(number: int, content: Mapping[str, Any]) -> CalendarYear:
    def days(name: str) -> frozenset[date]:
        return frozenset(date.fromisoformat(day) for day in content[name])

    return CalendarYear(
        year=number,
        document=content["document"],
        days_off=days("days_off"),
        statutory=days("statutory"),
        workdays=days("workdays"),
    )


def _school_content(item: SchoolCalendar) -> dict[str, Any]:
    return {
        "name": item.name,
        "document": item.document,
        "first_day": item.first_day.isoformat(),
        "last_day": item.last_day.isoformat(),
        "vacations": [[first.isoformat(), last.isoformat()] for first, last in item.vacations],
    }


def _school(region: str, content: Mapping[str, Any]) -> SchoolCalendar:
    return SchoolCalendar(
        region=region,
        name=content["name"],
        document=content["document"],
        first_day=date.fromisoformat(content["first_day"]),
        last_day=date.fromisoformat(content["last_day"]),
        vacations=tuple((date.fromisoformat(a), date.fromisoformat(b)) for a, b in content["vacations"]),
    )
