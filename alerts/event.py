"""What an alert can be about, which of it is one event together, and which audience may hear of it at all.

Every condition that a violation can breach and every kind of finding is one kind of event, and every kind of event
belongs to one group. What falls close together in one group is one event and one alert (ADR 0025).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tracking.order import ConditionKind


class EventKind(StrEnum):
    """What happened, as a person would call it."""

    ENTRY = "entry"  # 进入禁入区域
    INSIDE_WHEN_BOUND = "inside_when_bound"  # 禁入开始时仍在其中
    DEPARTURE = "departure"  # 离开规定区域
    CURFEW = "curfew"  # 规定时段外出
    CONTACT = "contact"  # 与禁止接触的人员接近
    SILENCE = "silence"  # 失联
    LOW_BATTERY = "low_battery"  # 电量低
    POWER_OFF = "power_off"  # 关机
    PERMISSION_OFF = "permission_off"  # 关闭定位权限
    DEVICE_CHANGE = "device_change"  # 更换设备
    MOCK_LOCATION = "mock_location"  # 虚拟定位
    STILLNESS = "stillness"  # 长时间静止，疑似人机分离
    CHECK_IN_MISSED = "check_in_missed"  # 未按时打卡
    SPOT_CHECK_MISSED = "spot_check_missed"  # 未应答抽检
    CHECK_IN_PLACE = "check_in_place"  # 打卡地点有待核实
    LEAVE_OVERSTAY = "leave_overstay"  # 外出逾期未归
    OFF_ROUTE = "off_route"  # 偏离批准的路线
    CURFEW_UNACCOUNTED = "curfew_unaccounted"  # 规定时段开始时去向不明
    MINOR_WITH_ADULT = "minor_with_adult"  # 不满十四周岁者与身份不明的成年人同住旅馆
    ORDER_NOT_LIFTED = "order_not_lifted"  # 期满未解除


class EventGroup(StrEnum):
    """What is one event together, if close in time."""

    ENTRY = "entry"
    """Somewhere the person may not be."""
    ABSENCE = "absence"
    """Not where the person has to be: two conditions over one home are breached by one step out of the door."""
    ROUTE = "route"
    """Not on the way that was approved, on a leave that was."""
    CONTACT = "contact"
    UNHEARD = "unheard"
    """The device cannot be heard: switched off, or silent for a reason not known."""
    BATTERY = "battery"
    """A warning before anything happened, which must never quieten the alert of what happens then."""
    TAMPER = "tamper"
    """Positions may not be the person's."""
    CHECK = "check"
    """A question that was not answered."""
    CHECK_PLACE = "check_place"
    """An answer that may be from elsewhere."""
    CARE = "care"
    OFFICE = "office"
    """The office's own breach, never the person's."""


EVENT_OF_CONDITION: Mapping[ConditionKind, EventKind] = {
    ConditionKind.EXCLUSION_ZONE: EventKind.ENTRY,
    ConditionKind.EXCLUDED_CATEGORIES: EventKind.ENTRY,
    ConditionKind.STAY_WITHIN_AREA: EventKind.DEPARTURE,
    ConditionKind.STAY_AT_PLACE: EventKind.DEPARTURE,
    ConditionKind.CURFEW: EventKind.CURFEW,
    ConditionKind.CHECK_IN: EventKind.CHECK_IN_MISSED,
    ConditionKind.SPOT_CHECK: EventKind.SPOT_CHECK_MISSED,
    ConditionKind.REPORTING_INTERVAL: EventKind.SILENCE,
    ConditionKind.NO_CONTACT: EventKind.CONTACT,
}
"""A place drawn for the order and its category are entered at once; so are an area and a place left at once."""

EVENT_OF_FINDING: Mapping[str, EventKind] = {
    "contact": EventKind.CONTACT,
    "silence": EventKind.SILENCE,
    "low_battery": EventKind.LOW_BATTERY,
    "power_off": EventKind.POWER_OFF,
    "permission_off": EventKind.PERMISSION_OFF,
    "device_change": EventKind.DEVICE_CHANGE,
    "mock_location": EventKind.MOCK_LOCATION,
    "stillness": EventKind.STILLNESS,
    "check_in_missed": EventKind.CHECK_IN_MISSED,
    "check_in_not_made_up": EventKind.CHECK_IN_MISSED,
    "spot_check_missed": EventKind.SPOT_CHECK_MISSED,
    "check_in_elsewhere": EventKind.CHECK_IN_PLACE,
    "check_in_undecidable": EventKind.CHECK_IN_PLACE,
    "leave_overstay": EventKind.LEAVE_OVERSTAY,
    "off_route": EventKind.OFF_ROUTE,
    "curfew_unaccounted": EventKind.CURFEW_UNACCOUNTED,
    "inside_when_bound": EventKind.INSIDE_WHEN_BOUND,
    "minor_with_adult": EventKind.MINOR_WITH_ADULT,
    "order_not_lifted": EventKind.ORDER_NOT_LIFTED,
}
"""``finding.kind`` → what happened."""

GROUP_OF_EVENT: Mapping[EventKind, EventGroup] = {
    EventKind.ENTRY: EventGroup.ENTRY,
    EventKind.INSIDE_WHEN_BOUND: EventGroup.ENTRY,
    EventKind.DEPARTURE: EventGroup.ABSENCE,
    EventKind.CURFEW: EventGroup.ABSENCE,
    EventKind.CURFEW_UNACCOUNTED: EventGroup.ABSENCE,
    EventKind.LEAVE_OVERSTAY: EventGroup.ABSENCE,
    EventKind.OFF_ROUTE: EventGroup.ROUTE,
    EventKind.CONTACT: EventGroup.CONTACT,
    EventKind.SILENCE: EventGroup.UNHEARD,
    EventKind.POWER_OFF: EventGroup.UNHEARD,
    EventKind.LOW_BATTERY: EventGroup.BATTERY,
    EventKind.PERMISSION_OFF: EventGroup.TAMPER,
    EventKind.DEVICE_CHANGE: EventGroup.TAMPER,
    EventKind.MOCK_LOCATION: EventGroup.TAMPER,
    EventKind.STILLNESS: EventGroup.TAMPER,
    EventKind.CHECK_IN_MISSED: EventGroup.CHECK,
    EventKind.SPOT_CHECK_MISSED: EventGroup.CHECK,
    EventKind.CHECK_IN_PLACE: EventGroup.CHECK_PLACE,
    EventKind.MINOR_WITH_ADULT: EventGroup.CARE,
    EventKind.ORDER_NOT_LIFTED: EventGroup.OFFICE,
}
"""All of a group are heard by the same people (``HEARING_OF_EVENT``): who joins an alert silently has been told."""


class Notice(StrEnum):
    """How officers hear of an event."""

    AT_ONCE = "at_once"  # a message, and the next step if nobody answers
    QUEUE = "queue"  # it stands in the queue: a message would wear out the scarce ones (reference/peers.md 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Who may hear of an event, on what ground."""

    family: bool
    """The guardian of a minor; the guarantor where the order says so."""
    officers: Notice
    basis_zh: str
    basis_en: str


_HELPS = "监护人应当管教并配合监督考察（刑诉法 283）"
_HELPS_EN = "a guardian must discipline and cooperate (刑诉法 283)"
_TAMPER = "涉嫌规避监管，未经核实不告知家属"
_TAMPER_EN = "a suspicion of evading supervision is not told to the family before it is looked into"

HEARING_OF_EVENT: Mapping[EventKind, Hearing] = {
    **{
        kind: Hearing(family=True, officers=Notice.AT_ONCE, basis_zh=_HELPS, basis_en=_HELPS_EN)
        for kind in (
            EventKind.ENTRY, EventKind.INSIDE_WHEN_BOUND, EventKind.DEPARTURE, EventKind.CURFEW,
            EventKind.CURFEW_UNACCOUNTED, EventKind.LEAVE_OVERSTAY, EventKind.SILENCE, EventKind.POWER_OFF,
            EventKind.CHECK_IN_MISSED, EventKind.SPOT_CHECK_MISSED,
        )
    },
    EventKind.LOW_BATTERY: Hearing(
        family=True, officers=Notice.QUEUE,
        basis_zh="电量低尚未违反任何义务，家属可以充电",
        basis_en="no duty is breached yet, and the family can charge it",
    ),
    **{
        kind: Hearing(family=False, officers=Notice.AT_ONCE, basis_zh=_TAMPER, basis_en=_TAMPER_EN)
        for kind in (
            EventKind.PERMISSION_OFF, EventKind.DEVICE_CHANGE, EventKind.MOCK_LOCATION, EventKind.STILLNESS,
        )
    },
    EventKind.OFF_ROUTE: Hearing(
        family=False, officers=Notice.AT_ONCE,
        basis_zh="外出路线由办案机关批准，偏离须先由办案人员核实",
        basis_en="the office approved the route, and looks first into why it was left",
    ),
    EventKind.CHECK_IN_PLACE: Hearing(
        family=False, officers=Notice.QUEUE,
        basis_zh="打卡地点须由办案人员核实", basis_en="where it was answered is for officers to check",
    ),
    EventKind.CONTACT: Hearing(
        family=False, officers=Notice.AT_ONCE,
        basis_zh="告知即泄露受保护人员的位置", basis_en="telling it would tell where the protected person is",
    ),
    EventKind.MINOR_WITH_ADULT: Hearing(
        family=False, officers=Notice.AT_ONCE,
        basis_zh="疑似侵害，由公安机关处置，不经监护人（未保法 11、57）",
        basis_en="suspected harm is for the police, not by way of the guardian (未保法 11, 57)",
    ),
    EventKind.ORDER_NOT_LIFTED: Hearing(
        family=False, officers=Notice.AT_ONCE,
        basis_zh="办案机关自身的违法情形（检察规则 567）", basis_en="a breach by the office itself (检察规则 567)",
    ),
}  # fmt: skip

LASTING_EVENTS = frozenset(
    {EventKind.SILENCE, EventKind.LEAVE_OVERSTAY, EventKind.CURFEW_UNACCOUNTED, EventKind.ORDER_NOT_LIFTED}
)
"""What goes on until it ends: found late, someone can still act on it."""


def may_family_hear(kind: EventKind, *, is_protected: bool) -> bool:
    """Whether guardian or guarantor may hear of it at all. ``is_protected``: it is about a protected person's place."""
    return HEARING_OF_EVENT[kind].family and not is_protected


def live_at_of_finding(
    kind: EventKind, *, decided_at: datetime, known_at: datetime, is_over: bool, maximum_age: timedelta
) -> datetime | None:
    """From when someone could act on a finding, by event time, aware; ``None``: it was known too late.

    Known within ``maximum_age`` it is live from its decision. What lasts, and is not known to be over, is live from
    when it is known.
    """
    if known_at - decided_at <= maximum_age:
        return decided_at
    return known_at if kind in LASTING_EVENTS and not is_over else None
