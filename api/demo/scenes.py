"""Ten scenes of one evening: for each person the stops, the phone, and the visits that truly took place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shapely.geometry import LineString, Point
from shapely.geometry.base import BaseGeometry

from api.demo import people as cast
from api.demo.city import BUS_STOP, EVENING_STARTS_AT, HOME_BY_BAR, OUT_OF_TOWN, RESIDENCE, SHANGHAI, City
from api.demo.journey import E_BIKE_MPS, WALKING_MPS, Stop
from api.demo.phone import PhoneHabit
from api.demo.plane import FloatArray
from api.demo.truth import Expected, TrueVisit

EVENING_ENDS_AT = datetime(2026, 3, 21, tzinfo=SHANGHAI)
"""Midnight, exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One person's evening: the stops, the phone, and what it proves."""

    stops: tuple[Stop, ...]
    truth: tuple[TrueVisit, ...]
    habit: PhoneHabit = field(default_factory=PhoneHabit)


def _bar_at_2213(city: City) -> Scene:
    visit = _venue_visit(
        city,
        cast.BAR_AT_2213,
        "venue/bar-lane-01",
        "22:13",
        "22:53",
        note="the SMS of record: one of 14 bars of a lane",
    )
    stops = (
        _stay(city, "春晖里"),
        _stay(city, "云泽超市", "19:10", "19:40"),
        _stay(city, "春晖里"),
        _inside(city, visit),
        _stay(city, "春晖里"),
    )
    return Scene(stops=stops, truth=(visit,), habit=PhoneHabit(resent_at=_clock("22:20")))


def _past_the_bar_lane(city: City) -> Scene:
    """The bus stop is some 75 m from the nearest bar; the way there and back passes the mouth of the lane."""
    visit = TrueVisit(
        alias=cast.PAST_THE_BAR_LANE,
        kind="exclusion",
        place_name=BUS_STOP,
        place_source_id=None,
        entered_at=_clock("20:58"),
        left_at=_clock("21:06"),
        expected="none",
        expect_guardian_sms=False,
        note="waits across the mouth of the bar lane and walks on; the phone switches to GCJ-02 in between",
    )
    stops = (
        _stay(city, "师苑小区"),
        Stop(
            place_m=city.landmark(BUS_STOP).point_m,
            arrives_at=visit.entered_at,
            leaves_at=visit.left_at,
            is_indoors=False,
        ),
        _stay(city, "文庙公园", None, "21:50", is_indoors=False),
        _stay(city, "师苑小区"),
    )
    return Scene(stops=stops, truth=(visit,), habit=PhoneHabit(gcj02=(_clock("20:30"), _clock("21:30"))))


def _ktv_in_the_mall(city: City) -> Scene:
    visit = _venue_visit(
        city,
        cast.KTV_IN_THE_MALL,
        "venue/mall-01",
        "19:35",
        "20:00",
        note="other venues of the mall are as near; the fixes around the entry arrive 20 min late",
    )
    stops = (_stay(city, "锦绣苑"), _inside(city, visit), _stay(city, "锦绣苑"))
    return Scene(stops=stops, truth=(visit,), habit=PhoneHabit(held_back=(_clock("19:28"), _clock("19:41"))))


def _home_beside_a_bar(city: City) -> Scene:
    visit = TrueVisit(
        alias=cast.HOME_BESIDE_A_BAR,
        kind="exclusion",
        place_name=HOME_BY_BAR,
        place_source_id=None,
        entered_at=EVENING_STARTS_AT,
        left_at=EVENING_ENDS_AT,
        expected="none",
        expect_guardian_sms=False,
        note="at home, 60 m from a bar, wifi accuracy 65 m",
    )
    return Scene(stops=(_stay(city, HOME_BY_BAR),), truth=(visit,), habit=PhoneHabit(indoors_m=(60.0, 70.0)))


def _three_minutes_online(city: City) -> Scene:
    visit = _venue_visit(
        city,
        cast.THREE_MINUTES_ONLINE,
        "venue/cafe-corner",
        "20:20",
        "20:23",
        expected="possible_only",
        note="in at one door and out again after 3 min",
    )
    stops = (
        _stay(city, "永安新村"),
        _inside(city, visit),
        _stay(city, "学友书店", None, "21:30"),
        _stay(city, "永安新村"),
    )
    return Scene(stops=stops, truth=(visit,), habit=PhoneHabit(indoors_m=(30.0, 34.0)))


def _out_of_the_city(city: City) -> Scene:
    """Crosses the boundary at 19:40 and again at 20:25; nothing is heard of the phone from 19:58 to 20:10."""
    home_m, away_m = city.landmark("东风小区").point_m, city.landmark(OUT_OF_TOWN).point_m
    boundary_m = city.plane.shape_to_metres(city.city_boundary)
    way_m = city.network.route(home_m, away_m)
    beyond_s = timedelta(seconds=_length_m(way_m, boundary_m, is_within=False) / E_BIKE_MPS)
    visit = TrueVisit(
        alias=cast.OUT_OF_THE_CITY,
        kind="stay_within_area",
        place_name=OUT_OF_TOWN,
        place_source_id=None,
        entered_at=_clock("19:40"),
        left_at=_clock("20:25"),
        expected="alert",
        expect_guardian_sms=False,
        note="an adult on bail leaves the city by e-bike for 45 min; 12 min of them without a fix",
    )
    stops = (
        _stay(city, "东风小区"),
        Stop(
            place_m=away_m,
            arrives_at=visit.entered_at + beyond_s,
            leaves_at=visit.left_at - beyond_s,
            speed_mps=E_BIKE_MPS,
        ),
        Stop(place_m=home_m, speed_mps=E_BIKE_MPS),
    )
    return Scene(stops=stops, truth=(visit,), habit=PhoneHabit(silent=(_clock("19:58"), _clock("20:10"))))


def _eighteen_last_week(city: City) -> Scene:
    visit = _venue_visit(
        city,
        cast.EIGHTEEN_LAST_WEEK,
        "venue/bar-harbour",
        "20:30",
        "21:40",
        expect_guardian_sms=False,
        note="of age since 13 March: the officer is told, the parents are not",
    )
    stops = (_stay(city, "湖滨花园"), _inside(city, visit), _stay(city, "湖滨花园"))
    return Scene(stops=stops, truth=(visit,))


def _at_home_under_surveillance(city: City) -> Scene:
    visit = TrueVisit(
        alias=cast.AT_HOME_UNDER_SURVEILLANCE,
        kind="stay_within_area",
        place_name=RESIDENCE,
        place_source_id=None,
        entered_at=EVENING_STARTS_AT,
        left_at=EVENING_ENDS_AT,
        expected="none",
        expect_guardian_sms=False,
        note="never leaves the estate",
    )
    return Scene(stops=(_stay(city, RESIDENCE),), truth=(visit,))


def _in_the_drawn_zone(city: City) -> Scene:
    """Sits on a bench 30 m from the gate; the circle is entered at 19:05 and left at 19:25."""
    gate_east_m, gate_north_m = city.metres(city.gate(cast.ZONE_GATE).point)
    bench_m = (gate_east_m, gate_north_m - 30.0)
    zone_m = Point(gate_east_m, gate_north_m).buffer(cast.ZONE_RADIUS_M)
    home_m = city.landmark("北园里").point_m
    inside_s = timedelta(seconds=_length_m(city.network.route(home_m, bench_m), zone_m, is_within=True) / WALKING_MPS)
    visit = TrueVisit(
        alias=cast.IN_THE_DRAWN_ZONE,
        kind="exclusion",
        place_name=cast.ZONE_LABEL,
        place_source_id=None,
        entered_at=_clock("19:05"),
        left_at=_clock("19:25"),
        expected="alert",
        expect_guardian_sms=False,
        note="a minor on bail in the zone drawn round the victim's school gate: officers hear of it, no guardian",
    )
    stops = (
        _stay(city, "北园里"),
        Stop(
            place_m=bench_m,
            arrives_at=visit.entered_at + inside_s,
            leaves_at=visit.left_at - inside_s,
            is_indoors=False,
        ),
        _stay(city, "北园里"),
    )
    return Scene(stops=stops, truth=(visit,))


def _first_guardian_blocked(city: City) -> Scene:
    visit = _venue_visit(
        city,
        cast.FIRST_GUARDIAN_BLOCKED,
        "venue/cafe-station",
        "20:45",
        "21:20",
        note="the father is a suspect and blocked: the aunt gets the SMS; all fixes are GCJ-02",
    )
    stops = (
        _stay(city, "矿务局宿舍"),
        _stay(city, "朝阳街面馆", "18:50", "19:30"),
        _stay(city, "矿务局宿舍"),
        _inside(city, visit),
        _stay(city, "矿务局宿舍"),
    )
    return Scene(stops=stops, truth=(visit,), habit=PhoneHabit(gcj02=(EVENING_STARTS_AT, EVENING_ENDS_AT)))


SCENES: dict[str, Callable[[City], Scene]] = {
    cast.BAR_AT_2213: _bar_at_2213,
    cast.PAST_THE_BAR_LANE: _past_the_bar_lane,
    cast.KTV_IN_THE_MALL: _ktv_in_the_mall,
    cast.HOME_BESIDE_A_BAR: _home_beside_a_bar,
    cast.THREE_MINUTES_ONLINE: _three_minutes_online,
    cast.OUT_OF_THE_CITY: _out_of_the_city,
    cast.EIGHTEEN_LAST_WEEK: _eighteen_last_week,
    cast.AT_HOME_UNDER_SURVEILLANCE: _at_home_under_surveillance,
    cast.IN_THE_DRAWN_ZONE: _in_the_drawn_zone,
    cast.FIRST_GUARDIAN_BLOCKED: _first_guardian_blocked,
}
"""How each alias spends the evening."""


def _venue_visit(
    city: City,
    alias: str,
    source_id: str,
    entered: str,
    left: str,
    *,
    note: str,
    expected: Expected = "alert",
    expect_guardian_sms: bool | None = None,
) -> TrueVisit:
    """A stay in a venue; unless said otherwise a guardian hears of it when an alert is due."""
    return TrueVisit(
        alias=alias,
        kind="exclusion",
        place_name=city.venue(source_id).name,
        place_source_id=source_id,
        entered_at=_clock(entered),
        left_at=_clock(left),
        expected=expected,
        expect_guardian_sms=expected == "alert" if expect_guardian_sms is None else expect_guardian_sms,
        note=note,
    )


def _stay(
    city: City, landmark: str, arrives: str | None = None, leaves: str | None = None, *, is_indoors: bool = True
) -> Stop:
    return Stop(
        place_m=city.landmark(landmark).point_m,
        arrives_at=_clock(arrives) if arrives else None,
        leaves_at=_clock(leaves) if leaves else None,
        is_indoors=is_indoors,
    )


def _inside(city: City, visit: TrueVisit) -> Stop:
    assert visit.place_source_id is not None
    place_m = city.metres(city.venue(visit.place_source_id).geometry)
    return Stop(place_m=place_m, arrives_at=visit.entered_at, leaves_at=visit.left_at)


def _length_m(way_m: FloatArray, area_m: BaseGeometry, *, is_within: bool) -> float:
    line = LineString(way_m.tolist())
    return float((line.intersection(area_m) if is_within else line.difference(area_m)).length)


def _clock(text: str) -> datetime:
    """``HH:MM`` of the demo evening, aware."""
    hour, minute = text.split(":")
    return EVENING_STARTS_AT.replace(hour=int(hour), minute=int(minute))
