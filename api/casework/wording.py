"""Conditions of an order in plain words, Chinese and English. Pure."""

from tracking.calendar import DAY_KIND_NAMES_ZH
from tracking.order import CONDITION_NAMES_ZH, Condition, ConditionKind
from tracking.timetable import DayException, Timetable, Window
from venues.category import CATEGORY_NAMES_ZH

_WEEKDAYS_ZH = "一二三四五六日"
_WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def condition_zh(condition: Condition) -> str:
    """For example: 规定时段不得外出：每天 22:00–次日 06:00。"""
    parts = [_subject_zh(condition)]
    if condition.timetable is not None:
        parts.append(timetable_zh(condition.timetable))
    if condition.parameters.get("is_city_one_area") is False:
        parts.append("同城跨区也须经批准")
    if condition.tolerance_m:
        parts.append(f"边界误差 {condition.tolerance_m:g} 米以内不算")
    if condition.is_protected:
        parts.append("受保护人员区域，不告知被监管人及监护人")
    return f"{CONDITION_NAMES_ZH[condition.kind]}：{'；'.join(part for part in parts if part)}。".replace("：。", "。")


def condition_en(condition: Condition) -> str:
    """The same in English."""
    parts = [_subject_en(condition)]
    if condition.timetable is not None:
        parts.append(timetable_en(condition.timetable))
    if condition.parameters.get("is_city_one_area") is False:
        parts.append("moving to another district of the city needs approval too")
    if condition.tolerance_m:
        parts.append(f"less than {condition.tolerance_m:g} m beyond the boundary does not count")
    if condition.is_protected:
        parts.append("a protected person's place, not told to the subject or the guardian")
    return f"{condition.kind.value.replace('_', ' ')}: {'; '.join(part for part in parts if part)}.".replace(": .", ".")


def timetable_zh(timetable: Timetable) -> str:
    """Its windows and exceptions."""
    words = [_window_zh(window) for window in timetable.windows]
    words += [f"{item.day.isoformat()} 为 {_exception(item) or '不适用'}" for item in timetable.exceptions]
    return "，".join(words)


def timetable_en(timetable: Timetable) -> str:
    """The same in English."""
    words = [_window_en(window) for window in timetable.windows]
    words += [f"on {item.day.isoformat()} {_exception(item) or 'not at all'}" for item in timetable.exceptions]
    return ", ".join(words)


def _subject_zh(condition: Condition) -> str:
    values = condition.parameters
    match condition.kind:
        case ConditionKind.EXCLUDED_CATEGORIES:
            return "、".join(sorted(CATEGORY_NAMES_ZH[item] for item in condition.categories))
        case ConditionKind.CHECK_IN:
            return f"宽限 {values['grace_minutes']:g} 分钟，{values['make_up_hours']:g} 小时内可补打"
        case ConditionKind.SPOT_CHECK:
            return f"平均每周 {values['per_week']:g} 次，{values['answer_minutes']:g} 分钟内应答"
        case ConditionKind.REPORTING_INTERVAL:
            return f"每 {values['every_minutes']:g} 分钟至少一次"
        case ConditionKind.NO_CONTACT:
            return f"相距 {values['within_m']:g} 米以内不得超过 {values['for_minutes']:g} 分钟"
    return ""


def _subject_en(condition: Condition) -> str:
    values = condition.parameters
    match condition.kind:
        case ConditionKind.EXCLUDED_CATEGORIES:
            return ", ".join(sorted(condition.categories))
        case ConditionKind.CHECK_IN:
            return f"{values['grace_minutes']:g} min of grace, made up within {values['make_up_hours']:g} h"
        case ConditionKind.SPOT_CHECK:
            return f"{values['per_week']:g} a week on average, answered within {values['answer_minutes']:g} min"
        case ConditionKind.REPORTING_INTERVAL:
            return f"every {values['every_minutes']:g} min at least"
        case ConditionKind.NO_CONTACT:
            return f"not within {values['within_m']:g} m for {values['for_minutes']:g} min"
    return ""


def _window_zh(window: Window) -> str:
    days = (
        "每天" if len(window.weekdays) == 7 else "周" + "、".join(_WEEKDAYS_ZH[day] for day in sorted(window.weekdays))
    )
    kinds = "、".join(DAY_KIND_NAMES_ZH[kind] for kind in sorted(window.day_kinds))
    ends = f"{'次日 ' if window.reaches_next_day else ''}{window.ends:%H:%M}"
    return f"{days}{f'（{kinds}）' if kinds else ''} {window.starts:%H:%M}–{ends}"


def _window_en(window: Window) -> str:
    names = ", ".join(_WEEKDAYS_EN[day] for day in sorted(window.weekdays))
    kinds = ", ".join(kind.value for kind in sorted(window.day_kinds))
    ends = f"{window.ends:%H:%M}{' of the next day' if window.reaches_next_day else ''}"
    days = "every day" if len(window.weekdays) == 7 else names
    return f"{days}{f' ({kinds})' if kinds else ''} {window.starts:%H:%M}–{ends}"


def _exception(item: DayException) -> str:
    return "、".join(f"{starts:%H:%M}–{ends:%H:%M}" for starts, ends in item.windows)
