"""One evening: the truth is true of the paths, and the fixes are as good and as bad as a phone's."""

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from shapely.geometry import Point

from api.demo import people as cast
from api.demo.city import City, build_city
from api.demo.evening import Evening, simulate_evening
from api.demo.people import ZONE_GATE, ZONE_RADIUS_M, DemoPerson, build_people
from api.demo.plane import FloatArray
from api.demo.truth import TrueVisit
from geo.datum import Datum, to_wgs84
from tracking.fix import Fix, FixSource
from venues.category import FOOTPRINT_MARGIN_M, POINT_FOOTPRINT_M

FOOTPRINT_M = POINT_FOOTPRINT_M + FOOTPRINT_MARGIN_M
OTHER_SEEDS = range(1, 13)


@pytest.fixture(scope="module")
def city() -> City:
    return build_city()


@pytest.fixture(scope="module")
def people(city: City) -> tuple[DemoPerson, ...]:
    return build_people(city)


@pytest.fixture(scope="module")
def evening(city: City, people: tuple[DemoPerson, ...]) -> Evening:
    return simulate_evening(city, people)


@pytest.fixture(scope="module")
def other_evenings(city: City, people: tuple[DemoPerson, ...]) -> list[Evening]:
    return [simulate_evening(city, people, seed) for seed in OTHER_SEEDS]


def visit_of(evening: Evening, alias: str) -> TrueVisit:
    (visit,) = (visit for visit in evening.truth if visit.alias == alias)
    return visit


def places_m(city: City, fixes: list[Fix]) -> FloatArray:
    points = [to_wgs84(longitude=[fix.longitude], latitude=[fix.latitude], datum=fix.datum) for fix in fixes]
    return city.plane.to_metres(np.array(points).reshape(-1, 2))


def breaches(city: City, visit: TrueVisit) -> Callable[[FloatArray], list[bool]]:
    """Which places are in breach of what the visit is about."""
    if visit.kind == "stay_within_area":
        is_home = visit.alias == cast.AT_HOME_UNDER_SURVEILLANCE
        area = city.plane.shape_to_metres(city.residence_boundary if is_home else city.city_boundary)
        return lambda places: [not area.contains(Point(place)) for place in places]
    if visit.alias == cast.IN_THE_DRAWN_ZONE:
        centres, radius_m = [city.metres(city.gate(ZONE_GATE).point)], ZONE_RADIUS_M
    elif visit.place_source_id is not None:
        centres, radius_m = [city.metres(city.venue(visit.place_source_id).geometry)], FOOTPRINT_M
    else:
        bars = [venue for venue in city.venues if venue.category.value == "bar"]
        centres, radius_m = [city.metres(venue.geometry) for venue in bars], FOOTPRINT_M
    return lambda places: [min(math.dist(place, centre) for centre in centres) <= radius_m for place in places]


def share_in_breach(city: City, evening: Evening, visit: TrueVisit) -> float:
    fixes = [fix for fix in evening.tracks[visit.alias] if visit.entered_at <= fix.fixed_at < visit.left_at]
    return float(np.mean(breaches(city, visit)(places_m(city, fixes))))


def test_same_seed_gives_the_same_evening_whoever_else_is_simulated(
    city: City, people: tuple[DemoPerson, ...], evening: Evening
) -> None:
    assert simulate_evening(city, people).tracks == evening.tracks
    alone = simulate_evening(city, [person for person in people if person.alias == cast.BAR_AT_2213])
    assert alone.tracks[cast.BAR_AT_2213] == evening.tracks[cast.BAR_AT_2213]
    assert simulate_evening(city, people, 99).tracks != evening.tracks


def test_everything_is_made_in_less_than_five_seconds() -> None:
    started = time.perf_counter()
    city = build_city()
    simulate_evening(city, build_people(city))
    assert time.perf_counter() - started < 5.0


def test_truth_is_what_the_script_says(evening: Evening) -> None:
    expected = {visit.alias: (visit.expected, visit.expect_guardian_sms) for visit in evening.truth}
    assert expected == {
        cast.BAR_AT_2213: ("alert", True),
        cast.PAST_THE_BAR_LANE: ("none", False),
        cast.KTV_IN_THE_MALL: ("alert", True),
        cast.HOME_BESIDE_A_BAR: ("none", False),
        cast.THREE_MINUTES_ONLINE: ("possible_only", False),
        cast.OUT_OF_THE_CITY: ("alert", False),
        cast.EIGHTEEN_LAST_WEEK: ("alert", False),
        cast.AT_HOME_UNDER_SURVEILLANCE: ("none", False),
        cast.IN_THE_DRAWN_ZONE: ("alert", False),
        cast.FIRST_GUARDIAN_BLOCKED: ("alert", True),
    }


def test_the_bar_of_record_is_entered_at_2213_for_40_minutes(evening: Evening) -> None:
    visit = visit_of(evening, cast.BAR_AT_2213)
    assert f"{visit.entered_at:%Y-%m-%d %H:%M %z}" == "2026-03-20 22:13 +0800"
    assert visit.left_at - visit.entered_at == timedelta(minutes=40)


def test_true_paths_are_in_breach_exactly_during_the_visits(city: City, evening: Evening) -> None:
    """But for the seconds it takes to walk the 35 m from the edge of a footprint to its middle."""
    at_s = np.arange(0.0, 21_600.0, 5.0)
    for visit in evening.truth:
        inside = np.array(breaches(city, visit)(evening.true_paths[visit.alias].position_m(at_s)))
        entered_s, left_s = ((at - evening.starts_at).total_seconds() for at in (visit.entered_at, visit.left_at))
        if visit.expected == "none":
            assert not inside.any(), visit.alias
        else:
            assert inside[(at_s > entered_s + 1) & (at_s < left_s - 1)].all(), visit.alias
            assert not inside[(at_s < entered_s - 60) | (at_s > left_s + 60)].any(), visit.alias


def test_most_fixes_of_true_visits_lie_inside_and_of_the_others_outside(city: City, evening: Evening) -> None:
    for visit in evening.truth:
        share = share_in_breach(city, evening, visit)
        assert share < 0.2 if visit.expected == "none" else share > 0.5, (visit.alias, share)


def test_the_same_holds_on_average_for_any_seed(city: City, other_evenings: list[Evening]) -> None:
    for visit in other_evenings[0].truth:
        share = np.mean([share_in_breach(city, evening, visit) for evening in other_evenings])
        assert share < 0.2 if visit.expected == "none" else share > 0.5, (visit.alias, share)


def test_fixes_come_every_one_to_two_minutes_all_evening(evening: Evening) -> None:
    for alias, fixes in evening.tracks.items():
        times = sorted({fix.fixed_at for fix in fixes})
        gaps_s = np.diff([at.timestamp() for at in times])
        assert gaps_s.min() >= 60.0
        assert np.sort(gaps_s)[-2] <= 120.0
        assert times[0] >= evening.starts_at
        assert times[-1] < evening.ends_at
        assert (gaps_s.max() > 120.0) == (alias == cast.OUT_OF_THE_CITY)
    assert all(fix.fixed_at.tzinfo is UTC for fixes in evening.tracks.values() for fix in fixes)


def test_reported_accuracy_is_an_honest_68_percent_radius(city: City, other_evenings: list[Evening]) -> None:
    within: dict[FixSource, list[bool]] = {FixSource.GPS: [], FixSource.WIFI: []}
    for evening in other_evenings:
        for alias, fixes in evening.tracks.items():
            seconds = np.array([(fix.fixed_at - evening.starts_at).total_seconds() for fix in fixes])
            error_m = np.linalg.norm(
                places_m(city, fixes) - evening.true_paths[alias].position_m(seconds), axis=1
            ).tolist()
            for fix, distance_m in zip(fixes, error_m, strict=True):
                assert fix.accuracy_m is not None
                within[fix.source].append(distance_m <= fix.accuracy_m)
    assert {source.value: round(float(np.mean(hits)), 2) for source, hits in within.items()} == {
        "gps": pytest.approx(0.68, abs=0.04),
        "wifi": pytest.approx(0.68, abs=0.03),
    }


def test_errors_of_neighbouring_fixes_are_correlated(city: City, evening: Evening) -> None:
    alias = cast.AT_HOME_UNDER_SURVEILLANCE
    fixes = evening.tracks[alias]
    error = places_m(city, fixes) - np.array(city.landmark("锦湖小区").point_m)
    near = error[np.hypot(error[:, 0], error[:, 1]) < 120.0]
    assert np.corrcoef(near[1:].ravel(), near[:-1].ravel())[0, 1] > 0.2


def test_outliers_happen_and_are_rare(city: City, other_evenings: list[Evening]) -> None:
    far = [
        math.dist(place, city.landmark("锦湖小区").point_m) > 110.0
        for evening in other_evenings
        for place in places_m(city, evening.tracks[cast.AT_HOME_UNDER_SURVEILLANCE])
    ]
    assert 0.002 < float(np.mean(far)) < 0.03


def test_accuracy_is_8_to_25_m_outdoors_30_to_45_m_indoors_and_65_m_beside_the_bar(evening: Evening) -> None:
    def median_m(alias: str, source: FixSource) -> float:
        return float(np.median([fix.accuracy_m for fix in evening.tracks[alias] if fix.source is source]))

    assert 8.0 <= median_m(cast.PAST_THE_BAR_LANE, FixSource.GPS) <= 25.0
    assert 30.0 <= median_m(cast.BAR_AT_2213, FixSource.WIFI) <= 45.0
    assert 60.0 <= median_m(cast.HOME_BESIDE_A_BAR, FixSource.WIFI) <= 70.0


def test_one_phone_is_silent_for_twelve_minutes_outside_the_city(evening: Evening) -> None:
    visit = visit_of(evening, cast.OUT_OF_THE_CITY)
    times = [fix.fixed_at for fix in evening.tracks[cast.OUT_OF_THE_CITY]]
    silent = [(one, other) for one, other in pairwise(times) if other - one > timedelta(minutes=4)]
    ((from_, until),) = silent
    assert timedelta(minutes=12) <= until - from_ <= timedelta(minutes=16)
    assert visit.entered_at < from_ < until < visit.left_at


def test_one_burst_arrives_twenty_minutes_late_and_after_newer_fixes(evening: Evening) -> None:
    late = {
        alias: [fix for fix in fixes if arrival(fix) - fix.fixed_at > timedelta(minutes=2)]
        for alias, fixes in evening.tracks.items()
        if alias != cast.BAR_AT_2213
    }
    burst = late.pop(cast.KTV_IN_THE_MALL)
    assert not any(late.values())
    assert len(burst) >= 6
    delays = [arrival(fix) - fix.fixed_at for fix in burst]
    assert timedelta(minutes=20) <= min(delays)
    assert max(delays) < timedelta(minutes=35)
    assert max(map(arrival, burst)) - min(map(arrival, burst)) < timedelta(seconds=5)
    newer = [fix for fix in evening.tracks[cast.KTV_IN_THE_MALL] if fix.fixed_at > burst[-1].fixed_at]
    assert any(arrival(fix) < arrival(burst[0]) for fix in newer)


def arrival(fix: Fix) -> datetime:
    assert fix.received_at is not None
    return fix.received_at


def test_tracks_are_in_order_of_arrival_and_nothing_arrives_before_it_is_sent(evening: Evening) -> None:
    for fixes in evening.tracks.values():
        assert [arrival(fix) for fix in fixes] == sorted(arrival(fix) for fix in fixes)
        assert all(fix.sent_at is not None and fix.fixed_at < fix.sent_at < arrival(fix) for fix in fixes)


def test_exactly_one_fix_is_sent_twice(evening: Evening) -> None:
    seen: dict[tuple[str, datetime], list[Fix]] = {}
    for alias, fixes in evening.tracks.items():
        for fix in fixes:
            seen.setdefault((alias, fix.fixed_at), []).append(fix)
    ((first, again),) = (copies for copies in seen.values() if len(copies) > 1)
    assert (first.longitude, first.latitude, first.accuracy_m) == (again.longitude, again.latitude, again.accuracy_m)
    assert arrival(first) < arrival(again)


def test_some_fixes_are_gcj02_and_unread_they_would_be_500_m_off(city: City, evening: Evening) -> None:
    datums = {alias: {fix.datum for fix in fixes} for alias, fixes in evening.tracks.items()}
    assert datums.pop(cast.FIRST_GUARDIAN_BLOCKED) == {Datum.GCJ02}
    assert datums.pop(cast.PAST_THE_BAR_LANE) == {Datum.GCJ02, Datum.WGS84}
    assert all(found == {Datum.WGS84} for found in datums.values())
    fixes = evening.tracks[cast.FIRST_GUARDIAN_BLOCKED]
    as_sent = city.plane.to_metres(np.array([(fix.longitude, fix.latitude) for fix in fixes]))
    assert np.linalg.norm(as_sent - places_m(city, fixes), axis=1).min() > 400.0


def test_alias_without_a_scene_is_refused(city: City, people: tuple[DemoPerson, ...]) -> None:
    stranger = DemoPerson(
        alias="路人",
        birth_date=people[0].birth_date,
        measure=people[0].measure,
        document_number="0",
        deciding_organ="",
        executing_organ="",
        order_starts_at=people[0].order_starts_at,
        order_ends_at=people[0].order_ends_at,
        officer=people[0].officer,
        conditions=(),
    )
    with pytest.raises(ValueError, match="路人"):
        simulate_evening(city, [stranger])
