"""Plans: exact at their stops, at the speed asked for between them, and refused when they cannot be kept."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from api.demo.city import EVENING_STARTS_AT, City, build_city
from api.demo.journey import E_BIKE_MPS, Stop, TruePath, plan_path
from api.demo.plane import Metres
from api.demo.scenes import EVENING_ENDS_AT

HALF_PAST_SEVEN = EVENING_STARTS_AT + timedelta(minutes=90)


@pytest.fixture(scope="module")
def city() -> City:
    return build_city()


@pytest.fixture(scope="module")
def ends(city: City) -> tuple[Metres, Metres]:
    return city.landmark("春晖里").point_m, city.landmark("文庙公园").point_m


def plan(city: City, *stops: Stop) -> TruePath:
    return plan_path(stops, city.network, starts_at=EVENING_STARTS_AT, ends_at=EVENING_ENDS_AT)


def test_traveller_arrives_to_the_second_and_then_stays(city: City, ends: tuple[Metres, Metres]) -> None:
    home, park = ends
    path = plan(city, Stop(place_m=home), Stop(place_m=park, arrives_at=HALF_PAST_SEVEN, is_indoors=False))
    places = path.position_m(np.array([0.0, 5_390.0, 5_400.0, 21_599.0]))
    assert tuple(places[0]) == home
    assert tuple(places[1]) != park
    assert [tuple(place) for place in places[2:]] == [park, park]


def test_speed_is_the_one_asked_for(city: City, ends: tuple[Metres, Metres]) -> None:
    home, park = ends
    path = plan(city, Stop(place_m=home, leaves_at=HALF_PAST_SEVEN), Stop(place_m=park, speed_mps=E_BIKE_MPS))
    speeds = path.speed_mps(np.array([5_390.0, 5_410.0, 21_000.0]))
    assert speeds == pytest.approx([0.0, E_BIKE_MPS, 0.0], abs=0.01)


def test_roof_covers_stays_only_where_it_is_said_to(city: City, ends: tuple[Metres, Metres]) -> None:
    home, park = ends
    path = plan(city, Stop(place_m=home), Stop(place_m=park, arrives_at=HALF_PAST_SEVEN, is_indoors=False))
    assert path.is_indoors(np.array([0.0, 5_390.0, 6_000.0])).tolist() == [True, False, False]


def test_who_never_moves_is_always_in_place(city: City, ends: tuple[Metres, Metres]) -> None:
    path = plan(city, Stop(place_m=ends[0]))
    assert [tuple(place) for place in path.position_m(np.array([0.0, 9_999.0]))] == [ends[0], ends[0]]


@pytest.mark.parametrize("leaves_at", [None, HALF_PAST_SEVEN])
def test_a_way_needs_exactly_one_time(city: City, ends: tuple[Metres, Metres], leaves_at: datetime | None) -> None:
    arrives_at = None if leaves_at is None else HALF_PAST_SEVEN + timedelta(hours=1)
    with pytest.raises(ValueError, match="not both"):
        plan(city, Stop(place_m=ends[0], leaves_at=leaves_at), Stop(place_m=ends[1], arrives_at=arrives_at))


def test_impossible_plan_is_refused(city: City, ends: tuple[Metres, Metres]) -> None:
    with pytest.raises(ValueError, match="before it is reached"):
        plan(city, Stop(place_m=ends[0]), Stop(place_m=ends[1], arrives_at=EVENING_STARTS_AT + timedelta(seconds=5)))
    with pytest.raises(ValueError, match="after the end"):
        plan(city, Stop(place_m=ends[0], leaves_at=EVENING_ENDS_AT), Stop(place_m=ends[1]))
