"""Days on which nobody works, for the last days of clocks: by the calendar, or by weekends where none is imported."""

from dataclasses import dataclass, field
from datetime import date

from tracking.calendar import CalendarMissingError, WorkCalendar

_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RestDays:
    """Whether a day is one of rest; of a year that is not imported, by the weekend alone, which is remembered."""

    calendar: WorkCalendar
    weekends_only_years: set[int] = field(default_factory=set)
    """Years that were asked about and are not imported: what came out may be some days off."""

    def __call__(self, day: date) -> bool:
        """Whether nobody works on that day."""
        try:
            return self.calendar.is_rest_day(day)
        except CalendarMissingError:
            self.weekends_only_years.add(day.year)
            return day.weekday() >= _SATURDAY
