"""The calendar that timetables go by: shown, and a year's notice or a school calendar brought in."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from api.calendars import NATION, blocked_by_calendar, current_calendar, imported_years, save_calendar
from api.cli.prepared import prepared_settings
from api.cli.problems import PROBLEMS
from api.cli.screen import out, plain_errors, say, show_table
from api.clock import SystemClock
from api.session import open_database
from tracking.calendar import SchoolCalendar, WorkCalendar, read_calendar

calendar = typer.Typer(help="节假日与校历。Holidays and school calendars.", no_args_is_help=True)

_WEEKDAYS = "一二三四五六日"
_EXAMPLE = """例 / the form of the file (TOML):

    [[year]]
    year = 2027
    document = "国务院办公厅关于2027年部分节假日安排的通知，文号"
    period = [
      { name = "元旦", from = 2027-01-01, to = 2027-01-03, statutory = [2027-01-01], workdays = [] },
    ]

    [[school]]
    region = "320300"
    name = "某市义务教育学校"
    document = "某市教育局通知，文号"
    from = 2026-09-01
    to = 2027-08-31
    vacation = [ { name = "寒假", from = 2027-01-30, to = 2027-02-21 } ]
"""


@calendar.command("show")
def show(
    year: Annotated[int, typer.Argument(help="年份，如 2027 / a year", min=1992, max=2200)],
    region: Annotated[
        str | None, typer.Option(help="再看该地区的校历：行政区划代码 / and the schools of a region")
    ] = None,
) -> None:
    """一年的放假、法定节假日与调休上班日，及其依据。A year's holidays, statutory days and make-up workdays.

    例 / example:  hulan calendar show 2026 --region 320300
    """
    with plain_errors(*PROBLEMS):
        settings = prepared_settings()
        with open_database(settings, say=say) as engine, engine.connect() as connection:
            known = current_calendar(connection)
            own = imported_years(connection)
        if year not in known.years:
            raise LookupError(_missing(year, known))
        _show_year(known, year, is_own=(year, NATION) in own)
        if region is not None:
            _show_schools([item for item in known.schools.get(region, ()) if _touches(item, year)], region, year)


@calendar.command("import")
def import_calendar(
    file: Annotated[Path, typer.Argument(help="日历文件（TOML）/ the calendar file", exists=True, dir_okay=False)],
) -> None:
    """导入国务院办公厅的节假日安排或当地校历；同年、同地区以新的为准。Import a year's notice or a school calendar.

    用到这些日期的决定书随即重新核算。Orders whose timetables need these days are judged again.
    """
    with plain_errors(*PROBLEMS):
        try:
            text = file.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{file.name}：不是 UTF-8，请另存为 UTF-8 / is not UTF-8: save it again as UTF-8"
            ) from error
        found = _read(file.name, text)
        if not found.years and not found.schools:
            raise ValueError(
                f"{file.name}：没有 [[year]] 也没有 [[school]] / holds no [[year]] and no [[school]]\n{_EXAMPLE}"
            )
        settings = prepared_settings()
        with open_database(settings, say=say) as engine, engine.begin() as connection:
            own = imported_years(connection)
            save_calendar(connection, found, at=SystemClock().now())
            blocked = blocked_by_calendar(connection)
    for number in sorted(found.years):
        word = "更新 replaced" if (number, NATION) in own else "导入 imported"
        out.print(f"{number} 年 {word}：{found.years[number].document}", markup=False, soft_wrap=True)
    for region, schools in found.schools.items():
        for item in schools:
            out.print(f"校历 school {region} {item.first_day} – {item.last_day}：{item.document}", markup=False)
    for reason, count in Counter(blocked).items():
        say(f"仍有 {count} 份决定书未启用 orders still not active：{reason}")


def _read(name: str, text: str) -> WorkCalendar:
    try:
        return read_calendar(text)
    except (TypeError, AttributeError) as error:  # a table where a list of tables must be, or the other way round
        raise ValueError(f"{name}：结构不符 / is not of this form\n{_EXAMPLE}") from error


def _missing(year: int, known: WorkCalendar) -> str:
    years = "、".join(str(number) for number in sorted(known.years))
    return (
        f"没有 {year} 年的节假日安排（已有：{years}）。国务院办公厅公布后，写成文件用 hulan calendar import 导入"
        f" / no calendar for {year}: write the notice into a file and use hulan calendar import\n"
        f"{_EXAMPLE}"
    )


def _show_year(known: WorkCalendar, number: int, *, is_own: bool) -> None:
    year = known.years[number]
    out.print(
        f"{number} 年：{year.document}（{'本单位导入 imported here' if is_own else '随软件附带 shipped'}）",
        markup=False,
        soft_wrap=True,
    )
    rows = [("日期 day", "星期", "放假 off", "法定 statutory", "上班 make-up work")]
    for day in sorted(year.days_off | year.workdays):
        rows.append(
            (
                day.isoformat(),
                _WEEKDAYS[day.weekday()],
                "休" if day in year.days_off else "",
                "法定" if day in year.statutory else "",
                "班" if day in year.workdays else "",
            )
        )
    show_table(rows)
    days = [
        date(number, 1, 1) + timedelta(days=step) for step in range((date(number + 1, 1, 1) - date(number, 1, 1)).days)
    ]
    rest = sum(known.is_rest_day(day) for day in days)
    out.print(
        f"全年 {len(days)} 天：上班 workdays {len(days) - rest}，休息 rest days {rest}，"
        f"其中法定 statutory {len(year.statutory)}",
        markup=False,
    )


def _touches(item: SchoolCalendar, year: int) -> bool:
    return item.first_day.year <= year <= item.last_day.year


def _show_schools(found: list[SchoolCalendar], region: str, year: int) -> None:
    if not found:
        out.print(
            f"没有地区 {region} 在 {year} 年的校历，可用 hulan calendar import 导入 / no school calendar of {region}",
            markup=False,
        )
    for item in found:
        out.print(f"{item.name} {item.first_day} – {item.last_day}：{item.document}", markup=False, soft_wrap=True)
        for first, last in item.vacations:
            out.print(f"  假期 vacation {first} – {last}", markup=False)
