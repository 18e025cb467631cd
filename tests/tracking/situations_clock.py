"""The situations that are not about places: devices, contacts, check-ins, terms, what the clock brings."""

from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np
from shapely.geometry import LineString

from geo.shapes import Circle, Corridor, Shape
from tests.make import BAR_LATITUDE, SECRET
from tests.tracking.scene import longitude_at, longitudes_at
from tests.tracking.situations_run import (
    CALENDARS,
    PLACES,
    SHIPPED,
    ZONES,
    Found,
    Row,
    activated,
    leaves_of,
    local,
    on_day,
    orders_of,
    track_of,
    zone_of,
)
from tracking.allowances import Absence, Allowances
from tracking.check_in import CheckInPolicy, CheckInTimes, settle_check_in
from tracking.check_plan import CheckCondition, CheckInKind, PlannedCheck, plan_check_ins, plan_spots
from tracking.clock_edges import (
    EdgeBook,
    LeaveClock,
    OrderClock,
    binding_edges,
    leave_edges,
    order_edges,
    subject_edges,
)
from tracking.contact import ContactPolicy, Pair, Places, find_meetings
from tracking.evaluate import filtered_fixes
from tracking.leave_way import AllowedPlace, AllowedPlaces, LeaveWayPolicy, find_detours
from tracking.local_time import LOCAL_TIME
from tracking.order import Subject
from tracking.policy import PresencePolicy
from tracking.presence_rows import to_instant
from tracking.rules import RuleBook, ZoneBook, to_microseconds
from tracking.silence import DeviceFinding, DeviceReports, DeviceStatus, SilencePolicy, begin_watches, watch_devices
from tracking.spot_check import SpotCheckPolicy, planning_rng
from tracking.timetable_json import timetable_from_json
from tracking.windows import Windows

_STATUS = {"关机": DeviceStatus.POWER_OFF, "权限关闭": DeviceStatus.PERMISSION_OFF, "模拟": DeviceStatus.MOCK}
_LONG_AGO, _LONG_AFTER = local("2026-01-01 00:00"), local("2026-12-31 00:00")


def device_findings(row: Row) -> Found:
    """What the device says of itself, and that it says nothing, until ``now``: beginnings only."""
    policy, day = SilencePolicy(), row["day"]
    reports = [item for words in row["reports"] for item in _reports(words, day, row["interval_minutes"])]
    start = min(at for at, _, _, _ in reports)
    end = [np.array([to_microseconds(local(row["watched_to"], day))])] if "watched_to" in row else [None]
    watches = begin_watches(
        subject_no=np.array([1]), watched_from=np.array([to_microseconds(start)]), watched_to=end[0],
        interval_s=np.array([row["interval_minutes"] * 60.0]), policy=policy,
    )  # fmt: skip
    columns = DeviceReports(
        subject_no=np.ones(len(reports), dtype=np.int64),
        reported_at=np.array([to_microseconds(at) for at, _, _, _ in reports]),
        longitude=np.array([longitudes_at(0.0) + 1e-7 * (number % 7 if still is False else 0)
                            for number, (_, still, _, _) in enumerate(reports)], dtype=np.float64),
        latitude=np.full(len(reports), 34.25),
        accuracy_m=np.full(len(reports), 20.0),
        battery_percent=np.array([battery for _, _, battery, _ in reports]),
        device_no=np.array([2 if said == "换机" else 1 for _, _, _, said in reports]),
        status=np.array([int(_STATUS.get(said, 0)) for _, _, _, said in reports]),
    )  # fmt: skip
    now = to_microseconds(local(row["now"], day))
    found = watch_devices(columns, watches, now=now, policy=policy).findings
    return [
        (DeviceFinding(int(item["kind"])).name.lower(), to_instant(int(item["at"])))
        for item in found
        if not item["is_end"]
    ]


def _reports(words: str, day: str, interval: float) -> list[tuple[datetime, bool, float, str]]:
    """At, whether it lies still, battery (NaN: not told), what else is said."""
    when, said, *rest = words.split()
    if "–" not in when:
        return [(local(when, day), False, float(rest[0]) if said == "电量" else np.nan, said)]
    first, last = (local(part, day) for part in when.split("–"))
    last += timedelta(days=last <= first)
    count = int((last - first) / timedelta(minutes=interval)) + 1
    return [(first + timedelta(minutes=interval) * step, said == "不动", np.nan, "") for step in range(count)]


def contact_findings(row: Row) -> Found:
    """Who was near whom for how long."""
    tracks = [
        track_of(row, key, step=1.0, subject_no=number) for number, key in enumerate(("first", "second"), start=1)
    ]  # fmt: skip
    places = Places(
        subject_no=np.concatenate([track.subject_no for track in tracks]),
        at=np.concatenate([track.fixed_at + 1_000_000 * number for number, track in enumerate(tracks)]),
        longitude=np.concatenate([track.longitude for track in tracks]),
        latitude=np.concatenate([track.latitude for track in tracks]),
        sigma_m=np.concatenate([track.accuracy_m * 0.66 for track in tracks]),
    )
    pair = Pair(first_no=1, second_no=2, within_m=row["within_m"], dwell_s=row["for_minutes"] * 60.0)
    found = find_meetings(places, pair, policy=ContactPolicy())
    return [("no_contact", to_instant(item.found_at)) for item in found]


def way_findings(row: Row) -> Found:
    """Where the engine takes the subject to be, against the way of the leave and the areas of the order."""
    (leave,) = leaves_of(row)
    start, end = to_microseconds(leave.starts_at), to_microseconds(leave.ends_at)
    zones = [zone_of(item) for item in row["conditions"]]
    shapes = [_way_of(row["way"]), *(zone.shape for zone in zones if zone is not None)]
    allowed = AllowedPlaces.build([AllowedPlace(shape=shape, during=Windows.build([start], [end])) for shape in shapes])
    fixes, _ = filtered_fixes(track_of(row), PresencePolicy())
    on_leave = np.flatnonzero((fixes.fixed_at >= start) & (fixes.fixed_at < end))
    found = find_detours(fixes.take(on_leave), allowed, policy=LeaveWayPolicy())
    return [("off_route", to_instant(item.since)) for item in found]


def _way_of(said: Row) -> Shape:
    if "at" in said:
        return Circle(longitude=longitude_at(PLACES[said["at"]]), latitude=BAR_LATITUDE, radius_m=said["radius_m"])
    ends = [(longitude_at(PLACES[said[name]]), BAR_LATITUDE) for name in ("from", "to")]
    return Corridor(line=LineString(ends), half_width_m=said["radius_m"])


def check_in_states(row: Row) -> Found:
    """Each check-in of the day with its opening, as it stands at ``now``."""
    day, now = row["day"], to_microseconds(local(row["now"], row["day"]))
    states = []
    for check in _planned(row):
        times = CheckInTimes(
            opens_at=check.opens_at, due_at=check.due_at, grace_until=check.grace_until,
            make_up_until=check.make_up_until,
        )  # fmt: skip
        opens_at = to_instant(check.opens_at)
        said = row["answers"].get(f"{opens_at.astimezone(LOCAL_TIME):%H:%M}")
        answered = None if said is None else to_microseconds(local(said, day))
        if answered is not None and not times.may_be_answered(answered):
            answered = None
        states.append((settle_check_in(times, answered_at=answered, now=now).value, opens_at))
    return states


def _planned(row: Row) -> tuple[PlannedCheck, ...]:
    if "spot_at" in row:
        opens_at = to_microseconds(local(row["spot_at"], row["day"]))
        due_at = opens_at + round(SpotCheckPolicy(per_week=1.0).answer_s * 1e6)
        return (
            PlannedCheck(
                check_in_id=UUID(int=1), subject_no=1, condition_no=1, kind=CheckInKind.SPOT, opens_at=opens_at,
                due_at=due_at, grace_until=due_at,
            ),
        )  # fmt: skip
    day = date.fromisoformat(row["day"])
    return plan_check_ins(
        _check_condition(row), first_day=day, last_day=day, calendar=CALENDARS["shipped"], policy=CheckInPolicy()
    )


def _check_condition(row: Row) -> CheckCondition:
    whole = Windows.build([to_microseconds(_LONG_AGO)], [to_microseconds(_LONG_AFTER)])
    away = [to_microseconds(local(at)) for at in row.get("leave", row.get("unbound", ()))]
    return CheckCondition(
        condition_id=UUID(int=9), condition_no=9, subject_no=1, timetable=timetable_from_json(row["timetable"]),
        binds=whole.without([Windows.build(away[:1], away[1:])]),
    )  # fmt: skip


def spot_checks(row: Row) -> list[datetime]:
    """The times of the spot checks of some weeks, by the tests' secret."""

    def rng_for(condition_id: UUID, planned_from: int) -> np.random.Generator:
        return planning_rng(SECRET, condition_id=condition_id, planned_from=planned_from)

    planned = plan_spots(
        _check_condition(row), weeks=[date.fromisoformat(day) for day in row["weeks"]], calendar=SHIPPED,
        policy=SpotCheckPolicy(per_week=row["per_week"], spacing_s=600.0), rng_for=rng_for,
    )  # fmt: skip
    return [to_instant(check.opens_at) for check in planned]


def clock_findings(row: Row) -> Found:
    """What falls due between two instants, as law or plan date it."""
    (order,) = orders_of(row)
    lifted_at = local(row["lifted"]) if "lifted" in row else None
    edges = list(
        order_edges(OrderClock(order=order, known_at=order.valid_from, lifted_at=lifted_at), calendar=SHIPPED)
    )  # fmt: skip
    if "born" in row:
        edges += subject_edges(
            Subject(subject_no=1, subject_id=UUID(int=1), alias="合成", birth_date=on_day(row["born"]))
        )
    absences: tuple[Absence, ...] = ()
    if "leave_ends" in row:
        ends_at = local(row["leave_ends"])
        clock = LeaveClock(
            leave_id=UUID(int=1), subject_no=1, order_no=1, ends_at=ends_at, known_at=order.valid_from
        )  # fmt: skip
        edges += leave_edges(clock)
        start = local(row.get("leave_from", row["order"][0]))
        absences = (Absence(subject_no=1, start=to_microseconds(start), end=to_microseconds(ends_at)),)
    after, until = (to_microseconds(local(at)) for at in row["between"])
    found = [(edge.kind.value, to_instant(edge.at)) for edge in EdgeBook.build(edges).between(after, until)]
    if "conditions" in row:
        rules = RuleBook.build(
            activated(row).orders, ZoneBook.build(list(ZONES.values())), Allowances(absences=absences)
        )
        known_at = np.full(len(rules), to_microseconds(order.valid_from))
        begun = binding_edges(rules, known_at=known_at, after=after, until=until)
        found += [(edge.kind.value, to_instant(edge.due_at)) for edge, _ in begun]
    return sorted(found, key=lambda item: item[1])
