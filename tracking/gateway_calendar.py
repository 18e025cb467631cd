"""Reads the calendar that Hulan ships, and one that an office gives, from disk."""

from pathlib import Path

from tracking.calendar import CalendarDataError, WorkCalendar, read_calendar

SHIPPED = Path(__file__).with_name("calendar_days.toml")


def load_calendar(own: Path | None = None) -> WorkCalendar:
    """The shipped calendar; a year or region in the office's ``own`` file replaces the one shipped.

    Raises CalendarDataError naming the file if it is not there or cannot be right.
    """
    shipped = _read(SHIPPED)
    return shipped if own is None else shipped.replaced_by(_read(own))


def _read(path: Path) -> WorkCalendar:
    try:
        return read_calendar(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CalendarDataError(f"无法读取日历文件 cannot read the calendar file {path}: {error.strerror}") from error
    except (CalendarDataError, UnicodeDecodeError) as error:
        raise CalendarDataError(f"{path}: {error}") from error
